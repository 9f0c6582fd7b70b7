"""Read off ONNX Runtime's list of kernels which operators CUDA has, for which versions and dtypes.

    python tools/refresh/cuda_kernels.py OperatorKernels.md SOURCE [--check]

OperatorKernels.md is the file of that name in the folder `docs` of ONNX Runtime's repository;
SOURCE says which version of it this is: a release or a commit. What an operator set of 18 or
newer cannot mean is left out. The facts go to `tools/checks/cuda_kernels.txt`, which
`tools/checks/cuda_nodes.py` reads. With `--check` nothing is written, and the exit code is 1 where
the file says something else.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "tools" / "checks" / "cuda_kernels.txt"
SECTION = "## Operators implemented by CUDAExecutionProvider"
DOMAIN = "|**Operator Domain:** *ai.onnx*"
OLDEST = 18
"""The oldest operator set that a graph for CUDA declares."""
HEAD = """\
# Kernels of ONNX Runtime's CUDA provider for standard operators: the facts of
# docs/OperatorKernels.md of its repository, without what operator sets below 18 mean.
# An operator, the versions that a kernel is registered for, and the dtypes of each type parameter
# of its schema. 13+ is the version 13 alone: a newer one needs a kernel of its own.
# Made by tools/refresh/cuda_kernels.py.
"""
VERSIONS = re.compile(r"\[(?P<first>\d+), (?P<last>\d+)\]|(?P<open>\d+)\+|(?P<one>\d+)")


def kernels(text: str) -> Iterator[tuple[str, str, str]]:
    """Operator, versions and dtypes of each kernel of the section.

    Raises:
        SystemExit: if the text has no such section, or a row that is not understood.
    """
    _, found, section = text.partition(f"{SECTION}\n")
    if not found:
        raise SystemExit(f"Expected a file with the line: {SECTION}")
    _, _, rows = section.partition(DOMAIN)
    name = ""
    for row in rows.split("\n")[1:]:
        cells = (
            row.strip("|").split("|")
            if not row.startswith("|||")
            else ["", "", *row[3:-1].split("|")]
        )
        if len(cells) < 4:
            break
        name = cells[0] or name
        versions = written(cells[2].strip())
        if versions != "":
            yield name, versions, dtypes(cells[3])


def written(versions: str) -> str:
    """The versions as the file has them: 13+, 18 or 13-18; "" for those that are too old."""
    match = VERSIONS.fullmatch(versions)
    if match is None:
        raise SystemExit(f"Expected versions such as 13+, 18 or [13, 18]. Received: {versions}")
    first, last, later, one = match.group("first", "last", "open", "one")
    if later is not None:
        return f"{later}+"
    if one is not None:
        return one if int(one) >= OLDEST else ""
    return f"{first}-{last}" if int(last) >= OLDEST else ""


def dtypes(cell: str) -> str:
    """The dtypes of each type parameter: `T=float,double;Tind=int64`."""
    made = []
    for part in cell.replace("<br/>", "<br>").split("<br>"):
        name, _, kinds = part.strip().partition(" = ")
        known = [kind.strip() for kind in kinds.split(", ")]
        plain = [kind[7:-1] for kind in known if kind.startswith("tensor(")]
        made.append(f"{name.strip('*')}={','.join(plain)}")
    return ";".join(made)


def table(text: str, source: str) -> str:
    """The content of the file."""
    lines = sorted({" ".join(row) for row in kernels(text)})
    return f"{HEAD}# Source: {source}\n" + "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the file, or compare it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("list", type=Path, help="OperatorKernels.md")
    parser.add_argument("source", help="which version of ONNX Runtime it describes")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args(arguments)
    made = table(options.list.read_text("utf-8"), options.source)
    if options.check:
        return int(made != FILE.read_text("utf-8"))
    FILE.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
