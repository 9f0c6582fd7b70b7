"""Derivatives of any ONNX model, as an ONNX model."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
import onnx_ir as ir

from seqonnx.autodiff.opened import DeviceName, Named, Opened
from seqonnx.importers.onnx.importing import ModelLike


def gradients(
    model: ModelLike,
    output: str,
    wrt: str | Sequence[str],
    *,
    device: DeviceName = "cpu",
    keep_outputs: bool = False,
) -> onnx.ModelProto:
    """Return a model that computes gradients of another model.

    Args:
        model: path of an ONNX file, an `onnx.ModelProto`, or a seqonnx model.
        output: name of the tensor to differentiate. Where it has several elements, the gradient
            is that of their sum.
        wrt: names of the tensors to differentiate with respect to: inputs, initializers or inner
            tensors of a floating-point type. Each gradient is the total derivative, also along
            ways through other tensors of the list.
        device: `"cpu"` or `"cuda"`: where the model will run. Rules choose a formulation by it;
            the values are the same.
        keep_outputs: whether the outputs of the original come first: an energy and its forces are
            then one file, and what both need is computed once.

    Returns:
        A model with the inputs of the original and one output for each of `wrt`, called
        `grad/NAME`, of its shape and type; zeros where `output` does not depend on it.

    Raises:
        ValueError: if a name is not in the graph, stands twice, or is no float tensor.
        GradientError: if an operator on the way has no gradient rule.
        ModelFileError: if the file cannot be read.

    Example:
        >>> model = gradients("digits.onnx", "dense_1", ["input"])  # doctest: +SKIP
        >>> [o.name for o in model.graph.output]  # doctest: +SKIP
        ['grad/input']
    """
    opened = Opened(model, device)
    target, sources = opened.find([output], "output"), opened.find(wrt, "wrt")
    kept = {value: str(value.name) for value in opened.graph.outputs} if keep_outputs else {}
    return opened.finish(_sum_gradient(opened, target, sources), sources, "grad", kept)


def value_and_grad(
    model: ModelLike, output: str, wrt: str | Sequence[str], *, device: DeviceName = "cpu"
) -> onnx.ModelProto:
    """Return a model that computes a tensor of another model together with its gradients.

    Args:
        model: path of an ONNX file, an `onnx.ModelProto`, or a seqonnx model.
        output: name of the tensor to differentiate (see `gradients`); it need not be an output of
            the model.
        wrt: names of the tensors to differentiate with respect to (see `gradients`).
        device: `"cpu"` or `"cuda"` (see `gradients`).

    Returns:
        A model with the inputs of the original; its first output is the tensor, under its name,
        and then comes `grad/NAME` for each of `wrt`.

    Raises:
        ValueError: if a name is not in the graph, stands twice, or is no float tensor.
        GradientError: if an operator on the way has no gradient rule.
        ModelFileError: if the file cannot be read.

    Example:
        >>> model = value_and_grad("energy.onnx", "energy", "positions")  # doctest: +SKIP
        >>> [o.name for o in model.graph.output]  # doctest: +SKIP
        ['energy', 'grad/positions']
    """
    opened = Opened(model, device)
    target, sources = opened.find([output], "output"), opened.find(wrt, "wrt")
    return opened.finish(_sum_gradient(opened, target, sources), sources, "grad", target)


def vjp(
    model: ModelLike,
    outputs: str | Sequence[str],
    wrt: str | Sequence[str],
    *,
    device: DeviceName = "cpu",
) -> onnx.ModelProto:
    """Return a model that computes vector-Jacobian products of another model (reverse mode).

    With `J` the Jacobian of `outputs` with respect to `wrt` and `u` the cotangents, it computes
    `J^T u`, at the cost of a few forward passes however many elements there are.

    Args:
        model: path of an ONNX file, an `onnx.ModelProto`, or a seqonnx model.
        outputs: names of the tensors to differentiate, of a floating-point type; they need not be
            outputs of the model.
        wrt: names of the tensors to differentiate with respect to (see `gradients`).
        device: `"cpu"` or `"cuda"` (see `gradients`).

    Returns:
        A model with the inputs of the original and an input `cotangent/NAME` for each of
        `outputs`, of its shape and type; its outputs are `vjp/NAME` for each of `wrt`, of its
        shape and type, summed over `outputs`.

    Raises:
        ValueError: if a name is not in the graph, stands twice, or is no float tensor.
        GradientError: if an operator on the way has no gradient rule.
        ModelFileError: if the file cannot be read.

    Example:
        >>> model = vjp("digits.onnx", "dense_1", "input")  # doctest: +SKIP
        >>> [i.name for i in model.graph.input]  # doctest: +SKIP
        ['input', 'cotangent/dense_1']
        >>> [o.name for o in model.graph.output]  # doctest: +SKIP
        ['vjp/input']
    """
    opened = Opened(model, device)
    targets, sources = opened.find(outputs, "outputs"), opened.find(wrt, "wrt")
    cotangents = opened.inputs_like(targets, "cotangent")
    found = opened.backward(list(zip(targets, cotangents, strict=True)), sources)
    return opened.finish(found, sources, "vjp")


def jvp(
    model: ModelLike,
    outputs: str | Sequence[str],
    wrt: str | Sequence[str],
    *,
    device: DeviceName = "cpu",
) -> onnx.ModelProto:
    """Return a model that computes Jacobian-vector products of another model (forward mode).

    With `J` the Jacobian of `outputs` with respect to `wrt` and `v` the tangents, it computes
    `J v`: how `outputs` change when `wrt` moves along `v`. The product `u -> J^T u` is linear, so
    its own transpose is `J`: the rules of reverse mode, walked twice, give forward mode (Radul et
    al., "You Only Linearize Once", POPL 2023, go the opposite way). Nodes that only served the
    first walk are removed.

    Args:
        model: path of an ONNX file, an `onnx.ModelProto`, or a seqonnx model.
        outputs: names of the tensors to differentiate (see `vjp`).
        wrt: names of the tensors to differentiate with respect to (see `gradients`).
        device: `"cpu"` or `"cuda"` (see `gradients`).

    Returns:
        A model with the inputs of the original and an input `tangent/NAME` for each of `wrt`, of
        its shape and type; its outputs are `jvp/NAME` for each of `outputs`, of its shape and
        type, summed over `wrt`.

    Raises:
        ValueError: if a name is not in the graph, stands twice, or is no float tensor.
        GradientError: if an operator on the way, or in its gradient, has no gradient rule.
        ModelFileError: if the file cannot be read.

    Example:
        >>> model = jvp("digits.onnx", "dense_1", "input")  # doctest: +SKIP
        >>> [i.name for i in model.graph.input]  # doctest: +SKIP
        ['input', 'tangent/input']
        >>> [o.name for o in model.graph.output]  # doctest: +SKIP
        ['jvp/dense_1']
    """
    opened = Opened(model, device)
    targets, sources = opened.find(outputs, "outputs"), opened.find(wrt, "wrt")
    tangents = opened.inputs_like(sources, "tangent")
    # Any cotangent does: the product is linear in it. Zeros are always of the right shape.
    dummies = {opened.filled(value, 0.0): name for value, name in targets.items()}
    first = opened.backward(list(zip(targets, dummies, strict=True)), sources)
    found = opened.backward(_pairs(first, tangents), dummies)
    for dummy, value in zip(dummies, targets, strict=True):
        _read_shape_from(value, dummy)
    return opened.finish(found, targets, "jvp")


def hessian_vector_product(
    model: ModelLike, output: str, wrt: str | Sequence[str], *, device: DeviceName = "cpu"
) -> onnx.ModelProto:
    """Return a model that computes products of a Hessian of another model with vectors.

    With `H` the matrix of second derivatives of `output` with respect to all of `wrt` together,
    and `v` the tangents, it computes `H v` as the gradient of `<gradient, v>` (Pearlmutter, "Fast
    Exact Multiplication by the Hessian", Neural Computation 6, 1994): never the matrix itself.

    Args:
        model: path of an ONNX file, an `onnx.ModelProto`, or a seqonnx model.
        output: name of the tensor to differentiate. Where it has several elements, the Hessian
            is that of their sum.
        wrt: names of the tensors to differentiate with respect to (see `gradients`).
        device: `"cpu"` or `"cuda"` (see `gradients`).

    Returns:
        A model with the inputs of the original and an input `tangent/NAME` for each of `wrt`, of
        its shape and type; its outputs are `hvp/NAME` for each of `wrt`, of its shape and type.

    Raises:
        ValueError: if a name is not in the graph, stands twice, or is no float tensor.
        GradientError: if an operator on the way, or in its gradient, has no gradient rule.
        ModelFileError: if the file cannot be read.

    Example:
        >>> model = hessian_vector_product("digits.onnx", "loss", "kernel")  # doctest: +SKIP
        >>> [i.name for i in model.graph.input]  # doctest: +SKIP
        ['input', 'tangent/kernel']
        >>> [o.name for o in model.graph.output]  # doctest: +SKIP
        ['hvp/kernel']
    """
    opened = Opened(model, device)
    target, sources = opened.find([output], "output"), opened.find(wrt, "wrt")
    tangents = opened.inputs_like(sources, "tangent")
    first = _sum_gradient(opened, target, sources)
    return opened.finish(opened.backward(_pairs(first, tangents), sources), sources, "hvp")


def _sum_gradient(opened: Opened, target: Named, sources: Named) -> list[ir.Value | None]:
    """Gradients of the sum of a tensor."""
    return opened.backward([(value, opened.filled(value, 1.0)) for value in target], sources)


def _pairs(
    values: Sequence[ir.Value | None], cotangents: Sequence[ir.Value]
) -> list[tuple[ir.Value, ir.Value]]:
    """Pair what there is with its cotangent."""
    pairs = zip(values, cotangents, strict=True)
    return [(value, cotangent) for value, cotangent in pairs if value is not None]


def _read_shape_from(value: ir.Value, dummy: ir.Value) -> None:
    """Take the shape of a dummy from the value that it has the shape of; nothing else is left."""
    for node, index in list(dummy.uses()):
        if node.op_type == "Shape" and node.domain == "":
            node.replace_input_with(index, value)
