"""Codes seen through noise: the probabilities of codes given patches, and evidence from counts."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr
from scipy.stats import beta

from .._base._validation import to_array, to_floats
from ._cells import check_level
from ._checks import check_probability
from ._coins import ANYTIME_CONCENTRATIONS

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler

_TAUS = 0.95 * 2.0 ** (-np.arange(16) / 2)  # shares of the largest tau
_EDGES = np.append(np.inf, np.append(np.sqrt(_TAUS[:-1] * _TAUS[1:]), _TAUS[-1] / 2**0.25))
_OCTAVES = np.append(0, 2.0 ** -np.arange(20, 0, -1))
_OCTAVES = np.append(_OCTAVES, 1 - _OCTAVES[-2::-1])  # of p and 1 - p: each has its own taus
_MAX_CONDITION = 1e6
_ROUNDING = 1e-6  # share of a probability, of 8 units of the last place of 32 bits
# Nats, and share, by which the least evidence over p may be understated.
_MAX_GAP, _MAX_SHARE = 0.2, 0.05
_MAX_SPLITS = 200


def code_confusion(sampler: HierarchicalSampler, level: int) -> np.ndarray:
    r"""Compute the probability of each code of a level, given the patch that was drawn.

    Symbol noise below the level replaces classes in a drawn patch. The code is the patch that is
    seen then. Cells whose classes are no patch have no code and are not counted.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler without pixel noise, and with disjoint sets of patches.

    level : int
        Level i of the model.

    Returns
    -------
    confusion : ndarray of shape (n_possible, n_patches)
        Row: the drawn patch, in order; a patch of weight 0 has no row, as it is never drawn.
        Column: the code. Patch j of class c has the number c k + j. A row sums to 1 less the
        probability that there is no code.

    Raises
    ------
    ValueError
        If the sampler has pixel noise, or sets that share patches.

    See Also
    --------
    separate_codes : The certificate, which takes this matrix.
    measured_confusion : The probabilities from counts, with bounds on their errors.

    Notes
    -----
    Let K be the symbol noise of level i + 1, `symbol_noise_[i + 1]`, and :math:`M_{cc'}` the
    probability that a pixel of class c there has a code of class c', the mean of its confusion
    over the patches of c. A patch :math:`(c_1, c_2, \dots)` becomes :math:`(c'_1, c'_2, \dots)`
    with probability :math:`\prod_j (K M)_{c_j c'_j}`. On the last level, the confusion is the
    identity. Given its patch, a code does not depend on the label, so labels need not be equally
    likely.

    For pixel noise or clusters that were learned, see :func:`measured_confusion`.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> from skhier.theory import code_confusion
    >>> sampler = HierarchicalSampler(
    ...     2, patches_per_class=[4, 2], patch_size=[(1, 2), 2], symbol_noise=[0, 0.1],
    ...     random_state=0,
    ... ).fit()
    >>> code_confusion(sampler, 0).diagonal().round(4)  # (0.9 + 0.1 / 4)^2
    array([0.8556, 0.8556, 0.8556, 0.8556, 0.8556, 0.8556, 0.8556, 0.8556,
           0.8556, 0.8556, 0.8556, 0.8556, 0.8556, 0.8556, 0.8556, 0.8556])
    """
    level = check_level(sampler, level)
    if sampler.pixel_noise_:
        raise ValueError(
            f"sampler has pixel_noise={sampler.pixel_noise_:g}: the confusion of its codes "
            "depends on how patches are clustered. Count it on images whose patches are known "
            "(measured_confusion)."
        )
    if not sampler.check_assumptions()[1].holds:
        raise ValueError("sampler has sets that share patches: a patch does not show its class.")
    confusion = np.eye(sampler.rule_weights_[-1].size)
    for i in range(len(sampler.patches_) - 2, level - 1, -1):
        below = sampler.rule_weights_[i + 1]
        n_classes, k = below.shape
        by_class = confusion.reshape(n_classes, k, n_classes, k).sum(axis=3)
        channel = sampler.symbol_noise_[i + 1] @ np.einsum("cj,cje->ce", below, by_class)
        weights = sampler.rule_weights_[i].ravel()
        cells = sampler.patches_[i].reshape(weights.size, -1)
        # A patch of weight 0 is no code: it can be equal to a code of another class.
        confusion = channel[cells[:, None], cells[None]].prod(axis=2) * (weights > 0)
    return confusion[sampler.rule_weights_[level].ravel() > 0]


class MeasuredConfusion(NamedTuple):
    """Estimate of the probabilities of codes given patches, from `measured_confusion`.

    Attributes
    ----------
    probabilities : ndarray of shape (n_patches, n_codes)
        Shares of the codes of each patch.

    radius : ndarray of shape (n_patches, n_codes)
        Largest error of each probability.

    Examples
    --------
    >>> from skhier.theory import measured_confusion
    >>> measured = measured_confusion([[990, 10], [0, 1000]], delta=0.01)
    >>> measured.radius.round(3)
    array([[0.014, 0.014],
           [0.007, 0.007]])
    """

    probabilities: np.ndarray
    radius: np.ndarray


def measured_confusion(counts: ArrayLike, *, delta: float) -> MeasuredConfusion:
    r"""Estimate the probability of each code given each patch, with bounds on all errors.

    Parameters
    ----------
    counts : array-like of shape (n_patches, n_codes)
        How often each code was seen where each patch was drawn, on images whose patches are
        known, such as a second draw without noise. Places are confused independently.

    delta : float
        Probability that any error is larger than its bound.

    Returns
    -------
    measured : MeasuredConfusion
        Probabilities and bounds on their errors, for `confusion` of :func:`separate_codes`.

    Raises
    ------
    ValueError
        If `counts` does not hold whole numbers >= 0, a patch was never drawn, or `delta` is
        not between 0 and 1.

    See Also
    --------
    separate_codes : The certificate, which takes the result.
    code_confusion : The exact probabilities for symbol noise of a known model.

    Notes
    -----
    Given that a patch was drawn n times, the number of times that a code was seen is binomial. Its
    probability is in the interval of Clopper and Pearson :cite:p:`clopper1934` at the level
    :math:`\delta` divided by the number of entries; the radius reaches the farther end.

    If the images are not those of the certificate, the certificate holds for all pairs with
    probability :math:`1 - \delta - \delta'`, :math:`\delta'` that of :func:`separate_codes`.

    A place without a code counts as one code more, here and in :func:`separate_codes`.

    Examples
    --------
    >>> from skhier.theory import measured_confusion, separate_codes
    >>> measured = measured_confusion([[970, 30], [20, 980]], delta=0.01)
    >>> separate_codes([[300, 100], [100, 300]], delta=0.04, confusion=measured).groups
    array([0, 1], dtype=int32)
    """
    delta = check_probability(delta, "delta")
    table = to_floats(counts, "counts")
    if table.ndim != 2 or table.size == 0 or (table < 0).any() or (table % 1).any():
        raise ValueError(
            f"counts of shape {table.shape} are not valid: it takes whole numbers >= 0 of shape "
            "(n_patches, n_codes)."
        )
    drawn = table.sum(axis=1, keepdims=True)
    if drawn.min() == 0:
        raise ValueError(
            f"counts: patch {drawn.argmin()} was never drawn, so nothing is known of its codes. "
            "Count more images, or leave the patch out."
        )
    tail, probabilities = delta / (2 * table.size), table / drawn
    with np.errstate(invalid="ignore"):
        low = np.where(table > 0, beta.ppf(tail, table, drawn - table + 1), 0)
        high = np.where(table < drawn, beta.isf(tail, table + 1, drawn - table), 1)
    return MeasuredConfusion(probabilities, np.maximum(probabilities - low, high - probabilities))


def probabilities_of(confusion: ArrayLike | MeasuredConfusion) -> ArrayLike:
    """Return the probabilities of codes given patches, exact or estimated."""
    return confusion.probabilities if isinstance(confusion, MeasuredConfusion) else confusion


def with_rounding(confusion: ArrayLike | MeasuredConfusion) -> np.ndarray | MeasuredConfusion:
    """Return exact probabilities as an array, and rounded ones with bounds on their errors.

    Numbers of 32 bits are rounded. So are those whose sums exceed 1 by more than those of 64 bits.
    Counts of many images would show the errors, so the certificate has to allow for them.
    """
    if isinstance(confusion, MeasuredConfusion):
        return confusion
    given, table = to_array(confusion, "confusion"), to_floats(confusion, "confusion")
    eps = np.finfo(given.dtype).eps if given.dtype.kind == "f" else 0
    excess = table.sum(axis=-1, keepdims=True).max(initial=0) - 1
    if eps > np.finfo(np.float64).eps or 1e-9 < excess <= _ROUNDING:
        return MeasuredConfusion(table, max(8 * eps, _ROUNDING) * table)
    return np.array(table)


class Unmixer(NamedTuple):
    """Weights of codes whose mean, given the patch, is 1 for one patch and 0 for all others.

    Attributes
    ----------
    weights : ndarray of shape (n_codes, n_patches)

    safety : ndarray of shape (n_codes, n_codes)
        Weights h of codes less `safety` @ abs(h) have means that are at most those of h by the
        estimated confusion, for all confusions within its radius. 0 if the confusion is exact.
    """

    weights: np.ndarray
    safety: np.ndarray

    @classmethod
    def from_confusion(cls, confusion: ArrayLike | MeasuredConfusion, n_codes: int) -> Unmixer:
        """Invert the matrix of probabilities; ValueError if patches cannot be told apart."""
        table, radius = to_floats(probabilities_of(confusion), "confusion"), None
        is_table = table.ndim == 2 and table.shape[1] == n_codes and 1 <= len(table) <= n_codes
        if is_table and isinstance(confusion, MeasuredConfusion):
            radius = to_floats(confusion.radius, "confusion.radius")
            if radius.shape != table.shape or radius.min() < 0:
                raise ValueError(
                    f"confusion.radius of shape {radius.shape} is not valid: it takes a number >= 0"
                    f" for each of the probabilities, which have the shape {table.shape}."
                )
        least = table if radius is None else table - radius
        if not is_table or table.min() < 0 or least.sum(axis=1).max() > 1 + 1e-9:
            raise ValueError(
                f"confusion of shape {table.shape} is not valid: it takes a row of probabilities, "
                f"with a sum of at most 1, of the n_codes={n_codes} codes for each of at most "
                f"{n_codes} patches."
            )
        condition = np.linalg.cond(table)
        if not condition <= _MAX_CONDITION:
            raise ValueError(
                f"confusion has the condition number {condition:.2g}: it takes at most "
                f"{_MAX_CONDITION:g}, as codes do not tell all patches apart. Merge patches that "
                "have the same codes, or use less noise."
            )
        weights = np.linalg.pinv(table)
        if radius is None:
            return cls(weights, np.zeros((n_codes, n_codes)))
        return cls(weights, _safety(weights, radius))

    def log_evidence(self, counts: np.ndarray, a: int, b: int, is_fair: bool) -> float:
        r"""Return the log of the evidence that patches a and b are not of one class.

        The evidence is a mean over tau, in each cell, of prod (1 + tau h)^count, with h = (1 - p)
        weights_a - p weights_b. Where a has the share p of a and b, the mean of a factor is 1,
        given the class. If p is not known, the least evidence over p is taken, up to 5 % and 0.2
        nats. The distribution of tau is fixed in each octave of p or 1 - p. There, the product of
        each cell and tau is log-concave in p, so its values at the ends of an interval bound it.
        """
        weights, seen = self.weights[:, [a, b]], counts[:, counts.any(axis=0)]
        _interval_evidence = partial(_evidence, seen, weights, self.safety)
        if is_fair:
            return _interval_evidence(0.5, 0.5, octave=np.array([0.5, 0.5]))
        totals = np.maximum(weights.T @ seen.sum(axis=1), 1)
        p, n = totals[0] / totals.sum(), totals.sum()
        if _interval_evidence(p, p) <= 0:
            return 0.0
        steps = np.sqrt(p * (1 - p) / n) * 4.0 ** np.arange(8)
        edges = np.unique(np.concatenate([_OCTAVES, p - steps, [p], p + steps]))
        edges = edges[(edges >= 0) & (edges <= 1)]
        intervals = [(_interval_evidence(low, high), low, high) for low, high in pairwise(edges)]
        for _ in range(_MAX_SPLITS):
            least, low, high = min(intervals)
            middle = (low + high) / 2
            at_middle = _interval_evidence(middle, middle)
            if at_middle <= 0:
                return 0.0
            if at_middle - least <= _MAX_GAP + _MAX_SHARE * least:
                break
            intervals.remove((least, low, high))
            for ends in ((low, middle), (middle, high)):
                intervals.append((_interval_evidence(*ends), *ends))
        return min(intervals)[0]


def _safety(weights, radius):
    """Return the matrix of `Unmixer.safety`: weights @ b, where b bounds all errors of means.

    With R the radius and G the weights, the error of the mean of h - G b is at most R |h| + R |G|
    b. This is b if (I - R |G|) b = R |h|.
    """
    largest = radius @ np.abs(weights)
    if np.abs(np.linalg.eigvals(largest)).max() >= 1:
        raise ValueError(
            "confusion is known with too large an error to tell its patches apart: count it on "
            "more images, or merge patches that have nearly the same codes."
        )
    return weights @ np.linalg.solve(np.eye(len(radius)) - largest, radius)


def _evidence(counts, weights, safety, low, high, octave=None):
    """Return the log of a lower bound of the evidence against any p from low to high.

    Both are in one octave. Functions h of p are linear in it, between their values at its ends.
    """
    if octave is None:
        octave = _OCTAVES[np.searchsorted(_OCTAVES[1:-1], (low + high) / 2, "right") :][:2]
    p, length = octave.mean(), np.ptp(octave)
    share = (np.unique([low, high])[:, None] - octave[0]) / (length if length else 1)
    at_ends = np.outer(1 - octave, weights[:, 0]) - np.outer(octave, weights[:, 1])
    logs, masses, centre = [np.zeros((1, counts.shape[1]))], [], 1.0
    for h in (at_ends, -at_ends):
        h = h - np.abs(h) @ safety.T
        largest = min(1 / max(-h.min(), 1e-9), 1e6)  # 1 + tau h > 0 for smaller tau
        taus, h = largest * _TAUS[:, None, None], (1 - share) * h[0] + share * h[1]
        logs.append((np.log1p(taus * h) @ counts).min(axis=1))
        # The mass of |tau| between geometric means of neighbours, at each concentration.
        scale = largest * np.sqrt(p * (1 - p) * (ANYTIME_CONCENTRATIONS[:, None] + 1))
        tails = ndtr(-scale * _EDGES)
        masses.append(np.diff(tails, axis=1))
        centre = centre - tails[:, -1]
    masses = np.column_stack([centre, *masses])
    logs = np.concatenate(logs)
    with np.errstate(divide="ignore"):  # a mass can underflow
        terms = np.log(masses)[:, :, None] + logs
    cells = np.logaddexp.reduce(terms, axis=1)
    return float(np.logaddexp.reduce(cells.sum(axis=1)) - np.log(len(cells)))
