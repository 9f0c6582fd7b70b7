"""Workers: threads or processes that make the batches of a data set ahead of time, in order."""

from __future__ import annotations

import itertools
import pickle
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from seqonnx.data.worker_process import WorkerProcess

T = TypeVar("T")
Make = Callable[[int], Any]
"""Makes the batch of a number."""

# A thread in the middle of a batch cannot be stopped; it is a daemon and is left alone.
_PATIENCE: Final = 10.0
# A process can be, and has nothing to lose.
_PATIENCE_WITH_PROCESSES: Final = 1.0
# Batches that a process is asked for at a time: while one is sent, it makes the next.
_ASKED: Final = 2


@dataclass(frozen=True)
class _Task(Generic[T]):
    """A batch that is wanted.

    Args:
        index: its number.
        work: finishes it, in the worker's thread: takes its number and what makes it.
        data: the pickled data set that makes it; none for threads, which have it.
        seed: seed of the numbers that are drawn in processes.
        result: what came of it.
    """

    index: int
    work: Callable[[int, Make], T]
    data: bytes
    seed: int
    result: Future[T]


_Tasks = queue.SimpleQueue[_Task[T] | None]


class Workers(Generic[T]):
    """Threads or processes that make batches at the same time.

    Each worker is a thread; for processes, each thread has one, and waits for it. They start when
    items are asked for, and live until `close`; after that, other ones start.

    Args:
        data: the data set, asked for its items by their number.
        count: number of workers.
        processes: whether they are processes.
    """

    def __init__(self, data: Any, count: int, *, processes: bool) -> None:
        self._data = data
        self._count = count
        self._in_processes = processes
        self._pickled: bytes | None = None
        self._tasks: _Tasks[T] = queue.SimpleQueue()
        self._processes: list[WorkerProcess] = []
        self._threads: list[threading.Thread] = []

    def items(
        self,
        work: Callable[[int, Make], T],
        order: Iterable[int],
        most: int,
        seed: int,
        known: Mapping[int, T] | None = None,
    ) -> Generator[T, None, None]:
        """Yield batches in the order of their numbers.

        Args:
            work: finishes a batch, in the worker's thread: takes its number and what makes it.
            order: the numbers; drawn no sooner than there is room for a batch.
            most: most batches that are being made, or wait.
            seed: seed of the numbers that are drawn in processes.
            known: batches that are there already, by their numbers.

        Raises:
            TypeError: if the data set cannot go to a process.
            RuntimeError: if a process dies.
            BaseException: whatever the making of a batch raises, in its place.
        """
        data = self._data_now() if self._in_processes else b""
        if len(self._threads) == 0:
            self._start()
        waiting: deque[Future[T]] = deque()
        numbers = iter(order)
        try:
            while True:
                for index in itertools.islice(numbers, most - len(waiting)):
                    task: _Task[T] = _Task(index, work, data, seed, Future())
                    waiting.append(task.result)
                    if known is not None and index in known:
                        task.result.set_result(known[index])
                    else:
                        self._tasks.put(task)
                if len(waiting) == 0:
                    return
                yield waiting.popleft().result()
        finally:
            for result in waiting:
                result.cancel()

    def close(self) -> None:
        """End the workers; a batch that a thread is making is still made."""
        for _ in self._threads:
            self._tasks.put(None)
        self._join(_PATIENCE_WITH_PROCESSES if self._in_processes else _PATIENCE)
        for process in self._processes:
            process.end(_PATIENCE_WITH_PROCESSES)
        self._join(_PATIENCE)
        self._tasks, self._threads, self._processes = queue.SimpleQueue(), [], []

    def _start(self) -> None:
        """Start all workers."""
        for _ in range(self._count):
            serve: Callable[[], None] = partial(_serve, self._tasks, self._data)
            if self._in_processes:
                process = WorkerProcess(type(self._data).__name__)
                self._processes.append(process)
                serve = partial(_serve_by_process, self._tasks, process, self._count - 1)
            thread = threading.Thread(target=serve, name="seqonnx-worker", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _join(self, patience: float) -> None:
        """Wait for the threads, all together for no longer than some seconds."""
        until = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _data_now(self) -> bytes:
        """The data set as it is now, for processes; the same object if it is what it was."""
        try:
            pickled = pickle.dumps(self._data, pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise TypeError(
                f"{type(self._data).__name__} cannot go to worker processes: {error}. Open files "
                "and make functions in `__getitem__`, define the class in a module, or use "
                "threads by `use_multiprocessing=False`."
            ) from error
        if pickled != self._pickled:
            self._pickled = pickled
        return self._pickled


def _serve(tasks: _Tasks[Any], data: Any) -> None:
    """Do one task after the other; runs in the thread of a worker."""
    while (task := tasks.get()) is not None:
        if task.result.set_running_or_notify_cancel():
            _finish(task, data.__getitem__)
        del task  # which holds on to the data, while this thread waits


def _serve_by_process(tasks: _Tasks[Any], process: WorkerProcess, others: int) -> None:
    """Have a process do one task after the other; runs in the thread that waits for it.

    A process that is told what comes next only after its batch has been taken idles meanwhile: with
    5 ms for a batch and 5 ms for a step, an epoch took 1.17 of the time of either (measured).

    Args:
        tasks: what there is to do.
        process: what does it.
        others: number of other workers.
    """
    asked: deque[_Task[Any]] = deque()
    while (task := tasks.get()) is not None:
        while task is not None or len(asked) > 0:
            if task is not None and task.result.set_running_or_notify_cancel():
                process.ask(task.data, task.seed, task.index)
                asked.append(task)
            if len(asked) == _ASKED or (task is None and len(asked) > 0):
                first = asked.popleft()
                _finish(first, process.answer)
                del first
            task = _another(tasks, process, others)
    process.dismiss()


def _another(tasks: _Tasks[T], process: WorkerProcess, others: int) -> _Task[T] | None:
    """A task for a process that has one to do; None where other workers want those that are."""
    if tasks.qsize() <= others:
        return None
    try:
        task = tasks.get_nowait()
    except queue.Empty:
        return None
    if task is None or not process.has(task.data):
        tasks.put(task)  # its turn comes when the process has nothing to do
        return None
    return task


def _finish(task: _Task[Any], make: Make) -> None:
    """Do a task whose turn it is."""
    try:
        task.result.set_result(task.work(task.index, make))
    except BaseException as error:  # whatever it is, it belongs to the consumer
        task.result.set_exception(error)
