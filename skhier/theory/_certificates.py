"""Certificates: whether what was learned is what the theorems promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._base._device import as_array, computing_dtype
from .._base._params import check_count, check_fitted, check_real
from .._base._validation import to_array, to_floats

if TYPE_CHECKING:
    from ..classifier import LayerwiseCNNClassifier
    from ..embedding import TwoLayerConvEmbedder
    from ..generative import HierarchicalSampler


class LayerCertificate(NamedTuple):
    """What one layer learned of one level of the model.

    Attributes
    ----------
    level : int
        Level i of the model whose patches the layer clusters.

    n_patches : int
        Number of patches of that level.

    n_clusters : int
        Number of clusters.

    is_patch_mapping : bool
        Whether every cluster holds one patch and every patch is in one cluster, on the
        images seen: the orthonormal patch mapping of lemma 8.

    within, between : float or None
        Largest distance of embedded patches of one class, smallest of different classes.
        None for a layer without an embedding, or clusters that are not the patches.

    sigma, gamma : float or None
        What they are compared with.

    holds : bool
        Whether clusters are patches and `within` is less than `between`, at most
        `sigma` and `between` at least `gamma`, where these are given.

    Examples
    --------
    >>> from skhier import HierarchicalSampler, TwoLayerConvEmbedder
    >>> from skhier.theory import certify_embedder
    >>> sampler = HierarchicalSampler(random_state=0).fit()
    >>> embedder = TwoLayerConvEmbedder(20, scale_channels=False, max_iter=30_000)
    >>> embedder = embedder.fit_population(sampler.code_moments(1), sampler.classes_)
    >>> (layer,) = certify_embedder(sampler, embedder, 1, sigma=1.0, gamma=1.0)
    >>> layer.level, layer.n_patches, layer.within < layer.sigma
    (1, 120, True)
    """

    level: int
    n_patches: int
    n_clusters: int
    is_patch_mapping: bool
    within: float | None
    between: float | None
    sigma: float | None
    gamma: float | None
    holds: bool


class Certificate(tuple):
    """LayerCertificates from the first layer to the last, printed as a table.

    Attributes
    ----------
    holds : bool
        Whether all hold.

    Examples
    --------
    >>> from skhier import HierarchicalSampler, TwoLayerConvEmbedder
    >>> from skhier.theory import certify_embedder
    >>> sampler = HierarchicalSampler(random_state=0).fit()
    >>> embedder = TwoLayerConvEmbedder(20, scale_channels=False, max_iter=30_000)
    >>> embedder = embedder.fit_population(sampler.code_moments(1), sampler.classes_)
    >>> certify_embedder(sampler, embedder, 1, sigma=1.0, gamma=1.0).holds
    True
    """

    @property
    def holds(self):
        return all(layer.holds for layer in self)

    def __repr__(self):
        names = ["level", "patches", "clusters", "one to one", "within", "sigma"]
        lines = [[*names, "between", "gamma", "holds"]]
        for layer in self:
            distances = [layer.within, layer.sigma, layer.between, layer.gamma]
            numbers = ["-" if d is None else f"{d:.4g}" for d in distances]
            lines.append([layer.level, layer.n_patches, layer.n_clusters])
            lines[-1] += ["yes" if layer.is_patch_mapping else "NO", *numbers]
            lines[-1] += ["yes" if layer.holds else "NO"]
        return "\n".join("".join(f"{cell!s:>12}" for cell in line) for line in lines)


def class_distances(embedded: ArrayLike, n_classes: int) -> tuple[float, float]:
    """Largest distance within a class and smallest between classes.

    Parameters
    ----------
    embedded : array-like of shape (n_classes * k, n_components)
        Embedded patches, k of each class in turn: `kernels_` of an embedder of codes.

    n_classes : int
        Number of classes.

    Returns
    -------
    within : float
        Largest distance of two patches of one class; 0 if each has one patch.

    between : float
        Smallest distance of two patches of different classes; infinity for one class.

    Examples
    --------
    >>> from skhier.theory import class_distances
    >>> class_distances([[0.0], [1.0], [5.0], [6.0]], n_classes=2)
    (1.0, 4.0)
    """
    embedded = to_floats(embedded, "embedded")
    n_classes = check_count(n_classes, "n_classes", 1)
    if embedded.ndim != 2:
        raise ValueError(
            f"embedded of shape {embedded.shape} is not valid: it takes (n_patches, n_components)."
        )
    k, rest = divmod(len(embedded), n_classes)
    if rest or k == 0:
        raise ValueError(
            f"embedded holds {len(embedded)} patches: not the same number for each of "
            f"n_classes={n_classes} classes."
        )
    owner = np.arange(len(embedded)) // k
    within, between = 0.0, np.inf
    for c, patch in zip(owner, embedded):
        distances = np.linalg.norm(embedded - patch, axis=1)
        within = max(within, distances[owner == c].max())
        between = min(between, distances[owner != c].min(initial=np.inf))
    return float(within), float(between)


def certify_embedder(
    sampler: HierarchicalSampler,
    embedder: TwoLayerConvEmbedder,
    level: int,
    *,
    sigma: float,
    gamma: float,
) -> Certificate:
    r"""Check theorem 1 on an embedder of the codes of a level's patches.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler.

    embedder : TwoLayerConvEmbedder
        Fitted on codes with one channel for each patch of `level`, ordered as in
        :meth:`~skhier.HierarchicalSampler.code_moments`.

    level : int
        Level i of the model.

    sigma : float
        Largest distance allowed within a class.

    gamma : float
        Smallest distance allowed between classes.

    Returns
    -------
    certificate : Certificate
        Of one layer.

    Examples
    --------
    >>> from skhier import HierarchicalSampler, TwoLayerConvEmbedder
    >>> from skhier.theory import certify_embedder, theorem1_params
    >>> sampler = HierarchicalSampler(random_state=0).fit()
    >>> exact = sampler.statistics().levels[1]
    >>> n, T, eta = theorem1_params(30, 4, delta_min=exact.delta_min)
    >>> embedder = TwoLayerConvEmbedder(
    ...     n, max_iter=T, learning_rate=eta, scale_channels=False, random_state=0
    ... )
    >>> embedder.fit_population(sampler.code_moments(1), sampler.classes_).n_iter_ == T
    True
    >>> certify_embedder(sampler, embedder, 1, sigma=1.0, gamma=1.0).holds
    True
    """
    check_fitted(sampler, "sampler", "HierarchicalSampler")
    check_fitted(embedder, "embedder", "TwoLayerConvEmbedder")
    check_count(level, "level", 0, sampler.n_levels - 1)
    n_classes, k = sampler.patches_[level].shape[:2]
    if len(embedder.kernels_) != n_classes * k:
        raise ValueError(
            f"embedder was fitted on codes with {len(embedder.kernels_)} channels, but level "
            f"{level} has {n_classes * k} patches."
        )
    return Certificate(
        [_certify(level, n_classes, k, np.arange(n_classes * k), embedder, sigma, gamma)]
    )


def certify_classifier(
    sampler: HierarchicalSampler,
    classifier: LayerwiseCNNClassifier,
    X: ArrayLike | None = None,
    *,
    n_samples: int = 1000,
    sigma: float | None = None,
    gamma: float | None = None,
) -> Certificate:
    r"""Check lemma 8 and theorem 1 on every layer of a classifier.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler without noise, of disjoint sets of patches.

    classifier : LayerwiseCNNClassifier
        Fitted on images of the sampler, with as many layers as the sampler has levels
        and patches that do not overlap, as by :func:`~skhier.theory.theorem2_params`.

    X : array-like of images or None, default=None
        Images on which clusters are compared with patches; if None, `n_samples` new ones.

    n_samples : int, default=1000
        Number of images that are drawn if X is None.

    sigma : float or None, default=None
        Largest distance allowed within a class. If None, any below `between`: on
        samples, distances grow with T, as the mean of :math:`y X` is not quite that of
        the population.

    gamma : float or None, default=None
        Smallest distance allowed between classes. If None, any above `within`.

    Returns
    -------
    certificate : Certificate
        One LayerCertificate for each layer, the first for the level of pixels.

    Raises
    ------
    ValueError
        If the layers do not fit the levels.

    Examples
    --------
    >>> from skhier import HierarchicalSampler, LayerwiseCNNClassifier
    >>> from skhier.theory import certify_classifier, theorem2_params
    >>> sampler = HierarchicalSampler(patches_per_class=3, random_state=0).fit()
    >>> X, y = sampler.sample(3000)
    >>> clf = LayerwiseCNNClassifier(**theorem2_params(sampler), random_state=0).fit(X, y)
    >>> certify_classifier(sampler, clf, X).holds
    True
    """
    check_fitted(sampler, "sampler", "HierarchicalSampler")
    check_fitted(classifier, "classifier", "LayerwiseCNNClassifier")
    if len(classifier.layers_) != sampler.n_levels:
        raise ValueError(
            f"classifier has {len(classifier.layers_)} layers, but the sampler has "
            f"{sampler.n_levels} levels: certificates compare them one to one."
        )
    if X is None:
        check_count(n_samples, "n_samples", 1)
        X, _ = sampler.sample(n_samples)
    X = to_array(X, "X")
    truth = sampler.parse_patches(X)
    images = X.reshape(len(X), *classifier.image_shape_)
    layers = []
    levels = reversed(range(sampler.n_levels))
    for level, block in zip(levels, classifier.layers_):
        n_classes, k = sampler.patches_[level].shape[:2]
        labels = block.orthogonalizer.predict(images)
        cluster_of = _clusters_of_patches(labels, truth[level], n_classes * k, level)
        n_clusters = block.orthogonalizer.n_clusters_
        layers.append(
            _certify(level, n_classes, k, cluster_of, block.embedder, sigma, gamma, n_clusters)
        )
        images = as_array(block.layer(computing_dtype(images))(images))
    return Certificate(layers)


def certify_clusters(
    sampler: HierarchicalSampler, labels: ArrayLike, X: ArrayLike, level: int
) -> Certificate:
    r"""Check lemma 8 on clusters of patches: whether they are the patches of a level.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler without noise, of disjoint sets of patches.

    labels : array-like of shape (n, height, width)
        The cluster of each patch of the images: at every pixel of :math:`X^{(i)}`, that of
        the patch drawn for it, as :meth:`~skhier.PatchKMeansOrthogonalizer.predict` gives it.

    X : array-like of images
        The images, n of them.

    level : int
        Level i of the model.

    Returns
    -------
    certificate : Certificate
        Of one layer.

    Raises
    ------
    ValueError
        If labels are not given at every pixel of the level.

    Examples
    --------
    >>> from skhier import HierarchicalSampler, PatchKMeansOrthogonalizer
    >>> from skhier.theory import certify_clusters
    >>> sampler = HierarchicalSampler(patches_per_class=5, random_state=0).fit()
    >>> X, _ = sampler.sample(500)
    >>> phi = PatchKMeansOrthogonalizer(20, 3, stride=None, whiten_eps=None, random_state=0)
    >>> certify_clusters(sampler, phi.fit(X).predict(X), X, level=1).holds
    True
    """
    check_fitted(sampler, "sampler", "HierarchicalSampler")
    check_count(level, "level", 0, sampler.n_levels - 1)
    labels = to_floats(labels, "labels")
    n_classes, k = sampler.patches_[level].shape[:2]
    truth = sampler.parse_patches(X)[level]
    cluster_of = _clusters_of_patches(labels, truth, n_classes * k, level)
    n_clusters = len(np.unique(labels))
    return Certificate([_certify(level, n_classes, k, cluster_of, None, None, None, n_clusters)])


def _clusters_of_patches(labels, truth, n_patches, level):
    """The cluster of each patch if clusters are the patches one to one, else None."""
    if labels.shape != truth.shape:
        raise ValueError(
            f"labels: for level {level} there are clusters in an array of "
            f"shape {labels.shape}, but the sampler draws patches at {truth.shape[1:]} places "
            f"of {len(truth)} images: stride and patch_size must be those of the model."
        )
    pairs = np.unique(np.stack([truth.ravel(), labels.ravel()], axis=1), axis=0)
    patches, clusters = pairs.T
    if len(pairs) != n_patches or len(set(patches)) < n_patches or len(set(clusters)) < n_patches:
        return None
    return clusters


def _certify(level, n_classes, k, cluster_of, embedder, sigma, gamma, n_clusters=None):
    """The certificate of a layer in which patch r is in cluster `cluster_of[r]`."""
    sigma = None if sigma is None else check_real(sigma, "sigma", 0)
    gamma = None if gamma is None else check_real(gamma, "gamma", 0)
    within = between = None
    holds = is_mapping = cluster_of is not None
    if embedder is None:
        sigma = gamma = None
    elif is_mapping:
        within, between = class_distances(embedder.kernels_[cluster_of], n_classes)
        holds = within < between
        holds = holds and (sigma is None or within <= sigma) and (gamma is None or between >= gamma)
    return LayerCertificate(
        level=level,
        n_patches=n_classes * k,
        n_clusters=n_classes * k if n_clusters is None else n_clusters,
        is_patch_mapping=is_mapping,
        within=within,
        between=between,
        sigma=sigma,
        gamma=gamma,
        holds=bool(holds),
    )
