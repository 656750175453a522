"""The two comparisons of classifiers that the command runs, and their tables."""

from time import perf_counter

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from .. import Flatten, HierarchicalSampler, LayerwiseCNNClassifier


def learn_synthetic_images(seed, n_train=10_000, n_test=5_000):
    """Compare algorithm 1 with a linear classifier on the model of appendix D."""
    k = 30
    sampler = HierarchicalSampler(patches_per_class=k, random_state=seed).fit()
    X, y = sampler.sample(n_train + n_test)
    print(
        "Synthetic images: labels -> 3x3 semantic images -> 9x9 -> 27x27 pixels\n"
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
    print(f"Real images: {dataset.name}, {shape}, {len(np.unique(y_train))} labels")
    for note in dataset.notes:
        print(f"   {note}")
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
