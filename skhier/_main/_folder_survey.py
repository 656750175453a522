"""Sizes and colors of the files of a folder of images, read without their pixels."""

from collections import Counter
from math import prod
from typing import NamedTuple

import numpy as np

from ..datasets._folder_tree import find_labeled_files
from ..datasets._image_file import is_wide_gray, read_each, require_pillow
from ..datasets._io import user_path

_SIDE, _MAX_SIDE = 32, 64  # pixels: of files that are resized, and of files that are not
_ORIENTATION, _TURNED = 0x0112, range(5, 9)  # EXIF: height and width are exchanged


class FolderSurvey(NamedTuple):
    """Number of the files of a folder that have each size, and that are gray or transparent.

    Attributes
    ----------
    sizes : Counter
        Number of files of each (height, width).
    n_gray, n_transparent : int
        Numbers of files. Files in color may hold gray images: pixels are not read.
    """

    sizes: Counter
    n_gray: int
    n_transparent: int

    @classmethod
    def of_folder(cls, path):
        """Return the survey of a folder; errors as in `load_image_folder`."""
        require_pillow()
        root, found = user_path(path, "path"), []
        paths = find_labeled_files(root).paths
        read_each(lambda i, image: found.append(_look(image)), range(len(paths)), root, paths)
        sizes, are_gray, are_transparent = zip(*found)
        return cls(Counter(sizes), sum(are_gray), sum(are_transparent))

    def image_shape(self, side=None, *, gray=False):
        """Return the shape to load the files with: (height, width), or (height, width, 3).

        Small files of one size keep it, gray files stay gray, and no file becomes larger than the
        largest, unless `side`, the height and width, or `gray` is given.
        """
        if side is not None:
            size = (side, side)
        elif len(self.sizes) == 1 and max(map(max, self.sizes)) <= _MAX_SIDE:
            (size,) = self.sizes
        else:
            size = (min(_SIDE, max(map(max, self.sizes))),) * 2
        return size if gray or self.n_gray == self.sizes.total() else (*size, 3)

    def describe(self, image_shape):
        """Return lines on the files, and on what is changed to load them with a shape."""
        n, sizes = self.sizes.total(), sorted(self.sizes, key=prod)
        smallest, largest = _times(sizes[0]), _times(sizes[-1])
        several = f"{len(sizes):,} sizes, {smallest} to {largest}"
        gray = "gray " if self.n_gray == n else ""
        lines = [f"{n:,} {gray}files of {smallest if len(sizes) == 1 else several} pixels"]
        if sizes != [image_shape[:2]]:
            lines[0] += f": resized to {_times(image_shape[:2])} (--image-size)"
        if len(image_shape) == 2 and self.n_gray < n:
            lines.append(f"{n - self.n_gray:,} files in color: converted to gray")
        elif len(image_shape) == 3 and self.n_gray:
            lines.append(f"{self.n_gray:,} gray files: converted to color (--gray makes all gray)")
        if self.n_transparent:
            lines.append(f"{self.n_transparent:,} files with transparency: put on white")
        return lines


def _look(image):
    """Return the (height, width) of an opened image, and whether it is gray and transparent."""
    size = image.size if image.getexif().get(_ORIENTATION) in _TURNED else image.size[::-1]
    is_gray = is_wide_gray(image) or image.mode in ("1", "L", "LA", "La")
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
        is_gray = bool((palette == palette[:, :1]).all())
    return size, is_gray, image.has_transparency_data


def _times(size):
    return "x".join(map(str, size))
