"""Searches whose fits run on a cluster, by joblib's backends: the same results as here."""

import os
from contextlib import contextmanager

import joblib
import pytest
from numpy.testing import assert_array_equal
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV

from skhier import LayerwiseCNNClassifier

PARAMS = {
    "n_clusters": [8, [8, 12]],
    "orthogonalizer__bias": [-0.75, -0.25],
    "head__alpha": [0.1, 10.0],
}


@contextmanager
def dask_backend(request):
    with joblib.parallel_config("dask", client=request.getfixturevalue("cluster")):
        yield


@contextmanager
def ray_backend(request):
    request.getfixturevalue("ray_cluster")
    with joblib.parallel_config("ray"):
        yield


@pytest.fixture(scope="module")
def ray_cluster():
    """Two worker processes of Ray, which reports to nobody that it is used."""
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    yield
    ray.shutdown()


@pytest.mark.parametrize("backend", [dask_backend, ray_backend])
@pytest.mark.parametrize(
    "search",
    [
        lambda clf, **kwargs: GridSearchCV(clf, PARAMS, **kwargs),
        lambda clf, **kwargs: HalvingRandomSearchCV(
            clf, PARAMS, min_resources=75, random_state=0, **kwargs
        ),
    ],
    ids=["grid", "halving"],
)
def test_a_search_on_a_cluster_finds_what_it_finds_here(digits, request, search, backend):
    X, _, y, _ = digits
    X, y = X[:300], y[:300]
    clf = LayerwiseCNNClassifier(n_components=8, random_state=0)
    clf.set_params(orthogonalizer__n_patches=2000)
    this_process = os.getpid()

    def score_elsewhere(clf, X, y):
        assert os.getpid() != this_process
        return clf.score(X, y)

    here = search(clf, cv=2).fit(X, y)
    with backend(request):
        there = search(clf, cv=2, n_jobs=2, scoring=score_elsewhere, error_score="raise").fit(X, y)
    assert there.best_params_ == here.best_params_
    scores = [name for name in here.cv_results_ if "score" in name and "time" not in name]
    for name in scores:
        assert_array_equal(there.cv_results_[name], here.cv_results_[name])
    assert here.cv_results_["mean_test_score"].std() > 0
    assert_array_equal(there.predict(X), here.predict(X))
