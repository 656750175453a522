"""Estimator of grammars whose trees vary in shape: GrammarSampler."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted
from torch.utils.data import Dataset

from .._base._fitting import all_or_nothing
from .._base._params import check_count, check_flag
from .._base._sklearn import BaseEstimator, _fit_context
from .._base._typing import RandomState
from ._drawing import for_batches
from ._grammar_inference import GrammarInferenceMixin
from ._grammar_model import Grammar, pad, stack
from ._grammar_validation import read_rules
from ._grammar_validity import GrammarValidityMixin
from ._levels import read_label_probabilities
from ._streams import draw_seed, index_keys
from ._torch import SampleDataset, TokenRows

_BATCH_TOKENS = 2**18


class GrammarSampler(GrammarInferenceMixin, GrammarValidityMixin, BaseEstimator):
    r"""Probabilistic context-free grammar by levels, whose strings vary in length.

    A label is drawn, the symbol of level 0. At level l = 0, ..., L - 1 every symbol is replaced by
    one of its tuples of symbols of level l + 1. Tuples can have different lengths, so trees vary
    in shape, and a string can have several parses. The symbols of level L are the tokens of the
    string. Examples are the varying-tree Random Hierarchy Model (Parley et al., 2026), which
    :func:`skhier.datasets.make_varying_tree_hierarchy` draws, and the grammars of Allen-Zhu and Li
    (2023).

    If all tuples of a level have one length, use :class:`~skhier.HierarchicalSampler`: its trees
    have one shape, so inference is faster, and it has noise, images and exact statistics.

    Parameters
    ----------
    rules : list of n_levels lists of lists of tuples of int
        ``rules[l][c]`` is a list of different tuples, by which the symbol c of level l is
        replaced: symbols 0, 1, ... of level l + 1. Several symbols can have the same tuple.

    rule_weights : list of n_levels lists of arrays of shape (n_tuples,), or None, default=None
        ``rule_weights[l][c]`` holds a number > 0 for each tuple, proportional to its probability
        given the symbol. None is uniform.

    label_probabilities : array-like of shape (n_labels,) or None, default=None
        Probability of each label: positive numbers that sum to 1. None is uniform.

    n_tokens : int or None, default=None
        Number v of tokens 0, ..., v - 1; None is one more than the largest token of the rules.

    n_jobs : int or None, default=None
        Number of threads for samples and inference. Results do not depend on it.

    random_state : int, RandomState instance or None, default=None
        Determines the samples of :meth:`sample`, which reads it when it is called.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        Labels 0, ..., n_labels - 1.

    label_probabilities_ : ndarray of shape (n_labels,)
        Probability of each label.

    rule_weights_ : list of n_levels lists of ndarrays
        Probability of each tuple, given its symbol.

    n_symbols_ : list of n_levels + 1 ints
        Number of symbols of levels 0, ..., L.

    length_limit_ : int
        Number of tokens up to which inference is exact. The probabilities of longer strings can be
        too small for floating-point numbers, so they are refused.

    Notes
    -----
    Inference is exact, by inside and outside probabilities of spans (Baker, 1979). The probability
    that symbol c yields the tokens from i to j - 1 is entry (i, j) of a matrix, and

    .. math:: \beta^{(l)}_c = \sum_S P(S | c) \prod_u \beta^{(l + 1)}_{S_u}

    is a sum of products of matrices. A string of w tokens costs :math:`O(R L w^3)` for R rules at
    each level. Strings whose probabilities can be too small for float64 are computed as long
    doubles, which takes about 100 times as long.

    Sample i depends on the seed and i only, so `sample(10)` are the first ten of `sample(100)` with
    the same seed. Only the number of columns of padding can differ.

    References
    ----------
    J. T. Parley, F. Cagnetta and M. Wyart, "Deep networks learn to parse uniform-depth context-free
    languages from local statistics", arXiv:2602.06065, 2026.

    Z. Allen-Zhu and Y. Li, "Physics of language models: part 1, learning hierarchical language
    structures", arXiv:2305.13673, 2023.

    J. K. Baker, "Trainable grammars for speech recognition", Speech Communication Papers for the
    97th Meeting of the Acoustical Society of America, 1979.

    Examples
    --------
    Two labels, two symbols between them and the tokens, and three tokens:

    >>> from skhier.generative import GrammarSampler
    >>> rules = [
    ...     [[(0, 1), (1, 1, 0)], [(1, 0), (0, 0)]],  # tuples of the labels 0 and 1
    ...     [[(0, 1), (2, 1, 0)], [(1,), (1, 2)]],  # tuples of the symbols 0 and 1 of level 1
    ... ]
    >>> grammar = GrammarSampler(rules, random_state=0).fit()
    >>> X, y = grammar.sample(4)
    >>> X
    array([[ 1,  2,  2,  1,  0],
           [ 1,  0,  1, -1, -1],
           [ 1,  2,  1,  0, -1],
           [ 0,  1,  1,  2, -1]], dtype=int8)

    The label of a string, and the least error with which any classifier can tell it:

    >>> grammar.bayes_predict_proba(X).shape
    (4, 2)
    >>> risk, standard_error = grammar.bayes_risk(1000)
    >>> 0 <= risk < 0.5
    True
    """

    _parameter_constraints = {
        "rules": "no_validation",
        "rule_weights": "no_validation",
        "label_probabilities": "no_validation",
        "n_tokens": "no_validation",
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        rules: Sequence[Any],
        *,
        rule_weights: Sequence[Any] | None = None,
        label_probabilities: ArrayLike | None = None,
        n_tokens: int | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.rules = rules
        self.rule_weights = rule_weights
        self.label_probabilities = label_probabilities
        self.n_tokens = n_tokens
        self.n_jobs = n_jobs
        self.random_state = random_state

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: object = None, y: object = None) -> Self:
        """Read the rules.

        Parameters
        ----------
        X, y : object
            Not used; they are here as in all estimators.

        Returns
        -------
        self : GrammarSampler
            The fitted sampler.

        Raises
        ------
        ValueError
            If the rules, their weights or the probabilities of labels are not valid.
        """
        rules = read_rules(self.rules, self.rule_weights, self.n_tokens)
        p_labels = read_label_probabilities(self, rules[0].n_symbols)
        self._grammar = Grammar(p_labels, rules)
        self.classes_ = np.arange(len(p_labels))
        self.label_probabilities_ = p_labels
        self.rule_weights_ = [of_level.weights for of_level in rules]
        self.n_symbols_ = self._grammar.n_symbols
        self.length_limit_ = self._grammar.length_limits[-1]
        return self

    def sample(
        self,
        n_samples: int = 1,
        *,
        random_state: RandomState = None,
        return_latents: bool = False,
        first: int = 0,
        width: int | None = None,
    ) -> tuple[Any, ...]:
        """Draw labeled strings.

        Parameters
        ----------
        n_samples : int, default=1
            Number of strings.

        random_state : int, RandomState instance or None, default=None
            Determines the strings. If None, the sampler's own `random_state` does, as it is set at
            the time of the call.

        return_latents : bool, default=False
            Whether to return the trees too.

        first : int, default=0
            Index of the first string. String i depends on the seed and i only, so strings 0 to
            n - 1 for training and strings from n on for tests come from two calls with one seed.

        width : int or None, default=None
            Number of columns of X; None is the length of the longest string of the sample.

        Returns
        -------
        X : ndarray of shape (n_samples, width)
            Tokens, padded with -1, in the smallest signed type. The lengths of the strings are
            ``(X >= 0).sum(axis=1)``.

        y : ndarray of shape (n_samples,)
            Labels.

        latents : list of n_levels ndarrays of shape (n_samples, n_symbols of the level), int64
            Symbols of levels 0, ..., L - 1, padded with -1. Only if `return_latents`.

        ancestors : list of n_levels ndarrays of shape (n_samples, width), int64
            Position of the symbol of the level in `latents` below which the token is, and -1 in the
            padding. Only if `return_latents`.

        Raises
        ------
        ValueError
            If a string has more than `width` tokens.

        Examples
        --------
        >>> from skhier.generative import GrammarSampler
        >>> rules = [[[(0, 1), (1, 1)]], [[(0, 0), (0, 0, 0)], [(1,)]]]
        >>> grammar = GrammarSampler(rules, random_state=0).fit()
        >>> X, y, latents, ancestors = grammar.sample(3, return_latents=True)
        >>> X
        array([[ 0,  0,  0,  1],
               [ 0,  0,  1, -1],
               [ 0,  0,  1, -1]], dtype=int8)
        >>> latents[1]
        array([[0, 1],
               [0, 1],
               [0, 1]])
        >>> ancestors[1]
        array([[ 0,  0,  0,  1],
               [ 0,  0,  1, -1],
               [ 0,  0,  1, -1]])
        """
        check_is_fitted(self)
        n_samples = check_count(n_samples, "n_samples", 1)
        first = check_count(first, "first", 0, 2**63 - 1 - n_samples)
        check_flag(return_latents, "return_latents")
        if width is not None:
            width = check_count(width, "width", 1)
        seed = draw_seed(self, random_state)
        size = max(1, _BATCH_TOKENS // self._grammar.max_length)
        batches: list[Any] = [None] * -(-n_samples // size)

        def draw_batch(batch):
            keys = index_keys(seed, np.arange(first + batch.start, first + batch.stop))
            batches[batch.start // size] = self._grammar.draw(keys)

        for_batches(draw_batch, n_samples, size, self.n_jobs)
        levels, ancestors = (
            [stack(parts) for parts in zip(*of_batches)] for of_batches in zip(*batches)
        )
        X, y = levels[-1], levels[0][:, 0]
        if width is not None:
            if X.shape[1] > width:
                raise ValueError(
                    f"width={width} is not valid: a string of the sample has {X.shape[1]} tokens. "
                    "Set a larger width, or None."
                )
            X, *ancestors = (pad(array, width) for array in (X, *ancestors))
        X = X.astype(self._grammar.token_dtype)
        return (X, y, levels[:-1], ancestors) if return_latents else (X, y)

    def to_torch_dataset(
        self,
        n_samples: int,
        *,
        padding: int | None = None,
        random_state: RandomState = None,
        first: int = 0,
    ) -> Dataset:
        """Return the strings of :meth:`sample` as a data set of torch, drawn when they are read.

        String i of the data set is a function of the seed and i, in any order and in any worker
        of a ``DataLoader``. All strings are padded to the length of the longest string of the
        grammar, so that any of them make a batch.

        Parameters
        ----------
        n_samples : int
            Number of strings. None is drawn before it is read, so the number can be huge.

        padding : int or None, default=None
            Number in the padding, other than a token. None is v, the number of tokens, which an
            embedding of v + 1 rows takes. Inference takes -1.

        random_state : int, RandomState instance or None, default=None
            As in :meth:`sample`. The seed is drawn at the time of the call.

        first : int, default=0
            As in :meth:`sample`.

        Returns
        -------
        dataset : torch.utils.data.Dataset
            Map-style data set. ``dataset[i]`` is the pair (tokens, label), and
            ``dataset[indices]`` with a sequence of ints is a pair of int64 tensors (n, length) and
            (n,).

        Raises
        ------
        ValueError
            If `padding` is a token.

        Examples
        --------
        >>> from torch.utils.data import DataLoader
        >>> from skhier.generative import GrammarSampler
        >>> grammar = GrammarSampler([[[(0, 1), (1, 1)], [(0, 1, 2)]]], random_state=3).fit()
        >>> tokens, labels = next(iter(DataLoader(grammar.to_torch_dataset(10**9), 3)))
        >>> tokens
        tensor([[1, 1, 3],
                [0, 1, 2],
                [1, 1, 3]])
        """
        check_is_fitted(self)
        n_samples = check_count(n_samples, "n_samples", 1)
        first = check_count(first, "first", 0, 2**63 - 1 - n_samples)
        v = self._grammar.n_tokens
        padding = v if padding is None else check_count(padding, "padding", -1)
        if 0 <= padding < v:
            raise ValueError(
                f"padding={padding} is not valid: it is a token. It takes -1, or an int >= {v}."
            )
        rows = TokenRows(self._grammar, padding, draw_seed(self, random_state))
        return SampleDataset(rows, range(first, first + n_samples))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        return tags
