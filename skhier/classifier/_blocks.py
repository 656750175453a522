"""Blocks of the network, and algorithm 1: blocks are learned from the first to the last."""

from copy import copy
from itertools import chain
from math import prod
from typing import NamedTuple

import numpy as np

from .._base._params import is_auto
from .._base._rows import Chain, Operator, compose
from .._base._targets import class_weights
from ..clustering import PatchKMeansOrthogonalizer
from ..embedding import TwoLayerConvEmbedder
from ._heads import fit_head, plan_head, takes_weights
from ._least_squares import LeastSquaresHead
from ._left_out import MAX_LEFT_OUT, left_out_work
from ._mirror import MAX_CHOOSING, MirrorAverage, of_mirror_images
from ._shifts import n_copies, with_shifts

_MAX_IMAGES = 2048
_MAX_BYTES = 2**28  # of the output of a layer, for a batch


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
        with task.delegate("orthogonalizer", self.orthogonalizer), task.timed("orthogonalizer", 2):
            self.orthogonalizer._fit_rows(rows, y, weight, groups, plans[0])
        is_dense = self.embedder is None
        encode = self.orthogonalizer._operator(plans[0].dtype, plans[0].device, is_dense)
        if self.embedder is not None:
            with task.delegate("embedder", self.embedder), task.timed("embedder", 2):
                # Codes are 10 to 100 times larger than images: they exist for one batch only.
                self.embedder._fit_rows(rows.map(encode), y, weight, groups, plans[1])
        return self._embed(encode, plans[0].device)

    def operator(self, dtype, device):
        """Return the operator from images to the output of the fitted block."""
        encode = self.orthogonalizer._operator(dtype, device, self.embedder is None)
        return self._embed(encode, device)

    def _embed(self, encode, device):
        if self.embedder is None:
            return encode
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


def plan_network(
    blocks, head, images, weights, groups, mirror, pixels, n_classes, dtype, device, memory
):
    """Check all parts, and that there is memory for them, before work starts.

    The head learns from images that are shifted by `pixels` too, if it is not 0. `mirror` is True,
    False or 'auto'.

    Returns
    -------
    plans : list of list of Plan
        Plans of the parts of each block.
    of_head : Plan
        Plan of the head.

    Raises
    ------
    ValueError
        If a parameter is not allowed, if there are weights but the head takes none, or if a
        step needs more memory than there is.
    """
    if weights.total is not None and not takes_weights(head):
        raise ValueError(
            f"sample_weight and class_weight are not for head={head!r}: its fit takes no "
            "sample_weight."
        )
    shape, sizes, plans = images.shape[1:], (len(images), n_classes, dtype, device), []
    for block in blocks:
        plans.append([])
        for _, part in block.parts():
            plans[-1].append(part._plan(shape, *sizes))
            shape = plans[-1][-1].out_shape
    of_head = plan_head(head, shape, len(images), n_copies(pixels), *sizes[1:])
    works = [work for plan in chain.from_iterable([*plans, [of_head]]) for work in plan.work]
    if groups is not None and isinstance(head, LeastSquaresHead):
        n_left_out = min(len(images) * of_head.n_copies, MAX_LEFT_OUT)
        works.append(left_out_work("leaving out groups", n_left_out, prod(shape), "Raise it."))
    if is_auto(mirror):
        n_left_out, advice = min(len(images), MAX_CHOOSING), "Raise it, or set mirror."
        works.append(left_out_work("choosing mirror", n_left_out, prod(shape), advice))
    for work in works:
        memory.check(work)
    return plans, of_head


def train_network(blocks, plans, head, images, y, weights, groups, mirror, pixels, memory, task):
    """Fit blocks and head on rows (n, H, W, C) of images; shift them by pixels for the head.

    `plans` is the result of `plan_network`, `groups` that of `check_groups`, `mirror` a
    :class:`MirrorChoice`.

    Returns
    -------
    blocks : list of Block
        The fitted blocks: a callback may ask to go no further.
    shape : tuple of int
        (h, w, channels) of the representation that the head is fitted on.
    mirror : bool
        Whether it is averaged over images and their mirror images.
    """
    features, layers, (plans, of_head) = images, [], plans
    for number, (block, block_plans) in enumerate(zip(blocks, plans), 1):
        layer = task.subtask(f"layer {number}", 1 + len(block_plans))
        with layer as part, task.timed(f"layer {number} of {len(blocks)}") as notes:
            layers.append(block.fit(features, y, weights.total, groups, block_plans, part))
            features, is_last = features.map(layers[-1]), number == len(blocks)
            with part.subtask("transform", None) as transform, part.timed("transform", 2):
                if not (is_last and pixels):  # then the features of shifted images are needed
                    how = memory, transform, "transform", is_last  # a head reads features often
                    features = features.cached(*how)
            notes.append(f"images of shape {features.shape[1:]}")
        if task.stop:
            break
    network = network_operator(layers, features.dtype)
    if pixels:
        images = with_shifts(images, pixels)
        with task.timed("features of shifted images"):
            features = images.map(network).cached(memory, may_use_file=True)
    mirrored = of_mirror_images(images, network)
    samples = y, weights.total, groups, n_copies(pixels)
    mirror = mirror.resolve(features, mirrored, *samples, task)
    if mirror:
        with task.timed("features of mirror images"):
            features = features.cached(memory, may_use_file=True).averaged(mirrored)
    with task.timed("head"):
        fit_head(head, features, y, weights, groups, of_head, task)
    return blocks[: len(layers)], features.shape[1:], mirror
