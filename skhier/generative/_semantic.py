"""Validation of the semantic images that users pass: their shapes and classes."""

from math import prod

import numpy as np

from .._base._images import shape_of
from .._base._params import as_pair
from .._base._validation import to_array, validate_data


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
