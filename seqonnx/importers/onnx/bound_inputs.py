"""Inputs of a model that get one value for good: a sampling rate, a mask, a state to begin with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
import onnx_ir.passes.common as common_passes
from onnxscript import optimizer

from seqonnx.graph import dtype_name
from seqonnx.graph.versions import IR_VERSION


def bind_inputs(graph: ir.Graph, inputs: Mapping[str, npt.ArrayLike], name: str) -> None:
    """Make constants of inputs, in place.

    Args:
        graph: the graph.
        inputs: the value of each input, by its name; it is cast to the dtype of the file.
        name: what errors call the model.

    Raises:
        ValueError: if there is no such input, or a value does not fit its shape or dtype.
    """
    known = {str(value.name): value for value in graph.inputs}
    for key, given in inputs.items():
        value = known.get(key)
        if value is None:
            raise ValueError(
                f"`inputs` binds {key!r}, which is no input of {name}. Its inputs are "
                f"{list(known)}."
            )
        tensor = ir.Tensor(_fitting(value, given, name), name=key)
        graph.inputs.remove(value)
        value.const_value, value.shape = tensor, ir.Shape(tensor.shape)
        graph.register_initializer(value)


def fold_bound(graph: ir.Graph) -> ir.Graph:
    """Return a graph with what follows from constants alone computed, such as the branch of an If.

    Args:
        graph: graph in the pinned operator set; it is used up.
    """
    model = ir.Model(graph, ir_version=IR_VERSION)
    optimizer.fold_constants(model, onnx_shape_inference=False)
    common_passes.RemoveUnusedNodesPass()(model)
    # Bodies that are gone still count as readers of what they read: a new graph has no memory.
    return ir.from_proto(ir.to_proto(model)).graph


def _fitting(value: ir.Value, given: npt.ArrayLike, name: str) -> npt.NDArray[np.generic]:
    """The array for an input, of its dtype."""
    dtype, found = dtype_name(value), np.asarray(given)
    array = found.astype(dtype)
    where = f"`inputs` binds '{value.name}' of {name}"
    if not np.array_equal(array.astype(found.dtype), found, equal_nan=found.dtype.kind == "f"):
        raise ValueError(f"{where} to {found.tolist()!r}, which {dtype} cannot hold.")
    sizes = None if value.shape is None else list(value.shape)
    fits = sizes is None or (
        len(sizes) == array.ndim
        and all(not isinstance(d, int) or d == n for d, n in zip(sizes, array.shape, strict=True))
    )
    if not fits:
        raise ValueError(f"{where} to an array of shape {array.shape}; its shape is {value.shape}.")
    return array
