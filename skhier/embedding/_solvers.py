"""Solvers: from an initial network and a source of codes to a trained network.

Each is a function (network, source, targets, run) that changes the network's
tensors and returns the list of losses.
"""

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from sklearn.utils import gen_batches

from .._base._early_stopping import EarlyStopping, number_set_aside, set_aside
from .._base._fitting import n_parts
from ._codes import ClassSums, channel_moments, channel_scale
from ._network import cross_entropy_losses, linear_losses

_LOSSES = {"linear": linear_losses, "cross_entropy": cross_entropy_losses}


@dataclass
class Run:
    """What the solvers share besides the network and the data.

    Attributes
    ----------
    params : estimator
        With the hyperparameters of :class:`TwoLayerConvEmbedder`.
    train_readout : bool
        Whether W and its bias are trained too.
    rng : RandomState
        Source of randomness.
    task : Task
        Of which steps or epochs are the parts.
    validation_losses : list of float
        Filled by early stopping.
    """

    params: Any
    train_readout: bool
    rng: np.random.RandomState
    task: Any = None
    validation_losses: list = field(default_factory=list)


def exact(network, source, targets, run):
    """T steps of gradient descent on the linear loss with W fixed, in one pass."""
    n_classes, dtype = len(targets.table), network.K.dtype
    sums = ClassSums(source.code_shape, n_classes, dtype, network.K.device)
    moments = 0.0
    for batch in run.task.in_parts("one pass", len(source), source.batch_size):
        codes = _widened(source.take(batch), dtype)
        weight = targets.weight_of(batch)
        sums.add(codes, targets.labels[batch], weight)
        if run.params.scale_channels:
            moments = moments + channel_moments(codes, source.code_shape[-1], weight)
    if run.params.scale_channels:
        _set_scale(network, moments, source)
    # y is a function of the class, so E[y X] is a combination of the sums over classes.
    mean_yX = torch.einsum("kj,kpc->jpc", targets.table.double(), sums.value()) / len(source)
    return exact_from_mean(network, mean_yX, run)


def exact_from_mean(network, mean_yX, run):
    """T steps given E[y X] of shape (n_outputs, positions, n_channels).

    The loss is linear in K, so its gradient -E[y X] W_0 is the same at each step and
    K_T = K_0 + eta T E[y X] W_0 (lemma 3 gives the gradient).
    """
    mean_yX = mean_yX * network.scale.double()
    ascent = torch.einsum("jpc,pnj->cn", mean_yX, network.W.double())
    K_0 = network.K.double()
    step = float(run.params.learning_rate) * float(run.params.max_iter)
    network.K = (K_0 + step * ascent).to(network.K.dtype)
    loss_0 = -(K_0 * ascent).sum()
    return [float(loss_0), float(loss_0 - step * (ascent**2).sum())]


def gradient_descent(network, source, targets, run):
    """Steps along the gradient of the loss on all images."""
    losses_of = _LOSSES[run.params.loss]
    trained = _make_trainable(network, run.train_readout)
    optimizer = torch.optim.SGD(trained, lr=run.params.learning_rate)
    losses = []
    for step in range(run.params.max_iter):
        with run.task.subtask("step"):
            optimizer.zero_grad()
            total = 0.0
            for batch in gen_batches(len(source), source.batch_size):
                codes = source.take(batch)
                loss = targets.mean_loss(losses_of, network.outputs(codes), batch)
                loss = loss * (len(codes) / len(source))
                loss.backward()
                total += loss.item()
            optimizer.step()
        losses.append(_finite(total, step, run))
        if run.task.stop:
            break
    return losses


