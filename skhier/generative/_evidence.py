r"""Evidence: messages beta' of the last level that holds classes.

.. math:: \beta'(a) = P(\text{evidence of a pixel} \mid \text{its seen class } a)

The evidence is pixels, symbols or any likelihood of each symbol. Belief propagation takes from it
`messages` and `level`, and errors its `name` and `doubt`.
"""

from math import log, pi

import numpy as np

from ._algebra import COLUMNS, product, slices, sum_rows
from ._belief import group
from ._recognition import PatchIndex

_TERMS_IN_CACHE = 2**14
_TABLE_VALUES = 2**17  # largest lookup table: 1 MB


class LookupEvidence:
    """Evidence of discrete tokens, whose messages are looked up in a table.

    Parameters
    ----------
    name : str
        Argument from which the evidence comes.
    level : int
        Level of the pixels.
    find : callable
        Function of rows, an index of images, that returns their tokens (n, h, w). A token is a
        column of the tables; -1 is the last one.
    make_tables : callable
        Function of an algebra that returns (beta', beta, scale, lowest) of each token. The
        messages, (n_classes, n_tokens), are scaled to a maximum of 1. `scale` is the logarithm of
        the factor, and `lowest` of its smallest part on a path to a pixel below.
    n_tokens : int
        Number of different tokens.
    """

    doubt = ""  # tokens are far from impossible, or impossible

    def __init__(self, name, level, find, make_tables, n_tokens):
        self.name, self.level = name, level
        self._find, self._make_tables, self._n_tokens = find, make_tables, n_tokens
        self._tables = {}

    def messages(self, rows, algebra):
        """Compute the messages of the images `rows`.

        Returns
        -------
        after, before : ndarrays of shape (n_classes, h, w, n)
            Messages beta' and beta, scaled to a maximum of 1.
        log_scale : ndarray of shape (h, w, n)
            Logarithm of the factor that the scaling removes from each message.
        lowest : ndarray of shape (h, w, n)
            Logarithm of the smallest product of maxima, by which messages were scaled, on a path
            to a pixel below.
        """
        after, before, scale, lowest = self._read(algebra)
        found = np.ascontiguousarray(self._find(rows).transpose(1, 2, 0))
        is_same = after is before
        after = after.take(found, axis=1)
        before = after if is_same else before.take(found, axis=1)
        return after, before, scale.take(found), lowest.take(found)

    def _read(self, algebra):
        if algebra not in self._tables:
            self._tables[algebra] = self._make_tables(algebra)
        return self._tables[algebra]

    def lift(self, model, level, n_images):
        """Return the same evidence as tokens of a higher level, not above `level`.

        The tokens of a patch become one token. A patch of p q pixels has n_tokens ** (p q) tokens,
        so this ends where the table is large, or has more tokens than there are patches.
        """
        evidence = self
        while evidence.level > level:
            i = evidence.level - 1
            (height, width), rules = model.level_shapes[i], model.rules[i]
            n_tokens = evidence._n_tokens ** (rules.patch_size[0] * rules.patch_size[1])
            size = n_tokens * max(rules.n_classes, model.rules[i + 1].n_classes)
            if size > _TABLE_VALUES or n_tokens > n_images * height * width:
                break
            evidence = evidence._lift_once(rules, model.channels[i], n_tokens)
        return evidence

    def _lift_once(self, rules, channel, n_tokens):
        n_places = rules.patch_size[0] * rules.patch_size[1]
        digits = self._n_tokens ** np.arange(n_places)[:, None]

        def find(rows):
            tokens = self._find(rows)
            n, height, width = tokens.shape
            tokens = np.where(tokens < 0, tokens + self._n_tokens, tokens)
            places = group(tokens.transpose(1, 2, 0)[None], rules.patch_size)[:, 0]
            shape = height // rules.patch_size[0], width // rules.patch_size[1], n
            return (places * digits).sum(axis=0).reshape(shape).transpose(2, 0, 1)

        def make_tables(algebra):
            _, before, scale, lowest = self._read(algebra)
            places = np.arange(n_tokens) // digits % self._n_tokens
            children = before.take(places, axis=1).transpose(1, 0, 2)
            after = rules.ascend(children, algebra)
            log_largest = algebra.to_log(algebra.scale(after))
            lowest = lowest.take(places).min(axis=0) + log_largest
            scale = sum_rows(scale.take(places)) + log_largest
            return after, channel.before(after, algebra), scale, lowest

        return LookupEvidence(self.name, self.level - 1, find, make_tables, n_tokens)


class DenseEvidence:
    """Evidence with a message of its own for each pixel.

    Subclasses have a method `_message` of rows and an algebra. It returns beta' up to a factor, of
    shape (n_classes, h, w, n), and the logarithm of the factor, (h, w, n).
    """

    def __init__(self, name, level, channel):
        self.name, self.level, self._channel = name, level, channel

    def messages(self, rows, algebra):
        """Compute the messages of the images `rows`, as :meth:`LookupEvidence.messages`."""
        after, log_factor = self._message(rows, algebra)
        log_largest = algebra.to_log(algebra.scale(after))
        before = self._channel.before(after, algebra)
        return after, before, log_factor + log_largest, log_largest

    def lift(self, model, level, n_images):
        """Return the evidence itself: it has no tokens that a table could join."""
        return self


