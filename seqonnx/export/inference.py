"""The inference graph: what is deployed. One emission, then folding; nothing is converted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from seqonnx.graph import Emitter, Variable
from seqonnx.graph.apart import Arrays, to_proto_apart
from seqonnx.graph.serde import to_proto
from seqonnx.lowering.pipeline import INFERENCE, Options, lower
from seqonnx.symbolic import SymbolicTensor, declare_updates, emit_baked, emit_forward

CONFIG = "seqonnx.config"
LAYERS = "seqonnx.layers"


@dataclass(frozen=True)
class LayerInfo:
    """A layer as an exported file describes it, for people and for `seqonnx inspect`."""

    name: str
    class_name: str
    trainable: bool
    output_shape: Sequence[int | None] | None

    def record(self) -> dict[str, Any]:
        """Return it as plain values."""
        shape = None if self.output_shape is None else list(self.output_shape)
        return {
            "name": self.name,
            "class_name": self.class_name,
            "trainable": self.trainable,
            "output_shape": shape,
        }


@dataclass(frozen=True)
class Source:
    """A model as the exporter sees it.

    Args:
        name: name of the model and of the graph.
        inputs: input tensors.
        outputs: tensors to give, each under its name.
        layers: what to say about the layers.
        config: the model's configuration.
        weights: all weights, in the model's order.
        values: their values, of one moment, in the ONNX layout.
    """

    name: str
    inputs: Sequence[SymbolicTensor]
    outputs: Sequence[tuple[str, SymbolicTensor]]
    layers: Sequence[LayerInfo]
    config: Mapping[str, Any]
    weights: Sequence[Variable]
    values: Mapping[Variable, npt.NDArray[Any]]


@dataclass(frozen=True)
class Emitted:
    """An inference model, in the pinned operator set; it is not checked yet.

    Args:
        model: the ModelProto.
        named: the weight behind each initializer.
        arrays: large weights of a large model, which are not in the ModelProto, by name.
    """

    model: onnx.ModelProto
    named: Mapping[str, Variable]
    arrays: Arrays


def emit_inference(source: Source, *, folded: bool) -> tuple[onnx.ModelProto, dict[str, Variable]]:
    """Build the inference model, in the pinned operator set; it is not checked yet.

    Args:
        source: the model.
        folded: whether batch normalization is folded into the layer before it and constants are
            computed; without, every weight is an initializer of its own.

    Returns:
        The ModelProto, and the weight behind each initializer.
    """
    op, named, metadata = _emit(source, folded=folded)
    return to_proto(op.graph, metadata), named


def emit_apart(source: Source, *, folded: bool) -> Emitted:
    """Build the inference model as `emit_inference` does, for writing: large weights stay apart.

    Args:
        source: the model.
        folded: see `emit_inference`.
    """
    op, named, metadata = _emit(source, folded=folded)
    model, arrays = to_proto_apart(op.graph, metadata)
    return Emitted(model, named, arrays)


def _emit(source: Source, *, folded: bool) -> tuple[Emitter, dict[str, Variable], dict[str, str]]:
    """Emit the graph; returns its emitter, the weights by name, and the metadata of the file."""

    def emit(op: Emitter) -> list[ir.Value]:
        tensors = [tensor for _, tensor in source.outputs]
        return emit_forward(op, source.inputs, tensors, training=False)[1]

    op, values = emit_baked(emit, source.values)
    for (name, _), value in zip(source.outputs, values, strict=True):
        op.output(value, name)
    declare_updates(op)
    op.graph.name = source.name
    named = {str(value.name): variable for variable, value in op.variables.items()}
    metadata = {
        CONFIG: json.dumps(source.config, sort_keys=True, default=_plain),
        LAYERS: json.dumps([layer.record() for layer in source.layers]),
    }
    lower(op, INFERENCE, Options(folded=folded))
    return op, named, metadata


def _plain(value: Any) -> Any:
    """NumPy numbers and arrays as JSON holds them; whatever else there is as its text."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return repr(value)
