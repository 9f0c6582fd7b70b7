"""Builds a workload's network as a plain ONNX file by hand, for the peers that train such files.

Channels first, a static batch, operator set 17. The labels come as one row of zeros and a one per
sample, so that every peer can differentiate the loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import bench_specs as specs
import numpy as np
import onnx
from bench_torch import channels_first
from bench_workloads import Workload
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR = 8


class Graph:
    """Collects nodes and initializers."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.trained: list[str] = []

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], output, **attributes))
        return output

    def array(self, value: specs.Array, *, trained: bool = False) -> str:
        """Add an initializer; returns its name."""
        name = f"{'weight' if trained else 'constant'}_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(value, order="C"), name))
        if trained:
            self.trained.append(name)
        return name


def forward(
    workload: Workload, *, dropout: bool, with_loss: bool
) -> tuple[onnx.ModelProto, list[str]]:
    """The model in training mode, and the names of the weights that are trained.

    Args:
        workload: what to build; frozen layers and LSTM are not there.
        dropout: whether to emit `Dropout`; without it the layer is left out.
        with_loss: end in the mean cross-entropy `loss` for the input `y`, not in `logits`.

    Raises:
        NotImplementedError: for what is not there.
    """
    if len(workload.base) > 0 or workload.vocabulary > 0:
        raise NotImplementedError("frozen layers and recurrent layers are not built for this peer")
    graph = Graph()
    batch, channels = workload.batch, workload.given[-1]
    shape = (channels, *workload.given[:-1])
    weights = iter(workload.weights())
    last = _stack(graph, workload.head, "x", workload.given, weights, dropout)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (batch, *shape))]
    wanted = (batch, workload.classes)
    if with_loss:
        inputs.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, wanted))
        logarithms = graph.node("Log", graph.node("Softmax", last, axis=-1))
        total = graph.node("ReduceSum", graph.node("Mul", "y", logarithms), keepdims=0)
        share = graph.array(np.array(-1 / batch, np.float32))
        graph.nodes.append(helper.make_node("Mul", [total, share], ["loss"]))
        output = helper.make_tensor_value_info("loss", TensorProto.FLOAT, ())
    else:
        graph.nodes.append(helper.make_node("Identity", [last], ["logits"]))
        output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, wanted)
    made = helper.make_graph(graph.nodes, "network", inputs, [output], graph.initializers)
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(made, opset_imports=opsets, ir_version=IR), graph.trained


def images_first(samples: specs.Array) -> specs.Array:
    """Samples with the channels first, where they have some."""
    return np.ascontiguousarray(samples.transpose(0, 3, 1, 2)) if samples.ndim == 4 else samples


def _stack(
    graph: Graph,
    stack: Iterable[specs.Spec],
    x: str,
    given: specs.Shape,
    weights: Iterator[specs.Weights],
    dropout: bool,
) -> str:
    """Emit layers in turn."""
    flattened: specs.Shape | None = None
    for spec in stack:
        if isinstance(spec, specs.Residual):
            main = _stack(graph, spec.main, x, given, weights, dropout)
            x = graph.node("Add", main, _stack(graph, spec.shortcut, x, given, weights, dropout))
        elif isinstance(spec, specs.Dense):
            arrays = dict(next(weights))
            if flattened is not None and len(flattened) == 3:
                arrays["kernel"] = channels_first(arrays["kernel"], flattened)
            kernel, bias = (graph.array(array, trained=True) for array in arrays.values())
            x = graph.node("Gemm", x, kernel, bias)
            flattened = None
        else:
            flattened = given if isinstance(spec, specs.Flatten) else flattened
            x = _layer(graph, spec, x, given, weights, dropout)
        given = spec.shape(given)
    return x


def _layer(
    graph: Graph,
    spec: specs.Spec,
    x: str,
    given: specs.Shape,
    weights: Iterator[specs.Weights],
    dropout: bool,
) -> str:
    """Emit a layer that does not depend on those before."""
    match spec:
        case specs.Conv():
            return _conv(graph, x, next(weights), _window(spec, given))
        case specs.SeparableConv():
            return _separable(graph, spec, x, given, next(weights))
        case specs.BatchNorm():
            return _batch_norm(graph, spec, x, next(weights))
        case specs.MaxPool():
            return graph.node("MaxPool", x, **_window(spec, given))
        case specs.Relu():
            return graph.node("Relu", x)
        case specs.Dropout(rate):
            return _dropout(graph, x, rate) if dropout else x
        case specs.Flatten():
            shape = np.array([0, -1], np.int64)
            return graph.node("Reshape", x, graph.array(shape))
        case specs.GlobalAveragePool():
            return graph.node("ReduceMean", x, axes=[2, 3], keepdims=0)
        case _:
            raise NotImplementedError(f"{type(spec).__name__} is not built for this peer")


def _window(spec: Any, given: specs.Shape) -> dict[str, Any]:
    """Attributes of a convolution or pooling."""
    pads = [specs.padding_of(side, spec.size, spec.strides, spec.padding) for side in given[:-1]]
    before, after = zip(*pads, strict=True)
    strides = [spec.strides] * 2
    return {"kernel_shape": [spec.size] * 2, "strides": strides, "pads": [*before, *after]}


def _conv(graph: Graph, x: str, weights: specs.Weights, window: dict[str, Any]) -> str:
    kernel = graph.array(weights["kernel"].transpose(3, 2, 0, 1), trained=True)
    bias = [graph.array(weights["bias"], trained=True)] if "bias" in weights else []
    return graph.node("Conv", x, kernel, *bias, **window)


def _separable(
    graph: Graph, spec: specs.SeparableConv, x: str, given: specs.Shape, weights: specs.Weights
) -> str:
    deep = graph.array(weights["depthwise"].transpose(2, 3, 0, 1), trained=True)
    point = graph.array(weights["pointwise"].transpose(3, 2, 0, 1), trained=True)
    window = {"kernel_shape": [spec.size] * 2, "pads": [spec.size // 2] * 4}
    x = graph.node("Conv", x, deep, group=given[-1], **window)
    return graph.node("Conv", x, point, kernel_shape=[1, 1])


def _batch_norm(graph: Graph, spec: specs.BatchNorm, x: str, weights: specs.Weights) -> str:
    """Normalization by the batch, spelled out: no peer differentiates the operator's training."""
    axes = [0, 2, 3]
    centred = graph.node("Sub", x, graph.node("ReduceMean", x, axes=axes))
    squares = graph.node("Mul", centred, centred)
    variance = graph.node("ReduceMean", squares, axes=axes)
    epsilon = graph.array(np.array(spec.epsilon, np.float32))
    deviation = graph.node("Sqrt", graph.node("Add", variance, epsilon))
    scale, shift = (
        graph.array(weights[name].reshape(-1, 1, 1), trained=True) for name in ("gamma", "beta")
    )
    normal = graph.node("Div", centred, deviation)
    return graph.node("Add", graph.node("Mul", normal, scale), shift)


def _dropout(graph: Graph, x: str, rate: float) -> str:
    ratio = graph.array(np.array(rate, np.float32))
    return graph.node("Dropout", x, ratio, graph.array(np.array(True)))
