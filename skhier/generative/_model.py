"""Distribution of images and labels, and sampling from it."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from ._channels import Identity
from ._product_rules import ProductRules
from ._root import RootDistribution, linear_separator
from ._rules import Rules
from ._streams import branch_keys, draw_normals, draw_replacements


@dataclass(frozen=True, eq=False)
class HierarchicalModel:
    """Generative model of images, with labels and classes as indices.

    Parameters
    ----------
    root : RootDistribution
        Distribution G_0 of labels and semantic images.
    rules : list of n_levels Rules or ProductRules
        Sets S_c of levels 0, ..., d - 1. The last level holds real pixels.
    label_noise : float
        Probability that a label is replaced by another one.
    channels : list of n_levels channels
        Noise of the classes of each level, see `_channels.py`.
    pixel_noise : float
        Standard deviation of the Gaussian noise added to the pixels.
    """

    root: RootDistribution
    rules: list[Rules | ProductRules]
    label_noise: float
    channels: list[Identity]
    pixel_noise: float

    @property
    def n_levels(self):
        return len(self.rules)

    @property
    def is_noisy(self):
        """Whether there is noise on labels, classes or pixels."""
        has_symbol_noise = any(channel.is_noisy for channel in self.channels)
        return bool(self.label_noise or self.pixel_noise or has_symbol_noise)

    @cached_property
    def level_shapes(self):
        """(Height, width) of X^(0), ..., X^(d)."""
        shapes = [self.root.images.shape[1:]]
        for rules in self.rules:
            shapes.append(tuple(n * p for n, p in zip(shapes[-1], rules.patch_size)))
        return shapes

    @property
    def image_shape(self):
        """(height, width), or (height, width, n_channels) if a pixel has several channels."""
        return (*self.level_shapes[-1], *self.rules[-1].patches.shape[4:])

    @cached_property
    def separator(self):
        """Separator W* of the root, or None."""
        return linear_separator(self.root.images, self.root.labels, self.channels[0].n_drawn)

    @property
    def label_channel(self):
        """P(observed label | label of the image): (n_labels, n_labels)."""
        return label_channel(self.label_noise, self.root.n_labels)

    def draw_labels(self, roots, keys):
        """Draw the observed labels of root images, given by index."""
        labels = self.root.labels[roots]
        if self.label_noise == 0:
            return labels
        n = self.root.n_labels
        is_replaced, shift = draw_replacements(branch_keys(keys, 0), 1, self.label_noise, n - 1)
        return np.where(is_replaced[:, 0], (labels + 1 + shift[:, 0]) % n, labels)

    def render(self, images, choices, out, latents=()):
        """Draw the levels below semantic images, and write the last one to `out`.

        Parameters
        ----------
        images : ndarray of shape (n, height, width)
            Semantic images.
        choices : list of 1 + n RandomChoices
            The first has the keys of the noise on the semantic images. Choices i + 1 determine
            the rules of level i and the noise on level i + 1. Level n is the last one.
        out : ndarray
            Array of level n, which is written.
        latents : list of ndarrays
            Arrays of levels 0, ..., d - 1, which are written as far as the levels are drawn.
        """
        level = self._with_noise(0, images, choices[0].keys)
        for i, step in enumerate(choices[1:]):
            if latents:
                latents[i][...] = level
            is_last = i + 2 == len(choices)
            # Classes that get noise stay int64: sums with the bytes of `out` could overflow.
            is_clean = i + 1 == self.n_levels or not self.channels[i + 1].is_noisy
            chosen = step.rules(i, level)
            level = self.rules[i].apply(chosen, out if is_last and is_clean else None)
            level = self._with_noise(i + 1, level, step.keys)
        if len(choices) <= len(latents):
            latents[len(choices) - 1][...] = level
        if not np.may_share_memory(level, out):  # classes with noise are a new array
            out[...] = level

    def _with_noise(self, i, level, keys):
        """Return level i with noise on its classes. On pixels, it is added in place."""
        branch = branch_keys(keys, 1 + i)
        if i < self.n_levels:
            return self.channels[i].corrupt(level, branch)
        if self.pixel_noise > 0:
            noise = draw_normals(branch, prod(level.shape[1:])).reshape(level.shape)
            level += np.float32(self.pixel_noise) * noise
        return level


def label_channel(label_noise, n_labels):
    """Return P(observed label | label of the image), symmetric: (n_labels, n_labels)."""
    other = label_noise / (n_labels - 1)
    return np.full((n_labels, n_labels), other) + np.eye(n_labels) * (1 - label_noise - other)
