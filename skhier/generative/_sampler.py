"""Estimator of the generative model: HierarchicalSampler."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import TransformerMixin

from .._base._fitting import all_or_nothing
from .._base._params import make_rng
from .._base._sklearn import BaseEstimator, Interval, StrOptions, _fit_context
from .._base._typing import Pair, PerLevel, RandomState
from ._analysis import AnalysisMixin
from ._generation import GenerationMixin
from ._inference import InferenceMixin
from ._levels import read_label_probabilities, read_levels, read_pixel_noise
from ._parsing import ParsingMixin
from ._prediction import PredictionMixin
from ._search import Search
from ._semantic import RootMixin
from ._validity import ValidityMixin


class HierarchicalSampler(
    AnalysisMixin,
    GenerationMixin,
    InferenceMixin,
    ParsingMixin,
    PredictionMixin,
    RootMixin,
    ValidityMixin,
    TransformerMixin,
    BaseEstimator,
):
    r"""Deep generative model of images (paper, section 3).

    A label y is drawn, uniformly by default, then a semantic image :math:`X^{(0)}` of that label
    (the distribution :math:`G_0`). At level i = 0, ..., d - 1 every pixel that holds a
    semantic class c is replaced by a patch drawn from the set :math:`S_c^{(i)}` of its
    class. The patches of the last level hold real pixels. The defaults are the model of
    appendix D: disjoint sets (assumption 2), equally likely patches, no noise.

    Parameters with one value per level take a list; any other value is for all levels.

    Parameters
    ----------
    n_levels : int, default=2
        Number d of times that pixels are replaced by patches.

    n_semantic_classes : int or list of n_levels ints, default=4
        Number :math:`|C_i|` of semantic classes at levels 0, ..., d - 1. It is ignored at
        levels with given patches, which have one class for each set, and at levels with given
        transitions, which have one for each row. It is ignored at level 0
        if `fit` gets semantic images, whose classes it takes, or if `root` is 'label', where
        the classes are the labels.

    patch_size : int, pair of int, or list of n_levels of these, default=3
        Size of the patches of levels 0, ..., d - 1, in pixels. A pair is the tuple (height,
        width). It is ignored at levels with given patches, and at levels with four-dimensional
        transitions, which have a matrix for each pixel of a patch.

    patches_per_class : int or list of n_levels ints, default=30
        Number k of patches in each set :math:`S_c^{(i)}`. It is ignored at levels with given
        patches.

    rule_weights : {'uniform', 'zipf'}, float, ndarray, or list of these, default='uniform'
        Weight of each patch of a set, proportional to its probability. A float a >= 0 is the
        exponent of Zipf's law: the r-th patch has the weight :math:`r^{-a}`; 'zipf' is a = 1.
        An array of shape (patches_per_class,) or (n_semantic_classes, patches_per_class) holds
        the weights of all levels. A list has one of these for each level, so a number in a list
        is an exponent. A list of numbers that could be the weights of a level is refused.

    overlap : float or list of n_levels floats, default=0.0
        Share of each set's patches that are common to all classes of the level. All other
        patches are in one set only. If it is positive, classes are ambiguous.

    symbol_patches : list of n_levels - 1 arrays or None, default=None
        Sets of patches for levels 0, ..., d - 2, in the form of `patches_`: for each level an
        array of classes of the next level, 0, 1, ..., or None to draw the sets.

    transitions : list of n_levels - 1 arrays or None, default=None
        Rules of levels 0, ..., d - 2 that draw the pixels of a patch independently, instead of
        sets of patches: for each level None or an array of shape (n_semantic_classes,
        n_next_classes), with the probabilities of the next level's classes in the row of a class,
        or one for each place of a patch, of shape (height, width, n_semantic_classes,
        n_next_classes). These are Markov processes on trees. All patches are possible, so images
        have no single parse, and inference costs far less than with sets of all patches.

    pixel_patches : {'gaussian', 'orthonormal', 'one_hot'} or array, default='gaussian'
        Patches of the last level: independent N(0, 1) pixels, orthonormal vectors (assumption
        4), the first vectors of the standard basis, or an array of patches of shape
        (n_semantic_classes, patches_per_class, height, width) or (..., n_channels).

    n_channels : int, default=1
        Number of channels of a pixel, if the patches are drawn.

    root : {'images', 'label'}, default='images'
        Distribution :math:`G_0` if `fit` gets no semantic images: `n_root_images` images drawn
        for each label (appendix D), or one pixel whose class is the label, as in the Random
        Hierarchy Model (Cagnetta et al., 2024).

    n_labels : int, default=2
        Number of labels, if `fit` gets none. They are 0, 1, ..., but two labels of drawn root
        images are -1 and 1.

    label_probabilities : array-like of shape (n_labels,) or None, default=None
        Probability of each label, in the order of `classes_`: positive numbers that sum to 1. None
        is uniform. Given a label, its semantic images are uniform.

    n_root_images : int, default=4
        Number of semantic images of each label, if they are drawn. They are uniform, drawn
        again until they are different and linearly separable.

    root_shape : pair of int or None, default=None
        (Height, width) of semantic images, needed for flat images in X. If None, drawn images
        are (3, 3), and each row of flat X is a string: an image of height 1.

    label_noise : float, default=0.0
        Probability that a label is replaced by another label, drawn uniformly.

    symbol_noise : float, ndarray or list of n_levels of these, default=0.0
        Probability that the class of a pixel, at levels 0, ..., d - 1, is replaced by a class
        drawn uniformly from all classes of the level, before the pixel's patch is drawn. A
        matrix holds the probability of each class of the level in the row of the class that was
        drawn. Below level 0, it can have more columns than rows: with the matrix ``[(1 - p) * I,
        p]``, a symbol is erased with probability p, and the level has a class more for erased
        symbols.

    pixel_noise : float, default=0.0
        Standard deviation of independent Gaussian noise on the pixels of images: 0, or from
        1e-30 to 1e30.

    min_theta, min_lambda : float, default=0.0
        Smallest angle :math:`\theta` (radians) and norm :math:`\lambda` of labeled frequency
        matrices allowed at each level (section 3.1). Semantic images and symbol patches are
        drawn again, level by level from the top, until all levels meet both bounds.

    max_draws : int, default=1000
        Number of rejected draws of semantic images or sets of patches at which `fit` fails.

    n_jobs : int or None, default=None
        Number of threads for samples and inference. Results do not depend on it.

    random_state : int, RandomState instance or None, default=None
        Determines the root images and patches drawn in `fit`, the samples of :meth:`sample` and
        of the methods that use it, and the patches chosen in :meth:`transform`. These methods
        read it when they are called, so a value set after `fit` changes their samples. All
        other parameters but `n_jobs` have no effect after `fit`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        Labels.

    label_probabilities_ : ndarray of shape (n_labels,)
        Probability of each label, before label noise.

    semantic_classes_ : ndarray of shape (n_semantic_classes,)
        Classes :math:`C_0` of semantic images.

    root_images_ : ndarray of shape (n_images, height, width)
        Semantic images of :math:`G_0`.

    root_labels_ : ndarray of shape (n_images,)
        Labels of the semantic images.

    separator_ : ndarray of shape (n_semantic_classes, height, width), or None
        Separator :math:`W^*` of :math:`G_0` of smallest norm (assumption 1), or None if no
        separator exists. For two labels, :math:`\langle W^*, onehot(X) \rangle` is at least 1
        if y is `classes_[1]` and at most -1 otherwise. For more labels it has shape (n_labels,
        n_semantic_classes, height, width), and the product with the entry of the image's label
        is larger by at least 1 than the product with any other. It is computed at the first
        access, which takes seconds for hundreds of semantic images of many labels.

    margin_ : float
        Margin :math:`1 / \|W^*\|`, or 0 if no separator exists.

    patches_ : list of n_levels ndarrays
        Sets :math:`S_c^{(i)}`, each array of shape (n_semantic_classes, patches_per_class,
        height, width). They hold classes of the next level, and at the last level float32
        pixels, with a last axis for channels if there are several. None at levels with
        transitions.

    rule_weights_ : list of n_levels ndarrays
        Probability of each patch given its class, each array of shape
        (n_semantic_classes, patches_per_class). None at levels with transitions.

    transitions_ : list of n_levels - 1 ndarrays or None
        Transitions of each level but the last, of shape (height, width, n_semantic_classes,
        n_next_classes), or None at levels with sets of patches.

    n_classes_ : list of n_levels ints
        Number of classes of each level, after symbol noise.

    level_shapes_ : list of n_levels + 1 pairs of int
        (Height, width) of :math:`X^{(0)}, \dots, X^{(d)}`.

    is_noisy_ : bool
        Whether there is noise on labels, classes or pixels.

    symbol_noise_ : list of n_levels ndarrays
        Probability of each class of a level after symbol noise, given the class that was drawn:
        a row for each drawn class. The identity without noise.

    pixel_noise_ : float
        Standard deviation of the noise of pixels.

    n_features_in_ : int
        Number of pixels of a semantic image.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if X is a DataFrame.

    Notes
    -----
    Sample i depends on the seed and i only, so `sample(10)` are the first ten of
    `sample(100)` with the same seed. Noise has random streams of its own: without noise, the
    same seed gives the same images, clean.

    For a training and a test set, split one sample, or call :meth:`sample` with two values of
    `random_state`. Two values of the parameter `random_state` are two models. Samples are
    independent, so a model of few images (`n_images` of :meth:`statistics`) repeats them, and
    most test images are training images too. With ``sample(..., replace=False)`` no two samples
    of a seed are the same derivation, so the parts of one sample are disjoint.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> sampler = HierarchicalSampler(random_state=0).fit()
    >>> X, y = sampler.sample(100, random_state=1)
    >>> X.shape, sorted({int(label) for label in y})
    ((100, 27, 27), [-1, 1])
    >>> semantic = sampler.inverse_transform(X)
    >>> semantic.shape
    (100, 3, 3)

    Exact statistics: there are 8 semantic images, and 30 patches for each of the 9 pixels of
    level 0 and the 81 pixels of level 1.

    >>> sampler.statistics().n_images == [8, 8 * 30**9, 8 * 30**90]
    True

    The smallest error that any classifier can have is 0 without noise. With noise it is larger:

    >>> sampler.bayes_risk(100).risk
    0.0
    >>> noisy = HierarchicalSampler(pixel_noise=1.5, random_state=0).fit()
    >>> 0 < noisy.bayes_risk(100).risk < 0.5
    True
    """

    _parameter_constraints = {
        "n_levels": [Interval(Integral, 1, None, closed="left")],
        "n_semantic_classes": "no_validation",
        "patch_size": "no_validation",
        "patches_per_class": "no_validation",
        "rule_weights": "no_validation",
        "overlap": "no_validation",
        "symbol_patches": "no_validation",
        "transitions": "no_validation",
        "pixel_patches": "no_validation",
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "root": [StrOptions({"images", "label"})],
        "n_labels": [Interval(Integral, 2, None, closed="left")],
        "label_probabilities": "no_validation",
        "n_root_images": [Interval(Integral, 1, None, closed="left")],
        "root_shape": "no_validation",
        "label_noise": [Interval(Real, 0, 1, closed="both")],
        "symbol_noise": "no_validation",
        "pixel_noise": "no_validation",
        "min_theta": [Interval(Real, 0, None, closed="left")],
        "min_lambda": [Interval(Real, 0, None, closed="left")],
        "max_draws": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_levels: int = 2,
        *,
        n_semantic_classes: PerLevel[int] = 4,
        patch_size: PerLevel[Pair] = 3,
        patches_per_class: PerLevel[int] = 30,
        rule_weights: PerLevel[Literal["uniform", "zipf"] | float | np.ndarray] = "uniform",
        overlap: PerLevel[float] = 0.0,
        symbol_patches: list[ArrayLike | None] | None = None,
        transitions: list[ArrayLike | None] | None = None,
        pixel_patches: Literal["gaussian", "orthonormal", "one_hot"] | np.ndarray = "gaussian",
        n_channels: int = 1,
        root: Literal["images", "label"] = "images",
        n_labels: int = 2,
        label_probabilities: ArrayLike | None = None,
        n_root_images: int = 4,
        root_shape: tuple[int, int] | None = None,
        label_noise: float = 0.0,
        symbol_noise: float | np.ndarray | Sequence[float | np.ndarray] = 0.0,
        pixel_noise: float = 0.0,
        min_theta: float = 0.0,
        min_lambda: float = 0.0,
        max_draws: int = 1000,
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.n_levels = n_levels
        self.n_semantic_classes = n_semantic_classes
        self.patch_size = patch_size
        self.patches_per_class = patches_per_class
        self.rule_weights = rule_weights
        self.overlap = overlap
        self.symbol_patches = symbol_patches
        self.transitions = transitions
        self.pixel_patches = pixel_patches
        self.n_channels = n_channels
        self.root = root
        self.n_labels = n_labels
        self.label_probabilities = label_probabilities
        self.n_root_images = n_root_images
        self.root_shape = root_shape
        self.label_noise = label_noise
        self.symbol_noise = symbol_noise
        self.pixel_noise = pixel_noise
        self.min_theta = min_theta
        self.min_lambda = min_lambda
        self.max_draws = max_draws
        self.n_jobs = n_jobs
        self.random_state = random_state

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike | None = None, y: ArrayLike | None = None) -> Self:
        r"""Set :math:`G_0` from X and y, or draw it, and draw the patches of every level.

        Parameters
        ----------
        X : array-like of shape (n, height, width) or (n, height * width), or None
            Semantic images; each value is the name of a semantic class. Given a label,
            :math:`G_0` is uniform over the semantic images of the label. If None, they are
            drawn.

        y : array-like of shape (n,), or None
            Labels of the semantic images, two or more classes.

        Returns
        -------
        self : HierarchicalSampler
            The fitted sampler.

        Raises
        ------
        ValueError
            If the parameters ask for more patches or root images than exist, or if `min_theta`
            and `min_lambda` are not reached.
        """
        rng = make_rng(self.random_state)
        levels = read_levels(self)
        draw_images = (
            self._set_drawn_root(levels[0], rng)
            if X is None
            else self._set_given_root(X, y, levels[0])
        )
        noise = self.label_noise, [level.channel() for level in levels], read_pixel_noise(self)
        is_random = X is None and self.root == "images"
        p_labels = read_label_probabilities(self, len(self.classes_))
        search = Search(self.min_theta, self.min_lambda, self.max_draws)
        self._model = search.draw_model(draw_images, p_labels, is_random, levels, noise, rng)
        self.label_probabilities_ = p_labels
        root = self._model.root
        self.root_images_ = self.semantic_classes_[root.images]
        self.root_labels_ = self.classes_[root.labels]
        rules = self._model.rules
        self.patches_ = [getattr(of_level, "patches", None) for of_level in rules]
        self.rule_weights_ = [getattr(of_level, "weights", None) for of_level in rules]
        self.transitions_ = [getattr(of_level, "transitions", None) for of_level in rules[:-1]]
        self.n_classes_ = [of_level.n_classes for of_level in rules]
        self.level_shapes_ = self._model.level_shapes
        self.is_noisy_ = self._model.is_noisy
        self.symbol_noise_ = [channel.matrix.T for channel in self._model.channels]
        self.pixel_noise_ = self._model.pixel_noise
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []
        return tags
