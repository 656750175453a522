"""Samples of a group are left out, or held out, together."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import seeds

from skhier._base._early_stopping import split_validation
from skhier._base._groups import check_groups, draw_samples
from skhier.classifier._left_out import LeftOut

penalties = st.floats(0.05, 20)


@st.composite
def groups_of_samples(draw):
    """Draw the groups of up to 30 samples: two groups or more, of any sizes."""
    n, n_groups = draw(st.integers(2, 30)), draw(st.integers(2, 30))
    numbers = draw(st.lists(st.integers(1, n_groups), min_size=n, max_size=n))
    return np.array([0, n_groups + 1, *numbers[2:]])


def residuals_of_refits(X, targets, weight, penalty, groups):
    """Return the residuals of regressions that have not learned from the group of a sample."""
    residuals = np.empty(targets.shape)
    for group in np.unique(groups):
        others = groups != group
        B = X[others].T * weight[others]
        W = np.linalg.solve(B @ X[others] + penalty * np.eye(X.shape[1]), B @ targets[others])
        residuals[~others] = targets[~others] - X[~others] @ W
    return residuals


@given(groups_of_samples(), seeds, penalties)
def test_residuals_are_those_of_regressions_without_the_group(groups, seed, penalty):
    rng = np.random.default_rng(seed)
    n = len(groups)
    X, targets = rng.standard_normal((n, 6)), rng.standard_normal((n, 2))
    weight = rng.uniform(0.1, 3, n)
    arrays = (torch.from_numpy(array) for array in (X @ X.T, targets, weight))
    found = LeftOut.in_sets(*arrays, groups).residuals([penalty])[0]
    assert_allclose(found, residuals_of_refits(X, targets, weight, penalty, groups), atol=1e-7)


@given(groups_of_samples(), seeds, penalties)
def test_groups_that_share_a_duplicate_are_one(groups, seed, penalty):
    rng = np.random.default_rng(seed)
    n = len(groups)
    X, targets = rng.standard_normal((n, 6)), rng.standard_normal((n, 1))
    first, second = rng.choice(n, 2, replace=False)
    X[second] = X[first]
    joined = np.where(groups == groups[second], groups[first], groups)
    arrays = (torch.from_numpy(array) for array in (X @ X.T, targets, np.ones(n)))
    found = LeftOut.in_sets(*arrays, groups).residuals([penalty])[0]
    expected = residuals_of_refits(X, targets, np.ones(n), penalty, joined)
    assert_allclose(found, expected, atol=1e-7)


@given(groups_of_samples(), seeds, st.floats(0.01, 0.99))
def test_a_validation_part_has_whole_groups(groups, seed, fraction):
    n_groups = len(np.unique(groups))
    rng = np.random.RandomState(seed)
    if np.ceil(n_groups * fraction) >= n_groups:
        return
    learned, held = split_validation(len(groups), fraction, rng, groups)
    assert_array_equal(np.sort(np.r_[learned, held]), np.arange(len(groups)))
    assert not set(groups[learned]) & set(groups[held])
    assert len(set(groups[held])) == np.ceil(n_groups * fraction)


@given(groups_of_samples(), seeds, st.integers(1, 30))
def test_samples_are_drawn_from_all_groups_alike(groups, seed, n_samples):
    candidates = np.arange(5, 5 + len(groups))
    of_all = np.r_[np.full(5, -1), groups]
    drawn = draw_samples(candidates, of_all, n_samples, np.random.RandomState(seed))
    assert_array_equal(drawn, np.unique(drawn))
    assert set(drawn) <= set(candidates)
    assert len(drawn) == min(n_samples, len(groups))
    values, sizes = np.unique(groups, return_counts=True)
    counts = np.array([(of_all[drawn] == value).sum() for value in values])
    # A group that has more samples than were drawn gave one fewer than any other, at the least.
    assert counts[counts < sizes].min(initial=counts.max()) >= counts.max() - 1


@pytest.mark.parametrize("groups", [None, np.arange(12)[::-1], np.array([0] * 4 + [1, 2] * 4)])
def test_samples_of_equal_groups_are_drawn_equally_often(groups):
    """Each of the 12 samples, in groups of 1 or 4, is drawn with probability 3 / 12."""
    n_draws, p = 2000, 3 / 12
    counts = np.zeros(12)
    for seed in range(n_draws):
        counts[draw_samples(np.arange(12), groups, 3, np.random.RandomState(seed))] += 1
    assert np.abs(counts - n_draws * p).max() < 5 * np.sqrt(n_draws * p * (1 - p))


@given(groups_of_samples(), st.sampled_from([str, float, object, "datetime64[D]"]))
def test_only_equality_of_groups_matters(groups, dtype):
    numbers, renamed = (check_groups(g, len(groups)) for g in (groups, groups.astype(dtype)))
    if len(np.unique(groups)) == len(groups):
        assert numbers is renamed is None
    else:
        assert_array_equal(numbers[:, None] == numbers, groups[:, None] == groups)
        assert_array_equal(numbers[:, None] == numbers, renamed[:, None] == renamed)
