"""The comparison of methods: parts of data, scores, choices."""

import sys

import numpy as np
import pytest
from _cnn import CNNClassifier
from _methods import AsLongAs, Parts, compare, fit_and_score, load_parts, log_loss_of, make_parser
from _opponents import HOG, RBFSVM, Chosen, quarter
from kinds import parameter
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.svm import SVC


@pytest.mark.parametrize("validate", [False, True])
def test_no_group_is_on_both_sides(tmp_path, validate):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 6)
    arrays = dict(X=rng.random((120, 4, 4)), y=np.tile([0, 1, 2], 40), groups=groups)
    arrays["X"][:, 0, 0] = groups
    np.savez(tmp_path / "kind.npz", **arrays, train=groups < 12)
    parts = load_parts(tmp_path / "kind.npz", validate)
    learned, held = (set(X[:, 0, 0].astype(int)) for X in (parts.X, parts.X_held))
    assert learned | held == set(range(12 if validate else 20))
    assert not learned & held
    np.testing.assert_array_equal(parts.groups, parts.X[:, 0, 0])


@pytest.mark.parametrize("n_groups", [2, 3, 12])
def test_a_quarter_splits_no_group(n_groups):
    groups = np.repeat(np.arange(n_groups), 60 // n_groups)
    learned, chosen_on = quarter(np.tile([0, 1], 30), groups)
    assert not set(groups[learned]) & set(groups[chosen_on])
    assert len(set(groups[chosen_on])) == max(1, n_groups // 4)
    assert sorted([*learned, *chosen_on]) == list(range(60))


def test_validation_uses_no_held_out_image(tmp_path):
    np.savez(tmp_path / "data.npz", X=np.arange(100.0).reshape(100, 1, 1), y=np.arange(100))
    for validate, learned, held in (False, 80, range(80, 100)), (True, 70, range(70, 80)):
        parts = load_parts(tmp_path / "data.npz", validate)
        assert list(parts.y) == list(range(learned))
        assert list(parts.y_held) == list(held)
    assert list(load_parts(tmp_path / "data.npz", True, 5).y) == list(range(5))


def digits_parts():
    X, y = load_digits().images.astype(np.float32), load_digits().target
    return Parts(X[:200], y[:200], X[200:300], y[200:300], np.arange(200) // 2)


def test_the_time_of_a_choice_is_apart_from_the_fit():
    cnn = Chosen(CNNClassifier(n_epochs=1), {"learning_rate": [0.05, 0.1]})
    accuracy, balanced, loss, fit, choice, rate, _ = fit_and_score(cnn, digits_parts, seed=0)
    assert cnn.classifier_.random_state == 0
    assert (fit, choice) == (cnn.fit_seconds_, cnn.choice_seconds_)
    assert 0 <= accuracy <= 1
    assert 0 <= balanced <= 1
    assert min(loss, choice, rate) > 0


class Parity(ClassifierMixin, BaseEstimator):
    """Classifier that is right about even numbers with a = 2, and about odd ones with b = 1.

    It counts its fits.
    """

    n_fits = 0

    def __init__(self, a=0, b=0):
        self.a = a
        self.b = b

    def fit(self, X, y):
        type(self).n_fits += 1
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        is_right = np.where(X[:, 0] % 2, self.b == 1, self.a == 2)
        return np.where(is_right, X[:, 0] // 2 % 2, -1)


def test_parameters_are_chosen_one_after_another():
    X = np.arange(80)[:, None]
    y = X[:, 0] // 2 % 2
    chosen = Chosen(Parity(), {"a": [1, 2, 3], "b": [0, 1]}).fit(X, y)
    assert chosen.params_ == {"a": 2, "b": 1}
    assert chosen.score(X, y) == 1
    assert Parity.n_fits == 3 + 1 + 1  # values of a, other values of b, the final fit


def test_log_loss_is_that_of_scikit_learn_and_knows_labels_that_were_not_learned():
    p = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    classes = np.array([1, 4])
    assert log_loss_of(classes, p, np.array([1, 4, 1])) == pytest.approx(log_loss([0, 1, 0], p))
    unknown = log_loss_of(classes, p, np.array([1, 5, 0]))
    assert unknown == pytest.approx(-(np.log(0.2) + 2 * np.log(1e-15)) / 3)


def test_the_svm_is_that_of_scikit_learn():
    X, y, X_held, *_ = digits_parts()
    rows, rows_held = (images.reshape(len(images), -1).astype(float) for images in (X, X_held))
    ours, svc = RBFSVM(C=3).fit(rows, y), SVC(C=3).fit(rows, y)
    np.testing.assert_array_equal(ours.predict(rows_held), svc.predict(rows_held))
    expected = svc.decision_function(rows_held)
    np.testing.assert_allclose(ours.decision_function(rows_held), expected, atol=1e-3)


def test_hog_without_scikit_image_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    with pytest.raises(ImportError, match="pip install scikit-image, or leave"):
        HOG().fit(np.zeros((2, 8, 8)))


def test_the_time_of_a_method_that_does_not_run_before_is_refused():
    methods = {"fast": AsLongAs("slow", 3, CNNClassifier), "slow": RBFSVM()}
    options = make_parser("", methods, data=None).parse_args([])
    with pytest.raises(SystemExit, match=r"'fast' trains as long as 'slow', which must be named"):
        compare(methods, {"digits": digits_parts}, options)


@pytest.mark.parametrize(
    ("text", "value"), [("a=0.5", 0.5), ("a=[3, 'x']", [3, "x"]), ("a=kernel", "kernel")]
)
def test_parameters_of_the_command_line(text, value):
    assert parameter(text) == ("a", value)
