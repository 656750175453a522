"""Validation of the symbols, masks and likelihoods that users pass as evidence."""

from math import prod

import numpy as np

from .._base._validation import to_array


def check_one(X, symbols, mask, log_evidence):
    """Raise ValueError unless one kind of evidence is given, and a mask with symbols only."""
    kinds = {"X": X, "symbols": symbols, "log_evidence": log_evidence}
    given = [name for name, value in kinds.items() if value is not None]
    if len(given) != 1:
        raise ValueError(
            f"{' and '.join(given) or 'No evidence'} came, but the evidence is one of X, symbols "
            "and log_evidence: pass one of them."
        )
    if mask is not None and symbols is None:
        raise ValueError(
            f"mask came with {given[0]}, but a mask is for symbols only. In log_evidence, an "
            "unknown symbol is a row of zeros."
        )


def check_mask(mask, shapes):
    """Return a mask as an array; ValueError unless it is of type bool and of one of two shapes."""
    mask = to_array(mask, "mask")
    if mask.dtype != bool or mask.shape not in shapes:
        raise ValueError(
            f"mask of shape {mask.shape} and dtype {mask.dtype} is not valid: it takes a bool for "
            f"each symbol, True if it is unknown, of shape {shapes[0]} or {shapes[1]}."
        )
    return mask


def check_symbols(symbols, mask, model, names, allow_unknown=True):
    """Check symbols and their mask; return them as (n, h, w), and whether they are strings.

    Symbols are classes of the last level. At level 0 they have `names`, as indices of which they
    are returned. Unknown symbols, -1, are allowed by default.

    Raises
    ------
    ValueError
        If the shapes or types are wrong, or a symbol is out of range and not unknown.
    """
    symbols = to_array(symbols, "symbols")
    level, n_classes = model.n_levels - 1, model.rules[-1].n_classes
    shape = _check_shape(symbols, "symbols", model, ())
    if mask is not None:
        mask = check_mask(mask, [symbols.shape, symbols.shape[1:]])
        mask = np.broadcast_to(mask, symbols.shape)
    allowed = f"the integers 0 to {n_classes - 1}"
    if level == 0 and not np.array_equal(names, np.arange(n_classes)):
        symbols, allowed = _find_names(symbols, names), f"the classes {names.tolist()}"
    if symbols.dtype.kind not in "iu":
        raise ValueError(
            f"symbols of dtype {symbols.dtype} are not valid: they are {allowed}, of a type of "
            "ints."
        )
    is_wrong = (symbols < (-1 if allow_unknown else 0)) | (symbols >= n_classes)
    if mask is not None:
        is_wrong &= ~mask
    if is_wrong.any():
        place = tuple(np.argwhere(is_wrong)[0].tolist())
        value = "no such class" if "classes" in allowed else symbols[place]
        unknown = ", and -1 is an unknown symbol" if allow_unknown else "; none may be unknown"
        raise ValueError(
            f"symbols[{', '.join(map(str, place))}] is {value}, which is not valid: level {level} "
            f"has {allowed}{unknown}."
        )
    is_string = symbols.ndim == 2 and shape[0] == 1
    symbols = symbols.reshape(-1, *shape)
    return symbols, None if mask is None else mask.reshape(symbols.shape), is_string


def check_log_evidence(values, model):
    """Check log-likelihoods; return them as (n, h, w, n_classes), and whether they are strings.

    Raises
    ------
    ValueError
        If the shape or type is wrong, or a value is NaN or infinity, or all of a symbol are -inf.
    """
    values = to_array(values, "log_evidence")
    n_classes = model.rules[-1].n_classes
    shape = _check_shape(values, "log_evidence", model, (n_classes,))
    if values.dtype.kind not in "fiu":
        raise ValueError(f"log_evidence of dtype {values.dtype} is not valid: it takes numbers.")
    largest = values.max(axis=-1)
    is_wrong = ~np.isfinite(largest)  # the maximum of NaN is NaN
    if is_wrong.any():
        place = tuple(np.argwhere(is_wrong)[0].tolist())
        problem = (
            "-inf for all symbols, but at least one symbol must be possible"
            if np.isneginf(largest[place])
            else "NaN or infinity; it takes finite numbers, and -inf for a symbol that is excluded"
        )
        raise ValueError(f"log_evidence[{', '.join(map(str, place))}] is {problem}.")
    return values.reshape(-1, *shape, n_classes), values.ndim == 3 and shape[0] == 1


def _check_shape(array, name, model, last):
    """Return the shape (h, w) of the last level; ValueError if an array does not match it."""
    h, w = shape = model.level_shapes[-2]
    allowed = [(h, w, *last), (h * w, *last)]
    if array.shape[1:] in allowed and len(array):
        return shape
    shapes = " or ".join(f"(n, {', '.join(map(str, sizes))})" for sizes in allowed)
    raise ValueError(
        f"{name} of shape {array.shape} is not valid: it takes an array of shape {shapes}, with "
        f"n >= 1, for the {prod(shape)} symbols of level {model.n_levels - 1}."
    )


def _find_names(symbols, names):
    """Return symbols as indices of sorted names: -1 for -1, and -2 for all that are no names."""
    if _is_text(symbols) != _is_text(names):
        return np.full(symbols.shape, -2)
    found = np.searchsorted(names, symbols).clip(max=len(names) - 1)
    unknown = symbols == -1 if symbols.dtype.kind in "if" else False
    return np.where(names[found] == symbols, found, np.where(unknown, -1, -2))


def _is_text(names):
    """Return whether an array holds text, also as objects."""
    is_object = names.dtype == object
    return names.dtype.kind in "US" or (is_object and all(isinstance(n, str) for n in names.flat))
