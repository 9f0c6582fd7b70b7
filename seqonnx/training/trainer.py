"""Trainer: a compiled model. Holds the step graphs, the state and the counters of a run."""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqonnx import config
from seqonnx.autodiff.rule_emitter import by_rule
from seqonnx.callbacks.base import Logs
from seqonnx.graph import Dim, Variable, last_setting, read_together
from seqonnx.metrics.base import Accumulator
from seqonnx.optimizers import Optimizer
from seqonnx.optimizers.step_count import count_steps_of, stop_counting
from seqonnx.runtime import Device
from seqonnx.runtime.forking import renewed_in_children
from seqonnx.runtime.noise import GENERATOR
from seqonnx.runtime.session_cache import SessionCache
from seqonnx.symbolic import BATCH
from seqonnx.training.autotune import Autotuner
from seqonnx.training.batch_sizes import BatchSizes
from seqonnx.training.batches import Batch
from seqonnx.training.compilation import Compilation, Progress, SlotVariables, Subject
from seqonnx.training.front import Front
from seqonnx.training.measures import Measures
from seqonnx.training.runner import Staged, StepRunner
from seqonnx.training.several_steps import several_steps
from seqonnx.training.state import DeviceState
from seqonnx.training.step import (
    Goal,
    StepGraph,
    Update,
    build_test_step,
    build_train_step,
)


class WeightsAt(NamedTuple):
    """The weights of one moment.

    Args:
        change: number of the newest change that they have seen, of themselves or of settings.
        weights: values in the ONNX layout.
    """

    change: int
    weights: Mapping[Variable, npt.NDArray[Any]]


@dataclass(frozen=True)
class _Built:
    """A step graph, ready to run."""

    goal: Goal
    runner: StepRunner

    @property
    def inherited(self) -> bool:
        """Whether a parent process has opened its session."""
        return self.runner.inherited


