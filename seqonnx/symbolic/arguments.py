"""The arguments of a call: structures of tensors and of constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqonnx.structures import Slot, put_back, take_out


@dataclass(frozen=True, eq=False)
class Arguments:
    """The arguments of a call that is more than one on a tensor, or on a flat list of them.

    Args:
        first: the first argument, with slots in the place of tensors.
        named: the others, by name.
    """

    first: Any
    named: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, first: Any, named: Mapping[str, Any], is_tensor: Callable[[Any], bool]
    ) -> tuple[Arguments, list[Any]]:
        """Take the tensors out of the arguments of a call.

        Args:
            first: the first argument.
            named: the others, by name.
            is_tensor: whether a part is a tensor.

        Returns:
            The arguments, and the tensors in the order of their slots.
        """
        found: list[Any] = []
        pattern = take_out(first, is_tensor, found)
        return cls(pattern, take_out(dict(named), is_tensor, found)), found

    def filled(self, tensors: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        """Return the first argument and the named ones, with tensors in the slots."""
        return put_back(self.first, tensors), put_back(dict(self.named), tensors)


def arguments_config(structure: Any) -> Any:
    """Return a structure with slots as plain values that JSON can hold.

    Args:
        structure: tensors' slots, numbers, strings, None, slices, `...` and arrays, in lists,
            tuples and dicts.

    Raises:
        ValueError: for what no file can hold, such as a variable.

    Example:
        >>> arguments_config((Slot(0), slice(None, 2)))
        {'tuple': [{'slot': 0}, {'slice': [None, 2, None]}]}
    """
    if structure is None or isinstance(structure, bool | int | float | str):
        return structure
    if isinstance(structure, Slot):
        return {"slot": structure.index}
    if structure is Ellipsis:
        return {"ellipsis": True}
    if isinstance(structure, slice):
        bounds = (structure.start, structure.stop, structure.step)
        return {"slice": [arguments_config(bound) for bound in bounds]}
    if isinstance(structure, np.ndarray | np.generic):
        return {"array": structure.tolist(), "dtype": structure.dtype.name}
    if isinstance(structure, list | tuple):
        parts = [arguments_config(part) for part in structure]
        return parts if isinstance(structure, list) else {"tuple": parts}
    if isinstance(structure, Mapping):
        return {"dict": {key: arguments_config(part) for key, part in structure.items()}}
    if callable(structure):
        raise ValueError(
            f"A function that is an argument of a call cannot be saved: {structure!r}. Make a "
            "layer of your own whose `call` uses it, and save that."
        )
    raise ValueError(
        f"An argument of a call cannot be saved: {structure!r}. Numbers, strings, arrays and "
        "tensors of the model can; make a layer of what works with a variable."
    )


def arguments_from(config: Any) -> Any:
    """Return the structure that `arguments_config` was given.

    Example:
        >>> arguments_from({"tuple": [{"slot": 0}, {"slice": [None, 2, None]}]})
        (Slot(index=0), slice(None, 2, None))
    """
    if isinstance(config, list):
        return [arguments_from(part) for part in config]
    if not isinstance(config, Mapping):
        return config
    kind, content = next(iter(config.items()))
    if kind == "slot":
        return Slot(int(content))
    if kind == "ellipsis":
        return Ellipsis
    if kind == "array":
        array = np.array(content, config["dtype"])
        return array if array.ndim > 0 else array[()]
    if kind == "dict":
        return {key: arguments_from(part) for key, part in content.items()}
    parts = [arguments_from(part) for part in content]
    return slice(*parts) if kind == "slice" else tuple(parts)
