"""Structures: tensors and constants in lists, tuples and dicts, with the tensors taken out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Slot:
    """The place of a tensor in a structure.

    Args:
        index: number of the tensor.
    """

    index: int


def take_out(structure: Any, is_tensor: Callable[[Any], bool], found: list[Any]) -> Any:
    """Return a structure with a `Slot` in the place of each tensor.

    Args:
        structure: tensors and constants in lists, tuples, dicts and slices.
        is_tensor: whether a part is a tensor.
        found: the tensors so far; those of the structure are appended.

    Example:
        >>> tensors = []
        >>> take_out({"a": [1.5, "x"]}, lambda part: part == 1.5, tensors), tensors
        ({'a': [Slot(index=0), 'x']}, [1.5])
    """
    if is_tensor(structure):
        found.append(structure)
        return Slot(len(found) - 1)
    return _rebuilt(structure, lambda part: take_out(part, is_tensor, found))


def put_back(pattern: Any, tensors: Sequence[Any]) -> Any:
    """Return a structure with tensors in its slots.

    Args:
        pattern: returned by `take_out`.
        tensors: one for each slot.

    Example:
        >>> put_back({"a": [Slot(0), "x"]}, [1.5])
        {'a': [1.5, 'x']}
    """
    if isinstance(pattern, Slot):
        return tensors[pattern.index]
    return _rebuilt(pattern, lambda part: put_back(part, tensors))


def _rebuilt(structure: Any, change: Callable[[Any], Any]) -> Any:
    """A structure with each of its parts changed; a constant is itself."""
    if isinstance(structure, Mapping):
        return {key: change(part) for key, part in structure.items()}
    if isinstance(structure, slice):
        return slice(change(structure.start), change(structure.stop), change(structure.step))
    if type(structure) in {list, tuple}:
        return type(structure)(change(part) for part in structure)
    return structure


def holds(structure: Any, kind: Any) -> bool:
    """Whether a structure has a part of a kind.

    Args:
        structure: see `take_out`.
        kind: a class, or a union of them.

    Example:
        >>> holds({"a": [1, "x"]}, str), holds([1, 2], str)
        (True, False)
    """
    found: list[Any] = []
    take_out(structure, lambda part: isinstance(part, kind), found)
    return len(found) > 0


def mapped(change: Callable[[Any], Any], structure: Any, kind: Any) -> Any:
    """Return a structure with a change of each part of a kind.

    Args:
        change: gives the new part.
        structure: see `take_out`.
        kind: a class, or a union of them.

    Example:
        >>> mapped(str.upper, {"a": ["x", 1]}, str)
        {'a': ['X', 1]}
    """
    found: list[Any] = []
    pattern = take_out(structure, lambda part: isinstance(part, kind), found)
    return put_back(pattern, [change(part) for part in found])


def parts(structure: Any, kind: Any) -> list[Any]:
    """Return the parts of a structure that are of a kind, in order.

    Args:
        structure: see `take_out`.
        kind: a class, or a union of them.

    Example:
        >>> parts({"a": ["x", 1], "b": "y"}, str)
        ['x', 'y']
    """
    found: list[Any] = []
    take_out(structure, lambda part: isinstance(part, kind), found)
    return found
