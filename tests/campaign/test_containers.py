"""Images in any container give the results of NumPy arrays, or an error that names the fault."""

import pickle
import warnings

import dask
import numpy as np
import pandas as pd
import pytest
import torch
from _containers import BLOCKED, DTYPES_OF_CHUNKS, LIES, in_file, read_only
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.base import clone

from skhier import (
    Flatten,
    KernelRidgeHead,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    RidgeHead,
    SphericalKMeans,
    TwoLayerConvEmbedder,
)

few_examples = settings(max_examples=max(12, settings.default.max_examples // 4))  # they fit
CONTAINERS = {
    "array": lambda X: X,
    "Fortran": np.asfortranarray,
    "read-only": lambda X: read_only(X.copy()),
    "file": in_file,
    "read-only file": lambda X: read_only(in_file(X)),
    "list": list,
    "lists": lambda X: X.tolist(),
    "tensor": torch.tensor,
    **BLOCKED,
}
OF_ROWS = {"DataFrame": lambda X: pd.DataFrame(X).rename(columns="x{}".format)}
OF_IMAGES = {"Series": lambda X: pd.Series(list(X))}
# Estimators, and the methods that are compared.
ESTIMATORS = {
    "flatten": (Flatten(), ["transform"]),
    "k-means": (SphericalKMeans(3, random_state=0), ["transform", "predict"]),
    "patches": (PatchKMeansOrthogonalizer(4, 2, random_state=0), ["transform", "predict"]),
    "embedder": (TwoLayerConvEmbedder(2, random_state=0), ["transform"]),
    "ridge": (RidgeHead(random_state=0), ["decision_function", "predict_proba", "predict"]),
    "kernel": (KernelRidgeHead(random_state=0), ["decision_function", "predict"]),
    "classifier": (
        LayerwiseCNNClassifier(
            n_layers=2, n_clusters=4, patch_size=2, n_components=2, random_state=0
        ),
        ["transform", "predict_proba", "predict"],
    ),
}
OF_ROWS_ONLY = ("k-means", "ridge", "kernel")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@st.composite
def sets_of_images(draw, is_rows):
    """Draw (images or rows, labels): a picture for each of two labels, and noise."""
    sizes = [(5,), (12,)] if is_rows else [(4, 5), (5, 3), (4, 4, 1), (4, 5, 3), (1, 1, 6)]
    shape = draw(st.sampled_from(sizes))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    y = np.arange(4 * draw(st.integers(5, 9))) % 2
    return rng.normal(size=(2, *shape))[y] + rng.normal(size=(len(y), *shape)), y


def contained(X, data):
    """Draw a container of X."""
    kinds = CONTAINERS | (OF_ROWS if X.ndim == 2 else OF_IMAGES)
    return kinds[data.draw(st.sampled_from(list(kinds)), "container")](X)


def results(estimator, methods, X):
    """Return the results of methods, in memory, and the fitted arrays."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X (has|does not have valid) feature names")
        found = [getattr(estimator, method)(X) for method in methods]
    return [np.asarray(dask.compute(result)[0]) for result in found]


def fit(estimator, X, y):
    """Fit an estimator; images in pieces are rechunked with a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X has chunks .* it is rechunked")
        return estimator.fit(X, y)


@few_examples
@given(name=st.sampled_from(sorted(ESTIMATORS)), data=st.data())
def test_refits_on_any_containers_and_shapes_give_the_results_of_arrays(name, data):
    estimator, methods = ESTIMATORS[name]
    found = clone(estimator)
    for _ in range(data.draw(st.integers(1, 3), "fits")):
        X, y = data.draw(sets_of_images(name in OF_ROWS_ONLY), "X, y")
        fit(found, contained(X, data), y)
        if data.draw(st.booleans(), "pickled"):
            found = pickle.loads(pickle.dumps(found))
    expected = clone(estimator).fit(X, y)
    assert vars(expected).keys() == vars(found).keys() - {"feature_names_in_"}
    new = contained(X, data)
    for a, b in zip(results(found, methods, new), results(expected, methods, X), strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@few_examples
@given(name=st.sampled_from(sorted(ESTIMATORS)), lie=st.sampled_from(sorted(LIES)), data=st.data())
def test_lies_of_dask_arrays_are_refused(name, lie, data):
    estimator, methods = ESTIMATORS[name]
    is_rows = name in OF_ROWS_ONLY
    assume(not (is_rows and lie == "flat"))
    X, y = data.draw(sets_of_images(is_rows), "X, y")
    lying = LIES[lie](X)
    fitted, y = clone(estimator).fit(X, y), np.resize(y, len(lying))
    if name != "flatten":  # whose fit reads nothing
        with pytest.raises(ValueError, match=r"\bX\b"):
            clone(estimator).fit(lying, y)
    for method in methods:
        with pytest.raises(ValueError, match=r"\bX\b"):
            getattr(fitted, method)(lying).compute()


@few_examples
@given(
    name=st.sampled_from(sorted(ESTIMATORS)),
    kind=st.sampled_from(sorted(DTYPES_OF_CHUNKS)),
    data=st.data(),
)
def test_chunks_of_another_dtype_are_converted(name, kind, data):
    estimator, methods = ESTIMATORS[name]
    X, y = data.draw(sets_of_images(name in OF_ROWS_ONLY), "X, y")
    X = X.astype("f4").astype("f8")
    other = DTYPES_OF_CHUNKS[kind](X)
    expected, found = clone(estimator).fit(X, y), clone(estimator).fit(other, y)
    for a, b in zip(results(found, methods, other), results(expected, methods, X), strict=True):
        assert_allclose(a, b, rtol=1e-4, atol=1e-5)
