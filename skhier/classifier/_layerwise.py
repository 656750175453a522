"""LayerwiseCNNClassifier: the whole algorithm."""

from collections.abc import Sequence
from copy import deepcopy
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._base._blocked import maps_rows
from .._base._device import computing_dtype, own_modes, resolve_device, torch_dtype
from .._base._fitting import Task, fit_method
from .._base._images import (
    ImageTransformerMixin,
    is_plain_vectors,
    refuse_extreme_values,
    validate_images,
)
from .._base._memory import Memory
from .._base._params import make_rng
from .._base._parts import CompositeEstimator
from .._base._sklearn import HasMethods, Interval, StrOptions, VisualBlock
from .._base._targets import encode_labels, weighted_samples
from .._base._typing import (
    Auto,
    ClassWeight,
    Device,
    ImageShape,
    Pair,
    PerLayer,
    PoolSize,
    Precision,
    RandomState,
    Verbose,
)
from .._flatten import Flatten
from ..clustering import PatchKMeansOrthogonalizer, SphericalKMeans
from ..clustering._patches import refuse_patches_of_vectors
from ..clustering._unit import in_unit_of_fit
from ..embedding import TwoLayerConvEmbedder
from ._blocks import Weights, network_operator
from ._heads import HEADS, named_head
from ._mirror import can_mirror
from ._network import build_network
from ._parts import (
    LAYER_PARTS,
    as_for_codes,
    count_layers,
    make_parts,
    named_steps,
    only_layer,
)
from ._training import Choices, Samples, plan_network, train_network


def _head_has(method):
    def check(self):
        if hasattr(getattr(self, "head_", named_head(self.head)), method):
            return True
        able = [name for name in HEADS if hasattr(named_head(name), method)]
        raise AttributeError(f"head={self.head!r} has no {method}; these have: {able}.")

    return check


