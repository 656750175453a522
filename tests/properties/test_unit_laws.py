"""The scale and the offset of pixels change no prediction."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from skhier import LayerwiseCNNClassifier, PatchKMeansOrthogonalizer
from skhier._base import _device

FEW_EXAMPLES = max(5, settings.default.max_examples // 8)  # each example fits a classifier


def colors_and_labels(dtype):
    """Return images of three channels, integers 0 to 16, and labels of four classes."""
    digits = load_digits(n_class=4)
    X = np.stack([digits.images, digits.images[:, ::-1], 16 - digits.images], axis=3)
    return X[:240].astype(dtype), digits.target[:240]


def fit_first_part(X, y, **params):
    """Fit a classifier on two thirds of the images."""
    return LayerwiseCNNClassifier(n_clusters=[12, 16], random_state=0, **params).fit(
        X[:160], y[:160]
    )


@cache
def expected_scores(dtype, precision="auto"):
    """Return scores of a classifier of unchanged images."""
    X, y = colors_and_labels(dtype)
    return fit_first_part(X, y, precision=precision).decision_function(X)


def network_scores(clf, X):
    """Return the scores of the exported network."""
    network = clf.to_torch()
    images = torch.from_numpy(np.ascontiguousarray(X.transpose(0, 3, 1, 2)))
    return network(images).detach().numpy()


offsets = st.tuples(*[st.integers(-16 * 10**6, 16 * 10**6)] * 3)


@settings(max_examples=FEW_EXAMPLES)
@given(offsets, st.integers(-98, 98))
def test_exact_changes_of_offset_and_scale_change_no_score(offset, exponent):
    X, y = colors_and_labels(np.float64)
    other = np.ldexp(X + offset, exponent)
    scores = fit_first_part(other, y).decision_function(other)
    assert_array_equal(scores, expected_scores(np.float64))


@settings(max_examples=FEW_EXAMPLES)
@given(offsets, st.floats(1e-30, 1e30))
def test_offset_and_scale_change_no_prediction(offset, scale):
    X, y = colors_and_labels(np.float64)
    other = (X + offset) * scale
    expected, clf = expected_scores(np.float64), fit_first_part(other, y)
    scores = clf.decision_function(other)
    assert_allclose(scores, expected, atol=1e-4)
    assert_array_equal(clf.predict(other), clf.classes_[expected.argmax(axis=1)])
    assert_allclose(network_scores(clf, other), scores, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@settings(max_examples=FEW_EXAMPLES)
@given(st.tuples(*[st.integers(-(2**18), 2**18)] * 3), st.integers(-98, 90))  # up to 1e33
def test_exact_changes_of_float32_images_change_no_score(precision, offset, exponent):
    X, y = colors_and_labels(np.float32)
    other = np.ldexp(X + np.float32(offset), exponent)
    assert other.dtype == np.float32
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_device, "bfloat16_speed", lambda device: 2)
        clf = fit_first_part(other, y, precision=precision)
        scores = clf.decision_function(other)
        assert_array_equal(scores, expected_scores(np.float32, precision))
        error = np.abs(network_scores(clf, other) - scores)
    assert error.mean() < {"float32": 1e-4, "bfloat16": 0.02}[precision]


@settings(max_examples=FEW_EXAMPLES)
@given(st.sampled_from([np.int16, np.uint16]), st.data())
def test_offsets_of_16_bit_images_change_no_score(dtype, data):
    bounds = np.iinfo(dtype)
    X, y = colors_and_labels(np.float64)
    offset = data.draw(st.tuples(*[st.integers(bounds.min, bounds.max - 16)] * 3))
    other = (X + offset).astype(dtype)
    clf = fit_first_part(other, y, precision="float32")
    assert_array_equal(clf.decision_function(other), expected_scores(np.float32, "float32"))
    assert_array_equal(clf.predict(other), clf.predict(X + offset))


@settings(max_examples=FEW_EXAMPLES)
@given(st.floats(1e-30, 1e30), st.sampled_from([None, 0.1]))
def test_codes_do_not_depend_on_the_scale(scale, whiten_eps):
    X, _ = colors_and_labels(np.float64)
    params = {"n_clusters": 8, "whiten_eps": whiten_eps, "random_state": 0}
    codes = PatchKMeansOrthogonalizer(**params).fit_transform(X)
    assert_allclose(PatchKMeansOrthogonalizer(**params).fit_transform(X * scale), codes, atol=1e-6)


@pytest.mark.parametrize("value", [1e35, 1e-35])
def test_values_that_float32_cannot_square_are_refused(value):
    X, y = colors_and_labels(np.float32)
    with pytest.raises(ValueError, match=r"X has values .* Divide X by"):
        fit_first_part(X * np.float32(value), y)
    with pytest.raises(ValueError, match=r"X has values .* Divide X by"):
        PatchKMeansOrthogonalizer().fit(X * np.float32(value))


def test_images_of_another_scale_than_in_fit_are_refused():
    X, y = colors_and_labels(np.float32)
    clf = fit_first_part(X, y)
    for method in (clf.predict, clf.transform, clf.layers_[0].orthogonalizer.transform):
        with pytest.raises(ValueError, match="unit"):
            method(X * np.float32(1e20))
