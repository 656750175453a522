"""A block of the network: patches to codes to embedded images, batch by batch."""

from typing import NamedTuple

import torch

from .._base._device import in_batches
from ..clustering import PatchKMeansOrthogonalizer
from ..clustering._encoder import PatchEncoder
from ..embedding import TwoLayerConvEmbedder
from ..embedding._codes import conv1x1


class Block(NamedTuple):
    """One layer of the algorithm; without an embedder its output is the codes."""

    orthogonalizer: PatchKMeansOrthogonalizer
    embedder: TwoLayerConvEmbedder | None

    def check(self, image_shape, n_images):
        """Check parameters before there is data; return the shape of the output.

        The number of channels is an upper bound where it is not known yet.

        Raises
        ------
        ValueError
            If a parameter is not allowed, or patches do not fit images of this shape.
        """
        height, width, channels = self.orthogonalizer._check(image_shape, n_images).code_shape
        if self.embedder is not None:
            self.embedder._check(channels)
            channels = self.embedder._n_components(channels)
        return height, width, channels

    def check_memory(self, image_shape, n_images, n_classes, dtype, memory):
        """Raise ValueError if the block's work on such images is more than memory allows."""
        plan = self.orthogonalizer._plan(image_shape)
        sizes = plan.work_bytes(n_images, dtype)
        memory.check(
            sizes[0], "clustering patches", "Raise it, or lower n_patches of the orthogonalizer."
        )
        memory.check(sizes[1], "encoding one image", "Raise it, or lower n_clusters.")
        if self.embedder is not None:
            size = self.embedder._work_values(plan.code_shape, n_classes)
            advice = "Raise it, or lower n_clusters, or batch_size of the embedder."
            memory.check(size * dtype.itemsize, "a step of the embedder", advice)

    def fit(self, images, y, weight, dtype, task):
        """Fit both parts on rows (n, H, W, C) of images.

        `weight` is that of images, or None; `dtype` is that of results, which the precision
        of codes follows.
        """
        with task.delegate("orthogonalizer", self.orthogonalizer):
            self.orthogonalizer._fit_images(images, weight)
        if self.embedder is not None:
            with task.delegate("embedder", self.embedder):
                # Codes are 10 to 100 times larger than images, so they live for one batch only.
                encoder = self.orthogonalizer._encoder(dtype)
                made = encoder.encode, encoder.code_shape, encoder.dtype, encoder.batch_size
                self.embedder._fit_codes(images.derived(*made), y, weight, dtype)

    def layer(self, dtype):
        """The map from batches of images to the block's output."""
        kernels = None if self.embedder is None else self.embedder._kernels()
        return Layer(self.orthogonalizer._encoder(dtype), kernels)


class Layer(NamedTuple):
    """What a fitted block does to images, in the precision of codes.

    Attributes
    ----------
    encoder : PatchEncoder
        From images to codes.
    kernels : Tensor of shape (n_channels, n_components) or None
        Those of the embedding of codes, if there is one.
    """

    encoder: PatchEncoder
    kernels: torch.Tensor | None

    @property
    def out_shape(self):
        """(h, w, channels) of the output."""
        height, width, channels = self.encoder.code_shape
        return height, width, channels if self.kernels is None else self.kernels.shape[1]

    def __call__(self, images):
        """The output for images (n, H, W, C), batch by batch."""
        return in_batches(self._of_batch, images, self.encoder.batch_size)

    def _of_batch(self, images):
        if self.kernels is None:
            return self.encoder.encode_dense(images)
        return conv1x1(self.encoder.encode(images), self.kernels)

    def applied(self, images):
        """The output for rows of images, as rows."""
        encoder = self.encoder
        return images.derived(self, self.out_shape, encoder.dtype, encoder.batch_size)
