"""Exact statistics of a fitted sampler's model; no images are drawn."""

from itertools import islice
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from .._base._params import check_count, check_flag
from .._base._validation import to_floats
from ._algebra import Linear, Logarithmic
from ._assumptions import AssumptionReport, check_assumptions
from ._pairs import pair_frequencies
from ._statistics import (
    HierarchyStatistics,
    expected_product,
    frequencies_of_levels,
    labeled_frequencies,
    statistics,
)


class AnalysisMixin:
    """Methods of a fitted sampler that compute statistics of its model."""

    level_shapes_: list[tuple[int, int]]
    n_classes_: list[int]
    patches_: list[Any]
    rule_weights_: list[Any]
    _model: Any

    def statistics(self) -> HierarchyStatistics:
        r"""Compute the exact statistics of the model, in closed form.

        Returns
        -------
        statistics : HierarchyStatistics
            For each level, the labeled frequency matrices :math:`F_c`, class-conditional
            frequencies, :math:`\theta`, :math:`\lambda`, the smallest :math:`|\sin|` of an
            angle and :math:`\Delta_{min}`; entropy and number of different images. Nothing is
            sampled.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> statistics = HierarchicalSampler(random_state=0).fit().statistics()
        >>> statistics.n_images == [8, 8 * 30**9, 8 * 30**90]  # 30 patches for each of 9, 81 pixels
        True

        Both labels are equally likely, so the matrices :math:`F_c` of a level sum to 0:

        >>> bool((abs(statistics.levels[1].labeled_frequencies.sum(axis=0)) < 1e-12).all())
        True
        """
        check_is_fitted(self)
        return statistics(self._model)

    def code_moments(self, level: int) -> np.ndarray:
        r"""Compute E[y X] of the one-hot codes of a level's patches, exactly.

        The map :math:`\varphi` of algorithm 1 gives a patch of :math:`X^{(i)}` a code with one
        channel for each patch of each class. The channels of class c are c k to (c + 1) k - 1.
        The moments of a patch are the moments :math:`F_c` of its class times the probability
        of the patch (lemma 2). They are those of the patches that are drawn, before symbol noise
        below the level and pixel noise.

        Parameters
        ----------
        level : int
            Level i, from 0 to n_levels - 1.

        Returns
        -------
        moments : ndarray of shape (height, width, n_patches)
            Moments; (height, width, n_patches, n_labels) for more than two labels. See
            :meth:`TwoLayerConvEmbedder.fit_population`.

        Raises
        ------
        ValueError
            If the model has no such level, or the level has transitions, not sets of patches.

        Examples
        --------
        >>> from skhier import HierarchicalSampler, TwoLayerConvEmbedder
        >>> sampler = HierarchicalSampler(random_state=0).fit()
        >>> moments = sampler.code_moments(1)
        >>> moments.shape
        (9, 9, 120)
        >>> embedder = TwoLayerConvEmbedder(20, scale_channels=False, random_state=0)
        >>> embedder.fit_population(moments, sampler.classes_).kernels_.shape
        (120, 20)
        """
        check_is_fitted(self)
        level = check_count(level, "level", 0, self._model.n_levels - 1)
        p = self.rule_weights_[level]
        if p is None:
            raise ValueError(
                f"level={level} is not valid: this level has transitions, not sets of patches to "
                "which codes belong."
            )
        frequencies = next(islice(frequencies_of_levels(self._model), level, None))
        prior = self._model.root.label_probabilities
        F = labeled_frequencies(frequencies, prior, self._model.label_noise)
        moments = F[:, None] * p.reshape(*p.shape, *[1] * (F.ndim - 1))
        moments = moments.reshape(-1, *F.shape[1:])
        return np.moveaxis(moments, [-2, -1, 0], [0, 1, 2])

    def expected_product(self, level: int, factors: ArrayLike, *, log: bool = False) -> np.ndarray:
        r"""Compute the expectation of a product over all pixels of a level, exactly.

        A pixel j of :math:`X^{(i)}`, of class :math:`c_j`, has the factor :math:`h(c_j, j)`. The
        pixels of an image depend on each other. The expectation of the product of all factors
        given the label is computed from the level up to the root, in closed form. It is the
        generating function of the numbers of pixels of each class. With :math:`h = 1 - 1/k`
        for one class and 1 for all others, it is the probability that a given patch of the
        class's k does not occur in the image, if they are equally likely and in no other set.
        With exponentials, it is the exponential moment of a sum over pixels.

        Parameters
        ----------
        level : int
            Level i, from 0 to n_levels - 1.

        factors : array-like of shape (..., n_classes, height, width)
            The factors h of each class at each pixel, or (..., n_classes, 1, 1) if they are
            the same for all pixels.

        log : bool, default=False
            Whether to return the logarithm of the expectation. The product of a deep level has
            so many factors that it can be below the smallest float (about 1e-308). Then the
            expectation is returned as 0, but its logarithm is exact.

        Returns
        -------
        expected : ndarray of shape (n_labels, ...)
            The expectation given each label, before label noise, or its logarithm; the logarithm
            of 0 is -inf.

        Raises
        ------
        ValueError
            If the factors are not finite numbers, or their shape does not match the classes
            and pixels of the level, or with `log` a factor is negative.

        Examples
        --------
        Probability, for each label, that the first of the 30 patches of class 0 does not occur:

        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(random_state=0).fit()
        >>> absent = sampler.expected_product(0, [[[1 - 1 / 30]], [[1]], [[1]], [[1]]])
        >>> absent.shape
        (2,)

        Given n pixels of class 0 it is :math:`(29 / 30)^n`, so by Jensen's inequality it is at
        least :math:`(29 / 30)^{E[n]}`:

        >>> frequencies = sampler.statistics().levels[0].class_frequencies
        >>> bool((absent >= (29 / 30) ** frequencies[:, 0].sum(axis=(1, 2)) - 1e-12).all())
        True

        Level 5 of a deep model has 9,216 pixels. With a factor of 1/2 for each pixel, the
        product is too small for a float, but its logarithm is not:

        >>> from math import log
        >>> deep = HierarchicalSampler(6, patch_size=2, random_state=0).fit()
        >>> deep.expected_product(5, [[[0.5]]] * 4)
        array([0., 0.])
        >>> log_expected = deep.expected_product(5, [[[0.5]]] * 4, log=True)
        >>> bool((abs(log_expected - 9216 * log(0.5)) < 1e-9).all())
        True
        """
        check_is_fitted(self)
        check_flag(log, "log")
        level = check_count(level, "level", 0, self._model.n_levels - 1)
        factors = to_floats(factors, "factors")
        if log and (factors < 0).any():
            raise ValueError(
                f"factors holds the negative number {factors.min():g}; with log=True it takes "
                "numbers >= 0."
            )
        n_classes, height, width = self.n_classes_[level], *self.level_shapes_[level]
        if factors.shape[-3:] not in ((n_classes, height, width), (n_classes, 1, 1)):
            raise ValueError(
                f"factors of shape {factors.shape} are not valid at level {level}: it takes an "
                f"array of shape (..., {n_classes}, {height}, {width}) or (..., {n_classes}, 1, 1)."
            )
        root, algebra = self._model.root, Logarithmic if log else Linear
        given_root = expected_product(self._model, level, factors, algebra)
        given_label = root.labels == np.arange(root.n_labels)[:, None]
        weights = given_label * root.probabilities / root.label_probabilities[root.labels]
        if log:
            return np.array([logsumexp(given_root, axis=-1, b=w) for w in weights])
        # Only root images of the label: another one can be infinite.
        return np.array([given_root[..., w > 0] @ w[w > 0] for w in weights])

    def pair_frequencies(self, level: int, pixel: tuple[int, int]) -> np.ndarray:
        r"""Compute the joint distribution of a pixel and each other pixel of a level, exactly.

        The nearer the lowest common ancestor of two pixels, the more they depend on each other.
        Labels are drawn, not given; noise of symbols is part of the distribution. The cost is the
        number of pixels times the cube of the number of classes.

        Parameters
        ----------
        level : int
            Level i, from 0 to n_levels - 1.

        pixel : pair of int
            Row and column of the pixel.

        Returns
        -------
        joint : ndarray of shape (height, width, n_semantic_classes, n_semantic_classes)
            Entry (r, c, a, b) is the probability that `pixel` is of class a and the pixel in row
            r and column c of class b.

        Raises
        ------
        ValueError
            If `level` is not a level of the sampler, or `pixel` not a pixel of the level.

        See Also
        --------
        skhier.theory.rhm_correlation : Mean over all Random Hierarchy Models.

        Examples
        --------
        Correlations of the last symbol of a string with the symbols before it. They decay in
        steps: symbols at the distances 4 to 7 have the same lowest common ancestor.

        >>> import numpy as np
        >>> from skhier.datasets import make_random_hierarchy
        >>> rhm = make_random_hierarchy(1, depth=3, return_X_y=False, random_state=0)
        >>> joint = rhm.sampler.pair_frequencies(3, (0, 7))[0]
        >>> joint.shape
        (8, 8, 8)
        >>> covariance = joint - joint.sum(axis=2)[:, :, None] * joint.sum(axis=1)[:, None]
        >>> correlation = np.sqrt((covariance**2).mean(axis=(1, 2)))
        >>> bool(correlation[6] > correlation[4:6].max() > correlation[:4].max())
        True
        """
        check_is_fitted(self)
        level = check_count(level, "level", 0, self._model.n_levels - 1)
        height, width = self._model.level_shapes[level]
        is_pair = isinstance(pixel, (tuple, list, np.ndarray)) and len(pixel) == 2
        if not (
            is_pair
            and all(isinstance(place, Integral) for place in pixel)
            and 0 <= pixel[0] < height
            and 0 <= pixel[1] < width
        ):
            raise ValueError(
                f"pixel={pixel!r} is not valid at level {level}: it takes the row, 0 to "
                f"{height - 1}, and the column, 0 to {width - 1}, of a pixel."
            )
        return pair_frequencies(self._model, level, (int(pixel[0]), int(pixel[1])))

    def check_assumptions(self) -> AssumptionReport:
        """Check assumptions 1 to 4 of the paper, with the evidence for each.

        Returns
        -------
        report : AssumptionReport
            Four checks: a sequence, which prints as a table.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> report = HierarchicalSampler(random_state=0).fit().check_assumptions()
        >>> [check.holds for check in report]
        [True, True, True, False]
        """
        check_is_fitted(self)
        return check_assumptions(self._model)
