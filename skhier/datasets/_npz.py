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
_KINDS = ("buif", "buifU")  # of images, of labels


def load_npz(
    path: PathLike, *, max_bytes: int = 2**32, arrays: tuple[str, str] = ("X", "y")
) -> Bunch:
    """Load images and labels from an ``.npz`` file.

    The file may come from anyone. No code in it is run, and the sizes that it claims are checked
    before its arrays are read.

    Parameters
    ----------
    path : path-like
        A file written by :func:`numpy.savez` or :func:`numpy.savez_compressed` with the
        arrays ``X``, images of shape (n, H, W) or (n, H, W, C), numbers, and ``y``, labels of
        shape (n,), whole numbers or strings. Other arrays in it are not read. ``~`` is the
        home folder.

    max_bytes : int, default=4 GiB
        Maximum size of both arrays in memory. A compressed file of 1 MB can hold 1 GB, and a
        few bytes can claim any size.

    arrays : tuple of two str, default=('X', 'y')
        Names of the images and of the labels in the file, such as ``("x_train", "y_train")``.

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
        shapes and types, or if the arrays take more than `max_bytes`. If `arrays` is not a pair
        of names.

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
    _check_names(arrays)
    path = user_path(path, "path")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    with path.open("rb") as file:
        try:
            X, y = _read(file, max_bytes, *arrays)
        except Exception as error:  # zipfile can raise any exception on a broken file
            raise ValueError(
                f"{str(path)!r} is not an .npz file of images and labels: "
                f"{str(error) or type(error).__name__}"
            ) from error
    return make_bunch(path.stem, X, y, about="Images from a file.", n_train=None)


def _check_names(arrays):
    """Raise ValueError unless these are the names of two arrays."""
    is_pair = isinstance(arrays, (tuple, list)) and len(arrays) == 2
    if not is_pair or not all(isinstance(n, str) for n in arrays) or arrays[0] == arrays[1]:
        raise ValueError(
            f"arrays={arrays!r} is not valid: it takes two different names, of the images and of "
            "the labels."
        )


def _read(file, max_bytes, X_name, y_name):
    """Read images and labels from an open file; any exception if the file is not valid."""
    with zipfile.ZipFile(file) as archive:
        members = {name: _find(archive, name) for name in (X_name, y_name)}
        headers = {}
        for (name, member), kinds in zip(members.items(), _KINDS):
            with archive.open(member) as stream:
                headers[name] = _read_header(stream, member, name, kinds)
        _check_shapes({name: shape for name, (shape, _) in headers.items()})
        n_bytes = sum(prod(shape) * dtype.itemsize for shape, dtype in headers.values())
        if n_bytes > max_bytes:
            raise ValueError(
                f"{X_name} and {y_name} take {n_bytes} bytes, but max_bytes={max_bytes}. "
                "Pass a larger max_bytes if you trust the source of the file."
            )
        arrays = {}
        for name, member in members.items():
            with archive.open(member) as stream, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
    X, y = arrays.values()
    if y.dtype.kind == "f" and not (np.isfinite(y) & (y == np.round(y))).all():
        raise ValueError(f"{y_name} holds numbers that are not whole")
    if y.dtype.kind == "U":
        y.tolist()  # ValueError if a code is not a character
    return X, y


def _find(archive, name):
    """Return the member of an archive that holds the array `name`."""
    found = [member for member in archive.infolist() if member.filename == f"{name}.npy"]
    if not found:
        names = {member.filename.removesuffix(".npy") for member in archive.infolist()}
        raise ValueError(
            f"it has no array {name}, but {sorted(names)}: name two of them by arrays=('...', "
            "'...'), in the command by --arrays"
            if names
            else f"it has no array {name}, and no other"
        )
    if len(found) > 1:
        raise ValueError(f"it has {len(found)} arrays {name}")
    if found[0].compress_type not in _METHODS:
        raise ValueError(f"{name} is compressed in a way that NumPy does not use")
    return found[0]


def _read_header(stream, member, name, kinds):
    """Return (shape, dtype) of the array in a member; ValueError if its size does not match."""
    stream = BytesIO(stream.read(_MAX_HEADER_BYTES))
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"{name} is in version {version} of the .npy format, not {[*_HEADERS]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers of Python 2 or with invalid escapes
        shape, _, dtype = _HEADERS[version](stream)
    if dtype.kind not in kinds or dtype.itemsize == 0:
        needed = "whole numbers or strings" if "U" in kinds else "numbers"
        remedy = f": save np.stack({name}) if all have one shape" if dtype.kind == "O" else ""
        raise ValueError(f"{name} is of dtype {dtype}; {needed} are needed{remedy}")
    n_bytes = member.file_size - stream.tell()
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != n_bytes:
        raise ValueError(
            f"{name} claims shape {shape} and dtype {dtype}, but there are {n_bytes} bytes"
        )
    return shape, dtype


def _check_shapes(shapes):
    """Raise ValueError unless a dict holds the shapes of images and of their labels."""
    (X_name, X), (y_name, y) = shapes.items()
    if len(X) not in (3, 4) or y != X[:1] or prod(X) == 0:
        raise ValueError(
            f"{X_name} has shape {X} and {y_name} {y}; {X_name} takes images (n, H, W) or "
            f"(n, H, W, C) and {y_name} labels (n,), at least one"
        )
