"""Layers inside a layer: found among its attributes, built in its name."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

import numpy as np

from seqonnx.graph.tracing import tracing

_T = TypeVar("_T")

_OWNERS: ContextVar[tuple[str, ...]] = ContextVar("_OWNERS", default=())
"""Names of the layers that are being built, from the outside in."""


_FEW: Final = 32
"""Longest list that is looked into at every call on data."""

_PLAIN: Final = frozenset({bool, float, int, str, type(None)})
"""Types of most attributes, which hold nothing."""

_MOST_TYPES: Final = 4096
"""Types of attributes to know the role of."""


@contextmanager
def building(name: str) -> Iterator[None]:
    """Build a layer inside: weights are named after it, and no graph is traced."""
    with owning(name), tracing(None):
        yield


@contextmanager
def owning(name: str) -> Iterator[None]:
    """Let layers that are built inside be those of the layer of this name."""
    token = _OWNERS.set((*_OWNERS.get(), name))
    try:
        yield
    finally:
        _OWNERS.reset(token)


def owner_path(name: str) -> str:
    """Return the path of a layer of this name that is built here."""
    owners = _OWNERS.get()
    return "/".join(owners if owners[-1:] == (name,) else (*owners, name))


def parts_of(attributes: dict[str, Any], kind: type[_T]) -> list[_T]:
    """Return what of one kind an object holds, also in lists, tuples and dicts; each once.

    Args:
        attributes: its attributes, in their order.
        kind: the class that is looked for.
    """
    if kind not in _ROLES:
        _ROLES[kind] = _Roles(kind)
    roles = _ROLES[kind]
    found: dict[int, _T] = {}
    stack: list[Any] = [p for p in reversed(attributes.values()) if type(p) not in _PLAIN]
    while stack:
        part = stack.pop()
        role = roles[type(part)]
        if role == "part":
            found.setdefault(id(part), part)
        elif role is not None:
            inner = list(part.values()) if role == "mapping" else part
            stack.extend([p for p in reversed(inner) if type(p) not in _PLAIN])
    return list(found.values())


class _Roles(dict[type, str | None]):
    """Roles of attributes, by class, in a search for parts of a kind; None: they hold nothing.

    Every layer is searched at every `train_on_batch`, and an abstract class takes long to ask.
    """

    def __init__(self, kind: type) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, held: type) -> str | None:
        if len(self) >= _MOST_TYPES:
            self.clear()
        sequence = "sequence" if held in {list, tuple} else None
        role = "mapping" if issubclass(held, Mapping) else sequence
        self[held] = role = "part" if issubclass(held, self._kind) else role
        return role


_ROLES: Final[dict[type, _Roles]] = {}
"""The roles for each kind of part; there are few kinds."""


def plain_attributes(layer: object) -> Hashable:
    """Return the numbers and strings in public attributes, by name: they may change at any time."""
    return tuple(
        (name, repr(value))
        for name, value in vars(layer).items()
        if not name.startswith("_") and _is_plain(value)
    )


def _is_plain(value: Any) -> bool:
    """Whether a value is a number or a string, or a few of them."""
    if type(value) in {list, tuple}:
        return len(value) <= _FEW and all(isinstance(part, int | float | str) for part in value)
    return isinstance(value, int | float | str | np.generic)


def are_built(layers: Sequence[Any]) -> bool:
    """Return whether there are layers, and all of them have their weights."""
    return len(layers) > 0 and all(layer.built for layer in layers)
