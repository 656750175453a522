"""Two representations of belief propagation's messages: probabilities and their logarithms."""

import numpy as np


class Linear:
    """Probabilities, scaled to a maximum of 1 over classes: fast, but small ones underflow."""

    multiply, add = np.multiply, np.add

    @staticmethod
    def to_log(x):
        with np.errstate(divide="ignore"):
            return np.log(x)

    @staticmethod
    def from_probability(x):
        return x

    @staticmethod
    def to_probability(x):
        return x

    @staticmethod
    def scale(message):
        """Divide by the maximum over classes, in place, and return the maximum."""
        largest = message.max(axis=0)
        message /= np.where(largest > 0, largest, 1)
        return largest

    @staticmethod
    def ratio(part, whole):
        """Return part / whole as a probability, 0 where the whole is 0."""
        return part / np.where(whole > 0, whole, np.inf)


class Logarithmic:
    """Logarithms of probabilities: right at any scale, but slower."""

    multiply, add = np.add, np.logaddexp

    @staticmethod
    def to_log(x):
        return x

    @staticmethod
    def from_probability(x):
        with np.errstate(divide="ignore"):
            return np.log(x)

    @staticmethod
    def to_probability(x):
        return np.exp(x)

    @staticmethod
    def scale(message):
        """Subtract the maximum over classes, in place, and return the maximum."""
        largest = message.max(axis=0)
        message -= np.where(largest > -np.inf, largest, 0)
        return largest

    @staticmethod
    def ratio(part, whole):
        """Return exp(part - whole), 0 where the whole is the logarithm of 0."""
        return np.exp(part - np.where(whole > -np.inf, whole, np.inf))
