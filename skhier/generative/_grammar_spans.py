"""Exact inference in a grammar, by inside and outside probabilities of spans (Baker, 1979)."""

from dataclasses import dataclass

import numpy as np

from ._algebra import slices
from ._drawing import for_batches
from ._grammar_model import Grammar

_BATCH_VALUES = 2**20  # spans of all symbols of a level, for one batch of strings


@dataclass(eq=False)
class Spans:
    """Spans of n strings of w tokens each.

    Parameters
    ----------
    grammar : Grammar
        The grammar.
    tokens : ndarray of shape (n, w)
        Tokens. The values of unknown tokens are not read.
    is_unknown : ndarray of shape (n, w) or None
        Which tokens are unknown.

    Attributes
    ----------
    inside : list of L + 1 ndarrays of shape (n_symbols, n, w + 1, w + 1)
        Inside probabilities of each level, times the factors of the tokens. Of level 0 there is row
        0 only.
    labels : ndarray of shape (n, n_labels)
        Probabilities of the string and each label, times the factors of the tokens.
    """

    grammar: Grammar
    tokens: np.ndarray
    is_unknown: np.ndarray | None

    def __post_init__(self):
        n, w = self.tokens.shape
        dtype = self.grammar.float_type(w)
        is_token = self.tokens == np.arange(self.grammar.n_tokens)[:, None, None]
        if self.is_unknown is not None:
            is_token |= self.is_unknown
        leaves = np.zeros((len(is_token), n, w + 1, w + 1), dtype)
        leaves[:, :, range(w), range(1, w + 1)] = is_token * np.exp(dtype(self.grammar.log_factor))
        levels = [leaves]
        for level, rules in reversed(list(enumerate(self.grammar.rules))):
            levels.append(rules.ascend(levels[-1], None if level else 1))
        self.inside = levels[::-1]
        # In this order in memory, sums do not depend on the number of strings.
        roots = np.ascontiguousarray(self.inside[0][:, :, 0, -1].T)
        self.labels = roots * self.grammar.label_probabilities

    def log_likelihood(self):
        """Return the logarithm of the probability of each string: (n,)."""
        with np.errstate(divide="ignore"):
            log_p = np.log(self.labels.sum(axis=1))
        return log_p - self.grammar.log_factor * self.tokens.shape[1]

    def label_posterior(self):
        """Return the probability of each label: (n, n_labels). Impossible strings have zeros."""
        return _normalized(self.labels)

    def posterior(self, level):
        """Return the probability of each symbol of a level above each token: (n, w, n_symbols)."""
        p_labels = self.label_posterior()
        if level == 0:
            return np.broadcast_to(p_labels[:, None], (*self.tokens.shape, p_labels.shape[1]))
        outside = np.zeros_like(self.inside[0])
        total = self.labels.sum(axis=1)
        scale = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
        outside[:, :, 0, -1] = self.grammar.label_probabilities[:, None] * scale
        for rules, children in zip(self.grammar.rules[:level], self.inside[1:]):
            outside = rules.descend(children, outside)
        of_spans = outside * self.inside[level]
        # Token i is in all spans that begin at i or before, and end after i.
        covering = of_spans.cumsum(axis=2)[..., ::-1].cumsum(axis=3)[..., ::-1]
        w = self.tokens.shape[1]
        return covering[:, :, range(w), range(1, w + 1)].transpose(1, 2, 0)

    def next_tokens(self):
        """Return the probability of each next token and of the end: (n, w + 1, n_tokens + 1).

        After tokens with which no string begins, they are zero.
        """
        roots = self.inside[0][:, :, 0]
        left = np.zeros_like(roots)
        left[:, :, 0] = self.grammar.label_probabilities[:, None]
        for rules, children in zip(self.grammar.rules, self.inside[1:]):
            left = rules.descend_left(children, left)
        end = sum(p * root for p, root in zip(self.grammar.label_probabilities, roots))
        return _normalized(np.stack([*left, end], axis=-1))


def _normalized(p):
    """Divide by the sums over the last axis; zeros stay zeros."""
    total = p.sum(axis=-1, keepdims=True)
    return np.divide(p, total, out=np.zeros_like(p), where=total > 0)


def for_lengths(function, grammar, tokens, lengths, is_unknown, n_jobs):
    """Call `function` with the rows of each batch of strings of one length, and their spans.

    A batch has no padding, so the results of a string do not depend on other strings.
    """
    batches = []
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        size = _BATCH_VALUES // (max(grammar.n_symbols) * (length + 1) ** 2)
        batches += [rows[part] for part in slices(len(rows), size)]

    def run(numbers):
        for rows in batches[numbers]:
            part = np.s_[rows, : lengths[rows[0]]]
            mask = None if is_unknown is None else is_unknown[part]
            function(rows, Spans(grammar, tokens[part], mask))

    for_batches(run, len(batches), 1, n_jobs)
