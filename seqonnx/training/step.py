"""The step graph: forward, loss, backward and update as one graph of standard operators.

Inputs are the batch, two scalars (learning rate, step), noise and state; outputs are the new
state. State is everything that a step changes: weights, optimizer slots, moving statistics and
the accumulators of loss and metrics. The graph is pure: same inputs, same outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.autodiff import backward, refuse_blockers
from seqonnx.autodiff.rule_emitter import Choose, by_rule
from seqonnx.constraints import Constraint
from seqonnx.contexts import in_own_context
from seqonnx.graph import (
    Dim,
    Emitter,
    Variable,
    dtype_name,
    ir_dtype,
    static_shape,
)
from seqonnx.graph.reading import bytes_of
from seqonnx.graph.serde import to_bytes
from seqonnx.losses import Loss
from seqonnx.lowering import pipeline
from seqonnx.lowering.pipeline import DeviceName, Options
from seqonnx.metrics import Metric
from seqonnx.metrics.base import Accumulator
from seqonnx.optimizers import Optimizer
from seqonnx.optimizers.loss_scale import LossScale
from seqonnx.regularizers import Regularizer, penalty_of
from seqonnx.symbolic import SymbolicTensor, emit_forward

LEARNING_RATE = "learning_rate"
STEP = "step"
TARGET = "y_true"
SAMPLE_WEIGHT = "sample_weight"


@dataclass(frozen=True)
class Tracked:
    """A metric with its accumulators; the loss is tracked as one, too."""

    name: str
    metric: Accumulator
    state: Mapping[str, Variable]
    weighted: bool = False
    inside: bool = False
    """Whether a layer of the model updates it in its call."""

    @classmethod
    def of(cls, name: str, metric: Metric, *, weighted: bool = False) -> Tracked:
        """Make the accumulators of a metric."""
        state = {
            key: Variable(np.asarray(start), key, trainable=False, path=f"{name}/{key}")
            for key, start in metric._reset().items()
        }
        return cls(name, metric, state, weighted)


@dataclass(frozen=True)
class Goal:
    """The quantities that a model is trained for and measured by."""

    inputs: Sequence[SymbolicTensor]
    output: SymbolicTensor
    loss: Loss
    tracked: Sequence[Tracked]
    regularized: Sequence[tuple[Variable, Regularizer]]
    batch: Dim
    """Samples in a batch; a number for a graph that takes no other."""
    target_shape: tuple[Dim, ...]
    """Shape of the targets of one sample."""
    target_dtype: str
    weight_shape: tuple[Dim, ...] | None
    """Shape of the weights of one sample, or None where there are none."""
    loss_total: Variable
    loss_count: Variable
    loss_weight: float = 1.0
    """The factor of the loss; the penalties of regularizers are not multiplied."""


@dataclass(frozen=True)
class Update:
    """How trainable weights change."""

    optimizer: Optimizer
    weights: Sequence[Variable]
    frozen: Sequence[Variable]
    """Weights that no step changes: baked into the graph as constants."""
    slots: Mapping[Variable, Mapping[str, Variable]]
    constrained: Sequence[tuple[Variable, Constraint]]


@dataclass(frozen=True)
class StepGraph:
    """A built step: the model's bytes and what its inputs and outputs are."""

    model: bytes
    batch: Mapping[str, tuple[Dim, ...]]
    """Shapes of the data inputs by name: model inputs, then targets, then sample weights."""
    reads: Mapping[Variable, str]
    """Input name of every variable that the graph takes."""
    writes: Mapping[Variable, str]
    """Output name of every variable that the step changes."""
    noise: Mapping[str, tuple[Dim, ...]]
    scalars: tuple[str, ...]
    frozen: bool
    """Whether weights that no step changes are constants of the graph."""
    bytes_inside: int
    """Bytes of all values that are computed; of the batch where its size is not fixed, a guess."""
    steps: int = 1
    """Steps in one run; above 1 the data, noise and scalars have them as their first axis."""


