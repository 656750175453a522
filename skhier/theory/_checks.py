"""Checks of the arguments of bounds."""

from .._base._params import check_count


def check_positive(**values):
    """ValueError unless all values are positive numbers."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name}={value!r} is not valid: it takes a number > 0.")


def check_probability(value, name):
    """ValueError unless 0 < value < 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name}={value!r} is not valid: it takes a number between 0 and 1.")


def check_choice(value, name, allowed):
    """ValueError unless value is one of those allowed."""
    if value not in allowed:
        raise ValueError(f"{name}={value!r} is not valid: it takes one of {allowed}.")


def check_given(reason, **values):
    """The values, in order; ValueError unless all are given, and positive."""
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise ValueError(f"{reason} needs {' and '.join(missing)}.")
    check_positive(**values)
    return values.values()


def n_pairs(n_classes):
    """Number of pairs of classes; ValueError unless there are two classes or more."""
    check_count(n_classes, "n_classes", 2)
    return n_classes * (n_classes - 1) // 2


def check_limits(bound, n_classes, delta, n_components):
    """Check what theorems 1 and 3 share; return the number of pairs of classes."""
    check_choice(bound, "bound", ("exact", "paper"))
    check_probability(delta, "delta")
    if n_components is not None:
        check_positive(n_components=n_components)
    return n_pairs(n_classes)
