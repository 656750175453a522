"""HierarchicalSampler: images drawn level by level from labels."""

from math import prod
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array, gen_batches
from sklearn.utils.validation import check_is_fitted, validate_data

from .._base._fitting import unchanged_on_failure
from .._base._images import shape_of
from .._base._labels import encode_labels
from .._base._params import as_pair, value_at
from .._base._random import make_rng
from .._base._sklearn import Interval, StrOptions, _fit_context
from ._root import RootDistribution, draw_root_images, is_linearly_separable
from ._rules import (
    draw_pixel_table,
    draw_symbol_table,
    recognize_patches,
    replace_pixels,
)
from ._streams import content_keys, draw_integers, index_keys

_BATCH = 256  # images rendered at a time, so that their levels stay in cache


class HierarchicalSampler(TransformerMixin, BaseEstimator):
    r"""The deep generative model of images of the paper (section 3).

    A label y is drawn uniformly, then a semantic image :math:`X^{(0)}` of that label
    (the distribution :math:`G_0`). At level i = 0, ..., d - 1 every pixel that holds a
    semantic class c is replaced by a patch drawn uniformly from the set
    :math:`S_c^{(i)}` of its class; these sets are disjoint (assumption 2). The patches
    of the last level hold real pixels. The defaults are the model of appendix D.

    Parameters
    ----------
    n_levels : int, default=2
        Number d of times that pixels are replaced by patches.

    n_semantic_classes : int or sequence of n_levels ints, default=4
        Number :math:`|C_i|` of semantic classes at levels 0, ..., d - 1. If `fit` is
        given semantic images, the first is the number of classes that they hold.

    patch_size : int, pair of int, or sequence of n_levels of these, default=3
        Size of the patches that levels 0, ..., d - 1 draw, in pixels. A pair is (height,
        width); a sequence with one entry per level is given as a list.

    patches_per_class : int or sequence of n_levels ints, default=30
        Number k of patches in each set :math:`S_c^{(i)}`.

    pixel_patches : {'gaussian', 'orthonormal'}, default='gaussian'
        Patches of the last level: independent N(0, 1) pixels, or orthonormal vectors
        (assumption 4).

    n_labels : int, default=2
        Number of labels, if :math:`G_0` is drawn. Two are -1 and 1, more are 0, 1, ...

    n_root_images : int, default=4
        Number of semantic images of each label, if :math:`G_0` is drawn. They are
        drawn uniformly, again until they are different and linearly separable.

    root_shape : pair of int or None, default=None
        (Height, width) of semantic images, needed if X is flat. If None, it is (3, 3)
        for drawn ones, and flat X holds strings: images of height 1.

    random_state : int, RandomState instance or None, default=None
        Determines the root images and patches drawn in `fit`, the samples of
        :meth:`sample` and the patches chosen in :meth:`transform`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        The labels.

    semantic_classes_ : ndarray of shape (n_semantic_classes,)
        The classes :math:`C_0` that semantic images hold.

    root_images_ : ndarray of shape (n_images, height, width)
        The semantic images of :math:`G_0`.

    root_labels_ : ndarray of shape (n_images,)
        Their labels.

    patches_ : list of n_levels ndarrays
        The sets :math:`S_c^{(i)}`, each array of shape (n_semantic_classes,
        patches_per_class, height, width): classes of the next level, float32 pixels at
        the last.

    level_shapes_ : list of n_levels + 1 pairs of int
        (Height, width) of :math:`X^{(0)}, \dots, X^{(d)}`.

    linearly_separable_ : bool
        Whether :math:`G_0` is linearly separable (assumption 1).

    n_features_in_ : int
        Number of pixels of a semantic image.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if X is a DataFrame.

    Notes
    -----
    Sample i depends on the seed and i only, so `sample(10)` are the first ten of
    `sample(100)` with the same seed. For a training and a test set, split one sample or
    use two values of `random_state`.

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
    """

    _parameter_constraints = {
        "n_levels": [Interval(Integral, 1, None, closed="left")],
        "n_semantic_classes": "no_validation",
        "patch_size": "no_validation",
        "patches_per_class": "no_validation",
        "pixel_patches": [StrOptions({"gaussian", "orthonormal"})],
        "n_labels": [Interval(Integral, 2, None, closed="left")],
        "n_root_images": [Interval(Integral, 1, None, closed="left")],
        "root_shape": "no_validation",
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_levels=2,
        *,
        n_semantic_classes=4,
        patch_size=3,
        patches_per_class=30,
        pixel_patches="gaussian",
        n_labels=2,
        n_root_images=4,
        root_shape=None,
        random_state=None,
    ):
        self.n_levels = n_levels
        self.n_semantic_classes = n_semantic_classes
        self.patch_size = patch_size
        self.patches_per_class = patches_per_class
        self.pixel_patches = pixel_patches
        self.n_labels = n_labels
        self.n_root_images = n_root_images
        self.root_shape = root_shape
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X=None, y=None):
        r"""Learn or draw :math:`G_0`, and draw the patches of every level.

        Parameters
        ----------
        X : array-like of shape (n, height, width) or (n, height * width), or None
            Semantic images; each value is the name of a semantic class. :math:`G_0`
            then draws uniformly among those of a label. If None, they are drawn.

        y : array-like of shape (n,), or None
            Labels of the semantic images, two or more classes.

        Returns
        -------
        self : HierarchicalSampler
            The fitted sampler.

        Raises
        ------
        ValueError
            If more patches or root images are asked for than exist.
        """
        with unchanged_on_failure(self):
            rng = make_rng(self.random_state)
            n_classes = self._per_level("n_semantic_classes")
            if X is None:
                images, labels = self._draw_root(n_classes[0], rng)
            else:
                images, labels = self._learn_root(X, y)
                n_classes[0] = len(self.semantic_classes_)
                self.linearly_separable_ = is_linearly_separable(images, labels, n_classes[0])
            order = np.argsort(labels, kind="stable")
            self._root = RootDistribution(images[order], labels[order])
            self.root_images_ = self.semantic_classes_[self._root.images]
            self.root_labels_ = self.classes_[self._root.labels]
            self._draw_patches(n_classes, rng)
        return self

    def _per_level(self, name):
        values = [
            value_at(getattr(self, name), name, level, "n_levels", self.n_levels)
            for level in range(self.n_levels)
        ]
        if not all(isinstance(v, Integral) and v >= 1 for v in values):
            raise ValueError(
                f"{name}={getattr(self, name)!r} is not valid: it takes a positive int, or "
                "one for each level."
            )
        return values

    def _draw_root(self, n_semantic_classes, rng):
        shape = (3, 3) if self.root_shape is None else as_pair(self.root_shape, "root_shape", 1)
        self.semantic_classes_ = np.arange(n_semantic_classes)
        self.classes_ = np.array([-1, 1]) if self.n_labels == 2 else np.arange(self.n_labels)
        self.n_features_in_ = prod(shape)
        self._holds_strings = False
        self.linearly_separable_ = True  # or draw_root_images raises
        return draw_root_images(self.n_labels, self.n_root_images, shape, n_semantic_classes, rng)

    def _learn_root(self, X, y):
        if y is None:
            raise ValueError(
                "HierarchicalSampler requires y to be passed, but the target y is None: "
                "semantic images need labels."
            )
        shape = shape_of(X)[1:]
        self._holds_strings = len(shape) == 1 and self.root_shape is None
        if self.root_shape is not None:
            shape = as_pair(self.root_shape, "root_shape", 1)
        elif len(shape) == 1:
            shape = (1, *shape)
        X, y = self._validate(X, shape, y, reset=True)
        self.classes_, labels = encode_labels(self, y)
        try:
            self.semantic_classes_, images = np.unique(X, return_inverse=True)
        except TypeError as error:
            raise TypeError(
                "X names semantic classes: every argument must be a string or a number, "
                f"all of one kind ({error})."
            ) from error
        return images.reshape(X.shape), labels

    def _validate(self, X, shape, y="no_validation", *, reset):
        """Check semantic images of an expected shape; return X as (n, height, width)."""
        given = shape_of(X)[1:]
        if len(given) > 1:
            if given != shape:
                raise ValueError(
                    f"X holds semantic images of shape {given}, where the shape {shape} "
                    "was expected."
                )
            X = np.asarray(X).reshape(-1, prod(given))
        checked = validate_data(self, X, y, reset=reset, dtype=None)
        X, *rest = checked if isinstance(checked, tuple) else (checked,)
        if X.shape[1] != prod(shape):
            raise ValueError(
                f"root_shape={self.root_shape!r} does not match X of shape {X.shape}: a "
                f"semantic image of that shape has {prod(shape)} pixels."
            )
        X = X.reshape(-1, *shape)
        return (X, *rest) if rest else X

    def _draw_patches(self, n_classes, rng):
        k = self._per_level("patches_per_class")
        sizes = self._patch_sizes()
        self.patches_ = [
            draw_symbol_table(n_classes[i], k[i], sizes[i], n_classes[i + 1], rng)
            for i in range(self.n_levels - 1)
        ]
        last = (n_classes[-1], k[-1], sizes[-1])
        self.patches_.append(draw_pixel_table(*last, self.pixel_patches, rng))
        self.level_shapes_ = [self._root.images.shape[1:]]
        for size in sizes:
            height, width = self.level_shapes_[-1]
            self.level_shapes_.append((height * size[0], width * size[1]))

    def _patch_sizes(self):
        # A tuple is one (height, width) for all levels; other sequences are per level.
        if isinstance(self.patch_size, tuple):
            return [as_pair(self.patch_size, "patch_size", 1)] * self.n_levels
        return [
            as_pair(
                value_at(self.patch_size, "patch_size", level, "n_levels", self.n_levels),
                "patch_size",
                1,
            )
            for level in range(self.n_levels)
        ]

    def sample(self, n_samples=1, *, random_state=None, return_latents=False):
        """Draw labeled images.

        Parameters
        ----------
        n_samples : int, default=1
            Number of images.

        random_state : int, RandomState instance or None, default=None
            Determines the samples. If None, the sampler's own `random_state` does.

        return_latents : bool, default=False
            Whether to return the semantic images of all levels too.

        Returns
        -------
        X : ndarray of shape (n_samples, height, width), float32
            Images.

        y : ndarray of shape (n_samples,)
            Their labels.

        latents : list of n_levels ndarrays
            The semantic images at levels 0, ..., d - 1. Only if `return_latents`.
        """
        check_is_fitted(self)
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples={n_samples!r} is not valid: it takes an int >= 1.")
        keys = index_keys(self._draw_seed(random_state), np.arange(n_samples))
        roots = self._root.draw(keys)
        images, latents = self._render(self._root.images[roots], keys, return_latents)
        y = self.classes_[self._root.labels[roots]]
        if not return_latents:
            return images, y
        return images, y, [self.semantic_classes_[latents[0]], *latents[1:]]

    def _draw_seed(self, random_state=None):
        rng = make_rng(self.random_state if random_state is None else random_state)
        return rng.randint(2**63 - 1, dtype=np.int64)

    def _render(self, semantic, keys, keep_latents=False):
        """Render semantic images by the draws of their keys; also the levels, if kept."""
        n_samples = len(semantic)
        images = np.empty((n_samples, *self.level_shapes_[-1]), np.float32)
        latents = [semantic]
        if keep_latents:
            latents += [
                np.empty((n_samples, *shape), np.intp) for shape in self.level_shapes_[1:-1]
            ]
        for batch in gen_batches(n_samples, _BATCH):
            level, position = semantic[batch], RootDistribution.n_draws
            for i, table in enumerate(self.patches_):
                n_draws = prod(level.shape[1:])
                choice = draw_integers(keys[batch], position, n_draws, table.shape[1])
                level = replace_pixels(level, choice.reshape(level.shape), table)
                position += n_draws
                if keep_latents and i + 1 < self.n_levels:
                    latents[i + 1][batch] = level
            images[batch] = level
        return images, latents

    def transform(self, X):
        """Render semantic images: draw patches for them, level by level.

        Each image is a function of its semantic image and `random_state`: with an int,
        equal semantic images become equal images. For others, set another
        `random_state`; the patches drawn in `fit` stay.

        Parameters
        ----------
        X : array-like of shape (n, height, width) or (n, height * width)
            Semantic images with the classes seen in `fit`.

        Returns
        -------
        images : ndarray of shape (n, height, width), float32
            Images.
        """
        check_is_fitted(self)
        X = self._validate(X, self.level_shapes_[0], reset=False)
        semantic = np.searchsorted(self.semantic_classes_, X)
        semantic = semantic.clip(max=len(self.semantic_classes_) - 1)
        unknown = self.semantic_classes_[semantic] != X
        if unknown.any():
            raise ValueError(
                f"X holds the semantic class {X[unknown][0]}, not among the classes seen "
                f"in fit: {self.semantic_classes_.tolist()}."
            )
        keys = content_keys(self._draw_seed(), semantic.reshape(len(X), -1))
        return self._render(semantic, keys)[0]

    def inverse_transform(self, X):
        """Recover the semantic images of clean images, exactly.

        Parameters
        ----------
        X : array-like of shape (n, height, width) or (n, height * width)
            Images that this sampler rendered.

        Returns
        -------
        semantic : ndarray of shape (n, height, width)
            Semantic images; (n, width) if `fit` was given strings.

        Raises
        ------
        ValueError
            If a patch of an image is none of the sampler's.
        """
        check_is_fitted(self)
        X = check_array(X, allow_nd=True, dtype=[np.float32, np.float64])
        shape = self.level_shapes_[-1]
        if prod(X.shape[1:]) != prod(shape) or (X.ndim > 2 and X.shape[1:3] != shape):
            raise ValueError(
                f"X holds images of shape {X.shape[1:]}, but this sampler renders images "
                f"of shape {shape}."
            )
        X = X.reshape(len(X), *shape)
        semantic = np.empty((len(X), *self.level_shapes_[0]), np.intp)
        for batch in gen_batches(len(X), _BATCH):
            level = X[batch]
            for i in reversed(range(self.n_levels)):
                level = recognize_patches(level, self.patches_[i])
                if (level < 0).any():
                    image, row, column = np.argwhere(level < 0)[0]
                    raise ValueError(
                        f"X[{batch.start + image}] is not a clean image of this sampler: "
                        f"no patch of level {i} is the one at row {row}, column {column}."
                    )
            semantic[batch] = level
        semantic = self.semantic_classes_[semantic]
        return semantic.reshape(len(X), -1) if self._holds_strings else semantic

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []
        return tags
