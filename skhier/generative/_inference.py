"""Inference with a fitted sampler: parses of clean images, posteriors of any images."""

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._base._images import shape_of
from .._base._params import check_count
from .._base._typing import RandomState
from .._base._validation import check_array
from ._belief import ImpossibleImage, PixelEvidence, infer
from ._drawing import for_batches
from ._recognition import PatchIndex, parse_level

_BATCH_VALUES = 2**16  # so that the largest array of a batch stays in cache


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
    """Methods of a fitted sampler that compute its latents and labels from images."""

    classes_: np.ndarray
    semantic_classes_: np.ndarray
    iter_batches: Callable
    _encode_semantic: Callable
    _holds_strings: bool
    _model: Any

    def parse(self, X: ArrayLike) -> list[np.ndarray]:
        r"""Recover the semantic images of all levels of clean images, exactly.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values)
            Images that this sampler rendered without pixel noise.

        Returns
        -------
        latents : list of n_levels ndarrays of shape (n, height, width)
            The semantic images :math:`X^{(0)}, \dots, X^{(d-1)}`, as `sample` returns them.

        Raises
        ------
        ValueError
            If an image has a patch that is not in the sampler's sets, or that belongs to
            several classes. For these images see :meth:`posterior`.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(random_state=0).fit()
        >>> X, y, latents = sampler.sample(5, return_latents=True)
        >>> all((found == true).all() for found, true in zip(sampler.parse(X), latents))
        True
        """
        latents = self._parse(X)[0]
        return [self.semantic_classes_[latents[0]], *latents[1:]]

    def parse_patches(self, X: ArrayLike) -> list[np.ndarray]:
        r"""Recover the patch drawn for every pixel of clean images, at all levels.

        The result is the orthonormal patch mapping that algorithm 1 learns (lemma 8), as label
        maps. Patch j of class c has the number c k + j.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values)
            Images that this sampler rendered without pixel noise.

        Returns
        -------
        patches : list of n_levels ndarrays of shape (n, height, width)
            Numbers of the patches drawn for the pixels of :math:`X^{(0)}, \dots,
            X^{(d-1)}`.

        Raises
        ------
        ValueError
            As in :meth:`parse`.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(patches_per_class=30, random_state=0).fit()
        >>> X, y, latents = sampler.sample(5, return_latents=True)
        >>> patches = sampler.parse_patches(X)
        >>> bool((patches[1] // 30 == latents[1]).all())  # 30 patches of each class in turn
        True
        """
        return self._parse(X)[1]

    def _parse(self, X):
        """Return the classes and the numbers of the patches of all levels."""
        check_is_fitted(self)
        X = self._validate_images(X)
        model = self._model
        indices = [PatchIndex(rules.patches) for rules in model.rules]
        classes, patches = (
            [np.empty((len(X), *shape), np.int64) for shape in model.level_shapes[:-1]]
            for _ in range(2)
        )

        def parse_batch(batch):
            level = X[batch]
            for i in range(model.n_levels - 1, -1, -1):
                level, patches[i][batch] = parse_level(level, indices[i], i, batch.start)
                classes[i][batch] = level

        for_batches(parse_batch, len(X), max(1, _BATCH_VALUES // X[0].size), self.n_jobs)
        return classes, patches

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Recover the semantic images of clean images, level 0 of :meth:`parse`.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values)
            Images that this sampler rendered without noise.

        Returns
        -------
        semantic : ndarray of shape (n, height, width)
            Semantic images, of shape (n, width) if X of `fit` was flat: strings.

        Raises
        ------
        ValueError
            If an image has a patch that is not in the sampler's sets, or that belongs to
            several classes.
        """
        semantic = self.parse(X)[0]
        return semantic.reshape(len(semantic), -1) if self._holds_strings else semantic

    def posterior(self, X: ArrayLike, level: int = 0) -> np.ndarray:
        r"""Compute the probability of each class at each pixel of a level, given the image.

        The result is exact, by belief propagation, with all kinds of noise. A class is the class
        after symbol noise, from which the patch of the pixel is drawn. Densities are rounded: if
        an image is r standard deviations of pixel noise from the nearest clean image, the
        relative error of a probability is up to about :math:`10^{-16} r^2`.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values)
            Images.

        level : int, default=0
            Level i of the semantic image :math:`X^{(i)}`, from 0 to n_levels - 1.

        Returns
        -------
        probabilities : ndarray of shape (n, height, width, n_semantic_classes)
            Probabilities; at level 0 classes are ordered as `semantic_classes_`.

        Raises
        ------
        ValueError
            If an image has probability 0: without pixel noise, it has a patch that is not in
            the sampler's sets, or patches that never occur together.

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
        """
        check_is_fitted(self)
        level = check_count(level, "level", 0, self._model.n_levels - 1)
        shape = (*self._model.level_shapes[level], self._model.rules[level].n_classes)
        return self._infer(
            X, shape, lambda beliefs: beliefs.class_posteriors(level).transpose(1, 2, 0, 3)
        )

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Compute the log-likelihood of each image.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values)
            Images, or semantic images in the form of `fit`, for their likelihood under
            :math:`G_0`. If images and semantic images have the same shape, X holds images.

        Returns
        -------
        log_likelihood : ndarray of shape (n,)
            Logarithm of the probability density of images with pixel noise, of the
            probability of images without and of semantic images; -inf for probability 0.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(pixel_noise=1.0, random_state=0).fit()
        >>> X, y = sampler.sample(3)
        >>> sampler.score_samples(X).shape
        (3,)
        >>> bool((sampler.score_samples(X) > sampler.score_samples(-X)).all())
        True
        """
        check_is_fitted(self)
        model, shape = self._model, shape_of(X)[1:]
        root_shape = model.level_shapes[0]
        is_semantic = shape in [root_shape, (prod(root_shape),)]
        if is_semantic and shape not in self._image_shapes():
            semantic = self._encode_semantic(X)
            return model.root.log_probabilities(
                semantic, model.symbol_noise[0], model.rules[0].n_classes
            )
        return self._infer(X, (), lambda beliefs: beliefs.log_likelihood(), allow_impossible=True)

    def bayes_predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Compute the probability of each label given the image: the best possible prediction.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values)
            Images.

        Returns
        -------
        probabilities : ndarray of shape (n, n_labels)
            Probabilities of the labels `classes_`, including label noise.

        Raises
        ------
        ValueError
            If an image has probability 0.

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
        return self._infer(
            X, (model.root.n_labels,), lambda beliefs: to_label @ beliefs.root_posterior()
        )

    def bayes_predict(self, X: ArrayLike) -> np.ndarray:
        """Predict the most probable label of each image, as the Bayes-optimal classifier.

        Parameters
        ----------
        X : array-like of shape (n, height, width[, n_channels]) or (n, n_values)
            Images.

        Returns
        -------
        y : ndarray of shape (n,)
            Labels.

        Raises
        ------
        ValueError
            If an image has probability 0.

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
        return self.classes_[self.bayes_predict_proba(X).argmax(axis=1)]

    def bayes_risk(self, n_samples: int = 10_000, *, random_state: RandomState = None) -> BayesRisk:
        """Estimate the error rate of the Bayes-optimal classifier, the lowest possible.

        The estimate is the mean of 1 - max P(label | image) over sampled images. It varies less
        than the share of wrong predictions.

        Parameters
        ----------
        n_samples : int, default=10000
            Number of sampled images, at least 2.

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
        """
        check_is_fitted(self)
        n_samples = check_count(n_samples, "n_samples", 2)
        batch_size = max(1, 2**24 // prod(self._model.image_shape))
        batches = self.iter_batches(n_samples, batch_size, random_state=random_state)
        errors = np.concatenate([1 - self.bayes_predict_proba(X).max(axis=1) for X, _ in batches])
        return BayesRisk(float(errors.mean()), float(errors.std(ddof=1) / np.sqrt(n_samples)))

    def _validate_images(self, X):
        """Check images of any valid shape; return them as (n, *image_shape)."""
        X = check_array(X, allow_nd=True, dtype=[np.float32, np.float64])
        shape = self._model.image_shape
        if X.shape[1:] not in self._image_shapes():
            raise ValueError(
                f"X holds images of shape {X.shape[1:]}, but this sampler renders images "
                f"of shape {shape}."
            )
        return X.reshape(len(X), *shape)

    def _image_shapes(self):
        """Return the valid shapes of an image: with or without one channel, or flat."""
        shape = self._model.image_shape
        return [shape, (*shape, 1), (prod(shape),)]

    def _infer(self, X, shape, compute, allow_impossible=False):
        """Return `compute(beliefs)` of all images, in batches: an array (n, *shape)."""
        X = self._validate_images(X)
        model = self._model
        evidence = PixelEvidence(model.rules[-1], model.pixel_noise)
        result = np.empty((len(X), *shape))

        def infer_batch(batch):
            try:
                values = infer(model, X[batch], evidence, compute, allow_impossible)
            except ImpossibleImage as error:
                raise ValueError(
                    f"X[{batch.start + error.index}] cannot come from this sampler: it has "
                    "probability 0. A sampler with pixel_noise > 0 allows for any image."
                ) from None
            result[batch] = np.moveaxis(values, -1, 0)

        sizes = [
            prod(shape) * rules.n_classes for shape, rules in zip(model.level_shapes, model.rules)
        ]
        for_batches(infer_batch, len(X), max(1, _BATCH_VALUES // max(sizes)), self.n_jobs)
        return result
