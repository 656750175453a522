"""Interface of the parts of a network: the only private methods that other rooms call."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Plan:
    """Shapes, memory, precision and device of a part, known before there is data.

    Attributes
    ----------
    in_shape : tuple of int
        (height, width, channels) of one input image.
    out_shape : tuple of int
        (height, width, channels) of its output, where channels are an upper bound; of a head,
        (n_classes,).
    dtype : dtype
        NumPy dtype of results.
    device : torch.device
        Where to compute.
    work : tuple of Work
        Memory of the steps of a fit.
    n_copies : int
        Number of successive rows that are copies of one sample.
    """

    in_shape: tuple
    out_shape: tuple
    dtype: Any
    device: Any
    work: tuple
    n_copies: int = field(default=1, kw_only=True)


class Part:
    """Interface of a part: a stage of a layer, or the head.

    A fit calls `_plan` for all parts, then for each part `_fit_rows`, then `_operator`. A fitted
    part needs `_operator` alone: it takes its parameters from fitted attributes.
    """

    def _plan(self, in_shape, n_images, n_classes, dtype, device):
        """Check the parameters for images of a shape, and return a :class:`Plan`.

        Raises
        ------
        ValueError
            If a parameter is not allowed, or does not fit the images.
        """
        raise NotImplementedError

    def _fit_rows(self, rows, y, weight, groups, plan):
        """Fit on valid rows of images of shape `plan.in_shape`, or with fewer channels.

        Parameters
        ----------
        rows : Rows of shape (n, height, width, channels)
            Images or codes.
        y : ndarray of shape (n,)
            Labels.
        weight : ndarray of shape (n,) or None
            Weights; None if all are 1.
        groups : ndarray of shape (n,) or None
            Groups that are not split where samples are held out; None if every sample is a group
            of its own.
        plan : Plan
            Result of `_plan`.
        """
        raise NotImplementedError

    def _operator(self, dtype, device):
        """Return the fitted :class:`Operator`, for results of a dtype, on a device."""
        raise NotImplementedError
