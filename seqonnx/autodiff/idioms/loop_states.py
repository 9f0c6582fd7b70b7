"""Do the states of a loop keep their shape? Tried with numbers for the sizes that are not known.

The states of all iterations are collected in one tensor to be walked backwards, so a state that
grows cannot be differentiated; ONNX Runtime would say so only in a run, and not where.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import onnx
import onnx_ir as ir

from seqonnx.autodiff.sources import captures_of
from seqonnx.errors import GradientError
from seqonnx.graph import OPSET
from seqonnx.graph.reading import constant_of, scope_of
from seqonnx.graph.versions import IR_VERSION

Sizes = tuple[int, ...]
_SMALL, _LARGE = 11, 1_000_003
"""Unknown sizes are taken for multiples of these; a change must be there for both, since a slice
may end at a number. The large one is no size of a model's."""


def refuse_changing_states(node: ir.Node, body: ir.Graph, first: int, states: int) -> None:
    """Raise an error if an iteration changes the shape of a state.

    Args:
        node: a Loop or Scan.
        body: its body.
        first: number of inputs of node and body before the states (2 for a Loop).
        states: number of states.

    Raises:
        GradientError: names the node, its layer, the state and both shapes.
    """
    small, large = _Sizes(_SMALL), _Sizes(_LARGE)
    few = _changes(node, body, first, states, small)
    many = _changes(node, body, first, states, large)
    for value in list(body.inputs)[first : first + states]:
        if value in few and value in many:
            before, after = (large.text(shape) for shape in many[value])
            raise GradientError(
                f"The gradient of {node.op_type} (node '{node.name}', layer "
                f"'{scope_of(node) or '(none)'}') needs states that keep "
                f"their shape. Received: state '{value.name}', whose shape an iteration changes "
                f"from {before} to {after}. Collect results as scan outputs of the "
                f"{node.op_type}, or write them into a state of the final size with "
                "ScatterElements or ScatterND."
            )


def _changes(
    node: ir.Node, body: ir.Graph, first: int, states: int, sizes: _Sizes
) -> dict[ir.Value, tuple[Sizes, Sizes]]:
    """The states whose shape changes, with the shapes before and after an iteration."""
    known = {body.inputs[first + i]: sizes.of(node.inputs[first + i]) for i in range(states)}
    if first == 0:
        axes = node.attributes.get_ints("scan_input_axes", [0] * len(node.inputs))
        for value, x, axis in zip(body.inputs[states:], node.inputs[states:], axes, strict=False):
            whole = sizes.of(x)
            known[value] = None if whole is None else _without(whole, axis)
    after = _shapes_after(body, known, sizes)
    outputs = list(body.outputs)[1 if first else 0 :][:states]
    changes = {}
    for value, made in zip(list(body.inputs)[first : first + states], outputs, strict=True):
        before, now = known[value], after.get(str(made.name))
        if before is not None and now is not None and before != now:
            changes[value] = (before, now)
    return changes


class _Sizes:
    """Numbers for sizes that are not known: the same for the same name.

    Args:
        first: the first of them, and the step to the next.
    """

    def __init__(self, first: int) -> None:
        self._first = first
        self._numbers = count(first, first)
        self._named: dict[str, int] = {}

    def of(self, value: ir.Value | None) -> Sizes | None:
        """Return the shape of a value in numbers; None if the number of axes is not known."""
        if value is None or value.shape is None:
            return None
        return tuple(d if isinstance(d, int) else self._number(d.value) for d in value.shape)

    def text(self, shape: Sizes) -> str:
        """Return a shape for an error, with `?` for sizes that were made up."""
        known = [str(size) if size < self._first else self._name(size) for size in shape]
        return f"[{', '.join(known)}]"

    def _number(self, name: str | None) -> int:
        if name is not None and name in self._named:
            return self._named[name]
        number = next(self._numbers)
        if name is not None:
            self._named[name] = number
        return number

    def _name(self, size: int) -> str:
        return next((name for name, number in self._named.items() if number == size), "?")


def _without(shape: Sizes, axis: int) -> Sizes:
    axis %= len(shape)
    return shape[:axis] + shape[axis + 1 :]


def _shapes_after(
    body: ir.Graph, known: dict[ir.Value, Sizes | None], sizes: _Sizes
) -> dict[str, Sizes]:
    """The shapes of a body's values that follow from those of its inputs."""
    proto = ir.to_proto(body)
    inputs = [_info(value, known.get(value, sizes.of(value))) for value in body.inputs]
    for value in captures_of([body]):
        array = constant_of(value)
        if array is None:
            inputs.append(_info(value, sizes.of(value)))
        else:
            proto.initializer.append(onnx.numpy_helper.from_array(array, str(value.name)))
    del proto.input[:], proto.value_info[:]
    proto.input.extend(inputs)
    for output in proto.output:
        output.type.tensor_type.ClearField("shape")
    model = onnx.helper.make_model(
        proto, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except onnx.shape_inference.InferenceError:
        # Two numbers for what is one size: nothing can be said.
        return {}
    values: Sequence[onnx.ValueInfoProto] = [*graph.input, *graph.value_info, *graph.output]
    return {value.name: shape for value in values if (shape := _static(value)) is not None}


def _info(value: ir.Value, shape: Sizes | None) -> onnx.ValueInfoProto:
    dtype = ir.DataType.FLOAT if value.dtype is None else value.dtype
    return onnx.helper.make_tensor_value_info(str(value.name), int(dtype), shape)


def _static(value: onnx.ValueInfoProto) -> Sizes | None:
    kind = value.type.tensor_type
    if not kind.HasField("shape") or not all(dim.HasField("dim_value") for dim in kind.shape.dim):
        return None
    return tuple(dim.dim_value for dim in kind.shape.dim)
