"""PatchKMeansOrthogonalizer: clusters of patches, mapped to orthogonal vectors."""

from functools import partial
from math import prod
from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.callback import CallbackSupportMixin
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.utils.validation import check_is_fitted

from .._base._blocked import maps_rows
from .._base._device import (
    automatic_precision,
    computing_dtype,
    refuse_slow_precision,
    resolve_device,
    torch_dtype,
)
from .._base._fitting import Task, fit_method
from .._base._images import (
    is_plain_vectors,
    refuse_extreme_values,
    refuse_foreign_values,
    validate_images,
)
from .._base._params import is_auto
from .._base._parts import CompositeEstimator, make_part
from .._base._random import make_rng
from .._base._sklearn import Interval, StrOptions
from .._base._transformer import ImageTransformerMixin
from .._base._typing import (
    Auto,
    Border,
    Device,
    Encoding,
    ImageShape,
    Padding,
    Pair,
    Pooling,
    PoolSize,
    Precision,
    RandomState,
    Verbose,
)
from .._base._weights import weighted_samples
from ._border import border_color, resolve_border
from ._codebook import learn_codebook
from ._encoder import ENCODINGS, PatchEncoder
from ._patches import refuse_patches_of_vectors
from ._plan import Plan
from ._spherical_kmeans import SphericalKMeans


