"""Accuracy and required images on the Random Hierarchy Model: 8 labels and symbols, m synonyms.

Usage: python benchmarks/random_hierarchy.py accuracy [--seeds 5] [--methods ...] [--csv FILE]
       python benchmarks/random_hierarchy.py images [--synonyms 2 4 8] [--depths 2 3 4] ...

'accuracy' prints the accuracy on 4,000 held-out images and the CPU seconds of the fit, for m = 8
with 30,000 images at depth L = 3 and 40,000 at L = 4.

'images' prints the number of training images for an accuracy of 95 %, and the predicted number, at
which the correlation of labels with a pair of symbols is as large as its noise. It also prints how
the number grows with m at each L, and with L at each m. Each seed draws rules and images.

'classes' is algorithm 1, where labels of images group codes into classes. 'context' groups codes by
the neighboring code of each, and uses labels for the head only. 'labels' is 'context' with at least
16,384 images, and counts labels instead of images. 'CNN' is trained end to end.
"""

import argparse
import time
import warnings
from itertools import product

import numpy as np
from _common import Table
from _paper_cnns import cnn_accuracy
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from skhier import LayerwiseCNNClassifier
from skhier.datasets import make_random_hierarchy
from skhier.theory import rhm_sample_complexity

V = 8  # labels, and symbols of each level
N_HELD_OUT = 4000
N_UNLABELED = 2**14
REQUIRED_ACCURACY = 0.95
MAX_IMAGES = 2**18


def _cnn(train, held_out, n_synonyms, depth, seed):
    return cnn_accuracy(*train, *held_out, 4 * V * n_synonyms, (1, 2), depth, 3000, seed)


def _algorithm_1(n_synonyms, depth, seed):
    """Return algorithm 1 with one cluster per pair of symbols, and codes grouped into classes."""
    return LayerwiseCNNClassifier.algorithm_1(
        V * n_synonyms, (1, 2), depth, n_components=V, embedder__solver="kmeans", random_state=seed
    )


def _classes(train, held_out, n_synonyms, depth, seed):
    return _algorithm_1(n_synonyms, depth, seed).fit(*train).score(*held_out)


def _siblings(codes):
    """Return the index of each code's sibling in one-hot codes (n, 1, width, C).

    Siblings are the two codes of a pair. The index of a left sibling is increased by C.
    """
    pairs = codes.argmax(axis=-1).reshape(-1, 2)
    return (pairs[:, ::-1] + [0, codes.shape[-1]]).ravel()


def _context(train, held_out, n_synonyms, depth, seed):
    """Group patches into classes without labels, by their siblings; return the accuracy.

    Patches of one class have the same distribution of siblings. `train` may have fewer labels than
    images: they are the labels of the first images.
    """
    (X, y), (X_held, y_held) = train, held_out
    parts = _algorithm_1(n_synonyms, 2, seed).to_pipeline().named_steps
    orthogonalizer = parts["orthogonalizer1"].set_params(random_state=seed)
    embedder = parts["embedder1"].set_params(random_state=seed)
    for level in range(depth):
        if level:
            single = [codes.reshape(-1, 1, 1, codes.shape[-1]) for codes in (X, X_held)]
            embedder.fit(single[0], _siblings(X))
            X, X_held = (
                embedder.transform(rows).reshape(*codes.shape[:-1], V)
                for rows, codes in zip(single, (X, X_held))
            )
        orthogonalizer.fit(X)
        X, X_held = orthogonalizer.transform(X), orthogonalizer.transform(X_held)
    rows, rows_held = (codes.reshape(len(codes), -1) for codes in (X[: len(y)], X_held))
    return LinearSVC(random_state=seed).fit(rows, y).score(rows_held, y_held)


def _labels(train, held_out, n_synonyms, depth, seed):
    y = train[1]  # labels of the first images of a larger sample
    (X, _), _ = draw(max(N_UNLABELED, len(y)), n_synonyms, depth, seed)
    return _context((X, y), held_out, n_synonyms, depth, seed)


METHODS = {"classes": _classes, "context": _context, "labels": _labels, "CNN": _cnn}


def draw(n_images, n_synonyms, depth, seed):
    """Draw a model and its images; return (X, y) for training and (X, y) held out."""
    X, y = make_random_hierarchy(
        n_images + N_HELD_OUT, n_synonyms=n_synonyms, depth=depth, random_state=seed
    )
    return (X[N_HELD_OUT:], y[N_HELD_OUT:]), (X[:N_HELD_OUT], y[:N_HELD_OUT])