def stochastic(network, source, targets, run, optimizer_class):
    """Steps along gradients of mini-batches; each epoch visits the images in a new order."""
    losses_of = _LOSSES[run.params.loss]
    trained = _make_trainable(network, run.train_readout)
    optimizer = optimizer_class(trained, lr=run.params.learning_rate)
    images, held = np.arange(len(source)), None
    if run.params.early_stopping:
        images, held = set_aside(len(source), run.params.validation_fraction, run.rng)
    stopping = EarlyStopping(run.params.n_iter_no_change)
    losses, stop = [], False
    while len(losses) < run.params.max_iter and not (stop or run.task.stop):
        with run.task.subtask("epoch"):
            order = run.rng.permutation(images)
            for batch in gen_batches(len(order), int(run.params.batch_size)):
                index = order[batch]
                optimizer.zero_grad()
                loss = targets.mean_loss(losses_of, network.outputs(source.take(index)), index)
                loss.backward()
                optimizer.step()
                losses.append(_finite(loss.item(), len(losses), run))
                if len(losses) == run.params.max_iter:
                    break
        message = f"step {len(losses)}: loss {losses[-1]:.4g}"
        if run.params.early_stopping:
            held_loss = _mean_loss(network, source, targets, held, losses_of)
            _finite(held_loss, len(losses), run)
            message += f", on the images set aside {held_loss:.4g}"
            run.validation_losses.append(held_loss)
            stop = stopping.update(-held_loss, [parameter.detach() for parameter in trained])
        run.task.log(message)
    if run.params.early_stopping:
        with torch.no_grad():
            for parameter, best in zip(trained, stopping.best_state):
                parameter.copy_(best)
    return losses


def _mean_loss(network, source, targets, images, losses_of):
    """The loss on some images, without a step."""
    total = 0.0
    with torch.no_grad():
        for batch in gen_batches(len(images), source.batch_size):
            index = images[batch]
            loss = targets.mean_loss(losses_of, network.outputs(source.take(index)), index)
            total += float(loss) * len(index)
    return total / len(images)


def _widened(codes, dtype):
    """Dense codes in the precision of sums; label maps as they are."""
    return codes.to(dtype) if codes.is_floating_point() else codes


def _set_scale(network, moments, source):
    n_values = len(source) * prod(source.code_shape[:2])
    network.scale = channel_scale(moments, n_values).to(network.K)


def _measure_scale(network, source, targets):
    """One pass that finds the scale of the channels."""
    moments = 0.0
    for batch in gen_batches(len(source), source.batch_size):
        codes = _widened(source.take(batch), network.K.dtype)
        weight = targets.weight_of(batch)
        moments = moments + channel_moments(codes, source.code_shape[-1], weight)
    _set_scale(network, moments, source)


def _make_trainable(network, train_readout):
    trained = [network.K, network.W, network.b] if train_readout else [network.K]
    for parameter in trained:
        parameter.requires_grad_(True)
    return trained


def _finite(loss, step, run):
    if not np.isfinite(loss):
        raise ValueError(
            f"The loss is not finite at step {step}: learning_rate="
            f"{run.params.learning_rate!r} is too large for these codes; lower it."
        )
    return loss


def solve(network, source, targets, run):
    """Train the network with the solver that the parameters name; return the losses."""
    solver = run.params.solver
    if solver == "exact" and run.params.max_iter > 0:
        return exact(network, source, targets, run)
    if run.params.scale_channels:
        _measure_scale(network, source, targets)
    if run.params.max_iter == 0:  # a random projection: nothing to read the codes for
        return []
    if solver == "gd":
        return gradient_descent(network, source, targets, run)
    optimizer_class = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[solver]
    return stochastic(network, source, targets, run, optimizer_class)


def n_tasks(source, run):
    """The number of subtasks that `solve` reports."""
    solver = run.params.solver
    if run.params.max_iter == 0:
        return 0
    if solver == "exact":
        return n_parts(len(source), source.batch_size)
    if solver == "gd":
        return run.params.max_iter
    n_images = len(source)
    if run.params.early_stopping:
        n_images -= number_set_aside(n_images, run.params.validation_fraction)
    steps_per_epoch = max(1, -(-n_images // int(run.params.batch_size)))
    return -(-int(run.params.max_iter) // steps_per_epoch)
