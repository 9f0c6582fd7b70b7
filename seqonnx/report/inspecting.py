"""`seqonnx.inspect`: a report on a file, a ModelProto or a model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import onnx

from seqonnx.report.collect import collect, collect_proto
from seqonnx.report.inspection import Inspection


@runtime_checkable
class HasONNX(Protocol):
    """A model that can be had as a ModelProto, as `seqonnx.Model` can."""

    def to_onnx(self) -> onnx.ModelProto:
        """Return the ModelProto."""
        ...


def inspect(
    model: str | os.PathLike[str] | onnx.ModelProto | HasONNX,
    shapes: Mapping[str, Sequence[int]] | None = None,
    *,
    by_node: bool = False,
) -> Inspection:
    """Describe an ONNX model without running it: shapes, parameters, MACs and memory.

    Nothing is executed and no weights are read, so files may be of any size, producer and operator
    set; of external data only the size is looked at. How parameters and MACs are counted stands in
    the page on the command.

    Args:
        model: path of an ONNX file; or a ModelProto, whose external data lie in the working
            directory; or a model of seqonnx.
        shapes: shapes of inputs by their names, at which `macs_at` and the activation memory are
            taken; dynamic dimensions that are not given are taken as 1.
        by_node: one row per node even where the layers are known.

    Returns:
        The records, with `to_dict`, `to_dataframe` and `to_markdown`.

    Raises:
        ModelFileError: if the file is absent, damaged or no ONNX model.
        TypeError: if `model` is none of these.
        ValueError: if `shapes` does not fit the inputs.

    Example:
        >>> report = keras.inspect("mnist.onnx", {"input": (32, 28, 28, 1)})
        >>> report.totals.params, report.totals.macs_at
        (34826, 173867008)
    """
    if isinstance(model, str | os.PathLike):
        return collect(os.fspath(model), shapes, by_node=by_node)
    if isinstance(model, onnx.ModelProto):
        return collect_proto(model, model.graph.name or "the model", shapes, by_node=by_node)
    if not isinstance(model, HasONNX):
        raise TypeError(
            "inspect: `model` must be the path of an ONNX file, a ModelProto or a model of seqonnx."
            f" Received: {model!r} (of type {type(model).__name__})"
        )
    title = str(getattr(model, "name", type(model).__name__))
    return collect_proto(model.to_onnx(), title, shapes, by_node=by_node)