def accuracy(options):
    """Print accuracies and CPU seconds of all methods."""
    table = Table("method", "L", "images", "seed", "accuracy", "CPU s", csv_path=options.csv)
    for name in options.methods:
        for depth, n_images in ((3, 30_000), (4, 40_000)):
            for seed in range(options.seeds):
                train, held_out = draw(n_images, 8, depth, seed)
                start = time.process_time()
                score = METHODS[name](train, held_out, 8, depth, seed)
                table.add(name, depth, n_images, seed, score, time.process_time() - start)


def images_needed(method, n_synonyms, depth, seed):
    """Return the number of training images for `REQUIRED_ACCURACY`; NaN beyond `MAX_IMAGES`.

    The number of images is doubled until the accuracy is reached. Accuracy is interpolated linearly
    in the logarithm of the number, between two numbers with a ratio of the square root of 2.
    """

    def score(size):
        (X, y), held_out = draw(size, n_synonyms, depth, seed)
        return method((X, y), held_out, n_synonyms, depth, seed)

    low, high = None, (V * n_synonyms, score(V * n_synonyms))
    while high[1] < REQUIRED_ACCURACY:
        low, size = high, 2 * high[0]
        if size > MAX_IMAGES:
            return np.nan
        high = size, score(size)
    if low is None:
        return high[0]
    size = round(low[0] * np.sqrt(2))
    middle = size, score(size)
    low, high = (low, middle) if middle[1] >= REQUIRED_ACCURACY else (middle, high)
    share = (REQUIRED_ACCURACY - low[1]) / (high[1] - low[1])
    return low[0] * (high[0] / low[0]) ** share


def images(options):
    """Print required numbers of images of all methods, and how fast they grow."""
    table = Table(
        "method", "m", "L", "median", "lowest", "highest", "predicted", "ratio",
        csv_path=options.csv,
    )  # fmt: skip
    for name in options.methods:
        needed = {}
        for m, depth in product(options.synonyms, options.depths):
            seeds = range(options.seeds)
            n_images = np.array([images_needed(METHODS[name], m, depth, seed) for seed in seeds])
            needed[m, depth] = n_images
            spread = np.median(n_images), n_images.min(), n_images.max()
            expected = rhm_sample_complexity(V, V, m, 2, depth)
            table.add(name, m, depth, *spread, expected, spread[0] / expected)
        for depth in options.depths:
            points = [(np.log(m), needed[m, depth]) for m in options.synonyms]
            _print_slope(f"{name}: log N over log m, L = {depth}", points, depth)
        for m in options.synonyms:
            points = [(depth, needed[m, depth]) for depth in options.depths]
            growth = np.log(
                rhm_sample_complexity(V, V, m, 2, 2) / rhm_sample_complexity(V, V, m, 2, 1)
            )
            _print_slope(f"{name}: log N over L, m = {m}", points, growth)


def _print_slope(name, points, expected):
    """Print the slope of the least-squares line through all seeds, and its standard error.

    `points` are pairs (x, numbers of images of all seeds). Seeds that did not reach
    `REQUIRED_ACCURACY` with `MAX_IMAGES` images are dropped, which makes the slope too small.
    """
    x = np.concatenate([np.full(len(numbers), at) for at, numbers in points])
    y = np.log(np.concatenate([numbers for _, numbers in points]))
    n_dropped, x, y = np.isnan(y).sum(), x[np.isfinite(y)], y[np.isfinite(y)]
    if len(np.unique(x)) < 2 or len(x) < 3:
        return
    x = x - x.mean()
    slope = x @ y / (x @ x)
    residual = y - y.mean() - slope * x
    error = np.sqrt(residual @ residual / (len(x) - 2) / (x @ x))
    print(
        f"{name}: {slope:.2f} +- {error:.2f}, predicted {expected:.2f}; {n_dropped} of "
        f"{n_dropped + len(x)} runs dropped, which did not reach {REQUIRED_ACCURACY}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("part", choices=["accuracy", "images"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--synonyms", nargs="*", type=int, default=[2, 4, 8])
    parser.add_argument("--depths", nargs="*", type=int, default=[2, 3, 4])
    parser.add_argument("--csv")
    options = parser.parse_args()
    # Few images have fewer distinct patches than clusters, do not let the SVM converge, and may be
    # fewer than twice the number of classes.
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message="The number of unique classes")
    {"accuracy": accuracy, "images": images}[options.part](options)
