"""Certificates: compare learned layers with the promises of the theorems."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._base._device import as_array, computing_dtype, resolve_device
from .._base._images import validate_images
from .._base._params import check_count, check_fitted, is_sequence, value_at
from .._base._validation import to_floats
from ._cells import check_level
from ._checks import check_probability
from ._code_counts import code_counts
from ._confusion import MeasuredConfusion, probabilities_of
from ._layer_certificate import Certificate, certify_layer
from ._separation import separate_codes

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
    r"""Check theorem 1 on an embedder of the codes of the patches of a level.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler.

    embedder : TwoLayerConvEmbedder
        A fitted embedder. Its codes have one channel for each patch of `level`, in the order of
        :meth:`~skhier.HierarchicalSampler.code_moments`. Channels of patches of weight 0, which
        are never drawn, are left out.

    level : int
        Level i of the model.

    sigma : float
        Largest distance allowed within a class.

    gamma : float
        Smallest distance allowed between classes.

    Returns
    -------
    certificate : Certificate
        Certificate of one layer.

    Raises
    ------
    ValueError
        If the level has transitions, or the codes of the embedder have other channels.

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
    level = check_level(sampler, level)
    check_fitted(embedder, "embedder", "TwoLayerConvEmbedder")
    n_classes, k = sampler.patches_[level].shape[:2]
    if len(embedder.kernels_) != n_classes * k:
        raise ValueError(
            f"embedder was fitted on codes with {len(embedder.kernels_)} channels, but level "
            f"{level} has {n_classes * k} patches: there has to be one channel for each patch."
        )
    weights = sampler.rule_weights_[level]
    classes, drawn = np.nonzero(weights)[0], np.flatnonzero(weights)
    match = _ClusterMatch(level, n_classes, classes, drawn)
    return Certificate([match.certify(embedder.kernels_, sigma, gamma, n_clusters=len(drawn))])


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
    equally_likely: bool = False,
    confusion: list[ArrayLike | MeasuredConfusion | None] | None = None,
) -> Certificate:
    r"""Certify every layer of a fitted classifier, from data alone or against a model.

    Parameters
    ----------
    classifier : LayerwiseCNNClassifier
        A fitted classifier.

    X : array-like of shape (n, H, W, C) or (n, H, W)
        Images. The test is exact only for images that the classifier was not fitted on.

    y : array-like of shape (n,)
        Labels of the images.

    delta : float, default=0.05
        Probability that two clusters of one class are certified to be different, in any
        layer.

    n_groups : int, list of int or None, or None, default=None
        Number of classes of the patches of each layer, the first for the first layer,
        if it is known. None: the number of the `sampler`, if there is one.

    sampler : HierarchicalSampler or None, default=None
        The model of the images, fitted, without noise on pixels and on symbols below level 0, and
        with disjoint sets of patches. Then
        clusters are compared with its patches (lemma 8), and distances are within and between its
        classes (theorem 1). The classifier has one layer for each level of the sampler, and
        patches that do not overlap, as by :func:`~skhier.theory.theorem2_params`. If None,
        the data alone say which clusters are of different classes.

    sigma : float or None, default=None
        Largest distance allowed within a class. If None, any distance below `between` is
        allowed: on samples, distances grow with T, as the mean of :math:`y X` differs from its
        expectation.

    gamma : float or None, default=None
        Smallest distance allowed between classes. If None, any distance above `within` is
        allowed.

    equally_likely : bool, default=False
        Whether patches of one class are known to be equally likely. The numbers of
        :func:`required_samples` by 'rigorous' and 'certificate' are for True.

    confusion : list of n_layers arrays, MeasuredConfusion or None, or None, default=None
        Probabilities of the clusters of each layer given its patches, as in
        :func:`separate_codes`. None: a cluster is a patch, without error. Without it, noise makes
        the certificate void.

    Returns
    -------
    certificate : Certificate
        One LayerCertificate for each layer, the first for the pixels.

    Raises
    ------
    ValueError
        If images, labels, or the levels of the sampler do not fit the classifier, or the
        sampler has noise that mistakes patches.

    See Also
    --------
    separate_codes : The test of clusters, with its proof for patches of the model.

    Notes
    -----
    The test is exact if patches are drawn as in the generative model, clusters do not
    depend on `X`, and a cluster holds one patch, or `confusion` is given. Noise on labels does no
    harm. Photographs do not meet this condition. Where patches overlap, neighbours share
    pixels, and even clusters of one class may depend on each other. The printed certificate then
    has a remark.

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
        if n_layers != len(sampler.patches_):
            raise ValueError(
                f"classifier has {n_layers} layers, but the sampler has {len(sampler.patches_)} "
                "levels: there has to be one layer for each level."
            )
        is_noisy = any(not np.array_equal(K, np.eye(len(K))) for K in sampler.symbol_noise_[1:])
        if sampler.pixel_noise_ or is_noisy:
            raise ValueError(
                "sampler has pixel noise, or symbol noise below level 0, which takes one patch for "
                "another: leave it out, and pass the confusion of each layer."
            )
        drawn = sampler.parse_patches(X)
    confusion = _one_for_each_layer(confusion, n_layers)
    images = validate_images(classifier, X, reset=False).collect()
    certificates, overlap = [], False
    for i, block in enumerate(classifier.layers_):
        phi, embedder = block.on_device(classifier.device)
        clusters = phi.predict(images)
        n_classes = value_at(n_groups, "n_groups", i, "n_layers", n_layers)
        match = None
        if sampler is not None:
            level = n_layers - 1 - i
            match = _match_clusters(sampler, level, drawn[level], clusters, "classifier")
            n_classes = match.n_classes if n_classes is None else n_classes
        counts = code_counts(clusters, y, n_codes=phi.n_clusters_)
        separation = separate_codes(
            counts,
            delta=delta / n_layers,
            n_groups=n_classes,
            equally_likely=equally_likely,
            confusion=confusion[i],
        )
        patch_size = phi.kernels_.shape[1:3]
        overlap = overlap or any(s < p for s, p in zip(phi.stride_, patch_size))
        fields = {"n_clusters": phi.n_clusters_, "separation": separation}
        fields["patches_overlap"] = overlap
        # The embedding of a patch is a row of kernels where its code is one-hot.
        is_one_hot = phi.coding_["encoding"] == "one_hot"
        embedded = embedder.kernels_ if embedder and is_one_hot else None
        if match is None:
            classes = separation.groups if separation.complete else None
            if classes is not None and separation.confusion is not None:
                likeliest = np.argmax(probabilities_of(separation.confusion), axis=0)
                classes = classes[likeliest]
            certificates.append(certify_layer(embedded, classes, sigma, gamma, **fields))
        else:
            certificates.append(match.certify(embedded, sigma, gamma, **fields))
        layer = block.operator(computing_dtype(images), resolve_device(classifier.device))
        images = as_array(layer(images))
    return Certificate(certificates)


def _one_for_each_layer(confusion, n_layers):
    """Return a list of a confusion, or None, for each layer; ValueError for other lengths."""
    if confusion is None:
        return [None] * n_layers
    if not is_sequence(confusion) or len(confusion) != n_layers:
        raise ValueError(
            f"confusion={confusion!r} is not valid: it takes a list of an array, or None, for each "
            f"of the n_layers={n_layers} layers."
        )
    return list(confusion)


def certify_clusters(
    sampler: HierarchicalSampler, labels: ArrayLike, X: ArrayLike, level: int
) -> Certificate:
    r"""Check whether clusters of patches are the patches of a level (lemma 8).

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler without noise and with disjoint sets of patches.

    labels : array-like of shape (n, height, width)
        The cluster of each patch of the images, as
        :meth:`~skhier.PatchKMeansOrthogonalizer.predict` gives it: one number for each pixel of
        :math:`X^{(i)}`, the cluster of the patch that was drawn for this pixel.

    X : array-like of shape (n, H, W, C) or (n, H, W)
        The n images.

    level : int
        Level i of the model.

    Returns
    -------
    certificate : Certificate
        Certificate of one layer.

    Raises
    ------
    ValueError
        If `labels` does not have one number for each pixel of the level.

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
    check_count(level, "level", 0, len(sampler.patches_) - 1)
    labels = to_floats(labels, "labels")
    match = _match_clusters(sampler, level, sampler.parse_patches(X)[level], labels, "labels")
    return Certificate([match.certify(None, None, None, n_clusters=len(np.unique(labels)))])


