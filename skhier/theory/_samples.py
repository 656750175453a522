"""How many images suffice, and how many are needed."""

from __future__ import annotations

from math import ceil, log, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from scipy.stats import norm

from .._base._params import check_count, check_fitted
from ._cells import check_equal_codes, check_level, read_cells
from ._checks import check_choice, check_counts, check_probability, within_floats
from ._moments import pair_unseen, unseen_probability
from ._power import certified_samples
from ._search import smallest_count

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler


@within_floats
def required_samples(
    sampler: HierarchicalSampler,
    delta: float = 0.05,
    method: Literal["rigorous", "certificate", "cluster", "snr"] = "certificate",
    *,
    level: int | None = None,
) -> int:
    r"""Number of images from which classes are learned without error, but for `delta`.

    Layerwise learning groups the patches of a level, last level first, by how often N
    images of each label show them at each position: patches of one class have the same
    expectations. The method says how they are grouped:

    - 'rigorous': **proved.** By the certificate, that a and b are not of one class where
      :math:`\|S\|^2 \ge \sum m + 2 \sqrt{x \sum m^2} + 2 x \max m`. In each cell, a label
      and a position, S is the number of images that show a less those that show b, and m is
      their sum; x is a logarithm. It is to separate all patches of different classes, and no
      others.
    - 'certificate': the same; a **prediction**, as if S were normal.
    - 'cluster': by k-means of the patches' means :math:`M_a = \frac1N \sum_i y_i f_{a,i}`; a
      **prediction**.
    - 'snr': by algorithm 1, k-means of embedded patches; a rough **prediction**, which does
      not depend on `delta`.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler with disjoint sets of equally likely patches, and no noise.

    delta : float, default=0.05
        Probability of failure.

    method : {'rigorous', 'certificate', 'cluster', 'snr'}, default='certificate'
        What is to succeed, as above.

    level : int or None, default=None
        The level whose patches are grouped, given those of the levels below. None: the whole
        algorithm, up to a linear head without error.

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
    embedding_moments : The second moments that 'snr' compares.
    rhm_sample_complexity : 'snr' for random models, in closed form.

    Notes
    -----
    Of two classes, let q be the mean of the probabilities that a position shows the one and the
    other, :math:`\Delta = F_c - F_{c'}`, and K the number of patches; d and v are the
    expectations of S and m of two patches in an image. The number is that of the worst pair:

    - 'rigorous': the theorem in :ref:`how-many-images`.
    - 'certificate': :math:`\|d\|^2 = \frac{2 \sqrt x \|v\| + 2 x \max v}{N} + z \sqrt{\frac{2
      \|v\|^2}{N^2} + \frac{4 \sum d^2 v}{N}}`, :math:`x = \log(K^2 / 2 \delta)`, z the
      normal quantile at :math:`\delta / k^2`, but not below 0: at large `delta` too S is to
      separate in the mean.
    - 'cluster': :math:`N = 4 k \bar q\, l\, (1 + \sqrt{1 + P_e / (k l)}) / \|\Delta\|^2`,
      :math:`l = \log(2 k / \delta)`, :math:`\bar q = \sum_j \Delta_j^2 q_j / \|\Delta\|^2`,
      :math:`P_e = \|q\|^2 / \bar q^2`: the threshold of Ndaoud :cite:p:`ndaoud2018` for 2 k
      points in two clusters, for noise that differs from position to position.
    - 'snr': :math:`N = 2 N_1`, :math:`N_1 = 2 k \sum_j q_j / \|\Delta\|^2`: there
      :math:`E \|M_a - M_b\|^2` is 3 times as large for two classes as within one.

    For more than two labels, :math:`q / n_{labels}` takes the place of q in the last two, in
    :math:`n_{labels} - 1` directions for each position.

    The whole algorithm splits `delta` evenly between levels and what remains: that N images
    show all patches, by the sum of :func:`coverage_probability`'s complements, and that they
    determine the head. 'rigorous' and 'certificate' group the patches of all levels and need
    every root image once; a linear head on classes of level 0 is then without error. With
    'cluster' and 'snr' the head is on patches of level 0, and is predicted to need each of them
    once at every position at which it occurs.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> from skhier.theory import required_samples
    >>> sampler = HierarchicalSampler(patches_per_class=4, random_state=0).fit()
    >>> for method in ["snr", "cluster", "certificate", "rigorous"]:
    ...     print(method, required_samples(sampler, 0.01, method, level=1))
    snr 227
    cluster 64
    certificate 97
    rigorous 455
    """
    check_choice(method, "method", tuple(_METHODS))
    delta = check_probability(delta, "delta")
    check_fitted(sampler, "sampler", "HierarchicalSampler")
    if level is not None:
        level = check_level(sampler, level)
        check_equal_codes(sampler, [level], asks="required_samples")
        return _METHODS[method](sampler, level, delta)
    groups_all = method in ("rigorous", "certificate")
    levels = list(range(0 if groups_all else 1, sampler.n_levels))
    check_equal_codes(sampler, levels, asks="required_samples", has_head=True)
    share = delta / (len(levels) + 1)
    numbers = [_METHODS[method](sampler, level, share) for level in levels]
    missing = _coverage_failures(sampler, _root_images if groups_all else _patches_at_positions)
    return max([*numbers, smallest_count(lambda n: missing(n) <= share)])


