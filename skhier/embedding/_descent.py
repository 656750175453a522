"""Gradient descent on the network: on all images at once, or on mini-batches."""

import numpy as np
import torch
from sklearn.utils import gen_batches

from .._base._early_stopping import EarlyStopping
from .._base._rows import Accumulator
from ._network import cross_entropy_losses, linear_losses

_LOSSES = {"linear": linear_losses, "cross_entropy": cross_entropy_losses}


class Losses(Accumulator):
    """Accumulator of the loss of a network.

    Parameters
    ----------
    network : TwoLayerNetwork
        The network.
    targets : Targets
        The part that all batches share, see `Targets.common`.
    losses_of : callable
        The loss of each image.
    """

    summed = ("loss",)

    def __init__(self, network, targets, losses_of):
        self._network, self._targets, self._losses_of = network, targets, losses_of
        self.loss = 0.0

    def add(self, codes, labels, weight):
        """Add a batch of codes with its classes and weights."""
        with torch.no_grad():
            self.loss += float(self._sum(codes, labels, weight))

    def _sum(self, codes, labels, weight):
        outputs = self._network.outputs(codes)
        return self._targets.mean_loss(self._losses_of, outputs, labels, weight) * len(codes)


class Gradients(Losses):
    """Accumulator of the loss of a network and of its gradient; see :class:`Losses`.

    Parameters
    ----------
    trained : list of Tensor
        Parameters of the network that the gradient is with respect to.
    """

    def __init__(self, network, targets, losses_of, trained):
        super().__init__(network, targets, losses_of)
        self._trained = trained
        self.gradients = [torch.zeros_like(parameter) for parameter in trained]

    def add(self, codes, labels, weight):
        """Add a batch of codes with its classes and weights."""
        loss = self._sum(codes, labels, weight)
        for total, gradient in zip(self.gradients, torch.autograd.grad(loss, self._trained)):
            total += gradient
        self.loss += loss.item()

    def __add__(self, other):
        both = super().__add__(other)
        both.gradients = [a + b for a, b in zip(self.gradients, other.gradients)]
        return both


@torch.enable_grad()
def gradient_descent(network, codes, targets, run):
    """Take steps along the gradient of the loss on all images; return the losses."""
    trained = _make_trainable(network, run.train_readout)
    optimizer = torch.optim.SGD(trained, lr=run.params.learning_rate)
    losses = []
    for step in range(run.params.max_iter):
        with run.task.subtask("step"):
            sums = Gradients(network, targets.common, _LOSSES[run.params.loss], trained)
            sums = codes.accumulate(sums, targets.labels, targets.weight)
            for parameter, total in zip(trained, sums.gradients):
                parameter.grad = total / len(codes)
            optimizer.step()
        losses.append(_finite(sums.loss / len(codes), step, run))
        if run.task.stop:
            break
    return losses


@torch.enable_grad()
def stochastic(network, codes, targets, run, optimizer_class):
    """Take steps along gradients of mini-batches; return the losses.

    Each epoch visits the images in a new order.
    """
    losses_of = _LOSSES[run.params.loss]
    trained = _make_trainable(network, run.train_readout)
    optimizer = optimizer_class(trained, lr=run.params.learning_rate)
    images, held = np.arange(len(codes)), run.held
    if held is not None:
        images = run.learned
        held_codes, held_targets = codes.subset(held), targets.of_images(held)
        held_weight = len(held) if held_targets[1] is None else float(held_targets[1].sum())
    stopping = EarlyStopping(run.params.n_iter_no_change)
    losses, stop = [], False
    while len(losses) < run.params.max_iter and not (stop or run.task.stop):
        with run.task.subtask("epoch"):
            order = run.rng.permutation(images)
            for batch in gen_batches(len(order), int(run.params.batch_size)):
                index = order[batch]
                optimizer.zero_grad()
                outputs = network.outputs(codes.take(index))
                loss = targets.mean_loss(losses_of, outputs, *targets.of_images(index))
                loss.backward()
                optimizer.step()
                losses.append(_finite(loss.item(), len(losses), run))
                if len(losses) == run.params.max_iter:
                    break
        message = f"step {len(losses)}: loss {losses[-1]:.4g}"
        if held is not None:
            sums = Losses(network, targets.common, losses_of)
            held_loss = held_codes.accumulate(sums, *held_targets).loss / held_weight
            _finite(held_loss, len(losses), run)
            message += f", validation loss {held_loss:.4g}"
            run.validation_losses.append(held_loss)
            stop = stopping.update(-held_loss, [parameter.detach() for parameter in trained])
        run.task.log(message)
    if held is not None:
        with torch.no_grad():
            for parameter, best in zip(trained, stopping.best_state):
                parameter.copy_(best)
    return losses


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
