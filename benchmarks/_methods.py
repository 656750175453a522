"""Comparison of classifiers on the same images, each fitted in its own process."""

import argparse
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _common import Table, measure, peak_gigabytes
from _opponents import Chosen, quarter
from sklearn.metrics import recall_score
from sklearn.utils.validation import has_fit_parameter

from skhier.datasets import load_fashion_mnist, load_npz


class Parts(NamedTuple):
    """Images to learn from and images held out, with their labels.

    `groups` are the groups of the images to learn from, such as persons. skhier's `fit` gets them,
    and a choice on a part of the images never splits a group. None is no groups.
    """

    X: np.ndarray
    y: np.ndarray
    X_held: np.ndarray
    y_held: np.ndarray
    groups: np.ndarray | None = None


class Row(NamedTuple):
    """Result of one classifier on one data set; the fields are the columns of the table.

    `choice` is the time in which parameters were chosen, apart from `fit`, the time of the
    final fit. It is 0 for classifiers that choose nothing. `log_loss` is NaN for classifiers
    without probabilities. `rate` is the number of images predicted per second.
    """

    method: str
    data: str
    accuracy: float
    balanced: float
    log_loss: float
    fit: float
    choice: float
    rate: float
    peak: float


class AsLongAs(NamedTuple):
    """Method with a time to train: `times` the seconds that the fit of another method took.

    `make` is a function of the seconds that returns a classifier.
    """

    method: str
    times: float
    make: Callable


COLUMNS = (
    "method",
    "data",
    "accuracy",
    "balanced",
    "log loss",
    "fit s",
    "choice s",
    "images/s",
    "peak GB",
)


def make_parser(description, methods, data="data", help=None, nargs=None):
    """Return a parser with the options that all comparisons share.

    Parameters
    ----------
    description : str
        Description of the script, for ``--help``.
    methods : iterable of str
        Names of the methods that ``--methods`` takes.
    data : str or None, default='data'
        Name of the positional argument, a path. None is no such argument.
    help : str, optional
        Description of this argument.
    nargs : str, optional
        '+' for one or more paths.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    if data:
        help = help or ".npz file of X and y, or folder of Fashion-MNIST's IDX files"
        parser.add_argument(data, type=Path, nargs=nargs, help=help)
        parser.add_argument(
            "--validate", action="store_true", help="score a part of the training images"
        )
    names = list(methods)
    help = f"names of methods, by default all: {names}"
    parser.add_argument(
        "--methods", nargs="*", default=names, choices=names, metavar="NAME", help=help
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="number of threads, by default one per core")
    parser.add_argument("--csv")
    return parser


def compare(methods, data, options):
    """Fit and score the methods that the command line names; print a table, return its rows.

    Parameters
    ----------
    methods : dict
        Name -> classifier, or :class:`AsLongAs` a method that comes before it.
    data : dict
        Name -> function that returns :class:`Parts`. Functions and classifiers are pickled.
    options : Namespace
        Options read by the parser of :func:`make_parser`.

    Returns
    -------
    rows : list of Row
    """
    for position, name in enumerate(options.methods):
        method = methods[name]
        if isinstance(method, AsLongAs) and method.method not in options.methods[:position]:
            raise SystemExit(
                f"--methods: {name!r} trains as long as {method.method!r}, which must be named "
                f"before it, but --methods is {options.methods}"
            )
    width = max(map(len, options.methods))
    table = Table(*COLUMNS, csv_path=options.csv, first_width=width)
    rows = []
    for data_name, load in data.items():
        seconds = {}
        for name in options.methods:
            clf = methods[name]
            if isinstance(clf, AsLongAs):
                clf = clf.make(clf.times * seconds[clf.method])
            scores = in_own_process(fit_and_score, clf, load, options.seed, threads=options.threads)
            rows.append(Row(name, data_name, *scores))
            seconds[name] = rows[-1].fit
            table.add(*rows[-1])
    return rows


def in_own_process(function, *args, threads=None):
    """Return `function(*args)`, computed in a new process with a number of threads.

    So peak memory includes no other method, and memory of the last method is free.
    """
    if threads:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[name] = str(threads)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def fit_and_score(clf, load, seed):
    """Fit a classifier to the images that `load` returns; return the numbers of a :class:`Row`."""
    X, y, X_held, y_held, groups = load()
    seeds = {"random_state", "classifier__random_state"} & clf.get_params().keys()
    clf.set_params(**dict.fromkeys(seeds, seed))
    if isinstance(clf, Chosen):
        clf.fit(X, y, groups)
        fit, choice = clf.fit_seconds_, clf.choice_seconds_
        print("chosen:", clf.params_, file=sys.stderr)
    else:
        known = {"groups": groups} if has_fit_parameter(clf, "groups") else {}
        fit, choice = measure(clf.fit, X, y, **known)[1], 0.0
    if hasattr(clf, "predict_proba"):
        p, seconds = measure(clf.predict_proba, X_held)
        predicted, loss = clf.classes_[p.argmax(axis=1)], log_loss_of(clf.classes_, p, y_held)
    else:
        predicted, seconds = measure(clf.predict, X_held)
        loss = float("nan")
    accuracy = float(np.mean(predicted == y_held))
    labels = np.unique(y_held)
    balanced = float(recall_score(y_held, predicted, labels=labels, average="macro"))
    return accuracy, balanced, loss, fit, choice, len(X_held) / seconds, peak_gigabytes()


def log_loss_of(classes, p, y):
    """Return the log loss of probabilities p (n, n_classes) for labels y.

    Labels that are not among `classes` have the probability 0, which counts as 1e-15.
    """
    columns = np.searchsorted(classes, y).clip(max=len(classes) - 1)
    p_label = np.where(classes[columns] == y, p[np.arange(len(y)), columns], 0)
    return float(-np.log(p_label.clip(min=1e-15)).mean())


def load_parts(path, validate, n_train=None):
    """Load a file or folder, and return :class:`Parts`.

    Of a file with the arrays `train` and `groups`, the images with `train` are training images. Of
    another file, the first four fifths are. The others are held out. Fashion-MNIST, a folder, has
    its own split. With `validate`, training images replace the held-out images: a quarter without
    groups in common with the others, else the last eighth, or sixth of Fashion-MNIST. With
    `n_train`, only the first `n_train` training images are learned from.
    """
    groups = None
    if path.is_dir():
        bunch = load_fashion_mnist(path)
        X, train, n_validate = bunch.images[..., None], np.arange(bunch.n_train), 10_000
    else:
        bunch = load_npz(path)
        X, train = bunch.images, np.arange(4 * len(bunch.images) // 5)
        n_validate = len(train) // 8
        with np.load(path) as file:
            if "train" in file:
                groups, train = file["groups"], np.flatnonzero(file["train"])
    y = bunch.target
    learned, held = train, np.setdiff1d(np.arange(len(y)), train)
    if validate and groups is None:
        learned, held = train[:-n_validate], train[-n_validate:]
    elif validate:
        learned, held = (train[rows] for rows in quarter(y[train], groups[train]))
    learned, X = learned[:n_train], X.astype(np.float32)
    groups = groups if groups is None else groups[learned]
    return Parts(X[learned], y[learned], X[held], y[held], groups)
