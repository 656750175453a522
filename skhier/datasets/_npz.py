"""Images and labels in a NumPy .npz file."""

import warnings
import zipfile
from io import BytesIO
from math import prod
from numbers import Integral

import numpy as np
from sklearn.utils import Bunch, check_scalar

from .._base._typing import PathLike
from ._io import make_bunch, user_path

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of numpy.savez and savez_compressed
_MAX_HEADER_BYTES = 10_000  # NumPy's limit too: parsing more could take all memory
_KINDS = {"X": "buif", "y": "buifU"}


def load_npz(path: PathLike, *, max_bytes: int = 2**32) -> Bunch:
    """Load images and labels from an ``.npz`` file.

    The file may come from anyone. No code in it is run, and the sizes that it claims are checked
    before its arrays are read.

    Parameters
    ----------
    path : path-like
        A file written by :func:`numpy.savez` or :func:`numpy.savez_compressed` with the
        arrays ``X``, images of shape (n, H, W) or (n, H, W, C), numbers, and ``y``, labels of
        shape (n,), whole numbers or strings. Other arrays in it are not read.

    max_bytes : int, default=4 GiB
        Maximum size of both arrays in memory. A compressed file of 1 MB can hold 1 GB, and a
        few bytes can claim any size.

    Returns
    -------
    dataset : Bunch
        With `images`; `target`; `n_train`, None: the file has no split; `name` and `DESCR`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not an ``.npz`` file, is damaged, or does not have these arrays in these
        shapes and types, or if the arrays take more than `max_bytes`.

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
    check_scalar(max_bytes, "max_bytes", Integral, min_val=1)
    path = user_path(path, "path")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    with path.open("rb") as file:
        try:
            X, y = _read(file, max_bytes)
        except Exception as error:  # zipfile can raise any exception on a broken file
            raise ValueError(
                f"{str(path)!r} is not an .npz file of images and labels: "
                f"{str(error) or type(error).__name__}"
            ) from error
    return make_bunch(path.stem, X, y, n_train=None)


def _read(file, max_bytes):
    """Read X and y from an open file; any exception if the file is not valid."""
    with zipfile.ZipFile(file) as archive:
        members = {name: _find(archive, name) for name in _KINDS}
        headers = {}
        for name, member in members.items():
            with archive.open(member) as stream:
                headers[name] = _read_header(stream, member, name)
        _check_shapes(**{name: shape for name, (shape, _) in headers.items()})
        n_bytes = sum(prod(shape) * dtype.itemsize for shape, dtype in headers.values())
        if n_bytes > max_bytes:
            raise ValueError(
                f"X and y take {n_bytes} bytes, but max_bytes={max_bytes}. Pass a larger max_bytes "
                "if you trust the source of the file."
            )
        arrays = {}
        for name, member in members.items():
            with archive.open(member) as stream, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
    X, y = arrays.values()
    if y.dtype.kind == "f" and not (np.isfinite(y) & (y == np.round(y))).all():
        raise ValueError("y holds numbers that are not whole")
    if y.dtype.kind == "U":
        y.tolist()  # ValueError if a code is not a character
    return X, y


def _find(archive, name):
    """Return the member of an archive that holds the array `name`."""
    found = [member for member in archive.infolist() if member.filename == f"{name}.npy"]
    if len(found) != 1:
        raise ValueError(f"it has {len(found) or 'no'} array{'s' * bool(found)} {name}")
    if found[0].compress_type not in _METHODS:
        raise ValueError(f"{name} is compressed in a way that NumPy does not use")
    return found[0]


def _read_header(stream, member, name):
    """Return (shape, dtype) of the array in a member; ValueError if its size does not match."""
    stream = BytesIO(stream.read(_MAX_HEADER_BYTES))
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"{name} is in version {version} of the .npy format, not {[*_HEADERS]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers of Python 2 or with invalid escapes
        shape, _, dtype = _HEADERS[version](stream)
    if dtype.kind not in _KINDS[name] or dtype.itemsize == 0:
        kinds = "numbers" if name == "X" else "whole numbers or strings"
        raise ValueError(f"{name} is of dtype {dtype}; {kinds} are needed")
    n_bytes = member.file_size - stream.tell()
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != n_bytes:
        raise ValueError(
            f"{name} claims shape {shape} and dtype {dtype}, but there are {n_bytes} bytes"
        )
    return shape, dtype


def _check_shapes(X, y):
    """Raise ValueError unless these are shapes of images and of one label for each."""
    if len(X) not in (3, 4) or y != X[:1] or prod(X) == 0:
        raise ValueError(
            f"X has shape {X} and y {y}; X takes images (n, H, W) or (n, H, W, C) and y labels "
            "(n,), at least one"
        )
