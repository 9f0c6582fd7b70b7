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

from seqonnx.autodiff import backward, refuse_blockers
from seqonnx.autodiff.function_calls import functions_as_calls
from seqonnx.autodiff.rule_emitter import Choose, by_rule
from seqonnx.constraints import Constraint
from seqonnx.contexts import in_own_context
from seqonnx.garbage import search_paused
from seqonnx.graph import (
    Dim,
    Emitter,
    NoiseInput,
    Variable,
    ir_dtype,
    static_shape,
)
from seqonnx.graph.apart import SessionModel, to_session_model
from seqonnx.graph.reading import bytes_of
from seqonnx.lowering import pipeline
from seqonnx.lowering.pipeline import DeviceName, Options
from seqonnx.optimizers import Optimizer
from seqonnx.optimizers.in_step import StepWork
from seqonnx.optimizers.loss_scale import LossScale
from seqonnx.training.goal import Goal, accumulators, emit_goal

LEARNING_RATE = "learning_rate"
STEP = "step"
LOSS = "loss"


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
    """A built step: the model and what its inputs and outputs are."""

    stored: SessionModel
    batch: Mapping[str, tuple[Dim, ...]]
    """Shapes of the data inputs by name: model inputs, then targets, then sample weights."""
    reads: Mapping[Variable, str]
    """Input name of every variable that the graph takes."""
    writes: Mapping[Variable, str]
    """Output name of every variable that the step changes."""
    noise: Mapping[str, NoiseInput]
    scalars: tuple[str, ...]
    frozen: bool
    """Whether weights that no step changes are constants of the graph."""
    bytes_inside: int
    """Bytes of all values that are computed; of the batch where its size is not fixed, a guess."""
    steps: int = 1
    """Steps in one run; above 1 the data, noise and scalars have them as their first axis."""

    @property
    def model(self) -> bytes:
        """The message of the model."""
        return self.stored.content


@search_paused()
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
    shows_loss: bool = False,
    names: Mapping[Variable, str] | None = None,
    block: int = 0,
) -> StepGraph:
    """Build the graph of one training step.

    Args:
        goal: model, loss and metrics.
        update: optimizer, weights to train and their slots.
        device: `"cpu"` or `"cuda"`; gradient rules choose formulations by it.
        choose: decides where several forms of a gradient apply.
        recompute: whether activations are computed again for the backward pass, or the names of
            the layers whose outputs are kept.
        flat: whether variables may be written in another shape, where that saves a copy.
        values: values of the frozen weights; default: those of the moment.
        shows_loss: whether the loss of the batch is an output, too, called `LOSS`.
        names: names that variables are to have; default: those that the scopes give.
        block: channels in a block of ONNX Runtime's blocked layout; 0 for a graph of standard
            operators alone.

    Returns:
        The step graph.

    Raises:
        GradientError: if an operator between a trained weight and the loss has no gradient rule.
    """
    op = Emitter(weights_as="input", except_for=update.frozen, values=values, names=names)
    batch, loss = emit_goal(op, goal, training=True)
    rates = [op.input(LEARNING_RATE, "float32", ()) for _ in update.optimizer._rate_owners()]
    step = op.input(STEP, "float32", ())
    used = [w for w in update.weights if w in op.variables]
    scaling = update.optimizer._scaling
    if scaling is None:
        factor = update.optimizer.loss_scale_factor
        start = np.asarray(1.0 if factor is None else factor, np.float32)
        seed = op.constant(start, "grad/seed")
    else:
        seed = op.read(scaling.scale)
    with functions_as_calls(op):
        refuse_blockers(op.graph, [loss], {op.read(w): w.path for w in used})
        places = [_used_value(op, w) for w in used]
        grads = backward(op, [(loss, seed)], places, device=device, choose=choose)
    trained = [(w, g) for w, g in zip(used, grads, strict=True) if g is not None]
    if scaling is None or len(trained) == 0:
        writes = op.updates | _emit_update(op, update, trained, rates, step)
    else:
        writes = _emit_scaled(op, goal, update, scaling, trained, rates, step)
    frozen = len(update.frozen) > 0
    scalars = tuple(str(value.name) for value in (*rates, step))
    return finish_step(
        op,
        batch,
        writes,
        scalars,
        device=device,
        frozen=frozen,
        recompute=recompute,
        flat=flat,
        loss=loss if shows_loss else None,
        block=block,
    )


