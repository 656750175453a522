"""Expectations of products over the pixels of a level, exactly: its generating function."""

import numpy as np


def expected_product(model, level, factors):
    """E of the product over pixels j of factors[..., c_j, j], given each root image.

    From the level up to the root: a pixel's factor for class c becomes the mean over the
    patches of c of the product of their cells' factors.

    Parameters
    ----------
    model : HierarchicalModel
        The model.
    level : int
        Level whose pixels are multiplied, after its symbol noise.
    factors : ndarray of shape (..., n_classes, height, width)
        Factor of each class at each pixel.

    Returns
    -------
    expected : ndarray of shape (..., n_root_images)
    """
    factors = _before_noise(factors, model.symbol_noise[level])
    for i in range(level - 1, -1, -1):
        factors = _one_level_up(factors, model.rules[i])
        factors = _before_noise(factors, model.symbol_noise[i])
    rows, columns = np.indices(model.root.images.shape[1:])
    return factors[..., model.root.images, rows, columns].prod(axis=(-2, -1))


def _before_noise(factors, noise):
    return (1 - noise) * factors + noise * factors.mean(axis=-3, keepdims=True)


def _one_level_up(factors, rules):
    p, q = rules.patch_size
    product = 1.0
    for u, v in np.ndindex(p, q):
        # (..., class, patch, row, column)
        product = product * factors[..., rules.patches[:, :, u, v], u::p, v::q]
    return np.einsum("...ckhw,ck->...chw", product, rules.weights)
