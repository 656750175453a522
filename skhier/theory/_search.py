"""The smallest number of images at which something holds."""

from collections.abc import Callable


def smallest_count(holds: Callable[[int], bool]) -> int:
    """The smallest n >= 1 with holds(n), where it holds for all larger n as well."""
    high = 1
    while not holds(high):
        high *= 2
        if high > 2**60:
            raise OverflowError("the number of images is too large")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
