"""Callback, the base of all callbacks, and the part of a model that they use."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from seqonnx.callbacks.screen import Screen

Logs = dict[str, Any]

HOOKS: Final = (
    "on_train_begin",
    "on_train_end",
    "on_test_begin",
    "on_test_end",
    "on_predict_begin",
    "on_predict_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_batch_begin",
    "on_test_batch_end",
    "on_predict_batch_begin",
    "on_predict_batch_end",
)


class CallbackModel(Protocol):
    """The part of a model that callbacks use.

    Attributes:
        stop_training: set to True to end the training after the current batch or epoch.
        history: the history of the newest training, or None.
    """

    stop_training: bool
    history: Any

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def optimizer(self) -> Any:
        """The compiled optimizer: its `learning_rate` can be read as a float and set."""

    def get_weights(self) -> list[npt.NDArray[Any]]:
        """Return the weights as arrays that later training does not change."""

    def set_weights(self, weights: list[npt.NDArray[Any]], /) -> None:
        """Replace the weights."""

    def save(self, filepath: str, /) -> None:
        """Write the whole model to a file."""

    def save_weights(self, filepath: str, /) -> None:
        """Write the weights to a file."""


class FitRun(Protocol):
    """A call of `fit`, for a callback that saves it between two steps or profiles it.

    Attributes:
        watched: set to True before the first epoch to be able to save it.
    """

    watched: bool

    @property
    def steps_per_execution(self) -> int:
        """The most batches between two calls of `on_train_batch_end`."""

    def save(self, path: Path, epoch: int, batch: int) -> None:
        """Write the run: an epoch, and how many of its batches are done."""

    def restore(self, path: Path) -> None:
        """Go on where the run in a file was."""

    def start_profile(self, path: Path) -> None:
        """Profile the steps to come; the trace will be at the path."""

    def stop_profile(self) -> None:
        """Write the trace of the profiled steps."""


class Callback:
    """Base of all callbacks: a subclass defines the hooks that it wants.

    Every hook receives `logs`, a dict of metric values by name, which may be empty. A change of
    the `logs` of `on_epoch_end` is seen by the callbacks that follow, and by `History`. A subclass
    with an `__init__` of its own need not call this one.

    Attributes:
        params: `{"verbose", "epochs", "steps"}` of the run; None before one.

    Example:
        >>> class Shout(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(f"{self.model.name}: epoch {epoch + 1}, loss {logs['loss']:.3f}")
    """

    # On the class, because subclasses often do not call `__init__`.
    params: dict[str, Any] | None = None
    _model: CallbackModel | None = None
    _screen: Screen | None = None

    @property
    def model(self) -> CallbackModel:
        """The model being trained, evaluated or asked for predictions."""
        if self._model is None:
            raise RuntimeError(
                f"{type(self).__name__} has no model yet: pass it as `callbacks=` to fit, "
                "evaluate or predict, or call its `set_model`."
            )
        return self._model

    @property
    def _needs_batch_logs(self) -> bool:
        """Whether this callback's next `on_*_batch_end` reads its `logs`.

        Reading a metric makes the host wait for the device. A subclass whose batch hooks do not
        look at the logs says `_needs_batch_logs = False`, and receives an empty dict.
        """
        return True

    def _listens_to(self, hook: str) -> bool:
        """Whether this callback does something in `hook`, one of the 16 hook names."""
        defined = getattr(getattr(self, hook), "__func__", None)
        return defined is not getattr(Callback, hook)

    def set_params(self, params: dict[str, Any]) -> None:
        """Receive the parameters of the run."""
        self.params = params

    def set_model(self, model: CallbackModel) -> None:
        """Receive the model."""
        self._model = model

    def _set_run(self, run: FitRun) -> None:
        """Receive the call of `fit` that begins."""

    def _set_screen(self, screen: Screen) -> None:
        """Receive the place where this run's text goes."""
        self._screen = screen

    def _say(self, text: str) -> None:
        """Write a line of text to the console of the run, above a live progress bar."""
        if self._screen is None:
            self._screen = Screen()
        self._screen.line(text)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called when `fit` begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called when `fit` ends; `logs` are those of the last epoch."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called when `evaluate`, or the validation in `fit`, begins."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called when `evaluate`, or the validation in `fit`, ends."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called when `predict` begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called when `predict` ends."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called when an epoch of `fit` begins; `epoch` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called when an epoch of `fit` ends, after its validation (`val_*` in `logs`)."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Older name of `on_train_batch_end`."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a training batch; `batch` counts from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a training batch; `logs` are the means over the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of `evaluate` or of the validation in `fit`."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of `evaluate` or of the validation in `fit`."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of `predict`; `logs` has its `outputs`."""


def plain(value: Any) -> Any:
    """A Python float for a number of any type; other values as they are."""
    is_scalar = isinstance(value, np.ndarray) and value.ndim == 0
    if is_scalar or (isinstance(value, int | float | np.number) and not isinstance(value, bool)):
        return float(value)
    return value


def ordered(logs: Logs) -> Logs:
    """A copy with Python floats, sorted by name, as Keras 3 sorts them."""
    return {key: plain(logs[key]) for key in sorted(logs)}
