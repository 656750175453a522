"""One thread for many products of small matrices."""

from functools import lru_cache

from threadpoolctl import ThreadpoolController


def one_blas_thread():
    """Return a context in which the BLAS of NumPy and SciPy uses one thread.

    Threads of BLAS wait for each other after every product. If other programs use the cores too,
    waiting for one that is not running takes many times as long as a product of small matrices.
    """
    return _controller().limit(limits=1, user_api="blas")


@lru_cache
def _controller():
    return ThreadpoolController()
