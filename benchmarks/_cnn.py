"""A convolutional network trained end to end, for comparison."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def patch_cnn(n_channels, patch_size, n_layers, image_shape, n_labels):
    """Convolutions of non-overlapping patches with ReLU, then a linear readout (appendix D)."""
    layers, channels = [], 1
    for _ in range(n_layers):
        layers += [nn.Conv2d(channels, n_channels, patch_size, patch_size), nn.ReLU()]
        channels = n_channels
    n_positions = np.prod(image_shape) // patch_size ** (2 * n_layers)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * n_positions, n_labels))


def train(network, X, y, n_steps, seed, batch_size=128, lr=1e-3):
    """Adam on the logistic loss, for a number of steps; labels are indices."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    done = 0
    while done < n_steps:
        order = rng.permutation(len(X))
        for first in range(0, len(X), batch_size):
            batch = order[first : first + batch_size]
            optimizer.zero_grad()
            F.cross_entropy(network(X[batch]), y[batch]).backward()
            optimizer.step()
            done += 1
            if done == n_steps:
                break
    return network


def cnn_accuracy(X_train, y_train, X_test, y_test, n_channels, patch_size, n_layers, n_steps, seed):
    """Accuracy on test images of a network trained end to end."""
    torch.manual_seed(seed)
    labels = np.unique(y_train)
    network = patch_cnn(n_channels, patch_size, n_layers, X_train.shape[1:], len(labels))
    tensors = [torch.from_numpy(np.ascontiguousarray(X))[:, None] for X in (X_train, X_test)]
    y = torch.from_numpy(np.searchsorted(labels, y_train))
    train(network, tensors[0], y, n_steps, seed)
    with torch.no_grad():
        predicted = torch.cat([network(part).argmax(dim=1) for part in tensors[1].split(1000)])
    return float((labels[predicted.numpy()] == y_test).mean())