@within_floats
def necessary_samples(
    sampler: HierarchicalSampler,
    delta: float = 0.05,
    method: Literal["coverage", "pixels", "gaussian"] = "coverage",
    *,
    level: int | None = None,
) -> int:
    r"""Number of images without which classes are not learned, but with errors beyond `delta`.

    Parameters
    ----------
    sampler : HierarchicalSampler
        As in :func:`required_samples`.

    delta : float, default=0.05
        Probability of failure.

    method : {'coverage', 'pixels', 'gaussian'}, default='coverage'
        Of whom fewer images ask too much:

        - 'coverage': any algorithm that is to know all patches. **Proved.**
        - 'pixels': any algorithm that sees positions, labels and patches of pixels each from
          an image of its own, as many as N images have. **Proved.**
        - 'gaussian': one that knows all :math:`F_c` and sees :math:`M_a`, as if it were
          normal. A **prediction**.

        The last two do not bound who looks at neighboring patches: one image may tell the
        class of a patch by its context.

    level : int or None, default=None
        The level whose patches are grouped. None: the largest number of all levels; for
        'pixels' and 'gaussian' not of level 0 if there are others, as a head takes its patches.

    Returns
    -------
    n_samples : int
        Number of images.

    Raises
    ------
    ValueError
        If the sampler does not meet the assumptions; the message says which.

    See Also
    --------
    required_samples : Numbers that suffice.

    Notes
    -----
    'coverage': with :math:`p_a` the probability that N images do not show a, and
    :math:`p_{ab}` that they show neither a nor b (:func:`coverage_probability`), some patch
    is missing with probability at least :math:`\sum_a p_a^2 / \sum_b p_{ab}`
    :cite:p:`decaen1997`;
    the smallest N at which this is at most `delta`.

    'pixels': of two hypotheses that differ in a and b of classes c and c' changing places, the
    affinity of one pixel is :math:`\rho = 1 - h / P`, :math:`h = \frac1k \sum_{j,l} (\sqrt{q_c} -
    \sqrt{q_{c'}})^2`, :math:`q_c` the probability of class c at j and label l. A test of NP
    pixels with errors of at most :math:`\delta` needs :math:`\rho^{2 N P} \le 4 \delta`. With a
    single patch in each class nothing is to be grouped, and the number is 1.

    'gaussian': the oracle errs on a patch with probability :math:`\Phi(-\sqrt N
    \|\Sigma^{-1/2} \Delta / k\| / 2)`, :math:`\Sigma = diag(q / k)`; the N at which it errs on
    none of 2 k, by the sum of probabilities, but for `delta`.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> from skhier.theory import necessary_samples
    >>> sampler = HierarchicalSampler(patches_per_class=30, random_state=0).fit()
    >>> for method in ["coverage", "pixels", "gaussian"]:
    ...     print(method, necessary_samples(sampler, 0.01, method, level=1))
    coverage 14
    pixels 82
    gaussian 2115
    """
    check_choice(method, "method", tuple(_LOWER_BOUNDS))
    delta = check_probability(delta, "delta")
    check_fitted(sampler, "sampler", "HierarchicalSampler")
    first = 0 if method == "coverage" else min(1, sampler.n_levels - 1)
    every = range(first, sampler.n_levels)
    levels = list(every) if level is None else [check_level(sampler, level)]
    check_equal_codes(sampler, levels, asks="necessary_samples")
    return max(_LOWER_BOUNDS[method](sampler, level, delta) for level in levels)


