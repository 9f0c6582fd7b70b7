"""A note at a recurrent operator: what computes its outputs a second time, for a gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import onnx_ir as ir

_KEY: Final = "seqonnx.states_again"


@dataclass(frozen=True)
class StatesAgain:
    """The states of one direction, computed a second time.

    Args:
        after: hidden state after each step, (time, batch, hidden).
        last: the last states, (batch, hidden) each.
    """

    after: ir.Value
    last: Sequence[ir.Value]


def note_states(node: ir.Node, again: Sequence[StatesAgain]) -> None:
    """Note at a recurrent node what computes its outputs again from the same inputs.

    Args:
        node: an LSTM or a GRU with the time as its first axis.
        again: its directions.
    """
    node.meta[_KEY] = tuple(again)


def states_again(node: ir.Node) -> Sequence[StatesAgain]:
    """The directions that were noted at a node; none where nothing was, or it is gone."""
    noted: Sequence[StatesAgain] = node.meta.get(_KEY, ())
    producers = [direction.after.producer() for direction in noted]
    gone = any(producer is None or producer.graph is None for producer in producers)
    return () if gone else noted
