"""Theorem 2: algorithm 1 learns the generative model."""

from __future__ import annotations

from math import ceil, log, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.svm import LinearSVC

from .._base._params import check_fitted
from .._base._parts import changed_params
from .._base._typing import Bound
from ..classifier import LayerwiseCNNClassifier
from ._cells import check_equal_codes
from ._checks import (
    check_choice,
    check_counts,
    check_positive,
    check_probability,
    check_width,
    n_pairs,
    within_floats,
)
from ._lemmas import lemma1_margin, lemma7_separation, perceptron_iterations
from ._theorem1 import default_width, theorem1_params

_RARE = 1000  # that images do not show all patches takes next to nothing of delta

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler


@within_floats
def theorem2_params(
    sampler: HierarchicalSampler,
    *,
    delta: float = 0.05,
    learning_rate: float = 1e-3,
    n_components: int | None = None,
    bound: Bound = "exact",
) -> dict[str, Any]:
    r"""Find parameters with which algorithm 1 provably learns a generative model.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler with disjoint sets of equally likely patches, no noise, and a
        separable root.

    delta : float, default=0.05
        Probability of failure.

    learning_rate : float, default=1e-3
        Step size :math:`\eta` of gradient descent.

    n_components : int or None, default=None
        Width n of all layers; None as in :func:`theorem1_params`.

    bound : {'exact', 'paper'}, default='exact'
        'exact': as below. 'paper': as printed, including its error.

    Returns
    -------
    params : dict
        Keyword arguments of :class:`~skhier.LayerwiseCNNClassifier`.

    Raises
    ------
    ValueError
        If the sampler does not meet the assumptions; the message says which.

    See Also
    --------
    required_samples : Numbers of images with which layerwise learning succeeds.
    certify_classifier : Checks what was learned.

    Notes
    -----
    As printed: :math:`\sigma = 1 / s`, :math:`\delta' = \delta / (2 d)`, n of theorem 1,
    :math:`T > (C / \sqrt{\delta'} + 2 \sigma) k / (\eta \lambda)`, and :math:`k_i =
    |C_{i-1}|` clusters for i < d. But the proof (lemmas 8 and 9) needs one cluster for
    each patch, :math:`k_i = k |C_{i-1}|`, at every level: with :math:`k_1 = |C_0|`,
    accuracy on appendix D stays at 0.65.

    'exact': one cluster for each patch, and :math:`\delta' = \delta / (3 d)`, one share of
    each level for :math:`W_0`, for k-means and for sampling. Patches of one class at each
    place are embedded with distances of at most :math:`\sigma / \sqrt 2` from gradient
    descent on the population, and as much again from sampling, for which
    :math:`\sigma = 1 / \sqrt{2 p q}` gives clusters of diameter 1. Their separation is
    that of lemma 7 (exact) at :math:`\delta'`, for the number of candidates of scikit-learn's
    greedy seeding, and for sizes that differ by four times the ratio of the model's, as those
    in a sample of `n_patches` may. It is more than two diameters, so Lloyd's algorithm keeps
    the clusters that have a seed each. n and T are the largest that a layer needs, by
    theorem 1 (exact) for half of the distance of frequencies; sampling may take the other
    half.

    The codes are then those of lemma 1, separated with margin m, and the support vector
    machine with :math:`C = 1 / m^2` is right on all images that it learns from: the sum of its
    slacks, or of their squares, is at most :math:`\frac{1}{2 m^2} / C < 1`. With the C = 0.01 of
    :meth:`~skhier.LayerwiseCNNClassifier.algorithm_1` it is not, for small margins. For more
    than two labels it has to be that of Crammer and Singer :cite:p:`crammer2001`, as one label
    against the rest need not be separable. That it errs on no image outside of N is not proved.

    Lemma 7 is about Euclidean distances, and algorithm 1 is printed with the cosine
    distance, under which patches of classes with :math:`F_{c_2} = a F_{c_1}`, a > 0,
    coincide as T grows. These parameters cluster by :class:`sklearn.cluster.KMeans`.

    Examples
    --------
    >>> from skhier import HierarchicalSampler, LayerwiseCNNClassifier
    >>> from skhier.theory import theorem2_params
    >>> sampler = HierarchicalSampler(patches_per_class=4, random_state=0).fit()
    >>> X, y = sampler.sample(4000)
    >>> clf = LayerwiseCNNClassifier(**theorem2_params(sampler), random_state=0)
    >>> clf.fit(X[:3000], y[:3000]).score(X[3000:], y[3000:])
    1.0
    """
    check_choice(bound, "bound", ("exact", "paper"))
    delta, n_components = check_probability(delta, "delta"), check_width(n_components)
    (learning_rate,) = check_positive(learning_rate=learning_rate)
    levels = _levels_from_the_last(sampler)
    plan = _plan if bound == "exact" else _printed_plan
    share = delta / ((3 if bound == "exact" else 2) * len(levels))  # delta'
    n, T, sigmas = plan(levels, share, n_components, learning_rate)
    first, *others = levels
    n_clusters = [first.n_patches] + [
        level.n_patches if bound == "exact" else level.n_classes for level in others
    ]
    ours = LayerwiseCNNClassifier.algorithm_1(
        n_clusters,
        [level.patch_size for level in levels],
        n_layers=len(levels),
        n_components=n,
        orthogonalizer__kmeans=KMeans(max_iter=100, tol=1e-3),
        embedder__max_iter=T,
        embedder__learning_rate=learning_rate,
    )
    embedders = [clone(ours.embedder).set_params(init_scale=sigma) for sigma in sigmas]
    return changed_params(ours) | {
        "orthogonalizer": [
            clone(ours.orthogonalizer).set_params(n_patches=level.n_draws(share / _RARE))
            for level in levels
        ],
        "embedder": [*embedders, None],
        "head": _head(sampler, levels[-1].k) if bound == "exact" else ours.head,
    }


