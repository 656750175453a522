"""Strategies, named after what they draw."""

import numpy as np
from hypothesis import strategies as st

from skhier import HierarchicalSampler

seeds = st.integers(0, 2**32 - 1)


@st.composite
def point_clouds(draw):
    """(n, d) samples, some repeated, some zero, in clusters of any tightness."""
    rng = np.random.default_rng(draw(seeds))
    n, d = draw(st.integers(8, 80)), draw(st.integers(2, 6))
    centers = rng.standard_normal((draw(st.integers(1, 5)), d))
    spread = draw(st.sampled_from([0.01, 0.3, 3.0]))
    X = centers[rng.integers(len(centers), size=n)] + spread * rng.standard_normal((n, d))
    if draw(st.booleans()):
        X[rng.integers(n, size=n // 4)] = X[0]
    if draw(st.booleans()):
        X[rng.integers(n, size=n // 4)] = 0
    return X


@st.composite
def batches_of_images(draw):
    """(n, H, W, C) images."""
    rng = np.random.default_rng(draw(seeds))
    shape = draw(st.tuples(*[st.integers(1, 7)] * 2, st.integers(1, 3)))
    return rng.standard_normal((draw(st.integers(6, 20)), *shape))


@st.composite
def labeled_codes(draw):
    """Codes (n, h, w, c), labels of two to four classes and a number of components."""
    rng = np.random.default_rng(draw(seeds))
    n, n_labels = draw(st.integers(4, 30)), draw(st.integers(2, 4))
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5)))
    y = (
        np.r_[np.arange(n_labels), rng.integers(n_labels, size=n - n_labels)]
        if n > n_labels
        else (np.arange(n) % n_labels)
    )
    return rng.standard_normal((len(y), *shape)), y, draw(st.integers(1, 6))


@st.composite
def samplers(draw, noisy=False, weights=("uniform", "zipf", 3.0)):
    """Fitted generative models of depth one to three; with noise and shared patches if asked."""
    n_levels = draw(st.integers(1, 3))

    def per_level(strategy):
        return [draw(strategy) for _ in range(n_levels)]

    noise = {}
    if noisy:
        noise = {
            "overlap": per_level(st.sampled_from([0.0, 0.5, 1.0])),
            "label_noise": draw(st.sampled_from([0.0, 0.2])),
            "symbol_noise": per_level(st.sampled_from([0.0, 0.0, 0.1, 1.0])),
            "pixel_noise": draw(st.sampled_from([0.0, 1e-3, 0.5, 10.0])),
        }
    return HierarchicalSampler(
        n_levels,
        n_semantic_classes=per_level(st.integers(2, 5)),
        patch_size=per_level(st.sampled_from([2, 3, (1, 5), (3, 2)])),
        patches_per_class=per_level(st.integers(1, 3)),
        rule_weights=per_level(st.sampled_from(weights)),
        pixel_patches=draw(st.sampled_from(["gaussian", "orthonormal", "one_hot"])),
        n_channels=4,
        root=draw(st.sampled_from(["images", "label"])),
        n_labels=draw(st.integers(2, 3)),
        n_root_images=draw(st.integers(1, 2)),
        root_shape=draw(st.sampled_from([(2, 2), (1, 4), (3, 3)])),
        random_state=draw(seeds),
        **noise,
    ).fit()


@st.composite
def samplers_of_like_classes(draw):
    """Models two classes of which differ in one of 2 n root images: a tiny angle."""
    n = draw(st.sampled_from([2, 10, 1000]))
    X = [[0, 2]] * n + [[1, 2]] * (n - 1) + [[2, 0], [2, 1]]
    y = [1] * (2 * n - 1) + [-1] * 2
    k = draw(st.integers(1, 4))
    return HierarchicalSampler(1, patches_per_class=k, random_state=draw(seeds)).fit(X, y)


@st.composite
def theorem_1_settings(draw):
    """(sampler, level, width, sigma, eta): equally likely patches, two classes or more."""
    sampler = draw(samplers(weights=("uniform",)) | samplers_of_like_classes())
    level = draw(st.integers(0, sampler.n_levels - 1))
    eta = draw(st.sampled_from([1e-3, 1.0]))
    return sampler, level, draw(st.integers(1, 20)), draw(st.floats(1e-3, 10)), eta


@st.composite
def well_separated_points(draw):
    """(points, number of clusters, separation, diameter): equal clusters on a line."""
    n_clusters, size = draw(st.integers(2, 8)), draw(st.integers(1, 6))
    separation, diameter = draw(st.floats(0.5, 20)), draw(st.floats(0.0, 1.0))
    inside = np.linspace(0, diameter, size) if size > 1 else np.zeros(1)
    starts = np.arange(n_clusters) * (separation + inside[-1])
    return (starts[:, None] + inside).reshape(-1, 1), n_clusters, separation, diameter
