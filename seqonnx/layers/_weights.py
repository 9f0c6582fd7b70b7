"""Weights of a layer: their declaration, copies of them, and their replacement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seqonnx import dtypes, initializers
from seqonnx.graph import (
    Aggregation,
    Trace,
    TracedTensor,
    Variable,
    assign_together,
    read_together,
)
from seqonnx.graph.budget import claim
from seqonnx.regularizers import Regularizer, penalty_of, sees_tensors
from seqonnx.runtime.program import run_emission, value_key


class _Declares(Protocol):
    """The side of a layer that the declaration of a weight needs."""

    name: str
    _variables: list[Variable]

    @property
    def path(self) -> str:
        """Prefix of the names of the layer's nodes and weights."""

    @property
    def dtype(self) -> str:
        """Dtype of the weights."""


def declare(
    layer: _Declares,
    shape: Sequence[int | None] | int | None,
    initializer: Any,
    dtype: str | None,
    trainable: bool,
    autocast: bool,
    aggregation: Aggregation,
    name: str | None,
    layout: Sequence[int] | None,
) -> Variable:
    """Make a weight (see `Layer.add_weight`)."""
    name = _free_name(layer) if name is None else name
    path = f"{layer.path}/{name}"
    shape = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    if any(d is None for d in shape):
        raise ValueError(
            "Shapes used to initialize variables must be fully-defined (no `None` "
            f"dimensions). Received: shape={shape} for variable path='{path}'"
        )
    sizes = tuple(int(d or 0) for d in shape)
    dtype = layer.dtype if dtype is None else dtypes.standardize(dtype)
    if initializer is None:
        initializer = "glorot_uniform" if dtypes.is_float(dtype) else "zeros"
    claim(sizes, dtype, path)
    value = initializers.get(initializer)(sizes, dtype)
    return Variable(
        value,
        name,
        trainable=trainable,
        layout=layout,
        path=path,
        autocast=autocast,
        aggregation=aggregation,
    )


def copies(variables: Sequence[Variable]) -> list[npt.NDArray[Any]]:
    """Return copies of weights, of one moment, in the Keras layout."""
    _, values = read_together(variables)
    return [variable._shown(value) for variable, value in zip(variables, values, strict=True)]


def replace(layer: str, variables: Sequence[Variable], weights: Sequence[npt.ArrayLike]) -> None:
    """Replace all weights, or none (see `Layer.set_weights`).

    Args:
        layer: name of the layer, for errors.
        variables: the weights.
        weights: arrays in the Keras layout.
    """
    if len(weights) != len(variables):
        raise ValueError(
            f"You called `set_weights(weights)` on layer '{layer}' with a weight list of "
            f"length {len(weights)}, but the layer was expecting {len(variables)} weights."
        )
    arrays = [np.asarray(value) for value in weights]
    for variable, array in zip(variables, arrays, strict=True):
        if variable.shape != array.shape:
            raise ValueError(
                f"Layer {layer} weight shape {variable.shape} is not compatible with "
                f"provided weight shape {array.shape}."
            )
    pairs = zip(variables, arrays, strict=True)
    assign_together((variable, variable._fitted(array)) for variable, array in pairs)


def penalty(regularizer: Regularizer, variable: Variable) -> float:
    """Return what a regularizer adds to the loss, for the value of a weight as it is now."""
    value = run_emission(
        lambda op, values: penalty_of(op, regularizer, values[0]),
        [],
        key=("penalty", value_key(regularizer)),  # a call of the regularizer has the other
        fixed=[variable.numpy() if sees_tensors(regularizer) else variable._stored()],
    )
    return float(value)


def _free_name(layer: _Declares) -> str:
    """The name of a weight that was given none."""
    taken = {variable.name for variable in layer._variables}
    names = ("variable", *(f"variable_{number}" for number in range(1, len(taken) + 1)))
    return next(name for name in names if name not in taken)


def losses_in(
    trace: Trace, layer: Any, regularized: Sequence[tuple[Variable, Regularizer]]
) -> list[TracedTensor]:
    """Return the tensors that a layer adds to the loss in a trace.

    Args:
        trace: the trace.
        layer: the layer.
        regularized: its weights with their regularizers.
    """
    names = names_inside(layer)
    added = [loss for loss in trace.op.losses if names & set(str(loss.name).split("/"))]
    penalties = [penalty_of(trace.op, regularizer, weight) for weight, regularizer in regularized]
    return [TracedTensor(value) for value in (*added, *penalties)]


def names_inside(layer: Any) -> set[str]:
    """Names of a layer and of all layers inside it."""
    found: set[str] = set()
    stack = [layer]
    while stack:
        each = stack.pop()
        if each.name not in found:
            found.add(each.name)
            stack.extend(each._inner_layers)
    return found
