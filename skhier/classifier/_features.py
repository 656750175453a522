"""The learned representation of images: the output of the last layer."""

from sklearn.utils import gen_batches

from .._base._device import computing_dtype

CHUNK = 2048  # images whose representation is held while predicting


def represent(images, blocks, mirror):
    """The output of the last of fitted blocks for (n, H, W, C) images, a tensor.

    With `mirror`, averaged with that of their mirror images.
    """
    dtype, features = computing_dtype(images), images
    for block in blocks:
        features = block.transform(features, dtype)
    if mirror:
        average_with_mirror(features, images, blocks)
    return features


def average_with_mirror(features, images, blocks):
    """Average features, in place, with those of the images' mirror images."""
    for chunk in gen_batches(len(images), CHUNK):
        mirrored = represent(images[chunk, :, ::-1], blocks, mirror=False)
        features[chunk].add_(mirrored).mul_(0.5)