@search_paused()
@in_own_context
def build_test_step(
    goal: Goal,
    *,
    device: DeviceName = "cpu",
    values: Mapping[Variable, npt.NDArray[Any]] | None = None,
    frozen: Sequence[Variable] | None = None,
    names: Mapping[Variable, str] | None = None,
) -> StepGraph:
    """Build the graph that measures loss and metrics on one batch.

    Args:
        goal: model, loss and metrics.
        device: `"cpu"` or `"cuda"`.
        values: values of the weights; default: those of the moment.
        frozen: the only weights to bake in, where the others are to be inputs, and the loss of the
            batch an output, called `LOSS`; default: all weights are baked in.
        names: see `build_train_step`.
    """
    measured = accumulators(goal)
    if frozen is not None:
        op = Emitter(weights_as="input", except_for=frozen, values=values, names=names)
        batch, loss = emit_goal(op, goal, training=False)
        return finish_step(op, batch, dict(op.updates), (), device=device, loss=loss)
    op = Emitter(weights_as="initializer", except_for=measured, values=values)
    batch, _ = emit_goal(op, goal, training=False)
    if any(variable not in measured for variable in op.updates):
        # The states of stateful layers: inputs, as they change from batch to batch.
        carried = [*measured, *op.updates]
        op = Emitter(weights_as="initializer", except_for=carried, values=values)
        batch, _ = emit_goal(op, goal, training=False)
    return finish_step(op, batch, dict(op.updates), (), device=device)


def _used_value(op: Emitter, variable: Variable) -> ir.Value:
    """The value of a weight that the forward pass works with: one that it assigns, or its own."""
    return op.updates.get(variable, op.read(variable))


def _emit_update(
    op: Emitter,
    update: Update,
    trained: Sequence[tuple[Variable, ir.Value]],
    rates: Sequence[ir.Value],
    step: ir.Value,
) -> dict[Variable, ir.Value]:
    """Emit the optimizer and the constraints; returns the new value of each variable."""
    # Weights without a gradient have a moving average, too.
    weights = [w for w, _ in trained] if not update.optimizer._averages_weights else update.weights
    with op.scope("optimizer"):
        values = {weight: _used_value(op, weight) for weight in weights}
        work = StepWork(values, dict(trained), update.slots, rates, step)
        writes = update.optimizer._emit_step(op, work)
        constraints = dict(update.constrained)
        for weight, _ in trained:
            rule = constraints.get(weight)
            if rule is not None:
                writes[weight] = rule._apply(op, writes[weight], weight._layout)
    return writes


def _emit_scaled(
    op: Emitter,
    goal: Goal,
    update: Update,
    scaling: LossScale,
    trained: Sequence[tuple[Variable, ir.Value]],
    rates: Sequence[ir.Value],
    step: ir.Value,
) -> dict[Variable, ir.Value]:
    """Emit the update for gradients of a scaled loss; without effect where one is not finite."""
    with op.scope("loss_scale"):
        grads, finite = scaling.unscale(op, [grad for _, grad in trained])
        step = scaling.steps_taken(op, step)
    unscaled = [(weight, grad) for (weight, _), grad in zip(trained, grads, strict=True)]
    changed = op.updates | _emit_update(op, update, unscaled, rates, step)
    measured = set(accumulators(goal))
    with op.scope("loss_scale"):
        kept = {
            variable: value if variable in measured else op.Where(finite, value, op.read(variable))
            for variable, value in changed.items()
        }
        return kept | scaling.advance(op, finite)


def finish_step(
    op: Emitter,
    batch: Sequence[ir.Value],
    writes: Mapping[Variable, ir.Value],
    scalars: tuple[str, ...],
    *,
    device: DeviceName,
    frozen: bool = False,
    recompute: bool | Sequence[str] = False,
    flat: bool = False,
    loss: ir.Value | None = None,
    block: int = 0,
) -> StepGraph:
    """Declare the outputs, lower the graph and serialise.

    Args:
        op: emitter of the graph.
        batch: the data inputs.
        writes: the new value of each variable.
        scalars: names of the inputs that are fed numbers at every step.
        device: `"cpu"` or `"cuda"`.
        frozen: whether weights are constants of the graph.
        recompute: see `build_train_step`.
        flat: see `build_train_step`.
        loss: the loss of the batch, where it is to be an output.
        block: see `build_train_step`.
    """
    if loss is not None:
        op.output(loss, LOSS)
    names = {}
    for variable, value in writes.items():
        output = op.output(value, f"next/{op.variables[variable].name}")
        output.shape = ir.Shape(variable._stored_shape)
        output.type = ir.TensorType(ir_dtype(variable.dtype))
        names[variable] = str(output.name)
    data = [*batch, *op.noise.values()]
    options = Options(device=device, data=data, recompute=recompute, flat=flat, block=block)
    pipeline.lower(op, pipeline.STEP, options)
    reads = {
        variable: str(value.name)
        for variable, value in op.variables.items()
        if value.is_graph_input()
    }
    return StepGraph(
        stored=to_session_model(op.graph),
        batch={str(value.name): static_shape(value) for value in batch},
        reads=reads,
        writes=names,
        noise=op.draws.declared(),
        scalars=scalars,
        frozen=frozen,
        bytes_inside=sum(bytes_of(value) for node in op.graph for value in node.outputs),
    )
