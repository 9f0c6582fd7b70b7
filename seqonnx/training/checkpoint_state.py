"""State of a compiled model besides its weights, as plain values and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt

from seqonnx import losses, metrics, optimizers
from seqonnx.dtypes import plain_value
from seqonnx.errors import ModelFileError
from seqonnx.graph import Variable, assign_together, read_together
from seqonnx.losses import Loss
from seqonnx.metrics import Metric
from seqonnx.optimizers.options import without_defaults
from seqonnx.runtime.forking import making
from seqonnx.runtime.noise import EARLIER_GENERATOR, GENERATORS
from seqonnx.structures import mapped
from seqonnx.training.compilation import Compilation
from seqonnx.training.sessions import Sessions
from seqonnx.training.trainer import Trainer

_FUNCTION = "function"
_WRAPPERS = {
    "LossFunctionWrapper": losses.LossFunctionWrapper,
    "MeanMetricWrapper": metrics.MeanMetricWrapper,
}
"""Classes that hold a function, which a configuration can only name."""


ArraysByVariable = dict[Variable, npt.NDArray[Any]]


class Captured(NamedTuple):
    """The state of training besides the weights.

    Args:
        values: plain values: compile arguments, step and epoch counters, seed and generator of
            the noise.
        slots: optimizer slots by name, in the ONNX layout.
    """

    values: Mapping[str, Any]
    slots: Mapping[str, npt.NDArray[Any]]


def capture(sessions: Sessions) -> tuple[ArraysByVariable, Captured | None]:
    """Return what a model is at one moment, between two training steps.

    Returns:
        The weights, in the ONNX layout; and compile arguments, counters and optimizer slots, or
        None if the model is not compiled.

    Raises:
        ValueError: if a function without a name is among the compile arguments.
    """
    weights = sessions.network.weights
    if sessions.compilation is None:
        return dict(zip(weights, read_together(weights)[1], strict=True)), None
    trainer = sessions.trainer()
    slots = trainer.optimizer_variables
    # One model at a time: two that each train what the other holds would wait for each other.
    with making(), trainer.at_rest():
        _, arrays = read_together([*weights, *slots])
        plain = _plain_values(sessions.compilation, trainer)
    stored = dict(zip(_keys(slots), arrays[len(weights) :], strict=True))
    return dict(zip(weights, arrays, strict=False)), Captured(plain, stored)


def _plain_values(compilation: Compilation, trainer: Trainer) -> dict[str, Any]:
    """Compile arguments and counters as a file holds them."""
    weights = compilation.loss_weights
    values = {
        "optimizer": without_defaults(optimizers.serialize(compilation.optimizer)),
        "loss": mapped(losses.serialize, compilation.loss, Loss),
        "metrics": mapped(metrics.serialize, compilation.metrics, Metric),
        "weighted_metrics": mapped(metrics.serialize, compilation.weighted_metrics, Metric),
        "steps_per_execution": compilation.steps_per_execution,
        "autotune": bool(compilation.autotune),
        "recompute": compilation.recompute,
        # Only where there is one: the files of other models stay as they were.
        **({} if weights in (None, 1.0) else {"loss_weights": weights}),
        **({} if compilation.trains else {"trains": False}),
        "step": trainer.step,
        "epochs": trainer.epochs,
        "seed": trainer.seed,
        "noise_generator": trainer.generator,
    }
    return {key: _plain(value) for key, value in values.items()}


def compile_arguments(values: Mapping[str, Any], custom: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `compile` that a file holds.

    Args:
        values: plain values from `capture`.
        custom: classes and functions of the user's own, by name.

    Raises:
        ValueError: if a class or function is not known.
    """
    return {
        "optimizer": _revived(values["optimizer"], custom) if values.get("trains", True) else None,
        "loss": _revived(values["loss"], custom),
        "metrics": _revived(values["metrics"], custom),
        "weighted_metrics": _revived(values["weighted_metrics"], custom),
        # Files of earlier versions lack these.
        "steps_per_execution": values.get("steps_per_execution", 1),
        "autotune": values.get("autotune", False),
        "recompute": values.get("recompute", False),
        "loss_weights": values.get("loss_weights"),
        # The optimizer in the file has its loss scale, or does without on purpose.
        "auto_scale_loss": False,
    }


def restore(sessions: Sessions, captured: Captured, path: Path) -> None:
    """Take over slots and counters.

    Args:
        sessions: of a model that is compiled as it was, with its weights.
        captured: from `capture`.
        path: the file, for errors.

    Raises:
        ModelFileError: if a slot is missing or has another shape, or the generator of the noise is
            not known.
    """
    values, trainer = captured.values, sessions.trainer()
    trainer.generator = _generator_of(values, path)
    trainer.epochs = int(values["epochs"])
    trainer.seed = int(values["seed"])
    sessions.compiled().optimizer._steps_taken = int(values["step"])
    variables = trainer.optimizer_variables
    found: list[tuple[Variable, npt.NDArray[Any]]] = []
    # By number: layers inside of a layer may be numbered otherwise in another process.
    held = {key.split("/")[1]: (key, array) for key, array in captured.slots.items()}
    for number, slot in enumerate(variables):
        key, array = held.get(str(number), ("", None))
        same = key.rpartition("/")[2] == slot._file_path.rpartition("/")[2]
        if array is None or not same or array.shape != slot._stored_shape:
            raise ModelFileError(
                f"{path} is damaged: it lacks the optimizer slot {slot._file_path}."
            )
        found.append((slot, array))
    assign_together(found)


def _generator_of(values: Mapping[str, Any], path: Path) -> str:
    """The generator that a run in a file draws its noise from."""
    name, known = values.get("noise_generator", EARLIER_GENERATOR), sorted(GENERATORS)
    if name not in known:
        raise ModelFileError(
            f"{path} cannot go on training: its noise comes from the generator {name!r}, which is "
            f"not known here. Known: {known}. Load it with the version of seqonnx "
            "that wrote it, or a later one."
        )
    return str(name)


def _keys(slots: Sequence[Variable]) -> list[str]:
    """Names of slots in a file; paths alone may be shared by layers of two nested models."""
    return [f"slots/{number}/{slot._file_path}" for number, slot in enumerate(slots)]


def _plain(value: Any) -> Any:
    """A configuration with functions replaced by their names."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if not callable(value):
        return plain_value(value)
    name = getattr(value, "__name__", "<lambda>")
    if name == "<lambda>":
        raise ValueError(
            f"{value!r}, given to `compile`, cannot be written to a file: it has no name to find "
            "it by. Use a function made with `def`, and pass it to `load_model` in "
            "`custom_objects`."
        )
    return {_FUNCTION: name}


def _revived(value: Any, custom: Mapping[str, Any]) -> Any:
    """The object or configuration that a plain value stands for."""
    if isinstance(value, list):
        return [_revived(item, custom) for item in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) == {_FUNCTION}:
        name = value[_FUNCTION]
        if name not in custom:
            raise ValueError(
                f"The model was compiled with the function '{name}': pass it in `custom_objects`, "
                f"as {{'{name}': {name}}}. Passed: {sorted(custom)}."
            )
        return custom[name]
    inner = {key: _revived(item, custom) for key, item in value.items()}
    if "class_name" in inner:
        cls: Any = custom.get(inner["class_name"], _WRAPPERS.get(inner["class_name"]))
        if isinstance(cls, type):
            return cls.from_config(inner.get("config", {}))  # type: ignore[attr-defined]
    return inner
