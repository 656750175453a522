"""One thread of the BLAS of NumPy and SciPy."""

from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_blas_thread():
    """Limit the BLAS of NumPy and SciPy to one thread: a context, or a decorator.

    Its products and decompositions are rounded differently for each number of threads, and k-means
    turns other roundings into other clusters. The products of torch on a CPU are not: large ones
    are left to it. Threads of BLAS also wait for each other after every product. If other programs
    use the cores too, waiting for one that is not running takes many times as long as a product of
    small matrices.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@lru_cache
def _controller():
    return ThreadpoolController()
