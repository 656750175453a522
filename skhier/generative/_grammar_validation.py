"""Validation of the rules and tokens that users pass to a grammar."""

from itertools import accumulate
from numbers import Integral
from operator import mul

import numpy as np

from .._base._params import check_count, is_sequence
from .._base._validation import to_array, to_floats
from ._grammar_rules import GrammarRules
from ._rules import normalized
from ._symbols import check_mask


def read_rules(rules, rule_weights, n_tokens):
    """Return the GrammarRules of each level, from the parameters of a sampler.

    Raises
    ------
    ValueError
        If a tuple, a symbol of it, or a weight is not valid; the message says where. If trees have
        more symbols than random numbers.
    """
    levels = _entries(rules, "rules", "levels")
    tuples = [
        [_tuples(of_symbol, f"rules[{i}][{c}]") for c, of_symbol in enumerate(symbols)]
        for i, symbols in enumerate(
            _entries(level, f"rules[{i}]", "symbols") for i, level in enumerate(levels)
        )
    ]
    largest = max(symbol for of_symbol in tuples[-1] for row in of_symbol for symbol in row)
    n_tokens = largest + 1 if n_tokens is None else check_count(n_tokens, "n_tokens", 1)
    n_next = [*map(len, tuples[1:]), n_tokens]
    for i, (level, n) in enumerate(zip(tuples, n_next)):
        for c, of_symbol in enumerate(level):
            for j, row in enumerate(of_symbol):
                if max(row) >= n:
                    raise ValueError(
                        f"rules[{i}][{c}][{j}]={row!r} is not valid: level {i + 1} has the symbols "
                        f"0 to {n - 1}."
                    )
    read, reach = [], 1
    for i in reversed(range(len(tuples))):
        weights = _weights(rule_weights, tuples[i], i, len(tuples))
        read.append(GrammarRules(tuples[i], weights, n_next[i], reach))
        reach *= read[-1].max_length
    n_symbols = sum(accumulate((level.max_length for level in reversed(read)), mul))
    if n_symbols >= 2**63:
        raise ValueError(
            f"rules have trees of up to {float(n_symbols):.2g} symbols: it takes fewer than 2**63, "
            "as each symbol has a random number of its own. Use fewer levels or shorter tuples."
        )
    return read[::-1]


def _entries(values, name, what):
    """Return a parameter as a list; ValueError unless it is a sequence of at least one entry."""
    if not is_sequence(values) or len(values) == 0:
        raise ValueError(f"{name}={values!r} is not valid: it takes a list of {what}, not empty.")
    return list(values)


def _tuples(rows, name):
    """Return the tuples of a symbol; ValueError unless they are different tuples of ints >= 0."""
    checked = []
    for j, row in enumerate(_entries(rows, name, "tuples of symbols")):
        row = _entries(row, f"{name}[{j}]", "symbols")
        if not all(isinstance(symbol, Integral) and symbol >= 0 for symbol in row):
            raise ValueError(f"{name}[{j}]={row!r} is not valid: it takes symbols, ints >= 0.")
        checked.append(tuple(int(symbol) for symbol in row))
    if len(set(checked)) < len(checked):
        raise ValueError(
            f"{name} holds a tuple twice: {checked!r}. Remove it, and add its weights up."
        )
    return checked


def _weights(rule_weights, tuples, level, n_levels):
    """Return the probabilities of the tuples of each symbol of a level."""
    sizes = [len(of_symbol) for of_symbol in tuples]
    if rule_weights is None:
        return [np.full(size, 1 / size) for size in sizes]
    _check_size(rule_weights, "rule_weights", n_levels)
    _check_size(rule_weights[level], f"rule_weights[{level}]", len(sizes))
    probabilities = []
    for c, size in enumerate(sizes):
        name = f"rule_weights[{level}][{c}]"
        weights = to_floats(rule_weights[level][c], name)
        if weights.shape != (size,) or not (weights > 0).all():
            raise ValueError(
                f"{name}={rule_weights[level][c]!r} is not valid: it takes a number > 0 for each "
                f"of the {size} tuples of rules[{level}][{c}]."
            )
        probabilities.append(normalized(weights))
        if not probabilities[-1].all():
            raise ValueError(
                f"{name}={rule_weights[level][c]!r} is not valid: divided by the sum, its smallest "
                "weight is 0 as a float. Remove the tuple, or give it a larger weight."
            )
    return probabilities


def _check_size(values, name, n):
    """Raise ValueError unless weights are a sequence of n entries."""
    if not is_sequence(values) or len(values) != n:
        raise ValueError(f"{name}={values!r} is not valid: like rules, it takes {n} entries.")


def read_tokens(X, mask, grammar):
    """Check strings of tokens; return them as (n, w), with their lengths and unknown tokens.

    Raises
    ------
    ValueError
        If shapes or types are wrong, a token is out of range, or a string has no tokens, padding
        before its last token, or more tokens than inference is exact for.
    """
    X = to_array(X, "X")
    if X.ndim != 2 or X.dtype.kind not in "iu" or not X.size:
        raise ValueError(
            f"X of shape {X.shape} and dtype {X.dtype} is not valid: it takes strings of "
            "tokens padded with -1, ints of shape (n, w) with n, w >= 1."
        )
    if mask is not None:
        mask = np.broadcast_to(check_mask(mask, [X.shape, X.shape[1:]]), X.shape)
    is_known = np.ones(X.shape, bool) if mask is None else ~mask
    is_token = (X >= 0) & (grammar.n_tokens > X)
    lengths = X.shape[1] - (X[:, ::-1] >= 0).argmax(axis=1)
    lengths[(X < 0).all(axis=1)] = 0
    is_inside = np.arange(X.shape[1]) < lengths[:, None]
    is_wrong = np.where(is_inside, is_known & ~is_token, X != -1)
    if is_wrong.any():
        i, j = np.argwhere(is_wrong)[0].tolist()
        raise ValueError(
            f"X[{i}, {j}] is {X[i, j]}, which is not valid: tokens are 0 to "
            f"{grammar.n_tokens - 1}, and -1 is padding after the last token. For an "
            "unknown token, set mask."
        )
    if not lengths.all():
        raise ValueError(f"X[{lengths.argmin()}] has no tokens: a string has at least one.")
    limit = grammar.length_limits[-1]
    if lengths.max() > limit:
        raise ValueError(
            f"X[{lengths.argmax()}] has {lengths.max()} tokens, but inference is exact for up to "
            f"{limit} tokens (length_limit_): with these rules, the probabilities of longer "
            "strings can be too small for floating-point numbers. Take shorter strings."
        )
    return X.astype(np.int64), lengths, mask