class _ClusterMatch(NamedTuple):
    """Matching of the patches of a level with clusters: patch r is in cluster `cluster_of[r]`.

    Patches of weight 0 are left out. `classes` holds the class of each patch. `cluster_of` is None
    unless patches and clusters match one to one.
    """

    level: int
    n_classes: int
    classes: np.ndarray
    cluster_of: np.ndarray | None

    def certify(self, embedded, sigma, gamma, **fields):
        """Return the certificate of a layer; `embedded` has a row for each cluster, or is None."""
        n_patches = len(self.classes)
        is_mapping = self.cluster_of is not None
        fields |= {"level": self.level, "n_patches": n_patches, "is_patch_mapping": is_mapping}
        if embedded is not None and is_mapping:
            embedded = embedded[self.cluster_of]
        classes = self.classes if is_mapping else None
        return certify_layer(embedded, classes, sigma, gamma, **fields)


def _match_clusters(sampler, level, drawn, clusters, name):
    """Match clusters with the patches of a level that were drawn at the same places.

    `name` is the parameter that the clusters come from, for the message.
    """
    if clusters.shape != drawn.shape:
        raise ValueError(
            f"{name}: for level {level} there are clusters in an array of shape {clusters.shape}, "
            f"but the sampler draws patches in one of shape {drawn.shape}: use the patch_size of "
            "the model, and a stride equal to it."
        )
    weights = sampler.rule_weights_[level]
    classes = np.nonzero(weights)[0]  # of the patches that are drawn
    pairs = np.unique(np.stack([drawn.ravel(), clusters.ravel()], axis=1), axis=0)
    patches, cluster_of = pairs.T
    sizes = {len(pairs), len(set(patches)), len(set(cluster_of)), len(classes)}
    is_match = len(sizes) == 1
    return _ClusterMatch(level, len(weights), classes, cluster_of if is_match else None)
