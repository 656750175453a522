"""Closed forms over all Random Hierarchy Models, beside exact statistics of drawn models."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skhier.datasets import make_random_hierarchy
from skhier.theory import (
    rhm_correlation,
    rhm_level_samples,
    rhm_sample_complexity,
    zipf_learning_exponent,
)


def mean_correlations(n_classes, v, m, s, depth, n_models):
    """Return the root mean square correlation of each level, over drawn models."""
    squares = np.zeros(depth)
    for seed in range(n_models):
        sampler = make_random_hierarchy(
            1, n_classes=n_classes, vocabulary_size=v, n_synonyms=m, tuple_size=s, depth=depth,
            return_X_y=False, random_state=seed,
        ).sampler  # fmt: skip
        joint = sampler.pair_frequencies(depth, (0, 0))[0]
        covariance = joint - joint.sum(axis=2)[:, :, None] * joint.sum(axis=1)[:, None]
        square = (covariance**2).mean(axis=(1, 2))
        squares += [square[s**level : s ** (level + 1)].mean() for level in range(depth)]
    return np.sqrt(squares / n_models)


@pytest.mark.parametrize("sizes", [(8, 8, 4, 2, 2), (3, 8, 4, 2, 3), (6, 6, 5, 3, 2)])
def test_correlations_are_the_mean_over_models(sizes):
    measured = mean_correlations(*sizes, n_models=150)
    levels = range(1, sizes[-1] + 1)
    predicted = [rhm_correlation(*sizes, level=level) for level in levels]
    assert_allclose(predicted, measured, rtol=0.06)
    # The printed formula is wrong by 15 % or more at the top.
    printed = rhm_correlation(*sizes, level=levels[-1], formula="paper")
    assert abs(printed / measured[-1] - 1) > 0.12


def test_the_printed_correlation_is_the_limit_of_many_symbols_and_synonyms():
    for level in (1, 2, 3):
        sizes = (10**6, 10**6, 10**4, 2, 4)
        printed = rhm_correlation(*sizes, level=level, formula="paper")
        assert_allclose(rhm_correlation(*sizes, level=level), printed, rtol=2e-4)
        n = rhm_level_samples(*sizes, level=level, formula="paper")
        assert_allclose(rhm_level_samples(*sizes, level=level), n, rtol=3e-4)
        assert_allclose(printed, 1 / (10**6 * np.sqrt(n)))


def test_symbols_of_all_tuples_are_independent():
    sizes = (4, 4, 4, 2, 2)  # every pair of symbols is a tuple
    for formula in ("finite", "paper"):
        assert rhm_correlation(*sizes, level=2, formula=formula) == 0
        assert rhm_level_samples(*sizes, level=2, formula=formula) == np.inf
    assert mean_correlations(*sizes, n_models=1)[1] < 1e-15


@pytest.mark.parametrize(("v", "s"), [(7, 2), (9, 3), (10, 2), (3, 5)])
def test_correlations_are_exactly_0_where_all_tuples_are_equally_likely(v, s):
    for depth, level in [(6, 3), (4, 1), (2, 2)]:
        sizes = (v, v, v ** (s - 1), s, depth)
        assert rhm_correlation(*sizes, level=level) == 0
        assert rhm_level_samples(*sizes, level=level) == np.inf


def test_symbols_correlate_if_all_tuples_are_in_use_but_labels_are_fewer():
    sizes = (2, 4, 4, 2, 2)
    measured = mean_correlations(*sizes, n_models=150)
    predicted = [rhm_correlation(*sizes, level=level) for level in (1, 2)]
    assert_allclose(predicted, measured, rtol=0.2)
    assert rhm_level_samples(*sizes, level=1) < np.inf


def test_printed_correlations_are_0_beyond_all_tuples():
    # Of depth 1, labels have more tuples than the printed formula allows.
    assert rhm_correlation(2, 8, 16, 2, 1, level=1, formula="paper") == 0


def test_at_the_number_of_samples_the_error_is_the_correlation():
    # The covariance of two independent uniform symbols has the variance (1/v - 1/v^2)^2 / n.
    sizes, v = (6, 6, 3, 2, 2), 6
    n = rhm_level_samples(*sizes, level=1)
    assert_allclose((1 / v - 1 / v**2) / np.sqrt(n), rhm_correlation(*sizes, level=1))


@pytest.mark.parametrize("exponent", [1.5, 2.0, 3.0])
def test_the_exponent_of_zipf_rules_is_that_of_the_probability_of_unseen_rules(exponent):
    f = np.arange(1, 10**6 + 1) ** -exponent
    f /= f.sum()
    n = np.array([1e3, 1e4])  # between 1 / f[0] and 1 / f[-1]
    unseen = [f @ np.exp(draws * np.log1p(-f)) for draws in n]
    slope = -np.log(unseen[1] / unseen[0]) / np.log(10)
    assert_allclose(slope, zipf_learning_exponent(exponent), rtol=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rhm_correlation(2, 4, 5, 2, 2, level=1), "n_synonyms=5 tuples"),
        (lambda: rhm_correlation(2, 4, 2, 2, 2, level=3), "level=3 is not valid"),
        (lambda: rhm_level_samples(2, 4, 2, 2, 2, level=0), "level=0 is not valid"),
        (lambda: rhm_level_samples(2, 4, 2, 2, 2, level=1, formula="no"), "formula='no'"),
        (lambda: rhm_level_samples(8, 8, 4, 2, 600, level=400), "beyond the range of floats"),
        (lambda: rhm_level_samples(8, 8, 4, 2, 600, level=600), "beyond the range of floats"),
        (
            lambda: rhm_level_samples(8, 8, 4, 2, 600, level=256, formula="paper"),
            "beyond the range of floats",
        ),
        (lambda: rhm_sample_complexity(8, 8, 4, 2, 511), "beyond the range of floats"),
        (lambda: rhm_sample_complexity(1, 8, 4, 2, 2), "n_classes=1 .* an int >= 2"),
        (lambda: rhm_correlation(2, 4, 2, 1, 2, level=1), "tuple_size=1 .* an int >= 2"),
        (lambda: rhm_level_samples(2, 4, 2, 1, 2, level=1), "tuple_size=1 .* an int >= 2"),
        (lambda: rhm_sample_complexity(2, 1, 1, 1, 1), "vocabulary_size=1 is not valid"),
        (lambda: rhm_sample_complexity(2, 0, 1, 1, 1), "vocabulary_size=0 .* an int >= 2"),
        (lambda: zipf_learning_exponent(1.0), "exponent=1.0 is not valid"),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
