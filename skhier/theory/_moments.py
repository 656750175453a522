"""Moments of code means on N images, and the probability that N images show a patch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist

from ..generative._statistics import shown_probability
from ._cells import cell_probabilities, check_level
from ._checks import check_counts, within_floats
from ._confusion import code_confusion

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler


@within_floats
def embedding_moments(sampler: HierarchicalSampler, level: int, *, n_samples: int) -> np.ndarray:
    r"""Compute the expected squared distances of code means on N images, exactly.

    Let :math:`M_a = \frac1N \sum_i y_i f_{a,i}`, where :math:`f_{a,i} \in \{0, 1\}^P` is 1 at the
    positions of image i that show the patch a. This is the row of :math:`\frac1N \sum_i y_i X_i`
    that embeds a (lemma 3). Patches of one class should be close, patches of different classes far
    apart.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler whose sets of the level are disjoint. Probabilities of labels, and noise
        of labels and symbols, are part of its distribution, noise of pixels is not.

    level : int
        Level i, from 0 to n_levels - 1.

    n_samples : int
        Number of images N.

    Returns
    -------
    moments : ndarray of shape (n_patches, n_patches)
        :math:`E \|M_a - M_b\|^2`, patches in the order of
        :meth:`~skhier.HierarchicalSampler.code_moments`.

    Raises
    ------
    ValueError
        If `level` is not a level of the sampler, its sets share patches, or `n_samples` is not an
        int >= 1, or too large for a float. With symbol noise below the level, also if the sampler
        has no :func:`code_confusion`.

    See Also
    --------
    required_samples : Numbers of images from which patches of a class are closer.

    Notes
    -----
    With :math:`d = E M_a - E M_b` and :math:`\mu_a` the expected number of positions that show a,

    .. math:: E \|M_a - M_b\|^2 = \left(1 - \frac1N\right) \|d\|^2 + \frac{\mu_a + \mu_b}{N} ,

    as :math:`\|y_i (f_{a,i} - f_{b,i})\|^2` counts the positions that show a or b: no position
    shows both. With symbol noise below the level, a drawn patch is shown as another one, or none,
    with the probabilities of :func:`code_confusion`. For more than two labels, y is the centred
    one-hot label, and the second term has a factor :math:`1 - 1 / n_{labels}`. The mean over
    :math:`W_0` and :math:`K_0` of the squared distance after T steps of size :math:`\eta` is
    :math:`\frac{\sigma^2}{2 K} + (\eta T)^2 n\, E \|M_a - M_b\|^2` with K patches: T is only a
    scale.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> from skhier.theory import embedding_moments
    >>> sampler = HierarchicalSampler(patches_per_class=4, random_state=0).fit()
    >>> moments = embedding_moments(sampler, 1, n_samples=1000)
    >>> bool(moments[0, 1] < moments[0, 4])  # patch 1 is of the class of patch 0, patch 4 is not
    True
    """
    level, n_samples = _check_level_and_count(sampler, level, n_samples)
    cells = cell_probabilities(sampler, level)
    shares = _shares_of_patches(sampler, level)
    means = shares.T @ cells.labeled_frequencies.reshape(cells.n_classes, -1)
    mu = shares.T @ cells.probabilities.sum(axis=(1, 2))
    squared = cdist(means, means, "sqeuclidean")
    noise = (1 - 1 / cells.n_labels) * (mu[:, None] + mu)
    moments = (1 - 1 / n_samples) * squared + noise / n_samples
    np.fill_diagonal(moments, 0)
    return 2 * moments if cells.n_labels == 2 else moments  # there y = 1 is (-1, 1) / 2


@within_floats
def coverage_probability(sampler: HierarchicalSampler, level: int, *, n_samples: int) -> np.ndarray:
    r"""Compute the probability that N images show a patch, exactly.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler whose sets of the level are disjoint. Noise of symbols is part of its
        distribution, noise of pixels is not.

    level : int
        Level i, from 0 to n_levels - 1.

    n_samples : int
        Number of images N.

    Returns
    -------
    probability : ndarray of shape (n_semantic_classes, patches_per_class)
        Probability of each patch of each class.

    Raises
    ------
    ValueError
        If `level` is not a level of the sampler, its sets share patches, or `n_samples` is not an
        int >= 1, or too large for a float. With symbol noise below the level, also if the sampler
        has no :func:`code_confusion`.

    See Also
    --------
    skhier.HierarchicalSampler.expected_product : The expectation that this is computed from.

    Notes
    -----
    An image with :math:`n_c` pixels of class c misses a patch of probability p with probability
    :math:`(1 - p)^{n_c}`; with symbol noise below the level, each class c has such a factor, with p
    by :func:`code_confusion`. So N images miss it with probability :math:`g^N`, :math:`g = E[(1 -
    p)^{n_c}]`. Images are independent. The pixels of one image are not, and g is computed level by
    level. No algorithm knows the class of a patch that it has not seen: it can only guess.

    Examples
    --------
    >>> import numpy as np
    >>> from skhier import HierarchicalSampler
    >>> from skhier.theory import coverage_probability
    >>> sampler = HierarchicalSampler(random_state=0).fit()
    >>> few, many = (coverage_probability(sampler, 0, n_samples=n) for n in (50, 100))
    >>> few.shape  # classes, patches
    (4, 30)
    >>> np.allclose(1 - many, (1 - few) ** 2)  # images are independent
    True
    """
    level, n_samples = _check_level_and_count(sampler, level, n_samples)
    with np.errstate(divide="ignore"):  # a patch that all images show
        log_unseen = np.log1p(-patch_probability(sampler, level))
    return -np.expm1(n_samples * log_unseen)


def _check_level_and_count(sampler, level, n_samples):
    """Return the level and N as a float; ValueError if N is no count, or sets share patches."""
    level, (n_samples,) = check_level(sampler, level), check_counts(n_samples=n_samples)
    is_possible = sampler.rule_weights_[level].ravel() > 0
    patches = sampler.patches_[level].reshape(len(is_possible), -1)[is_possible]
    if len(np.unique(patches, axis=0)) < len(patches):
        raise ValueError(
            f"sampler has sets of level {level} that share patches: a patch does not show its "
            "class. Set overlap=0, or pass symbol_patches without a patch twice."
        )
    return level, float(n_samples)


def _shares_of_patches(sampler, level):
    """Compute P(a pixel shows a patch | its class) for each patch: (n_classes, n_patches)."""
    p = sampler.rule_weights_[level]
    drawn = (np.eye(len(p))[:, :, None] * p).reshape(len(p), -1)
    below = sampler.symbol_noise_[level + 1 :]
    if all(np.array_equal(channel, np.eye(len(channel))) for channel in below):
        return drawn
    return drawn[:, p.ravel() > 0] @ code_confusion(sampler, level)


def patch_probability(sampler: HierarchicalSampler, level: int) -> np.ndarray:
    """Compute P(an image shows a patch) for each patch: (n_classes, k)."""
    shares = _shares_of_patches(sampler, level)
    different, index = np.unique(shares, axis=1, return_inverse=True)
    shown = shown_probability(sampler, level, different)
    return shown[index.ravel()].reshape(sampler.rule_weights_[level].shape)


def unseen_probability(sampler: HierarchicalSampler, level: int) -> np.ndarray:
    """Compute P(an image does not show a patch) for each patch: (n_classes, k)."""
    return 1 - patch_probability(sampler, level)


def pair_unseen_probability(sampler: HierarchicalSampler, level: int) -> np.ndarray:
    """Compute P(an image shows neither of two patches), of classes c and e: (n_classes, n_classes).

    Patches of a class have to be equally likely. The diagonal is for two patches of one class.
    """
    n_classes, k = sampler.rule_weights_[level].shape
    shares = np.eye(n_classes) / k
    pairs = (shares[:, :, None] + shares[:, None]).reshape(n_classes, -1)
    return 1 - shown_probability(sampler, level, pairs).reshape(n_classes, n_classes)
