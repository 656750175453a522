"""Factors K and W whose product K W^T is nearest to a matrix M.

For M = E[X y], with a row for each channel, |M - K W^T|^2 / 2 equals the linear loss plus
|K W^T|^2 / 2, up to a constant.
"""

import numpy as np
import torch
from sklearn.cluster import KMeans

_N_RESTARTS = 20


def truncated(M, rank, tolerance):
    """Return the factors of the nearest product of limited rank; columns of W are orthonormal.

    Distances between rows of K are as near to distances between rows of M as the rank allows.

    Parameters
    ----------
    M : Tensor of shape (n_rows, n_columns)
        The matrix.
    rank : int
        Largest number of columns of K and W. They have at most the rank of M, but at least 1.
    tolerance : float
        Smaller singular values, relative to the largest, are set to 0.

    Returns
    -------
    K : Tensor of shape (n_rows, n)
        U S of the singular value decomposition, columns in order of their norms.
    W : Tensor of shape (n_columns, n)
        V.
    """
    U, S, Vh = np.linalg.svd(M.cpu().numpy(), full_matrices=False)
    signs = _signs(U)
    U, Vh = U * signs, Vh * signs[:, None]
    n = max(1, min(rank, int((tolerance * S[0] < S).sum())))
    return _like(M, U[:, :n] * S[:n], Vh[:n].T)


def _signs(U):
    """Return signs that make the largest entry of each column positive.

    Of entries that are equal up to rounding the first decides: two one-hot channels have rows x
    and -x, and rounding must not choose between them.
    """
    size = np.abs(U)
    first = (size > (1 - 1e-6) * size.max(axis=0)).argmax(axis=0)
    return np.copysign(1.0, U[first, np.arange(U.shape[1])])


def grouped(M, n_groups, rng):
    """Return the factors of the nearest product whose rows of K are one-hot, by k-means.

    Parameters
    ----------
    M : Tensor of shape (n_rows, n_columns)
        The matrix.
    n_groups : int
        Number of columns of K and W.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    K : Tensor of shape (n_rows, n_groups)
        Group of each row, one-hot.
    W : Tensor of shape (n_columns, n_groups)
        Mean of the rows of each group.
    """
    largest = M.abs().max() or 1.0  # divided by it, so that squares stay in range
    kmeans = KMeans(n_groups, n_init=_N_RESTARTS, random_state=rng)
    labels = kmeans.fit((M / largest).cpu().numpy()).labels_
    return _like(M, np.eye(n_groups)[labels], kmeans.cluster_centers_.T * float(largest))


def _like(M, *arrays):
    return [torch.from_numpy(np.ascontiguousarray(array)).to(M) for array in arrays]
