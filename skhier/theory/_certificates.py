"""Certificates: whether what was learned is what the theorems promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._base._device import as_array, computing_dtype
from .._base._images import validate_images
from .._base._params import check_count, check_fitted, value_at
from .._base._validation import to_floats
from ._checks import check_probability
from ._layer_certificate import Certificate, certified
from ._separation import code_counts, separate_codes

if TYPE_CHECKING:
    from ..classifier import LayerwiseCNNClassifier
    from ..embedding import TwoLayerConvEmbedder
    from ..generative import HierarchicalSampler


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
    found = certified(
        embedder.kernels_,
        np.arange(n_classes * k) // k,
        sigma,
        gamma,
        level=level,
        n_patches=n_classes * k,
        n_clusters=n_classes * k,
        is_patch_mapping=True,
    )
    return Certificate([found])


def certify_classifier(
    classifier: LayerwiseCNNClassifier,
    X: ArrayLike,
    y: ArrayLike,
    *,
    delta: float = 0.05,
    n_groups: int | list[int | None] | None = None,
    sampler: HierarchicalSampler | None = None,
    sigma: float | None = None,
    gamma: float | None = None,
) -> Certificate:
    r"""Certify what every layer of a classifier learned, from data alone or against a model.

    Parameters
    ----------
    classifier : LayerwiseCNNClassifier
        A fitted classifier.

    X : array-like of images
        Images, best others than it was fitted on.

    y : array-like of shape (n,)
        Their labels.

    delta : float, default=0.05
        Probability that two clusters of one class are certified to be different, in any
        layer.

    n_groups : int, list of int or None, or None, default=None
        Number of classes that the patches of each layer have, the first for the first layer,
        if it is known; None is that of the `sampler`.

    sampler : HierarchicalSampler or None, default=None
        The model of the images, fitted, without noise and of disjoint sets of patches: then
        clusters are compared with its patches (lemma 8) and distances are those of its
        classes (theorem 1). The classifier has as many layers as the sampler has levels, and
        patches that do not overlap, as by :func:`~skhier.theory.theorem2_params`. If None,
        the data alone say which clusters are of different classes.

    sigma : float or None, default=None
        Largest distance allowed within a class. If None, any below `between`: on
        samples, distances grow with T, as the mean of :math:`y X` is not quite that of
        the population.

    gamma : float or None, default=None
        Smallest distance allowed between classes. If None, any above `within`.

    Returns
    -------
    certificate : Certificate
        One LayerCertificate for each layer, the first for the pixels.

    Raises
    ------
    ValueError
        If images, labels, or the levels of the sampler do not fit the classifier.

    See Also
    --------
    separate_codes : The test of clusters, which is proved for patches of the model.

    Notes
    -----
    The test is exact if patches are drawn as in the generative model and clusters do not
    depend on `X`. Photographs have no such patches. Where patches overlap, neighbours share
    pixels, and even clusters of one class need not be independent of each other: the certificate
    says so.

    Examples
    --------
    >>> from skhier import HierarchicalSampler, LayerwiseCNNClassifier
    >>> from skhier.theory import certify_classifier, theorem2_params
    >>> sampler = HierarchicalSampler(patches_per_class=3, random_state=0).fit()
    >>> X, y = sampler.sample(4000)
    >>> clf = LayerwiseCNNClassifier(**theorem2_params(sampler), random_state=0)
    >>> clf = clf.fit(X[:3000], y[:3000])
    >>> certificate = certify_classifier(clf, X[3000:], y[3000:], n_groups=4)
    >>> certificate[0].separation.complete
    True
    >>> certify_classifier(clf, X[3000:], y[3000:], sampler=sampler).holds
    True
    """
    check_fitted(classifier, "classifier", "LayerwiseCNNClassifier")
    delta = check_probability(delta, "delta")
    n_layers = len(classifier.layers_)
    if sampler is not None:
        check_fitted(sampler, "sampler", "HierarchicalSampler")
        if n_layers != sampler.n_levels:
            raise ValueError(
                f"classifier has {n_layers} layers, but the sampler has {sampler.n_levels} "
                "levels: certificates compare them one to one."
            )
        truth = sampler.parse_patches(X)
    images = validate_images(classifier, X, reset=False).collect()
    certificates, overlap = [], False
    for i, (phi, embedder) in enumerate(classifier.layers_):
        clusters = phi.predict(images)
        n_classes = value_at(n_groups, "n_groups", i, "n_layers", n_layers)
        match = None
        if sampler is not None:
            match = _match(sampler, n_layers - 1 - i, truth[n_layers - 1 - i], clusters)
            n_classes = match.n_classes if n_classes is None else n_classes
        counts = code_counts(clusters, y, n_codes=phi.n_clusters_)
        separation = separate_codes(counts, delta=delta / n_layers, n_groups=n_classes)
        grid = phi._plan(phi.image_shape_).grid
        overlap = overlap or any(s < p for s, p in zip(grid.stride, grid.patch_size))
        facts = {"n_clusters": phi.n_clusters_, "separation": separation}
        facts["patches_overlap"] = overlap
        # The embedding of a patch is a row of kernels where its code is one-hot.
        embedded = embedder.kernels_ if embedder and phi.encoding == "one_hot" else None
        if match is None:
            owner = separation.groups if separation.complete else None
            certificates.append(certified(embedded, owner, sigma, gamma, **facts))
        else:
            certificates.append(match.certified(embedded, sigma, gamma, **facts))
        images = as_array(classifier.layers_[i].layer(computing_dtype(images))(images))
    return Certificate(certificates)


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
    match = _match(sampler, level, sampler.parse_patches(X)[level], labels)
    return Certificate([match.certified(None, None, None, n_clusters=len(np.unique(labels)))])


class _Match(NamedTuple):
    """The patches of a level beside clusters: patch r is in cluster `cluster_of[r]`."""

    level: int
    n_classes: int
    k: int
    cluster_of: np.ndarray | None  # if clusters are the patches one to one

    def certified(self, embedded, sigma, gamma, **facts):
        """The certificate of a layer with these embedded clusters, or None."""
        n_patches = self.n_classes * self.k
        is_mapping = self.cluster_of is not None
        facts |= {"level": self.level, "n_patches": n_patches, "is_patch_mapping": is_mapping}
        if embedded is not None and is_mapping:
            embedded = embedded[self.cluster_of]
        owner = np.arange(n_patches) // self.k if is_mapping else None
        return certified(embedded, owner, sigma, gamma, **facts)


def _match(sampler, level, truth, clusters):
    """How clusters of patches match the patches of a level that were drawn in truth."""
    if clusters.shape != truth.shape:
        raise ValueError(
            f"labels: for level {level} there are clusters in an array of "
            f"shape {clusters.shape}, but the sampler draws patches at {truth.shape[1:]} places "
            f"of {len(truth)} images: stride and patch_size must be those of the model."
        )
    n_classes, k = sampler.patches_[level].shape[:2]
    pairs = np.unique(np.stack([truth.ravel(), clusters.ravel()], axis=1), axis=0)
    patches, of_patches = pairs.T
    sizes = {len(pairs), len(set(patches)), len(set(of_patches)), n_classes * k}
    return _Match(level, n_classes, k, of_patches if len(sizes) == 1 else None)
