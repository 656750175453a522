"""Distances between embedded patches, within classes and between classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.spatial.distance import pdist

from .._base._params import check_count, check_fitted, check_real
from .._base._validation import to_floats
from ..theory import class_distances
from ._sheets import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..embedding import TwoLayerConvEmbedder


_COLORS = {"within": "#0072B2", "between": "#E69F00"}  # blue, orange: safe for all color vision


class DistancesDisplay:
    r"""Display of distances between embedded patches (theorem 1), as two histograms.

    Theorem 1 promises that two patches of one class are less than :math:`\sigma` apart, and
    two patches of different classes more than :math:`\gamma`. Use :meth:`from_estimator` to
    create a display.

    Parameters
    ----------
    embedded : ndarray of shape (n_classes * k, n_components)
        Embedded patches, sorted by class, k for each class.

    n_classes : int
        Number of classes.

    sigma : float or None, default=None
        Upper bound of the theorem on distances within a class; if None, it is not drawn.

    gamma : float or None, default=None
        Lower bound of the theorem on distances between classes; if None, it is not drawn.

    Attributes
    ----------
    within_ : ndarray of shape (n_classes * k * (k - 1) / 2,)
        Distances between two patches of one class.

    between_ : ndarray of shape (n_pairs,)
        Distances between two patches of different classes.

    ax_ : matplotlib.axes.Axes
        Axes of the drawing.

    figure_ : matplotlib.figure.Figure
        Figure of the axes.

    Examples
    --------
    >>> from skhier import HierarchicalSampler, TwoLayerConvEmbedder
    >>> from skhier.plotting import DistancesDisplay
    >>> sampler = HierarchicalSampler(random_state=0).fit()
    >>> embedder = TwoLayerConvEmbedder(20, scale_channels=False, max_iter=1000)
    >>> embedder = embedder.fit_population(sampler.code_moments(1), sampler.classes_)
    >>> display = DistancesDisplay.from_estimator(embedder, n_classes=4)
    >>> len(display.within_), len(display.between_)
    (1740, 5400)
    """

    def __init__(
        self,
        embedded: np.ndarray,
        *,
        n_classes: int,
        sigma: float | None = None,
        gamma: float | None = None,
    ) -> None:
        self.embedded = embedded
        self.n_classes = n_classes
        self.sigma = sigma
        self.gamma = gamma

    @classmethod
    def from_estimator(
        cls,
        estimator: TwoLayerConvEmbedder,
        *,
        n_classes: int,
        sigma: float | None = None,
        gamma: float | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the distances between patches in the space of a fitted embedder.

        Parameters
        ----------
        estimator : TwoLayerConvEmbedder
            A fitted embedder. The codes that it was fitted on have one channel for each patch,
            sorted by class, as from :meth:`~skhier.HierarchicalSampler.code_moments`.

        n_classes : int
            Number of classes.

        sigma, gamma : float or None, default=None
            Upper bound of the theorem on distances within a class, and lower bound on distances
            between classes; if None, they are not drawn.

        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; if None, a new figure is created.

        Returns
        -------
        display : DistancesDisplay
            The drawn display.
        """
        check_fitted(estimator, "estimator", "TwoLayerConvEmbedder")
        display = cls(estimator.kernels_, n_classes=n_classes, sigma=sigma, gamma=gamma)
        return display.plot(ax=ax)

    def plot(self, *, n_bins: int = 60, ax: Axes | None = None) -> Self:
        """Draw both histograms, each with heights that sum to 1.

        Parameters
        ----------
        n_bins : int, default=60
            Number of bins of a histogram.

        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; if None, a new figure is created.

        Returns
        -------
        display : DistancesDisplay
            The display itself.
        """
        n_bins = check_count(n_bins, "n_bins", 1)
        bounds = [
            (name, check_real(value, name, 0), side)
            for name, value, side in (
                ("sigma", self.sigma, "within"),
                ("gamma", self.gamma, "between"),
            )
            if value is not None
        ]
        max_within, min_between = class_distances(self.embedded, self.n_classes)
        embedded = to_floats(self.embedded, "embedded")
        class_of = np.arange(len(embedded)) * self.n_classes // len(embedded)
        first, second = np.triu_indices(len(embedded), k=1)  # in the order of pdist
        is_within = class_of[first] == class_of[second]
        distances = pdist(embedded)
        self.within_, self.between_ = distances[is_within], distances[~is_within]
        ax = new_axes(ax)
        bins = np.linspace(0, max(distances.max(initial=0), 1e-300), n_bins + 1).tolist()
        histograms = {
            "within": (self.within_, f"one class: at most {max_within:.3g}"),
            "between": (self.between_, f"different classes: at least {min_between:.3g}"),
        }
        for side, (values, label) in histograms.items():
            if len(values):
                weights = np.full(len(values), 1 / len(values))
                color = _COLORS[side]
                ax.hist(values, bins, weights=weights, color=color, alpha=0.9, label=label)
        for name, value, side in bounds:
            label = rf"$\{name}$ = {value:.3g}"
            ax.axvline(value, color=_COLORS[side], linestyle="--", linewidth=2, label=label)
        ax.set(
            xlabel="distance", ylabel="share of pairs", title="distances between embedded patches"
        )
        ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
