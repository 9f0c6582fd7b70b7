"""The loops: fit, evaluate, predict. They move batches; all mathematics is in the graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.callbacks import CallbackList
from seqonnx.callbacks.base import Logs
from seqonnx.data.prefetch import prefetch
from seqonnx.structures import mapped, put_back
from seqonnx.training.batches import Batch, Batches
from seqonnx.training.forward import Forward
from seqonnx.training.run import Run, order_of
from seqonnx.training.runner import Staged
from seqonnx.training.trainer import Trainer


@dataclass(frozen=True)
class Validation:
    """Data to measure on after epochs.

    Args:
        batches: the data.
        frequency: every how many epochs, or the epochs (counted from 1) themselves.
    """

    batches: Batches
    frequency: int | Sequence[int] = 1

    def due(self, epoch: int) -> bool:
        """Whether epoch number `epoch` (counted from 0) is one of them."""
        if isinstance(self.frequency, int):
            return (epoch + 1) % self.frequency == 0
        return epoch + 1 in self.frequency


def fit(
    trainer: Trainer,
    batches: Batches,
    callbacks: CallbackList,
    *,
    epochs: range,
    validation: Validation | None,
    stopped: Callable[[], bool],
) -> None:
    """Train.

    Args:
        trainer: the compiled model.
        batches: training data.
        callbacks: told about everything that happens.
        epochs: numbers of the epochs to run.
        validation: data to measure on, or None.
        stopped: whether a callback has asked to stop; asked after every batch and epoch.
    """
    run = Run(trainer, batches)
    callbacks._set_run(run)
    measured_on = nullcontext() if validation is None else closing(validation.batches)
    with measured_on, closing(batches), closing(callbacks):
        callbacks.on_train_begin()
        logs: Logs = {}
        for epoch in run.epochs(epochs):
            if not batches.ready():
                break
            callbacks.on_epoch_begin(epoch)
            _train_epoch(trainer, batches, callbacks, stopped, run)
            logs = trainer.train_logs()
            if validation is not None and validation.due(epoch):
                measured = _measure(trainer, validation.batches, callbacks)
                logs.update({f"val_{name}": value for name, value in measured.items()})
            callbacks.on_epoch_end(epoch, logs)
            if stopped():
                break
        if epochs.stop > 0:
            trainer.finish_training()
        callbacks.on_train_end(logs)


def evaluate(trainer: Trainer, batches: Batches, callbacks: CallbackList) -> Logs:
    """Return loss and metrics over `batches`, loss first."""
    with closing(batches), closing(callbacks):
        return _measure(trainer, batches, callbacks)


def predict(
    forward: Callable[[], Forward], batches: Batches, callbacks: CallbackList
) -> list[list[npt.NDArray[Any]]]:
    """Return the outputs of every batch.

    Args:
        forward: gives the forward pass, which data of another size may have changed.
        batches: the data.
        callbacks: told about every batch.
    """
    collected: list[list[npt.NDArray[Any]]] = []
    with closing(batches), closing(callbacks):
        callbacks.on_predict_begin()
        compute = forward()
        newest = compute.current()  # and so it stays, whatever others do to the weights
        with closing(prefetch(batches.epoch(None), batches.depth)) as stream:
            for index, batch in enumerate(stream):
                callbacks.on_predict_batch_begin(index)
                if forward() is not compute:  # this batch has sizes of its own
                    compute = forward()
                    newest = compute.current()
                outputs = newest.run(batch.x)
                collected.append(outputs)
                callbacks._batch_done("predict", index, dict, outputs=compute.structured(outputs))
        callbacks.on_predict_end()
    return collected


def predict_own(step: Callable[[Any], Any], batches: Batches, callbacks: CallbackList) -> list[Any]:
    """Return what a step of the user's gives for every batch.

    Args:
        step: gives arrays for a batch.
        batches: the data.
        callbacks: told about every batch.
    """
    collected: list[Any] = []
    with closing(callbacks):
        callbacks.on_predict_begin()
        with closing(prefetch(batches.epoch(None), batches.depth)) as stream:
            for index, batch in enumerate(stream):
                callbacks.on_predict_batch_begin(index)
                outputs = step(put_back(batch.structure, batch.x))
                collected.append(outputs)
                callbacks._batch_done("predict", index, dict, outputs=outputs)
        callbacks.on_predict_end()
    return collected


def _measure(trainer: Trainer, batches: Batches, callbacks: CallbackList) -> Logs:
    """Run the measuring step over `batches`; no logs, if they have run out."""
    callbacks.on_test_begin()
    with trainer.testing() as moment:
        source = map(partial(trainer.stage_test, moment), batches.epoch(None))
        seen = 0
        with closing(prefetch(source, batches.depth)) as stream:
            for staged in stream:
                callbacks.on_test_batch_begin(seen)
                trainer.test(staged)
                callbacks._batch_done("test", seen, trainer.test_logs)
                seen += 1
        # Of no batch the loss would be 0, the best there is.
        logs = trainer.test_logs() if seen > 0 else {}
    callbacks.on_test_end(logs)
    return logs


def _train_epoch(
    trainer: Trainer,
    batches: Batches,
    callbacks: CallbackList,
    stopped: Callable[[], bool],
    run: Run,
) -> None:
    """Run one epoch, or the part of it until a callback asks to stop."""
    done = run.begin_epoch()
    order = order_of(trainer, trainer.epochs)
    trainer.epochs += 1
    trainer.begin_training()
    source = _staged(trainer, run.after(batches.epoch(order), done), run)
    with closing(prefetch(source, batches.depth)) as stream:
        for staged in stream:
            run.begin_step(staged)
            callbacks.on_train_batch_begin(done)
            trainer.train(staged)
            run.end_step(staged)
            done += staged.steps
            callbacks._batch_done("train", done - 1, trainer.train_logs)
            if stopped():
                break
    run.end_epoch()


def _staged(trainer: Trainer, batches: Iterator[Batch], run: Run) -> Iterator[Staged]:
    """Stage batches for the steps to come; runs in the prefetching thread."""
    step = trainer.step
    for group in _groups(batches, trainer.compilation.steps_per_execution):
        staged = trainer.stage_train(group, step)
        run.staged()
        yield staged
        step += len(group)


def _groups(batches: Iterator[Batch], most: int) -> Iterator[list[Batch]]:
    """Put `most` batches of one kind together; what does not come to that many stays single."""
    group: list[Batch] = []
    for batch in batches:
        if len(group) > 0 and _kind(batch) != _kind(group[0]):
            yield from ([single] for single in group)
            group = []
        group.append(batch)
        if len(group) == most:
            yield group
            group = []
    yield from ([single] for single in group)


def _kind(batch: Batch) -> list[object]:
    """Shape and type of everything in a batch."""
    shapes = partial(mapped, lambda array: (array.shape, array.dtype), kind=np.ndarray)
    return [shapes(list(batch.x)), shapes(batch.y), shapes(batch.sample_weight)]
