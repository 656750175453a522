import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skhier import HierarchicalSampler
from skhier.datasets import make_random_hierarchy


def test_a_wrong_pixel_is_one_illegal_patch_and_its_ancestors_are_not_judged():
    sampler = HierarchicalSampler(random_state=0).fit()
    X, _ = sampler.sample(10)
    X[0, 0, 0] += 1
    validity = sampler.validity(X)
    assert_allclose(validity.patches, [1, 1 - 1 / 810])
    assert_allclose(validity.images, [0.9, 0.9])
    assert np.isnan(sampler.validity(np.zeros_like(X)).patches[0])
    symbols, _ = sampler.sample(10, output="symbols")
    assert sampler.validity(symbols=symbols).patches.shape == (1,)


def test_random_strings_are_legal_with_the_share_of_tuples_at_each_level():
    # m v of the v ** s tuples are legal, and the classes of legal random tuples are uniform.
    sampler = make_random_hierarchy(
        1, n_synonyms=3, depth=3, return_X_y=False, random_state=0
    ).sampler
    n, share = 40_000, 3 * 8 / 8**2
    symbols = np.random.default_rng(0).integers(8, size=(n, 8))
    validity = sampler.validity(symbols=symbols)
    n_tuples = n * np.array([share**6, 2 * share**2, 4])  # tested
    error = np.sqrt(share * (1 - share) / n_tuples)
    assert (abs(validity.patches - share) < 5 * error).all()
    expected = share ** np.array([7, 6, 4])
    assert (abs(validity.images - expected) < 5 * np.sqrt(expected / n)).all()


def test_patches_of_probability_0_are_illegal():
    sampler = HierarchicalSampler(
        1, patches_per_class=2, rule_weights=np.array([1.0, 0.0]), root="label", random_state=0
    ).fit()
    assert sampler.validity(sampler.patches_[0][:, 0]).patches == 1
    assert sampler.validity(sampler.patches_[0][:, 1]).patches == 0


def test_invalid_arguments_are_refused():
    sampler = HierarchicalSampler(random_state=0).fit()
    X, _ = sampler.sample(3)
    symbols, _ = sampler.sample(3, output="symbols")
    for args in ({}, {"X": X, "symbols": symbols}):
        with pytest.raises(ValueError, match="X and symbols exclude each other"):
            sampler.validity(**args)
    for wrong in (symbols[:, 1:], symbols[:0], symbols[0]):
        with pytest.raises(ValueError, match=r"symbols of shape .* \(n, 9, 9\)"):
            sampler.validity(symbols=wrong)
    with pytest.raises(ValueError, match=r"symbols of dtype float64 .* the integers 0 to 3"):
        sampler.validity(symbols=symbols.astype(float))
    for wrong in (4, -1):
        message = rf"symbols\[0, 0, 0\] is {wrong}, .* the integers 0 to 3; none may be unknown"
        with pytest.raises(ValueError, match=message):
            sampler.validity(symbols=np.full((1, 9, 9), wrong))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_the_type_of_symbols_changes_no_share(dtype):
    sampler = make_random_hierarchy(1, depth=2, return_X_y=False, random_state=0).sampler
    symbols = np.random.default_rng(0).integers(8, size=(500, 4))
    expected, validity = (sampler.validity(symbols=S) for S in (symbols, symbols.astype(dtype)))
    assert_array_equal(validity.patches, expected.patches)
    assert_array_equal(validity.images, expected.images)
