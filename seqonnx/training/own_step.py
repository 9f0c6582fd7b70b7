"""A step that the user has written: a function of tensors, traced once into one graph.

Statements follow one another: what reads a weight after an optimizer has taken a step sees its
new value, as in Keras. Whatever is returned comes back through the state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqonnx.autodiff.rule_emitter import Choose, by_rule
from seqonnx.contexts import in_own_context
from seqonnx.graph import Emitter, Trace, TracedTensor, Variable, static_shape
from seqonnx.graph.tracing import tracing
from seqonnx.layers._weights import names_inside
from seqonnx.lowering.pipeline import DeviceName
from seqonnx.metrics.pending import PendingResult
from seqonnx.optimizers import Optimizer
from seqonnx.optimizers.in_step import StepWork
from seqonnx.optimizers.on_tensors import in_onnx_layout
from seqonnx.structures import put_back, take_out
from seqonnx.training.blocks import by_blocks
from seqonnx.training.step import LEARNING_RATE, STEP, StepGraph, finish_step

SlotsOf = Callable[[Optimizer, Sequence[Variable]], Mapping[Variable, Mapping[str, Variable]]]
"""Gives the slots that an optimizer has for weights; makes them where there are none."""


class OptimizerStep(NamedTuple):
    """A step that an optimizer takes within a step.

    Args:
        optimizer: the optimizer.
        number: how many steps of it come before within the same step.
    """

    optimizer: Optimizer
    number: int


@dataclass(frozen=True)
class OwnGraph:
    """A function of the user's as a graph.

    Args:
        graph: the graph.
        applications: the steps of optimizers, in the order of the graph's pairs of scalars.
        returned: what the function returns, with a variable or a pending result in the place of
            each tensor.
    """

    graph: StepGraph
    applications: Sequence[OptimizerStep]
    returned: Any


class StepTrace(Trace):
    """The trace of a step.

    Args:
        op: emitter of the graph.
        device: `"cpu"` or `"cuda"`; gradient rules choose formulations by it.
        slots_of: gives the slots of optimizers.
        choose: decides where several forms of a gradient apply.
    """

    def __init__(
        self, op: Emitter, device: DeviceName, slots_of: SlotsOf, choose: Choose = by_rule
    ) -> None:
        super().__init__(op, training=False)  # as in Keras a call says that it is training
        self.may_train = True
        self.device, self.choose = device, choose
        self.applications: list[OptimizerStep] = []
        self.scalars: list[str] = []
        self._slots_of = slots_of

    def begin_call(self, layer: Any) -> None:
        """Forget what the last call of a layer has added to the loss."""
        names = names_inside(layer)
        op = self.op
        op.losses = [loss for loss in op.losses if not names & set(str(loss.name).split("/"))]

    def optimize(
        self,
        optimizer: Any,
        grads: Sequence[Any],
        variables: Sequence[Variable],
        weights: Sequence[Variable],
    ) -> None:
        """Take a step of an optimizer: weights and slots have new values from here on."""
        op = self.op
        number = sum(each.optimizer is optimizer for each in self.applications)
        rates = [op.input(LEARNING_RATE, "float32", ()) for _ in optimizer._rate_owners()]
        step = op.input(STEP, "float32", ())
        self.applications.append(OptimizerStep(optimizer, number))
        self.scalars += [str(value.name) for value in (*rates, step)]
        slots = self._slots_of(optimizer, list(weights))
        with op.scope("optimizer"):
            stored = {
                weight: in_onnx_layout(op, op.cast(self.value(grad), weight.dtype), weight)
                for weight, grad in zip(variables, grads, strict=True)
            }
            averaged = weights if optimizer._averages_weights else variables
            values = {weight: op.read(weight) for weight in averaged}
            held = {weight: slots[weight] for weight in weights}
            changed = optimizer._emit_applied(op, StepWork(values, stored, held, rates, step))
            for variable, value in changed.items():
                rule = variable.constraint if variable in stored else None
                limited = value if rule is None else rule._apply(op, value, variable._layout)
                op.update(variable, limited)


@in_own_context
def build_own_step(
    function: Callable[..., Any],
    arguments: Any,
    kinds: Sequence[tuple[tuple[int, ...], str]],
    *,
    device: DeviceName,
    slots_of: SlotsOf,
    block: int = 0,
) -> OwnGraph:
    """Build the graph of a function of the user's.

    Args:
        function: `function(*args, **kwargs)` on tensors.
        arguments: `(args, kwargs)` with a slot in the place of each array.
        kinds: shape and dtype of each array.
        device: `"cpu"` or `"cuda"`.
        slots_of: gives the slots of optimizers.
        block: channels in a block of ONNX Runtime's blocked layout; 0 for the plain one.

    Returns:
        The graph.
    """
    op = Emitter(weights_as="input", in_order=True)
    inputs = [op.input(f"data/{i}", dtype, shape) for i, (shape, dtype) in enumerate(kinds)]
    trace = StepTrace(op, device, slots_of, by_blocks(block))
    args, kwargs = put_back(arguments, [TracedTensor(value) for value in inputs])
    with tracing(trace):
        result = function(*args, **kwargs)
    returned = _returned(op, result)
    pending = _pending_in(returned)
    for variable in (v for each in pending for v in each.metric.variables):
        op.updates.setdefault(variable, op.read(variable))
    writes, scalars = dict(op.updates), tuple(trace.scalars)
    graph = finish_step(op, inputs, writes, scalars, device=device, block=block)
    return OwnGraph(graph, trace.applications, returned)


def _returned(op: Emitter, result: Any) -> Any:
    """Make what a function returns part of the state; returns it with variables for tensors."""
    found: list[Any] = []
    pattern = take_out(result, lambda part: isinstance(part, TracedTensor), found)
    variables = []
    for number, tensor in enumerate(found):
        value = tensor._value
        shape = static_shape(value)
        if not all(isinstance(size, int) for size in shape):
            raise ValueError(
                "A function that is compiled must return tensors whose sizes follow from those of "
                f"its arguments. Received: {tensor!r}"
            )
        sizes = tuple(int(size or 0) for size in shape)
        path = f"returned/{number}"
        start = np.zeros(sizes, tensor.dtype)
        variable = Variable(start, "value", trainable=False, path=path, autocast=False)
        variable._measures = True
        op.update(variable, op.Identity(value))
        variables.append(variable)
    return put_back(pattern, variables)


def _pending_in(structure: Any) -> list[PendingResult]:
    found: list[Any] = []
    take_out(structure, lambda part: isinstance(part, PendingResult), found)
    return found
