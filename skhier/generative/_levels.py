"""Settings of each level, read from the parameters of a sampler."""

from dataclasses import dataclass
from numbers import Real

import numpy as np

from .._base._params import as_pair, check_choice, check_count, check_real, is_sequence, value_at
from .._base._validation import to_floats
from ._channels import noise_channel
from ._product_rules import ProductRules
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
    transitions: np.ndarray | None
    noise: float | np.ndarray
    pixels: tuple | None  # (n_channels, kind) at the last level

    def set_n_classes(self, n_classes, origin):
        """Set the number of classes; ValueError if the given rules have another number."""
        if self.transitions is not None:
            given = f"transitions[{self.index}] has rows"
        else:
            name = "pixel_patches" if self.pixels else f"symbol_patches[{self.index}]"
            given = f"{name} has sets of patches"
        if self.is_given and self.n_classes != n_classes:
            raise ValueError(
                f"{given} for {self.n_classes} semantic classes, but {origin} has {n_classes}."
            )
        self.n_classes = n_classes

    @property
    def is_given(self):
        """Whether the user passes the patches or the transitions."""
        return self.table is not None or self.transitions is not None

    def channel(self):
        """Return the channel of the symbol noise; ValueError if it has other classes."""
        if np.ndim(self.noise) == 2:
            n_drawn, n_seen = self.noise.shape
            fits = n_drawn == n_seen or (self.index > 0 and n_drawn < n_seen)
            if n_seen != self.n_classes or not fits:
                rows = f"up to {self.n_classes}" if self.index else self.n_classes
                allowed = f"({rows}, {self.n_classes})"
                raise ValueError(
                    f"symbol_noise at level {self.index} is a matrix of shape {n_drawn, n_seen}, "
                    f"but the level has {self.n_classes} classes: it takes the shape {allowed}, a "
                    "row for each class that is drawn and a column for each class of the level."
                )
        return noise_channel(self.noise, self.n_classes)

    def draw(self, n_next, rng):
        """Return the given rules, or rules with a table drawn over `n_next` classes."""
        if self.transitions is not None:
            if self.transitions.shape[3] != n_next:
                raise ValueError(
                    f"transitions[{self.index}] has {self.transitions.shape[3]} columns, but "
                    f"{n_next} classes are drawn for level {self.index + 1}."
                )
            return ProductRules(self.transitions)
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
    k = _counts(params, "patches_per_class")
    overlap = [check_real(v, "overlap", 0, maximum=1) for v in _per_level(params, "overlap")]
    tables = _tables(params)
    for i, table in enumerate(tables):
        if table is not None:
            counts[i], k[i], sizes[i] = table.shape[0], table.shape[1], table.shape[2:4]
    transitions = _transitions(params, tables, sizes)
    for i, matrices in enumerate(transitions):
        if matrices is not None:
            counts[i] = matrices.shape[2]
    weights, noise = _weights(params, counts, k), _symbol_noise(params)
    levels = []
    for i, (table, matrices) in enumerate(zip(tables, transitions)):
        # NumPy's small ints would overflow in products of sizes.
        pixels = (int(params.n_channels), params.pixel_patches) if i == n - 1 else None
        sizes_of_level = i, counts[i], k[i], sizes[i], overlap[i], weights[i]
        levels.append(Level(*sizes_of_level, table, matrices, noise[i], pixels))
    return levels


def read_label_probabilities(params, n_labels):
    """Return the probability of each label.

    Raises
    ------
    ValueError
        If they are not positive, do not sum to 1, or are of another number of labels.
    """
    if params.label_probabilities is None:
        return np.full(n_labels, 1 / n_labels)
    p = to_floats(params.label_probabilities, "label_probabilities")
    if p.shape != (n_labels,) or not (p > 0).all() or not abs(p.sum() - 1) <= 1e-6:
        raise ValueError(
            f"label_probabilities={params.label_probabilities!r} is not valid: it takes a number "
            f"> 0 for each of the {n_labels} labels, with the sum 1."
        )
    return p / p.sum()


