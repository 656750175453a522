"""Where the classes of a level are shown: the cells in which codes are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._base._params import check_count, check_fitted

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler


class Cells(NamedTuple):
    """The classes of a level, by label and position.

    Attributes
    ----------
    k : int
        Number of patches of each class.

    shown : ndarray of shape (n_classes, n_labels, n_positions)
        Probability that an image has this label and shows the class at this position.
    """

    k: int
    shown: np.ndarray

    @property
    def n_labels(self):
        return self.shown.shape[1]

    @property
    def n_codes(self):
        return self.k * len(self.shown)

    @property
    def centred(self):
        """The labeled frequencies F, one channel for each label, also for two labels."""
        return self.shown - self.shown.mean(axis=1, keepdims=True)

    @property
    def pairs(self):
        """Indices (c, e) of all pairs of classes; ValueError if there are none."""
        if len(self.shown) == 1:
            raise ValueError(
                "the level of this sampler has a single class: there are no patches to be told "
                "apart."
            )
        return np.triu_indices(len(self.shown), k=1)


def read_cells(sampler: HierarchicalSampler, level: int) -> Cells:
    """The Cells of a level of a fitted sampler."""
    frequencies = sampler.statistics().levels[level].class_frequencies  # given the label
    n_labels, n_classes = frequencies.shape[:2]
    shown = frequencies.swapaxes(0, 1).reshape(n_classes, n_labels, -1) / n_labels
    return Cells(sampler.patches_[level].shape[1], shown)


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
        Whether there is to be a linear head without error, for which patches of all levels are
        to be seen.
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
    occurring = range(sampler.n_levels) if has_head else levels
    reasons += [f"a class of level {i} never occurs" for i in occurring if not _occur(exact[i])]
    reasons += [
        f"classes of level {i} have the same labeled frequencies"
        for i in levels
        if exact[i].delta_min < 1e-12
    ]
    if reasons:
        raise ValueError(f"{asks} does not hold for this sampler: {'; '.join(reasons)}.")


def _occur(level):
    return level.class_frequencies.sum(axis=(0, 2, 3)).min() > 0
