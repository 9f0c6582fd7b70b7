"""Validation of a model file by the programs that will read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx

from seqonnx.graph.damage import reading
from seqonnx.importers.onnx.sizes import refuse_large_constants
from seqonnx.importers.onnx.soundness import refuse_unsound
from seqonnx.report.read import read_model, refuse_unloadable
from seqonnx.report.records import Check
from seqonnx.runtime import CPU, Session


def check_model(path: str | Path) -> tuple[Check, ...]:
    """Validate a model file; files above 2 GiB with external data are fine.

    Args:
        path: the file, with its external data beside it.

    Returns:
        What the ONNX checker, strict shape inference and a load in ONNX Runtime (on the CPU) say.
        Nothing is raised: a check that cannot be made has failed, as all do for a file above
        2 GiB with its weights inside.

    Example:
        >>> [check.passed for check in check_model("mnist.onnx")]
        [True, True, True]
    """
    return (
        _check("onnx.checker", lambda: _validate(path)),
        _check("shape inference", lambda: _infer(path)),
        _check("ONNX Runtime", lambda: _load(path)),
    )


def _validate(path: str | Path) -> None:
    """Ask ONNX's checker, which reads the whole file."""
    refuse_unloadable(path)
    onnx.checker.check_model(str(path))


def _infer(path: str | Path) -> None:
    """Infer shapes strictly, unless that would never end."""
    refuse_unloadable(path)
    refuse_unsound(read_model(path).model, str(path))
    onnx.checker.check_model(str(path), full_check=True)


def _load(path: str | Path) -> None:
    """Load a model in ONNX Runtime, which computes what is constant, unless that is too much."""
    refuse_unloadable(path)
    file = read_model(path)
    with reading(path):
        refuse_unsound(file.model, str(path))
        # What a file says of data files that are not whole counts for nothing.
        external = 0 if file.notes else file.external_bytes
        refuse_large_constants(file.model, str(path), file.file_bytes + external)
    Session(Path(path), CPU)


def _check(name: str, validate: Callable[[], object]) -> Check:
    """Run one validation; the first line of what it raises is the detail."""
    try:
        validate()
    except Exception as error:  # three programs, a dozen unrelated exception types
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Check(name, passed=False, detail=lines[0])
    return Check(name, passed=True, detail="")
