"""Layer: what every layer is. A layer declares weights (`build`) and emits nodes (`call`)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import config, dtypes, initializers, regularizers
from seqonnx.constraints import Constraint
from seqonnx.graph import Emitter, Variable, auto_name, check_name
from seqonnx.passes.batch_statistics import expand_batch_statistics
from seqonnx.runtime.compiled import Compiled
from seqonnx.symbolic import LayerCall, Shape, SymbolicTensor, infer_call, symbolic_shape

_INPUT_SHAPE_WARNING = (
    "Do not pass an `input_shape`/`input_dim` argument to a layer. When using Sequential models, "
    "prefer using an `Input(shape)` object as the first layer in the model instead."
)


@dataclass(frozen=True)
class InputSpec:
    """What a layer requires of its input.

    Args:
        ndim: exact rank, or None.
        min_ndim: least rank, or None.
        axes: sizes that single axes must have, such as `{-1: 3}`.
    """

    ndim: int | None = None
    min_ndim: int | None = None
    axes: dict[int, int] = field(default_factory=dict)

    def check(self, shape: Shape, layer: str) -> None:
        """Raise a ValueError if an input of this shape does not fit."""
        head = f"Input 0 with name 'None' of layer '{layer}' is incompatible with the layer: "
        if self.ndim is not None and len(shape) != self.ndim:
            raise ValueError(
                f"{head}expected ndim={self.ndim}, found ndim={len(shape)}. "
                f"Full shape received: {shape}"
            )
        if self.min_ndim is not None and len(shape) < self.min_ndim:
            raise ValueError(
                f"{head}expected min_ndim={self.min_ndim}, found ndim={len(shape)}. "
                f"Full shape received: {shape}"
            )
        for axis, size in self.axes.items():
            if shape[axis] not in {size, None}:
                raise ValueError(
                    f"{head}expected axis {axis} of input shape to have value {size}, "
                    f"but received input with shape {shape}"
                )


class Layer:
    """Base of all layers; also the way to write one's own.

    A subclass defines `build(input_shape)`, which declares weights with `add_weight`, and
    `call(op, x, training)`, which emits ONNX operators and returns one value. Its gradient,
    export and summary follow from the graph.

    Args:
        name: name, unique in a model; default: the class name in snake case, numbered.
        trainable: whether training changes the weights.
        dtype: element type of the weights; default float32.
        activity_regularizer: regularizer of the layer's output.
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
        **unknown: Any,
    ) -> None:
        if unknown:
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {unknown}"
            )
        self.name = auto_name(type(self).__name__) if name is None else check_name(name)
        self.dtype = dtypes.standardize(dtype)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.input_spec: InputSpec | None = None
        self.declared_input_shape = _declared_shape(input_shape, input_dim)
        self._trainable = bool(trainable)
        self._built = False
        self._variables: list[Variable] = []
        self._regularized: list[tuple[Variable, regularizers.Regularizer]] = []
        self._constrained: list[tuple[Variable, Constraint]] = []
        self._calls: list[tuple[LayerCall, SymbolicTensor]] = []
        self._compiled: dict[tuple[Any, ...], Compiled] = {}

    # What a layer defines.

    def build(self, input_shape: Shape) -> None:
        """Declare the weights for inputs of this shape (batch first, None where not fixed)."""

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the layer's nodes.

        Args:
            op: emitter; every ONNX operator is a method.
            x: input value, batch first.
            training: whether the graph is for a training step.

        Returns:
            The output value.
        """
        raise NotImplementedError(f"Layer {type(self).__name__} does not define `call`.")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values that JSON can hold."""
        return {"name": self.name, "trainable": self._trainable, "dtype": self.dtype} | (
            {}
            if self.activity_regularizer is None
            else {"activity_regularizer": regularizers.serialize(self.activity_regularizer)}
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer from what `get_config` gave."""
        return cls(**config)

    # Weights.

    def add_weight(
        self,
        shape: Sequence[int | None],
        initializer: Any = "glorot_uniform",
        *,
        name: str,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Constraint | None = None,
        layout: Sequence[int] | None = None,
    ) -> Variable:
        """Declare a weight; call it in `build`.

        Args:
            shape: shape in the Keras layout.
            initializer: name or initializer of the first value.
            name: last part of its path, such as `"kernel"`.
            trainable: False for statistics that training keeps but does not learn.
            regularizer: name or regularizer; adds to the loss.
            constraint: applied after each optimizer step.
            layout: axes that turn the Keras layout into the layout of the ONNX operator.

        Returns:
            The weight; pass it to operators as it is.

        Raises:
            ValueError: if a size is not known.
        """
        path = f"{self.name}/{name}"
        if any(d is None for d in shape):
            raise ValueError(
                "Shapes used to initialize variables must be fully-defined (no `None` "
                f"dimensions). Received: shape={tuple(shape)} for variable path='{path}'"
            )
        value = initializers.get(initializer)(tuple(int(d or 0) for d in shape), self.dtype)
        variable = Variable(value, name, trainable=trainable, layout=layout, path=path)
        self._variables.append(variable)
        chosen = regularizers.get(regularizer)
        if chosen is not None:
            self._regularized.append((variable, chosen))
        if constraint is not None:
            self._constrained.append((variable, constraint))
        return variable

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return self._built or len(self._variables) > 0

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
        """Weights that training leaves to the layer (statistics) or alone (frozen)."""
        trained = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trained]

    @property
    def regularized_weights(self) -> list[tuple[Variable, regularizers.Regularizer]]:
        """Weights with their regularizers."""
        return list(self._regularized)

    @property
    def constrained_weights(self) -> list[tuple[Variable, Constraint]]:
        """Weights with their constraints."""
        return list(self._constrained)

    def get_weights(self) -> list[npt.NDArray[Any]]:
        """Return copies of the weights in the Keras layout."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[npt.ArrayLike]) -> None:
        """Replace all weights; nothing changes if one of them does not fit.

        Args:
            weights: arrays in the Keras layout, in the order of `weights`.

        Raises:
            ValueError: if their number or a shape is wrong.
        """
        variables = self.weights
        if len(weights) != len(variables):
            raise ValueError(
                f"You called `set_weights(weights)` on layer '{self.name}' with a weight list of "
                f"length {len(weights)}, but the layer was expecting {len(variables)} weights."
            )
        arrays = [np.asarray(value) for value in weights]
        for variable, array in zip(variables, arrays, strict=True):
            if variable.shape != array.shape:
                raise ValueError(
                    f"Layer {self.name} weight shape {variable.shape} is not compatible with "
                    f"provided weight shape {array.shape}."
                )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

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
        return sum(variable.size for variable in self.weights)

    # Calls.

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Apply the layer to a symbolic tensor (extends the model) or to data (computes).

        Args:
            x: symbolic tensor, or an array with the batch first.
            training: whether dropout drops and batch statistics are used.

        Returns:
            A symbolic tensor, or an array.
        """
        if isinstance(x, SymbolicTensor):
            return self._call_symbolic(x)
        return self._call_eagerly(dtypes.to_array(x, self.dtype, "inputs"), training)

    @property
    def input(self) -> SymbolicTensor:
        """The symbolic tensor that the layer was first called on."""
        return self._first_call("input")[0].inputs[0]

    @property
    def output(self) -> SymbolicTensor:
        """The symbolic tensor that the layer's first call gave."""
        return self._first_call("output")[1]

    def build_for(self, shape: Shape) -> None:
        """Check an input shape and build the layer if it is not built."""
        if self.input_spec is not None:
            self.input_spec.check(shape, self.name)
        if not self.built:
            self.build(shape)
            self._built = True
            if self.input_spec is not None:
                self.input_spec.check(shape, self.name)

    def emit(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the layer with its activity regularizer."""
        y = self.call(op, x, training)
        if self.activity_regularizer is not None:
            op.add_loss(self.activity_regularizer.emit(op, y))
        return y

    def _call_symbolic(self, x: SymbolicTensor) -> SymbolicTensor:
        self.build_for(x.shape)
        shape, dtype = infer_call(self, [x])
        call = LayerCall(self, (x,), len(self._calls))
        output = SymbolicTensor(shape, dtype, self.name, call)
        self._calls.append((call, output))
        return output

    def _call_eagerly(self, x: npt.NDArray[Any], training: bool) -> npt.NDArray[Any]:
        self.build_for(x.shape)
        key = (x.shape[1:], x.dtype, training, self.trainable)
        compiled = self._compiled.get(key)
        if compiled is None:
            op = Emitter(weights_as="input")
            value = op.input("input", self.dtype, symbolic_shape(x.shape, "input"))
            with op.scope(self.name):
                y = self.emit(op, value, training)
            op.output(y, self.name)
            expand_batch_statistics(op.graph)
            compiled = self._compiled[key] = Compiled(op)
        return compiled.run([x], seed=config.next_seed() if training else 0)[0]

    def _first_call(self, what: str) -> tuple[LayerCall, SymbolicTensor]:
        if not self._calls:
            raise AttributeError(
                f"The layer {self.name} has never been called and thus has no defined {what}."
            )
        return self._calls[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _declared_shape(shape: Sequence[int | None] | int | None, dim: int | None) -> Shape | None:
    """Shape given by the old `input_shape=` or `input_dim=`, without the batch."""
    if shape is None and dim is None:
        return None
    warnings.warn(_INPUT_SHAPE_WARNING, UserWarning, stacklevel=5)
    if shape is None:
        return (dim,)
    return (shape,) if isinstance(shape, int) else tuple(shape)