class LayerwiseCNNClassifier(
    CallbackSupportMixin, ClassifierMixin, ImageTransformerMixin, CompositeEstimator
):
    r"""A convolutional network learned layer by layer, without backpropagation through it.

    Each layer clusters the patches of its input, turns clusters into orthogonal codes
    (convolution, ReLU, pooling), and embeds the codes by a 1x1 convolution that a
    two-layer network learns from the labels (algorithm 1 and section 6 of the paper).
    A classifier is fitted on the output of the last layer. The result is a plain
    convolutional network, see :meth:`to_torch`.

    The defaults suit photographs and drawings of 8x8 to 224x224 pixels. The work for an image
    grows with the number of its pixels. The defaults are the practical recipe of section 6
    with improvements: normalized local contrast, whitened patches, larger patches in the first
    layer, responses normalized over channels, codes of both signs, average pooling, the one-pass
    embedding and a ridge head on square roots.
    :meth:`section_6` returns the recipe without them, and :meth:`algorithm_1` the algorithm of
    section 5.

    Parameters
    ----------
    n_layers : int or 'auto', default='auto'
        Number of layers. 'auto' is the length of a sequence, if another parameter has one value
        for each layer. Otherwise it is 2, or 1 if that lowers the squared leave-one-out error of a
        ridge regression on the training images, up to 500 of them, by more than two standard
        errors: where the places of details tell the label, as on traffic signs. The choice takes
        the time of predicting these images. Of images larger than 64x64 there are fewer, at least
        100. Equal images and images of one group (see :meth:`fit`) are left out
        together. It is also 1 if the second layer would have at most 4x4 patches of an image and
        less than 400 of all: up to 44 images of 8x8 pixels.

    n_clusters : int, 'auto', sequence of these or None, default=None
        Number of clusters, for all layers or for each. None is the value of `orthogonalizer`, or
        'auto' without one: 2 for each value of a patch of images of at most 4 channels, 3 of codes,
        from 200 to 1600.

    patch_size, pool_size : int, pair of int, 'auto', list of these or None, default=None
        Sizes of patches and of pooling windows in pixels, for all layers or for each.
        A tuple is a pair (vertical, horizontal) for all layers; a list has one value for
        each. None is the value of `orthogonalizer`, or 'auto' without one. In the last of
        several layers, 'auto' `pool_size` is 'thirds': the head gets at most 3x3 pixels,
        averages of overlapping windows, for images of any size. With one layer it is 'eighths',
        at most 8x8 pixels. If a `pool_size` leaves more for one layer, `n_layers='auto'` is 2.

    n_components : int, sequence of int or None, default=None
        Width of the embedding. An int is the width of all layers but the last, whose codes
        go to the head without an embedding, as in algorithm 1. A sequence has one width for
        each layer (section 6 embeds the last one too); None for the last layer is no
        embedding. None is the value of `embedder`, or 64 without one.

    orthogonalizer : PatchKMeansOrthogonalizer, sequence of these or None, default=None
        Map from patches to codes: one for all layers, or a list with one for each. It is
        cloned for each layer. It has the parameters that the classifier does not have:
        contrast, encoding, bias, whitening, k-means. Only the first layer normalizes contrast,
        unless a list says otherwise. None is `PatchKMeansOrthogonalizer()`.

    embedder : TwoLayerConvEmbedder, sequence of these or None, default=None
        Embedding of codes: one for all layers but the last, or a list with one for each. It
        has the loss, solver and learning rate. None is `TwoLayerConvEmbedder()`. An entry for
        the last layer embeds its codes too.

    head : {'ridge', 'kernel', 'svm', 'linear', 'mlp'} or classifier, default='ridge'
        Classifier on the output of the last layer: ``RidgeHead(power=0.5)``,
        ``KernelRidgeHead(0.01, gamma=0.15, power=0.5)``, a linear support vector machine
        (C = 0.01, without `predict_proba`), logistic regression (C = 0.01), a network of two
        hidden layers (384 and 192 units), each on standardized features; or any scikit-learn
        classifier. The first two, :class:`RidgeHead` and :class:`KernelRidgeHead`, learn from
        square roots of the output here. 'kernel' makes the fewest mistakes on photographs, but its
        time and memory grow with the square of the number of images. 'ridge' works on
        half-precision features without a copy; the others copy them.

    class_weight : dict, 'balanced' or None, default=None
        Weights of classes, multiplied with the weights of images in every step of training.
        'balanced' is inversely proportional to the frequencies of classes, for classes of very
        different sizes. None is 1 for all classes.

    mirror : bool or 'auto', default='auto'
        Whether the learned representation is averaged over an image and its mirror image, left
        to right. Predictions are then the same for both. It doubles the work of the layers, in
        predictions too, and takes no more memory. 'auto' averages if that lowers the error of
        500 images, as for `n_layers`, by more than one standard error; mirror images with the same
        label are left out together too.

    shift : int or 'auto', default='auto'
        Number of pixels by which copies of the training images are shifted: up, down, left and
        right. The head learns from the images and their copies, the layers from the images. It
        takes the time of predicting the copies, and none at prediction. 0 is no copies. 'auto' is
        2 pixels for up to 2,000 images of at least 32x32, 1 for smaller ones from 16x16 on, and 0
        for more or smaller images, and with one layer. It is less than the shorter side of the
        images. On a cluster, the images are sent to the client for it.

    memory_limit : int, str or None, default=None
        Memory budget of `fit` besides X: bytes, or a string such as '500MB' or '2GiB'. A
        quarter each is for the input and the output of a layer, for all images. A larger output is
        computed again when it is needed, and larger features of the head are stored in a temporary
        file (in the folder of :mod:`tempfile`, see its TMPDIR). Half is for the work of one step:
        clustering patches, encoding a batch, the head. It changes no result. None is the
        memory of the machine.

    image_shape : tuple of int or None, default=None
        (H, W) or (H, W, C) of the images, needed if X is flat. Flat X without it holds
        plain vectors, images of one pixel.

    device : str or torch.device, default='auto'
        Device to compute on: 'auto' (a GPU if there is one), 'cpu', 'cuda', ... It may be set
        after `fit`: a model fitted on a GPU predicts on a machine without one.

    precision : {'auto', 'float32', 'bfloat16'}, default='auto'
        Precision of codes and features, see :class:`PatchKMeansOrthogonalizer`.

    verbose : bool or int, default=False
        Whether to print each layer and its seconds; 2 prints the progress of its parts too.

    random_state : int, RandomState instance or None, default=None
        Determines all random choices. An int gives the same result at every call.

    Attributes
    ----------
    layers_ : list of Block
        Fitted layers, each a named tuple (orthogonalizer, embedder) of a
        :class:`PatchKMeansOrthogonalizer` and a :class:`TwoLayerConvEmbedder` or None. Their
        attributes hold the values of parameters that were None or 'auto', see Notes.

    head_ : classifier
        The fitted head.

    classes_ : ndarray of shape (n_classes,)
        The labels.

    device_ : str
        The device that `fit` computed on.

    mirror_ : bool
        Whether the representation is averaged over images and their mirror images.

    shift_ : int
        Number of pixels by which copies of the training images were shifted.

    output_shape_ : tuple of int
        (h, w, channels) of the learned representation of one image.

    image_shape_ : tuple of int
        (H, W, C) of the images.

    n_features_in_ : int
        H * W * C.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if X is a DataFrame.

    See Also
    --------
    PatchKMeansOrthogonalizer, TwoLayerConvEmbedder : The parts of a layer.

    Notes
    -----
    Codes, 10 to 100 times larger than images, exist for one batch at a time. The input and
    output of one layer are held for all images.

    Images in float32 and float16, and integers of at most 16 bits, are processed in float32, two to
    four times as fast as float64.

    Values of parameters that are None or 'auto', after `fit`, in a layer
    ``phi, embedder = classifier.layers_[i]``:

    ================  =============================================  ============================
    parameter         default                                        after `fit`
    ================  =============================================  ============================
    `n_layers`        2, or 1 where that is better                   ``len(layers_)``
    `n_clusters`      3 for each value of a patch, or 2 if there     `phi.n_clusters_`
                      are at most 4 channels, from 200 to 1600, at
                      most a quarter of the distinct patches
    `patch_size`      6 for images from 16x16 pixels with at most    `phi.cluster_centers_.shape`
                      4 channels, else 3
    `pool_size`       2 to 4; last layer: 'thirds', only layer:      `phi.coding_`
                      'eighths'
    `n_components`    64; last layer: no embedder                    `embedder.kernels_.shape`
    `shift`           see the parameter                              `shift_`
    `precision`       bfloat16 where it saves time, and products     `phi.precision_`,
                      of 8-bit integers where they save more         `phi.integer_products_`
    `device`          a GPU if there is one                          `device_`
    ================  =============================================  ============================

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skhier import LayerwiseCNNClassifier
    >>> X, y = load_digits().images, load_digits().target
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> clf = LayerwiseCNNClassifier(n_clusters=64, random_state=0).fit(X_train, y_train)
    >>> clf.score(X_test, y_test) > 0.95
    True
    >>> phi, _ = clf.layers_[0]
    >>> phi.n_clusters_, phi.cluster_centers_.shape, phi.coding_["pool_size"]
    (64, (64, 3, 3, 1), (3, 3))
    """

    _parameter_constraints = {
        "n_layers": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_clusters": "no_validation",
        "patch_size": "no_validation",
        "pool_size": "no_validation",
        "n_components": "no_validation",
        "orthogonalizer": "no_validation",
        "embedder": "no_validation",
        "head": [StrOptions(set(HEADS)), HasMethods(["fit"])],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "mirror": ["boolean", StrOptions({"auto"})],
        "shift": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "memory_limit": "no_validation",
        "image_shape": "no_validation",
        "device": [str, torch.device],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    _part_names = (*LAYER_PARTS, "head")
    _listed_names = tuple(LAYER_PARTS)

    def __init__(
        self,
        *,
        n_layers: int | Auto = "auto",
        n_clusters: PerLayer[int | Auto] | None = None,
        patch_size: PerLayer[Pair | Auto] | None = None,
        pool_size: PerLayer[Pair | PoolSize] | None = None,
        n_components: int | Sequence[int | None] | None = None,
        orthogonalizer: PerLayer[PatchKMeansOrthogonalizer | None] = None,
        embedder: PerLayer[TwoLayerConvEmbedder | None] = None,
        head: Literal["ridge", "kernel", "svm", "linear", "mlp"] | ClassifierMixin = "ridge",
        class_weight: ClassWeight = None,
        mirror: bool | Auto = "auto",
        shift: int | Auto = "auto",
        memory_limit: int | str | None = None,
        image_shape: ImageShape = None,
        device: Device = "auto",
        precision: Precision = "auto",
        verbose: Verbose = False,
        random_state: RandomState = None,
    ) -> None:
        self.n_layers = n_layers
        self.n_clusters = n_clusters
        self.patch_size = patch_size
        self.pool_size = pool_size
        self.n_components = n_components
        self.orthogonalizer = orthogonalizer
        self.embedder = embedder
        self.head = head
        self.class_weight = class_weight
        self.mirror = mirror
        self.shift = shift
        self.memory_limit = memory_limit
        self.image_shape = image_shape
        self.device = device
        self.precision = precision
        self.verbose = verbose
        self.random_state = random_state

    def _stands_for(self, name, value):
        if name == "head":
            return named_head(value)
        return LAYER_PARTS[name][0]() if value is None else value

    def _one_for_each(self, param):
        n_layers = count_layers(self)
        parts = [clone(getattr(self, param), safe=False) for _ in range(n_layers)]
        if param == "embedder":  # the last layer has none
            parts[-1] = None
        else:
            as_for_codes(*parts[1:])
        return parts

    @classmethod
    def algorithm_1(
        cls, n_clusters: PerLayer[int], patch_size: PerLayer[Pair], n_layers: int = 2, **params: Any
    ) -> Self:
        """Return the classifier with the parameters of algorithm 1 (section 5).

        Patches do not overlap, codes are one-hot and not pooled, patches are not
        whitened, and the head is a linear support vector machine.

        With `embedder__solver='counts'` and the numbers of semantic classes for `n_components`,
        one for each layer, codes are put in classes. The next layer then clusters tuples of
        classes, which are equal or different, not points at a distance. If the classes are found,
        no error is left, and fewer images are enough (:doc:`/theory`). This needs a cluster for
        every patch. All patches are clustered if at most 10 times `n_clusters` are distinct;
        otherwise 100,000 are drawn (`orthogonalizer__n_patches`).

        Parameters
        ----------
        n_clusters : int or sequence of int
            Number of clusters of each layer: the number of distinct patches in the layer's
            images.

        patch_size : int, pair of int or list of these
            Size s of the patches of the model, (height, width) for a pair, one for each layer in a
            list. They tile the images: otherwise `fit` raises ValueError.

        n_layers : int, default=2
            Depth d of the model of the images.

        **params : dict
            Other parameters of the classifier and, such as `embedder__max_iter`, its parts.

        Returns
        -------
        classifier : LayerwiseCNNClassifier
            Not fitted.

        Examples
        --------
        >>> from skhier import HierarchicalSampler, LayerwiseCNNClassifier
        >>> sampler = HierarchicalSampler(patches_per_class=5, random_state=0).fit()
        >>> X, y = sampler.sample(3000)
        >>> clf = LayerwiseCNNClassifier.algorithm_1(4 * 5, patch_size=3, random_state=0)
        >>> clf.fit(X[:2000], y[:2000]).score(X[2000:], y[2000:])
        1.0

        With codes put in classes:

        >>> clf.set_params(n_components=[4, 4], embedder__solver="counts")
        LayerwiseCNNClassifier(...)
        >>> clf.fit(X[:200], y[:200]).score(X[2000:], y[2000:])
        1.0
        """
        return cls(
            n_layers=n_layers,
            n_clusters=n_clusters,
            patch_size=patch_size,
            pool_size=1,
            n_components=64,
            orthogonalizer=PatchKMeansOrthogonalizer(
                stride=None,
                padding="valid",
                contrast=None,
                encoding="one_hot",
                whiten_eps=None,
                n_patches="auto",
                kmeans=SphericalKMeans(tol=1e-3),
            ),
            embedder=TwoLayerConvEmbedder(scale_channels=False),
            head="svm",
            mirror=False,
            shift=0,
        ).set_params(**params)

    @classmethod
    def section_6(
        cls,
        n_clusters: PerLayer[int],
        n_components: Sequence[int],
        bias: float,
        n_patches: int,
        **params: Any,
    ) -> Self:
        """Return the classifier with the parameters of section 6, the practical recipe.

        3x3 patches at every pixel, codes by convolution and ReLU, 2x2 max-pooling, and in
        every layer an embedding trained by Adam on the cross-entropy. Patches are whitened
        and channels scaled, which the paper does not mention;
        `orthogonalizer__whiten_eps=None, embedder__scale_channels=False` omits both.

        Parameters
        ----------
        n_clusters : int or sequence of int
            Number of clusters of each layer.

        n_components : sequence of int
            Width of the embedding of each of the layers.

        bias : float
            The fixed bias of the ReLU, in units of the root mean square of patches; a lower one
            gives sparser codes.

        n_patches : int
            Number N of patches to cluster.

        **params : dict
            Other parameters of the classifier and, such as `embedder__max_iter`, its parts.

        Returns
        -------
        classifier : LayerwiseCNNClassifier
            Not fitted.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skhier import LayerwiseCNNClassifier
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = LayerwiseCNNClassifier.section_6([16, 32], [8, 8], -0.25, 5000, random_state=0)
        >>> clf.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.8
        True
        """
        return cls(
            n_layers=len(n_components),
            n_clusters=n_clusters,
            patch_size=3,
            pool_size=2,
            n_components=n_components,
            orthogonalizer=PatchKMeansOrthogonalizer(
                contrast=None,
                encoding="relu",
                bias=bias,
                normalize=False,
                pooling="max",
                n_patches=n_patches,
            ),
            embedder=TwoLayerConvEmbedder(loss="cross_entropy", solver="adam"),
            head="linear",
            mirror=False,
            shift=0,
        ).set_params(**params)

    @fit_method
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Learn the layers from the first to the last, then the head.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Images: an array, in memory or in a file (a memory map, zarr, HDF5), or an array of
            Dask whose chunks hold whole images.

        y : array-like of shape (n,)
            Labels of two or more classes, integers or strings.

        sample_weight : array-like of shape (n,) or None, default=None
            Weights of images, used in every step of training. A weight of 2 equals two
            copies, a weight of 0 equals no image: up to rounding if all patches are clustered,
            as for a few images, otherwise in expectation. With shifted copies, the temperature of
            probabilities is estimated from random signs, which differ.

        groups : array-like of shape (n,) or None, default=None
            Groups of images that depend on each other, such as photographs of one person or frames
            of one track: integers or strings, as in :class:`sklearn.model_selection.GroupKFold`.
            Where images are held out to choose something (the number of layers, `mirror`, `alpha`
            and the temperature of the head, `early_stopping`), whole groups are. Shifted copies are
            in the group of their image. A head of another kind gets them if its `fit` has a
            parameter `groups`, or if it is a search whose `cv` splits by groups. None is a group
            for each image.

        Returns
        -------
        self : LayerwiseCNNClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a layer's patches do not fit or do not tile its input, if it has fewer
            patches than clusters, if a parameter is set both in the classifier and in a part, if
            there is only one class, if `sample_weight` or `class_weight` is given and the head
            takes no weights, if groups are missing for some images or there is only one, if values
            are too large to compute with, if `precision` is 'bfloat16' on a device that is slow
            with it, or if the work of a step takes more than `memory_limit` allows.
        OSError
            If the disk is too full for features that do not fit in `memory_limit`.
        RuntimeError
            If all workers of a cluster are lost.

        Warns
        -----
        ConvergenceWarning
            If a layer has fewer distinct patches than clusters.
        UserWarning
            If X looks like images with channels first.
        """
        device, memory = resolve_device(self.device), Memory(self.memory_limit)
        images, y = validate_images(self, X, y, reset=True)
        refuse_extreme_values(images)
        images, y, weight, groups = weighted_samples(sample_weight, images, y, groups)
        classes, _ = encode_labels(self, y)
        weights = Weights.with_classes(weight, self.class_weight, classes, y)
        rng = make_rng(self.random_state)
        blocks, head = make_parts(self, rng)
        first = blocks[0].orthogonalizer
        refuse_patches_of_vectors(self, X, first.patch_size, first.padding, first.contrast)
        choices = Choices(
            only_layer(self, first),
            can_mirror(self.mirror, images),
            self.shift,
            rng.randint(2**31 - 1),
        )
        given = choices, Samples(images, y, weights, groups)
        setting = len(classes), computing_dtype(images), device
        plans = plan_network(blocks, head, *given, *setting, memory)
        with Task.fit(self, len(blocks) + 2, X, y) as task:
            trained = train_network(blocks, head, plans, *given, memory, task)
        blocks, shape, mirror, pixels = trained
        self.classes_ = classes
        self.layers_ = blocks
        self.head_ = head
        self.device_ = str(device)
        self.output_shape_ = shape
        self.mirror_ = mirror
        self.shift_ = pixels
        return self

    def to_pipeline(self) -> Pipeline:
        """Return the same algorithm as an unfitted pipeline of its parts.

        Fitted on the same data with an int `random_state`, without shifted copies and mirror
        images, its predictions are equal up to the rounding of `precision`. Images of float64 are
        an exception unless `precision` is 'auto': steps pass float64 on, so that k-means of the
        next layer may find other clusters. The pipeline holds the codes of all images in memory.
        With `n_layers='auto'` it has two layers, or as many as a list has values.

        Returns
        -------
        pipeline : sklearn.pipeline.Pipeline
            Steps 'orthogonalizer1', 'embedder1', ..., 'flatten', 'head'.

        Raises
        ------
        ValueError
            If `mirror` is True, or `class_weight` or a positive `shift` is given.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skhier import LayerwiseCNNClassifier
        >>> X, y = load_digits().images, load_digits().target
        >>> pipeline = LayerwiseCNNClassifier(n_clusters=32, random_state=0).to_pipeline()
        >>> [name for name, step in pipeline.steps]
        ['orthogonalizer1', 'embedder1', 'orthogonalizer2', 'flatten', 'head']
        >>> pipeline.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.9
        True
        """
        if self.mirror not in (False, "auto"):
            raise ValueError(
                f"mirror={self.mirror!r} is no step of a pipeline: set False or 'auto'."
            )
        if self.shift not in (0, "auto"):
            raise ValueError(f"shift={self.shift!r} is no step of a pipeline: set 0 or 'auto'.")
        if self.class_weight is not None:
            raise ValueError(
                f"class_weight={self.class_weight!r} is no step of a pipeline: give it to the "
                "head, or sample_weight to the steps."
            )
        blocks, head = self._unfitted_parts()
        blocks[0].orthogonalizer.set_params(image_shape=self.image_shape)
        return Pipeline([*named_steps(blocks), ("flatten", Flatten()), ("head", head)])

    def _unfitted_parts(self):
        """Return blocks and head; a generator of the user is copied, so that it stays as it is."""
        return make_parts(self, make_rng(deepcopy(self.random_state)))

    def _sk_visual_block_(self):
        is_fitted = hasattr(self, "head_")
        blocks, head = (self.layers_, self.head_) if is_fitted else self._unfitted_parts()
        steps = [*named_steps(blocks, self), ("head", head)]
        return VisualBlock(
            "serial",
            [part for _, part in steps],
            names=[f"{name}: {type(part).__name__}" for name, part in steps],
            name_details=[str(part) for _, part in steps],
        )

    def _features(self, X):
        """Return the learned representation of images, as rows."""
        check_is_fitted(self)
        images = validate_images(self, X, reset=False)
        images = in_unit_of_fit(images, self.layers_[0].orthogonalizer)
        dtype, device = computing_dtype(images), resolve_device(self.device)
        layers = [block.operator(dtype, device) for block in self.layers_]
        return images.map(network_operator(layers, torch_dtype(dtype), self.mirror_))

    def _respond(self, method, X):
        """Return the head's response to images, computed batch by batch."""
        features = self._features(X)
        respond = getattr(self.head_, method)
        batches = (batch.reshape(len(batch), -1) for batch in features.batches())
        return np.concatenate([respond(batch) for batch in batches])

    @maps_rows
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the learned representation: the output of the last layer.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Images of the shape seen in `fit`.

        Returns
        -------
        features : ndarray of shape (n, h, w, channels)
            Images of shape `output_shape_`; (n, channels) for plain vectors.
        """
        features = self._features(X).collect()
        return features.reshape(len(features), -1) if is_plain_vectors(self, X) else features

    @maps_rows
    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict the labels of images.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Images of the shape seen in `fit`.

        Returns
        -------
        y : ndarray of shape (n,)
            Labels. As all results for an array of Dask, a lazy one if X is one.

        Raises
        ------
        ValueError
            If images have another shape than in `fit`.

        Warns
        -----
        UserWarning
            If images seem to have another unit than in `fit`.
        """
        return self._respond("predict", X)

    @available_if(_head_has("decision_function"))
    @maps_rows
    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the head's decision function.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Images of the shape seen in `fit`.

        Returns
        -------
        scores : ndarray of shape (n,) or (n, n_classes)
            Confidence scores. Available if the head has them.
        """
        return self._respond("decision_function", X)

    @available_if(_head_has("predict_proba"))
    @maps_rows
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Estimate the probabilities of the labels.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Images of the shape seen in `fit`.

        Returns
        -------
        probabilities : ndarray of shape (n, n_classes)
            In the order of `classes_`. Available if the head has them.
        """
        return self._respond("predict_proba", X)

    def to_torch(self) -> torch.nn.Sequential:
        """Return the fitted classifier as a plain convolutional network.

        Returns
        -------
        network : torch.nn.Sequential
            A conversion to float, then Conv2d, ReLU, AvgPool2d (MaxPool2d) and a 1x1 Conv2d for
            each layer, then Flatten and the Linear layers of the head. Special cases: a module
            that normalizes the local contrast of images, by products with weights of rows and of
            columns; an RMS norm over channels before the ReLU if responses are normalized; two
            convolutions, the second one 1x1, if that takes fewer products; a weighted average
            instead of AvgPool2d if windows overlap; instead of the ReLU a module that returns 1
            for the largest channel, without a gradient, for 'one_hot' codes; square roots before
            the heads 'ridge' and 'kernel', and then a layer of Gaussians before 'kernel'; with
            `mirror`, the layers are applied to the image and to its mirror image.

            The network takes images (n, C, H, W), channels first, as floats or uint8, in the unit
            of the images of `fit`. If these were bytes, images from 0 to 1, as torchvision's
            `ToTensor` returns them, must be multiplied by 255. It returns the head's
            `decision_function` (one column for two classes); for an MLP head the logits whose
            softmax (sigmoid) is `predict_proba`. They are equal up to the rounding of the
            classifier's `precision`; rounding may change a 'one_hot' code if two centroids are
            equally near.

        Raises
        ------
        ValueError
            If the head is not linear, an MLP or of the kernel.

        Examples
        --------
        >>> import torch
        >>> from sklearn.datasets import load_digits
        >>> from skhier import LayerwiseCNNClassifier
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = LayerwiseCNNClassifier(n_layers=1, n_clusters=16, pool_size=2, random_state=0)
        >>> network = clf.fit(X, y).to_torch()
        >>> print(network)
        Sequential(
          (0): ToFloat(torch.float64)
          (1): LocalContrast(k=0.7, deviation=6.02)
          (2): Conv2d(1, 32, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
          (3): ChannelRMSNorm(32, eps=0.01)
          (4): ReLU()
          (5): AvgPool2d(kernel_size=(2, 2), stride=(2, 2), padding=0)
          (6): Flatten(start_dim=1, end_dim=-1)
          (7): SignedPower(0.5)
          (8): Linear(in_features=512, out_features=10, bias=True)
        )
        >>> scores = network(torch.from_numpy(X[:, None])).detach().numpy()
        >>> bool(abs(scores - clf.decision_function(X)).max() < 1e-8)
        True
        """
        check_is_fitted(self)
        with own_modes():
            return build_network(self.layers_, self.head_, self.output_shape_, self.mirror_)
