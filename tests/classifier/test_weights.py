"""Weights of samples and of classes: metadata routing, heads, and errors."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skhier import (
    Flatten,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    RidgeHead,
    TwoLayerConvEmbedder,
)


@pytest.fixture(scope="module")
def few(digits):
    """Return 200 images, their labels, and weights of 1, 2 and 3."""
    X, _, y, _ = digits
    return X[:200], y[:200], np.random.default_rng(0).integers(1, 4, 200).astype(float)


def make(**params):
    return LayerwiseCNNClassifier(n_layers=2, n_clusters=8, random_state=0, **params)


def test_weights_are_routed_through_searches_and_pipelines(few):
    X, y, weight = few
    with config_context(enable_metadata_routing=True):
        clf = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(clf, {"head__alpha": [0.1, 1.0]}, cv=2)
        search.fit(X, y, sample_weight=weight)
        head = RidgeHead(search.best_params_["head__alpha"], power=0.5)
        alone = make(head=head).fit(X, y, weight)
        assert_array_equal(search.decision_function(X), alone.decision_function(X))

        phi = PatchKMeansOrthogonalizer(8, random_state=0).set_fit_request(sample_weight=True)
        embedder = TwoLayerConvEmbedder(8, random_state=0).set_fit_request(sample_weight=True)
        head = RidgeHead().set_fit_request(sample_weight=True)
        steps = [("phi", phi), ("embedder", embedder), ("flatten", Flatten()), ("head", head)]
        pipeline = Pipeline(steps).fit(X, y, sample_weight=weight)
        codes = PatchKMeansOrthogonalizer(8, random_state=0).fit(X, sample_weight=weight)
        assert_array_equal(pipeline["phi"].kernels_, codes.kernels_)


@pytest.mark.parametrize(
    "head",
    [
        "svm",
        "linear",
        "mlp",
        LogisticRegression(C=0.1, max_iter=500),
        make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)),
    ],
    ids=str,
)
@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_weights_reach_every_kind_of_head(few, head, routing):
    X, y, _ = few
    with config_context(enable_metadata_routing=routing):
        clf = make(head=head).fit(X, y, sample_weight=np.where(y == 3, 1e-9, 1.0))
    assert (clf.predict(X) == 3).sum() < (y == 3).sum() / 2


def test_products_of_allowed_weights_are_allowed(few):
    X, y, _ = few
    clf = make(class_weight=dict.fromkeys(range(10), 1e5)).fit(X, y, np.full(200, 1e8))
    assert clf.score(X, y) > 0.8


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(199), r"sample_weight.shape == \(199,\)"),
        (-np.ones(200), "Negative values in data passed to `sample_weight`"),
        (np.full(200, np.nan), "sample_weight holds NaN"),
        (np.zeros(200), "weights must contain at least one non-zero"),
    ],
)
@pytest.mark.parametrize("estimator", [make(), TwoLayerConvEmbedder(), PatchKMeansOrthogonalizer()])
def test_bad_weights_are_refused(few, estimator, weight, message):
    X, y, _ = few
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"class_weight": {11: 2.0}}, "class_weight"),
        ({"class_weight": {1: -2.0}}, r"class_weight\[1\]=-2.0 is not valid"),
        ({"class_weight": "even"}, "'class_weight' parameter of LayerwiseCNNClassifier"),
        (
            {"class_weight": "balanced", "head": RidgeHead(class_weight="balanced")},
            "class_weight is given twice",
        ),
        (
            {"class_weight": "balanced", "head": KNeighborsClassifier()},
            r"not for head=KNeighborsClassifier\(\)",
        ),
    ],
)
def test_bad_class_weights_are_refused(few, params, message):
    X, y, _ = few
    with pytest.raises(ValueError, match=message):
        make(**params).fit(X, y)


def test_to_pipeline_refuses_class_weights():
    with pytest.raises(ValueError, match="class_weight='balanced' is no step"):
        make(class_weight="balanced").to_pipeline()
