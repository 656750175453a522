"""Small modern convolutional network trained end to end: what a user would pick instead."""

import time

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from torch import nn
from torch.nn import functional as F

from skhier._base._device import automatic_precision


class CNNClassifier(ClassifierMixin, BaseEstimator):
    """Convolutional network trained by stochastic gradient descent, for a time or for epochs.

    A convolution with 2x2 kernels that whiten the patches of the training images is followed by
    blocks of two 3x3 convolutions with batch normalization, GELU and max pooling, and by a linear
    layer on the maximum over the positions that are left. Training is SGD with Nesterov momentum,
    label smoothing and a learning rate that rises and falls once. Every image is shifted at random
    in every epoch.

    Parameters
    ----------
    seconds : float or None, default=None
        Time that `fit` takes. The learning rate follows the clock, so that its cycle ends with
        the time whatever the speed of the machine. None is no limit.

    n_epochs : int or None, default=None
        Number of passes over the training images. With `seconds`, training ends at whichever
        is reached first. The same `random_state` gives the same network only if epochs decide.

    learning_rate : float, default=0.1
        Learning rate at the peak of its cycle, for the mean loss of a batch.

    mirror : bool, default=False
        Mirror every image from left to right in every other epoch, and average the scores of an
        image and its mirror image in predictions. For images whose mirror images have the same
        label only.

    average : bool, default=True
        With `mirror`, average the scores in predictions. False is twice as fast.

    shift : int or 'auto', default='auto'
        Largest shift of an image in pixels, along each axis. 'auto' is a sixteenth of the shorter
        side, at least 1.

    max_side : int, default=64
        Images with longer sides are reduced: windows of pixels are averaged.

    widths : tuple of int, default=(32, 64, 128)
        Number of channels of each block.

    label_smoothing : float, default=0.1
        Share of the target that is spread over all classes.

    weight_decay : float, default=5e-3
        Factor of the squared weights in the loss.

    batch_size : int, default=64
        Number of images per step.

    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, batches and shifts.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.

    network_ : torch.nn.Module
        The trained network, on standardized images with channels first.

    n_steps_ : int
        Number of batches learned from.
    """

    def __init__(
        self,
        *,
        seconds=None,
        n_epochs=None,
        learning_rate=0.1,
        mirror=False,
        average=True,
        shift="auto",
        max_side=64,
        widths=(32, 64, 128),
        label_smoothing=0.1,
        weight_decay=5e-3,
        batch_size=64,
        random_state=None,
    ):
        self.seconds = seconds
        self.n_epochs = n_epochs
        self.learning_rate = learning_rate
        self.mirror = mirror
        self.average = average
        self.shift = shift
        self.max_side = max_side
        self.widths = widths
        self.label_smoothing = label_smoothing
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X, y):
        """Train the network on images (n, H, W) or (n, H, W, C)."""
        start = time.perf_counter()
        if not (self.seconds or self.n_epochs):
            raise ValueError(
                f"seconds={self.seconds!r} and n_epochs={self.n_epochs!r}: one of them must be "
                "positive, to end the training."
            )
        self.classes_, y = np.unique(y, return_inverse=True)
        X = reduced(X, self.max_side)
        self._mean, self._std = X.mean((0, 2, 3), True), X.std((0, 2, 3), keepdim=True)
        X, y = self._standardize(X), torch.from_numpy(y)
        seed = int(check_random_state(self.random_state).randint(2**31))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network_ = make_network(X, len(self.classes_), self.widths)
            self.n_steps_ = self._train(X, y, start)
        self.network_.eval()
        return self

    def _train(self, X, y, start):
        """Train until the time or the number of epochs is over; return the number of steps."""
        batch_size = min(self.batch_size, len(X))
        n_steps = (self.n_epochs or np.inf) * (len(X) // batch_size)
        n_seconds = self.seconds or np.inf
        weights = [p for p in self.network_.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(
            weights, momentum=0.9, nesterov=True, weight_decay=self.weight_decay
        )
        shift = max(1, round(min(X.shape[2:]) / 16)) if self.shift == "auto" else self.shift
        augment = Augmentation(len(X), shift, self.mirror)
        for step, (epoch, rows) in enumerate(batches(len(X), batch_size)):
            progress = max(step / n_steps, (time.perf_counter() - start) / n_seconds)
            if progress >= 1:
                return step
            optimizer.param_groups[0]["lr"] = self.learning_rate * one_cycle(progress)
            with autocast():
                scores = self.network_(augment(X[rows], rows, epoch))
            loss = F.cross_entropy(scores.float(), y[rows], label_smoothing=self.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def predict_proba(self, X):
        """Return probabilities (n, n_classes), in the order of `classes_`."""
        return np.concatenate([self._probabilities(X[i : i + 500]) for i in range(0, len(X), 500)])

    def predict(self, X):
        """Return the most probable label of each image."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    @torch.no_grad()
    def _probabilities(self, X):
        X = self._standardize(reduced(X, self.max_side))
        with autocast():
            scores = self.network_(X).float()
            if self.mirror and self.average:
                scores = (scores + self.network_(X.flip(3)).float()) / 2
        return scores.softmax(dim=1).numpy()

    def _standardize(self, X):
        X = (X - self._mean) / self._std.clamp(min=1e-6)
        return X.contiguous(memory_format=torch.channels_last)


def reduced(X, max_side):
    """Return images as a tensor (n, C, H, W) whose sides have at most `max_side` pixels.

    Windows of pixels are averaged. Images are (n, H, W) or (n, H, W, C).
    """
    X = torch.from_numpy(np.asarray(X, dtype=np.float32))
    X = X[:, None] if X.ndim == 3 else X.permute(0, 3, 1, 2)
    scale = max_side / max(X.shape[2:])
    if scale >= 1:
        return X
    return F.adaptive_avg_pool2d(X, [max(1, round(scale * length)) for length in X.shape[2:]])


class Augmentation:
    """Random shifts of images, and mirror images in every other epoch.

    Parameters
    ----------
    n_images : int
        Number of training images.
    shift : int
        Largest shift in pixels. Pixels beyond the border are a reflection.
    mirror : bool
        Mirror each image in every other epoch.
    """

    def __init__(self, n_images, shift, mirror):
        self._shift = shift
        self._coins = torch.randint(2, (n_images,)) if mirror else None

    def __call__(self, X, rows, epoch):
        """Return the images X of these rows as they are learned from in this epoch."""
        if self._coins is not None:
            is_mirrored = (self._coins[rows] + epoch) % 2 == 1
            X = torch.where(is_mirrored[:, None, None, None], X.flip(3), X)
        if not self._shift:
            return X
        height, width = X.shape[2:]
        wide = F.pad(X, [min(self._shift, min(height, width) - 1)] * 4, mode="reflect")
        tops = torch.randint(wide.shape[2] - height + 1, (len(X), 1)) + torch.arange(height)
        lefts = torch.randint(wide.shape[3] - width + 1, (len(X), 1)) + torch.arange(width)
        images = torch.arange(len(X))[:, None, None]
        # Channels are last in memory, and so in the index.
        shifted = wide.permute(0, 2, 3, 1)[images, tops[:, :, None], lefts[:, None]]
        return shifted.permute(0, 3, 1, 2)


def make_network(X, n_classes, widths):
    """Return an untrained network for standardized images X (n, C, H, W)."""
    whitening = whitening_convolution(X)
    layers, size = [whitening, nn.GELU()], [length - 1 for length in X.shape[2:]]
    channels = whitening.out_channels
    for width in widths:
        window = [2 if length >= 4 else 1 for length in size]
        layers += [convolution(channels, width), nn.MaxPool2d(window)]
        layers += [nn.BatchNorm2d(width), nn.GELU()]
        layers += [convolution(width, width), nn.BatchNorm2d(width), nn.GELU()]
        size = [length // w for length, w in zip(size, window)]
        channels = width
    layers += [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels, n_classes)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def convolution(n_in, n_out):
    """Return a 3x3 convolution whose first channels are at first copies of its input's."""
    layer = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.data[: min(n_in, n_out)])
    return layer


def whitening_convolution(X, eps=1e-2, n_images=500):
    """Return a fixed convolution with 2x2 kernels whose responses on X are white, in both signs.

    `eps` is added to the eigenvalues of the patches' covariance, relative to their mean. They are
    computed from the first `n_images` images.
    """
    n_channels = X.shape[1]
    patches = F.unfold(X[:n_images], 2).transpose(1, 2).flatten(0, 1)
    values, vectors = torch.linalg.eigh(patches.T.cov())
    kernels = (vectors / (values.clamp(min=0) + eps * values.mean()).sqrt()).T
    kernels = kernels.reshape(-1, n_channels, 2, 2)
    layer = nn.Conv2d(n_channels, 2 * len(kernels), 2, bias=False)
    layer.weight = nn.Parameter(torch.cat([kernels, -kernels]), requires_grad=False)
    return layer


def batches(n, batch_size):
    """Yield (epoch, rows) for ever, in a new order in each epoch; incomplete batches are left."""
    epoch = 0
    while True:
        for rows in torch.randperm(n).split(batch_size):
            if len(rows) == batch_size:
                yield epoch, rows
        epoch += 1


def one_cycle(progress, peak=0.2):
    """Return the learning rate at `progress` from 0 to 1, in units of the one at the peak."""
    return min(progress / peak, (1 - progress) / (1 - peak))


def autocast():
    """Return a context in which products are bfloat16 where the processor is faster with it."""
    is_faster = automatic_precision(np.inf, torch.device("cpu")) == "bfloat16"
    return torch.autocast("cpu", torch.bfloat16, enabled=is_faster)
