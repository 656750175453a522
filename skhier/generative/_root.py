"""Root distribution G_0: labeled semantic images and their linear separability."""

import numpy as np
from scipy.optimize import lsq_linear, nnls
from scipy.special import logsumexp

from ._alias import AliasTable
from ._streams import draw_integers, random_bits


class RootDistribution:
    """Root distribution: a label is drawn, then one of its semantic images, uniformly.

    Parameters
    ----------
    images : ndarray of shape (n, height, width)
        Semantic images, as indices of classes.
    labels : ndarray of shape (n,)
        Indices of the images' labels; each label occurs at least once.
    label_probabilities : ndarray of shape (n_labels,) or None
        Probability of each label; None is uniform.
    """

    n_draws = 2  # number of draws that `draw` takes from the stream of a key

    def __init__(self, images, labels, label_probabilities=None):
        order = np.argsort(labels, kind="stable")
        self.images, self.labels = images[order], labels[order]
        self._size = np.bincount(labels)
        self._first = np.cumsum(self._size) - self._size
        n_labels = len(self._size)
        if label_probabilities is None:
            label_probabilities = np.full(n_labels, 1 / n_labels)
        self.label_probabilities = label_probabilities
        self._alias = AliasTable(label_probabilities[None])

    @property
    def n_labels(self):
        return len(self._size)

    @property
    def probabilities(self):
        """Probability of each image with its label: (n,)."""
        return self.label_probabilities[self.labels] / self._size[self.labels]

    def draw(self, keys):
        """Draw the index of a root image for each key."""
        label = self._alias.draw(np.zeros(len(keys), np.int64), random_bits(keys, 0, 1)[:, 0])
        return self._first[label] + draw_integers(keys, 1, 1, self._size[label, None])[:, 0]

    def frequencies(self, n_classes):
        """Compute P(pixel is c | label): (n_labels, n_classes, height, width)."""
        one_hot = self.images[:, None] == np.arange(n_classes)[:, None, None]
        is_label = self.labels == np.arange(self.n_labels)[:, None]
        weights = is_label / self._size[self.labels]
        return np.tensordot(weights, one_hot, axes=1)

    def log_probabilities(self, images, channel):
        """Compute the logarithm of the probability of images after a channel: (n,)."""
        log_p = np.zeros((len(images), len(self.images)))
        with np.errstate(divide="ignore"):
            log_channel = np.log(channel.matrix)
        for row, column in np.ndindex(images.shape[1:]):
            log_p += log_channel[images[:, None, row, column], self.images[:, row, column]]
        return logsumexp(log_p, axis=1, b=self.probabilities)


def draw_root_images(n_labels, n_images, shape, n_semantic_classes, rng):
    """Draw `n_images` uniform semantic images for each label; return (images, labels)."""
    images = rng.randint(n_semantic_classes, size=(n_labels * n_images, *shape))
    return images, np.repeat(np.arange(n_labels), n_images)


def linear_separator(images, labels, n_semantic_classes):
    r"""Compute the separator W* of smallest norm (assumption 1), or None if none exists.

    For two labels, :math:`y \langle W^*, onehot(X) \rangle \ge 1` with y = -1 for label 0
    and 1 for label 1. For more, :math:`\langle W^*_y - W^*_l, onehot(X) \rangle \ge 1` for
    every other label l.

    Returns
    -------
    separator : ndarray of shape (n_semantic_classes, height, width), \
            (n_labels, n_semantic_classes, height, width) for more than two labels, or None

    Notes
    -----
    Least distance programming (Lawson and Hanson, 1974, chapter 23): the smallest w with
    G w >= 1 comes from the residual of a non-negative least squares problem. A constraint is
    added only when it is violated, so the problem stays small for many images. If no two images
    have the same class at a pixel, the solution is known.
    """
    _, height, width = images.shape
    rows = np.unique(np.column_stack([images.reshape(len(images), -1), labels]), axis=0)
    flat, labels = rows[:, :-1], rows[:, -1]
    if len(np.unique(flat, axis=0)) < len(flat):
        return None
    n_labels = labels.max() + 1
    n_weights = n_semantic_classes * height * width
    columns = flat * height * width + np.arange(height * width)
    blocks = 1 if n_labels == 2 else n_labels

    def constraint(image, other):
        """Return the row of G that separates the label of an image from another label."""
        row = np.zeros((blocks, n_weights))
        if blocks == 1:
            row[0, columns[image]] = 2 * labels[image] - 1
        else:
            row[labels[image], columns[image]] = 1
            row[other, columns[image]] = -1
        return row.ravel()

    every_image = np.arange(len(flat))
    active = np.empty((0, blocks * n_weights))
    w = np.zeros((blocks, n_weights))
    if _are_orthogonal(columns):  # the constraints of different images are independent
        scores = labels == np.arange(n_labels)[:, None]
        scores = 2.0 * scores[1:] - 1 if blocks == 1 else scores - 1 / n_labels
        w[:, columns] = scores[:, :, None] / columns.shape[1]
    while True:
        scores = w[:, columns].sum(axis=2)
        if blocks == 1:
            slack = (scores * (2 * labels - 1)).T
        else:
            slack = (scores[labels, every_image] - scores).T
            slack[every_image, labels] = np.inf
        violated = np.argwhere(slack < 1 - 1e-7)
        if not len(violated):
            w = w.reshape(blocks, n_semantic_classes, height, width)
            return w[0] if blocks == 1 else w
        worst = violated[np.argsort(slack[tuple(violated.T)], kind="stable")[:64]]
        active = np.concatenate([active, [constraint(*pair) for pair in worst]])
        E = np.vstack([active.T, np.ones(len(active))])
        f = np.zeros(len(E))
        f[-1] = 1
        Q, R = np.linalg.qr(E)  # the same problem with fewer rows
        solution = _nonnegative_least_squares(R, f @ Q)
        residual = E @ solution - f
        if np.linalg.norm(residual) < 1e-5:
            return None
        w = -residual[:-1] / residual[-1]
        w = (w / (active @ w).min()).reshape(blocks, n_weights)  # 1 but for rounding


def _are_orthogonal(columns):
    """Return whether no two images have the same class at a pixel, as all of one pixel do."""
    return np.bincount(columns.ravel()).max() == 1


def _nonnegative_least_squares(A, b):
    """Minimize ||A x - b|| over x >= 0."""
    x, _ = nnls(A, b)
    gradient = A.T @ (A @ x - b)
    # SciPy's nnls can stop early if columns are dependent. The slower bvls does not.
    if gradient.min() < -1e-10 or np.abs(gradient[x > 0]).max(initial=0) > 1e-10:
        x = lsq_linear(A, b, bounds=(0, np.inf), method="bvls", tol=1e-14).x
    return x
