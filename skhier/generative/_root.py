"""The root distribution G_0: labeled semantic images and their linear separability."""

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from ._streams import draw_integers

_MAX_TRIES = 1000


class RootDistribution:
    """Labels drawn uniformly, then one of the label's semantic images, uniformly.

    Parameters
    ----------
    images : ndarray of shape (n, height, width)
        Semantic images, as indices of classes.
    labels : ndarray of shape (n,)
        Indices of their labels, sorted.
    """

    n_draws = 2  # of each key's stream

    def __init__(self, images, labels):
        self.images, self.labels = images, labels
        self._size = np.bincount(labels)
        self._first = np.cumsum(self._size) - self._size

    def draw(self, keys):
        """The index of a root image for each key."""
        label = draw_integers(keys, 0, 1, len(self._size))[:, 0]
        return self._first[label] + draw_integers(keys, 1, 1, self._size[label, None])[:, 0]


def draw_root_images(n_labels, n_images, shape, n_semantic_classes, rng):
    """Draw `n_images` semantic images per label, all different and linearly separable.

    Returns
    -------
    images : ndarray of shape (n_labels * n_images, height, width)
    labels : ndarray of shape (n_labels * n_images,)

    Raises
    ------
    ValueError
        If `_MAX_TRIES` draws were all not separable.
    """
    n_total = n_labels * n_images
    labels = np.repeat(np.arange(n_labels), n_images)
    for _ in range(_MAX_TRIES):
        images = rng.randint(n_semantic_classes, size=(n_total, *shape))
        if len(np.unique(images.reshape(n_total, -1), axis=0)) < n_total:
            continue
        if is_linearly_separable(images, labels, n_semantic_classes):
            return images, labels
    raise ValueError(
        f"n_root_images={n_images} different semantic images for each of {n_labels} "
        f"labels, of shape {tuple(shape)} over {n_semantic_classes} classes, were not "
        f"linearly separable in {_MAX_TRIES} draws; ask for fewer or larger ones."
    )


def is_linearly_separable(images, labels, n_semantic_classes):
    """Whether assumption 1 holds: one-hot images are linearly separable by label.

    For two labels: some W has y <W, onehot(X)> >= 1. For more: some W_l have
    <W_y - W_l, onehot(X)> >= 1 for every other label l. Decided by linear programming.
    """
    rows = np.column_stack([images.reshape(len(images), -1), labels])
    rows = np.unique(rows, axis=0)
    flat, labels = rows[:, :-1], rows[:, -1]
    if len(np.unique(flat, axis=0)) < len(flat):
        return False
    n_rows, n_pixels = flat.shape
    columns = flat + n_semantic_classes * np.arange(n_pixels)
    one_hot = sparse.csr_array(
        (np.ones(columns.size), columns.ravel(), np.arange(0, columns.size + 1, n_pixels)),
        shape=(n_rows, n_semantic_classes * n_pixels),
    )
    n_labels = labels.max() + 1
    blocks = []
    for label in range(n_labels):
        mine = one_hot[labels == label]
        for other in set(range(n_labels)) - {label}:
            row = [None] * n_labels
            row[label], row[other] = -mine, mine
            empty = sparse.csr_array((mine.shape[0], one_hot.shape[1]))
            blocks.append([part if part is not None else empty for part in row])
    constraints = sparse.block_array(blocks, format="csr")
    solution = linprog(
        np.zeros(constraints.shape[1]),
        A_ub=constraints,
        b_ub=-np.ones(constraints.shape[0]),
        bounds=(None, None),
    )
    return solution.status == 0
