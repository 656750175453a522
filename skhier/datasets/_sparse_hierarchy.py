"""Sparse Random Hierarchy Model: symbols between empty places that carry no information."""

from itertools import combinations
from math import comb
from typing import Any, Literal

import numpy as np

from .._base._params import check_choice, check_count
from .._base._typing import RandomState, SampleOutput
from ..generative import HierarchicalSampler
from ._hierarchies import draw_samples, make_random_hierarchy

_MAX_PATCHES = 10**6


def make_sparse_random_hierarchy(
    n_samples: int = 1000,
    *,
    n_classes: int = 8,
    vocabulary_size: int = 8,
    n_synonyms: int = 4,
    tuple_size: int = 2,
    n_empty: int = 1,
    sparsity: Literal["A", "B"] = "A",
    depth: int = 2,
    output: SampleOutput = "pixels",
    replace: bool = True,
    return_X_y: bool = True,
    random_state: RandomState = None,
    sample_random_state: RandomState = None,
) -> Any:
    r"""Draw strings of the Sparse Random Hierarchy Model (Tomasini and Wyart, 2024).

    The model has the rules of :func:`make_random_hierarchy`, and empty places between symbols. A
    symbol is replaced by one of m tuples of s symbols. Then the symbols of the tuple are put at
    random into :math:`s (s_0 + 1)` places, and the other :math:`s s_0` places are empty. An empty
    place becomes empty places. So the label does not change if symbols are exchanged for synonyms,
    or if they are moved: a discrete diffeomorphism. Only a share of :math:`(s_0 + 1)^{-L}` of the
    places of a string hold a symbol.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of strings.

    n_classes : int, default=8
        Number :math:`n_c` of labels, 0, 1, ...

    vocabulary_size : int, default=8
        Number v of symbols at each level below the label, at least 2, not counting the empty
        place.

    n_synonyms : int, default=4
        Number m of tuples by which a symbol can be replaced.

    tuple_size : int, default=2
        Number s of symbols in a tuple.

    n_empty : int, default=1
        Number :math:`s_0` of empty places for each symbol. With 0, the model is the Random
        Hierarchy Model.

    sparsity : {'A', 'B'}, default='A'
        Where the symbols of a tuple can be, in the authors' letters. With 'A', each symbol has
        :math:`s_0 + 1` places of its own, one after the other, and is at one of them: there are
        :math:`(s_0 + 1)^s` placements. With 'B', the symbols are at any s of the :math:`s (s_0 +
        1)` places, in the order of the tuple: there are :math:`\binom{s (s_0 + 1)}{s}` placements.
        All placements are equally likely, and each string draws its own.

    depth : int, default=2
        Number L of times that symbols are replaced by tuples; strings have :math:`(s (s_0 +
        1))^L` places.

    output : {'pixels', 'symbols'}, default='pixels'
        Whether X holds one-hot pixels, or the symbols as unsigned ints of the smallest type.

    replace : bool, default=True
        Whether strings are drawn independently, or without replacement: False makes all strings of
        a sample different.

    return_X_y : bool, default=True
        Whether to return arrays, or a Bunch.

    random_state : int, RandomState instance or None, default=None
        Determines the rules, and the strings if `sample_random_state` is None. Two values are two
        grammars. Rules are those of :func:`make_random_hierarchy` with the same sizes and
        `random_state`.

    sample_random_state : int, RandomState instance or None, default=None
        Determines the strings. Two values are two samples of the grammar of `random_state`.

    Returns
    -------
    X : ndarray of shape (n_samples, 1, n_places, vocabulary_size), float32
        The strings as images of height 1, of (tuple_size * (n_empty + 1)) ** depth places. A
        symbol is a one-hot pixel, an empty place is zero. Or an array of shape (n_samples,
        n_places) of symbols, with `vocabulary_size` for an empty place. If `return_X_y` is False,
        a Bunch is returned instead, with `images` (not with symbols as output), `target`,
        `symbols`, `latents` (the symbols of all levels), `sampler` (the fitted
        HierarchicalSampler), `name` and `DESCR`.

    y : ndarray of shape (n_samples,)
        Labels.

    Raises
    ------
    ValueError
        If a parameter is not in its range, there are fewer tuples than the symbols need, or with
        `replace=False` fewer strings than `n_samples`; or if with 'B' a level has more than a
        million patches.

    See Also
    --------
    make_random_hierarchy : The model without empty places.

    Notes
    -----
    The sampler has two levels for each of the L levels of the model. Levels 0, 2, ... draw tuples,
    levels 1, 3, ... draw places. :meth:`~skhier.HierarchicalSampler.resample` draws either again.
    With new tuples, all symbols stay at their places. With new places, a symbol moves with its
    whole subtree: the string has the same symbols in the same order.

    With 'A', statistics and inference cost a sum over :math:`v m + v (s_0 + 1)` patches instead of
    :math:`v m (s_0 + 1)^s`. With 'B', the levels of tuples draw the number of a tuple, a m + j for
    tuple j of symbol a, and the levels of places have :math:`v m \binom{s (s_0 + 1)}{s}` patches.
    In `patches_` of the sampler, the empty symbol has other patches too, of weight 0, as all
    symbols of a level have the same number of patches.

    References
    ----------
    U. Tomasini and M. Wyart, "How deep networks learn sparse and hierarchical data: the Sparse
    Random Hierarchy Model", ICML 2024.

    Examples
    --------
    >>> from skhier.datasets import make_sparse_random_hierarchy
    >>> srhm = make_sparse_random_hierarchy(100, return_X_y=False, random_state=0)
    >>> srhm.images.shape, srhm.symbols.shape
    ((100, 1, 16, 8), (100, 16))

    Exchange of the last synonyms, and of the upper places. Symbols move with their subtrees:

    >>> sampler = srhm.sampler
    >>> synonyms, _ = sampler.resample(range(100), 2, 1, until=3, output="symbols")
    >>> bool(((synonyms == 8) == (srhm.symbols == 8)).all())  # at the same places
    True
    >>> moved, _ = sampler.resample(range(100), 1, 1, until=2, output="symbols")
    >>> for strings in srhm.symbols, synonyms, moved:
    ...     print("".join("01234567-"[c] for c in strings[0]))
    -----2-2-02-----
    -----5-3-17-----
    -2-2---------02-

    All strings of a small model, for training and test sets without common strings:

    >>> sizes = {"n_classes": 2, "vocabulary_size": 4, "n_synonyms": 2, "depth": 1}
    >>> X, y = make_sparse_random_hierarchy(
    ...     16, **sizes, output="symbols", replace=False, random_state=0
    ... )
    >>> len({row.tobytes() for row in X})
    16
    """
    # As ints: NumPy's small ints would overflow in the number of places.
    n_classes = check_count(n_classes, "n_classes", 2)
    v = check_count(vocabulary_size, "vocabulary_size", 2)
    n_synonyms = check_count(n_synonyms, "n_synonyms", 1)
    tuple_size, depth = check_count(tuple_size, "tuple_size", 1), check_count(depth, "depth", 1)
    sizes = {
        "n_classes": n_classes,
        "vocabulary_size": v,
        "n_synonyms": n_synonyms,
        "tuple_size": tuple_size,
        "depth": depth,
    }
    n_empty = check_count(n_empty, "n_empty", 0)
    check_choice(sparsity, "sparsity", _LEVELS)
    dense = make_random_hierarchy(1, **sizes, return_X_y=False, random_state=random_state).sampler
    if sparsity == "B":
        _check_placements(max(n_classes, v) * n_synonyms, tuple_size, n_empty)
    tables, weights = [], []
    for upper, patches in enumerate(dense.patches_[:-1]):
        for table, weight in _LEVELS[sparsity](patches, v, n_empty, has_empty=upper > 0):
            tables.append(table)
            weights.append(weight)
    pixels = np.eye(v + 1, v, dtype=np.float32).reshape(v + 1, 1, 1, 1, v)
    labels = np.arange(n_classes)
    sampler = HierarchicalSampler(
        len(tables) + 1,
        symbol_patches=tables,
        pixel_patches=pixels,
        rule_weights=[*weights, "uniform"],
        random_state=random_state,
    ).fit(labels.reshape(-1, 1, 1), labels)
    options = {"random_state": sample_random_state, "output": output, "replace": replace}
    bunch = draw_samples(
        "sparse random hierarchy", sampler, n_samples, return_X_y, options, are_strings=True
    )
    if not return_X_y:
        bunch.DESCR += (
            f"\nOf the {bunch.symbols.shape[1]} places of a string {tuple_size**depth} hold a "
            f"symbol. The symbol {v} is an empty place.\n"
        )
    return bunch


