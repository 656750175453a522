"""Inference with a fitted sampler: posteriors, likelihoods and the Bayes-optimal classifier."""

from collections.abc import Callable
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._base._images import shape_of
from .._base._params import check_choice, check_count
from .._base._typing import RandomState
from ._algebra import product
from ._belief import infer_batches
from ._evidence import LogEvidence, pixel_evidence, symbol_evidence
from ._symbols import check_log_evidence, check_mask, check_one, check_symbols


class BayesRisk(NamedTuple):
    """Estimated error of the Bayes-optimal classifier, with its standard error.

    Attributes
    ----------
    risk : float
        Expected share of images whose label the optimal classifier predicts wrongly.

    standard_error : float
        Standard error of the estimate.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> risk = HierarchicalSampler(label_noise=0.1, random_state=0).fit().bayes_risk(100)
    >>> round(risk.risk, 3)  # without other noise, the error is the label noise
    0.1
    """

    risk: float
    standard_error: float


class InferenceMixin:
    """Methods of a fitted sampler that compute probabilities of its latents and labels."""

    classes_: np.ndarray
    semantic_classes_: np.ndarray
    iter_batches: Callable
    _encode_semantic: Callable
    _image_shapes: Callable
    _iter_symbols: Callable
    _validate_images: Callable
    _model: Any

    def posterior(
        self,
        X: ArrayLike | None = None,
        level: int = 0,
        *,
        symbols: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        log_evidence: ArrayLike | None = None,
        of: Literal["seen", "drawn"] = "seen",
    ) -> np.ndarray:
        r"""Compute the probability of each class at each pixel of a level, given evidence.

        The evidence is images, symbols or likelihoods of symbols: one of `X`, `symbols` and
        `log_evidence`. Symbols are the classes of the last level, h x w pixels: the strings of the
        Random Hierarchy Model.

        The result is exact, by belief propagation, with all kinds of noise. Densities are rounded:
        if an image is r standard deviations of pixel noise from the nearest clean image, or patches
        of pixels are r of them from their mean, the relative error of a probability is up to about
        :math:`10^{-16} r^2`.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values), default=None
            Images.

        level : int, default=0
            Level i of the semantic image :math:`X^{(i)}`, from 0 to n_levels - 1.

        symbols : array-like of ints of shape (n, h, w) or (n, h * w), default=None
            Symbols after symbol noise, as in `latents[-1]` of :meth:`sample`. A symbol of -1 is
            unknown.

        mask : array-like of bool of the shape of `symbols` or of one sample, default=None
            Where a symbol is unknown. The value of an unknown symbol is not read.

        log_evidence : array-like, default=None
            Of shape (n, h, w, n_symbols) or (n, h * w, n_symbols): the logarithm of the likelihood
            of each symbol after symbol noise, at each pixel. A constant added at a pixel changes no
            posterior; -inf excludes a symbol.

        of : {'seen', 'drawn'}, default='seen'
            Class after symbol noise, from which the patch of the pixel is drawn, or before it. At
            the last level, 'drawn' is the string before corruption.

        Returns
        -------
        probabilities : ndarray of shape (n, height, width, n_semantic_classes)
            Probabilities; at level 0 classes are ordered as `semantic_classes_`. Strings as
            evidence, (n, w) or (n, w, n_symbols) where h is 1, have results without the axis of
            height.

        Raises
        ------
        ValueError
            If the evidence has probability 0: an image without pixel noise has a patch that is not
            in the sampler's sets, or patches or symbols never occur together.

        Warns
        -----
        UserWarning
            If rounding can change a probability by more than 0.001.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(pixel_noise=1.0, random_state=0).fit()
        >>> X, y, latents = sampler.sample(200, return_latents=True)
        >>> probabilities = sampler.posterior(X, level=1)
        >>> probabilities.shape
        (200, 9, 9, 4)
        >>> bool((probabilities.argmax(axis=-1) == latents[1]).mean() > 0.7)
        True

        A string of the Random Hierarchy Model whose symbols are corrupted. The corrupted symbol is
        known, and the symbol before corruption is not:

        >>> from skhier.datasets import make_random_hierarchy
        >>> rhm = make_random_hierarchy(1, corruption=0.2, return_X_y=False, random_state=0)
        >>> seen = rhm.sampler.posterior(symbols=rhm.symbols, level=4)
        >>> drawn = rhm.sampler.posterior(symbols=rhm.symbols, level=4, of="drawn")
        >>> bool(seen.max(axis=-1).min() > 0.999), bool(drawn.max(axis=-1).min() < 0.999)
        (True, True)
        """
        check_is_fitted(self)
        model = self._model
        level = check_count(level, "level", 0, model.n_levels - 1)
        check_choice(of, "of", ("seen", "drawn"))
        evidence, n, is_string = self._read(X, symbols, mask, log_evidence)
        is_drawn = of == "drawn"
        n_classes = model.channels[level].n_drawn if is_drawn else model.rules[level].n_classes
        shape = *model.level_shapes[level], n_classes

        def posteriors(beliefs):
            return beliefs.class_posteriors(level, is_drawn).transpose(1, 2, 0, 3)

        result = self._infer(evidence, n, level, shape, posteriors)
        return result[:, 0] if is_string else result

    def score_samples(
        self,
        X: ArrayLike | None = None,
        *,
        symbols: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        log_evidence: ArrayLike | None = None,
    ) -> np.ndarray:
        """Compute the log-likelihood of each image, or of other evidence.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values), default=None
            Images, or semantic images in the form of `fit`, for their likelihood under
            :math:`G_0`. If images and semantic images have the same shape, X holds images.

        symbols, mask, log_evidence : array-like or None, default=None
            Evidence other than images, of the shapes in :meth:`posterior`.

        Returns
        -------
        log_likelihood : ndarray of shape (n,)
            Logarithm of the probability density of images with pixel noise, of the
            probability of images without, of semantic images and of the known symbols, or of the
            expected likelihood of `log_evidence`; -inf for probability 0.

        Raises
        ------
        ValueError
            If evidence has a shape, symbols or numbers that the model does not have.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(pixel_noise=1.0, random_state=0).fit()
        >>> X, y = sampler.sample(3)
        >>> sampler.score_samples(X).shape
        (3,)
        >>> bool((sampler.score_samples(X) > sampler.score_samples(-X)).all())
        True

        The probability of a string of the Random Hierarchy Model, one of four strings for each of
        eight labels, and of its first symbol:

        >>> import numpy as np
        >>> from skhier.datasets import make_random_hierarchy
        >>> rhm = make_random_hierarchy(1, depth=1, return_X_y=False, random_state=0)
        >>> np.exp(rhm.sampler.score_samples(symbols=rhm.symbols)).round(6)
        array([0.03125])
        >>> np.exp(rhm.sampler.score_samples(symbols=rhm.symbols, mask=[False, True])).round(6)
        array([0.15625])
        """
        check_is_fitted(self)
        model = self._model
        if X is not None:
            shape, root_shape = shape_of(X)[1:], model.level_shapes[0]
            is_semantic = shape in [root_shape, (prod(root_shape),)]
            if is_semantic and shape not in self._image_shapes():
                check_one(X, symbols, mask, log_evidence)
                semantic = self._encode_semantic(X)
                return model.root.log_probabilities(semantic, model.channels[0])
        evidence, n, _ = self._read(X, symbols, mask, log_evidence)
        return self._infer(
            evidence, n, 0, (), lambda beliefs: beliefs.log_likelihood(), allow_impossible=True
        )

    def bayes_predict_proba(
        self,
        X: ArrayLike | None = None,
        *,
        symbols: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        log_evidence: ArrayLike | None = None,
    ) -> np.ndarray:
        """Compute the probability of each label given evidence: the best possible prediction.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values), default=None
            Images.

        symbols, mask, log_evidence : array-like or None, default=None
            Evidence other than images, of the shapes in :meth:`posterior`.

        Returns
        -------
        probabilities : ndarray of shape (n, n_labels)
            Probabilities of the labels `classes_`, including label noise.

        Raises
        ------
        ValueError
            If an image, or other evidence, has probability 0.

        Warns
        -----
        UserWarning
            If rounding can change a probability, as in :meth:`posterior`.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(pixel_noise=1.5, random_state=0).fit()
        >>> X, y = sampler.sample(3)
        >>> sampler.bayes_predict_proba(X).sum(axis=1).round(6)
        array([1., 1., 1.])
        """
        check_is_fitted(self)
        model = self._model
        is_label = model.root.labels == np.arange(model.root.n_labels)[:, None]
        to_label = model.label_channel @ is_label
        evidence, n, _ = self._read(X, symbols, mask, log_evidence)
        return self._infer(
            evidence,
            n,
            0,
            (model.root.n_labels,),
            lambda beliefs: product(to_label, beliefs.root_posterior()),
        )

    def bayes_predict(
        self,
        X: ArrayLike | None = None,
        *,
        symbols: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        log_evidence: ArrayLike | None = None,
    ) -> np.ndarray:
        """Predict the most probable label given evidence, as the Bayes-optimal classifier.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values), default=None
            Images.

        symbols, mask, log_evidence : array-like or None, default=None
            Evidence other than images, of the shapes in :meth:`posterior`.

        Returns
        -------
        y : ndarray of shape (n,)
            Labels.

        Raises
        ------
        ValueError
            If an image, or other evidence, has probability 0.

        Warns
        -----
        UserWarning
            If rounding can change a probability, as in :meth:`posterior`.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(pixel_noise=0.5, random_state=0).fit()
        >>> X, y = sampler.sample(200)
        >>> bool((sampler.bayes_predict(X) == y).mean() > 0.95)
        True
        """
        p = self.bayes_predict_proba(X, symbols=symbols, mask=mask, log_evidence=log_evidence)
        return self.classes_[p.argmax(axis=1)]

    def bayes_risk(
        self,
        n_samples: int = 10_000,
        *,
        mask: ArrayLike | None = None,
        random_state: RandomState = None,
    ) -> BayesRisk:
        """Estimate the error rate of the Bayes-optimal classifier, the lowest possible.

        The estimate is the mean of 1 - max P(label | image) over sampled images. It varies less
        than the share of wrong predictions.

        Parameters
        ----------
        n_samples : int, default=10000
            Number of sampled images, at least 2.

        mask : array-like of bool of shape (h, w) or (h * w,), or None
            If given, labels are predicted from symbols, the classes of the last level, instead of
            images. Symbols where `mask` is True are unknown.

        random_state : int, RandomState instance or None, default=None
            Determines the images. If None, the sampler's own `random_state` does, as it is set
            at the time of the call.

        Returns
        -------
        bayes_risk : BayesRisk
            Named tuple (risk, standard_error).

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(pixel_noise=1.5, random_state=0).fit()
        >>> risk, standard_error = sampler.bayes_risk(1000)
        >>> 0 < risk < 0.5  # noise hides the labels, but a guess has an error of 0.5
        True

        The error from the first half of the symbols of a string:

        >>> import numpy as np
        >>> from skhier.datasets import make_random_hierarchy
        >>> rhm = make_random_hierarchy(1, return_X_y=False, random_state=0)
        >>> rhm.sampler.bayes_risk(1000).risk
        0.0
        >>> rhm.sampler.bayes_risk(1000, mask=np.arange(16) > 7).risk > 0.3
        True
        """
        check_is_fitted(self)
        n_samples = check_count(n_samples, "n_samples", 2)
        if mask is not None:
            shape = self._model.level_shapes[-2]
            mask = check_mask(mask, [shape, (prod(shape),)]).reshape(shape)
            batches = self._iter_symbols(n_samples, random_state)
            probabilities = (self.bayes_predict_proba(symbols=S, mask=mask) for S in batches)
        else:
            batch_size = max(1, 2**24 // prod(self._model.image_shape))
            batches = self.iter_batches(n_samples, batch_size, random_state=random_state)
            probabilities = (self.bayes_predict_proba(X) for X, _ in batches)
        errors = np.concatenate([1 - p.max(axis=1) for p in probabilities])
        return BayesRisk(float(errors.mean()), float(errors.std(ddof=1) / np.sqrt(n_samples)))

    def _read(self, X, symbols, mask, log_evidence):
        """Return the evidence, the number of samples, and whether they are strings."""
        check_one(X, symbols, mask, log_evidence)
        model = self._model
        if X is not None:
            images = self._validate_images(X)
            return pixel_evidence(model, images), len(images), False
        if symbols is not None:
            symbols, mask, is_string = check_symbols(symbols, mask, model, self.semantic_classes_)
            return symbol_evidence(model, symbols, mask), len(symbols), is_string
        values, is_string = check_log_evidence(log_evidence, model)
        return LogEvidence(model, values), len(values), is_string

    def _infer(self, evidence, n, level, shape, compute, **options):
        """Call `infer_batches` with the sampler's model and threads."""
        return infer_batches(
            self._model, evidence, n, level, shape, compute, self.n_jobs, **options
        )
