"""The user's own classes and functions by name, and whether configurations may hold code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final, Self, TypeVar

from seqonnx.defaults import is_unsafe_deserialization_enabled

_T = TypeVar("_T")

_REGISTERED: Final[dict[str, Any]] = {}
_NAMES: Final[dict[int, tuple[Any, str]]] = {}
"""The name of each registered object by its identity: it need not be hashable."""

_SCOPE: Final[ContextVar[Mapping[str, Any] | None]] = ContextVar("custom_objects", default=None)
_SAFE: Final[ContextVar[bool | None]] = ContextVar("safe_mode", default=None)
"""Whether what is being loaded may not run code; None: nothing is being loaded."""


class CustomObjectScope:
    """Makes objects of one's own known by name inside a `with` block.

    Args:
        custom_objects: classes and functions by the names that configurations give them.

    Example:
        >>> with CustomObjectScope({"double": lambda x: x * 2}):
        ...     get_registered_object("double")(3)
        6
    """

    def __init__(self, custom_objects: Mapping[str, Any] | None) -> None:
        self.custom_objects = custom_objects or {}
        self.backup: Mapping[str, Any] | None = None

    def __enter__(self) -> Self:
        self.backup = _SCOPE.get()
        _SCOPE.set(dict(self.custom_objects))
        return self

    def __exit__(self, *args: object, **kwargs: object) -> None:
        _SCOPE.set(self.backup)


custom_object_scope = CustomObjectScope


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[_T], _T]:
    """Decorate a class or function so that files which name it can be loaded.

    Args:
        package: first part of its name in files, `"package>name"`.
        name: second part; default: its own.

    Returns:
        A decorator that returns what it was given.

    Raises:
        ValueError: for a class without `get_config`.

    Example:
        >>> @register_keras_serializable("doctest", "Twice")
        ... def twice(x):
        ...     return x * 2
        >>> get_registered_name(twice)
        'doctest>Twice'
    """

    def enter(thing: _T) -> _T:
        own: Any = thing
        if inspect.isclass(thing) and getattr(thing, "get_config", None) is None:
            raise ValueError(
                "Cannot register a class that does not have a get_config() method. "
                f"Received: {thing}"
            )
        full = f"{package}>{own.__name__ if name is None else name}"
        _REGISTERED[full] = thing
        _NAMES[id(thing)] = (thing, full)
        return thing

    return enter


def get_custom_objects() -> dict[str, Any]:
    """Return the registered objects by name: the dict itself, which may be changed."""
    return _REGISTERED


def get_registered_name(obj: Any) -> str:
    """Return the name of a class or function in files: the registered one, else its own."""
    _, name = _NAMES.get(id(obj), (None, None))
    return str(obj.__name__) if name is None else name


def get_registered_object(
    name: str,
    custom_objects: Mapping[str, Any] | None = None,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """Return what a name means, or None.

    Looked for in the scope of `custom_object_scope`, then among the registered objects, then in
    the arguments.

    Args:
        name: the name.
        custom_objects: objects by name.
        module_objects: further objects by name.

    Example:
        >>> get_registered_object("double", {"double": 2})
        2
    """
    for known in (_SCOPE.get(), _REGISTERED, custom_objects, module_objects):
        if known is not None and name in known:
            return known[name]
    return None


def is_registered(thing: Any) -> bool:
    """Return whether a class or function can be found by its name without being passed."""
    known = (*_REGISTERED.values(), *scope().values())
    return id(thing) in _NAMES or any(each is thing for each in known)


def own_object(name: str, custom_objects: Mapping[str, Any] | None) -> Any:
    """Return the user's object of a name, or None: what is passed comes first.

    Args:
        name: name in a file, `"package>name"` or without a package.
        custom_objects: the objects that were passed, by name.
    """
    passed, bare = custom_objects or {}, name.rpartition(">")[2]
    for key in (name, bare):
        if passed.get(key) is not None:
            return passed[key]
    found = get_registered_object(name)
    return found if found is not None else get_registered_object(bare)


def registered_by_class(name: str) -> Any:
    """Return the registered object whose name is this one behind its package, or None."""
    return next((x for key, x in _REGISTERED.items() if key.rpartition(">")[2] == name), None)


def scope() -> Mapping[str, Any]:
    """Return the objects of the innermost `custom_object_scope`, by name."""
    return _SCOPE.get() or {}


def all_known() -> dict[str, Any]:
    """Return registered objects and those of the scope, by name and by name without a package."""
    named = {**_REGISTERED, **scope()}
    return {key.rpartition(">")[2]: thing for key, thing in named.items()} | named


def in_safe_mode(otherwise: bool = True) -> bool:
    """Return whether code in configurations, such as a lambda's, is refused.

    Args:
        otherwise: what holds where nothing is being loaded. `enable_unsafe_deserialization` and
            the `safe_mode` of the loading function around this come first.
    """
    if is_unsafe_deserialization_enabled():
        return False
    around = _SAFE.get()
    return bool(otherwise) if around is None else around


def set_safe_mode(safe: bool) -> None:
    """Refuse code, or run it, in what this context makes from configurations."""
    _SAFE.set(safe)
