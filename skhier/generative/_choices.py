"""Choices that determine a sample: its root image, and the rule of each pixel of each level."""

from math import prod

import numpy as np

from ._product_rules import ProductRules
from ._root import RootDistribution
from ._streams import random_bits

_MAX_NUMBERED = 2**63


class RandomChoices:
    """Independent choices, each a function of the sample's key.

    Parameters
    ----------
    model : HierarchicalModel
        The model.
    keys : ndarray of shape (n,)
        Key of each sample. Noise has streams of its own, which start from the same keys.
    """

    def __init__(self, model, keys):
        self._model, self.keys = model, keys

    def roots(self):
        """Return the index of the root image of each sample."""
        return self._model.root.draw(self.keys)

    def rules(self, i, classes):
        """Return the number of the rule of each pixel of level i, given its class."""
        model = self._model
        n = [prod(s) * rules.n_choices for s, rules in zip(model.level_shapes, model.rules)]
        bits = random_bits(self.keys, RootDistribution.n_draws + sum(n[:i]), n[i])
        return model.rules[i].choose(classes, bits)


class NumberedChoices(RandomChoices):
    """Choices of numbered derivations.

    Parameters
    ----------
    model : HierarchicalModel
        The model.
    keys : ndarray of shape (n,)
        Key of each sample, for choices that have no digit.
    roots : ndarray of shape (n,)
        Index of the root image of each sample.
    digits : list of n_levels ndarrays of shape (n, n_digits)
        Rules of the first pixels of each level, by their number in the class of the pixel.
    """

    def __init__(self, model, keys, roots, digits):
        super().__init__(model, keys)
        self._roots, self._digits = roots, digits

    def roots(self):
        return self._roots

    def rules(self, i, classes):
        digits, k = self._digits[i], self._model.rules[i].n_per_class
        if digits.shape[1] == prod(classes.shape[1:]):
            return digits.reshape(classes.shape) + classes * k
        rules = super().rules(i, classes).reshape(len(classes), -1)
        first = np.s_[:, : digits.shape[1]]
        rules[first] = digits + classes.reshape(rules.shape)[first] * k
        return rules.reshape(classes.shape)


class Derivations:
    r"""Numbering of the derivations of a model, whose derivations are equally likely.

    A derivation is a root image, and a rule for each pixel of each level. With
    :math:`k_i` patches in each set and :math:`n_i` pixels at level i there are

    .. math:: P_{max} = |G_0| \prod_i k_i^{n_i}.

    The number of a derivation has one digit for each choice, in mixed radix. The first digit
    is the root image, then come the rules of level 0, row by row, and so on. If there are more
    than 2**63 derivations, the last choices have no digit.

    Parameters
    ----------
    model : HierarchicalModel
        The model.

    Attributes
    ----------
    count : int
        Number of derivations that differ in the choices with a digit, at most 2**63.

    Raises
    ------
    ValueError
        If derivations are not equally likely, or there is noise.
    """

    def __init__(self, model):
        _refuse_unequal(model)
        self._n_roots = len(model.root.images)
        self.count, self._n_digits, self._radices = self._n_roots, [], []
        is_full = False
        for rules, shape in zip(model.rules, model.level_shapes):
            k, n_pixels, n = rules.n_per_class, prod(shape), 0
            while k > 1 and n < n_pixels and not is_full:
                is_full = self.count * k > _MAX_NUMBERED
                if not is_full:
                    self.count, n = self.count * k, n + 1
            self._n_digits.append(n)
            self._radices.append(np.uint64(k))

    def digits(self, numbers):
        """Return the root images and the digits of each level, of numbers in range(count)."""
        rest, roots = np.divmod(numbers, np.uint64(self._n_roots))
        digits = [np.empty((len(numbers), n), np.int64) for n in self._n_digits]
        for of_level, radix in zip(digits, self._radices):
            for column in of_level.T:
                rest, column[...] = np.divmod(rest, radix)
        return roots.astype(np.int64), digits


def _refuse_unequal(model):
    """Raise ValueError if the derivations of a model are not equally likely."""
    reasons = {
        "has noise": model.is_noisy,
        "has transitions": any(isinstance(r, ProductRules) for r in model.rules),
        "has rule_weights that are not uniform": not all(r.is_uniform for r in model.rules),
        "has root images that are not equally likely": np.ptp(model.root.probabilities) > 0,
    }
    for reason, holds in reasons.items():
        if holds:
            raise ValueError(
                f"replace=False is not valid for a model that {reason}: it takes models whose "
                "derivations are equally likely. Set replace=True."
            )