@in_own_context
def build_train_step(
    goal: Goal,
    update: Update,
    *,
    device: DeviceName,
    choose: Choose = by_rule,
    recompute: bool | Sequence[str] = False,
    flat: bool = True,
    values: Mapping[Variable, npt.NDArray[Any]] | None = None,
) -> StepGraph:
    """Build the graph of one training step.

    Args:
        goal: model, loss and metrics.
        update: optimizer, weights to train and their slots.
        device: `"cpu"` or `"cuda"`; gradient rules choose formulations by it.
        choose: decides where several forms of a gradient apply.
        recompute: whether activations are computed again for the backward pass, or the names of
            the layers whose outputs are kept.
        flat: whether variables may be written as vectors, where that saves a copy.
        values: values of the frozen weights; default: those of the moment.

    Returns:
        The step graph.

    Raises:
        GradientError: if an operator between a trained weight and the loss has no gradient rule.
    """
    op = Emitter(weights_as="input", except_for=update.frozen, values=values)
    batch, loss = _emit_goal(op, goal, training=True)
    lr = op.input(LEARNING_RATE, "float32", ())
    step = op.input(STEP, "float32", ())
    used = [w for w in update.weights if w in op.variables]
    scaling = update.optimizer._scaling
    if scaling is None:
        seed = op.constant(np.ones((), np.float32), "grad/seed")
    else:
        seed = op.read(scaling.scale)
    refuse_blockers(op.graph, [loss], {op.read(w): w.path for w in used})
    places = [_used_value(op, w) for w in used]
    grads = backward(op, [(loss, seed)], places, device=device, choose=choose)
    trained = [(w, g) for w, g in zip(used, grads, strict=True) if g is not None]
    if scaling is None or len(trained) == 0:
        writes = op.updates | _emit_update(op, update, trained, lr, step)
    else:
        writes = _emit_scaled(op, goal, update, scaling, trained, lr, step)
    frozen = len(update.frozen) > 0
    scalars = (str(lr.name), str(step.name))
    return _finish(
        op,
        batch,
        writes,
        scalars,
        device=device,
        frozen=frozen,
        recompute=recompute,
        flat=flat,
    )


@in_own_context
def build_test_step(
    goal: Goal,
    *,
    device: DeviceName = "cpu",
    values: Mapping[Variable, npt.NDArray[Any]] | None = None,
) -> StepGraph:
    """Build the graph that measures loss and metrics on one batch, weights baked in.

    Args:
        goal: model, loss and metrics.
        device: `"cpu"` or `"cuda"`.
        values: values of the weights; default: those of the moment.
    """
    accumulators = _accumulators(goal)
    op = Emitter(weights_as="initializer", except_for=accumulators, values=values)
    batch, _ = _emit_goal(op, goal, training=False)
    if any(variable not in accumulators for variable in op.updates):
        # The states of stateful layers: inputs, as they change from batch to batch.
        carried = [*accumulators, *op.updates]
        op = Emitter(weights_as="initializer", except_for=carried, values=values)
        batch, _ = _emit_goal(op, goal, training=False)
    return _finish(op, batch, dict(op.updates), (), device=device)


def _accumulators(goal: Goal) -> list[Variable]:
    """Variables of the loss and of the metrics."""
    found = [goal.loss_total, goal.loss_count]
    for tracked in goal.tracked:
        found.extend(tracked.state.values())
    return found


def _emit_goal(op: Emitter, goal: Goal, *, training: bool) -> tuple[list[ir.Value], ir.Value]:
    """Emit forward pass, loss and metric updates; returns the data inputs and the loss."""
    inputs, outputs = emit_forward(
        op,
        goal.inputs,
        [goal.output],
        training=training,
        with_losses=True,
        batch=goal.batch,
    )
    y_pred = op.cast(outputs[0], dtypes.widened(dtype_name(outputs[0])))
    y_true = op.input(TARGET, goal.target_dtype, (goal.batch, *goal.target_shape))
    batch = [*inputs, y_true]
    weight = None
    if goal.weight_shape is not None:
        weight = op.input(SAMPLE_WEIGHT, "float32", (goal.batch, *goal.weight_shape))
        batch.append(weight)
    with op.scope("loss"):
        loss = goal.loss._emit(op, y_true, y_pred, weight)
        if goal.loss_weight != 1.0:
            loss = op.Mul(loss, goal.loss_weight)
        for variable, regularizer in goal.regularized:
            op.add_loss(penalty_of(op, regularizer, variable))
        for extra in op.losses:
            loss = op.Add(loss, extra)
        count = op.Cast(op.Squeeze(op.Shape(inputs[0], start=0, end=1), [0]), to=_FLOAT)
        total = op.Add(op.read(goal.loss_total), op.Mul(loss, count))
        op.update(goal.loss_total, total)
        op.update(goal.loss_count, op.Add(op.read(goal.loss_count), count))
    for tracked in goal.tracked:
        if tracked.inside:  # and there it has been updated, if at all
            for variable in tracked.state.values():
                op.updates.setdefault(variable, op.read(variable))
            continue
        assert isinstance(tracked.metric, Metric)
        with op.scope(f"metrics/{tracked.name}"):
            state = {key: op.read(variable) for key, variable in tracked.state.items()}
            chosen = weight if tracked.weighted else None
            changed = tracked.metric.update(op, state, y_true, y_pred, chosen)
        for key, value in changed.items():
            op.update(tracked.state[key], value)
    return batch, loss


