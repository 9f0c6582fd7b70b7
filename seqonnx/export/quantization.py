"""Quantisation of a file: weights and activations as small integers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt
import onnx

from seqonnx.export.calibration import CalibrationData, batches, calibration_feeds
from seqonnx.export.int4 import store_in_int4
from seqonnx.export.options import ExportOptions

_PREPARED: Final = ("onnx.quant.pre_process", "onnxruntime.quant")
"""Says to ONNX Runtime that its preparation (folding, shapes) is done: the export has done it."""
NOTES: Final = (_PREPARED[0], "onnx.infer")
"""Metadata that ONNX Runtime's quantisation reads and leaves, and that a file is not to have."""

DYNAMIC: Final = ("MatMul", "Gemm", "Conv", "Gather")
"""Operators that are quantised while the file runs; others would leave the standard."""


def quantize(model: onnx.ModelProto, options: ExportOptions) -> onnx.ModelProto:
    """Return the model quantised as `options.quantize` says.

    Args:
        model: a model of float32.
        options: `quantize`, and `calibration_data` for `"int8"`.
    """
    forms: Mapping[str, Callable[[onnx.ModelProto, Any], onnx.ModelProto]] = {
        "int8": _static,
        "int8_dynamic": _dynamic,
        "int4": lambda model, data: store_in_int4(model),
    }
    return forms[str(options.quantize)](model, options.calibration_data)


def _static(model: onnx.ModelProto, data: CalibrationData) -> onnx.ModelProto:
    """QuantizeLinear and DequantizeLinear around what ONNX Runtime has integer kernels for."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class CalibrationBatches(CalibrationDataReader):  # type: ignore[misc]  # an untyped class
        """The calibration data, batch by batch."""

        def __init__(self, feeds: Mapping[str, npt.NDArray[Any]]) -> None:
            self._batches = batches(feeds)

        def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
            """Return one batch, or None at the end."""
            return next(self._batches, None)

    reader = CalibrationBatches(calibration_feeds(model, data))
    return _through_files(
        model,
        lambda source, target: quantize_static(
            source,
            target,
            reader,
            per_channel=True,
            activation_type=QuantType.QUInt8,  # int8 would become uint8 on x86
            weight_type=QuantType.QInt8,
        ),
    )


def _dynamic(model: onnx.ModelProto, data: CalibrationData | None) -> onnx.ModelProto:
    """DynamicQuantizeLinear before integer products."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # Older runtimes have integer convolutions with weights of uint8 alone.
    return _through_files(
        model,
        lambda source, target: quantize_dynamic(
            source,
            target,
            list(DYNAMIC),
            per_channel=True,
            weight_type=QuantType.QUInt8,
        ),
    )


def _through_files(model: onnx.ModelProto, work: Callable[[Path, Path], None]) -> onnx.ModelProto:
    """Return what ONNX Runtime's quantisation makes of a model; it works on files."""
    prepared = onnx.ModelProto()
    prepared.CopyFrom(model)
    prepared.metadata_props.add(key=_PREPARED[0], value=_PREPARED[1])
    with tempfile.TemporaryDirectory(prefix="seqonnx") as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "integers.onnx"
        onnx.save(prepared, source)
        work(source, target)
        made = onnx.load(target)
    return tidied(made, model)


def tidied(made: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """Return what ONNX Runtime has quantised with what the model says of itself, and no notes.

    Args:
        made: the quantised model; it is changed.
        model: the model as it was.
    """
    kept = [entry for entry in made.metadata_props if entry.key not in NOTES]
    del made.metadata_props[:]
    made.metadata_props.extend(kept)
    made.producer_name, made.producer_version = model.producer_name, model.producer_version
    made.ir_version = model.ir_version
    _drop_other_domains(made)
    return made


def _drop_other_domains(model: onnx.ModelProto) -> None:
    """Leave out the operator sets that ONNX Runtime declares and no node is of."""
    used = {node.domain for node in model.graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in used | {""}]
    del model.opset_import[:]
    model.opset_import.extend(kept)
