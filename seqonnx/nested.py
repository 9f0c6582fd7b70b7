"""Nested structures: lists, tuples, named tuples, deques and dicts, by Keras's names.

All else is a leaf, None and instances of a user's subclass of these among it. The parts of a dict
come in the order of its sorted keys, those of an `OrderedDict` in its own.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

_DIFFERENT = "Structures don't have the same nested structure."
_DICTS = (dict, OrderedDict, defaultdict)
Leaf = Callable[[Any], bool]


class MAP_TO_NONE:  # noqa: N801 (Keras's name)
    """Returned by a function given to `traverse` to put None in a place."""


def is_nested(structure: Any) -> bool:
    """Return whether something has parts.

    Example:
        >>> is_nested([]), is_nested({"a": 1}), is_nested(1), is_nested(None), is_nested("ab")
        (True, True, False, False, False)
    """
    return type(structure) in {list, tuple, deque, *_DICTS} or _is_named(structure)


def flatten(structure: Any) -> list[Any]:
    """Return the leaves of a structure.

    Example:
        >>> flatten({"b": [1, (2, None)], "a": 3})
        [3, 1, 2, None]
    """
    return [leaf for _, leaf in flatten_with_path(structure)]


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """Return the leaves of a structure, each with the keys and indices that lead to it.

    Example:
        >>> flatten_with_path({"a": [1, 2]})
        [(('a', 0), 1), (('a', 1), 2)]
    """
    if not is_nested(structure):
        return [((), structure)]
    keys = _keys(structure)
    parts = _parts(structure)
    found = []
    for key, part in zip(keys, parts, strict=True):
        found += [((key, *path), leaf) for path, leaf in flatten_with_path(part)]
    return found


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """Return a structure of what a function makes of the leaves in the same place.

    Args:
        func: takes a leaf of each structure.
        *structures: structures that are nested in the same way.
        none_is_leaf: whether the function is called on None; else None stays.

    Raises:
        TypeError: if `func` is not callable.
        ValueError: if there is no structure, or they are nested in different ways.

    Example:
        >>> map_structure(lambda x, y: x + y, [1, {"a": 2}], [10, {"a": 20}])
        [11, {'a': 22}]
    """
    _check(func, structures)

    def change(*parts: Any) -> Any:
        if any(is_nested(part) for part in parts):
            _check_alike(*parts)
            return _rebuilt(parts[0], [change(*p) for p in _aligned(parts)])
        if not none_is_leaf and None in {part if part is None else 0 for part in parts}:
            if all(part is None for part in parts):
                return None
            raise ValueError(_DIFFERENT)
        return func(*parts)

    return change(*structures)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Return a structure of what a function makes of the parts at the leaves of another.

    Args:
        shallow_structure: says where a leaf is; its own leaves do not count.
        func: takes the part of each structure.
        *structures: structures that are nested at least as deep.

    Raises:
        TypeError: if `func` is not callable.
        ValueError: if there is no structure, or one is nested in another way.

    Example:
        >>> map_structure_up_to([None, None], len, [[1, 2], [3]])
        [2, 1]
    """
    _check(func, structures)

    def change(shallow: Any, *parts: Any) -> Any:
        if not is_nested(shallow):
            return func(*parts)
        _check_alike(shallow, *parts)
        return _rebuilt(shallow, [change(*p) for p in _aligned((shallow, *parts))])

    return change(shallow_structure, *structures)


