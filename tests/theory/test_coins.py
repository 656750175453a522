"""Evidence from coins in cells, and wrong forms of it that are detected."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import betaln, logsumexp, xlogy
from scipy.stats import binom

from skhier.theory._coins import ANYTIME_CONCENTRATIONS, log_evidence, tuned_concentrations

# All outcomes of coins are enumerated, so that probabilities are exact up to rounding errors.
EXACT = 1 + 1e-9

small_cells = st.lists(st.integers(1, 9), min_size=2, max_size=4)
risks = st.floats(0.5, 20)  # nats


def outcomes(coins, p):
    """Enumerate heads of cells with these coins; return heads, tails and probabilities."""
    heads = np.array(list(product(*(range(m + 1) for m in coins))), float)
    return heads, np.array(coins) - heads, binom.pmf(heads, coins, p).prod(axis=1)


def all_concentrations(coins, x):
    """Return the concentrations of a fixed number of images and of any number."""
    return [tuned_concentrations(np.asarray(coins, float), x), ANYTIME_CONCENTRATIONS]


def stated_evidence(heads, tails, concentrations, p):
    """Return the log of the evidence of one row as stated, with Beta functions."""
    logs = []
    for alpha in concentrations:
        a, b = alpha * p, alpha * (1 - p)
        logs.append((betaln(heads + a, tails + b) - betaln(a, b)).sum())
    null = xlogy(heads.sum(), p) + xlogy(tails.sum(), 1 - p)
    return logsumexp(logs) - np.log(len(logs)) - null


def laurent_massart_threshold(coins, x):
    """Return the |S|^2 that fair coins reach with probability at most exp(-x)."""
    largest = coins.max(axis=1)
    return coins.sum(axis=1) + 2 * np.sqrt(x * (coins**2).sum(axis=1)) + 2 * x * largest


@given(small_cells, risks)
def test_the_mean_of_the_evidence_of_fair_coins_is_1(coins, x):
    heads, tails, probability = outcomes(coins, 0.5)
    for concentrations in all_concentrations(heads + tails, x):
        evidence = np.exp(log_evidence(heads, tails, concentrations, True))
        np.testing.assert_allclose(probability @ evidence, 1)


@given(small_cells, risks, st.floats(0.001, 0.999))
def test_the_mean_of_the_evidence_of_coins_of_one_bias_is_at_most_1(coins, x, p):
    heads, tails, probability = outcomes(coins, p)
    for concentrations in all_concentrations(heads + tails, x):
        evidence = np.exp(log_evidence(heads, tails, concentrations, False))
        assert probability @ evidence <= EXACT


@given(st.data(), risks)
def test_the_evidence_is_the_least_over_the_bias(data, x):
    coins = np.array(data.draw(st.lists(st.integers(1, 300), min_size=2, max_size=5)), float)
    heads = np.array([[data.draw(st.integers(0, int(m))) for m in coins]], float)
    tails = coins - heads
    for concentrations in all_concentrations(heads + tails, x):
        least = minimize_scalar(
            lambda p, c=concentrations: stated_evidence(heads, tails, c, p),
            bounds=(0, 1), method="bounded", options={"xatol": 1e-10},
        ).fun  # fmt: skip
        (found,) = log_evidence(heads, tails, concentrations, False)
        if least <= 0 or not heads.any() or not tails.any():
            assert found <= 1e-9
        else:
            assert least - 0.05 - 1e-9 <= found <= least + 1e-6


@given(st.integers(1, 60), st.floats(1e-3, 100))
def test_the_evidence_of_fair_coins_is_at_least_that_of_a_normal_drift(m, variance):
    heads = np.arange(m + 1.0)[:, None]
    S = 2 * heads - m
    price = 1 + variance * m
    normal = (variance * S**2 / price - np.log(price)).sum(axis=1) / 2
    exact = log_evidence(heads, m - heads, [1 / variance + 0.5], True)
    assert (exact >= normal - 1e-9).all()


@given(small_cells, risks)
def test_the_evidence_reaches_x_where_the_bound_of_laurent_and_massart_does(coins, x):
    heads, tails, probability = outcomes(coins, 0.5)
    coins = heads + tails
    reached = ((heads - tails) ** 2).sum(axis=1) >= laurent_massart_threshold(coins, x)
    evidence = log_evidence(heads, tails, tuned_concentrations(coins, x)[1:], True)
    assert (evidence[reached] >= x - 1e-9).all()
    assert probability[reached].sum() <= np.exp(-x)


def test_wrong_forms_of_the_evidence_are_detected():
    heads, tails, probability = outcomes([6, 7, 8], 0.5)
    concentrations = tuned_concentrations(heads + tails, 3.0)
    # every image is counted twice
    twice = log_evidence(2 * heads, 2 * tails, tuned_concentrations(2 * (heads + tails), 3.0), True)
    assert probability @ np.exp(twice) > 2
    # concentrations depend on the outcome
    low, high = (log_evidence(heads, tails, [alpha], True) for alpha in (0.5, 50))
    assert probability @ np.exp(np.maximum(low, high)) > 1.05
    # coins are biased
    heads, tails, probability = outcomes([6, 7, 8], 0.9)
    assert probability @ np.exp(log_evidence(heads, tails, concentrations, True)) > 2


@pytest.mark.parametrize("is_fair", [True, False])
def test_the_evidence_ever_reaches_20_with_probability_at_most_5_percent(is_fair):
    rng = np.random.default_rng(0)
    n_streams, n_steps, p = 400, 100, 0.5 if is_fair else 0.2
    heads, tails = np.zeros((2, n_streams, 5))
    highest = np.full(n_streams, -np.inf)
    for _ in range(n_steps):
        shown = rng.random(heads.shape) < [0.1, 0.3, 0.5, 0.7, 0.9]
        is_head = rng.random(heads.shape) < p
        heads += shown & is_head
        tails += shown & ~is_head
        evidence = log_evidence(heads, tails, ANYTIME_CONCENTRATIONS, is_fair)
        highest = np.maximum(highest, evidence)
    limit = binom.isf(1e-6, n_streams, 0.05)
    assert (highest >= np.log(20)).sum() <= limit


def test_many_coins_of_rare_heads_are_no_evidence_unless_cells_differ():
    coins = np.full((1, 20), 10_000.0)
    heads = np.full((1, 20), 30.0)
    concentrations = tuned_concentrations(coins, 10.0)
    assert log_evidence(heads, coins - heads, concentrations, False) <= 0
    assert log_evidence(heads, coins - heads, concentrations, True) > 1000
    heads[0, ::2] = 60
    assert log_evidence(heads, coins - heads, concentrations, False) > 20
