"""Weighted: the weights of a layer, its own and those of the layers inside it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy.typing as npt

from seqonnx import constraints, regularizers
from seqonnx.constraints import Constraint
from seqonnx.graph import Aggregation, Variable, current_trace
from seqonnx.layers import _weights
from seqonnx.layers._inside import parts_of, plain_attributes
from seqonnx.layers.precision import Typed


class Weighted(Typed):
    """The weights of a layer; a base of `Layer`."""

    name: str
    _trainable: bool
    _owner: str
    _variables: list[Variable]
    _regularized: list[tuple[Variable, regularizers.Regularizer]]
    _constrained: list[tuple[Variable, Constraint]]
    _fixed: set[Variable]

    def add_weight(
        self,
        shape: Sequence[int | None] | int | None = None,
        initializer: Any = None,
        dtype: str | None = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: Aggregation = "none",
        name: str | None = None,
        *,
        layout: Sequence[int] | None = None,
    ) -> Variable:
        """Declare a weight; call it in `build`.

        Args:
            shape: shape in the Keras layout; default `()`, one number.
            initializer: name or initializer of the first value; default `"glorot_uniform"`, or
                zeros where the dtype is not floating-point.
            dtype: its dtype; default the layer's.
            trainable: False for statistics that training keeps but does not learn.
            autocast: whether `call` gets it in the dtype that the layer computes in.
            regularizer: name or regularizer; adds to the loss.
            constraint: name or constraint; applied after each optimizer step.
            aggregation: how replicas agree on it: `"none"`, `"mean"`, `"sum"` or
                `"only_first_replica"`.
            name: last part of its path, such as `"kernel"`; default `"variable"`, numbered.
            layout: axes that turn the Keras layout into the layout of the ONNX operator.

        Returns:
            The weight; pass it to operators as it is.

        Raises:
            ValueError: if a size is not known, or an argument is not one of those named.
        """
        variable = _weights.declare(
            self, shape, initializer, dtype, trainable, autocast, aggregation, name, layout
        )
        self._variables.append(variable)
        chosen, limit = regularizers.get(regularizer), constraints.get(constraint)
        variable.regularizer, variable.constraint = chosen, limit
        if chosen is not None:
            self._regularized.append((variable, chosen))
        if limit is not None:
            self._constrained.append((variable, limit))
        return variable

    @property
    def path(self) -> str:
        """Prefix of the names of the layer's nodes and weights: its name, after its owner's."""
        return f"{self._owner}/{self.name}" if self._owner else self.name

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; setting it takes effect at `compile`."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self._inner_layers:
            layer.trainable = self._trainable

    @property
    def weights(self) -> list[Variable]:
        """All weights in the order of their declaration; empty before the layer is built."""
        inner = [v for layer in self._inner_layers for v in layer.weights]
        return list(dict.fromkeys([*self._variables, *inner]))

    @property
    def trainable_weights(self) -> list[Variable]:
        """Weights that training changes."""
        if not self.trainable:
            return []
        inner = [v for layer in self._inner_layers for v in layer.trainable_weights]
        return list(dict.fromkeys([*(v for v in self._variables if v.trainable), *inner]))

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """Weights that the optimizer does not change: statistics, and frozen weights."""
        trained = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trained]

    @property
    def variables(self) -> list[Variable]:
        """The same as `weights`."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Variable]:
        """The same as `trainable_weights`."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The same as `non_trainable_weights`."""
        return self.non_trainable_weights

    @property
    def losses(self) -> list[Any]:
        """Penalties of the regularized trainable weights, for their current values.

        In a `train_step` tensors: also of what the last call of each layer has added.
        """
        trained = set(self.trainable_weights)
        trace = current_trace()
        if trace is not None:
            pairs = [pair for pair in self._regularized_weights if pair[0] in trained]
            return _weights.losses_in(trace, self, pairs)
        return [
            _weights.penalty(regularizer, variable)
            for variable, regularizer in self._regularized_weights
            if variable in trained
        ]

    @property
    def _regularized_weights(self) -> list[tuple[Variable, regularizers.Regularizer]]:
        """Weights with their regularizers, each once."""
        inner = (pair for layer in self._inner_layers for pair in layer._regularized_weights)
        return list(dict([*self._regularized, *inner]).items())

    @property
    def _constrained_weights(self) -> list[tuple[Variable, Constraint]]:
        """Weights with their constraints, each once."""
        inner = (pair for layer in self._inner_layers for pair in layer._constrained_weights)
        return list(dict([*self._constrained, *inner]).items())

    @property
    def _inner_layers(self) -> list[Weighted]:
        """Layers kept in attributes, in their order."""
        return parts_of(vars(self), Weighted)

    @property
    def _settings(self) -> tuple[Hashable, ...]:
        """Settings that the nodes of this layer, and of each inside it, depend on."""
        inner = (setting for layer in self._inner_layers for setting in layer._settings)
        return (self.trainable, plain_attributes(self), *inner)

    def _output_axes(self) -> Mapping[Variable, int]:
        """The axis of the outputs, in the ONNX layout, of weights of which a graph tells it."""
        return {}

    def get_weights(self) -> list[npt.NDArray[Any]]:
        """Return copies of the weights in the Keras layout."""
        return _weights.copies(self.weights)

    def set_weights(self, weights: Sequence[npt.ArrayLike]) -> None:
        """Replace all weights; nothing changes if one of them does not fit.

        Args:
            weights: arrays in the Keras layout, in the order of `weights`.

        Raises:
            ValueError: if their number or a shape is wrong.
        """
        _weights.replace(self.name, self.weights, weights)
