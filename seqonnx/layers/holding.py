"""Layers that hold other layers, whose weights, penalties and limits are theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqonnx.constraints import Constraint
from seqonnx.graph import Variable
from seqonnx.layers.base import Layer
from seqonnx.regularizers import Regularizer


class HoldsLayers(Layer):
    """Base of the layers that hold other layers."""

    @property
    def _held(self) -> Mapping[str, Layer | Sequence[Layer]]:
        """What the layer holds, by the attribute that Keras's weight files go by."""
        raise NotImplementedError(f"{type(self).__name__} does not say which layers it holds.")

    @property
    def _held_layers(self) -> list[Layer]:
        """The layers that it holds, in order."""
        return [
            layer
            for held in self._held.values()
            for layer in ([held] if isinstance(held, Layer) else held)
        ]

    def _build_held(self, layer: Layer, shape: Any) -> None:
        """Build a layer that this one holds; its weights get names below this one's."""
        if not layer.built:
            layer._build_for(shape)
            for variable in layer.weights:
                variable.path = f"{self.name}/{variable.path}"

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return self._built or len(self.weights) > 0

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; setting it sets what the layer holds, too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self._held_layers:
            layer.trainable = value

    @property
    def weights(self) -> list[Variable]:
        """All weights: its own, then those of what it holds."""
        held = (variable for layer in self._held_layers for variable in layer.weights)
        return list(dict.fromkeys([*self._variables, *held]))

    @property
    def trainable_weights(self) -> list[Variable]:
        """Weights that training changes."""
        if not self.trainable:
            return []
        own = [v for v in self._variables if v.trainable]
        held = (v for layer in self._held_layers for v in layer.trainable_weights)
        return list(dict.fromkeys([*own, *held]))

    @property
    def _regularized_weights(self) -> list[tuple[Variable, Regularizer]]:
        """Weights with their regularizers."""
        held = (pair for layer in self._held_layers for pair in layer._regularized_weights)
        return [*self._regularized, *held]

    @property
    def _constrained_weights(self) -> list[tuple[Variable, Constraint]]:
        """Weights with their constraints."""
        held = (pair for layer in self._held_layers for pair in layer._constrained_weights)
        return [*self._constrained, *held]
