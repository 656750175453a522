"""Choices that determine a sample: its root image, and the rule of each pixel of each level."""

from math import prod

import numpy as np

from ._root import RootDistribution
from ._rules import Rules
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
        if not model.rules[i].always_choose:
            ranks = choice_ranks(model.rules[i], classes)
            bits = np.take_along_axis(bits, np.minimum(ranks, n[i] - 1), axis=1)
        return model.rules[i].choose(classes, bits)


def choice_ranks(rules, classes):
    """Return the rank of each pixel among those that choose a patch: (n, height * width).

    A pixel whose class has one possible patch chooses none: its rank is the number of pixels. So
    a symbol that moves among empty places keeps its rank, its random numbers and its subtree.
    """
    n, n_pixels = len(classes), prod(classes.shape[1:])
    if rules.always_choose:
        return np.broadcast_to(np.arange(n_pixels), (n, n_pixels))
    chooses = rules.has_choice[classes].reshape(n, n_pixels)
    return np.where(chooses, chooses.cumsum(axis=1) - 1, n_pixels)


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
        Rules of the first pixels of each level that have a choice, by their number among the
        possible rules of the class of the pixel.
    """

    def __init__(self, model, keys, roots, digits):
        super().__init__(model, keys)
        self._roots, self._digits = roots, digits

    def roots(self):
        return self._roots

    def rules(self, i, classes):
        rules, digits = self._model.rules[i], self._digits[i]
        if digits.shape[1] == prod(classes.shape[1:]):
            return rules.numbers[classes, digits.reshape(classes.shape)]
        chosen = super().rules(i, classes)
        ranks = choice_ranks(rules, classes)
        has_digit = ranks < digits.shape[1]
        of_pixel = digits[np.nonzero(has_digit)[0], ranks[has_digit]]
        has_digit = has_digit.reshape(classes.shape)
        chosen[has_digit] = rules.numbers[classes[has_digit], of_pixel]
        return chosen


class Derivations:
    r"""Numbering of the derivations of a model, whose derivations are equally likely.

    A derivation is a root image, and a rule for each pixel of each level. With :math:`k_i`
    possible patches in a set and :math:`n_i` pixels at level i that have a choice there are

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
        for rules, n_pixels in zip(model.rules, _count_choices(model)):
            k, n = int(rules.n_possible.max()), 0
            while n < n_pixels and not is_full:
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
    # Up to rounding: probabilities can be quotients of sums.
    p_roots = model.root.probabilities
    has_equal_roots = np.ptp(p_roots) <= 1e-12 * p_roots.max()
    tables = [rules for rules in model.rules if isinstance(rules, Rules)]
    reasons = {
        "has noise": model.is_noisy,
        "has transitions": len(tables) < model.n_levels,
        "has rule_weights that are not uniform": not all(rules.is_fair for rules in tables),
        "has root images that are not equally likely": not has_equal_roots,
    }
    for reason, holds in reasons.items():
        if holds:
            _refuse(reason)


def _refuse(reason):
    raise ValueError(
        f"replace=False is not valid for a model that {reason}: it takes models whose "
        "derivations are equally likely. Set replace=True."
    )


def _count_choices(model):
    """Return the number of pixels of each level that have a choice.

    Raises
    ------
    ValueError
        If it differs between derivations. Then they are not equally likely.
    """
    below = model.rules[-1].has_choice[:, None].astype(np.int64)  # (n_classes, levels below)
    for rules in reversed(model.rules[:-1]):
        of_rule = below[rules.rows].sum(axis=1)
        of_class = of_rule[rules.numbers[:, 0]]
        expected = of_class.repeat(rules.n_per_class, axis=0)
        _refuse_different(of_rule[rules.is_possible.ravel()], expected[rules.is_possible.ravel()])
        below = np.hstack([rules.has_choice[:, None], of_class])
    of_root = below[model.root.images.reshape(len(model.root.images), -1)].sum(axis=1)
    _refuse_different(of_root, of_root[:1])
    return of_root[0].tolist()


def _refuse_different(counts, expected):
    if (counts != expected).any():
        _refuse("has patches of one set with different numbers of choices below")
