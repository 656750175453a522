"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017) from local files."""

import os
from math import prod
from pathlib import Path

import numpy as np
from sklearn.datasets import get_data_home
from sklearn.utils import Bunch

from .._base._typing import PathLike
from ._io import make_bunch, read_bytes, user_path

NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def load_fashion_mnist(folder: PathLike | None = None) -> Bunch:
    """Load Fashion-MNIST: 60,000 training and 10,000 test images of clothes.

    Nothing is downloaded. The four IDX files, gzipped or not, are read from `folder`, or from
    ``raw`` or ``FashionMNIST/raw`` inside it, where torchvision puts them. Their names may have a
    dot for the dash before ``idx``. If `folder` is None, they are read from the first of these
    folders that holds them:

    - the value of the environment variable ``SKHIER_FASHION_MNIST``;
    - ``fashion-mnist`` inside scikit-learn's data home;
    - ``FashionMNIST/raw`` inside the working directory or its ``data``, where torchvision puts
      the files;
    - ``/usr/share/datasets/fashion-mnist``, where Debian's package dataset-fashion-mnist puts
      the files.

    Parameters
    ----------
    folder : path-like or None, default=None
        Folder with the files. ``~`` is the home folder.

    Returns
    -------
    dataset : Bunch
        With `images`, uint8 of shape (70000, 28, 28), training images before test images;
        `target`, integers 0 to 9; `target_names`; `n_train` = 60000; `name` and
        `DESCR`, a description.

    Raises
    ------
    FileNotFoundError
        If no folder holds the files; the message lists the folders, names missing files and
        says how to get them.
    ValueError
        If a file is damaged, or its images or labels are not in the expected format.

    Examples
    --------
    >>> from skhier.datasets import load_fashion_mnist
    >>> load_fashion_mnist("no-such-folder")
    Traceback (most recent call last):
        ...
    FileNotFoundError: Fashion-MNIST was not found in no-such-folder. ...
    """
    folders = _default_folders() if folder is None else [user_path(folder, "folder")]
    searched = []
    for place in [place for folder in folders for place in _places(folder)]:
        copies = {name: _copies(place / name) for part in _FILES.values() for name in part}
        missing = [name for name, found in copies.items() if not found]
        if not missing:
            return _read(place, copies)
        if len(missing) < len(copies):
            searched.append(f"{place} (without {', '.join(missing)})")
        elif place in folders:
            searched.append(str(place))
    raise FileNotFoundError(
        f"Fashion-MNIST was not found in {', '.join(searched)}. Get its four IDX "
        "files (Debian: apt install dataset-fashion-mnist; or from "
        "github.com/zalandoresearch/fashion-mnist) and set the environment variable "
        "SKHIER_FASHION_MNIST to their folder; or use fetch_fashion_mnist, which downloads "
        "the images from OpenML."
    )


def _default_folders():
    """Return the folders in which the files may be, in order of preference."""
    folders = [Path(get_data_home()) / "fashion-mnist"]
    if os.environ.get("SKHIER_FASHION_MNIST"):
        folders.insert(0, user_path(os.environ["SKHIER_FASHION_MNIST"], "SKHIER_FASHION_MNIST"))
    raw = Path("FashionMNIST", "raw")
    return [*folders, raw, "data" / raw, Path("/usr/share/datasets/fashion-mnist")]


def _places(folder):
    """Return the folders in which the files may be: torchvision makes two more below."""
    return [folder, folder / "raw", folder / "FashionMNIST" / "raw"]


def _copies(path):
    """Return the files that exist of a data set's file: gzipped or not, with both names."""
    names = [path.name, path.name.replace("-idx", ".idx")]
    files = [path.with_name(name + end) for name in names for end in (".gz", "")]
    return [file for file in files if file.is_file()]


def _read(folder, copies):
    """Return the Bunch of the four files in a folder, from the first good copy of each."""
    parts = [(_read_first(copies[i], 28, 28), _read_first(copies[t])) for i, t in _FILES.values()]
    if any(len(images) != len(target) for images, target in parts):
        raise ValueError(f"{str(folder)!r} holds different numbers of images and of labels.")
    images, target = (np.concatenate(arrays) for arrays in zip(*parts))
    names = np.array(NAMES)
    n_train = len(parts[0][0])
    return make_bunch("Fashion-MNIST", images, target, target_names=names, n_train=n_train)


def _read_first(files, *shape):
    """Return the array of the first file that is valid; the error of the last if none is."""
    for file in files[:-1]:
        try:
            return _read_idx(file, *shape)
        except (OSError, ValueError):
            continue
    return _read_idx(files[-1], *shape)


def _read_idx(file, *shape):
    """Return the unsigned bytes (n, *shape) of an IDX file: magic number, shape, values."""
    raw = read_bytes(file)
    n = int.from_bytes(raw[4:8], "big")
    header = bytes([0, 0, 8, 1 + len(shape)]) + np.array([n, *shape], ">u4").tobytes()
    if not raw.startswith(header) or len(raw) != len(header) + n * prod(shape):
        expected = "x".join(["n", *map(str, shape)])
        raise ValueError(f"{str(file)!r} does not hold {expected} bytes in the IDX format.")
    return np.frombuffer(raw, np.uint8, offset=len(header)).reshape(n, *shape)
