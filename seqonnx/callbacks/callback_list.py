"""CallbackList: calls the hooks of many callbacks, and costs nothing where there are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from seqonnx.callbacks.base import Callback, CallbackModel, FitRun, Logs, ordered
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

    After each batch a loop calls `_batch_done` with a function that reads the metrics. This is
    called only when a callback or the progress bar needs numbers, because reading them makes the
    host wait for the device. `_batch_done` calls the `on_*_batch_end` hooks.

    Args:
        callbacks: a callback, a sequence of them, another list, or None.
        add_history: whether to add a `History` if there is none.
        add_progbar: whether to add a `ProgbarLogger` if there is none.
        model: the model, handed to each callback.
        params: `{"verbose", "epochs", "steps"}`, handed to each callback.
        console: where messages and the progress bar go; default: standard output.
        **run: entries of `params`, by name, as in Keras.

    Attributes:
        callbacks: all callbacks, in the order of their calls.
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
        add_history: bool = False,
        add_progbar: bool = False,
        model: CallbackModel | None = None,
        *,
        params: dict[str, Any] | None = None,
        console: Console | None = None,
        **run: Any,
    ) -> None:
        self._screen = Screen(console)
        self._model = model
        self._params = params if len(run) == 0 else {**(params or {}), **run}
        self.callbacks: list[Callback] = []
        self._history: History | None = None
        self._progress: ProgbarLogger | None = None
        self._begin: dict[Mode, list[Callback]] = {mode: [] for mode in _MODES}
        self._end: dict[Mode, list[Callback]] = {mode: [] for mode in _MODES}
        self.batch_hooks = False
        for callback in _listed(callbacks):
            self.append(callback)
        if add_progbar and self._progress is None:
            self.append(ProgbarLogger())
        if add_history and self._history is None:
            self.append(History())

    @property
    def history(self) -> History:
        """The `History` among the callbacks."""
        if self._history is None:
            raise RuntimeError("These callbacks have no History. Pass `add_history=True`.")
        return self._history

    @property
    def _needs_batch_logs(self) -> bool:
        """Whether a callback reads the metrics after the next batch (of any kind)."""
        return any(callback._needs_batch_logs for mode in _MODES for callback in self._end[mode])

    def append(self, callback: Callback) -> None:
        """Add a callback at the end, and hand it the model, the parameters and the console."""
        if not isinstance(callback, Callback):
            raise TypeError(
                "`callbacks` must be Callback objects, or a sequence of them. "
                f"Received: {callback!r} (of type {type(callback)})"
            )
        self.callbacks.append(callback)
        callback._set_screen(self._screen)
        if self._params is not None:
            callback.set_params(self._params)
        if self._model is not None:
            callback.set_model(self._model)
        if isinstance(callback, History):
            self._history = callback
        if isinstance(callback, ProgbarLogger):
            self._progress = callback
        for mode in _MODES:
            if _listens(callback, mode, "begin"):
                self._begin[mode].append(callback)
            if _listens(callback, mode, "end"):
                self._end[mode].append(callback)
        self.batch_hooks = any(self._begin[mode] or self._end[mode] for mode in _MODES)

    def _set_run(self, run: FitRun) -> None:
        """Hand all callbacks the call of `fit` that begins."""
        for callback in self.callbacks:
            callback._set_run(run)

    def on_train_batch_begin(self, batch: int) -> None:
        """Tell the callbacks that listen that a training batch begins."""
        for callback in self._begin["train"]:
            callback.on_train_batch_begin(batch, {})

    def on_test_batch_begin(self, batch: int) -> None:
        """Tell the callbacks that listen that a batch of an evaluation begins."""
        for callback in self._begin["test"]:
            callback.on_test_batch_begin(batch, {})

    def on_predict_batch_begin(self, batch: int) -> None:
        """Tell the callbacks that listen that a batch of a prediction begins."""
        for callback in self._begin["predict"]:
            callback.on_predict_batch_begin(batch, {})

    def _batch_done(
        self, mode: Mode, batch: int, read_logs: ReadLogs, *, outputs: Any = None
    ) -> None:
        """Tell the callbacks that listen, and the progress bar, that a batch is done.

        Args:
            mode: `"train"`, `"test"` or `"predict"`.
            batch: its number in the epoch, from 0.
            read_logs: gives the metrics so far; called at most once, and only if someone needs
                them.
            outputs: in predict, the arrays that came out: what `logs["outputs"]` is to be.
        """
        logs: Logs | None = None
        for callback in self._end[mode]:
            if callback._needs_batch_logs:
                logs = _complete(read_logs(), outputs) if logs is None else logs
                _batch_end(callback, mode)(batch, logs)
            else:
                _batch_end(callback, mode)(batch, {})
        if self._progress is not None:
            known = logs
            self._progress._batch_done(mode, batch, read_logs if known is None else lambda: known)

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


def _complete(logs: Logs, outputs: Any) -> Logs:
    """Logs with the outputs of a prediction, where there are any."""
    return logs if outputs is None else {**logs, "outputs": outputs}


def _batch_end(callback: Callback, mode: Mode) -> Callable[[int, Logs], None]:
    """The hook of a callback for the end of a batch."""
    match mode:
        case "train":
            return callback.on_train_batch_end
        case "test":
            return callback.on_test_batch_end
        case "predict":
            return callback.on_predict_batch_end


def _listens(callback: Callback, mode: Mode, moment: str) -> bool:
    """Whether a callback has a batch hook; in training also under its older name."""
    return callback._listens_to(f"on_{mode}_batch_{moment}") or (
        mode == "train" and callback._listens_to(f"on_batch_{moment}")
    )
