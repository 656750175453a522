"""Algorithm 1 with grouped codes: patches of upper layers are tuples of one-hot groups."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skhier import HierarchicalSampler, LayerwiseCNNClassifier
from skhier.datasets import make_random_hierarchy
from skhier.theory import certify_classifier


def make_classifier(n_clusters, patch_size, n_layers, n_components, **params):
    params = {"embedder__solver": "kmeans", "random_state": 0} | params
    return LayerwiseCNNClassifier.algorithm_1(
        n_clusters, patch_size, n_layers, n_components=n_components, **params
    )


def make_sampler(depth, seed=0):
    """Return a model of four classes, each with four 2x2 patches, at each level."""
    return HierarchicalSampler(
        depth, patches_per_class=4, patch_size=2, root_shape=(2, 2), min_lambda=0.03,
        random_state=seed,
    ).fit()  # fmt: skip


@pytest.mark.parametrize(("depth", "n_images"), [(2, 1000), (3, 1000), (4, 4000)])
def test_grouped_codes_leave_no_error_on_new_images(depth, n_images):
    X, y = make_sampler(depth).sample(n_images + 2000)
    train, held_out = (X[:n_images], y[:n_images]), (X[n_images:], y[n_images:])
    assert make_classifier(16, 2, depth, 4).fit(*train).score(*held_out) == 1.0


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_groups_by_counts_leave_no_error_after_125_images(depth):
    # Class means need 250, 1,000 and 2,000 images of these models.
    X, y = make_sampler(depth).sample(2125)
    clf = make_classifier(16, 2, depth, [4] * depth, embedder__solver="counts")
    assert clf.fit(X[:125], y[:125]).score(X[125:], y[125:]) == 1.0
    by_means = make_classifier(16, 2, depth, [4] * depth).fit(X[:125], y[:125])
    assert by_means.score(X[125:], y[125:]) < 0.9


def patches_of_size_2(images):
    """Return the 2x2 patches of images (n, H, W, C) that do not overlap, as rows."""
    n, height, width, channels = images.shape
    windows = images.reshape(n, height // 2, 2, width // 2, 2, channels).swapaxes(2, 3)
    return windows.reshape(-1, 4 * channels)


def test_layers_undo_the_levels_of_the_model():
    depth = 3
    sampler = make_sampler(depth)
    X, y, latents = sampler.sample(1500, return_latents=True)
    clf = make_classifier(16, 2, depth, [4] * depth).fit(X[:1000], y[:1000])
    images = X[..., None]
    for layer, level in zip(clf.layers_, reversed(latents)):
        assert len(np.unique(patches_of_size_2(images), axis=0)) == 16
        images = layer.embedder.transform(layer.orthogonalizer.transform(images))
        assert_array_equal(np.sort(images, axis=-1)[..., -2:], np.full((*level.shape, 2), [0, 1]))
        found = images.argmax(axis=-1)
        pairs = np.unique(np.stack([found, level], axis=-1).reshape(-1, 2), axis=0)
        assert len(pairs) == len(np.unique(level)) == 4  # a bijection of groups and classes
    assert clf.score(X[1000:], y[1000:]) == 1.0


def test_certificates_hold_for_grouped_codes():
    sampler = make_sampler(2)
    X, y = sampler.sample(1000)
    certificates = certify_classifier(make_classifier(16, 2, 2, 4).fit(X, y), X, y, sampler=sampler)
    assert certificates.holds
    (embedded,) = [layer for layer in certificates if layer.within is not None]
    assert embedded.within == 0
    assert_allclose(embedded.between, np.sqrt(2))


def test_a_random_hierarchy_is_learned_from_4000_images_and_not_from_100():
    X, y = make_random_hierarchy(6000, n_synonyms=4, depth=3, random_state=0)
    clf = make_classifier(32, (1, 2), 3, 8).fit(X[:4000], y[:4000])
    assert clf.score(X[4000:], y[4000:]) == 1.0
    assert make_classifier(32, (1, 2), 3, 8).fit(X[:100], y[:100]).score(X[4000:], y[4000:]) < 0.5


def test_the_exported_network_has_the_scores_of_the_classifier():
    X, y = make_sampler(3).sample(1200)
    clf = make_classifier(16, 2, 3, 4).fit(X[:1000], y[:1000])
    scores = clf.to_torch()(torch.from_numpy(X[:, None])).detach().numpy()[:, 0]
    assert_allclose(scores, clf.decision_function(X), rtol=1e-4, atol=1e-4)
