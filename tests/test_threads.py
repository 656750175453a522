"""The limit of BLAS to one thread, and its end."""

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from skhier import SphericalKMeans
from skhier._base._device import shortest_times
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


def test_speeds_are_measured_on_one_thread_of_torch():
    n_threads, seen = torch.get_num_threads(), set()
    shortest_times(lambda: seen.add(torch.get_num_threads()))
    assert seen == {1}
    assert torch.get_num_threads() == n_threads
    with pytest.raises(ZeroDivisionError):
        shortest_times(lambda: 1 / 0)
    assert torch.get_num_threads() == n_threads
