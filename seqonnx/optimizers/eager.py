"""A step on arrays: the emission of an optimizer, run at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.runtime.program import run_emission

T = TypeVar("T")
Array = npt.NDArray[Any]
Step = Callable[..., tuple[list[ir.Value], list[dict[str, ir.Value]]]]


class Kept(NamedTuple):
    """State that steps on arrays leave in an optimizer.

    Args:
        slots: the slots of each variable; None before the first step.
        steps: number of these steps.
    """

    slots: list[dict[str, Array]] | None = None
    steps: int = 0


def first_slots(fills: Mapping[str, float], param: Array) -> dict[str, Array]:
    """Return the slots of a variable before the first step."""
    return {name: np.full(param.shape, fill, param.dtype) for name, fill in fills.items()}


def run_step(
    emit: Step,
    params: Sequence[Array],
    grads: Sequence[Array],
    slots: Sequence[Mapping[str, Array]],
    rate: float,
    number: int,
    key: Hashable,
) -> tuple[list[Array], list[dict[str, Array]]]:
    """Run `Optimizer.emit` on arrays.

    Args:
        emit: the method.
        params: the variables.
        grads: a gradient for each.
        slots: the slots of each.
        rate: learning rate.
        number: number of the step, 1 for the first.
        key: what the emission depends on besides shapes and types.

    Returns:
        The new variables, and the new slots of each.
    """
    count = len(params)
    names = [tuple(kept) for kept in slots]

    def nodes(op: Emitter, values: list[ir.Value]) -> list[ir.Value]:
        lr, step, *rest = values
        inputs = _group(rest[2 * count :], names)
        new_params, new_slots = emit(op, rest[:count], rest[count : 2 * count], inputs, lr, step)
        kept = zip(new_slots, names, strict=True)
        return [*new_params, *(slot[name] for slot, keys in kept for name in keys)]

    dtype = params[0].dtype if count > 0 else np.dtype(np.float32)
    scalars = [np.asarray(rate, dtype), np.asarray(number, dtype)]
    arrays = [*params, *grads, *(array for kept in slots for array in kept.values())]
    outputs = run_emission(nodes, [], key=(key, *names), fixed=[*scalars, *arrays])
    return outputs[:count], _group(outputs[count:], names)


def _group(flat: Sequence[T], names: Sequence[Sequence[str]]) -> list[dict[str, T]]:
    """Cut a flat list into one dictionary per variable."""
    rest = iter(flat)
    return [{name: next(rest) for name in keys} for keys in names]
