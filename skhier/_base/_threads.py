"""One thread of the BLAS of NumPy and SciPy, and of torch."""

from contextlib import contextmanager
from functools import lru_cache
from threading import Lock
from weakref import WeakSet

import torch
from threadpoolctl import ThreadpoolController


class _Region:
    """Region of the program with the limit."""


class _Limit:
    """Limit that threads of Python share: the last region to end restores what the first found.

    Every region sets the limit, since programs may have changed it. Regions are held weakly: one
    that an interrupt ends before its first line is forgotten.
    """

    def __init__(self):
        self._lock, self._regions = Lock(), WeakSet()

    def begin(self, region):
        with self._lock:
            limiter = _controller().limit(limits=1, user_api="blas")
            if not self._regions:
                self._first = limiter
            self._regions.add(region)

    def end(self, region):
        with self._lock:
            self._regions.discard(region)
            if not self._regions:
                self._first.restore_original_limits()


_limit = _Limit()


_torch_lock = Lock()


@contextmanager
def one_torch_thread():
    """Limit torch to one thread, in a context that threads of Python enter one after another."""
    with _torch_lock:
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(n_threads)


@contextmanager
def one_blas_thread():
    """Limit the BLAS of NumPy and SciPy to one thread: a context, or a decorator.

    Its products and decompositions are rounded differently for each number of threads, and k-means
    turns other roundings into other clusters. Large products are left to `dense_product` and
    `batch_product`, which are rounded the same. Threads of BLAS also wait for each other after
    every product. If other programs use the cores too, waiting for one that is not running takes
    many times as long as a product of small matrices.
    """
    region = _Region()
    _limit.begin(region)
    try:
        yield
    finally:
        _limit.end(region)


@lru_cache
def _controller():
    return ThreadpoolController()
