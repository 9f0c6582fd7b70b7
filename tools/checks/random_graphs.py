"""Random graphs over the ledger: differentiated, checked by direction, run at every level of ORT.

    python tools/checks/random_graphs.py [--graphs 2000] [--seed 0] [--save DIR]

Each seed draws one graph. `--seed N --graphs 1` draws graph N alone, and `--save DIR` keeps its
ONNX files: the graph in float64, and with its gradients in float32. Exits with 1 if a check fails.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.autodiff.random_check import (  # noqa: E402
    LEVELS,
    Outcome,
    Reference,
    check,
    cotangents_of,
    differentiate,
    single_precision,
)
from support.autodiff.random_graphs import Drawn, draw, left_out  # noqa: E402
from support.autodiff.random_values import TEMPLATES  # noqa: E402


class Tally:
    """The totals of all graphs together."""

    def __init__(self) -> None:
        self.graphs = self.redrawn = self.dead = 0
        self.operators: Counter[str] = Counter()
        self.known: Counter[str] = Counter()
        self.failures: dict[int, str] = {}
        self.worst = Outcome()

    def add(self, drawn: Drawn, outcome: Outcome) -> None:
        """Count one graph."""
        self.graphs += 1
        self.redrawn += outcome.redrawn
        self.dead += drawn.dead
        self.operators.update(drawn.operators)
        self.known.update(outcome.known)
        for name in ("derivative", "levels", "single"):
            setattr(self.worst, name, max(getattr(self.worst, name), getattr(outcome, name)))
        if len(outcome.failures) > 0:
            self.failures[drawn.seed] = outcome.failures[0]

    def table(self) -> Table:
        """The figures."""
        rules = sum(self.operators[name] > 0 for name in TEMPLATES)
        table = Table("what", "count or largest difference", title="Random graphs")
        table.add_row("graphs", str(self.graphs))
        table.add_row("operators", f"{sum(self.operators.values())}")
        table.add_row("dead ends", str(self.dead))
        table.add_row("rules drawn", f"{rules} of {len(TEMPLATES) + len(left_out())}")
        table.add_row("inputs drawn again next to a kink", str(self.redrawn))
        table.add_row("derivative against central differences", f"{self.worst.derivative:.1e}")
        table.add_row(f"between {len(LEVELS)} optimisation levels", f"{self.worst.levels:.1e}")
        table.add_row("float32 against float64", f"{self.worst.single:.1e}")
        for reason, count in self.known.items():
            table.add_row(f"float64 only: {reason}", str(count))
        for reason in dict.fromkeys(left_out().values()):
            names = [name for name, why in left_out().items() if why == reason]
            table.add_row(f"not drawn: {', '.join(names)}", reason)
        for seed, text in self.failures.items():
            table.add_row(f"[red]failure, --seed {seed} --graphs 1[/red]", text[:200])
        table.add_row("failures", str(len(self.failures)))
        return table


def save(drawn: Drawn, folder: Path) -> None:
    """Write the graph, and the graph with its gradients."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(drawn.model, folder / f"graph_{drawn.seed}.onnx")
    graph = ir.from_proto(drawn.model).graph
    cotangents = cotangents_of(Reference(drawn.model)(drawn.feeds), np.random.default_rng(0))
    gradients = differentiate(graph, cotangents, list(drawn.floats))
    onnx.save(single_precision(gradients), folder / f"gradient_{drawn.seed}.onnx")


def main() -> int:
    """Draw, check and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--graphs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, default=None)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    console, tally = Console(), Tally()
    seeds = range(arguments.seed, arguments.seed + arguments.graphs)
    for seed in track(seeds, "drawing and checking", console=console):
        drawn = draw(seed)
        if arguments.save is not None:
            save(drawn, arguments.save)
        tally.add(drawn, guarded(drawn))
    console.print(tally.table())
    return int(len(tally.failures) > 0)


def guarded(drawn: Drawn) -> Outcome:
    """Check a graph; an error counts as a failure of the graph."""
    try:
        return check(drawn)
    except Exception as error:  # the other graphs are to be checked too
        return Outcome(failures=[f"{type(error).__name__}: {error}"])


if __name__ == "__main__":
    sys.exit(main())
