"""Rules of one level: the patches of each semantic class and their probabilities."""

from dataclasses import dataclass, field

import numpy as np

from .._base._validation import to_floats
from ._streams import multiply_bits


@dataclass(frozen=True, eq=False)
class Rules:
    """Sets S_c of one level, with the probability of each patch.

    A rule is a pair (class c, its patch j), numbered c * k + j.

    Parameters
    ----------
    patches : ndarray of shape (n_classes, k, height, width) or, of real pixels, \
            (n_classes, k, height, width, n_channels)
        Row c holds the patches of S_c: classes of the next level, or float32 pixels.
    weights : ndarray of shape (n_classes, k)
        Probability of each patch given its class.
    """

    patches: np.ndarray
    weights: np.ndarray
    _alias: tuple | None = field(init=False, repr=False)

    def __post_init__(self):
        uniform = np.ptp(self.weights) == 0
        object.__setattr__(self, "_alias", None if uniform else alias_table(self.weights))

    @property
    def n_classes(self):
        return self.patches.shape[0]

    @property
    def n_per_class(self):
        return self.patches.shape[1]

    @property
    def patch_size(self):
        return self.patches.shape[2:4]

    @property
    def rows(self):
        """Patch of each rule, flat: (n_classes * k, n_values)."""
        return self.patches.reshape(self.n_classes * self.n_per_class, -1)

    @property
    def is_uniform(self):
        """Whether all patches of a class are equally likely."""
        return self._alias is None

    def choose(self, classes, bits):
        """Choose the rule of each pixel, given its class and 32 random bits."""
        k = self.n_per_class
        product = multiply_bits(bits, k).reshape(classes.shape)
        rules = (product >> np.uint64(32)).view(np.int64)
        rules += classes * k
        if not self.is_uniform:
            threshold, alias = self._alias
            product &= np.uint64(0xFFFFFFFF)
            rules = np.where(product < threshold.take(rules), rules, alias.take(rules))
        return rules

    def apply(self, rules, out=None):
        """Return the next level (n, height * p, width * q[, n_channels]).

        If `out` is given, the level is written to it, in its dtype.
        """
        n, height, width = rules.shape
        p, q, *channels = self.patches.shape[2:]
        # The rows of patches are gathered in the order of the next level's memory.
        rows = self.patches.reshape(-1, *self.patches.shape[3:])
        order = (rules * p)[:, :, None, :] + np.arange(p)[:, None]
        gathered = None
        if out is not None:
            rows = rows.astype(out.dtype, copy=False)
            gathered = out.reshape(*order.shape, *rows.shape[1:])
        gathered = rows.take(order, axis=0, out=gathered, mode="clip")
        return gathered.reshape(n, height * p, width * q, *channels)

    def class_frequencies(self, n_next):
        """Compute P(pixel (u, v) of the patch is b | class a): (n_classes, n_next, p, q)."""
        n_classes, _, p, q = self.patches.shape
        entry = np.arange(n_classes)[:, None, None, None] * n_next + self.patches
        entry = (entry * p + np.arange(p)[:, None]) * q + np.arange(q)
        weights = np.broadcast_to(self.weights[..., None, None], entry.shape)
        sums = np.bincount(entry.ravel(), weights.ravel(), n_classes * n_next * p * q)
        return sums.reshape(n_classes, n_next, p, q)


def alias_table(weights):
    """Compute the tables (threshold, alias) of Walker's alias method, an entry for each rule.

    A rule is drawn uniformly in its class. If 32 more random bits are not below its threshold,
    it is replaced by its alias.
    """
    n_classes, k = weights.shape
    threshold = np.full(n_classes * k, 2**32, np.uint64)
    alias = np.arange(n_classes * k)
    for row, scaled in enumerate(weights * k):
        small = [j for j in range(k) if scaled[j] < 1]
        large = [j for j in range(k) if scaled[j] >= 1]
        while small and large:
            j, donor = small.pop(), large[-1]
            threshold[row * k + j] = round(scaled[j] * 2**32)
            alias[row * k + j] = row * k + donor
            scaled[donor] -= 1 - scaled[j]
            if scaled[donor] < 1:
                small.append(large.pop())
    return threshold, alias


def rule_weights(value, n_classes, k, level):
    """Return the probabilities (n_classes, k) for a value of the parameter `rule_weights`.

    Raises
    ------
    ValueError
        If the value is not 'uniform', 'zipf', an exponent >= 0 or weights of a valid shape.
    """
    exponent = {"uniform": 0.0, "zipf": 1.0}.get(value) if isinstance(value, str) else value
    try:
        weights = to_floats(exponent, "rule_weights")
    except ValueError:
        weights = np.array(np.nan)
    if weights.ndim == 0:  # Zipf's law: the r-th patch has weight r ** -exponent
        weights = np.arange(1, k + 1) ** -weights if weights >= 0 else np.array(np.nan)
    if weights.shape not in [(k,), (n_classes, k)] or not (
        np.isfinite(weights).all() and (weights >= 0).all() and weights.sum(axis=-1).all()
    ):
        raise ValueError(
            f"rule_weights={value!r} is not valid at level {level}: it takes 'uniform', "
            f"'zipf', an exponent >= 0 of Zipf's law, or weights >= 0, not all 0, of shape "
            f"({k},) or ({n_classes}, {k}); a list gives one of these for each level."
        )
    weights = np.broadcast_to(weights, (n_classes, k))
    return weights / weights.sum(axis=1, keepdims=True)
