"""Validation of a model file by the programs that will read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx

from seqonnx.report.records import Check
from seqonnx.runtime import CPU, Session


def check_model(path: str | Path) -> tuple[Check, ...]:
    """Validate a model file; files above 2 GiB with external data are fine.

    Args:
        path: the file, with its external data beside it.

    Returns:
        What the ONNX checker, strict shape inference and a load in ONNX Runtime (on the CPU) say.
        Nothing is raised: a check that cannot be made has failed.

    Example:
        >>> [check.passed for check in check_model("mnist.onnx")]
        [True, True, True]
    """
    return (
        _check("onnx.checker", lambda: onnx.checker.check_model(str(path))),
        _check("shape inference", lambda: onnx.checker.check_model(str(path), full_check=True)),
        _check("ONNX Runtime", lambda: Session(Path(path), CPU)),
    )


def _check(name: str, validate: Callable[[], object]) -> Check:
    """Run one validation; the first line of what it raises is the detail."""
    try:
        validate()
    except Exception as error:  # three programs, a dozen unrelated exception types
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Check(name, passed=False, detail=lines[0])
    return Check(name, passed=True, detail="")
