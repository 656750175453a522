"""Error of labels on published models of hierarchical data, with the lowest possible error.

Usage: python benchmarks/hierarchies.py [--models ...] [--strings 20000] [--seeds 1] [--csv FILE]

'lowest' is the error of the exact posterior on the test strings. 'labels' is algorithm 1, whose
codes are grouped into symbols by the labels of the strings. 'context' groups the codes of all
layers but the last by the next code of the same patch, without labels. 'CNN' is a network of
convolutions without overlap, trained end to end. All learners know the sizes of the model: the
number of levels, of symbols and of different patches.

A seed draws the model and its strings. Test strings are 5,000 others of the same model. 'CPU s' are
the seconds of training.
"""

import argparse
import time
import warnings

import numpy as np
from _common import Table
from _paper_cnns import cnn_accuracy
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from skhier import LayerwiseCNNClassifier
from skhier.datasets import (
    make_broadcast_tree,
    make_filtered_hierarchy,
    make_random_hierarchy,
    make_sparse_random_hierarchy,
    make_transition_tree,
)

N_TEST, CNN_STEPS = 5000, 2000

# Maker, its parameters, width of a patch, number of levels, number of symbols of a level.
MODELS = {
    "broadcast tree": (make_broadcast_tree, {"n_classes": 4, "depth": 4, "theta": 0.9}, 2, 4, 4),
    "random hierarchy": (make_random_hierarchy, {"depth": 3}, 2, 3, 8),
    "power-law rules": (make_random_hierarchy, {"depth": 3, "rule_weights": 2.0}, 2, 3, 8),
    "sparse": (make_sparse_random_hierarchy, {"depth": 2}, 4, 2, 9),
    "filtered, k = 0": (make_filtered_hierarchy, {"depth": 4}, 2, 4, 4),
    "filtered, k = 2": (make_filtered_hierarchy, {"depth": 4, "filtering": 2}, 2, 4, 4),
    "transition tree": (make_transition_tree, {"depth": 4}, 2, 4, 6),
}
METHODS = ("labels", "context", "CNN")


def n_patches(symbols, width):
    """Return the number of different patches of the strings (n, length)."""
    return len(np.unique(symbols.reshape(-1, width), axis=0))


def with_empty(X):
    """Return one-hot images with a channel for empty places too, if there are any."""
    empty = 1 - X.sum(axis=-1, keepdims=True)
    return np.concatenate([X, empty], axis=-1) if empty.any() else X


def by_labels(train, test, width, depth, n_symbols, n_clusters):
    learner = LayerwiseCNNClassifier.algorithm_1(
        n_clusters, (1, width), depth, n_components=n_symbols, embedder__solver="shares",
        random_state=0,
    )  # fmt: skip
    return 1 - learner.fit(*train).score(*test)


def neighbors(codes, width):
    """Return the place of each code of (n, 1, length, C) in its patch, joined with the next code.

    After the last code of a patch comes the first one.
    """
    patches = codes.argmax(axis=-1).reshape(-1, width)
    return (np.roll(patches, -1, axis=1) + codes.shape[-1] * np.arange(width)).ravel()


def by_context(train, test, width, depth, n_symbols, n_clusters):
    (X, y), (X_test, y_test) = train, test
    learner = LayerwiseCNNClassifier.algorithm_1(
        n_clusters, (1, width), 2, n_components=n_symbols, embedder__solver="shares",
        random_state=0,
    )  # fmt: skip
    parts = learner.to_pipeline().named_steps
    orthogonalizer = parts["orthogonalizer1"].set_params(random_state=0)
    embedder = parts["embedder1"].set_params(random_state=0)
    for level in range(depth):
        if level:
            rows, rows_test = (codes.reshape(-1, 1, 1, codes.shape[-1]) for codes in (X, X_test))
            embedder.fit(rows, neighbors(X, width))
            X, X_test = (
                embedder.transform(of_codes).reshape(*codes.shape[:-1], -1)
                for of_codes, codes in ((rows, X), (rows_test, X_test))
            )
        orthogonalizer.fit(X)
        X, X_test = orthogonalizer.transform(X), orthogonalizer.transform(X_test)
    head = LinearSVC(random_state=0).fit(X.reshape(len(X), -1), y)
    return 1 - head.score(X_test.reshape(len(X_test), -1), y_test)


def by_cnn(train, test, width, depth, n_symbols, n_clusters):
    return 1 - cnn_accuracy(*train, *test, 128, (1, width), depth, CNN_STEPS, 0)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--strings", type=int, default=20_000, help="strings for training")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--csv", help="file for the table")
    args = parser.parse_args()
    learners = dict(zip(METHODS, (by_labels, by_context, by_cnn)))
    table = Table("model", "seed", "method", "error", "lowest", "CPU s", csv_path=args.csv)
    for name in args.models:
        make, params, width, depth, n_symbols = MODELS[name]
        for seed in range(args.seeds):
            bunch = make(args.strings, **params, return_X_y=False, random_state=seed)
            X_test, y_test = bunch.sampler.sample(N_TEST, random_state=seed + 1000)
            lowest = 1 - bunch.sampler.bayes_predict_proba(X_test).max(axis=1).mean()
            train = with_empty(bunch.images), bunch.target
            test = with_empty(X_test), y_test
            sizes = width, depth, n_symbols, n_patches(bunch.symbols, width)
            for method in args.methods:
                start = time.process_time()
                with warnings.catch_warnings():  # upper levels can have fewer patches than the last
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    error = learners[method](train, test, *sizes)
                table.add(name, seed, method, error, lowest, time.process_time() - start)


if __name__ == "__main__":
    main()
