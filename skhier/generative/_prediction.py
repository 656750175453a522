"""Samples of posteriors, and probabilities of the next symbol of a string."""

from collections.abc import Callable
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr
from sklearn.utils.validation import check_is_fitted

from .._base._params import check_choice, check_count, check_flag
from .._base._typing import RandomState
from .._base._validation import to_array
from ._algebra import slices
from ._streams import draw_seed, index_keys

_TERMS = 2**18  # of rules, of the draws that are made at a time


class ConditionalEntropy(NamedTuple):
    """Estimated entropy of symbols given their context, with its standard error.

    Attributes
    ----------
    entropy : float or ndarray
        Entropy in nats: the smallest cross-entropy loss of a prediction from the context.

    standard_error : float or ndarray
        Standard error of the estimate.

    Examples
    --------
    >>> from skhier.datasets import make_random_hierarchy
    >>> rhm = make_random_hierarchy(1, depth=2, return_X_y=False, random_state=0)
    >>> losses = rhm.sampler.conditional_entropy(n_samples=500, random_state=0)
    >>> losses.entropy.shape, bool((losses.standard_error < 0.1).all())
    ((4,), True)
    """

    entropy: Any
    standard_error: Any


class PredictionMixin:
    """Methods of a fitted sampler that draw from posteriors and predict symbols."""

    classes_: np.ndarray
    semantic_classes_: np.ndarray
    _infer: Callable
    _iter_symbols: Callable
    _read: Callable
    _model: Any

    def sample_posterior(
        self,
        X: ArrayLike | None = None,
        *,
        symbols: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        log_evidence: ArrayLike | None = None,
        n_draws: int = 1,
        of: Literal["seen", "drawn"] = "seen",
        return_latents: bool = False,
        random_state: RandomState = None,
    ) -> tuple[Any, ...]:
        """Draw symbols, labels and latents of all levels from their joint posterior.

        The draws are exact and independent: a root image from its posterior, then from level to
        level the patch of each pixel, given its class and the evidence below it.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values), default=None
            Images.

        symbols, mask, log_evidence : array-like or None, default=None
            Evidence other than images, of the shapes in :meth:`posterior`.

        n_draws : int, default=1
            Number of draws for each sample of the evidence.

        of : {'seen', 'drawn'}, default='seen'
            Classes after symbol noise or before it. With 'drawn', the symbols are strings before
            corruption.

        return_latents : bool, default=False
            Whether to return the semantic images of all levels too.

        random_state : int, RandomState instance or None, default=None
            Determines the draws. If None, the sampler's own `random_state` does, as it is set at
            the time of the call. Draw j of sample i depends on the seed, i and j, and on the
            evidence of sample i.

        Returns
        -------
        symbols : ndarray of shape (n_draws, n, h, w)
            Classes of the last level; (n_draws, n, w) if the evidence is strings, as in
            :meth:`posterior`.

        y : ndarray of shape (n_draws, n)
            Labels, after label noise.

        latents : list of n_levels ndarrays of shape (n_draws, n, height, width)
            Semantic images at levels 0, ..., d - 1. Only if `return_latents`.

        Raises
        ------
        ValueError
            If the evidence has probability 0.

        Examples
        --------
        The unknown half of a string, drawn three times:

        >>> import numpy as np
        >>> from skhier.datasets import make_random_hierarchy
        >>> rhm = make_random_hierarchy(5, depth=3, return_X_y=False, random_state=0)
        >>> mask = np.arange(8) > 3
        >>> symbols, y = rhm.sampler.sample_posterior(symbols=rhm.symbols, mask=mask, n_draws=3)
        >>> symbols.shape, y.shape
        ((3, 5, 8), (3, 5))
        >>> bool((symbols[:, :, :4] == rhm.symbols[:, :4]).all())
        True
        """
        check_is_fitted(self)
        n_draws = check_count(n_draws, "n_draws", 1)
        check_choice(of, "of", ("seen", "drawn"))
        check_flag(return_latents, "return_latents")
        evidence, n, is_string = self._read(X, symbols, mask, log_evidence)
        model, seed = self._model, draw_seed(self, random_state)
        last = model.n_levels - 1
        levels = list(range(model.n_levels)) if return_latents else [last]
        shapes = [model.level_shapes[i] for i in levels]
        # The label comes first, then the classes of the levels.
        ends = np.cumsum([1, *map(prod, shapes)])
        terms = max(
            prod(shape) * rules.n_terms for shape, rules in zip(model.level_shapes, model.rules)
        )

        def draw(beliefs):
            samples = np.repeat(np.arange(len(beliefs.rows)), n_draws)
            keys = index_keys(index_keys(seed, beliefs.rows)[:, None], np.arange(n_draws)).ravel()
            values = np.empty((len(keys), ends[-1]), np.int64)
            for batch in slices(len(keys), _TERMS // terms):
                roots, drawn, seen = beliefs.draw(samples[batch], keys[batch])
                values[batch, 0] = model.draw_labels(roots, keys[batch])
                for i, first, end in zip(levels, ends, ends[1:]):
                    classes = (drawn if of == "drawn" else seen)[i]
                    values[batch, first:end] = classes.reshape(len(classes), -1)
            return values.reshape(-1, n_draws, ends[-1]).transpose(1, 2, 0)

        shape = n_draws, ends[-1]
        values = self._infer(evidence, n, last, shape, draw, dtype=np.int64).swapaxes(0, 1)
        latents = [
            values[..., first:end].reshape(n_draws, n, *level_shape)
            for first, end, level_shape in zip(ends, ends[1:], shapes)
        ]
        if levels[0] == 0:
            latents[0] = self.semantic_classes_[latents[0]]
        found = latents[-1][:, :, 0] if is_string else latents[-1]
        y = self.classes_[values[..., 0]]
        return (found, y, latents) if return_latents else (found, y)

    def next_symbol_proba(self, symbols: ArrayLike, *, mask: ArrayLike | None = None) -> np.ndarray:
        r"""Compute the probability of each symbol of a string, given the symbols before it.

        One pass up and one pass down the tree give :math:`P(x_i | x_1, \dots, x_{i-1})` of all
        i: the best prediction of the next token. The sum of logarithms of the probabilities of the
        symbols is the log-likelihood of the string (:meth:`score_samples`).

        Parameters
        ----------
        symbols : array-like of ints of shape (n, w) or (n, 1, w)
            Strings of symbols after symbol noise, as in `latents[-1]` of :meth:`sample`. A symbol
            of -1 is unknown, so the context of the symbols after it does not contain it.

        mask : array-like of bool of the shape of `symbols` or of one sample, default=None
            Where a symbol is unknown.

        Returns
        -------
        probabilities : ndarray of shape (n, w, n_symbols)
            Probabilities. Those at position i do not depend on the symbols at i and after it.

        Raises
        ------
        ValueError
            If a string without its last symbol has probability 0, or if symbols are not strings:
            in images, of several rows of pixels, no order of pixels is also the order of the tree.

        Examples
        --------
        >>> import numpy as np
        >>> from skhier.datasets import make_random_hierarchy
        >>> rhm = make_random_hierarchy(5, return_X_y=False, random_state=0)
        >>> p = rhm.sampler.next_symbol_proba(rhm.symbols)
        >>> p.shape
        (5, 16, 8)
        >>> log_p = np.log(np.take_along_axis(p, rhm.symbols[..., None], axis=2)).sum(axis=(1, 2))
        >>> np.allclose(log_p, rhm.sampler.score_samples(symbols=rhm.symbols))
        True
        """
        check_is_fitted(self)
        width = _string_width(self._model, "symbols")
        evidence, n, _ = self._read(None, symbols, mask, None)
        shape = width, self._model.rules[-1].n_classes
        return self._infer(
            evidence,
            n,
            self._model.n_levels - 1,
            shape,
            lambda beliefs: beliefs.next_symbols()[:, 0].swapaxes(0, 1),
        )

    def conditional_entropy(
        self,
        context: int | ArrayLike | None = None,
        n_samples: int = 10_000,
        *,
        random_state: RandomState = None,
    ) -> ConditionalEntropy:
        r"""Estimate the entropy of symbols of a string given a context: the lowest possible loss.

        The estimate is the mean, over sampled strings, of the entropy of the exact distribution of
        the symbol. It varies less than the mean of :math:`-\log` of the symbol's probability.

        Parameters
        ----------
        context : int, array-like of ints, or None, default=None
            Number c of symbols before the last one: the entropy is :math:`H(x_w | x_{w-c}, \dots,
            x_{w-1})`, as for the last-token prediction of Cagnetta and Wyart (2024). If None, the
            entropies :math:`H(x_i | x_1, \dots, x_{i-1})` of all w symbols, whose sum is the
            entropy of the string. All of these cost one pass over the trees, and each number c
            costs one.

        n_samples : int, default=10000
            Number of sampled strings, at least 2.

        random_state : int, RandomState instance or None, default=None
            Determines the strings. If None, the sampler's own `random_state` does, as it is set
            at the time of the call. All contexts use the same strings.

        Returns
        -------
        conditional_entropy : ConditionalEntropy
            Named tuple (entropy, standard_error) in nats: numbers if `context` is an int, arrays
            of the shape of `context`, or arrays of shape (w,) if it is None.

        Raises
        ------
        ValueError
            If a context is longer than w - 1 symbols, or symbols are not strings.

        References
        ----------
        F. Cagnetta and M. Wyart, "Towards a theory of how the structure of language is acquired by
        deep neural networks", NeurIPS 2024.

        Examples
        --------
        The loss falls where the context completes a larger subtree:

        >>> from skhier.datasets import make_random_hierarchy
        >>> rhm = make_random_hierarchy(1, depth=3, return_X_y=False, random_state=0)
        >>> losses = rhm.sampler.conditional_entropy([0, 1, 3, 7], 1000, random_state=0).entropy
        >>> bool((losses[:-1] > losses[1:]).all())
        True
        """
        check_is_fitted(self)
        n_samples = check_count(n_samples, "n_samples", 2)
        width = _string_width(self._model, "context")
        masks = [None] if context is None else _context_masks(context, width)
        entropies = []
        for symbols in self._iter_symbols(n_samples, random_state):
            p = (self.next_symbol_proba(symbols, mask=mask) for mask in masks)
            values = np.stack([entr(p_all).sum(axis=-1) for p_all in p], axis=1)
            entropies.append(values[:, 0] if context is None else values[:, :, -1])
        entropy = np.concatenate(entropies)
        error = entropy.std(axis=0, ddof=1) / np.sqrt(n_samples)
        shape = np.shape(context) if context is not None else (width,)
        return ConditionalEntropy(
            *(values.reshape(shape)[()] for values in (entropy.mean(axis=0), error))
        )


def _string_width(model, name):
    """Return the number of symbols of a string; ValueError if the model has images."""
    height, width = model.level_shapes[-2]
    if height > 1:
        raise ValueError(
            f"{name} is for strings, whose root and patches have height 1, but this sampler has "
            f"{height} x {width} symbols. For images, call posterior with a mask."
        )
    return width


def _context_masks(context, width):
    """Return a mask for each context, which hides all symbols but the last ones and their goal."""
    lengths = to_array(context, "context")
    is_ints = lengths.dtype.kind in "iu" and lengths.size > 0
    if not is_ints or lengths.min() < 0 or lengths.max() >= width:
        raise ValueError(
            f"context={context!r} is not valid: it takes an int from 0 to {width - 1}, the number "
            "of symbols before the last one, an array of these, not empty, or None."
        )
    return (np.arange(width) < width - 1 - lengths.reshape(-1, 1))[:, None]
