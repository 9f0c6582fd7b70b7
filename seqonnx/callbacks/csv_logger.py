"""CSVLogger: the metrics of every epoch in a table file."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import numpy as np

from seqonnx.callbacks.base import Callback, Logs
from seqonnx.graph.writing import naming


class CSVLogger(Callback):
    """Writes one row per epoch: its number from 0, then the metrics.

    The file is complete after every epoch; where the disk is full, it keeps its rows. A value that
    an epoch lacks is `NA`; a metric that appears later (`val_*` with `validation_freq` > 1) gets
    its column then.

    Args:
        filename: the file to write; its folder must exist.
        separator: what stands between two values.
        append: whether to add rows to an existing file instead of replacing it.

    Example:
        >>> model.fit(x, y, callbacks=[CSVLogger("log.csv")])  # doctest: +SKIP
    """

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self._columns: list[str] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin the file, or read the columns of the one to append to."""
        path = Path(self.filename)
        if self.append and path.exists() and path.stat().st_size > 0:
            self._columns, _ = self._read()
        else:
            self._columns = ["epoch"]
            self._write([])

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add a row."""
        row = {"epoch": str(epoch), **{key: _text(value) for key, value in (logs or {}).items()}}
        new = [key for key in row if key not in self._columns]
        path = Path(self.filename)
        if len(new) > 0:
            _, rows = self._read()
            self._columns += new
            self._put(self._table([*rows, row], header=True), at=0)
        elif path.exists():
            self._put(self._table([row], header=False), at=path.stat().st_size)
        else:
            self._write([row])

    def _put(self, text: bytes, at: int) -> None:
        """Write what the file holds from a place on; an error leaves it as it was."""
        path = Path(self.filename)
        old = b""
        try:
            with naming(path), path.open("r+b") as file:
                file.seek(at)
                old = file.read()
                file.seek(at)
                file.write(text)
                file.truncate()
        except OSError:
            with path.open("r+b") as file:  # the blocks of what was there are still its own
                file.seek(at)
                file.write(old)
                file.truncate()
            raise

    def _table(self, rows: list[dict[str, str]], *, header: bool) -> bytes:
        """Rows as they stand in the file."""
        text = io.StringIO()
        writer = self._writer(text)
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()

    def _writer(self, file: object) -> csv.DictWriter[str]:
        """A writer of rows with the present columns."""
        return csv.DictWriter(
            file,  # type: ignore[arg-type]  # the protocol that csv wants has no public name
            self._columns,
            restval="NA",
            delimiter=self.separator,
            lineterminator="\n",
        )

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        """Columns and rows of the file."""
        with open(self.filename, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, delimiter=self.separator)
            return list(reader.fieldnames or []), list(reader)

    def _write(self, rows: list[dict[str, str]]) -> None:
        """Replace the file."""
        with naming(Path(self.filename)), open(self.filename, "wb") as file:
            file.write(self._table(rows, header=True))


def _text(value: object) -> str:
    """A value in a cell; several values (one per class) as a list."""
    if isinstance(value, np.ndarray):
        return str(value.tolist())
    return repr(float(value)) if isinstance(value, float) else str(value).replace("\n", " ")
