"""Quantizable: layers whose large weight can become small integers, as in Keras's `quantize`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import catalogue, dtypes
from seqonnx.graph import Emitter, Variable, dtype_name, note_setting
from seqonnx.layers.lora import Adaptable, Adapter
from seqonnx.layers.quantized_forms import (
    Int4Form,
    Int8Form,
    IntegerForm,
    QuantizedWeight,
    WeightAxes,
)
from seqonnx.layers.setting import Setting
from seqonnx.layers.standing import is_merged
from seqonnx.quantizers import Int4QuantizationConfig, QuantizationConfig
from seqonnx.quantizers.config import resolved_config

Product = Callable[[ir.Value, ir.Value], ir.Value]


def _config(given: Any) -> QuantizationConfig | None:
    """A configuration, from itself or from its plain values."""
    if given is None:
        return None
    found: QuantizationConfig = catalogue.get("quantizer", given, QuantizationConfig)
    return found


class Quantizable(Adaptable):
    """Base of the layers whose large weight can become integers of 8 or 4 bits."""

    _takes_quantized_dtype = True

    quantization_config: Setting[QuantizationConfig | None] = Setting(_config)
    """How the weight and the inputs become integers, or would."""

    _quantized: QuantizedWeight | None = None

    def quantize(
        self,
        mode: str | None = None,
        type_check: bool = True,
        config: QuantizationConfig | None = None,
    ) -> None:
        """Turn the large weight into integers, which do not train any more.

        Inputs are rounded to int8, too, while the layer computes, unless `config` says otherwise.
        The bias goes on training, and `enable_lora` adds an adapter beside the integers.

        Args:
            mode: `"int8"` or `"int4"`; default that of `config`.
            type_check: whether layers of the user's own, which derive from this one and may use
                the weight otherwise, are refused.
            config: how; default that of the constructor, or the form's own.

        Raises:
            ValueError: if an argument is not legal, the layer is not built, or it is quantised.
            NotImplementedError: for a class of the user's own.

        Example:
            >>> layer = Dense(2, kernel_initializer="ones")
            >>> layer.build((None, 3))
            >>> layer.quantize("int8")
            >>> layer.dtype_policy.name, layer.kernel.numpy().tolist()
            ('int8_from_float32', [[127, 127], [127, 127], [127, 127]])
        """
        own = self.quantization_config
        if config is None and own is not None and mode in {None, own.mode}:
            config = own
        chosen = resolved_config(mode, config)
        self._check_quantizable(chosen, type_check)
        policy = dtypes.quantized_policy(f"{_policy_name(chosen)}_from_{self._policy.name}")
        self._become_integers(chosen, policy)
        self.quantization_config, self._policy = chosen, policy
        note_setting()

    def _check_quantizable(self, config: QuantizationConfig, type_check: bool) -> None:
        """Raise where the layer cannot be quantised."""
        label = f"Layer '{self.name}' (of type '{type(self).__name__}')"
        if not self.built:
            raise ValueError(
                f"Cannot quantize a layer that isn't yet built. {label} is not built yet. Call it "
                "on data or `build(input_shape)` first."
            )
        if self._quantized is not None:
            raise ValueError(
                f"{label} is already quantized with dtype_policy='{self._policy.name}'. "
                f"Received: mode={config.mode!r}"
            )
        if self._rounds:
            raise ValueError(
                f'{label} is rounded while it trains, by `quantize("int8", mode="qat")`. Its '
                "int8 is written by `export`."
            )
        if type_check and not catalogue.is_own("layer", type(self)):
            raise NotImplementedError(
                f"Layer {type(self).__name__} does not have a `quantize` method implemented. If "
                "it uses the weight as its base class does, pass `type_check=False`."
            )

    def _become_integers(self, config: QuantizationConfig, policy: dtypes.DTypePolicy) -> None:
        """Put integers in the place of the large weight."""
        old = next(v for v in self._variables if v.name == self._adapted_name)
        form = self._form(old.shape, policy, config)
        values = form.stored(old.numpy().astype(np.float32), config.weight_quantizer)
        self._forget(old)
        made = self._hold_integers(form)
        for variable, value in zip(made.variables, values, strict=True):
            variable.assign(value)
        if self._adapter is not None:
            adapter = self._adapter
            self._take_adapter(Adapter(self, made.variables[0], adapter.a, adapter.b))

    def _build_quantized(self, shape: Sequence[int]) -> None:
        """Declare a large weight of a shape that is stored as integers from the start."""
        resolved_config(self.quantization_mode, self.quantization_config)
        self._hold_integers(self._form(shape, self._policy, self.quantization_config))

    def _hold_integers(self, form: IntegerForm) -> QuantizedWeight:
        """Declare the integers of the large weight, and keep them where the weight would be."""
        self._quantized = self._add_integers(self._adapted_name, form)
        setattr(self, f"_{self._adapted_name}", self._quantized.variables[0])
        return self._quantized

    def _forget(self, weight: Variable) -> None:
        """Have a weight no more."""
        self._variables.remove(weight)
        self._regularized = [pair for pair in self._regularized if pair[0] is not weight]
        self._constrained = [pair for pair in self._constrained if pair[0] is not weight]
        self._fixed.discard(weight)
        self._stand_ins.pop(weight, None)

    def _form(
        self, shape: Sequence[int], policy: dtypes.DTypePolicy, config: QuantizationConfig | None
    ) -> IntegerForm:
        """The form of a large weight of a shape."""
        layout = self._layout(tuple(shape))
        if policy.quantization_mode == "int8":
            return Int8Form(layout)
        if isinstance(config, Int4QuantizationConfig):
            block = config.block_size
        else:
            block = policy.block_size if isinstance(policy, dtypes.Int4DTypePolicy) else None
        return Int4Form(layout, None if block == -1 else block)

    def _layout(self, shape: tuple[int, ...]) -> WeightAxes:
        """The axes of the large weight."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_layout`.")

    def _add_integers(self, name: str, form: IntegerForm) -> QuantizedWeight:
        """Declare what a weight is stored in."""
        variables = tuple(
            self.add_weight(
                part.shape,
                lambda shape, dtype, value=part.initial: value.astype(dtype),
                part.dtype,
                trainable=False,
                name=part.ending if part.ending == "g_idx" else f"{name}{part.ending}",
            )
            for part in form.parts
        )
        self._fixed.update(variables)
        return QuantizedWeight(form, variables)

    def _product(
        self, op: Emitter, x: ir.Value, quantized: QuantizedWeight, axis: Any, product: Product
    ) -> ir.Value:
        """Emit the product of the rounded input and the integers, and that of the adapter.

        Args:
            op: emitter of the graph.
            x: the input.
            quantized: the weight.
            axis: axes of the input that are summed over.
            product: emits the product of an input and a weight.
        """
        config = self.quantization_config
        quantizer = resolved_config(self.quantization_mode, config).activation_quantizer
        rounded = x if quantizer is None else quantizer.there_and_back(op, x, axis)
        y = product(rounded, op.cast(quantized.emit(op), dtype_name(x)))
        adapter = self._adapter
        if adapter is not None and not is_merged() and quantized is self._quantized:
            # What the adapter adds is of the input as it is, as in Keras.
            with op.computing_in(None):
                added = adapter.emit_product(op)
            y = op.Add(y, product(x, op.cast(added, dtype_name(x))))
        return y

    def _rows(self, op: Emitter, quantized: QuantizedWeight, indices: ir.Value) -> ir.Value:
        """Emit rows of a table of integers, and those of the adapter."""
        rows = quantized.emit_rows(op, indices)
        adapter = self._adapter
        if adapter is None or is_merged():
            return rows
        with op.computing_in(None):
            return op.Add(rows, adapter.emit_rows(op, indices))

    def _adapted_shape(self, weight: Variable) -> tuple[int, ...]:
        return weight.shape if self._quantized is None else self._quantized.form.layout.shape

    def _take_adapter(self, adapter: Adapter) -> None:
        """Have an adapter, in the place of the weight or beside its integers."""
        if self._quantized is None:
            super()._take_adapter(adapter)
            return
        self._adapter = adapter
        parts = self._quantized.variables
        self._stand_ins |= {
            part: _WithAdapter(self._quantized, adapter, index) for index, part in enumerate(parts)
        }
        self._variables.sort(key=lambda variable: not variable.trainable)  # as Keras lists them


