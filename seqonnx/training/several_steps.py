"""Several training steps in one run: the step graph as the body of a Scan.

A run of a small step is mostly the way into ONNX Runtime and back. A Scan hands the state from step
to step inside: 0.6 to 0.9 of the time per step, the smaller the network the less (measured on the
CPU provider).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import onnx

from seqonnx.graph import Variable
from seqonnx.training.step import StepGraph

_BODY = "steps"


def several_steps(graph: StepGraph, steps: int) -> StepGraph:
    """Return a graph that takes several steps in one run.

    Args:
        graph: graph of one step.
        steps: number of steps.

    Returns:
        A graph whose data, noise and scalars have the steps as their first axis. Its state is that
        of `graph`.

    Example:
        >>> ten = several_steps(graph, 10)  # doctest: +SKIP
        >>> ten.batch["input"]  # doctest: +SKIP
        (10, 32, 784)
    """
    model = onnx.load_model_from_string(graph.model)
    inputs = {value.name: value for value in model.graph.input}
    outputs = {value.name: value for value in model.graph.output}
    variables = [variable for variable in graph.reads if variable in graph.writes]
    before = [inputs[graph.reads[variable]] for variable in variables]
    after = [outputs[graph.writes[variable]] for variable in variables]
    elements = [inputs[name] for name in (*graph.batch, *graph.noise, *graph.scalars)]
    fixed = [value for name, value in inputs.items() if name in _only_read(graph)]

    body = onnx.GraphProto(name=_BODY, node=model.graph.node)
    inside, apart = _by_place(model.graph, graph)
    body.initializer.extend(inside)
    body.value_info.extend(model.graph.value_info)
    body.input.extend([*before, *elements])
    body.output.extend(after)

    scan = onnx.helper.make_node(
        "Scan",
        [_outside(value) for value in (*before, *elements)],
        [_outside(value) for value in after],
        name=_BODY,
        body=body,
        num_scan_inputs=len(elements),
    )
    whole = onnx.helper.make_graph(
        [scan],
        _BODY,
        [*(_renamed(v) for v in before), *(_renamed(v, steps) for v in elements), *fixed],
        [_renamed(value) for value in after],
        apart,
    )
    model.graph.CopyFrom(whole)
    return replace(
        graph,
        stored=replace(graph.stored, content=model.SerializeToString(deterministic=True)),
        batch={_outside(inputs[name]): (steps, *dims) for name, dims in graph.batch.items()},
        noise={_outside(inputs[name]): n.times(steps) for name, n in graph.noise.items()},
        scalars=tuple(_outside(inputs[name]) for name in graph.scalars),
        reads=_names(graph, variables, before),
        writes={v: _outside(value) for v, value in zip(variables, after, strict=True)},
        steps=steps,
    )


def _by_place(
    model: onnx.GraphProto, graph: StepGraph
) -> tuple[list[onnx.TensorProto], list[onnx.TensorProto]]:
    """Weights in the message, and those elsewhere: for these only the outermost graph is asked."""
    apart = [tensor for tensor in model.initializer if tensor.name in graph.stored.arrays]
    return [t for t in model.initializer if t.name not in graph.stored.arrays], apart


def _only_read(graph: StepGraph) -> set[str]:
    """Names of the inputs that hold variables which a step leaves as they are."""
    return {name for variable, name in graph.reads.items() if variable not in graph.writes}


def _names(
    graph: StepGraph, variables: Sequence[Variable], before: Sequence[onnx.ValueInfoProto]
) -> dict[Variable, str]:
    """Input name of each variable: inside a Scan the name of its state is taken."""
    return dict(graph.reads) | {
        variable: _outside(value) for variable, value in zip(variables, before, strict=True)
    }


def _outside(value: onnx.ValueInfoProto) -> str:
    """The name outside the body of one of its values."""
    return f"{_BODY}/{value.name}"


def _renamed(value: onnx.ValueInfoProto, steps: int | None = None) -> onnx.ValueInfoProto:
    """The value around the body that corresponds to one of it; with `steps`, a sequence of them."""
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    copy.name = _outside(value)
    if steps is not None:
        shape = copy.type.tensor_type.shape
        dims = list(value.type.tensor_type.shape.dim)
        del shape.dim[:]
        shape.dim.add().dim_value = steps
        shape.dim.extend(dims)
    return copy
