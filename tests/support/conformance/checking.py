"""One case, from the standard's model to a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto

from seqonnx.autodiff.registry import why_nondifferentiable
from seqonnx.autodiff.sources import sources_of
from seqonnx.errors import GradientError
from seqonnx.importers.onnx.importing import import_graph
from support.conformance.derivatives import DOUBLE, SINGLE, Function, Precision, smooth_point
from support.conformance.promotion import FLOATS, dtype_of, promote
from support.conformance.standard_cases import NotApplicable, StandardCase, relabelled

FINE, COARSE = 1e-3, 3e-2  # how near outputs come to those in the case's own, shorter floats
SETTINGS = {
    "CastLike": (1,),
    "Dropout": (1,),
    "NegativeLogLikelihoodLoss": (2,),
    "OneHot": (0, 1),
    "Resize": (1, 2),
    "SoftmaxCrossEntropyLoss": (2,),
}
"""Float inputs that are settings: a type, a ratio, class weights, indices, a region, scales."""

State = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True)
class Verdict:
    """The verdict on a case.

    Args:
        name: the case.
        state: what became of it.
        why: reason why it does not apply, or what is wrong.
        single: whether it was run in float32.
        baked: whether it was run with what is not differentiated as constants.
    """

    name: str
    state: State
    why: str = ""
    single: bool = False
    baked: bool = False


def check(case: StandardCase) -> Verdict:
    """Differentiate a case and compare with differences.

    A rule may need numbers that a case feeds (scales, axes, sizes) as constants; then the case is
    run again with all that is not differentiated baked in.
    """
    try:
        function, how = prepare(case)
    except NotApplicable as reason:
        return Verdict(case.name, "not applicable", str(reason))
    except Exception as error:
        return Verdict(case.name, "failed", f"{type(error).__name__}: {error}")
    single, baked = how is SINGLE, False
    try:
        try:
            why = differs(function, case) or compare(function, how)
        except (GradientError, ValueError):
            baked = True
            why = compare(*prepare(case, baked=True))
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    return Verdict(case.name, "failed" if why else "passed", why, single, baked)


def differs(function: Function, case: StandardCase) -> str:
    """Say which outputs are not what the standard says; nothing if all are."""
    said = dict(zip([v.name for v in case.model.graph.output], case.outputs, strict=True))
    types = {value.name: dtype_of(value.type) for value in case.model.graph.output}
    wrong = []
    for name, made in zip(function.targets, function(function.feeds), strict=True):
        wanted = np.asarray(_array(said[name], TensorProto.DOUBLE))
        short = types[name] in (TensorProto.FLOAT16, TensorProto.BFLOAT16)
        near = COARSE if short else FINE
        if made.shape != wanted.shape or not np.allclose(made, wanted, near, near, equal_nan=True):
            wrong.append(f"{name}: not what the standard says")
    return "; ".join(wrong)


def compare(function: Function, how: Precision) -> str:
    """Say what is wrong with the gradient; nothing if all is well."""
    feeds, weights, derivatives = smooth_point(function, how)
    gradients = function.gradients(feeds, weights)
    wrong = []
    for derivative, gradient in zip(derivatives, gradients, strict=True):
        if gradient.shape != feeds[derivative.name].shape:
            wrong.append(f"{derivative.name}: shape {gradient.shape}")
        elif gradient.dtype != feeds[derivative.name].dtype:
            wrong.append(f"{derivative.name}: type {gradient.dtype}")
        elif (error := derivative.error(gradient)) > how.tolerance:
            wrong.append(f"{derivative.name}: relative error {error:.1e}")
    return "; ".join(wrong)


def prepare(case: StandardCase, *, baked: bool = False) -> tuple[Function, Precision]:
    """The case as a function in the pinned operator set, in float64 where that can be.

    Args:
        case: the case.
        baked: whether inputs that are not differentiated become constants.

    Raises:
        NotApplicable: if there is nothing to differentiate.
    """
    _refuse_without_floats(case.model.graph)
    model, types = promote(relabelled(case.model))
    names = [value.name for value in model.graph.input]
    feeds = {
        name: _array(array, types.get(name, 0))
        for name, array in zip(names, case.inputs, strict=True)
    }
    graph = import_graph(model)
    tensors = [v.name for v in model.graph.input if v.type.HasField("tensor_type")]
    moving, targets = path_ends(graph, [name for name in tensors if types[name] in FLOATS])
    if baked:
        graph = import_graph(bake(model, feeds, moving))
        feeds = {name: feeds[name] for name in moving}
    ends = {types[name] for name in [*moving, *targets]}
    how = DOUBLE if ends == {TensorProto.DOUBLE} else SINGLE
    return Function(graph, feeds, moving, targets, case.name), how


def bake(model: onnx.ModelProto, feeds: dict[str, Any], moving: list[str]) -> onnx.ModelProto:
    """The model with constants in the place of all inputs but the moving ones."""
    kept = [value for value in model.graph.input if value.name in moving]
    for value in model.graph.input:
        if value.name not in moving:
            tensor = onnx.numpy_helper.from_array(np.asarray(feeds[value.name]), value.name)
            model.graph.initializer.append(tensor)
    del model.graph.input[:]
    model.graph.input.extend(kept)
    model.ir_version = max(model.ir_version, 4)
    return model


def _refuse_without_floats(graph: onnx.GraphProto) -> None:
    for values, what in ((graph.input, "input"), (graph.output, "output")):
        kinds = [value.type for value in values if dtype_of(value.type) in FLOATS]
        if len(kinds) == 0:
            raise NotApplicable(f"no floating-point {what}")
        if not any(kind.HasField("tensor_type") for kind in kinds):
            raise NotApplicable(f"only sequences or optionals of tensors as {what}")


def _array(array: Any, kind: int) -> Any:
    """A case's input as the evaluator takes it, floats in the type of the run."""
    if isinstance(array, list):
        return [_array(element, kind) for element in array]
    if isinstance(array, onnx.TensorProto):
        array = onnx.numpy_helper.to_array(array)
    if kind in FLOATS and array is not None:
        return np.asarray(array).astype(onnx.helper.tensor_dtype_to_np_dtype(kind))
    return array


