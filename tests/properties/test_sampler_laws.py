import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import samplers, seeds


@given(samplers(), seeds)
def test_inverse_transform_recovers_the_semantic_images(sampler, seed):
    X, y, latents = sampler.sample(20, random_state=seed, return_latents=True)
    assert_array_equal(sampler.inverse_transform(X), latents[0])
    assert_array_equal(sampler.inverse_transform(sampler.transform(latents[0])), latents[0])
    assert set(y) <= set(sampler.classes_)


@given(samplers())
def test_sets_of_patches_are_disjoint_and_of_size_k(sampler):
    for table, k in zip(sampler.patches_, sampler.patches_per_class):
        rows = table.reshape(-1, table.shape[2] * table.shape[3])
        assert table.shape[1] == k
        assert len(np.unique(rows, axis=0)) == len(rows)


@given(samplers(), seeds, st.integers(1, 400))
def test_samples_are_prefixes_of_longer_ones(sampler, seed, n):
    X, y = sampler.sample(400, random_state=seed)
    shorter, labels = sampler.sample(n, random_state=seed)
    assert_array_equal(shorter, X[:n])
    assert_array_equal(labels, y[:n])


@given(samplers(), seeds)
def test_transform_is_a_function_of_each_semantic_image(sampler, seed):
    _, _, latents = sampler.sample(12, random_state=seed, return_latents=True)
    order = np.random.default_rng(seed).permutation(12)
    images = sampler.transform(latents[0])
    assert_array_equal(sampler.transform(latents[0][order]), images[order])
    assert_array_equal(sampler.transform(latents[0][3:4]), images[3:4])
