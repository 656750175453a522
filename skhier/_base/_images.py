"""Image shapes: validation of inputs, range of pixels, and the mixin of transformers.

Users pass images as (n, H, W, C), (n, H, W) or flat (n, H*W*C) arrays. Inside, all images are
(n, H, W, C). Flat X without `image_shape` holds plain vectors: images of one pixel with a
channel for each column.
"""

from collections.abc import Mapping, Sequence
from math import isqrt, prod
from numbers import Integral
from os import PathLike
from typing import Literal, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from ._blocked import is_blocked, validate_rows
from ._rows import Accumulator, Rows
from ._validation import refuse_masked, to_array, validate_data
from ._warnings import warn

# Dtypes that are kept; any other becomes the first. uint8 images stay uint8 until a batch is
# encoded: an eighth of the memory.
_DTYPES = (np.float64, np.float32, np.uint8)
# Dtypes whose numbers are all exact in float32, which a batch becomes when it is read.
_SHORT = [np.dtype(order + code) for code in ("?", "i1", "i2", "u2", "f2", "f4") for order in "<>"]
# Powers of two between which a number and its inverse are in range.
INVERTIBLE = {np.dtype(np.float32): (-110, 110), np.dtype(np.float64): (-450, 450)}
# Powers of two between which a number, its square, and sums of squares are in range.
SQUARABLE = {np.dtype(np.float32): (-50, 50), np.dtype(np.float64): (-450, 450)}


def normalize_image_shape(image_shape):
    """Return `image_shape` as (height, width, channels); two entries mean one channel."""
    shape = tuple(image_shape) if np.iterable(image_shape) else ()
    if len(shape) == 2:
        shape += (1,)
    if len(shape) != 3 or not all(isinstance(s, Integral) and s > 0 for s in shape):
        raise ValueError(
            f"image_shape={image_shape!r} is not valid: it takes positive integers, "
            "(height, width) or (height, width, channels)."
        )
    return tuple(int(s) for s in shape)


def shape_of(X):
    """Return the shape of an array-like."""
    return X.shape if hasattr(X, "shape") else to_array(X, "X").shape


def _shape_in_fit(X_shape, image_shape):
    """Return the image shape for an X of shape `X_shape` and the parameter `image_shape`."""
    if image_shape is None:
        given = X_shape[1:]
        return (1, 1, *given) if len(given) == 1 else normalize_image_shape(given)
    shape = normalize_image_shape(image_shape)
    if not _holds(X_shape, shape):
        raise ValueError(
            f"image_shape={image_shape!r} does not match X of shape {X_shape}: an "
            f"image of that shape has {prod(shape)} values."
        )
    return shape


def _holds(X_shape, image_shape):
    """Return whether an X of shape `X_shape` holds images of a shape, flat or not."""
    given = X_shape[1:]
    return given == (prod(image_shape),) if len(given) == 1 else (*given, 1)[:3] == image_shape


def _check_shape(X_shape, image_shape, name):
    """Raise ValueError if X is one image, or holds images of another shape than in `fit`."""
    if _holds(X_shape, image_shape):
        return
    if (*X_shape, 1)[:3] == image_shape:
        raise ValueError(
            f"X of shape {X_shape} is one image: {name} takes an array of images. Pass X[None], "
            "an array that holds this image only."
        )
    if len(X_shape) > 2:  # scikit-learn has the message for flat rows
        raise ValueError(
            f"X holds images of shape {X_shape[1:]}, but {name} was fitted on images of shape "
            f"{image_shape}."
        )


