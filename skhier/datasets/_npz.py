"""Images and labels in a NumPy .npz file."""

import zipfile

import numpy as np
from sklearn.utils import Bunch

from .._base._params import as_path
from .._base._typing import PathLike
from ._bunch import make_bunch


def load_npz(path: PathLike) -> Bunch:
    """Load images and labels from an ``.npz`` file.

    Parameters
    ----------
    path : path-like
        A file written by :func:`numpy.savez` with the arrays ``X``, images of shape
        (n, H, W) or (n, H, W, C), and ``y``, labels of shape (n,).

    Returns
    -------
    dataset : Bunch
        With `images`, `target`, `n_train` (None: no split of its own), `name` and `DESCR`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not an ``.npz`` file, or has not these arrays in these shapes.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from skhier.datasets import load_npz
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "images.npz"
    ...     np.savez(path, X=np.zeros((5, 8, 8)), y=np.arange(5))
    ...     load_npz(path).images.shape
    (5, 8, 8)
    """
    path = as_path(path, "path")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in ("X", "y") if name in file}
    except (zipfile.BadZipFile, ValueError, OSError, TypeError) as error:
        raise ValueError(f"{str(path)!r} is not an .npz file of plain arrays: {error}") from error
    missing = sorted({"X", "y"} - set(arrays))
    if missing:
        raise ValueError(f"{str(path)!r} has no array {' and no array '.join(missing)}.")
    X, y = arrays["X"], arrays["y"]
    if X.ndim not in (3, 4) or y.shape != (len(X),):
        raise ValueError(
            f"{str(path)!r} holds X of shape {X.shape} and y of shape {y.shape}; images "
            "(n, H, W) or (n, H, W, C) and labels (n,) are needed."
        )
    return make_bunch(path.stem, X, y, n_train=None)
