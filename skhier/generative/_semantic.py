"""Root of a sampler: semantic images that users pass, or that are drawn."""

from functools import partial
from math import prod
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._base._images import shape_of
from .._base._params import as_pair
from .._base._targets import encode_labels
from .._base._validation import to_array, validate_data
from ._root import draw_root_images


class RootMixin:
    """Methods of a sampler that set its labels and semantic classes, and read semantic images."""

    level_shapes_: list[tuple[int, int]]
    n_labels: int
    n_root_images: int
    root: str
    root_shape: tuple[int, int] | None
    _model: Any

    @property
    def separator_(self):
        check_is_fitted(self)
        return self._model.separator

    @property
    def margin_(self):
        return 0.0 if self.separator_ is None else float(1 / np.linalg.norm(self.separator_))

    def _set_drawn_root(self, level, rng):
        """Set labels and classes of a root without data; return a function that draws it."""
        n_labels, n_images = int(self.n_labels), int(self.n_root_images)
        labels = np.arange(n_labels)
        if self.root == "label":
            shape = (1, 1)
            level.set_n_classes(n_labels, "n_labels")
            images = labels.reshape(-1, 1, 1)
            draw_images = partial(tuple, (images, labels))
        else:
            shape = (3, 3) if self.root_shape is None else as_pair(self.root_shape, "root_shape", 1)
            draw_images = partial(draw_root_images, n_labels, n_images, shape, level.n_classes, rng)
        self.semantic_classes_ = np.arange(level.n_classes)
        has_signs = n_labels == 2 and self.root == "images"
        self.classes_ = np.array([-1, 1]) if has_signs else labels
        self.n_features_in_ = prod(shape)
        self.__dict__.pop("feature_names_in_", None)
        self._holds_strings = False
        return draw_images

    def _set_given_root(self, X, y, level):
        """Set labels and classes from X and y; return a function that returns the root."""
        shape, self._holds_strings = semantic_shape(X, self.root_shape)
        X, y = validate_semantic(self, X, shape, y, reset=True)
        self.classes_, labels = encode_labels(self, y)
        self.semantic_classes_, images = name_classes(X)
        level.set_n_classes(len(self.semantic_classes_), "X")
        return partial(tuple, (images, labels))

    def _encode_semantic(self, X):
        """Return semantic images as indices of `semantic_classes_`."""
        X = validate_semantic(self, X, self.level_shapes_[0], reset=False)
        return find_classes(X, self.semantic_classes_)


def semantic_shape(X, root_shape):
    """Return the shape (height, width) of the semantic images in X, and whether X is strings."""
    shape = shape_of(X)[1:]
    if len(shape) > 2:
        raise ValueError(
            f"X has {len(shape) + 1} dimensions, but HierarchicalSampler takes semantic images of "
            "shape (n, height, width) or flat (n, height * width)."
        )
    is_flat = len(shape) == 1
    if root_shape is not None:
        return as_pair(root_shape, "root_shape", 1), False
    return (1, *shape) if is_flat else shape, is_flat


def validate_semantic(sampler, X, shape, y="no_validation", *, reset):
    """Check semantic images of a given shape, and labels; return X as (n, height, width).

    Raises
    ------
    ValueError
        If the images have another shape, or `fit` gets no labels.
    """
    if y is None:
        raise ValueError(
            "HierarchicalSampler requires y to be passed, but the target y is None: "
            "semantic images need labels."
        )
    given = shape_of(X)[1:]
    if len(given) > 1:
        if given != shape:
            raise ValueError(
                f"X holds semantic images of shape {given}, where the shape {shape} was expected."
            )
        X = to_array(X, "X").reshape(len(X), prod(given))
    checked = validate_data(sampler, X, y, reset=reset, dtype=None)
    X, *rest = checked if isinstance(checked, tuple) else (checked,)
    if X.shape[1] != prod(shape):
        raise ValueError(
            f"root_shape={sampler.root_shape!r} does not match X of shape {X.shape}: a "
            f"semantic image of shape {shape} has {prod(shape)} pixels."
        )
    X = X.reshape(-1, *shape)
    return (X, *rest) if rest else X


def name_classes(X):
    """Return the sorted classes of semantic images, and the images as indices of classes.

    Raises
    ------
    TypeError
        If the classes are of different kinds, which cannot be sorted.
    """
    try:
        classes, images = np.unique(X, return_inverse=True)
    except TypeError as error:
        raise TypeError(
            "X names semantic classes: every argument must be a string or a number, "
            f"all of one kind ({error})."
        ) from error
    return classes, images.reshape(X.shape)


def find_classes(X, classes):
    """Return semantic images as indices of sorted `classes`; ValueError for other classes."""
    semantic = np.searchsorted(classes, X).clip(max=len(classes) - 1)
    unknown = classes[semantic] != X
    if unknown.any():
        raise ValueError(
            f"X holds the semantic class {X[unknown][0]}, not among the classes seen "
            f"in fit: {classes.tolist()}."
        )
    return semantic