def _doubt_shape(X, verbose):
    """Warn of images that look channels first; if verbose, hint at flat images."""
    X_shape = tuple(X.shape)
    sizes = X_shape[1:]
    if len(sizes) == 3 and sizes[0] in (1, 3, 4):
        height, width, n_channels = sizes
        shorter, longer = sorted(sizes[1:])
        if 6 <= shorter <= longer <= 2 * shorter and not (height == 1 and _are_strings(X)):
            warn(
                f"X of shape {X_shape} is read as images of {height}x{width} pixels and "
                f"{n_channels} channels. If it has channels first, permute its axes to "
                f"(0, 2, 3, 1); if not, set image_shape={sizes}."
            )
    elif verbose and len(sizes) == 1:
        for n_channels in (1, 3):
            side = isqrt(sizes[0] // n_channels)
            if side > 1 and side * side * n_channels == sizes[0]:
                print(
                    f"X has {sizes[0]} columns and is read as plain vectors. If they are images, "
                    f"set image_shape={(side, side, n_channels)}.",
                    flush=True,
                )


def _are_strings(X):
    """Return whether X holds strings of one-hot symbols; blocked X is not read and may."""
    return is_blocked(X) or bool((np.count_nonzero(to_array(X[:9], "X"), axis=3) == 1).all())


def _as_array(X):
    """Return X with a shape: stack columns and lists, and refuse what is no array of numbers."""
    if type(X) is np.ndarray and X.dtype.kind not in "USO":
        return X
    if isinstance(X, Mapping):
        raise ValueError(
            f"X is a {type(X).__name__} of {sorted(map(str, X))[:9]}, not an array: pass one of "
            "its arrays."
        )
    if not isinstance(X, Sequence) and not any(hasattr(X, n) for n in ("shape", "__array__")):
        raise ValueError(
            f"X is a {type(X).__name__}, not an array: pass an array of images, of shape "
            "(n, H, W, C), (n, H, W) or flat (n, H*W*C)."
        )
    refuse_masked(X, "X")
    if issparse(X) and X.ndim > 2:  # scikit-learn has the message for others
        raise TypeError("X is sparse, which is not supported: pass X.toarray().")
    if hasattr(X, "columns"):  # a DataFrame
        if hasattr(X, "dask"):
            X = X.compute()
        elif not hasattr(X, "to_numpy"):  # of pyarrow
            X = X.to_pandas()
        for name, value in zip(X.columns, X[:1].to_numpy().ravel()):
            if np.ndim(value):
                raise ValueError(
                    f"X is a DataFrame whose column {name!r} holds arrays: pass the column alone, "
                    f"X[{name!r}]."
                )
    if len(getattr(X, "shape", ())) == 1 and hasattr(X, "to_list"):  # a column of a DataFrame
        values = X.to_numpy()
        X = X.to_list() if values.dtype == object else values
    if isinstance(X, (list, tuple)) or getattr(X, "ndim", 2) == 1:
        items = list(X)
        if items and isinstance(items[0], (str, bytes, PathLike)):
            raise ValueError(
                f"X holds names such as {str(items[0])!r}, not images: load them first, for "
                "example by skhier.datasets.load_image_folder."
            )
        shapes = {item.shape for item in items if isinstance(item, np.ndarray) and item.ndim > 1}
        if len(shapes) > 1:
            raise ValueError(
                f"X holds images of several shapes, such as {sorted(shapes)[:3]}: resize them to "
                "one shape, then np.stack them."
            )
        X = np.stack(items) if shapes else items
    return X if hasattr(X, "shape") else to_array(X, "X")


def validate_images(estimator, X, y="no_validation", *, reset):
    """Check X (and y) and return X as rows (n, H, W, C), without a copy if possible.

    Parameters
    ----------
    estimator : estimator
        With a parameter `image_shape`. If `reset`, its `image_shape_`, `n_features_in_`
        (H * W * C) and `feature_names_in_` are set; otherwise X is held against them.
    X : array-like
        Images, (n, H, W, C), (n, H, W) or flat (n, H * W * C).
    y : array-like or None, optional
        The labels; when given, (X, y) is returned.
    reset : bool
        Whether this is the X of `fit`.

    Raises
    ------
    ValueError
        If the rank, the geometry or the values (NaN, infinity) of X are not allowed.
    """
    X = _as_array(X)
    X_shape = tuple(X.shape)
    ndim = len(X_shape)
    name = type(estimator).__name__
    if ndim > 4:
        raise ValueError(
            f"{name} takes images of shape (n, H, W, C), (n, H, W) or flat "
            f"(n, H*W*C), but X has {ndim} dimensions."
        )
    if ndim < 2:  # scikit-learn has the messages for scalars and vectors
        validate_data(estimator, X, y, reset=False)
    shape = None
    if reset:
        shape = _shape_in_fit(X_shape, estimator.image_shape)
        if estimator.image_shape is None:
            _doubt_shape(X, getattr(estimator, "verbose", False))
    else:
        _check_shape(X_shape, estimator.image_shape_, name)
    if ndim > 2 and not is_blocked(X):
        X = to_array(X, "X")
        X = X.reshape(len(X), prod(X.shape[1:]))
    row_shape = shape if reset else estimator.image_shape_
    dtypes = [*_DTYPES, *_SHORT]
    if is_blocked(X):  # whose blocks become the first dtype when they are read
        dtypes = _DTYPES[1:] if X.dtype in _SHORT else _DTYPES
    checked = validate_rows(estimator, X, y, row_shape=row_shape, reset=reset, dtype=dtypes)
    if reset:
        estimator.image_shape_ = shape
    rows, *rest = checked if isinstance(checked, tuple) else (checked,)
    if rows.dtype not in _DTYPES:
        rows = Rows.of_array(_InFloat32(rows.source.array))
    return (rows, *rest) if rest else rows


class _InFloat32:
    """Array whose rows are converted when they are read: a file may be larger than memory."""

    dtype = np.dtype(np.float32)

    def __init__(self, array):
        self._array, self.shape = array, array.shape

    def __len__(self):
        return len(self._array)

    def __getitem__(self, index):
        return self._array[index].astype(self.dtype)


def refuse_extreme_values(X, exponents=INVERTIBLE, power=1.0):
    """Raise ValueError if training values are so large or small that digits would be lost.

    Parameters
    ----------
    X : Rows
        Images or features. X that is zero everywhere is allowed.
    exponents : dict
        INVERTIBLE or SQUARABLE.
    power : float
        Power that values will be raised to.
    """
    if X.dtype == np.uint8:
        return
    found = X.accumulate(ValueRange())
    largest = max(found.high, -found.low)
    if not largest:
        return
    if not np.isfinite(largest):  # scikit-learn does not look if assume_finite=True
        raise ValueError("Input X contains NaN or infinity.")
    least, most = (2.0 ** (e / max(1.0, power)) for e in exponents[X.dtype])
    if not least <= largest <= most:
        raise ValueError(
            f"X has values of up to {largest:.2g}; as {X.dtype} the largest may be from "
            f"{least:.0e} to {most:.0e}. Divide X by {largest:.0e}."
        )


def refuse_negative_values(X, needed_by):
    """Raise ValueError if X, as rows, has a negative value; `needed_by` is a setting."""
    if X.dtype != np.uint8 and (low := X.accumulate(ValueRange()).low) < 0:
        raise ValueError(
            f"Negative values in data passed to X, down to {low:.2g}: {needed_by} takes values "
            ">= 0, such as one-hot codes."
        )


class ValueRange(Accumulator):
    """Accumulator of the smallest and the largest difference to an offset.

    Parameters
    ----------
    offset : float or ndarray of shape (channels,)
        Subtracted.
    """

    def __init__(self, offset=0.0, low=np.inf, high=-np.inf):
        self._offset, self.low, self.high = offset, low, high

    @property
    def size(self):
        """Largest minus smallest value, where the offset counts too."""
        return max(self.high, 0.0) - min(self.low, 0.0)

    def add(self, batch):
        """Add rows, without a copy."""
        axis = 0 if np.ndim(self._offset) else None
        with np.errstate(over="ignore"):
            low, high = batch.min(axis=axis) - self._offset, batch.max(axis=axis) - self._offset
        self.low, self.high = min(self.low, float(low.min())), max(self.high, float(high.max()))

    def __add__(self, other):
        return ValueRange(self._offset, min(self.low, other.low), max(self.high, other.high))


def is_plain_vectors(estimator, X):
    """Return whether valid X holds plain vectors: flat rows, each an image of one pixel."""
    some = X[:1] if isinstance(X, (list, tuple)) else X  # converting all takes time
    return estimator.image_shape_[:2] == (1, 1) and len(_as_array(some).shape) == 2


class ImageTransformerMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Mixin of transformers that return images of the fitted shape `output_shape_`."""

    def __init_subclass__(cls, **kwargs):
        # Images do not fit in a data frame: the result of `transform` is not wrapped.
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)

    def set_output(
        self, *, transform: Literal["default", "pandas", "polars"] | None = None
    ) -> Self:
        """Accept the call without effect: images are always NumPy arrays.

        So :meth:`sklearn.pipeline.Pipeline.set_output` can be called on a pipeline with
        image steps; data frames begin at :class:`skhier.Flatten`.

        Parameters
        ----------
        transform : {'default', 'pandas', 'polars'} or None, default=None
            Ignored.

        Returns
        -------
        self : estimator
            The transformer itself.
        """
        return self

    @property
    def _n_features_out(self):
        return prod(self.output_shape_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
