"""TwoLayerConvEmbedder: the two-layer network that learns to embed codes."""

from functools import partial
from math import prod
from numbers import Integral, Real
from typing import Self, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils.validation import check_is_fitted

from .._base._blocked import maps_rows
from .._base._device import (
    as_tensor,
    automatic_batch_size,
    computing_dtype,
    resolve_device,
    torch_dtype,
)
from .._base._fitting import fit_method
from .._base._images import (
    SQUARABLE,
    ImageTransformerMixin,
    is_plain_vectors,
    refuse_extreme_values,
    refuse_negative_values,
    validate_images,
)
from .._base._memory import Work
from .._base._part import Part, Plan
from .._base._rows import Operator
from .._base._sklearn import BaseEstimator, Interval, StrOptions
from .._base._targets import encode_labels, weighted_samples
from .._base._typing import (
    Auto,
    Device,
    ImageShape,
    Loss,
    RandomState,
    ReadoutInit,
    Solver,
    Verbose,
)
from .._base._validation import to_floats
from ._codes import code_rows, conv1x1
from ._training import (
    OF_SUMS,
    ONE_PASS,
    check_solver,
    max_components,
    train,
    train_on_expectation,
)


class TwoLayerConvEmbedder(CallbackSupportMixin, ImageTransformerMixin, Part, BaseEstimator):
    r"""Embed codes by the first layer of a two-layer network trained on the labels.

    The network is :math:`N_{K,W}(X) = \langle W^\top, K^\top X\rangle`: a 1x1
    convolution K from C channels to n, then a linear readout W over all positions.
    Training it gives similar embeddings to codes with similar label frequencies (theorem 1
    of the paper, section 4). The readout is only used to train K.

    With the linear loss and a fixed readout the gradient does not depend on K, so T
    steps of gradient descent are :math:`K_T = K_0 + \eta T\, E[y X] W_0`: the 'exact'
    solver takes them in one pass over the data, for any T. The kernels depend on the data
    through the matrix :math:`M = E[X y]` alone, a row of class means for each channel, which is
    projected by the random :math:`W_0`. The solvers 'svd' and 'kmeans' embed by M itself, and
    'counts' and 'shares' by the sums over classes that M is computed from.

    Parameters
    ----------
    n_components : int, default=64
        Width n of the network, the number of channels of the embedding. With 'svd' it has
        at most rank(M) channels.

    loss : {'linear', 'cross_entropy'}, default='linear'
        'linear' is :math:`\ell_y(\hat y) = -y\hat y` of section 4.1, with y = -1 or 1
        for the first and second of two classes, and with one-hot y less its mean for
        more. 'cross_entropy' is the softmax loss of section 6.

    solver : {'exact', 'svd', 'kmeans', 'counts', 'shares', 'gd', 'sgd', 'adam'}, default='exact'
        How K is found.

        - 'exact': all steps of 'gd' at once, for the linear loss with W fixed.
        - 'svd': K and W minimize the linear loss plus :math:`\|K W^\top\|^2 / 2`, so
          :math:`K W^\top` is the matrix of rank n nearest to M. K is the singular value
          decomposition of M, truncated to n components: distances in the embedding are
          distances of class means. Nothing is random.
        - 'kmeans': as 'svd', but the rows of K are one-hot and put each channel in one of n
          groups, by k-means of the rows of M: the best of 21 starts, each with moves of single
          rows after Lloyd's steps. Codes of a group become equal, as patches of a class are in
          the paper's model; set `n_components` to its number of classes.
        - 'counts': groups by k-means of the square roots of the sums of each channel over each
          label and position, which for one-hot codes are numbers of images. Class means are
          differences of these numbers between labels; the numbers hold more information, so
          fewer images are needed (:doc:`/theory`). Codes must be >= 0; labels are optional.
        - 'shares': as 'counts', but the sums of each channel are divided by their total, which
          is the weight of the channel in k-means. So the codes of a group can have different
          frequencies.
        - 'gd': gradient descent on all images.
        - 'sgd': stochastic gradient descent. With `batch_size=1` and `readout_init='sphere'`
          it is the algorithm of appendix B.
        - 'adam': Adam on mini-batches (section 6).

    learning_rate : float, default=1e-3
        Learning rate :math:`\eta`.

    max_iter : int, default=1000
        Number of gradient steps T, of all solvers that take steps. 0 keeps the random K_0: a
        random projection.

    init_scale : float, default=1.0
        :math:`\sigma`: the columns of K_0 lie on a sphere of radius
        :math:`\sigma / (2\sqrt{n})`. The larger it is, the farther apart are codes with equal
        class means. With 0 and the linear loss, T and :math:`\eta` only scale the embedding.

    readout_init : {'normal', 'sphere'}, default='normal'
        Distribution of W_0: independent N(0, 1) entries (section 4.1), or for each component
        and output a vector over positions on the unit sphere (appendix B).

    train_readout : bool or 'auto', default='auto'
        Whether W (and a bias) is trained too. 'auto': only with the cross-entropy loss.

    scale_channels : bool, default=True
        Whether each channel of the codes is divided by its standard deviation (over images and
        positions), so that rare codes have the same influence as frequent ones. The scale is
        folded into `kernels_`; rows of constant channels are 0. The theorems of the paper hold
        for False.

    image_shape : tuple of int or None, default=None
        (H, W) or (H, W, C) of the codes, needed if X is flat.

    device : str or torch.device, default='auto'
        Device to compute on: 'auto' (a GPU if there is one), 'cpu', 'cuda', ...

    batch_size : int, default=128
        Images per step of 'sgd' and 'adam'. The other solvers do not depend on it.

    early_stopping : bool, default=False
        Whether 'sgd' and 'adam' use a validation part of the images: they measure its loss
        after each epoch, stop when `n_iter_no_change` epochs have not lowered it, and keep the
        network of the lowest. `max_iter` remains the largest number of steps.

    validation_fraction : float, default=0.1
        Fraction of images, or of `groups`, in the validation part, if `early_stopping`.

    n_iter_no_change : int, default=5
        See `early_stopping`.

    verbose : bool or int, default=False
        Whether to print progress.

    random_state : int, RandomState instance or None, default=None
        Determines K_0, W_0, the order of images and the seeds of k-means. An int gives the
        same result at every call.

    Attributes
    ----------
    kernels_ : ndarray of shape (C, n_components)
        K_T, its rows divided by the standard deviations if `scale_channels`.

    readout_ : ndarray of shape (H, W, n_components, n_outputs)
        W. One output for two classes under the linear loss, else one per class.

    readout_bias_ : ndarray of shape (n_outputs,)
        Bias of the readout; zero unless it is trained.

    loss_curve_ : ndarray of shape (n,)
        Loss before each step. 'exact' gives the loss before the first and after the last step (none
        without steps), 'svd', 'kmeans', 'counts' and 'shares' the losses of K = 0 and of their K.

    validation_losses_ : ndarray of shape (n_epochs,) or None
        Validation loss after each epoch; None without `early_stopping`.

    n_iter_ : int
        Number of steps; 1 for 'svd', 'kmeans', 'counts' and 'shares'.

    classes_ : ndarray of shape (n_classes,) or None
        The labels seen in `fit`; None if there were none.

    device_ : str
        The device that `fit` computed on.

    output_shape_ : tuple of int
        (H, W, n_components) of one embedded image.

    image_shape_ : tuple of int
        (H, W, C) of the codes of one image.

    n_features_in_ : int
        H * W * C.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if X is a DataFrame.

    See Also
    --------
    PatchKMeansOrthogonalizer : The step before, which computes the codes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from skhier import PatchKMeansOrthogonalizer, TwoLayerConvEmbedder
    >>> X, y = load_digits().images, load_digits().target
    >>> block = make_pipeline(
    ...     PatchKMeansOrthogonalizer(n_clusters=16, random_state=0),
    ...     TwoLayerConvEmbedder(n_components=8, random_state=0),
    ... )
    >>> block.fit_transform(X, y).shape
    (1797, 3, 3, 8)

    The patches of a class become one:

    >>> from skhier import HierarchicalSampler
    >>> sampler = HierarchicalSampler(patches_per_class=30, random_state=0).fit()
    >>> embedder = TwoLayerConvEmbedder(4, solver="kmeans", scale_channels=False, random_state=0)
    >>> embedder.fit_population(sampler.code_moments(0), sampler.classes_).kernels_.sum(axis=0)
    array([30., 30., 30., 30.])

    Patches of a class are seen at each position equally often. So a few images tell the classes
    of 16 patches, without labels:

    >>> sampler = HierarchicalSampler(patches_per_class=4, random_state=0).fit()
    >>> X, _ = sampler.sample(100)
    >>> codes = sampler.parse_patches(X)[1][..., None] == range(16)
    >>> embedder = TwoLayerConvEmbedder(4, solver="counts", scale_channels=False, random_state=0)
    >>> embedder.fit(codes.astype(float)).kernels_.argmax(axis=1).reshape(4, 4)
    array([[2, 2, 2, 2],
           [3, 3, 3, 3],
           [0, 0, 0, 0],
           [1, 1, 1, 1]])
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "loss": [StrOptions({"linear", "cross_entropy"})],
        "solver": [StrOptions(set(get_args(Solver)))],
        "learning_rate": [Interval(Real, 0, 1e30, closed="right")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "init_scale": [Interval(Real, 0, 1e30, closed="both")],
        "readout_init": [StrOptions({"normal", "sphere"})],
        "train_readout": ["boolean", StrOptions({"auto"})],
        "scale_channels": ["boolean"],
        "image_shape": "no_validation",
        "device": [str, torch.device],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int = 64,
        *,
        loss: Loss = "linear",
        solver: Solver = "exact",
        learning_rate: float = 1e-3,
        max_iter: int = 1000,
        init_scale: float = 1.0,
        readout_init: ReadoutInit = "normal",
        train_readout: bool | Auto = "auto",
        scale_channels: bool = True,
        image_shape: ImageShape = None,
        device: Device = "auto",
        batch_size: int = 128,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        verbose: Verbose = False,
        random_state: RandomState = None,
    ) -> None:
        self.n_components = n_components
        self.loss = loss
        self.solver = solver
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.init_scale = init_scale
        self.readout_init = readout_init
        self.train_readout = train_readout
        self.scale_channels = scale_channels
        self.image_shape = image_shape
        self.device = device
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.verbose = verbose
        self.random_state = random_state

    @fit_method
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train the network on codes and labels.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Codes.

        y : array-like of shape (n,) or None, default=None
            Labels of two or more classes, integers or strings. None is for the solvers
            'counts' and 'shares': codes are grouped by their positions, and the readout is 0.

        sample_weight : array-like of shape (n,) or None, default=None
            Weights of images. A weight of 2 equals two copies, a weight of 0 equals no image: up
            to rounding for 'exact' and 'gd'. 'sgd' and 'adam' draw batches of images and weight
            their losses.

        groups : array-like of shape (n,) or None, default=None
            Groups of images that depend on each other, such as photographs of one person. The
            validation part of `early_stopping` then has whole groups. None is a group for each
            image.

        Returns
        -------
        self : TwoLayerConvEmbedder
            The fitted transformer.

        Raises
        ------
        ValueError
            If there is only one class, if the solver does not support the other parameters, if
            the loss becomes infinite, if `solver` is 'counts' or 'shares' and a code is
            negative, or if there is only one group.
        """
        device = resolve_device(self.device)
        if y is None and self.solver in OF_SUMS:
            codes = validate_images(self, X, reset=True)
        else:
            codes, y = validate_images(self, X, y, reset=True)
        refuse_extreme_values(codes, SQUARABLE)
        if self.solver in OF_SUMS:
            refuse_negative_values(codes, f"solver={self.solver!r}")
        codes, y, weight, groups = weighted_samples(sample_weight, codes, y, groups)
        n_classes = 1 if y is None else len(encode_labels(self, y)[0])
        dtype = computing_dtype(codes)
        plan = self._plan(self.image_shape_, len(codes), n_classes, dtype, device)
        return self._fit_rows(code_rows(codes, dtype, device), y, weight, groups, plan)

    def _plan(self, in_shape, n_images, n_classes, dtype, device):
        self._validate_params()
        height, width, n_channels = in_shape
        check_solver(self, n_channels)
        if self.solver in ("sgd", "adam"):
            n_values = 3 * int(self.batch_size)
        else:  # sums over classes, in float64 too
            n_values = (3 if self.solver in ("exact", "gd") else 9) * n_classes
        work = Work(
            "a step of the embedder",
            n_values * prod(in_shape) * dtype.itemsize,
            "Raise it, or lower n_clusters, or batch_size of the embedder.",
        )
        out_shape = height, width, max_components(self, n_channels)
        return Plan(in_shape, out_shape, dtype, device, (work,))

    @with_callbacks
    def _fit_rows(self, rows, y, weight, groups, plan):
        check_solver(self, rows.shape[3])
        if y is None:
            classes, labels, n_classes = None, np.zeros(len(rows), np.intp), 1
        else:
            classes, labels = encode_labels(self, y)
            n_classes = len(classes)
        trained = train(self, rows, labels, weight, groups, n_classes, plan)
        self._keep(trained, rows.shape[1:], classes, plan.device)
        return self

    @fit_method
    def fit_population(self, moments: ArrayLike, classes: ArrayLike) -> Self:
        r"""Train on the expectation :math:`E[y X]` itself, without samples.

        The solver 'exact' takes T steps along the population gradient, the setting of theorem
        1; 'svd' and 'kmeans' factor the population's class means. The requirements of `fit` hold.

        Parameters
        ----------
        moments : array-like of shape (H, W, C) or (H, W, C, n_classes)
            :math:`E[y X]`, with y = -1 and 1 for two classes, and the centred one-hot vector
            of the label for more. See :meth:`HierarchicalSampler.code_moments`.

        classes : array-like of shape (n_classes,)
            The labels.

        Returns
        -------
        self : TwoLayerConvEmbedder
            The fitted transformer.

        Raises
        ------
        ValueError
            If the solver is another one, if `moments` has another shape or NaN, if there are less
            than two classes, or if the kernels grow out of range.

        Examples
        --------
        >>> from skhier import HierarchicalSampler, TwoLayerConvEmbedder
        >>> sampler = HierarchicalSampler(random_state=0).fit()
        >>> embedder = TwoLayerConvEmbedder(20, scale_channels=False, max_iter=10**6)
        >>> embedder.fit_population(sampler.code_moments(0), sampler.classes_).kernels_.shape
        (120, 20)
        """
        self.__dict__.pop("feature_names_in_", None)
        moments, classes = to_floats(moments, "moments"), np.unique(classes)
        check_solver(self, moments.shape[2] if moments.ndim > 2 else None)
        device = resolve_device(self.device)
        trained = train_on_expectation(self, moments, len(classes), device)
        self._keep(trained, moments.shape[:3], classes, device)
        return self

    def _keep(self, trained, in_shape, classes, device):
        """Set the fitted attributes."""
        network = trained.network
        height, width, _ = in_shape
        self.image_shape_ = tuple(in_shape)
        self.n_features_in_ = prod(in_shape)
        n_outputs = network.W.shape[2]
        self.classes_ = classes
        self.kernels_ = network.kernels.detach().cpu().numpy()
        self.readout_ = network.W.detach().cpu().numpy().reshape(height, width, -1, n_outputs)
        self.readout_bias_ = network.b.detach().cpu().numpy()
        self.loss_curve_ = np.array(trained.losses)
        self.validation_losses_ = (
            np.array(trained.validation_losses) if self.early_stopping else None
        )
        if self.solver == "exact":  # as many steps of gradient descent, in closed form
            self.n_iter_ = self.max_iter
        else:
            self.n_iter_ = 1 if self.solver in ONE_PASS else len(trained.losses)
        self.output_shape_ = (height, width, self.kernels_.shape[1])
        self.device_ = str(device)

    def _operator(self, dtype, device):
        dtype = torch_dtype(dtype)
        K = as_tensor(self.kernels_).to(device, dtype)
        size = automatic_batch_size(prod(self.image_shape_) * dtype.itemsize)
        return Operator(partial(conv1x1, K=K), self.output_shape_, dtype, size)

    @maps_rows
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Embed codes: compute K_T^T x at every position.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Codes of the shape seen in `fit`.

        Returns
        -------
        embedded : ndarray of shape (n, H, W, n_components)
            The 1x1-convolved images. (n, n_components) for plain vectors.
        """
        check_is_fitted(self)
        codes, device = validate_images(self, X, reset=False), resolve_device(self.device)
        rows = code_rows(codes, computing_dtype(codes), device)
        embedded = rows.map(self._operator(rows.dtype, device)).collect()
        return embedded.reshape(len(embedded), -1) if is_plain_vectors(self, X) else embedded

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.solver not in OF_SUMS
        tags.input_tags.positive_only = self.solver in OF_SUMS
        tags.target_tags.multi_output = False
        return tags
