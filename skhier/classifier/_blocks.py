"""A block of the network: patches to codes to embedded images, batch by batch."""

from typing import NamedTuple

from sklearn.utils import gen_batches

from .._base._device import map_batches
from ..clustering import PatchKMeansOrthogonalizer
from ..embedding import TwoLayerConvEmbedder
from ._memory import UNLIMITED


class EncodedImages:
    """The codes of images, made when they are read: a :class:`CodeSource`.

    Codes are 10 to 100 times larger than images, so they live for one batch only.
    """

    def __init__(self, encoder, images):
        self._encoder, self._images = encoder, images
        self.code_shape = encoder.code_shape
        self.batch_size = encoder.batch_size

    def __len__(self):
        return len(self._images)

    def take(self, index):
        """The codes of the images that a slice or an index array selects."""
        return self._encoder.encode(self._images[index])


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
            self.embedder._check()
            channels = int(self.embedder.n_components)
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

    def fit_transform(self, images, y, weight, dtype, memory, task):
        """Fit both parts on (n, H, W, C) images and return the block's output.

        `weight` is that of images, or None; `dtype` is that of results, which the precision
        of codes follows; `memory` says where the output is kept.
        """
        with task.delegate("orthogonalizer", self.orthogonalizer):
            self.orthogonalizer._fit_images(images, weight)
        if self.embedder is not None:
            with task.delegate("embedder", self.embedder):
                source = EncodedImages(self.orthogonalizer._encoder(dtype), images)
                self.embedder._fit_source(source, y, weight, dtype)
        with task.subtask("transform", None) as transform:
            return self.transform(images, dtype, memory, transform)

    def transform(self, images, dtype, memory=UNLIMITED, task=None):
        """The block's output for (n, H, W, C) images, a tensor in the precision of codes."""
        encoder = self.orthogonalizer._encoder(dtype)
        sizes = len(images), encoder.batch_size
        batches = gen_batches(*sizes) if task is None else task.in_parts("transform", *sizes)
        if self.embedder is not None:
            out = memory.empty((len(images), *self.embedder.output_shape_), encoder.dtype)
            return self.embedder._embed(EncodedImages(encoder, images), batches, out)
        out = memory.empty((len(images), *encoder.code_shape), encoder.dtype)
        return map_batches(lambda batch: encoder.encode_dense(images[batch]), batches, out)
