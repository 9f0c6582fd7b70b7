"""Layer: what every layer is. A layer declares weights (`build`) and emits nodes (`call`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Never, Self, overload

import numpy.typing as npt
import onnx_ir as ir

from seqonnx import catalogue, constraints, dtypes, regularizers
from seqonnx.constraints import Constraint
from seqonnx.graph import Aggregation, Emitter, Variable, auto_name, check_name, dtype_name
from seqonnx.importers.keras.config import keras_arguments
from seqonnx.layers import _calling, _weights
from seqonnx.layers.alone import CallsOnData
from seqonnx.layers.arguments import own_arguments
from seqonnx.layers.precision import Typed, policy_for
from seqonnx.layers.setting import Setting
from seqonnx.layers.spec import InputSpec, declared_shape
from seqonnx.regularizers import activity_penalty
from seqonnx.symbolic import LayerCall, Symbolic, SymbolicTensor

__all__ = ["InputSpec", "Layer"]


class Layer(Typed):
    """Base of all layers; also the way to write one's own.

    A subclass defines `build(input_shape)`, which declares weights with `add_weight`, and
    `call(op, x, training)`, which emits ONNX operators and returns one value. Its gradient,
    export and summary follow from the graph. A layer of several inputs is a `Merge`.

    Args:
        name: name, unique in a model; default: the class name in snake case, numbered.
        trainable: whether training changes the weights.
        dtype: dtype of weights and computation, or a mixed policy such as
            `"mixed_float16"`: weights in float32, computation in float16. Default
            `seqonnx.config.get_dtype_policy()`.
        activity_regularizer: regularizer of the layer's output, divided by the batch size.
        input_shape: shape without the batch, for a first layer (prefer `Input`).
        input_dim: the same for a vector input.

    Raises:
        ValueError: for an argument that no layer knows, or a bad name.

    Example:
        >>> class Scale(Layer):
        ...     def build(self, input_shape):
        ...         self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")
        ...     def call(self, op, x, training):
        ...         return op.Mul(x, self.factor)
        >>> Scale()(np.ones((1, 2), np.float32)).tolist()
        [[1.0, 1.0]]
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
        activity_regularizer: Any = None,
        input_shape: Sequence[int | None] | int | None = None,
        input_dim: int | None = None,
        **unknown: Never,
    ) -> None:
        if unknown:
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {unknown}"
            )
        self.name = auto_name(type(self).__name__) if name is None else check_name(name)
        self._policy = policy_for(dtype)
        self.activity_regularizer = activity_regularizer
        self.input_spec: InputSpec | None = None
        self._declared_input_shape = declared_shape(input_shape, input_dim)
        self._trainable = bool(trainable)
        self._built = False
        self._variables: list[Variable] = []
        self._regularized: list[tuple[Variable, regularizers.Regularizer]] = []
        self._constrained: list[tuple[Variable, Constraint]] = []
        self._calls: list[tuple[LayerCall, list[SymbolicTensor]]] = []
        self._calls_on_data = CallsOnData(self.name)

    activity_regularizer = Setting(regularizers.get)
    """Regularizer of the output, or None."""

    # What a layer defines.

    def build(self, input_shape: Any) -> None:
        """Declare the weights for inputs of this shape (batch first, None where not fixed).

        Args:
            input_shape: shape of the input; a list of shapes for a layer that takes a list.
        """

    def call(self, op: Emitter, x: Any, training: bool) -> Any:
        """Emit the layer's nodes.

        Args:
            op: emitter; every ONNX operator is a method.
            x: input value, batch first; a list of them for a layer that takes a list.
            training: whether the graph is for a training step.

        Returns:
            The output value.
        """
        raise NotImplementedError(
            f"Layer {type(self).__name__} does not define `call`. Write "
            "`call(self, op, x, training)`, which emits its nodes."
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values that JSON can hold."""
        return (
            {"name": self.name, "trainable": self._trainable, "dtype": self._policy.name}
            | (
                {}
                if self.activity_regularizer is None
                else {"activity_regularizer": regularizers.serialize(self.activity_regularizer)}
            )
            | own_arguments(self, Layer)
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer from the configuration returned by `get_config`, here or in Keras 3."""
        if isinstance(config.get("dtype"), Mapping):  # only Keras writes its policies so
            config = keras_arguments(cls, config, catalogue.entries("layer"))
        return cls(**config)

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
        if chosen is not None:
            self._regularized.append((variable, chosen))
        if limit is not None:
            self._constrained.append((variable, limit))
        return variable

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return self._built or len(self._variables) > 0

    @property
    def path(self) -> str:
        """Prefix of the names of the layer's nodes and weights: its name."""
        return self.name

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; setting it takes effect at `compile`."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

    @property
    def weights(self) -> list[Variable]:
        """All weights in the order of their declaration; empty before the layer is built."""
        return list(self._variables)

    @property
    def trainable_weights(self) -> list[Variable]:
        """Weights that training changes."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

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
    def losses(self) -> list[float]:
        """Penalties of the regularized trainable weights, for their current values."""
        trained = set(self.trainable_weights)
        return [
            _weights.penalty(regularizer, variable)
            for variable, regularizer in self._regularized_weights
            if variable in trained
        ]

    @property
    def _regularized_weights(self) -> list[tuple[Variable, regularizers.Regularizer]]:
        """Weights with their regularizers."""
        return list(self._regularized)

    @property
    def _constrained_weights(self) -> list[tuple[Variable, Constraint]]:
        """Weights with their constraints."""
        return list(self._constrained)

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

    def count_params(self) -> int:
        """Return the number of elements of all weights.

        Raises:
            ValueError: if the layer is not built.
        """
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer '{self.name}', but the layer isn't "
                "built. You can build it manually via: `layer.build(input_shape)`."
            )
        return sum(variable._size for variable in self.weights)

    @overload
    def __call__(self, x: Symbolic, training: bool | None = None) -> SymbolicTensor: ...
    @overload
    def __call__(self, x: npt.ArrayLike, training: bool | None = None) -> npt.NDArray[Any]: ...
    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """Apply the layer to a symbolic tensor (extends the model) or to data (computes).

        Args:
            x: symbolic tensor, or an array with the batch first; a list of either for a layer
                that takes a list.
            training: for data: whether dropout drops and batch statistics are used, default not.
                For a symbolic tensor: False keeps this call in inference mode in training, too.

        Returns:
            A symbolic tensor, or an array.

        Raises:
            ValueError: if the inputs do not fit the layer.
        """
        return _calling.call(self, x, training)

    @property
    def _takes_list(self) -> bool:
        """Whether the layer is called on a list of inputs."""
        return False

    def _call_on_host(self, data: Any) -> npt.NDArray[Any]:
        """Compute the layer's output for data, where ONNX alone cannot (see `_on_host`)."""
        raise NotImplementedError(f"{type(self).__name__} computes nothing on the host.")

    def _separate(self, x: Any) -> list[Any]:
        """Return what the layer is called on as a list with one entry per input.

        Raises:
            ValueError: if there are not as many as the layer takes.
        """
        listed = isinstance(x, list | tuple) and any(isinstance(t, SymbolicTensor) for t in x)
        if not listed:
            return [x]
        if len(x) != 1:
            raise ValueError(
                f"Layer '{self.name}' expects 1 input(s), but it received {len(x)} input tensors. "
                f"Join them with a merging layer such as Concatenate. Inputs received: {x}"
            )
        return list(x)

    def _arrange(self, values: Sequence[Any]) -> Any:
        """Return what a call gives: its one value, or a list of several."""
        return values[0] if len(values) == 1 else list(values)

    @property
    def input(self) -> Any:
        """The symbolic tensor that the layer was first called on; a list of several."""
        inputs = self._first_call("input")[0].inputs
        return inputs[0] if len(inputs) == 1 else list(inputs)

    @property
    def output(self) -> Any:
        """The symbolic tensor returned by the layer's first call; a list of several."""
        return self._arrange(self._first_call("output")[1])

    def _build_for(self, shape: Any) -> None:
        """Check an input shape and build the layer if it is not built.

        Args:
            shape: shape of the input; a list of shapes for a layer that takes a list.
        """
        if self.input_spec is not None:
            self.input_spec._check(shape, self.name)
        if not self.built:
            self.build(shape)
            self._built = True
            if self.input_spec is not None:
                self.input_spec._check(shape, self.name)

    def _emit(self, op: Emitter, x: Any, training: bool) -> Any:
        """Emit the layer in its dtype, with its activity regularizer; see `call`."""
        y = self._emit_typed(op, x, training)
        if self.activity_regularizer is not None:
            for part in [y] if isinstance(y, ir.Value) else y:
                value = op.cast(part, dtypes.widened(dtype_name(part)))
                op.add_loss(activity_penalty(op, self.activity_regularizer, value))
        return y

    def _call_symbolic(
        self, inputs: list[SymbolicTensor], training: bool | None
    ) -> list[SymbolicTensor]:
        """Note a call in the layer graph; returns what it gives."""
        return _calling.call_symbolic(self, inputs, training)

    def _first_call(self, what: str) -> tuple[LayerCall, list[SymbolicTensor]]:
        if not self._calls:
            raise AttributeError(
                f"The layer {self.name} has never been called and thus has no defined {what}."
            )
        return self._calls[0]

    @property
    def _label(self) -> str:
        """Class, name and state in one line."""
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    def __repr__(self) -> str:
        return self._label

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy: without the models that the layer is in."""
        return vars(self) | {"_calls": []}
