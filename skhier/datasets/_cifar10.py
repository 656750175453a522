"""CIFAR-10 (Krizhevsky, 2009) from local files."""

import pickle
import tarfile
from io import BytesIO
from operator import index
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from .._base._typing import PathLike
from ._io import make_bunch, read_bytes, user_path
from ._npz import load_npz

NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
_ARRAY_PARTS = (
    "numpy.ndarray",
    "numpy.dtype",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
)
_FOLDERS = ("cifar-10-batches-py", "cifar-10-batches-bin")  # in the archives
_BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def load_cifar10(path: PathLike) -> Bunch:
    """Load CIFAR-10: color images of 32x32 pixels in ten classes.

    Nothing is downloaded. No code in a file is run: only arrays and plain values are read from
    pickles, no other objects.

    Parameters
    ----------
    path : path-like
        The archive ``cifar-10-python.tar.gz`` or ``cifar-10-binary.tar.gz``; a folder with one
        or more of its batches (``data_batch_1``, ..., ``test_batch``, of either version), such
        as the folder in the archive, or the folder in which it was unpacked; or an ``.npz``
        file with the arrays ``X`` and ``y`` (see :func:`load_npz`). ``~`` is the home folder.

    Returns
    -------
    dataset : Bunch
        With `images`, uint8 of shape (n, 32, 32, 3), training images before test images;
        `target`, integers 0 to 9; `target_names`; `n_train`, the number of training images, or
        None for an ``.npz`` file, which has no split; `name` and `DESCR`, a description.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no batches in it; the message says how to get CIFAR-10.
    ValueError
        If a file is not an archive, a batch or an ``.npz`` file of CIFAR-10, as its name says.

    Examples
    --------
    >>> from skhier.datasets import load_cifar10
    >>> load_cifar10("no-such-folder")
    Traceback (most recent call last):
        ...
    FileNotFoundError: CIFAR-10 was not found in 'no-such-folder'. ...
    """
    path = user_path(path, "path")
    if path.suffix.lower() == ".npz":
        dataset = load_npz(path)
        if dataset.images.shape[1:] != (32, 32, 3):
            raise ValueError(
                f"{str(path)!r} holds images of shape {dataset.images.shape[1:]}; images of "
                "CIFAR-10 have shape (32, 32, 3)."
            )
        images, target, n_train = dataset.images, dataset.target, None
    else:
        images, target, n_train = _read_batches(path)
    return make_bunch("CIFAR-10", images, target, target_names=np.array(NAMES), n_train=n_train)


def _read_batches(path):
    """Return (images, target, n_train) of a folder or an archive."""
    batches = {name: _read_batch(f"{name} of {path}", data) for name, data in _raw_batches(path)}
    if not batches:
        raise FileNotFoundError(
            f"CIFAR-10 was not found in {str(path)!r}. Get cifar-10-python.tar.gz from "
            "www.cs.toronto.edu/~kriz/cifar.html and pass the path of it or of the folder in it; "
            "or use fetch_cifar10, which downloads the images from OpenML."
        )
    images, target = (
        np.concatenate([batches[name][i] for name in _BATCHES if name in batches]) for i in (0, 1)
    )
    n_train = sum(len(labels) for name, (_, labels) in batches.items() if name != "test_batch")
    return images, target, n_train


def _raw_batches(path):
    """Yield (name, bytes) of each batch in a folder or an archive."""
    if path.is_dir():
        for name in _BATCHES:
            for folder in (path, *(path / name for name in _FOLDERS)):
                for file in (folder / name, folder / f"{name}.bin"):
                    if file.is_file():
                        yield name, read_bytes(file)
    elif path.is_file():
        data = BytesIO(read_bytes(path))
        try:
            with tarfile.open(fileobj=data, mode="r:") as archive:
                for member in archive:
                    name = Path(member.name).name.removesuffix(".bin")
                    if name in _BATCHES and member.isfile():
                        yield name, archive.extractfile(member).read()
        except tarfile.TarError as error:
            raise ValueError(f"{str(path)!r} is not a tar archive: {error}") from error


def _read_batch(name, data):
    """Return (images, labels) of one batch: a pickle, or a label byte before each image."""
    try:
        if data[:1] == b"\x80":
            batch = _PlainUnpickler(BytesIO(data), encoding="bytes").load()
            pixels, labels = batch[b"data"], [index(label) for label in batch[b"labels"]]
        else:
            rows = np.frombuffer(data, np.uint8).reshape(-1, 3073)
            labels, pixels = rows[:, 0], rows[:, 1:]
        if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 3072):
            raise ValueError("there are not 3072 bytes for each label")
        if min(labels) < 0 or max(labels) > 9:
            raise ValueError("there are labels other than 0 to 9")
    except Exception as error:  # a broken pickle can raise any exception
        raise ValueError(
            f"{name} is not a batch of CIFAR-10: it has {len(data)} bytes, and "
            f"{str(error) or type(error).__name__}"
        ) from error
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.asarray(labels, dtype=np.int64)


class _PlainUnpickler(pickle._Unpickler):  # in C, a pickle of 10 bytes can take all memory
    """Unpickler of arrays and plain values; a pickle of other objects could run code."""

    def find_class(self, module, name):
        if (module, name) == ("_codecs", "encode"):  # protocol 2 writes bytes this way
            return lambda text, encoding: text.encode("latin1")
        if f"{module}.{name}" not in _ARRAY_PARTS:
            raise pickle.UnpicklingError(f"it holds {module}.{name}")
        return super().find_class(module, name)
