"""Data sets of real images from OpenML, downloaded once."""

import numpy as np
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from .._base._typing import PathLike
from ._cifar10 import NAMES as CIFAR10_NAMES
from ._fashion_mnist import NAMES as FASHION_MNIST_NAMES
from ._fashion_mnist import load_fashion_mnist
from ._io import make_bunch


def fetch_fashion_mnist(data_home: PathLike | None = None) -> Bunch:
    """Load Fashion-MNIST from local files, or download it from OpenML.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder for downloads; None is scikit-learn's data home.

    Returns
    -------
    dataset : Bunch
        Same fields as :func:`load_fashion_mnist` returns.

    Raises
    ------
    OSError
        If there are no local files and the download fails.

    Examples
    --------
    >>> from skhier.datasets import fetch_fashion_mnist
    >>> fetch_fashion_mnist().images.shape  # doctest: +SKIP
    (70000, 28, 28)
    """
    try:
        return load_fashion_mnist()
    except FileNotFoundError as error:
        images, target = _fetch(40996, (28, 28), "Fashion-MNIST", data_home, error)
    names = np.array(FASHION_MNIST_NAMES)
    return make_bunch("Fashion-MNIST", images, target, target_names=names, n_train=60_000)


def fetch_cifar10(data_home: PathLike | None = None) -> Bunch:
    """Download CIFAR-10 from OpenML, once.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder for downloads; None is scikit-learn's data home.

    Returns
    -------
    dataset : Bunch
        With `images`, uint8 of shape (60000, 32, 32, 3); `target`, integers 0 to 9;
        `target_names`; `n_train`, None: OpenML gives no split; `name` and `DESCR`.

    Raises
    ------
    OSError
        If the download fails; :func:`load_cifar10` reads local files.

    Examples
    --------
    >>> from skhier.datasets import fetch_cifar10
    >>> fetch_cifar10().images.shape  # doctest: +SKIP
    (60000, 32, 32, 3)
    """
    hint = "load_cifar10 reads the files of www.cs.toronto.edu/~kriz/cifar.html."
    images, target = _fetch(40927, (3, 32, 32), "CIFAR-10", data_home, hint)
    images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    names = np.array(CIFAR10_NAMES)
    return make_bunch("CIFAR-10", images, target, target_names=names, n_train=None)


def _fetch(data_id, shape, name, data_home, hint):
    """Download (images, target) of a data set whose rows are images of this shape."""
    try:
        X, y = fetch_openml(data_id=data_id, data_home=data_home, as_frame=False, return_X_y=True)
    except OSError as error:  # urllib raises it without a connection
        raise OSError(
            f"{name} could not be downloaded from OpenML ({error}): is this machine offline? {hint}"
        ) from error
    return X.reshape(-1, *shape).astype(np.uint8), y.astype(np.int64)
