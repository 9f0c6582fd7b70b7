"""Configurations of quantised layers: how weights and inputs become integers."""

from __future__ import annotations

from typing import Any, Final, Self

from seqonnx import catalogue
from seqonnx.catalogue import register
from seqonnx.configuration import Configured
from seqonnx.dtypes import QUANTIZATION_MODES
from seqonnx.quantizers.abs_max import AbsMaxQuantizer
from seqonnx.quantizers.quantizer import Quantizer

_DEFAULT: Final = "default"


@register("quantizer", "quantization_config")
class QuantizationConfig(Configured):
    """Base of the configurations.

    Args:
        weight_quantizer: quantizer of the weights; None for that of the form.
        activation_quantizer: quantizer of the inputs; None where they stay as they are.
    """

    mode = ""
    """Name of the form, such as `"int8"`."""

    def __init__(
        self,
        weight_quantizer: Quantizer | dict[str, Any] | None = None,
        activation_quantizer: Quantizer | dict[str, Any] | str | None = None,
    ) -> None:
        self.weight_quantizer = _quantizer(weight_quantizer)
        self.activation_quantizer = _quantizer(activation_quantizer)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make one from the configuration returned by `get_config`, here or in Keras."""
        return cls(**config)


@register("quantizer", "int8_quantization_config")
class Int8QuantizationConfig(QuantizationConfig):
    """Weights of int8, and inputs rounded to int8 while the model runs.

    Args:
        weight_quantizer: quantizer of the weights; None: `AbsMaxQuantizer`, a scale for each
            output.
        activation_quantizer: quantizer of the inputs; default `AbsMaxQuantizer()`; None where they
            stay as they are.

    Raises:
        ValueError: if the weights would not be int8.

    Example:
        >>> Int8QuantizationConfig(activation_quantizer=None).mode
        'int8'
    """

    mode = "int8"

    def __init__(
        self,
        weight_quantizer: Quantizer | dict[str, Any] | None = None,
        activation_quantizer: Quantizer | dict[str, Any] | str | None = _DEFAULT,
    ) -> None:
        if activation_quantizer == _DEFAULT:
            activation_quantizer = AbsMaxQuantizer()
        super().__init__(weight_quantizer, activation_quantizer)
        _check_dtype(self)


@register("quantizer", "int4_quantization_config")
class Int4QuantizationConfig(QuantizationConfig):
    """Weights of 4 bits, two of them in a byte.

    Args:
        weight_quantizer: quantizer of the weights, with the range (-8, 7); None:
            `AbsMaxQuantizer`. Only without blocks.
        activation_quantizer: quantizer of the inputs; default none. Only without blocks.
        block_size: how many inputs share a scale and a zero; None or -1: all of an output.

    Raises:
        ValueError: if the range or the block size is another.

    Example:
        >>> Int4QuantizationConfig(block_size=64).block_size
        64
    """

    mode = "int4"

    def __init__(
        self,
        weight_quantizer: Quantizer | dict[str, Any] | None = None,
        activation_quantizer: Quantizer | dict[str, Any] | str | None = _DEFAULT,
        block_size: int | None = 128,
    ) -> None:
        if activation_quantizer == _DEFAULT:
            activation_quantizer = None
        super().__init__(weight_quantizer, activation_quantizer)
        if block_size is not None and block_size != -1 and block_size <= 0:
            raise ValueError(
                "`block_size` must be None, -1 or a positive integer. "
                f"Received: block_size={block_size}"
            )
        self.block_size = block_size
        given = self.weight_quantizer is not None or self.activation_quantizer is not None
        if block_size is not None and block_size > 0 and given:
            raise ValueError(
                "Blocks of int4 have a quantisation of their own. Leave the quantizers out, or "
                f"pass `block_size=None`. Received: block_size={block_size}"
            )
        _check_dtype(self)
        found = getattr(self.weight_quantizer, "value_range", (-8, 7))
        if tuple(found) != (-8, 7):
            raise ValueError(
                "Int4QuantizationConfig requires a weight_quantizer with value_range=(-8, 7). "
                f"Received: value_range={tuple(found)}"
            )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make one; files that name no block size are of a time before there were blocks."""
        return cls(**{"block_size": None, **config})


def resolved_config(mode: Any, config: Any) -> QuantizationConfig:
    """Return the configuration of a form, or that which was given.

    Args:
        mode: name of the form, or None.
        config: a configuration, the name of a form, or None.

    Raises:
        ValueError: if there is no such form, both are left out, or they contradict each other.
    """
    if isinstance(config, str):
        mode, config = config, None
    if mode is not None and mode not in QUANTIZATION_MODES:
        raise ValueError(
            f"Invalid quantization mode. Expected one of {QUANTIZATION_MODES}: seqonnx has no "
            f"other form of quantised weights. Received: mode={mode!r}"
        )
    if config is None:
        if mode is None:
            raise ValueError("You must provide either `mode` or `config` to `quantize`.")
        return Int8QuantizationConfig() if mode == "int8" else Int4QuantizationConfig()
    if not isinstance(config, QuantizationConfig):
        raise ValueError(
            "Argument `config` must be an instance of `QuantizationConfig`. "
            f"Received: config={config} (of type {type(config)})"
        )
    if mode is not None and config.mode != mode:
        raise ValueError(f"Contradictory arguments: mode='{mode}' but config.mode='{config.mode}'")
    if config.mode not in QUANTIZATION_MODES:
        raise ValueError(
            f"Invalid quantization mode. Expected one of {QUANTIZATION_MODES}. "
            f"Received: config.mode={config.mode!r}, of {type(config).__name__}"
        )
    return config


def _quantizer(given: Any) -> Quantizer | None:
    """A quantizer, from itself, its name or its configuration."""
    if given is None:
        return None
    found: Quantizer = catalogue.get("quantizer", given, Quantizer)
    return found


def _check_dtype(config: QuantizationConfig) -> None:
    """Raise a ValueError if weights would not be kept as int8."""
    quantizer = config.weight_quantizer
    if quantizer is not None and quantizer.output_dtype != "int8":
        raise ValueError(
            f"{type(config).__name__} requires a weight_quantizer with output_dtype='int8'. "
            f"Received: output_dtype={quantizer.output_dtype}"
        )
