"""The inference graph: what is deployed. One emission, then folding; nothing is converted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from seqonnx.graph import Emitter, Variable
from seqonnx.graph.serde import to_proto
from seqonnx.passes.folding import fold
from seqonnx.symbolic import SymbolicTensor, emit_forward

CONFIG = "seqonnx.config"
LAYERS = "seqonnx.layers"
WEIGHTS = "seqonnx.weights"


@dataclass(frozen=True)
class LayerInfo:
    """What a file says about a layer, for people and for `seqonnx inspect`."""

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
    """

    name: str
    inputs: Sequence[SymbolicTensor]
    outputs: Sequence[tuple[str, SymbolicTensor]]
    layers: Sequence[LayerInfo]
    config: Mapping[str, Any]
    weights: Sequence[Variable]


def emit_inference(source: Source, *, folded: bool) -> tuple[onnx.ModelProto, dict[str, Variable]]:
    """Build the inference model.

    Args:
        source: the model.
        folded: whether batch normalization is folded into the layer before it and constants are
            computed; without, every weight is an initializer of its own.

    Returns:
        The message, and the weight behind each initializer.
    """
    op = Emitter()
    _, values = emit_forward(op, source.inputs, [t for _, t in source.outputs], training=False)
    for (name, _), value in zip(source.outputs, values, strict=True):
        op.output(value, name)
    op.graph.name = source.name
    named = {str(value.name): variable for variable, value in op.variables.items()}
    metadata = {
        CONFIG: json.dumps(source.config, sort_keys=True),
        LAYERS: json.dumps([layer.record() for layer in source.layers]),
    }
    if folded:
        fold(op.graph)
    else:
        metadata[WEIGHTS] = json.dumps([_name_of(named, weight) for weight in source.weights])
    model = to_proto(op.graph, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model, named


def _name_of(named: Mapping[str, Variable], weight: Variable) -> str | None:
    return next((name for name, variable in named.items() if variable is weight), None)
