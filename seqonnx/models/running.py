"""Running a model: from user data to the loops of `training`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from seqonnx import dtypes
from seqonnx.callbacks import Callback, CallbackList, History
from seqonnx.losses import Loss
from seqonnx.models.network import Network, unwrap
from seqonnx.training import loop
from seqonnx.training.batches import Batch, Batches
from seqonnx.training.columns import is_array
from seqonnx.training.data import make_batches, split_validation
from seqonnx.training.trainer import Subject

if TYPE_CHECKING:
    from seqonnx.models.model import Model

Verbose = int | str | bool

_ACCEPTED = {
    "run_eagerly",
    "jit_compile",
    "steps_per_execution",
    "loss_weights",
    "auto_scale_loss",
}


@dataclass(frozen=True)
class FitRequest:
    """The arguments of `Model.fit`."""

    x: Any
    y: Any
    batch_size: int | None
    epochs: int
    verbose: Verbose
    callbacks: Sequence[Callback]
    validation_split: float
    validation_data: Any
    shuffle: bool
    class_weight: Mapping[int, float] | None
    sample_weight: Any
    initial_epoch: int
    steps_per_epoch: int | None
    validation_steps: int | None
    validation_batch_size: int | None
    validation_freq: int | Sequence[int]


def subject_of(model: Network) -> Subject:
    """Return the model as the trainer sees it."""
    return Subject(
        inputs=model.inputs,
        outputs=model.outputs,
        weights=model.weights,
        trainable=model.trainable_weights,
        frozen=model.frozen_weights,
        regularized=model.regularized_weights,
        constrained=model.constrained_weights,
    )


def check_compile_arguments(
    metrics: Any, weighted_metrics: Any, accepted: Mapping[str, Any]
) -> None:
    """Raise for arguments of `compile` that cannot be right."""
    for name, value in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
        if value is not None and not isinstance(value, list | tuple):
            raise ValueError(
                f"Expected `{name}` argument to be a list, tuple, or dict. "
                f"Received instead: {name}={value} of type {type(value)}"
            )
    unknown = sorted(set(accepted) - _ACCEPTED)
    if unknown:
        raise TypeError(
            f"compile() got unexpected arguments {unknown}. Besides its own it accepts "
            f"{sorted(_ACCEPTED)}."
        )


def input_arrays(model: Model, x: Any) -> list[npt.NDArray[Any]]:
    """Return data for every input of a model, checked and cast; builds the model if needed."""
    if not model.built:
        model.build_for(dtypes.to_array(x, "float32", "inputs").shape)
    inputs = model.inputs
    given = list(x) if len(inputs) > 1 and isinstance(x, list | tuple) else [x]
    if len(given) != len(inputs):
        raise ValueError(
            f"Model '{model.name}' expects {len(inputs)} inputs. Received {len(given)}."
        )
    arrays = []
    for index, (data, tensor) in enumerate(zip(given, inputs, strict=True)):
        array = _with_rank(dtypes.to_array(data, tensor.dtype, "inputs"), tensor.ndim)
        model.check_input(array.shape, index)
        arrays.append(array)
    return arrays


def _with_rank(array: npt.NDArray[Any], ndim: int) -> npt.NDArray[Any]:
    """Add or drop a last axis of size 1, as Keras does: a vector stands for one column."""
    if array.ndim == ndim - 1 and array.ndim == 1:
        return array[:, np.newaxis]
    if array.ndim == ndim + 1 and array.shape[-1] == 1:
        return array[..., 0]
    return array


def predict(
    model: Model,
    x: Any,
    batch_size: int | None,
    verbose: Verbose,
    steps: int | None,
    callbacks: Sequence[Callback] | None,
) -> Any:
    """Compute outputs batch by batch (see `Model.predict`)."""
    if is_array(x) or not isinstance(x, Iterable):
        x = unwrap(input_arrays(model, x))
    batches = _batches(model, x, batch_size=batch_size, steps=steps)
    told = _callbacks(model, callbacks, verbose, batches)
    collected = loop.predict(model.forward(), batches, told)
    if not collected:
        shapes = [t.shape[1:] for t in model.outputs]
        return model.structured(
            [np.zeros((0, *(d or 0 for d in s)), np.float32) for s in shapes]
        )
    return model.structured([np.concatenate(parts) for parts in zip(*collected, strict=True)])


def fit(model: Model, request: FitRequest) -> History:
    """Train (see `Model.fit`)."""
    model.require_compiled()
    x, y, weight, held_out = request.x, request.y, request.sample_weight, request.validation_data
    if request.validation_split and held_out is None:
        (x, y, weight), held_out = split_validation(x, y, weight, request.validation_split)
    batches = _batches(
        model,
        x,
        y,
        weight,
        training=True,
        class_weight=request.class_weight,
        batch_size=request.batch_size,
        shuffle=request.shuffle,
        steps=request.steps_per_epoch,
    )
    validation = _validation(model, held_out, request)
    told = _callbacks(model, request.callbacks, request.verbose, batches, epochs=request.epochs)
    model.stop_training = False
    loop.fit(
        model.trainer(),
        batches,
        told,
        epochs=range(request.initial_epoch, request.epochs),
        validation=validation,
        stopped=lambda: model.stop_training,
    )
    model.history = told.history
    return told.history


def evaluate(
    model: Model,
    x: Any,
    y: Any,
    batch_size: int | None,
    verbose: Verbose,
    sample_weight: Any,
    steps: int | None,
    callbacks: Sequence[Callback] | None,
) -> dict[str, float]:
    """Measure loss and metrics (see `Model.evaluate`)."""
    model.require_compiled()
    batches = _batches(
        model, x, y, sample_weight, training=True, batch_size=batch_size, steps=steps
    )
    told = _callbacks(model, callbacks, verbose, batches)
    return loop.evaluate(model.trainer(), batches, told)


def train_on_batch(
    model: Model, x: Any, y: Any, sample_weight: Any, class_weight: Any
) -> dict[str, float]:
    """Run one step on one batch."""
    model.require_compiled()
    batch = _single(model, x, y, sample_weight, class_weight)
    trainer = model.trainer()
    runner, staged = trainer.stage_train(batch, trainer.step)
    trainer.reset_train_measures()
    trainer.train(runner, staged)
    return trainer.train_logs()


def test_on_batch(model: Model, x: Any, y: Any, sample_weight: Any) -> dict[str, float]:
    """Measure on one batch."""
    model.require_compiled()
    batch = _single(model, x, y, sample_weight, None)
    trainer = model.trainer()
    runner, staged = trainer.stage_test(batch)
    trainer.reset_test_measures()
    runner.run(staged)
    return trainer.test_logs()


def shaped_logs(
    logs: Mapping[str, float], return_dict: bool
) -> float | list[float] | dict[str, float]:
    """Arrange loss and metrics as `evaluate` returns them."""
    if return_dict:
        return dict(sorted(logs.items()))
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def _single(
    model: Model, x: Any, y: Any, sample_weight: Any, class_weight: Any
) -> Batch:
    """The one batch that was given."""
    rows = len(dtypes.to_array(x, None, "x"))
    batches = _batches(
        model,
        x,
        y,
        sample_weight,
        training=True,
        class_weight=class_weight,
        batch_size=max(rows, 1),
    )
    return next(batches.epoch(None))


def _validation(model: Model, data: Any, request: FitRequest) -> loop.Validation | None:
    """Data to measure on after epochs."""
    if data is None:
        return None
    frequency = request.validation_freq
    if not isinstance(frequency, int | list | tuple):
        raise ValueError(
            f"Expected `validation_freq` to be a list or int. Received: {frequency} of the type "
            f"{type(frequency)}."
        )
    parts = tuple(data) if isinstance(data, tuple | list) else (data,)
    x, y, weight = (*parts, None, None)[:3]
    batches = _batches(
        model,
        x,
        y,
        weight,
        training=True,
        batch_size=request.validation_batch_size or request.batch_size,
        steps=request.validation_steps,
    )
    return loop.Validation(batches, frequency)


def _batches(
    model: Model,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    training: bool = False,
    **options: Any,
) -> Batches:
    """Turn user data into batches, build the model if it is not, and check that they fit."""
    entry = [t.dtype for t in model.inputs] if model.built else ["float32"]
    loss = model.loss if training else None
    batches = make_batches(
        x,
        y,
        sample_weight,
        input_dtype=entry[0] if len(entry) == 1 else entry,
        target_dtype=None if loss is None else loss.target_dtype,
        allow_empty=not training,
        **options,
    )
    first = batches.peek()
    if first is not None:
        if not model.built:
            model.build_for((None, *first.x[0].shape[1:]))
        for index, array in enumerate(first.x):
            model.check_input(array.shape, index)
    if training and loss is not None:
        _check_targets(model, first, y, loss)
    return batches


def _check_targets(model: Model, first: Batch | None, y: Any, loss: Loss) -> None:
    """Check all targets where they are an array, else those of the first batch."""
    if first is None:
        return
    if first.y is None:
        raise ValueError(
            f"Training and evaluation of '{model.name}' need targets. Received: y=None"
        )
    targets = first.y if y is None else dtypes.to_array(y, None, "y")
    loss.check_targets(targets, model.outputs[0].shape)


def _callbacks(
    model: Model,
    callbacks: Sequence[Callback] | None,
    verbose: Verbose,
    batches: Batches,
    epochs: int = 1,
) -> CallbackList:
    """The callbacks of a run, with history and progress."""
    return CallbackList(
        callbacks,
        model=model,
        params={"verbose": verbose, "epochs": epochs, "steps": batches.steps},
        add_history=True,
        add_progbar=verbose != 0,
    )
