"""Algorithm 1: layers are learned from the first to the last, then the head."""

from math import prod
from typing import NamedTuple

import numpy as np

from .._base._device import computing_dtype
from .._base._weights import class_weight_of
from ._features import LastLayer, Network
from ._heads import fit_head, head_bytes, takes_weights


class Weights(NamedTuple):
    """Weights of images, None where all are 1.

    Attributes
    ----------
    of_samples : ndarray of shape (n,) or None
        Those that were given.
    of_all : ndarray of shape (n,) or None
        Those times the weights of the images' classes.
    """

    of_samples: np.ndarray | None
    of_all: np.ndarray | None

    @classmethod
    def of(cls, sample_weight, class_weight, classes, y):
        """The weights of images whose labels are y."""
        if class_weight is None:
            return cls(sample_weight, sample_weight)
        unit = class_weight_of(y, class_weight, classes, sample_weight)
        return cls(sample_weight, unit if sample_weight is None else unit * sample_weight)


def check_work(blocks, head, images, weights, n_classes, memory):
    """Check all parts, and that there is memory for them, before work starts.

    Raises
    ------
    ValueError
        If a parameter is not allowed, if the head takes no weights but there are some, or if a
        step's work is more than memory allows.
    """
    if weights.of_all is not None and not takes_weights(head):
        raise ValueError(
            f"sample_weight and class_weight are not for head={head!r}: its fit takes no "
            "sample_weight."
        )
    shape, dtype = images.shape[1:], computing_dtype(images)
    for block in blocks:
        in_shape, shape = shape, block.check(shape, len(images))
        block.check_memory(in_shape, len(images), n_classes, dtype, memory)
    n_bytes = head_bytes(head, len(images), prod(shape), n_classes)
    memory.check(n_bytes, "fitting the head", "Raise it, or use head='ridge'.")


def train(blocks, head, images, y, weights, mirror, memory, task):
    """Fit blocks and head on rows (n, H, W, C) of images.

    Returns
    -------
    blocks : list of Block
        Those that were fitted: a callback may ask to go no further.
    shape : tuple of int
        (h, w, channels) of the representation that the head has seen.
    """
    features, layers, dtype = images, [], computing_dtype(images)
    for number, block in enumerate(blocks, 1):
        with task.subtask(f"layer {number}", 2 + (block.embedder is not None)) as part:
            block.fit(features, y, weights.of_all, dtype, part)
            layers.append(block.layer(dtype))
            inputs, features = features, layers[-1].applied(features)
            is_last = number == len(blocks)
            with part.subtask("transform", None) as transform:
                if not (is_last and mirror):
                    where = memory.and_files() if is_last else memory  # a head reads often
                    features = features.held(where, transform, "transform")
        task.log(f"layer {number} of {len(blocks)}: images of shape {features.shape[1:]}")
        if task.stop:
            break
    if mirror:
        features = LastLayer(Network(layers, mirror)).applied(inputs, images)
        features = features.held(memory.and_files())
    fit_head(head, features, y, weights, task)
    return blocks[: len(layers)], features.shape[1:]
