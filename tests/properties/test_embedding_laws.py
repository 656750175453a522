import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from strategies import labeled_codes, seeds

from skhier import TwoLayerConvEmbedder


@given(labeled_codes(), seeds, st.integers(0, 30), st.floats(1e-3, 1), st.floats(0, 3))
def test_exact_equals_gradient_descent(codes, seed, T, eta, sigma):
    X, y, n = codes
    params = {"learning_rate": eta, "max_iter": T, "init_scale": sigma, "random_state": seed}
    exact = TwoLayerConvEmbedder(n, solver="exact", **params).fit(X, y)
    gd = TwoLayerConvEmbedder(n, solver="gd", **params).fit(X, y)
    scale = max(np.abs(exact.kernels_).max(), 1e-3)
    assert_allclose(exact.kernels_, gd.kernels_, rtol=1e-9, atol=1e-12 * scale)


@given(labeled_codes(), seeds, st.integers(1, 10**9))
def test_kernels_move_in_a_straight_line(codes, seed, T):
    # K_T - K_0 is proportional to T: the gradient is the same at every step.
    X, y, n = codes
    K_0, K_T, K_2T = (
        TwoLayerConvEmbedder(n, max_iter=t, random_state=seed).fit(X, y).kernels_
        for t in (0, T, 2 * T)
    )
    scale = np.abs(K_2T).max()
    assert_allclose(K_2T - K_0, 2 * (K_T - K_0), atol=1e-12 * scale)


@given(labeled_codes(), seeds)
def test_theorem_1_part_1_codes_of_one_frequency_stay_within_sigma(codes, seed):
    # Two channels with the same values have the same labeled frequencies; the distance
    # of their embeddings is that of the initial kernels, at most sigma / sqrt(2).
    X, y, n = codes
    X = np.concatenate([X, X[..., :1]], axis=-1)
    sigma = 0.7
    embedder = TwoLayerConvEmbedder(n, init_scale=sigma, scale_channels=False, random_state=seed)
    K = embedder.fit(X, y).kernels_
    assert np.linalg.norm(K[0] - K[-1]) <= sigma / np.sqrt(2) * (1 + 1e-6) + 1e-9 * np.abs(K).max()
