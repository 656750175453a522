"""Records of certificates, their table, and the distances that they compare."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._base._params import check_count, check_real
from .._base._validation import to_floats
from ._separation import Separation


class LayerCertificate(NamedTuple):
    """Certificate of one layer: its clusters and distances, compared with a level of the model.

    Attributes
    ----------
    level : int or None
        Level i of the model whose patches the layer clusters. None without a sampler.

    n_patches : int or None
        Number of patches of the level, of weight above 0.

    n_clusters : int
        Number of clusters.

    is_patch_mapping : bool or None
        Whether every cluster holds one patch and every patch is in one cluster, on the
        images seen: the orthonormal patch mapping of lemma 8.

    within, between : float or None
        Largest distance of embedded patches of one class, and smallest distance of embedded
        patches of different classes. None for a layer without an embedding of one-hot codes, or
        where classes are not known: clusters are not the patches or, without a sampler, the
        separation is not complete.

    sigma, gamma : float or None
        Limits of `within` and `between`.

    separation : Separation or None
        Certificate from labels and positions alone that clusters are of different classes.

    patches_overlap : bool or None
        Whether the layer's patches share pixels. The separation is then valid only in a model
        whose patches do not.

    holds : bool
        Whether clusters are patches or, without a sampler, the separation is complete; and,
        where distances are known, `within` is less than `between`, `within` is at most `sigma`
        and `between` at least `gamma`. A limit that is None is not checked.

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

    n_clusters: int
    within: float | None
    between: float | None
    sigma: float | None
    gamma: float | None
    holds: bool
    level: int | None = None
    n_patches: int | None = None
    is_patch_mapping: bool | None = None
    separation: Separation | None = None
    patches_overlap: bool | None = None


class Certificate(tuple):
    """Certificate of all layers, from the first to the last; it is printed as a table.

    Attributes
    ----------
    holds : bool
        Whether the certificates of all layers hold.

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
        names = ["level", "patches", "clusters", "one to one", "different", "groups"]
        lines = [[*names, "within", "sigma", "between", "gamma", "holds"]]
        for layer in self:
            distances = [layer.within, layer.sigma, layer.between, layer.gamma]
            numbers = ["-" if d is None else f"{d:.4g}" for d in distances]
            lines.append([_or_dash(layer.level), _or_dash(layer.n_patches), layer.n_clusters])
            is_mapping = layer.is_patch_mapping
            lines[-1] += ["-" if is_mapping is None else "yes" if is_mapping else "NO"]
            lines[-1] += _separation_summary(layer.separation)
            lines[-1] += [*numbers, "yes" if layer.holds else "NO"]
        table = ["".join(f"{cell!s:>12}" for cell in line) for line in lines]
        return "\n".join(table + self._remarks())

    def _remarks(self):
        overlapping = [str(i) for i, layer in enumerate(self, 1) if layer.patches_overlap]
        if not overlapping:
            return []
        return [
            f"Patches of layer {', '.join(overlapping)} overlap: there, certified differences are "
            "valid only in a model whose patches do not."
        ]


def _or_dash(value):
    return "-" if value is None else value


def _separation_summary(separation):
    """Return the share of pairs of clusters certified as different and the number of groups."""
    if separation is None:
        return ["-", "-"]
    n_pairs = separation.log_p.size - len(separation.log_p)
    share = f"{separation.different.sum() / n_pairs:.2%}" if n_pairs else "-"
    known = "" if separation.n_groups is None else f" of {separation.n_groups}"
    return [share, f"{separation.groups.max() + 1}{known}"]


def class_distances(embedded: ArrayLike, n_classes: int) -> tuple[float, float]:
    """Compute the largest distance within a class and the smallest between classes.

    Parameters
    ----------
    embedded : array-like of shape (n_classes * k, n_components)
        Embedded patches, k of each class in turn, as `kernels_` of an embedder of codes.

    n_classes : int
        Number of classes.

    Returns
    -------
    within : float
        Largest distance of two patches of one class; 0 if each has one patch.

    between : float
        Smallest distance of two patches of different classes; infinity for one class.

    Raises
    ------
    ValueError
        If the patches are not as many for each class.

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
            f"n_classes={n_classes} classes. It takes k patches of each class."
        )
    return _distances(embedded, np.arange(len(embedded)) // k)


def _distances(embedded, classes):
    """Compute the largest distance within and the smallest between the given classes."""
    within, between = 0.0, np.inf
    for c, patch in zip(classes, embedded):
        difference = embedded - patch
        # Scaled by powers of two, without rounding: squares of 1e200 or 1e-200 are no floats.
        exponents = np.frexp(np.abs(difference).max(axis=1))[1]
        norms = np.linalg.norm(np.ldexp(difference, -exponents[:, None]), axis=1)
        distances = np.ldexp(norms, exponents)
        within = max(within, distances[classes == c].max())
        between = min(between, distances[classes != c].min(initial=np.inf))
    return float(within), float(between)


def certify_layer(embedded, classes, sigma, gamma, **fields):
    """Return the certificate of a layer.

    `embedded` has a row for each patch, or is None without an embedding. `classes` holds the class
    of each patch. It is None if the classes are not known; then the certificate does not hold.
    """
    sigma = None if sigma is None else check_real(sigma, "sigma", 0)
    gamma = None if gamma is None else check_real(gamma, "gamma", 0)
    within = between = None
    holds = classes is not None
    if embedded is None:
        sigma = gamma = None
    elif holds:
        within, between = _distances(embedded, classes)
        holds = within < between
        holds = holds and (sigma is None or within <= sigma) and (gamma is None or between >= gamma)
    return LayerCertificate(
        within=within, between=between, sigma=sigma, gamma=gamma, holds=bool(holds), **fields
    )
