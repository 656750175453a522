"""Exact inference with a fitted grammar."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._base._params import check_count, check_flag
from .._base._typing import RandomState
from ._grammar_model import find_ancestors, pad, stack
from ._grammar_parses import Parses
from ._grammar_spans import for_lengths
from ._grammar_validation import read_tokens
from ._inference import BayesRisk
from ._streams import draw_seed, index_keys


class GrammarInferenceMixin:
    """Methods of a fitted grammar that compute probabilities of its strings, labels and trees."""

    classes_: np.ndarray
    n_symbols_: list[int]
    n_jobs: int | None
    random_state: RandomState
    sample: Callable
    _grammar: Any

    def score_samples(self, X: ArrayLike, *, mask: ArrayLike | None = None) -> np.ndarray:
        """Compute the log-likelihood of strings.

        Parameters
        ----------
        X : array-like of ints of shape (n, w)
            Strings of tokens, padded with -1.

        mask : array-like of bool of shape (n, w) or (w,), or None
            Where a token is unknown. Its value is not read. Padding stays padding, so the lengths
            of strings are known.

        Returns
        -------
        log_likelihood : ndarray of shape (n,)
            Logarithm of the probability that a string has the length and the known tokens; -inf
            for strings that the grammar does not have.

        Examples
        --------
        >>> from skhier.generative import GrammarSampler
        >>> grammar = GrammarSampler([[[(0, 1), (0, 1, 1), (1,)]]]).fit()
        >>> X = [[0, 1, -1], [0, 1, 1], [1, 0, -1]]
        >>> abs(grammar.score_samples(X)).round(3)
        array([1.099, 1.099,   inf])
        """
        tokens, lengths, is_unknown = self._read(X, mask)
        log_p = np.empty(len(tokens))

        def score(rows, spans):
            log_p[rows] = spans.log_likelihood()

        for_lengths(score, self._grammar, tokens, lengths, is_unknown, self.n_jobs)
        return log_p

    def bayes_predict_proba(self, X: ArrayLike, *, mask: ArrayLike | None = None) -> np.ndarray:
        """Compute the probability of each label, given strings.

        Parameters
        ----------
        X : array-like of ints of shape (n, w)
            Strings of tokens, padded with -1.

        mask : array-like of bool of shape (n, w) or (w,), or None
            Where a token is unknown, as in :meth:`score_samples`.

        Returns
        -------
        probabilities : ndarray of shape (n, n_labels)
            Probabilities.

        Raises
        ------
        ValueError
            If a string has probability 0.

        Examples
        --------
        >>> from skhier.generative import GrammarSampler
        >>> grammar = GrammarSampler([[[(0, 1), (0, 1, 1)], [(0, 1)]]]).fit()
        >>> grammar.bayes_predict_proba([[0, 1, -1], [0, 1, 1]]).round(3)
        array([[0.333, 0.667],
               [1.   , 0.   ]])
        """
        tokens, lengths, is_unknown = self._read(X, mask)
        return self._infer(
            tokens,
            lengths,
            is_unknown,
            (1, self.n_symbols_[0]),
            lambda spans: spans.label_posterior()[:, None],
        )[:, 0]

    def bayes_predict(self, X: ArrayLike, *, mask: ArrayLike | None = None) -> np.ndarray:
        """Predict the most probable label of strings, as the Bayes-optimal classifier.

        Parameters
        ----------
        X : array-like of ints of shape (n, w)
            Strings of tokens, padded with -1.

        mask : array-like of bool of shape (n, w) or (w,), or None
            Where a token is unknown, as in :meth:`score_samples`.

        Returns
        -------
        y : ndarray of shape (n,)
            Labels.

        Raises
        ------
        ValueError
            If a string has probability 0.

        Examples
        --------
        >>> from skhier.generative import GrammarSampler
        >>> grammar = GrammarSampler([[[(0, 1), (0, 1, 1)], [(0, 1)]]]).fit()
        >>> grammar.bayes_predict([[0, 1, -1], [0, 1, 1]])
        array([1, 0])
        """
        return self.classes_[self.bayes_predict_proba(X, mask=mask).argmax(axis=1)]

    def bayes_risk(self, n_samples: int = 10_000, *, random_state: RandomState = None) -> BayesRisk:
        """Estimate the error rate of the Bayes-optimal classifier, the lowest possible.

        The estimate is the mean of 1 - max P(label | string) over sampled strings. It is above 0
        if strings of several labels are the same: global ambiguity.

        Parameters
        ----------
        n_samples : int, default=10000
            Number of sampled strings, at least 2.

        random_state : int, RandomState instance or None, default=None
            Determines the strings, as in :meth:`sample`.

        Returns
        -------
        bayes_risk : BayesRisk
            Named tuple (risk, standard_error).

        Examples
        --------
        The label is a guess for the string 0 1, which 3 of 4 samples are:

        >>> from skhier.generative import GrammarSampler
        >>> grammar = GrammarSampler([[[(0, 1), (0, 1, 1)], [(0, 1)]]], random_state=0).fit()
        >>> abs(grammar.bayes_risk(1000).risk - 0.75 * 1 / 3) < 0.03
        True
        """
        n_samples = check_count(n_samples, "n_samples", 2)
        X, _ = self.sample(n_samples, random_state=random_state)
        errors = 1 - self.bayes_predict_proba(X).max(axis=1)
        return BayesRisk(float(errors.mean()), float(errors.std(ddof=1) / np.sqrt(n_samples)))

    def posterior(self, X: ArrayLike, level: int, *, mask: ArrayLike | None = None) -> np.ndarray:
        """Compute the probability of each symbol of a level above each token, given strings.

        Parameters
        ----------
        X : array-like of ints of shape (n, w)
            Strings of tokens, padded with -1.

        level : int
            Level, from 0 for the label to L for the tokens, whose posterior is certain but for
            tokens that are unknown.

        mask : array-like of bool of shape (n, w) or (w,), or None
            Where a token is unknown, as in :meth:`score_samples`.

        Returns
        -------
        probabilities : ndarray of shape (n, w, n_symbols)
            Probability of each symbol of the level, below which the token is; 0 in the padding.

        Raises
        ------
        ValueError
            If a string has probability 0.

        Examples
        --------
        The string 0 1 1 has two parses: a tuple ends after its first or its second token.

        >>> from skhier.generative import GrammarSampler
        >>> rules = [[[(0, 1)]], [[(0,), (0, 1)], [(1,), (1, 1)]]]
        >>> grammar = GrammarSampler(rules).fit()
        >>> grammar.posterior([[0, 1, 1]], level=1)
        array([[[1. , 0. ],
                [0.5, 0.5],
                [0. , 1. ]]])
        """
        check_is_fitted(self)
        level = check_count(level, "level", 0, len(self._grammar.rules))
        tokens, lengths, is_unknown = self._read(X, mask)
        shape = tokens.shape[1], self.n_symbols_[level]
        return self._infer(tokens, lengths, is_unknown, shape, lambda spans: spans.posterior(level))

    def sample_posterior(
        self,
        X: ArrayLike,
        *,
        mask: ArrayLike | None = None,
        n_draws: int = 1,
        random_state: RandomState = None,
        return_latents: bool = False,
    ) -> tuple[Any, ...]:
        """Draw trees, labels and unknown tokens from their joint posterior, given strings.

        Parameters
        ----------
        X : array-like of ints of shape (n, w)
            Strings of tokens, padded with -1.

        mask : array-like of bool of shape (n, w) or (w,), or None
            Where a token is unknown, as in :meth:`score_samples`.

        n_draws : int, default=1
            Number of draws for each string. More draws of a string take less time each.

        random_state : int, RandomState instance or None, default=None
            Determines the draws. If None, the sampler's own `random_state` does, as it is set at
            the time of the call.

        return_latents : bool, default=False
            Whether to return the trees too.

        Returns
        -------
        X : ndarray of shape (n_draws, n, w)
            The strings, with drawn tokens where they are unknown.

        y : ndarray of shape (n_draws, n)
            Labels.

        latents : list of n_levels ndarrays of shape (n_draws, n, n_symbols of the level), int64
            Symbols of levels 0, ..., L - 1, padded with -1. Only if `return_latents`.

        ancestors : list of n_levels ndarrays of shape (n_draws, n, w), int64
            Position of the symbol of the level in `latents` below which the token is, and -1 in the
            padding. Only if `return_latents`.

        Raises
        ------
        ValueError
            If a string has probability 0.

        Examples
        --------
        The string 0 1 1 has two parses, see :meth:`posterior`. Three of them, at random:

        >>> from skhier.generative import GrammarSampler
        >>> rules = [[[(0, 1)]], [[(0,), (0, 1)], [(1,), (1, 1)]]]
        >>> grammar = GrammarSampler(rules, random_state=0).fit()
        >>> *_, ancestors = grammar.sample_posterior([[0, 1, 1]], n_draws=3, return_latents=True)
        >>> ancestors[1][:, 0]
        array([[0, 1, 1],
               [0, 0, 1],
               [0, 0, 1]])
        """
        tokens, lengths, is_unknown = self._read(X, mask)
        n_draws = check_count(n_draws, "n_draws", 1)
        check_flag(return_latents, "return_latents")
        keys = index_keys(draw_seed(self, random_state), np.arange(len(tokens)))
        keys = index_keys(keys[:, None], np.arange(n_draws))
        drawn: list[Any] = [None] * len(tokens)

        def draw(rows, spans):
            _refuse_impossible(rows, spans.labels)
            for i, row in enumerate(rows):
                parses = Parses(self._grammar, [of_level[:, i] for of_level in spans.inside])
                draws = [parses.draw(key) for key in keys[row]]
                levels, parents = (zip(*of_draws) for of_draws in zip(*draws))
                ancestors = zip(*(find_ancestors(of_draw) for of_draw in zip(*parents)))
                # One array of shape (n_draws, 1, n_symbols) for each level.
                drawn[row] = [
                    stack([array[None, None] for array in of_level])
                    for of_level in (*levels, *ancestors)
                ]

        for_lengths(draw, self._grammar, tokens, lengths, is_unknown, self.n_jobs)
        arrays = [
            stack([array.swapaxes(0, 1) for array in of_level]).swapaxes(0, 1)
            for of_level in zip(*drawn)
        ]
        n_levels = len(self._grammar.rules)
        strings, *ancestors = (pad(array, tokens.shape[1]) for array in arrays[n_levels:])
        strings, y = strings.astype(self._grammar.token_dtype), arrays[0][:, :, 0]
        return (strings, y, arrays[:n_levels], ancestors) if return_latents else (strings, y)

    def next_symbol_proba(self, X: ArrayLike) -> np.ndarray:
        r"""Compute the probability of each token of a string, given the tokens before it.

        One pass up and one pass down give :math:`P(x_i | x_1, \dots, x_{i-1})` of all i: the best
        prediction of the next token. The end of the string is predicted too. The sum of logarithms
        of the probabilities of the tokens and of the end is the log-likelihood of the string
        (:meth:`score_samples`).

        Parameters
        ----------
        X : array-like of ints of shape (n, w)
            Strings of tokens, or their first tokens, padded with -1.

        Returns
        -------
        probabilities : ndarray of shape (n, w + 1, n_tokens + 1)
            Entry [:, i, a] is the probability of the token a after i tokens, and
            [:, i, n_tokens] that the string ends there; 0 after the tokens of X.

        Raises
        ------
        ValueError
            If no string of the grammar begins with the tokens.

        Examples
        --------
        >>> from skhier.generative import GrammarSampler
        >>> grammar = GrammarSampler([[[(0, 1), (0, 1, 1), (1,)]]]).fit()
        >>> grammar.next_symbol_proba([[0, 1, 1]]).round(2)
        array([[[0.67, 0.33, 0.  ],
                [0.  , 1.  , 0.  ],
                [0.  , 0.5 , 0.5 ],
                [0.  , 0.  , 1.  ]]])
        """
        tokens, lengths, _ = self._read(X, None)
        shape = tokens.shape[1] + 1, self.n_symbols_[-1] + 1
        return self._infer(tokens, lengths, None, shape, lambda spans: spans.next_tokens())

    def _read(self, X, mask):
        check_is_fitted(self)
        return read_tokens(X, mask, self._grammar)

    def _infer(self, tokens, lengths, is_unknown, shape, compute):
        """Return `compute(spans)` of all strings, an array (n, *shape); 0 in the padding.

        It has an axis of strings, one of places, of which shorter strings have fewer, and one of
        probabilities.

        Raises
        ------
        ValueError
            If a string has probability 0: then all probabilities at its last place are 0.
        """
        result = np.zeros((len(tokens), *shape))

        def infer(rows, spans):
            found = compute(spans)
            _refuse_impossible(rows, found[:, -1])
            result[rows, : found.shape[1]] = found

        for_lengths(infer, self._grammar, tokens, lengths, is_unknown, self.n_jobs)
        return result


def _refuse_impossible(rows, p):
    """Raise ValueError if all probabilities p of a string are 0."""
    is_possible = p.any(axis=1)
    if not is_possible.all():
        raise ValueError(
            f"X[{rows[is_possible.argmin()]}] cannot come from this grammar: it has probability 0. "
            "The method validity says which levels' rules are broken."
        )
