"""Flatten: from images to the rows of features that scikit-learn's estimators take."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_is_fitted

from ._base._blocked import maps_rows
from ._base._fitting import Task, fit_method
from ._base._images import validate_images
from ._base._sklearn import BaseEstimator
from ._base._typing import ImageShape


class Flatten(CallbackSupportMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Flatten images of shape (n, H, W, C) to rows of H * W * C features.

    Put it between the last step of a :class:`~sklearn.pipeline.Pipeline` that returns images
    and an estimator that takes 2-D input. float64, float32 and uint8 are kept, and copied only if
    NumPy has to. Booleans, float16 and other integers of at most 16 bits become float32, which
    holds them exactly. All other dtypes become float64.

    Parameters
    ----------
    image_shape : tuple of int or None, default=None
        (H, W) or (H, W, C) of the images, needed only if X is flat and
        :meth:`inverse_transform` has to return images. None is the shape of X.

    Attributes
    ----------
    image_shape_ : tuple of int
        (H, W, C) of the images seen in `fit`.

    n_features_in_ : int
        H * W * C.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if X is a DataFrame.

    Examples
    --------
    >>> import numpy as np
    >>> from skhier import Flatten
    >>> Flatten().fit_transform(np.zeros((5, 8, 8, 3))).shape
    (5, 192)
    """

    _parameter_constraints = {"image_shape": "no_validation"}

    def __init__(self, image_shape: ImageShape = None) -> None:
        self.image_shape = image_shape

    @fit_method
    def fit(self, X: ArrayLike, y: None = None) -> Self:
        """Learn the shape of the images.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Images.

        y : None
            Ignored.

        Returns
        -------
        self : Flatten
            The fitted transformer.
        """
        with Task.fit(self, 0, X, y):
            validate_images(self, X, reset=True)
        return self

    @maps_rows
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Flatten images.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Images of the shape seen in `fit`.

        Returns
        -------
        X_flat : ndarray of shape (n, H * W * C)
            The pixels of each image, row by row, channels last.
        """
        check_is_fitted(self)
        images = validate_images(self, X, reset=False)
        return images.collect().reshape(len(images), -1)

    @maps_rows
    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Reshape rows of features to images.

        Parameters
        ----------
        X : array-like of shape (n, H * W * C)
            Flat images.

        Returns
        -------
        X_images : ndarray of shape (n, H, W, C)
            The images.
        """
        check_is_fitted(self)
        return validate_images(self, X, reset=False).collect()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
