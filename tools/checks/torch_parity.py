"""Gradients of every rule beside those of PyTorch's autograd, over the case table of the tests.

    python tools/checks/torch_parity.py [OPERATOR ...]

Both get the same inputs and the same gradient of the outputs, in float64. Prints for each operator
how many cases agree, the worst relative error, and what PyTorch does not have; exits with 1 if a
gradient differs that is not named in `CONVENTIONS`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT, ROOT / "tests"):
    sys.path.insert(0, str(folder))

import torch  # noqa: E402
import torch_peers_layers  # noqa: E402, F401  # adds its peers
from torch_peers import NOT_IN_TORCH, PEERS, NoPeerError  # noqa: E402

from support.autodiff.gradient_cases import CASES  # noqa: E402
from support.autodiff.gradient_check import Case, gradients_of  # noqa: E402

TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
_CUBIC_BORDER = "the standard moves the place into the picture, PyTorch each pixel that it reads"
CONVENTIONS = {
    "Selu": "the standard's constants are float32, PyTorch's float64",
    "GridSample-cubic-border-0": _CUBIC_BORDER,
    "GridSample-cubic-border-1": _CUBIC_BORDER,
}
"""Cases whose gradients differ by choice, and why."""


@dataclass
class Row:
    """The findings for one operator."""

    cases: int = 0
    compared: int = 0
    worst: float = 0.0
    failed: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    differs: dict[str, str] = field(default_factory=dict)


def torch_gradients(case: Case, cotangents: dict[int, np.ndarray]) -> list[np.ndarray]:
    """Gradients of the wanted inputs by PyTorch.

    Raises:
        NoPeerError: if PyTorch does not have the configuration.
    """
    tensors = [None if array is None else torch.tensor(array) for array in case.inputs]
    leaves = [tensors[i].requires_grad_() for i in case.wanted]
    attributes = {name: _as_in_a_file(value) for name, value in case.attributes.items()}
    made = PEERS[case.op_type](attributes, *tensors)
    outputs = list(made) if isinstance(made, tuple | list) else [made]
    if max(cotangents) >= len(outputs):
        raise NoPeerError("one of the outputs")
    pairs = [(outputs[i], torch.tensor(dy)) for i, dy in cotangents.items()]
    for output, dy in pairs:
        if output.shape != dy.shape:
            raise NoPeerError(f"gives the shape {tuple(output.shape)}, not {tuple(dy.shape)}")
    found = torch.autograd.grad(
        [output for output, _ in pairs], leaves, [dy for _, dy in pairs], materialize_grads=True
    )
    return [grad.numpy() for grad in found]


def _as_in_a_file(value: Any) -> Any:
    """An attribute with the precision that the file format keeps."""
    return float(np.float32(value)) if isinstance(value, float) else value


def error(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference relative to the largest element; infinite where one is not a number."""
    if ours.shape != theirs.shape or not np.isfinite(ours).all() or not np.isfinite(theirs).all():
        return float("inf")
    scale = max(1.0, float(np.abs(theirs).max(initial=0.0)))
    return float(np.abs(ours - theirs).max(initial=0.0)) / scale


def compare(case: Case) -> float:
    """The worst error of a case.

    Raises:
        NoPeerError: if PyTorch has no such operator or configuration.
    """
    if case.op_type not in PEERS:
        raise NoPeerError(NOT_IN_TORCH.get(case.op_type, "no peer written"))
    cotangents, gradients = gradients_of(case)
    theirs = torch_gradients(case, cotangents)
    return max(error(g, t) for g, t in zip(gradients, theirs, strict=True))


def survey(cases: list[Case]) -> dict[str, Row]:
    """Compare all cases; a row for each operator."""
    rows: dict[str, Row] = {}
    for case in cases:
        row = rows.setdefault(case.op_type, Row())
        row.cases += 1
        try:
            worst = compare(case)
        except NoPeerError as reason:
            row.missing[str(case)] = str(reason)
            continue
        row.compared += 1
        if str(case) in CONVENTIONS:
            row.differs[str(case)] = CONVENTIONS[str(case)]
            continue
        row.worst = max(row.worst, worst)
        if worst > TOLERANCE[case.dtype]:
            row.failed.append(str(case))
    return rows


def table(rows: dict[str, Row]) -> Table:
    """The figures for people."""
    made = Table("operator", "cases", "compared", "worst error", "not in PyTorch, or differs")
    for op_type, row in sorted(rows.items()):
        reasons = [f"{', '.join(row.failed)} FAILED"] if row.failed else []
        reasons += sorted({*row.missing.values(), *row.differs.values()})
        worst = f"{row.worst:.1e}" if row.compared else ""
        made.add_row(op_type, str(row.cases), str(row.compared), worst, "; ".join(reasons))
    compared = [row for row in rows.values() if row.compared]
    made.add_section()
    made.add_row(
        f"{len(compared)} of {len(rows)} operators",
        str(sum(row.cases for row in rows.values())),
        str(sum(row.compared for row in rows.values())),
        f"{max((row.worst for row in compared), default=0.0):.1e}",
        "",
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """Compare the operators asked for, or all."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("operators", nargs="*", metavar="OPERATOR")
    wanted: Any = parser.parse_args(arguments).operators
    rows = survey([case for case in CASES if not wanted or case.op_type in wanted])
    Console().print(table(rows))
    return 1 if any(row.failed for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
