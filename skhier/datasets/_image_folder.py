"""Images in a folder, one subfolder for each label."""

import warnings

import numpy as np
from sklearn.utils import Bunch

from .._base._images import normalize_image_shape
from .._base._params import as_path
from .._base._typing import PathLike
from ._io import make_bunch, printable

_MODES = {1: "L", 3: "RGB"}
_MAX_LISTED = 10  # files that an error message lists


def load_image_folder(path: PathLike, image_shape: tuple[int, ...]) -> Bunch:
    """Load images from a folder with one subfolder for each label.

    Parameters
    ----------
    path : path-like
        A folder. The names of its subfolders are the labels, and all files below a subfolder
        are its images, in any format that Pillow reads without another program (PostScript
        needs one). Files and folders whose names begin with a dot are ignored, and links to
        folders inside a subfolder are not followed.

    image_shape : tuple of int
        (H, W) for gray images, (H, W, 3) for color. Images of any size and kind are brought
        to it: turned upright by their EXIF data, made opaque on white, converted, and resized
        with antialiasing, without keeping the ratio of their sides. The first image is read
        from a file with several; values of 16 bits are reduced to 8.

    Returns
    -------
    dataset : Bunch
        With `images`, uint8 of shape (n, H, W) or (n, H, W, 3); `target`, integers;
        `target_names`, the labels in alphabetical order; `filenames`, relative to the folder,
        in alphabetical order; `n_train`, None: a folder has no split; `name` and `DESCR`.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder has no subfolders, an empty subfolder, files outside subfolders, or files
        that cannot be read as images; the message names them. If `image_shape` is not valid.
    ImportError
        If Pillow is not installed.

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
    height, width, n_channels = normalize_image_shape(image_shape)
    if n_channels not in _MODES:
        raise ValueError(
            f"image_shape={image_shape!r} has {n_channels} channels: it takes (H, W) for gray "
            "images or (H, W, 3) for color images."
        )
    _require_pillow()
    root = as_path(path, "path")
    files = _find_files(root)
    images = np.empty((len(files), height, width, n_channels), np.uint8)
    unreadable = []
    for image, file in zip(images, files):
        try:
            image[:] = _read(root / file, (width, height), _MODES[n_channels])
        except Exception as error:  # Pillow's plugins raise any exception on broken files
            reason = [*str(error).splitlines(), type(error).__name__][0]
            unreadable.append(f"{file.as_posix()!r} ({reason})")
    if unreadable:
        n_more = len(unreadable) - _MAX_LISTED
        raise ValueError(
            f"{len(unreadable)} of {len(files)} files in {str(path)!r} cannot be read as images: "
            + ", ".join(unreadable[:_MAX_LISTED])
            + (f" and {n_more} more." if n_more > 0 else ".")
        )
    labels = [file.parts[0] for file in files]
    target_names, target = np.unique(labels, return_inverse=True)
    return make_bunch(
        root.resolve().name,
        images if len(image_shape) == 3 else images[..., 0],
        target,
        n_train=None,
        target_names=[printable(name) for name in target_names.tolist()],
        filenames=[file.as_posix() for file in files],
    )


def _find_files(root):
    """Return the paths of all files in the subfolders of a folder, relative to it, sorted."""
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {str(root)!r}.")
    entries = sorted(entry for entry in root.iterdir() if not entry.name.startswith("."))
    stray = [entry.name for entry in entries if not entry.is_dir()]
    if stray or not entries:
        found = f"the files {stray[:_MAX_LISTED]}" if stray else "nothing"
        raise ValueError(
            f"{str(root)!r} must hold one subfolder of images for each label, but {found} in it "
            f"{'are' if stray else 'is'} none."
        )
    files = []
    for entry in entries:
        below = [file.relative_to(root) for file in _files_below(entry)]
        if not below:
            raise ValueError(f"The subfolder {entry.name!r} of {str(root)!r} holds no files.")
        files += below
    return sorted(files, key=lambda file: file.parts)


def _files_below(folder):
    """Yield all files below a folder that are not hidden; links to folders are not followed."""
    folders = [folder]
    while folders:
        for entry in folders.pop().iterdir():
            if entry.name.startswith("."):
                continue
            if entry.is_file():
                yield entry
            elif entry.is_dir() and not entry.is_symlink():
                folders.append(entry)


def _require_pillow():
    """Raise ImportError if Pillow is not installed."""
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "load_image_folder reads images with Pillow, which is not installed: "
            "pip install 'skhier[images]'."
        ) from error


def _read(file, size, mode):
    """Return the image in a file as an array (height, width, channels)."""
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd files that Pillow can read
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file) as image:
            if image.format == "EPS":  # Pillow would run Ghostscript on it
                raise ValueError("PostScript is a program")
            image.draft("RGB", (max(size), max(size)))  # decodes a JPEG at a smaller size
            upright = ImageOps.exif_transpose(_to_eight_bits(image))
            if upright.has_transparency_data:
                upright = upright.convert("RGBA")
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright)
            resized = upright.convert(mode).resize(size)
    return np.asarray(resized).reshape(*size[::-1], -1)


def _to_eight_bits(image):
    """Convert an image to values of 8 bits; Pillow would clip wider ones."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("floating-point values have no known range")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image)
    if values.min() < 0 or values.max() >= 2**16:
        raise ValueError(f"values from {values.min()} to {values.max()} are not of 16 bits")
    return Image.fromarray((values // 256).astype(np.uint8))
