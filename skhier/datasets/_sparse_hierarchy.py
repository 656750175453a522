"""Sparse Random Hierarchy Model: symbols between empty places that carry no information."""

from itertools import chain, combinations, islice, product
from typing import Any

import numpy as np

from .._base._params import check_count
from .._base._typing import RandomState
from ..generative import HierarchicalSampler
from ._hierarchies import draw_samples, make_random_hierarchy


def make_sparse_random_hierarchy(
    n_samples: int = 1000,
    *,
    n_classes: int = 8,
    vocabulary_size: int = 8,
    n_synonyms: int = 4,
    tuple_size: int = 2,
    n_empty: int = 1,
    depth: int = 2,
    return_X_y: bool = True,
    random_state: RandomState = None,
) -> Any:
    r"""Draw strings of the Sparse Random Hierarchy Model (Tomasini and Wyart, 2024).

    The model has the rules of :func:`make_random_hierarchy`, and empty places between symbols. A
    symbol is replaced by one of m tuples of s symbols. Then each symbol of the tuple is put at one
    of :math:`s_0 + 1` places, drawn uniformly, and the other :math:`s_0` places are empty. An
    empty place becomes empty places. So the label does not change if symbols are exchanged for
    synonyms, or if they are moved: a discrete diffeomorphism. Only a share of :math:`(s_0 +
    1)^{-L}` of the places of a string hold a symbol. It is the authors' sparsity A.

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
        Number :math:`s_0` of empty places around each symbol. With 0, the model is the Random
        Hierarchy Model.

    depth : int, default=2
        Number L of times that symbols are replaced by tuples; strings have :math:`(s (s_0 +
        1))^L` places.

    return_X_y : bool, default=True
        Whether to return arrays, or a Bunch.

    random_state : int, RandomState instance or None, default=None
        Determines the rules and the strings: two values are two grammars. Rules are those of
        :func:`make_random_hierarchy` with the same sizes and `random_state`.

    Returns
    -------
    X : ndarray of shape (n_samples, 1, n_places, vocabulary_size), float32
        The strings as images of height 1, of (tuple_size * (n_empty + 1)) ** depth places. A
        symbol is a one-hot pixel, an empty place is zero.
        If `return_X_y` is False, a Bunch is returned instead, with `images`, `target`,
        `symbols` (the strings as integers, with `vocabulary_size` for an empty place),
        `latents` (the symbols of all levels), `sampler` (the fitted HierarchicalSampler), `name`
        and `DESCR`.

    y : ndarray of shape (n_samples,)
        Labels.

    Raises
    ------
    ValueError
        If a parameter is not an int in its range, or there are fewer tuples than the symbols
        need.

    See Also
    --------
    make_random_hierarchy : The model without empty places.

    Notes
    -----
    The sampler has two levels for each of the L levels of the model. Levels 0, 2, ... draw tuples,
    levels 1, 3, ... draw places. So tuples can be drawn again and all symbols stay at their places,
    and the places of the last level can be drawn again and all symbols stay the same. A symbol
    that moves at a level above gets new tuples, as random numbers belong to places.

    Statistics and inference cost a sum over :math:`v m + v (s_0 + 1)` patches instead of :math:`v
    m (s_0 + 1)^s`. In `patches_` of the sampler, the empty symbol has other patches too, of
    weight 0, as all symbols of a level have the same number of patches.

    Examples
    --------
    >>> from skhier.datasets import make_sparse_random_hierarchy
    >>> srhm = make_sparse_random_hierarchy(100, return_X_y=False, random_state=0)
    >>> srhm.images.shape, srhm.symbols.shape
    ((100, 1, 16, 8), (100, 16))

    Exchange of synonyms, and of places (the last levels of tuples and places are 2 and 3):

    >>> sampler = srhm.sampler
    >>> synonyms = sampler.resample(range(100), 2, 1, until=3, output="symbols")[0]
    >>> bool(((synonyms == 8) == (srhm.symbols == 8)).all())  # at the same places
    True
    >>> moved = sampler.resample(range(100), 3, 1, output="symbols")[0]
    >>> bool((moved[moved < 8] == srhm.symbols[srhm.symbols < 8]).all())  # the same symbols
    True

    Without its empty places, a string has 2 ** 2 symbols:

    >>> print(*("".join("01234567-"[c] for c in string) for string in srhm.symbols[:3]), sep="\n")
    -----22-5--0----
    2--1---------0-5
    -----33--5-3----
    """
    sizes = {
        "n_classes": n_classes,
        "vocabulary_size": check_count(vocabulary_size, "vocabulary_size", 2),
        "n_synonyms": n_synonyms,
        "tuple_size": tuple_size,
        "depth": depth,
    }
    n_empty = check_count(n_empty, "n_empty", 0)
    dense = make_random_hierarchy(1, **sizes, return_X_y=False, random_state=random_state).sampler
    v, tables, weights = int(vocabulary_size), [], []
    for upper, patches in enumerate(dense.patches_[:-1]):
        for table, weight in [_tuples(patches, v, upper == 0), _places(v, n_empty)]:
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
    bunch = draw_samples("sparse random hierarchy", sampler, n_samples, return_X_y)
    if not return_X_y:
        bunch.symbols = bunch.latents[-1][:, 0]
        bunch.DESCR += (
            f"\nOf the {bunch.symbols.shape[1]} places of a string {tuple_size**depth} hold a "
            f"symbol. The symbol {v} is an empty place.\n"
        )
    return bunch


def _tuples(patches, empty, is_root):
    """Return the patches and weights of a level that draws tuples; no label is empty."""
    if is_root:
        return patches, np.ones(patches.shape[:2])
    # The first tuple is empty; all others in use start with an empty place too.
    return _with_empty(patches, product(range(empty, -1, -1), repeat=patches.shape[3]))


def _places(empty, n_empty):
    """Return the patches and weights of a level that puts each symbol at one of the places."""
    size = n_empty + 1
    patches = np.full((empty, size, 1, size), empty)
    patches[:, range(size), 0, range(size)] = np.arange(empty)[:, None]
    pairs = combinations(range(size), 2)
    two_symbols = (np.where(np.isin(range(size), pair), 0, empty) for pair in pairs)
    return _with_empty(patches, chain([np.full(size, empty)], two_symbols))


def _with_empty(patches, rows):
    """Add the patches of the empty symbol: the first of `rows`, and others of weight 0."""
    n_symbols, k, _, width = patches.shape
    of_empty = np.array(list(islice(rows, k))).reshape(1, k, 1, width)
    weights = np.ones((n_symbols + 1, k))
    weights[-1, 1:] = 0
    return np.concatenate([patches, of_empty]), weights
