"""Settings of each level, read from the parameters of a sampler."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from .._base._params import as_pair, value_at
from .._base._validation import to_floats
from ._rules import Rules, rule_weights
from ._tables import check_pixel_table, check_symbol_table, draw_pixel_table, draw_symbol_table


@dataclass
class Level:
    """Settings of one level: a table of patches, or the sizes of the table to draw."""

    index: int
    n_classes: int
    n_per_class: int
    patch_size: tuple
    overlap: float
    weights: object
    table: np.ndarray | None
    pixels: tuple | None  # (n_channels, kind) at the last level

    def set_n_classes(self, n_classes, origin):
        """Set the number of classes; ValueError if the given table has another number."""
        if self.table is not None and len(self.table) != n_classes:
            name = "pixel_patches" if self.pixels else f"symbol_patches[{self.index}]"
            raise ValueError(
                f"{name} has sets of patches for {len(self.table)} semantic classes, but "
                f"{origin} has {n_classes}."
            )
        self.n_classes = n_classes

    def draw(self, n_next, rng):
        """Return rules with the given table, or with a table drawn over `n_next` classes."""
        table = self.table
        if table is None:
            size = self.n_classes, self.n_per_class, self.patch_size
            if self.pixels:
                table = draw_pixel_table(*size, *self.pixels, self.overlap, rng)
            else:
                table = draw_symbol_table(*size, n_next, self.overlap, rng)
        elif not self.pixels and table.max() >= n_next:
            raise ValueError(
                f"symbol_patches[{self.index}] holds the class {table.max()}, but level "
                f"{self.index + 1} has {n_next} classes, 0 to {n_next - 1}."
            )
        return Rules(table, rule_weights(self.weights, *table.shape[:2], self.index))


def read_levels(params):
    """Return a `Level` for each of the `params.n_levels` levels.

    Raises
    ------
    ValueError
        If a parameter has a value that is not valid, or the wrong number of values.
    """
    n = params.n_levels
    counts = _counts(params, "n_semantic_classes")
    sizes = [as_pair(s, "patch_size", 1) for s in _per_level(params, "patch_size", is_pair=True)]
    k, overlap = _counts(params, "patches_per_class"), read_fractions(params, "overlap")
    tables = _tables(params)
    for i, table in enumerate(tables):
        if table is not None:
            counts[i], k[i], sizes[i] = table.shape[0], table.shape[1], table.shape[2:4]
    weights = _weights(params, counts, k)
    levels = []
    for i, table in enumerate(tables):
        pixels = (params.n_channels, params.pixel_patches) if i == n - 1 else None
        levels.append(Level(i, counts[i], k[i], sizes[i], overlap[i], weights[i], table, pixels))
    return levels


def read_fractions(params, name):
    """Return the value at each level of a parameter that takes numbers from 0 to 1."""
    values = _per_level(params, name)
    if not all(isinstance(v, Real) and 0 <= v <= 1 for v in values):
        raise ValueError(
            f"{name}={getattr(params, name)!r} is not valid: it takes a number from 0 to 1, or "
            "one for each level."
        )
    return [float(value) for value in values]


def _per_level(params, name, *, is_pair=False):
    """Return the value at each level of a parameter: one for all levels, or a sequence."""
    n, value = params.n_levels, getattr(params, name)
    return [value_at(value, name, i, "n_levels", n, is_pair=is_pair) for i in range(n)]


def _counts(params, name):
    """Return the value at each level of a parameter that takes positive ints."""
    values = _per_level(params, name)
    if not all(isinstance(v, Integral) and v >= 1 for v in values):
        raise ValueError(
            f"{name}={getattr(params, name)!r} is not valid: it takes a positive int, or "
            "one for each level."
        )
    return [int(v) for v in values]


def _weights(params, n_classes, k):
    """Return the value of `rule_weights` at each level: entries of a list, or one array for all.

    Raises
    ------
    ValueError
        If a list has the wrong number of values, or can be mistaken for weights of patches.
    """
    given = params.rule_weights
    if isinstance(given, np.ndarray) and given.dtype.kind != "U":
        return [given] * params.n_levels
    if isinstance(given, (list, tuple)) and _resembles_weights(given, n_classes, k):
        raise ValueError(
            f"rule_weights={given!r} is ambiguous: a list gives one value for each level, and a "
            "number is an exponent of Zipf's law, but the list has the shape of the weights of a "
            "level's patches. For weights, pass an array, or a list of an array for each level. "
            "For exponents a, pass a list of the array np.arange(1, patches_per_class + 1.0) ** -a "
            "for each level."
        )
    return _per_level(params, "rule_weights")


def _resembles_weights(values, n_classes, k):
    """Return whether a list of different numbers has the shape of the weights of a level."""
    if any(isinstance(value, (str, np.ndarray)) for value in values):
        return False
    try:
        values = to_floats(values, "rule_weights")
    except ValueError:
        return False
    return values.shape in [*zip(k), *zip(n_classes, k)] and np.ptp(values) > 0


def _tables(params):
    """Return the table of each level, None for tables to be drawn."""
    given = params.symbol_patches
    if given is None:
        tables = [None] * (params.n_levels - 1)
    elif isinstance(given, (list, tuple)) and len(given) == params.n_levels - 1:
        tables = [
            None if table is None else check_symbol_table(table, i) for i, table in enumerate(given)
        ]
    else:
        raise ValueError(
            f"symbol_patches={given!r} is not valid: it takes None, or a list of an array or "
            f"None for each of the n_levels - 1 = {params.n_levels - 1} upper levels."
        )
    is_kind = isinstance(params.pixel_patches, str)
    if is_kind and params.pixel_patches not in ("gaussian", "orthonormal", "one_hot"):
        raise ValueError(
            f"pixel_patches={params.pixel_patches!r} is not valid: it takes 'gaussian', "
            "'orthonormal', 'one_hot' or an array of patches."
        )
    return [*tables, None if is_kind else check_pixel_table(params.pixel_patches)]
