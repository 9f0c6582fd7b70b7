"""How well the making of batches is hidden behind the training steps.

Sleeps stand for the work on both sides, 5 ms for a batch and 5 ms for a step, so that the figure
is that of the overlap alone and not of the load of the machine. An epoch is compared with the
slower of the two: an epoch of the same steps on batches that are there at once, and a pass over
the source without steps. 1.0 is the best that can be.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import seqonnx
from seqonnx import layers
from seqonnx.callbacks import Callback
from seqonnx.utils import PyDataset

Item = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


class Slow(PyDataset):
    """A data set whose batches take their time."""

    def __init__(self, count: int, seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self.count, self.seconds = count, seconds

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Item:
        time.sleep(self.seconds)
        return batch()


class Loader:
    """A data loader as it looks from here: an iterable of known length."""

    def __init__(self, count: int, seconds: float) -> None:
        self.count, self.seconds = count, seconds

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Item]:
        return generate(self.count, self.seconds)


class Rows:
    """A data set in a file, whose rows are read when they are asked for."""

    dtype = np.dtype("float32")
    chunks = None

    def __init__(self, count: int, seconds: float, columns: int) -> None:
        self.shape, self.seconds = (count * 32, columns), seconds

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise AssertionError("the whole is never read")

    def __getitem__(self, rows: slice) -> Any:
        time.sleep(self.seconds)
        return np.zeros((rows.stop - rows.start, self.shape[1]), np.float32)


class Step(Callback):
    """Lets each step take its time, and notes how long the epochs took."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.epochs = seconds, []
        self.begun = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self.begun = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Take the time of a step."""
        time.sleep(self.seconds)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Note the seconds."""
        self.epochs.append(time.perf_counter() - self.begun)


def batch() -> Item:
    """A batch."""
    return np.zeros((32, 64), np.float32), np.zeros((32, 1), np.float32)


def generate(count: int, seconds: float) -> Iterator[Item]:
    """Yield batches."""
    for _ in range(count):
        time.sleep(seconds)
        yield batch()


SOURCES: dict[str, Callable[[int, float], Any]] = {
    "generator": generate,
    "loader": Loader,
    "data set in a file": lambda n, s: (Rows(n, s, 64), np.zeros((n * 32, 1), np.float32)),
    "PyDataset, 1 worker": Slow,
    "PyDataset, 2 threads": lambda n, s: Slow(n, s, workers=2),
    "PyDataset, 1 process": lambda n, s: Slow(n, s, workers=1, use_multiprocessing=True),
    "PyDataset, 2 processes": lambda n, s: Slow(n, s, workers=2, use_multiprocessing=True),
}


def epochs(source: Callable[[], Any], step: float, rounds: int) -> list[float]:
    """Seconds of each epoch but the first, which builds the step graph."""
    model = seqonnx.Sequential([seqonnx.Input((64,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    timer = Step(step)
    data = source()
    if isinstance(data, Iterator):
        for _ in range(rounds + 1):
            model.fit(source(), verbose=0, callbacks=[timer])
    elif isinstance(data, tuple):
        model.fit(*data, epochs=rounds + 1, shuffle=False, verbose=0, callbacks=[timer])
    else:
        model.fit(data, epochs=rounds + 1, verbose=0, callbacks=[timer])
    return timer.epochs[1:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=100, help="batches in an epoch")
    parser.add_argument("--rounds", type=int, default=5, help="epochs to measure")
    parser.add_argument("--source-ms", type=float, default=5.0, help="time of a batch")
    parser.add_argument("--step-ms", type=float, default=5.0, help="time of a step")
    args = parser.parse_args()
    count, slow, step = args.batches, args.source_ms / 1000, args.step_ms / 1000
    steps_alone = statistics.median(epochs(lambda: Loader(count, 0.0), step, args.rounds))
    for name, make in SOURCES.items():
        begun = time.perf_counter()
        for _ in generate(count, slow):
            pass
        source_alone = time.perf_counter() - begun
        taken = epochs(lambda make=make: make(count, slow), step, args.rounds)
        ratios = sorted(seconds / max(steps_alone, source_alone) for seconds in taken)
        print(
            f"{name:24} best {ratios[0]:.3f}, median {statistics.median(ratios):.3f}, "
            f"worst {ratios[-1]:.3f} of the slower of the two"
        )


if __name__ == "__main__":
    main()
