"""Image shapes and bad input, for all estimators that take images."""

import tracemalloc

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skhier import (
    Flatten,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    TwoLayerConvEmbedder,
)

ESTIMATORS = [
    Flatten(),
    PatchKMeansOrthogonalizer(4, 2, random_state=0),
    TwoLayerConvEmbedder(3, random_state=0),
    LayerwiseCNNClassifier(n_layers=1, n_clusters=4, random_state=0),
]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)


@pytest.fixture
def gray():
    rng = np.random.default_rng(0)
    return rng.standard_normal((40, 6, 8)), np.arange(40) % 2


def fitted(estimator, X, y, **params):
    return clone(estimator).set_params(**params).fit(X, y)


@every_estimator
def test_images_may_have_a_channel_axis_or_be_flat(estimator, gray):
    X, y = gray
    expected = fitted(estimator, X, y).transform(X)
    layouts = {None: X[..., None], (6, 8): X.reshape(40, 48), (6, 8, 1): X.reshape(40, 48)}
    for image_shape, layout in layouts.items():
        model = fitted(estimator, layout, y, image_shape=image_shape)
        assert model.image_shape_ == (6, 8, 1)
        assert model.n_features_in_ == 48
        for other in (X, X[..., None], X.reshape(40, 48), X.tolist()):
            assert_array_equal(model.transform(other), expected)


def in_object_array(X):
    return np.fromiter(X, object, len(X))


def in_series(X):
    return pd.Series(list(X), index=range(9, 9 + len(X)))


@every_estimator
@pytest.mark.parametrize("container", [list, np.ndarray.tolist, in_object_array, in_series])
@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 1), (1, 1, 48), (48,)])
def test_containers_of_images_or_vectors_give_the_results_of_arrays(
    estimator, gray, container, shape
):
    X, y = gray
    X = X.reshape(40, *shape)
    params = {"patch_size": "auto"} if "patch_size" in estimator.get_params() else {}
    expected = fitted(estimator, X, y, **params).transform(X)
    found = fitted(estimator, container(X), y, **params).transform(container(X))
    assert found.dtype == expected.dtype
    assert_array_equal(found, expected)


@pytest.mark.parametrize("container", [list, np.ndarray.tolist, in_object_array, in_series])
def test_patches_of_vectors_are_refused_in_any_container(container):
    X = np.random.default_rng(0).standard_normal((40, 48))
    for estimator in (ESTIMATORS[1], clone(ESTIMATORS[3]).set_params(patch_size=2)):
        with pytest.raises(ValueError, match=r"Give image_shape=\(H, W, C\)"):
            fitted(estimator, container(X), np.arange(40) % 2)


SHORT_CONTAINERS = {
    "array": lambda X: X,
    "big-endian": lambda X: X.astype(X.dtype.newbyteorder(">")),
    "list": list,
    "DataFrame": lambda X: pd.DataFrame(X.reshape(len(X), -1)).rename(columns=str),
    "Dask": lambda X: da.from_array(X, chunks=(11, 6, 8)),
    "zarr": lambda X: zarr.array(X, chunks=(11, 6, 8)),
}


@every_estimator
@pytest.mark.parametrize("dtype", ["i1", "i2", "u2", "f2"])
@pytest.mark.parametrize("container", SHORT_CONTAINERS)
def test_numbers_of_at_most_16_bits_give_the_results_of_float32(estimator, gray, dtype, container):
    X, y = gray
    X = abs(np.round(30 * X)).astype(dtype)
    expected = fitted(estimator, X.astype(np.float32), y).transform(X.astype(np.float32))
    contained = SHORT_CONTAINERS[container](X)
    found = np.asarray(fitted(estimator, contained, y, image_shape=(6, 8)).transform(contained))
    assert found.dtype == np.float32
    assert_array_equal(found, expected)


