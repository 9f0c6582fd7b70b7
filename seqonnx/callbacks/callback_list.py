"""CallbackList: calls the hooks of many callbacks, and costs nothing where there are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from seqonnx.callbacks.base import Callback, CallbackModel, Logs, ordered
from seqonnx.callbacks.history import History
from seqonnx.callbacks.progress import ProgbarLogger
from seqonnx.callbacks.screen import Screen

if TYPE_CHECKING:
    from rich.console import Console

Mode = Literal["train", "test", "predict"]
ReadLogs = Callable[[], Logs]

_MODES: Final[tuple[Mode, ...]] = ("train", "test", "predict")


class CallbackList:
    """The callbacks of one run, in the order: the user's, the progress bar, the history.

    A loop calls `batch_begin` before and `batch_done` after each batch. It hands over a function
    that reads the metrics; this is called only when a callback or the progress bar needs numbers,
    because reading them makes the host wait for the device.

    Args:
        callbacks: a callback, a sequence of them, another list, or None.
        model: the model, handed to each callback.
        params: `{"verbose", "epochs", "steps"}`, handed to each callback.
        add_history: whether to add a `History` if there is none.
        add_progbar: whether to add a `ProgbarLogger` if there is none.
        console: where messages and the progress bar go; default: standard output.

    Attributes:
        callbacks: all callbacks, in the order of their calls.
        history: the `History` among them, or None.
        batch_hooks: whether any callback listens to batches.

    Raises:
        TypeError: if something is not a `Callback`.

    Example:
        >>> callbacks = CallbackList([], params={"epochs": 2}, add_history=True)
        >>> callbacks.on_epoch_end(0, {"loss": 0.5})
        >>> callbacks.history.history
        {'loss': [0.5]}
    """

    def __init__(
        self,
        callbacks: Callback | CallbackList | Sequence[Callback] | None = None,
        *,
        model: CallbackModel | None = None,
        params: dict[str, Any] | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        console: Console | None = None,
    ) -> None:
        self._screen = Screen(console)
        self._model = model
        self._params = params
        self.callbacks: list[Callback] = []
        self.history: History | None = None
        self._progress: ProgbarLogger | None = None
        self._begin: dict[Mode, list[Callback]] = {mode: [] for mode in _MODES}
        self._end: dict[Mode, list[Callback]] = {mode: [] for mode in _MODES}
        self.batch_hooks = False
        for callback in _listed(callbacks):
            self.append(callback)
        if add_progbar and self._progress is None:
            self.append(ProgbarLogger())
        if add_history and self.history is None:
            self.append(History())

    @property
    def needs_batch_logs(self) -> bool:
        """Whether a callback reads the metrics after the next batch (of any kind)."""
        return any(callback.needs_batch_logs for mode in _MODES for callback in self._end[mode])

    def append(self, callback: Callback) -> None:
        """Add a callback at the end, and hand it the model, the parameters and the console."""
        if not isinstance(callback, Callback):
            raise TypeError(
                "`callbacks` must be Callback objects, or a sequence of them. "
                f"Received: {callback!r} (of type {type(callback)})"
            )
        self.callbacks.append(callback)
        callback.set_screen(self._screen)
        if self._params is not None:
            callback.set_params(self._params)
        if self._model is not None:
            callback.set_model(self._model)
        if isinstance(callback, History):
            self.history = callback
        if isinstance(callback, ProgbarLogger):
            self._progress = callback
        for mode in _MODES:
            if _listens(callback, mode, "begin"):
                self._begin[mode].append(callback)
            if _listens(callback, mode, "end"):
                self._end[mode].append(callback)
        self.batch_hooks = any(self._begin[mode] or self._end[mode] for mode in _MODES)

    def batch_begin(self, mode: Mode, batch: int) -> None:
        """Tell the callbacks that a batch begins.

        Args:
            mode: `"train"`, `"test"` or `"predict"`.
            batch: its number in the epoch, from 0.
        """
        for callback in self._begin[mode]:
            _hook(callback, mode, "begin")(batch, {})

    def batch_done(self, mode: Mode, batch: int, read_logs: ReadLogs) -> None:
        """Tell the callbacks and the progress bar that a batch is done.

        Args:
            mode: `"train"`, `"test"` or `"predict"`.
            batch: its number in the epoch, from 0.
            read_logs: gives the metrics so far (in predict: the `outputs`); called at most once,
                and only if someone needs them.
        """
        logs: Logs | None = None
        for callback in self._end[mode]:
            if callback.needs_batch_logs:
                logs = read_logs() if logs is None else logs
                _hook(callback, mode, "end")(batch, logs)
            else:
                _hook(callback, mode, "end")(batch, {})
        if self._progress is not None:
            known = logs
            read = read_logs if known is None else lambda: known
            self._progress.batch_done(mode, batch, read)

    def close(self) -> None:
        """End a progress bar that an error or an interrupt has left open."""
        self._screen.close()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Tell all callbacks that `fit` begins."""
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Tell all callbacks that `fit` ends."""
        self._call("on_train_end", logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Tell all callbacks that `evaluate`, or the validation in `fit`, begins."""
        self._call("on_test_begin", logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Tell all callbacks that `evaluate`, or the validation in `fit`, ends."""
        self._call("on_test_end", logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Tell all callbacks that `predict` begins."""
        self._call("on_predict_begin", logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Tell all callbacks that `predict` ends."""
        self._call("on_predict_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Tell all callbacks that an epoch begins."""
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, {} if logs is None else logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Tell all callbacks that an epoch ends; they share one dict, sorted, of floats."""
        shared = {} if logs is None else ordered(logs)
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, shared)

    def _call(self, hook: str, logs: Logs | None) -> None:
        """Call a hook that takes only logs."""
        shared = {} if logs is None else ordered(logs)
        for callback in self.callbacks:
            getattr(callback, hook)(shared)


def _listed(callbacks: Callback | CallbackList | Sequence[Callback] | None) -> list[Callback]:
    """The callbacks as a list."""
    if callbacks is None:
        return []
    if isinstance(callbacks, CallbackList):
        return callbacks.callbacks
    if isinstance(callbacks, list | tuple):
        return list(callbacks)
    return [callbacks]  # type: ignore[list-item]  # `append` refuses what is no callback


def _hook(callback: Callback, mode: Mode, moment: str) -> Callable[[int, Logs], None]:
    """The batch hook of a callback."""
    hook: Callable[[int, Logs], None] = getattr(callback, f"on_{mode}_batch_{moment}")
    return hook


def _listens(callback: Callback, mode: Mode, moment: str) -> bool:
    """Whether a callback has a batch hook; in training also under its older name."""
    return callback.listens_to(f"on_{mode}_batch_{moment}") or (
        mode == "train" and callback.listens_to(f"on_batch_{moment}")
    )