def assert_same_structure(a: Any, b: Any, check_types: bool | None = None) -> None:
    """Raise a ValueError unless two structures are nested in the same way, in the same types.

    Args:
        a: a structure.
        b: another; its leaves may be others. Dicts of all kinds match.
        check_types: has no effect any more, as in Keras: a DeprecationWarning.
    """
    if check_types is not None:
        warnings.warn(
            "The `check_types` argument is deprecated and has no effect. "
            "`assert_same_paths` takes lists, tuples and deques for the same.",
            DeprecationWarning,
            stacklevel=2,
        )
    map_structure(lambda *_: None, a, b)


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise a ValueError unless the same keys and indices lead to the leaves of two structures."""
    paths = [{path for path, _ in flatten_with_path(structure)} for structure in (a, b)]
    if paths[0] != paths[1]:
        raise ValueError(
            "`a` and `b` don't have the same paths. "
            f"Paths in `a` missing in `b`: {paths[0] - paths[1] or 'none'}. "
            f"Paths in `b` missing in `a`: {paths[1] - paths[0] or 'none'}."
        )


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """Return a structure with other leaves.

    Args:
        structure: the structure.
        flat_sequence: as many leaves as it has, in the order of `flatten`.

    Raises:
        ValueError: if there are more or fewer.

    Example:
        >>> pack_sequence_as({"b": [1, 2], "a": 3}, [10, 20, 30])
        {'b': [20, 30], 'a': 10}
    """
    leaves = list(flat_sequence)
    wanted = len(flatten(structure))
    if len(leaves) != wanted:
        raise ValueError(
            f"The structure has {wanted} leaves. Received: {len(leaves)} in flat_sequence={leaves}"
        )
    rest = iter(leaves)
    return map_structure(lambda _: next(rest), structure)


def lists_to_tuples(structure: Any) -> Any:
    """Return a structure with a tuple in the place of each list."""
    return traverse(lambda part: tuple(part) if isinstance(part, list) else None, structure, False)


def map_shape_structure(func: Callable[..., Any], structure: Any) -> Any:
    """Return a structure of what a function makes of each shape: a list or tuple of sizes.

    Example:
        >>> map_shape_structure(len, {"a": (1, None), "b": [(2,), (3, 4, 5)]})
        {'a': 2, 'b': [1, 3]}
    """
    if _is_shape(structure) or not is_nested(structure):
        return func(structure)
    parts = [map_shape_structure(func, part) for part in _parts(structure)]
    return _rebuilt(structure, parts)


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Return a structure in which a function has replaced parts, leaves and whole ones.

    Args:
        func: takes a part; returns what replaces it, `MAP_TO_NONE` for None, or None to leave it.
        structure: the structure.
        top_down: whether a part comes before the parts in it, which are not looked at where it is
            replaced; else after them.

    Example:
        >>> traverse(lambda x: -x if isinstance(x, int) else None, [1, (2, "a")])
        [-1, (-2, 'a')]
    """

    def inside() -> Any:
        if not is_nested(structure):
            return structure
        parts = [traverse(func, part, top_down) for part in _parts(structure)]
        return _rebuilt(structure, parts)

    kept = structure if top_down else inside()
    changed = func(kept)
    if changed is None:
        return inside() if top_down else kept
    return None if changed is MAP_TO_NONE else changed


def _is_named(structure: Any) -> bool:
    return isinstance(structure, tuple) and getattr(structure, "_fields", None) is not None


def _is_shape(part: Any) -> bool:
    return isinstance(part, list | tuple) and all(isinstance(n, int | None) for n in part)


def _keys(structure: Any) -> list[Any]:
    """Keys or indices of the parts."""
    if not isinstance(structure, dict):
        return list(range(len(structure)))
    if isinstance(structure, OrderedDict):
        return list(structure)
    try:
        return sorted(structure)
    except TypeError:  # keys of several types
        return list(structure)


def _parts(structure: Any) -> list[Any]:
    keys = _keys(structure)
    return [structure[key] for key in keys] if isinstance(structure, dict) else list(structure)


def _rebuilt(structure: Any, parts: Sequence[Any]) -> Any:
    """A structure of the same kind with other parts."""
    if isinstance(structure, dict):
        named = dict(zip(_keys(structure), parts, strict=True))
        changed = structure.copy()
        for key in structure:
            changed[key] = named[key]
        return changed
    if _is_named(structure):
        return type(structure)(*parts)
    return (
        deque(parts, structure.maxlen) if isinstance(structure, deque) else type(structure)(parts)
    )


def _aligned(structures: Sequence[Any]) -> Iterable[tuple[Any, ...]]:
    """The parts of alike structures, those of dicts by the keys of the first."""
    keys = _keys(structures[0])
    return zip(*([s[key] for key in keys] for s in structures), strict=True)


def _check(func: Any, structures: Sequence[Any]) -> None:
    if not callable(func):
        raise TypeError(f"`func` must be callable. Received: {func!r} of type {type(func)}")
    if len(structures) == 0:
        raise ValueError("Must provide at least one structure")


def _check_alike(first: Any, *others: Any) -> None:
    """Raise a ValueError unless structures have the same type and number of parts, or keys."""
    for other in others:
        if isinstance(first, dict) and is_nested(other) and isinstance(other, dict):
            alike = set(first) == set(other)
        else:
            alike = is_nested(first) and type(first) is type(other) and len(first) == len(other)
        if not alike:
            raise ValueError(f"{_DIFFERENT} Received: {first!r} and {other!r}")
