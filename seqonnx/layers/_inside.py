"""Layers inside a layer: found among its attributes, built in its name."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

import numpy as np

from seqonnx.graph import tracing

_T = TypeVar("_T")

_OWNERS: ContextVar[tuple[str, ...]] = ContextVar("_OWNERS", default=())
"""Names of the layers that are being built, from the outside in."""


_FEW: Final = 32
"""Longest list that is looked into at every call on data."""


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


def parts_of(attributes: Mapping[str, Any], kind: type[_T]) -> list[_T]:
    """Return what of one kind an object holds, also in lists, tuples and dicts; each once.

    Args:
        attributes: its attributes, in their order.
        kind: the class that is looked for.
    """
    found: dict[int, _T] = {}
    stack: list[Any] = list(reversed(list(attributes.values())))
    while stack:
        part = stack.pop()
        if isinstance(part, kind):
            found.setdefault(id(part), part)
        elif isinstance(part, Mapping):
            stack.extend(reversed(list(part.values())))
        elif type(part) in {list, tuple}:
            stack.extend(reversed(part))
    return list(found.values())


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
