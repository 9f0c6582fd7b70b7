"""ProgbarLogger and Progbar: progress for a run, and for a loop of one's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from seqonnx.callbacks.base import Callback, Logs, ordered, plain
from seqonnx.callbacks.progress_line import INTERVAL, WIDTH, Clock, ProgressLine
from seqonnx.callbacks.screen import Screen

if TYPE_CHECKING:
    from rich.console import Console

# With verbose="auto", an evaluation or a prediction shorter than this writes nothing.
_PATIENCE = 2.0


class ProgbarLogger(Callback):
    """Shows the progress of a run, as `verbose` of `fit`, `evaluate` or `predict` says.

    `verbose` 0 writes nothing; 1 draws a bar that grows, and one last line where the output is no
    terminal; 2 writes a line per epoch; `"auto"` is 1 on a terminal or in a notebook and 2
    elsewhere, and leaves out an evaluation or prediction that takes less than 2 s.

    Args:
        clock: gives the time, in seconds.

    Example:
        >>> model.fit(x, y, callbacks=[ProgbarLogger()])  # doctest: +SKIP
    """

    def __init__(self, *, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self._verbose: int | str = "auto"
        self._epochs = 1
        self._steps: int | None = None
        self._in_fit = False
        self._line: ProgressLine | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Receive `verbose`, `epochs` and `steps`."""
        super().set_params(params)
        self._verbose = params.get("verbose", "auto")
        self._epochs = params.get("epochs", 1)
        self._steps = params.get("steps")

    def _batch_done(
        self, mode: Literal["train", "test", "predict"], batch: int, read_logs: Callable[[], Logs]
    ) -> None:
        """Note that a batch is done; read the metrics and draw only when it is time to."""
        if self._line is None or (self._in_fit and mode != "train"):
            return
        if mode == "predict":
            self._line.update(batch + 1, dict)
        else:
            self._line.update(batch + 1, lambda: ordered(read_logs()))

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Remember that validation belongs to the epoch's line."""
        self._in_fit = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Evaluations have lines of their own again."""
        self._in_fit = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Write `Epoch 1/2` and start a line."""
        if self._epochs > 1 and self._resolved() in {1, 2}:
            self._used_screen().line(f"Epoch {epoch + 1}/{self._epochs}")
        self._begin(0.0)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the line for good, with the validation metrics."""
        self._finish(logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Start a line, unless this is the validation in a fit."""
        if not self._in_fit:
            self._begin(_PATIENCE if self._verbose == "auto" else 0.0)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Write the line for good."""
        if not self._in_fit:
            self._finish(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Start a line."""
        self._begin(_PATIENCE if self._verbose == "auto" else 0.0)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Write the line for good."""
        self._finish(None)

    def _begin(self, delay: float) -> None:
        """Start a line."""
        verbose = self._resolved()
        self._line = None
        if verbose in {1, 2}:
            self._line = ProgressLine(
                self._steps, self._used_screen(), verbose=verbose, delay=delay, clock=self._clock
            )

    def _finish(self, logs: Logs | None) -> None:
        """Write the line for good."""
        if self._line is not None:
            self._line.finish(self._line.seen, {} if logs is None else logs)
            if self._steps is None:
                # Now the number of steps is known: later epochs of this run can show a bar.
                self._steps = self._line.seen
            self._line = None

    def _resolved(self) -> int:
        """`verbose` as a number."""
        if self._verbose == "auto":
            return 1 if self._used_screen().is_live else 2
        if not isinstance(self._verbose, int):
            raise ValueError(f"`verbose` must be 'auto', 0, 1 or 2. Received: {self._verbose!r}")
        return int(self._verbose)

    def _used_screen(self) -> Screen:
        """The screen of the run."""
        if self._screen is None:
            self._screen = Screen()
        return self._screen


class Progbar:
    """A progress bar for a loop of one's own.

    Args:
        target: number of steps; None if it is not known.
        width: length of the bar in characters.
        verbose: 0 nothing, 1 a bar, 2 one line at the end.
        interval: least time between two drawings, in seconds.
        stateful_metrics: names of values to show as they are; the others are averaged over the
            steps.
        stateless_metrics: names of values to average; the others are shown as they are. Not
            together with `stateful_metrics`.
        unit_name: what a step is called.
        console: where to write; default: standard output.
        clock: gives the time, in seconds.

    Example:
        >>> bar = Progbar(3)
        >>> for step in range(3):
        ...     bar.update(step + 1, [("loss", 1.0)])  # doctest: +SKIP
        3/3 ━━━━━━━━━━━━━━━━━━━━ 0s 1ms/step - loss: 1.0000
    """

    def __init__(
        self,
        target: int | None,
        width: int = WIDTH,
        verbose: int = 1,
        interval: float = INTERVAL,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
        *,
        console: Console | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Only one of `stateful_metrics` or `stateless_metrics` can be provided. Received: "
                f"stateful_metrics={stateful_metrics}, stateless_metrics={stateless_metrics}"
            )
        self.target = target
        self._stateful = frozenset(stateful_metrics or ())
        self._stateless = None if stateless_metrics is None else frozenset(stateless_metrics)
        self._sums: dict[str, tuple[Any, int]] = {}  # sum and number of steps
        self._finished = False
        self._line = ProgressLine(
            target,
            Screen(console),
            verbose=verbose,
            width=width,
            interval=interval,
            unit=unit_name,
            clock=clock,
        )

    def update(
        self,
        current: int,
        values: Iterable[tuple[str, Any]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Show that `current` steps are done.

        Args:
            current: number of steps done.
            values: `(name, value)` pairs to show.
            finalize: whether this is the last update; default: when `current` reaches `target`.
        """
        steps = max(current - self._line.seen, 1)
        for name, value in values or ():
            total, count = self._sums.get(name, (0.0, 0))
            if self._as_it_is(name) or isinstance(value, str):
                self._sums[name] = (value, 1)
            else:
                self._sums[name] = (total + plain(value) * steps, count + steps)
        self._line.update(current, self._means)
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        if finalize and not self._finished:
            self._finished = True
            self._line.finish(current, self._means())

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Show that `n` more steps are done."""
        self.update(self._line.seen + n, values)

    def _as_it_is(self, name: str) -> bool:
        """Whether a value is shown without an average."""
        return name in self._stateful if self._stateless is None else name not in self._stateless

    def _means(self) -> dict[str, Any]:
        """The values to show."""
        return {
            name: total if count == 1 else total / count
            for name, (total, count) in self._sums.items()
        }
