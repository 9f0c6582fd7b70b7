"""Models whose user writes `call`: it is traced into the layer graph once the inputs are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import onnx_ir as ir

from seqonnx.contexts import in_own_context
from seqonnx.graph import Emitter, auto_name
from seqonnx.graph.signatures import spelling_of
from seqonnx.layers import _calling
from seqonnx.layers._added_losses import collecting
from seqonnx.layers.base import Layer
from seqonnx.layers.core.input import InputLayer
from seqonnx.symbolic import SymbolicTensor
from seqonnx.symbolic.structure import Structure, flatten


class Traced(Protocol):
    """The side of a model that tracing its `call` needs."""

    name: str

    def call(self, *arguments: Any, **named: Any) -> Any:
        """Return the outputs for symbolic tensors."""

    @property
    def built(self) -> bool:
        """Whether it is connected."""

    @classmethod
    def _is_subclassed(cls) -> bool:
        """Whether the user has written `call`."""

    def _connect(self, inputs: Structure, outputs: Structure) -> None:
        """Make the model the part of the layer graph between these tensors."""

    def _structures(self) -> tuple[Structure, Structure]:
        """The inputs and the outputs as they were given."""

    def _build_for(self, shape: Any, **others: Any) -> None:
        """Build the model for inputs of a shape."""


@in_own_context
def connect_call(model: Traced, shapes: Any, dtypes: Any = None) -> None:
    """Trace the `call` of a model, and make it the model's graph.

    A `call` that takes `training` is traced twice: its outputs know those of the second trace,
    which stand for them in a training step.

    Args:
        model: a model that is not connected.
        shapes: shape of the input, batch first; a list or a dict of shapes for several.
        dtypes: their dtypes in the same structure; default float32.

    Raises:
        ValueError: if `call` returns something else than symbolic tensors.
    """
    inputs = _inputs(shapes, dtypes)
    if "training" not in spelling_of(model.call).names:
        model._connect(inputs, _outputs(model, inputs))
        return
    outputs = _outputs(model, inputs, training=False)
    with _calling.following_training():
        trained = _outputs(model, inputs, training=True)
    model._connect(inputs, outputs)
    for tensor, own in zip(flatten(outputs, "outputs"), flatten(trained, "outputs"), strict=True):
        tensor._in_training = own


def _inputs(shapes: Any, dtypes: Any) -> Structure:
    """Input tensors in the structure of the shapes."""
    if isinstance(shapes, Mapping):
        return {
            name: _input(shape, None if dtypes is None else dtypes[name], name)
            for name, shape in shapes.items()
        }
    if isinstance(shapes, list):
        kinds = [None] * len(shapes) if dtypes is None else dtypes
        return [_input(shape, dtype) for shape, dtype in zip(shapes, kinds, strict=True)]
    return _input(shapes, dtypes)


def _input(shape: Any, dtype: str | None, name: str | None = None) -> SymbolicTensor:
    return InputLayer(batch_shape=(None, *shape[1:]), dtype=dtype, name=name).output


def _outputs(model: Traced, inputs: Structure, **training: bool) -> Structure:
    """The result of `call`: one symbolic tensor, a list or a dict of them.

    Raises:
        ValueError: if it is something else.
    """
    with collecting() as losses:
        result = model.call(inputs, **training)
    result = list(result) if isinstance(result, tuple) else result
    parts = result.values() if isinstance(result, Mapping) else result
    listed = parts if isinstance(result, list | Mapping) else [result]
    for part in listed:
        if not isinstance(part, SymbolicTensor):
            raise ValueError(
                f"`call` of model '{model.name}' must return a tensor, or a list, tuple or dict of "
                f"tensors that layers and `seqonnx.ops` have given. Received: {part!r}"
            )
    outputs: Structure = result
    return outputs if len(losses) == 0 else _with_losses(outputs, losses)


class _AddedLosses(Layer):
    """Passes a tensor on, and adds to the loss."""

    supports_masking = True

    def call(
        self, op: Emitter, x: ir.Value, training: bool, losses: Sequence[ir.Value] = ()
    ) -> ir.Value:
        for loss in losses:
            op.add_loss(op.ReduceSum(op.cast(loss, "float32"), keepdims=0))
        return x


def _with_losses(outputs: Structure, losses: list[SymbolicTensor]) -> Structure:
    """Outputs of which the first brings losses into the graph that leads to it."""
    layer = _AddedLosses(name=auto_name("added_losses"))
    first, *others = flatten(outputs, "outputs")
    tensors = [layer(first, losses=losses), *others]
    if isinstance(outputs, Mapping):
        return dict(zip(outputs, tensors, strict=True))
    return tensors if isinstance(outputs, list) else tensors[0]


def built_from(model: Traced) -> dict[str, Any]:
    """Return what a traced model was built from, for its file; nothing for another model.

    Returns:
        An entry `build_config` with shapes and dtypes in the structure of the inputs.
    """
    if not model._is_subclassed():
        return {}
    structure, _ = model._structures()
    tensors = flatten(structure, "inputs")
    shapes: Any = [list(tensor.shape) for tensor in tensors]
    kinds: Any = [tensor.dtype for tensor in tensors]
    if isinstance(structure, Mapping):
        shapes = dict(zip(structure, shapes, strict=True))
        kinds = dict(zip(structure, kinds, strict=True))
    elif isinstance(structure, SymbolicTensor):
        shapes, kinds = shapes[0], kinds[0]
    return {"build_config": {"input_shape": shapes, "dtype": kinds}}


def build_again(model: Traced, config: Mapping[str, Any]) -> None:
    """Trace the `call` of a model as it was before it was saved; see `built_from`."""
    built = config.get("build_config") or {}
    if built.get("input_shape") is None or model.built:
        return
    # Files of Keras's do not tell the dtypes.
    model._build_for(_as_shapes(built["input_shape"]), dtypes=built.get("dtype"))


def _as_shapes(shapes: Any) -> Any:
    """Shapes of a file, which are lists of sizes, as tuples."""
    if isinstance(shapes, Mapping):
        return {name: tuple(shape) for name, shape in shapes.items()}
    several = len(shapes) > 0 and isinstance(shapes[0], list)
    return [tuple(shape) for shape in shapes] if several else tuple(shapes)
