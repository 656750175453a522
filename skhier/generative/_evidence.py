r"""Evidence of images: messages beta' of the last level that holds classes.

.. math:: \beta'(a) = P(\text{pixels, or any other evidence, of a patch} \mid \text{class } a)
"""

from math import log, pi

import numpy as np
from scipy.special import logsumexp
from sklearn.utils import gen_batches

from ._algebra import Linear
from ._recognition import PatchIndex

_TERMS_IN_CACHE = 2**14


class LookupEvidence:
    """Evidence of discrete tokens, looked up in a table.

    Parameters
    ----------
    table : ndarray of shape (n_classes, n_tokens)
        P(token | class).
    find : callable
        Function of rows, an index of images, that returns their tokens (n, h, w).
    """

    def __init__(self, table, find):
        self._table, self._find = table, find

    def messages(self, rows, algebra, channel):
        """Compute (beta', beta, log-scale of the messages) of the images `rows`.

        The messages are scaled to a maximum of 1 and have shape (n_classes, h, w, n). The
        logarithm of the factor that the scaling removes from each image has shape (n,).
        """
        found = np.ascontiguousarray(self._find(rows).transpose(1, 2, 0))
        after = algebra.from_probability(self._table.copy())
        log_largest = algebra.to_log(algebra.scale(after))
        before = channel.before(after, algebra)
        log_scale = log_largest.take(found).sum(axis=(0, 1))
        return after.take(found, axis=1), before.take(found, axis=1), log_scale


class GaussianEvidence:
    """Evidence of pixels with Gaussian noise, of images (n, height, width[, n_channels])."""

    def __init__(self, rules, noise, images):
        self._rules, self._noise, self._images = rules, noise, images

    def messages(self, rows, algebra, channel):
        """Compute (beta', beta, log-scale), as :meth:`LookupEvidence.messages`."""
        after, log_factor = self._message(self._images[rows], algebra)
        log_factor += algebra.to_log(algebra.scale(after))
        return after, channel.before(after, algebra), log_factor.sum(axis=(0, 1))

    def _message(self, images, algebra):
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


def pixel_evidence(rules, noise, images):
    """Return the evidence of images (n, height, width[, n_channels]), whose patches have noise."""
    if noise:
        return GaussianEvidence(rules, noise, images)
    index = PatchIndex(rules.patches)
    # P(patch | class). The last column, at index -1, is for unknown patches.
    table = np.zeros((rules.n_classes, len(index.classes) + 1))
    np.put_along_axis(table, index.rule_patches, rules.weights, axis=1)
    return LookupEvidence(table, lambda rows: index.find(images[rows]))
