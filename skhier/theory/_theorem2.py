"""Theorem 2: algorithm 1 learns the generative model."""

from __future__ import annotations

from math import ceil, log, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.svm import LinearSVC

from .._base._params import check_choice, check_fitted
from .._base._parts import changed_params
from .._base._typing import Bound
from ..classifier import LayerwiseCNNClassifier
from ._cells import check_exchangeable_codes
from ._checks import (
    check_counts,
    check_positive,
    check_probability,
    check_width,
    n_pairs,
    within_floats,
)
from ._lemmas import lemma1_margin, lemma7_separation, perceptron_iterations
from ._theorem1 import default_width, theorem1_params

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler

# Drawing patches for k-means may fail with 1/1000 of a share of delta, which is negligible.
_DRAW_DIVISOR = 1000


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
        'exact': as derived below. 'paper': as printed, including the error of the paper.

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
    certify_classifier : A check of the layers that were learned.

    Notes
    -----
    As printed: :math:`\sigma = 1 / s`, :math:`\delta' = \delta / (2 d)`, n of theorem 1,
    :math:`T > (C / \sqrt{\delta'} + 2 \sigma) k / (\eta \lambda)`, and :math:`k_i =
    |C_{i-1}|` clusters for i < d. But the proof (lemmas 8 and 9) needs one cluster for
    each patch, :math:`k_i = k |C_{i-1}|`, at every level: with :math:`k_1 = |C_0|`,
    accuracy on appendix D stays at 0.65.

    'exact': one cluster for each patch, and :math:`\delta' = \delta / (3 d)`: each level has one
    share for :math:`W_0`, one for k-means and one for sampling. At each place, embedded patches of
    one class are at most :math:`\sigma / \sqrt 2` apart after gradient descent on the population.
    Sampling adds at most the same distance. So :math:`\sigma = 1 / \sqrt{2 p q}` gives
    clusters of diameter 1. Their separation is the one of lemma 7 (exact) at :math:`\delta'`, for
    the number of candidates of scikit-learn's greedy seeding. Cluster sizes may differ by four
    times the ratio in the model, as in a sample of `n_patches`. The separation is more than two
    diameters, so Lloyd's algorithm keeps clusters that have a seed each. n and T are the largest
    values that a layer needs, by theorem 1 (exact) for half of the distance of frequencies.
    Sampling may take the other half.

    By lemma 1 the codes are then separated with a margin m. The support vector machine with
    :math:`C = 1 / m^2` is right on all images that it learns from: the sum of its slacks, or of
    their squares, is at most :math:`\frac{1}{2 m^2} / C < 1`. With the C = 0.01 of
    :meth:`~skhier.LayerwiseCNNClassifier.algorithm_1` it may err, for small margins. For more
    than two labels, the machine of Crammer and Singer :cite:p:`crammer2001` is needed, as one label
    against the rest need not be separable. It is not proved that the head is right on other images.

    Lemma 7 is about Euclidean distances. Algorithm 1 is printed with the cosine distance, under
    which patches of classes with :math:`F_{c_2} = a F_{c_1}`, a > 0, coincide as T grows. These
    parameters cluster by :class:`sklearn.cluster.KMeans`.

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
    levels = _levels_from_pixels(sampler)
    plan = _exact_plan if bound == "exact" else _printed_plan
    share = delta / ((3 if bound == "exact" else 2) * len(levels))  # delta'
    n, T, sigmas = plan(levels, share, n_components, learning_rate)
    pixels, *others = levels
    n_clusters = [pixels.n_patches] + [
        level.n_patches if bound == "exact" else level.n_classes for level in others
    ]
    clf = LayerwiseCNNClassifier.algorithm_1(
        n_clusters,
        [level.patch_size for level in levels],
        n_layers=len(levels),
        n_components=n,
        orthogonalizer__kmeans=KMeans(max_iter=100, tol=1e-3),
        embedder__max_iter=T,
        embedder__learning_rate=learning_rate,
    )
    embedders = [clone(clf.embedder).set_params(init_scale=sigma) for sigma in sigmas]
    return changed_params(clf) | {
        "orthogonalizer": [
            clone(clf.orthogonalizer).set_params(n_patches=level.n_draws(share / _DRAW_DIVISOR))
            for level in levels
        ],
        "embedder": [*embedders, None],
        "head": _hard_margin_head(sampler, levels[-1].k) if bound == "exact" else clf.head,
    }


