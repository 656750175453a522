import numpy as np
import pytest
from numpy.testing import assert_allclose

from skhier import HierarchicalSampler
from skhier.datasets import make_random_hierarchy


@pytest.mark.parametrize("pixel", [None, 3, (0, 1, 2), (0.0, 1), (2, 0), (0, -1), "ab"])
def test_pixels_outside_the_level_are_refused(pixel):
    sampler = HierarchicalSampler(root_shape=(2, 3), random_state=0).fit()
    with pytest.raises(ValueError, match="is not valid at level 0: it takes the row, 0 to 1, and"):
        sampler.pair_frequencies(0, pixel)


def test_pairs_of_symbols_agree_with_sampled_strings():
    sampler = make_random_hierarchy(
        1, n_classes=3, vocabulary_size=4, n_synonyms=2, depth=2, corruption=0.1,
        return_X_y=False, random_state=0,
    ).sampler  # fmt: skip
    joint = sampler.pair_frequencies(2, (0, 3))[0]
    n = 200_000
    symbols = sampler.sample(n, return_latents=True)[2][-1][:, 0]
    for place in range(4):
        seen = np.bincount(4 * symbols[:, 3] + symbols[:, place], minlength=16).reshape(4, 4) / n
        assert (abs(seen - joint[place]) <= 5 * np.sqrt(joint[place] / n) + 1e-15).all()


def test_pixels_without_a_common_ancestor_are_as_dependent_as_in_the_root():
    # The root images are independent pixels, so pixels below different root pixels are too.
    X = np.array([[[a, b]] for a in range(2) for b in range(2)])
    sampler = HierarchicalSampler(
        2, n_semantic_classes=[2, 3], patches_per_class=2, patch_size=(1, 2), random_state=0
    ).fit(X, X[:, 0, 0])
    joint = sampler.pair_frequencies(1, (0, 0))
    marginal = sampler.statistics().levels[1].class_frequencies.mean(axis=0)
    independent = marginal[:, 0, 0][:, None] * marginal.transpose(1, 2, 0)[..., None, :]
    assert_allclose(joint[:, 2:], independent[:, 2:], atol=1e-15)
    assert abs(joint[:, 1] - independent[:, 1]).max() > 0.01
