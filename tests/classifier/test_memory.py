"""The memory limit of a classifier, and the temporary files beyond it."""

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression

from skhier import LayerwiseCNNClassifier, RidgeHead

SMALL = {
    "n_layers": 2,
    "n_clusters": 64,
    "n_components": 30,
    "orthogonalizer__n_patches": 300,
    "head": RidgeHead(0.3, power=0.5),  # choosing alpha takes memory, as choosing mirror does
    "mirror": False,
    "embedder__batch_size": 32,
    "random_state": 0,
}


def make(**params):
    return LayerwiseCNNClassifier().set_params(**SMALL | params)


@pytest.fixture
def files(monkeypatch):
    """Return a list to which every temporary file adds its status, before it is written."""
    statuses, open_file = [], tempfile.TemporaryFile

    @contextmanager
    def open_and_record():
        with open_file() as file:
            yield file
            statuses.append(os.fstat(file.fileno()))

    monkeypatch.setattr(tempfile, "TemporaryFile", open_and_record)
    return statuses


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"mirror": True},
        {"embedder__loss": "cross_entropy", "embedder__solver": "adam", "embedder__max_iter": 20},
    ],
    ids=str,
)
def test_files_change_no_result(digits, files, params, tmp_path, monkeypatch):
    X, X_test, y, _ = digits
    X, X_test = X.astype(np.float32), X_test.astype(np.float32)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    expected = make(**params).fit(X, y)
    assert not files
    clf = make(memory_limit="4MB", **params).fit(X, y)
    assert files
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert_array_equal(clf.decision_function(X_test), expected.decision_function(X_test))


@pytest.mark.parametrize(
    ("dtype", "precision"), [(np.float32, "bfloat16"), (np.float64, "float32")]
)
@pytest.mark.parametrize(("encoding", "pool_size"), [("one_hot", 1), ("crelu", 2)])
def test_outputs_of_layers_have_the_declared_dtype(digits, dtype, precision, encoding, pool_size):
    """Stored ones do, so others would change the result."""
    X, _, y, _ = digits
    X = X.astype(dtype)[..., None]
    params = {"orthogonalizer__encoding": encoding, "pool_size": pool_size}
    clf = make(precision=precision, **params).fit(X, y)
    for layer in clf.layers_:
        operator = layer.operator(np.dtype(dtype), torch.device("cpu"))
        X = operator.function(X[:20])
        assert X.dtype == operator.dtype
        X = X.float().numpy().astype(dtype)


@pytest.mark.parametrize("limit", [10**9, "1GB", "1 gib", "0.5g", "123456789"])
def test_enough_memory_needs_no_files(digits, files, limit):
    X, _, y, _ = digits
    make(memory_limit=limit).fit(X, y)
    assert not files


@pytest.mark.parametrize(
    ("limit", "params", "message"),
    [
        (1000, {}, "clustering patches takes .* lower n_patches"),
        ("40kB", {"orthogonalizer__n_patches": 64}, "encoding one image takes .* lower n_clusters"),
        (
            "1MB",
            {
                "embedder__solver": "adam",
                "embedder__batch_size": 200,
                "orthogonalizer__n_patches": 64,
            },
            "a step of the embedder .* batch_size",
        ),
        (
            "2MB",
            {"head": LogisticRegression(), "orthogonalizer__n_patches": 64},
            "fitting the head .* head='ridge'",
        ),
        (
            "2MB",
            {"mirror": "auto", "head__max_iter": 1, "orthogonalizer__n_patches": 64},
            "choosing n_layers and mirror takes .* set them",
        ),
        (0, {}, "memory_limit=0 is not valid"),
        (True, {}, "memory_limit=True is not valid"),
        ("two", {}, "memory_limit='two' is not valid: .* '2GiB'"),
        ("1.2.3GB", {}, "memory_limit='1.2.3GB' is not valid"),
    ],
)
def test_limits_that_are_too_small_or_not_valid_are_refused(digits, limit, params, message):
    X, _, y, _ = digits
    clf = make(memory_limit=limit, **params)
    with pytest.raises(ValueError, match=message):
        clf.fit(X, y)
    assert not hasattr(clf, "layers_")


def test_copies_of_images_count_where_groups_are_left_out(digits):
    X, _, y, _ = digits
    groups = np.arange(len(X)) // 2
    clf = make(memory_limit="10MB", head__max_iter=1, orthogonalizer__n_patches=64)
    clf.set_params(shift=0).fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="leaving out groups takes"):
        clf.set_params(shift=1).fit(X, y, groups=groups)


def test_the_error_about_a_full_disk_names_tmpdir(digits, monkeypatch):
    X, _, y, _ = digits
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1))
    clf = make(memory_limit="6MB")
    with pytest.raises(OSError, match="TMPDIR names another folder"):
        clf.fit(X, y)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="files are sparse here")
def test_files_have_their_blocks_before_they_are_written(digits, files):
    X, _, y, _ = digits
    make(memory_limit="6MB").fit(X, y)
    assert files
    for status in files:
        assert status.st_blocks * 512 >= status.st_size > 1e6


def test_the_error_about_a_limit_of_the_file_system_names_tmpdir(digits):
    resource = pytest.importorskip("resource")
    X, _, y, _ = digits
    clf = make(memory_limit="6MB")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        with pytest.raises(OSError, match=r"takes .* MB, .* TMPDIR names another") as caught:
            clf.fit(X, y)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert not hasattr(clf, "layers_")
