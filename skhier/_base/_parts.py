"""Parameters that hold estimators, the parts of another: how they are reached and made."""

from inspect import signature
from typing import Any, NamedTuple, Self

from sklearn.base import clone

from ._fitting import all_or_nothing
from ._params import is_sequence
from ._sklearn import BaseEstimator


class _Slot(NamedTuple):
    name: str  # as nested parameters call it
    param: str  # the parameter that holds it
    place: int | None  # where the parameter is a sequence
    part: Any


class CompositeEstimator(BaseEstimator):
    """An estimator with parameters that hold estimators, or stand for one (None, a name).

    Nested parameters reach them all: `part__bias`, and `part1__bias` where `part` is a
    sequence. What only stands for an estimator becomes one when a parameter of it is set.
    """

    _part_names: tuple[str, ...] = ()

    def _stands_for(self, name, value):
        """The estimator that a value of the parameter `name` is or stands for."""
        raise NotImplementedError

    def _slots(self):
        slots = []
        for param in self._part_names:
            value = getattr(self, param)
            if is_sequence(value):
                slots += [_Slot(f"{param}{i + 1}", param, i, part) for i, part in enumerate(value)]
            else:
                slots.append(_Slot(param, param, None, self._stands_for(param, value)))
        return [
            slot
            for slot in slots
            if hasattr(slot.part, "get_params") and not isinstance(slot.part, type)
        ]

    def _put(self, slot, part):
        if slot.place is not None:
            parts = list(getattr(self, slot.param))
            parts[slot.place] = part
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
        """Set parameters, those of parts too.

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
        # Which parts there are depends on these, so they come first.
        super().set_params(**{name: params.pop(name) for name in own})
        for slot in self._slots():
            if slot.name in params:
                self._put(slot, params.pop(slot.name))
        for slot in self._slots():
            if slot.place is None and any(name.startswith(f"{slot.name}__") for name in params):
                self._put(slot, slot.part)
        super().set_params(**params)
        return self


def changed_params(estimator):
    """The parameters of an estimator that differ from the defaults of its class."""
    defaults = signature(type(estimator)).parameters
    return {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if not _is_same(value, defaults[name].default)
    }


def _is_same(value, default):
    return value is default or (isinstance(value, type(default)) and value == default)


def make_part(part, name, owner, params, *, seed=None, verbose=False):
    """A clone of a part with the parameters that its owner gives it.

    Parameters
    ----------
    part : estimator
        The part as it was given.
    name : str
        The owner's parameter that holds it.
    owner : estimator
        Whose part it is.
    params : dict
        Parameters that are the owner's to give. Those that the part has not are left out.
    seed : int or None
        Its `random_state`, unless it has one.
    verbose : bool or int
        Its `verbose`, unless it has one.

    Raises
    ------
    ValueError
        If the part has a value of its own for one of `params`.
    """
    part = clone(part)
    has = part.get_params(deep=False)
    params = {key: value for key, value in params.items() if key in has}
    changed = changed_params(part)
    for key in params:
        if key in changed:
            raise ValueError(
                f"{key} is given twice, {key}={params[key]!r} by {type(owner).__name__} and "
                f"{key}={has[key]!r} by {name}={part!r}: drop the one in {name}, "
                f"for that of {type(owner).__name__} holds."
            )
    if seed is not None and has.get("random_state", seed) is None:
        params["random_state"] = seed
    if "verbose" in has and "verbose" not in changed:
        params["verbose"] = verbose
    return part.set_params(**params)