def _check_placements(n_tuples, tuple_size, n_empty):
    """Raise ValueError if a level has too many placements of tuples for a table."""
    n_placements = comb(tuple_size * (n_empty + 1), tuple_size)
    if n_tuples * n_placements > _MAX_PATCHES:
        raise ValueError(
            f"n_empty={n_empty} is not valid with sparsity='B': {n_tuples} tuples have "
            f"{n_placements} placements each, but a level has at most {_MAX_PATCHES} patches. Set "
            "a smaller n_empty, or sparsity='A'."
        )


def _levels_of_cells(tuples, v, n_empty, has_empty):
    """Return (patches, weights) of two levels: the tuples, and a cell of places for each symbol."""
    size = n_empty + 1
    cells = np.full((v, size, 1, size), v)
    cells[:, range(size), 0, range(size)] = np.arange(v)[:, None]
    return [_with_empty(tuples, v, has_empty), _with_empty(cells, v, has_empty)]


def _levels_of_placements(tuples, v, n_empty, has_empty):
    """Return (patches, weights) of two levels: numbers of tuples, and their symbols at places."""
    n_symbols, m, _, s = tuples.shape
    rows, size = tuples.reshape(-1, s), s * (n_empty + 1)
    places = np.array(list(combinations(range(size), s)))
    placed = np.full((len(rows), len(places), 1, size), v)
    placed[:, np.arange(len(places))[:, None], 0, places] = rows[:, None]
    numbers = np.arange(len(rows)).reshape(n_symbols, m, 1, 1)
    return [_with_empty(numbers, len(rows), has_empty), _with_empty(placed, v, has_empty)]


_LEVELS = {"A": _levels_of_cells, "B": _levels_of_placements}


def _with_empty(patches, empty, has_empty):
    """Return patches and weights of a level, with those of the empty symbol if it has one.

    The empty symbol becomes an empty patch. Its other patches have weight 0.
    """
    weights = np.ones(patches.shape[:2])
    if not has_empty:
        return patches, weights
    of_empty = patches[:1].copy()
    of_empty[0, 0] = empty
    weights = np.vstack([weights, np.arange(patches.shape[1]) == 0])
    return np.concatenate([patches, of_empty]), weights
