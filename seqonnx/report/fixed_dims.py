"""Write a model again with sizes in place of dynamic dimensions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnx

from seqonnx.graph.damage import reading
from seqonnx.graph.external import mapped_arrays
from seqonnx.graph.files import EXTERNAL_FROM, read_model, write_model
from seqonnx.report.dimensions import evaluate, shapes_in
from seqonnx.report.read import graphs_of
from seqonnx.report.records import ModelReport
from seqonnx.report.shapes import infer, prepare
from seqonnx.report.tensors import describe_type


def write_fixed(report: ModelReport, shapes: Mapping[str, Sequence[int]], target: Path) -> None:
    """Write a model whose inputs have fixed shapes; data beside it stay beside it.

    Args:
        report: returned by `collect` for the same shapes.
        shapes: the shape of each input that is to be fixed. A named dimension is fixed wherever
            its name, or an expression of it, stands.
        target: the file to write.

    Raises:
        ModelFileError: if the model or its data cannot be read.
        OSError: if the file cannot be written.
    """
    path = Path(report.file)
    model = read_model(path, mapped=True)
    arrays = mapped_arrays(model, path)
    with reading(path):
        _fix(model, _named_sizes(report, shapes), shapes)
        _fix_outputs(model)
    apart = report.external_bytes > 0
    write_model(model, target, external_from=0 if apart else EXTERNAL_FROM, arrays=arrays)


def _named_sizes(report: ModelReport, shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Return the size of each named dimension of the inputs that are given."""
    return {
        dim: size
        for tensor in report.inputs
        for dim, size in zip(tensor.shape or (), shapes.get(tensor.name, ()), strict=False)
        if isinstance(dim, str)
    }


def _fix(
    model: onnx.ModelProto, sizes: Mapping[str, int], shapes: Mapping[str, Sequence[int]]
) -> None:
    """Write sizes in the inputs, and wherever a dimension is one by its name."""
    for value in model.graph.input:
        if value.name in shapes:
            shape = value.type.tensor_type.shape
            del shape.dim[:]
            for size in shapes[value.name]:
                shape.dim.add(dim_value=size)
    for dim in _dims(model):
        found = evaluate(dim.dim_param, sizes) if dim.dim_param else None
        if found is not None:
            dim.dim_value = found


def _fix_outputs(model: onnx.ModelProto) -> None:
    """Write in the outputs what follows from the inputs."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    prepare(copy)
    found = {value.name: describe_type(value.type)[1] for value in infer(copy)[0].graph.output}
    for value in model.graph.output:
        dims = value.type.tensor_type.shape.dim
        for dim, size in zip(dims, found.get(value.name) or (), strict=False):
            if isinstance(size, int):
                dim.dim_value = size


def _dims(model: onnx.ModelProto) -> Iterator[onnx.TensorShapeProto.Dimension]:
    """Yield the dimensions of all values that a model describes."""
    for graph in graphs_of(model):
        for value in (*graph.input, *graph.output, *graph.value_info):
            for shape in shapes_in(value.type):
                yield from shape.dim
