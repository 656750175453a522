import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import samplers, seeds


@given(samplers(), seeds)
def test_parse_recovers_every_level(sampler, seed):
    X, y, latents = sampler.sample(20, random_state=seed, return_latents=True)
    for parsed, latent in zip(sampler.parse(X), latents, strict=True):
        assert_array_equal(parsed, latent)
    assert_array_equal(sampler.inverse_transform(sampler.transform(latents[0])), latents[0])
    assert set(y) <= set(sampler.classes_)


@given(samplers())
def test_sets_of_patches_are_disjoint_and_of_size_k(sampler):
    for table, k in zip(sampler.patches_, sampler.patches_per_class):
        rows = table.reshape(len(table) * k, -1)
        assert table.shape[1] == k
        assert len(np.unique(rows, axis=0)) == len(rows)


@given(samplers(noisy=True), seeds)
def test_each_level_is_larger_by_the_patch_size(sampler, seed):
    X, y, latents = sampler.sample(3, random_state=seed, return_latents=True)
    shapes = sampler.level_shapes_
    for upper, lower, table in zip(shapes, shapes[1:], sampler.patches_):
        assert lower == tuple(np.multiply(upper, table.shape[2:4]))
    assert X.shape == (3, *shapes[-1], 4)
    assert y.shape == (3,)
    assert [level.shape for level in latents] == [(3, *shape) for shape in shapes[:-1]]


@given(samplers(noisy=True), seeds, st.integers(1, 400), st.sampled_from([1, 2]))
def test_a_sample_depends_on_seed_and_index_only(sampler, seed, batch_size, n_jobs):
    X, y = sampler.sample(400, random_state=seed)
    sampler.set_params(n_jobs=n_jobs)
    batches = list(sampler.iter_batches(400, batch_size, random_state=seed))
    assert_array_equal(np.concatenate([X for X, _ in batches]), X)
    assert_array_equal(np.concatenate([y for _, y in batches]), y)
    indices = np.random.default_rng(seed).integers(400, size=batch_size)
    drawn, labels = sampler.sample_at(indices, random_state=seed)
    assert_array_equal(drawn, X[indices])
    assert_array_equal(labels, y[indices])


@given(samplers(noisy=True), seeds)
def test_transform_is_a_function_of_each_semantic_image(sampler, seed):
    _, _, latents = sampler.sample(12, random_state=seed, return_latents=True)
    order = np.random.default_rng(seed).permutation(12)
    images = sampler.transform(latents[0])
    assert_array_equal(sampler.transform(latents[0][order]), images[order])
    assert_array_equal(sampler.transform(latents[0][3:4]), images[3:4])


@given(samplers(noisy=True))
def test_frequencies_are_probabilities(sampler):
    for level in sampler.statistics().levels:
        assert_allclose(level.class_frequencies.sum(axis=1), 1)
        assert level.class_frequencies.min() >= 0
        assert_allclose(level.labeled_frequencies.sum(axis=0), 0, atol=1e-12)
        assert level.delta_min >= 0
        assert level.theta <= np.pi + 1e-12
        assert level.min_abs_sin <= np.sin(min(level.theta, np.pi / 2)) + 1e-12


@given(samplers(noisy=True), seeds)
def test_posteriors_are_probabilities_and_positive_for_the_drawn_classes(sampler, seed):
    X, _, latents = sampler.sample(20, random_state=seed, return_latents=True)
    assert np.isfinite(sampler.score_samples(X)).all()
    assert_allclose(sampler.bayes_predict_proba(X).sum(axis=1), 1)
    for i, latent in enumerate(latents):
        p = sampler.posterior(X, level=i)
        assert_allclose(p.sum(axis=-1), 1)
        drawn = np.searchsorted(sampler.semantic_classes_, latent) if i == 0 else latent
        assert np.take_along_axis(p, drawn[..., None], axis=-1).min() > 0


@given(samplers(), seeds)
def test_posteriors_of_clean_images_are_certain(sampler, seed):
    X, y, latents = sampler.sample(10, random_state=seed, return_latents=True)
    for i, latent in enumerate(latents):
        p = sampler.posterior(X, level=i)
        assert_array_equal(p.argmax(axis=-1), latent)
        assert_allclose(p.max(axis=-1), 1)
    assert_array_equal(sampler.bayes_predict(X), y)


@given(samplers(noisy=True), seeds)
def test_inference_is_a_function_of_each_image(sampler, seed):
    X, _ = sampler.sample(20, random_state=seed)
    log_p, p = sampler.score_samples(X), sampler.posterior(X)
    assert_allclose(sampler.score_samples(X[::-1])[::-1], log_p, rtol=1e-9)
    # Rounding grows with the inverse variance of pixel noise, here up to 10^6.
    assert_allclose(sampler.posterior(X[7:8]), p[7:8], atol=1e-7)


@given(samplers(noisy=True), st.data())
def test_pair_frequencies_are_expected_products_of_two_indicators(sampler, data):
    level = data.draw(st.integers(0, sampler.n_levels - 1))
    height, width = sampler.level_shapes_[level]
    pixels = st.tuples(st.integers(0, height - 1), st.integers(0, width - 1))
    first, second = data.draw(pixels), data.draw(pixels)
    frequencies = sampler.statistics().levels[level].class_frequencies
    n_classes = frequencies.shape[1]
    joint = sampler.pair_frequencies(level, first)
    # Statistics are given the observed label; all labels are equally likely before label noise.
    assert_allclose(joint.sum(axis=2), frequencies.mean(axis=0).transpose(1, 2, 0), atol=1e-12)
    assert_allclose(joint[second], sampler.pair_frequencies(level, second)[first].T, atol=1e-14)
    a = data.draw(st.integers(0, n_classes - 1))
    factors = np.ones((n_classes, n_classes, height, width))
    factors[:, :, *second] = np.eye(n_classes)
    factors[:, np.arange(n_classes) != a, *first] = 0
    expected = sampler.expected_product(level, factors).mean(axis=0)
    assert_allclose(joint[second][a], expected, atol=1e-12)
