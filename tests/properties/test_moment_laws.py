"""Means and variances keep their digits, whatever the offset and the weights."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skhier import KernelRidgeHead, RidgeHead, TwoLayerConvEmbedder
from skhier._base._moments import Moments, constant_columns

# Largest mean, in standard deviations, of features in each precision.
MAX_OFFSET = {np.float32: 1e4, np.float64: 1e7}
each_dtype = pytest.mark.parametrize("dtype", MAX_OFFSET)
seeds = st.integers(0, 2**32 - 1)


@each_dtype
@given(seed=seeds, exponent=st.floats(0, 1), weighted=st.booleans(), n_batches=st.integers(1, 6))
def test_moments_are_those_of_the_values(dtype, seed, exponent, weighted, n_batches):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-6, 6, 4)
    offset = rng.choice([-1, 1], 4) * MAX_OFFSET[dtype] ** exponent
    X = ((rng.standard_normal((60, 4)) + offset) * scale).astype(dtype)
    weight = rng.uniform(0, 1, 60) * 10.0 ** rng.uniform(-9, 9) if weighted else np.ones(60)
    parts = np.array_split(rng.permutation(60), n_batches)
    moments = Moments(4, torch.from_numpy(X).dtype)
    others = Moments(4, torch.from_numpy(X).dtype)
    for number, rows in enumerate(parts):
        w = torch.from_numpy(weight[rows]) if weighted else None
        (moments if number % 2 else others).add(torch.from_numpy(X[rows]), w)
    both = others + moments
    found_mean, found_variance = both.mean.numpy(), both.variance.numpy()
    wide = X.astype(np.float64)
    mean = np.average(wide, axis=0, weights=weight)
    variance = np.average((wide - mean) ** 2, axis=0, weights=weight)
    assert_allclose((found_mean - mean) / np.sqrt(variance), 0, atol=1e-5)
    assert_allclose(found_variance, variance, rtol=1e-5)
    assert_allclose(both.deviation.numpy(), np.sqrt(variance), rtol=1e-5)


@each_dtype
@given(value=st.floats(-1e15, 1e15), n=st.integers(1, 50), weighted=st.booleans())
def test_columns_of_one_value_are_constant_exactly(dtype, value, n, weighted):
    X = torch.full((n, 1), value, dtype=torch.from_numpy(np.zeros(1, dtype)).dtype)
    moments = Moments(1, X.dtype)
    for rows in (X, X[: n // 2 + 1]):
        moments.add(rows, torch.linspace(0.1, 1, len(rows)) if weighted else None)
    assert moments.variance == 0
    assert moments.mean == X[0, 0].double()
    assert torch.isinf(moments.deviation).all()


def test_rounding_is_measured_column_by_column():
    few = np.array([0.0, 5.0, 3.0])
    noise = 1e6 * (1 + np.array([0, 1, -1]) * np.finfo(np.float32).eps)
    X = np.c_[few, np.full(3, 1e6), noise].astype(np.float32)
    assert_array_equal(constant_columns(X), [False, True, True])
    moments = Moments(3, torch.float32)
    moments.add(X)
    assert_array_equal(torch.isinf(moments.deviation).numpy(), [False, True, True])


def test_rounding_of_a_code_is_measured_by_its_channel():
    """Of codes 0.3 to 7 with a bias of 0.299 less than the smallest, a frame keeps the noise."""
    rng = np.random.default_rng(0)
    noise = 7 * np.finfo(np.float32).eps * rng.integers(-2, 3, 50)
    X = np.stack([np.c_[0.01 + noise, noise**0], np.c_[rng.uniform(0, 7, 50), np.arange(50)]], 1)
    X = X.astype(np.float32)  # (n, positions, channels)
    expected = [[True, True], [False, False]]
    assert_array_equal(constant_columns(X), expected)
    moments = Moments(4, torch.float32, n_channels=2)
    moments.add(X)
    assert_array_equal(torch.isinf(moments.deviation).numpy(), np.ravel(expected))


def test_constants_beside_features_of_large_mean_stay_constant():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    ulps = rng.integers(-1, 2, 300) * np.finfo(np.float32).eps
    X = np.c_[y + rng.standard_normal(300), 7 * (1 + ulps), 1e3 + rng.standard_normal(300)]
    assert RidgeHead().fit(X.astype(np.float32), y).coef_[0, 1] == 0


def linear_rule(seed):
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((600, 20))
    return Z, (Z @ rng.standard_normal(20) > 0).astype(int), rng


@pytest.mark.parametrize("head", [RidgeHead(), KernelRidgeHead(), KernelRidgeHead(n_centers=99)])
@each_dtype
@pytest.mark.parametrize("exponent", [0.5, 1.0])
@pytest.mark.parametrize("weight_scale", [None, 1e-9, 1e9])
def test_heads_predict_as_on_features_centred_in_float64(head, dtype, exponent, weight_scale):
    Z, y, rng = linear_rule(0)
    X = (Z + MAX_OFFSET[dtype] ** exponent).astype(dtype)
    centred = X.astype(np.float64) - X[:300].mean(axis=0, dtype=np.float64)
    weight = None if weight_scale is None else weight_scale * rng.uniform(0.5, 1, 300)
    head = clone(head).set_params(random_state=0)
    found = clone(head).fit(X[:300], y[:300], weight)
    expected = clone(head).fit(centred[:300], y[:300], weight)
    scores, expected_scores = (
        fitted.decision_function(data[300:]) for fitted, data in ((found, X), (expected, centred))
    )
    atol = 2e-4 * expected_scores.std()
    assert (scores - expected_scores).std() < atol / 2
    # With alpha large beside weights, scores are rounding errors beside targets of 1, and the
    # threshold between classes follows from them.
    if dtype == np.float64 or weight_scale != 1e-9:
        assert_allclose(scores, expected_scores, rtol=1e-5, atol=atol)
        clear = np.abs(expected_scores) > atol
        assert_array_equal(found.predict(X[300:])[clear], expected.predict(centred[300:])[clear])
    if weight_scale != 1e-9:
        assert found.score(X[300:], y[300:]) > 0.8


@each_dtype
@pytest.mark.parametrize("value", [0.0, 0.3, 1 / 3, 0.7, -1e6, 1e-20])
@pytest.mark.parametrize("solver", ["exact", "gd", "svd", "adam"])
@pytest.mark.parametrize("n_labels", [2, 3])
def test_a_constant_channel_changes_no_other_row_and_has_no_larger_row(
    dtype, value, solver, n_labels
):
    rng = np.random.default_rng(0)
    y = rng.integers(n_labels, size=90)
    y[:40] = 0  # labels are not balanced
    codes = (rng.standard_normal((90, 2, 3, 5)) + y[:, None, None, None]).astype(dtype)
    embedder = TwoLayerConvEmbedder(3, solver=solver, max_iter=4, random_state=0)
    if solver == "adam":
        embedder.set_params(loss="cross_entropy")
    kernels = []
    for constant in (0.0, value):
        codes[..., 2] = constant
        kernels.append(clone(embedder).fit(codes, y).kernels_)
    others = [0, 1, 3, 4]
    assert_allclose(kernels[1][others], kernels[0][others], rtol=1e-4, atol=1e-6)
    norms = np.linalg.norm(kernels[1], axis=1)
    assert norms[2] <= norms[others].max()