@within_floats
def theorem2_runtime(
    n_levels: int,
    n_classes: int,
    k: int,
    max_iter: int,
    separator_norm: float,
    n_positions: int = 1,
) -> int:
    r"""Number of iterations of algorithm 1, :math:`d (C^2 k^2 + T) + P k \|W^*\|^2`.

    The :math:`O(d (C^2 k^2 + T) + k \|W^*\|^2)` of theorem 2 without constants: k-means
    seeds C k clusters in a set of C k patches, gradient descent takes T steps, and the
    linear classifier makes at most :func:`perceptron_iterations` corrections. With the
    'exact' solver, the T steps of a level are one pass over the data.

    Parameters
    ----------
    n_levels : int
        Depth d.

    n_classes : int
        Largest number of classes of a level, C.

    k : int
        Number of patches of each class.

    max_iter : int
        Number of gradient steps T.

    separator_norm : float
        Norm of :math:`W^*`.

    n_positions : int, default=1
        Number of pixels of the semantic image, P; the paper has it as a constant.

    Returns
    -------
    iterations : int
        Their number.

    Examples
    --------
    >>> from skhier.theory import theorem2_runtime
    >>> theorem2_runtime(2, 4, 30, 10_000, 1.0)
    48830
    """
    n_levels, n_classes = check_counts(n_levels=n_levels, n_classes=n_classes)
    k, max_iter = check_counts(k=k, max_iter=max_iter)
    learning = n_levels * ((n_classes * k) ** 2 + max_iter)
    return learning + perceptron_iterations(separator_norm, k, n_positions)


