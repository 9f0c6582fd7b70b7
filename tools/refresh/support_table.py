"""Write down which operators can be differentiated, and why the others cannot.

    python tools/refresh/support_table.py [--check]

The table goes to `docs/operators.md`; a test compares it with the ledger. With `--check` nothing is
written, and the exit code is 1 if the file is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import onnx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the checkout, not an installed copy

from seqonnx.autodiff.ledger import DECISIONS, LedgerEntry, ledger, standard_says  # noqa: E402
from seqonnx.graph import OPSET  # noqa: E402

FILE = ROOT / "docs" / "operators.md"
COMMAND = "python tools/refresh/support_table.py"
STATES = {
    "rule": "a gradient rule differentiates it",
    "no gradient": "zero wherever it exists, or the outputs are integers, bools or text",
    "missing": "not yet",
}


def render() -> str:
    """Return the text of the file."""
    entries = ledger()
    says = {entry.op_type: standard_says(entry.op_type) for entry in entries}
    return f"""# Operators and their gradients

<!-- Made by `{COMMAND}`: change the code, then run it. -->

This page lists which ONNX operators can be differentiated, and why the others cannot: all
{len(entries)} operators of operator set {OPSET} (`ai.onnx`) but deprecated ones.
[Differentiating ONNX](autodiff.md) says how to differentiate a model, and how to add a rule. The
formulas stand in `seqonnx/autodiff/rules`, one module for each family of operators.

{_counts(entries)}

## Where the standard decides otherwise

The ONNX standard says for many operators whether they are differentiable. For these, the standard
(onnx {_release()}) says nothing, or something else than seqonnx does, for the reason given.

{
        _rows(
            "operator | the standard | here | reason",
            [
                f"{e.op_type} | {says[e.op_type]} | {e.state} | {DECISIONS[e.op_type]}"
                for e in entries
                if e.op_type in DECISIONS
            ],
        )
    }

## All operators

The note names the module of `seqonnx/autodiff/rules` that has the rule, or the reason why there is
none.

{_rows("operator | state | note", [f"{e.op_type} | {e.state} | {e.note}" for e in entries])}
"""


def _counts(entries: list[LedgerEntry]) -> str:
    counts = Counter(entry.state for entry in entries)
    return _rows(
        "state | operators | meaning",
        [f"{state} | {counts[state]} | {meaning}" for state, meaning in STATES.items()],
    )


def _rows(head: str, rows: list[str]) -> str:
    """A table in Markdown."""
    line = "|".join("---" for _ in head.split(" | "))
    return "\n".join([f"| {head} |", f"|{line}|", *(f"| {row} |" for row in rows)])


def _release() -> str:
    """The release of onnx, without the patch level."""
    return ".".join(onnx.__version__.split(".")[:2])


def main() -> int:
    """Write the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it is stale")
    check = parser.parse_args().check
    new = render()
    stale = not FILE.is_file() or FILE.read_text("utf-8") != new
    name = FILE.relative_to(ROOT).as_posix()
    if check:
        print(f"{name} is stale: {COMMAND}" if stale else f"{name} is fresh")
        return int(stale)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(new, "utf-8", newline="\n")
    print(f"{name}: {'changed' if stale else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
