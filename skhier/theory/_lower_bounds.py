"""Numbers of images that are needed to learn the classes of patches."""

from __future__ import annotations

from math import ceil, log
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.stats import norm

from .._base._params import check_fitted, check_flag
from ._cells import PairStatistics, cell_probabilities, check_exchangeable_codes, check_level
from ._checks import check_choice, check_probability, within_floats
from ._context import context_cells, pair_changes, pair_probabilities
from ._moments import pair_unseen_probability, unseen_probability
from ._power import smallest_count

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler


@within_floats
def necessary_samples(
    sampler: HierarchicalSampler,
    delta: float = 0.05,
    method: Literal["coverage", "pixels", "pairs", "gaussian"] = "coverage",
    *,
    level: int | None = None,
    labels: bool = True,
    context: tuple[int, int] | None = None,
) -> int:
    r"""Compute a lower bound on the number of images from which classes are learned.

    With fewer images, the probability of failure is more than `delta`.

    Parameters
    ----------
    sampler : HierarchicalSampler
        As in :func:`required_samples`.

    delta : float, default=0.05
        Probability of failure.

    method : {'coverage', 'pixels', 'pairs', 'gaussian'}, default='coverage'
        The algorithms that need at least this number of images:

        - 'coverage': all algorithms that have to know all patches. **Proved.**
        - 'pixels': all algorithms that see as many pixels as N images have, with position, label
          and patch, but every pixel from a different image. **Proved.**
        - 'pairs': all algorithms that see, of each image, the label and the codes of a pixel and
          its neighbour at the offset `context`, even if they know the classes of all other codes.
          At a level of two pixels, these are all algorithms. **Proved.**
        - 'gaussian': an oracle that knows all :math:`F_c` and sees :math:`M_a`, as if it were
          normal. A **prediction**.

        'pixels' and 'gaussian' do not bound algorithms that use neighboring patches: a single image
        may show the class of a patch by its context.

    level : int or None, default=None
        The level whose patches are grouped. None: the largest number of all levels; for
        'pixels' and 'gaussian' level 0 is left out if there are others, as a head takes its
        patches. 'pairs' needs a level.

    labels : bool, default=True
        Whether algorithms see labels, for 'pairs'.

    context : (int, int) or None, default=None
        Offset (down, right) of the neighbour, for 'pairs' only. The pixel is the first one that
        has such a neighbour.

    Returns
    -------
    n_samples : int
        Number of images.

    Raises
    ------
    ValueError
        If the sampler does not meet the assumptions, and the message says which; or if `context`
        does not fit the method.

    See Also
    --------
    required_samples : Numbers that suffice.

    Notes
    -----
    'coverage': with :math:`p_a` the probability that N images do not show a, and
    :math:`p_{ab}` that they show neither a nor b (:func:`coverage_probability`), a patch
    is missing with probability at least :math:`\sum_a p_a^2 / \sum_b p_{ab}`
    :cite:p:`decaen1997`;
    the number is the smallest N at which this is at most `delta`.

    'pixels': take two hypotheses that differ by an exchange of a and b, of classes c and c'. The
    affinity of one pixel is :math:`\rho = 1 - h / P`, :math:`h = \frac1k \sum_{j,l} (\sqrt{q_c} -
    \sqrt{q_{c'}})^2`, :math:`q_c` the probability of class c at j and label l. A test of NP
    pixels with errors of at most :math:`\delta` needs :math:`\rho^{2 N P} \le 4 \delta`. With a
    single patch in each class there is nothing to group, and the number is 1.

    'pairs': as 'pixels', with the affinity of all that an image shows: a label and two codes. The
    exchange changes the class of a or b wherever it is, at the pixel or at the neighbour.

    'gaussian': the oracle errs on a patch with probability :math:`\Phi(-\sqrt N
    \|\Sigma^{-1/2} \Delta / k\| / 2)`, :math:`\Sigma = diag(q / k)`. At this N the sum of the
    probabilities of 2 k patches is `delta`.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> from skhier.theory import necessary_samples, required_samples
    >>> sampler = HierarchicalSampler(patches_per_class=30, random_state=0).fit()
    >>> proved = required_samples(sampler, 0.01, "rigorous", level=1)
    >>> for method in ["coverage", "pixels", "gaussian"]:
    ...     print(method, necessary_samples(sampler, 0.01, method, level=1) <= proved)
    coverage True
    pixels True
    gaussian True
    """
    check_choice(method, "method", (*_LOWER_BOUNDS, "pairs"))
    delta = check_probability(delta, "delta")
    check_fitted(sampler, "sampler", "HierarchicalSampler")
    if method == "pairs" or context is not None:
        return _pairs_bound(sampler, delta, method, level, context, labels)
    first = 0 if method == "coverage" else min(1, len(sampler.patches_) - 1)
    every = range(first, len(sampler.patches_))
    levels = list(every) if level is None else [check_level(sampler, level)]
    check_exchangeable_codes(sampler, levels, caller="necessary_samples")
    return max(_LOWER_BOUNDS[method](sampler, level, delta) for level in levels)


def _pairs_bound(sampler, delta, method, level, context, labels):
    """Return the number of pairs of codes that any algorithm needs to tell two hypotheses."""
    check_flag(labels, "labels")
    if method != "pairs" or level is None or context is None:
        raise ValueError(
            f"method={method!r}, level={level} and context={context!r} do not fit: 'pairs' needs a "
            "level and a context, and the other methods take no context."
        )
    caller, level = "necessary_samples", check_level(sampler, level)
    check_exchangeable_codes(sampler, [level], caller=caller, compared=None)
    k = context_cells(sampler, level, context, labels, caller).k
    if k == 1:  # both hypotheses have the same groups
        return 1
    h = pair_changes(pair_probabilities(sampler, level, context, labels), k).min()
    return max(1, ceil(log(1 / (4 * delta)) / (-2 * np.log1p(-h))))


def coverage_bound(sampler, level, delta):
    one = unseen_probability(sampler, level)[:, 0]
    both = pair_unseen_probability(sampler, level)
    k = sampler.patches_[level].shape[1]
    n_others = np.full(both.shape, k) - np.eye(len(both))

    def is_below_delta(n):
        p = one**n
        p, others = p[p > 0], (n_others * both**n).sum(axis=1)[p > 0]
        return (k * p**2 / (p + others)).sum() <= delta

    return smallest_count(is_below_delta)


def _pixel_bound(sampler, level, delta):
    k, q = cells = cell_probabilities(sampler, level)
    c, e = cells.pairs
    if k == 1:  # both hypotheses have the same groups
        return 1
    h = ((np.sqrt(q[c]) - np.sqrt(q[e])) ** 2).sum(axis=(1, 2)).min() / k
    n_pixels = q.shape[2]
    return max(1, ceil(log(1 / (4 * delta)) / (-2 * n_pixels * np.log1p(-h / n_pixels))))


def _gaussian_bound(sampler, level, delta):
    k, signal, variances, _ = PairStatistics.of_cells(cell_probabilities(sampler, level))
    separation = (signal / np.where(variances > 0, k * variances, 1)).sum(axis=1).min()
    return ceil(4 * norm.isf(delta / (2 * k)) ** 2 / separation)


_LOWER_BOUNDS = {
    "coverage": coverage_bound,
    "pixels": _pixel_bound,
    "gaussian": _gaussian_bound,
}
