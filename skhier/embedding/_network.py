"""The two-layer network N_{K,W}(X) = <W^T, K^T X> and its losses (section 4.1)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ._codes import conv1x1


@dataclass
class TwoLayerNetwork:
    """Parameters of the network, as tensors.

    Attributes
    ----------
    K : Tensor of shape (n_channels, n_components)
        Kernels of the 1x1 convolution.
    W : Tensor of shape (positions, n_components, n_outputs)
        Readout.
    b : Tensor of shape (n_outputs,)
        Bias of the readout; zero unless it is trained.
    scale : Tensor of shape (n_channels,)
        Factors of the channels of codes, applied before K.
    """

    K: torch.Tensor
    W: torch.Tensor
    b: torch.Tensor
    scale: torch.Tensor

    @classmethod
    def random(cls, shape, init_scale, readout_init, rng, dtype, device):
        """Draw K_0 and W_0; `shape` is (height, width, channels, components, outputs).

        The columns of K_0 lie on a sphere of radius sigma / (2 sqrt(n)). W_0 has N(0, 1)
        entries (section 4.1) or columns over positions on the unit sphere (appendix B).
        """
        height, width, n_channels, n_components, n_outputs = shape
        K = rng.standard_normal((n_channels, n_components))
        K *= init_scale / (2 * np.sqrt(n_components)) / np.linalg.norm(K, axis=0)
        W = rng.standard_normal((height * width, n_components, n_outputs))
        if readout_init == "sphere":
            W /= np.linalg.norm(W, axis=0)
        arrays = K, W, np.zeros(n_outputs), np.ones(n_channels)
        return cls(*(torch.from_numpy(array.astype(dtype)).to(device) for array in arrays))

    @property
    def kernels(self):
        """Kernels of the 1x1 convolution of codes without `scale`."""
        return self.scale[:, None] * self.K

    def outputs(self, codes):
        """Compute <W^T, K^T X> + b for a batch of codes: (n, n_outputs)."""
        embedded = conv1x1(codes, self.kernels).flatten(1).to(self.W.dtype)
        return embedded @ self.W.flatten(0, 1) + self.b


def linear_losses(outputs, targets):
    """Return l_y(y') = -y y' of each image, summed over outputs."""
    return -(targets * outputs).sum(dim=1)


def cross_entropy_losses(outputs, targets):
    """Return the softmax cross-entropy of each image, for integer targets."""
    return F.cross_entropy(outputs, targets, reduction="none")


@dataclass
class Targets:
    """Training targets: labels, weights, and the target of each class.

    Attributes
    ----------
    labels : Tensor of shape (n,)
        Classes of images, integers.
    weight : Tensor of shape (n,) or None
        Weights of images, in float64 and with mean 1; None if all are 1.
    table : Tensor of shape (n_classes, n_outputs) or None
        Target y of each class for the linear loss. The cross-entropy takes the class itself.
    """

    labels: torch.Tensor
    weight: torch.Tensor | None
    table: torch.Tensor | None

    @classmethod
    def from_labels(cls, labels, weight, n_classes, loss, dtype, device):
        """Return the targets of a loss.

        For 'linear': y in {-1, 1} for two classes as in the paper. For more, one-hot vectors
        minus the frequency of each class, which sum to zero, as y does when balanced.
        """
        table = None
        if loss == "linear" and n_classes == 2:
            table = np.array([[-1.0], [1.0]])
        elif loss == "linear":
            size = np.bincount(labels, weight, minlength=n_classes)
            table = np.eye(n_classes) - size / len(labels)
        if table is not None:
            table = torch.from_numpy(table.astype(dtype)).to(device)
        if weight is not None:
            weight = torch.from_numpy(weight).to(device)
        return cls(torch.from_numpy(labels).to(device), weight, table)

    def mean_loss(self, losses_of, outputs, labels, weight):
        """Return the weighted mean of the losses of a batch, given its outputs."""
        losses = losses_of(outputs, labels if self.table is None else self.table[labels])
        return (losses if weight is None else losses * weight.to(losses.dtype)).mean()

    @property
    def common(self):
        """Targets without labels and weights: the part that all batches share."""
        return Targets(self.labels[:0], None, self.table)

    def of_images(self, index):
        """Return the labels and weights of the images of an index array."""
        return self.labels[index], None if self.weight is None else self.weight[index]