class LogEvidence(DenseEvidence):
    """Evidence of any log-likelihood of each class, (n, h, w, n_classes)."""

    doubt = (
        "log_evidence has logarithms of very different sizes, and the most likely symbols never "
        "occur together",
        "Subtract a constant from each symbol's logarithms, or bring them closer together.",
    )

    def __init__(self, model, values):
        super().__init__("log_evidence", model.n_levels - 1, model.channels[-1])
        self._values = values

    def _message(self, rows, algebra):
        values = self._values[rows].astype(np.float64).transpose(3, 1, 2, 0)
        largest = values.max(axis=0)
        return algebra.from_log(np.ascontiguousarray(values - largest)), largest


class GaussianEvidence(DenseEvidence):
    """Evidence of pixels with Gaussian noise, of images (n, height, width[, n_channels])."""

    def __init__(self, model, images):
        super().__init__("X", model.n_levels - 1, model.channels[-1])
        self._rules, self._noise, self._images = model.rules[-1], model.pixel_noise, images
        patches = self._rules.rows.astype(np.float64)
        distances = ((patches - patches.mean(axis=0)) ** 2).sum(axis=1)
        # Squares of a common offset would leave rounding errors. A patch is subtracted, as
        # differences of patches are exact where those from the mean are not.
        self._centre = patches[distances.argmin()][:, None]
        self._patches = patches - self._centre.T
        self._half_norms = (self._patches**2).sum(axis=1, keepdims=True) / 2
        self.doubt = (
            "X has images too far from all images of the model, in standard deviations of "
            f"pixel_noise={model.pixel_noise:g}",
            "Set a larger pixel_noise.",
        )

    def _message(self, rows, algebra):
        images = self._images[rows]
        n, height, width = images.shape[:3]
        p, q = self._rules.patch_size
        h, w = height // p, width // q
        pixels = images.reshape(n, h, p, w, q, -1).transpose(2, 4, 5, 1, 3, 0)
        pixels = pixels.reshape(-1, h * w * n) - self._centre
        message = np.empty((self._rules.n_classes, pixels.shape[1]))
        log_factor = np.empty(pixels.shape[1])
        n_blocks = max(1, _TERMS_IN_CACHE // (self._rules.weights.size * COLUMNS))
        for batch in slices(len(log_factor), n_blocks * COLUMNS):
            message[:, batch], log_factor[batch] = self._densities(pixels[:, batch], algebra)
        return message.reshape(-1, h, w, n), log_factor.reshape(h, w, n)

    def _densities(self, pixels, algebra):
        """Return the message of each column of pixels, and the logarithm of its factor."""
        patches, variance = self._patches, self._noise**2
        # log N(x; patch, variance) of a patch is log_nearest, its value for the nearest patch, plus
        # log_ratio <= 0.
        log_ratio = product(patches, pixels)
        log_ratio -= self._half_norms
        log_ratio[self._rules.weights.ravel() == 0] = -np.inf  # patches that are never drawn
        nearest = log_ratio.argmax(axis=0)
        log_ratio -= np.take_along_axis(log_ratio, nearest[None], axis=0)
        log_ratio /= variance
        # The expansion of the square would leave a rounding error, which the variance enlarges.
        difference = pixels - patches.T.take(nearest, axis=1)
        log_nearest = -sum_rows(difference**2) / (2 * variance)
        log_nearest -= len(pixels) / 2 * log(2 * pi * variance)
        terms = algebra.from_log(log_ratio.reshape(*self._rules.weights.shape, -1))
        weights = algebra.from_probability(self._rules.weights)[..., None]
        if self._rules.is_uniform:
            return algebra.multiply(algebra.sum_rules(terms), weights[:, 0]), log_nearest
        return algebra.sum_rules(algebra.multiply(terms, weights, out=terms)), log_nearest


def token_evidence(name, model, table, find):
    """Return evidence of tokens (n, h, w) of the last level, with P(token | class) in a table."""
    channel = model.channels[-1]

    def make_tables(algebra):
        after = algebra.from_probability(table.copy())
        scale = algebra.to_log(algebra.scale(after))
        return after, channel.before(after, algebra), scale, np.zeros(len(scale))

    return LookupEvidence(name, model.n_levels - 1, find, make_tables, table.shape[1])


def pixel_evidence(model, images):
    """Return the evidence of images (n, height, width[, n_channels])."""
    if model.pixel_noise:
        return GaussianEvidence(model, images)
    rules = model.rules[-1]
    index = PatchIndex(rules)
    # P(patch | class). The last column, at index -1, is for unknown patches.
    table = np.zeros((rules.n_classes, len(index.classes) + 1))
    np.put_along_axis(table, index.rule_patches, rules.weights, axis=1)
    return token_evidence("X", model, table, lambda rows: index.find(images[rows]))


def symbol_evidence(model, symbols, mask):
    """Return the evidence of symbols (n, h, w), unknown where they are -1 or `mask` is True."""
    n_classes = model.rules[-1].n_classes

    def find(rows):
        found = symbols[rows].astype(np.intp)
        return found if mask is None else np.where(mask[rows], -1, found)

    has_unknown = mask is not None or symbols.min() < 0
    table = np.eye(n_classes, n_classes + has_unknown)
    table[:, n_classes:] = 1
    return token_evidence("symbols", model, table, find)
