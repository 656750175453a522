"""Images that the Random Hierarchy Model takes: 8 labels and symbols, m synonyms, L levels.

Usage: python benchmarks/random_hierarchy.py accuracy [--seeds 5] [--methods ...] [--csv FILE]
       python benchmarks/random_hierarchy.py images [--synonyms 2 4 8] [--depths 2 3 4] ...

'accuracy': on 4,000 held-out images, and CPU seconds of the fit, of m = 8, with 30,000 images at
L = 3 and 40,000 at L = 4. 'images': how many it takes for 95 %, beside the number at which what
labels say of a pair of symbols is as large as its noise; and how it grows with m at each L, and
with L at each m. Each seed draws rules and images. 'classes' is algorithm 1 with codes put in
classes by the labels of images; 'context' puts them in classes by the code that stands beside each,
and uses labels for the head alone; 'labels' is the same with 16,384 images, and counts labels.
"""

import argparse
import time
import warnings
from itertools import product

import numpy as np
from _cnn import cnn_accuracy
from _common import Table
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from skhier import LayerwiseCNNClassifier
from skhier.datasets import make_random_hierarchy
from skhier.theory import rhm_sample_complexity

V, N_HELD_OUT, LEVEL, MOST, N_UNLABELED = 8, 4000, 0.95, 2**18, 2**14


def _cnn(train, held_out, n_synonyms, depth, seed):
    return cnn_accuracy(*train, *held_out, 4 * V * n_synonyms, (1, 2), depth, 3000, seed)


def _algorithm_1(n_synonyms, depth, seed):
    return LayerwiseCNNClassifier.algorithm_1(
        V * n_synonyms, (1, 2), depth, n_components=V, embedder__solver="kmeans", random_state=seed
    )


def _classes(train, held_out, n_synonyms, depth, seed):
    return _algorithm_1(n_synonyms, depth, seed).fit(*train).score(*held_out)


def _siblings(codes):
    """The code beside each of images (n, 1, width, C), plus C if that is on the left."""
    pairs = codes.argmax(axis=-1).reshape(-1, 2)
    return (pairs[:, ::-1] + [0, codes.shape[-1]]).ravel()


def _context(train, held_out, n_synonyms, depth, seed):
    """Patches of a class stand beside the same patches: that tells classes, without labels.

    `train` may have fewer labels than images, those of the first ones.
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
    y = train[1]  # of the first of more images
    (X, _), _ = draw(max(N_UNLABELED, len(y)), n_synonyms, depth, seed)
    return _context((X, y), held_out, n_synonyms, depth, seed)


METHODS = {"classes": _classes, "context": _context, "labels": _labels, "CNN": _cnn}


def draw(n_images, n_synonyms, depth, seed):
    """(X, y) to learn from and (X, y) held out."""
    X, y = make_random_hierarchy(
        n_images + N_HELD_OUT, n_synonyms=n_synonyms, depth=depth, random_state=seed
    )
    return (X[N_HELD_OUT:], y[N_HELD_OUT:]), (X[:N_HELD_OUT], y[:N_HELD_OUT])


def accuracy(options):
    table = Table("method", "L", "images", "seed", "accuracy", "CPU s", csv_path=options.csv)
    for name in options.methods:
        for depth, n_images in ((3, 30_000), (4, 40_000)):
            for seed in range(options.seeds):
                train, held_out = draw(n_images, 8, depth, seed)
                start = time.process_time()
                score = METHODS[name](train, held_out, 8, depth, seed)
                table.add(name, depth, n_images, seed, score, time.process_time() - start)


def images_needed(method, n_synonyms, depth, seed):
    """How many images it takes, between two sizes a factor of sqrt 2 apart; NaN beyond `MOST`.

    It is where the line between their accuracies, over the logarithm of size, passes `LEVEL`.
    Sizes are doubled until one reaches it.
    """

    def score(size):
        (X, y), held_out = draw(size, n_synonyms, depth, seed)
        return method((X, y), held_out, n_synonyms, depth, seed)

    low, high = None, (V * n_synonyms, score(V * n_synonyms))
    while high[1] < LEVEL:
        low, size = high, 2 * high[0]
        if size > MOST:
            return np.nan
        high = size, score(size)
    if low is None:
        return high[0]
    size = round(low[0] * np.sqrt(2))
    middle = size, score(size)
    low, high = (low, middle) if middle[1] >= LEVEL else (middle, high)
    share = (LEVEL - low[1]) / (high[1] - low[1])
    return low[0] * (high[0] / low[0]) ** share


def images(options):
    table = Table(
        "method", "m", "L", "median", "lowest", "highest", "predicted", "ratio",
        csv_path=options.csv,
    )  # fmt: skip
    for name in options.methods:
        needed = {}
        for m, depth in product(options.synonyms, options.depths):
            seeds = range(options.seeds)
            found = np.array([images_needed(METHODS[name], m, depth, seed) for seed in seeds])
            needed[m, depth] = found
            spread = np.median(found), found.min(), found.max()
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


def _print_slope(what, points, expected):
    """Least squares over all seeds that reached `LEVEL`, and its standard error.

    Those that did not need more than `MOST` images, so the slope is too small without them.
    """
    x = np.concatenate([np.full(len(found), at) for at, found in points])
    y = np.log(np.concatenate([found for _, found in points]))
    n_dropped, x, y = np.isnan(y).sum(), x[np.isfinite(y)], y[np.isfinite(y)]
    if len(np.unique(x)) < 2 or len(x) < 3:
        return
    x = x - x.mean()
    slope = x @ y / (x @ x)
    rest = y - y.mean() - slope * x
    error = np.sqrt(rest @ rest / (len(x) - 2) / (x @ x))
    print(
        f"{what}: {slope:.2f} +- {error:.2f}, predicted {expected:.2f}; {n_dropped} of "
        f"{n_dropped + len(x)} runs dropped, which did not reach {LEVEL}",
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
    # Few images have fewer patches than there are, are not separable, and have as many classes.
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message="The number of unique classes")
    {"accuracy": accuracy, "images": images}[options.part](options)
