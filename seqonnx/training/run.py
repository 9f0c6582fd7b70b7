"""A run of `fit` that can be saved between two steps, and taken up by another bit for bit.

A file holds all that the next step depends on: weights, slots, accumulators of loss and metrics
and states of layers; counters, seed and learning rate; the epoch and the place in it. The order of
the samples follows from seed and epoch.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.errors import ModelFileError
from seqonnx.graph import Variable, assign_together, last_setting, read_together
from seqonnx.graph.damage import reading
from seqonnx.graph.writing import replacing
from seqonnx.runtime.forking import making
from seqonnx.training.batch_sizes import BatchSizes
from seqonnx.training.batches import Batch, Batches
from seqonnx.training.runner import Staged, StepRunner
from seqonnx.training.step import StepGraph
from seqonnx.training.trainer import Trainer

_FACTS = "facts"
"""The entry of a file that holds the plain values, as JSON."""

_FORMAT = 1


class Run:
    """One call of `fit`.

    Args:
        trainer: the compiled model.
        batches: training data.

    Attributes:
        watched: whether someone may save it; without, it costs nothing.
    """

    def __init__(self, trainer: Trainer, batches: Batches) -> None:
        self._trainer = trainer
        self._batches = batches
        self._first = trainer.epochs
        self._epoch: int | None = None
        self._done = 0
        self._ahead: deque[dict[str, Any]] = deque()
        self._sizes: dict[str, Any] = {}
        self._graph: StepGraph | None = None
        self._left: dict[str, npt.NDArray[Any]] = {}
        self._last: Batch | None = None
        self._kind: Hashable = None
        self._profiled: tuple[Hashable, Any, StepRunner] | None = None
        self.watched = False

    @property
    def steps_per_execution(self) -> int:
        """The most batches between two calls of `on_train_batch_end`."""
        return self._trainer.compilation.steps_per_execution

    # For those who save.

    def save(self, path: Path, epoch: int, batch: int) -> None:
        """Write the run as it is between two steps.

        Args:
            path: the file, which is replaced once the new one is whole.
            epoch: number of the epoch to go on with, from 0.
            batch: how many of its batches are done.

        Raises:
            OSError: if the file cannot be written.
        """
        trainer = self._trainer
        known, others = _known(trainer), self._others()
        # One model at a time: two that each train what the other holds would wait for each other.
        with making(), trainer.at_rest():
            _, values = read_together([*known, *others.values()])
            facts = self._facts(epoch, batch)
        names = [*_keys(known), *(f"others/{name}" for name in others)]
        entries: dict[str, Any] = dict(zip(names, map(_storable, values), strict=True))
        entries[_FACTS] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        with replacing(path) as file:
            np.savez(file, **entries)

    def restore(self, path: Path) -> None:
        """Go on where the run in a file was; call this before the first epoch.

        Raises:
            ModelFileError: if the file is damaged, or is of another model.
        """
        with reading(path), path.open("rb") as file:
            held = np.load(file, allow_pickle=False)
            arrays = {name: held[name] for name in held.files}
            facts = json.loads(arrays.pop(_FACTS).tobytes())
            found = self._matched(arrays, path)
            self._take_over(facts)
        assign_together(found)
        self._left = {
            name.removeprefix("others/"): array
            for name, array in arrays.items()
            if name.startswith("others/")
        }

    # For those who profile.

    def start_profile(self, path: Path) -> None:
        """Profile the steps to come that are of the kind of the one that begins.

        Args:
            path: where `stop_profile` leaves the trace, in Chrome's format.
        """
        if self._kind is None or self._profiled is not None:
            return
        trainer, kind = self._trainer, self._kind
        built = trainer._train_steps[kind]
        graph, state = built.runner.graph, trainer._train_state
        runner = StepRunner(graph, state, training=True, profile=path)
        at = max(trainer._frozen_at, last_setting())
        trainer._train_steps.keep(kind, at, replace(built, runner=runner))
        self._profiled = (kind, built, runner)

    def stop_profile(self) -> None:
        """Write the trace, and go on without the profiler's cost."""
        if self._profiled is None:
            return
        kind, built, runner = self._profiled
        self._profiled = None
        self._trainer._train_state.wait()
        runner.end_profile()
        at = max(self._trainer._frozen_at, last_setting())
        self._trainer._train_steps.keep(kind, at, built)

    # For the loop.

    def epochs(self, wanted: range) -> range:
        """Return the numbers of the epochs that are left of those wanted."""
        if self._epoch is None:
            return wanted
        if self._batches.limited:
            # An epoch goes on in the pass over the data where the one before ended.
            for number in range(self._first, self._trainer.epochs):
                if self._batches.ready():
                    for _ in self._batches.epoch(order_of(self._trainer, number)):
                        pass
        return range(self._epoch, wanted.stop)

    def begin_epoch(self) -> int:
        """Return how many batches of the epoch that begins are done: 0 but for the first."""
        done, self._done = self._done, 0
        if done == 0:
            self._left = {}
        self._ahead.clear()
        return done

    def after(self, batches: Iterator[Batch], done: int) -> Iterator[Batch]:
        """Yield the batches of an epoch without those that are done."""
        skipped = [batch for _, batch in zip(range(done), batches, strict=False)]
        self._last = skipped[-1] if len(skipped) > 0 else None
        yield from batches

    def staged(self) -> None:
        """Note that a batch was staged; in the order, and the thread, of the staging."""
        if self.watched:
            self._ahead.append(_sizes_of(self._trainer._batch_sizes))

    def begin_step(self, staged: Staged) -> None:
        """Put accumulators back before the first step of an epoch that others have begun."""
        self._kind = staged.kind
        if len(self._left) > 0:
            self._put_back(self._trainer.step_graph(staged))

    def end_step(self, staged: Staged) -> None:
        """Note that what was staged is done."""
        if self.watched:
            self._graph = self._trainer.step_graph(staged)
            self._sizes = self._ahead.popleft()

    def end_epoch(self) -> None:
        """Put accumulators back where all of an epoch was done, so that its logs are right."""
        if len(self._left) > 0 and self._last is not None:
            trainer, sizes = self._trainer, self._trainer._batch_sizes
            trainer._batch_sizes = defaultdict(BatchSizes)  # this batch has been counted
            graph = trainer.step_graph(trainer.stage_train([self._last], trainer.step))
            trainer._batch_sizes = sizes
            self._put_back(graph)
            self._graph = graph

    # Parts of the file.

    def _facts(self, epoch: int, batch: int) -> dict[str, Any]:
        """The plain values of a file."""
        trainer = self._trainer
        optimizer = trainer.compilation.optimizer
        fixed = not callable(getattr(optimizer, "_rate", callable))
        return {
            "format": _FORMAT,
            "epoch": epoch,
            "batch": batch,
            "first": self._first,
            "epochs": trainer.epochs,
            "step": trainer.step,
            "seed": trainer.seed,
            "generator": trainer.generator,
            "learning_rate": float(optimizer.learning_rate) if fixed else None,
            "sizes": self._sizes,
        }

    def _take_over(self, facts: Mapping[str, Any]) -> None:
        """Set counters, seed and place."""
        if facts["format"] != _FORMAT:
            raise ModelFileError(
                f"its format is {facts['format']}, and this version of seqonnx reads {_FORMAT}."
            )
        trainer = self._trainer
        self._epoch, self._done = int(facts["epoch"]), int(facts["batch"])
        self._first, self._sizes = int(facts["first"]), facts["sizes"]
        # An epoch that was begun is begun again.
        trainer.epochs = int(facts["epochs"]) - (self._done > 0)
        trainer.seed, trainer.generator = int(facts["seed"]), str(facts["generator"])
        trainer._batch_sizes = _Remembered(facts["sizes"])
        optimizer = trainer.compilation.optimizer
        optimizer.iterations = int(facts["step"])
        if facts["learning_rate"] is not None:
            optimizer.learning_rate = facts["learning_rate"]

    def _matched(
        self, arrays: Mapping[str, npt.NDArray[Any]], path: Path
    ) -> list[tuple[Variable, npt.NDArray[Any]]]:
        """Weights and slots with their values."""
        known = _known(self._trainer)
        # By number: names of layers may be numbered otherwise in another process.
        held = {name.split("/")[1]: array for name, array in arrays.items() if _is_known(name)}
        if len(held) != len(known):
            raise ModelFileError(
                f"{path} is of another model: it holds {len(held)} weights and slots of the "
                f"optimizer, and this one has {len(known)}. Remove it to start anew."
            )
        found = []
        for number, variable in enumerate(known):
            array = _as_type(held[str(number)], variable)
            if array.shape != variable._stored_shape:
                raise ModelFileError(
                    f"{path} is of another model: {variable.path} has the shape "
                    f"{variable._stored_shape}, and {array.shape} there. Remove it to start anew."
                )
            found.append((variable, array))
        return found

    def _others(self) -> dict[str, Variable]:
        """Accumulators and states of layers, which steps change too, by the name in their graph."""
        if self._graph is None:
            return {}
        known = set(_known(self._trainer))
        return {name: v for v, name in self._graph.writes.items() if v not in known}

    def _put_back(self, graph: StepGraph) -> None:
        """Give accumulators and states of layers the values that they had."""
        for variable, name in graph.writes.items():
            if name in self._left:
                value = _as_type(self._left[name], variable)
                self._trainer._train_state.overwrite(variable, value)
        self._left = {}


