"""A certificate from data alone that codes are of different classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components

from .._base._params import check_count, check_flag
from .._base._validation import to_floats
from ._checks import check_probability
from ._coins import ANYTIME_CONCENTRATIONS, log_evidence, tuned_concentrations
from ._confusion import MeasuredConfusion, Unmixer, with_rounding

_MAX_COUNT = 1e12  # up to which rounding errors of the evidence are below 0.05 nats


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

    confusion : ndarray of shape (n_patches, n_codes), MeasuredConfusion or None
        Probability of each code given each patch. Then pairs and groups are of patches.

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
    confusion: np.ndarray | MeasuredConfusion | None = None

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
        >>> batch = [[5, 1], [1, 5]]
        >>> separation = separate_codes(batch, delta=0.05, n_groups=2, anytime=True)
        >>> while not separation.complete:
        ...     separation = separation.update(batch)
        >>> separation.counts
        array([[15.,  3.],
               [ 3., 15.]])
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
        return self._with_counts(_count_table(self.counts + new))

    def _with_counts(self, counts: np.ndarray) -> Self:
        """Return the certificate for the counts of all images; p-values never grow."""
        log_p = self.log_p.copy()
        for a in range(len(log_p) - 1):
            log_p[a, a + 1 :] = np.minimum(log_p[a, a + 1 :], -self._evidence_of_later(counts, a))
        log_p = np.triu(log_p, 1)
        return replace(self, counts=counts, log_p=log_p + log_p.T)

    def _evidence_of_later(self, counts, a):
        """Return the log of the evidence that separates code a from each later one."""
        if self.confusion is not None:
            unmixer, later = self._unmixer, range(a + 1, len(self.log_p))
            is_fair = self.equally_likely
            return np.array([unmixer.log_evidence(counts, a, b, is_fair) for b in later])
        others = counts[a + 1 :]
        rows = np.broadcast_to(counts[a], others.shape)
        concentrations = ANYTIME_CONCENTRATIONS
        if not self.anytime:
            n_pairs = len(counts) * (len(counts) - 1) / 2
            concentrations = tuned_concentrations(rows + others, np.log(2 * n_pairs / self.delta))
        return log_evidence(rows, others, concentrations, self.equally_likely)

    @cached_property
    def _unmixer(self):
        return Unmixer.from_confusion(self.confusion, len(self.counts))

    def __repr__(self):
        n_codes, n_linked = len(self.log_p), self.groups.max() + 1
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
        kind = "codes" if self.confusion is None else "patches"
        codes = " | ".join(" ".join(map(str, codes)) for codes in members)
        codes = codes if len(codes) <= 60 else codes[:60].rsplit(" ", 1)[0] + " ..."
        return (
            f"{n_codes} {kind}, delta={self.delta:g}: {n_certified:,} of {n_pairs:,} pairs are "
            f"certified to be of different classes\n{groups}: {kind} {codes}"
        )


def separate_codes(
    counts: ArrayLike,
    *,
    delta: float,
    n_groups: int | None = None,
    anytime: bool = False,
    equally_likely: bool = False,
    confusion: ArrayLike | MeasuredConfusion | None = None,
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
        the number of images was chosen before they were seen.

    equally_likely : bool, default=False
        Whether codes of one class are known to be equally likely, as in the paper. If
        False, codes whose counts differ by a common factor are not separated.

    confusion : array-like of shape (n_patches, n_codes), MeasuredConfusion or None, default=None
        Probability of each code given each patch, if noise or clustering mistakes one patch for
        another. Rows may sum to less than 1: some patches have no code. Pairs and groups are
        of patches then. An array, as of :func:`code_confusion`, is taken as exact, up to rounding
        if it is of 32 bits or if sums exceed 1 by up to 1e-6. The result of
        :func:`measured_confusion` has errors, which the certificate allows for. None: a code is a
        patch, without error.

    Returns
    -------
    separation : Separation
        The p-values of all pairs, the pairs certified to be different, and groups.

    Raises
    ------
    ValueError
        If `counts` does not hold whole numbers >= 0 with a sum of at most :math:`10^{12}`,
        `confusion` cannot be inverted, or another parameter is out of range.

    See Also
    --------
    code_counts : The counts, from codes and labels of images.
    code_confusion : The probabilities of codes given patches, of a known model.
    measured_confusion : The same from counts, with bounds on their errors.
    certify_classifier : The same for all layers of a classifier.

    Notes
    -----
    **With noise below the level of the codes the certificate is void, unless** `confusion` **is
    given.** Codes of one class are then certified to be different, and all of them are if there
    are enough images. Counts do not show this noise, so nothing warns of it. Noise on labels, and
    symbol noise at the level of the codes or above, do no harm.

    Let a and b be patches of one class, in the generative model. Given are the labels, the
    classes, and the places where a or b is seen; places may depend on each other. At each of these
    places an independent coin decides between them. All coins show a with the same
    probability p, which is 1/2 if a and b are equally likely. In a cell with :math:`m = s_a + s_b`
    coins, :math:`s_a` of them show a. Then the mean of

    .. math:: E(p) = \prod_{cells} \frac{B(s_a + \alpha p,\, s_b + \alpha (1 - p))}{B(\alpha p,\,
        \alpha (1 - p))\; p^{s_a} (1 - p)^{s_b}}

    is 1 for every :math:`\alpha`, B the Beta function. So is the mean over several
    :math:`\alpha`, and it exceeds 1 / P with probability at most P:

    - at a number of images chosen before, for two :math:`\alpha` that are computed from m and
      `delta`;
    - at any time, for :math:`\alpha = 4^g + \frac12`, g = 0, ..., 6, by Ville's inequality
      :cite:p:`ville1939`.

    Where p is not known, the p with the least evidence takes its place. With a `confusion`, a
    code that is seen is worth the factor :math:`1 + \tau h`, with h a weight of codes whose mean
    is 0 given the class, and the evidence is a mean over :math:`\tau`; it is valid at any
    time. By Holm's method `delta` holds for all pairs together. If there are `n_groups` groups
    with no link between them, they are the classes, except with probability `delta`. The page on
    theory has the proofs.

    The map from patches to codes must not depend on the coins: the patches are known, or the map
    was learned on other images. Clusters are patches if every patch is among those that were
    clustered, by Euclidean distances. Patches of photographs overlap and have no classes. There,
    the test separates codes that do not occur in the same proportion in all cells.

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
    check_flag(anytime, "anytime")
    check_flag(equally_likely, "equally_likely")
    n_patches = len(table)
    if confusion is not None:
        confusion = with_rounding(confusion)
        n_patches = len(Unmixer.from_confusion(confusion, len(table)).weights.T)
    if n_groups is not None:
        n_groups = check_count(n_groups, "n_groups", 1, n_patches)
    log_p = np.zeros((n_patches, n_patches))  # all p-values start at 1
    start = Separation(
        table, log_p, delta, n_groups, bool(anytime), bool(equally_likely), confusion
    )
    return start._with_counts(table)


def _count_table(counts):
    """Return counts as an array (n_codes, n_cells); ValueError unless whole numbers >= 0."""
    counts = to_floats(counts, "counts")
    if counts.ndim < 2 or counts.size == 0 or (counts < 0).any() or (counts % 1).any():
        raise ValueError(
            f"counts of shape {counts.shape} are not valid: it takes whole numbers >= 0 of shape "
            "(n_codes, ...), as code_counts gives them."
        )
    if counts.sum() > _MAX_COUNT:
        raise ValueError(
            f"counts have the sum {counts.sum():g}: it takes at most {_MAX_COUNT:g}, as rounding "
            "errors would hide the evidence of more. Count fewer images."
        )
    return counts.reshape(len(counts), -1)
