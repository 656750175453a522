"""Parameter searches whose fits run on a cluster, by a backend of joblib."""

import os
from contextlib import contextmanager

import joblib
import pytest
from numpy.testing import assert_array_equal
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV

from skhier import LayerwiseCNNClassifier

PARAMS = {"n_clusters": [8, [8, 12]], "orthogonalizer__bias": [-0.75, -0.25]}


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
    """Start two worker processes of Ray, without its reports of usage."""
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
def test_a_search_on_a_cluster_has_the_results_of_a_search_in_this_process(
    digits, request, search, backend
):
    X, _, y, _ = digits
    X, y = X[:300], y[:300]
    clf = LayerwiseCNNClassifier(n_components=8, random_state=0)
    clf.set_params(orthogonalizer__n_patches=2000)
    this_process = os.getpid()

    def score_in_another_process(clf, X, y):
        assert os.getpid() != this_process
        return clf.score(X, y)

    local = search(clf, cv=2).fit(X, y)
    with backend(request):
        remote = search(
            clf, cv=2, n_jobs=2, scoring=score_in_another_process, error_score="raise"
        ).fit(X, y)
    assert remote.best_params_ == local.best_params_
    scores = [name for name in local.cv_results_ if "score" in name and "time" not in name]
    for name in scores:
        assert_array_equal(remote.cv_results_[name], local.cv_results_[name])
    assert local.cv_results_["mean_test_score"].std() > 0
    assert_array_equal(remote.predict(X), local.predict(X))
