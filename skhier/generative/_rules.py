r"""Rules of one level: the patches of each semantic class and their probabilities.

Rules with tables of patches are here, rules with transition matrices in `_product_rules.py`. All
draw the next level by `choose` and `apply`; belief propagation knows them by `ascend`, `descend`,
`descend_left` and `draw_children`, and statistics by `class_frequencies` and `pair_frequencies`.
Their arrays hold the messages of n pixels, of any number of images, as the last axis:

- `children`, (n_places, n_next, n): messages :math:`\beta_u(b)` of the n_places = p q pixels of a
  patch, in raster order, where b is the drawn class;
- `parents`, (n_classes, n): probabilities of the seen classes a of the pixels.

An algebra, of `_algebra.py`, says whether messages are probabilities or logarithms.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.sparse import vstack

from .._base._validation import to_floats
from ._algebra import choose, group_members, slices
from ._alias import AliasTable

_TERMS_IN_CACHE = 2**16


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
    _alias: AliasTable = field(init=False, repr=False)
    _members: dict = field(init=False, repr=False, default_factory=dict)

    n_choices = 1  # number of random numbers with which a patch is drawn

    def __post_init__(self):
        object.__setattr__(self, "_alias", AliasTable(self.weights))

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
    def n_terms(self):
        """Number of terms in the sums of a pixel's messages."""
        return self.weights.size

    @property
    def rows(self):
        """Patch of each rule, flat: (n_classes * k, n_values)."""
        return self.patches.reshape(self.n_classes * self.n_per_class, -1)

    @property
    def is_uniform(self):
        """Whether all patches of a class are equally likely."""
        return self._alias.is_uniform

    @cached_property
    def is_possible(self):
        """Whether the weight of each patch is above 0: (n_classes, k)."""
        return self.weights > 0

    @property
    def possible_rows(self):
        """Patch of each rule of weight above 0, flat: (n_possible, n_values)."""
        return self.rows[self.is_possible.ravel()]

    @cached_property
    def n_sets(self):
        """Number of sets that have each different patch of weight above 0: (n_different,)."""
        return np.unique(self.possible_rows, axis=0, return_counts=True)[1]

    @cached_property
    def n_possible(self):
        """Number of patches of each class whose weight is above 0: (n_classes,)."""
        return self.is_possible.sum(axis=1)

    @property
    def has_choice(self):
        """Whether a pixel of each class has several possible patches: (n_classes,)."""
        return self.n_possible > 1

    @property
    def is_fair(self):
        """Whether the possible patches of all classes with a choice are equally likely."""
        highest = self.weights.max(axis=1, keepdims=True)
        possible = np.where(self.is_possible, self.weights, highest)
        sizes = self.n_possible[self.has_choice]
        return not np.ptp(possible, axis=1).any() and len(set(sizes.tolist())) < 2

    @cached_property
    def numbers(self):
        """Numbers of the rules of each class, those of weight above 0 first: (n_classes, k)."""
        order = np.argsort(~self.is_possible, axis=1, kind="stable")
        return order + np.arange(self.n_classes)[:, None] * self.n_per_class

    @cached_property
    def always_choose(self):
        """Whether pixels of all classes have a choice, or of none."""
        return len(set(self.has_choice.tolist())) == 1

    def choose(self, classes, bits):
        """Choose the rule of each pixel, given its class and 32 random bits."""
        return self._alias.draw(classes, bits)

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

    def ascend(self, children, algebra):
        r"""Compute messages of the pixels from messages of their patches.

        .. math:: \beta'(a) = \sum_j w_{aj} \prod_u \beta_u(S_{a,j,u})

        Returns
        -------
        message : ndarray of shape (n_classes, n)
        """
        n = children.shape[2]
        message = np.empty((self.n_classes, n))
        for classes in slices(self.n_classes, _TERMS_IN_CACHE // (self.n_per_class * n)):
            terms = self._terms(children, algebra, classes)
            algebra.sum_rules(terms, out=message[classes])
        return algebra.multiply(message, algebra.from_probability(1 / self.n_per_class), message)

    def descend(self, children, parents, algebra):
        r"""Compute posteriors of the children's drawn classes, given all evidence.

        .. math:: P(b) = \sum_{a, j: S_{a,j,u} = b}
            P(a) w_{aj} \prod_v \beta_v(S_{a,j,v}) / \beta'(a)

        Returns
        -------
        posteriors : ndarray of shape (n_places, n_next, n)
        """
        posteriors = np.empty((len(children) * children.shape[1], children.shape[2]))
        members = self._group_members(children.shape[1])[0]
        for batch in self._batches(children.shape[2]):
            terms = self._terms(children[..., batch], algebra)
            p_rules = algebra.shares(terms)
            p_rules *= parents[:, None, batch]
            posteriors[:, batch] = members @ p_rules.reshape(members.shape[1], -1)
        return posteriors.reshape(children.shape)

    def descend_left(self, children, parents, algebra):
        r"""Compute distributions of the children's drawn classes, given the evidence to their left.

        .. math:: \pi_u(b) = \sum_{a, j: S_{a,j,u} = b}
            \pi(a) w_{aj} \prod_{v < u} \beta_v(S_{a,j,v})

        Here `parents` is :math:`\pi(a)` in the representation of `algebra`, up to a factor for
        each pixel.

        Returns
        -------
        distributions : ndarray of shape (n_places, n_next, n)
            In the representation of `algebra`, up to a factor for each pixel.
        """
        distributions = np.empty(children.shape)
        members = self._group_members(children.shape[1])[1]
        weights = algebra.from_probability(self.weights)[..., None]
        for batch in self._batches(children.shape[2]):
            terms = algebra.multiply(parents[:, None, batch], weights)
            for u, distribution in enumerate(distributions):
                if u:
                    left = children[u - 1, :, batch].take(self._flat[..., u - 1], axis=0)
                    algebra.multiply(terms, left, out=terms)
                rows = terms.reshape(members[u].shape[1], -1)
                distribution[:, batch] = algebra.sum_groups(members[u], rows)
        return distributions

    def draw_children(self, children, columns, classes, uniforms, algebra):
        r"""Draw the patch of each of m pixels from its posterior.

        The probability of patch j of class a is proportional to :math:`w_{aj} \prod_u
        \beta_u(S_{a,j,u})`.

        Parameters
        ----------
        children : ndarray of shape (n_places, n_next, n)
        columns, classes : ndarrays of shape (m,)
            Index of each pixel along the last axis of `children`, and its seen class.
        uniforms : ndarray of shape (m, n_choices)
            Numbers in [0, 1).

        Returns
        -------
        patches : ndarray of shape (m, n_places)
            Drawn classes of the children.
        """
        patches = self._flat[classes]  # (m, k, n_places)
        terms = algebra.from_probability(self.weights[classes])
        for u, child in enumerate(children):
            terms = algebra.multiply(terms, child[patches[:, :, u], columns[:, None]])
        chosen = choose(algebra.weights(terms), uniforms[:, 0])
        return patches[np.arange(len(chosen)), chosen]

    @property
    def _flat(self):
        """Patches with one axis for their pixels: (n_classes, k, n_places)."""
        return self.patches.reshape(*self.weights.shape, -1)

    def _group_members(self, n_next):
        """Return matrices of the rules with symbol b: of all places, stacked, and of each place.

        They have shapes (n_places * n_next, n_classes * k) and (n_next, n_classes * k).
        """
        if n_next not in self._members:
            places = self._flat.reshape(self.weights.size, -1).T
            members = [group_members(symbols, n_next) for symbols in places]
            self._members[n_next] = vstack(members, format="csr"), members
        return self._members[n_next]

    def _batches(self, n):
        """Return slices of n pixels whose terms, one for each rule, fit into cache."""
        return slices(n, _TERMS_IN_CACHE // self.weights.size)

    def _terms(self, children, algebra, classes=slice(None)):
        """Compute k w_aj prod_u beta_u(S_aju) of all j, up to a factor k: (n_classes, k, n)."""
        patches = self._flat[classes]
        terms = children[0].take(patches[..., 0], axis=0)
        for place, child in enumerate(children[1:], start=1):
            algebra.multiply(terms, child.take(patches[..., place], axis=0), out=terms)
        if not self.is_uniform:
            weights = self.weights[classes, :, None] * self.n_per_class
            algebra.multiply(terms, algebra.from_probability(weights), out=terms)
        return terms

    def match(self, children):
        """Return which classes have a patch of weight > 0 with given classes: (n, n_classes).

        `children` (n_places, n, n_next) is True for the classes that each pixel can have.
        """
        is_match = np.tile(self.is_possible.ravel(), (children.shape[1], 1))
        for child, symbols in zip(children, self.rows.T):
            is_match &= child[:, symbols]
        return is_match.reshape(-1, *self.weights.shape).any(axis=2)

    def class_frequencies(self, n_next):
        """Compute P(pixel (u, v) of the patch is b | class a): (n_classes, n_next, p, q)."""
        n_classes, _, p, q = self.patches.shape
        entry = np.arange(n_classes)[:, None, None, None] * n_next + self.patches
        entry = (entry * p + np.arange(p)[:, None]) * q + np.arange(q)
        weights = np.broadcast_to(self.weights[..., None, None], entry.shape)
        sums = np.bincount(entry.ravel(), weights.ravel(), n_classes * n_next * p * q)
        return sums.reshape(n_classes, n_next, p, q)

    def pair_frequencies(self, p_class, place, n_next):
        """Compute P(pixel `place` of the patch is a, pixel (u, v) is b): (n_next, n_next, p, q).

        `p_class` holds the probability of each class.
        """
        p, q = self.patch_size
        entry = self.patches[:, :, *place, None, None] * n_next + self.patches
        entry = (entry * p + np.arange(p)[:, None]) * q + np.arange(q)
        weights = p_class[:, None] * self.weights
        weights = np.broadcast_to(weights[..., None, None], entry.shape)
        sums = np.bincount(entry.ravel(), weights.ravel(), n_next**2 * p * q)
        return sums.reshape(n_next, n_next, p, q)


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
        np.isfinite(weights).all() and (weights >= 0).all() and weights.any(axis=-1).all()
    ):
        raise ValueError(
            f"rule_weights={value!r} is not valid at level {level}: it takes 'uniform', "
            f"'zipf', an exponent >= 0 of Zipf's law, or weights >= 0, not all 0, of shape "
            f"({k},) or ({n_classes}, {k}); a list gives one of these for each level."
        )
    return normalized(np.broadcast_to(weights, (n_classes, k)))


def normalized(weights):
    """Return the probabilities of weights, of any size, along the last axis."""
    # Powers of two, so that sums are in range.
    weights = np.ldexp(weights, -np.frexp(weights.max(axis=-1, keepdims=True))[1])
    return weights / weights.sum(axis=-1, keepdims=True)