@within_floats
def rhm_sample_complexity(
    n_classes: int, vocabulary_size: int, n_synonyms: int, tuple_size: int, depth: int
) -> float:
    r"""Number of images at which synonyms of a Random Hierarchy Model stand out, N_1.

    :math:`n_c m^L (1 - 1/v)\, \rho^{-(L-1)}` with :math:`\rho = v^{s-1} (v - 1) / (v^s - 1)`: the
    :math:`P^* = n_c m^L` of :cite:t:`cagnetta2024`, with its constant.

    Parameters
    ----------
    n_classes : int
        Number of labels :math:`n_c`.

    vocabulary_size : int
        Number of symbols v.

    n_synonyms : int
        Number of tuples m for each symbol.

    tuple_size : int
        Length s of a tuple.

    depth : int
        Number of levels L.

    Returns
    -------
    n_samples : float
        The number :math:`N_1` at which the mean squared distance between means of tuples of
        different symbols is twice that of synonyms, at the last level.

    Raises
    ------
    ValueError
        If a parameter is no number of the kind, or there are not as many tuples.

    See Also
    --------
    skhier.datasets.make_random_hierarchy : Samples of the model.
    required_samples : The same ratio for a given model ('snr').

    Notes
    -----
    Exact for the ratio of means over all models. Let :math:`A_i = \sum_c E |F_c(j)|^2` at
    a position of level i. At level 0 it is :math:`(1 - 1/n_c) / n_c`. A level down, :math:`F_b(j,
    u) = \sum_c F_c(j) n_{cb} / m`, with :math:`n_{cb}` the number of tuples of c with b at u.
    Two different tuples agree at u with probability :math:`\kappa = (v^{s-1} - 1) / (v^s - 1)
    = 1 - \rho`, so :math:`E \sum_b n_{cb} n_{c'b} = m^2 \kappa + m \rho 1\{c = c'\}`. As
    :math:`\sum_c F_c = 0`, :math:`A_{i+1} = A_i \rho / m`. With :math:`\sum_b F_b = 0` again,
    :math:`E \|\Delta\|^2 = 2 P A_{L-1} / (v - 1)`, and :math:`N_1 = k^2 (\mu_a + \mu_b) (1 -
    1/n_c) / E \|\Delta\|^2` with k = m and :math:`\mu_a = P / (v m)`.

    With depth 1 the symbols are the labels, and v is :math:`n_c`.

    Examples
    --------
    >>> from skhier.theory import rhm_sample_complexity
    >>> n = rhm_sample_complexity(8, 8, 4, tuple_size=2, depth=3)
    >>> round(n), round(n / (8 * 4**3), 2)
    (567, 1.11)
    """
    n_classes, v = check_counts(n_classes=n_classes, vocabulary_size=vocabulary_size)
    m, s = check_counts(n_synonyms=n_synonyms, tuple_size=tuple_size)
    (depth,) = check_counts(depth=depth)
    check_count(v, "vocabulary_size", 2)
    symbols = n_classes if depth == 1 else v  # of the level whose tuples are counted
    largest = n_classes if depth == 1 else max(n_classes, v)
    if largest * m > v**s:
        raise ValueError(
            f"n_synonyms={m} tuples for each of {largest} symbols are more than there are: "
            f"vocabulary_size ** tuple_size = {v**s}."
        )
    rho = float(v) ** (s - 1) * (v - 1) / (float(v) ** s - 1)
    return n_classes * float(m) ** depth * (1 - 1 / symbols) * rho ** (1 - depth)


class _Pairs(NamedTuple):
    """Of all pairs of classes of a level: what a learner of code means has to tell apart.

    Attributes
    ----------
    k : int
        Number of patches of each class.

    squared : ndarray of shape (n_pairs, n_positions)
        Squares of Delta at each position, with one channel for each label.

    variances : ndarray of shape (n_pairs, n_positions)
        k times the variance of a code in each of n_dims directions at a position, the mean
        of both classes.

    n_dims : int
        n_labels - 1.
    """

    k: int
    squared: np.ndarray
    variances: np.ndarray
    n_dims: int

    @property
    def size(self):
        return self.squared.sum(axis=1)


def _read_pairs(sampler, level):
    cells = read_cells(sampler, level)
    c, e = cells.pairs
    squared = ((cells.centred[c] - cells.centred[e]) ** 2).sum(axis=1)
    q = (cells.shown[c] + cells.shown[e]).sum(axis=1) / 2
    return _Pairs(cells.k, squared, q / cells.n_labels, cells.n_labels - 1)


