"""Two factors K W^T whose product is the nearest to a matrix, K a row for each of its rows.

With the linear loss, |M - K W^T|^2 / 2 is the loss plus |K W^T|^2 / 2, but for a constant, where
M = E[X y] has a row for each channel.
"""

import numpy as np
import torch
from sklearn.cluster import KMeans

_N_RESTARTS = 20


def truncated(M, rank, tolerance):
    """The nearest product of at most some rank, with orthonormal columns of W.

    Distances between rows of K are those between rows of M, as near as the rank allows.

    Parameters
    ----------
    M : Tensor of shape (n_rows, n_columns)
        The matrix.
    rank : int
        At most so many columns of K and W; no more than the rank of M, but one at least.
    tolerance : float
        Singular values that are less, compared with the largest, are 0.

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
    """Signs that make the largest entry of each column positive, the first of those as large.

    Rows of two channels that are one-hot are x and -x: rounding must not choose between them.
    """
    size = np.abs(U)
    first = (size > (1 - 1e-6) * size.max(axis=0)).argmax(axis=0)
    return np.copysign(1.0, U[first, np.arange(U.shape[1])])


def grouped(M, n_groups, rng):
    """The nearest product where each row of K is that of one group, all 0 but a 1: k-means.

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
        The group of each row, one-hot.
    W : Tensor of shape (n_columns, n_groups)
        The mean of the rows of each group.
    """
    unit = M.abs().max() or 1.0  # so that squares stay in range
    kmeans = KMeans(n_groups, n_init=_N_RESTARTS, random_state=rng)
    labels = kmeans.fit((M / unit).cpu().numpy()).labels_
    return _like(M, np.eye(n_groups)[labels], kmeans.cluster_centers_.T * float(unit))


def _like(M, *arrays):
    return [torch.from_numpy(np.ascontiguousarray(array)).to(M) for array in arrays]
