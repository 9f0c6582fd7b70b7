"""Network: layers between input and output tensors, usable as one layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import onnx_ir as ir

from seqonnx.constraints import Constraint
from seqonnx.graph import Emitter, Variable
from seqonnx.layers.base import Layer
from seqonnx.regularizers import Regularizer
from seqonnx.symbolic import Shape, SymbolicTensor, calls_between, emit_network

Structure = SymbolicTensor | Sequence[SymbolicTensor] | Mapping[str, SymbolicTensor]
_T = TypeVar("_T")


class Network(Layer):
    """Layers between tensors. `Model` adds training and files; this class is the structure.

    Args:
        inputs: input tensor, or a list or dict of them; None while they are not known.
        outputs: output tensor, or a list or dict of them.
        name: name of the model.
        trainable: whether training changes its weights.
    """

    def __init__(
        self,
        inputs: Structure | None = None,
        outputs: Structure | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name=name, trainable=trainable)
        self._inputs: list[SymbolicTensor] | None = None
        self._outputs: list[SymbolicTensor] = []
        self._output_structure: Structure | None = None
        if inputs is not None and outputs is not None:
            self._connect(inputs, outputs)

    def _connect(self, inputs: Structure, outputs: Structure) -> None:
        """Make this network the part of the layer graph between these tensors."""
        self._inputs = flatten(inputs, "inputs")
        self._outputs = flatten(outputs, "outputs")
        self._output_structure = outputs
        calls_between(self._inputs, self._outputs)
        _check_unique_names(self.layers)

    def _disconnect(self) -> None:
        """Make this network one without a graph."""
        self._inputs, self._outputs, self._output_structure = None, [], None

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit every layer of the network."""
        return emit_network(op, self.inputs, self._outputs, [x], training)[0]

    @property
    def built(self) -> bool:
        """Whether inputs and weights are known."""
        return self._inputs is not None

    @property
    def layers(self) -> list[Layer]:
        """Layers in the order of computation, without inputs."""
        if self._inputs is None:
            return []
        found: dict[int, Layer] = {}
        for call, _ in calls_between(self._inputs, self._outputs):
            if isinstance(call.layer, Layer):
                found.setdefault(id(call.layer), call.layer)
        return list(found.values())

    def outputs_of(self, layer: Layer) -> list[SymbolicTensor]:
        """Tensors that a layer gives inside this network."""
        pairs = calls_between(self.inputs, self._outputs)
        return [tensor for call, tensor in pairs if call.layer is layer]

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """Input tensors."""
        return list(self._known_inputs("inputs"))

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """Output tensors."""
        self._known_inputs("outputs")
        return list(self._outputs)

    @property
    def input(self) -> Any:
        """The input tensor, or the list of them."""
        return unwrap(self.inputs)

    @property
    def output(self) -> Any:
        """The output tensor, or the structure that the model was made with."""
        self._known_inputs("outputs")
        structure = self._output_structure
        return structure if isinstance(structure, Mapping) else unwrap(self._outputs)

    @property
    def input_shape(self) -> Any:
        """Shape of the input, batch first; a list where there are several."""
        return unwrap([t.shape for t in self._known_inputs("input shape")])

    @property
    def output_shape(self) -> Any:
        """Shape of the output, batch first; a list where there are several."""
        self._known_inputs("output shape")
        return unwrap([t.shape for t in self._outputs])

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; setting it sets every layer."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self.layers:
            layer.trainable = value

    @property
    def weights(self) -> list[Variable]:
        """All weights in layer order; a shared layer counts once.

        Raises:
            ValueError: if the model has not seen an input shape yet.
        """
        self._require_weights()
        return _unique([v for layer in self.layers for v in layer.weights])

    @property
    def trainable_weights(self) -> list[Variable]:
        """Weights that training changes."""
        self._require_weights()
        if not self.trainable:
            return []
        return _unique([v for layer in self.layers for v in layer.trainable_weights])

    @property
    def frozen_weights(self) -> list[Variable]:
        """Weights that no training step changes, statistics of frozen layers included."""
        trained = set(self.trainable_weights)
        return [
            v
            for layer in self.leaf_layers()
            for v in layer.weights
            if v not in trained and (v.trainable or not layer.trainable)
        ]

    @property
    def regularized_weights(self) -> list[tuple[Variable, Regularizer]]:
        """Weights with their regularizers, each once."""
        return [pair for layer in self.layers for pair in layer.regularized_weights]

    @property
    def constrained_weights(self) -> list[tuple[Variable, Constraint]]:
        """Weights with their constraints, each once."""
        return [pair for layer in self.layers for pair in layer.constrained_weights]

    def leaf_layers(self) -> list[Layer]:
        """Layers with nested models replaced by their own layers."""
        found: list[Layer] = []
        stack: list[Layer] = list(reversed(self.layers))
        while stack:
            layer = stack.pop()
            if isinstance(layer, Network):
                stack.extend(reversed(layer.layers))
            else:
                found.append(layer)
        return found

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by name or by index.

        Args:
            name: name of the layer.
            index: its place in `layers`; negative counts from the end.

        Raises:
            ValueError: if there is no such layer, or not exactly one argument is given.
        """
        if name is not None and index is not None:
            raise ValueError(
                f"Provide only a layer name or a layer index. Received: index={index}, name={name}."
            )
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has "
                    f"{len(layers)} layers."
                )
            return layers[index]
        if name is None:
            raise ValueError("Provide either a layer name or layer index at `get_layer`.")
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"No such layer: {name}. Existing layers are: {[layer.name for layer in layers]}."
        )

    def build_for(self, shape: Shape) -> None:
        """Check that an input of this shape fits the network."""
        self.check_input(shape, 0)

    def check_input(self, shape: Shape, index: int) -> None:
        """Raise a ValueError if data of this shape does not fit input number `index`."""
        tensor = self.inputs[index]
        fits = len(shape) == tensor.ndim and all(
            want is None or have is None or have == want
            for have, want in zip(shape[1:], tensor.shape[1:], strict=True)
        )
        if fits:
            return
        if len(shape) == tensor.ndim:
            for call, _ in calls_between(self.inputs, self._outputs):
                spec = call.layer.input_spec if isinstance(call.layer, Layer) else None
                if spec is not None and tensor in call.inputs:
                    spec.check(shape, call.layer.name)
        expected = (None, *tensor.shape[1:])
        raise ValueError(
            f"Invalid input shape for input {tensor} with name '{tensor.name}' and path ''. "
            f"Expected shape {expected}, but input has incompatible shape {shape}"
        )

    def structured(self, values: Sequence[_T]) -> Any:
        """Arrange one value per output as the model's outputs were given."""
        structure = self._output_structure
        if isinstance(structure, Mapping):
            return dict(zip(structure, values, strict=True))
        return values[0] if isinstance(structure, SymbolicTensor) else list(values)

    def _known_inputs(self, what: str) -> list[SymbolicTensor]:
        if self._inputs is None:
            raise AttributeError(
                f"{type(self).__name__} model '{self.name}' has no defined {what} yet."
            )
        return self._inputs

    def _require_weights(self) -> None:
        if not self.built:
            raise ValueError(
                f"Weights for model '{self.name}' have not yet been created. Weights are created "
                "when the model is first called on inputs or `build()` is called with an "
                "`input_shape`."
            )


def flatten(structure: Structure, what: str) -> list[SymbolicTensor]:
    """Return the tensors of a structure as a list.

    Raises:
        ValueError: if something in it is not a symbolic tensor.
    """
    if isinstance(structure, SymbolicTensor):
        return [structure]
    items = list(structure.values()) if isinstance(structure, Mapping) else list(structure)
    for item in items:
        if not isinstance(item, SymbolicTensor):
            raise ValueError(
                f"All `{what}` values must be symbolic tensors, as `Input` and layers give. "
                f"Received: {what}={structure} including invalid value {item} of type {type(item)}"
            )
    return items


def unwrap(items: Sequence[_T]) -> _T | list[_T]:
    """Return the only item, or a list of them."""
    return items[0] if len(items) == 1 else list(items)


def _unique(variables: list[Variable]) -> list[Variable]:
    return list(dict.fromkeys(variables))


def _check_unique_names(layers: Sequence[Layer]) -> None:
    seen: set[str] = set()
    for layer in layers:
        if layer.name in seen:
            raise ValueError(
                f'The name "{layer.name}" is used 2 times in the model. '
                "All layer names should be unique."
            )
        seen.add(layer.name)