def _rigorous(sampler, level, delta):
    return certified_samples(sampler, level, read_cells(sampler, level), delta)


def _certificate(sampler, level, delta):
    cells = read_cells(sampler, level)
    k, (c, e) = cells.k, cells.pairs
    d = (cells.shown[c] - cells.shown[e]).reshape(len(c), -1) / k
    v = (cells.shown[c] + cells.shown[e]).reshape(len(c), -1) / k
    # With less than 1/2 a pair, a normal S would reach far beyond its least value.
    x, z = log(cells.n_codes**2 / (2 * delta)), max(norm.isf(delta / k**2), 0.0)
    size, norm_v, slope = (d**2).sum(axis=1), np.linalg.norm(v, axis=1), (d**2 * v).sum(axis=1)
    null = 2 * sqrt(x) * norm_v + 2 * x * v.max(axis=1)

    def is_complete(n):
        spread = np.sqrt(2 * (norm_v / n) ** 2 + 4 * slope / n)
        return bool(np.all(size >= null / n + z * spread))

    return smallest_count(is_complete)


def _cluster(sampler, level, delta):
    k, squared, variances, n_dims = pairs = _read_pairs(sampler, level)
    logarithm = log(2 * k / delta)
    mean = (squared * variances).sum(axis=1) / pairs.size
    effective = n_dims * (variances**2).sum(axis=1) / mean**2
    root = np.sqrt(1 + effective / (k * logarithm))
    return ceil((4 * k * mean * logarithm * (1 + root) / pairs.size).max())


def _snr(sampler, level, delta):
    k, _, variances, n_dims = pairs = _read_pairs(sampler, level)
    return ceil((4 * k * n_dims * variances.sum(axis=1) / pairs.size).max())


_METHODS = {
    "rigorous": _rigorous,
    "certificate": _certificate,
    "cluster": _cluster,
    "snr": _snr,
}


def _coverage_failures(sampler, of_head):
    """The sum of probabilities that N images miss a patch of a level or what the head needs."""
    levels = range(sampler.n_levels)
    patches = [unseen_probability(sampler, level).ravel() for level in levels]
    miss = np.concatenate([*patches, 1 - of_head(sampler)])
    return lambda n: (miss**n).sum()


def _root_images(sampler):
    """Probability of each semantic image."""
    root = sampler.root_images_.reshape(len(sampler.root_images_), -1)
    _, label, size = np.unique(sampler.root_labels_, return_inverse=True, return_counts=True)
    _, which = np.unique(root, axis=0, return_inverse=True)
    return np.bincount(which.ravel(), 1 / (len(size) * size[label]))


def _patches_at_positions(sampler):
    """Probability of each patch of level 0 at each position at which it occurs."""
    k = sampler.patches_[0].shape[1]
    shown = sampler.statistics().levels[0].class_frequencies.mean(axis=0)
    return np.repeat(shown[shown > 0] / k, k)


def _coverage_bound(sampler, level, delta):
    one, two = unseen_probability(sampler, level)[:, 0], pair_unseen(sampler, level)
    k = sampler.patches_[level].shape[1]
    n_others = np.full(two.shape, k) - np.eye(len(two))

    def is_likely_covered(n):
        p = one**n
        p, other = p[p > 0], (n_others * two**n).sum(axis=1)[p > 0]
        return (k * p**2 / (p + other)).sum() <= delta

    return smallest_count(is_likely_covered)


def _pixel_bound(sampler, level, delta):
    k, shown = cells = read_cells(sampler, level)
    c, e = cells.pairs
    if k == 1:  # both hypotheses have the same groups
        return 1
    h = ((np.sqrt(shown[c]) - np.sqrt(shown[e])) ** 2).sum(axis=(1, 2)).min() / k
    n_pixels = shown.shape[2]
    return max(1, ceil(log(1 / (4 * delta)) / (-2 * n_pixels * np.log1p(-h / n_pixels))))


def _gaussian_bound(sampler, level, delta):
    k, squared, variances, _ = _read_pairs(sampler, level)
    separation = (squared / np.where(variances > 0, k * variances, 1)).sum(axis=1).min()
    return ceil(4 * norm.isf(delta / (2 * k)) ** 2 / separation)


_LOWER_BOUNDS = {
    "coverage": _coverage_bound,
    "pixels": _pixel_bound,
    "gaussian": _gaussian_bound,
}
