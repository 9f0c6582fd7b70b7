"""Random graphs over the ledger: the same seed always draws the same graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from seqonnx.autodiff.ledger import ledger
from seqonnx.graph.serde import to_proto
from support.autodiff import (
    random_layers,  # noqa: F401  the import fills the table of templates
    random_moves,  # noqa: F401
    random_templates,  # noqa: F401
)
from support.autodiff.random_values import TEMPLATES, Growing

SMALLEST, LARGEST = 5, 40
RARE = ("GlobalLpPool", "RoiAlign")
"""Operators that ONNX Runtime does not have; drawn seldom, so that it runs nearly all graphs."""


@dataclass(frozen=True)
class Drawn:
    """A float64 graph and its first inputs.

    Args:
        seed: what it was drawn from.
        model: the graph; its outputs are what the loss depends on.
        floats: float inputs, by name; all of them get a gradient.
        others: inputs without gradient.
        operators: types of the nodes, those of bodies left out.
        dead: how many values nothing depends on.
    """

    seed: int
    model: onnx.ModelProto
    floats: dict[str, np.ndarray]
    others: dict[str, np.ndarray]
    operators: tuple[str, ...]
    dead: int

    @property
    def feeds(self) -> dict[str, np.ndarray]:
        """All inputs."""
        return {**self.floats, **self.others}

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs."""
        return [output.name for output in self.model.graph.output]


_STRAIGHT_THROUGH = "its gradient is not the derivative: rounding counts as the identity"
_SEQUENCE = "works on a sequence; tensors only are drawn"
_WHY_LEFT_OUT = {
    "MaxRoiPool": "the standard's evaluator does not have it",
    **dict.fromkeys(["QuantizeLinear", "DequantizeLinear"], _STRAIGHT_THROUGH),
    **dict.fromkeys(
        [
            *("ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SequenceErase"),
            *("SequenceInsert", "SequenceMap", "SplitToSequence", "Optional"),
            "OptionalGetElement",
        ],
        _SEQUENCE,
    ),
}


def left_out() -> dict[str, str]:
    """Operators that have a rule and are not drawn, and why."""
    missing = [e.op_type for e in ledger() if e.state == "rule" and e.op_type not in TEMPLATES]
    return {name: _WHY_LEFT_OUT.get(name, "") for name in missing}


def draw(seed: int, only: tuple[str, ...] = ()) -> Drawn:
    """Draw a graph.

    Args:
        seed: number of the graph.
        only: operators to draw from; all by default.
    """
    rng = np.random.default_rng(seed)
    g = Growing(rng)
    names = sorted(only or TEMPLATES)
    if len(only) == 0 and not g.flip(0.05):
        names = [name for name in names if name not in RARE]
    wanted = g.int(SMALLEST, LARGEST - 6)
    nodes = g.op.graph
    while len(nodes) < wanted:
        template = g.one_of(TEMPLATES[g.one_of(names)])
        made = template.emit(g, g.subject(template), template.op_type)
        for value in made if isinstance(made, (list, tuple)) else [made]:
            g.keep(value)
    leaves = [v for v in g.pool if len(v.uses()) == 0 and v.producer() is not None]
    leaves = list(dict.fromkeys(leaves))
    kept = [v for v in leaves[:-1] if g.flip(0.7)] + leaves[-1:]
    operators = tuple(node.op_type for node in nodes)
    for value in kept:
        g.op.output(value, "y")
    dead = len(leaves) - len(kept)
    return Drawn(seed, to_proto(g.op.graph), g.floats, g.others, operators, dead)
