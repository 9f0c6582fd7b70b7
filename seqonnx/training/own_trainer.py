"""A trainer for models whose user has written a step: `train_step`, `test_step` and their parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from seqonnx import config
from seqonnx.callbacks.base import Logs
from seqonnx.graph import Variable
from seqonnx.metrics.base import Accumulator
from seqonnx.optimizers import Optimizer
from seqonnx.optimizers.step_count import stop_counting
from seqonnx.runtime import Device
from seqonnx.structures import Slot
from seqonnx.training.batches import Batch
from seqonnx.training.compilation import Compilation, Progress, Subject
from seqonnx.training.compiled_function import OwnFunction, as_data, own_slots
from seqonnx.training.inputs import with_ranks
from seqonnx.training.runner import Staged
from seqonnx.training.trainer import Trainer, WeightsAt


class HasSteps(Protocol):
    """A model as its own trainer sees it."""

    @property
    def metrics(self) -> list[Accumulator]:
        """The metrics that an epoch begins anew."""

    def train_step(self, data: Any) -> Any:
        """Take a step on tensors."""

    def test_step(self, data: Any) -> Any:
        """Measure on tensors."""


class OwnTrainer(Trainer):
    """Trains by the steps that the user has written, each traced into one graph.

    Args:
        model: the model with its steps.
        subject: its tensors and weights, as far as they are known.
        compilation: optimizer, loss and metrics.
        device: where to run.
        progress: where to go on; default: at the start.
    """

    def __init__(
        self,
        model: HasSteps,
        subject: Subject,
        compilation: Compilation,
        device: Device,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(subject, compilation, device, progress)
        for counted in compilation.optimizer._inside():  # its steps are counted where it is used
            stop_counting(counted, self._train_state)
        self._model = model
        self._made: dict[Variable, Mapping[str, Variable]] = dict(self.slots)
        self.slots = self._made
        self._steps_taken = 0
        self._train = OwnFunction(model.train_step, self._train_state, self._slots_of)
        self._test = OwnFunction(model.test_step, self._test_state, self._slots_of)
        self._trained = self._tested = False

    @property
    def step(self) -> int:
        """Number of training steps taken, those of before included as far as they are known."""
        return max(self.compilation.optimizer._steps_taken, self._train_state.steps)

    @property
    def metrics(self) -> list[Accumulator]:
        """The metrics of the model."""
        return list(self._model.metrics)

    def begin_training(self) -> None:
        """Set the metrics to their start."""
        self._reset()
        self._trained = False

    def stage_train(self, batches: Sequence[Batch], step: int) -> Staged:
        """Put batches on the device, one for each step of a run."""
        several = [self._arguments(batch) for batch in batches]
        return self._train.stage(
            several, extra=self._settings(), seed=self.seed, step=step, generator=self.generator
        )

    def train(self, staged: Staged) -> None:
        """Run the training steps that something was staged for."""
        self._train.run(staged)
        self._trained = True

    def finish_training(self) -> None:
        """Put the moving averages of an optimizer that keeps some in the place of the weights."""
        optimizer = self.compilation.optimizer
        if optimizer._averages_weights:
            optimizer.finalize_variable_values(list(self._made))

    def train_logs(self) -> Logs:
        """Return what the last step has returned."""
        return self._logs(self._train) if self._trained else {}

    @contextmanager
    def testing(self) -> Iterator[WeightsAt]:
        """Measure inside, with the metrics from their start on."""
        with self._testing:
            self._reset()
            self._tested = False
            yield WeightsAt(0, {})

    def stage_test(self, moment: WeightsAt, batch: Batch) -> Staged:
        """Put a batch on the device for measuring."""
        self._steps_taken += 1
        arguments = [self._arguments(batch)]
        seed, number = config.next_seed(), self._steps_taken
        return self._test.stage(arguments, extra=self._settings(), seed=seed, step=number)

    def test(self, staged: Staged) -> None:
        """Measure on one batch."""
        self._test.run(staged)
        self._tested = True

    def test_logs(self) -> Logs:
        """Return what the last measuring step has returned."""
        return self._logs(self._test) if self._tested else {}

    def _arguments(self, batch: Batch) -> tuple[Any, list[Any]]:
        """The arguments of a step, and their arrays."""
        arrays = [as_data(array) for array in batch.x]
        inputs = self.subject.inputs
        if len(inputs) == 1 and _inputs_alone(batch.structure):
            arrays[0] = with_ranks(arrays[:1], inputs)[0]
        return ((batch.structure,), {}), arrays

    def _settings(self) -> Any:
        """Return what else the graph of a step depends on: the layers that train."""
        layers = getattr(self._model, "_flags", tuple)
        return layers()

    def _reset(self) -> None:
        for metric in self._model.metrics:
            metric.reset_state()

    def _logs(self, of: OwnFunction) -> Logs:
        """Return the result of a step as logs."""
        return as_logs(of.returned())

    def _slots_of(
        self, optimizer: Optimizer, weights: Sequence[Variable]
    ) -> Mapping[Variable, Mapping[str, Variable]]:
        """The slots of the compiled optimizer are the trainer's; others keep their own."""
        if optimizer is not self.compilation.optimizer:
            return own_slots(optimizer, weights)
        new = [weight for weight in weights if weight not in self._made]
        self._made |= optimizer._slots_for_training(new)
        return self._made


def as_logs(returned: Any) -> Logs:
    """Return the result of a step as logs: numbers by name.

    Args:
        returned: a dict, of which inner dicts become part; another result is the loss.
    """
    logs: Logs = {}
    for name, value in (returned if isinstance(returned, Mapping) else {"loss": returned}).items():
        if isinstance(value, Mapping):
            logs |= as_logs(value)
            continue
        array = np.asarray(value)
        logs[name] = float(array) if array.ndim == 0 else array
    return logs


def _inputs_alone(structure: Any) -> bool:
    """Whether the first part of the data is one array: the inputs."""
    first = structure[0] if isinstance(structure, tuple) and len(structure) > 0 else structure
    return isinstance(first, Slot) and first.index == 0
