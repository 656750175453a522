"""PatchKMeansOrthogonalizer: clusters of patches, mapped to orthogonal vectors."""

from math import prod
from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.callback import CallbackSupportMixin
from sklearn.cluster import KMeans
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from .._base._device import (
    computing_dtype,
    map_batches,
    resolve_device,
    resolve_precision,
    torch_dtype,
)
from .._base._fitting import Task, fit_method
from .._base._images import is_plain_vectors, validate_images
from .._base._params import as_pair, is_auto
from .._base._random import make_rng
from .._base._sklearn import BaseEstimator, Interval, StrOptions
from .._base._transformer import ImageTransformerMixin
from .._base._typing import (
    Auto,
    Device,
    Encoding,
    ImageShape,
    Metric,
    Padding,
    Pair,
    Pooling,
    Precision,
    RandomState,
    Seeding,
    Verbose,
)
from ._auto import auto_n_clusters, auto_patch_size, auto_pool_size, most_clusters
from ._encoder import N_CHANNELS_PER_CLUSTER, PatchEncoder, pooled_shape
from ._lloyd import count_distinct_directions, unit_rows
from ._patches import PatchGrid, refuse_patches_of_vectors, sample_patches, whitening
from ._spherical_kmeans import SphericalKMeans


class PatchKMeansOrthogonalizer(CallbackSupportMixin, ImageTransformerMixin, BaseEstimator):
    r"""Map patches to vectors: equal within a cluster, orthogonal between clusters.

    Patches of the images are clustered by k-means. Every patch then becomes a vector
    with one channel per cluster. This is the map :math:`\varphi` of algorithm 1 (section
    5.1 of the paper), or its practical form, steps 1 to 4 of section 6.

    Parameters
    ----------
    n_clusters : int or 'auto', default='auto'
        Number of clusters, which is the number of channels of the codes. 'auto' is four
        times the number of values of a patch, at most 1600, and at most a quarter of the
        number of distinct patches.

    patch_size : int, pair of int, 'auto' or None, default=None
        (Height, width) of patches in pixels. None is 3, or 1 for plain vectors. 'auto' is 6
        for images of at least 16x16 pixels and at most 4 channels, and else as None.

    stride : int, pair of int or None, default=None
        Distance between neighbouring patches in pixels. None is `patch_size`: patches
        do not overlap.

    padding : {'valid', 'same'}, int or pair of int, default='valid'
        Zeros added around images: none; as many as give a patch at every stride; or this
        many at each side (vertical, horizontal).

    metric : {'cosine', 'euclidean'}, default='cosine'
        Distance of the k-means: cosine, as in section 5, with centroids of unit norm; or
        Euclidean, for which lemma 7 is proved, by :class:`sklearn.cluster.KMeans`. The
        cosine distance cannot tell patches apart that are positive multiples of each
        other.

    encoding : {'one_hot', 'relu', 'crelu'}, default='one_hot'
        The code of a patch x, with centroids :math:`c_j`:

        - 'one_hot' (algorithm 1): 1 in the channel of the nearest centroid;
        - 'relu' (section 6): channel j is :math:`\max(0, \langle c_j, x\rangle / r + b)`,
          a convolution with the centroids and a ReLU. r is `scale_`, so that codes do
          not depend on the unit of the images. With the Euclidean metric,
          :math:`\langle c_j, x\rangle - \|c_j\|^2 / 2` takes the product's place: the
          largest channel is that of the nearest centroid;
        - 'crelu': the 'relu' codes of the patch and those of its negative, so twice as many
          channels for the work of one convolution.

    bias : float, default=-0.25
        The fixed bias b of the ReLU, in units of r, or of the responses' root mean square
        if `normalize`. Lower gives sparser codes. Not used by the 'one_hot' encoding.

    normalize : bool, default=False
        Whether the responses :math:`\langle c_j, x\rangle / r` of a patch to all centroids
        are divided by their root mean square (plus 0.01 under the root), so that codes do
        not depend on a patch's contrast. In a network that is
        :class:`torch.nn.RMSNorm` over the channels. No effect on 'one_hot' codes.

    pool_size : int, pair of int or 'auto', default=1
        Window and stride of the pooling of codes. Windows that the border cuts are kept,
        so no pixel is dropped. 1 is no pooling. 'auto' is 4 for maps of at least 24x24
        codes, 3 for at least 6x6, and 2 for smaller ones.

    pooling : {'max', 'average'}, default='max'
        What a window of codes becomes: its maximum in each channel, as in section 6, or
        its average.

    whiten : bool, default=False
        Whether patches are whitened (ZCA) before they are clustered, and x in the codes
        is the whitened patch. That is linear, so the codes remain a convolution with
        other kernels and a bias for each channel.

    whiten_eps : float, default=0.1
        Regularization of the whitening: this fraction of the mean variance is added to
        the variance in every direction.

    n_patches : int or None, default=100_000
        Cluster at most this many patches, drawn uniformly without replacement (N in
        section 6). If None, cluster all.

    init : {'k-means++', 'random'}, default='k-means++'
        See :class:`SphericalKMeans`.

    n_init : int, default=1
        See :class:`SphericalKMeans`.

    max_iter : int, default=100
        See :class:`SphericalKMeans`.

    tol : float, default=1e-3
        See :class:`SphericalKMeans`.

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
        'one_hot' codes, and else bfloat16 where the processor is faster with it, which is
        measured once per process, and float32 where it is not. Clustering is not affected.

    verbose : bool or int, default=False
        Whether to print progress.

    random_state : int, RandomState instance or None, default=None
        Determines the patches and the first centers. An int gives the same result at
        every call.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, patch height, patch width, channels)
        The centroids as (whitened) patches, of unit norm for the cosine metric.

    n_clusters_ : int
        The number of clusters that 'auto' stands for.

    kernels_ : ndarray of shape (n_clusters, patch height, patch width, channels)
        Kernels of the convolution: the centroids, with whitening and 1 / `scale_` folded
        in.

    intercepts_ : ndarray of shape (n_clusters,)
        Added after the convolution; zero for the cosine metric without whitening.

    scale_ : float
        Root mean square of the pixels of the clustered (whitened) patches, r above.

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
    >>> phi = PatchKMeansOrthogonalizer(n_clusters=16, patch_size=2, random_state=0)
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
        "metric": [StrOptions({"cosine", "euclidean"})],
        "encoding": [StrOptions(set(N_CHANNELS_PER_CLUSTER))],
        "bias": [Interval(Real, None, None, closed="neither")],
        "normalize": ["boolean"],
        "pool_size": "no_validation",
        "pooling": [StrOptions({"max", "average"})],
        "whiten": ["boolean"],
        "whiten_eps": [Interval(Real, 0, None, closed="neither")],
        "n_patches": [Interval(Integral, 1, None, closed="left"), None],
        "init": [StrOptions({"k-means++", "random"})],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "image_shape": "no_validation",
        "device": [str, torch.device],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_clusters: int | Auto = "auto",
        patch_size: Pair | Auto | None = None,
        stride: Pair | None = None,
        *,
        padding: Padding = "valid",
        metric: Metric = "cosine",
        encoding: Encoding = "one_hot",
        bias: float = -0.25,
        normalize: bool = False,
        pool_size: Pair | Auto = 1,
        pooling: Pooling = "max",
        whiten: bool = False,
        whiten_eps: float = 0.1,
        n_patches: int | None = 100_000,
        init: Seeding = "k-means++",
        n_init: int = 1,
        max_iter: int = 100,
        tol: float = 1e-3,
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
        self.metric = metric
        self.encoding = encoding
        self.bias = bias
        self.normalize = normalize
        self.pool_size = pool_size
        self.pooling = pooling
        self.whiten = whiten
        self.whiten_eps = whiten_eps
        self.n_patches = n_patches
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.image_shape = image_shape
        self.device = device
        self.batch_size = batch_size
        self.precision = precision
        self.verbose = verbose
        self.random_state = random_state

    @fit_method
    def fit(self, X: ArrayLike, y: None = None) -> Self:
        """Cluster the patches of images.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Images.

        y : None
            Ignored.

        Returns
        -------
        self : PatchKMeansOrthogonalizer
            The fitted transformer.

        Raises
        ------
        ValueError
            If patches do not fit or do not tile the images, or if `n_clusters` is more
            than the number of distinct patches.
        """
        images = validate_images(self, X, reset=True)
        refuse_patches_of_vectors(self, X, self.patch_size, self.padding)
        self._learn(images)
        return self

    @fit_method
    def _fit_images(self, images):
        """Fit on images (n, H, W, C) that are known to be valid, an array or a tensor."""
        self.image_shape_ = tuple(images.shape[1:])
        self.n_features_in_ = prod(self.image_shape_)
        self._learn(images)
        return self

    def _learn(self, images):
        self._check(self.image_shape_)
        device = resolve_device(self.device)
        grid = self._grid(self.image_shape_)
        rng = make_rng(self.random_state)
        patches = sample_patches(images, grid, self.n_patches, computing_dtype(images), rng)
        if self.whiten:
            mean, zca = whitening(patches, self.whiten_eps)
            patches = (patches - mean) @ zca
        kmeans = self._kmeans(patches, rng.randint(2**31 - 1))
        with Task.fit(self, 1, images) as task:
            task.log(f"{len(patches)} patches of shape {grid.patch_shape}")
            with (
                task.delegate("k-means", kmeans)
                if self.metric == "cosine"
                else task.subtask("k-means")
            ):
                kmeans.fit(patches)
        self.n_clusters_ = kmeans.n_clusters
        centers = kmeans.cluster_centers_
        self.cluster_centers_ = centers.reshape(-1, *grid.patch_shape)
        self.scale_ = float(np.linalg.norm(patches) / np.sqrt(patches.size))
        kernels = centers / patches.dtype.type(self.scale_)
        # The nearest centroid has the largest <c, x> - |c|^2 / 2; unit norms make no difference.
        self.intercepts_ = np.zeros(len(kernels), kernels.dtype)
        if self.metric == "euclidean":
            self.intercepts_ -= (kernels * centers).sum(axis=1) / 2
        if self.whiten:
            kernels = kernels @ zca
            self.intercepts_ -= kernels @ mean
        self.kernels_ = kernels.reshape(-1, *grid.patch_shape)
        self.inertia_ = kmeans.inertia_
        self.n_iter_ = kmeans.n_iter_
        self.output_shape_ = self._encoder(computing_dtype(images)).code_shape
        self.device_ = str(device)

    def _grid(self, image_shape):
        patch_size = self.patch_size
        patch_size = auto_patch_size(image_shape) if is_auto(patch_size) else patch_size
        return PatchGrid.from_params(image_shape, patch_size, self.stride, self.padding)

    def _pool_size(self, map_shape):
        """(vertical, horizontal) window of the pooling of a map of codes."""
        pool_size = auto_pool_size(map_shape) if is_auto(self.pool_size) else self.pool_size
        return as_pair(pool_size, "pool_size", 1, or_else=", or 'auto'")

    def _check(self, image_shape):
        """Check parameters against a shape of images; return that of the codes.

        The number of channels is an upper bound while 'auto' is not known.
        """
        self._validate_params()
        grid = self._grid(image_shape)
        if self.precision == "bfloat16":  # refused where it is slow; 'auto' never is
            self._code_dtype(np.dtype(np.float32))
        n_channels = self._most_clusters(grid) * N_CHANNELS_PER_CLUSTER[self.encoding]
        return *pooled_shape(grid.map_shape, self._pool_size(grid.map_shape)), n_channels

    def _most_clusters(self, grid):
        most = most_clusters(prod(grid.patch_shape))
        return most if is_auto(self.n_clusters) else self.n_clusters

    def _work_bytes(self, image_shape, n_images, dtype):
        """Upper bounds of what clustering, and encoding one image, hold: (bytes, bytes)."""
        grid = self._grid(image_shape)
        n_positions, n_values = prod(grid.map_shape), prod(grid.patch_shape)
        n_patches = n_images * n_positions
        if self.n_patches is not None:
            n_patches = min(n_patches, self.n_patches)
        n_clusters = self._most_clusters(grid)
        # Patches as they are, whitened, of unit norm, and in the order of seeding.
        clustering = 4 * n_patches * n_values * dtype.itemsize
        # Patches, responses and codes of both signs before and after pooling.
        one_image = n_positions * (n_values + 4 * n_clusters) * dtype.itemsize
        return clustering, one_image

    def _code_dtype(self, dtype):
        """The torch dtype of codes whose results have `dtype`."""
        if self.precision == "auto" and self.encoding == "one_hot":
            return torch_dtype(dtype)
        return resolve_precision(self.precision, dtype, resolve_device(self.device))

    def _kmeans(self, patches, seed):
        """The k-means that clusters the patches, not fitted.

        Raises
        ------
        ValueError
            If there are fewer distinct patches than clusters.
        """
        shared = {"init": self.init, "n_init": self.n_init, "max_iter": self.max_iter}
        shared |= {"tol": self.tol, "random_state": seed}
        n_clusters = self.n_clusters
        if self.metric == "cosine":
            if is_auto(n_clusters):
                units = unit_rows(patches)
                n_clusters = auto_n_clusters(
                    patches.shape[1], lambda enough: count_distinct_directions(units, enough)
                )
            return SphericalKMeans(n_clusters, device=self.device, verbose=self.verbose, **shared)
        n_distinct = len({row.tobytes() for row in patches})
        if is_auto(n_clusters):
            n_clusters = auto_n_clusters(patches.shape[1], lambda enough: n_distinct)
        if n_clusters > n_distinct:
            raise ValueError(
                f"n_clusters={n_clusters} is more than the number of distinct patches, "
                f"{n_distinct}."
            )
        return KMeans(n_clusters, verbose=int(self.verbose), **shared)

    def _encoder(self, dtype):
        """The map from batches of images to codes that the fitted state describes.

        `dtype` is that of results, which the precision of codes follows.
        """
        return PatchEncoder(
            self._grid(self.image_shape_),
            self.kernels_,
            self.intercepts_,
            bias=self.bias,
            encoding=self.encoding,
            normalize=self.normalize,
            pooling=self.pooling,
            pool_size=self._pool_size(self._grid(self.image_shape_).map_shape),
            dtype=self._code_dtype(dtype),
            device=resolve_device(self.device),
            batch_size=self.batch_size,
        )

    def _map(self, X, method, shape, dtype=None):
        """What a method of the encoder gives for all images, an array (n, *shape)."""
        images = validate_images(self, X, reset=False)
        encoder = self._encoder(computing_dtype(images))
        return map_batches(
            lambda batch: method(encoder, images[batch]),
            gen_batches(len(images), encoder.batch_size),
            np.empty((len(images), *shape), dtype or computing_dtype(images)),
        )

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
        map_shape = self._grid(self.image_shape_).map_shape
        labels = self._map(X, PatchEncoder.label_map, map_shape, np.int64)
        return labels.reshape(-1) if is_plain_vectors(self, X) else labels
