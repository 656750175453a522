"""Images and computations that several files of tests need."""

import numpy as np
from sklearn.datasets import load_digits


def moved_digits(n, seed):
    """Return digits in images of 16x16, each at a random place."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(X), n, replace=False)
    images = np.zeros((n, 16, 16), np.float32)
    for image, pixels, (row, column) in zip(images, X[chosen], rng.integers(2, 7, (n, 2))):
        image[row : row + 8, column : column + 8] = pixels.reshape(8, 8)
    return images, y[chosen]


def errors_without_an_image(X, y, weight, alpha, groups=None):
    """Return weighted squared errors of ridge regressions without one image, or its group."""
    mean = weight @ X / weight.sum()
    scale = np.sqrt(weight @ (X - mean) ** 2 / weight.sum())
    Z, T = (X - mean) / np.where(scale > 0, scale, np.inf), np.eye(y.max() + 1)[y]
    T = T - weight @ T / weight.sum()
    errors = np.empty(len(X))
    for i in range(len(X)):
        others = np.arange(len(X)) != i if groups is None else groups != groups[i]
        B = Z[others].T * weight[others]
        penalty = alpha * Z.shape[1] * np.eye(Z.shape[1])
        W = np.linalg.solve(B @ Z[others] + penalty, B @ T[others])
        errors[i] = weight[i] * ((T[i] - Z[i] @ W) ** 2).sum()
    return errors


def first_minimum(errors):
    """Return the errors of the largest alpha of which a smaller one has a larger sum."""
    best = len(errors) - 1
    while best > 0 and errors[best - 1].sum() < errors[best].sum():
        best -= 1
    return errors[best]


def centered(scores):
    """Return scores minus their means: offsets of classes make no difference."""
    return scores - scores.mean(axis=0)
