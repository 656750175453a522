"""SphericalKMeans: k-means under cosine distance as a scikit-learn clusterer."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from .._base._blocked import maps_rows, validate_rows
from .._base._device import as_tensor, own_modes, resolve_device
from .._base._fitting import Task, fit_method
from .._base._memory import THIS_MACHINE
from .._base._params import make_rng
from .._base._sklearn import BaseEstimator, Interval, StrOptions
from .._base._targets import check_weights
from .._base._typing import Device, RandomState, Seeding, Verbose
from .._base._validation import to_floats
from .._base._warnings import warn
from ._lloyd import (
    Clusters,
    Directions,
    assignment,
    directions,
    distances,
    lloyd,
    unit_rows,
)
from ._seeding import seed_centers


class SphericalKMeans(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ClusterMixin,
    BaseEstimator,
):
    """K-means clustering under the cosine distance.

    Finds unit vectors, the centers, that minimize the sum over samples of the cosine
    distance 1 - cos(x, c) to the nearest center c. It is the clustering step of
    algorithm 1 (section 5.1 of the paper, KMEANS(S, k)).

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.

    init : {'k-means++', 'random'} or array-like of shape (n_clusters, n_features), \
            default='k-means++'
        Method for the initial centers: k-means++ (on unit vectors the squared Euclidean
        distance is twice the cosine distance), random samples of distinct directions, or
        given centers. Up to 256 clusters k-means++ is greedy: it takes the best of several
        candidates for each center. Above, it draws many centers at a time.

    n_init : int, default=1
        Number of runs with different initial centers; the run of lowest inertia is kept. An
        array `init` is run once.

    max_iter : int, default=100
        Largest number of iterations of a run.

    tol : float, default=1e-4
        Relative tolerance: a run ends when an iteration lowers the inertia by no more than
        this fraction. With 0 it ends when the inertia stops falling.

    init_size : int or None, default=10_000
        Largest number of samples, drawn at random, among which greedy k-means++ chooses
        the initial centers; at least 10 * `n_clusters` are drawn. None is all samples. k-means++
        of more than 256 clusters is not greedy, and draws 50,000 samples.

    device : str or torch.device, default='auto'
        Device to compute on: 'auto' (a GPU if there is one), 'cpu', 'cuda', ...

    verbose : bool or int, default=False
        Whether to print the inertia of every iteration.

    random_state : int, RandomState instance or None, default=None
        Determines the initial centers. An int gives the same result at every call.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Unit vectors.

    labels_ : ndarray of shape (n_samples,)
        The cluster of each sample of `fit`.

    inertia_ : float
        Sum of the cosine distances of the samples to their centers, weighted by
        `sample_weight`.

    inertia_curve_ : ndarray of shape (n,)
        The inertia at the initial centers and after each iteration; it never rises.

    device_ : str
        The device that `fit` computed on.

    n_iter_ : int
        Number of iterations of the kept run.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X is a DataFrame.

    Notes
    -----
    A zero vector has no direction. Its cosine with every center is defined as 0: its
    distance to each center is 1, its label is 0, and no center depends on it.

    A cluster that loses its last sample gets one of the samples farthest from their
    centers as its new center.

    Examples
    --------
    >>> import numpy as np
    >>> from skhier import SphericalKMeans
    >>> X = np.array([[1.0, 0.1], [5.0, 0.4], [0.1, 1.0], [0.2, 3.0]])
    >>> km = SphericalKMeans(n_clusters=2, random_state=0).fit(X)
    >>> bool(km.labels_[0] == km.labels_[1] != km.labels_[2] == km.labels_[3])
    True
    >>> km.transform([[2.0, 0.0]]).shape
    (1, 2)
    """

    _parameter_constraints = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"k-means++", "random"}), "array-like"],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "init_size": [Interval(Integral, 1, None, closed="left"), None],
        "device": [str, torch.device],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Seeding | ArrayLike = "k-means++",
        n_init: int = 1,
        max_iter: int = 100,
        tol: float = 1e-4,
        init_size: int | None = 10_000,
        device: Device = "auto",
        verbose: Verbose = False,
        random_state: RandomState = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.init_size = init_size
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    @fit_method
    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Cluster the samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples; only their directions matter. Sparse matrices are not supported: products
            with centers, which are dense, take most of the time.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights. A weight of 2 equals two copies, a weight of 0 equals no sample.

        Returns
        -------
        self : SphericalKMeans
            The fitted clusterer.

        Raises
        ------
        ValueError
            If `n_clusters` is more than the number of samples.

        Warns
        -----
        ConvergenceWarning
            If `n_clusters` is more than the number of distinct directions in X: some
            centers are equal.
        """
        device = resolve_device(self.device)
        rows = validate_rows(self, X, dtype=[np.float64, np.float32])
        self._fit_rows(rows, check_weights(sample_weight, len(rows)), device, X)
        centers = as_tensor(self.cluster_centers_).to(device)
        self.labels_ = directions(rows).map(assignment(centers)).collect()
        return self

    @with_callbacks
    def _fit_rows(self, rows, weight, device, X=None):
        """Fit on valid rows (n_samples, n_features), without `labels_`; X is for callbacks.

        Weights are not negative, of any range; None if all are 1.
        """
        self._validate_params()
        n_init, initial = self.n_init, None
        if self.n_clusters > len(rows):
            raise ValueError(
                f"n_clusters={self.n_clusters} is more than the number of samples, "
                f"n_samples={len(rows)}."
            )
        if not isinstance(self.init, str):
            n_init, initial = 1, self._check_init(rows)
        units = directions(rows)
        weight = _weight_tensor(weight, units, device)
        units = units.cached(THIS_MACHINE)
        n_distinct = self._count_distinct(units, weight)
        rng = make_rng(self.random_state)
        best: Any = None
        with Task.fit(self, n_init, X) as task:
            for run in range(n_init):
                if n_init > 1:
                    task.log(f"run {run + 1} of {n_init}")
                centers = initial
                if centers is None:
                    centers = self._seed(units, weight, n_distinct, rng)
                centers = as_tensor(centers).to(device, units.dtype)
                with task.subtask(f"run {run}", None) as running:
                    limits = int(self.max_iter), float(self.tol)
                    result = lloyd(units, weight, centers, *limits, running)
                if best is None or result[1][-1] < best[1][-1]:
                    best = result
                if task.stop:
                    break
        centers, inertias, n_iter = best
        self.n_features_in_ = rows.shape[1]
        self.cluster_centers_ = centers.cpu().numpy()
        self.inertia_ = inertias[-1]
        self.device_ = str(device)
        self.inertia_curve_ = np.array(inertias)
        self.n_iter_ = n_iter
        self._n_features_out = len(self.cluster_centers_)
        return self

    def _check_init(self, rows):
        """Return the directions of the given initial centers."""
        with np.errstate(over="ignore"):  # infinity is refused below
            init = to_floats(self.init, "init").astype(rows.dtype)
        shape = self.n_clusters, rows.shape[1]
        if init.shape != shape:
            raise ValueError(
                f"init has shape {init.shape}; an array of shape (n_clusters, "
                f"n_features) = {shape} is needed."
            )
        if not init.any(axis=1).all() or not np.isfinite(init).all():
            raise ValueError("init holds a zero or not finite row: no direction.")
        return unit_rows(init)

    def _count_distinct(self, units, weight):
        """Return the number of distinct directions, or `n_clusters` if there are more."""
        n_distinct = units.accumulate(Directions(self.n_clusters), weight).count
        if n_distinct < self.n_clusters:
            if n_distinct:
                reason = f"n_clusters={self.n_clusters} is more than the {n_distinct} distinct "
                reason += "directions among the samples"
            else:
                reason = "The samples have no direction, all are 0"
            warn(f"{reason}: some centers are equal.", ConvergenceWarning)
        return min(n_distinct, self.n_clusters)

    def _seed(self, units, weight, n_distinct, rng):
        """Choose initial centers: repeated if directions are too few, random if there is none."""
        if n_distinct == 0:
            return unit_rows(rng.standard_normal((int(self.n_clusters), units.shape[1])))
        init_size = self.init_size
        if init_size is not None:
            init_size = max(int(init_size), 10 * int(self.n_clusters))
        centers = seed_centers(units, weight, n_distinct, self.init, rng, init_size)
        return np.resize(centers, (int(self.n_clusters), units.shape[1]))

    def _units(self, X):
        """Return the directions of X as rows, and the centers in their dtype."""
        check_is_fitted(self)
        rows = validate_rows(self, X, reset=False, dtype=[np.float64, np.float32])
        units, device = directions(rows), resolve_device(self.device)
        return units, as_tensor(self.cluster_centers_).to(device, units.dtype)

    @maps_rows
    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the nearest cluster of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Indices of the nearest centers.
        """
        units, centers = self._units(X)
        return units.map(assignment(centers)).collect()

    @maps_rows
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the cosine distance of each sample to each center.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_clusters)
            1 - cos(x, c), between 0 and 2.
        """
        units, centers = self._units(X)
        return units.map(distances(centers)).collect()

    def score(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> float:
        """Return minus the inertia of X: larger is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights.

        Returns
        -------
        score : float
            Minus the weighted sum of cosine distances to the nearest centers.
        """
        with own_modes():
            units, centers = self._units(X)
            weight = check_weights(sample_weight, len(units))
            weight = _weight_tensor(weight, units, centers.device)
            return -units.accumulate(Clusters(centers), weight).inertia

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _weight_tensor(weight, units, device):
    """Return weights in the dtype of unit vectors, None if all are 1."""
    is_one = weight is None or (weight == 1).all()
    return None if is_one else torch.from_numpy(weight).to(device, units.dtype)
