"""Fits on the chunks of a Dask array or the blocks of a zarr array, compared with memory."""

import pickle
from contextlib import nullcontext

import dask.array as da
import numpy as np
import pytest
import torch
import zarr
from distributed import Client, LocalCluster
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from skhier import (
    Flatten,
    KernelRidgeHead,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    RidgeHead,
    SphericalKMeans,
    TwoLayerConvEmbedder,
)
from skhier._base import _dask

X, y = load_digits().images[:600], load_digits().target[:600]
ROWS = X.reshape(len(X), -1)
SMALL = {"n_layers": 2, "n_clusters": 16, "orthogonalizer__n_patches": 2000, "random_state": 0}


def small(**params):
    return LayerwiseCNNClassifier().set_params(**SMALL | params)


CASES = {
    "default": (small(), X, "decision_function"),
    "mirror": (small(mirror=True, class_weight="balanced"), X, "predict_proba"),
    "shift": (small(shift=1), X, "predict_proba"),
    "choice of layers": (small(n_layers="auto"), X, "decision_function"),
    "adam": (
        small(embedder__solver="adam", embedder__max_iter=9, embedder__early_stopping=True),
        X,
        "decision_function",
    ),
    "early stopping": (small(head=RidgeHead(early_stopping=True)), X, "decision_function"),
    # Rounding of the features changes the step at which the solver stops. With this tolerance
    # the change is below the one that is allowed.
    "svm": (small(head="svm", head__linearsvc__tol=1e-8), X, "decision_function"),
    "patches": (PatchKMeansOrthogonalizer(12, random_state=0), X, "transform"),
    "exact": (TwoLayerConvEmbedder(4, random_state=0), X, "transform"),
    "svd": (TwoLayerConvEmbedder(4, solver="svd"), X, "transform"),
    "counts": (
        TwoLayerConvEmbedder(3, solver="counts", random_state=0),
        X.reshape(-1, 4, 4, 4),
        "transform",
    ),
    "gd": (TwoLayerConvEmbedder(4, solver="gd", max_iter=4, random_state=0), X, "transform"),
    "k-means": (SphericalKMeans(12, random_state=0), ROWS, "transform"),
    "ridge": (RidgeHead(random_state=0), ROWS, "decision_function"),
    "kernel": (KernelRidgeHead(random_state=0), ROWS, "decision_function"),
    "centers": (KernelRidgeHead(n_centers=50, random_state=0), ROWS, "decision_function"),
    "kernel on top": (small(head="kernel"), X, "predict_proba"),
}
each_case = pytest.mark.parametrize("case", CASES)


def random_chunks(seed):
    """Return the sizes of five random chunks of the images."""
    cuts = np.random.default_rng(seed).choice(np.arange(1, len(X)), 4, replace=False)
    return tuple(np.diff([0, *np.sort(cuts), len(X)]).tolist())


@each_case
def test_chunks_on_workers_give_the_results_of_data_in_memory(case, cluster):
    estimator, data, method = CASES[case]
    expected = clone(estimator).fit(data, y)
    chunks = (random_chunks(0), *data.shape[1:])
    with cluster.as_current():
        found = clone(estimator).fit(da.from_array(data, chunks=chunks), y)
        lazy = getattr(found, method)(da.from_array(data, chunks=(250, *data.shape[1:])))
        assert isinstance(lazy, da.Array)
        responses = lazy.compute()
    assert_allclose(responses, getattr(expected, method)(data), rtol=1e-5, atol=1e-7)
    assert_allclose(responses, getattr(found, method)(data), rtol=1e-6, atol=1e-9)


def test_workers_that_are_threads_of_one_process_give_the_results_of_data_in_memory():
    expected = small().fit(X, y).decision_function(X)
    options = dict(n_workers=1, threads_per_worker=4, processes=False, dashboard_address=None)
    with LocalCluster(**options) as threads, Client(threads):
        found = small().fit(da.from_array(X, chunks=(60, 8, 8)), y)
    assert_allclose(found.decision_function(X), expected, rtol=1e-5, atol=1e-7)


def test_a_pickled_chunk_in_bfloat16_is_unchanged():
    features = torch.arange(12, dtype=torch.bfloat16).reshape(4, 3)
    loaded = pickle.loads(pickle.dumps(_dask._Chunk(features))).array
    assert loaded.dtype == torch.bfloat16
    assert torch.equal(loaded, features)


@each_case
def test_blocks_without_a_cluster_give_the_results_of_data_in_memory(case):
    estimator, data, method = CASES[case]
    expected = getattr(clone(estimator).fit(data, y), method)(data)
    stored = zarr.array(data, chunks=(70, *data.shape[1:]))
    found = clone(estimator).fit(stored, y)
    assert_allclose(getattr(found, method)(stored), expected, rtol=1e-6, atol=1e-9)
    chunked = da.from_array(data, chunks=(random_chunks(2), *data.shape[1:]))
    found = clone(estimator).fit(chunked, da.from_array(y, chunks=97))
    assert_allclose(getattr(found, method)(data), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("case", "is_on_workers"),
    [
        ("shift", True),
        ("adam", False),
        ("early stopping", True),
        ("ridge", False),
        ("kernel", True),
    ],
)
def test_groups_in_chunks_give_the_results_of_groups_in_memory(case, is_on_workers, cluster):
    estimator, data, _ = CASES[case]
    groups = np.arange(len(X)) // 4
    without, expected = (
        clone(estimator).fit(data, y, groups=g).predict_proba(data) for g in (None, groups)
    )
    assert not np.allclose(without, expected, rtol=1e-3)
    chunked = da.from_array(data, chunks=(random_chunks(3), *data.shape[1:]))
    labels, of_chunks = (da.from_array(values, chunks=97) for values in (y, groups))
    with cluster.as_current() if is_on_workers else nullcontext():
        found = clone(estimator).fit(chunked, labels, groups=of_chunks)
    assert_allclose(found.predict_proba(data), expected, rtol=1e-5, atol=1e-7)


