"""Rules of one level of a grammar: tuples of any length, with their probabilities given a symbol.

A rule replaces a symbol c by a tuple S of symbols of the next level. Tuples are paths of a tree of
prefixes, so what two tuples have in common is computed once. The tree is a list in which a prefix
comes before those that begin with it: recursion, also of pickle, would end at some 1000 symbols.

Inference knows the rules by `ascend`, `descend` and `descend_left`. Their arrays hold the spans of
n strings of w tokens. Entry [b, :, i, j] of `children`, (n_next, n, w + 1, w + 1), is the
probability that the symbol b of the next level yields the tokens i, ..., j - 1. The sum over all
places where one child ends and the next begins is a product of these matrices.
"""

from dataclasses import dataclass, field

import numpy as np

from ._alias import AliasTable

_BLOCK = 64  # rows of spans that are multiplied at a time


@dataclass(eq=False)
class Prefix:
    """First symbols of a tuple, as a node of the tree of prefixes.

    Parameters
    ----------
    symbols : tuple of int
        The symbols.
    """

    symbols: tuple[int, ...]
    weights: dict[int, float] = field(default_factory=dict)  # P(the whole tuple | symbol c)
    reach: dict[int, float] = field(default_factory=dict)  # P(a tuple that begins so | symbol c)
    has_longer: bool = False  # whether longer prefixes begin so


class GrammarRules:
    """Rules of one level.

    Parameters
    ----------
    tuples : list of n_symbols lists of tuples of int
        Tuples of each symbol, without repetition: symbols of the next level.
    weights : list of n_symbols ndarrays
        Probability of each tuple given the symbol, above 0.
    n_next : int
        Number of symbols of the next level.
    reach : int
        Number of tokens of the longest span of a symbol of the next level.

    Attributes
    ----------
    max_length : int
        Number of symbols of the longest tuple.
    """

    def __init__(self, tuples, weights, n_next, reach=1):
        self.n_symbols, self.n_next, self.reach = len(tuples), n_next, reach
        self.tuples, self.weights = tuples, weights
        self.max_length = max(len(row) for rows in tuples for row in rows)
        k = max(map(len, tuples))
        table = np.zeros((self.n_symbols, k))
        self._children = np.full((self.n_symbols, k, self.max_length), -1)
        for c, (rows, p) in enumerate(zip(tuples, weights)):
            table[c, : len(rows)] = p
            for j, row in enumerate(rows):
                self._children[c, j, : len(row)] = row
        self._alias = AliasTable(table)
        self._prefixes = _prefixes(tuples, weights)

    def costs(self, lengths):
        """Compute -log of the weights of all rules, and their smallest number of tokens.

        Parameters
        ----------
        lengths : ndarray of shape (n_next,)
            Smallest number of tokens of each symbol of the next level.

        Returns
        -------
        costs : list of n_symbols ndarrays
        lengths : list of n_symbols ndarrays
        """
        costs = [-np.log(p) for p in self.weights]
        return costs, [np.array([lengths[list(row)].sum() for row in rows]) for rows in self.tuples]

    def draw(self, symbols, bits):
        """Replace symbols by tuples.

        Parameters
        ----------
        symbols : ndarray of shape (n, w), int64
            Symbols of n strings, padded with -1.
        bits : ndarray of shape (n, w), uint32
            Random bits of each symbol.

        Returns
        -------
        children : ndarray of shape (n, w'), int64
            Symbols of the next level, padded with -1.
        parents : ndarray of shape (n, w'), int64
            Position of each child's parent among `symbols`; -1 in the padding.
        """
        chosen = self._alias.draw(np.maximum(symbols, 0), bits)
        rows = self._children.reshape(-1, self.max_length)[chosen]
        rows[symbols < 0] = -1
        is_child = rows >= 0
        n_children = is_child.sum(axis=(1, 2))
        children = np.full((len(symbols), n_children.max(initial=0)), -1)
        parents = children.copy()
        is_used = np.arange(children.shape[1]) < n_children[:, None]
        children[is_used] = rows[is_child]
        parents[is_used] = np.nonzero(is_child)[1]
        return children, parents

    def ascend(self, children, n_rows=None):
        r"""Compute the inside probabilities of spans.

        .. math:: \beta_c = \sum_S P(S | c) \prod_u \beta_{S_u},

        where :math:`\beta_c` is the matrix of all spans (i, j).

        Parameters
        ----------
        children : ndarray of shape (n_next, n, w + 1, w + 1)
            Inside probabilities of the next level.
        n_rows : int or None
            Number of first rows to compute, of spans that begin at i < `n_rows`; None is all.

        Returns
        -------
        inside : ndarray of shape (n_symbols, n, n_rows, w + 1)
        """
        inside = np.zeros((self.n_symbols, *children[0][:, :n_rows].shape), children.dtype)
        products = []  # of the prefixes of the current one
        for prefix in self._prefixes:
            del products[len(prefix.symbols) - 1 :]
            products.append(self._product(prefix, products, children, n_rows))
            for c, weight in prefix.weights.items():
                inside[c] += weight * products[-1]
        return inside

    def descend(self, children, outside):
        r"""Compute the outside probabilities of children: the gradient of `ascend`.

        .. math:: \alpha_{S_t} \mathrel{+}= P(S | c) \Big(\prod_{u < t} \beta_{S_u}\Big)^\top
            \alpha_c \Big(\prod_{u > t} \beta_{S_u}\Big)^\top

        Parameters
        ----------
        children : ndarray of shape (n_next, n, w + 1, w + 1)
            Inside probabilities of the next level.
        outside : ndarray of shape (n_symbols, n, n_rows, w + 1)
            Outside probabilities of the level: of all tokens that are not in the span, and the
            symbol in place of the span.

        Returns
        -------
        outside : ndarray of shape (n_next, n, w + 1, w + 1)
            Outside probabilities of the next level.
        """
        of_children = np.zeros_like(children)
        n_rows = outside.shape[2]
        # Of the prefixes of the current one: the products, the gradients for them, and the symbols.
        products, gradients, symbols = [], [], []

        def end_prefixes(length):
            """Add the gradients of all prefixes that are longer to those of their last symbols."""
            while len(symbols) > length:
                symbol, gradient = symbols.pop(), gradients.pop()
                del products[len(symbols) :]
                if not symbols:
                    of_children[symbol][:, :n_rows] += gradient
                    return
                a, b, of_child = len(symbols) * self.reach, self.reach, children[symbol]
                add_product(of_children[symbol], products[-1].swapaxes(1, 2), gradient, (a, 0), b)
                add_product(gradients[-1], gradient, of_child.swapaxes(1, 2), (0, a + b), a)

        for prefix in self._prefixes:
            end_prefixes(len(prefix.symbols) - 1)
            if prefix.has_longer:
                products.append(self._product(prefix, products, children, n_rows))
            gradients.append(np.zeros_like(outside[0]))
            for c, weight in prefix.weights.items():
                gradients[-1] += weight * outside[c]
            symbols.append(prefix.symbols[-1])
        end_prefixes(0)
        return of_children

    def _product(self, prefix, products, children, n_rows):
        """Multiply the last of `products` by the inside probabilities of the next child."""
        of_child = children[prefix.symbols[-1]]
        if not products:
            return of_child[:, :n_rows]
        if of_child.shape[2] <= _BLOCK:
            return products[-1] @ of_child
        a, b = len(products) * self.reach, self.reach
        longer = np.zeros_like(products[-1])
        add_product(longer, products[-1], of_child, (0, a), a + b)
        return longer

    def descend_left(self, children, left):
        r"""Compute the probability of the tokens before a symbol, and the symbol.

        Parameters
        ----------
        children : ndarray of shape (n_next, n, w + 1, w + 1)
            Inside probabilities of the next level.
        left : ndarray of shape (n_symbols, n, w + 1)
            Entry [c, :, i] is the probability that a string begins with the tokens before i, and
            that a symbol c of the level begins at i.

        Returns
        -------
        left : ndarray of shape (n_next, n, w + 1)
            The same for the symbols of the next level.
        """
        of_children = np.zeros_like(children[:, :, 0])
        for prefix in self._prefixes:
            mass = sum(weight * left[c] for c, weight in prefix.reach.items())[:, None]
            for before in prefix.symbols[:-1]:
                mass = mass @ children[before]
            of_children[prefix.symbols[-1]] += mass[:, 0]
        return of_children


