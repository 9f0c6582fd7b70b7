"""Fitting: from the arguments of `fit`, `evaluate` and `predict` to the loops."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqonnx import defaults
from seqonnx.callbacks import Callback, CallbackList, History
from seqonnx.callbacks.base import Logs
from seqonnx.layers.network import Network
from seqonnx.structures import put_back, take_out
from seqonnx.training import loop
from seqonnx.training.batches import Batch, Batches
from seqonnx.training.columns import whole_number
from seqonnx.training.data import BATCH_SIZE, DataPart, split_validation, yields_batches
from seqonnx.training.feeding import (
    batches_for,
    free_batches,
    input_types,
    is_one_batch,
    ordered,
    single_batch,
    validation_parts,
)
from seqonnx.training.sessions import Sessions

Verbose = int | str | bool


@dataclass(frozen=True)
class FitRequest:
    """The arguments of `Model.fit`."""

    x: Any
    y: Any
    batch_size: int | None
    epochs: int
    verbose: Verbose
    callbacks: Sequence[Callback] | Callback | None
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


def predict(
    sessions: Sessions,
    x: Any,
    batch_size: int | None,
    verbose: Verbose,
    steps: int | None,
    callbacks: Sequence[Callback] | Callback | None,
) -> Any:
    """Compute outputs batch by batch (see `Model.predict`)."""
    model = sessions.network
    if sessions.predicts_in_own_steps:
        return _predict_own(sessions, x, batch_size, verbose, steps, callbacks)
    silent = model.built and verbose == 0 and not callbacks and steps is None
    most = BATCH_SIZE if batch_size is None else batch_size
    if silent and is_one_batch(model, x, most):
        return model(x)
    batches = batches_for(model, x, batch_size=batch_size, steps=steps)
    told = _callbacks(sessions, callbacks, verbose, batches)
    collected = loop.predict(sessions.forward, batches, told)
    if len(collected) == 0:
        empty = [
            np.zeros(
                (0, *(d or 0 for d in t.shape[1:])), object if t.dtype == "string" else t.dtype
            )
            for t in model.outputs
        ]
        return model._arrange(empty)
    return model._arrange([np.concatenate(parts) for parts in zip(*collected, strict=True)])


def _predict_own(
    sessions: Sessions,
    x: Any,
    batch_size: int | None,
    verbose: Verbose,
    steps: int | None,
    callbacks: Sequence[Callback] | Callback | None,
) -> Any:
    """Compute what the `predict_step` of the user's gives, batch by batch."""
    step = sessions.own_prediction()
    batches = free_batches(x, batch_size=batch_size, steps=steps)
    told = _callbacks(sessions, callbacks, verbose, batches)
    results = loop.predict_own(step, batches, told)
    found: list[list[Any]] = []
    for result in results:
        arrays: list[Any] = []
        pattern = take_out(result, lambda part: isinstance(part, np.ndarray), arrays)
        found.append(arrays)
    return put_back(pattern, [np.concatenate(parts) for parts in zip(*found, strict=True)])


def fit(sessions: Sessions, request: FitRequest) -> History:
    """Train (see `Model.fit`)."""
    model = sessions.network
    _require_optimizer(sessions)
    _warn_of_ineffective(request)
    request = _limited(request)
    (x, y, weight), held_out = _split(sessions, request)
    batches = _batches(
        *(sessions, x, y, weight),
        class_weight=request.class_weight,
        batch_size=request.batch_size,
        shuffle=request.shuffle,
        steps=request.steps_per_epoch,
    )
    validation = _validation(sessions, held_out, request)
    told = _callbacks(sessions, request.callbacks, request.verbose, batches, epochs=request.epochs)
    sessions.warn_if_trainable_changed()
    _warn_if_nothing_trains(model)
    sessions.model.stop_training = False
    sessions.model.history = told.history
    loop.fit(
        sessions.trainer(),
        batches,
        told,
        epochs=range(
            whole_number(request.initial_epoch, "initial_epoch", least=0),
            whole_number(request.epochs, "epochs", least=0),
        ),
        validation=validation,
        stopped=lambda: sessions.model.stop_training,
    )
    return told.history


def _is_free(sessions: Sessions) -> bool:
    """Whether the user has written the steps, which get the data in their own structure."""
    return len(sessions.own_steps & {"train", "test"}) > 0


def _batches(sessions: Sessions, x: Any, y: Any, sample_weight: Any, **options: Any) -> Batches:
    """The batches to train or measure on."""
    if _is_free(sessions):
        return free_batches(x, y, sample_weight, **options)
    return batches_for(sessions.network, x, y, sample_weight, heads=sessions.heads, **options)


def _one_batch(sessions: Sessions, x: Any, y: Any, sample_weight: Any, class_weight: Any) -> Batch:
    """The batch of `train_on_batch` or `test_on_batch`."""
    if _is_free(sessions):
        options: dict[str, Any] = {"class_weight": class_weight, "batch_size": 1 << 62}
        return next(free_batches(x, y, sample_weight, **options).epoch(None))
    return single_batch(sessions.network, sessions.heads, x, y, sample_weight, class_weight)


def _require_optimizer(sessions: Sessions) -> None:
    """Raise a ValueError unless the model is compiled, and not for measuring alone."""
    if sessions.optimizer() is None:
        raise ValueError(
            f"Model '{sessions.network.name}' was compiled with `optimizer=None`, which measures "
            "and predicts. To train it, pass an optimizer to `compile()`, such as 'adam'."
        )


