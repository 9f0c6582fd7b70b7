"""The arguments of `Model.export`, checked, as one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import onnx

from seqonnx.export.forms import check_form, check_quantization
from seqonnx.graph.versions import IR_VERSION, OPSET

Weights = Literal["initializer", "constant", "input"]

LOWEST_OPSET: Final = 13
"""The lowest operator set that a file is written in: ONNX Runtime 1.7 of 2021 reads it."""
DEFAULT_OPSET: Final = 18
"""The operator set that files are written in: every reader that was tried takes it."""

_ELSEWHERE: Final = {
    "openvino": "OpenVINO reads ONNX: export with `format=\"onnx\"` and pass the file to "
    "`openvino.convert_model`.",
    "tf_saved_model": "Save the model as a `.keras` file; Keras on TensorFlow, JAX or PyTorch "
    "loads it and exports a SavedModel.",
    "litert": "Save the model as a `.keras` file; Keras on TensorFlow or PyTorch loads it and "
    "exports for LiteRT.",
    "torch": "Save the model as a `.keras` file; Keras on PyTorch loads it and exports a "
    "program of PyTorch's.",
}  # fmt: skip
"""The other formats of Keras's `export`, and how to come by each."""


@dataclass(frozen=True)
class ExportOptions:
    """How an inference file is to be written; `export_options` makes it of what a user gave.

    Args:
        opset: operator set; None for `DEFAULT_OPSET`, or the lowest that can say the model.
        ir_version: version of the file format; None for the lowest of the operator set.
        dtype: dtype of the weights, or of weights and computation; None leaves them.
        quantize: how weights and activations are quantised; None leaves them.
        calibration_data: inputs that show the ranges of activations.
        keep_io: whether inputs and outputs keep their dtype where `dtype` changes the inside.
        merge_lora: whether the products of LoRA go into the weights.
        external_data: number of bytes of weights from which they go to a file of their own; None
            where one file cannot hold them; False for never.
        weights_as: how the weights stand in the file.
        verbose: whether to print what was written; None: the drift alone, if it was measured.
        weight_names: names of the initializers that are weights of the model, not constants of its
            operators; no argument of the user's.
    """

    opset: int | None = None
    ir_version: int | None = None
    dtype: str | None = None
    quantize: str | None = None
    calibration_data: Any = None
    keep_io: bool = True
    merge_lora: bool = True
    external_data: int | Literal[False] | None = None
    weights_as: Weights = "initializer"
    verbose: bool | None = None
    weight_names: frozenset[str] = frozenset()


def export_options(format: Any, arguments: Mapping[str, Any]) -> ExportOptions:
    """Check the arguments of `Model.export` that are not about the model itself.

    Args:
        format: the format that was asked for.
        arguments: the fields of `ExportOptions`, as the user gave them.

    Raises:
        ValueError: if one is not legal, or two contradict each other.
        TypeError: if one is of a wrong type.
    """
    _check_format(format)
    given = dict(arguments)
    _check_integer("opset", given["opset"])
    _check_integer("ir_version", given["ir_version"])
    _check_versions(given["opset"], given["ir_version"])
    _check_choice("weights_as", given["weights_as"], get_args(Weights))
    for name in ("keep_io", "merge_lora"):
        _check_bool(name, given[name])
    if given["verbose"] is not None:
        _check_bool("verbose", given["verbose"])
    given["external_data"] = _external_from(given["external_data"])
    options = ExportOptions(**given)
    _check_company(options)
    if options.dtype is not None:
        check_form(options.dtype, keep_io=options.keep_io)
    check_quantization(
        options.quantize,
        options.dtype,
        options.opset,
        with_data=options.calibration_data is not None,
    )
    return options


def lowest_ir_version(opset: int, domains: Mapping[str, int] | None = None) -> int:
    """Return the lowest version of the file format that an operator set may stand in.

    Args:
        opset: version of the standard operator set.
        domains: versions of the other domains of the file.

    Example:
        >>> lowest_ir_version(18), lowest_ir_version(21, {"ai.onnx.ml": 3})
        (8, 10)
    """
    versions = {"": opset, **({} if domains is None else domains)}
    ids = [onnx.helper.make_opsetid(domain, version) for domain, version in versions.items()]
    return int(onnx.helper.find_min_ir_version_for(ids, ignore_unknown=True))


def _check_format(format: Any) -> None:
    """Raise a ValueError for anything but `"onnx"`, which says what to do."""
    if format == "onnx":
        return
    if not isinstance(format, str) or format == "all":
        raise ValueError(
            "The second argument of `export` is `format`, as in Keras; give `outputs` by its name: "
            f"`export(filepath, outputs={format!r})`. Received: format={format!r}"
        )
    hint = _ELSEWHERE.get(format, "If it is the name of a layer, pass it as `outputs=[...]`.")
    raise ValueError(f'`format` must be "onnx". Received: format={format!r}. {hint}')


def _check_integer(name: str, value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"`{name}` must be an integer or None. Received: {name}={value!r}")


def _check_bool(name: str, value: Any) -> None:
    if value not in (True, False):
        raise TypeError(f"`{name}` must be True or False. Received: {name}={value!r}")


def _check_choice(name: str, value: Any, legal: Sequence[str]) -> None:
    if value not in legal:
        listed = ", ".join(f'"{choice}"' for choice in legal)
        raise ValueError(f"`{name}` must be one of {listed}. Received: {name}={value!r}")


def _check_versions(opset: int | None, ir_version: int | None) -> None:
    """Refuse versions that are not written, and an operator set that a file format cannot hold."""
    if opset is not None and not LOWEST_OPSET <= opset <= OPSET:
        raise ValueError(
            f"`opset` must be from {LOWEST_OPSET} to {OPSET}, or None for {DEFAULT_OPSET} or the "
            f"lowest that can say the model. Received: opset={opset}"
        )
    if ir_version is None:
        return
    lowest = lowest_ir_version(LOWEST_OPSET if opset is None else opset)
    if not lowest <= ir_version <= IR_VERSION:
        why = "" if opset is None else f" for operator set {opset}"
        raise ValueError(
            f"`ir_version` must be from {lowest} to {IR_VERSION}{why}, or None for the lowest. "
            f"Received: ir_version={ir_version}, opset={opset}"
        )


def _external_from(value: Any) -> int | Literal[False] | None:
    """The number of bytes from which weights go to a file of their own."""
    if value is None or value is False:
        return value
    if value is True:
        return 0
    if not isinstance(value, int) or value < 0:
        raise TypeError(
            "`external_data` must be True, False, None, or the number of bytes of weights from "
            f"which they go to a file of their own. Received: external_data={value!r}"
        )
    return value


def _check_company(options: ExportOptions) -> None:
    """Refuse arguments that say something about another that is not there, or against it."""
    if options.calibration_data is not None and options.quantize is None:
        raise ValueError(
            "`calibration_data` shows the ranges for `quantize`. Received: quantize=None"
        )
    if not options.keep_io and options.dtype is None:
        raise ValueError(
            "`keep_io=False` gives inputs and outputs the dtype of `dtype`. Received: dtype=None"
        )
    if options.weights_as == "initializer":
        return
    if options.quantize is not None:
        raise ValueError(
            "Quantised weights are stored as initializers. Received: "
            f"quantize={options.quantize!r}, weights_as={options.weights_as!r}"
        )
    outside = options.external_data is not None and options.external_data is not False
    if options.weights_as == "constant" and outside:
        raise ValueError(
            "Weights in Constant nodes are part of the graph and cannot go to a file of their "
            f'own. Received: weights_as="constant", external_data={options.external_data!r}'
        )