def _prefixes(tuples, weights):
    """Return the prefixes of all tuples, each one before the longer ones that begin so."""
    prefixes, longer = {}, {(): []}
    for c, (rows, p) in enumerate(zip(tuples, weights)):
        for row, weight in zip(rows, p):
            for end in range(1, len(row) + 1):
                symbols = row[:end]
                if symbols not in prefixes:
                    prefixes[symbols], longer[symbols] = Prefix(symbols), []
                    longer[row[: end - 1]].append(symbols)
                reach = prefixes[symbols].reach
                reach[c] = reach.get(c, 0) + weight
            prefixes[row].weights[c] = weight
    ordered, waiting = [], longer[()][::-1]
    while waiting:
        symbols = waiting.pop()
        prefixes[symbols].has_longer = bool(longer[symbols])
        ordered.append(prefixes[symbols])
        waiting += reversed(longer[symbols])
    return ordered


def add_product(total, left, right, inner, reach):
    """Add a product of matrices of spans, which are 0 or not needed but near the diagonal.

    Parameters
    ----------
    total : ndarray of shape (n, n_rows, n_columns)
        Array to which the product is added, in row i from column i to i + `reach`.
    left : ndarray of shape (n, n_rows, n_inner)
    right : ndarray of shape (n, n_inner, n_columns)
    inner : pair of int
        Row i of the product needs the columns i - `inner[0]` to i + `inner[1]` of `left` only.
    reach : int
    """
    if total.shape[2] <= _BLOCK:
        total += left @ right
        return
    before, after = inner
    for start in range(0, total.shape[1], _BLOCK):
        stop = start + _BLOCK
        near = slice(max(0, start - before), stop + after)
        part = np.s_[:, start:stop, start : stop + reach]
        total[part] += left[:, start:stop, near] @ right[:, near, part[2]]
