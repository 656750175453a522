"""Cells, pairs of a label and a position: the probability that an image shows a class there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from .._base._params import check_count, check_fitted
from ..generative._statistics import observed_label_probabilities

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler


class CellProbabilities(NamedTuple):
    """Table of the classes of a level: probability of each class in each cell.

    Attributes
    ----------
    k : int
        Number of patches of each class.

    probabilities : ndarray of shape (n_classes, n_labels, n_positions)
        Probability that an image has this label and shows the class at this position. Without
        labels, `n_labels` is 1.
    """

    k: int
    probabilities: np.ndarray

    @property
    def n_classes(self):
        return self.probabilities.shape[0]

    @property
    def n_labels(self):
        return self.probabilities.shape[1]

    @property
    def n_codes(self):
        return self.k * self.n_classes

    @property
    def labeled_frequencies(self):
        """The labeled frequencies F, with one channel for each label, also for two labels."""
        return self.probabilities - self.probabilities.mean(axis=1, keepdims=True)

    @property
    def pairs(self):
        """Indices (c, e) of all pairs of classes; ValueError if there is a single class."""
        if self.n_classes == 1:
            raise ValueError(
                "the level of this sampler has a single class, but separating patches of "
                "different classes takes at least two: choose another level or sampler."
            )
        return np.triu_indices(self.n_classes, k=1)


class PairStatistics(NamedTuple):
    """Signal and noise of code means, for all pairs of classes of a level.

    Attributes
    ----------
    k : int
        Number of patches of each class.

    signal : ndarray of shape (n_pairs, n_positions)
        Squares of Delta at each position, summed over one channel for each label.

    variances : ndarray of shape (n_pairs, n_positions)
        k times the variance of a code in each of n_dims directions at a position, the mean
        of both classes.

    n_dims : int
        n_labels - 1.
    """

    k: int
    signal: np.ndarray
    variances: np.ndarray
    n_dims: int

    @property
    def squared_distances(self):
        return self.signal.sum(axis=1)

    @classmethod
    def of_cells(cls, cells):
        F, (c, e) = cells.labeled_frequencies, cells.pairs
        signal = ((F[c] - F[e]) ** 2).sum(axis=1)
        q = (cells.probabilities[c] + cells.probabilities[e]).sum(axis=1) / 2
        return cls(cells.k, signal, q / cells.n_labels, cells.n_labels - 1)


def cell_probabilities(
    sampler: HierarchicalSampler, level: int, labels: bool = True
) -> CellProbabilities:
    """Compute the cell probabilities of the classes of a level, with or without labels."""
    frequencies = sampler.statistics().levels[level].class_frequencies  # given the label
    joint = np.einsum("lchw,l->clhw", frequencies, observed_label_probabilities(sampler))
    joint = joint.reshape(*joint.shape[:2], -1)
    joint = joint if labels else joint.sum(axis=1, keepdims=True)
    return CellProbabilities(sampler.patches_[level].shape[1], joint)


def log_expected_products(
    sampler: HierarchicalSampler,
    level: int,
    cells: CellProbabilities,
    first: np.ndarray,
    second: np.ndarray,
) -> np.ndarray:
    """Compute log E of the product over the pixels of an image, for each pair of classes.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler of equally likely labels.
    level : int
        The level of the pixels.
    cells : CellProbabilities
        With one label, or those of the sampler.
    first, second : ndarray of shape (n_pairs, n, n_labels, n_positions)
        Factors of pixels that show the first and the second class of a pair; others are 1.

    Returns
    -------
    log_products : ndarray of shape (n_pairs, n)
    """
    shape, n_labels = sampler.level_shapes_[level], len(sampler.classes_)
    products = np.zeros(first.shape[:2])
    for i, (c, e) in enumerate(zip(*cells.pairs)):
        for label in range(n_labels):
            cell = min(label, cells.n_labels - 1)
            factors = np.ones((first.shape[1], cells.n_classes, *shape))
            factors[:, c] = first[i, :, cell].reshape(-1, *shape)
            factors[:, e] = second[i, :, cell].reshape(-1, *shape)
            products[i] += sampler.expected_product(level, factors)[label] / n_labels
    return np.log(products) + 1e-14  # rounding errors stay on the safe side


def check_level(sampler: HierarchicalSampler, level: int) -> int:
    """Return the level; an error unless the sampler is fitted and the level has patches."""
    check_fitted(sampler, "sampler", "HierarchicalSampler")
    level = check_count(level, "level", 0, len(sampler.patches_) - 1)
    if sampler.patches_[level] is None:
        raise ValueError(
            f"level={level} is not valid: this level of the sampler has transitions, but codes are "
            "of sets of patches. Choose another level or sampler."
        )
    return level


Compared = Literal["labeled frequencies", "cell probabilities", "frequencies at all positions"]


def check_exchangeable_codes(
    sampler: HierarchicalSampler,
    levels: list[int],
    *,
    caller: str,
    has_head: bool = False,
    compared: Compared | None = "labeled frequencies",
) -> None:
    """Raise ValueError unless codes are exchangeable within classes and differ between classes.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler.

    levels : list of int
        The levels whose codes are grouped into classes.

    caller : str
        Name of the function or theorem that needs the assumptions, for the message.

    has_head : bool, default=False
        Whether a linear head without error is learned too. It needs a separable root, and
        all classes of all levels have to occur.

    compared : {'labeled frequencies', 'cell probabilities', 'frequencies at all positions'} or None
        What has to differ between classes, by default their labeled frequencies. None: nothing.
    """
    if any(transitions is not None for transitions in sampler.transitions_):
        raise ValueError(
            f"{caller} does not hold for this sampler: it has transitions in place of sets of "
            "patches (assumption 2)."
        )
    reasons = []
    if np.ptp(sampler.label_probabilities_) > 0:
        reasons.append("labels are not equally likely (label_probabilities)")
    if has_head and sampler.margin_ == 0:
        reasons.append("its root is not linearly separable (assumption 1)")
    if not sampler.check_assumptions()[1].holds:
        reasons.append("sets of patches share patches (assumption 2)")
    if any(np.ptp(weights) > 0 for weights in sampler.rule_weights_):
        reasons.append("patches of a class are not equally likely (rule_weights)")
    if sampler.is_noisy_:
        reasons.append("it is noisy (label_noise, pixel_noise or symbol_noise)")
    statistics = sampler.statistics().levels
    checked = range(len(sampler.patches_)) if has_head else levels
    reasons += [
        f"a class of level {i} never occurs"
        for i in checked
        if not _all_classes_occur(statistics[i])
    ]
    reasons += [
        f"classes of level {i} have the same {compared}"
        for i in levels
        if compared is not None and _least_difference(sampler, i, compared) < 1e-12
    ]
    if reasons:
        raise ValueError(f"{caller} does not hold for this sampler: {'; '.join(reasons)}.")


def _least_difference(sampler, level, compared):
    if compared == "labeled frequencies":
        return sampler.statistics().levels[level].delta_min
    cells = cell_probabilities(sampler, level, compared == "cell probabilities")
    if cells.n_classes == 1:
        return np.inf
    c, e = cells.pairs
    return np.linalg.norm(cells.probabilities[c] - cells.probabilities[e], axis=(1, 2)).min()


def _all_classes_occur(statistics):
    return statistics.class_frequencies.sum(axis=(0, 2, 3)).min() > 0
