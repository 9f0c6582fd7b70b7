"""The catalogue: everything that a name, a configuration or a file may ask for, by kind.

A class or function enters with `register` where it is defined. The manifest is the `__init__` of
its room, which imports the module: nothing is searched for. The rooms' own `get`, `serialize` and
`deserialize` are these ones, with the base class of their kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from seqonnx import registration
from seqonnx.dtypes import plain_value


class Kind(NamedTuple):
    """A kind of thing, as error messages name it.

    Args:
        label: what one of it is called.
        function: how a user's function that may stand for one is called.
    """

    label: str
    function: str | None = None


Registered = TypeVar("Registered", bound=Callable[..., Any])

KINDS: Final = MappingProxyType(
    {
        "activation": Kind("activation function", "fn(op, x)"),
        "constraint": Kind("constraint", "fn(op, w)"),
        "initializer": Kind("initializer", "fn(shape, dtype)"),
        "layer": Kind("layer"),
        "loss": Kind("loss", "fn(op, y_true, y_pred)"),
        "metric": Kind("metric", "fn(op, y_true, y_pred)"),
        "model": Kind("model"),
        "objective": Kind("function of targets and predictions"),
        "op": Kind("op"),
        "optimizer": Kind("optimizer"),
        "quantization": Kind("function of quantisation"),
        "quantizer": Kind("quantizer"),
        "random": Kind("random function"),
        "regularizer": Kind("regularizer", "fn(op, x)"),
        "schedule": Kind("learning rate schedule"),
    }
)
"""Of what there are catalogues."""

_ENTRIES: Final[dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
_SAVED_AS: Final[dict[int, str]] = {}
"""The name in files by identity: what users make need not be hashable."""


class FromUserFunction:
    """Made from a user's function: saved by the function's name alone.

    Args:
        function: the function, or an object with `__call__`.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function


def register(
    kind: str, *names: str, saved_as: str | None = None
) -> Callable[[Registered], Registered]:
    """Decorate a class or function that configurations may name.

    Args:
        kind: one of `KINDS`.
        *names: further names, such as `"mean_squared_error"`, `"mse"`.
        saved_as: the name in files; default: its own.

    Returns:
        A decorator that returns what it was given.

    Raises:
        ValueError: for an unknown kind, or a name that is taken.

    Example:
        >>> @register("activation", "twofold")
        ... def double(op, x):
        ...     return op.Add(x, x)
        >>> find("activation", "twofold") is double
        True
    """
    entries = _entries_of(kind)

    def enter(entry: Registered) -> Registered:
        name = name_of(entry) if saved_as is None else saved_as
        given = (name, *names)
        taken = [f"{known} by {entries[known]!r}" for known in given if known in entries]
        if len(taken) > 0 or len(set(given)) < len(given):
            raise ValueError(
                f"The {KINDS[kind].label} {entry!r} cannot be registered as {', '.join(given)}: a "
                f"name means one thing. Taken: {', '.join(taken) or 'a name is given twice'}."
            )
        entries.update(dict.fromkeys(given, entry))
        _SAVED_AS[id(entry)] = name
        return entry

    return enter


def entries(kind: str) -> Mapping[str, Any]:
    """Return everything of a kind by name: a view that grows with the catalogue.

    Raises:
        ValueError: for an unknown kind.
    """
    return MappingProxyType(_entries_of(kind))


def short_names(kind: str) -> dict[str, Any]:
    """Return what a kind's names in lower case mean, sorted; all names where none is."""
    known = sorted(_entries_of(kind).items())
    return {name: entry for name, entry in known if name.islower()} or dict(known)


def find(kind: str, name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return what a name means; None if it means nothing.

    Args:
        kind: one of `KINDS`.
        name: the name.
        custom_objects: the user's own classes and functions, by name; they come first, then those
            that `registration` knows.
    """
    if not isinstance(name, str):
        return None
    own = registration.own_object(name, custom_objects)
    known = _entries_of(kind).get(name) if own is None else own
    return registration.registered_by_class(name) if known is None else known


def get(
    kind: str,
    identifier: Any,
    base: type[Any],
    *,
    wrap: Callable[[Any], Any] | None = None,
    named: Callable[[Any, str], Any] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Any:
    """Return what an identifier stands for.

    Args:
        kind: one of `KINDS`.
        identifier: an object of the kind, a subclass of `base`, a name, a configuration
            (`{"class_name": ..., "config": {...}}`), or a function.
        base: the class of what is returned.
        wrap: makes one from a user's function; None: functions are refused.
        named: makes one from a class and the name that was given; default: without arguments.
        custom_objects: the user's own classes and functions, by name; they come first.

    Returns:
        An object of the class `base`.

    Raises:
        ValueError: if it stands for none.
    """
    if isinstance(identifier, base):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, base):
        return identifier()
    if isinstance(identifier, str):
        entry = find(kind, identifier, custom_objects)
        if named is not None and isinstance(entry, type):
            return named(entry, identifier)
        return get(kind, _made(kind, identifier, entry, {}), base, wrap=wrap)
    if isinstance(identifier, Mapping):
        name = identifier.get("class_name")
        entry = find(kind, name, custom_objects)
        config = identifier.get("config") or {}
        return get(kind, _made(kind, identifier, entry, config), base, wrap=wrap)
    if callable(identifier) and not isinstance(identifier, type) and wrap is not None:
        return wrap(identifier)
    raise unknown(kind, identifier)


def serialize(thing: Any) -> dict[str, Any]:
    """Return an object as plain values that JSON can hold: its class and its configuration."""
    if isinstance(thing, FromUserFunction):
        return {"class_name": name_of(thing.function), "config": {}}
    return {"class_name": saved_name(type(thing)), "config": plain_value(thing.get_config())}


def saved_name(entry: Any) -> str:
    """Return the name of a class or function in files.

    The user's own keep theirs, or have the one that they are registered under.
    """
    known = _SAVED_AS.get(id(entry))
    if known is not None:
        return known
    named = getattr(entry, "__name__", None) is not None
    return registration.get_registered_name(entry) if named else name_of(entry)


def is_own(kind: str, entry: Any) -> bool:
    """Return whether a class or function is one of seqonnx's of a kind, not one of the user's."""
    return any(known is entry for known in _entries_of(kind).values())


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a class, a function, or the class of an object with `__call__`."""
    return str(getattr(function, "__name__", type(function).__name__))


def unknown(kind: str, identifier: Any) -> ValueError:
    """Return the error for an identifier that stands for nothing."""
    label, function = KINDS[kind]
    own = "" if function is None else f"a function `{function}`, "
    return ValueError(
        f"Could not interpret {label} identifier: {identifier}. Expected an object or its class, a "
        f"configuration, {own}or one of {', '.join(short_names(kind))}."
    )


def _made(kind: str, identifier: Any, entry: Any, config: dict[str, Any]) -> Any:
    """Make what an entry of the catalogue, or one of the user's, means with a configuration."""
    if entry is None:
        raise unknown(kind, identifier)
    if isinstance(entry, type):
        from_config = getattr(entry, "from_config", None)
        return entry(**config) if from_config is None else from_config(config)
    return entry(**config) if id(entry) in _SAVED_AS else entry


def _entries_of(kind: str) -> dict[str, Any]:
    """The entries of a kind."""
    if kind not in _ENTRIES:
        raise ValueError(
            f"There is no catalogue of kind {kind!r}. Expected one of {', '.join(KINDS)}."
        )
    return _ENTRIES[kind]
