"""Patch tables: the patches of every class of a level, drawn or passed by the user.

A table of level i is an array (|C_i|, k, height, width[, n_channels]): row c is S_c.
"""

from math import prod

import numpy as np

from .._base._validation import to_floats


def draw_symbol_table(n_classes, k, patch_size, n_symbols, overlap, rng):
    """Draw sets of patches over `n_symbols` symbols, uniformly.

    `overlap` * k patches, rounded, are common to all classes. All other patches are different;
    overlap = 0 is assumption 2. Patches are enumerated only if more than half of them are
    needed.

    Raises
    ------
    ValueError
        If more patches are needed than exist.
    """
    needed, n_pixels = _n_distinct(n_classes, k, overlap), prod(patch_size)
    total = n_symbols**n_pixels
    if needed > total:
        raise ValueError(
            f"patches_per_class={k} for {n_classes} semantic classes needs {needed} "
            f"different patches, but only {total} patches of size {patch_size} over "
            f"{n_symbols} symbols exist."
        )
    if total < 2 * needed:
        codes = rng.permutation(total)[:needed]
        digits = n_symbols ** np.arange(n_pixels)
        rows = codes[:, None] // digits % n_symbols
    else:
        rows = np.empty((0, n_pixels), dtype=np.int64)
        while len(rows) < needed:
            drawn = rng.randint(n_symbols, size=(2 * (needed - len(rows)), n_pixels))
            rows = np.concatenate([rows, drawn])
            _, first = np.unique(rows, axis=0, return_index=True)
            rows = rows[np.sort(first)]
        rows = rows[:needed]
    return _assign(rows, n_classes, k, overlap, rng).reshape(n_classes, k, *patch_size)


def draw_pixel_table(n_classes, k, patch_size, n_channels, kind, overlap, rng):
    """Draw real patches: 'gaussian', 'orthonormal' (assumption 4) or 'one_hot'.

    Raises
    ------
    ValueError
        If more orthonormal patches are needed than a patch has values.
    """
    needed, n_values = _n_distinct(n_classes, k, overlap), prod(patch_size) * n_channels
    if kind != "gaussian" and needed > n_values:
        raise ValueError(
            f"pixel_patches={kind!r} with patches_per_class={k} for {n_classes} semantic "
            f"classes needs {needed} orthonormal patches, but a patch of size {patch_size} "
            f"with n_channels={n_channels} has {n_values} values."
        )
    shape = needed, n_values
    rows = np.eye(*shape) if kind == "one_hot" else rng.standard_normal(shape)
    if kind == "orthonormal":
        q, r = np.linalg.qr(rows.T)
        rows = (q * np.sign(np.diag(r))).T  # makes every basis equally likely
    rows = _assign(rows.astype(np.float32), n_classes, k, overlap, rng)
    return rows.reshape(n_classes, k, *_pixel_shape(patch_size, n_channels))


def _pixel_shape(patch_size, n_channels):
    return patch_size if n_channels == 1 else (*patch_size, n_channels)


def _n_distinct(n_classes, k, overlap):
    """Return the number of different patches of a level."""
    shared = round(overlap * k)
    return n_classes * (k - shared) + shared


def _assign(rows, n_classes, k, overlap, rng):
    """Give each class the common rows and rows of its own, in random order."""
    shared = round(overlap * k)
    if shared == 0:
        return rows.reshape(n_classes, k, -1)
    own = rows[shared:].reshape(n_classes, k - shared, rows.shape[1])
    common = np.broadcast_to(rows[:shared], (n_classes, shared, rows.shape[1]))
    table = np.concatenate([own, common], axis=1)
    return np.stack([table[c, rng.permutation(k)] for c in range(n_classes)])


def check_symbol_table(table, level):
    """Check a table that the user passes for a level above the last; return it as int64.

    Raises
    ------
    ValueError
        If the table is not an array (n_classes, k, height, width) of non-negative integers,
        or a class has a patch twice.
    """
    name = f"symbol_patches[{level}]"
    table = np.asarray(table)
    if table.ndim != 4 or 0 in table.shape or table.dtype.kind not in "iu" or table.min() < 0:
        raise ValueError(
            f"{name} of shape {table.shape} and dtype {table.dtype} is not valid: it takes "
            "an array (n_semantic_classes, patches_per_class, height, width) of classes of "
            "the next level, integers >= 0."
        )
    _check_distinct(table, name)
    return table.astype(np.int64)


def check_pixel_table(table):
    """Check a table that the user passes for the last level; return it as float32.

    Raises
    ------
    ValueError
        If the table is not an array (n_classes, k, height, width[, n_channels]) of finite
        numbers, or a class has a patch twice.
    """
    try:
        with np.errstate(over="ignore"):  # infinity is refused below
            table = to_floats(table, "pixel_patches").astype(np.float32)
    except ValueError:
        table = np.empty(0)
    if table.ndim not in (4, 5) or 0 in table.shape or not np.isfinite(table).all():
        raise ValueError(
            "pixel_patches is not valid: it takes 'gaussian', 'orthonormal', 'one_hot' or "
            "an array (n_semantic_classes, patches_per_class, height, width) or (..., "
            f"n_channels) of finite numbers; got an array of shape {table.shape}."
        )
    _check_distinct(table, "pixel_patches")
    return table


def _check_distinct(table, name):
    """Raise ValueError if a class has a patch twice."""
    for c, patches in enumerate(table.reshape(*table.shape[:2], -1)):
        if len(np.unique(patches, axis=0)) < len(patches):
            raise ValueError(
                f"{name} gives class {c} a patch twice, but the patches of a set must differ. To "
                "make a patch more likely than others, set rule_weights."
            )
