"""Symbols and types of samples, and samples drawn again from a level on."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skhier import HierarchicalSampler
from skhier.datasets import make_random_hierarchy


def test_symbols_of_named_classes_are_refused_and_tokens_are_their_indices():
    sampler = HierarchicalSampler(1, random_state=0).fit([["a", "b"], ["b", "c"]], [0, 1])
    with pytest.raises(ValueError, match=r"output='symbols' .* the classes \['a', 'b', 'c'\]"):
        sampler.sample(20, output="symbols")
    _, _, (latents,) = sampler.sample(20, random_state=1, return_latents=True)
    tokens, _ = sampler.to_torch_dataset(20, layout="tokens", random_state=1)[range(20)]
    assert_array_equal(sampler.semantic_classes_[tokens], latents[:, 0])


def test_bytes_hold_symbols_after_noise_by_a_matrix():
    matrix = np.random.default_rng(0).dirichlet(np.ones(40), size=40)
    sampler = HierarchicalSampler(
        n_semantic_classes=40, patch_size=(1, 2), patches_per_class=3, root="label", n_labels=40,
        symbol_noise=[0.0, matrix], random_state=0,
    ).fit()  # fmt: skip
    symbols, _ = sampler.sample(1000, output="symbols")
    assert_array_equal(symbols, sampler.sample(1000, return_latents=True)[2][1][:, 0])


def test_all_ways_to_draw_take_the_same_options():
    sampler = make_random_hierarchy(1, return_X_y=False, random_state=0).sampler
    options = {"output": "symbols", "dtype": np.int16, "replace": False}
    X, y = sampler.sample(100, first=50, **options)
    batches = list(sampler.iter_batches(100, 33, first=50, **options))
    lazy_X, lazy_y = sampler.to_dask(100, 33, first=50, **options)
    assert lazy_X.dtype == X.dtype == np.int16
    for drawn in (
        sampler.sample_at(range(50, 150), **options),
        [np.concatenate(parts) for parts in zip(*batches)],
        [lazy_X.compute(scheduler="sync"), lazy_y.compute(scheduler="sync")],
    ):
        assert_array_equal(drawn[0], X)
        assert_array_equal(drawn[1], y)
    # 'auto' chunks count bytes.
    assert 60e6 < sampler.to_dask(10**8, output="symbols")[0].blocks[0].nbytes < 70e6


def test_symbols_have_the_smallest_type_that_holds_all_classes():
    for n_classes, dtype in [(256, np.uint8), (257, np.uint16)]:
        sampler = HierarchicalSampler(
            1, n_semantic_classes=n_classes, patches_per_class=1, patch_size=1, root_shape=(3, 3),
            random_state=0,
        ).fit()  # fmt: skip
        assert sampler.sample(1, output="symbols")[0].dtype == dtype
    with pytest.raises(ValueError, match=r"dtype='int8' is not valid .* classes 0 to 256"):
        sampler.sample(1, output="symbols", dtype="int8")


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float64, ">f4"])
def test_pixels_have_the_given_type_if_it_holds_them_exactly(dtype):
    sampler = make_random_hierarchy(1, return_X_y=False, random_state=0).sampler
    X, _ = sampler.sample(50)
    same, _ = sampler.sample(50, dtype=dtype)
    assert same.dtype == np.dtype(dtype).newbyteorder("=")
    assert_array_equal(same, X)


def test_types_that_change_values_are_refused():
    gaussian = HierarchicalSampler(random_state=0).fit()
    noisy = HierarchicalSampler(pixel_patches="one_hot", n_channels=14, pixel_noise=0.1).fit()
    assert gaussian.sample(2, dtype=np.float64)[0].dtype == np.float64
    for dtype in (np.float16, np.uint8, bool, complex, str, "tokens", 3):
        with pytest.raises(ValueError, match=r"dtype=.* is not valid"):
            gaussian.sample(2, dtype=dtype)
    for dtype in (np.float16, np.uint8):
        with pytest.raises(ValueError, match="float32 or float64 for noisy pixels"):
            noisy.sample(2, dtype=dtype)
    for dtype in (float, bool, complex, "U1"):
        with pytest.raises(ValueError, match=r"dtype=.* it takes a type of ints that"):
            gaussian.sample(2, output="symbols", dtype=dtype)
    with pytest.raises(ValueError, match=r"output='tokens' is not valid: .*'pixels'"):
        gaussian.sample(2, output="tokens")
    with pytest.raises(ValueError, match="first=-1 is not valid"):
        gaussian.sample(2, first=-1)
    with pytest.raises(ValueError, match="replace=0 is not valid"):
        gaussian.sample(2, replace=0)


def test_resampled_patches_are_independent_of_the_old_ones():
    k = 4
    sampler = HierarchicalSampler(2, patches_per_class=k, random_state=0).fit()
    n = 4000
    old = sampler.parse_patches(sampler.sample(n)[0])
    for level in range(2):
        new = sampler.parse_patches(sampler.resample(range(n), level, 7)[0])
        for i in range(level):
            assert_array_equal(new[i], old[i])
        for i in range(level, 2):
            pairs = k * (old[i] % k)[:, 0, 0] + (new[i] % k)[:, 0, 0]
            counts, df = np.bincount(pairs, minlength=k * k), k * k - 1
            chi2 = ((counts - n / k**2) ** 2 / (n / k**2)).sum()
            assert chi2 < df + 5 * np.sqrt(2 * df)


def test_strings_drawn_without_replacement_can_be_resampled():
    sampler = make_random_hierarchy(1, return_X_y=False, random_state=0).sampler
    options = {"output": "symbols", "replace": False, "return_latents": True}
    _, y, latents = sampler.sample(200, **options)
    symbols, labels, new = sampler.resample(range(200), 2, 1, **options)
    assert_array_equal(labels, y)
    assert_array_equal(new[2], latents[2])
    assert not np.array_equal(new[3], latents[3])
    assert_array_equal(symbols, new[-1][:, 0])
    assert (sampler.validity(symbols=symbols).images == 1).all()


def test_transitions_can_be_resampled():
    transitions = [np.eye(4), np.full((4, 4), 1 / 4)]
    sampler = HierarchicalSampler(3, patch_size=(1, 2), root="label", n_labels=4,
                                  transitions=transitions, random_state=0).fit()  # fmt: skip
    symbols, y = sampler.sample(2000, output="symbols")
    new, labels, latents = sampler.resample(
        range(2000), 1, 5, output="symbols", return_latents=True
    )
    assert_array_equal(labels, y)
    assert_array_equal(latents[1][:, 0], np.stack([y, y], axis=1))
    assert abs((new == symbols).mean() - 1 / 4) < 5 * np.sqrt(3 / 16 / symbols.size)
    assert_array_equal(sampler.validity(symbols=symbols).images, [1, 1])


def test_invalid_arguments_of_resample_are_refused():
    sampler = HierarchicalSampler(random_state=0).fit()
    for level, options in [(2, {}), (-1, {}), (1, {"output": "symbols"})]:
        with pytest.raises(ValueError, match=f"level={level} is not valid"):
            sampler.resample([0], level, 1, **options)
    with pytest.raises(ValueError, match="new_random_state=None is not valid"):
        sampler.resample([0], 0, None)
    with pytest.raises(ValueError, match="new_random_state=0 gives the seed of the samples"):
        sampler.resample([0], 0, 0)
    with pytest.raises(ValueError, match="indices of shape"):
        sampler.resample([-1], 0, 1)
