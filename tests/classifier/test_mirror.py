"""Features averaged over an image and its mirror image, where leave-one-out errors prefer it."""

import numpy as np
import pytest
import torch
from helpers import errors_without_an_image, first_minimum
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits

from skhier import LayerwiseCNNClassifier
from skhier.classifier._choosing import Choosers
from skhier.classifier._mirror import mirror_errors
from skhier.classifier._regularization import AUTO_ALPHAS

SMALL = {"n_layers": 1, "n_clusters": 24, "pool_size": 4, "shift": 0, "precision": "float32"}


def make(**params):
    return LayerwiseCNNClassifier(**SMALL | {"random_state": 0} | params)


def turned_digits(n, seed=0):
    """Return digits, half of them mirrored, their labels, and which ones are mirrored."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    chosen, is_turned = rng.permutation(len(X))[:n], rng.random(n) < 0.5
    X = X[chosen].reshape(n, 8, 8).astype(np.float32)
    return np.where(is_turned[:, None, None], X[:, :, ::-1], X), y[chosen], is_turned


def random_features(n=30):
    rng = np.random.default_rng(n)
    y = rng.integers(3, size=n)
    features, mirrored = rng.standard_normal((2, n, 2, 2, 3))
    features[..., 0] += y[:, None, None]
    features[:, 0, 0, 2] = 5  # constant
    return features, mirrored, y, rng.uniform(0.3, 3, n)


def errors_of(features, mirrored, y, weight, groups=None):
    choosers = Choosers(np.arange(len(y)), y, torch.from_numpy(weight), groups)
    return mirror_errors(torch.from_numpy(features), torch.from_numpy(mirrored), choosers)


def test_errors_are_those_of_regressions_without_an_image():
    features, mirrored, y, weight = random_features()
    found = errors_of(features, mirrored, y, weight)
    for errors, x in zip(found, (features, (features + mirrored) / 2)):
        x = x.reshape(len(x), -1)
        paths = [errors_without_an_image(x, y, weight, alpha) for alpha in AUTO_ALPHAS]
        assert_allclose(errors, first_minimum(paths), rtol=1e-6)


def test_errors_of_copies_are_those_of_one_image_of_their_weight():
    features, mirrored, y, weight = random_features()
    twice = np.repeat(np.arange(len(y)), 2)
    copies = (x[twice] for x in (features, mirrored, y, weight / 2))
    for found, expected in zip(errors_of(*copies), errors_of(features, mirrored, y, weight)):
        assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("is_other_label", [False, True])
def test_an_image_and_its_mirror_image_are_left_out_together_if_labels_agree(is_other_label):
    features, mirrored, y, weight = random_features()
    both = np.concatenate([features, mirrored]), np.concatenate([mirrored, features])
    labels = np.concatenate([y, (y + is_other_label) % 3])
    plain, averaged = errors_of(*both, labels, np.tile(weight, 2))
    assert len(plain) == len(averaged) == len(y) * (1 + is_other_label)
    if is_other_label:  # no function of the averages tells a pair apart
        assert averaged.sum() > plain.sum()


def test_mirror_images_are_averaged_where_they_have_the_same_label():
    X, y, _ = turned_digits(800)
    X, X_test, y, y_test = X[:300], X[300:], y[:300], y[300:]
    clf = make().fit(X, y)
    assert clf.mirror_
    assert clf.score(X_test, y_test) > make(mirror=False).fit(X, y).score(X_test, y_test)


@pytest.mark.parametrize("has_pairs", [False, True])
def test_mirror_images_are_not_averaged_where_their_labels_differ(has_pairs):
    X, _, is_turned = turned_digits(200)
    if has_pairs:
        X = np.concatenate([X, X[:, :, ::-1]])
        is_turned = np.concatenate([is_turned, ~is_turned])
    assert not make().fit(X, is_turned).mirror_


def test_mirror_images_are_not_averaged_where_they_do_not_occur():
    X, y = load_digits(return_X_y=True)
    assert not make().fit(X[:300].reshape(-1, 8, 8), y[:300]).mirror_


@pytest.mark.parametrize("params", [{}, {"head": "kernel"}, {"shift": 1}, {"n_layers": 2}])
def test_the_fit_is_that_of_the_choice(params):
    X, y, _ = turned_digits(200)
    clf = make(**params).fit(X, y)
    given = clone(clf).set_params(mirror=clf.mirror_).fit(X, y)
    assert_array_equal(clf.decision_function(X), given.decision_function(X))


def test_plain_vectors_have_no_mirror_images():
    X, y = load_digits(return_X_y=True)
    clf = LayerwiseCNNClassifier(n_layers=1, n_clusters=8, random_state=0).fit(X[:100], y[:100])
    assert clf.mirror_ is False


def test_the_choice_depends_on_the_seed_alone(capsys):
    X, y, _ = turned_digits(700)  # more than choose
    lines = []
    for random_state in (3, np.random.RandomState(3)):
        make(random_state=random_state, verbose=True).fit(X, y)
        lines.append(
            [line for line in capsys.readouterr().out.splitlines() if "mirror images are" in line]
        )
    assert lines[0] == lines[1]
    assert len(lines[0]) == 1
    assert "mirror images are averaged: left-out error" in lines[0][0]


@pytest.mark.parametrize(("weight", "mirror"), [(0.02, False), (50, True)])
def test_images_of_large_weight_decide(weight, mirror):
    """Mirror images help to tell digits of both directions, not the brighter side of an image."""
    digits, y, _ = turned_digits(120)
    rng = np.random.default_rng(1)
    sides, is_right = rng.standard_normal((120, 8, 8)).astype(np.float32), rng.random(120) < 0.5
    sides[~is_right, :, :4] += 4
    sides[is_right, :, 4:] += 4
    X, y = np.concatenate([digits, sides]), np.concatenate([y, 10 + is_right])
    clf = make().fit(X, y, sample_weight=np.repeat([weight, 1], 120))
    assert clf.mirror_ is mirror


@pytest.mark.parametrize("weight", [2.0**-40, 2.0**40])
def test_any_unit_of_weights_is_allowed(weight):
    X, y, _ = turned_digits(60)
    assert make().fit(X, y, sample_weight=np.full(60, weight)).mirror_ in (False, True)


@pytest.mark.parametrize("mirror", [None, 2, "yes", "True"])
def test_invalid_values_are_refused(mirror):
    X, y, _ = turned_digits(20)
    with pytest.raises(ValueError, match="'mirror' parameter of LayerwiseCNNClassifier"):
        make(mirror=mirror).fit(X, y)


def test_a_pipeline_has_no_mirror_images():
    with pytest.raises(ValueError, match="mirror=True is no step of a pipeline"):
        make(mirror=True).to_pipeline()
    assert make(mirror="auto").to_pipeline()


def test_errors_of_groups_are_those_of_regressions_without_the_group():
    features, mirrored, y, weight = random_features()
    groups = np.arange(len(y)) // 4
    found = errors_of(features, mirrored, y, weight, groups)
    for errors, x in zip(found, (features, (features + mirrored) / 2)):
        x = x.reshape(len(x), -1)
        paths = [errors_without_an_image(x, y, weight, alpha, groups) for alpha in AUTO_ALPHAS]
        sums = [np.bincount(groups, errors) for errors in paths]
        assert_allclose(errors, first_minimum(sums), rtol=1e-6)
