"""Running a model: from the arguments of its methods to the loops of `training`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqonnx import metrics as metric_room
from seqonnx.callbacks import Callback, CallbackList, History
from seqonnx.callbacks.base import Logs
from seqonnx.models.compile_arguments import check_names
from seqonnx.models.feeding import batches_for, ordered, single_batch, validation_parts
from seqonnx.models.network import Network
from seqonnx.optimizers import LossScaleOptimizer, Optimizer
from seqonnx.training import loop
from seqonnx.training.batches import Batches
from seqonnx.training.columns import whole_number
from seqonnx.training.data import BATCH_SIZE, split_validation, yields_batches
from seqonnx.training.measures import MetricSpec
from seqonnx.training.trainer import Subject

if TYPE_CHECKING:
    from seqonnx.models.model import Model

Verbose = int | str | bool

TRAINABLE_CHANGED = (
    "A layer's `trainable` state has changed since the model was compiled. The change takes "
    "effect at the next `compile()`. Please recompile the model. Changed layers: {}"
)


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


def subject_of(model: Network) -> Subject:
    """Return the model as the trainer sees it; only trained weights are regularized."""
    trainable = model.trainable_weights
    trained = set(trainable)
    return Subject(
        inputs=model.inputs,
        outputs=model.outputs,
        weights=model.weights,
        trainable=trainable,
        frozen=model.frozen_weights,
        regularized=[pair for pair in model.regularized_weights if pair[0] in trained],
        constrained=model.constrained_weights,
    )


def scaled_for(model: Network, optimizer: Optimizer) -> Optimizer:
    """Return the optimizer, with a loss scale where a layer's dtype is `"mixed_float16"`."""
    mixed = any(layer.dtype_policy == "mixed_float16" for layer in model.leaf_layers())
    scaled = optimizer._scaling is not None
    return LossScaleOptimizer(optimizer) if mixed and not scaled else optimizer


def check_steps(steps: Any) -> int:
    """Return the number of steps per run.

    Raises:
        ValueError: if it is not a positive integer.
    """
    return whole_number(steps, "steps_per_execution", least=1)


def check_recompute(model: Network, recompute: Any) -> bool | tuple[str, ...]:
    """Return the argument `recompute` of `compile`.

    Raises:
        ValueError: if it is neither a bool nor names of layers of the model.
    """
    if isinstance(recompute, bool | np.bool_):
        return bool(recompute)
    if isinstance(recompute, str) or not isinstance(recompute, Sequence) or len(recompute) == 0:
        raise ValueError(
            "`recompute` must be True, False or a list of names of layers whose outputs are kept. "
            f"Received: recompute={recompute!r}"
        )
    known = list(dict.fromkeys(x.name for x in (*model.layers, *model.leaf_layers())))
    unknown = [name for name in recompute if name not in known]
    if len(unknown) > 0:
        raise ValueError(
            f"`recompute` names layers that the model does not have: {unknown}. Its layers: {known}"
        )
    return tuple(recompute)


def resolve_metrics(given: Any, argument: str, names: Sequence[str]) -> tuple[MetricSpec, ...]:
    """Return metrics as the trainer takes them.

    Args:
        given: list or tuple of what `metrics.get` takes, a dict with one such list for the one
            output, or None.
        argument: name of the argument, for errors.
        names: names of the output.

    Raises:
        ValueError: if it is something else, or an output or a metric is not known.
    """
    if given is None:
        return ()
    if isinstance(given, Mapping):
        check_names(given, names, argument)
        given = [spec for value in given.values() for spec in _listed(value)]
    if not isinstance(given, list | tuple):
        raise ValueError(
            f"Expected `{argument}` argument to be a list, tuple, or dict. "
            f"Received instead: {argument}={given} of type {type(given)}"
        )
    specs = [spec for entry in given for spec in _listed(entry)]
    return tuple(_resolve_metric(spec) for spec in specs if spec is not None)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _resolve_metric(spec: Any) -> MetricSpec:
    if isinstance(spec, str) and spec.lower() in {"accuracy", "acc"}:
        return spec
    metric = metric_room.get(spec)
    assert metric is not None
    return metric


