"""Gradients of If, Scan and Loop: their bodies are computed again and walked backwards.

A body's values from outside count as inputs behind the node's own (`sources_of`), so each gets a
gradient. A Loop is walked backwards by a Scan over the states that a second run collects; its
states must keep their shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.engine import backward
from seqonnx.autodiff.idioms.loop_states import refuse_changing_states
from seqonnx.autodiff.idioms.sizes import fill_like
from seqonnx.autodiff.needed import given
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.sources import sources_of
from seqonnx.errors import GradientError
from seqonnx.graph import OPSET, Emitter, dtype_name, static_shape
from seqonnx.graph.floats import FLOATS
from seqonnx.graph.scan_body import qualify

_Wanted = list[tuple[int, ir.Value]]


def _body(node: ir.Node, name: str) -> ir.Graph:
    """A copy of a node's subgraph; values from outside are shared."""
    body = node.attributes[name].as_graph().clone(allow_outer_scope_values=True)
    body.opset_imports[""] = OPSET
    return body


def _body_that_keeps_states(node: ir.Node, first: int, count: int) -> ir.Graph:
    """A copy of the body of a Scan or Loop; `first` inputs are before its states."""
    body = _body(node, "body")
    refuse_changing_states(node, body, first, count)
    return body


def _captured(op: RuleEmitter, node: ir.Node) -> _Wanted:
    """Values from outside that want a gradient, with their places among the sources."""
    return [
        (i, value)
        for i, value in enumerate(sources_of(node))
        if i >= len(node.inputs) and value is not None and op.needs(i)
    ]


def _zeros(op: Emitter, like: ir.Value) -> ir.Value:
    """Zeros like a value."""
    fill = ir.tensor([0.0], dtype=like.dtype)
    made = op.ConstantOfShape(op.Shape(like), value=fill)
    made.shape = like.shape
    return made


@gradient("", "If")
def if_(op: RuleEmitter, node: ir.Node, *grads: ir.Value | None) -> Gradients:
    """The gradient of the branch that was taken."""
    wanted = _captured(op, node)
    branches = {}
    for name in ("then_branch", "else_branch"):
        prefix = op.emitter.unique_name(name)
        body = Emitter(_body(node, name))
        made = list(body.graph.outputs)
        targets = [
            (y, _as_branch_has_it(body, dy, y))
            for y, dy in zip(made, grads, strict=True)
            if dy is not None
        ]
        found = backward(body, targets, [value for _, value in wanted], device=op.device)
        body.graph.outputs.clear()
        for (_, value), grad in zip(wanted, found, strict=True):
            result = _zeros(body, value) if grad is None else body.Identity(grad)
            body.output(result, f"{prefix}/result")
        qualify(body.graph, prefix)
        branches[name] = body.graph
    made_grads = op.emitter.emit("If", [given(node, 0)], {**branches, "_outputs": len(wanted)})
    results: list[ir.Value | None] = [None] * len(sources_of(node))
    values = [made_grads] if isinstance(made_grads, ir.Value) else list(made_grads)
    for (i, like), value in zip(wanted, values, strict=True):
        results[i] = _typed(value, like)
    return results


def _as_branch_has_it(body: Emitter, dy: ir.Value, made: ir.Value) -> ir.Value:
    """A gradient from outside with the shape of this branch; the branches may differ in theirs."""
    return dy if made.shape is None or dy.shape == made.shape else body.Identity(dy)


def _typed(value: ir.Value, like: ir.Value) -> ir.Value:
    """Note what inference may not know of a subgraph's result."""
    value.type, value.shape = ir.TensorType(like.dtype or ir.DataType.FLOAT), like.shape
    return value


