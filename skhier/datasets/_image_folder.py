"""Images in files: of a folder with one subfolder for each label, or of a list."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from .._base._images import normalize_image_shape
from .._base._params import check_real
from .._base._typing import PathLike
from .._base._warnings import warn
from ._folder_tree import find_labeled_files
from ._image_file import (
    brightest_value,
    gray_values,
    is_wide_color,
    is_wide_gray,
    place_of,
    read_each,
    require_pillow,
    scale_values,
    to_array,
)
from ._io import make_bunch, printable, user_path

_MODES = {1: "L", 3: "RGB"}
_FULL_RANGES = (255, 1023, 4095, 16383, 65535)  # of 8, 10, 12, 14 and 16 bits
_FEW_LEVELS = 32


def load_image_folder(
    path: PathLike, image_shape: tuple[int, ...], *, max_value: float | None = None
) -> Bunch:
    """Load images from a folder with one subfolder for each label.

    Parameters
    ----------
    path : path-like
        A folder. The names of its subfolders are the labels, and all files below a subfolder
        are its images, in any format that Pillow reads without another program (PostScript
        needs one). Or a folder with two subfolders, one named 'train' or 'training' and one
        named 'test', 'testing', 'val', 'valid' or 'validation', each with one subfolder for
        each label.

        Files and folders whose names begin with a dot are ignored, and the usual clutter
        (``Thumbs.db``, ``desktop.ini``, ``__MACOSX``, ``README.md`` and the like). Links to
        folders inside a subfolder are not followed. ``~`` is the home folder.

    image_shape : tuple of int
        (H, W) for gray images, (H, W, 3) for color. Images of any size and kind are brought
        to it: turned upright by their EXIF data, made opaque on white, converted, and resized
        with antialiasing, without keeping the ratio of their sides. The first image is read
        from a file with several. Gray values of more than 8 bits are reduced to 8 by
        `max_value`. Color files of 16 bits keep the upper 8 bits of each channel.

    max_value : float or None, default=None
        The value that becomes white, 255, in all gray files of more than 8 bits; larger values
        become white too. If None, it is 255, 1023, 4095, 16383 or 65535 (8, 10, 12, 14 or 16
        bits): the smallest of them that is at least the largest value in all of these files.
        To load more images in the same scale, pass the `max_value` of the first Bunch.
        Floating-point values, and values above 65535, need a `max_value`.

    Returns
    -------
    dataset : Bunch
        With `images`, uint8 of shape (n, H, W) or (n, H, W, 3); `target`, integers;
        `target_names`, the labels in alphabetical order; `filenames`, relative to the folder,
        in alphabetical order; `n_train`, None, or the number of training images if the folder
        has a split, which come before test images; `max_value`, None if there are no gray
        files of more than 8 bits; `name` and `DESCR`.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder has no subfolders, an empty subfolder, files outside subfolders, or files
        that cannot be read as images, links to missing files among them; the message names
        them. If the labels lie deeper: in one of the subfolders, or in the same subfolders of
        each. If `image_shape` or `max_value` is not valid.
    ImportError
        If Pillow is not installed.

    Warns
    -----
    UserWarning
        If 8 bits keep fewer than 32 of the gray levels of files of more than 8 bits, or if
        color files of 16 bits are nearly black.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from PIL import Image
    >>> from skhier.datasets import load_image_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for label in ("cat", "dog"):
    ...         (pathlib.Path(folder) / label).mkdir()
    ...         Image.new("RGB", (60, 40)).save(f"{folder}/{label}/1.png")
    ...     photos = load_image_folder(folder, image_shape=(32, 32, 3))
    >>> photos.images.shape, photos.target.tolist(), photos.target_names
    ((2, 32, 32, 3), [0, 1], ['cat', 'dog'])
    """
    shape, max_value = _check(image_shape, max_value)
    root = user_path(path, "path")
    files = find_labeled_files(root)
    images, max_value = _read_images(root, files.paths, shape, max_value)
    target_names, target = np.unique(files.labels, return_inverse=True)
    note = f"max_value: {max_value}, the value that became 255 in gray files of more than 8 bits."
    return make_bunch(
        root.resolve().name,
        images,
        target,
        about="Images from a folder.",
        note=None if max_value is None else note,
        n_train=files.n_train,
        target_names=[printable(name) for name in target_names.tolist()],
        filenames=[file.as_posix() for file in files.paths],
        max_value=max_value,
    )


def load_images(
    files: PathLike | Iterable[PathLike],
    image_shape: tuple[int, ...],
    *,
    max_value: float | None = None,
) -> np.ndarray:
    """Load images from files, without labels: to predict with a classifier.

    Parameters
    ----------
    files : path-like or sequence of path-like
        A file or several, such as ``sorted(Path("new").glob("*.jpg"))``, of the formats of
        :func:`load_image_folder`. ``~`` is the home folder.

    image_shape : tuple of int
        (H, W) for gray images, (H, W, 3) for color: that of the images that the classifier
        learned from. Images are brought to it as by :func:`load_image_folder`.

    max_value : float or None, default=None
        The value that becomes white in gray files of more than 8 bits: pass the `max_value` of
        the images that the classifier learned from. None is as in :func:`load_image_folder`.

    Returns
    -------
    images : ndarray of shape (n, H, W) or (n, H, W, 3)
        Bytes (uint8), in the order of the files.

    Raises
    ------
    ValueError
        If there are no files, or files that cannot be read as images; the message names them.
        If `image_shape` or `max_value` is not valid.
    TypeError
        If one of the files is no path.
    ImportError
        If Pillow is not installed.

    Warns
    -----
    UserWarning
        As :func:`load_image_folder`.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from skhier.datasets import load_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (60, 40)).save(f"{folder}/new.jpg")
    ...     X = load_images([f"{folder}/new.jpg"], image_shape=(32, 32, 3))
    >>> X.shape
    (1, 32, 32, 3)
    """
    shape, max_value = _check(image_shape, max_value)
    if isinstance(files, (str, os.PathLike)) or not np.iterable(files):
        files = [files]
    paths = [user_path(path, "files") for path in files]
    if not paths:
        raise ValueError("files is empty: there is no image to load.")
    return _read_images(Path(), paths, shape, max_value)[0]


def _check(image_shape, max_value):
    """Return the shape, (H, W) or (H, W, C), and the value as a float or None."""
    height, width, n_channels = normalize_image_shape(image_shape)
    if n_channels not in _MODES:
        raise ValueError(
            f"image_shape={image_shape!r} has {n_channels} channels: it takes (H, W) for gray "
            "images or (H, W, 3) for color images."
        )
    if max_value is not None:
        max_value = check_real(max_value, "max_value", 0, or_equal=False)
    require_pillow()
    return (height, width, n_channels)[: len(image_shape)], max_value


def _read_images(root, paths, shape, max_value):
    """Return the images of files, (n, *shape), and the value that became white.

    Gray files of more than 8 bits are read twice: their scale needs the largest value of all.
    The value is None if there are none.
    """
    images = np.empty((len(paths), *normalize_image_shape(shape)), np.uint8)
    size, mode = (shape[1], shape[0]), _MODES[images.shape[3]]
    limit = 65535 if max_value is None else max_value
    occurs = np.zeros(2**16, bool)  # gray values that occur, as numbers of 16 bits
    wide, brightest = [], []

    def read_narrow_or_find_values(i, image):
        if is_wide_gray(image):
            wide.append(i)
            occurs[scale_values(gray_values(image, max_value), limit, 2**16)] = True
            return
        is_reduced = is_wide_color(image)
        images[i] = to_array(image, size, mode)
        if is_reduced:
            brightest.append(brightest_value(image))

    def read_wide(i, image):
        images[i] = to_array(image, size, mode, max_value)

    read_each(read_narrow_or_find_values, range(len(paths)), root, paths)
    values, largest = np.flatnonzero(occurs), 65535
    if wide and max_value is None:
        max_value = largest = next(full for full in _FULL_RANGES if full >= values[-1])
    read_each(read_wide, wide, root, paths)
    n_left = len(np.unique(scale_values(values, largest, 256)))
    if n_left < min(_FEW_LEVELS, len(values)):
        warn(
            f"Gray files of more than 8 bits{place_of(root)} become 8-bit images: "
            f"max_value={max_value} leaves {n_left} of their {len(values)} gray levels. Pass a "
            "smaller max_value; larger values become white.",
        )
    if brightest and max(brightest) < _FEW_LEVELS:
        warn(
            f"The {len(brightest)} color files of 16 bits{place_of(root)} are nearly black: "
            f"Pillow reads the upper 8 bits, which are at most {max(brightest)} of 255. If the "
            "camera has fewer than 16 bits, save them in 8 bits.",
        )
    images = images.reshape(len(paths), *shape)
    return images, max_value if wide else None
