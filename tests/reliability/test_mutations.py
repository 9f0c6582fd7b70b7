"""A damaged file loads or is refused by one error that names it; nothing crashes, hangs or grows.

`SEQONNX_MUTATIONS=20000 pytest tests/reliability/test_mutations.py` tries that many files; the
default is what continuous integration has time for. A failure names the seed; one case alone:
`PYTHONPATH=tests python -m support.reliability.mutation_worker FOLDER SEED SEED+1 1`.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("h5py", reason="three of the formats are HDF5")

COUNT = int(os.environ.get("SEQONNX_MUTATIONS", "2100"))
SECONDS = 20
START = 60
WORKER = "support.reliability.mutation_worker"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}


def read_lines(process: subprocess.Popen[str]) -> Iterator[str | None]:
    """Lines of a process; None once it is silent for too long."""
    lines: queue.Queue[str | None] = queue.Queue()

    def pump() -> None:
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=pump, daemon=True).start()
    wait = START
    while True:
        try:
            line = lines.get(timeout=wait)
        except queue.Empty:
            yield None
            return
        wait = SECONDS
        if line == "":
            return
        yield line


def outcomes(folder: Path, count: int) -> Iterator[tuple[int, str]]:
    """How the reading of every case ended; a process that dies is followed by another."""
    first = 0
    while first < count:
        seed = None
        errors = folder / "errors.txt"
        with errors.open("w") as stderr, subprocess.Popen(
            [sys.executable, "-m", WORKER, str(folder), str(first), str(count), "1"],
            env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=stderr, text=True,
        ) as process:  # fmt: skip
            hung = False
            for line in read_lines(process):
                if line is None:
                    hung = True
                    process.kill()
                    break
                word, number, *rest = line.split(maxsplit=2)
                seed = int(number)
                if word == "done":
                    first = seed + 1
                    yield seed, rest[0].strip()
        if first < count:
            if seed is None:
                raise AssertionError(f"the worker does not start: {errors.read_text()[-2000:]}")
            when = "" if seed >= first else " after it was done"
            first = seed + 1
            yield seed, ("hung" if hung else f"died with {process.returncode}") + when


def test_damaged_files_load_or_are_refused_by_name(tmp_path):
    ends = dict(outcomes(tmp_path, COUNT))
    assert sorted(ends) == list(range(COUNT))
    bad = {
        s: end for s, end in ends.items() if end.split(maxsplit=1)[-1] not in ("loaded", "refused")
    }
    assert bad == {}
    assert sum(end.endswith("refused") for end in ends.values()) > COUNT / 3  # they are damaged