@dataclass(frozen=True, eq=False)
class _WithAdapter:
    """A part of a quantised weight, quantised again with its adapter where files hold the sum.

    Args:
        quantized: the weight.
        adapter: its adapter.
        index: number of the part.
    """

    quantized: QuantizedWeight
    adapter: Adapter
    index: int

    merges = True
    """Files to deploy have the sum."""

    @property
    def parts(self) -> Sequence[Variable]:
        """A and B, named once."""
        return self.adapter.parts if self.index == 0 else ()

    def emit(self, op: Emitter, weight: ir.Value) -> ir.Value:
        """Emit the part as it is: the layer adds what the adapter gives."""
        return weight

    def merged(self, values: Mapping[Variable, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return the part, of the sum; says how far the integers are from it."""
        base = self.quantized.weight_of([values[part] for part in self.quantized.variables])
        whole = (base + self.adapter.product(values)).astype(np.float32)
        parts = self.quantized.form.stored(whole, None)
        if self.index == 0:
            error = np.abs(self.quantized.weight_of(parts) - whole).max() / np.abs(whole).max()
            warnings.warn(
                f"Layer '{self.adapter.layer.name}': the adapter was merged into integers, which "
                f"were quantised again. The largest error of rounding is {error:.2%} of the "
                "largest value.",
                stacklevel=2,
            )
        return parts[self.index].astype(self.quantized.variables[self.index].dtype)


def check_told(layer: Any, config: Mapping[str, Any]) -> None:
    """Raise a ValueError if a configuration does not tell of integers inside of a layer.

    Args:
        layer: the layer.
        config: what its `get_config` returned.
    """
    inside = [each for each in layer._inner_layers if each.quantization_mode is not None]
    untold = [each for each in inside if f"'{each.dtype_policy.name}'" not in str(config)]
    if len(untold) > 0:
        raise ValueError(
            f"Layer '{layer.name}' ({type(layer).__name__}) cannot be saved: "
            f"{', '.join(each.name for each in untold)} inside of it have weights of integers, "
            "which its configuration does not tell. `export` it, or `save_weights`; or save the "
            "model first, and quantise it after loading."
        )


def _policy_name(config: QuantizationConfig) -> str:
    """How policies call a form."""
    if not isinstance(config, Int4QuantizationConfig):
        return config.mode
    return f"int4/{-1 if config.block_size is None else config.block_size}"
