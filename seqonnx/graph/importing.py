"""The door for foreign models: any operator set in, the pinned one inside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common_passes
from onnxscript import version_converter

from seqonnx.errors import ModelFileError
from seqonnx.graph.files import read_model
from seqonnx.graph.versions import OPSET


class HasOnnx(Protocol):
    """Anything that can give itself as an ONNX model, such as a seqonnx model."""

    def to_onnx(self) -> onnx.ModelProto:
        """Return the model."""


ModelLike = str | os.PathLike[str] | onnx.ModelProto | HasOnnx


def import_graph(model: ModelLike) -> ir.Graph:
    """Return a model's graph in the pinned operator set, functions expanded, shapes inferred.

    Args:
        model: path of a file, a message, or an object with `to_onnx()`.

    Returns:
        A graph of its own; the argument is not changed.

    Raises:
        ModelFileError: if the file cannot be read, or its operator set cannot be converted.
    """
    if isinstance(model, str | os.PathLike):
        name, proto = str(model), read_model(Path(model))
    elif isinstance(model, onnx.ModelProto):
        name, proto = "the model", model
    else:
        name, proto = "the model", model.to_onnx()
    inner = ir.from_proto(proto)
    inner = common_passes.RemoveInitializersFromInputsPass()(inner).model
    inner = common_passes.InlinePass()(inner).model
    if inner.opset_imports.get("", OPSET) != OPSET:
        try:
            version_converter.convert_version(inner, OPSET)
        except Exception as error:
            raise ModelFileError(
                f"{name} uses operator set {inner.opset_imports['']}, which cannot be converted "
                f"to {OPSET}: {error}"
            ) from error
    # Without data propagation: onnx 1.23 takes slice bounds that it does not know for 0.
    inferred = onnx.shape_inference.infer_shapes(ir.to_proto(inner))
    return ir.from_proto(inferred).graph