@within_floats
def theorem2_runtime(
    n_levels: int,
    n_classes: int,
    k: int,
    max_iter: int,
    separator_norm: float,
    n_positions: int = 1,
    *,
    n_labels: int = 2,
) -> int:
    r"""Count the iterations of algorithm 1, :math:`d (C^2 k^2 + T) + P k \|W^*\|^2`.

    Theorem 2 has :math:`O(d (C^2 k^2 + T) + k \|W^*\|^2)`; here all constants are 1. K-means
    seeds C k clusters in a set of C k patches, gradient descent takes T steps, and the
    linear classifier makes at most :func:`perceptron_iterations` corrections, for more than two
    labels twice as many. With the 'exact' solver, the T steps of a level are one pass over the
    data.

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
        Number of pixels of the semantic image, P; a constant in the paper.

    n_labels : int, default=2
        Number of labels.

    Returns
    -------
    iterations : int
        Number of iterations.

    Raises
    ------
    ValueError
        If a parameter is not in its range.

    Examples
    --------
    >>> from skhier.theory import theorem2_runtime
    >>> theorem2_runtime(2, 4, 30, 10_000, 1.0) == 2 * (4**2 * 30**2 + 10_000) + 30
    True
    """
    n_levels, n_classes = check_counts(n_levels=n_levels, n_classes=n_classes)
    k, max_iter = check_counts(k=k, max_iter=max_iter)
    learning = n_levels * ((n_classes * k) ** 2 + max_iter)
    return learning + perceptron_iterations(separator_norm, k, n_positions, n_labels=n_labels)


class _Level(NamedTuple):
    """Sizes and exact statistics of one level of a sampler."""

    n_classes: int
    k: int
    patch_size: tuple
    n_positions: int
    statistics: object  # LevelStatistics

    @property
    def n_patches(self):
        return self.n_classes * self.k

    @property
    def patch_area(self):
        return self.patch_size[0] * self.patch_size[1]

    @property
    def patch_frequencies(self):
        """Expected number of pixels of an image that show a patch of each class."""
        return self.statistics.class_frequencies.mean(axis=0).sum(axis=(1, 2)) / self.k

    @property
    def size_ratio(self):
        return float(self.patch_frequencies.max() / self.patch_frequencies.min())

    def separation(self, delta):
        """Return the distance of patches, in diameters, at which k-means seeds each of them."""
        n_trials = 2 + int(log(self.n_patches))  # of KMeans
        return lemma7_separation(
            self.n_patches, delta, size_ratio=4 * self.size_ratio, n_trials=n_trials
        )

    def n_draws(self, delta):
        """Return a number of draws for which cluster sizes differ by at most 4 `size_ratio`.

        Enough images show each patch 4/5 to 6/5 times as often as expected. Each patch is then
        drawn 3/5 to 8/5 times as often as expected from these images, by Chernoff's bounds,
        exp(-m / 11) for m expected draws, which hold without replacement too.
        """
        p = self.patch_frequencies.min() / self.n_positions
        return ceil(14 * log(2 * self.n_patches / delta) / p)


def _levels_from_pixels(sampler):
    """Return the levels of a sampler, the pixels' level first; ValueError if assumptions fail."""
    check_fitted(sampler, "sampler", "HierarchicalSampler")
    others = list(range(1, len(sampler.patches_)))
    check_exchangeable_codes(sampler, others, caller="theorem 2", has_head=True)
    levels = [
        _Level(*table.shape[:2], table.shape[2:4], height * width, level)
        for table, (height, width), level in zip(
            sampler.patches_, sampler.level_shapes_, sampler.statistics().levels
        )
    ]
    return levels[::-1]


def _hard_margin_head(sampler, k):
    """Return a support vector machine with a C so large that no training image is misclassified."""
    C = lemma1_margin(1 / sampler.margin_, k) ** -2
    if len(sampler.classes_) == 2:
        return LinearSVC(C=C)
    return LinearSVC(C=C, multi_class="crammer_singer", max_iter=10_000)


class _Plan(NamedTuple):
    """Parameters of the embeddings of all levels; the list starts with the last level."""

    n_components: int
    max_iter: int
    sigmas: list


def _exact_plan(levels, delta, n_components, learning_rate):
    uppers, lowers = levels[1:], levels[:-1]
    largest_n_pairs = max([n_pairs(lower.n_patches) for lower in lowers], default=1)
    n = n_components or default_width(largest_n_pairs, delta)
    # Within a class, half of the distance is for K_0 and half for sampling. Sampling may also take
    # half of the distance of frequencies. Its error differs from patch to patch, so theorem 1 is
    # applied to pairs of patches, not of classes.
    sigmas = [1 / sqrt(2 * upper.patch_area) for upper in uppers]
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
    params = [
        theorem1_params(
            lower.k,
            lower.n_classes,
            delta=delta,
            sigma=1 / sqrt(upper.patch_area),
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
        max([layer.n_components for layer in params], default=1),
        max([layer.max_iter for layer in params], default=1),
        [1 / sqrt(upper.patch_area) for upper in levels[1:]],
    )
