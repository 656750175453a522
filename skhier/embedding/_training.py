"""From an embedder's parameters and codes, or their expectation, to a network."""

from dataclasses import dataclass

import numpy as np
import torch

from .._base._device import as_tensor
from .._base._fitting import Task
from .._base._params import is_auto
from .._base._random import make_rng
from .._base._weights import mean_one
from ._network import Targets, TwoLayerNetwork
from ._solvers import ONE_PASS, Run, n_tasks, solve, solve_mean

# Times the largest codes, see SQUARABLE, still in range.
_MOST = {torch.float32: 2.0**68, torch.float64: 2.0**564}


@dataclass
class Trained:
    """A trained network and how it came about.

    Attributes
    ----------
    network : TwoLayerNetwork
        The network.
    losses : list of float
        The loss before each step.
    validation_losses : list of float
        The loss on images set aside after each epoch; empty without early stopping.
    """

    network: TwoLayerNetwork
    losses: list
    validation_losses: list


def check_solver(embedder, n_channels):
    """Raise ValueError unless the solver can do what the other parameters ask for.

    `n_channels` of codes is an upper bound, or None if it is not known yet.
    """
    solver = embedder.solver
    if solver in ONE_PASS and (embedder.loss != "linear" or trains_readout(embedder)):
        raise ValueError(
            f"solver={solver!r} needs loss='linear' and a fixed readout, but loss="
            f"{embedder.loss!r} and train_readout={embedder.train_readout!r}; use 'gd', "
            "'sgd' or 'adam'."
        )
    if solver == "kmeans" and n_channels is not None and embedder.n_components > n_channels:
        raise ValueError(
            f"n_components={embedder.n_components} groups are more than the {n_channels} channels "
            "of the codes that solver='kmeans' groups; lower it."
        )
    if embedder.early_stopping and solver not in ("sgd", "adam"):
        raise ValueError(
            "early_stopping=True needs solver='sgd' or 'adam', which work in epochs, not "
            f"{solver!r}."
        )


def trains_readout(embedder):
    """Whether the readout is trained, not only the convolution."""
    train_readout = embedder.train_readout
    return embedder.loss == "cross_entropy" if is_auto(train_readout) else train_readout


def train(embedder, codes, labels, weight, n_classes, dtype, device):
    """Train a network on rows of codes and labels 0, 1, ..., n_classes - 1.

    `weight` is that of images, or None.
    """
    rng = make_rng(embedder.random_state)
    targets = Targets.of(labels, mean_one(weight), n_classes, embedder.loss, dtype, device)
    n_outputs = targets.n_outputs or n_classes
    network = _initial_network(embedder, codes.shape[1:], n_outputs, rng, dtype, device)
    run = Run(embedder, trains_readout(embedder), rng)
    with Task.fit(embedder, n_tasks(codes, run)) as run.task:
        losses = solve(network, codes, targets, run)
    _refuse_large_kernels(network.kernels, embedder)
    return Trained(network, losses, run.validation_losses)


def _refuse_large_kernels(kernels, embedder):
    """Raise ValueError unless codes that the embedder takes are embedded without overflow."""
    largest = float(kernels.detach().abs().max())
    if not largest < _MOST[kernels.dtype]:
        raise ValueError(
            f"The kernels grew to {largest:.2g}: learning_rate={embedder.learning_rate!r} or "
            f"init_scale={embedder.init_scale!r} is too large for these codes; lower it."
        )


def train_on_expectation(embedder, moments, n_classes, device):
    """Train a network on E[y X] itself, of shape (h, w, C) or (h, w, C, n_classes).

    Raises
    ------
    ValueError
        If the parameters need more than the expectation, or it has another shape.
    """
    if embedder.solver not in ONE_PASS:
        raise ValueError(f"fit_population needs a solver of {ONE_PASS}, not {embedder.solver!r}.")
    if embedder.scale_channels:
        raise ValueError("fit_population needs scale_channels=False: means have no scale.")
    expected = 3 if n_classes == 2 else 4
    if moments.ndim != expected or (expected == 4 and moments.shape[3] != n_classes):
        raise ValueError(
            f"moments of shape {moments.shape} are not valid for {n_classes} classes: "
            "they have shape (H, W, C) for 2 and (H, W, C, n_classes) for more."
        )
    code_shape = moments.shape[:3]
    rng = make_rng(embedder.random_state)
    mean_yX = as_tensor(moments.reshape(*code_shape, -1)).to(device)
    mean_yX = mean_yX.permute(3, 0, 1, 2).flatten(1, 2)
    network = _initial_network(embedder, code_shape, len(mean_yX), rng, np.float64, device)
    return Trained(network, solve_mean(network, mean_yX, Run(embedder, False, rng)), [])


def _initial_network(embedder, code_shape, n_outputs, rng, dtype, device):
    shape = (*code_shape, embedder._n_components(code_shape[2]), n_outputs)
    init = embedder.init_scale, embedder.readout_init
    return TwoLayerNetwork.random(shape, *init, rng, dtype, device)
