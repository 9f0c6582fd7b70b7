"""Worker processes of `bench.py`: which frameworks there are, and how to talk to one of them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

WORKER = Path(__file__).with_name("bench_worker.py")


@dataclass(frozen=True)
class Framework:
    """Something to run workloads with.

    Attributes:
        module: file of the contestants, for the worker.
        environment: variables of its process.
        python: its interpreter.
    """

    module: str
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable


PROBE = Framework("bench_probe")
FRAMEWORKS: dict[str, Framework] = {
    "seqonnx": Framework("bench_seqonnx"),
    "plain-session": Framework("bench_session"),
    "torch": Framework("bench_torch"),
    "torch-compile": Framework("bench_torch", {"BENCH_TORCH": "compile"}),
    "keras-jax": Framework("bench_keras", {"KERAS_BACKEND": "jax"}),
    "keras-tensorflow": Framework("bench_keras", {"KERAS_BACKEND": "tensorflow"}),
    "keras-torch": Framework("bench_keras", {"KERAS_BACKEND": "torch"}),
    "onnxsim": Framework("bench_onnxsim"),
    "ort-training": Framework("bench_ort_training"),
}


@dataclass(frozen=True)
class Limits:
    """The limits of every process."""

    device: str
    threads: int
    patience: float
    """Seconds after which a request counts as failed."""


def variables(framework: Framework, limits: Limits) -> dict[str, str]:
    """The environment of a worker."""
    count = str(limits.threads)
    pools = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB")
    fixed = {f"{pool}_NUM_THREADS": count for pool in pools}
    fixed |= {"TF_NUM_INTRAOP_THREADS": count, "TF_NUM_INTEROP_THREADS": "1"}
    # A checkout gets the compiled files that installed packages have, or every start compiles it.
    fixed |= {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": ""}
    if limits.device == "cpu":
        fixed |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "-1"}
    return {**os.environ, **fixed, **framework.environment}


class Client:
    """A worker process; use it in a `with` statement.

    Args:
        framework: what it runs.
        limits: threads, device and patience.
    """

    def __init__(self, framework: Framework, limits: Limits) -> None:
        self.limits = limits
        self.started = time.perf_counter()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._reason = ""
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(
                [framework.python, str(WORKER), framework.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=variables(framework, limits),
                start_new_session=True,
            )
        except OSError as error:
            self._end(str(error))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def hello(self) -> dict[str, Any]:
        """Import the framework; the answer has its contestants, or `missing`."""
        return self.ask("hello", device=self.limits.device, threads=self.limits.threads)

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for the answer; `missing` in it says why there is none."""
        if self._process is None:
            return {"missing": self._reason}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = json.dumps({"do": do, **arguments}) + "\n"
        line = b""
        with contextlib.suppress(BrokenPipeError):  # it has ended
            self._process.stdin.write(request.encode())
            self._process.stdin.flush()
            ready, _, _ = select.select([self._process.stdout], [], [], self.limits.patience)
            if len(ready) == 0:
                self._end(f"no answer to `{do}` within {self.limits.patience:.0f} s")
                return {"missing": self._reason}
            line = self._process.stdout.readline()
        if line == b"":
            self._end(f"ended: {self._last_words()}")
            return {"missing": self._reason}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._end("closed")

    def _end(self, reason: str) -> None:
        """End the process and remember why."""
        process, self._process = self._process, None
        self._reason = self._reason or reason[:200]
        self._errors.close()
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # with its compilers, if it has some
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # what could not be written any more
                    pipe.close()

    def _last_words(self) -> str:
        """The last line of what the process wrote to its error stream."""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip() != ""), "no message")
