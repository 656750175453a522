"""The learned representation of images: the output of the last layer."""

from math import prod
from typing import Any, NamedTuple

from .._base._device import as_tensor, in_batches

_MOST_IMAGES = 2048
_MOST_BYTES = 2**28  # of an output of a layer that is not held for all images


class Network(NamedTuple):
    """The map from batches of images (n, H, W, C) to the output of the last of fitted layers.

    Attributes
    ----------
    layers : list of Layer
        From the first to the last.
    mirror : bool
        Whether outputs are averaged with those of the mirror images.
    """

    layers: Any
    mirror: bool

    def applied(self, images, dtype):
        """The outputs for rows of images, as rows of a torch dtype."""
        return images.derived(self, self.out_shape, dtype, self.batch_size)

    @property
    def out_shape(self):
        """(h, w, channels) of the output."""
        return self.layers[-1].out_shape

    @property
    def dtype(self):
        """The torch dtype of the output."""
        return self.layers[-1].encoder.dtype

    @property
    def batch_size(self):
        """The number of images whose outputs of all layers are held at a time."""
        largest = max(prod(layer.out_shape) for layer in self.layers) * self.dtype.itemsize
        return max(1, min(_MOST_IMAGES, _MOST_BYTES // largest))

    def __call__(self, images):
        """The output for images."""
        return in_batches(self._of_batch, images, self.batch_size)

    def _of_batch(self, images):
        features = images
        for layer in self.layers:
            features = layer(features)
        return self.with_mirror(features, images) if self.mirror else features

    def with_mirror(self, features, images):
        """The output for images averaged, in place, with that for their mirror images."""
        mirrored = self._replace(mirror=False)(as_tensor(images).flip(2))
        return features.add_(mirrored).mul_(0.5)


class LastLayer(NamedTuple):
    """The output of a network with `mirror`, for pairs of its last layer's input and the image.

    Attributes
    ----------
    network : Network
        The network.
    """

    network: Network

    def applied(self, inputs, images):
        """The outputs for rows of both, as rows."""
        network = self.network
        batch_size = network.layers[-1].encoder.batch_size
        return inputs.paired(images).derived(self, network.out_shape, network.dtype, batch_size)

    def __call__(self, pair):
        """The output for a pair of batches."""
        inputs, images = pair
        return self.network.with_mirror(self.network.layers[-1](inputs), images)
