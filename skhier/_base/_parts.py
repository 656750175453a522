"""Parameters that hold estimators: nested names, and clones with the parameters of the owner."""

import re
from inspect import signature
from typing import Any, NamedTuple, Self

from sklearn.base import clone

from ._fitting import all_or_nothing
from ._params import is_sequence
from ._sklearn import BaseEstimator


class _Slot(NamedTuple):
    """Place of a part in the parameters of its owner."""

    name: str  # in nested parameters
    param: str  # the parameter that holds the part
    position: int | None  # in a sequence
    part: Any


class CompositeEstimator(BaseEstimator):
    """Estimator with parameters that hold estimators, or stand for one (None, a name).

    Nested parameters reach all of them: `part__bias`, and `part1__bias` where `part` is a
    sequence. A value that stands for an estimator becomes one when a nested parameter is set.
    """

    _part_names: tuple[str, ...] = ()
    _listed_names: tuple[str, ...] = ()  # of these, the parts that a sequence has for each layer

    def _stands_for(self, name, value):
        """Return the estimator that a value of the parameter `name` is or stands for."""
        raise NotImplementedError

    def _one_for_each(self, param):
        """Return the value of a parameter as a list with one part for each layer."""
        raise NotImplementedError

    def _slots(self, with_missing=False):
        """Return the slots of all parts, also of those missing in sequences if asked for."""
        slots = []
        for param in self._part_names:
            value = getattr(self, param)
            if is_sequence(value):
                parts = [self._stands_for(param, v) for v in value] if with_missing else value
                slots += [_Slot(f"{param}{i + 1}", param, i, part) for i, part in enumerate(parts)]
            else:
                slots.append(_Slot(param, param, None, self._stands_for(param, value)))
        return [
            slot
            for slot in slots
            if hasattr(slot.part, "get_params") and not isinstance(slot.part, type)
        ]

    def _put(self, slot, part):
        if slot.position is not None:
            parts = list(getattr(self, slot.param))
            parts[slot.position] = part
            part = parts
        setattr(self, slot.param, part)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to list the parameters of parts too.

        Returns
        -------
        params : dict
            Names and values.
        """
        params = super().get_params(deep=False)
        if deep:
            for slot in self._slots():
                params.setdefault(slot.name, slot.part)
                nested = slot.part.get_params().items()
                params |= {f"{slot.name}__{name}": value for name, value in nested}
        return params

    @all_or_nothing
    def set_params(self, **params: Any) -> Self:
        """Set parameters, also of parts.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : estimator
            The estimator itself.

        Raises
        ------
        ValueError
            If there is no parameter of such a name.
        """
        own = params.keys() & super().get_params(deep=False)
        # These decide which parts there are, so they come first.
        super().set_params(**{name: params.pop(name) for name in own})
        for param in self._listed_names:
            is_numbered = any(re.match(rf"{param}\d+(__|$)", name) for name in params)
            if is_numbered and not is_sequence(getattr(self, param)):
                setattr(self, param, self._one_for_each(param))
        for slot in self._slots(with_missing=True):
            if slot.name in params:
                self._put(slot, params.pop(slot.name))
        slots = self._slots(with_missing=True)
        # All names are checked before one is set: parts of the user are changed in place.
        nested_params = {slot.name: slot.part.get_params() for slot in slots} if params else {}
        for name in params:
            prefix, _, nested = name.partition("__")
            valid = nested_params.get(prefix, {})
            if nested not in valid and not _has_given_owner(name, params):
                of_parts = _full_names(name, nested_params)
                hint = f" A part has it: set {' or '.join(of_parts)}." if of_parts else ""
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {self}.{hint} Valid parameters are: "
                    f"{sorted(valid) if valid else sorted(self.get_params(deep=False))!r}."
                )
        for slot in slots:
            names = [name for name in params if name.startswith(f"{slot.name}__")]
            if any(_has_given_owner(name, params) for name in names):
                # Only the new estimator knows its parameters: they are tried on a clone.
                of_part = {name.partition("__")[2]: params[name] for name in names}
                clone(slot.part).set_params(**of_part)
            if names:
                self._put(slot, slot.part)
        super().set_params(**params)
        return self


def _has_given_owner(name, params):
    """Return whether an estimator within a part, whose parameter this is, is given too."""
    names = name.split("__")
    return any("__".join(names[:n]) in params for n in range(2, len(names)))


def _full_names(name, nested_params):
    """Return the nested names, such as 'part__bias', of parameters of parts called `name`."""
    return [
        f"{part}__{param}"
        for part, params in nested_params.items()
        for param in params
        if param.split("__")[-1] == name
    ]


def changed_params(estimator):
    """Return the parameters of an estimator that differ from the defaults of its class."""
    defaults = signature(type(estimator)).parameters
    changed = {}
    for name, value in estimator.get_params(deep=False).items():
        default = defaults[name].default
        if value is not default and not (isinstance(value, type(default)) and value == default):
            changed[name] = value
    return changed


def make_part(part, name, owner, params, *, seed=None, verbose=False):
    """Clone a part and set the parameters that its owner decides.

    Parameters
    ----------
    part : estimator
        The part as the user passed it.
    name : str
        Parameter of the owner that holds the part.
    owner : estimator
        The estimator that the part belongs to.
    params : dict
        Parameters that the owner decides. Names that are no parameters of the part are ignored.
    seed : int or None
        `random_state` of the part, if it has none.
    verbose : bool or int
        `verbose` of the part, if it was not set.

    Raises
    ------
    ValueError
        If the part was passed with another value for one of `params`.
    """
    part = clone(part)
    own = part.get_params(deep=False)
    params = {key: value for key, value in params.items() if key in own}
    changed, of_owner, owner_class = changed_params(part), changed_params(owner), type(owner)
    for key in params:
        if key in changed and key in of_owner:
            raise ValueError(
                f"{key} is given twice, {key}={of_owner[key]!r} by {owner_class.__name__} and "
                f"{key}={own[key]!r} by {name}={part!r}: drop the one in {name}, "
                f"{owner_class.__name__} decides."
            )
        if key in changed:
            raise ValueError(
                f"{key}={own[key]!r} is given by {name}={part!r}, but {owner_class.__name__} "
                f"decides: give it to {owner_class.__name__}, and drop the one in {name}."
            )
    if seed is not None and own.get("random_state", seed) is None:
        params["random_state"] = seed
    if "verbose" in own and "verbose" not in changed:
        params["verbose"] = verbose
    return part.set_params(**params)
