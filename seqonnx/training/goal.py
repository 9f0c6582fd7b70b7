"""The goal of training: what the outputs are compared with, and the nodes that compare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Dim, Emitter, Variable, dtype_name
from seqonnx.losses import Loss
from seqonnx.metrics import Metric
from seqonnx.metrics.base import Accumulator
from seqonnx.regularizers import Regularizer, penalty_of
from seqonnx.symbolic import SymbolicTensor, emit_forward

TARGET = "y_true"
"""Name of the input of the targets; with several outputs that of the output follows."""
SAMPLE_WEIGHT = "sample_weight"


@dataclass(frozen=True)
class Tracked:
    """A metric with its accumulators; the loss is tracked as one, too."""

    name: str
    metric: Accumulator
    state: Mapping[str, Variable]
    head: int = 0
    """Number of the output that it measures."""
    weighted: bool = False
    inside: bool = False
    """Whether a layer of the model updates it in its call."""

    @classmethod
    def of(cls, name: str, metric: Metric, *, head: int = 0, weighted: bool = False) -> Tracked:
        """Make the accumulators of a metric."""
        state = {
            key: Variable(np.asarray(start), key, trainable=False, path=f"{name}/{key}")
            for key, start in metric._reset().items()
        }
        return cls(name, metric, state, head, weighted)


@dataclass(frozen=True)
class Feed:
    """Data that every step is fed besides the model's inputs.

    Args:
        name: name of the graph's input.
        dtype: dtype that it is computed with.
        shape: shape of one sample.
        given_as: dtype of the graph's input; None: the same.
    """

    name: str
    dtype: str
    shape: tuple[Dim, ...]
    given_as: str | None = None


@dataclass(frozen=True)
class Aim:
    """An output, and what it is compared with.

    Args:
        output: the output.
        target: the targets; None where there are none.
        weight: the sample weights; None where there are none.
        loss: the loss; None where there is none.
        loss_weight: factor of the loss; the penalties of regularizers are not multiplied.
        total: sum of the loss over the samples, where it is told apart from the others.
    """

    output: SymbolicTensor
    target: Feed | None
    weight: Feed | None
    loss: Loss | None
    loss_weight: float = 1.0
    total: Variable | None = None


@dataclass(frozen=True)
class Goal:
    """The quantities that a model is trained for and measured by."""

    inputs: Sequence[SymbolicTensor]
    aims: Sequence[Aim]
    feeds: Sequence[Feed]
    """The targets and sample weights of all aims, each once."""
    tracked: Sequence[Tracked]
    regularized: Sequence[tuple[Variable, Regularizer]]
    batch: Dim
    """Samples in a batch; a number for a graph that takes no other."""
    loss_total: Variable
    loss_count: Variable


def accumulators(goal: Goal) -> list[Variable]:
    """Variables of the loss and of the metrics."""
    found = [goal.loss_total, goal.loss_count]
    found.extend(aim.total for aim in goal.aims if aim.total is not None)
    for tracked in goal.tracked:
        found.extend(tracked.state.values())
    return found


def emit_goal(op: Emitter, goal: Goal, *, training: bool) -> tuple[list[ir.Value], ir.Value]:
    """Emit forward pass, loss and metric updates; returns the data inputs and the loss."""
    inputs, outputs = emit_forward(
        op,
        goal.inputs,
        [aim.output for aim in goal.aims],
        training=training,
        with_losses=True,
        batch=goal.batch,
    )
    predicted = [op.cast(output, dtypes.widened(dtype_name(output))) for output in outputs]
    given = {
        feed: op.input(feed.name, feed.given_as or feed.dtype, (goal.batch, *feed.shape))
        for feed in goal.feeds
    }
    fed = {feed: op.cast(value, feed.dtype) for feed, value in given.items()}
    compared = [
        _Compared(y_pred, _fed(fed, aim.target), _fed(fed, aim.weight))
        for aim, y_pred in zip(goal.aims, predicted, strict=True)
    ]
    with op.scope("loss"):
        loss = _emit_loss(op, goal, compared, inputs[0])
    for tracked in goal.tracked:
        if tracked.inside:  # and there it has been updated, if at all
            for variable in tracked.state.values():
                op.updates.setdefault(variable, op.read(variable))
            continue
        assert isinstance(tracked.metric, Metric)
        y_pred, y_true, weight = compared[tracked.head]
        assert y_true is not None
        with op.scope(f"metrics/{tracked.name}"):
            state = {key: op.read(variable) for key, variable in tracked.state.items()}
            chosen = weight if tracked.weighted else None
            changed = tracked.metric.update(op, state, y_true, y_pred, chosen)
        for key, value in changed.items():
            op.update(tracked.state[key], value)
    return [*inputs, *given.values()], loss


class _Compared(NamedTuple):
    """The values of an aim in the graph."""

    y_pred: ir.Value
    y_true: ir.Value | None
    weight: ir.Value | None


def _fed(fed: Mapping[Feed, ir.Value], feed: Feed | None) -> ir.Value | None:
    return None if feed is None else fed[feed]


def _emit_loss(
    op: Emitter, goal: Goal, compared: Sequence[_Compared], first_input: ir.Value
) -> ir.Value:
    """Emit the sum of all losses and what it adds up to; returns it."""
    losses: list[ir.Value] = []
    totals: dict[Variable, ir.Value] = {}
    for aim, (y_pred, y_true, weight) in zip(goal.aims, compared, strict=True):
        if aim.loss is None or y_true is None:
            continue
        value = op.cast(aim.loss._emit(op, y_true, y_pred, weight), "float32")
        if aim.total is not None:
            totals[aim.total] = value
        losses.append(value if aim.loss_weight == 1.0 else op.Mul(value, aim.loss_weight))
    for variable, regularizer in goal.regularized:
        op.add_loss(penalty_of(op, regularizer, variable))
    if len(losses) + len(op.losses) == 0:
        raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`.")
    loss, *others = [*losses, *(op.cast(penalty, "float32") for penalty in op.losses)]
    for other in others:
        loss = op.Add(loss, other)
    count = op.Cast(op.Squeeze(op.Shape(first_input, start=0, end=1), [0]), to=_FLOAT)
    for variable, value in ((goal.loss_total, loss), *totals.items()):
        op.update(variable, op.Add(op.read(variable), op.Mul(value, count)))
    op.update(goal.loss_count, op.Add(op.read(goal.loss_count), count))
    return loss


_FLOAT = 1
"""ONNX's number of the type float32, for `Cast`."""
