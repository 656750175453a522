"""Convolutional networks trained end to end, to compare with."""

import time
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Patches(nn.Module):
    """Map from images (n, H, W, C) to patches without overlap, (n, H / h, W / w, h * w * C).

    A linear layer on these patches is a convolution whose stride is its kernel size, and was 2.4
    times as fast on the machine of the benchmarks.
    """

    def __init__(self, patch_size):
        super().__init__()
        self.patch_size = patch_size

    def forward(self, X):
        (n, H, W, C), (h, w) = X.shape, self.patch_size
        return X.reshape(n, H // h, h, W // w, w, C).transpose(2, 3).reshape(n, H // h, W // w, -1)


def patch_cnn(n_channels, patch_size, n_layers, image_shape, n_labels):
    """Return a network of convolutions without overlap, ReLU and a linear readout (appendix D).

    `patch_size` is (height, width), and `image_shape` is (height, width, channels).
    """
    *size, channels = image_shape
    n_pixels, layers = np.prod(patch_size), []
    for _ in range(n_layers):
        layers += [Patches(patch_size), nn.Linear(channels * n_pixels, n_channels), nn.ReLU()]
        channels = n_channels
    n_positions = np.prod(size) // n_pixels**n_layers
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * n_positions, n_labels))


def train(network, X, y, n_steps, seed, batch_size=128, lr=1e-3):
    """Train a network by Adam on the logistic loss for `n_steps` steps; labels are indices."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    step = 0
    while step < n_steps:
        order = rng.permutation(len(X))
        for first in range(0, len(X), batch_size):
            batch = order[first : first + batch_size]
            optimizer.zero_grad()
            F.cross_entropy(network(X[batch]), y[batch]).backward()
            optimizer.step()
            step += 1
            if step == n_steps:
                break
    return network


def cnn_accuracy(X_train, y_train, X_test, y_test, n_channels, patch_size, n_layers, n_steps, seed):
    """Return the accuracy of a trained `patch_cnn` on test images (n, H, W) or (n, H, W, C)."""
    torch.manual_seed(seed)
    labels = np.unique(y_train)
    patch_size = np.broadcast_to(patch_size, 2).tolist()
    X_train, X_test = (X if X.ndim == 4 else X[..., None] for X in (X_train, X_test))
    network = patch_cnn(n_channels, patch_size, n_layers, X_train.shape[1:], len(labels))
    y = torch.from_numpy(np.searchsorted(labels, y_train))
    train(network, torch.from_numpy(X_train), y, n_steps, seed)
    with torch.no_grad():
        batches = torch.from_numpy(X_test).split(1000)
        predicted = torch.cat([network(batch).argmax(dim=1) for batch in batches])
    return float((labels[predicted.numpy()] == y_test).mean())


def tutorial_body(n_channels):
    """Return the convolutions of section 6's CNN, the network of TensorFlow's tutorial of 2016.

    Local response normalization is left out: it only slows the network.
    """
    return nn.Sequential(
        nn.Conv2d(n_channels, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(64, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Flatten(),
    )


def tutorial_head(n_features, n_labels, hidden=(384, 192)):
    """Return the fully connected layers of the tutorial's network; `hidden=()` is linear."""
    sizes = [n_features, *hidden]
    layers = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], n_labels))


def train_epochs(network, X, y, X_val, y_val, n_epochs, seed, batch_size=128, lr=1e-3, every=1):
    """Train by Adam on the logistic loss; yield (seconds so far, accuracy) every `every` epochs.

    Inputs are tensors. Activations are bfloat16 (autocast), which is faster on the machine of the
    benchmarks, and parameters float32. Seconds do not include the time on validation images.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=lr)
    seconds = 0.0
    for epoch in range(1, n_epochs + 1):
        start = time.perf_counter()
        for batch in torch.randperm(len(X), generator=generator).split(batch_size):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                scores = network(X[batch])
            F.cross_entropy(scores.float(), y[batch]).backward()
            optimizer.step()
        seconds += time.perf_counter() - start
        if epoch % every == 0:
            yield seconds, accuracy(network, X_val, y_val)


def best_epoch(epochs):
    """Return (accuracy, seconds until its end) of the epoch with the highest accuracy."""
    seconds, best = max(epochs, key=lambda epoch: epoch[1])
    return best, seconds


def accuracy(network, X, y):
    """Return the fraction of images whose label has the largest score."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        predicted = torch.cat([network(batch).argmax(dim=1) for batch in X.split(1000)])
    return float((predicted == y).float().mean())


def standardized(X_train, *others):
    """Return images (n, H, W, C) as tensors, channels first, with standardized channels.

    Means and standard deviations of channels are computed from `X_train`.
    """
    axes = tuple(range(X_train.ndim - 1))
    mean, std = X_train.mean(axis=axes), X_train.std(axis=axes)
    return [
        torch.from_numpy(((X - mean) / std).astype(np.float32))
        .permute(0, 3, 1, 2)
        .contiguous(memory_format=torch.channels_last)
        for X in (X_train, *others)
    ]


def train_tutorial_cnn(
    X_train, y_train, X_held, y_held, seed, hidden=(384, 192), n_epochs=12, every=1
):
    """Train the tutorial's network on images (n, H, W, C); return :func:`train_epochs`'s list."""
    torch.manual_seed(seed)
    X, X_held = standardized(X_train, X_held)
    y, y_held = (torch.from_numpy(labels).long() for labels in (y_train, y_held))
    n_channels, height, width = X.shape[1:]
    n_features = 64 * -(-height // 4) * -(-width // 4)
    body, head = tutorial_body(n_channels), tutorial_head(n_features, int(y.max()) + 1, hidden)
    network = nn.Sequential(body, head)
    network = network.to(memory_format=torch.channels_last)
    return list(train_epochs(network, X, y, X_held, y_held, n_epochs, seed, every=every))