def test_chunks_of_parts_of_images_are_joined_with_a_warning():
    chunked = da.from_array(X, chunks=(200, 4, 8))
    with pytest.warns(UserWarning, match="chunks .* after the first; it is rechunked"):
        found = small().fit(chunked, y)
    assert_array_equal(found.predict(chunked).compute(), small().fit(X, y).predict(X))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            da.from_array(X, chunks=(100, 8, 8))[da.from_array(y, chunks=100) > 3],
            "chunks of unknown size",
        ),
        (da.from_array(X.astype(object), chunks=(100, 8, 8)), "X has dtype object"),
        (da.from_array(X * 1j, chunks=(100, 8, 8)), "X has dtype complex128"),
        (da.from_array(np.full_like(X, np.nan), chunks=(100, 8, 8)), "NaN or infinity"),
        (da.from_array(X[:50], chunks=(10, 8, 8)), "inconsistent numbers of samples"),
    ],
)
def test_arrays_that_cannot_be_learned_from_are_refused(data, message):
    clf = small()
    with pytest.raises(ValueError, match=message):
        clf.fit(data, y)
    assert not hasattr(clf, "layers_")


@pytest.mark.parametrize("labels", [torch.ones(len(X), requires_grad=True), [[1]] + [[1, 2]] * 9])
def test_labels_that_are_no_array_are_refused(labels):
    with pytest.raises(ValueError, match="y is not an array, and cannot become one"):
        small().fit(da.from_array(X, chunks=(100, 8, 8)), labels)


def test_a_fit_on_a_cluster_without_workers_fails_after_a_timeout(monkeypatch):
    monkeypatch.setattr(_dask, "_WORKER_TIMEOUT", 0.5)
    monkeypatch.setattr(_dask, "_POLL_SECONDS", 0.3)
    clf = small()
    with (
        LocalCluster(n_workers=0, dashboard_address=None) as no_workers,
        Client(no_workers),
        pytest.raises(RuntimeError, match="No worker has been left"),
    ):
        clf.fit(da.from_array(X, chunks=(300, 8, 8)), y)
    assert not hasattr(clf, "layers_")


@each_case
def test_an_estimator_that_is_not_fitted_refuses_a_dask_array(case):
    estimator, data, method = CASES[case]
    with pytest.raises(NotFittedError):
        getattr(clone(estimator), method)(da.from_array(data, chunks=100))


@pytest.mark.parametrize("container", ["pandas", "polars"])
@pytest.mark.parametrize(("estimator", "data"), [(Flatten(), X), (SphericalKMeans(3), ROWS)])
def test_data_frames_of_dask_arrays_are_in_memory(estimator, data, container):
    found = clone(estimator).set_output(transform=container).fit(data)
    frame = found.transform(da.from_array(data, chunks=(250, *data.shape[1:])))
    assert type(frame).__module__.startswith(container)
    assert_array_equal(frame.to_numpy(), found.transform(data).to_numpy())
    assert list(frame.columns) == list(found.get_feature_names_out())


def test_chunks_without_rows_are_predicted():
    clf = small().fit(X, y)
    chunked = da.from_array(X, chunks=(100, 8, 8))[da.from_array(np.arange(600) > 150, chunks=100)]
    chunked.compute_chunk_sizes()
    assert 0 in chunked.chunks[0]
    assert_array_equal(clf.predict(chunked).compute(), clf.predict(X[151:]))
    assert_allclose(clf.transform(chunked).compute(), clf.transform(X[151:]), rtol=1e-6)


@pytest.mark.parametrize("weight", [None, np.arange(600) % 3])
def test_clusters_of_samples_on_workers_are_those_in_memory(weight, cluster):
    expected = SphericalKMeans(12, random_state=0).fit(ROWS, sample_weight=weight)
    with cluster.as_current():
        found = SphericalKMeans(12, random_state=0)
        found.fit(da.from_array(ROWS, chunks=(70, 64)), sample_weight=weight)
    assert_array_equal(found.labels_, expected.labels_)
    assert found.labels_.dtype == expected.labels_.dtype


@pytest.mark.parametrize("make", [da.from_array, zarr.array])
@pytest.mark.parametrize("estimator", [RidgeHead(), KernelRidgeHead(), SphericalKMeans(3)])
def test_blocks_of_images_are_refused_where_rows_of_features_are_needed(estimator, make):
    with pytest.raises(ValueError, match=r"X has shape \(600, 8, 8\); .* takes rows of features"):
        clone(estimator).fit(make(X), y)
    fitted = clone(estimator).fit(ROWS, y)
    with pytest.raises(ValueError, match=r"X has shape \(600, 8, 8\)|dim <= 2 is required"):
        fitted.predict(make(X))