class _Level(NamedTuple):
    """What the theorem uses of one level of a sampler."""

    n_classes: int
    k: int
    patch_size: tuple
    n_positions: int
    statistics: object  # LevelStatistics

    @property
    def n_patches(self):
        return self.n_classes * self.k

    @property
    def cells(self):
        return self.patch_size[0] * self.patch_size[1]

    @property
    def shown(self):
        """Expected number of pixels that show each patch, for each class."""
        return self.statistics.class_frequencies.mean(axis=0).sum(axis=(1, 2)) / self.k

    @property
    def size_ratio(self):
        return float(self.shown.max() / self.shown.min())

    def separation(self, delta):
        """Distance of patches, in diameters, at which k-means seeds each of them."""
        n_trials = 2 + int(log(self.n_patches))  # of KMeans
        return lemma7_separation(
            self.n_patches, delta, size_ratio=4 * self.size_ratio, n_trials=n_trials
        )

    def n_draws(self, delta):
        """Number of draws from images such that numbers differ by 4 times `size_ratio`.

        Images show each patch 4/5 to 6/5 times as often as expected, if there are enough. It is
        then drawn 3/5 to 8/5 times as often as expected of them, by Chernoff's bounds,
        exp(-m / 11) for m expected, which hold without replacement too.
        """
        p = self.shown.min() / self.n_positions
        return ceil(14 * log(2 * self.n_patches / delta) / p)


def _levels_from_the_last(sampler):
    """The levels of a sampler, that of the pixels first; ValueError if assumptions fail."""
    check_fitted(sampler, "sampler", "HierarchicalSampler")
    others = list(range(1, sampler.n_levels))
    check_equal_codes(sampler, others, asks="theorem 2", has_head=True)
    levels = [
        _Level(*table.shape[:2], table.shape[2:4], height * width, level)
        for table, (height, width), level in zip(
            sampler.patches_, sampler.level_shapes_, sampler.statistics().levels
        )
    ]
    return levels[::-1]


def _head(sampler, k):
    """A support vector machine whose slacks are too small for an error on what it learns from."""
    C = lemma1_margin(1 / sampler.margin_, k) ** -2
    if len(sampler.classes_) == 2:
        return LinearSVC(C=C)
    return LinearSVC(C=C, multi_class="crammer_singer", max_iter=10_000)


class _Plan(NamedTuple):
    """How the classes of all levels are to be embedded; lists are from the last level on."""

    n_components: int
    max_iter: int
    sigmas: list


def _plan(levels, delta, n_components, learning_rate):
    uppers, lowers = levels[1:], levels[:-1]
    n_of_pairs = max([n_pairs(lower.n_patches) for lower in lowers], default=1)
    n = n_components or default_width(n_of_pairs, delta)
    # Half of the distance within a class is K_0's and half is sampling's, which may take half of
    # the distance of frequencies too; from patch to patch, so pairs of patches count.
    sigmas = [1 / sqrt(2 * upper.cells) for upper in uppers]
    steps = [
        theorem1_params(
            lower.k,
            lower.n_patches,
            delta=delta / 2,
            sigma=sigma,
            gamma=upper.separation(delta),
            learning_rate=learning_rate,
            n_components=n,
            delta_min=lower.statistics.delta_min / 2,
        ).max_iter
        for upper, lower, sigma in zip(uppers, lowers, sigmas)
    ]
    return _Plan(n, max(steps, default=1), sigmas)


def _printed_plan(levels, delta, n_components, learning_rate):
    promised = [
        theorem1_params(
            lower.k,
            lower.n_classes,
            delta=delta,
            sigma=1 / sqrt(upper.cells),
            gamma=upper.n_classes / sqrt(delta),
            learning_rate=learning_rate,
            n_components=n_components,
            theta=lower.statistics.theta,
            lambda_=lower.statistics.lambda_,
            bound="paper",
        )
        for upper, lower in zip(levels[1:], levels)
    ]
    return _Plan(
        max([params.n_components for params in promised], default=1),
        max([params.max_iter for params in promised], default=1),
        [1 / sqrt(upper.cells) for upper in levels[1:]],
    )
