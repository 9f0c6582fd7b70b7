"""Trainer: a compiled model. Holds the step graphs, the state and the counters of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx import config
from seqonnx.constraints import Constraint
from seqonnx.graph import Variable
from seqonnx.losses import Loss
from seqonnx.metrics import Metric, resolve
from seqonnx.optimizers import Optimizer
from seqonnx.regularizers import Regularizer
from seqonnx.runtime import Device
from seqonnx.symbolic import SymbolicTensor
from seqonnx.training.data import Batch
from seqonnx.training.runner import Staged, StepRunner
from seqonnx.training.state import DeviceState
from seqonnx.training.step import (
    Objective,
    Tracked,
    Update,
    batch_shape,
    build_test_step,
    build_train_step,
)

MetricSpec = str | Metric | Any


@dataclass(frozen=True)
class Subject:
    """What is trained: a model, seen through its tensors and weights.

    Args:
        inputs: model inputs.
        outputs: model outputs; training takes exactly one.
        weights: all weights.
        trainable: weights that a step changes.
        frozen: weights that no step changes, statistics of frozen layers included.
        regularized: weights with their regularizers.
        constrained: weights with their constraints.
    """

    inputs: Sequence[SymbolicTensor]
    outputs: Sequence[SymbolicTensor]
    weights: Sequence[Variable]
    trainable: Sequence[Variable]
    frozen: Sequence[Variable]
    regularized: Sequence[tuple[Variable, Regularizer]]
    constrained: Sequence[tuple[Variable, Constraint]]


@dataclass(frozen=True)
class Compilation:
    """What `compile` was given, resolved."""

    optimizer: Optimizer
    loss: Loss | None
    metrics: Sequence[MetricSpec] = ()
    weighted_metrics: Sequence[MetricSpec] = ()


class Trainer:
    """A model made ready for training.

    Args:
        subject: the model.
        compilation: optimizer, loss and metrics.
        device: where to run.
    """

    def __init__(self, subject: Subject, compilation: Compilation, device: Device) -> None:
        self.subject = subject
        self.compilation = compilation
        self.device = device
        self.seed = config.next_seed()
        self.epochs = 0
        compilation.optimizer.iterations = 0
        self.slots = _make_slots(subject.trainable, compilation.optimizer)
        self._train_state = DeviceState(device)
        self._test_state = DeviceState(device)
        self._train_runners: dict[Any, tuple[StepRunner, int]] = {}
        self._test_runners: dict[Any, tuple[StepRunner, int]] = {}
        self._train_measures: _Measures | None = None
        self._test_measures: _Measures | None = None

    @property
    def step(self) -> int:
        """Number of training steps taken."""
        return self.compilation.optimizer.iterations

    @property
    def optimizer_variables(self) -> list[Variable]:
        """Slots of all trained weights, interleaved by weight."""
        return [slot for weight in self.subject.trainable for slot in self.slots[weight].values()]

    def stage_train(self, batch: Batch, step: int) -> tuple[StepRunner, Staged]:
        """Put a batch on the device for the training step number `step`, counted from 0."""
        arrays = self._arrays(batch)
        runner = self._train_runner(batch, arrays)
        return runner, runner.stage(arrays, seed=self.seed, step=step)

    def train(self, runner: StepRunner, staged: Staged) -> None:
        """Run one training step."""
        self._train_state.push_changes()
        optimizer = self.compilation.optimizer
        runner.run(
            staged, learning_rate=optimizer.learning_rate, step=float(optimizer.iterations + 1)
        )
        optimizer.iterations += 1

    def stage_test(self, batch: Batch) -> tuple[StepRunner, Staged]:
        """Put a batch on the device for measuring."""
        arrays = self._arrays(batch)
        runner = self._test_runner(batch, arrays)
        return runner, runner.stage(arrays)

    def reset_train_measures(self) -> None:
        """Set loss and metrics of training to their start."""
        if self._train_measures is not None:
            self._train_measures.reset(self._train_state)

    def reset_test_measures(self) -> None:
        """Set loss and metrics of evaluation to their start."""
        if self._test_measures is not None:
            self._test_measures.reset(self._test_state)

    def train_logs(self) -> dict[str, float]:
        """Loss and metrics of training since the last reset, loss first."""
        return {} if self._train_measures is None else self._train_measures.logs(self._train_state)

    def test_logs(self) -> dict[str, float]:
        """Loss and metrics of evaluation since the last reset, loss first."""
        return {} if self._test_measures is None else self._test_measures.logs(self._test_state)

    def release(self) -> None:
        """Bring weights and slots back to the host; the trainer is of no use afterwards."""
        self._train_state.release()
        self._test_state.release()

    def _train_runner(self, batch: Batch, arrays: Sequence[npt.NDArray[Any]]) -> StepRunner:
        newest = max((v.changed_at for v in self.subject.frozen), default=0)
        key = _key(batch, arrays)
        runner, built_at = self._train_runners.get(key, (None, -1))
        if runner is None or newest > built_at:
            if self._train_measures is None:
                self._train_measures = self._measures(batch)
            objective = self._objective(self._train_measures, batch)
            update = Update(
                self.compilation.optimizer,
                self.subject.trainable,
                self.subject.frozen,
                self.slots,
                self.subject.constrained,
            )
            graph = build_train_step(objective, update, device=self.device.kind)
            runner = StepRunner(graph, self._train_state, training=True)
            self._train_runners[key] = (runner, newest)
        return runner

    def _test_runner(self, batch: Batch, arrays: Sequence[npt.NDArray[Any]]) -> StepRunner:
        newest = max((v.changed_at for v in self.subject.weights), default=0)
        key = _key(batch, arrays)
        runner, built_at = self._test_runners.get(key, (None, -1))
        if runner is None or newest > built_at:
            if self._test_measures is None:
                self._test_measures = self._measures(batch)
            graph = build_test_step(self._objective(self._test_measures, batch))
            runner = StepRunner(graph, self._test_state, training=False)
            self._test_runners[key] = (runner, newest)
        return runner

    def _arrays(self, batch: Batch) -> list[npt.NDArray[Any]]:
        """Inputs, targets and weights of a batch, in the order of the graph's inputs."""
        if batch.y is None:
            raise ValueError("Training and evaluation need targets. Received: y=None")
        arrays = [*batch.x, batch.y]
        return arrays if batch.sample_weight is None else [*arrays, batch.sample_weight]

    def _objective(self, measures: _Measures, batch: Batch) -> Objective:
        loss = self.loss
        assert batch.y is not None
        weight = batch.sample_weight
        return Objective(
            inputs=self.subject.inputs,
            output=self.subject.outputs[0],
            loss=loss,
            tracked=measures.tracked,
            regularized=self.subject.regularized,
            target_shape=batch_shape(batch.y.shape[1:]),
            target_dtype=str(batch.y.dtype.name),
            weight_shape=None if weight is None else batch_shape(weight.shape[1:]),
            loss_total=measures.loss_total,
            loss_count=measures.loss_count,
        )

    @property
    def loss(self) -> Loss:
        """The loss.

        Raises:
            ValueError: if `compile` was given none, or the model has several outputs.
        """
        if self.compilation.loss is None:
            raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`.")
        if len(self.subject.outputs) != 1:
            raise ValueError(
                "Training takes a model with one output. "
                f"Received a model with {len(self.subject.outputs)} outputs."
            )
        return self.compilation.loss

    def _measures(self, batch: Batch) -> _Measures:
        """Make the accumulators for targets like those of `batch`."""
        assert batch.y is not None
        target, output = batch.y.shape, self.subject.outputs[0].shape
        tracked = []
        for weighted, given in (
            (False, self.compilation.metrics),
            (True, self.compilation.weighted_metrics),
        ):
            for spec in given:
                metric = resolve(spec, target, output)
                name = spec if isinstance(spec, str) else metric.name
                tracked.append(Tracked.of(name, metric, weighted=weighted))
        return _Measures(tracked)


class _Measures:
    """Accumulators of the loss and the metrics."""

    def __init__(self, tracked: Sequence[Tracked]) -> None:
        self.tracked = tracked
        zero = np.zeros((), np.float32)
        self.loss_total = Variable(zero, "total", trainable=False, path="loss/total")
        self.loss_count = Variable(zero, "count", trainable=False, path="loss/count")

    def reset(self, state: DeviceState) -> None:
        zero = np.zeros((), np.float32)
        state.overwrite(self.loss_total, zero)
        state.overwrite(self.loss_count, zero)
        for tracked in self.tracked:
            for key, start in tracked.metric.variables().items():
                state.overwrite(tracked.state[key], np.asarray(start))

    def logs(self, state: DeviceState) -> dict[str, float]:
        count = float(state.read(self.loss_count))
        logs = {"loss": float(state.read(self.loss_total)) / max(count, 1.0)}
        for tracked in self.tracked:
            values = {key: state.read(variable) for key, variable in tracked.state.items()}
            logs[tracked.name] = float(tracked.metric.compute(values))
        return logs


def _key(batch: Batch, arrays: Sequence[npt.NDArray[Any]]) -> tuple[Any, ...]:
    """What a step graph depends on besides the model: ranks, trailing sizes, types."""
    shapes = tuple((array.shape[1:], array.dtype.name) for array in arrays)
    return shapes, batch.sample_weight is not None


def _make_slots(
    weights: Sequence[Variable], optimizer: Optimizer
) -> Mapping[Variable, Mapping[str, Variable]]:
    """Optimizer slots of each weight, filled with their start."""
    return {
        weight: {
            name: Variable(
                np.full(weight.shape, start, weight.dtype),
                f"{weight.name}/{name}",
                trainable=False,
                layout=weight.layout,
                path=f"optimizer/{weight.path}/{name}",
            )
            for name, start in optimizer.slots(weight.shape, weight.dtype).items()
        }
        for weight in weights
    }
