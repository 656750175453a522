r"""Channels K(a | b) of symbol noise: the class of a pixel is b when drawn and a when seen.

Belief propagation needs four things of a channel. With the message :math:`\beta'(a)`, the
probability of all that is below the pixel given its seen class a:

.. math::

    \beta(b) &= \sum_a K(a | b) \beta'(a), \\
    P(a) &= \sum_b P(b) K(a | b) \beta'(a) / \beta(b),

a draw from :math:`P(a | b) \propto K(a | b) \beta'(a)`, and :math:`\sum_b K(a | b) p(b)`.
Classes are the first axis of all arrays of messages.
"""

from ._algebra import choose


class Identity:
    """Channel without noise: every class is seen as it was drawn."""

    def __init__(self, n_classes):
        self.n_drawn = n_classes

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

    def __init__(self, n_classes, share):
        super().__init__(n_classes)
        self._share = share

    def before(self, after, algebra):
        p = algebra.to_probability(after)
        noisy = p * (1 - self._share)
        noisy += self._share / len(p) * sum(p)  # added in order: the same for any number of pixels
        return algebra.from_probability(noisy)

    forward = before  # K is symmetric

    def posterior(self, drawn, after, before, algebra):
        after, before = algebra.to_probability(after), algebra.to_probability(before)
        weight = drawn / before  # positive: beta is at least share / n of the maximum
        return after * ((1 - self._share) * weight + self._share * weight.mean(axis=0))

    def draw(self, drawn, after, columns, uniforms, algebra):
        after = algebra.to_probability(after[:, columns]).T
        terms = self._share / self.n_drawn * after
        pixels = range(len(drawn))
        terms[pixels, drawn] += (1 - self._share) * after[pixels, drawn]
        return choose(terms, uniforms)


def noise_channel(share, n_classes):
    """Return the channel of the parameter `symbol_noise` at one level."""
    return UniformNoise(n_classes, share) if share else Identity(n_classes)