def _used_value(op: Emitter, variable: Variable) -> ir.Value:
    """The value of a weight that the forward pass works with: one that it assigns, or its own."""
    return op.updates.get(variable, op.read(variable))


def _emit_update(
    op: Emitter,
    update: Update,
    trained: Sequence[tuple[Variable, ir.Value]],
    lr: ir.Value,
    step: ir.Value,
) -> dict[Variable, ir.Value]:
    """Emit the optimizer and the constraints; returns the new value of each variable."""
    weights = [weight for weight, _ in trained]
    writes: dict[Variable, ir.Value] = {}
    with op.scope("optimizer"):
        slots = [{k: op.read(v) for k, v in update.slots[w].items()} for w in weights]
        params, slots = update.optimizer._emit(
            op,
            [_used_value(op, w) for w in weights],
            [grad for _, grad in trained],
            slots,
            lr,
            step,
            [w.path for w in weights],
        )
        constraints = dict(update.constrained)
        for weight, value, slot in zip(weights, params, slots, strict=True):
            rule = constraints.get(weight)
            writes[weight] = value if rule is None else rule._apply(op, value, weight._layout)
            writes.update({update.slots[weight][key]: new for key, new in slot.items()})
    return writes


def _emit_scaled(
    op: Emitter,
    goal: Goal,
    update: Update,
    scaling: LossScale,
    trained: Sequence[tuple[Variable, ir.Value]],
    lr: ir.Value,
    step: ir.Value,
) -> dict[Variable, ir.Value]:
    """Emit the update for gradients of a scaled loss; without effect where one is not finite."""
    with op.scope("loss_scale"):
        grads, finite = scaling.unscale(op, [grad for _, grad in trained])
        step = scaling.steps_taken(op, step)
    unscaled = [(weight, grad) for (weight, _), grad in zip(trained, grads, strict=True)]
    changed = op.updates | _emit_update(op, update, unscaled, lr, step)
    measured = set(_accumulators(goal))
    with op.scope("loss_scale"):
        kept = {
            variable: value if variable in measured else op.Where(finite, value, op.read(variable))
            for variable, value in changed.items()
        }
        return kept | scaling.advance(op, finite)


def _finish(
    op: Emitter,
    batch: Sequence[ir.Value],
    writes: Mapping[Variable, ir.Value],
    scalars: tuple[str, ...],
    *,
    device: DeviceName,
    frozen: bool = False,
    recompute: bool | Sequence[str] = False,
    flat: bool = False,
) -> StepGraph:
    """Declare the outputs, lower the graph and serialise."""
    names = {}
    for variable, value in writes.items():
        output = op.output(value, f"next/{op.read(variable).name}")
        output.shape = ir.Shape(variable._stored_shape)
        output.type = ir.TensorType(ir_dtype(variable.dtype))
        names[variable] = str(output.name)
    data = [*batch, *op.noise.values()]
    options = Options(device=device, data=data, recompute=recompute, flat=flat)
    pipeline.lower(op, pipeline.STEP, options)
    reads = {
        variable: str(value.name)
        for variable, value in op.variables.items()
        if value.is_graph_input()
    }
    return StepGraph(
        model=to_bytes(op.graph),
        batch={str(value.name): static_shape(value) for value in batch},
        reads=reads,
        writes=names,
        noise={name: static_shape(value) for name, value in op.noise.items()},
        scalars=scalars,
        frozen=frozen,
        bytes_inside=sum(bytes_of(value) for node in op.graph for value in node.outputs),
    )


_FLOAT = 1
"""ONNX's number of the type float32, for `Cast`."""
