"""Validity of strings by level: the share of strings that a grammar can parse up to a level."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._grammar_spans import for_lengths


class GrammarValidityMixin:
    """Method of a fitted grammar that checks strings against its rules."""

    n_jobs: int | None
    _grammar: Any
    _read: Callable

    def validity(self, X: ArrayLike) -> np.ndarray:
        r"""Compute the share of strings that follow the rules of each level and all levels below.

        A string is legal at level l if it can be divided into spans that symbols of level l yield,
        and at level 0 if a label yields all of it. So the shares do not fall with l. For tuples of
        one length they are the `images` of :meth:`skhier.HierarchicalSampler.validity`. There is no
        share of legal tuples, as the division of an illegal string into tuples is not known.

        Parameters
        ----------
        X : array-like of ints of shape (n, w)
            Strings of tokens, padded with -1, for example of a language model.

        Returns
        -------
        shares : ndarray of shape (n_levels,)
            Share of strings that are legal at levels 0, ..., L - 1.

        Raises
        ------
        ValueError
            If X is not valid, as in :meth:`score_samples`.

        Examples
        --------
        Both strings are rows of symbols of level 1, 0 0 and 0 1, but only the first is a tuple of
        the label:

        >>> from skhier.generative import GrammarSampler
        >>> grammar = GrammarSampler([[[(0, 0)]], [[(0, 1), (0, 1, 1)], [(1, 0)]]]).fit()
        >>> grammar.validity([[0, 1, 0, 1, 1], [0, 1, 1, 0, -1]])
        array([0.5, 1. ])
        """
        tokens, lengths, _ = self._read(X, None)
        legal = np.empty((len(tokens), len(self._grammar.rules)), bool)

        def judge(rows, spans):
            legal[rows, 0] = spans.labels.any(axis=1)
            for level, inside in enumerate(spans.inside[1:-1], 1):
                legal[rows, level] = _are_divisible(inside.any(axis=0))

        for_lengths(judge, self._grammar, tokens, lengths, None, self.n_jobs)
        return legal.mean(axis=0)


def _are_divisible(is_span):
    """Return which strings are rows of spans, from spans (i, j) of tokens i, ..., j - 1: (n,)."""
    n, n_ends, _ = is_span.shape
    is_reached = np.zeros((n, n_ends), bool)
    is_reached[:, 0] = True
    for end in range(1, n_ends):
        is_reached[:, end] = (is_reached & is_span[:, :, end]).any(axis=1)
    return is_reached[:, -1]
