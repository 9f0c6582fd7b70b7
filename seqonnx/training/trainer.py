"""Trainer: a compiled model. Holds the step graphs, the state and the counters of a run."""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy.typing as npt

from seqonnx import config
from seqonnx.callbacks.base import Logs
from seqonnx.graph import Dim, Variable, last_setting, read_together
from seqonnx.metrics.base import Accumulator
from seqonnx.optimizers.step_count import count_steps_of, stop_counting
from seqonnx.runtime import Device
from seqonnx.runtime.forking import renewed_in_children
from seqonnx.runtime.noise import GENERATOR
from seqonnx.runtime.session_cache import SessionCache
from seqonnx.symbolic import BATCH, Shape
from seqonnx.training.autotune import Autotuner
from seqonnx.training.batch_sizes import BatchSizes
from seqonnx.training.batches import Batch
from seqonnx.training.blocks import block_for, by_blocks
from seqonnx.training.columns import cast
from seqonnx.training.compilation import Compilation, Progress, Subject
from seqonnx.training.front import Front
from seqonnx.training.goal import SAMPLE_WEIGHT, TARGET, Aim, Feed, Goal
from seqonnx.training.heads import Head, targets_of, weights_of
from seqonnx.training.measures import Measures
from seqonnx.training.runner import Staged, StepRunner
from seqonnx.training.several_steps import several_steps
from seqonnx.training.state import DeviceState
from seqonnx.training.step import StepGraph, Update, build_test_step, build_train_step


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
        self._front = Front(subject.inputs, subject.outputs.tensors)
        self.compilation = compilation
        self.device = device
        if progress is None:
            compilation.optimizer._steps_taken = 0
            slots = compilation.optimizer._slots_for_training(subject.trainable)
            progress = Progress(config.next_seed(), 0, slots, GENERATOR)
        self.seed, self.generator = progress.seed, progress.generator
        self.epochs, self.slots = progress.epochs, progress.slots
        self._train_state = DeviceState(device)
        for counting in compilation.optimizer._inside():
            count_steps_of(counting, self._train_state)
            # An optimizer may outlive the model, whose weights and slots the state holds.
            forget = weakref.finalize(self, stop_counting, counting, self._train_state)
            forget.atexit = False
        self._test_state = DeviceState(device)
        self._train_steps: SessionCache[_Built] = SessionCache()
        self._test_steps: SessionCache[_Built] = SessionCache()
        self._batch_sizes: defaultdict[Hashable, BatchSizes] = defaultdict(BatchSizes)
        self._train_measures: Measures | None = None
        self._test_measures: Measures | None = None
        self._block = block_for(device)
        self._choose = Autotuner(device, block=self._block) if compilation.autotune else None
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
        return self.compilation.optimizer._steps_taken

    @property
    def optimizer_variables(self) -> list[Variable]:
        """Slots of all trained weights, interleaved by weight; then what is of no weight."""
        slots = [s for weight in self.subject.trainable for s in self.slots[weight].values()]
        return [*slots, *self.compilation.optimizer._state_variables]

    @property
    def metrics(self) -> list[Accumulator]:
        """The metrics, as the first data has resolved them; none before."""
        measures = self._train_measures or self._test_measures
        return [] if measures is None else [tracked.metric for tracked in measures.tracked]

    @property
    def target_shapes(self) -> Sequence[Shape | None] | None:
        """Shapes of the targets of the outputs, batch first, in the first data; None before."""
        measures = self._train_measures or self._test_measures
        return None if measures is None else measures.targets

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
        before = optimizer._steps_taken
        taken = range(before, before + staged.steps)
        owners = optimizer._rate_owners()
        rates = [[each._learning_rate_at(number) for number in taken] for each in owners]
        built.runner.run(staged, *rates, [number + 1 for number in taken])

    def finish_training(self) -> None:
        """Put the moving averages of an optimizer that keeps some in the place of the weights."""
        optimizer = self.compilation.optimizer
        if optimizer._averages_weights:
            optimizer.finalize_variable_values(self.subject.trainable)

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
        for counting in self.compilation.optimizer._inside():
            stop_counting(counting, self._train_state)

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
        tuned = self._choose if len(self._train_steps) == 0 else None
        graph = build_train_step(
            goal,
            update,
            device=self.device.memory,
            choose=tuned or by_blocks(self._block),
            recompute=self.compilation.recompute,
            flat=steps == 1,
            values=dict(zip(subject.frozen, frozen, strict=True)),
            block=self._block,
        )
        if steps > 1:
            graph = several_steps(graph, steps)
        runner = StepRunner(graph, self._train_state, training=True)
        return self._train_steps.keep(kind, at, _Built(goal, runner))

    def _shapes(self) -> Hashable:
        """Shapes that the model takes: one that data has built may come to take more."""
        return tuple(tensor.shape for tensor in self.subject.inputs)

    @cached_property
    def _heads(self) -> list[Head]:
        """The outputs, with their losses and metrics."""
        return self.compilation.heads(self.subject.outputs)

    def _arrays(self, batch: Batch) -> list[npt.NDArray[Any]]:
        """Inputs, targets and weights of a batch, in the order of the graph's inputs."""
        fed = [(feed, array) for pair in self._fed(batch) for feed, array in pair.items()]
        data = {feed: cast(array, feed.dtype) for feed, array in fed}
        return [*self._front.arrays(batch.x), *data.values()]

    def _fed(self, batch: Batch) -> list[dict[Feed, npt.NDArray[Any]]]:
        """Targets and sample weights of each head, as they enter the graph."""
        heads = self._heads
        targets, weights = targets_of(heads, batch.y), weights_of(heads, batch.sample_weight)
        each = len({id(weight) for weight in weights}) > 1
        found: list[dict[Feed, npt.NDArray[Any]]] = []
        for head, target, weight in zip(heads, targets, weights, strict=True):
            own = f"/{head.names[0]}" if len(heads) > 1 else ""
            data: dict[Feed, npt.NDArray[Any]] = {}
            if target is not None and head.is_measured:
                loss = head.loss_for(target.shape)
                kind = "float32" if loss is None else loss._target_dtype
                data[Feed(TARGET + own, kind, target.shape[1:])] = target
                if weight is not None:
                    name = SAMPLE_WEIGHT + (own if each else "")
                    data[Feed(name, "float32", weight.shape[1:])] = weight
            found.append(data)
        return found

    def _goal(self, measures: Measures, batch: Batch, size: Dim) -> Goal:
        fed = [list(feeds) for feeds in self._fed(batch)]
        aims = [
            Aim(
                head.output,
                feeds[0] if len(feeds) > 0 else None,
                feeds[1] if len(feeds) > 1 else None,
                head.loss_for(target.shape) if target is not None else None,
                head.loss_weight,
                measures.loss_totals.get(number),
            )
            for number, (head, feeds, target) in enumerate(
                zip(self._heads, fed, targets_of(self._heads, batch.y), strict=True)
            )
        ]
        return Goal(
            inputs=self._front.tensors,
            aims=aims,
            feeds=list(dict.fromkeys(feed for feeds in fed for feed in feeds)),
            tracked=measures.tracked,
            regularized=self.subject.regularized,
            batch=size,
            loss_total=measures.loss_total,
            loss_count=measures.loss_count,
        )

    def _measures(self, batch: Batch) -> Measures:
        """Make the accumulators for targets like those of `batch`."""
        shapes = [None if y is None else y.shape for y in targets_of(self._heads, batch.y)]
        return Measures(self._heads, shapes, inside=self.subject.metrics)


def _kind(arrays: Sequence[npt.NDArray[Any]], inputs: int) -> Hashable:
    """The kind of a step graph, apart from the model: targets and whether there are weights."""
    return tuple((array.shape[1:], array.dtype) for array in arrays[inputs:])


def _newest(variables: Iterable[Variable]) -> int:
    """Number of the newest change of any of these."""
    return max((variable._changed_at for variable in variables), default=0)