@gradient("", "Scan")
def scan(op: RuleEmitter, node: ir.Node, *grads: ir.Value | None) -> Gradients:
    """A Scan in the opposite direction."""
    attributes = node.attributes
    inputs = attributes.get_int("num_scan_inputs", 0)
    count = len(node.inputs) - inputs
    results = len(node.outputs) - count
    directions_in = list(attributes.get_ints("scan_input_directions", [0] * inputs))
    directions_out = list(attributes.get_ints("scan_output_directions", [0] * results))
    axes_in = list(attributes.get_ints("scan_input_axes", [0] * inputs))
    axes_out = list(attributes.get_ints("scan_output_axes", [0] * results))
    body = _body_that_keeps_states(node, 0, count)
    prefix = op.emitter.unique_name("states")
    for state in list(body.inputs)[:count]:
        _also_output(body, state, prefix)
    qualify(body, prefix)
    again = op.emitter.emit(
        "Scan",
        list(node.inputs),
        {
            "body": body,
            "num_scan_inputs": inputs,
            "scan_input_directions": directions_in,
            "scan_input_axes": axes_in,
            **_lists(
                scan_output_directions=directions_out + [0] * count,
                scan_output_axes=axes_out + [0] * count,
            ),
            "_outputs": len(node.outputs) + count,
        },
    )
    saved = list(again)[len(node.outputs) :] if count > 0 else []
    back = _Backwards(op, node, _body(node, "body"), count, list(grads))
    for value, stacked in zip(list(back.body.graph.inputs)[:count], saved, strict=True):
        back.element(value, stacked, 1, 0)
    xs = list(back.body.graph.inputs)[count : count + inputs]
    for value, x, turned, axis in zip(xs, node.inputs[count:], directions_in, axes_in, strict=True):
        back.element(value, x, 1 - turned, axis)
    return back.run(
        list(zip(directions_out, axes_out, strict=True)),
        xs,
        [(1 - turned, axis) for turned, axis in zip(directions_in, axes_in, strict=True)],
    )


def _lists(**attributes: list[int]) -> dict[str, list[int]]:
    """The attributes that have elements; the type of an empty list cannot be told."""
    return {name: numbers for name, numbers in attributes.items() if len(numbers) > 0}


def _also_output(body: ir.Graph, value: ir.Value, prefix: str) -> None:
    """Make a copy of a value an output too."""
    emitter = Emitter(body)
    emitter.output(emitter.Identity(value), f"{prefix}/saved")


@gradient("", "Loop")
def loop(op: RuleEmitter, node: ir.Node, *grads: ir.Value | None) -> Gradients:
    """A Scan from the last iteration to the first."""
    count = len(node.inputs) - 2
    for value in node.inputs[2:]:
        if value is not None and not isinstance(value.type, ir.TensorType | NoneType):
            raise GradientError(
                f"The gradient of Loop (node '{node.name}') needs states that are tensors. "
                f"Received: '{value.name}' of type {value.type}. Collect results as scan outputs "
                f"of the Loop instead of inserting them into a sequence."
            )
    body = _body_that_keeps_states(node, 2, count)
    prefix = op.emitter.unique_name("states")
    for value in [body.inputs[0], *list(body.inputs)[2:]]:
        _also_output(body, value, prefix)
    qualify(body, prefix)
    total = len(node.outputs) + count + 1
    again = op.emitter.emit("Loop", list(node.inputs), {"body": body, "_outputs": total})
    numbers, *saved = list(again)[len(node.outputs) :]
    back = _Backwards(op, node, _body(node, "body"), count, list(grads), first=2)
    step, going, *states = list(back.body.graph.inputs)[: 2 + count]
    back.fixed(going, np.array(True))
    back.element(step, numbers, 1, 0)
    for value, stacked in zip(states, saved, strict=True):
        back.element(value, stacked, 1, 0)
    return back.run([(0, 0)] * (len(node.outputs) - count), [], [])


