"""PatchKMeansOrthogonalizer: clusters of patches, mapped to orthogonal vectors."""

from functools import lru_cache, reduce
from math import prod
from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.utils.validation import check_is_fitted

from .._base._blocked import maps_rows
from .._base._device import (
    automatic_precision,
    computing_dtype,
    precision_here,
    refuse_slow_precision,
    resolve_device,
    torch_dtype,
)
from .._base._fitting import Task, fit_method
from .._base._images import (
    ImageTransformerMixin,
    is_plain_vectors,
    refuse_extreme_values,
    validate_images,
)
from .._base._integers import integers_pay
from .._base._params import make_rng
from .._base._part import Part
from .._base._parts import CompositeEstimator, make_part
from .._base._rows import Operator, Rows, compose
from .._base._sklearn import Interval, StrOptions
from .._base._targets import weighted_samples
from .._base._threads import one_blas_thread
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
from ._codebook import learn_codebook
from ._contrast import before_patches, contrast_radius
from ._encoder import ENCODINGS, Coding, PatchEncoder, response_map
from ._patches import Colors, PatchGrid, border_color, refuse_patches_of_vectors
from ._plan import plan_coding
from ._spherical_kmeans import SphericalKMeans
from ._unit import in_unit_of_fit


class PatchKMeansOrthogonalizer(
    CallbackSupportMixin, ImageTransformerMixin, Part, CompositeEstimator
):
    r"""Map patches to vectors: equal within a cluster, orthogonal between clusters.

    Patches of the images are clustered by k-means. Every patch then becomes a vector
    with one channel per cluster, or two. With `encoding='one_hot'` this is the map
    :math:`\varphi` of algorithm 1 (section 5.1 of the paper). Other encodings are its practical
    form, steps 1 to 4 of section 6, in which vectors of different clusters are nearly
    orthogonal. The defaults suit photographs and drawings, and are the defaults of
    :class:`LayerwiseCNNClassifier` too.

    Parameters
    ----------
    n_clusters : int or 'auto', default='auto'
        Number of clusters. 'auto' is the number of values of a patch, twice for images of at most 4
        channels and three times for codes, which have more. It is at least 200 and at most 1600,
        but never more than a quarter of the number of distinct patches.

    patch_size : int, pair of int or 'auto', default='auto'
        (Height, width) of patches in pixels. 'auto' is 6 for images of at least 16x16
        pixels and at most 4 channels, 1 for plain vectors, and 3 for all other images.

    stride : int, pair of int or None, default=1
        Distance between neighbouring patches in pixels. None is `patch_size`: patches
        do not overlap.

    padding : {'valid', 'same'}, int or pair of int, default='same'
        Pixels added around images: none; enough for a patch at every stride; or this
        number at each side (vertical, horizontal). Their value is `border`.

    border : {'auto', 'dark'} or float, default='auto'
        Color beyond the borders of images. Patches hold differences to it.
        'dark' is three standard deviations below the mean of each channel, but at least its
        minimum: 0 for most images with values from 0. It moves with the images, so codes
        stay the same when a constant is added to a channel. 'auto' is 'dark' for images
        of at most 4 channels; it is 0 for codes, which have more, and with `whiten_eps=None`,
        where patches are not changed. In the first layer of :class:`LayerwiseCNNClassifier`,
        'auto' is 'dark' for any number of channels, and 0 in the others.

    contrast : float, 'auto' or None, default='auto'
        Soft normalization of local contrast, before patches are cut. Light that differs between
        images, or within one, then matters little. A pixel x, less `border` and in units of the
        standard deviation of all pixels, becomes

        .. math:: \frac{x - \tfrac{3}{4} m}{\sqrt{v + k^2}}

        with k the value of this parameter, from 0.001 to 1000. m is the mean of the channel around
        the pixel, and v the mean of :math:`(x - m)^2` around it, over all channels. Both
        have Gaussian weights with a standard deviation of an eighth of the shorter side of
        the image, or of its only side of more than one pixel; nothing beyond the image counts. A
        quarter of the local level is left, as it may tell the label. Parts of an image with a
        contrast far below k stay flat. 'auto' is 0.7 for images of at most 4 channels, and None for
        codes, which have more, for signals of one row or column, for plain vectors, and with
        `whiten_eps=None`. None is no normalization. Without a list of
        orthogonalizers, :class:`LayerwiseCNNClassifier` normalizes in the first layer only.
        The form is that of [1]_, with k and a part of the level added.

    encoding : {'one_hot', 'relu', 'crelu'}, default='crelu'
        The code of a patch x, with centroids :math:`c_j`:

        - 'one_hot' (algorithm 1): 1 in the channel of the nearest centroid;
        - 'relu' (section 6): channel j is :math:`\max(0, \langle c_j, x\rangle / r + b)`,
          a convolution with the centroids and a ReLU. r is `scale_`, so that codes do
          not depend on the unit of the images. With a Euclidean k-means,
          :math:`(\langle c_j, x\rangle - \|c_j\|^2 / 2) / r^2` replaces the quotient: the
          nearest centroid has the largest channel;
        - 'crelu': the 'relu' codes of the patch and of its negative: twice the channels for the
          work of one convolution.

    bias : float, default=-0.5
        The fixed bias b of the ReLU, in units of r, or of the responses' root mean square
        if `normalize`. A lower bias gives sparser codes. 'one_hot' codes ignore it.

    normalize : bool, default=True
        Whether the responses :math:`\langle c_j, x\rangle / r` of a patch to all centroids
        are divided by their root mean square (plus 0.01 under the root), so that codes do
        not depend on a patch's contrast. In a network that is
        :class:`torch.nn.RMSNorm` over the channels. No effect on 'one_hot' codes.

    pool_size : int, pair of int, 'auto', 'eighths' or 'thirds', default='auto'
        Window and stride of the pooling of codes. Windows that the border cuts are kept,
        so no pixel is dropped. 1 is no pooling. 'auto' is 4 for maps of at least 24x24
        codes, 3 for at least 6x6, and 2 for smaller ones. 'eighths' and 'thirds' are 'auto' or
        larger: a map of any size has at most 8x8 or 3x3 windows, so a last layer has no more
        features for large images than for small ones. If `pooling` is 'average', the windows of
        'thirds' are equal and overlap: weights fall linearly from the center of each to 1.3 times
        its width, and features do not jump when an object moves from one window to the next.

    pooling : {'max', 'average'}, default='average'
        Reduction of a window of codes: its maximum in each channel, as in section 6, or
        its average.

    whiten_eps : float or None, default=0.1
        Regularization of the whitening (ZCA), from 1e-12 to 1e12. Patches are whitened before
        they are clustered, and x in the codes is the whitened patch. Whitening is linear, so
        codes remain a convolution with other kernels and a bias for each channel. This
        fraction of the mean variance is added to the variance in every direction, so that
        directions of little variance are not amplified. Directions with a variance below
        `whiten_eps` / 4 and below 1/40 of the mean variance are left out of centroids and codes,
        which saves time: about 160 of the 576 directions of the second layer's patches are left
        for photographs. None is no whitening.

    n_patches : int, 'auto' or None, default=20_000
        Largest number of patches to cluster, drawn uniformly without replacement (N in
        section 6). None is all patches. 'auto' is for the paper's model: all patches are
        clustered, equal ones as one with their number as weight, if at most 10 times `n_clusters`
        are distinct. Otherwise 100,000 are drawn.

    kmeans : SphericalKMeans, KMeans, MiniBatchKMeans or None, default=None
        The k-means that clusters the patches, not fitted; `n_clusters` is set by this
        estimator. :class:`SphericalKMeans` has the cosine distance, as in section 5, and
        centroids of unit norm. :class:`sklearn.cluster.KMeans` has the Euclidean distance, for
        which lemma 7 is proved: patches that are positive multiples of each other have cosine
        distance 0. None is `SphericalKMeans(max_iter=25, tol=1e-3)`.

    image_shape : tuple of int or None, default=None
        (H, W) or (H, W, C) of the images, needed if X is flat. Flat X without it holds
        plain vectors, images of one pixel, and patch k-means is plain k-means.

    device : str or torch.device, default='auto'
        Device to compute on: 'auto' (a GPU if there is one), 'cpu', 'cuda', ...

    batch_size : int or None, default=None
        Number of images encoded at a time. None suits the processor's cache. It changes
        memory and time, not results.

    precision : {'auto', 'float32', 'bfloat16'}, default='auto'
        Precision of codes. 'auto' is float64 for images of float64 or of integers of more than 16
        bits. For all other images it is float32 for 'one_hot' codes, and else `precision_`:
        bfloat16 if the processor is faster with it, which is measured once per process, and if
        there are enough images in `fit` to save time. The largest product of normalized codes is of
        8-bit integers then, if they are faster still. Clustering is not affected.

    verbose : bool or int, default=False
        Whether to print progress.

    random_state : int, RandomState instance or None, default=None
        Determines the patches, and the initial centers unless `kmeans` has a `random_state`.
        An int gives the same result at every call.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, patch height, patch width, channels)
        The centroids as (whitened) patches, of unit norm for the cosine distance.

    n_clusters_ : int
        Number of clusters.

    border_ : ndarray of shape (channels,)
        Color of `border`, subtracted from images before the convolution.

    contrast_ : dict or None
        Constants of the normalization of contrast: 'k', 'deviation', the standard deviation of all
        pixels around the mean of their channel, and 'radius', the standard deviation of the
        Gaussian in pixels. None if contrast is not normalized.

    kernels_ : ndarray of shape (n_clusters, patch height, patch width, channels)
        Kernels of the convolution: the centroids, with whitening and 1 / `scale_` (its
        square with a Euclidean k-means) folded in.

    intercepts_ : ndarray of shape (n_clusters,)
        Added after the convolution; zero for the cosine distance without whitening.

    stride_ : tuple of int
        Distance between neighbouring patches (vertical, horizontal).

    padding_ : tuple of int
        Pixels added at (top, bottom, left, right).

    coding_ : dict
        The parameters `encoding`, `bias` and `normalize`, and the resolved `pool_size` and
        `pooling`; 'tent' is the average over windows that overlap.

    scale_ : float
        Root mean square of the coordinates of the clustered (whitened) patches, in the directions
        that are kept; r above.

    pixel_range_ : float
        Largest minus smallest pixel of the clustered patches, where the border counts too; of all
        images if contrast is normalized.

    precision_ : {'float32', 'bfloat16'}
        Precision of the codes of float32 images if `precision` is 'auto'. On a machine that is
        slower in bfloat16 than in float32, a model from another machine has float32 codes.

    integer_products_ : bool
        Whether 8-bit integers are multiplied in the largest product of those codes. It is exact
        for integers; responses are rounded by about 3 % of their root mean square, at random.

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
    TwoLayerConvEmbedder : The next step, which embeds codes by their labels.
    SphericalKMeans : The clustering alone.

    References
    ----------
    .. [1] K. Jarrett, K. Kavukcuoglu, M. Ranzato and Y. LeCun, "What is the best multi-stage
       architecture for object recognition?", ICCV 2009, section 2.1.

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
        "contrast": [Interval(Real, 1e-3, 1e3, closed="both"), StrOptions({"auto"}), None],
        "encoding": [StrOptions(set(ENCODINGS))],
        "bias": [Interval(Real, -1e9, 1e9, closed="both")],
        "normalize": ["boolean"],
        "pool_size": "no_validation",
        "pooling": [StrOptions({"max", "average"})],
        "whiten_eps": [Interval(Real, 1e-12, 1e12, closed="both"), None],
        "n_patches": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
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
        *,
        stride: Pair | None = 1,
        padding: Padding = "same",
        border: float | Border = "auto",
        contrast: float | Auto | None = "auto",
        encoding: Encoding = "crelu",
        bias: float = -0.5,
        normalize: bool = True,
        pool_size: Pair | PoolSize = "auto",
        pooling: Pooling = "average",
        whiten_eps: float | None = 0.1,
        n_patches: int | Auto | None = 20_000,
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
        self.contrast = contrast
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
            Weights of images. A weight of 2 equals two copies, a weight of 0 equals no image:
            up to rounding if all patches are clustered, otherwise in expectation.

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
        device = resolve_device(self.device)
        images = validate_images(self, X, reset=True)
        refuse_extreme_values(images)
        refuse_patches_of_vectors(self, X, self.patch_size, self.padding, self.contrast)
        images, _, weight, _ = weighted_samples(sample_weight, images)
        shape, dtype = self.image_shape_, computing_dtype(images)
        plan = self._plan(shape, len(images), None, dtype, device)
        return self._fit_rows(images, None, weight, None, plan)

    def _plan(self, in_shape, n_images, n_classes, dtype, device):
        self._validate_params()
        refuse_slow_precision(self.precision, device)
        decided = {"n_clusters": self.n_clusters, "device": self.device}
        kmeans = self._stands_for("kmeans", self.kmeans)
        kmeans = make_part(kmeans, "kmeans", self, decided, verbose=self.verbose)
        return plan_coding(self, in_shape, n_images, dtype, device, kmeans)

    @with_callbacks
    def _fit_rows(self, rows, y, weight, groups, plan):
        if rows.shape[1:] != plan.in_shape:
            plan = self._plan(rows.shape[1:], len(rows), None, plan.dtype, plan.device)
        n_channels, dtype = plan.in_shape[2], computing_dtype(rows)
        colors = lru_cache(lambda: rows.accumulate(Colors(n_channels), weight))
        border = border_color(self.border, self.whiten_eps is not None, n_channels, dtype, colors)
        contrast = None
        if plan.contrast is not None:
            radius, deviation = contrast_radius(plan.in_shape), colors().deviation(dtype)
            contrast = {"k": plan.contrast, "deviation": deviation, "radius": radius}
        before, patch_border = before_patches(plan.in_shape, border, contrast, dtype, plan.device)
        with Task.fit(self, 1, rows) as task:
            book = learn_codebook(
                reduce(Rows.map, before, rows),
                weight,
                plan,
                patch_border,
                whiten_eps=self.whiten_eps,
                rng=make_rng(self.random_state),
                task=task,
            )
        grid, coding = plan.grid, plan.coding
        self.image_shape_ = grid.image_shape
        self.n_features_in_ = prod(grid.image_shape)
        self.n_clusters_ = len(book.centers)
        self.border_, self.contrast_ = border, contrast
        self.cluster_centers_ = book.centers.reshape(-1, *grid.patch_shape)
        self._factors = book.factors
        self._responses = response_map(coding, book.factors, book.intercepts)
        self.intercepts_ = book.intercepts
        self.scale_ = book.scale
        if contrast is None:
            self.pixel_range_, self._gain = book.pixel_range, float(np.abs(self.kernels_).max())
        else:
            self.pixel_range_, self._gain = colors().pixel_range(border), 1 / deviation
        n_products = len(rows) * prod(grid.map_shape) * sum(f.size for f in book.factors)
        self.precision_ = automatic_precision(n_products, plan.device)
        precision = getattr(torch, self.precision_)
        is_bounded = self._responses[-1] is not None
        self.integer_products_ = is_bounded and integers_pay(n_products, plan.device, precision)
        self.inertia_ = book.inertia
        self.n_iter_ = book.n_iter
        self.output_shape_ = coding.code_shape(grid.map_shape, self.n_clusters_)
        self.device_ = str(plan.device)
        self.stride_, self.padding_ = grid.stride, grid.padding
        self.coding_ = coding._asdict()
        self._precision = self.precision
        return self

    @property
    def kernels_(self):
        """Kernels of the convolution: the centroids, with whitening and the scale folded in."""
        with one_blas_thread():
            kernels = reduce(lambda x, factor: factor @ x, self._factors)
        return kernels.reshape(self.cluster_centers_.shape)

    @property
    def _grid(self):
        """Positions of patches, as fitted."""
        patch_size = self.cluster_centers_.shape[1:3]
        return PatchGrid(self.image_shape_, patch_size, self.stride_, self.padding_)

    def _encoder(self, dtype, device, dense=True, **coding):
        """Return (operators on images, encoder of the results), as fitted, for codes of a dtype.

        `coding` replaces parts of the fitted coding.
        """
        coding, precision = Coding(**self.coding_ | coding), self._precision
        is_rounded = False
        if precision == "auto":
            is_exact = dtype == np.float64 or coding.encoding == "one_hot"
            precision = str(dtype) if is_exact else precision_here(self.precision_, device)
            is_rounded = not is_exact and self.integer_products_ and device.type == "cpu"
        fitted = self.image_shape_, self.border_, self.contrast_
        before, border = before_patches(*fitted, dtype, device)
        return before, PatchEncoder(
            self._grid,
            border,
            self._responses,
            coding,
            dtype=getattr(torch, precision),
            with_integers=is_rounded,
            device=device,
            batch_size=self.batch_size,
            dense=dense,
        )

    def _operator(self, dtype, device, dense=True):
        """Return the operator from images to codes; one-hot codes are label maps if not dense."""
        before, encoder = self._encoder(dtype, device, dense)
        size = encoder.batch_size
        encode = Operator(encoder.encode, self.output_shape_, encoder.dtype, size)
        return compose((*before, encode), size)

    def _valid_images(self, X):
        """Return (images as rows, dtype of results, device)."""
        check_is_fitted(self)
        images = validate_images(self, X, reset=False)
        images = in_unit_of_fit(images, self)
        return images, computing_dtype(images), resolve_device(self.device)

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
        images, dtype, device = self._valid_images(X)
        encode = self._operator(dtype, device)._replace(dtype=torch_dtype(dtype))
        codes = images.map(encode).collect()
        return codes.reshape(len(codes), -1) if is_plain_vectors(self, X) else codes

    @maps_rows
    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the cluster of each patch.

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
        images, dtype, device = self._valid_images(X)
        # One-hot codes are exact where others are rounded to save time.
        before, encoder = self._encoder(dtype, device, encoding="one_hot")
        size = encoder.batch_size
        label = Operator(encoder.label_map, self._grid.map_shape, torch.int64, size)
        labels = images.map(compose((*before, label), size)).collect()
        return labels.reshape(-1) if is_plain_vectors(self, X) else labels
