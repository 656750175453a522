"""A certificate from data alone that codes are of different classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components

from .._base._params import check_count, check_flag, is_sequence
from .._base._validation import to_array, to_floats
from ._checks import check_probability
from ._coins import log_evidence, log_tail


@dataclass(frozen=True, eq=False, repr=False)
class Separation:
    """Certificate that codes are of different classes, from `separate_codes`.

    Attributes
    ----------
    counts : ndarray of shape (n_codes, n_cells)
        Number of times that each code was seen in each cell.

    log_p : ndarray of shape (n_codes, n_codes)
        Natural logarithms of the p-values of all pairs of codes; 0 on the diagonal.

    delta : float
        Probability that any pair of one class is certified to be different.

    n_groups : int or None
        Number of classes of the codes, if it is known.

    anytime : bool
        Whether the certificate is valid for any choice of the number of images.

    equally_likely : bool
        Whether codes of a class are assumed to be equally likely.

    Examples
    --------
    >>> from skhier.theory import separate_codes
    >>> separation = separate_codes([[90, 10], [80, 20], [10, 90]], delta=0.05, n_groups=2)
    >>> separation
    3 codes, delta=0.05: 2 of 3 pairs are certified to be of different classes
    2 groups of 2, complete: codes 0 1 | 2
    >>> separation.groups
    array([0, 0, 1], dtype=int32)
    """

    counts: np.ndarray
    log_p: np.ndarray
    delta: float
    n_groups: int | None
    anytime: bool
    equally_likely: bool

    @cached_property
    def different(self) -> np.ndarray:
        """Whether each pair of codes is certified to be of different classes (Holm's method)."""
        pairs = np.triu_indices(len(self.log_p), 1)
        log_p = self.log_p[pairs]
        order = np.argsort(log_p, kind="stable")
        passes = log_p[order] <= np.log(self.delta) - np.log(np.arange(len(order), 0, -1))
        certified = np.zeros(len(order), bool)
        certified[order[np.logical_and.accumulate(passes)]] = True
        different = np.zeros(self.log_p.shape, bool)
        different[pairs] = certified
        return different | different.T

    @cached_property
    def groups(self) -> np.ndarray:
        """The number of each code's group: codes that may be of one class are linked."""
        return connected_components(~self.different, directed=False)[1]

    @property
    def complete(self) -> bool:
        """Whether there are `n_groups` groups: then the groups are the classes."""
        return self.n_groups is not None and bool(self.groups.max() + 1 == self.n_groups)

    def update(self, counts: ArrayLike) -> Separation:
        """Add the counts of new images.

        Parameters
        ----------
        counts : array-like of shape (n_codes, ...)
            Counts of the new images alone, in the same cells.

        Returns
        -------
        separation : Separation
            The certificate of all images, with the least p-value so far for each pair.

        Raises
        ------
        ValueError
            If `anytime` is False, or `counts` has other codes or cells.

        Examples
        --------
        >>> from skhier.theory import separate_codes
        >>> batch = [[9, 1], [1, 9]]
        >>> separation = separate_codes(batch, delta=0.05, n_groups=2, anytime=True)
        >>> while not separation.complete:
        ...     separation = separation.update(batch)
        >>> separation.counts
        array([[18.,  2.],
               [ 2., 18.]])
        """
        if not self.anytime:
            raise ValueError(
                "separate_codes(..., anytime=False) is valid for one number of images, chosen "
                "before they were seen: update takes a Separation with anytime=True."
            )
        new = _count_table(counts)
        if new.shape != self.counts.shape:
            raise ValueError(
                f"counts of {len(new)} codes in {new.shape[1]} cells cannot be added to counts of "
                f"{len(self.counts)} codes in {self.counts.shape[1]} cells."
            )
        return self._with_counts(self.counts + new)

    def _with_counts(self, counts: np.ndarray) -> Self:
        """Return the certificate for the counts of all images; p-values never grow."""
        log_p = self.log_p.copy()
        for a, row in enumerate(counts[:-1]):
            sums, coins = row - counts[a + 1 :], row + counts[a + 1 :]
            if self.anytime:
                new_log_p = -log_evidence(sums, coins, self.equally_likely)
            else:
                new_log_p = log_tail(sums, coins, self.equally_likely)
            log_p[a, a + 1 :] = np.minimum(log_p[a, a + 1 :], new_log_p)
        log_p = np.triu(log_p, 1)
        return replace(self, counts=counts, log_p=log_p + log_p.T)

    def __repr__(self):
        n_codes, n_linked = len(self.counts), self.groups.max() + 1
        n_pairs, n_certified = n_codes * (n_codes - 1) // 2, self.different.sum() // 2
        groups = f"{n_linked} group{'s' if n_linked > 1 else ''}"
        if self.complete:
            groups += f" of {self.n_groups}, complete"
        elif self.n_groups is None:
            groups += f", so at least {n_linked} class{'es' if n_linked > 1 else ''}"
        elif n_linked < self.n_groups:
            groups += f" of {self.n_groups}, cannot tell yet"
        else:
            groups += f", more than n_groups={self.n_groups}: an assumption does not hold"
        members = [np.flatnonzero(self.groups == group) for group in range(n_linked)]
        codes = " | ".join(" ".join(map(str, codes)) for codes in members)
        codes = codes if len(codes) <= 60 else codes[:60].rsplit(" ", 1)[0] + " ..."
        return (
            f"{n_codes} codes, delta={self.delta:g}: {n_certified:,} of {n_pairs:,} pairs are "
            f"certified to be of different classes\n{groups}: codes {codes}"
        )


def separate_codes(
    counts: ArrayLike,
    *,
    delta: float,
    n_groups: int | None = None,
    anytime: bool = False,
    equally_likely: bool = False,
) -> Separation:
    r"""Certify that codes are of different classes, from data alone, for any number of images.

    Parameters
    ----------
    counts : array-like of shape (n_codes, ...)
        Number of times that each code was seen in each cell, as :func:`code_counts` returns it.
        A cell is a position and a label, or the code of a neighbour.

    delta : float
        Probability that any pair of codes of one class is certified to be different.

    n_groups : int or None, default=None
        Number of classes of the codes, if it is known.

    anytime : bool, default=False
        Whether the number of images may depend on the counts, for example if sampling stops as
        soon as the certificate is complete. Then :meth:`Separation.update` adds images. If False,
        the number of images was chosen before they were seen, and fewer are needed.

    equally_likely : bool, default=False
        Whether codes of one class are known to be equally likely, as in the paper. If
        False, codes whose counts differ by a common factor are not separated.

    Returns
    -------
    separation : Separation
        The p-values of all pairs, the pairs certified to be different, and groups.

    Raises
    ------
    ValueError
        If `counts` does not hold whole numbers >= 0, or another parameter is out of range.

    See Also
    --------
    code_counts : The counts, from codes and labels of images.
    certify_classifier : The same for all layers of a classifier.

    Notes
    -----
    Let a and b be patches of one class, in the generative model. Given are the labels, the
    classes, and the places where a or b is seen; places may depend on each other. At each of these
    places an independent coin, worth 1 for a and -1 for b, decides between them. All coins have
    the same bias :math:`\beta`, which is 0 if a and b are equally likely. In a cell with m coins,
    let S be their sum. Then :math:`E \exp(\theta (S - \beta m)) \le \exp(\theta^2 m / 2)`, and

    - at a number of images chosen before, :math:`P(\|S - \beta m\|^2 \ge t) \le \inf_u e^{-ut}
      \prod (1 - 2 u m)^{-1/2}`, over cells, a form of the bound of Laurent and Massart
      :cite:p:`laurent2000`;
    - at any time, the mean over :math:`\rho = 1, 1/2, \dots, 2^{-13}` of :math:`\prod (1 + \rho
      m)^{-1/2} \exp(\rho (S - \beta m)^2 / (2 (1 + \rho m)))` exceeds 1 / p with probability
      at most p, by Ville's inequality :cite:p:`ville1939`.

    Where :math:`\beta` is not known, the value with the largest p takes its place. By Holm's
    method `delta` holds for all pairs together. If there are `n_groups` groups with no
    link between them, they are the classes, except with probability `delta`. The page on
    theory has the proofs.

    The map from patches to codes must not depend on the coins: the patches are known, or the map
    was learned on other images. Patches of photographs overlap and have no classes. There, the
    test separates codes that do not occur in the same proportion in all cells.

    Examples
    --------
    >>> from skhier import HierarchicalSampler, PatchKMeansOrthogonalizer
    >>> from skhier.theory import code_counts, separate_codes
    >>> sampler = HierarchicalSampler(patches_per_class=3, random_state=0).fit()
    >>> X, y = sampler.sample(600)
    >>> phi = PatchKMeansOrthogonalizer(12, 3, stride=None, whiten_eps=None, random_state=0)
    >>> counts = code_counts(phi.fit(X[:300]).predict(X[300:]), y[300:])
    >>> counts.shape  # codes, labels, positions
    (12, 2, 9, 9)
    >>> separate_codes(counts, delta=0.01, n_groups=4).complete
    True
    """
    table = _count_table(counts)
    delta = check_probability(delta, "delta")
    if n_groups is not None:
        n_groups = check_count(n_groups, "n_groups", 1, len(table))
    check_flag(anytime, "anytime")
    check_flag(equally_likely, "equally_likely")
    log_p = np.zeros((len(table), len(table)))  # all p-values start at 1
    start = Separation(table, log_p, delta, n_groups, bool(anytime), bool(equally_likely))
    return start._with_counts(table)


def code_counts(
    codes: ArrayLike,
    y: ArrayLike | None = None,
    *,
    n_codes: int | None = None,
    classes: ArrayLike | None = None,
    context: tuple[int, int] | None = None,
) -> np.ndarray:
    """Count codes of images in cells, for :func:`~skhier.theory.separate_codes`.

    Parameters
    ----------
    codes : array-like of shape (n, height, width)
        The code at each position of each image, as
        :meth:`~skhier.PatchKMeansOrthogonalizer.predict` returns it.

    y : array-like of shape (n,) or None, default=None
        Labels of the images. None: there are no labels, and cells are positions or contexts.

    n_codes : int or None, default=None
        Number of codes. None: the largest code plus one.

    classes : array-like or None, default=None
        All labels, in order. None: the labels in `y`. Pass it if counts of several batches are
        added.

    context : (int, int) or None, default=None
        Offset (down, right) of a neighbour. Then a cell is the neighbour's code in place of the
        position. Every second position is used as a neighbour only, so that no code is both
        counted and the neighbour of a counted code.

    Returns
    -------
    counts : ndarray of shape (n_codes, n_labels, height, width) or (n_codes, n_labels, n_codes)
        Number of times that each code was seen in each cell. `n_labels` is 1 without labels.

    Raises
    ------
    ValueError
        If a parameter is out of range, or `y` or `context` does not fit `codes`.

    Examples
    --------
    >>> from skhier.theory import code_counts
    >>> code_counts([[[0, 1]], [[0, 2]], [[1, 1]]], [5, 5, 7])[:, 0]
    array([[[2, 0]],
           [[0, 1]],
           [[0, 1]]])

    Without labels, code 0 is seen before 1 and 2, and code 1 before 1:

    >>> code_counts([[[0, 1]], [[0, 2]], [[1, 1]]], context=(0, 1))[:, 0]
    array([[0, 1, 1],
           [0, 1, 0],
           [0, 0, 0]])
    """
    code = to_array(codes, "codes")
    if code.ndim != 3 or code.size == 0 or code.dtype.kind not in "iu" or code.min() < 0:
        raise ValueError(
            f"codes of shape {code.shape} and dtype {code.dtype} are not valid: it takes ints "
            ">= 0 of shape (n, height, width)."
        )
    largest = int(code.max())
    n_codes = largest + 1 if n_codes is None else check_count(n_codes, "n_codes", largest + 1)
    n_labels, label = _label_indices(y, classes, len(code))
    code = code.astype(np.int64)
    if context is None:
        shape = code.shape[1:]
        cell = np.arange(code[0].size).reshape(shape)
    else:
        shape = (n_codes,)
        code, cell = _codes_and_neighbours(code, context)
    n_cells = int(np.prod(shape))
    index = (code * n_labels + label[:, None, None]) * n_cells + cell
    counts = np.bincount(index.ravel(), minlength=n_codes * n_labels * n_cells)
    return counts.reshape(n_codes, n_labels, *shape)


def _label_indices(y, classes, n_images):
    """Return the number of labels and the index of the label of each image."""
    if y is None:
        return 1, np.zeros(n_images, np.int64)
    y = to_array(y, "y")
    if y.shape != (n_images,):
        raise ValueError(
            f"y of shape {y.shape} is not valid: it takes one label for each image of codes, "
            f"shape ({n_images},)."
        )
    classes = np.unique(y if classes is None else to_array(classes, "classes"))
    label = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    if not np.array_equal(classes[label], y):
        unknown = y[classes[label] != y][0]
        raise ValueError(
            f"y has the label {unknown!r}, which is not in classes={classes}: pass all labels."
        )
    return len(classes), label


def _codes_and_neighbours(codes, context):
    """Return the codes at every second position, and the codes of their neighbours."""
    is_pair = is_sequence(context) and all(isinstance(step, Integral) for step in context)
    steps = tuple(context) if is_pair and len(context) == 2 else ()
    height, width = codes.shape[1:]
    if not steps or not any(steps) or abs(steps[0]) >= height or abs(steps[1]) >= width:
        raise ValueError(
            f"context={context!r} is not valid: it takes two ints (down, right), not both 0, "
            f"with |down| < {height} and |right| < {width}."
        )
    down, right = steps
    rows, columns = np.mgrid[
        max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
    ]
    counted = (rows // abs(down) if down else columns // abs(right)) % 2 == 0
    rows, columns = rows[counted], columns[counted]
    return codes[:, None, rows, columns], codes[:, None, rows + down, columns + right]


def _count_table(counts):
    """Return counts as an array (n_codes, n_cells); ValueError unless whole numbers >= 0."""
    counts = to_floats(counts, "counts")
    if counts.ndim < 2 or counts.size == 0 or (counts < 0).any() or (counts % 1).any():
        raise ValueError(
            f"counts of shape {counts.shape} are not valid: it takes whole numbers >= 0 of shape "
            "(n_codes, ...), as code_counts gives them."
        )
    return counts.reshape(len(counts), -1)