class _Backwards:
    """The Scan that walks a node's iterations backwards, in the making.

    Args:
        op: the rule's emitter.
        node: the Scan or Loop.
        graph: a copy of its body, to which the gradient of one iteration is added.
        count: number of states.
        grads: gradients of the node's outputs.
        first: number of inputs of node and body before the states (2 for a Loop).
    """

    def __init__(
        self,
        op: RuleEmitter,
        node: ir.Node,
        graph: ir.Graph,
        count: int,
        grads: list[ir.Value | None],
        *,
        first: int = 0,
    ) -> None:
        self.body = Emitter(graph)
        self._op, self._node, self._grads = op, node, grads
        self._prefix = op.emitter.unique_name("gradients")
        self._first, self._count = first, count
        self._states = list(graph.inputs)[first : first + count]
        self._elements: list[tuple[ir.Value, ir.Value, int, int]] = []
        for value, given_one in zip(self._states, node.inputs[first:], strict=False):
            if given_one is not None and value.shape is None:
                value.shape = given_one.shape

    def fixed(self, value: ir.Value, array: np.ndarray[tuple[()], np.dtype[np.generic]]) -> None:
        """Make an input of the body a constant."""
        ir.convenience.replace_all_uses_with(value, self.body.constant(array))

    def element(self, value: ir.Value, stacked: ir.Value | None, direction: int, axis: int) -> None:
        """Say that a value of the body is an element of a sequence."""
        if stacked is None:
            return
        if value.shape is None and stacked.shape is not None:
            sizes = list(stacked.shape)
            del sizes[axis % len(sizes)]
            value.shape = ir.Shape(sizes)
        self._elements.append((value, stacked, direction, axis))

    def run(
        self,
        ends: Sequence[tuple[int, int]],
        xs: list[ir.Value],
        x_ends: list[tuple[int, int]],
    ) -> list[ir.Value | None]:
        """Add the gradient of an iteration, append the Scan; a gradient for each source.

        `ends` and `x_ends` are the direction and the axis of each result and each input.
        """
        body, first = self.body, self._first
        outputs = list(body.graph.outputs)[1 if first else 0 :]
        floats = [i for i, state in enumerate(self._states) if state.dtype in FLOATS]
        later = {i: self._input(self._states[i], "later") for i in floats}
        targets = [(outputs[i], later[i]) for i in floats]
        for j, (made, (turned, axis)) in enumerate(zip(outputs[self._count :], ends, strict=True)):
            dy = self._grads[self._count + j]
            if dy is not None:
                value = self._input(made, "dy")
                self.element(value, dy, 1 - turned, axis)
                targets.append((made, value))
        captured = _captured(self._op, self._node)
        totals = [self._input(value, "total") for _, value in captured]
        place = first + self._count
        wanted_xs = [j for j in range(len(xs)) if self._op.needs(place + j)]
        wrt = [self._states[i] for i in floats]
        wrt += [xs[j] for j in wanted_xs] + [value for _, value in captured]
        found = backward(body, targets, wrt, device=self._op.device)
        made_grads = [
            _zeros(body, like) if grad is None else grad
            for grad, like in zip(found, wrt, strict=True)
        ]
        split = len(floats) + len(wanted_xs)
        new = made_grads[: len(floats)]
        sums = [body.Add(a, b) for a, b in zip(totals, made_grads[split:], strict=True)]
        dxs = made_grads[len(floats) : split]
        initial = [self._initial(i) for i in floats]
        initial += [fill_like(self._op, value) for _, value in captured]
        states = [*(later[i] for i in floats), *totals]
        values = self._emit(states, initial, [*new, *sums], dxs, [x_ends[j] for j in wanted_xs])
        places = [first + i for i in floats] + [i for i, _ in captured]
        places += [place + j for j in wanted_xs]
        sources = sources_of(self._node)
        results: list[ir.Value | None] = [None] * len(sources)
        for i, value in zip(places, values, strict=True):
            results[i] = _typed(value, sources[i] or value)
        return results

    def _initial(self, i: int) -> ir.Value:
        """The gradient of the last value of a state."""
        grad = self._grads[i]
        return fill_like(self._op, given(self._node, self._first + i)) if grad is None else grad

    def _input(self, like: ir.Value, name: str) -> ir.Value:
        """A new input of the body of the type and shape of a value."""
        shape = [] if like.shape is None else static_shape(like)
        made = self.body.input(f"{self._prefix}/{name}", dtype_name(like), shape)
        made.shape = like.shape
        return made

    def _emit(
        self,
        states: list[ir.Value],
        initial: list[ir.Value],
        new: list[ir.Value],
        dxs: list[ir.Value],
        x_ends: list[tuple[int, int]],
    ) -> list[ir.Value]:
        """Put inputs and outputs in order and append the Scan."""
        graph, elements = self.body.graph, self._elements
        graph.inputs.clear()
        graph.inputs.extend([*states, *(value for value, _, _, _ in elements)])
        graph.outputs.clear()
        for value in [*new, *dxs]:
            self.body.output(self.body.Identity(value), f"{self._prefix}/result")
        qualify(graph, self._prefix)
        made = self._op.emitter.emit(
            "Scan",
            [*initial, *(stacked for _, stacked, _, _ in elements)],
            {
                "body": graph,
                "num_scan_inputs": len(elements),
                **_lists(
                    scan_input_directions=[direction for _, _, direction, _ in elements],
                    scan_input_axes=[axis for _, _, _, axis in elements],
                    scan_output_directions=[direction for direction, _ in x_ends],
                    scan_output_axes=[axis for _, axis in x_ends],
                ),
                "_outputs": len(new) + len(dxs),
            },
        )
        return [made] if isinstance(made, ir.Value) else list(made)
