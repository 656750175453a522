r"""Exact inference by belief propagation on the tree of a generative model.

For a pixel of level i whose class is b as drawn and a after symbol noise,

.. math:: \beta'(a) = \sum_j w_{aj} \prod_{uv} \beta_{uv}(S_{a,j,u,v}), \qquad
          \beta(b) = \sum_a K(a | b) \beta'(a)

are the probabilities of all that is seen below it, given a or b. These messages go up to
the root images, and probabilities of classes come down. Arrays hold the samples last, so
that every step runs along memory.
"""

from functools import partial
from math import log, pi, prod

import numpy as np
from scipy.special import logsumexp
from sklearn.utils import gen_batches

from ._algebra import Linear, Logarithmic
from ._recognition import PatchIndex

# Linear messages have a maximum of 1, so what underflows is below 1e-307 of it. That can
# count only if what is left is tiny as well: then logarithms are taken instead.
_TRUSTED = log(1e-20)
_TRUSTED_AT_ROOT = log(1e-60)
_TERMS_IN_CACHE = 2**14


class PixelEvidence:
    """beta' of the last level that holds classes, from the pixels that are seen."""

    def __init__(self, rules, pixel_noise):
        self._rules, self._noise = rules, pixel_noise
        self._index = None if pixel_noise else PatchIndex(rules.patches)

    def __call__(self, images, algebra, mix):
        """(beta', mix(beta'), log-likelihood that they leave out) of images.

        Of shapes (n_classes, h, w, n), the same, and (n,).
        """
        if self._index:
            found = np.ascontiguousarray(self._index.find(images).transpose(1, 2, 0))
            # P(patch | class); the last column is of what is none of the patches.
            table = np.zeros((self._rules.n_classes, len(self._index.classes) + 1))
            np.put_along_axis(table, self._index.rule_patches, self._rules.weights, axis=1)
            message = algebra.from_probability(table)
            log_largest = algebra.to_log(algebra.scale(message)).take(found)
            message, mixed = message.take(found, axis=1), mix(message).take(found, axis=1)
        else:
            message, log_largest = self._near_patches(images, algebra)
            log_largest += algebra.to_log(algebra.scale(message))
            mixed = mix(message)
        return message, mixed, log_largest.sum(axis=(0, 1))

    def _near_patches(self, images, algebra):
        """(beta' up to a factor, logarithm of that factor) by Gaussian densities."""
        n, height, width = images.shape[:3]
        p, q = self._rules.patch_size
        h, w = height // p, width // q
        pixels = images.reshape(n, h, p, w, q, -1).transpose(2, 4, 5, 1, 3, 0)
        pixels = pixels.reshape(-1, h * w * n).astype(np.float64)
        message = np.empty((self._rules.n_classes, pixels.shape[1]))
        factor = np.empty(pixels.shape[1])
        for part in gen_batches(len(factor), max(1, _TERMS_IN_CACHE // self._rules.weights.size)):
            message[:, part], factor[part] = self._densities(pixels[:, part], algebra)
        return message.reshape(-1, h, w, n), factor.reshape(h, w, n)

    def _densities(self, pixels, algebra):
        patches = self._rules.patches.reshape(-1, len(pixels)).astype(np.float64)
        variance = self._noise**2
        # log N(x; patch, variance): what differs between patches, and what does not.
        each = patches @ pixels
        each -= (patches**2).sum(axis=1, keepdims=True) / 2
        each /= variance
        top = each.max(axis=0)
        each -= top
        common = top - (pixels**2).sum(axis=0) / (2 * variance)
        common -= len(pixels) / 2 * log(2 * pi * variance)
        each = each.reshape(*self._rules.weights.shape, -1)
        if algebra is Linear:
            message = np.einsum("ak,akm->am", self._rules.weights, np.exp(each, out=each))
        else:
            message = logsumexp(each, axis=1, b=self._rules.weights[..., None])
        return message, common


class Beliefs:
    """What a batch of images says about the root images and classes that made them.

    Attributes
    ----------
    log_joint : ndarray of shape (n_root_images, n)
        Logarithm of P(root image, image).
    is_exact : ndarray of shape (n,)
        Whether no underflow can have mattered.
    """

    def __init__(self, model, images, evidence, algebra):
        self._model, self._algebra = model, algebra
        last = model.n_levels - 1
        mix = partial(self._mix, last)
        message, mixed, log_likelihood = evidence(images, algebra, mix)
        self._after_noise, self._before_noise = {last: message}, {last: mixed}  # beta', beta
        lowest = np.zeros(len(images))
        for i in reversed(range(last)):
            message = self._combine(i)
            log_largest = algebra.to_log(algebra.scale(message))
            log_likelihood += log_largest.sum(axis=(0, 1))
            log_likelihood -= prod(model.level_shapes[i]) * log(model.rules[i].n_per_class)
            lowest = np.minimum(lowest, log_largest.min(axis=(0, 1)))
            self._after_noise[i] = message
            self._before_noise[i] = self._mix(i, message)
        log_message = algebra.to_log(self._before_noise[0])
        of_roots = np.zeros((len(model.root.images), len(images)))
        for row, column in np.ndindex(model.level_shapes[0]):
            of_roots += log_message[model.root.images[:, row, column], row, column]
        self.is_exact = (lowest > _TRUSTED) & (of_roots.max(axis=0) > _TRUSTED_AT_ROOT)
        self.log_joint = of_roots + np.log(model.root.probabilities)[:, None] + log_likelihood

    def _mix(self, i, message):
        """beta of level i from beta': a class is kept, or replaced by one drawn uniformly."""
        noise = self._model.symbol_noise[i]
        if noise == 0:
            return message
        p = self._algebra.to_probability(message)
        mixed = p * (1 - noise)
        mixed += noise * p.mean(axis=0)
        return self._algebra.from_probability(mixed)

    def _combine(self, i):
        """k beta' of level i from beta of level i + 1."""
        sums = [self._algebra.plus.reduce(terms, axis=1) for _, terms in self._rule_terms(i)]
        message = np.concatenate(sums)
        return message.reshape(len(message), *self._model.level_shapes[i], -1)

    def _rule_terms(self, i):
        """Yield slices of classes a and k w_aj prod_uv beta_uv(S_ajuv), for all j and pixels."""
        rules, times = self._model.rules[i], self._algebra.times
        children = self._group(self._before_noise[i + 1], rules.patch_size)
        n_pixels = children.shape[2]
        patches = rules.patches.reshape(*rules.weights.shape, -1)
        weights = self._algebra.from_probability(rules.weights * rules.n_per_class)
        n_together = max(1, _TERMS_IN_CACHE // (rules.n_per_class * n_pixels))
        for classes in gen_batches(rules.n_classes, n_together):
            terms = children[0].take(patches[classes, :, 0], axis=0)
            for place, child in enumerate(children[1:], start=1):
                times(terms, child.take(patches[classes, :, place], axis=0), out=terms)
            if not rules.is_uniform:
                times(terms, weights[classes, :, None], out=terms)
            yield classes, terms

    @staticmethod
    def _group(message, patch_size):
        """(classes, h p, w q, n) as (p q, classes, h w n): one row for each place of a patch."""
        n_classes, height, width, n = message.shape
        p, q = patch_size
        grouped = message.reshape(n_classes, height // p, p, width // q, q, n)
        return grouped.transpose(2, 4, 0, 1, 3, 5).reshape(p * q, n_classes, -1)

    @staticmethod
    def _ungroup(grouped, level_shape, patch_size):
        (height, width), (p, q) = level_shape, patch_size
        n_classes = grouped.shape[1]
        message = grouped.reshape(p, q, n_classes, height, width, -1)
        message = message.transpose(2, 3, 0, 4, 1, 5)
        return message.reshape(n_classes, height * p, width * q, -1)

    def log_likelihood(self):
        """Logarithm of the probability, or density, of each image: (n,)."""
        top = self.log_joint.max(axis=0)
        top[np.isneginf(top)] = 0
        return top + Linear.to_log(np.exp(self.log_joint - top).sum(axis=0))

    def root_posterior(self):
        """P(root image | image): (n_root_images, n)."""
        return np.exp(self.log_joint - self.log_likelihood())

    def class_posteriors(self, level):
        """P(class of each pixel at `level` | image): (n_classes, h, w, n)."""
        model, root_posterior = self._model, self.root_posterior()
        shape = (model.rules[0].n_classes, *model.level_shapes[0], root_posterior.shape[1])
        drawn = np.zeros(shape)
        for image, p in zip(model.root.images, root_posterior):
            for row, column in np.ndindex(image.shape):
                drawn[image[row, column], row, column] += p
        for i in range(level):
            drawn = self._descend(i, self._unmix(i, drawn))
        return self._unmix(level, drawn)

    def _unmix(self, i, drawn):
        """Probabilities of classes after symbol noise, from those as drawn."""
        noise = self._model.symbol_noise[i]
        if noise == 0:
            return drawn
        after = self._algebra.to_probability(self._after_noise[i])
        before = self._algebra.to_probability(self._before_noise[i])
        weight = drawn / before  # positive: beta is at least the noise's share of it
        return after * ((1 - noise) * weight + noise * weight.mean(axis=0))

    def _descend(self, i, classes):
        """Probabilities of classes as drawn at level i + 1, from those at level i."""
        rules = self._model.rules[i]
        n_next = self._model.rules[i + 1].n_classes
        patches = rules.patches.reshape(*rules.weights.shape, -1)
        p_classes = classes.reshape(len(classes), 1, -1)
        below = np.zeros((patches.shape[2] * n_next, p_classes.shape[2]))
        for classes, terms in self._rule_terms(i):
            total = self._algebra.plus.reduce(terms, axis=1, keepdims=True)
            p_rules = self._algebra.ratio(terms, total)
            p_rules *= p_classes[classes]
            symbols = patches[classes].reshape(-1, patches.shape[2])
            is_symbol = symbols.T[:, None] == np.arange(n_next)[:, None]  # place, symbol, rule
            below += is_symbol.reshape(len(below), -1).astype(float) @ p_rules.reshape(
                len(symbols), -1
            )
        below = below.reshape(-1, n_next, below.shape[1])
        return self._ungroup(below, self._model.level_shapes[i], rules.patch_size)


def infer(model, images, evidence, read, impossible_ok=False):
    """`read(beliefs)`, an array with the samples last, at any scale of probabilities.

    Raises
    ------
    ImpossibleImage
        If the model cannot make an image, unless `impossible_ok`.
    """
    beliefs = Beliefs(model, images, evidence, Linear)
    doubtful = np.flatnonzero(~beliefs.is_exact)
    with np.errstate(divide="ignore", invalid="ignore"):  # for doubtful ones
        result = read(beliefs)
    if len(doubtful):
        beliefs = Beliefs(model, images[doubtful], evidence, Logarithmic)
        impossible = np.isneginf(beliefs.log_likelihood())
        if impossible.any() and not impossible_ok:
            raise ImpossibleImage(doubtful[impossible.argmax()])
        result[..., doubtful] = read(beliefs)
    return result


class ImpossibleImage(ValueError):
    """The image of this index has probability zero."""

    def __init__(self, index):
        super().__init__(index)
        self.index = index
