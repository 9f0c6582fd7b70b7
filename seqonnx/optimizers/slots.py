"""Slots: what an optimizer keeps for each weight, with Keras's names and in Keras's order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from seqonnx.graph import Variable

SlotVariables = Mapping[Variable, Mapping[str, Variable]]
"""The slots of each weight by key."""

AVERAGE: Final = "average"
"""Key of the moving average of a weight."""
ACCUMULATOR: Final = "gradient_accumulator"
"""Key of the sum of gradients that no step has used yet."""
_FIRST: Final = (AVERAGE, ACCUMULATOR)


class SlotSpec(NamedTuple):
    """A slot before it is made.

    Args:
        shape: its shape.
        dtype: its dtype.
        start: what fills it at first; None: the value of the weight.
        layout: axes from this shape to the stored one, as a weight has them.
        listed_as: its name where that is not `weight_key`.
        idle: whether no step reads it: it only has a place in the list.
    """

    shape: Sequence[int]
    dtype: str
    start: float | None = 0.0
    layout: Sequence[int] | None = None
    listed_as: str | None = None
    idle: bool = False

    @classmethod
    def like(cls, weight: Variable, start: float | None = 0.0) -> SlotSpec:
        """Return the slot with the shape, dtype and layout of a weight."""
        return cls(weight.shape, weight.dtype, start, weight._layout)


class OptimizerSlot(Variable):
    """A variable that an optimizer keeps for a weight.

    Args:
        owner: the optimizer.
        weight: the weight.
        key: what it is, such as `"momentum"`.
        spec: shape, dtype and first value.

    Attributes:
        weight: the weight.
        key: what it is.
        owner: the optimizer.
    """

    def __init__(self, owner: Any, weight: Variable, key: str, spec: SlotSpec) -> None:
        if spec.start is None:
            value = weight.numpy()
        else:
            value = np.full(tuple(spec.shape), spec.start, spec.dtype)
        name = spec.listed_as or f"{weight.path.replace('/', '_')}_{key}"
        path = name if spec.idle else f"{owner.name}/{name}"
        super().__init__(value, name, trainable=False, layout=spec.layout, path=path)
        self.owner, self.weight, self.key, self._idle = owner, weight, key, spec.idle

    @property
    def _emitted_name(self) -> str:
        return f"{self.weight.name}/{self.key}"

    @property
    def _file_path(self) -> str:
        return f"optimizer/{self.weight.path}/{self.key}"


def make_slots(
    owner: Any, weight: Variable, specs: Mapping[str, SlotSpec]
) -> Mapping[str, Variable]:
    """Return the slots of a weight, filled with their start."""
    return {key: OptimizerSlot(owner, weight, key, spec) for key, spec in specs.items()}


def used_slots(slots: Mapping[str, Variable]) -> dict[str, Variable]:
    """Return the slots that an update reads and writes."""
    return {
        key: slot
        for key, slot in slots.items()
        if key not in _FIRST and not (isinstance(slot, OptimizerSlot) and slot._idle)
    }


def in_keras_order(slots: Iterable[Variable], later: Sequence[str]) -> list[Variable]:
    """Return slots, interleaved by weight, in the order in which Keras makes them.

    Args:
        slots: the slots of each weight together.
        later: keys that Keras makes for all weights after the others.
    """
    last = {key: len(_FIRST) + 1 + number for number, key in enumerate(later)}
    rank = {key: number for number, key in enumerate(_FIRST)} | last
    return sorted(slots, key=lambda slot: rank.get(getattr(slot, "key", ""), len(_FIRST)))
