"""Training for other programs: graphs with names that say what a program has to do with them.

There are three: a step of training, one of measuring, and the forward pass. They take the same
state under the same names, a new value of the state `NAME` is the output `next/NAME`, and any
batch size will do, unless layers keep states for each sample. What no step changes is a constant of
each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import onnx

from seqonnx.graph import BATCH, Dim, Emitter, NoiseInput, Variable, read_together, static_shape
from seqonnx.graph.apart import Arrays, to_proto_apart
from seqonnx.layers.network import Network
from seqonnx.losses import CTC, Loss, LossFunctionWrapper
from seqonnx.lowering.pipeline import INFERENCE, lower
from seqonnx.symbolic import Shape, emit_forward
from seqonnx.training.goal import SAMPLE_WEIGHT, TARGET, Aim, Feed, Goal, accumulators
from seqonnx.training.heads import Head
from seqonnx.training.measures import Measures
from seqonnx.training.step import Update, build_test_step, build_train_step
from seqonnx.training.trainer import Trainer

NEXT: Final = "next/"
"""Beginning of the name of a new value, before the name of the state."""


@dataclass(frozen=True)
class PortableGraph:
    """One of the graphs.

    Args:
        model: the ModelProto, in the operator set that seqonnx emits.
        data: shapes of the data inputs by name; a string is a size that the data decide.
        noise: the noise inputs by name, in order.
        reads: the state that it takes, with the names of the inputs.
        arrays: large weights of a large model that are not in the ModelProto, by name.
    """

    model: onnx.ModelProto
    data: Mapping[str, tuple[Dim, ...]]
    noise: Mapping[str, NoiseInput]
    reads: Mapping[Variable, str]
    arrays: Arrays


@dataclass(frozen=True)
class PortableTraining:
    """The graphs of a training, and what they were made from.

    Args:
        train: one step: data, noise, scalars and state in, the loss and the new state out.
        evaluate: measures on a batch: data and state in, the loss and new accumulators out.
        forward: model inputs and state in, model outputs out.
        names: the state, with the names that it has in all graphs.
        scalars: names of the learning rates of the training step, then of its number.
        measures: losses and metrics.
        accumulators: the part of the state that is theirs.
    """

    train: PortableGraph
    evaluate: PortableGraph
    forward: PortableGraph
    names: Mapping[Variable, str]
    scalars: Sequence[str]
    measures: Measures
    accumulators: Sequence[Variable]

    @property
    def graphs(self) -> Mapping[str, PortableGraph]:
        """The graphs by short names."""
        return {"train": self.train, "eval": self.evaluate, "forward": self.forward}


def portable_training(
    trainer: Trainer, network: Network, *, sample_weight: bool, target_dtype: str | None
) -> PortableTraining:
    """Return the graphs of a training, for the weights that no step changes as they are now.

    Args:
        trainer: the trainer of a model without text and without steps of the user's own.
        network: the model.
        sample_weight: whether the steps take a weight for each sample.
        target_dtype: dtype of the inputs of the targets; None: what the losses compute with.

    Raises:
        ValueError: if there is no loss.
        GradientError: if an operator between a trained weight and the loss has no gradient rule.
    """
    subject, compilation = trainer.subject, trainer.compilation
    frozen = dict(zip(subject.frozen, read_together(subject.frozen)[1], strict=True))
    batch = _batch_of(network)
    goal, measures = _goal(trainer, sample_weight, target_dtype, batch)
    names = _names(trainer, goal)
    update = Update(
        compilation.optimizer, subject.trainable, subject.frozen, trainer.slots, subject.constrained
    )
    step = build_train_step(
        goal,
        update,
        device="cpu",
        recompute=compilation.recompute,
        flat=False,
        values=frozen,
        shows_loss=True,
        names=names,
    )
    names |= step.reads
    test = build_test_step(goal, values=frozen, frozen=subject.frozen, names=names)
    names |= test.reads
    train, evaluate = (
        PortableGraph(
            onnx.load_from_string(each.model),
            each.batch,
            each.noise,
            each.reads,
            each.stored.arrays,
        )
        for each in (step, test)
    )
    op = Emitter(weights_as="input", except_for=subject.frozen, values=frozen, names=names)
    forward = _forward(op, network, batch)
    state = {**step.reads, **test.reads, **forward.reads}
    sums = accumulators(goal)
    return PortableTraining(train, evaluate, forward, state, step.scalars, measures, sums)


def _names(trainer: Trainer, goal: Goal) -> dict[Variable, str]:
    """A name for each weight, slot and accumulator: its path, numbered where two share one."""
    paths = [
        *((variable, variable.path) for variable in trainer.subject.weights),
        *((variable, variable._file_path) for variable in trainer.optimizer_variables),
        *((variable, f"metrics/{variable.path}") for variable in accumulators(goal)),
    ]
    names: dict[Variable, str] = {}
    for variable, path in paths:
        taken, name, number = set(names.values()), path, 0
        while name in taken:
            number += 1
            name = f"{path}_{number}"
        names[variable] = name
    return names


def states_of(network: Network) -> list[Variable]:
    """Return what layers keep from batch to batch besides weights, such as the states of an RNN.

    Args:
        network: a built network.
    """
    op = Emitter(weights_as="input", shapes_only=True)
    emit_forward(op, network.inputs, network.outputs, training=True)
    weights = set(network.weights)
    return [v for v in op.variables if v in op.updates and v not in weights]


def _batch_of(network: Network) -> Dim:
    """The batch of the graphs: any, or the one that states of layers are made for."""
    sizes = {tensor.shape[0] for tensor in network.inputs}
    kept = {state.shape[0] for state in states_of(network) if len(state.shape) > 0}
    fixed = sizes & kept
    return fixed.pop() if len(sizes) == 1 and len(fixed) == 1 else BATCH


def _goal(
    trainer: Trainer, sample_weight: bool, target_dtype: str | None, batch: Dim
) -> tuple[Goal, Measures]:
    """The goal of the training."""
    subject = trainer.subject
    heads = trainer.compilation.heads(subject.outputs)
    seen = trainer.target_shapes or [None] * len(heads)
    targets = [
        _target_of(head, shape, target_dtype) if head.is_measured else None
        for head, shape in zip(heads, seen, strict=True)
    ]
    measures = Measures(heads, targets, inside=subject.metrics, anew=False)
    weight = Feed(SAMPLE_WEIGHT, "float32", ()) if sample_weight else None
    aims = []
    for number, (head, target) in enumerate(zip(heads, targets, strict=True)):
        loss = None if target is None else head.loss_for(target)
        feed = None if target is None else _feed(heads, head, target, loss, target_dtype)
        measured = None if feed is None else weight
        total = measures.loss_totals.get(number)
        aims.append(Aim(head.output, feed, measured, loss, head.loss_weight, total))
    feeds = [feed for aim in aims for feed in (aim.target, aim.weight) if feed is not None]
    goal = Goal(
        inputs=subject.inputs,
        aims=aims,
        feeds=list(dict.fromkeys(feeds)),
        tracked=measures.tracked,
        regularized=subject.regularized,
        batch=batch,
        loss_total=measures.loss_total,
        loss_count=measures.loss_count,
    )
    return goal, measures


def _target_of(head: Head, seen: Shape | None, dtype: str | None) -> Shape:
    """The shape of the targets of an output, batch first; None where a size is not fixed."""
    output = tuple(head.output.shape)
    loss = head.loss
    if isinstance(loss, CTC):
        return (None, None)
    own = isinstance(loss, LossFunctionWrapper) or not type(loss).__module__.startswith("seqonnx.")
    if isinstance(loss, Loss) and own and seen is not None:
        return (None, *seen[1:])
    if isinstance(loss, str):  # the shape of the targets would say which loss it is
        labels = dtype is not None and "int" in dtype and output[-1] != 1
    else:
        labels = loss is not None and loss._target_dtype == "int64"
    return (None, *(output[1:-1] if labels else output[1:]))


def _feed(
    heads: Sequence[Head], head: Head, target: Shape, loss: Loss | None, dtype: str | None
) -> Feed:
    """The input of the targets of an output."""
    name = TARGET + (f"/{head.names[0]}" if len(heads) > 1 else "")
    sizes = [f"{name}_{axis}" if d is None else d for axis, d in enumerate(target)]
    computed = "float32" if loss is None else loss._target_dtype
    return Feed(name, computed, tuple(sizes[1:]), dtype)


def _forward(op: Emitter, network: Network, batch: Dim) -> PortableGraph:
    """The forward pass, with the state as inputs."""
    inputs, outputs = emit_forward(op, network.inputs, network.outputs, training=False, batch=batch)
    for name, value in zip(network.output_names, outputs, strict=True):
        op.output(value, name)
    for variable, value in op.updates.items():
        op.output(value, f"{NEXT}{op.variables[variable].name}")
    lower(op, INFERENCE)
    reads = {v: str(value.name) for v, value in op.variables.items() if value.is_graph_input()}
    model, arrays = to_proto_apart(op.graph)
    return PortableGraph(
        model=model,
        data={str(value.name): static_shape(value) for value in inputs},
        noise=op.draws.declared(),
        reads=reads,
        arrays=arrays,
    )
