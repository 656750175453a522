"""Numbers of images that suffice to learn the classes of patches, and numbers that are needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Literal

import numpy as np

from .._base._params import check_choice, check_fitted, check_flag
from ._cells import PairStatistics, cell_probabilities, check_exchangeable_codes, check_level
from ._checks import check_probability, within_floats
from ._context import context_cells
from ._counts import proved_counts
from ._grouping import check_labels, predicted_groups
from ._lower_bounds import coverage_bound
from ._moments import unseen_probability
from ._power import predicted_samples, proved_samples, smallest_count

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler


@within_floats
def required_samples(
    sampler: HierarchicalSampler,
    delta: float = 0.05,
    method: Literal[
        "rigorous", "rigorous_counts", "certificate", "counts", "cluster", "snr"
    ] = "certificate",
    *,
    level: int | None = None,
    labels: bool = True,
    context: tuple[int, int] | None = None,
) -> int:
    r"""Compute the number of images that suffice to learn all classes, except with `delta`.

    Layerwise learning groups the patches of a level, last level first, by how often N
    images of each label show them at each position: patches of one class have the same
    expectations. The method says how they are grouped:

    - 'rigorous': **proved.** By the certificate that a and b are not of one class,
      :func:`separate_codes` with half of `delta` and ``equally_likely=True``. It has to separate
      all patches of different classes, and no others. It separates two wherever :math:`\|S\|^2
      \ge \sum m + 2 \sqrt{x \sum m^2} + 2 x \max m`. A cell is a label and a position. In each
      cell, S is the number of images that show a minus the number that show b, m is the sum of
      the two numbers, and x is a logarithm.
    - 'rigorous_counts': **proved.** By k-means of the square roots of the counts of each patch in
      all cells, as the solver 'counts' of :class:`~skhier.TwoLayerConvEmbedder` does.
    - 'certificate': by the same certificate as 'rigorous'; a **prediction**, as if S were normal.
    - 'counts': as 'rigorous_counts'; a **prediction**.
    - 'cluster': by k-means of the patches' means :math:`M_a = \frac1N \sum_i y_i f_{a,i}`, as the
      solver 'kmeans' does; a **prediction**.
    - 'snr': by algorithm 1, k-means of embedded patches; a rough **prediction**, which does
      not depend on `delta`.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler with disjoint sets of equally likely patches, and no noise.

    delta : float, default=0.05
        Probability of failure.

    method : str, default='certificate'
        The method that has to succeed: 'rigorous', 'rigorous_counts', 'certificate', 'counts',
        'cluster' or 'snr', as above. The default is for :func:`separate_codes`; for a classifier
        with ``embedder__solver='counts'``, pass 'counts' or 'rigorous_counts'.

    level : int or None, default=None
        The level whose patches are grouped, given the patches of the levels below. The number is at
        least that of :func:`necessary_samples` by 'coverage'. None: the whole algorithm, up to
        a linear head without error.

    labels : bool, default=True
        Whether images have labels. Without labels, a cell is a position. False is for one level,
        with 'counts', 'rigorous_counts' or `context`.

    context : (int, int) or None, default=None
        Offset (down, right) of a neighbour. Then a cell is the neighbour's code, with a label if
        there are labels, and the codes of one pixel of an image are counted: the first one that
        has such a neighbour. For the methods 'rigorous' and 'certificate' of one level. For (0, 1)
        these are the counts of ``code_counts(codes[:, :1, :2], context=(0, 1))``.

    Returns
    -------
    n_samples : int
        Number of images N.

    Raises
    ------
    ValueError
        If the sampler does not meet the assumptions; the message says which.

    See Also
    --------
    necessary_samples : Numbers of images without which nothing succeeds.
    grouping_probability : The probability of 'counts' and 'cluster' for any number of images.
    embedding_moments : The second moments that 'snr' compares.
    rhm_sample_complexity : 'snr' for random models, in closed form.

    Notes
    -----
    For two classes, let q be the mean of the probabilities that a position shows the one and the
    other, :math:`\Delta = F_c - F_{c'}`, and K the number of patches; d and v are the
    expectations of S and m for one image. The number is that of the worst pair:

    - 'rigorous': the theorem in :ref:`how-many-images`.
    - 'certificate': :math:`\sum w (N v + N^2 d^2) - \frac12 \log(1 + \rho N v) = x + z \sqrt{\sum
      w^2 (2 N^2 v^2 + 4 N^3 d^2 v)}`, :math:`w = \frac{\rho}{2 (1 + \rho N v)}`, :math:`\rho =
      2 \sqrt x / (N \|v\|)`, :math:`x = \log(K^2 / \delta)`, z the normal quantile at
      :math:`\delta / k^2`, but not below 0: the evidence has to suffice in the mean even if
      `delta` is large.
    - 'rigorous_counts': the theorem in :ref:`groups-by-counts`.
    - 'counts' and 'cluster': the number at which :func:`grouping_probability` is :math:`1 -
      \delta`, for all pairs of classes together.
    - 'snr': :math:`N = 2 N_1`, :math:`N_1 = 2 k \sum_j q_j / \|\Delta\|^2`: there
      :math:`E \|M_a - M_b\|^2` is 3 times as large for two classes as within one.

    Without ``equally_likely=True``, :func:`separate_codes` needs more images, and separates no
    classes that occur in the same proportion in all cells. With a single patch in each class (k =
    1), k-means has nothing to group: its number is for seeing every patch.

    For more than two labels, :math:`q / n_{labels}` takes the place of q in 'snr', in
    :math:`n_{labels} - 1` directions for each position.

    The whole algorithm splits `delta` evenly between the levels and one last share. The last
    share is for the events that N images miss a patch, by the sum of the complements of
    :func:`coverage_probability`, or do not determine the head. The methods group the patches of all
    levels, the last layer's too, and need every root image once; a linear head on classes of level
    0 is then without error. With 'snr' alone the head is on patches of level 0. The prediction is
    that it needs each of them once at every position at which it occurs.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> from skhier.theory import required_samples
    >>> sampler = HierarchicalSampler(patches_per_class=4, random_state=0).fit()
    >>> proved = required_samples(sampler, 0.01, "rigorous", level=1)
    >>> predicted = required_samples(sampler, 0.01, "certificate", level=1)
    >>> predicted < proved < required_samples(sampler, 0.0001, "rigorous", level=1)
    True
    """
    check_choice(method, "method", _METHODS)
    delta = check_probability(delta, "delta")
    check_fitted(sampler, "sampler", "HierarchicalSampler")
    caller = "required_samples"
    if context is not None:
        return _context_samples(sampler, delta, method, level, context, labels, caller)
    compared = check_labels(labels, method)
    if level is not None:
        level = check_level(sampler, level)
        check_exchangeable_codes(sampler, [level], caller=caller, compared=compared)
        cells = cell_probabilities(sampler, level, labels)
        return _level_samples(sampler, level, cells, delta, method)
    if not labels:
        raise ValueError(
            "labels=False needs a level: the head of the whole algorithm is learned from labels."
        )
    groups_all = method != "snr"
    levels = list(range(0 if groups_all else 1, len(sampler.patches_)))
    check_exchangeable_codes(sampler, levels, caller=caller, has_head=True, compared=compared)
    share = delta / (len(levels) + 1)
    numbers = [
        _level_samples(sampler, level, cell_probabilities(sampler, level), share, method)
        for level in levels
    ]
    head = _root_image_probabilities if groups_all else _patch_probabilities_by_position
    failure = _coverage_failure(sampler, head(sampler))
    return max([*numbers, smallest_count(lambda n: failure(n) <= share)])


def _context_samples(sampler, delta, method, level, context, labels, caller):
    """Return the number of images at which the certificate of one pixel's context is complete."""
    check_flag(labels, "labels")
    if method not in ("rigorous", "certificate") or level is None:
        raise ValueError(
            f"context={context!r} is not valid for method={method!r} and level={level}: it is for "
            "'rigorous' and 'certificate' of one level."
        )
    level = check_level(sampler, level)
    check_exchangeable_codes(sampler, [level], caller=caller, compared=None)
    cells = context_cells(sampler, level, context, labels, caller)
    if method == "certificate":
        return predicted_samples(cells, delta)
    return proved_samples(sampler, level, cells, delta, one_cell=True)