def path_ends(graph: ir.Graph, floats: list[str]) -> tuple[list[str], list[str]]:
    """Inputs and outputs with a way of differentiable operators between them.

    Raises:
        NotApplicable: if there is none; names the operators that end every way.
    """
    inputs = [value for value in graph.inputs if value.name in floats]
    reach, ends = _forward(graph, set(inputs))
    outputs = [v for v in graph.outputs if v in reach and _is_float_tensor(v)]
    if len(outputs) == 0:
        what = ", ".join(sorted(ends)) or "no way from a float input to a float output"
        raise NotApplicable(f"no gradient by nature: {what}")
    wanted = _backward(graph, set(outputs), reach)
    moving = [str(value.name) for value in inputs if value in wanted]
    if len(moving) == 0:
        raise NotApplicable("the only float inputs are settings")
    return moving, [str(value.name) for value in outputs]


def _is_float_tensor(value: ir.Value) -> bool:
    return isinstance(value.type, ir.TensorType) and int(value.dtype or 0) in FLOATS


def _slots(node: ir.Node) -> list[ir.Value]:
    """The inputs that a node reads differentiably.

    The standard marks some inputs as not differentiable that are (the grid of GridSample, the input
    of DFT); here only those count that say how, not what, to compute.
    """
    settings = SETTINGS.get(node.op_type, ())
    sources = enumerate(sources_of(node))
    return [value for i, value in sources if value is not None and i not in settings]


def _forward(graph: ir.Graph, start: set[ir.Value]) -> tuple[set[ir.Value], set[str]]:
    """Values that depend differentiably on others, and operators that end a dependence."""
    reach, ends = set(start), set()
    for node in graph:
        if any(value in reach for value in sources_of(node) if value is not None):
            if why_nondifferentiable(node.domain, node.op_type) is not None:
                ends.add(node.op_type)
            elif any(value in reach for value in _slots(node)):
                reach.update(node.outputs)
    return reach, ends


def _backward(graph: ir.Graph, ends: set[ir.Value], reach: set[ir.Value]) -> set[ir.Value]:
    """Of the values in reach, those that the ends depend on."""
    wanted = set(ends)
    for node in reversed(list(graph)):
        ends_here = why_nondifferentiable(node.domain, node.op_type) is not None
        if not ends_here and any(value in wanted for value in node.outputs):
            wanted.update(value for value in _slots(node) if value in reach)
    return wanted
