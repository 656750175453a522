"""Two representations of belief propagation's messages: probabilities and their logarithms."""

import numpy as np
from scipy.sparse import csr_array

COLUMNS = 16  # that BLAS multiplies at a time


def sum_rows(terms, out=None):
    """Sum terms (..., k, n) over k, in this order for any n."""
    if terms.shape[-1] == 1:  # NumPy would add pairs of terms first
        terms = np.add.accumulate(terms, axis=-2)[..., -1:, :]
    return np.add.reduce(terms, axis=-2, out=out)


def product(matrix, x):
    """Compute matrix @ x: (n_rows, n). Each column is the same, to the bit, for any n.

    BLAS adds in another order in the columns that are left over.
    """
    n = x.shape[1]
    if n % COLUMNS:
        padded = np.zeros((len(x), n + -n % COLUMNS))
        padded[:, :n] = x
        x = padded
    return (matrix @ x)[:, :n]


class Linear:
    """Probabilities, scaled to a maximum of 1 over classes: fast, but small ones underflow."""

    multiply, divide = np.multiply, np.divide
    sum_rules = staticmethod(sum_rows)

    @staticmethod
    def to_log(x):
        with np.errstate(divide="ignore"):
            return np.log(x)

    @staticmethod
    def from_log(x):
        return np.exp(x)

    @staticmethod
    def from_probability(x):
        return x

    @staticmethod
    def to_probability(x):
        return x

    @staticmethod
    def sum_groups(members, terms):
        """Sum the rows of `terms` in each group of a matrix of `group_members`: (n_groups, n)."""
        return members @ terms

    @staticmethod
    def scale(message):
        """Divide by the maximum over classes, in place, and return the maximum."""
        largest = message.max(axis=0)
        message /= np.where(largest > 0, largest, 1)
        return largest

    @staticmethod
    def weights(terms):
        """Return terms as probabilities, up to a factor for all entries along axis 1."""
        return terms

    @staticmethod
    def shares(terms):
        """Divide terms (m, k, n) by their sum over k; return 0 where the sum is 0."""
        total = sum_rows(terms)[:, None]
        return terms / np.where(total > 0, total, np.inf)

    @staticmethod
    def mix(x, share):
        """Mix x with its mean over classes, the first axis, which gets `share`."""
        # added in order: the same for any number of pixels
        return (1 - share) * x + share / len(x) * sum(x)

    @staticmethod
    def transform(matrix, x):
        """Compute sum_c matrix[r, c] x[c] of probabilities: (n_rows, n)."""
        return product(matrix, x)

    @staticmethod
    def split(matrix, p, total, x):
        """Split the probability of each row over its terms in `total = transform(matrix, x)`.

        Returns
        -------
        shares : ndarray of shape (n_columns, n)
            Probabilities sum_r p[r] matrix[r, c] x[c] / total[r].
        """
        return x * product(matrix.T, np.divide(p, total, out=np.zeros_like(p), where=total > 0))


class Logarithmic:
    """Logarithms of probabilities: right at any scale, but slower."""

    multiply, divide = np.add, np.subtract

    @staticmethod
    def to_log(x):
        return x

    @staticmethod
    def from_log(x):
        return x

    @staticmethod
    def from_probability(x):
        with np.errstate(divide="ignore"):
            return np.log(x)

    @staticmethod
    def to_probability(x):
        return np.exp(x)

    @staticmethod
    def sum_rules(terms, out=None):
        """Sum terms (..., k, n) over k, in this order for any n."""
        return np.logaddexp.reduce(terms, axis=-2, out=out)

    @staticmethod
    def sum_groups(members, terms):
        """Sum the rows of `terms` in each group of a matrix of `group_members`: (n_groups, n)."""
        rows = np.split(members.indices, members.indptr[1:-1])
        return np.stack([np.logaddexp.reduce(terms[group], axis=0) for group in rows])

    @staticmethod
    def scale(message):
        """Subtract the maximum over classes, in place, and return the maximum."""
        largest = message.max(axis=0)
        message -= np.where(largest > -np.inf, largest, 0)
        return largest

    @staticmethod
    def weights(terms):
        """Return terms as probabilities, up to a factor for all entries along axis 1."""
        largest = terms.max(axis=1, keepdims=True)
        return np.exp(terms - np.where(largest > -np.inf, largest, 0))

    @staticmethod
    def shares(terms):
        """Divide terms by their sum, as :meth:`Linear.shares`, as probabilities."""
        # The sum of exponentials is not a logarithm: next to 1e16, log(2) would be lost.
        return Linear.shares(Logarithmic.weights(terms))

    @staticmethod
    def mix(x, share):
        """Mix x with its mean over classes, the first axis, which gets `share`."""
        mean = np.logaddexp.reduce(x, axis=0) - np.log(len(x))
        with np.errstate(divide="ignore"):
            return np.logaddexp(np.log1p(-share) + x, np.log(share) + mean)

    @staticmethod
    def transform(matrix, x):
        """Compute sum_c matrix[r, c] x[c] of probabilities: (n_rows, n)."""
        log_matrix = Logarithmic.from_probability(matrix)
        total = np.full((len(matrix), *x.shape[1:]), -np.inf)
        for column, row in zip(log_matrix.T, x):
            np.logaddexp(total, column[:, None] + row, out=total)
        return total

    @staticmethod
    def split(matrix, p, total, x):
        """Split the probability of each row over its terms, as :meth:`Linear.split`."""
        log_matrix = Logarithmic.from_probability(matrix)
        shares = np.zeros(x.shape)
        for row, p_row, total_row in zip(log_matrix, p, total):
            reached = np.where(total_row > -np.inf, total_row, np.inf)
            shares += p_row * np.exp(row[:, None] + x - reached)
        return shares


def group_members(groups, n_groups):
    """Return the sparse matrix (n_groups, n) with 1 where an element has this group, else 0."""
    elements = np.arange(len(groups))
    return csr_array((np.ones(len(groups)), (groups, elements)), shape=(n_groups, len(groups)))


def slices(n, size):
    """Return slices of range(n) of a size, at least 1; the last one may be shorter."""
    size = max(1, size)
    return [slice(first, min(first + size, n)) for first in range(0, n, size)]


def choose(weights, uniforms):
    """Choose a column of each row of `weights` (m, n), given numbers in [0, 1): (m,).

    The probability of a column is proportional to its weight. A weight of 0 is never chosen.
    """
    cumulated = np.cumsum(weights, axis=1)
    return (cumulated[:, :-1] <= uniforms[:, None] * cumulated[:, -1:]).sum(axis=1)
