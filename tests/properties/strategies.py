"""Strategies, named after what they draw."""

import numpy as np
from hypothesis import assume, event
from hypothesis import strategies as st

from skhier import HierarchicalSampler

seeds = st.integers(0, 2**32 - 1)


@st.composite
def point_clouds(draw):
    """Draw (n, d) samples in clusters of any spread, of which a quarter may be equal or zero."""
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
    """Draw (n, H, W, C) images."""
    rng = np.random.default_rng(draw(seeds))
    shape = draw(st.tuples(*[st.integers(1, 7)] * 2, st.integers(1, 3)))
    return rng.standard_normal((draw(st.integers(6, 20)), *shape))


@st.composite
def labeled_codes(draw):
    """Draw codes (n, h, w, c), labels of two to four classes and a number of components."""
    rng = np.random.default_rng(draw(seeds))
    n, n_labels = draw(st.integers(4, 30)), draw(st.integers(2, 4))
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5)))
    y = (
        np.r_[np.arange(n_labels), rng.integers(n_labels, size=n - n_labels)]
        if n > n_labels
        else (np.arange(n) % n_labels)
    )
    return rng.standard_normal((len(y), *shape)), y, draw(st.integers(1, 6))


def keep(condition, reason):
    """Discard a case unless `condition` holds; `--hypothesis-show-statistics` counts them."""
    if not condition:
        event(f"filtered: {reason}")
    assume(condition)


def rare_roots(rng, n_labels, n_images, shape, n_classes):
    """Draw (X, y): different semantic images, with classes of very different frequencies."""
    frequencies = rng.dirichlet(np.full(n_classes, 0.3))
    y = np.arange(n_labels * n_images) % n_labels
    X = rng.choice(n_classes, p=frequencies, size=(len(y), *shape))
    _, first = np.unique(X.reshape(len(X), -1), axis=0, return_index=True)
    keep(len(set(y[first])) == n_labels, "a label without a root image of its own")
    _, X = np.unique(X[first], return_inverse=True)
    return X.reshape(-1, *shape), y[first]


@st.composite
def samplers(draw, noisy=False, weights=("uniform", "zipf", 3.0), noise=None):
    """Draw fitted samplers with one to three levels of 2 to 5, or of 6 to 40, classes.

    Root images are uniform or have rare classes. With `noisy` there can be noise and shared
    patches. `noise` is a function of (n_levels, n_labels) that returns a strategy of parameters.
    """
    is_wide = draw(st.integers(0, 3)) == 0
    n_levels = draw(st.integers(1, 2 if is_wide else 3))
    n_labels = draw(st.integers(2, 3) | st.integers(4, 6) if is_wide else st.integers(2, 3))

    def per_level(strategy):
        return [draw(strategy) for _ in range(n_levels)]

    if noisy:
        noise = st.fixed_dictionaries(
            {
                "overlap": per_level_of(n_levels, st.sampled_from([0.0, 0.5, 1.0])),
                "label_noise": st.sampled_from([0.0, 0.2]),
                "symbol_noise": per_level_of(n_levels, st.sampled_from([0.0, 0.0, 0.1, 1.0])),
                "pixel_noise": st.sampled_from([0.0, 1e-3, 0.5, 10.0]),
            }
        )
    elif noise is not None:
        noise = noise(n_levels, n_labels)
    few = per_level(st.integers(2, 5))
    n_classes = [draw(st.integers(6, 40))] * n_levels if is_wide else few
    shape = draw(st.sampled_from([(2, 2), (1, 4), (3, 3)]))
    sampler = HierarchicalSampler(
        n_levels,
        n_semantic_classes=n_classes,
        patch_size=2 if is_wide else per_level(st.sampled_from([2, 3, (1, 5), (3, 2)])),
        patches_per_class=per_level(st.integers(1, 3)),
        rule_weights=per_level(st.sampled_from(weights)),
        pixel_patches=draw(
            st.sampled_from(["gaussian"] if is_wide else ["gaussian", "orthonormal", "one_hot"])
        ),
        n_channels=4,
        root=draw(st.sampled_from(["images", "label"])),
        n_labels=n_labels,
        n_root_images=draw(st.integers(1, 2)),
        root_shape=shape,
        random_state=draw(seeds),
        **(draw(noise) if noise is not None else {}),
    )
    if sampler.root == "images" and draw(st.booleans()):
        rng = np.random.default_rng(draw(seeds))
        return sampler.fit(
            *rare_roots(rng, n_labels, draw(st.integers(2, 20)), shape, n_classes[0])
        )
    return sampler.fit()


def per_level_of(n_levels, strategy):
    """Return a strategy of lists with one value for each level."""
    return st.lists(strategy, min_size=n_levels, max_size=n_levels)


def strong_noise(n_levels, n_labels):
    """Return a strategy of noise that makes labeled frequencies 1 to 10^6 times smaller."""

    def label_noise(exponent):
        return (1 - 10.0**-exponent) * (n_labels - 1) / n_labels

    return st.fixed_dictionaries(
        {
            "label_noise": st.floats(0, 6).map(label_noise),
            "symbol_noise": per_level_of(n_levels, st.sampled_from([0.0, 0.0, 0.1, 0.9])),
        }
    )


@st.composite
def samplers_of_similar_classes(draw):
    """Draw samplers with two classes that differ in one of 2 n root images: tiny angles."""
    n = draw(st.integers(1, 12).map(lambda exponent: 2**exponent))
    X = [[0, 2]] * n + [[1, 2]] * (n - 1) + [[2, 0], [2, 1]]
    y = [1] * (2 * n - 1) + [-1] * 2
    k = draw(st.integers(1, 4))
    return HierarchicalSampler(1, patches_per_class=k, random_state=draw(seeds)).fit(X, y)


@st.composite
def theorem_1_settings(draw):
    """Draw (sampler, level, width, sigma, eta) with equally likely patches and several classes."""
    uniform = ("uniform",)
    sampler = draw(
        samplers(weights=uniform)
        | samplers(weights=uniform, noise=strong_noise)
        | samplers_of_similar_classes()
    )
    level = draw(st.integers(0, sampler.n_levels - 1))
    eta = draw(st.sampled_from([1e-3, 1.0]))
    sigma = draw(st.just(0.0) | st.floats(1e-3, 10))
    return sampler, level, draw(st.integers(1, 20)), sigma, eta


@st.composite
def well_separated_points(draw, least=0.5):
    """Draw (points, clusters, separation, diameter): clusters of 1 to 6 points on a line."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=8))
    diameter = draw(st.floats(0.0, 1.0))
    separation = draw(st.floats(least, 20))
    inside = [np.linspace(0, diameter, size) for size in sizes]
    starts = np.arange(len(sizes)) * (separation + diameter)
    points = np.concatenate([start + x for start, x in zip(starts, inside)])
    return points[:, None], np.repeat(np.arange(len(sizes)), sizes), separation, diameter
