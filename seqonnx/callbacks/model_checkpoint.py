"""ModelCheckpoint: save the model, or its weights, while it trains."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Final

import numpy as np

from seqonnx.callbacks.base import Callback, FitRun, Logs
from seqonnx.callbacks.monitor import Monitor
from seqonnx.graph.writing import target_of

_MODEL_ENDINGS: Final = (".keras", ".onnx")
_WEIGHTS_ENDINGS: Final = (".npz", ".weights.h5")


class ModelCheckpoint(Callback):
    """Saves the model after every epoch, or after every so many batches.

    Args:
        filepath: where to save: `.keras` or `.onnx` for a whole model, `.weights.h5` or `.npz`
            for weights.
            It may hold fields for the epoch (from 1), the batch (from 1, with a numeric
            `save_freq`) and any metric: `"{epoch:02d}-{val_loss:.2f}.onnx"`. Folders are made.
        monitor: name of the metric that tells which model is best.
        verbose: 1 writes a line on every save, 0 none.
        save_best_only: whether to save only a model that is better than all before.
        save_weights_only: whether to save the weights alone.
        mode: `"min"`, `"max"`, or `"auto"` to tell from the metric's name.
        save_freq: `"epoch"`, or the number of batches after which to save.
        initial_value_threshold: value that the first saved model must beat, with
            `save_best_only`.

    Attributes:
        best: best value so far; None before the first.

    Raises:
        ValueError: if the ending of `filepath` or `save_freq` is not a legal one, or if with
            `save_best_only` the direction of the metric cannot be told.

    Example:
        >>> ModelCheckpoint("best.onnx", monitor="val_accuracy", save_best_only=True).best
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        self.filepath = os.fspath(filepath)
        self.monitor = monitor
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.best = initial_value_threshold
        self._every = _batches_between_saves(save_freq)
        self._batches = 0
        self._seen = -1
        self._most = 1
        self._epoch = 0
        self._monitor = Monitor("ModelCheckpoint", monitor, mode) if save_best_only else None
        self._check_ending()
        if initial_value_threshold is not None and not save_best_only:
            warnings.warn(
                f"`initial_value_threshold={initial_value_threshold}` has no effect without "
                "`save_best_only=True`.",
                stacklevel=2,
            )

    @property
    def _needs_batch_logs(self) -> bool:
        """Whether the model may be saved after the next batches."""
        return self._every is not None and self._batches + self._most >= self._every

    def _set_run(self, run: FitRun) -> None:
        """Note how many batches there may be between two calls."""
        self._most = run.steps_per_execution

    def _listens_to(self, hook: str) -> bool:
        """Batches matter only with a numeric `save_freq`."""
        return super()._listens_to(hook) and (
            hook != "on_train_batch_end" or self._every is not None
        )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Find now, not after the first epoch, that the file cannot be written."""
        if "{" not in self.filepath and Path(self.filepath).parent.is_dir():
            _check_writable(self.filepath)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the number of the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save, if enough batches have passed since the last save."""
        if self._every is None:
            return
        # With several steps in one run this is called after the last of them. As in Keras, a number
        # that is not greater is one of a new epoch.
        self._batches += batch + 1 if batch <= self._seen else batch - self._seen
        self._seen = batch
        if self._batches >= self._every:
            self._batches = 0
            self._consider(self._epoch, batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, unless saves go by batches."""
        if self._every is None:
            self._consider(epoch, None, logs or {})

    def _consider(self, epoch: int, batch: int | None, logs: Logs) -> None:
        """Save the model if it deserves it."""
        if self._monitor is None:
            path = self._path(epoch, batch, logs)
            self._tell(f"Epoch {epoch + 1}: saving model to {path}")
            self._save(path)
            return
        value = self._monitor.value(logs, "Can save best model only with metric")
        if value is None:
            return
        if not self._monitor.improves(value, self.best):
            self._tell(f"Epoch {epoch + 1}: {self.monitor} did not improve from {_text(self.best)}")
            return
        path = self._path(epoch, batch, logs)
        self._tell(
            f"Epoch {epoch + 1}: {self.monitor} improved from {_text(self.best)} to "
            f"{_text(value)}, saving model to {path}"
        )
        self._save(path)
        self.best = value

    def _save(self, path: str) -> None:
        """Write the file."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        _check_writable(path)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)

    def _path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        """The file's name with its fields filled in."""
        fields = dict(logs) if batch is None else {**logs, "batch": batch + 1}
        try:
            return self.filepath.format(epoch=epoch + 1, **fields)
        except (KeyError, IndexError) as error:
            raise KeyError(
                f"Failed to format this callback filepath: '{self.filepath}'. There is no "
                f"{error}. Available fields are: epoch,{','.join(fields)}"
            ) from error
        except (TypeError, ValueError) as error:
            several = ", ".join(key for key, value in fields.items() if np.size(value) > 1)
            hint = f" These have several values: {several}." if several else ""
            raise ValueError(
                f"Failed to format this callback filepath: '{self.filepath}': {error}.{hint}"
            ) from error

    def _tell(self, text: str) -> None:
        """Write a line if the user wants lines."""
        if self.verbose > 0:
            self._say(text)

    def _check_ending(self) -> None:
        """Raise a ValueError unless the file's ending fits what is saved."""
        endings = _WEIGHTS_ENDINGS if self.save_weights_only else _MODEL_ENDINGS
        if not self.filepath.endswith(endings):
            condition = (
                "When using `save_weights_only=True` in `ModelCheckpoint`, the"
                if self.save_weights_only
                else "The"
            )
            raise ValueError(
                f"{condition} filepath provided must end in "
                f"{' or '.join(f'`{ending}`' for ending in endings)}. "
                f"Received: filepath={self.filepath}"
            )


def _check_writable(path: str) -> None:
    """Raise an OSError that names the file if it cannot be written."""
    if Path(path).is_dir():
        raise IsADirectoryError(
            "Please specify a non-directory filepath for ModelCheckpoint. "
            f"Filepath used is an existing directory: {path}"
        )
    target_of(Path(path))


def _batches_between_saves(save_freq: str | int) -> int | None:
    """A number of batches, or None to save after every epoch."""
    if save_freq == "epoch":
        return None
    if isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq >= 1:
        return save_freq
    raise ValueError(
        f"Unrecognized save_freq: {save_freq}. Expected save_freq are 'epoch' or integer values"
    )


def _text(value: float | None) -> str:
    """A metric's value in a message."""
    return "None" if value is None else f"{value:.5f}"
