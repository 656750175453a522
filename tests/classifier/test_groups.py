"""Groups of samples, such as photographs of one person: what they change, routing, errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_digits
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, GroupKFold, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhier import KernelRidgeHead, LayerwiseCNNClassifier, RidgeHead, TwoLayerConvEmbedder
from skhier.classifier import _kernel_head

STOPPED = TwoLayerConvEmbedder(
    3, solver="adam", early_stopping=True, validation_fraction=0.3, max_iter=60, random_state=0
)


def small(**params):
    """Return a classifier of one layer that learns fast."""
    params = {"n_layers": 1, "n_clusters": 8, "pool_size": 4, "random_state": 0} | params
    return LayerwiseCNNClassifier(**params)


def persons(n_persons, n_photographs=5, n_features=30, seed=0):
    """Return noisy copies of persons, labels of persons that are partly wrong, and persons."""
    rng = np.random.default_rng(seed)
    people = rng.standard_normal((n_persons, n_features))
    y = (people[:, :3] + 2 * rng.standard_normal((n_persons, 3))).argmax(axis=1)
    person = np.repeat(np.arange(n_persons), n_photographs)
    X = people[person] + 0.3 * rng.standard_normal((len(person), n_features))
    return X, y[person], person


def images_of_persons(n_persons=12, n_photographs=3):
    """Return noisy copies of digits, their labels, and the digit they are copies of."""
    digits = load_digits(n_class=3)
    person = np.repeat(np.arange(n_persons), n_photographs)
    noise = np.random.default_rng(0).normal(0, 1, (len(person), 8, 8))
    return digits.images[person] + noise, digits.target[person], person


# 350 persons have more than the 1,500 photographs that are left out.
@pytest.mark.parametrize(("n_persons", "n_features"), [(40, 30), (350, 400)])
def test_photographs_of_persons_choose_a_larger_alpha_and_better_probabilities(
    n_persons, n_features
):
    X, y, person = persons(n_persons, n_features=n_features)
    X_new, y_new, _ = persons(2000, 1, n_features, seed=1)
    blind, aware = RidgeHead(), RidgeHead()
    blind.fit(X, y)
    aware.fit(X, y, groups=person)
    assert aware.alpha_ > blind.alpha_
    losses = [log_loss(y_new, head.predict_proba(X_new)) for head in (blind, aware)]
    assert losses[1] < losses[0]
    assert losses[1] < np.log(3)  # that of equal probabilities
    given = RidgeHead(blind.alpha_).fit(X, y, groups=person)
    assert given.temperature_ > blind.temperature_
    assert log_loss(y_new, given.predict_proba(X_new)) < losses[0]


def best_temperature(scores, y):
    """Return the temperature of the lowest log loss of labels, smoothed by one sample."""
    n, n_classes = scores.shape
    shares = (n * np.eye(n_classes)[y] + 1 / n_classes) / (n + 1)

    def loss(log_temperature):
        return -(shares * log_softmax(scores / np.exp(log_temperature), axis=1)).sum()

    return np.exp(minimize_scalar(loss, bounds=(-7, 7), options={"xatol": 1e-9}).x)


def scores_of_refits(K, y, person, penalty):
    """Score each sample by a regression without its group, with the mean of all targets."""
    targets, scores = np.eye(y.max() + 1)[y], np.empty((len(y), y.max() + 1))
    mean = targets.mean(axis=0)
    for group in np.unique(person):
        own = person == group
        system = K[np.ix_(~own, ~own)] + penalty * np.eye((~own).sum())
        solved = np.linalg.solve(system, targets[~own] - mean)
        scores[own] = mean + K[np.ix_(own, ~own)] @ solved
    return scores


@pytest.mark.parametrize("alpha", [0.03, 1.0])
def test_temperatures_are_the_best_for_scores_of_fits_without_the_group(alpha):
    X, y, person = persons(30)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    expected = best_temperature(scores_of_refits(Z @ Z.T, y, person, alpha * 30), y)
    head = RidgeHead(alpha).fit(X, y, groups=person)
    assert_allclose(head.temperature_, expected, rtol=1e-4)
    K = rbf_kernel(Z / np.sqrt(30), gamma=0.5)
    expected = best_temperature(scores_of_refits(K, y, person, alpha), y)
    head = KernelRidgeHead(alpha).fit(X, y, groups=person)
    assert_allclose(head.temperature_, expected, rtol=1e-4)


@pytest.mark.parametrize("n_centers", [None, 20])
def test_with_groups_the_trace_of_leverages_is_not_computed(n_centers, monkeypatch):
    for name in ("trace_probes", "dual_trace", "MAX_SCORES", "_MAX_TRACED"):
        monkeypatch.delattr(_kernel_head, name)
    X, y, person = persons(30)
    head = KernelRidgeHead(n_centers=n_centers, random_state=0)
    assert head.fit(X, y, groups=person).temperature_ > 0
    with pytest.raises(NameError):
        head.fit(X, y)


def test_alpha_has_no_effect_on_constant_features():
    X, y, groups = np.ones((20, 3)), np.arange(20) % 4 == 0, np.arange(20) // 4
    expected = RidgeHead().fit(X, y, groups=groups).predict_proba(X)
    for alpha in (0, 0.3):
        found = RidgeHead(alpha).fit(X, y, groups=groups).predict_proba(X)
        assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("head", [RidgeHead(), RidgeHead(0.1, class_weight="balanced")])
def test_weights_of_samples_are_copies_in_their_group(head):
    X, y, person = persons(40)
    weight = np.random.default_rng(0).integers(1, 4, len(X))
    copies = np.repeat(np.arange(len(X)), weight)
    weighted = clone(head).fit(X, y, sample_weight=weight, groups=person)
    repeated = clone(head).fit(X[copies], y[copies], groups=person[copies])
    assert weighted.alpha_ == repeated.alpha_
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=2e-3)


ALONE = [RidgeHead(random_state=0), RidgeHead(early_stopping=True, random_state=0)]
ALONE += [KernelRidgeHead(random_state=0), STOPPED, small(), small(shift=1, head="kernel")]


@pytest.mark.parametrize("estimator", ALONE, ids=str)
def test_groups_of_one_sample_are_no_groups(estimator):
    X, y, _ = images_of_persons()
    X = X if hasattr(estimator, "image_shape") else X.reshape(len(X), -1)
    found = clone(estimator).fit(X, y, groups=[f"person {i}" for i in range(len(X))])
    method = "predict_proba" if hasattr(found, "predict_proba") else "transform"
    expected = clone(estimator).fit(X, y)
    assert_array_equal(getattr(found, method)(X), getattr(expected, method)(X))


@pytest.mark.parametrize(
    "estimator", [RidgeHead(early_stopping=True, validation_fraction=0.3, random_state=0), STOPPED]
)
def test_early_stopping_holds_out_whole_groups(estimator):
    """Samples that do not change the first step are held out."""
    X, y, person = images_of_persons()
    X = X if hasattr(estimator, "image_shape") else X.reshape(len(X), -1)
    estimator = clone(estimator).set_params(max_iter=1)
    result = "coef_" if isinstance(estimator, RidgeHead) else "kernels_"
    if result == "kernels_":
        estimator.set_params(scale_channels=False, batch_size=len(X), solver="sgd")
        estimator.set_params(learning_rate=1.0)
    expected = getattr(estimator.fit(X, y, groups=person), result)

    def changes_the_fit(sample):
        other = X.copy()
        other[sample] += 3
        return not np.allclose(getattr(estimator.fit(other, y, groups=person), result), expected)

    held = np.array([not changes_the_fit(sample) for sample in range(len(X))]).reshape(-1, 3)
    assert_array_equal(held.all(axis=1), held.any(axis=1))
    assert held.all(axis=1).sum() == 4  # three tenths of twelve, rounded up


class Recorder(ClassifierMixin, BaseEstimator):
    """Classifier that remembers the groups of `fit`."""

    def fit(self, X, y, groups=None):
        self.groups_, self.classes_ = groups, np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


@pytest.mark.parametrize("head", [Recorder(), make_pipeline(StandardScaler(), Recorder())])
def test_shifted_copies_are_in_the_group_of_their_image(head):
    X, y, person = images_of_persons()

    def found(shift, groups):
        fitted = small(head=head, shift=shift).fit(X, y, groups=groups).head_
        return (fitted if isinstance(fitted, Recorder) else fitted[-1]).groups_

    assert_array_equal(found(1, person), np.repeat(person, 5))
    assert_array_equal(found(0, person), person)
    assert_array_equal(found(1, None), np.repeat(np.arange(len(X)), 5))
    assert found(0, None) is None


class RecordingSplitter(GroupKFold):
    """Splitter by groups that remembers them."""

    def split(self, X, y=None, groups=None):
        self.groups = groups
        return super().split(X, y, groups)


LOGISTIC = LogisticRegression(), {"C": [0.1, 1.0]}
SEARCHES = [
    GridSearchCV(*LOGISTIC, cv=RecordingSplitter(2)),
    RandomizedSearchCV(*LOGISTIC, n_iter=1, cv=RecordingSplitter(2)),
    make_pipeline(StandardScaler(), GridSearchCV(*LOGISTIC, cv=RecordingSplitter(2))),
]


@pytest.mark.parametrize("is_routing", [False, True])
@pytest.mark.parametrize("head", SEARCHES, ids=["grid", "random", "pipeline"])
def test_a_search_as_head_splits_by_groups(head, is_routing):
    X, y, person = images_of_persons()

    def found(shift, groups):
        with config_context(enable_metadata_routing=is_routing):
            fitted = small(head=head, shift=shift).fit(X, y, groups=groups).head_
        return (fitted[-1] if hasattr(fitted, "steps") else fitted).cv.groups

    assert_array_equal(found(1, person), np.repeat(person, 5))
    assert_array_equal(found(0, person), person)
    assert_array_equal(found(1, None), np.repeat(np.arange(len(X)), 5))
    with pytest.raises(ValueError, match="'groups' parameter should not be None"):
        found(0, None)


def test_a_search_as_head_that_splits_without_groups_gets_none():
    X, y, person = images_of_persons()
    small(head=GridSearchCV(*LOGISTIC, cv=2)).fit(X, y, groups=person)  # else it warns


def test_a_search_as_head_routes_groups_to_an_estimator_that_requests_them():
    X, y, person = images_of_persons()
    with config_context(enable_metadata_routing=True):
        requests = Recorder().set_fit_request(groups=True)
        clf = small(head=GridSearchCV(requests, {}, cv=GroupKFold(2)), shift=0)
        fitted = clf.fit(X, y, groups=person).head_.best_estimator_
        assert_array_equal(fitted.groups_, person)
        clf = small(head=GridSearchCV(Recorder(), {}, cv=GroupKFold(2)))
        with pytest.raises(UnsetMetadataPassedError, match=r"Recorder\.fit"):
            clf.fit(X, y, groups=person)


def test_groups_are_routed_through_searches_and_pipelines():
    X, y, person = persons(30)
    with config_context(enable_metadata_routing=True):
        head = RidgeHead(random_state=0).set_fit_request(groups=True)
        pipeline = make_pipeline(StandardScaler(), head)
        search = GridSearchCV(pipeline, {"ridgehead__alpha": ["auto", 0.1]}, cv=GroupKFold(3))
        best = search.fit(X, y, groups=person).best_estimator_
        expected = clone(best).fit(X, y, groups=person)
        assert_array_equal(best.predict_proba(X), expected.predict_proba(X))
        assert not np.allclose(best.predict_proba(X), clone(best).fit(X, y).predict_proba(X))

        X, y, person = images_of_persons()
        clf = small(mirror=False).set_fit_request(groups=True)
        search = GridSearchCV(clf, {"head__tol": [1e-2, 1e-3]}, cv=GroupKFold(2))
        best = search.fit(X, y, groups=person).best_estimator_
        expected = clone(best).fit(X, y, groups=person)
        assert_array_equal(best.predict_proba(X), expected.predict_proba(X))


BAD_GROUPS = {
    "too few": (np.arange(35), r"groups has shape \(35,\), but there are 36 samples"),
    "columns": (np.ones((36, 1)), r"groups has shape \(36, 1\)"),
    "scalar": (3, r"groups has shape \(\)"),
    "NaN": (np.r_[np.nan, np.arange(35) // 2], "groups has missing values"),
    "NaN objects": (np.array([np.nan, *[0, 1] * 17, 1], object), "groups has missing values"),
    "None": ([None, *["a", "b"] * 17, "b"], "groups holds values that cannot be sorted"),
    "mixed": (np.array([1, *["a", "b"] * 17, "b"], object), "groups holds values that cannot"),
    "masked": (np.ma.masked_equal(np.arange(36) // 2, 3), "groups has masked values"),
    "not a time": (np.array(["NaT", *["2000-01-01"] * 35], "M8[D]"), "groups has missing values"),
    "ragged": ([[1], *[[1, 2]] * 35], "groups is not an array"),
    "one group": (["a"] * 36, "groups has one value for all samples"),
}


@pytest.mark.parametrize("case", BAD_GROUPS)
@pytest.mark.parametrize("estimator", [RidgeHead(), KernelRidgeHead(), STOPPED, small()])
def test_bad_groups_are_refused(estimator, case):
    groups, message = BAD_GROUPS[case]
    X, y, _ = images_of_persons()
    X = X if hasattr(estimator, "image_shape") else X.reshape(len(X), -1)
    with pytest.raises(ValueError, match=message):
        clone(estimator).fit(X, y, groups=groups)


def test_one_group_that_has_weight_is_refused():
    X, y, person = persons(6)
    with pytest.raises(ValueError, match="groups has one value for all samples"):
        RidgeHead().fit(X, y, sample_weight=person == 2, groups=person)


def test_a_validation_part_of_too_few_groups_is_refused():
    X, y, person = persons(6)
    head = RidgeHead(early_stopping=True, validation_fraction=0.9)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.9 of 6 groups is 6"):
        head.fit(X, y, groups=person)
