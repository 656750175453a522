"""HierarchicalModel: everything that defines the distribution of images and labels."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from ._root import RootDistribution, linear_separator
from ._rules import Rules
from ._streams import branch_keys, draw_normals, multiply_bits, random_bits


@dataclass(frozen=True, eq=False)
class HierarchicalModel:
    """A generative model of images, of labels and classes given by index.

    Parameters
    ----------
    root : RootDistribution
        G_0.
    rules : list of n_levels Rules
        The sets S_c of levels 0, ..., d - 1, the last of real pixels.
    label_noise : float
        Probability that a label is replaced by another one.
    symbol_noise : list of n_levels floats
        Probability that a pixel's class at level i is replaced by a uniformly drawn one.
    pixel_noise : float
        Standard deviation of Gaussian noise added to the pixels.
    """

    root: RootDistribution
    rules: list[Rules]
    label_noise: float
    symbol_noise: list[float]
    pixel_noise: float

    @property
    def n_levels(self):
        return len(self.rules)

    @cached_property
    def level_shapes(self):
        """(Height, width) of X^(0), ..., X^(d)."""
        shapes = [self.root.images.shape[1:]]
        for rules in self.rules:
            shapes.append(tuple(n * p for n, p in zip(shapes[-1], rules.patch_size)))
        return shapes

    @property
    def image_shape(self):
        """(height, width), or (height, width, n_channels) where a pixel has channels."""
        return (*self.level_shapes[-1], *self.rules[-1].patches.shape[4:])

    @cached_property
    def separator(self):
        """The separator W* of the root, or None."""
        return linear_separator(self.root.images, self.root.labels, self.rules[0].n_classes)

    @property
    def label_channel(self):
        """P(observed label | label of the image): (n_labels, n_labels)."""
        return label_channel(self.label_noise, self.root.n_labels)

    def draw_labels(self, roots, keys):
        """The observed labels of the root images with these indices."""
        labels = self.root.labels[roots]
        if self.label_noise == 0:
            return labels
        n = self.root.n_labels
        noisy, which = _replace(branch_keys(keys, 0), 1, self.label_noise, n - 1)
        return np.where(noisy[:, 0], (labels + 1 + which[:, 0]) % n, labels)

    def render(self, level, keys, images, latents=None):
        """Draw images of semantic images `level`, into `images`; levels into `latents`."""
        position = RootDistribution.n_draws
        for i, rules in enumerate(self.rules):
            n_pixels = prod(level.shape[1:])
            if self.symbol_noise[i] > 0:
                branch = branch_keys(keys, 1 + i)
                noisy, which = _replace(branch, n_pixels, self.symbol_noise[i], rules.n_classes)
                level = np.where(noisy, which, level.reshape(noisy.shape)).reshape(level.shape)
            if latents is not None:
                latents[i][...] = level
            chosen = rules.choose(level, random_bits(keys, position, n_pixels))
            level = rules.apply(chosen, out=images if i == self.n_levels - 1 else None)
            position += n_pixels
        if self.pixel_noise > 0:
            noise = draw_normals(branch_keys(keys, 1 + self.n_levels), prod(images.shape[1:]))
            images += np.float32(self.pixel_noise) * noise.reshape(images.shape)


def _replace(keys, n_draws, probability, n_values):
    """With this probability a replacement: (whether, by which of n_values)."""
    bits = random_bits(keys, 0, n_draws)
    limit = round(probability * 2**32)
    noisy = bits < np.uint64(limit)
    # Given that they are below the limit, the bits are uniform below it.
    which = multiply_bits(bits, n_values) // np.uint64(max(limit, 1))
    return noisy, which.view(np.int64)


def label_channel(label_noise, n_labels):
    """P(observed label | label of the image), symmetric: (n_labels, n_labels)."""
    other = label_noise / (n_labels - 1)
    return np.full((n_labels, n_labels), other) + np.eye(n_labels) * (1 - label_noise - other)
