"""Algorithm 1: layers are learned from the first to the last, then the head."""

from math import prod

from .._base._device import computing_dtype
from ._features import average_with_mirror
from ._heads import fit_head, head_bytes


def check_work(blocks, head, images, n_classes, memory):
    """Check all parts, and that there is memory for them, before work starts.

    Raises
    ------
    ValueError
        If a parameter is not allowed, or a step's work is more than memory allows.
    """
    shape, dtype = images.shape[1:], computing_dtype(images)
    for block in blocks:
        in_shape, shape = shape, block.check(shape, len(images))
        block.check_memory(in_shape, len(images), n_classes, dtype, memory)
    n_bytes = head_bytes(head, len(images), prod(shape), n_classes)
    memory.check(n_bytes, "fitting the head", "Raise it, or use head='ridge'.")


def train(blocks, head, images, y, mirror, memory, task):
    """Fit blocks and head on (n, H, W, C) images.

    Returns
    -------
    blocks : list of Block
        Those that were fitted: a callback may ask to go no further.
    shape : tuple of int
        (h, w, channels) of the representation that the head has seen.
    """
    features, dtype = images, computing_dtype(images)
    for number, block in enumerate(blocks, 1):
        with task.subtask(f"layer {number}", 2 + (block.embedder is not None)) as layer:
            features = block.fit_transform(features, y, dtype, memory, layer)
        shape = tuple(features.shape[1:])
        task.log(f"layer {number} of {len(blocks)}: images of shape {shape}")
        if task.stop:
            break
    blocks = blocks[:number]
    if mirror:
        average_with_mirror(features, images, blocks)
    fit_head(head, features.flatten(1), y, task)
    return blocks, shape
