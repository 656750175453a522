"""The limit of BLAS to one thread, its end, and results in any number of threads."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_info, threadpool_limits

from skhier import LayerwiseCNNClassifier, SphericalKMeans
from skhier._base._threads import one_blas_thread


def n_blas_threads():
    """Return the number of threads of each BLAS library."""
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def three_threads():
    with threadpool_limits(3, user_api="blas"):
        yield


def test_blas_has_one_thread_inside_and_as_many_as_before_outside():
    with one_blas_thread():
        with one_blas_thread():
            assert set(n_blas_threads()) == {1}
        assert set(n_blas_threads()) == {1}
    assert set(n_blas_threads()) == {3}
    with pytest.raises(KeyboardInterrupt), one_blas_thread():
        raise KeyboardInterrupt
    assert set(n_blas_threads()) == {3}


def test_a_fit_leaves_the_number_of_threads_as_it_was():
    X = np.random.default_rng(0).standard_normal((60, 4))
    SphericalKMeans(5, random_state=0).fit(X)
    assert set(n_blas_threads()) == {3}


def layers_learned_in(n_threads, X, y):
    """Return the centroids and kernels of all layers."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with threadpool_limits(n_threads, user_api="blas"):
            clf = LayerwiseCNNClassifier(
                n_layers=2, n_clusters=[60, 200], precision="float32", shift=0, random_state=0
            ).fit(X, y)
    finally:
        torch.set_num_threads(before)
    first, second = clf.layers_
    parts = first.orthogonalizer, second.orthogonalizer
    return [*(part.cluster_centers_ for part in parts), first.embedder.kernels_]


def test_layers_are_the_same_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    y = np.arange(150) % 5
    templates = gaussian_filter(rng.standard_normal((5, 24, 24, 3)), (0, 1, 1, 0))
    X = (templates[y] + 0.1 * rng.standard_normal((150, 24, 24, 3))).astype(np.float32)
    expected = layers_learned_in(1, X, y)
    for n_threads in (2, 3):
        for array, of_one in zip(layers_learned_in(n_threads, X, y), expected, strict=True):
            np.testing.assert_array_equal(array, of_one)
