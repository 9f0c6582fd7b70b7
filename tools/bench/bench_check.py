"""Whether all contestants of `bench.py` do the same work: their losses on small batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_pool import Client
from bench_rounds import SUBJECT
from bench_workloads import WORKLOADS
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from bench import Bench

CHECK_BATCH, CHECK_STEPS = 8, 2
# Relative, between contestants. PyTorch and Keras place the epsilon of Adam differently, and
# normalization over small batches magnifies rounding: up to 4e-4 was seen after two steps.
LOSS_LIMIT = 2e-3


def check(bench: Bench, names: list[str], console: Console) -> int:
    """Compare the losses of all contestants; returns 1 if they do not do the same work, else 0."""
    shown = Table("workload", "contestant", "first pass", "second pass", "")
    code = 0
    for name in names:
        if WORKLOADS[name].task != "train":
            continue
        losses, notes = losses_of(bench, name)
        reference = losses.get(SUBJECT) or next(iter(losses.values()), [])
        for contestant, passes in losses.items():
            same = same_work(reference, passes)
            note = notes.get(contestant, "")
            verdict_text = note if note != "" else "same" if same else "DIFFERENT"
            code = code if same or note != "" else 1
            shown.add_row(name, contestant, *(f"{loss:.6f}" for loss in passes), verdict_text)
        for contestant in notes.keys() - losses.keys():
            shown.add_row(name, contestant, "", "", f"missing: {notes[contestant]}")
    console.print(shown)
    return code


def losses_of(bench: Bench, name: str) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Mean losses of two passes over small batches without dropout, and what to say of them."""
    changes = {"no_dropout": True, "batch": CHECK_BATCH, "steps": CHECK_STEPS}
    losses: dict[str, list[float]] = {}
    notes: dict[str, str] = dict(bench.absent)
    for key, framework in bench.frameworks.items():
        if key in bench.absent:
            continue
        with Client(framework, bench.limits) as client:
            for contestant in client.hello().get("contestants", {}):
                answer = client.ask(
                    "prepare", contestant=contestant, workload=name, changes=changes
                )
                differs = answer.get("differs", "")
                if "missing" not in answer:
                    answer = client.ask("losses", contestant=contestant, steps=CHECK_STEPS)
                if "losses" in answer:
                    losses[contestant] = answer["losses"]
                reason = answer.get("missing", differs)
                notes |= {contestant: reason} if reason != "" else {}
    return losses, notes


def same_work(reference: list[float], losses: list[float]) -> bool:
    """Whether losses agree to within `LOSS_LIMIT`; NaN agrees with nothing."""
    pairs = zip(reference, losses, strict=True)
    return all(abs(loss - wanted) <= LOSS_LIMIT * max(1.0, abs(wanted)) for wanted, loss in pairs)
