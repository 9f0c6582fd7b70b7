"""Configurations: the constructor's arguments of an object, read from its attributes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any, Final, Self

from seqonnx import catalogue
from seqonnx.dtypes import plain_value

_ABSENT: Final = object()


class Configured:
    """Has a configuration: each argument of the constructor stands in an attribute of its name.

    The base class of a kind derives from this; a class whose attributes differ from its arguments
    writes its own `get_config`.
    """

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values that JSON can hold."""
        return config_of(self, root_of(type(self)))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an object from the configuration returned by `get_config`."""
        return cls(**config)


def config_of(thing: object, root: type, without: Collection[str] = ()) -> dict[str, Any]:
    """Return the arguments of an object's constructor, read from attributes of the same name.

    Arguments without such an attribute are left out.

    Args:
        thing: the object.
        root: the base class of its kind, whose arguments come first.
        without: names of arguments that are not wanted.
    """
    common = argument_names(root, root)
    names = [name for name in argument_names(type(thing), root) if name not in without]
    # An argument that happens to have the name of a property, such as `weights`, is not in it.
    kept = [name for name in names if name in common or not _is_property_of(root, name)]
    values = {name: getattr(thing, name, _ABSENT) for name in kept}
    return {name: _written(value) for name, value in values.items() if value is not _ABSENT}


def argument_names(cls: type, root: type) -> list[str]:
    """Return the names of a constructor's arguments: those of the base class first.

    The arguments that a constructor passes on as `**arguments` are those of the next one.

    Example:
        >>> class Shape:
        ...     def __init__(self, colour="red"): ...
        >>> class Circle(Shape):
        ...     def __init__(self, radius, **common): ...
        >>> argument_names(Circle, Shape)
        ['colour', 'radius']
    """
    chain: list[type] = []
    for base in (c for c in cls.__mro__ if "__init__" in vars(c) and c is not object):
        chain.insert(0, base)
        if not _passes_on(base):
            break
    names: dict[str, None] = {}
    for owner in (root, *chain):
        names |= dict.fromkeys(p.name for p in _parameters(owner) if p.kind not in _VARIADIC)
    return list(names)


def arguments_for(thing: object, function: Callable[..., Any], root: type) -> dict[str, Any]:
    """Return those arguments of a function that an object's constructor takes, too."""
    own = set(argument_names(type(thing), root))
    parameters = inspect.signature(function).parameters.values()
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    wanted = [p.name for p in parameters if p.kind in named and p.name in own]
    return {name: getattr(thing, name) for name in wanted}


def root_of(cls: type) -> type:
    """Return the base class of a kind: the one that derives from `Configured` itself."""
    return next(c for c in reversed(cls.__mro__) if issubclass(c, Configured) and c != Configured)


_VARIADIC: Final = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def _written(value: Any) -> Any:
    """An argument as it stands in a configuration."""
    configured = not isinstance(value, type) and callable(getattr(value, "get_config", None))
    return catalogue.serialize(value) if configured else plain_value(value)


def _is_property_of(root: type, name: str) -> bool:
    """Whether the base class of a kind has a property of this name."""
    return isinstance(inspect.getattr_static(root, name, None), property)


def _parameters(cls: type) -> list[inspect.Parameter]:
    """The parameters of a class's own constructor, without the object itself."""
    if "__init__" not in vars(cls):
        return []
    return list(inspect.signature(vars(cls)["__init__"]).parameters.values())[1:]


def _passes_on(cls: type) -> bool:
    """Whether a constructor takes arguments that it does not name."""
    return any(p.kind is p.VAR_KEYWORD for p in _parameters(cls))
