"""Validity of images and symbols by level: the share of their patches that the rules allow."""

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ._algebra import slices
from ._drawing import batch_size, for_batches
from ._recognition import PatchIndex
from ._symbols import check_symbols

_MATCH_VALUES = 2**22  # flags of (patch, rule) pairs in memory


class Validity(NamedTuple):
    """Share of legal patches, and of legal images, at each level.

    Attributes
    ----------
    patches : ndarray of shape (n_levels,)
        Share of the patches of each level that are legal, among the patches whose pixels are all
        legal; NaN if there are none. With symbols it has n_levels - 1 entries.

    images : ndarray of shape (n_levels,)
        Share of the images all of whose patches at this level and the levels below are legal.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> sampler = HierarchicalSampler(random_state=0).fit()
    >>> sampler.validity(sampler.sample(10)[0]).images
    array([1., 1.])
    """

    patches: np.ndarray
    images: np.ndarray


class ValidityMixin:
    """Method of a fitted sampler that checks images against its rules."""

    n_jobs: int | None
    semantic_classes_: np.ndarray
    _model: Any
    _validate_images: Callable

    def validity(self, X: ArrayLike | None = None, *, symbols: ArrayLike | None = None) -> Validity:
        r"""Compute the share of patches that the rules allow, from the last level up.

        A patch of level i, in place of a pixel of level i, is legal if the set
        :math:`S_c^{(i)}` of a class c holds it, with a weight above 0. The pixel can then have any
        of these classes. A patch whose own pixels are not all legal is not counted: no class is
        known for it. So each level is judged apart from the levels below. Samples of a model
        without noise are legal at all levels. Samples of diffusion models become legal level by
        level, from the last level up, as the number of training images grows (Favero et al.,
        2025, arXiv:2502.12089).

        Whether the classes of level 0 are one of the root images is not judged.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values)
            Images. A patch of pixels is legal if it equals one of the sampler's patches, up to
            rounding.

        symbols : array-like of ints of shape (n, height, width) or (n, height * width)
            Classes of level d - 1, in place of X. The patches of pixels are not judged.

        Returns
        -------
        validity : Validity
            The shares at levels 0, ..., d - 1; for symbols 0, ..., d - 2.

        Raises
        ------
        ValueError
            If not exactly one of X and `symbols` is given, or it is not valid.

        Examples
        --------
        Half of all pairs of 8 symbols are legal if each symbol has 4. The strings have 8 pairs of
        symbols. Of random strings, each level is reached by fewer:

        >>> import numpy as np
        >>> from skhier.datasets import make_random_hierarchy
        >>> rhm = make_random_hierarchy(1, return_X_y=False, random_state=0).sampler
        >>> strings = np.random.default_rng(0).integers(8, size=(100_000, 16))
        >>> validity = rhm.validity(symbols=strings)
        >>> bool((abs(validity.patches[1:] - 1 / 2) < 0.02).all())
        True
        >>> bool(abs(validity.images[3] - 1 / 2**8) < 0.001)
        True
        """
        check_is_fitted(self)
        if (X is None) == (symbols is None):
            raise ValueError("X and symbols exclude each other, and one of them must be given.")
        model = self._model
        n_rules = model.n_levels - (X is None)
        if X is None:
            names = self.semantic_classes_
            rows, _, _ = check_symbols(symbols, None, model, names, allow_unknown=False)
            index = None
        else:
            rows, index = self._validate_images(X), PatchIndex(model.rules[-1])
        tested, legal = np.zeros((2, len(rows), n_rules), np.int64)

        def judge_batch(batch):
            level = rows[batch]
            if index is None:
                states = level.astype(np.int64)  # a sum of uint64 and int64 would be a float
                sets = np.eye(model.rules[-1].n_classes, dtype=bool)
            else:
                states, sets = index.find(level), pixel_sets(index, model.rules[-1])
                tested[batch, -1] = states[0].size
                legal[batch, -1] = sets.any(axis=1)[states].sum(axis=(1, 2))
            for i in range(model.n_levels - 2, -1, -1):
                is_tested, states, sets = parents(states, sets, model.rules[i])
                tested[batch, i] = is_tested.sum(axis=(1, 2))
                legal[batch, i] = sets.any(axis=1)[states].sum(axis=(1, 2))

        for_batches(judge_batch, len(rows), batch_size(rows.shape[1:]), self.n_jobs)
        n_pixels = [prod(shape) for shape in model.level_shapes[:n_rules]]
        n_tested = tested.sum(axis=0)
        shares = np.full(n_rules, np.nan)
        np.divide(legal.sum(axis=0), n_tested, out=shares, where=n_tested > 0)
        return Validity(shares, (legal == n_pixels).mean(axis=0))


def pixel_sets(index, rules):
    """Return which classes have each patch of an index: (n_patches + 1, n_classes).

    The last row, of a patch that is not found, is empty.
    """
    sets = np.zeros((index.rule_patches.max() + 2, rules.n_classes), bool)
    np.maximum.at(
        sets, (index.rule_patches, np.arange(rules.n_classes)[:, None]), rules.is_possible
    )
    return sets


def parents(states, sets, rules):
    """Compute the possible classes of the pixels of a level from those of the next level.

    Each different patch of states is matched once.

    Parameters
    ----------
    states : ndarray of shape (n, height, width)
        State of each pixel of the next level, an index of `sets`.
    sets : ndarray of shape (n_states, n_next)
        Possible classes of each state; none if it is illegal.
    rules : Rules or ProductRules
        Rules of the level.

    Returns
    -------
    is_tested : ndarray of shape (n, height / p, width / q)
        Whether all pixels of the patch are legal.
    states, sets : ndarrays
        As above, of the level.
    """
    p, q = rules.patch_size
    n, height, width = states.shape
    h, w = height // p, width // q
    patches = states.reshape(n, h, p, w, q).swapaxes(2, 3).reshape(n * h * w, p * q)
    patches, patch_of_pixel = unique_rows(patches, len(sets))
    matches = np.empty((len(patches), rules.n_classes), bool)
    for part in slices(len(patches), _MATCH_VALUES // rules.n_terms):
        matches[part] = rules.match(sets[patches[part].T])
    is_tested = sets.any(axis=1)[patches].all(axis=1)
    new_sets, new_states = np.unique(matches, axis=0, return_inverse=True)
    shape = n, h, w
    states = new_states.ravel()[patch_of_pixel].reshape(shape)
    return is_tested[patch_of_pixel].reshape(shape), states, new_sets


def unique_rows(rows, n_values):
    """Return the different rows of ints in range(n_values), and the index of each row in them."""
    n_columns = rows.shape[1]
    if n_values**n_columns >= 2**63:
        unique, inverse = np.unique(rows, axis=0, return_inverse=True)
        return unique, inverse.ravel()
    digits = n_values ** np.arange(n_columns, dtype=np.int64)
    codes = rows @ digits
    if n_values**n_columns <= len(rows):  # a table of all codes is faster than a sort
        is_present = np.zeros(n_values**n_columns, bool)
        is_present[codes] = True
        unique = np.flatnonzero(is_present)
        inverse = (np.cumsum(is_present) - 1)[codes]
    else:
        unique, inverse = np.unique(codes, return_inverse=True)
    return unique[:, None] // digits % n_values, inverse.ravel()
