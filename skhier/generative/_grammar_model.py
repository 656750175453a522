r"""Distribution of the strings of a grammar.

The probabilities of long strings are too small for floating-point numbers, so inference weights
each token by a factor. With rules of which none costs more than :math:`\kappa` nats for each of its
tokens, the probability of a span of n tokens is 0 or from :math:`e^{-\kappa n}` to 1. Times
:math:`e^{\kappa n / 2}`, its logarithm is at most :math:`\kappa n / 2` from 0. Floats of 64 bits
hold this for strings of some hundred tokens, and the long doubles of most machines for strings 16
times as long.
"""

from math import prod

import numpy as np

from ._alias import AliasTable
from ._streams import random_bits

_FLOATS = (np.float64, np.longdouble)
_SUMS = 15  # logarithm of the largest number of terms in a sum, of which each can be held


class Grammar:
    r"""Distribution of strings.

    Parameters
    ----------
    label_probabilities : ndarray of shape (n_labels,)
        Probability of each label: the symbol of level 0.
    rules : list of n_levels GrammarRules
        Rules of levels 0, ..., L - 1.

    Attributes
    ----------
    log_factor : float
        Logarithm of the factor of a token, :math:`\kappa / 2`.
    length_limits : list of int
        Number of tokens up to which each type of `_FLOATS` holds all probabilities.
    """

    def __init__(self, label_probabilities, rules):
        self.label_probabilities, self.rules = label_probabilities, rules
        self._labels = AliasTable(label_probabilities[None])
        self.max_length = prod(level.max_length for level in rules)
        self.n_symbols = [*(level.n_symbols for level in rules), rules[-1].n_next]
        cost_per_token, lengths = 0.0, np.ones(self.n_symbols[-1], np.int64)
        # What rules cost whose tuples are not complete: one of each level, and the label.
        open_cost = -np.log(label_probabilities.min())
        for level in reversed(rules):
            costs, tokens = level.costs(lengths)
            cost_per_token += max((c / n).max() for c, n in zip(costs, tokens))
            open_cost += max(c.max() for c in costs)
            lengths = np.array([n.min() for n in tokens])
        self.log_factor = cost_per_token / 2
        # The product of an inside and an outside probability must not overflow: hence a half.
        room = [np.log(np.finfo(t).max) / 2 - _SUMS - open_cost for t in _FLOATS]
        longest = np.iinfo(np.int32).max
        self.length_limits = [
            int(max(0, min(longest, r / max(self.log_factor, 1e-9)))) for r in room
        ]

    @property
    def n_tokens(self):
        return self.n_symbols[-1]

    @property
    def token_dtype(self):
        """Smallest signed type of tokens and of -1, the padding."""
        return np.min_scalar_type(-self.n_tokens)

    def float_type(self, length):
        """Return the first type that holds the probabilities of strings of this length."""
        return _FLOATS[0] if length <= self.length_limits[0] else _FLOATS[1]

    def draw(self, keys):
        """Draw strings: return the symbols of levels 0, ..., L, and the ancestors of all tokens."""
        symbols = self._labels.draw(np.zeros((len(keys), 1), np.int64), random_bits(keys, 0, 1))
        levels, parents, start, longest = [symbols], [], 1, 1
        for rules in self.rules:
            bits = random_bits(keys, start, symbols.shape[1])
            start, longest = start + longest, longest * rules.max_length
            symbols, of_level = rules.draw(symbols, bits)
            levels.append(symbols)
            parents.append(of_level)
        return levels, find_ancestors(parents)


def find_ancestors(parents):
    """Return the positions at all levels above each token, from those of parents, or -1."""
    ancestors = [parents[-1]]
    for of_level in reversed(parents[:-1]):
        below = ancestors[-1]
        above = np.take_along_axis(of_level, np.maximum(below, 0), axis=-1)
        ancestors.append(np.where(below < 0, -1, above))
    return ancestors[::-1]


def pad(array, width):
    """Pad the last axis with -1."""
    widths = [(0, 0)] * (array.ndim - 1) + [(0, width - array.shape[-1])]
    return np.pad(array, widths, constant_values=-1)


def stack(arrays):
    """Concatenate arrays whose last axes are different, padded with -1."""
    width = max(array.shape[-1] for array in arrays)
    return np.concatenate([pad(array, width) for array in arrays])
