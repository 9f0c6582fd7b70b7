"""Graphs for inference whose runs replace variables, such as the states of a stateful layer.

Such a variable is no constant of the graph: it is an input, and its new value an output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy.typing as npt

from seqonnx.graph import Emitter, Variable

T = TypeVar("T")


def emit_baked(
    emit: Callable[[Emitter], T], values: Mapping[Variable, npt.NDArray[Any]]
) -> tuple[Emitter, T]:
    """Emit a graph with its weights baked in, but for the variables that it replaces.

    Args:
        emit: emits the graph.
        values: values of the weights.

    Returns:
        The emitter, and what `emit` has returned.
    """
    op = Emitter(values=values)
    result = emit(op)
    if len(op.updates) > 0:
        op = Emitter(values=values, except_for=list(op.updates))
        result = emit(op)
    return op, result


def declare_updates(op: Emitter) -> dict[Variable, tuple[str, str]]:
    """Declare the new values of variables as outputs, called as their inputs with `_out` behind.

    Returns:
        The names of input and output of each.
    """
    names = {}
    for variable, value in op.updates.items():
        before = str(op.variables[variable].name)
        names[variable] = (before, str(op.output(value, f"{before}_out").name))
    return names
