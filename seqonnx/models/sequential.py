"""Sequential: a stack of layers, each with exactly one input and one output."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self, overload

import numpy.typing as npt

from seqonnx import dtypes
from seqonnx.callbacks import Callback
from seqonnx.catalogue import register
from seqonnx.contexts import in_own_context
from seqonnx.layers.architecture import deserialize_part, serialize_part
from seqonnx.layers.base import Layer
from seqonnx.layers.core.input import InputLayer
from seqonnx.layers.network import Network, check_apart
from seqonnx.layers.shared_entries import collect_shared
from seqonnx.layers.sharing import number_shared
from seqonnx.models.model import Model
from seqonnx.symbolic import LayerCall, Shape, Symbolic, SymbolicTensor, infer_call


@register("model")
class Sequential(Model):
    """A plain stack of layers. Its graph is an ONNX graph from the first layer to the last.

    With an `Input` first, or `input_shape=` on the first layer, weights exist from the start.
    Without, they are made when the model first sees data.

    Args:
        layers: layers to add, in order.
        name: name of the model; default `sequential`, numbered.
        trainable: whether training changes the weights.

    Example:
        >>> model = Sequential([Input((4,)), Dense(2, activation="relu"), Dense(3)])
        >>> model(np.ones((1, 4))).shape
        (1, 3)
    """

    def __init__(
        self,
        layers: Iterable[Layer | SymbolicTensor | InputLayer] | None = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name=name, trainable=trainable)
        self._stack: list[Layer] = []
        self._entry: SymbolicTensor | None = None
        self._built_by_data = False
        for layer in layers or ():
            self.add(layer)

    if TYPE_CHECKING:  # a stack has one output, which is known before it is run

        @overload
        def __call__(
            self, x: Symbolic, *args: Any, training: bool | None = None, **kwargs: Any
        ) -> SymbolicTensor: ...
        @overload
        def __call__(
            self, x: npt.ArrayLike, *args: Any, training: bool | None = None, **kwargs: Any
        ) -> npt.NDArray[Any]: ...
        def __call__(self, x: Any, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
            """See `Model`."""

        def predict(
            self,
            x: Any,
            batch_size: int | None = None,
            verbose: int | str = "auto",
            steps: int | None = None,
            callbacks: Sequence[Callback] | Callback | None = None,
        ) -> npt.NDArray[Any]:
            """See `Model`."""

        def predict_on_batch(self, x: Any) -> npt.NDArray[Any]:
            """See `Model`."""

    def add(self, layer: Layer | SymbolicTensor | InputLayer) -> None:
        """Put a layer on top of the stack; earlier weights stay as they are.

        Args:
            layer: a layer, or an `Input` as the first.

        Raises:
            ValueError: if it is not a layer, its name is taken, it needs several inputs, or it
                does not fit on what is there.
        """
        if isinstance(layer, InputLayer | SymbolicTensor):
            self._set_entry(layer.output if isinstance(layer, InputLayer) else layer)
            return
        self._check_layer(layer)
        if not self._stack and self._entry is None:
            self._entry = _entry_of(layer)
        if self._entry is not None:
            below = self._outputs[0] if self.built else self._entry
            self._connect_on_top(self._entry, below, _only_output(layer, layer(below)))
        self._stack.append(layer)

    def _connect_on_top(
        self, entry: SymbolicTensor, below: SymbolicTensor, output: SymbolicTensor
    ) -> None:
        """Connect what the layer above `below` gives, without a walk through the calls below.

        With one, each layer would cost what the whole stack does: 9 s for 1,000 layers.
        """
        call = output._call
        if not self.built or self._is_subclassed() or call is None or call.inputs != (below,):
            self._connect(entry, output)
            return
        assert isinstance(call.layer, Layer)
        self._outputs, self._output_structure = [output], output
        self._calls_inside.append((call, output))
        if call.layer not in self._layers:
            self._layers.append(call.layer)
        self._sessions.drop()

    def pop(self) -> Layer:
        """Take the top layer off the stack and return it; it keeps its weights.

        Raises:
            TypeError: if the stack is empty.
        """
        if not self._stack:
            raise TypeError("There are no layers in the model.")
        layer = self._stack.pop()
        if self._inputs is not None:
            call = self._outputs[0]._call
            if self._stack and call is not None:
                below = call.inputs[0]
                self._connect(self._inputs, below)
            else:
                self._disconnect()
        return layer

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Make the weights.

        Args:
            input_shape: shape of the data, batch first; None where not fixed.

        Raises:
            ValueError: if there are no layers, or the model has another input shape.
        """
        if not self._stack:
            raise ValueError(
                f"Sequential model {self.name} cannot be built because it has no layers. "
                "Call `model.add(layer)`."
            )
        if input_shape is None:
            if self.built:
                return
            raise ValueError("You must provide an `input_shape` argument.")
        shape = tuple(input_shape)
        if self._entry is not None:
            if self._entry.shape != shape:
                raise ValueError(
                    f"Sequential model '{self.name}' has already been configured to use input "
                    f"shape {self._entry.shape}. You cannot build it with input_shape {shape}"
                )
            return
        self._build_stack(shape, None)

    def _build_stack(self, shape: Shape, dtype: str | None) -> None:
        """Call the layers one after the other on an input of this shape and dtype."""
        tensor = entry = InputLayer(batch_shape=shape, dtype=dtype).output
        for layer in self._stack:
            tensor = _only_output(layer, layer(tensor))
        self._entry = entry
        self._connect(entry, tensor)

    def _build_for(self, shape: Any, **others: Any) -> None:
        """Build on first data; a built model checks that the data fits."""
        if not self.built:
            shape = shape[0] if isinstance(shape, list) else shape
            if others.get("dtypes") == "string" and len(self._stack) > 0:
                self._build_stack(shape, "string")
            else:
                self.build(shape)
            self._built_by_data = True
        super()._build_for(shape)

    def _check_input(self, shape: Shape, index: int) -> None:
        """Raise a ValueError if data of this shape does not fit.

        Of data that built the model only the rank and what its layers need are fixed, as in
        Keras: where other sizes fit its layers, the model takes any from then on.
        """
        try:
            super()._check_input(shape, index)
        except ValueError:
            tensor = self.inputs[index]
            if not self._built_by_data or len(shape) != tensor.ndim:
                raise
            self._shapes_for(shape)
            sizes = zip(tensor.shape[1:], shape[1:], strict=True)
            free = (tensor.shape[0], *(have if have == size else None for have, size in sizes))
            changed = self._shapes_for(free)
            tensor.shape = free
            for (_, output), new in zip(self._calls_inside, changed, strict=True):
                output.shape = new

    def _shapes_for(self, shape: Shape) -> list[Shape]:
        """Shapes that the layers give for data of a shape; raises what they say if it is wrong."""
        tensor = SymbolicTensor(shape, self.inputs[0].dtype, self.name)
        shapes = []
        for call, _ in self._calls_inside:
            assert isinstance(call.layer, Layer)
            call.layer._build_for([tensor.shape] if call.layer._takes_list else tensor.shape)
            ((given, dtype),), _ = infer_call(LayerCall(call.layer, (tensor,), 0))
            tensor = SymbolicTensor(given, dtype, call.layer.name)
            shapes.append(given)
        return shapes

    @property
    def layers(self) -> list[Layer]:
        """The stack, without the `Input`. Use `add()` and `pop()` to change it."""
        return list(self._stack)

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError(
            "`Sequential.layers` attribute is reserved and should not be used. Use `add()` and "
            "`pop()` to change the layers in this model."
        )

    def _set_entry(self, tensor: SymbolicTensor) -> None:
        if self._entry is not None:
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured to use input shape "
                f"{self._entry.shape}. You cannot add a different Input layer to it."
            )
        if self._stack:
            raise ValueError(
                f"An `Input` must be the first in a Sequential model. Model '{self.name}' already "
                f"has {len(self._stack)} layers; make a new model that starts with the `Input`."
            )
        self._entry = tensor

    def _check_layer(self, layer: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(
                "Only instances of `keras.Layer` can be added to a Sequential model. "
                f"Received: {layer} (of type {type(layer)})"
            )
        check_apart(self, [layer])
        taken = layer.name in map(attrgetter("name"), self._stack)
        if taken and any(x is not layer and x.name == layer.name for x in self._stack):
            raise ValueError(
                "All layers added to a Sequential model should have unique names. Name "
                f"'{layer.name}' is already the name of a layer in this model. Update the `name` "
                "argument to pass a unique name."
            )
        bound = int(inspect.ismethod(layer.call))
        required = _required_arguments(getattr(layer.call, "__func__", layer.call), bound)
        if len(required) > 1:
            raise ValueError(
                "Layers added to a Sequential model can only have a single required positional "
                f"argument, the input tensor. Layer {type(layer).__name__} has multiple required "
                f"positional arguments: {required}"
            )

    @in_own_context
    def get_config(self) -> dict[str, Any]:
        """Return name, input and the layers' configurations."""
        number_shared(self)
        layers = [] if self._entry is None else [_entry_config(self._entry)]
        return {
            "name": self.name,
            "trainable": self._trainable,
            "layers": layers + [serialize_part(layer) for layer in self._stack],
        }

    @classmethod
    @in_own_context
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        """Make a model from the configuration that `get_config` returned.

        Args:
            config: name, input and layers; or layers and `build_input_shape`, as in Keras's files.
            custom_objects: classes of one's own layers, by name.
        """
        collect_shared()
        parts = [deserialize_part(part, custom_objects or {}) for part in config["layers"]]
        model = cls(parts, name=config["name"], trainable=config.get("trainable", True))
        shape = config.get("build_input_shape")
        if shape is not None and not model.built:
            model.build(shape)
        return model


@lru_cache(maxsize=256)
def _required_arguments(call: Callable[..., Any], bound: int) -> list[str]:
    """Names of the arguments that a `call` must be given after those bound and the emitter."""
    return [
        name
        for name, parameter in list(inspect.signature(call).parameters.items())[bound:]
        if parameter.default is inspect.Parameter.empty
        and parameter.kind is not inspect.Parameter.VAR_KEYWORD
        and name not in {"op", "training"}
    ]


def _entry_of(layer: Layer) -> SymbolicTensor | None:
    """The input that a first layer brings along, if any: a declared shape, or its own input."""
    if layer._declared_input_shape is not None:
        dtype = layer.dtype if layer.autocast else None
        return InputLayer(layer._declared_input_shape, dtype=dtype).output
    if isinstance(layer, Network) and layer.built:
        tensor = layer.inputs[0]
        return InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype).output
    return None


def _only_output(layer: Layer, output: Any) -> SymbolicTensor:
    """The output of a layer in a stack, which must be one tensor."""
    if not isinstance(output, SymbolicTensor):
        raise ValueError(
            "All layers in a Sequential model should have a single output tensor. For multi-output "
            f"layers, use `Model(inputs, outputs)`. Layer '{layer.name}' gives {output}"
        )
    return output


def _entry_config(entry: SymbolicTensor) -> dict[str, Any]:
    config = {"batch_shape": list(entry.shape), "dtype": dtypes.standardize(entry.dtype)}
    if entry.name != "keras_tensor":
        config["name"] = entry.name
    return {"class_name": "InputLayer", "config": config}
