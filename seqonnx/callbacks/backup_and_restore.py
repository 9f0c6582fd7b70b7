"""BackupAndRestore: a training that was interrupted goes on where its newest backup was."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

from seqonnx.callbacks.base import Callback, FitRun, Logs
from seqonnx.errors import ModelFileError
from seqonnx.graph.writing import replacing

_FILE: Final = "latest.npz"


class BackupAndRestore(Callback):
    """Saves the state of `fit`, and takes it up where a run was interrupted.

    A script that is started again after a crash gets the same weights, bit for bit, as if nothing
    had happened: the backup holds weights, slots of the optimizer, counters, seeds, the place in
    the data and the sums of loss and metrics. The data must be the same: arrays, a `PyDataset` or
    an iterable that gives the same items again; of a generator the items that were used are drawn
    again. A file is written aside and takes its place when it is whole, so that a kill while it
    is written does no harm. As in Keras, other callbacks start anew; put this one last, so that
    what they change at the end of an epoch is in the backup.

    Args:
        backup_dir: folder for the backup, which nothing else may use. It is made.
        save_freq: `"epoch"`, or the number of batches after which to save; False: never.
        double_checkpoint: whether to keep the backup before the newest, too, in case the newest
            cannot be read.
        delete_checkpoint: whether to remove the backup when `fit` has ended.

    Raises:
        ValueError: if `backup_dir` is empty, or `save_freq` is none of these.

    Example:
        >>> model.fit(x, y, epochs=9, callbacks=[BackupAndRestore("backup")])  # doctest: +SKIP
    """

    _needs_batch_logs = False

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if not os.fspath(backup_dir):
            raise ValueError("Empty `backup_dir` argument passed")
        if save_freq != "epoch" and (not isinstance(save_freq, int) or save_freq < 0):
            raise ValueError(
                f"Invalid value for argument `save_freq`. Received: save_freq={save_freq}. "
                "Expected either 'epoch' or an integer value."
            )
        self.backup_dir = backup_dir
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._path = Path(backup_dir) / _FILE
        self._previous = Path(backup_dir) / f"{_FILE}.bkp"
        self._run: FitRun | None = None
        self._epoch = 0
        self._done = 0
        self._unsaved = 0

    def _set_run(self, run: FitRun) -> None:
        """Receive the call of `fit` that begins."""
        run.watched = True
        self._run = run

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Go on where the newest backup that can be read was."""
        self._epoch = self._done = self._unsaved = 0
        places = [path for path in (self._path, self._previous) if path.exists()]
        for path in places:
            try:
                self._current().restore(path)
            except ModelFileError:
                if path == places[-1]:
                    raise
            else:
                return

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the number of the epoch."""
        self._epoch, self._done = epoch, 0

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Note where the batches begin: not at the first, in an epoch that others have begun."""
        self._done = batch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save, if enough batches have passed since the last save."""
        if self.save_freq == "epoch" or not self.save_freq:
            return
        self._unsaved += batch + 1 - self._done
        self._done = batch + 1
        if self._unsaved >= int(self.save_freq):
            self._unsaved = 0
            self._save(self._epoch, self._done)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save, unless saves go by batches."""
        if self.save_freq == "epoch":
            self._save(epoch + 1, 0)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Remove the backup: the training is complete."""
        if not self.delete_checkpoint:
            return
        for path in (self._path, self._previous, *self._path.parent.glob(f".{_FILE}*.tmp")):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._path.parent.rmdir()

    def _save(self, epoch: int, batch: int) -> None:
        """Replace the backup."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and self._path.exists():
            with replacing(self._previous) as copy, self._path.open("rb") as file:
                shutil.copyfileobj(file, copy)
        self._current().save(self._path, epoch, batch)

    def _current(self) -> FitRun:
        """The call of `fit`."""
        if self._run is None:
            raise RuntimeError("BackupAndRestore works in `fit`: pass it as `callbacks=`.")
        return self._run
