"""One image file: opening it, its gray values, and its image in 8 bits."""

import os
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ._folder_tree import REMEDY
from ._io import MAX_LISTED

# Pillow scales the values of these PNG files to 8 bits, but not the transparent color.
_TRANSPARENT_SCALES = {"L;2": 85, "L;4": 17, "RGB;16B": 1 / 256}


def require_pillow():
    """Raise ImportError if Pillow is not installed."""
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "load_image_folder reads images with Pillow, which is not installed: "
            "pip install pillow."
        ) from error


@contextmanager
def open_image(file):
    """Open an image file by Pillow; any exception if it is unsafe to read, or too large."""
    from PIL import Image

    if file.is_symlink() and not os.path.exists(file):
        raise ValueError(f"link to the missing {os.readlink(file)!r}: restore it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd files that Pillow can read
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        # Given a path, Pillow maps gray TIFF files to memory. That scrambles turned images.
        with file.open("rb") as stream, Image.open(stream) as image:
            if image.format == "EPS":  # Pillow would run Ghostscript on it
                raise ValueError("PostScript is a program")
            yield image


def place_of(root):
    """Return where files are, for messages: nothing for files of any folders."""
    return "" if root == Path() else f" in {str(root)!r}"


def read_each(read, indices, root, paths):
    """Call `read(i, image)` for files; ValueError that names all that cannot be read."""
    unreadable = []
    for i in indices:
        try:
            with open_image(root / paths[i]) as image:
                read(i, image)
        except Exception as error:  # Pillow's plugins raise any exception on broken files
            reason = [*str(error).splitlines(), type(error).__name__][0]
            unreadable.append(f"{paths[i].as_posix()!r} ({reason})")
    if unreadable:
        n_more = len(unreadable) - MAX_LISTED
        raise ValueError(
            f"{len(unreadable)} of {len(paths)} files{place_of(root)} cannot be read as images: "
            + ", ".join(unreadable[:MAX_LISTED])
            + (f" and {n_more} more. " if n_more > 0 else ". ")
            + (REMEDY if place_of(root) else "Leave them out.")
        )


def is_wide_gray(image):
    """Return whether Pillow reads gray values of more than 8 bits, or floating-point ones."""
    return image.mode.startswith("I") or image.mode == "F"


def is_wide_color(image):
    """Return whether a file has 16 bits per channel, of which Pillow reads the upper 8."""
    return not is_wide_gray(image) and ";16" in str(image.tile)


def gray_values(image, max_value):
    """Return the values of a wide gray image; ValueError if `max_value` must be given."""
    values = np.asarray(image)
    if image.mode == "F" and max_value is None:
        raise ValueError("floating-point values have no known range: give max_value")
    low, high = values.min(), values.max()
    if not (low >= 0 and np.isfinite(high)):
        raise ValueError(f"values from {low} to {high} must be finite and not negative")
    if max_value is None and high >= 2**16:
        raise ValueError(f"values from {low} to {high} are not of 16 bits: give max_value")
    return values


def scale_values(values, max_value, n_levels):
    """Map values from 0 to `max_value` to integers from 0 to `n_levels` - 1.

    Larger values become `n_levels` - 1. For `max_value` = 2**b - 1 and 256 levels, the result is
    the upper 8 of b bits.
    """
    values = np.minimum(values.astype(float if values.dtype.kind == "f" else np.int64), max_value)
    return np.minimum(values * n_levels // max_value, n_levels - 1).astype(np.int64)


def brightest_value(image):
    """Return the largest value of the colors of an image of 8 bits per channel."""
    return max(high for _, high in image.convert("RGB").getextrema())


def to_array(image, size, mode, max_value=None):
    """Return an opened image upright, opaque and resized: (height, width, channels) of 8 bits."""
    from PIL import Image, ImageOps

    image.draft("RGB", (max(size), max(size)))  # decodes a JPEG at a smaller size
    _scale_transparent_color(image)
    upright = ImageOps.exif_transpose(image)
    if is_wide_gray(upright):
        upright = _to_eight_bits(upright, max_value)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright)
    resized = upright.convert(mode).resize(size)
    return np.asarray(resized).reshape(*size[::-1], -1)


def _scale_transparent_color(image):
    """Scale the transparent color of a PNG file as Pillow scales its pixels."""
    color = image.info.get("transparency")
    is_png = image.format == "PNG" and image.tile  # the tile is gone once pixels are read
    scale = _TRANSPARENT_SCALES.get(image.tile[0][3]) if is_png else None
    if scale is not None and color is not None:
        image.info["transparency"] = (
            tuple(int(value * scale) for value in color)
            if isinstance(color, tuple)
            else int(color * scale)
        )


def _to_eight_bits(image, max_value):
    """Return a wide gray image in mode L, or LA if it has a transparent value."""
    from PIL import Image

    values = np.asarray(image)
    gray = Image.fromarray(scale_values(values, max_value, 256).astype(np.uint8))
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return gray
    alpha = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
    return Image.merge("LA", (gray, alpha))
