"""Rules of one level that draw the pixels of a patch independently, given a class."""

from functools import cached_property

import numpy as np

from ._algebra import choose
from ._alias import AliasTable


class ProductRules:
    r"""Transition matrices of one level, with the methods of :class:`Rules`.

    Given the class a of a pixel, the pixel at place u of its patch is of class b with probability
    :math:`M_u(a, b)`, independently of all other places. Sums over patches are products over
    places of sums over classes, so belief propagation costs :math:`s v^2` for s places and v
    classes, where a table of all patches would cost :math:`s v^{s+1}`.

    Parameters
    ----------
    transitions : ndarray of shape (height, width, n_classes, n_next)
        Matrices of all places; rows sum to 1.
    """

    always_choose = True  # each pixel uses its own random numbers

    def __init__(self, transitions):
        self.transitions = transitions
        n_classes, n_next = transitions.shape[2:]
        self._flat = transitions.reshape(-1, n_classes, n_next)

    @property
    def n_classes(self):
        return self.transitions.shape[2]

    @property
    def patch_size(self):
        return self.transitions.shape[:2]

    @property
    def n_choices(self):
        return len(self._flat)

    @property
    def n_terms(self):
        """Number of terms in the sums of a pixel's messages."""
        return self.transitions.size

    @cached_property
    def _alias(self):
        return AliasTable(self._flat.reshape(-1, self._flat.shape[2]))

    def choose(self, classes, bits):
        """Choose the class of each pixel of the patches: (n, height, width, n_places).

        `bits` holds 32 random bits for each of them.
        """
        rows = np.arange(self.n_choices) * self.n_classes + classes[..., None]
        return self._alias.draw(rows, bits) % self.transitions.shape[3]

    def apply(self, chosen, out=None):
        """Return the next level (n, height * p, width * q), in `out`, in its dtype, if given."""
        n, height, width, _ = chosen.shape
        p, q = self.patch_size
        level = chosen.reshape(n, height, width, p, q).swapaxes(2, 3)
        level = level.reshape(n, height * p, width * q)
        if out is None:
            return level
        out[...] = level
        return out

    def ascend(self, children, algebra):
        r"""Compute :math:`\beta'(a) = \prod_u \sum_b M_u(a, b) \beta_u(b)`: (n_classes, n)."""
        message, *others = self._places(children, algebra)
        for other in others:
            algebra.multiply(message, other, out=message)
        return message

    def descend(self, children, parents, algebra):
        r"""Compute posteriors of the children's drawn classes, given all evidence.

        .. math:: P_u(b) = \sum_a P(a) M_u(a, b) \beta_u(b) / \sum_c M_u(a, c) \beta_u(c)
        """
        totals = self._places(children, algebra)
        return np.stack(
            [
                algebra.split(matrix, parents, total, child)
                for matrix, total, child in zip(self._flat, totals, children)
            ]
        )

    def descend_left(self, children, parents, algebra):
        r"""Compute distributions of the children's drawn classes, given the evidence to their left.

        .. math:: \pi_u(b) = \sum_a \pi(a) M_u(a, b) \prod_{v < u} \sum_c M_v(a, c) \beta_v(c)
        """
        distributions = []
        for matrix, total in zip(self._flat, self._places(children, algebra)):
            distributions.append(algebra.transform(matrix.T, parents))
            parents = algebra.multiply(parents, total)
        return np.stack(distributions)

    def draw_children(self, children, columns, classes, uniforms, algebra):
        r"""Draw the patch of each of m pixels from its posterior: (m, n_places).

        Class b at place u has a probability proportional to :math:`M_u(a, b) \beta_u(b)`.
        """
        drawn = []
        for matrix, child, uniform in zip(self._flat, children, uniforms.T):
            terms = algebra.from_probability(matrix[classes])
            terms = algebra.multiply(terms, child[:, columns].T)
            drawn.append(choose(algebra.weights(terms), uniform))
        return np.stack(drawn, axis=1)

    def _places(self, children, algebra):
        """Compute the message of each place alone: n_places arrays (n_classes, n)."""
        return [algebra.transform(*place) for place in zip(self._flat, children)]

    def match(self, children):
        """Return which classes can become patches of given classes: (n, n_classes).

        `children` (n_places, n, n_next) is True for the classes that each pixel can have.
        """
        return (children @ (self._flat > 0).swapaxes(1, 2)).all(axis=0)

    def class_frequencies(self, n_next):
        """Compute P(pixel (u, v) of the patch is b | class a): (n_classes, n_next, p, q)."""
        return self.transitions.transpose(2, 3, 0, 1)

    def pair_frequencies(self, p_class, place, n_next):
        """Compute P(pixel `place` of the patch is a, pixel (u, v) is b): (n_next, n_next, p, q).

        `p_class` holds the probability of each class.
        """
        own = p_class[:, None] * self.transitions[place]
        pairs = np.einsum("ca,uvcb->abuv", own, self.transitions)
        pairs[:, :, *place] = np.diag(own.sum(axis=0))
        return pairs
