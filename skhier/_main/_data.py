"""The real images that the command learns: which, their labels, and their split."""

import os

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from ..datasets import load_fashion_mnist, load_image_folder, load_npz
from ._folder_survey import FolderSurvey

_MAX_LISTED = 10  # labels that an error message lists
# Kinds of data, and the options that are for them only.
_FOLDER, _NPZ = "a folder of images", "a file .npz"
_OPTIONS = {"image_size": _FOLDER, "gray": _FOLDER, "max_value": _FOLDER, "arrays": _NPZ}


def load_dataset(options):
    """Load the real images that the option `data` names; None is the digits of scikit-learn.

    An existing file or folder comes before a data set of the same name.

    Returns
    -------
    dataset : Bunch
        As loaders of `skhier.datasets` return it, with names of labels as `target`, and `notes`,
        lines on what was changed.

    Raises
    ------
    ValueError
        If there are no such images, or if an option is not for them.
    """
    data = options.data
    path = "" if data is None else os.path.expanduser(data)
    kind = None
    if os.path.isdir(path):
        kind = _FOLDER
    elif path.lower().endswith(".npz"):
        kind = _NPZ
    _check_options(options, kind)
    if kind == _FOLDER:
        dataset = _load_folder(options)
    elif kind == _NPZ:
        dataset = load_npz(data, arrays=tuple(options.arrays or ("X", "y")))
    elif os.path.exists(path):
        raise ValueError(f"{data!r} is neither a folder nor a file name ending in .npz")
    elif data in (None, "digits"):
        digits = load_digits()
        dataset = Bunch(images=digits.images, target=digits.target, n_train=None, name="digits")
    elif data == "fashion-mnist":
        dataset = load_fashion_mnist()
    else:
        raise ValueError(
            f"there is no file or folder {data!r}, and it is not 'digits' or 'fashion-mnist'"
        )
    if "target_names" in dataset:  # a saved model predicts them
        dataset.target = np.asarray(dataset.target_names)[dataset.target]
    dataset.setdefault("notes", [])
    return dataset


def _check_options(options, kind):
    """Raise ValueError if an option is given that is not for this kind of data."""
    for name, needed in _OPTIONS.items():
        if getattr(options, name) not in (None, False) and kind != needed:
            option = name.replace("_", "-")
            data = "is not given" if options.data is None else f"is {options.data!r}"
            raise ValueError(f"--{option} is for {needed}, but --data {data}")


def _load_folder(options):
    survey = FolderSurvey.of_folder(options.data)
    shape = survey.image_shape(options.image_size, gray=options.gray)
    dataset = load_image_folder(options.data, shape, max_value=options.max_value)
    dataset.notes, white = survey.describe(shape), dataset.max_value
    call = f"load_image_folder({options.data!r}, image_shape={shape}"
    if white is not None:
        dataset.notes.append(f"gray files of more than 8 bits: {white:g} becomes white")
        call += f", max_value={white:g}"
    dataset.notes.append(f"loaded by {call})")
    return dataset


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
        _check_counts(y)
        parts = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
        X_train, X_test, y_train, y_test = parts
    else:
        X_train, X_test, y_train, y_test = X[:n_train], X[n_train:], y[:n_train], y[n_train:]
    if len(X_train) > max_train:
        drawn = np.sort(np.random.RandomState(seed).permutation(len(X_train))[:max_train])
        X_train, y_train = X_train[drawn], y_train[drawn]
    if X.dtype.kind not in "buif" or not np.isfinite(X).all():
        raise ValueError(f"X, of dtype {X.dtype}, holds values that are not finite numbers")
    labels = np.unique(y_train).tolist()
    if len(labels) < 2:
        raise ValueError(f"y holds one class only, {labels[0]!r}: two or more are needed")
    return X_train, X_test, y_train, y_test


def _check_counts(y):
    """Raise ValueError unless a quarter of the images can be held out, with all labels."""
    labels, counts = np.unique(y, return_counts=True)
    rare = [str(label) for label in labels[counts < 2].tolist()]
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
