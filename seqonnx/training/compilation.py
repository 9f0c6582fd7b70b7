"""Compilation: what is trained, how, and how far it has come, as records that a trainer takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seqonnx.constraints import Constraint
from seqonnx.graph import Variable
from seqonnx.losses import Loss
from seqonnx.metrics.base import Accumulator
from seqonnx.optimizers import Optimizer
from seqonnx.regularizers import Regularizer
from seqonnx.runtime.noise import EARLIER_GENERATOR
from seqonnx.symbolic import SymbolicTensor
from seqonnx.training.measures import MetricSpec


@dataclass(frozen=True)
class Subject:
    """The subject of training: a model, seen through its tensors and weights.

    Args:
        inputs: model inputs.
        outputs: model outputs; training takes exactly one.
        weights: all weights.
        trainable: weights that a step changes.
        frozen: weights that no step changes, statistics of frozen layers included.
        regularized: weights with their regularizers.
        constrained: weights with their constraints.
        metrics: metrics that layers update in their calls.
    """

    inputs: Sequence[SymbolicTensor]
    outputs: Sequence[SymbolicTensor]
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
    loss: Loss | None
    metrics: Sequence[MetricSpec] = ()
    weighted_metrics: Sequence[MetricSpec] = ()
    steps_per_execution: int = 1
    autotune: bool = False
    recompute: bool | tuple[str, ...] = False
    loss_weight: float = 1.0

    def required_loss(self) -> Loss:
        """Return the loss.

        Raises:
            ValueError: if `compile` was given none.
        """
        if self.loss is None:
            raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`.")
        return self.loss


SlotVariables = Mapping[Variable, Mapping[str, Variable]]


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
