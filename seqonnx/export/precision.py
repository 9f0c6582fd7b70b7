"""Precision of a file: weights, or weights and computation, in 16 bits."""

from __future__ import annotations

from typing import Final

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common_passes

from seqonnx.export.forms import FORMS
from seqonnx.export.half import convert_computation
from seqonnx.export.options import ExportOptions

_LEAST: Final = 64
"""Number of elements from which a weight is stored in fewer bits: a Cast has a size, too."""


def change_precision(model: onnx.ModelProto, options: ExportOptions) -> onnx.ModelProto:
    """Return the model in `options.dtype`.

    Args:
        model: a model of float32; what is of other dtypes stays.
        options: `dtype` and `keep_io`.
    """
    dtype, computed = FORMS[str(options.dtype)]
    opened = ir.from_proto(model)
    if computed:
        common_passes.ShapeInferencePass()(opened)
        convert_computation(opened.graph, dtype, keep_io=options.keep_io)
    else:
        _store_weights(opened.graph, dtype)
    return ir.to_proto(opened)


def _store_weights(graph: ir.Graph, dtype: ir.DataType) -> None:
    """Store the weights of a graph in a dtype, each with a Cast to float32 after it."""
    casts = []
    for value in list(graph.initializers.values()):
        tensor = value.const_value
        if tensor is None or tensor.dtype != ir.DataType.FLOAT or tensor.size < _LEAST:
            continue
        if value.is_graph_output() or isinstance(tensor, ir.ExternalTensor):
            continue
        name = str(value.name)
        graph.initializers.pop(name)
        value.name = f"{name}.{dtype.numpy().name}"
        value.const_value = ir.Tensor(
            tensor.numpy().astype(dtype.numpy()), dtype=dtype, name=value.name
        )
        value.dtype = dtype
        graph.initializers[value.name] = value
        uses = list(value.uses())
        cast = ir.node("Cast", [value], {"to": ir.DataType.FLOAT}, name=f"{name}/Cast")
        cast.outputs[0].name = name
        cast.outputs[0].dtype, cast.outputs[0].shape = ir.DataType.FLOAT, value.shape
        for node, index in uses:
            node.replace_input_with(index, cast.outputs[0])
        casts.append(cast)
    if len(casts) > 0:
        first = next(iter(graph), None)
        if first is None:
            graph.extend(casts)
        else:
            graph.insert_before(first, casts)
