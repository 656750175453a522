"""The two comparisons of classifiers that the command runs, and their tables."""

from time import perf_counter

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import Bunch

from .. import Flatten, HierarchicalSampler, LayerwiseCNNClassifier

_MAX_LISTED = 10  # labels that an error message lists


def load_bundled_digits():
    """Return scikit-learn's digits in the form of the loaders of `skhier.datasets`."""
    digits = load_digits()
    return Bunch(images=digits.images, target=digits.target, n_train=None, name="digits")


def learn_synthetic_images(seed, n_train=10_000, n_test=5_000):
    """Compare algorithm 1 with a linear classifier on the model of appendix D."""
    k = 30
    sampler = HierarchicalSampler(patches_per_class=k, random_state=seed).fit()
    X, y = sampler.sample(n_train + n_test)
    print(
        "1. Synthetic images: labels -> 3x3 semantic images -> 9x9 -> 27x27 pixels\n"
        f"   (appendix D of the paper: 4 classes per level, k = {k} patches per class)"
    )
    n_clusters = k * sampler.n_semantic_classes  # one cluster for each patch of the model
    algorithm_1 = LayerwiseCNNClassifier.algorithm_1(
        n_clusters, patch_size=3, random_state=seed, verbose=True
    )
    linear = make_pipeline(Flatten(), StandardScaler(), LinearSVC(C=0.01, random_state=seed))
    methods = {"linear classifier on pixels": linear, "algorithm 1 (skhier)": algorithm_1}
    _compare(methods, X[:n_train], X[n_train:], y[:n_train], y[n_train:])


def learn_real_images(dataset, X_train, X_test, y_train, y_test, seed):
    """Compare the default classifier with two classifiers on pixels, and return it fitted."""
    shape = "x".join(map(str, dataset.images.shape[1:]))
    print(f"\n2. Real images: {dataset.name}, {shape}, {len(np.unique(y_train))} labels")
    pixels = (Flatten(), StandardScaler())
    layerwise = LayerwiseCNNClassifier(random_state=seed, verbose=True)
    methods = {
        "logistic regression on pixels": make_pipeline(
            *pixels, LogisticRegression(C=0.01, max_iter=500)
        ),
        "RBF SVM on pixels": make_pipeline(*pixels, SVC(C=5)),
        "layerwise CNN (skhier)": layerwise,
    }
    _compare(methods, X_train, X_test, y_train, y_test)
    return layerwise


def split_images(dataset, max_train, seed):
    """Return X_train, X_test, y_train, y_test.

    The split is the data's own if it has one; else a quarter of the images is held out. If
    there are more than `max_train` training images, they are drawn at random: the files of a
    folder are sorted by label.

    Raises
    ------
    ValueError
        If X holds values that are not finite numbers, y holds one class only, or a class has
        too few images to split.
    """
    X, y, n_train = dataset.images, dataset.target, dataset.n_train
    if n_train is None:
        _check_counts(y, dataset.get("target_names"))
        parts = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
        X_train, X_test, y_train, y_test = parts
    else:
        X_train, X_test, y_train, y_test = X[:n_train], X[n_train:], y[:n_train], y[n_train:]
    if len(X_train) > max_train:
        drawn = np.sort(np.random.RandomState(seed).permutation(len(X_train))[:max_train])
        X_train, y_train = X_train[drawn], y_train[drawn]
    if X.dtype.kind not in "buif" or not np.isfinite(X).all():
        raise ValueError(f"X, of dtype {X.dtype}, holds values that are not finite numbers")
    if len(np.unique(y_train)) < 2:
        raise ValueError("y holds one class only")
    return X_train, X_test, y_train, y_test


def _check_counts(y, names):
    """Raise ValueError unless a quarter of the images can be held out, with all labels."""
    labels, counts = np.unique(y, return_counts=True)
    rare = [label_name(label, names) for label in labels[counts < 2].tolist()]
    if rare:
        raise ValueError(
            f"the labels {rare[:_MAX_LISTED]} have one image only: a label needs at least 2, one "
            "to learn from and one held out. Add images, or remove the labels"
        )
    least = 4 * len(labels) - 3  # scikit-learn rounds the held-out quarter up
    if len(y) < least:
        raise ValueError(
            f"there are {len(y)} images of {len(labels)} labels: at least {least} are needed, so "
            "that the quarter that is held out has an image of each label"
        )


def label_name(label, names):
    """Return the name of a label; the label itself if `names` is None."""
    return str(label if names is None else names[label])


def _compare(methods, X_train, X_test, y_train, y_test):
    """Fit each method, and print a table of accuracies on the held-out images and of times."""
    print(f"   {len(X_train):,} images to learn from, {len(X_test):,} held out", flush=True)
    rows = []
    for name, method in methods.items():
        start = perf_counter()
        method.fit(X_train, y_train)
        rows.append((name, method.score(X_test, y_test), perf_counter() - start))
    width = max(map(len, methods))
    print(f"   {'':{width}}  held-out accuracy   time")
    for name, accuracy, seconds in rows:
        print(f"   {name:{width}}  {accuracy:17.1%}  {seconds:4.0f} s", flush=True)
