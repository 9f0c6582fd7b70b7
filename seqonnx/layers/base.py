"""Layer: what every layer is. A layer declares weights (`build`) and emits nodes (`call`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Never, Self, overload

import numpy.typing as npt
import onnx_ir as ir

from seqonnx import catalogue, dtypes, regularizers
from seqonnx.constraints import Constraint
from seqonnx.graph import Emitter, Trace, Variable, auto_name, check_name, current_trace, dtype_name
from seqonnx.graph.operable import Valueless
from seqonnx.graph.signatures import Spelling, spelling_of
from seqonnx.graph.tracing import traced, tracing
from seqonnx.importers.keras.config import keras_arguments
from seqonnx.layers import _added_losses, _calling
from seqonnx.layers._inside import building, owner_path, owning
from seqonnx.layers._masks import carry_masks, with_masks
from seqonnx.layers.alone import CallsOnData
from seqonnx.layers.arguments import own_arguments
from seqonnx.layers.fake_quantization import RoundedInput, round_layer
from seqonnx.layers.setting import Setting
from seqonnx.layers.spec import InputSpec, check_shapes, declared_shape
from seqonnx.layers.standing import StandIn, as_it_is_set
from seqonnx.layers.weighted import Weighted
from seqonnx.regularizers import activity_penalty
from seqonnx.seeds import SeedSource
from seqonnx.structures import put_back, take_out
from seqonnx.symbolic import LayerCall, Symbolic, SymbolicTensor, infer_call

__all__ = ["InputSpec", "Layer"]


class Layer(Weighted):
    """Base of all layers; also the way to write one's own.

    A subclass defines `build(input_shape)`, which declares weights with `add_weight`, and
    `call`, in one of two spellings: `call(op, x, training)` emits ONNX operators and returns one
    value; Keras's `call(x, training=None, mask=None)` works on tensors, with `seqonnx.ops`,
    Python's operators and other layers. Its gradient, export and summary follow from the graph.
    Layers kept in attributes are part of it, with their weights.

    Args:
        name: name, unique in a model; default: the class name in snake case, numbered.
        trainable: whether training changes the weights.
        dtype: dtype of weights and computation, or a mixed policy such as
            `"mixed_float16"`: weights in float32, computation in float16; by name or as a
            `DTypePolicy`. Default `seqonnx.config.get_dtype_policy()`.
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
        dtype: str | dtypes.DTypePolicy | None = None,
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
        self._policy = self._policy_of(dtype)
        self.activity_regularizer = activity_regularizer
        self.input_spec: Any = None
        self._declared_input_shape = declared_shape(input_shape, input_dim)
        self._trainable = bool(trainable)
        self._built = False
        self._built_for: tuple[Any, dict[str, Any]] | None = None
        self._owner = ""
        self._variables: list[Variable] = []
        self._regularized: list[tuple[Variable, regularizers.Regularizer]] = []
        self._constrained: list[tuple[Variable, Constraint]] = []
        self._stand_ins: dict[Variable, StandIn] = {}
        self._rounded_input: RoundedInput | None = None
        self._rounds = False  # whether fake quantisation comes with the weights
        self._fixed: set[Variable] = set()  # what an adapter trains in the place of
        self._calls: list[tuple[LayerCall, list[SymbolicTensor]]] = []
        self._calls_on_data = CallsOnData(self.name)

    activity_regularizer = Setting(regularizers.get)
    """Regularizer of the output, or None."""

    _source: SeedSource | None = None  # of draws that follow a seed of the layer's own

    supports_masking = False
    """Whether the mask of the input, or what `compute_mask` makes of it, is that of the output."""

    # What a layer defines.

    def build(self, input_shape: Any) -> None:
        """Declare the weights for inputs of this shape (batch first, None where not fixed).

        Args:
            input_shape: shape of the input; a list of shapes for a layer that takes a list.
        """

    # A user's own may be written on tensors: then its parameters are others.
    def call(self, op: Any, x: Any, training: Any) -> Any:
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
            "`call(self, op, x, training)`, which emits its nodes, or `call(self, x)`, which works "
            "on tensors with the functions of `seqonnx.ops`."
        )

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the output; asked where the layer supports masking.

        Args:
            inputs: the first argument of the call, tensors.
            previous_mask: the mask of each of them, True where an entry counts, or None.
        """
        return previous_mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, batch first, for inputs of a shape; builds the layer.

        Args:
            input_shape: shape of the input; a list of shapes for a layer that takes a list.

        Example:
            >>> Flatten().compute_output_shape((None, 2, 3))
            (None, 6)
        """
        shapes = input_shape if self._takes_list else [input_shape]
        dtype = self.compute_dtype
        tensors = [SymbolicTensor(shape, dtype, f"x{i}") for i, shape in enumerate(shapes)]
        self._build_for(input_shape)
        given, pattern = infer_call(LayerCall(self, tuple(tensors), 0))
        return put_back(pattern, [shape for shape, _ in given])

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

    @property
    def built(self) -> bool:
        """Whether the weights exist. A `build` may set it, as those of Keras's layers do."""
        return self._is_built

    @built.setter
    def built(self, built: bool) -> None:
        self._built = bool(built)

    @property
    def _is_built(self) -> bool:
        """Whether the layer needs no `build`."""
        return self._built or len(self._variables) > 0

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

    @property
    def _spelling(self) -> Spelling:
        """How `call` is written."""
        return spelling_of(self.call)

    @overload
    def __call__(
        self, x: Symbolic, *args: Any, training: bool | None = None, **kwargs: Any
    ) -> SymbolicTensor: ...
    @overload
    def __call__(
        self, x: npt.ArrayLike, *args: Any, training: bool | None = None, **kwargs: Any
    ) -> npt.NDArray[Any]: ...
    def __call__(self, x: Any, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Apply the layer to a symbolic tensor (extends the model) or to data (computes).

        Args:
            x: symbolic tensor, or an array with the batch first; a list of either for a layer
                that takes a list, or the structure of them that `call` takes.
            *args: further arguments of `call`.
            training: for data: whether dropout drops and batch statistics are used, default not.
                For a symbolic tensor: False keeps this call in inference mode in training, too.
            **kwargs: further arguments of `call` by name, such as `mask`.

        Returns:
            A symbolic tensor, or an array; a structure of them where `call` returns one.

        Raises:
            ValueError: if the inputs do not fit the layer.
            TypeError: if `call` has no such argument.
        """
        return _calling.call(self, x, training, args, kwargs)

    def add_loss(self, loss: Any) -> None:
        """Add to the loss that training minimises; for a `call` that works on tensors.

        Args:
            loss: a tensor; its elements are summed. A list of several.

        Raises:
            RuntimeError: outside of `call`.
        """
        parts = loss if isinstance(loss, list | tuple) else [loss]
        trace = current_trace()
        if trace is None and _added_losses.note(parts):
            return
        if trace is None:
            raise RuntimeError(
                f"`add_loss` of layer '{self.name}' works inside of its `call`, where the graph "
                f"is made. Received: loss={loss!r}"
            )
        for part in parts:
            value = trace.op.cast(trace.value(part, "float32"), "float32")
            trace.op.add_loss(trace.op.ReduceSum(value, keepdims=0))

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
        listed = isinstance(x, list | tuple) and any(isinstance(t, Valueless) for t in x)
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

    def _build_for(self, shape: Any, **others: Any) -> None:
        """Check an input shape and build the layer if it is not built.

        Args:
            shape: shape of the input; a list of shapes for a layer that takes a list.
            **others: shapes of the further arguments that are tensors, as `mask_shape`.
        """
        check_shapes(self.input_spec, shape, self.name)
        if not self.built:
            self._owner = owner_path(self.name).rpartition("/")[0]
            with building(self.name):
                wanted = spelling_of(self.build).names[1:]
                given = {name: others[name] for name in wanted if name in others}
                self.build(shape, **given)
            self._built, self._built_for = True, (shape, given)
            if self._rounds:
                round_layer(self)
            check_shapes(self.input_spec, shape, self.name)

    def _emit(self, op: Emitter, x: Any, training: bool, **named: Any) -> Any:
        """Emit the layer in its dtype, with its activity regularizer and mask; see `call`."""
        named = with_masks(op, self._spelling, x, named)
        drawing = op.drawing_from(self._source)
        with owning(self.name), drawing, as_it_is_set(op, self, x, training) as read:
            y = self._emit_typed(op, read, training, named)
        if self.activity_regularizer is not None:
            parts: list[ir.Value] = []
            take_out(y, lambda part: isinstance(part, ir.Value), parts)
            for part in parts:
                value = op.cast(part, dtypes.widened(dtype_name(part)))
                op.add_loss(activity_penalty(op, self.activity_regularizer, value))
        carry_masks(op, self, x, named.get("mask"), y)
        return y

    def _emit_mask(self, op: Emitter, x: Any, mask: Any) -> Any:
        """Emit the mask of the output of a layer that supports masking.

        Args:
            op: emitter of the graph.
            x: the first argument of the call, values.
            mask: the mask of each of them, or None.

        Returns:
            A mask for each output, or None.
        """
        # The masks of several inputs do not say by themselves what counts of an output.
        if type(self).compute_mask is Layer.compute_mask and (mask is None or self._takes_list):
            return None
        trace = Trace(op, training=False)
        with tracing(trace):
            return trace.values(self.compute_mask(traced(x), traced(mask)))

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
