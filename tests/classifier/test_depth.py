"""One layer instead of two, where leave-one-out errors prefer it."""

import numpy as np
import pytest
import torch
from callbacks import Recorder
from helpers import errors_without_an_image, first_minimum, moved_digits
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss

from skhier import LayerwiseCNNClassifier, PatchKMeansOrthogonalizer, TwoLayerConvEmbedder
from skhier.classifier._choosing import Choosers
from skhier.classifier._depth import depth_errors
from skhier.classifier._regularization import AUTO_ALPHAS

SMALL = {"n_clusters": 12, "mirror": False, "precision": "float32", "random_state": 0}


def make(**params):
    return LayerwiseCNNClassifier().set_params(**SMALL | params)


def dots(n, seed=0):
    """Return noisy images of a dot; the label is the color of its field of a chessboard."""
    rng = np.random.default_rng(seed)
    images = 0.03 * rng.standard_normal((n, 32, 32)).astype(np.float32)
    fields = rng.integers(4, size=(n, 2))
    for image, (row, column) in zip(images, 8 * fields):
        image[row + 3 : row + 5, column + 3 : column + 5] += 1
    return images, fields.sum(axis=1) % 2


def n_layers(X, y, **params):
    return len(make(**params).fit(X, y).layers_)


@pytest.mark.parametrize("in_groups", [False, True])
def test_errors_are_those_of_regressions_without_an_image_or_its_group(in_groups):
    rng = np.random.default_rng(0)
    y, weight = rng.integers(3, size=30), rng.uniform(0.3, 3, 30)
    two, one = rng.standard_normal((30, 1, 2, 5)), rng.standard_normal((30, 3, 2, 2))
    two[..., 0] += y[:, None, None]
    groups = np.arange(30) // 4 if in_groups else None
    choosers = Choosers(np.arange(30), y, torch.from_numpy(weight), groups)
    found = depth_errors(torch.from_numpy(two), torch.from_numpy(one), choosers)
    sets = np.arange(30) if groups is None else groups
    for errors, x in zip(found, (two, one)):
        x = x.reshape(30, -1)
        paths = [errors_without_an_image(x, y, weight, alpha, groups) for alpha in AUTO_ALPHAS]
        sums = [np.bincount(sets, errors) for errors in paths]
        assert_allclose(errors, first_minimum(sums), rtol=1e-6)


@pytest.mark.parametrize("head", ["ridge", "kernel"])
def test_one_layer_is_used_where_places_of_details_tell_the_label(head):
    X, y = dots(300)
    X_test, y_test = dots(300, seed=1)
    clf = make(head=head).fit(X, y)
    assert len(clf.layers_) == 1
    assert clf.shift_ == 0
    assert clf.score(X_test, y_test) > 0.98
    two = make(head=head, n_layers=2).fit(X, y)
    of_one, of_two = (log_loss(y_test, model.predict_proba(X_test)) for model in (clf, two))
    assert of_one < of_two / 2


def test_two_layers_are_used_where_what_is_seen_tells_the_label():
    X, y = moved_digits(150, 0)
    X_test, y_test = moved_digits(1000, 1)
    params = {"n_clusters": 24}
    one, two = (make(n_layers=n, **params).fit(X, y).score(X_test, y_test) for n in (1, 2))
    assert two > one + 0.03
    assert n_layers(X, y, **params) == 2


def test_few_small_images_have_one_layer_and_copies_do_not_count():
    X, y = load_digits().images, load_digits().target
    for n_images in (1, 3):
        few = np.concatenate([np.flatnonzero(y == label)[:n_images] for label in range(10)])
        rest = np.setdiff1d(np.arange(len(y)), few)[:500]
        clf = LayerwiseCNNClassifier(random_state=0).fit(X[few], y[few])
        two = clone(clf).set_params(n_layers=2).fit(X[few], y[few])
        assert clf.score(X[rest], y[rest]) > two.score(X[rest], y[rest]) + 0.05
        copies = few.repeat(9)
        assert len(clf.layers_) == len(clf.fit(X[copies], y[copies]).layers_) == 1
    assert len(clf.fit(X[:60], y[:60]).layers_) == 2  # 540 patches


