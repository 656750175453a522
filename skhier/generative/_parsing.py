"""Parses of clean images with a fitted sampler."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._base._validation import check_array
from ._drawing import for_batches
from ._product_rules import ProductRules
from ._recognition import PatchIndex, parse_level

_BATCH_VALUES = 2**16  # so that the largest array of a batch stays in cache


class ParsingMixin:
    """Methods of a fitted sampler that recover the latents of clean images."""

    semantic_classes_: np.ndarray
    _holds_strings: bool
    _model: Any

    def parse(self, X: ArrayLike) -> list[np.ndarray]:
        r"""Recover the semantic images of all levels of clean images, exactly.

        With symbol noise below level 0, they are those of images without noise that look the same,
        not those that were drawn: for these see :meth:`posterior`.

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
            several classes, or if the sampler has transitions. For these images see
            :meth:`posterior`.

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
        maps. Patch j of class c has the number c k + j. With symbol noise below level 0, a patch is
        the one that is seen, not the one that was drawn.

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
        _refuse_transitions(model)
        indices = [PatchIndex(rules) for rules in model.rules]
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


def _refuse_transitions(model):
    """Raise ValueError if a level has no sets of patches."""
    for i, rules in enumerate(model.rules):
        if isinstance(rules, ProductRules):
            raise ValueError(
                f"Level {i} of this sampler has transitions: any patch can be of several classes, "
                "so images have no single parse. Use the method posterior."
            )
