"""What the codes of a level's patches show: expected counts by cell, for pairs of classes.

A cell is a position for two labels, where an occurrence counts as y, and a position and a label
for more, where it counts as 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._base._params import check_count, check_fitted

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler


class Cells(NamedTuple):
    """Of each class of a level, per image: arrays of shape (n_classes, n_cells).

    Attributes
    ----------
    k : int
        Number of patches of each class.

    shown : ndarray
        Probability that a cell shows the class.

    signed : ndarray
        Expected count in a cell.

    centred : ndarray
        The labeled frequencies F, which for more than two labels are `signed` without
        the mean over labels.

    noise : float
        :math:`\\|y\\|^2` of the labels that F has: 1, or 1 - 1 / n_labels.
    """

    k: int
    shown: np.ndarray
    signed: np.ndarray
    centred: np.ndarray
    noise: float

    def pairs(self):
        """Indices (c_1, c_2) of all pairs of classes."""
        return np.triu_indices(len(self.shown), k=1)


def read_cells(sampler: HierarchicalSampler, level: int) -> Cells:
    """The Cells of a level of a fitted sampler."""
    statistics = sampler.statistics().levels[level]
    given_label = statistics.class_frequencies  # label, class, row, column
    n_labels, n_classes = given_label.shape[:2]
    centred = statistics.labeled_frequencies.reshape(n_classes, -1)
    k = sampler.patches_[level].shape[1]
    if n_labels == 2:
        return Cells(k, given_label.mean(axis=0).reshape(n_classes, -1), centred, centred, 1.0)
    shown = given_label.swapaxes(0, 1).reshape(n_classes, -1) / n_labels
    return Cells(k, shown, shown, centred, 1 - 1 / n_labels)


def check_level(sampler: HierarchicalSampler, level: int) -> int:
    """The level; an error unless the sampler is fitted and has it."""
    check_fitted(sampler, "sampler", "HierarchicalSampler")
    return check_count(level, "level", 0, sampler.n_levels - 1)


def check_equal_codes(
    sampler: HierarchicalSampler, levels: list[int], *, asks: str, has_head: bool = False
) -> None:
    """ValueError unless codes of a class are exchangeable, and codes of two classes are not.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler.

    levels : list of int
        The levels whose codes are grouped.

    asks : str
        The function that asks.

    has_head : bool, default=False
        Whether there is to be a linear head without error.
    """
    reasons = []
    if has_head and sampler.margin_ == 0:
        reasons.append("its root is not linearly separable (assumption 1)")
    if not sampler.check_assumptions()[1].holds:
        reasons.append("sets of patches share patches (assumption 2)")
    if any(np.ptp(weights) > 0 for weights in sampler.rule_weights_):
        reasons.append("patches of a class are not equally likely")
    if sampler.label_noise or sampler.pixel_noise or np.any(sampler.symbol_noise):
        reasons.append("it is noisy")
    exact = sampler.statistics().levels
    reasons += [f"a class of level {i} never occurs" for i in levels if not _all_occur(exact[i])]
    reasons += [
        f"classes of level {i} have the same labeled frequencies"
        for i in levels
        if exact[i].delta_min < 1e-12
    ]
    if reasons:
        raise ValueError(f"{asks} does not hold for this sampler: {'; '.join(reasons)}.")


def _all_occur(level):
    return level.class_frequencies.sum(axis=(0, 2, 3)).min() > 0