@pytest.mark.parametrize("params", [{}, {"head": "kernel"}, {"shift": 1, "mirror": "auto"}])
@pytest.mark.parametrize(("data", "n"), [(dots, 1), (moved_digits, 2)])
def test_the_fit_is_that_of_the_choice(data, n, params):
    X, y = data(150, 0)
    clf = make(**params, n_clusters=24).fit(X, y)
    assert len(clf.layers_) == n
    given = clone(clf).set_params(n_layers=len(clf.layers_)).fit(X, y)
    assert_array_equal(clf.decision_function(X), given.decision_function(X))
    assert clf.output_shape_ == given.output_shape_ == clf.transform(X[:1]).shape[1:]
    assert (clf.mirror_, clf.shift_) == (given.mirror_, given.shift_)


def test_one_layer_of_large_images_has_few_pixels():
    X, y = dots(120)
    X = X.repeat(2, axis=1).repeat(2, axis=2)  # 64x64
    clf = make().fit(X, y)
    assert len(clf.layers_) == 1
    assert clf.output_shape_[:2] == (8, 8)
    given = make(n_layers=1).fit(X, y)
    assert_array_equal(clf.decision_function(X), given.decision_function(X))


def test_one_layer_is_exported():
    X, y = dots(120)
    clf = make().fit(X, y)
    scores = clf.to_torch()(torch.from_numpy(X[:, None])).detach().numpy()
    assert_allclose(scores[:, 0], clf.decision_function(X), atol=1e-4)


@pytest.mark.parametrize(
    ("params", "n"),
    [
        ({"n_clusters": [12, 12]}, 2),
        ({"n_clusters": [12]}, 1),
        ({"pool_size": [2, 2, 2]}, 3),
        ({"pool_size": (4, 4)}, 1),  # a pair, not a sequence
        ({"pool_size": 3}, 2),  # more than 8x8 pixels
        ({"n_components": [4, None]}, 2),
        ({"embedder": [TwoLayerConvEmbedder(), None]}, 2),
        ({"orthogonalizer": [PatchKMeansOrthogonalizer()] * 2}, 2),
        ({"n_layers": 2}, 2),
    ],
)
def test_sequences_tell_the_number_of_layers(params, n):
    X, y = dots(60)
    assert n_layers(X, y, **params) == n


@pytest.mark.parametrize("pool_size", [[2, 2, 2], []])
def test_sequences_of_several_lengths_are_refused(pool_size):
    X, y = dots(20)
    n = len(pool_size)
    with pytest.raises(ValueError, match=rf"pool_size=.* has {n} entries, but n_layers=2"):
        make(n_clusters=[12, 12], pool_size=pool_size).fit(X, y)


@pytest.mark.parametrize("n_layers", [0, None, 1.5, "two", "AUTO"])
def test_invalid_numbers_are_refused(n_layers):
    X, y = dots(20)
    with pytest.raises(ValueError, match="'n_layers' parameter of LayerwiseCNNClassifier"):
        make(n_layers=n_layers).fit(X, y)


def test_the_choice_depends_on_the_seed_alone_and_is_printed(capsys):
    X, y = dots(550)  # more than choose
    lines = []
    for random_state in (3, np.random.RandomState(3)):
        make(random_state=random_state, verbose=True).fit(X, y)
        printed = capsys.readouterr().out.splitlines()
        lines.append([line for line in printed if "left-out error" in line])
    assert lines[0] == lines[1]
    assert len(lines[0]) == 1
    assert "one layer is used: left-out error of one layer 0." in lines[0][0]


@pytest.mark.parametrize(("weight", "expected"), [(0.02, 2), (50, 1)])
def test_images_of_large_weight_decide(weight, expected):
    """One layer is better for the places of dots, two are for digits at any place."""
    X, y = dots(150)
    digits, digit_labels = moved_digits(150, 1)
    digits = np.kron(digits / 16, np.ones((2, 2)))
    X, y = np.concatenate([X, digits]), np.concatenate([y, 2 + digit_labels])
    clf = make().fit(X, y, sample_weight=np.repeat([weight, 1], 150))
    assert len(clf.layers_) == expected


def test_a_fit_that_is_stopped_after_a_layer_does_not_choose():
    X, y = dots(120)
    clf = make().set_callbacks(Recorder("layer 1")).fit(X, y)
    (block,) = clf.layers_
    assert block.embedder is not None
    assert clf.score(X, y) > 0.5


def test_a_pipeline_has_two_layers():
    names = [name for name, _ in make().to_pipeline().steps]
    assert names == ["orthogonalizer1", "embedder1", "orthogonalizer2", "flatten", "head"]
