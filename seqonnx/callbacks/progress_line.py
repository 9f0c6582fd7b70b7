"""One line of progress: a bar with times and metrics, redrawn while it grows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from seqonnx.callbacks.screen import Screen

if TYPE_CHECKING:
    from rich.text import Text

Clock = Callable[[], float]

INTERVAL: Final = 0.05
WIDTH: Final = 20


class ProgressLine:
    """The progress of one pass over the data.

    Args:
        target: number of steps; None if it is not known.
        screen: where to write.
        verbose: 0 nothing, 1 a bar, 2 one line at the end.
        width: length of the bar in characters.
        interval: least time between two drawings, in seconds.
        delay: time that must pass before anything is written, in seconds.
        unit: what a step is called.
        clock: gives the time, in seconds.

    Example:
        >>> line = ProgressLine(4, Screen(), verbose=2)
        >>> line.finish(4, {"loss": 0.5})  # doctest: +SKIP
        4/4 - 0s - 1ms/step - loss: 0.5000
    """

    def __init__(
        self,
        target: int | None,
        screen: Screen,
        *,
        verbose: int = 1,
        width: int = WIDTH,
        interval: float = INTERVAL,
        delay: float = 0.0,
        unit: str = "step",
        clock: Clock = time.perf_counter,
    ) -> None:
        self.target = target
        self.seen = 0
        self._screen = screen
        self._verbose = verbose
        self._width = width
        self._interval = interval
        self._unit = unit
        self._clock = clock
        self._start = clock()
        self._earliest = self._start + delay
        self._next_drawing = self._earliest
        self._after_first: float | None = None
        self._live = verbose == 1 and screen.is_live

    def update(self, seen: int, read: Callable[[], dict[str, Any]]) -> None:
        """Note how many steps are done; draw the bar if its time has come.

        Args:
            seen: number of steps done.
            read: gives the metrics by name; called only to draw.
        """
        self.seen = seen
        if self._after_first is None:
            self._after_first = self._clock()
        if self._live and (now := self._clock()) >= self._next_drawing:
            self._screen.draw(self._bar(now, read(), final=False))
            self._next_drawing = now + self._interval

    def finish(self, seen: int, metrics: dict[str, Any]) -> None:
        """Write the line for good, with its final metrics."""
        self.seen = seen
        now = self._clock()
        if now < self._earliest:
            return
        if self._verbose == 1:
            self._screen.line(self._bar(now, metrics, final=True))
        elif self._verbose == 2:
            target = self._final_target()
            elapsed = f"{now - self._start:.0f}s"
            self._screen.line(
                f"{self.seen:{len(str(target))}d}/{target} - {elapsed} - {self._pace(now)}"
                f"{_metrics_text(metrics)}"
            )

    def _bar(self, now: float, metrics: dict[str, Any], *, final: bool) -> Text:
        """The bar as text."""
        from rich.text import Text

        target = self._final_target() if final else self.target
        text = Text()
        if target is None:
            text.append(f"{self.seen:7d}/Unknown")
        else:
            text.append(f"{self.seen:{len(str(target))}d}/{target}", "bold")
            done = self._width if target == 0 else min(self.seen, target) * self._width // target
            text.append(" ").append(self._screen.rule * done, "green")
            text.append(self._screen.rule * (self._width - done), "white")
        if target is None or final:
            shown = f"{now - self._start:.0f}s"
        else:
            shown = _remaining(self._seconds_per_step(now) * max(0, target - self.seen))
        text.append(" ").append(shown, "bold")
        return text.append(f" {self._pace(now)}{_metrics_text(metrics)}")

    def _final_target(self) -> int:
        """The number of steps, which is what was seen where it was not known."""
        return self.seen if self.target is None else self.target

    def _seconds_per_step(self, now: float) -> float:
        """Mean time of a step; the first, which prepares things, counts only while alone."""
        if self.seen == 0:
            return 0.0
        if self.seen == 1 or self._after_first is None:
            return (now - self._start) / self.seen
        return (now - self._after_first) / (self.seen - 1)

    def _pace(self, now: float) -> str:
        """Time per step, in the unit that suits it."""
        seconds = self._seconds_per_step(now)
        if seconds >= 1 or seconds == 0:
            return f"{seconds:.0f}s/{self._unit}"
        if seconds >= 1e-3:
            return f"{seconds * 1e3:.0f}ms/{self._unit}"
        return f"{seconds * 1e6:.0f}us/{self._unit}"


def _remaining(seconds: float) -> str:
    """A time to go: `12s`, `3:05` or `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours > 0:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if minutes > 0 else f"{rest}s"


def _metrics_text(metrics: dict[str, Any]) -> str:
    """` - name: value` for each metric."""
    return "".join(f" - {name}: {_value_text(value)}" for name, value in metrics.items())


def _value_text(value: Any) -> str:
    """A number with four decimals, or four significant ones where it is small.

    Of several values, such as one for each class, the mean.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        value = float(value.mean())
    if not isinstance(value, int | float):
        return str(value).replace("\n", " ")
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"