def test_files_of_16_bits_are_converted_batch_by_batch(tmp_path):
    X = np.arange(16000 * 32 * 32, dtype=np.uint16).reshape(-1, 32, 32)
    np.save(tmp_path / "X.npy", X)
    tracemalloc.start()
    phi = PatchKMeansOrthogonalizer(4, n_patches=100, random_state=0)
    phi.fit(np.load(tmp_path / "X.npy", mmap_mode="r"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes


@every_estimator
def test_memory_mapped_images_give_the_results_of_images_in_memory(estimator, gray, tmp_path):
    X, y = gray
    expected = fitted(estimator, X, y).transform(X)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert_array_equal(fitted(estimator, mapped, y).transform(mapped), expected)


@every_estimator
@pytest.mark.parametrize(
    ("change", "params", "message"),
    [
        (lambda X: X[0, 0], {}, "Expected 2D array, got 1D array"),
        (lambda X: X[None, None], {}, "but X has 5 dimensions"),
        (lambda X: X, {"image_shape": (8, 6)}, r"image_shape=\(8, 6\) does not match X of shape"),
        (lambda X: X.reshape(40, 48), {"image_shape": (6, 7)}, "an image of that shape has 42"),
        (lambda X: X, {"image_shape": (6, -8)}, r"image_shape=\(6, -8\) is not valid"),
        (lambda X: X, {"image_shape": 48}, "image_shape=48 is not valid"),
        (lambda X: np.where(X.max() == X, np.nan, X), {}, "contains NaN"),
        (lambda X: np.where(X.max() == X, np.inf, X), {}, "contains infinity"),
        (lambda X: X[:0], {}, "0 sample|minimum of 1"),
    ],
)
def test_bad_images_are_refused_in_fit(estimator, gray, change, params, message):
    X, y = gray
    X = change(X)
    with pytest.raises(ValueError, match=message):
        fitted(estimator, X, y[: len(X)], **params)


@every_estimator
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((5, 8, 6), r"images of shape \(8, 6\), but \w+ was fitted on images of shape \(6, 8, 1\)"),
        ((5, 6, 8, 3), r"images of shape \(6, 8, 3\), but"),
        ((5, 47), "X has 47 features, but .* is expecting 48 features"),
        ((5, 1, 6, 8, 1), "but X has 5 dimensions"),
    ],
)
def test_images_of_another_shape_are_refused_in_transform(estimator, gray, shape, message):
    model = fitted(estimator, *gray)
    with pytest.raises(ValueError, match=message):
        model.transform(np.zeros(shape))


@pytest.mark.parametrize("estimator", ESTIMATORS[2:], ids=lambda e: type(e).__name__)
def test_bad_labels_are_refused(estimator, gray):
    X, y = gray
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fitted(estimator, X, y[:-1])
    with pytest.raises(ValueError, match=r"at least 2 classes, but y holds one class: 1$"):
        fitted(estimator, X, np.ones(40, int))
    with pytest.raises(ValueError, match="Unknown label type"):
        fitted(estimator, X, np.linspace(0, 1, 40))
    names = np.array(["no", "yes"])[y]
    for missing, dtype in (None, object), (pd.NA, object), (pd.NA, "string"):
        labels = pd.Series(names, dtype=dtype)
        labels[3] = missing
        with pytest.raises(ValueError, match=rf"y has missing labels: label 3 is {missing}\."):
            fitted(estimator, X, labels)


def test_string_labels_are_predicted(gray):
    X, y = gray
    clf = fitted(ESTIMATORS[3], X + 3 * y[:, None, None], np.array(["no", "yes"])[y])
    assert set(clf.predict(X)) <= {"no", "yes"} == set(clf.classes_)


def test_flattened_images_are_restored_by_inverse_transform(gray):
    X, _ = gray
    flatten = Flatten().fit(X)
    assert_array_equal(flatten.transform(X), X.reshape(40, 48))
    assert_allclose(flatten.inverse_transform(flatten.transform(X))[..., 0], X)


@every_estimator
def test_data_frames_of_big_endian_columns_give_the_results_of_arrays(estimator, gray):
    X, y = gray
    X = X.reshape(40, 48)
    columns = {f"x{i}": column.astype(">f8") for i, column in enumerate(X.T)}
    expected = fitted(estimator, X, y, image_shape=(6, 8)).transform(X)
    model = fitted(estimator, pd.DataFrame(columns), y, image_shape=(6, 8))
    assert_array_equal(model.transform(pd.DataFrame(columns)), expected)


@every_estimator
@pytest.mark.parametrize("flat", [False, True])
def test_tensors_and_lists_that_numpy_cannot_convert_are_refused_by_name(estimator, gray, flat):
    X, y = gray
    tensor = torch.tensor(X.reshape(40, 48) if flat else X)
    for unusable in (tensor.clone().requires_grad_(), tensor.bfloat16()):
        with pytest.raises(ValueError, match="X is not an array, and cannot become one"):
            fitted(estimator, unusable, y)
    with pytest.raises(ValueError, match="X is not an array, and cannot become one"):
        fitted(estimator, [[1.0, 2.0], [3.0]], y[:2])


def test_the_largest_numbers_are_checked_without_a_warning():
    X = np.array([[1, -1], [-1, 1]]) * np.finfo(float).max
    assert_array_equal(Flatten().fit_transform(X), X)


@pytest.mark.parametrize("estimator", ESTIMATORS[1:], ids=lambda e: type(e).__name__)
def test_parameters_may_be_small_ints_of_numpy(estimator, gray):
    X, y = gray
    ints = {
        k: v for k, v in estimator.get_params(deep=False).items() if type(v) is int and 0 < v < 256
    }
    as_numpy = {name: np.uint8(value) for name, value in ints.items()}
    expected = fitted(estimator, X, y).transform(X)
    assert_array_equal(fitted(estimator, X, y, **as_numpy).transform(X), expected)
