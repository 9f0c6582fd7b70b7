"""Entries of layers that stand in several places of a model, such as models or wrappers inside.

Each has a `shared_object_id`, as in Keras's files: of several entries with one number the first is
made, and the others are that layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

SHARED: Final = "shared_object_id"

numbers: ContextVar[Mapping[int, int] | None] = ContextVar("shared_numbers", default=None)
"""Numbers of the shared layers of the model that is written here, by their `id`."""
_made: ContextVar[dict[int, Any] | None] = ContextVar("shared_layers", default=None)


def collect_shared() -> None:
    """Keep what is made in this context, so that its next entry is the same layer."""
    if _made.get() is None:
        _made.set({})


def number_of(layer: Any) -> dict[str, int]:
    """Return the entry `shared_object_id` of a layer, if it is shared; nothing for other values."""
    number = (numbers.get() or {}).get(id(layer))
    return {} if number is None else {SHARED: number}


def find_shared(entry: Mapping[str, Any]) -> Any:
    """Return the layer that another entry of the same number has become; None if there is none."""
    return (_made.get() or {}).get(entry.get(SHARED, -1))


def note_shared(entry: Mapping[str, Any], layer: Any) -> None:
    """Say which layer an entry has become."""
    made = _made.get()
    if made is not None and SHARED in entry:
        made[entry[SHARED]] = layer