def _level_samples(sampler, level, cells, delta, method):
    """Return the number of images at which a method groups the patches of a level."""
    if cells.k == 1 and method not in ("rigorous", "certificate"):  # k-means is told the number
        unseen = unseen_probability(sampler, level)
        return smallest_count(lambda n: (unseen**n).sum() <= delta)
    number = _METHODS[method](sampler, level, cells, delta)
    return max(number, coverage_bound(sampler, level, delta))


def _certificate(sampler, level, cells, delta):
    return predicted_samples(cells, delta)


def _snr(sampler, level, cells, delta):
    k, _, variances, n_dims = pairs = PairStatistics.of_cells(cells)
    return ceil((4 * k * n_dims * variances.sum(axis=1) / pairs.squared_distances).max())


_METHODS: dict[str, Callable[..., int]] = {
    "rigorous": proved_samples,
    "rigorous_counts": proved_counts,
    "certificate": _certificate,
    "counts": partial(predicted_groups, method="counts"),
    "cluster": partial(predicted_groups, method="cluster"),
    "snr": _snr,
}


def _coverage_failure(sampler, head_probabilities):
    """Return a function that bounds the probability of failure with N images.

    A failure is a patch that no image shows, or an event of the head that does not occur. Each
    event, such as a root image, has one entry in `head_probabilities`.
    """
    levels = range(len(sampler.patches_))
    patches = [unseen_probability(sampler, level).ravel() for level in levels]
    unseen = np.concatenate([*patches, 1 - head_probabilities])
    return lambda n: (unseen**n).sum()


def _root_image_probabilities(sampler):
    """Compute the probability of each semantic image."""
    root = sampler.root_images_.reshape(len(sampler.root_images_), -1)
    _, label, size = np.unique(sampler.root_labels_, return_inverse=True, return_counts=True)
    _, index = np.unique(root, axis=0, return_inverse=True)
    return np.bincount(index.ravel(), 1 / (len(size) * size[label]))


def _patch_probabilities_by_position(sampler):
    """Compute the probability of each patch of level 0 at each position at which it occurs."""
    k = sampler.patches_[0].shape[1]
    frequencies = sampler.statistics().levels[0].class_frequencies.mean(axis=0)
    return np.repeat(frequencies[frequencies > 0] / k, k)
