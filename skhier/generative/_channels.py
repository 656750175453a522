r"""Channels K(a | b) of symbol noise: the class of a pixel is b when drawn and a when seen.

Belief propagation needs four things of a channel. With the message :math:`\beta'(a)`, the
probability of all that is below the pixel given its seen class a:

.. math::

    \beta(b) &= \sum_a K(a | b) \beta'(a), \\
    P(a) &= \sum_b P(b) K(a | b) \beta'(a) / \beta(b),

a draw from :math:`P(a | b) \propto K(a | b) \beta'(a)`, and :math:`\sum_b K(a | b) p(b)`.
Classes are the first axis of all arrays of messages. The sampler draws seen classes by `corrupt`.
"""

from math import prod

import numpy as np

from ._algebra import Linear, choose
from ._alias import AliasTable
from ._streams import draw_replacements, random_bits


class Identity:
    """Channel without noise: every class is seen as it was drawn.

    Attributes
    ----------
    n_drawn, n_seen : int
        Number of classes before and after noise.
    is_noisy : bool
        Whether classes can change.
    """

    is_noisy = False

    def __init__(self, n_classes):
        self.n_drawn = self.n_seen = n_classes

    @property
    def matrix(self):
        """K(a | b): (n_seen, n_drawn)."""
        return self.forward(np.eye(self.n_drawn), Linear)

    def corrupt(self, drawn, keys):
        """Draw the seen classes (n, height, width) of n images, each with a key of its own."""
        return drawn

    def before(self, after, algebra):
        """Compute the message beta(b) from beta'(a)."""
        return after

    def forward(self, drawn, algebra):
        """Compute the distribution of seen classes from the distribution of drawn classes."""
        return drawn

    def posterior(self, drawn, after, before, algebra):
        """Compute probabilities of seen classes from probabilities of drawn classes."""
        return drawn

    def draw(self, drawn, after, columns, uniforms, algebra):
        """Draw the seen class of each of m pixels, given their drawn classes (m,).

        Their messages beta' are `columns` (m,) of `after` (n_classes, n), and `uniforms` (m,) are
        numbers in [0, 1).
        """
        return drawn


class UniformNoise(Identity):
    r"""Channel that replaces a class, with probability `share`, by one drawn uniformly.

    .. math:: K(a | b) = (1 - share) 1\{a = b\} + share / n
    """

    is_noisy = True

    def __init__(self, n_classes, share):
        super().__init__(n_classes)
        self._share = share

    def corrupt(self, drawn, keys):
        n_pixels = prod(drawn.shape[1:])
        is_replaced, new = draw_replacements(keys, n_pixels, self._share, self.n_seen)
        return np.where(is_replaced, new, drawn.reshape(new.shape)).reshape(drawn.shape)

    def before(self, after, algebra):
        return algebra.mix(after, self._share)

    forward = before  # K is symmetric

    def posterior(self, drawn, after, before, algebra):
        weight = algebra.divide(algebra.from_probability(drawn), before)
        return algebra.to_probability(algebra.multiply(after, algebra.mix(weight, self._share)))

    def draw(self, drawn, after, columns, uniforms, algebra):
        rows = np.full((len(drawn), self.n_seen), self._share / self.n_seen)
        rows[np.arange(len(drawn)), drawn] += 1 - self._share
        return _draw(rows, after[:, columns].T, uniforms, algebra)


class MatrixChannel(Identity):
    """Channel with any probabilities, from any number of classes to any other.

    Parameters
    ----------
    matrix : ndarray of shape (n_drawn, n_seen)
        P(seen class a | drawn class b) in row b.
    """

    is_noisy = True

    def __init__(self, matrix):
        self._by_drawn = matrix
        self.n_drawn, self.n_seen = matrix.shape
        self._alias = AliasTable(matrix)

    def corrupt(self, drawn, keys):
        bits = random_bits(keys, 0, prod(drawn.shape[1:]))
        return self._alias.draw(drawn, bits) % self.n_seen

    def before(self, after, algebra):
        return self._transform(self._by_drawn, after, algebra)

    def forward(self, drawn, algebra):
        return self._transform(self._by_drawn.T, drawn, algebra)

    def posterior(self, drawn, after, before, algebra):
        flat = (x.reshape(len(x), -1) for x in (drawn, before, after))
        return algebra.split(self._by_drawn, *flat).reshape(after.shape)

    def draw(self, drawn, after, columns, uniforms, algebra):
        return _draw(self._by_drawn[drawn], after[:, columns].T, uniforms, algebra)

    @staticmethod
    def _transform(matrix, x, algebra):
        return algebra.transform(matrix, x.reshape(len(x), -1)).reshape(-1, *x.shape[1:])


def _draw(rows, after, uniforms, algebra):
    """Draw a class of each of m pixels from K(a | b) beta'(a), both (m, n_seen)."""
    terms = algebra.multiply(algebra.from_probability(rows), after)
    return choose(algebra.weights(terms), uniforms)


def noise_channel(noise, n_classes):
    """Return the channel of a value of `symbol_noise` at one level: a share or a matrix."""
    if np.ndim(noise) == 2:
        return MatrixChannel(noise)
    return UniformNoise(n_classes, noise) if noise else Identity(n_classes)
