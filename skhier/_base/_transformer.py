"""The part that transformers from images to images share."""

from math import prod
from typing import Literal, Self

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin


class ImageTransformerMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """A transformer whose output is images, with the fitted attribute `output_shape_`."""

    def __init_subclass__(cls, **kwargs):
        # Images do not fit in a data frame: nothing wraps what `transform` returns.
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
