import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import samplers, seeds


@given(samplers(noisy=True), seeds, st.sampled_from([1, 2]))
def test_symbols_are_the_classes_of_the_last_level(sampler, seed, n_jobs):
    _, y, latents = sampler.sample(300, random_state=seed, return_latents=True)
    sampler.set_params(n_jobs=n_jobs)
    symbols, labels, same = sampler.sample(
        300, random_state=seed, output="symbols", return_latents=True
    )
    height, width = sampler.level_shapes_[-2]
    assert symbols.shape == ((300, width) if height == 1 else (300, height, width))
    assert symbols.dtype == np.uint8
    assert_array_equal(symbols.reshape(300, height, width), latents[-1])
    assert_array_equal(labels, y)
    for level, expected in zip(same, latents, strict=True):
        assert_array_equal(level, expected)


@given(samplers(noisy=True), seeds, st.data())
def test_resampled_levels_are_fresh_and_all_others_stay(sampler, seed, data):
    level = data.draw(st.integers(0, sampler.n_levels - 1))
    indices = np.random.default_rng(seed).integers(1000, size=30)
    X, y, latents = sampler.sample_at(indices, random_state=seed, return_latents=True)
    new_X, new_y, new_latents = sampler.resample(
        indices, level, (seed + 1) % 2**32, random_state=seed, return_latents=True
    )
    assert_array_equal(new_y, y)
    for old, new in zip(latents[: level + 1], new_latents):
        assert_array_equal(new, old)
    assert new_X.shape == X.shape
    again, _ = sampler.resample(indices[::-1], level, (seed + 1) % 2**32, random_state=seed)
    assert_array_equal(again[::-1], new_X)


def possible_classes(sampler, symbols, level, row, column, counts):
    """Possible classes of a pixel by recursion; count tested and legal patches at each level."""
    if level == sampler.n_levels - 1:
        return {int(symbols[row, column])}
    table, weights = sampler.patches_[level], sampler.rule_weights_[level]
    p, q = table.shape[2:4]
    children = {
        (u, v): possible_classes(sampler, symbols, level + 1, row * p + u, column * q + v, counts)
        for u, v in np.ndindex(p, q)
    }
    if not all(children.values()):
        return set()
    classes = {
        c
        for c, j in np.ndindex(table.shape[:2])
        if weights[c, j] > 0 and all(table[c, j, u, v] in s for (u, v), s in children.items())
    }
    counts[level] += [1, len(classes) > 0]
    return classes


@given(samplers(noisy=True), seeds, st.sampled_from([0.0, 0.1, 1.0]), st.sampled_from([1, 2]))
def test_shares_are_those_of_a_recursion_over_all_patches(sampler, seed, noise, n_jobs):
    n = 6
    symbols, _ = sampler.sample(n, random_state=seed, output="symbols")
    rng = np.random.default_rng(seed)
    is_new = rng.random(symbols.shape) < noise
    n_classes = len(sampler.patches_[-1])
    symbols = np.where(is_new, rng.integers(n_classes, size=symbols.shape), symbols)
    images = symbols.reshape(n, *sampler.level_shapes_[-2])
    counts = np.zeros((n, sampler.n_levels - 1, 2), int)
    for image, of_image in zip(images, counts):
        for row, column in np.ndindex(*sampler.level_shapes_[0]):
            possible_classes(sampler, image, 0, row, column, of_image)
    tested, legal = counts.sum(axis=0).T
    shares = [a / b if b else np.nan for a, b in zip(legal, tested)]
    validity = sampler.set_params(n_jobs=n_jobs).validity(symbols=symbols)
    assert_allclose(validity.patches, shares, atol=1e-15)
    n_pixels = [np.prod(shape) for shape in sampler.level_shapes_[: sampler.n_levels - 1]]
    assert_allclose(validity.images, (counts[:, :, 1] == n_pixels).mean(axis=0))
    assert_array_equal(sampler.validity(symbols=images).images, validity.images)


@given(samplers(), seeds)
def test_clean_samples_are_legal(sampler, seed):
    X, _ = sampler.sample(10, random_state=seed)
    validity = sampler.validity(X)
    assert_array_equal(validity.patches, np.ones(sampler.n_levels))
    assert_array_equal(validity.images, np.ones(sampler.n_levels))
