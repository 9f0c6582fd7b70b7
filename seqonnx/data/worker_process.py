"""Processes that make the batches of a data set: asked for one after the other by a thread."""

from __future__ import annotations

import multiprocessing
import pickle
import random
import signal
import traceback
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any, Final

import numpy as np

_DYING: Final = 1.0
"""Seconds in which a process that has closed its connection says how it ended."""


class WorkerProcess:
    """A process that makes batches, one at a time.

    Args:
        name: name of the data set, for errors.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        # A forked process would have the locks of threads that it has not.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve_process, args=(theirs,), name=f"seqonnx-{name}", daemon=True
        )
        self._process.start()
        theirs.close()  # so that the end of the process is noticed
        self._sent: bytes | None = None

    def has(self, data: bytes) -> bool:
        """Whether it was sent this pickled data set last."""
        return data is self._sent

    def ask(self, data: bytes, seed: int, index: int) -> None:
        """Ask for a batch; `answer` gives it. Of several that are asked for, in their order.

        Args:
            data: the pickled data set; another one than the last only where nothing is asked for,
                so that both sides never wait for the other to read.
            seed: seed of the numbers that are drawn there.
            index: number of the batch.
        """
        try:
            self._connection.send((None if self.has(data) else data, index, seed))
            self._sent = data
        except OSError:
            pass  # it has died, as the answer will say

    def answer(self, index: int) -> Any:
        """Return the batch that was asked for first, made there.

        Args:
            index: its number.

        Raises:
            RuntimeError: if the process has died.
            BaseException: what was raised there, with its traceback as a note.
        """
        try:
            made, item, trace = self._connection.recv()
        except (EOFError, OSError) as error:
            self._process.join(_DYING)
            raise RuntimeError(
                f"A worker process of {self._name} died while it made batch {index} (exit code "
                f"{self._process.exitcode}; a negative one is a signal, -9 often a lack of "
                "memory). If it died at its start, do the work of the script under "
                '`if __name__ == "__main__":`, because the process imports the script.'
            ) from error
        if made:
            return item
        item.add_note(f"In the worker process:\n{trace}")
        raise item

    def dismiss(self) -> None:
        """Say that nothing more is wanted: the process ends."""
        self._connection.close()

    def end(self, patience: float) -> None:
        """End it now, if it has not ended.

        Args:
            patience: seconds to wait before each of the stronger means.
        """
        self._process.join(patience)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(patience)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve_process(connection: Connection) -> None:
    """Make batches until nobody wants any more; runs in the process."""
    # An interrupt at the terminal goes to all processes; the one that trains tells this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    data: Any = None
    while True:
        try:
            pickled, index, seed = connection.recv()
        except (EOFError, OSError):
            return
        try:
            if pickled is not None:
                data = pickle.loads(pickled)
            entropy = np.random.SeedSequence([seed, index]).generate_state(2)
            random.seed(int(entropy[0]))
            np.random.seed(entropy[1])
            reply = ForkingPickler.dumps((True, data[index], ""))
        except BaseException as error:
            reply = _failed(error)
        try:
            connection.send_bytes(reply)
        except OSError:
            return


def _failed(error: BaseException) -> Any:
    """The reply of an error; one that cannot be sent becomes a RuntimeError with its text."""
    trace = traceback.format_exc()
    try:
        reply = ForkingPickler.dumps((False, error, trace))
        pickle.loads(reply)
        return reply
    except Exception:
        told = RuntimeError(f"{type(error).__name__}: {error}")
        return ForkingPickler.dumps((False, told, trace))
