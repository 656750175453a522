"""Solvers: from an initial network and rows of codes to a trained network.

Each is a function (network, codes, targets, run) that changes the network's
tensors and returns the list of losses.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.utils import gen_batches

from .._base._early_stopping import EarlyStopping, number_set_aside, set_aside
from .._base._rows import Sums, Together
from ._codes import ChannelMoments, ClassSums, widened
from ._factors import grouped, truncated
from ._network import cross_entropy_losses, linear_losses

ONE_PASS = ("exact", "svd", "kmeans")  # these need E[y X] alone

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


def mean_of(network, codes, targets, run):
    """One pass that finds E[y X], (n_outputs, positions, n_channels), and the channels' scale."""
    n_classes, dtype, code_shape = len(targets.table), network.K.dtype, codes.shape[1:]
    sums = [ClassSums(code_shape, n_classes, dtype, network.K.device)]
    if run.params.scale_channels:
        sums.append(ChannelMoments(code_shape))
    along = targets.labels, targets.weight
    wide = widened(codes, dtype)
    sums, *moments = wide.accumulate(Together(*sums), *along, task=run.task, name="one pass").parts
    for of_channels in moments:
        network.scale = of_channels.scale().to(network.K)
    # y is a function of the class, so E[y X] is a combination of the sums over classes.
    return torch.einsum("kj,kpc->jpc", targets.table.double(), sums.value()) / len(codes)


def solve_mean(network, mean_yX, run):
    """Train on the linear loss by a solver of ONE_PASS; return the losses."""
    mean_yX = mean_yX * network.scale.double()
    solver = run.params.solver
    if solver == "exact":
        return _exact(network, mean_yX, run)
    # A row for each channel, the class means of its codes: K W^T approximates this matrix.
    means = mean_yX.permute(2, 1, 0)
    M, n_components, dtype = means.flatten(1), network.K.shape[1], network.K.dtype
    if solver == "svd":
        K, W = truncated(M, n_components, max(M.shape) * torch.finfo(dtype).eps)
    else:
        K, W = grouped(M, n_components, run.rng)
    network.K = K.to(dtype)
    network.W = W.unflatten(0, means.shape[1:]).transpose(1, 2).to(dtype)
    return [0.0, -float(((M @ W) * K).sum())]


def _exact(network, mean_yX, run):
    """T steps of gradient descent at once.

    The loss is linear in K, so its gradient -E[y X] W_0 is the same at each step and
    K_T = K_0 + eta T E[y X] W_0 (lemma 3 gives the gradient).
    """
    ascent = torch.einsum("jpc,pnj->cn", mean_yX, network.W.double())
    K_0 = network.K.double()
    step = float(run.params.learning_rate) * float(run.params.max_iter)
    network.K = (K_0 + step * ascent).to(network.K.dtype)
    loss_0 = -(K_0 * ascent).sum()
    return [float(loss_0), float(loss_0 - step * (ascent**2).sum())]


class Losses(Sums):
    """The loss of a network, summed over images.

    Parameters
    ----------
    network : TwoLayerNetwork
        The network.
    targets : Targets
        Those of all images are the same: see `Targets.common`.
    losses_of : callable
        The loss.
    """

    summed = ("loss",)

    def __init__(self, network, targets, losses_of):
        self._network, self._targets, self._losses_of = network, targets, losses_of
        self.loss = 0.0

    def add(self, codes, labels, weight):
        """Add the codes of some images with their classes and weights."""
        with torch.no_grad():
            self.loss += float(self._of(codes, labels, weight))

    def _of(self, codes, labels, weight):
        outputs = self._network.outputs(codes)
        return self._targets.mean_loss(self._losses_of, outputs, labels, weight) * len(codes)


class Gradients(Losses):
    """The loss and its gradient, summed over images; see :class:`Losses`.

    Parameters
    ----------
    trained : list of Tensor
        The parameters of the network with respect to which.
    """

    def __init__(self, network, targets, losses_of, trained):
        super().__init__(network, targets, losses_of)
        self._trained = trained
        self.gradients = [torch.zeros_like(parameter) for parameter in trained]

    def add(self, codes, labels, weight):
        """Add the codes of some images with their classes and weights."""
        loss = self._of(codes, labels, weight)
        for total, gradient in zip(self.gradients, torch.autograd.grad(loss, self._trained)):
            total += gradient
        self.loss += loss.item()

    def __add__(self, other):
        both = super().__add__(other)
        both.gradients = [a + b for a, b in zip(self.gradients, other.gradients)]
        return both


def gradient_descent(network, codes, targets, run):
    """Steps along the gradient of the loss on all images."""
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


def stochastic(network, codes, targets, run, optimizer_class):
    """Steps along gradients of mini-batches; each epoch visits the images in a new order."""
    losses_of = _LOSSES[run.params.loss]
    trained = _make_trainable(network, run.train_readout)
    optimizer = optimizer_class(trained, lr=run.params.learning_rate)
    images, held = np.arange(len(codes)), None
    if run.params.early_stopping:
        images, held = set_aside(len(codes), run.params.validation_fraction, run.rng)
        held = np.sort(held)
        held_codes, held_targets = codes.subset(held), targets.of_images(held)
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
        if run.params.early_stopping:
            sums = Losses(network, targets.common, losses_of)
            held_loss = held_codes.accumulate(sums, *held_targets).loss / len(held)
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


def _measure_scale(network, codes, targets):
    """One pass that finds the scale of the channels."""
    moments = ChannelMoments(codes.shape[1:])
    wide = widened(codes, network.K.dtype)
    moments = wide.accumulate(moments, targets.labels, targets.weight)
    network.scale = moments.scale().to(network.K)


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


def _is_one_pass(params):
    return params.solver in ONE_PASS and (params.solver != "exact" or params.max_iter > 0)


def solve(network, codes, targets, run):
    """Train the network with the solver that the parameters name; return the losses."""
    solver = run.params.solver
    if _is_one_pass(run.params):
        return solve_mean(network, mean_of(network, codes, targets, run), run)
    if run.params.scale_channels:
        _measure_scale(network, codes, targets)
    if run.params.max_iter == 0:  # a random projection: nothing to read the codes for
        return []
    if solver == "gd":
        return gradient_descent(network, codes, targets, run)
    optimizer_class = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[solver]
    return stochastic(network, codes, targets, run, optimizer_class)


def n_tasks(codes, run):
    """The number of subtasks that `solve` reports."""
    if _is_one_pass(run.params):
        return codes.n_parts()
    if run.params.max_iter == 0:
        return 0
    if run.params.solver == "gd":
        return run.params.max_iter
    n_images = len(codes)
    if run.params.early_stopping:
        n_images -= number_set_aside(n_images, run.params.validation_fraction)
    steps_per_epoch = max(1, -(-n_images // int(run.params.batch_size)))
    return -(-int(run.params.max_iter) // steps_per_epoch)
