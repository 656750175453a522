"""Context: probabilities of classes beside each code of a neighbour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._cells import CellProbabilities
from ._code_counts import check_context

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler


def pair_probabilities(
    sampler: HierarchicalSampler, level: int, context: tuple[int, int], labels: bool = True
) -> np.ndarray:
    """Compute the joint probabilities of a label and the classes of a pixel and its neighbour.

    The pixel is the first one of a level that has a neighbour at the offset `context`.

    Returns
    -------
    joint : ndarray of shape (n_labels, n_classes, n_classes)
        Label, class of the pixel, class of the neighbour; `n_labels` is 1 without labels.
    """
    shape, n_classes = sampler.level_shapes_[level], len(sampler.patches_[level])
    down, right = check_context(context, *shape)
    pixel = max(0, -down), max(0, -right)
    factors = np.ones((n_classes, n_classes, *shape))  # an entry for each class of the neighbour
    factors[..., pixel[0] + down, pixel[1] + right] = np.eye(n_classes)
    joint = np.empty((len(sampler.classes_), n_classes, n_classes))
    for c in range(n_classes):
        factors[..., pixel[0], pixel[1]] = np.arange(n_classes) == c
        joint[:, c] = sampler.expected_product(level, factors) / len(joint)
    return joint if labels else joint.sum(axis=0, keepdims=True)


def context_cells(
    sampler: HierarchicalSampler, level: int, context: tuple[int, int], labels: bool, caller: str
) -> CellProbabilities:
    """Compute the probabilities of classes in cells: a label and the code of the neighbour.

    Raises
    ------
    ValueError
        If there is no such neighbour, or two classes have it in the same proportion.
    """
    k = sampler.patches_[level].shape[1]
    joint = pair_probabilities(sampler, level, context, labels).swapaxes(0, 1)
    cells = CellProbabilities(k, np.repeat(joint / k, k, axis=2))
    first, second = cells.pairs
    r_c, r_e = cells.probabilities[first], cells.probabilities[second]
    if np.linalg.norm(r_c - r_e, axis=(1, 2)).min() < 1e-12:
        raise ValueError(
            f"{caller} does not hold for this sampler: at level {level}, two classes have the same "
            f"probabilities beside each code at context={context!r}."
        )
    return cells


def pair_changes(joint: np.ndarray, k: int) -> np.ndarray:
    r"""Compute how much the distribution of pairs changes if two codes exchange their classes.

    Parameters
    ----------
    joint : ndarray of shape (n_labels, n_classes, n_classes)
        As :func:`pair_probabilities` returns it.

    k : int
        Number of codes of each class.

    Returns
    -------
    h : ndarray of shape (n_pairs,)
        :math:`1 - \sum \sqrt{P Q}` over labels and codes of both pixels, for each pair of classes.
    """
    roots = np.sqrt(joint)
    c, e = np.triu_indices(joint.shape[1], k=1)
    # The number of codes of each class that keep their place.
    others = k - np.eye(joint.shape[1])[c] - np.eye(joint.shape[1])[e]
    as_pixel = (roots[:, c] - roots[:, e]) ** 2
    as_neighbour = (roots[:, :, c] - roots[:, :, e]).swapaxes(1, 2) ** 2
    one = (others * (as_pixel + as_neighbour)).sum(axis=(0, 2))
    both = (roots[:, c, c] - roots[:, e, e]) ** 2 + (roots[:, c, e] - roots[:, e, c]) ** 2
    return (one + both.sum(axis=0)) / k**2
