"""Distinct patches: every patch counts, however rare, and the limit decides on draws."""

from functools import reduce
from operator import add

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skhier import PatchKMeansOrthogonalizer
from skhier._base._rows import Rows
from skhier.clustering import _plan
from skhier.clustering._distinct import DistinctPatches, distinct_rows
from skhier.clustering._patches import PatchGrid

ALGORITHM_1 = {
    "stride": None,
    "padding": "valid",
    "encoding": "one_hot",
    "pool_size": 1,
    "whiten_eps": None,
    "contrast": None,
    "random_state": 0,
}
GRID = PatchGrid((4, 6, 2), (2, 3), (2, 3), (0, 0, 0, 0))


def collect(X, weight=None, limit=1000, batch_size=None):
    distinct = DistinctPatches(GRID, np.zeros(2, X.dtype), limit)
    return Rows.of_array(X).accumulate(distinct, weight, batch_size=batch_size)


def patches_in_loops(X):
    return np.array(
        [
            image[i : i + 2, j : j + 3].ravel()
            for image in X
            for i in (0, 2)
            for j in (0, 3)
        ]
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_distinct_patches_and_their_weights_are_those_of_all_patches(dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(-1, 1, (300, 4, 6, 2)).astype(dtype)
    X[rng.random(X.shape) < 0.9] = -0.0  # equal to 0
    weight = rng.integers(1, 4, 300).astype(float)
    distinct = collect(X, weight)
    rows, inverse = np.unique(patches_in_loops(X), axis=0, return_inverse=True)
    expected = dict(zip(map(tuple, rows), np.bincount(inverse.ravel(), np.repeat(weight, 4))))
    assert dict(zip(map(tuple, distinct.rows), distinct.weights)) == expected
    assert len(distinct.rows) == len(rows)


@pytest.mark.parametrize("limit", [1000, 30])
def test_batches_and_merges_make_no_difference(limit):
    X = np.random.default_rng(0).integers(0, 2, (60, 4, 6, 2)) * (np.arange(2) == 0)
    X = X.astype(np.float32)
    whole, in_batches = collect(X, limit=limit), collect(X, limit=limit, batch_size=7)
    merged = reduce(add, [collect(part, limit=limit) for part in np.array_split(X[::-1], 5)])
    assert whole.has_more == (limit == 30)
    for other in (in_batches, merged):
        assert other.has_more == whole.has_more
        assert_array_equal(other.rows, whole.rows)
        assert_array_equal(other.weights, whole.weights)


def test_unequal_rows_of_equal_hashes_are_distinct():
    factors = 2 * np.random.default_rng(0).integers(1, 2**63, 2, np.uint64) + 1
    rows = np.array([0, 0, factors[1], ~factors[0] + np.uint64(1), 0, 0], np.uint64)
    rows = rows.view(np.float64).reshape(3, 2)
    assert len(np.unique((rows.view(np.uint64) * factors).sum(axis=1))) == 1
    first, inverse = distinct_rows(rows)
    assert len(first) == 2
    assert inverse[0] == inverse[2] != inverse[1]


def test_a_patch_that_occurs_once_has_a_cluster():
    table = np.array([[1, 0, 0, 1], [0, 1, 1, 0], [1, 1, 0, 1]], np.float32)
    patch = np.random.default_rng(0).integers(0, 2, (30_000, 2, 2))
    patch[123, 1, 0] = 2
    X = table.reshape(3, 2, 2)[patch].swapaxes(2, 3).reshape(-1, 4, 4)
    for seed in range(3):
        phi = PatchKMeansOrthogonalizer(3, 2, n_patches="auto", **ALGORITHM_1)
        phi.set_params(random_state=seed).fit(X)
        pairs = np.column_stack([phi.predict(X).ravel(), patch.ravel()])
        assert len(np.unique(pairs, axis=0)) == 3


@pytest.mark.parametrize("n_clusters", [4, 16])
def test_patches_are_drawn_if_distinct_ones_are_too_many_or_too_few(monkeypatch, n_clusters):
    monkeypatch.setattr(_plan, "_DRAWN_PATCHES", 60)
    X = np.random.default_rng(0).integers(0, 3, (200, 4, 4)).astype(float)  # 81 patches
    if n_clusters == 16:  # of at most 8 distinct patches
        X = np.repeat(np.repeat(X[:, :2, :2] == 0, 2, axis=1), 2, axis=2).astype(float)
    fitted = []
    for n_patches in ("auto", 60):
        phi = PatchKMeansOrthogonalizer(n_clusters, 2, n_patches=n_patches, **ALGORITHM_1)
        if n_clusters == 16:
            with pytest.warns(Warning, match="distinct"):
                phi.fit(X)
        fitted.append(phi.fit(X) if n_clusters == 4 else phi)
    assert_array_equal(fitted[0].cluster_centers_, fitted[1].cluster_centers_)
