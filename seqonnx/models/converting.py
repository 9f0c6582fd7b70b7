"""Files of models converted: of Keras to ONNX, of ONNX to other versions, precision and batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx
import onnx_ir as ir

from seqonnx.errors import ExecutionError, ModelFileError
from seqonnx.export.checkpoint import WEIGHTS
from seqonnx.export.comparison import Difference, difference
from seqonnx.export.options import DEFAULT_OPSET, ExportOptions
from seqonnx.export.stages import through_stages, write_staged
from seqonnx.export.versions import opset_of
from seqonnx.graph import OPSET
from seqonnx.graph.damage import reading
from seqonnx.graph.external import stored_bytes
from seqonnx.graph.files import EXTERNAL_FROM, read_model
from seqonnx.graph.writing import target_of
from seqonnx.importers.onnx.free_batch import fixed_batch, free_batch
from seqonnx.importers.onnx.importing import convert, open_model
from seqonnx.importers.onnx.ranks import infer_shapes
from seqonnx.models.loading import load_model
from seqonnx.models.saving import inference_model
from seqonnx.runtime import Session, TensorSpec, select_device
from seqonnx.runtime.trials import made_up_inputs

OF_KERAS = (".keras", ".h5", ".hdf5")
Arrays = Mapping[str, npt.NDArray[Any]]
Say = Callable[[str], object]


@dataclass(frozen=True)
class Conversion:
    """A file that was converted.

    Args:
        target: the file that was written.
        opset: its operator set.
        ir_version: the version of its file format.
        apart: how far its outputs are from those of the source; None if they were not compared.
        reason: why they were not; empty if they were.
    """

    target: Path
    opset: int
    ir_version: int
    apart: Difference | None
    reason: str


def convert_file(
    source: Path,
    target: Path,
    options: ExportOptions,
    *,
    batch: int | str | None = None,
    inputs: Arrays | None = None,
    say: Say = lambda step: None,
) -> Conversion:
    """Convert a file, and run the result against the source.

    Args:
        source: an `.onnx` file of any program; a `.keras` or whole-model `.h5` file.
        target: the `.onnx` file to write.
        options: how it is to be written.
        batch: samples that the result takes; `"free"` for any number; None leaves it.
        inputs: what to compare on, by the names of the inputs; made up where it is not given.
        say: told what is done next.

    Raises:
        ModelFileError: if the source cannot be read.
        ValueError: if it holds a layer or an operator that cannot be converted.
    """
    if target.suffix != ".onnx":
        raise ValueError(f"The result must be an `.onnx` file. Received: {target}")
    target_of(target)
    say("read")
    if source.suffix in OF_KERAS:
        original = model = inference_model(load_model(source, compile=False))
    else:
        original = read_model(source)
        model = _in_a_known_set(original, str(source), options)
    if batch is not None:
        say("batch")
        model = with_batch(model, batch, str(source))
    model = through_stages(model, options, say)
    say("compare")
    apart, reason = _compared(original, model, inputs or options.calibration_data)
    say("write")
    opset, ir_version = opset_of(model), model.ir_version
    write_staged(model, options, target)
    return Conversion(target, opset, ir_version, apart, reason)


def with_batch(model: onnx.ModelProto, batch: int | str, title: str) -> onnx.ModelProto:
    """Return a model that takes a batch of a fixed size, or of any.

    Args:
        model: model with its batch first in every input.
        batch: number of samples; `"free"` for any.
        title: what errors call the model.

    Raises:
        ValueError: if the batch of the model cannot be told from its other sizes.
    """
    opened = ir.from_proto(model)
    graph = opened.graph
    fixed = fixed_batch(list(graph.inputs))
    if fixed is not None and fixed != batch:
        with reading(title, refusals=True):
            freed = free_batch(graph, [str(value.name) for value in graph.inputs], fixed)
        if len(freed.lost) > 0 or len(freed.elsewhere) > 0:
            why = "; ".join([*freed.lost, *freed.elsewhere][:3])
            raise ValueError(f"The batch of {title} is fixed to {fixed} and cannot be freed: {why}")
        opened.graph = graph = freed.graph
    if batch != "free":
        _fix_batch(graph, int(batch), title)
    return ir.to_proto(opened)


def _fix_batch(graph: ir.Graph, batch: int, title: str) -> None:
    """Write a number in the place of the name of the first dimension, wherever it stands."""
    firsts = {str(value.shape[0]) for value in graph.inputs if value.shape}
    numbers = {first for first in firsts if first.isdecimal()} - {str(batch)}
    if len(numbers) > 0 or len(firsts - {str(batch)}) > 1:
        raise ValueError(
            f"The inputs of {title} do not share one batch: their first sizes are "
            f"{', '.join(sorted(firsts))}."
        )
    values = [*graph.inputs, *(value for node in graph.all_nodes() for value in node.outputs)]
    for value in values:
        if value.shape is not None:
            sizes = [batch if str(d) in firsts else d for d in value.shape]
            value.shape = ir.Shape(sizes)


def _in_a_known_set(model: onnx.ModelProto, name: str, options: ExportOptions) -> onnx.ModelProto:
    """A model of any operator set in one from which the wanted set can be reached downwards."""
    wanted = DEFAULT_OPSET if options.opset is None else options.opset
    opened = open_model(model)[1]
    opened.metadata_props.pop(WEIGHTS, None)  # what training went on from is not kept
    version = opened.graph.opset_imports.get("", OPSET)
    with reading(name):
        changed = options.dtype is not None or options.quantize is not None  # made for set 23
        if wanted <= version <= OPSET and not changed:
            return infer_shapes(ir.to_proto(opened))
        converted = ir.Model(
            convert(opened.graph, name),
            ir_version=opened.ir_version,
            producer_name=opened.producer_name,
            producer_version=opened.producer_version,
        )
        converted.metadata_props.update(opened.metadata_props)
        return ir.to_proto(converted)


def _compared(
    original: onnx.ModelProto, model: onnx.ModelProto, inputs: Arrays | None
) -> tuple[Difference | None, str]:
    """How far the outputs of two models are apart; or None, and why they were not compared."""
    if stored_bytes(original) >= EXTERNAL_FROM:
        return None, "the file is too large to be run from memory"
    try:
        before = Session(original.SerializeToString(), select_device("cpu"), name="the source")
    except (ExecutionError, ModelFileError) as error:
        return None, f"ONNX Runtime does not load the source: {error}"
    after = Session(model.SerializeToString(), select_device("cpu"), name="the result")
    reason = ""
    specs = tuple(map(_both, before.inputs, after.inputs))
    for feeds in [dict(inputs)] if inputs is not None else made_up_inputs(specs):
        try:
            wanted = before.run(feeds)
        except (ExecutionError, ValueError) as error:
            reason = f"the source does not take the inputs: {error}"
            continue
        named = dict(zip(before.output_names, wanted, strict=True))
        return difference(named, after.run(feeds, before.output_names)), ""
    return None, reason


def _both(before: TensorSpec, after: TensorSpec) -> TensorSpec:
    """An input of two models: a size that one of them leaves open is that of the other."""
    if before.shape is None or after.shape is None or len(before.shape) != len(after.shape):
        return before
    pairs = zip(before.shape, after.shape, strict=True)
    return replace(before, shape=tuple(a if isinstance(a, int) else b for a, b in pairs))
