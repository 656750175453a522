"""Training of the network: from parameters and codes, or their expectation, to kernels."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from .._base._device import as_tensor
from .._base._early_stopping import split_validation
from .._base._fitting import Task
from .._base._params import is_auto, make_rng
from .._base._rows import Accumulators
from .._base._targets import mean_one
from ._codes import ChannelMoments, ClassSums, widened
from ._descent import gradient_descent, stochastic
from ._factors import grouped, truncated
from ._network import Targets, TwoLayerNetwork

OF_EXPECTATION = ("exact", "svd", "kmeans")  # solvers that need E[y X] alone
OF_SUMS = ("counts", "shares")  # solvers that need the sums over classes, with or without labels
ONE_PASS = (*OF_EXPECTATION, *OF_SUMS)

# Their products with the largest codes, see SQUARABLE, are still in range.
_MAX_KERNEL = {torch.float32: 2.0**68, torch.float64: 2.0**564}


@dataclass
class Run:
    """State that solvers share besides the network and the data.

    Attributes
    ----------
    params : estimator
        Has the hyperparameters of :class:`TwoLayerConvEmbedder`.
    train_readout : bool
        Whether W and its bias are trained too.
    rng : RandomState
        Source of randomness.
    task : Task
        Its subtasks are steps or epochs.
    learned, held : ndarray of int or None
        Images of the training and of the validation part; None without early stopping.
    validation_losses : list of float
        Filled by early stopping.
    """

    params: Any
    train_readout: bool
    rng: np.random.RandomState
    task: Any = None
    learned: Any = None
    held: Any = None
    validation_losses: list = field(default_factory=list)


@dataclass
class Trained:
    """A trained network and the curve of its losses.

    Attributes
    ----------
    network : TwoLayerNetwork
        The network.
    losses : list of float
        Loss before each step.
    validation_losses : list of float
        Validation loss after each epoch; empty without early stopping.
    """

    network: TwoLayerNetwork
    losses: list
    validation_losses: list


def check_solver(embedder, n_channels):
    """Raise ValueError if the solver does not support the other parameters.

    `n_channels` of codes is an upper bound, or None if it is not known yet.
    """
    solver = embedder.solver
    if solver in ONE_PASS and (embedder.loss != "linear" or trains_readout(embedder)):
        raise ValueError(
            f"solver={solver!r} needs loss='linear' and a fixed readout, but loss="
            f"{embedder.loss!r} and train_readout={embedder.train_readout!r}; use 'gd', "
            "'sgd' or 'adam'."
        )
    if (
        solver in ("kmeans", *OF_SUMS)
        and n_channels is not None
        and embedder.n_components > n_channels
    ):
        raise ValueError(
            f"n_components={embedder.n_components} groups are more than the {n_channels} channels "
            f"of the codes that solver={solver!r} groups; lower it."
        )
    if embedder.early_stopping and solver not in ("sgd", "adam"):
        raise ValueError(
            "early_stopping=True needs solver='sgd' or 'adam', which work in epochs, not "
            f"{solver!r}."
        )


def trains_readout(embedder):
    """Return whether the readout is trained, not only the convolution."""
    train_readout = embedder.train_readout
    return embedder.loss == "cross_entropy" if is_auto(train_readout) else train_readout


def max_components(embedder, n_channels):
    """Return the largest number of components that the embedding of codes may have."""
    n_components = int(embedder.n_components)
    return min(n_components, n_channels) if embedder.solver == "svd" else n_components


def train(embedder, codes, labels, weight, groups, n_classes, plan):
    """Train a network on rows of codes and labels 0, 1, ..., n_classes - 1.

    `weight` holds the weights of images, `groups` their groups; both may be None.
    """
    rng, dtype, device = make_rng(embedder.random_state), plan.dtype, plan.device
    weight = mean_one(weight)
    targets = Targets.from_labels(labels, weight, n_classes, embedder.loss, dtype, device)
    n_outputs = n_classes if targets.table is None else targets.table.shape[1]
    network = _initial_network(embedder, codes.shape[1:], n_outputs, rng, dtype, device)
    run = Run(embedder, trains_readout(embedder), rng)
    if embedder.early_stopping:
        fraction = embedder.validation_fraction
        run.learned, held = split_validation(len(codes), fraction, rng, groups)
        run.held = np.sort(held)
    with Task.fit(embedder, _n_subtasks(codes, run)) as run.task:
        losses = _solve(network, codes, targets, run)
    _refuse_large_kernels(network, embedder)
    return Trained(network, losses, run.validation_losses)


def train_on_expectation(embedder, moments, n_classes, device):
    """Train a network on E[y X] itself, of shape (h, w, C) or (h, w, C, n_classes).

    Raises
    ------
    ValueError
        If the parameters need more than the expectation, or it has another shape.
    """
    if embedder.solver not in OF_EXPECTATION:
        raise ValueError(
            f"fit_population needs a solver of {OF_EXPECTATION}, not {embedder.solver!r}."
        )
    if embedder.scale_channels:
        raise ValueError("fit_population needs scale_channels=False: means have no scale.")
    if n_classes < 2:
        raise ValueError(f"classes has {n_classes} labels; it takes 2 or more.")
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
    losses = _solve_mean(network, mean_yX, Run(embedder, False, rng))
    _refuse_large_kernels(network, embedder)
    return Trained(network, losses, [])


def _refuse_large_kernels(network, embedder):
    largest = float(network.kernels.detach().abs().max())
    if not largest < _MAX_KERNEL[network.kernels.dtype]:
        raise ValueError(
            f"The kernels grew to {largest:.2g}: learning_rate={embedder.learning_rate!r} or "
            f"init_scale={embedder.init_scale!r} is too large for these codes; lower it."
        )


def _initial_network(embedder, code_shape, n_outputs, rng, dtype, device):
    shape = (*code_shape, max_components(embedder, code_shape[2]), n_outputs)
    init = embedder.init_scale, embedder.readout_init
    return TwoLayerNetwork.random(shape, *init, rng, dtype, device)


def _is_one_pass(params):
    return params.solver in ONE_PASS and (params.solver != "exact" or params.max_iter > 0)


def _n_subtasks(codes, run):
    """Return the number of subtasks that `_solve` reports."""
    if _is_one_pass(run.params):
        return codes.n_subtasks()
    if run.params.max_iter == 0:
        return 0
    if run.params.solver == "gd":
        return run.params.max_iter
    n_images = len(codes) if run.learned is None else len(run.learned)
    steps_per_epoch = max(1, -(-n_images // int(run.params.batch_size)))
    return -(-int(run.params.max_iter) // steps_per_epoch)


def _solve(network, codes, targets, run):
    """Train the network with the solver that the parameters name; return the losses."""
    solver = run.params.solver
    if _is_one_pass(run.params):
        sums = _class_sums(network, codes, targets, run)
        # y is a function of the class, so E[y X] is a combination of the sums over classes.
        mean_yX = torch.einsum("kj,kpc->jpc", targets.table.double(), sums) / len(codes)
        return _solve_mean(network, mean_yX, run, sums)
    if run.params.scale_channels:
        moments = ChannelMoments(codes.shape[3], network.K.dtype)
        moments = codes.accumulate(moments, targets.labels, targets.weight)
        network.scale = moments.scale().to(network.K)
    if run.params.max_iter == 0:  # a random projection: nothing to read the codes for
        return []
    if solver == "gd":
        return gradient_descent(network, codes, targets, run)
    optimizer_class = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[solver]
    return stochastic(network, codes, targets, run, optimizer_class)


def _class_sums(network, codes, targets, run):
    """Return the codes' sums, (n_classes, positions, channels), and set the network's scale."""
    n_classes, dtype, code_shape = len(targets.table), network.K.dtype, codes.shape[1:]
    sums = [ClassSums(code_shape, n_classes, dtype, network.K.device)]
    if run.params.scale_channels:
        sums.append(ChannelMoments(code_shape[2], dtype))
    sums = Accumulators(*sums)
    aligned, options = (targets.labels, targets.weight), {"task": run.task, "name": "one pass"}
    sums, *moments = widened(codes, dtype).accumulate(sums, *aligned, **options).parts
    if moments:
        network.scale = moments[0].scale().to(network.K)
    return sums.value()


def _solve_mean(network, mean_yX, run, sums=None):
    """Train on the linear loss by a solver of ONE_PASS; return the losses.

    `sums` are needed by OF_SUMS alone.
    """
    mean_yX = mean_yX * network.scale.double()
    params, solver = run.params, run.params.solver
    if solver == "exact":
        # T steps of gradient descent at once: the loss is linear in K, so its gradient
        # -E[y X] W_0 is the same at each step and K_T = K_0 + eta T E[y X] W_0 (lemma 3).
        ascent = torch.einsum("jpc,pnj->cn", mean_yX, network.W.double())
        K_0, step = network.K.double(), float(params.learning_rate) * float(params.max_iter)
        network.K = (K_0 + step * ascent).to(network.K.dtype)
        loss_0 = -(K_0 * ascent).sum()
        return [float(loss_0), float(loss_0 - step * (ascent**2).sum())]
    # A row for each channel, the class means of its codes: K W^T approximates this matrix.
    means = mean_yX.permute(2, 1, 0)
    M, n_components, dtype = means.flatten(1), network.K.shape[1], network.K.dtype
    if solver == "svd":
        K, W = truncated(M, n_components, max(M.shape) * torch.finfo(dtype).eps)
    else:
        points, weight = M, None
        if solver in OF_SUMS:
            points = _square_roots(sums * network.scale.double())
        if solver == "shares":
            points, weight = _of_unit_norm(points)
        K, W = grouped(M, points, weight, n_components, run.rng)
    network.K = K.to(dtype)
    network.W = W.unflatten(0, means.shape[1:]).transpose(1, 2).to(dtype)
    return [0.0, -float(((M @ W) * K).sum())]


def _square_roots(sums):
    """Return a row for each channel: square roots of its sums over classes and positions.

    The variance of a count is its mean. That of its square root is 1 / 4, whatever the mean.
    """
    return sums.permute(2, 0, 1).flatten(1).clamp(min=0).sqrt()  # rounding may be below 0


def _of_unit_norm(roots):
    """Return square roots of shares, and the totals.

    The variance of the square root of a share is 1 / 4 of the inverse of the total, so the total is
    the weight at which all rows are equally noisy.
    """
    total = roots.square().sum(dim=1)
    return roots / total.sqrt().where(total > 0, 1)[:, None], total
