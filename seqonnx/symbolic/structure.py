"""Structures: one tensor, a list of them, or a dict of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from seqonnx.symbolic import SymbolicTensor

Structure = SymbolicTensor | Sequence[SymbolicTensor] | Mapping[str, SymbolicTensor]
_T = TypeVar("_T")


def holds_symbolic(x: Any) -> bool:
    """Whether something given to a model is a symbolic tensor, or a list or dict with one."""
    if isinstance(x, np.ndarray):  # first, as it is asked at every call on data
        return False
    if isinstance(x, Mapping):
        x = list(x.values())
    parts = x if isinstance(x, list | tuple) else [x]
    for part in parts:  # noqa: SIM110 - `any` of a generator takes twice the time
        if isinstance(part, SymbolicTensor):
            return True
    return False


def flatten(structure: Structure, what: str) -> list[SymbolicTensor]:
    """Return the tensors of a structure as a list.

    Raises:
        ValueError: if something in it is not a symbolic tensor.
    """
    if isinstance(structure, SymbolicTensor):
        return [structure]
    items = list(structure.values()) if isinstance(structure, Mapping) else list(structure)
    for item in items:
        if not isinstance(item, SymbolicTensor):
            raise ValueError(
                f"All `{what}` values must be symbolic tensors, as `Input` and layers give. "
                f"Received: {what}={structure} including invalid value {item} of type {type(item)}"
            )
    return items


def in_key_order(structure: Any) -> Any:
    """Return a dict by its sorted keys, and what is no dict as it is.

    Keras walks through dicts so, whatever the order of their keys, and through an `OrderedDict` as
    it is. The order of layers and weights of a model follows from it.

    Example:
        >>> in_key_order({"b": 1, "a": 2})
        {'a': 2, 'b': 1}
    """
    if type(structure) is not dict:
        return structure
    return {key: structure[key] for key in sorted(structure, key=str)}


def unwrap(items: Sequence[_T]) -> _T | list[_T]:
    """Return the only item, or a list of them."""
    return items[0] if len(items) == 1 else list(items)


def in_order(x: Mapping[str, Any], names: Sequence[str], model: str) -> list[Any]:
    """Return the values of a dict in the order of a model's inputs.

    Args:
        x: given to the model.
        names: names of its inputs.
        model: its name, for the error.

    Raises:
        ValueError: if the keys are not the names of the inputs.
    """
    if sorted(names) != sorted(x):
        raise ValueError(
            f"Data given as a dict must name the inputs of model '{model}', which are "
            f"{list(names)}. Received keys: {sorted(x)}"
        )
    return [x[name] for name in names]