class Trainer:
    """A model made ready for training.

    Batches are staged ahead in another thread; steps run, and old graphs are replaced, in the
    thread that calls `train`.

    Args:
        subject: the model.
        compilation: optimizer, loss and metrics.
        device: where to run.
        progress: where to go on; default: at the start.
    """

    def __init__(
        self,
        subject: Subject,
        compilation: Compilation,
        device: Device,
        progress: Progress | None = None,
    ) -> None:
        self.subject = subject
        self._front = Front(subject.inputs, subject.outputs)
        self.compilation = compilation
        self.device = device
        if progress is None:
            compilation.optimizer.iterations = 0
            slots = _make_slots(subject.trainable, compilation.optimizer)
            progress = Progress(config.next_seed(), 0, slots, GENERATOR)
        self.seed, self.generator = progress.seed, progress.generator
        self.epochs, self.slots = progress.epochs, progress.slots
        self._train_state = DeviceState(device)
        count_steps_of(compilation.optimizer, self._train_state)
        # An optimizer may outlive the model, whose weights and slots the state holds.
        forget = weakref.finalize(self, stop_counting, compilation.optimizer, self._train_state)
        forget.atexit = False
        self._test_state = DeviceState(device)
        self._train_steps: SessionCache[_Built] = SessionCache()
        self._test_steps: SessionCache[_Built] = SessionCache()
        self._batch_sizes: defaultdict[Hashable, BatchSizes] = defaultdict(BatchSizes)
        self._train_measures: Measures | None = None
        self._test_measures: Measures | None = None
        self._choose = Autotuner(device) if compilation.autotune else by_rule
        self._frozen_at = 0
        self._moments: list[WeightsAt] = []
        self._renew_lock()
        renewed_in_children(self, Trainer._renew_lock)

    def _renew_lock(self) -> None:
        self._testing = threading.RLock()

    @property
    def progress(self) -> Progress:
        """How far the training has come."""
        return Progress(self.seed, self.epochs, self.slots, self.generator)

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Let no step begin inside, so that weights, slots and counters belong together."""
        with self._train_state.at_rest():
            yield

    @property
    def step(self) -> int:
        """Number of training steps taken."""
        return self.compilation.optimizer.iterations

    @property
    def optimizer_variables(self) -> list[Variable]:
        """Slots of all trained weights, interleaved by weight; then the scale of the loss."""
        slots = [s for weight in self.subject.trainable for s in self.slots[weight].values()]
        scaling = self.compilation.optimizer._scaling
        return slots if scaling is None else [*slots, *scaling.variables]

    @property
    def metrics(self) -> list[Accumulator]:
        """The metrics, as the first data has resolved them; none before."""
        measures = self._train_measures or self._test_measures
        return [] if measures is None else [tracked.metric for tracked in measures.tracked]

    # Training.

    def begin_training(self) -> None:
        """Set loss and metrics of training to their start."""
        if self._train_measures is not None:
            self._train_measures.reset(self._train_state)

    def stage_train(self, batches: Sequence[Batch], step: int) -> Staged:
        """Put batches on the device, one for each step of a run.

        Args:
            batches: one, or several of one size.
            step: number of the first step, counted from 0.
        """
        arrays = [self._arrays(batch) for batch in batches]
        batch = batches[0]
        data = _kind(arrays[0], len(self._front.tensors))
        size = self._batch_sizes[data].choose(len(arrays[0][0]))
        kind = (data, size, len(batches), self._shapes())
        built = self._train_steps.find(kind, last_setting())
        if built is None:
            if self._train_measures is None:
                self._train_measures = self._measures(batch)
            goal = self._goal(self._train_measures, batch, size)
            built = self._build_train(kind, goal, len(batches))
        return built.runner.stage(kind, arrays, seed=self.seed, step=step, generator=self.generator)

    def train(self, staged: Staged) -> None:
        """Run the training steps that something was staged for."""
        if self._train_state.push_changes():
            self._frozen_at = _newest(self.subject.frozen)
        # What was staged is for the settings of that time: a change of them waits for the next.
        built = self._train_steps.find(staged.kind, self._frozen_at)
        if built is None:
            goal = self._train_steps[staged.kind].goal
            built = self._build_train(staged.kind, goal, staged.steps)
        optimizer = self.compilation.optimizer
        before = optimizer.iterations
        taken = range(before, before + staged.steps)
        rates = [optimizer._learning_rate_at(number) for number in taken]
        built.runner.run(staged, rates, [number + 1 for number in taken])

    def step_graph(self, staged: Staged) -> StepGraph:
        """Return the graph that takes what is staged for training."""
        return self._train_steps[staged.kind].runner.graph

    def train_logs(self) -> Logs:
        """Loss and metrics of training since `begin_training`, loss first."""
        return {} if self._train_measures is None else self._train_measures.logs(self._train_state)

    # Measuring.

    @contextmanager
    def testing(self) -> Iterator[WeightsAt]:
        """Measure inside, with loss and metrics from their start on.

        Threads that measure with one trainer take turns; a callback that measures has a moment of
        its own.

        Yields:
            The weights of this moment, which all batches see, whatever is done to them meanwhile.
        """
        with self._testing:
            weights = self.subject.weights
            setting = last_setting()
            newest, arrays = read_together(weights)
            moment = WeightsAt(max(newest, setting), dict(zip(weights, arrays, strict=True)))
            if len(self._moments) == 0:
                self._test_steps.discard_older(moment.change)
            if self._test_measures is not None:
                self._test_measures.reset(self._test_state)
            self._moments.append(moment)
            try:
                yield moment
            finally:
                self._moments.pop()
                others = [outer.change for outer in self._moments]
                if len(others) > 0 and moment.change not in others:
                    self._test_steps.discard(moment.change)

    def stage_test(self, moment: WeightsAt, batch: Batch) -> Staged:
        """Put a batch on the device for measuring; inside `testing`, which gave the moment."""
        arrays = self._arrays(batch)
        kind = (_kind(arrays, len(self._front.tensors)), self._shapes(), moment.change)
        built = self._test_steps.find(kind, moment.change)
        if built is None:
            if self._test_measures is None:
                self._test_measures = self._measures(batch)
            goal = self._goal(self._test_measures, batch, BATCH)
            graph = build_test_step(goal, device=self.device.memory, values=moment.weights)
            runner = StepRunner(graph, self._test_state, training=False)
            built = self._test_steps.keep(kind, moment.change, _Built(goal, runner))
        return built.runner.stage(kind, [arrays])

    def test(self, staged: Staged) -> None:
        """Measure on one batch."""
        self._test_steps[staged.kind].runner.run(staged)

    def test_logs(self) -> Logs:
        """Loss and metrics of measuring since `testing` began, loss first."""
        return {} if self._test_measures is None else self._test_measures.logs(self._test_state)

    def release(self) -> None:
        """Bring weights and slots back to the host; the trainer is of no use afterwards."""
        self._train_state.release()
        self._test_state.release()
        stop_counting(self.compilation.optimizer, self._train_state)

    # Building.

    def _build_train(self, kind: Hashable, goal: Goal, steps: int) -> _Built:
        subject = self.subject
        setting = last_setting()
        newest, frozen = read_together(subject.frozen)
        at = max(newest, setting)
        update = Update(
            self.compilation.optimizer,
            subject.trainable,
            subject.frozen,
            self.slots,
            subject.constrained,
        )
        # Later graphs are built while steps run, which would spoil a measurement.
        choose = self._choose if len(self._train_steps) == 0 else by_rule
        graph = build_train_step(
            goal,
            update,
            device=self.device.memory,
            choose=choose,
            recompute=self.compilation.recompute,
            flat=steps == 1,
            values=dict(zip(subject.frozen, frozen, strict=True)),
        )
        if steps > 1:
            graph = several_steps(graph, steps)
        runner = StepRunner(graph, self._train_state, training=True)
        return self._train_steps.keep(kind, at, _Built(goal, runner))

    def _shapes(self) -> Hashable:
        """Shapes that the model takes: one that data has built may come to take more."""
        return tuple(tensor.shape for tensor in self.subject.inputs)

    def _arrays(self, batch: Batch) -> list[npt.NDArray[Any]]:
        """Inputs, targets and weights of a batch, in the order of the graph's inputs."""
        if batch.y is None:
            raise ValueError("Training and evaluation need targets. Received: y=None")
        arrays = [*self._front.arrays(batch.x), batch.y]
        return arrays if batch.sample_weight is None else [*arrays, batch.sample_weight]

    def _goal(self, measures: Measures, batch: Batch, size: Dim) -> Goal:
        assert batch.y is not None
        weight = batch.sample_weight
        return Goal(
            inputs=self._front.tensors,
            output=self.subject.outputs[0],
            loss=self.compilation.required_loss(),
            tracked=measures.tracked,
            regularized=self.subject.regularized,
            batch=size,
            target_shape=batch.y.shape[1:],
            target_dtype=str(batch.y.dtype.name),
            weight_shape=None if weight is None else weight.shape[1:],
            loss_total=measures.loss_total,
            loss_count=measures.loss_count,
            loss_weight=self.compilation.loss_weight,
        )

    def _measures(self, batch: Batch) -> Measures:
        """Make the accumulators for targets like those of `batch`."""
        assert batch.y is not None
        compilation, output = self.compilation, self.subject.outputs[0]
        return Measures(
            *(compilation.metrics, compilation.weighted_metrics, batch.y.shape, output.shape),
            inside=self.subject.metrics,
        )


def _kind(arrays: Sequence[npt.NDArray[Any]], inputs: int) -> Hashable:
    """The kind of a step graph, apart from the model: targets and whether there are weights."""
    return tuple((array.shape[1:], array.dtype) for array in arrays[inputs:])


def _newest(variables: Iterable[Variable]) -> int:
    """Number of the newest change of any of these."""
    return max((variable._changed_at for variable in variables), default=0)


def _make_slots(weights: Sequence[Variable], optimizer: Optimizer) -> SlotVariables:
    """Optimizer slots of each weight, filled with their start."""
    return {
        weight: {
            name: Variable(
                np.full(weight.shape, start, weight.dtype),
                f"{weight.name}/{name}",
                trainable=False,
                layout=weight._layout,
                path=f"optimizer/{weight.path}/{name}",
            )
            for name, start in optimizer.slots(weight.shape, weight.dtype).items()
        }
        for weight in weights
    }
