"""Look up the patches of images in a patch table, exactly or up to rounding."""

import numpy as np
from scipy.spatial import KDTree

_TOLERANCE = 1e-5  # rounding errors of a patch of pixels, relative to its length; symbols have none


class PatchIndex:
    """Lookup table of the different patches of a level.

    Parameters
    ----------
    rules : Rules
        Rules of the level. Those of weight 0 have no entry.

    Attributes
    ----------
    rule_patches : ndarray of shape (n_classes, k)
        Index of each rule's patch among the different patches, or -1 if its weight is 0.
    classes : ndarray of shape (n_patches,)
        Class of each patch, or -1 if it belongs to several classes.
    rules : ndarray of shape (n_patches,)
        Number of a rule with this patch.
    """

    def __init__(self, rules):
        self._p, self._q = rules.patch_size
        rows, numbers = rules.possible_rows, np.flatnonzero(rules.is_possible)
        self._patches, patch_of_rule = np.unique(rows, axis=0, return_inverse=True)
        patch_of_rule = patch_of_rule.ravel()
        self.rule_patches = np.full(rules.weights.shape, -1)
        self.rule_patches.ravel()[numbers] = patch_of_rule
        n_patches, class_of_rule = len(self._patches), numbers // rules.n_per_class
        lowest, highest = np.full(n_patches, rules.n_classes), np.full(n_patches, -1)
        np.minimum.at(lowest, patch_of_rule, class_of_rule)
        np.maximum.at(highest, patch_of_rule, class_of_rule)
        self.classes = np.where(lowest == highest, lowest, -1)
        self.rules = np.empty(n_patches, np.int64)
        self.rules[patch_of_rule] = numbers
        # A projection gives each patch one number, so bisection finds the nearest patch.
        self._direction = np.random.default_rng(0).standard_normal(rows.shape[1])
        self._direction = self._direction.astype(np.result_type(rows, np.float32))
        with np.errstate(invalid="ignore"):  # BLAS may raise the flag for values beyond the array
            projected = self._patches @ self._direction
        self._order = np.argsort(projected)
        projected = projected[self._order]
        self._between = (projected[1:] + projected[:-1]) / 2
        is_real = np.issubdtype(rows.dtype, np.floating)
        lengths = np.linalg.norm(self._patches.astype(np.float64), axis=1)
        self._tree, self._reach = KDTree(self._patches), 3 * _TOLERANCE * lengths.max()
        gaps = self._tree.query(self._patches, [2], distance_upper_bound=self._reach)[0][:, 0]
        # A patch so near to a row is the nearest one: others are farther away than half the gap.
        self._limits = is_real * np.minimum(_TOLERANCE * lengths, 0.49 * gaps) ** 2
        if is_real and (self._limits.max() > 1e34 or (self._limits[lengths > 0] < 1e-34).any()):
            self._patches = self._patches.astype(np.float64)  # with squares so large or small

    @np.errstate(over="ignore", invalid="ignore")  # huge values match no patch
    def find(self, level):
        """Return the index of the patch at each pixel of the level above, or -1: (n, h, w)."""
        n, height, width = level.shape[:3]
        h, w = height // self._p, width // self._q
        rows = level.reshape(n, h, self._p, w, self._q, -1).swapaxes(2, 3).reshape(n * h * w, -1)
        found = self._order.take(np.searchsorted(self._between, rows @ self._direction))
        missing = np.flatnonzero(~self._match(rows, found))
        if len(missing):
            # Rounding can swap two close projections.
            nearest = self._tree.query(rows[missing], distance_upper_bound=self._reach)[1]
            nearest[nearest == len(self._limits)] = 0  # none is within reach
            is_match = self._match(rows[missing], nearest)
            found[missing] = np.where(is_match, nearest, -1)
        return found.reshape(n, h, w)

    def _match(self, rows, patches):
        """Return whether each row equals the patch of this index, up to rounding."""
        difference = rows - self._patches.take(patches, axis=0)
        difference *= difference
        squared = difference @ np.ones(difference.shape[1], difference.dtype)
        return squared <= self._limits.take(patches)


def parse_level(images, index, level, first):
    """Return the classes and rules of `level` that gave clean images of the next level.

    Raises
    ------
    ValueError
        If a patch is not in the table, or belongs to several classes. The message counts
        images from `first`.
    """
    found = index.find(images)
    classes = np.where(found < 0, -2, index.classes[found])
    if (classes < 0).any():
        image, row, column = np.argwhere(classes < 0)[0]
        is_ambiguous = classes[image, row, column] == -1
        problem = "a patch of several classes" if is_ambiguous else "no patch of the level"
        raise ValueError(
            f"X[{first + image}] is not a clean image with one parse: at level {level}, row "
            f"{row}, column {column} is {problem}. For noisy and ambiguous images use the method "
            "posterior."
        )
    return classes, index.rules[found]
