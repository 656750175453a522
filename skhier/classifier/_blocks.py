"""Blocks of the network, and weights of images."""

from copy import copy
from math import prod
from typing import NamedTuple

import numpy as np

from .._base._rows import Chain, Operator, compose
from .._base._targets import class_weights
from ..clustering import PatchKMeansOrthogonalizer
from ..embedding import TwoLayerConvEmbedder
from ._mirror import MirrorAverage

_MAX_IMAGES = 2048
# Of the output of a layer, for a batch: larger memory is fresh in each batch, which is slow.
_MAX_BYTES = 2**24


class Block(NamedTuple):
    """One layer of the algorithm. Without an embedder, its output is the codes."""

    orthogonalizer: PatchKMeansOrthogonalizer
    embedder: TwoLayerConvEmbedder | None

    def parts(self):
        """Return (name, part) of the parts, in order."""
        return [(name, part) for name, part in self._asdict().items() if part is not None]

    def on_device(self, device):
        """Return the block with copies of the fitted parts that compute on a device."""
        return Block(*(part and copy(part).set_params(device=device) for part in self))

    def fit(self, rows, y, weight, groups, plans, task):
        """Fit the parts on rows of images and return the operator of the block."""
        dtype, device = plans[0].dtype, plans[0].device
        with task.delegate("orthogonalizer", self.orthogonalizer), task.timed("orthogonalizer", 2):
            self.orthogonalizer._fit_rows(rows, y, weight, groups, plans[0])
        if self.embedder is not None:
            codes = rows.map(self.orthogonalizer._operator(dtype, device, dense=False))
            with task.delegate("embedder", self.embedder), task.timed("embedder", 2):
                # Codes are 10 to 100 times larger than images: they exist for one batch only.
                self.embedder._fit_rows(codes, y, weight, groups, plans[1])
        return self.operator(dtype, device)

    def operator(self, dtype, device):
        """Return the operator from images to the output of the fitted block."""
        if self.embedder is None:
            return self.orthogonalizer._operator(dtype, device)
        encode = self.orthogonalizer._operator(dtype, device, dense=False)
        embed = self.embedder._operator(encode.dtype, device)
        return compose((encode, embed), encode.batch_size)


def network_operator(layers, dtype, mirror=False):
    """Return the operator from images to the output of the last of the layers.

    Parameters
    ----------
    layers : list of Operator
        From the first to the last.
    dtype : torch.dtype
        Dtype of the output.
    mirror : bool
        Whether the output is the average with the output for the mirror image.
    """
    largest = max(prod(layer.row_shape) for layer in layers) * layers[-1].dtype.itemsize
    size = max(1, min(_MAX_IMAGES, _MAX_BYTES // largest))
    function = Chain(tuple(layers))
    if mirror:
        function = MirrorAverage(function)
    return Operator(function, layers[-1].row_shape, dtype, size)


class Weights(NamedTuple):
    """Weights of images, None if all are 1.

    Attributes
    ----------
    given : ndarray of shape (n,) or None
        `sample_weight`.
    total : ndarray of shape (n,) or None
        `sample_weight` times the weight of the class of the image.
    """

    given: np.ndarray | None
    total: np.ndarray | None

    @classmethod
    def with_classes(cls, sample_weight, class_weight, classes, y):
        """Return the weights of images with labels y."""
        if class_weight is None:
            return cls(sample_weight, sample_weight)
        weight = class_weights(y, class_weight, classes, sample_weight)
        return cls(sample_weight, weight if sample_weight is None else weight * sample_weight)

    def of_copies(self, n_copies, n_rows):
        """Divide the weight of each image among its copies, which are successive rows."""
        equal = np.ones(n_rows // n_copies)
        each = (equal if weight is None else weight for weight in self)
        return Weights(*(np.repeat(weight / n_copies, n_copies) for weight in each))