class _Remembered(defaultdict[Hashable, BatchSizes]):
    """The sizes of batches that another process has seen, by the text of their kind."""

    def __init__(self, seen: Mapping[str, Any]) -> None:
        super().__init__(BatchSizes)
        self._seen = seen

    def __missing__(self, kind: Hashable) -> BatchSizes:
        found = BatchSizes.of(self._seen.get(repr(kind), [[], []]))
        self[kind] = found
        return found


def order_of(trainer: Trainer, number: int) -> np.random.Generator:
    """Return the source of the order of the samples in an epoch.

    Args:
        trainer: the compiled model.
        number: number of the epoch among all that the model was trained for.
    """
    return np.random.default_rng([trainer.seed, number])


def _sizes_of(sizes: Mapping[Hashable, BatchSizes]) -> dict[str, Any]:
    """The state of each, as `_Remembered` takes it."""
    return {repr(kind): chosen.state() for kind, chosen in sizes.items()}


def _known(trainer: Trainer) -> list[Variable]:
    """Weights and slots, in an order that the model alone decides."""
    return [*trainer.subject.weights, *trainer.optimizer_variables]


def _keys(variables: Sequence[Variable]) -> list[str]:
    return [f"known/{number}/{variable.path}" for number, variable in enumerate(variables)]


def _is_known(name: str) -> bool:
    return name.startswith("known/")


def _storable(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array of a dtype that NumPy has; others by their bits."""
    return array.view(np.uint16) if array.dtype.name == "bfloat16" else array


def _as_type(array: npt.NDArray[Any], variable: Variable) -> npt.NDArray[Any]:
    """An array out of a file in the dtype of its variable."""
    return array.view(variable.dtype) if variable.dtype == "bfloat16" else array
