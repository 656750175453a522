r"""Exact inference by belief propagation on the tree of a generative model.

Take a pixel of level i. Its class is b when it is drawn and a after symbol noise. The
probability of all visible pixels below it, given a or b, is

.. math:: \beta'(a) = \sum_j w_{aj} \prod_{uv} \beta_{uv}(S_{a,j,u,v}), \qquad
          \beta(b) = \sum_a K(a | b) \beta'(a).

These messages go up to the root images; probabilities of classes go down. The samples are the
last axis of all arrays, so that every operation runs over contiguous memory.
"""

from functools import partial
from math import log, pi, prod
from warnings import warn

import numpy as np
from scipy.special import logsumexp
from sklearn.utils import gen_batches

from ._algebra import Linear, Logarithmic
from ._recognition import PatchIndex

# The maximum of a linear message is 1, so a value that underflows is below 1e-307 of the maximum.
# It can matter only if the maximum of a later message, or of the root, is tiny too. Images with
# values below these limits are computed again with logarithms.
_TRUSTED = log(1e-20)
_TRUSTED_AT_ROOT = log(1e-60)
_TERMS_IN_CACHE = 2**14
_MAX_ROUNDING = 1e-3  # rounding error of posteriors above which users are warned


class PixelEvidence:
    """Messages beta' of the last level that holds classes, computed from the pixels."""

    def __init__(self, rules, pixel_noise):
        self._rules, self._noise = rules, pixel_noise
        self._index = None if pixel_noise else PatchIndex(rules.patches)

    def __call__(self, images, algebra, apply_noise):
        """Compute (beta', apply_noise(beta'), log-scale of the messages) of images.

        The messages are scaled to a maximum of 1 and have shape (n_classes, h, w, n). The
        logarithm of the factor that the scaling removes from each image has shape (n,).
        """
        if self._index:
            found = np.ascontiguousarray(self._index.find(images).transpose(1, 2, 0))
            # P(patch | class). The last column, at index -1, is for unknown patches.
            table = np.zeros((self._rules.n_classes, len(self._index.classes) + 1))
            np.put_along_axis(table, self._index.rule_patches, self._rules.weights, axis=1)
            message = algebra.from_probability(table)
            log_largest = algebra.to_log(algebra.scale(message)).take(found)
            noisy = apply_noise(message).take(found, axis=1)
            message = message.take(found, axis=1)
        else:
            message, log_largest = self._gaussian_message(images, algebra)
            log_largest += algebra.to_log(algebra.scale(message))
            noisy = apply_noise(message)
        return message, noisy, log_largest.sum(axis=(0, 1))

    def _gaussian_message(self, images, algebra):
        """Return beta' of noisy pixels up to a factor, and the logarithm of the factor."""
        n, height, width = images.shape[:3]
        p, q = self._rules.patch_size
        h, w = height // p, width // q
        pixels = images.reshape(n, h, p, w, q, -1).transpose(2, 4, 5, 1, 3, 0)
        pixels = pixels.reshape(-1, h * w * n).astype(np.float64)
        message = np.empty((self._rules.n_classes, pixels.shape[1]))
        log_factor = np.empty(pixels.shape[1])
        batch_size = max(1, _TERMS_IN_CACHE // self._rules.weights.size)
        for batch in gen_batches(len(log_factor), batch_size):
            message[:, batch], log_factor[batch] = self._densities(pixels[:, batch], algebra)
        return message.reshape(-1, h, w, n), log_factor.reshape(h, w, n)

    def _densities(self, pixels, algebra):
        """Return the message of each column of pixels, and the logarithm of its factor."""
        patches = self._rules.patches.reshape(-1, len(pixels)).astype(np.float64)
        variance = self._noise**2
        # log N(x; patch, variance) of a patch is log_nearest, its value for the nearest patch, plus
        # log_ratio <= 0.
        log_ratio = patches @ pixels
        log_ratio -= (patches**2).sum(axis=1, keepdims=True) / 2
        nearest = log_ratio.argmax(axis=0)
        log_ratio -= log_ratio.max(axis=0)
        log_ratio /= variance
        # The expansion of the square would leave a rounding error, which the variance enlarges.
        difference = pixels - patches.T[:, nearest]
        log_nearest = -(difference**2).sum(axis=0) / (2 * variance)
        log_nearest -= len(pixels) / 2 * log(2 * pi * variance)
        log_ratio = log_ratio.reshape(*self._rules.weights.shape, -1)
        if algebra is Linear:
            message = np.einsum("ak,akm->am", self._rules.weights, np.exp(log_ratio, out=log_ratio))
        else:
            message = logsumexp(log_ratio, axis=1, b=self._rules.weights[..., None])
        return message, log_nearest


class Beliefs:
    """Messages of a batch of images, and posteriors of its root images and classes.

    Attributes
    ----------
    log_roots : ndarray of shape (n_root_images, n)
        Logarithm of P(root image, image), less `log_scale`.
    log_scale : ndarray of shape (n,)
        Logarithm of the factors that the scaling removes from the messages of each image. It
        can be so large (1e16) that a sum with `log_roots` would lose their differences.
    is_exact : ndarray of shape (n,)
        Whether no underflow can have changed the result of an image.
    rounding : ndarray of shape (n,)
        Bound of the rounding error of logarithms of the messages. It is large if patches that
        never occur together explain the image far better than patches that do.
    """

    def __init__(self, model, images, evidence, algebra):
        self._model, self._algebra = model, algebra
        last = model.n_levels - 1
        message, noisy, self.log_scale = evidence(
            images, algebra, partial(self._apply_symbol_noise, last)
        )
        self._after_noise, self._before_noise = {last: message}, {last: noisy}  # beta', beta
        lowest = np.zeros(len(images))
        for i in reversed(range(last)):
            message = self._combine(i)
            log_largest = algebra.to_log(algebra.scale(message))
            self.log_scale += log_largest.sum(axis=(0, 1))
            self.log_scale -= prod(model.level_shapes[i]) * log(model.rules[i].n_per_class)
            lowest = np.minimum(lowest, log_largest.min(axis=(0, 1)))
            self._after_noise[i] = message
            self._before_noise[i] = self._apply_symbol_noise(i, message)
        log_message = algebra.to_log(self._before_noise[0])
        log_roots = np.zeros((len(model.root.images), len(images)))
        for row, column in np.ndindex(model.level_shapes[0]):
            log_roots += log_message[model.root.images[:, row, column], row, column]
        highest = log_roots.max(axis=0)
        self.is_exact = (lowest > _TRUSTED) & (highest > _TRUSTED_AT_ROOT)
        self.rounding = np.finfo(float).eps * -np.minimum(lowest, highest)
        self.log_roots = log_roots + np.log(model.root.probabilities)[:, None]

    def _apply_symbol_noise(self, i, message):
        """Compute beta of level i from beta': noise replaces a class by one drawn uniformly."""
        noise = self._model.symbol_noise[i]
        if noise == 0:
            return message
        p = self._algebra.to_probability(message)
        noisy = p * (1 - noise)
        noisy += noise * p.mean(axis=0)
        return self._algebra.from_probability(noisy)

    def _combine(self, i):
        """Compute k beta' of level i from beta of level i + 1."""
        sums = [self._algebra.add.reduce(terms, axis=1) for _, terms in self._rule_terms(i)]
        message = np.concatenate(sums)
        return message.reshape(len(message), *self._model.level_shapes[i], -1)

    def _rule_terms(self, i):
        """Yield batches of classes a, with k w_aj prod_uv beta_uv(S_ajuv) for all j and pixels."""
        rules, multiply = self._model.rules[i], self._algebra.multiply
        children = self._group(self._before_noise[i + 1], rules.patch_size)
        n_pixels = children.shape[2]
        patches = rules.patches.reshape(*rules.weights.shape, -1)
        weights = self._algebra.from_probability(rules.weights * rules.n_per_class)
        batch_size = max(1, _TERMS_IN_CACHE // (rules.n_per_class * n_pixels))
        for classes in gen_batches(rules.n_classes, batch_size):
            terms = children[0].take(patches[classes, :, 0], axis=0)
            for place, child in enumerate(children[1:], start=1):
                multiply(terms, child.take(patches[classes, :, place], axis=0), out=terms)
            if not rules.is_uniform:
                multiply(terms, weights[classes, :, None], out=terms)
            yield classes, terms

    @staticmethod
    def _group(message, patch_size):
        """Reshape (classes, h p, w q, n) to (p q, classes, h w n): a row per place in a patch."""
        n_classes, height, width, n = message.shape
        p, q = patch_size
        grouped = message.reshape(n_classes, height // p, p, width // q, q, n)
        return grouped.transpose(2, 4, 0, 1, 3, 5).reshape(p * q, n_classes, -1)

    @staticmethod
    def _ungroup(grouped, level_shape, patch_size):
        """Undo `_group`."""
        (height, width), (p, q) = level_shape, patch_size
        n_classes = grouped.shape[1]
        message = grouped.reshape(p, q, n_classes, height, width, -1)
        message = message.transpose(2, 3, 0, 4, 1, 5)
        return message.reshape(n_classes, height * p, width * q, -1)

    def log_likelihood(self):
        """Compute the logarithm of the probability, or density, of each image: (n,)."""
        p, log_largest = self._scaled_roots()
        return self.log_scale + log_largest + Linear.to_log(p.sum(axis=0))

    def root_posterior(self):
        """Compute P(root image | image): (n_root_images, n)."""
        p, _ = self._scaled_roots()
        return p / p.sum(axis=0)

    def _scaled_roots(self):
        """Return P(root image, image), scaled to a maximum of 1, and the maximum's logarithm."""
        largest = self.log_roots.max(axis=0)
        largest[np.isneginf(largest)] = 0
        return np.exp(self.log_roots - largest), largest

    def class_posteriors(self, level):
        """Compute P(class of each pixel at `level` | image): (n_classes, h, w, n)."""
        model, root_posterior = self._model, self.root_posterior()
        shape = (model.rules[0].n_classes, *model.level_shapes[0], root_posterior.shape[1])
        drawn = np.zeros(shape)
        for image, p in zip(model.root.images, root_posterior):
            for row, column in np.ndindex(image.shape):
                drawn[image[row, column], row, column] += p
        for i in range(level):
            drawn = self._descend(i, self._posterior_after_noise(i, drawn))
        return self._posterior_after_noise(level, drawn)

    def _posterior_after_noise(self, i, drawn):
        """Compute posteriors of the classes after symbol noise from posteriors before it."""
        noise = self._model.symbol_noise[i]
        if noise == 0:
            return drawn
        after = self._algebra.to_probability(self._after_noise[i])
        before = self._algebra.to_probability(self._before_noise[i])
        weight = drawn / before  # positive: beta is at least noise / n_classes of the maximum
        return after * ((1 - noise) * weight + noise * weight.mean(axis=0))

    def _descend(self, i, classes):
        """Compute posteriors at level i + 1, before its noise, from posteriors at level i."""
        rules = self._model.rules[i]
        n_next = self._model.rules[i + 1].n_classes
        patches = rules.patches.reshape(*rules.weights.shape, -1)
        p_classes = classes.reshape(len(classes), 1, -1)
        posteriors = np.zeros((patches.shape[2] * n_next, p_classes.shape[2]))
        for batch, terms in self._rule_terms(i):
            p_rules = self._algebra.shares(terms)
            p_rules *= p_classes[batch]
            symbols = patches[batch].reshape(-1, patches.shape[2])
            is_symbol = symbols.T[:, None] == np.arange(n_next)[:, None]  # place, symbol, rule
            posteriors += is_symbol.reshape(len(posteriors), -1).astype(float) @ p_rules.reshape(
                len(symbols), -1
            )
        posteriors = posteriors.reshape(-1, n_next, posteriors.shape[1])
        return self._ungroup(posteriors, self._model.level_shapes[i], rules.patch_size)


def infer(model, images, evidence, compute, allow_impossible=False):
    """Return `compute(beliefs)`, an array with the samples last, exact at any scale.

    Raises
    ------
    ImpossibleImage
        If an image has probability 0, unless `allow_impossible`.

    Warns
    -----
    UserWarning
        If rounding can change the posteriors of an image, unless `allow_impossible`.
    """
    beliefs = Beliefs(model, images, evidence, Linear)
    inexact = np.flatnonzero(~beliefs.is_exact)
    with np.errstate(divide="ignore", invalid="ignore"):  # results of inexact images are replaced
        result = compute(beliefs)
    if len(inexact):
        beliefs = Beliefs(model, images[inexact], evidence, Logarithmic)
        impossible = np.isneginf(beliefs.log_likelihood())
        if impossible.any() and not allow_impossible:
            raise ImpossibleImage(inexact[impossible.argmax()])
        if not allow_impossible and (beliefs.rounding > _MAX_ROUNDING).any():
            warn(
                "X has images too far from all images of the model, in standard deviations of "
                f"pixel_noise={model.pixel_noise:g}: rounding can change their probabilities by "
                f"more than {_MAX_ROUNDING}. Set a larger pixel_noise.",
                UserWarning,
                stacklevel=2,
            )
        result[..., inexact] = compute(beliefs)
    return result


class ImpossibleImage(ValueError):
    """Error for an image of probability 0, with its `index` in the batch."""

    def __init__(self, index):
        super().__init__(index)
        self.index = index