def _split(sessions: Sessions, request: FitRequest) -> tuple[DataPart, Any]:
    """The data to train on, and what to measure on after epochs."""
    x, y, weight = request.x, request.y, request.sample_weight
    if not request.validation_split or request.validation_data is not None:
        return (x, y, weight), request.validation_data
    model, free = sessions.network, _is_free(sessions)
    types = None if free or yields_batches(x) else input_types(model, x)
    return split_validation(
        ordered(model, x),
        y,
        weight,
        request.validation_split,
        input_dtype=types,
        outputs=len(model.outputs) if model.built else None,
        free=free,
    )


def _limited(request: FitRequest) -> FitRequest:
    """The request with no more epochs than `config.set_max_epochs` allows."""
    most = defaults.max_epochs()
    if most is None or request.epochs <= most:
        return request
    warnings.warn(f"Limiting epochs to {most}", stacklevel=4)
    return replace(request, epochs=most)


def _warn_of_ineffective(request: FitRequest) -> None:
    """Warn of arguments that do nothing beside, or without, others."""
    if request.validation_data is not None:
        if request.validation_split:
            warnings.warn(
                f"`validation_split={request.validation_split}` has no effect beside "
                "`validation_data`, which is measured on.",
                stacklevel=4,
            )
        return
    asked = {
        "validation_steps": request.validation_steps is not None,
        "validation_batch_size": request.validation_batch_size is not None,
        "validation_freq": request.validation_freq != 1,
    }
    names = [name for name, given in asked.items() if given]
    if not request.validation_split and len(names) > 0:
        warnings.warn(
            f"{', '.join(f'`{name}`' for name in names)} has no effect without validation data. "
            "Pass `validation_data` or `validation_split`.",
            stacklevel=4,
        )


def _warn_if_nothing_trains(model: Network) -> None:
    """Warn if no weight is trainable, so that training changes none."""
    if model.built and len(model.trainable_weights) == 0:
        warnings.warn(
            f"The model '{model.name}' has no trainable weights, so `fit` changes none. Set "
            "`trainable = True` for a layer that has weights, and compile again.",
            stacklevel=4,
        )


def evaluate(
    sessions: Sessions,
    x: Any,
    y: Any,
    batch_size: int | None,
    verbose: Verbose,
    sample_weight: Any,
    steps: int | None,
    callbacks: Sequence[Callback] | Callback | None,
) -> Logs:
    """Measure loss and metrics (see `Model.evaluate`)."""
    sessions.compiled()
    batches = _batches(
        *(sessions, x, y, sample_weight),
        batch_size=batch_size,
        steps=steps,
    )
    told = _callbacks(sessions, callbacks, verbose, batches)
    return loop.evaluate(sessions.trainer(), batches, told)


def train_on_batch(
    sessions: Sessions, x: Any, y: Any, sample_weight: Any, class_weight: Any
) -> Logs:
    """Run one step on one batch."""
    _require_optimizer(sessions)
    batch = _one_batch(sessions, x, y, sample_weight, class_weight)
    sessions.warn_if_trainable_changed()
    trainer = sessions.trainer()
    staged = trainer.stage_train([batch], trainer.step)
    trainer.begin_training()
    trainer.train(staged)
    return trainer.train_logs()


def test_on_batch(sessions: Sessions, x: Any, y: Any, sample_weight: Any) -> Logs:
    """Measure on one batch."""
    sessions.compiled()
    batch = _one_batch(sessions, x, y, sample_weight, None)
    trainer = sessions.trainer()
    with trainer.testing() as moment:
        trainer.test(trainer.stage_test(moment, batch))
        return trainer.test_logs()


def shaped_logs(logs: Mapping[str, Any], return_dict: bool) -> float | list[Any] | dict[str, Any]:
    """Arrange loss and metrics as `evaluate` returns them."""
    if return_dict:
        return dict(sorted(logs.items()))
    values = list(logs.values())
    return float(values[0]) if len(values) == 1 else values


def _validation(sessions: Sessions, data: Any, request: FitRequest) -> loop.Validation | None:
    """Data to measure on after epochs."""
    if data is None:
        return None
    frequency = request.validation_freq
    frequency = int(frequency) if isinstance(frequency, np.integer) else frequency
    if isinstance(frequency, bool) or not isinstance(frequency, int | list | tuple):
        raise ValueError(
            f"Expected `validation_freq` to be a list or int. Received: {frequency} of the type "
            f"{type(frequency)}."
        )
    if isinstance(frequency, int) and frequency < 1:
        raise ValueError(f"`validation_freq` must be at least 1. Received: {frequency}")
    x, y, weight = validation_parts(data)
    size = request.validation_batch_size
    if size is None and not yields_batches(x):
        size = request.batch_size
    batches = _batches(
        *(sessions, x, y, weight),
        batch_size=size,
        steps=request.validation_steps,
    )
    return loop.Validation(batches, frequency)


def _callbacks(
    sessions: Sessions,
    callbacks: Sequence[Callback] | Callback | None,
    verbose: Verbose,
    batches: Batches,
    epochs: int = 1,
) -> CallbackList:
    """The callbacks of a run, with history and progress."""
    return CallbackList(
        callbacks,
        model=sessions.model,
        params={"verbose": verbose, "epochs": epochs, "steps": batches.steps},
        add_history=True,
        add_progbar=verbose != 0,
    )
