"""Factors K and W whose product K W^T is near to a matrix M.

For M = E[X y], with a row for each channel, |M - K W^T|^2 / 2 equals the linear loss plus
|K W^T|^2 / 2, up to a constant.
"""

import numpy as np
import torch
from sklearn.cluster import KMeans

from .._base._threads import one_blas_thread

_N_RESTARTS = 20
_MAX_MOVES = 10  # of single points in a start, for each point


@one_blas_thread()
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
    K = np.eye(n_groups)[find_groups(points, weight, n_groups, rng)]
    (K,) = _like(M, K)
    return K, (M.T @ K) / K.sum(dim=0).clamp(min=1)


def find_groups(points, weight, n_groups, rng):
    """Return the group of each point: the best result of k-means from several starts.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_coordinates)
        The points.
    weight : ndarray of shape (n_points,) or None
        Weights of the points, above 0; None is 1 for all.
    n_groups : int
        Number of groups.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    labels : ndarray of shape (n_points,)
        Group of each point.
    """
    weight = np.ones(len(points)) if weight is None else weight
    # Where all distances between classes are larger than all within them, random starts may miss a
    # class. The farthest points are of different classes.
    starts = ["k-means++"] * _N_RESTARTS + [_farthest_first(points, n_groups)]
    best, least = None, np.inf
    for start in starts:
        kmeans = KMeans(n_groups, init=start, n_init=1, random_state=rng)
        labels = kmeans.fit(points, sample_weight=weight).labels_
        if len(np.unique(labels)) < n_groups:  # fewer different points than groups
            return labels
        labels, cost = _moved(points, weight, labels)
        if cost < least * (1 - 1e-12):
            best, least = labels, cost
    return best


def _moved(points, weight, labels):
    """Move single points while this lowers the cost; return the groups and the cost.

    With d_P the distance of a point of weight w from the mean of a group P of weight W_P, a move
    from P to Q lowers the cost by w W_P / (W_P - w) d_P^2 - w W_Q / (W_Q + w) d_Q^2. Lloyd's steps
    compare d_P with d_Q, and the mean of P is nearer as the point is part of it. Where there are
    many coordinates, they stop far from the least cost.
    """
    labels, rows = labels.copy(), np.arange(len(points))
    in_group = np.eye(labels.max() + 1)[labels].T * weight
    totals, sums = in_group.sum(axis=1), in_group @ points
    norms = (points**2).sum(axis=1)
    squared = norms[:, None] - 2 * points @ (sums / totals[:, None]).T
    squared += ((sums / totals[:, None]) ** 2).sum(axis=1)
    tolerance = 1e-9 * (weight @ squared[rows, labels])
    for _ in range(_MAX_MOVES * len(points)):
        own = totals[labels]
        is_alone = np.bincount(labels)[labels] == 1
        saved = weight * own / np.where(is_alone, np.inf, own - weight) * squared[rows, labels]
        paid = weight[:, None] * totals / (totals + weight[:, None]) * squared
        paid[rows, labels] = np.inf
        nearest = paid.argmin(axis=1)
        gain = saved - paid[rows, nearest]
        a = gain.argmax()
        if gain[a] <= tolerance:
            break
        changed = [labels[a], nearest[a]]
        labels[a] = nearest[a]
        for group in changed:
            members = labels == group
            totals[group] = weight[members].sum()
            mean = weight[members] @ points[members] / totals[group]
            squared[:, group] = ((points - mean) ** 2).sum(axis=1)
    return labels, weight @ squared[rows, labels]


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
