"""Semantic images that users give: their shapes, and the names of the classes they hold."""

from math import prod

import numpy as np

from .._base._images import shape_of
from .._base._params import as_pair
from .._base._validation import to_array, validate_data


def semantic_shape(X, root_shape):
    """(height, width) of the semantic images in X, and whether they are strings."""
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
    """Check semantic images of an expected shape, and labels; return X as (n, height, width).

    Raises
    ------
    ValueError
        If they have another shape, or there are no labels in `fit`.
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
            f"semantic image of that shape has {prod(shape)} pixels."
        )
    X = X.reshape(-1, *shape)
    return (X, *rest) if rest else X


def name_classes(X):
    """The classes that semantic images hold, and the images as indices of them.

    Raises
    ------
    TypeError
        If classes of different kinds cannot be sorted.
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
    """Semantic images as indices of sorted classes; ValueError if they hold another."""
    semantic = np.searchsorted(classes, X).clip(max=len(classes) - 1)
    unknown = classes[semantic] != X
    if unknown.any():
        raise ValueError(
            f"X holds the semantic class {X[unknown][0]}, not among the classes seen "
            f"in fit: {classes.tolist()}."
        )
    return semantic