def predict(
    model: Model,
    x: Any,
    batch_size: int | None,
    verbose: Verbose,
    steps: int | None,
    callbacks: Sequence[Callback] | Callback | None,
) -> Any:
    """Compute outputs batch by batch (see `Model.predict`)."""
    silent = model.built and verbose == 0 and not callbacks and steps is None
    most = BATCH_SIZE if batch_size is None else batch_size
    if silent and isinstance(x, np.ndarray) and x.ndim > 0 and 0 < len(x) <= most:
        return model(x)
    batches = batches_for(model, x, batch_size=batch_size, steps=steps)
    told = _callbacks(model, callbacks, verbose, batches)
    collected = loop.predict(model.forward, batches, told)
    if len(collected) == 0:
        empty = [np.zeros((0, *(d or 0 for d in t.shape[1:])), t.dtype) for t in model.outputs]
        return model.arrange(empty)
    return model.arrange([np.concatenate(parts) for parts in zip(*collected, strict=True)])


def fit(model: Model, request: FitRequest) -> History:
    """Train (see `Model.fit`)."""
    model.require_compiled()
    _warn_of_ineffective(request)
    x, y, weight, held_out = request.x, request.y, request.sample_weight, request.validation_data
    if request.validation_split and held_out is None:
        (x, y, weight), held_out = split_validation(
            ordered(model, x),
            y,
            weight,
            request.validation_split,
            inputs=len(model.inputs) if model.built else 1,
        )
    batches = batches_for(
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
    model.warn_if_trainable_changed()
    _warn_if_nothing_trains(model)
    model.stop_training = False
    model.history = told.history
    loop.fit(
        model.trainer(),
        batches,
        told,
        epochs=range(
            whole_number(request.initial_epoch, "initial_epoch", least=0),
            whole_number(request.epochs, "epochs", least=0),
        ),
        validation=validation,
        stopped=lambda: model.stop_training,
    )
    return told.history


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


def _warn_if_nothing_trains(model: Model) -> None:
    """Warn if no weight is trainable, so that training changes none."""
    if model.built and len(model.trainable_weights) == 0:
        warnings.warn(
            f"The model '{model.name}' has no trainable weights, so `fit` changes none. Set "
            "`trainable = True` for a layer that has weights, and compile again.",
            stacklevel=4,
        )


def evaluate(
    model: Model,
    x: Any,
    y: Any,
    batch_size: int | None,
    verbose: Verbose,
    sample_weight: Any,
    steps: int | None,
    callbacks: Sequence[Callback] | Callback | None,
) -> Logs:
    """Measure loss and metrics (see `Model.evaluate`)."""
    model.require_compiled()
    batches = batches_for(
        model, x, y, sample_weight, training=True, batch_size=batch_size, steps=steps
    )
    told = _callbacks(model, callbacks, verbose, batches)
    return loop.evaluate(model.trainer(), batches, told)


def train_on_batch(model: Model, x: Any, y: Any, sample_weight: Any, class_weight: Any) -> Logs:
    """Run one step on one batch."""
    model.require_compiled()
    batch = single_batch(model, x, y, sample_weight, class_weight)
    model.warn_if_trainable_changed()
    trainer = model.trainer()
    staged = trainer.stage_train([batch], trainer.step)
    trainer.begin_training()
    trainer.train(staged)
    return trainer.train_logs()


def test_on_batch(model: Model, x: Any, y: Any, sample_weight: Any) -> Logs:
    """Measure on one batch."""
    model.require_compiled()
    batch = single_batch(model, x, y, sample_weight, None)
    trainer = model.trainer()
    with trainer.testing():
        trainer.test(trainer.stage_test(batch))
        return trainer.test_logs()


def shaped_logs(logs: Mapping[str, Any], return_dict: bool) -> float | list[Any] | dict[str, Any]:
    """Arrange loss and metrics as `evaluate` returns them."""
    if return_dict:
        return dict(sorted(logs.items()))
    values = list(logs.values())
    return float(values[0]) if len(values) == 1 else values


def _validation(model: Model, data: Any, request: FitRequest) -> loop.Validation | None:
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
    batches = batches_for(
        model,
        x,
        y,
        weight,
        training=True,
        batch_size=size,
        steps=request.validation_steps,
    )
    return loop.Validation(batches, frequency)


def _callbacks(
    model: Model,
    callbacks: Sequence[Callback] | Callback | None,
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
