"""Compilation: what is trained, how, and how far it has come, as records that a trainer takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqonnx.constraints import Constraint
from seqonnx.graph import Variable
from seqonnx.metrics.base import Accumulator
from seqonnx.optimizers import Optimizer
from seqonnx.optimizers.slots import SlotVariables
from seqonnx.regularizers import Regularizer
from seqonnx.runtime.noise import EARLIER_GENERATOR
from seqonnx.structures import parts
from seqonnx.symbolic import SymbolicTensor
from seqonnx.training.heads import Head, MetricSpec, Outputs, make_heads


@dataclass(frozen=True)
class Subject:
    """The subject of training: a model, seen through its tensors and weights.

    Args:
        inputs: model inputs.
        outputs: model outputs, with their names.
        weights: all weights.
        trainable: weights that a step changes.
        frozen: weights that no step changes, statistics of frozen layers included.
        regularized: weights with their regularizers.
        constrained: weights with their constraints.
        metrics: metrics that layers update in their calls.
    """

    inputs: Sequence[SymbolicTensor]
    outputs: Outputs
    weights: Sequence[Variable]
    trainable: Sequence[Variable]
    frozen: Sequence[Variable]
    regularized: Sequence[tuple[Variable, Regularizer]]
    constrained: Sequence[tuple[Variable, Constraint]]
    metrics: Sequence[Accumulator] = ()


@dataclass(frozen=True)
class Compilation:
    """The arguments of `compile`, resolved."""

    optimizer: Optimizer
    loss: Any
    """A loss, a list or a dict of them by the names of outputs, or None."""
    metrics: Any = ()
    """A tuple of metrics; for several outputs a tuple or dict of tuples of them."""
    weighted_metrics: Any = ()
    steps_per_execution: int = 1
    autotune: bool = False
    recompute: bool | tuple[str, ...] = False
    loss_weights: Any = None
    trains: bool = True
    """Whether `compile` was given an optimizer."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """Loss, metrics and the arguments that Keras has, by name, as `compile` was given them."""

    @property
    def has_metrics(self) -> bool:
        """Whether `compile` was given metrics."""
        return len(parts((self.metrics, self.weighted_metrics), MetricSpec)) > 0

    def heads(self, outputs: Outputs) -> list[Head]:
        """Return the outputs of a model with what they are trained for and measured by.

        Raises:
            ValueError: if the arguments do not fit the outputs.
        """
        given = (self.loss, self.loss_weights, self.metrics, self.weighted_metrics)
        return make_heads(outputs, *given)


@dataclass(frozen=True)
class Progress:
    """How far a training has come, besides weights and steps taken.

    Args:
        seed: seed of the noise and of the order of the samples.
        epochs: number of epochs begun.
        slots: optimizer slots of each trained weight.
        generator: generator of the noise; pickles of earlier versions do not say.
    """

    seed: int
    epochs: int
    slots: SlotVariables
    generator: str = EARLIER_GENERATOR
