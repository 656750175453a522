"""Patch tables: which patches of the next level a semantic class may become.

A table of level i is an array (|C_i|, k, height, width): row c holds the set S_c.
"""

from math import prod

import numpy as np


def draw_symbol_table(n_classes, k, patch_size, n_symbols, rng):
    """Draw disjoint sets of patches over `n_symbols` symbols (assumption 2), uniformly.

    Nothing is enumerated unless about half of all patches are needed.

    Raises
    ------
    ValueError
        If there are fewer than n_classes * k different patches.
    """
    needed, cells = n_classes * k, prod(patch_size)
    total = n_symbols**cells
    if needed > total:
        raise ValueError(
            f"patches_per_class={k} for {n_classes} semantic classes needs {needed} "
            f"disjoint patches, but only {total} patches of size {patch_size} over "
            f"{n_symbols} symbols exist."
        )
    if total < 2 * needed:
        codes = rng.permutation(total)[:needed]
        digits = n_symbols ** np.arange(cells)
        rows = codes[:, None] // digits % n_symbols
    else:
        rows = np.empty((0, cells), dtype=np.int64)
        while len(rows) < needed:
            more = rng.randint(n_symbols, size=(2 * (needed - len(rows)), cells))
            rows = np.concatenate([rows, more])
            _, first = np.unique(rows, axis=0, return_index=True)
            rows = rows[np.sort(first)]
        rows = rows[:needed]
    return rows.reshape(n_classes, k, *patch_size)


def draw_pixel_table(n_classes, k, patch_size, kind, rng):
    """Draw real patches of the last level: 'gaussian' or 'orthonormal' (assumption 4).

    Raises
    ------
    ValueError
        If more orthonormal patches are needed than a patch has pixels.
    """
    needed, cells = n_classes * k, prod(patch_size)
    rows = rng.standard_normal((needed, cells))
    if kind == "orthonormal":
        if needed > cells:
            raise ValueError(
                f"pixel_patches='orthonormal' with patches_per_class={k} for "
                f"{n_classes} semantic classes needs {needed} orthonormal patches, but "
                f"a patch of size {patch_size} has {cells} pixels."
            )
        q, r = np.linalg.qr(rows.T)
        rows = (q * np.sign(np.diag(r))).T  # so that every basis is equally likely
    return rows.astype(np.float32).reshape(n_classes, k, *patch_size)


def replace_pixels(level, choice, table):
    """Replace each pixel's class c by patch number `choice` of S_c: (n, h p, w q)."""
    n, height, width = level.shape
    *_, p, q = table.shape
    patches = table.reshape(-1, p, q).take(level * table.shape[1] + choice, axis=0)
    return patches.swapaxes(2, 3).reshape(n, height * p, width * q)


def recognize_patches(level, table):
    """The class of each patch, or -1 where no patch of `table` is it: (n, h, w)."""
    n, height, width = level.shape
    *_, p, q = table.shape
    patches = level.reshape(n, height // p, p, width // q, q).swapaxes(2, 3)
    classes = _match(patches.reshape(-1, p * q), table)
    return classes.reshape(n, height // p, width // q)


def _match(rows, table):
    n_classes, k, *_ = table.shape
    patches = table.reshape(n_classes * k, -1)
    if np.issubdtype(table.dtype, np.floating):
        # Pixels may be off by rounding.
        rows = rows.astype(np.float32)
        nearest = (rows @ patches.T - (patches**2).sum(axis=1) / 2).argmax(axis=1)
        tolerance = 1e-5 * np.abs(patches).max()
        matches = (np.abs(rows - patches[nearest]) <= tolerance).all(axis=1)
    else:
        weights = np.random.default_rng(0).integers(2**63, size=patches.shape[1])
        keys = patches @ weights  # a random hash modulo 2^64; equality is checked below
        order = np.argsort(keys)
        place = np.searchsorted(keys[order], rows @ weights).clip(max=len(order) - 1)
        nearest = order[place]
        matches = (rows == patches[nearest]).all(axis=1)
    return np.where(matches, nearest // k, -1)
