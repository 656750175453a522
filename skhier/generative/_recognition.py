"""Which patch of a table each patch of a level is, exactly or up to rounding."""

import numpy as np


class PatchIndex:
    """The different patches of a table, to be looked up.

    Attributes
    ----------
    rule_patches : ndarray of shape (n_classes, k)
        Number of each rule's patch among the different ones.
    classes : ndarray of shape (n_patches,)
        The class that each patch belongs to, or -1 if it belongs to several.
    """

    def __init__(self, patches):
        n_classes, k, self._p, self._q = patches.shape[:4]
        rows = patches.reshape(n_classes * k, -1)
        self._patches, which = np.unique(rows, axis=0, return_inverse=True)
        self.rule_patches = which.reshape(n_classes, k)
        lowest, highest = np.full(len(self._patches), n_classes), np.full(len(self._patches), -1)
        owner = np.repeat(np.arange(n_classes), k)
        np.minimum.at(lowest, which.ravel(), owner)
        np.maximum.at(highest, which.ravel(), owner)
        self.classes = np.where(lowest == highest, lowest, -1)
        self.rules = np.empty(len(self._patches), np.int64)  # one that gives each patch
        self.rules[which.ravel()] = np.arange(n_classes * k)
        # One number for each patch, to find the nearest by bisection.
        self._direction = np.random.default_rng(0).standard_normal(rows.shape[1])
        self._direction = self._direction.astype(np.result_type(patches, np.float32))
        numbers = self._patches @ self._direction
        self._order = np.argsort(numbers)
        numbers = numbers[self._order]
        self._between = (numbers[1:] + numbers[:-1]) / 2
        is_real = np.issubdtype(patches.dtype, np.floating)
        self._tolerance = 1e-5 * np.linalg.norm(rows, axis=1).max() if is_real else 0

    @np.errstate(over="ignore", invalid="ignore")  # numbers so large are no patch's
    def find(self, level):
        """The patch at each place of a level, or -1 where it is none: (n, h, w)."""
        n, height, width = level.shape[:3]
        h, w = height // self._p, width // self._q
        rows = level.reshape(n, h, self._p, w, self._q, -1).swapaxes(2, 3).reshape(n * h * w, -1)
        found = self._order.take(np.searchsorted(self._between, rows @ self._direction))
        missing = np.flatnonzero(~self._agree(rows, found))
        if len(missing):
            # Rounding can have ordered two numbers the other way: compare with all patches.
            near = self._nearest(rows[missing])
            found[missing] = np.where(self._agree(rows[missing], near), near, -1)
        return found.reshape(n, h, w)

    def _agree(self, rows, patches):
        difference = rows - self._patches.take(patches, axis=0)
        difference *= difference
        return difference @ np.ones(difference.shape[1], difference.dtype) <= self._tolerance**2

    def _nearest(self, rows):
        patches = self._patches.astype(np.float64)
        half_norms = (patches**2).sum(axis=1) / 2
        n_parts = len(rows) * len(patches) // 2**20 + 1
        parts = [
            (part @ patches.T - half_norms).argmax(axis=1) for part in np.array_split(rows, n_parts)
        ]
        return np.concatenate(parts)


def parse_level(images, index, level, first):
    """(classes of `level`, their rules) that make up clean images of the next level.

    Raises
    ------
    ValueError
        If a patch is none of the level's, or belongs to several classes; the message
        counts images from `first`.
    """
    found = index.find(images)
    classes = np.where(found < 0, -2, index.classes[found])
    if (classes < 0).any():
        image, row, column = np.argwhere(classes < 0)[0]
        known = classes[image, row, column] == -1
        problem = "a patch of several classes" if known else "no patch of the level"
        raise ValueError(
            f"X[{first + image}] is not a clean image with one parse: at level {level}, row "
            f"{row}, column {column} is {problem}. Method posterior answers for noisy and "
            "ambiguous images."
        )
    return classes, index.rules[found]
