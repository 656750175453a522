"""One thread of the BLAS of NumPy and SciPy."""

from contextlib import contextmanager
from functools import lru_cache
from threading import Lock

from threadpoolctl import ThreadpoolController


class _Limit:
    """Limit that several threads of Python share: the first sets it, and the last restores it."""

    def __init__(self):
        self._lock, self._n_users = Lock(), 0

    def enter(self):
        with self._lock:
            if not self._n_users:
                self._limiter = _controller().limit(limits=1, user_api="blas")
            self._n_users += 1

    def leave(self):
        with self._lock:
            self._n_users -= 1
            if not self._n_users:
                self._limiter.restore_original_limits()


_limit = _Limit()


@contextmanager
def one_blas_thread():
    """Limit the BLAS of NumPy and SciPy to one thread: a context, or a decorator.

    Its products and decompositions are rounded differently for each number of threads, and k-means
    turns other roundings into other clusters. The products of torch on a CPU are not: large ones
    are left to it. Threads of BLAS also wait for each other after every product. If other programs
    use the cores too, waiting for one that is not running takes many times as long as a product of
    small matrices.
    """
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


@lru_cache
def _controller():
    return ThreadpoolController()
