"""What can be said exactly of a fitted sampler, without images."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._base._params import check_count
from .._base._validation import to_floats
from ._assumptions import AssumptionReport, check_assumptions
from ._products import expected_product
from ._statistics import HierarchyStatistics, statistics


class AnalysisMixin:
    """Statistics of the model of a fitted sampler."""

    n_levels: int
    level_shapes_: list[tuple[int, int]]
    patches_: list[np.ndarray]
    rule_weights_: list[np.ndarray]
    _model: Any

    def statistics(self) -> HierarchyStatistics:
        r"""Exact statistics of the model, in closed form: nothing is sampled.

        Returns
        -------
        statistics : HierarchyStatistics
            For each level, the labeled frequency matrices :math:`F_c`, class-conditional
            frequencies, :math:`\theta`, :math:`\lambda`, the smallest :math:`|\sin|` of an
            angle and :math:`\Delta_{min}`; entropy and number of different images.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> statistics = HierarchicalSampler(random_state=0).fit().statistics()
        >>> round(statistics.theta, 3), round(statistics.levels[0].lambda_, 3)
        (1.512, 0.415)
        """
        check_is_fitted(self)
        return statistics(self._model)

    def code_moments(self, level: int) -> np.ndarray:
        r"""E[y X] of the one-hot codes of a level's patches, exactly.

        The code of the patch at a pixel of :math:`X^{(i)}` has one channel for each patch of
        each class, those of class c from c k to (c + 1) k - 1: what
        :math:`\varphi` of algorithm 1 maps it to. The moments of a patch are those of its
        class, :math:`F_c`, times its probability (lemma 2).

        Parameters
        ----------
        level : int
            Level i, from 0 to n_levels - 1.

        Returns
        -------
        moments : ndarray of shape (height, width, n_patches)
            Moments; (height, width, n_patches, n_labels) for more than two labels. See
            :meth:`TwoLayerConvEmbedder.fit_population`.

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
        check_count(level, "level", 0, self.n_levels - 1)
        F = statistics(self._model).levels[level].labeled_frequencies
        p = self.rule_weights_[level]
        moments = F[:, None] * p.reshape(*p.shape, *[1] * (F.ndim - 1))
        moments = moments.reshape(-1, *F.shape[1:])
        return np.moveaxis(moments, [-2, -1, 0], [0, 1, 2])

    def expected_product(self, level: int, factors: ArrayLike) -> np.ndarray:
        r"""Expectation of a product over all pixels of a level, exactly.

        The pixel j of :math:`X^{(i)}`, of class :math:`c_j`, has the factor :math:`h(c_j, j)`. The
        pixels of an image depend on each other; the expectation of their product given
        the label is computed from the level up to the root, in closed form. It is the
        generating function of the numbers of pixels of each class: with :math:`h = 1 -
        1/k` for one class and 1 for all others, it is the probability that an image
        does not show one of the class's k patches; with exponentials it is the
        exponential moment of a sum over pixels.

        Parameters
        ----------
        level : int
            Level i, from 0 to n_levels - 1.

        factors : array-like of shape (..., n_classes, height, width)
            The factors h of each class at each pixel; (..., n_classes, 1, 1) where they
            are the same for all pixels.

        Returns
        -------
        expected : ndarray of shape (n_labels, ...)
            The expectation given each label, before label noise.

        Raises
        ------
        ValueError
            If the factors are not numbers or not those of the level's classes and pixels.

        Examples
        --------
        How likely it is that an image of each label shows the first patch of class 0 nowhere:

        >>> from skhier import HierarchicalSampler
        >>> sampler = HierarchicalSampler(random_state=0).fit()
        >>> sampler.expected_product(0, [[[1 - 1 / 30]], [[1]], [[1]], [[1]]]).round(3)
        array([0.919, 0.927])
        """
        check_is_fitted(self)
        level = check_count(level, "level", 0, self.n_levels - 1)
        factors = to_floats(factors, "factors")
        wanted = (len(self.patches_[level]), *self.level_shapes_[level])
        given = factors.shape[-3:]
        if given not in (wanted, (wanted[0], 1, 1)):
            raise ValueError(
                f"factors of shape {factors.shape} are not valid at level {level}: it takes an "
                f"array of shape (..., {', '.join(map(str, wanted))}) or (..., {wanted[0]}, 1, 1)."
            )
        factors = np.broadcast_to(factors, (*factors.shape[:-3], *wanted))
        of_roots = expected_product(self._model, level, factors)
        root = self._model.root
        weights = root.probabilities * root.n_labels
        return np.array(
            [of_roots @ (weights * (root.labels == label)) for label in range(root.n_labels)]
        )

    def check_assumptions(self) -> AssumptionReport:
        """Check assumptions 1 to 4 of the paper, with the evidence for each.

        Returns
        -------
        report : AssumptionReport
            Four checks, as a sequence and as a table to print.

        Examples
        --------
        >>> from skhier import HierarchicalSampler
        >>> report = HierarchicalSampler(random_state=0).fit().check_assumptions()
        >>> [check.holds for check in report]
        [True, True, True, False]
        """
        check_is_fitted(self)
        return check_assumptions(self._model)
