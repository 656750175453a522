"""Algorithm 1: blocks are planned, then learned from the first to the last, then the head."""

from itertools import chain
from math import prod
from typing import Any, NamedTuple

from .._base._params import is_auto
from .._base._rows import Rows
from ..clustering._plan import pooled_by
from ._blocks import Block, Weights, network_operator
from ._choosing import MAX_CHOOSING, Choosers
from ._depth import choose_one_layer, n_choosing
from ._heads import fit_head, plan_head, takes_weights
from ._least_squares import LeastSquaresHead
from ._left_out import MAX_LEFT_OUT, left_out_work
from ._mirror import choose_mirror, of_mirror_images
from ._shifts import n_copies, shift_pixels, with_shifts

_MAX_PIXELS = 64  # of the output of a layer that may be the only one


class Samples(NamedTuple):
    """What a fit learns from.

    Attributes
    ----------
    images : Rows of shape (n, H, W, C)
        Images.
    y : ndarray of shape (n,)
        Labels.
    weights : Weights
        Weights of images.
    groups : ndarray of shape (n,) or None
        Result of `check_groups`.
    """

    images: Rows
    y: Any
    weights: Weights
    groups: Any

    def choosers(self, n, seed):
        """Draw up to n images that choose."""
        return Choosers.draw(self.y, self.weights.total, self.groups, n, seed)


class Choices(NamedTuple):
    """What a rule may choose, and how.

    Attributes
    ----------
    only : PatchKMeansOrthogonalizer or None
        The orthogonalizer of one layer that may be used instead of all; it gets the clusters of
        the first layer. None is no choice.
    mirror : bool or 'auto'
        Whether features are averaged over images and their mirror images.
    shift : int or 'auto'
        Pixels by which copies of images are shifted, 0 for no copies.
    seed : int
        Determines the images that choose.
    """

    only: Any
    mirror: bool | str
    shift: int | str
    seed: int


class NetworkPlan(NamedTuple):
    """Plans of the parts of each block, and of the head.

    `pixels` are those by which copies of images are shifted, 0 for no copies.
    """

    parts: list
    head: Any
    pixels: int

    def works(self):
        """Return the work of all steps of a fit."""
        plans = chain(chain.from_iterable(self.parts), [self.head])
        return [work for plan in plans for work in plan.work]


def plan_network(blocks, head, choices, samples, n_classes, dtype, device, memory):
    """Check all parts, and that there is memory for them, before work starts.

    Returns
    -------
    plan : NetworkPlan
        Of all blocks and the head.
    shallow_plan : NetworkPlan or None
        Of one layer and the head. None if it is no choice, or its output is large.

    Raises
    ------
    ValueError
        If a parameter is not allowed, if there are weights but the head takes none, or if a
        step needs more memory than there is.
    """
    if samples.weights.total is not None and not takes_weights(head):
        raise ValueError(
            f"sample_weight and class_weight are not for head={head!r}: its fit takes no "
            "sample_weight."
        )
    images = samples.images
    setting = head, choices, images, n_classes, dtype, device
    plan, shallow_plan = _plan_blocks(blocks, *setting), None
    if choices.only is not None:
        shallow_plan = _plan_blocks([Block(choices.only, None)], *setting)
        if prod(shallow_plan.head.in_shape[:2]) > _MAX_PIXELS:
            shallow_plan = None
    plans = [plan] if shallow_plan is None else [plan, shallow_plan]
    works = [work for p in plans for work in p.works()]
    n_features = max(prod(p.head.in_shape) for p in plans)
    if samples.groups is not None and isinstance(head, LeastSquaresHead):
        n_left_out = min(len(images) * plan.head.n_copies, MAX_LEFT_OUT)
        works.append(left_out_work("leaving out groups", n_left_out, n_features, "Raise it."))
    if shallow_plan is not None or is_auto(choices.mirror):
        n_left_out, step = min(len(images), MAX_CHOOSING), "choosing n_layers and mirror"
        works.append(left_out_work(step, n_left_out, n_features, "Raise it, or set them."))
    for work in works:
        memory.check(work)
    return plan, shallow_plan


def _plan_blocks(blocks, head, choices, images, n_classes, dtype, device):
    shape, parts = images.shape[1:], []
    for block in blocks:
        parts.append([])
        for _, part in block.parts():
            parts[-1].append(part._plan(shape, len(images), n_classes, dtype, device))
            shape = parts[-1][-1].out_shape
    pixels = shift_pixels(choices.shift, images, len(blocks))
    sizes = len(images), n_copies(pixels), n_classes, dtype, device
    return NetworkPlan(parts, plan_head(head, shape, *sizes), pixels)


def train_network(blocks, head, plans, choices, samples, memory, task):
    """Fit blocks and head; `plans` are the results of `plan_network`.

    Returns
    -------
    blocks : list of Block
        The fitted blocks that are used.
    shape : tuple of int
        (h, w, channels) of the representation that the head is fitted on.
    mirror : bool
        Whether it is averaged over images and their mirror images.
    pixels : int
        By which copies of images were shifted.
    """
    plan, shallow_plan = plans
    images, y, weights, groups = samples
    features, layers = images, []
    for number, (block, block_plans) in enumerate(zip(blocks, plan.parts), 1):
        is_last = number == len(blocks)
        subtask = task.subtask(f"layer {number}", len(block_plans) + (not is_last))
        with subtask as layer_task, task.timed(f"layer {number} of {len(blocks)}") as notes:
            layers.append(block.fit(features, y, weights.total, groups, block_plans, layer_task))
            features = features.map(layers[-1])
            if not is_last:
                transform = layer_task.subtask("transform", None)
                with transform as part, layer_task.timed("transform", 2):
                    features = features.cached(memory, part, "transform")
            notes.append(f"images of shape {features.shape[1:]}")
        if task.stop:
            break
    blocks, is_complete = blocks[: len(layers)], len(layers) == len(blocks)
    if shallow_plan is not None and is_complete:
        choosers = samples.choosers(n_choosing(images.shape[1:]), choices.seed)
        shallow = Block(pooled_by(blocks[0].orthogonalizer, choices.only.pool_size), None)
        layer = shallow.operator(plan.head.dtype, plan.head.device)
        n_positions = prod(plan.parts[-1][0].grid.map_shape)
        if choose_one_layer(images.map(layer), features, n_positions, choosers, task):
            plan, blocks, layers, features = shallow_plan, [shallow], [layer], images.map(layer)
    network = network_operator(layers, features.dtype)
    if plan.pixels:
        images = with_shifts(images, plan.pixels)
        features = images.map(network)
    with task.subtask("features", None) as part, task.timed("features"):
        features = features.cached(memory, part, "features", may_use_file=True)
    mirror, mirrored = choices.mirror, of_mirror_images(images, network)
    if is_auto(mirror):
        choosers = samples.choosers(MAX_CHOOSING, choices.seed)
        mirror = choose_mirror(features, mirrored, choosers, plan.head.n_copies, task)
    if mirror:
        with task.timed("features of mirror images"):
            features = features.averaged(mirrored)
    with task.timed("head"):
        fit_head(head, features, y, weights, groups, plan.head, task)
    return blocks, features.shape[1:], mirror, plan.pixels
