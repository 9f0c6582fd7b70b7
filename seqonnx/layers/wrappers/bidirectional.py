"""Bidirectional: a recurrent layer, and another that walks the other way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Self, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.base import Layer
from seqonnx.layers.held import as_layer, held_entry
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.recurrent.masked import flipped
from seqonnx.layers.recurrent.rnn import RecurrentLayer
from seqonnx.layers.setting import Setting
from seqonnx.layers.standing import as_it_is_set
from seqonnx.structures import take_out
from seqonnx.symbolic import Shape

_ALIKE: Final = ("stateful", "return_sequences", "return_state")


def _checked_mode(mode: Any) -> str | None:
    """A legal `merge_mode`."""
    if mode not in ("sum", "mul", "ave", "concat", None):
        raise ValueError(
            f"Invalid merge mode. Received: {mode}. Merge mode should be one of "
            '{"sum", "mul", "ave", "concat", None}'
        )
    return None if mode is None else str(mode)


@register("layer")
class Bidirectional(Layer):
    """A recurrent layer and its copy that walks backwards, with their outputs put together.

    Args:
        layer: the recurrent layer; it is copied, without its weights.
        merge_mode: `"concat"` (along the last axis), `"sum"`, `"mul"`, `"ave"`, or None: both
            outputs are returned.
        weights: first weights of both layers, those of the first half of the list forward.
        backward_layer: the layer that walks the other way; default a copy of `layer`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal, or both layers walk the same way.

    Example:
        >>> Bidirectional(LSTM(4, return_sequences=True))(np.zeros((2, 3, 5))).shape
        (2, 3, 8)
    """

    merge_mode: Setting[str | None] = Setting(_checked_mode)

    supports_masking = True
    autocast = False
    """Each layer inside has its own dtype."""

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Sequence[Any] | None = None,
        backward_layer: Any = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        layer, backward_layer = as_layer(layer), as_layer(backward_layer)
        if not isinstance(layer, Layer):
            raise ValueError(
                "Please initialize `Bidirectional` layer with a `keras.layers.Layer` instance. "
                f"Received: {layer}"
            )
        if backward_layer is not None and not isinstance(backward_layer, Layer):
            raise ValueError(
                "`backward_layer` need to be a `keras.layers.Layer` instance. "
                f"Received: {backward_layer}"
            )
        super().__init__(**kwargs)
        self.merge_mode = merge_mode
        self.forward_layer: Any = _copy(layer, "forward_")
        self.backward_layer: Any = backward_layer
        if backward_layer is None:
            self.backward_layer = _copy(layer, "backward_", go_backwards=True)
        self._check_alike()
        inner: Any
        for inner in (self.forward_layer, self.backward_layer):
            if getattr(inner, "zero_output_for_mask", None) is not None:
                inner.zero_output_for_mask = inner.return_sequences
        self._first_weights = None if weights is None else list(weights)
        self.input_spec = layer.input_spec

    def _check_alike(self) -> None:
        """Raise a ValueError unless the layers differ in their way, and in nothing that shows."""
        ahead, back = self.forward_layer, self.backward_layer
        if ahead.go_backwards == back.go_backwards:
            raise ValueError(
                "Forward layer and backward layer should have different `go_backwards` value. "
                f"Received: forward_layer.go_backwards {ahead.go_backwards}, "
                f"backward_layer.go_backwards={back.go_backwards}"
            )
        for name in _ALIKE:
            one, other = getattr(ahead, name), getattr(back, name)
            if one != other:
                raise ValueError(
                    "Forward layer and backward layer are expected to have the same value for "
                    f'attribute "{name}", got "{one}" for forward layer and "{other}" for backward '
                    "layer"
                )

    @property
    def stateful(self) -> bool:
        """Whether a batch starts with the states in which the batch before it ended."""
        return bool(self.forward_layer.stateful)

    @property
    def return_sequences(self) -> bool:
        """Whether the outputs of all steps are returned."""
        return bool(self.forward_layer.return_sequences)

    @property
    def return_state(self) -> bool:
        """Whether the last states of both layers are returned behind the output."""
        return bool(self.forward_layer.return_state)

    @property
    def states(self) -> tuple[Any, ...] | None:
        """The states that the next batch starts with, those of the forward layer first."""
        ahead, back = self.forward_layer.states, self.backward_layer.states
        return (*ahead, *back) if ahead and back else None

    def reset_state(self) -> None:
        """Set the states that both layers keep to zeros.

        Raises:
            AttributeError: if they keep none.
        """
        if not self.stateful:
            raise AttributeError("Layer must be stateful.")
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """The same as `reset_state`."""
        self.reset_state()

    def build(self, input_shape: Shape) -> None:
        """Build both layers."""
        self.forward_layer._build_for(input_shape)
        self.backward_layer._build_for(input_shape)
        if self._first_weights:
            half = len(self._first_weights) // 2
            self.forward_layer.set_weights(self._first_weights[:half])
            self.backward_layer.set_weights(self._first_weights[half:])

    def call(
        self,
        op: Emitter,
        x: ir.Value,
        training: bool,
        initial_state: Sequence[Any] | None = None,
        mask: ir.Value | None = None,
    ) -> Any:
        """Emit both layers.

        Args:
            op: emitter.
            x: sequences, (batch, time, …).
            training: whether dropout drops.
            mask: true at valid steps, (batch, time); None: all are.
            initial_state: states before the first step, those of the forward layer first.

        Returns:
            The output; a list of several, with `return_state` or without a `merge_mode`.
        """
        first = second = None
        if initial_state is not None:
            half = len(initial_state) // 2
            first, second = initial_state[:half], initial_state[half:]
        ahead, *states = _emitted(op, self.forward_layer, x, training, mask, first)
        back, *more = _emitted(op, self.backward_layer, x, training, mask, second)
        ahead, back = op.cast(ahead, self.compute_dtype), op.cast(back, self.compute_dtype)
        made = [ahead, back] if self.merge_mode is None else [self._merged(op, ahead, back)]
        if self.return_sequences and self.forward_layer.go_backwards:
            made = [flipped(op, y, 1) for y in made]
        made += [*states, *more] if self.return_state else []
        return made[0] if len(made) == 1 else made

    def _merged(self, op: Emitter, ahead: ir.Value, back: ir.Value) -> ir.Value:
        """Both outputs in one."""
        if self.merge_mode == "concat":
            return op.Concat(ahead, back, axis=-1)
        if self.merge_mode == "mul":
            return op.Mul(ahead, back)
        total = op.Add(ahead, back)
        return total if self.merge_mode == "sum" else op.Div(total, 2.0)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the sequences for the outputs of all steps; others have none."""
        mask = previous_mask[0] if isinstance(previous_mask, list) else previous_mask
        output = mask if self.return_sequences else None
        return [output, output] if self.merge_mode is None else output

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "layer": held_entry(self.forward_layer),
            "backward_layer": held_entry(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a layer from the configuration returned by `get_config`, here or in Keras 3."""
        layer = as_layer(config.get("layer"))
        made = super().from_config({**config, "layer": layer})
        if made.forward_layer.name == getattr(layer, "name", None):
            # The one that walks forward was written, not the one that it is a copy of: there may
            # be other places that it stands in.
            made.forward_layer = layer
        return made


def _copy(layer: Layer, prefix: str, **changes: Any) -> Layer:
    """A layer of the same arguments, called after the way it walks."""
    name = prefix + layer.name.removeprefix(prefix)
    return type(layer).from_config(layer.get_config() | {"name": name} | changes)


def _emitted(
    op: Emitter,
    layer: Any,
    x: ir.Value,
    training: bool,
    mask: ir.Value | None,
    initial: Sequence[Any] | None,
) -> list[ir.Value]:
    """The output of a layer, all steps in the order of time, and its states if it returns them."""
    with op.scope(layer.name):
        if isinstance(layer, RecurrentLayer):
            with as_it_is_set(op, layer, x, training) as read:
                return layer._emit_in_time_order(op, read, training, mask, initial)
        given = {"mask": mask, "initial_state": initial}
        names = layer._spelling.names
        named = {k: v for k, v in given.items() if v is not None and k in names}
        made: list[ir.Value] = []
        result = layer._emit(op, x, training, **named)
        take_out(result, lambda part: isinstance(part, ir.Value), made)
        if layer.return_sequences and layer.go_backwards:
            made[0] = flipped(op, made[0], 1)
        return made
