"""Random parses of a string, from their posterior distribution."""

import numpy as np

from ._streams import draw_uniforms


class Parses:
    """Parses of one string, which may have unknown tokens.

    A symbol and its span determine how probable each tuple is, and where each child ends. What is
    computed for one draw is kept for the next.

    Parameters
    ----------
    grammar : Grammar
        The grammar.
    inside : list of L + 1 ndarrays of shape (n_symbols, w + 1, w + 1)
        Inside probabilities of each level; row 0 only of level 0.
    """

    def __init__(self, grammar, inside):
        self._grammar, self._inside = grammar, inside
        self._known = {}

    def draw(self, key):
        """Draw a parse, given a key of random streams.

        Returns
        -------
        levels : list of L + 1 ndarrays of ints
            Symbols of each level.
        parents : list of L ndarrays of ints
            Position of the parent of each symbol of levels 1, ..., L.
        """
        keys = np.array([key], np.uint64)
        labels = self._grammar.label_probabilities * self._inside[0][:, 0, -1]
        end = self._inside[0].shape[2] - 1
        spans = [(_choose(labels, draw_uniforms(keys, 0, 1)[0, 0]), 0, end)]
        levels, parents, first, longest = [[spans[0][0]]], [], 1, 1
        for level, rules in enumerate(self._grammar.rules):
            uniforms = draw_uniforms(keys, first, len(spans) * rules.max_length)
            uniforms = uniforms.reshape(len(spans), -1)
            first, longest = first + longest * rules.max_length, longest * rules.max_length
            children = [self._split(level, span, u) for span, u in zip(spans, uniforms)]
            spans = [span for of_symbol in children for span in of_symbol]
            levels.append([symbol for symbol, _, _ in spans])
            parents.append(np.repeat(np.arange(len(children)), [*map(len, children)]))
        return [np.array(symbols) for symbols in levels], parents

    def _split(self, level, span, uniforms):
        """Replace the symbol of a span by a tuple; return the spans of its children."""
        symbol, i, j = span
        rules, inside = self._grammar.rules[level], self._inside[level + 1][:, i : j + 1, i : j + 1]
        if (level, *span) not in self._known:
            # Entry t of a path: probability that the first t + 1 children end at each place.
            paths = []
            for row in rules.tuples[symbol]:
                path = [inside[row[0]][0]]
                for child in row[1:]:
                    path.append(path[-1] @ inside[child])
                paths.append(path)
            p = rules.weights[symbol] * np.array([path[-1][-1] for path in paths])
            self._known[level, *span] = p, paths
        p, paths = self._known[level, *span]
        chosen = _choose(p, uniforms[0])
        row, path, end, children = rules.tuples[symbol][chosen], paths[chosen], j - i, []
        for t in range(len(row) - 1, 0, -1):
            start = _choose(path[t - 1] * inside[row[t]][:, end], uniforms[t])
            children.append((row[t], i + start, i + end))
            end = start
        return [(row[0], i, i + end), *reversed(children)]


def _choose(p, uniform):
    """Choose an index with a probability proportional to p, which is never 0."""
    cumulated = np.cumsum(p)
    # A product that is rounded up to the sum is in no interval: the last possible index is its.
    last = np.flatnonzero(p)[-1]
    return int(min(last, np.searchsorted(cumulated, uniform * cumulated[-1], side="right")))