class PatchKMeansOrthogonalizer(CallbackSupportMixin, ImageTransformerMixin, CompositeEstimator):
    r"""Map patches to vectors: equal within a cluster, orthogonal between clusters.

    Patches of the images are clustered by k-means. Every patch then becomes a vector
    with one channel per cluster, or two. This is the map :math:`\varphi` of algorithm 1
    (section 5.1 of the paper) with `encoding='one_hot'`, and else its practical form, steps
    1 to 4 of section 6, in which vectors of different clusters are nearly orthogonal. The
    defaults suit photographs and drawings; they are those of
    :class:`LayerwiseCNNClassifier`.

    Parameters
    ----------
    n_clusters : int or 'auto', default='auto'
        Number of clusters. 'auto' is six times the number of values of a patch, at most
        3200, and at most a quarter of the number of distinct patches.

    patch_size : int, pair of int or 'auto', default='auto'
        (Height, width) of patches in pixels. 'auto' is 6 for images of at least 16x16
        pixels and at most 4 channels, 1 for plain vectors, and else 3.

    stride : int, pair of int or None, default=1
        Distance between neighbouring patches in pixels. None is `patch_size`: patches
        do not overlap.

    padding : {'valid', 'same'}, int or pair of int, default='same'
        Pixels added around images: none; as many as give a patch at every stride; or this
        many at each side (vertical, horizontal). They have the value `border`.

    border : {'auto', 'dark'} or float, default='auto'
        Color of what lies beyond the borders of images. Patches hold differences to it.
        'dark' is three standard deviations below the mean of each channel, or its minimum
        if that is more: 0 for most images with values from 0. It moves with the images, so
        codes are the same when a constant is added to a channel. 'auto' is 'dark' for images
        of at most 4 channels, and 0 for codes, which have more, and with `whiten_eps=None`,
        where patches stay as they are.

    encoding : {'one_hot', 'relu', 'crelu'}, default='crelu'
        The code of a patch x, with centroids :math:`c_j`:

        - 'one_hot' (algorithm 1): 1 in the channel of the nearest centroid;
        - 'relu' (section 6): channel j is :math:`\max(0, \langle c_j, x\rangle / r + b)`,
          a convolution with the centroids and a ReLU. r is `scale_`, so that codes do
          not depend on the unit of the images. With a Euclidean k-means,
          :math:`(\langle c_j, x\rangle - \|c_j\|^2 / 2) / r^2` takes the place of the
          quotient: the largest channel is that of the nearest centroid;
        - 'crelu': the 'relu' codes of the patch and those of its negative, so twice as many
          channels for the work of one convolution.

    bias : float, default=-0.5
        The fixed bias b of the ReLU, in units of r, or of the responses' root mean square
        if `normalize`. Lower gives sparser codes. Not used by the 'one_hot' encoding.

    normalize : bool, default=True
        Whether the responses :math:`\langle c_j, x\rangle / r` of a patch to all centroids
        are divided by their root mean square (plus 0.01 under the root), so that codes do
        not depend on a patch's contrast. In a network that is
        :class:`torch.nn.RMSNorm` over the channels. No effect on 'one_hot' codes.

    pool_size : int, pair of int, 'auto' or 'thirds', default='auto'
        Window and stride of the pooling of codes. Windows that the border cuts are kept,
        so no pixel is dropped. 1 is no pooling. 'auto' is 4 for maps of at least 24x24
        codes, 3 for at least 6x6, and 2 for smaller ones. 'thirds' is as much, or more, so
        that at most 3x3 windows remain of a map of any size: a last layer gives no more
        features for large images than for small ones. If `pooling` is 'average', these windows
        are equal and overlap, and weights fall linearly from the center of each to 1.3 times
        its width: features do not jump when something moves from one window to the next.

    pooling : {'max', 'average'}, default='average'
        What a window of codes becomes: its maximum in each channel, as in section 6, or
        its average.

    whiten_eps : float or None, default=0.1
        Patches are whitened (ZCA) before they are clustered, and x in the codes is the
        whitened patch. That is linear, so the codes remain a convolution with other kernels
        and a bias for each channel. This fraction of the mean variance is added to the
        variance in every direction, so that faint ones are not blown up; it is from 1e-12 to
        1e12. None leaves patches as they are.

    n_patches : int or None, default=50_000
        Cluster at most this many patches, drawn uniformly without replacement (N in
        section 6). If None, cluster all.

    kmeans : SphericalKMeans, KMeans, MiniBatchKMeans or None, default=None
        The k-means that clusters the patches, not fitted; it gets `n_clusters` here.
        :class:`SphericalKMeans` has the cosine distance, as in section 5, and centroids of
        unit norm. :class:`sklearn.cluster.KMeans` has the Euclidean distance, for which
        lemma 7 is proved: the cosine distance cannot tell patches apart that are positive
        multiples of each other. None is `SphericalKMeans(max_iter=25, tol=1e-3)`.

    image_shape : tuple of int or None, default=None
        (H, W) or (H, W, C) of the images, needed if X is flat. Flat X without it holds
        plain vectors, images of one pixel, and patch k-means is plain k-means.

    device : str or torch.device, default='auto'
        Where to compute: 'auto' (a GPU if there is one), 'cpu', 'cuda', ...

    batch_size : int or None, default=None
        Number of images encoded at a time. None chooses it to suit the processor's
        cache. It changes memory and time, not results.

    precision : {'auto', 'float32', 'bfloat16'}, default='auto'
        What codes are computed in. 'auto' is float64 for float64 images, exact float32 for
        'one_hot' codes, and else `precision_`: bfloat16 where the processor is faster with it,
        which is measured once per process, and the images of `fit` so many that it saves
        time. Clustering is not affected.

    verbose : bool or int, default=False
        Whether to print progress.

    random_state : int, RandomState instance or None, default=None
        Determines the patches, and the first centers unless `kmeans` has a `random_state`.
        An int gives the same result at every call.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, patch height, patch width, channels)
        The centroids as (whitened) patches, of unit norm for the cosine distance.

    n_clusters_ : int
        The number of clusters that 'auto' stands for.

    border_ : ndarray of shape (channels,)
        The color that `border` stands for, subtracted from images before the convolution.

    kernels_ : ndarray of shape (n_clusters, patch height, patch width, channels)
        Kernels of the convolution: the centroids, with whitening and 1 / `scale_` (its
        square with a Euclidean k-means) folded in.

    intercepts_ : ndarray of shape (n_clusters,)
        Added after the convolution; zero for the cosine distance without whitening.

    scale_ : float
        Root mean square of the pixels of the clustered (whitened) patches, r above.

    precision_ : {'float32', 'bfloat16'}
        What codes of float32 images are computed in where `precision` is 'auto'.

    inertia_ : float
        Sum of the distances of the clustered patches to their centroids, cosine or
        squared Euclidean.

    n_iter_ : int
        Number of k-means iterations.

    device_ : str
        The device that `fit` computed on.

    output_shape_ : tuple of int
        (h, w, channels) of the codes of one image.

    image_shape_ : tuple of int
        (H, W, C) of the images.

    n_features_in_ : int
        H * W * C.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if X is a DataFrame.

    See Also
    --------
    TwoLayerConvEmbedder : The next step: learns to join clusters that mean the same.
    SphericalKMeans : The clustering, on its own.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhier import PatchKMeansOrthogonalizer
    >>> X = load_digits().images
    >>> phi = PatchKMeansOrthogonalizer(n_clusters=16, random_state=0)
    >>> phi.fit_transform(X).shape
    (1797, 3, 3, 32)

    Patches that do not overlap, each coded by the number of its cluster:

    >>> phi = PatchKMeansOrthogonalizer(
    ...     n_clusters=16, patch_size=2, stride=None, encoding="one_hot", pool_size=1
    ... )
    >>> phi.fit_transform(X).shape
    (1797, 4, 4, 16)
    >>> phi.predict(X[:1]).shape
    (1, 4, 4)
    """

    _parameter_constraints = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "patch_size": "no_validation",
        "stride": "no_validation",
        "padding": "no_validation",
        "border": [Interval(Real, None, None, closed="neither"), StrOptions({"auto", "dark"})],
        "encoding": [StrOptions(set(ENCODINGS))],
        "bias": [Interval(Real, -1e9, 1e9, closed="both")],
        "normalize": ["boolean"],
        "pool_size": "no_validation",
        "pooling": [StrOptions({"max", "average"})],
        "whiten_eps": [Interval(Real, 1e-12, 1e12, closed="both"), None],
        "n_patches": [Interval(Integral, 1, None, closed="left"), None],
        "kmeans": [SphericalKMeans, KMeans, MiniBatchKMeans, None],
        "image_shape": "no_validation",
        "device": [str, torch.device],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    _part_names = ("kmeans",)

    def __init__(
        self,
        n_clusters: int | Auto = "auto",
        patch_size: Pair | Auto = "auto",
        stride: Pair | None = 1,
        *,
        padding: Padding = "same",
        border: float | Border = "auto",
        encoding: Encoding = "crelu",
        bias: float = -0.5,
        normalize: bool = True,
        pool_size: Pair | PoolSize = "auto",
        pooling: Pooling = "average",
        whiten_eps: float | None = 0.1,
        n_patches: int | None = 50_000,
        kmeans: SphericalKMeans | KMeans | MiniBatchKMeans | None = None,
        image_shape: ImageShape = None,
        device: Device = "auto",
        batch_size: int | None = None,
        precision: Precision = "auto",
        verbose: Verbose = False,
        random_state: RandomState = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.patch_size = patch_size
        self.stride = stride
        self.padding = padding
        self.border = border
        self.encoding = encoding
        self.bias = bias
        self.normalize = normalize
        self.pool_size = pool_size
        self.pooling = pooling
        self.whiten_eps = whiten_eps
        self.n_patches = n_patches
        self.kmeans = kmeans
        self.image_shape = image_shape
        self.device = device
        self.batch_size = batch_size
        self.precision = precision
        self.verbose = verbose
        self.random_state = random_state

    def _stands_for(self, name, value):
        return SphericalKMeans(max_iter=25, tol=1e-3) if value is None else value

    @fit_method
    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Cluster the patches of images.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Images.

        y : None
            Ignored.

        sample_weight : array-like of shape (n,) or None, default=None
            Weights of images. A weight of 2 is the same as two copies, 0 as no such image
            (to rounding where all patches are clustered, else in expectation).

        Returns
        -------
        self : PatchKMeansOrthogonalizer
            The fitted transformer.

        Raises
        ------
        ValueError
            If patches do not fit or do not tile the images, or if `n_clusters` is more
            than the number of patches.

        Warns
        -----
        ConvergenceWarning
            If `n_clusters` is more than the number of distinct patches.
        """
        images = validate_images(self, X, reset=True)
        refuse_extreme_values(images)
        refuse_patches_of_vectors(self, X, self.patch_size, self.padding)
        images, _, weight = weighted_samples(sample_weight, images)
        self._learn(images, weight)
        return self

    @fit_method
    def _fit_images(self, images, weight):
        """Fit on rows (n, H, W, C) of images that are known to be valid."""
        self.image_shape_ = tuple(images.shape[1:])
        self.n_features_in_ = prod(self.image_shape_)
        self._learn(images, weight)
        return self

    def _learn(self, images, weight):
        grid = self._check(self.image_shape_, len(images)).grid
        device, dtype = resolve_device(self.device), computing_dtype(images)
        border = resolve_border(self.border, images.shape[3], self.whiten_eps is not None)
        border = border_color(images, border, weight)
        with Task.fit(self, 1, images) as task:
            book = learn_codebook(
                images,
                weight,
                grid,
                border,
                self._make_kmeans(),
                n_clusters=self.n_clusters,
                n_patches=self.n_patches,
                whiten_eps=self.whiten_eps,
                rng=make_rng(self.random_state),
                task=task,
            )
        self.n_clusters_ = len(book.centers)
        self.border_ = border
        self.cluster_centers_ = book.centers.reshape(-1, *grid.patch_shape)
        self.kernels_ = book.kernels.reshape(-1, *grid.patch_shape)
        self.intercepts_ = book.intercepts
        self.scale_ = book.scale
        n_products = len(images) * prod(grid.map_shape) * self.kernels_.size
        self.precision_ = automatic_precision(n_products, device)
        self.inertia_ = book.inertia
        self.n_iter_ = book.n_iter
        self.output_shape_ = self._encoder(dtype).code_shape
        self.device_ = str(device)

    def _plan(self, image_shape):
        return Plan.of(self, image_shape)

    def _check(self, image_shape, n_images):
        """Check parameters against the shape and number of images; return the plan for them."""
        self._validate_params()
        plan = self._plan(image_shape)
        self._make_kmeans()
        n_patches = plan.n_patches(n_images)
        if not is_auto(self.n_clusters) and self.n_clusters > n_patches:
            raise ValueError(
                f"n_clusters={self.n_clusters} is more than the number of patches, {n_patches}. "
                "Lower it."
            )
        refuse_slow_precision(self.precision, resolve_device(self.device))
        return plan

    def _make_kmeans(self):
        """The k-means, not fitted."""
        given = {"n_clusters": self.n_clusters, "device": self.device}
        kmeans = self._stands_for("kmeans", self.kmeans)
        return make_part(kmeans, "kmeans", self, given, verbose=self.verbose)

    def _code_dtype(self, dtype):
        """The torch dtype of codes whose results have `dtype`."""
        if not is_auto(self.precision):
            return getattr(torch, self.precision)
        if dtype == np.float64 or self.encoding == "one_hot":
            return torch_dtype(dtype)
        return getattr(torch, self.precision_)

    def _encoder(self, dtype):
        """The map from batches of images to codes that the fitted state describes.

        `dtype` is that of results, which the precision of codes follows.
        """
        plan = self._plan(self.image_shape_)
        return PatchEncoder(
            plan.grid,
            self.border_,
            self.kernels_,
            self.intercepts_,
            plan.coding,
            dtype=self._code_dtype(dtype),
            device=resolve_device(self.device),
            batch_size=self.batch_size,
        )

    def _refuse_foreign(self, images):
        """Raise ValueError if images are of another unit than those of `fit`, beyond measure."""
        refuse_foreign_values(images, float(np.abs(self.kernels_).max()))

    def _map(self, X, method, row_shape, result_dtype=None):
        """What a method of the encoder gives for all images, an array (n, *row_shape)."""
        images = validate_images(self, X, reset=False)
        self._refuse_foreign(images)
        dtype = computing_dtype(images)
        encoder = self._encoder(dtype)
        made = partial(method, encoder), row_shape, result_dtype or torch_dtype(dtype)
        return images.derived(*made, encoder.batch_size).collect()

    @maps_rows
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Replace every patch by its code.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Images of the shape seen in `fit`.

        Returns
        -------
        codes : ndarray of shape (n, h, w, channels)
            One vector per patch, or per pooling window, of `n_clusters` channels, twice as
            many for 'crelu'. (n, channels) for plain vectors.
        """
        check_is_fitted(self)
        codes = self._map(X, PatchEncoder.encode_dense, self.output_shape_)
        return codes.reshape(len(codes), -1) if is_plain_vectors(self, X) else codes

    @maps_rows
    def predict(self, X: ArrayLike) -> np.ndarray:
        """The cluster of each patch.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Images of the shape seen in `fit`.

        Returns
        -------
        labels : ndarray of shape (n, rows, columns)
            Index of the centroid nearest to each patch, before any pooling. (n,) for
            plain vectors.
        """
        check_is_fitted(self)
        map_shape = self._plan(self.image_shape_).grid.map_shape
        labels = self._map(X, PatchEncoder.label_map, map_shape, torch.int64)
        return labels.reshape(-1) if is_plain_vectors(self, X) else labels
