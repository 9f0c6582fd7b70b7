"""The stages from a model to its inference file, in their order, and why each stands there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import onnx

from seqonnx.export.calibration import Drift, calibration_feeds, measured_drift
from seqonnx.export.comparison import compare
from seqonnx.export.inference import Source, emit_apart, emit_inference
from seqonnx.export.narrow_apart import narrow_apart, store_as_computed
from seqonnx.export.options import ExportOptions
from seqonnx.export.precision import change_precision
from seqonnx.export.quantization import quantize
from seqonnx.export.versions import in_wanted_versions, opset_of
from seqonnx.export.weight_places import place_weights
from seqonnx.graph.external import stored_bytes
from seqonnx.graph.files import EXTERNAL_FROM, SMALL_TENSOR, Arrays, check_model, write_model


def _always(options: ExportOptions) -> bool:
    return True


@dataclass(frozen=True)
class Stage:
    """One entry of `STAGES`.

    Args:
        name: what the stage does.
        run: takes a model and what was asked for; returns a model, the same or another.
        reason: why the stage stands at its place.
        wanted: whether a file of these options goes through it.
    """

    name: str
    run: Callable[[onnx.ModelProto, ExportOptions], onnx.ModelProto]
    reason: str
    wanted: Callable[[ExportOptions], bool] = _always


def _lower(model: onnx.ModelProto, options: ExportOptions) -> onnx.ModelProto:
    """Write the wanted versions, and let ONNX Runtime say whether it computes the same.

    Raises:
        OperatorSetError: if the operator set cannot say the model.
        ValueError: if the outputs differ.
    """
    lowered = in_wanted_versions(model, options)
    if lowered is model or _too_large_to_run(model):
        return lowered
    apart = compare(model, lowered)
    if apart is not None and not apart.alike:
        raise ValueError(
            f"The model does not compute the same in operator set {opset_of(lowered)}: output "
            f"'{apart.output}' differs by {apart.largest:.3g}. Nothing is written. "
            f"Use opset={opset_of(model)}."
        )
    return lowered


def _too_large_to_run(model: onnx.ModelProto) -> bool:
    """Whether weights are apart: two sessions of such a model at once would fill the memory."""
    outside = onnx.TensorProto.EXTERNAL
    return any(tensor.data_location == outside for tensor in model.graph.initializer)


def _check(model: onnx.ModelProto, options: ExportOptions) -> onnx.ModelProto:
    check_model(model)
    return model


STAGES: Final = (
    Stage(
        "precision",
        change_precision,
        "First, while every operator is of the one set that the emitter knows.",
        wanted=lambda options: options.dtype is not None,
    ),
    Stage(
        "quantize",
        quantize,
        "Before the operator set is lowered: what it adds is lowered, too.",
        wanted=lambda options: options.quantize is not None,
    ),
    Stage(
        "lower",
        _lower,
        "After everything that adds operators; run against the graph before it, which is that of "
        "`predict` in this precision.",
    ),
    Stage(
        "weights",
        place_weights,
        "After everything that looks for weights among the initializers.",
        wanted=lambda options: options.weights_as != "initializer",
    ),
    Stage("check", _check, "The file as it is written, by ONNX's checker."),
)


def export_model(source: Source, options: ExportOptions, path: Path) -> Drift | None:
    """Write an inference file.

    Args:
        source: the model.
        options: how it is to be written.
        path: where to; an earlier file is replaced only when the new one is whole.

    Returns:
        How far the file is from the model on the calibration data; None where there is none.

    Raises:
        ValueError: if the model cannot be written as was asked for.
        OSError: if the file cannot be written.
    """
    # Weights that are to be given from outside are those of the model, not folded ones.
    folded = options.weights_as != "input"
    if _leaves_weights(options):
        emitted = emit_apart(source, folded=folded)
        before, arrays = emitted.model, emitted.arrays
    else:
        before, named = emit_inference(source, folded=folded)
        arrays = {}
        options = replace(options, weight_names=frozenset(named))
    if options.calibration_data is not None:
        calibration_feeds(before, options.calibration_data)  # refused before anything is written
    model, made = _in_fewer_bits(before, arrays, options)
    write_staged(model, options, path, made)
    drift = measured_drift(before, arrays, path, options.calibration_data)
    if options.verbose:
        sys.stdout.write(
            f"{path}: operator set {opset_of(model)}, IR version {model.ir_version}, "
            f"{path.stat().st_size:,} bytes\n"
        )
    if drift is not None and options.verbose is not False:
        sys.stdout.write(f"{path}: {drift}\n")
    return drift


def _in_fewer_bits(
    model: onnx.ModelProto, arrays: Arrays, options: ExportOptions
) -> tuple[onnx.ModelProto, Arrays]:
    """Send a model through the stages; large weights that lie apart go another way."""
    if len(arrays) == 0:
        return through_stages(model, options), arrays
    narrowed, made = narrow_apart(model, arrays, options)
    whole = options.quantize in ("int8", "int8_dynamic")  # small weights are done, too
    staged = through_stages(narrowed, replace(options, quantize=None) if whole else options)
    store_as_computed(staged.graph, made)
    return staged, made


def through_stages(
    model: onnx.ModelProto, options: ExportOptions, say: Callable[[str], object] = str
) -> onnx.ModelProto:
    """Send a model through the stages that its options want.

    Args:
        model: the model; it may be changed.
        options: how it is to be written.
        say: told the name of each stage.
    """
    for stage in STAGES:
        if stage.wanted(options):
            say(stage.name)
            model = stage.run(model, options)
    return model


def write_staged(
    model: onnx.ModelProto, options: ExportOptions, path: Path, arrays: Arrays | None = None
) -> None:
    """Write a model that went through the stages, with a data file where that is wanted.

    Args:
        model: the model.
        options: how it is to be written.
        path: where to.
        arrays: the weights that are not in the model's message, by name.
    """
    external_from = _external_from(model, options)
    write_model(model, path, external_from=external_from, arrays={} if arrays is None else arrays)


def _leaves_weights(options: ExportOptions) -> bool:
    """Whether large weights may stay apart: they go to a data file."""
    return options.weights_as == "initializer" and options.external_data is not False


def _external_from(model: onnx.ModelProto, options: ExportOptions) -> int:
    """The number of bytes of weights from which they go to a file of their own.

    Raises:
        ValueError: if they must not, and one file cannot hold them.
    """
    wanted = EXTERNAL_FROM if options.external_data is None else options.external_data
    if wanted is not False:
        movable = any(len(tensor.raw_data) >= SMALL_TENSOR for tensor in model.graph.initializer)
        return min(wanted, EXTERNAL_FROM) if movable else EXTERNAL_FROM
    if (size := stored_bytes(model)) >= EXTERNAL_FROM:
        raise ValueError(
            f"The model holds {size:,} bytes of weights, and one file holds less than "
            f"{EXTERNAL_FROM:,}. Received: external_data=False. Use None or True."
        )
    return EXTERNAL_FROM