def read_pixel_noise(params):
    """Return the standard deviation of the noise of pixels; ValueError if floats cannot hold it."""
    value = params.pixel_noise
    if isinstance(value, Real) and abs(value) < np.inf:
        with np.errstate(over="ignore"):  # NumPy's small floats cannot hold the bounds
            if value == 0 or 1e-30 <= value <= 1e30:
                return float(value)
    raise ValueError(
        f"pixel_noise={value!r} is not valid: it takes 0, or a number from 1e-30 to 1e30."
    )


def _is_fraction(value):
    return isinstance(value, Real) and 0 <= value <= 1


def _is_matrix(value):
    return isinstance(value, np.ndarray) and value.ndim == 2


def _symbol_noise(params):
    """Return the symbol noise at each level: floats, or matrices whose rows sum to 1."""
    given = params.symbol_noise
    values = given if is_sequence(given) and not _is_matrix(given) else [given]
    if not all(_is_fraction(value) or _is_matrix(value) for value in values):
        raise ValueError(
            f"symbol_noise={given!r} is not valid: it takes a number from 0 to 1, a matrix (an "
            "array of two dimensions), or a list of one of these for each level."
        )
    values = [given] * params.n_levels if _is_matrix(given) else _per_level(params, "symbol_noise")
    return [
        float(value) if _is_fraction(value) else _stochastic(value, f"symbol_noise at level {i}")
        for i, value in enumerate(values)
    ]


def _transitions(params, tables, sizes):
    """Return the transitions of each level, (height, width, n_classes, n_next), or None."""
    given, n = params.transitions, params.n_levels
    if given is None:
        return [None] * n
    if not (isinstance(given, (list, tuple)) and len(given) == n - 1):
        raise ValueError(
            f"transitions of type {type(given).__name__} is not valid: it takes None, or a list of "
            f"an array or None for each of the n_levels - 1 = {n - 1} upper levels."
        )
    checked = []
    for i, value in enumerate(given):
        if value is None:
            checked.append(None)
            continue
        name = f"transitions[{i}]"
        if tables[i] is not None:
            raise ValueError(
                f"{name} and symbol_patches[{i}] are both given, but a level has one of them: set "
                "the other to None."
            )
        matrices = _stochastic(value, name)
        if matrices.ndim == 2:
            matrices = np.broadcast_to(matrices, (*sizes[i], *matrices.shape))
        elif matrices.ndim != 4:
            raise ValueError(
                f"{name} of shape {matrices.shape} is not valid: it takes an array "
                "(n_semantic_classes, n_next_classes), or one for each place of a patch, "
                "(height, width, n_semantic_classes, n_next_classes)."
            )
        checked.append(matrices)
    return [*checked, None]


def _stochastic(value, name):
    """Return an array of probabilities whose rows sum to 1, up to rounding, divided by the sum."""
    matrix = to_floats(value, name)
    if matrix.ndim < 2 or 0 in matrix.shape or not np.isfinite(matrix).all() or matrix.min() < 0:
        raise ValueError(
            f"{name} of shape {matrix.shape} is not valid: it takes probabilities, finite numbers "
            ">= 0, in a row for each class."
        )
    sums = matrix.sum(axis=-1, keepdims=True)
    wrong = np.abs(sums - 1) > 1e-6
    if wrong.any():
        raise ValueError(f"{name} has a row with the sum {sums[wrong][0]:g}, but rows sum to 1.")
    return matrix / sums


def _per_level(params, name, *, is_pair=False):
    """Return the value at each level of a parameter: one for all levels, or a sequence."""
    n, value = params.n_levels, getattr(params, name)
    return [value_at(value, name, i, "n_levels", n, is_pair=is_pair) for i in range(n)]


def _counts(params, name):
    """Return the value at each level of a parameter that takes positive ints."""
    return [check_count(value, name, 1) for value in _per_level(params, name)]


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
    if is_kind:
        kinds = "gaussian", "orthonormal", "one_hot"
        check_choice(params.pixel_patches, "pixel_patches", kinds, ", or an array of patches")
    return [*tables, None if is_kind else check_pixel_table(params.pixel_patches)]
