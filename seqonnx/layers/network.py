"""Network: layers between input and output tensors, usable as one layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from seqonnx.contexts import in_own_context
from seqonnx.graph import Emitter, Variable
from seqonnx.graph.operable import Valueless
from seqonnx.graph.signatures import Spelling
from seqonnx.layers._inside import are_built, building, parts_of
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.core.input import InputLayer
from seqonnx.layers.core.operation import Operation
from seqonnx.layers.finding import check_unique_names, find_layer
from seqonnx.layers.subclassing import connect_call
from seqonnx.layers.weighted import Weighted
from seqonnx.symbolic import (
    LayerCall,
    Shape,
    SymbolicTensor,
    calls_between,
    emit_network,
    layer_order,
    outputs_in,
)
from seqonnx.symbolic.structure import Structure, flatten, in_key_order, in_order, unwrap


class Network(Layer):
    """Layers between tensors. `Model` adds training and files; this class is the structure.

    Args:
        inputs: input tensor, or a list or dict of them; None while they are not known.
        outputs: output tensor, or a list or dict of them.
        name: name of the model.
        trainable: whether training changes its weights.
    """

    autocast, supports_masking = False, True
    """Each layer inside has its own dtype, and gives its output a mask."""

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
        self._input_structure: Structure | None = None
        self._output_structure: Structure | None = None
        self._calls_inside: list[tuple[LayerCall, SymbolicTensor]] = []
        self._layers: list[Layer] = []
        self._frame = frozenset(vars(self))
        if inputs is not None and outputs is not None:
            self._connect(inputs, outputs)

    def _connect(self, inputs: Structure, outputs: Structure) -> None:
        """Make this network the part of the layer graph between these tensors."""
        inputs = self._walked(inputs)
        entries, exits = flatten(inputs, "inputs"), flatten(self._walked(outputs), "outputs")
        if len({id(tensor) for tensor in entries}) < len(entries):
            raise ValueError(
                "The list of inputs passed to the model contains the same input multiple times. "
                f"All inputs should only appear once. Received inputs={inputs}"
            )
        calls = calls_between(entries, exits)
        layers = [_as_layer(owner) for owner in layer_order(entries, exits)]
        check_unique_names(layers)
        check_apart(self, layers)
        if self._is_subclassed():
            own = {name: part for name, part in vars(self).items() if name not in self._frame}
            kept = parts_of(own, Layer)
            made = [x for x in layers if not isinstance(x, InputLayer | Operation)]
            layers = [*kept, *(layer for layer in made if layer not in kept)]
        self._inputs, self._outputs = entries, exits
        self._input_structure, self._output_structure = inputs, outputs
        self._calls_inside, self._layers = calls, layers

    def _walked(self, structure: Any) -> Any:
        """Inputs or outputs in the order in which they are walked through."""
        return structure if self._is_subclassed() else in_key_order(structure)

    def _disconnect(self) -> None:
        """Make this network one without a graph."""
        self._inputs, self._outputs, self._calls_inside, self._layers = None, [], [], []
        self._input_structure = self._output_structure = None

    def call(self, op: Any, x: Any, training: Any) -> Any:
        """Emit every layer of the network; a user's own works on tensors, with its layers."""
        return emit_network(op, self.inputs, self._outputs, x, training)

    def _emit_typed(
        self, op: Emitter, x: Any, training: bool, named: Mapping[str, Any] | None = None
    ) -> Any:
        """Emit every layer of the network, each in its dtype."""
        return emit_network(op, self.inputs, self._outputs, x, training)

    @property
    def _spelling(self) -> Spelling:
        """As `call` is written here: a user's own is traced before."""
        return Spelling(True, ("x", "training"), False)

    @classmethod
    def _is_subclassed(cls) -> bool:
        """Whether the user has written `call`."""
        return cls.call is not Network.call

    @property
    def _takes_list(self) -> bool:
        """Yes: inside, there is a list even of one input."""
        return True

    def _separate(self, x: Any) -> list[Any]:
        """Return one entry per input of what the model is called on.

        Args:
            x: for one input a tensor or an array, or a list of just one; for several a list, or
                a dict with the names of the inputs as its keys.

        Raises:
            ValueError: if there is not one entry for each input.
        """
        if self._inputs is None:
            several = self._is_subclassed() and isinstance(x, list | tuple | Mapping)
            return list(x.values() if isinstance(x, Mapping) else x) if several else [x]
        if isinstance(x, Mapping):
            return in_order(x, self._input_names, self.name)
        if not isinstance(x, list | tuple) or not any(isinstance(t, Valueless) for t in x):
            x = [x] if len(self._inputs) == 1 or isinstance(x, Valueless) else list(x)
        if len(x) != len(self._inputs):
            raise ValueError(
                f"Model '{self.name}' expects {len(self._inputs)} input(s), but it received "
                f"{len(x)}. Pass a list of {len(self._inputs)}, or a dict with the keys "
                f"{self._input_names}. Inputs received: {x}"
            )
        return list(x)

    def _arrange(self, values: Sequence[Any]) -> Any:
        """Arrange one value per output as the model's outputs were given; one in a list is bare."""
        if isinstance(self._output_structure, Mapping):
            return dict(zip(self._walked(self._output_structure), values, strict=True))
        return values[0] if len(values) == 1 else list(values)

    @property
    def _is_built(self) -> bool:
        """Whether inputs and weights are known."""
        return self._inputs is not None

    @property
    def layers(self) -> list[Layer]:
        """Layers from the inputs to the outputs; before there are any, those in attributes."""
        if self._inputs is None and not self._layers:
            own = {name: part for name, part in vars(self).items() if name not in self._frame}
            return parts_of(own, Layer)
        return list(self._layers)

    @property
    def _inner_layers(self) -> list[Weighted]:
        """The layers of the network."""
        return list(self.layers)

    def _outputs_of(self, layer: Layer) -> list[SymbolicTensor]:
        """Tensors that a layer gives inside this network."""
        if isinstance(layer, InputLayer):
            return [layer.output]
        return outputs_in(self._calls_inside, layer)

    def _structures(self) -> tuple[Structure, Structure]:
        """The inputs and the outputs as they were given: one tensor, a list or a dict."""
        self._known_inputs("inputs")
        assert self._input_structure is not None
        assert self._output_structure is not None
        return self._input_structure, self._output_structure

    @property
    def _input_names(self) -> list[str]:
        """Names of the inputs: the keys of the dict that was given, else those of the tensors."""
        if isinstance(self._input_structure, Mapping):
            return list(self._input_structure)
        return [tensor.name for tensor in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs: the keys of the dict that was given, else those of the tensors."""
        if isinstance(self._output_structure, Mapping):
            return list(self._walked(self._output_structure))
        return [tensor.name for tensor in self.outputs]

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
        inner = (v for layer in self.layers for v in layer.weights)
        return list(dict.fromkeys([*self._variables, *inner]))

    @property
    def trainable_weights(self) -> list[Variable]:
        """Weights that training changes."""
        self._require_weights()
        if not self.trainable:
            return []
        inner = (v for layer in self.layers for v in layer.trainable_weights)
        return list(dict.fromkeys([*(v for v in self._variables if v.trainable), *inner]))

    @property
    def _frozen_weights(self) -> list[Variable]:
        """Weights that no training step changes, statistics of frozen layers included."""
        trained = set(self.trainable_weights)
        return [
            v
            for layer in self._leaf_layers()
            for v in layer.weights
            if v not in trained and (v.trainable or not layer.trainable or v in layer._fixed)
        ]

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        """Make a network from its configuration; each class of models defines it."""
        raise NotImplementedError(f"{cls.__name__} does not define `from_config`.")

    def _leaf_layers(self) -> list[Layer]:
        """Layers with nested models replaced by their own layers, each once; no input layers."""
        found: dict[int, Layer] = {}
        stack: list[Layer] = list(reversed(self.layers))
        while stack:
            layer = stack.pop()
            if isinstance(layer, Network):
                stack.extend(reversed(layer.layers))
            elif not isinstance(layer, InputLayer):
                found.setdefault(id(layer), layer)
        return list(found.values())

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by name or by index.

        Args:
            name: name of the layer.
            index: its place in `layers`; negative counts from the end.

        Raises:
            ValueError: if there is no such layer, or not exactly one argument is given.
        """
        return find_layer(self.layers, name, index)

    def _build_for(self, shape: Any, **others: Any) -> None:
        """Check that inputs of these shapes fit the network.

        Args:
            shape: list of the shapes of all inputs, or the shape of the only one.
            **others: `dtypes` of the inputs, in the same structure, for a `call` of the user's.
        """
        if self._inputs is None and self._is_subclassed():
            self._trace_call(shape, others.get("dtypes"))
        shapes = shape.values() if isinstance(shape, Mapping) else shape
        for index, one in enumerate(shapes if isinstance(shape, list | Mapping) else [shape]):
            self._check_input(one, index)

    @in_own_context
    def _trace_call(self, shape: Any, kinds: Any) -> None:
        """Build and trace what the user has written."""
        if type(self).build is not Network.build:
            with building(self.name):
                self.build(shape)
        if self._inputs is None:
            connect_call(self, shape, kinds)

    def build(self, input_shape: Any) -> None:
        """Trace a `call` of the user's for inputs of a shape; others are built from the start.

        Args:
            input_shape: shape of the input, batch first; a list or dict of them for several.
        """
        if self._inputs is None and self._is_subclassed():
            connect_call(self, input_shape)

    def _check_input(self, shape: Shape, index: int) -> None:
        """Raise a ValueError if data of this shape does not fit input number `index`."""
        tensor = self.inputs[index]
        fits = len(shape) == tensor.ndim and (
            shape[1:] == tensor.shape[1:]
            or all(
                want is None or have is None or have == want
                for have, want in zip(shape[1:], tensor.shape[1:], strict=True)
            )
        )
        if fits:
            return
        if len(shape) == tensor.ndim:
            for call, _ in self._calls_inside:
                spec = call.layer.input_spec if isinstance(call.layer, Layer) else None
                if isinstance(spec, InputSpec) and tensor in call.inputs:
                    spec._check(shape, call.layer.name)
        raise ValueError(
            f"Invalid input shape for input {tensor} with name '{tensor.name}' and path ''. "
            f"Expected shape {(None, *tensor.shape[1:])}, but input has incompatible shape {shape}"
        )

    def __repr__(self) -> str:
        """The tree of the layers, one line each, nested ones further in."""
        lines: list[str] = []
        stack: list[tuple[Layer, str]] = [(self, "")]
        while stack:
            layer, margin = stack.pop()
            lines.append(margin + layer._label)
            if isinstance(layer, Network):
                stack.extend((inner, f"{margin}    ") for inner in reversed(layer.layers))
        return "\n".join(lines)

    def _known_inputs(self, what: str) -> list[SymbolicTensor]:
        if self._inputs is None:
            raise AttributeError(
                f"{type(self).__name__} model '{self.name}' has no defined {what} yet."
            )
        return self._inputs

    def _require_weights(self) -> None:
        if not self.built and not (self._inputs is None and are_built(self.layers)):
            raise ValueError(
                f"Weights for model '{self.name}' have not yet been created. Weights are created "
                "when the model is first called on inputs or `build()` is called with an "
                "`input_shape`."
            )


def _as_layer(owner: Any) -> Layer:
    """The layer that a place in a model belongs to."""
    if isinstance(owner, SymbolicTensor):
        return InputLayer._standing_for(owner)
    assert isinstance(owner, Layer)
    return owner


def check_apart(network: Network, layers: Sequence[Layer]) -> None:
    """Raise a ValueError if a layer is the network itself, or a model that holds it."""
    stack = list(layers)
    while stack:
        layer = stack.pop()
        if layer is network:
            raise ValueError(
                f"Model '{network.name}' cannot contain itself: the layers would be a cycle. "
                f"Received: {[layer._label for layer in layers]}"
            )
        stack.extend(layer.layers if isinstance(layer, Network) else ())
