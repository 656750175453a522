"""Factors K and W whose product K W^T is near to a matrix M.

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


def grouped(M, points, weight, n_groups, rng):
    """Return factors whose rows of K are one-hot: groups of rows, by k-means of their points.

    With the rows of M as points, no product of such factors is nearer to M.

    Parameters
    ----------
    M : Tensor of shape (n_rows, n_columns)
        The matrix.
    points : Tensor of shape (n_rows, n_coordinates)
        The points of the rows.
    weight : Tensor of shape (n_rows,) or None
        Weights of the points, at least 0; None is 1 for all.
    n_groups : int
        Number of columns of K and W.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    K : Tensor of shape (n_rows, n_groups)
        Group of each row, one-hot.
    W : Tensor of shape (n_columns, n_groups)
        Mean of the rows of M of each group.
    """
    largest = points.abs().max() or 1.0  # divided by it, so that squares stay in range
    points = (points / largest).cpu().numpy()
    if weight is not None:  # a row without weight is in a group too
        weight = (weight / (weight.max() or 1.0)).clamp(min=1e-9).cpu().numpy()
    K = np.eye(n_groups)[_groups(points, weight, n_groups, rng)]
    (K,) = _like(M, K)
    return K, (M.T @ K) / K.sum(dim=0).clamp(min=1)


def _groups(points, weight, n_groups, rng):
    """Return the group of each point: the best result of k-means from several starts."""
    best = KMeans(n_groups, n_init=_N_RESTARTS, random_state=rng)
    best.fit(points, sample_weight=weight)
    if len(np.unique(best.labels_)) == n_groups:
        # Where all distances between classes are larger than all within them, random starts may
        # miss a class. These centers are of different classes.
        start = KMeans(n_groups, init=_farthest_first(points, n_groups), n_init=1)
        start.fit(points, sample_weight=weight)
        best = min(best, start, key=lambda kmeans: kmeans.inertia_)
    return best.labels_


def _farthest_first(points, n_centers):
    """Return points of which each is the farthest from those before it."""
    squared = ((points - points.mean(axis=0)) ** 2).sum(axis=1)
    centers = [points[squared.argmax()]]
    squared = np.full(len(points), np.inf)
    while len(centers) < n_centers:
        squared = np.minimum(squared, ((points - centers[-1]) ** 2).sum(axis=1))
        centers.append(points[squared.argmax()])
    return np.array(centers)


def _like(M, *arrays):
    return [torch.from_numpy(np.ascontiguousarray(array)).to(M) for array in arrays]
