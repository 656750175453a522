"""Checks of the paper's assumptions on a model."""

from typing import NamedTuple

import numpy as np

from ._product_rules import ProductRules
from ._statistics import has_disjoint_sets, statistics

_ZERO = 1e-9  # smaller sines and distances are rounding errors


class AssumptionCheck(NamedTuple):
    """Check of one assumption: its statement, whether it holds, and the evidence.

    Attributes
    ----------
    number : int
        Number of the assumption in the paper.

    statement : str
        The assumption, in words.

    holds : bool
        Whether the model meets it.

    evidence : str
        The numbers that decide, in words.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> report = HierarchicalSampler(random_state=0).fit().check_assumptions()
    >>> report[1].statement, report[1].holds
    ('the sets of patches of a level are disjoint', True)
    """

    number: int
    statement: str
    holds: bool
    evidence: str


class AssumptionReport(tuple):
    """Tuple of four AssumptionChecks, which prints as a table.

    Attributes
    ----------
    all_hold : bool
        Whether all assumptions hold.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> sampler = HierarchicalSampler(patches_per_class=2, pixel_patches="orthonormal")
    >>> sampler.fit().check_assumptions().all_hold
    True
    """

    @property
    def all_hold(self):
        return all(check.holds for check in self)

    def __repr__(self):
        lines = []
        for check in self:
            verdict = "holds" if check.holds else "FAILS"
            lines.append(f"{check.number}  {verdict}  {check.statement}")
            lines.append(f"{'':10}{check.evidence}")
        return "\n".join(lines)


def check_assumptions(model):
    """Return the AssumptionReport of a HierarchicalModel."""
    return AssumptionReport(
        [
            _separable(model),
            _disjoint(model),
            _independent(model),
            _orthonormal(model.rules[-1]),
        ]
    )


def _separable(model):
    separator = model.separator
    if separator is None:
        evidence = "no separator exists: the constraints on it contradict each other"
    else:
        norm = np.linalg.norm(separator)
        evidence = f"the smallest separator has norm {norm:.4g}: margin {1 / norm:.4g}"
    if model.label_noise:
        evidence += f"; observed labels are flipped with probability {model.label_noise:g}"
    is_noisy = model.channels[0].is_noisy
    if is_noisy:
        evidence += "; symbols of X^(0) have noise, so labels share images"
    holds = separator is not None and model.label_noise == 0 and not is_noisy
    return AssumptionCheck(1, "G_0 is linearly separable", holds, evidence)


def _disjoint(model):
    shared = []
    for i, rules in enumerate(model.rules):
        if isinstance(rules, ProductRules):
            shared.append(f"unknown at level {i}, which has transitions")
        elif not has_disjoint_sets(rules):
            n_shared = np.count_nonzero(rules.n_sets > 1)
            shared.append(f"{n_shared} of {len(rules.n_sets)} at level {i}")
    evidence = f"patches of probability > 0 in more than one set: {', '.join(shared) or 'none'}"
    return AssumptionCheck(2, "the sets of patches of a level are disjoint", not shared, evidence)


def _independent(model):
    exact = statistics(model)
    evidence = (
        f"theta = {exact.theta:.4g}, lambda = {exact.lambda_:.4g}, "
        f"min |sin| = {exact.min_abs_sin:.4g}, Delta_min = {exact.delta_min:.4g}"
    )
    holds = exact.min_abs_sin > _ZERO
    if not holds and exact.delta_min > _ZERO:
        evidence += "; the classes differ all the same, as Delta_min > 0"
    return AssumptionCheck(
        3,
        "the labeled frequency matrices of a level are pairwise linearly independent",
        holds,
        evidence,
    )


def _orthonormal(rules):
    rows = np.unique(rules.possible_rows.astype(float), axis=0)
    gram = rows @ rows.T
    error = np.abs(gram - np.eye(len(gram))).max()
    return AssumptionCheck(
        4,
        "the patches of the last level are orthonormal",
        bool(error < 1e-5),
        f"inner products of patches differ from orthonormal ones by at most {error:.2g}",
    )
