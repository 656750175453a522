import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist
from sklearn.cluster import KMeans
from strategies import labeled_codes, samplers, seeds

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
    # The gradient is the same at every step, so K_T - K_0 is proportional to T.
    X, y, n = codes
    K_0, K_T, K_2T = (
        TwoLayerConvEmbedder(n, max_iter=t, random_state=seed).fit(X, y).kernels_
        for t in (0, T, 2 * T)
    )
    scale = np.abs(K_2T).max()
    assert_allclose(K_2T - K_0, 2 * (K_T - K_0), atol=1e-12 * scale)


@given(labeled_codes(), seeds)
def test_theorem_1_part_1_codes_of_equal_frequencies_stay_within_sigma(codes, seed):
    # Two channels with the same values have the same labeled frequencies. Their embeddings stay
    # as far apart as the initial kernels, which is at most sigma / sqrt(2).
    X, y, n = codes
    X = np.concatenate([X, X[..., :1]], axis=-1)
    sigma = 0.7
    embedder = TwoLayerConvEmbedder(n, init_scale=sigma, scale_channels=False, random_state=seed)
    K = embedder.fit(X, y).kernels_
    assert np.linalg.norm(K[0] - K[-1]) <= sigma / np.sqrt(2) * (1 + 1e-6) + 1e-9 * np.abs(K).max()


def within_and_between(K, classes):
    """Return squared distances between embedded codes of a class, and of different classes."""
    squared = pdist(K, "sqeuclidean")
    same = pdist(classes[:, None]) == 0
    return squared[same], squared[~same]


@st.composite
def samples_of_classes(draw):
    """Draw one-hot codes of a level with equally likely patches, labels, and classes of codes."""
    sampler = draw(samplers(weights=("uniform",)))
    level = draw(st.integers(0, sampler.n_levels - 1))
    X, y = sampler.sample(draw(st.integers(40, 400)), random_state=draw(seeds))
    n_classes, k = sampler.patches_[level].shape[:2]
    codes = np.eye(n_classes * k)[sampler.parse_patches(X)[level]]
    assume(n_classes * k > 2 and len(np.unique(y)) > 1)
    return codes, y, np.repeat(np.arange(n_classes), k)


@settings(max_examples=max(4, settings.default.max_examples // 4))
@given(labeled_codes(), seeds, st.floats(0, 20), st.floats(1e-6, 1))
def test_squared_distances_are_a_quadratic_form_in_the_mean(codes, seed, sigma, eta):
    # Over draws of K_0 and W_0, E K_T K_T' = sigma^2 / (4 C) I + (eta T)^2 n M M', for dense codes
    # too. With n = 20,000 components, an entry has a standard error of at most 1 % of the size of
    # the two rows.
    X, y, _ = codes
    n, C = 20_000, X.shape[3]
    M = embed(X, y, 128, solver="svd")  # its M M' is that of the class means
    K = embed(X, y, n, init_scale=sigma, learning_rate=eta, max_iter=1, random_state=seed)
    Q = sigma**2 / (4 * C) * np.eye(C) + eta**2 * n * M @ M.T
    size = np.sqrt(np.outer(np.diag(Q), np.diag(Q)))
    assert_allclose(K @ K.T / size, Q / size, atol=0.06)


@settings(max_examples=max(4, settings.default.max_examples // 4))
@given(samples_of_classes(), seeds, st.floats(0.05, 20))
def test_distances_grow_with_T_as_class_means_differ(samples, seed, sigma):
    # Over draws of K_0 and W_0, E |K_T'(x_a - x_b)|^2 = sigma^2 / (2 C) + (eta T)^2 n |D_ab|^2.
    # The mean of n = 20,000 components has a standard error of at most 1 %.
    codes, y, classes = samples
    n, C = 20_000, codes.shape[3]
    M = embed(codes, y, 128, solver="svd")
    ratios = []
    for T in (0, 1, 10, 1000):
        K = embed(codes, y, n, init_scale=sigma, learning_rate=1.0, max_iter=T, random_state=seed)
        expected = sigma**2 / (2 * C) + T**2 * n * pdist(M, "sqeuclidean")
        assert_allclose(pdist(K, "sqeuclidean"), expected, rtol=0.06)
        within, between = within_and_between(K, classes)
        if len(within) and len(between):
            ratios.append(between.mean() / within.mean())
    # So the ratio of the means moves monotonically to the ratio of the class means.
    slack = 0.06 * np.array(ratios[:-1])
    steps = np.diff(ratios)
    assert (steps > -slack).all() or (steps < slack).all()


@given(samples_of_classes(), seeds, st.integers(1, 10**6))
def test_without_initial_kernels_T_scales_embeddings_and_changes_no_group(samples, seed, T):
    codes, y, _ = samples
    once, tenfold = (
        embed(codes, y, 8, init_scale=0, max_iter=steps, random_state=seed) for steps in (T, 10 * T)
    )
    assert_allclose(tenfold, 10 * once, rtol=1e-12, atol=1e-15 * np.abs(tenfold).max())
    assume(len(np.unique(once.round(12), axis=0)) >= 2)
    # The last digits would decide between clusterings that are equally good.
    groups = [
        KMeans(2, n_init=3, random_state=0).fit_predict((K / np.abs(K).max()).round(9))
        for K in (once, tenfold)
    ]
    assert_array_equal(*groups)


@settings(max_examples=max(4, settings.default.max_examples // 2))
@given(samplers(weights=("uniform",)), st.data(), seeds)
def test_groups_of_the_population_are_the_classes(sampler, data, seed):
    level = data.draw(st.integers(0, sampler.n_levels - 1))
    n_classes, k = sampler.patches_[level].shape[:2]
    moments = sampler.code_moments(level)
    M = moments.reshape(*moments.shape[:2], n_classes * k, -1).transpose(2, 0, 1, 3)
    M = M.reshape(n_classes * k, -1)[::k]
    assume(pdist(M).min() > 1e-3 * np.abs(M).max())
    embedder = TwoLayerConvEmbedder(
        n_classes, solver="kmeans", scale_channels=False, random_state=seed
    )
    K = embedder.fit_population(moments, sampler.classes_).kernels_
    classes = np.repeat(np.arange(n_classes), k)
    assert_array_equal(K @ K.T, classes[:, None] == classes)


def embed(codes, y, n_components, **params):
    """Fit an embedder without scaled channels, and return its kernels."""
    embedder = TwoLayerConvEmbedder(n_components, scale_channels=False, **params)
    return embedder.fit(codes, y).kernels_
