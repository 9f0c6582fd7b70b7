"""Quantizers: numbers as small integers and scales, with the names of Keras's `quantizers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqonnx import catalogue
from seqonnx.quantizers.abs_max import AbsMaxQuantizer, abs_max_quantize
from seqonnx.quantizers.config import (
    Int4QuantizationConfig,
    Int8QuantizationConfig,
    QuantizationConfig,
)
from seqonnx.quantizers.fake import fake_quant_with_min_max_vars
from seqonnx.quantizers.float8 import (
    compute_float8_amax_history,
    compute_float8_scale,
    quantize_and_dequantize,
)
from seqonnx.quantizers.int4 import (
    abs_max_quantize_grouped_with_zero_point,
    pack_int4,
    unpack_int4,
)
from seqonnx.quantizers.quantizer import Quantizer

__all__ = [
    "AbsMaxQuantizer",
    "Int4QuantizationConfig",
    "Int8QuantizationConfig",
    "QuantizationConfig",
    "Quantizer",
    "abs_max_quantize",
    "abs_max_quantize_grouped_with_zero_point",
    "compute_float8_amax_history",
    "compute_float8_scale",
    "deserialize",
    "fake_quant_with_min_max_vars",
    "get",
    "pack_int4",
    "quantize_and_dequantize",
    "serialize",
    "unpack_int4",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def get(identifier: Any, **kwargs: Any) -> Any:
    """Return the quantizer, or the configuration of a quantised layer, that something stands for.

    Args:
        identifier: one of them, its class, its name, its configuration, or None for None.
        **kwargs: arguments of the constructor, where a class or a name is given.

    Raises:
        ValueError: if it stands for none.

    Example:
        >>> get("AbsMaxQuantizer", axis=0).axis
        (0,)
    """
    if identifier is None:
        return None
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    found = catalogue.find("quantizer", identifier) if isinstance(identifier, str) else identifier
    if isinstance(found, type) and issubclass(found, Quantizer | QuantizationConfig):
        return found(**kwargs)
    if isinstance(found, Quantizer | QuantizationConfig) or (callable(found) and not kwargs):
        return found
    raise catalogue.unknown("quantizer", identifier)


def serialize(initializer: Quantizer | QuantizationConfig) -> dict[str, Any]:
    """Return a quantizer, or a configuration, as plain values that JSON can hold."""
    return catalogue.serialize(initializer)


def deserialize(
    config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> Quantizer | QuantizationConfig:
    """Make what `serialize`, here or in Keras, has written.

    Args:
        config: class and arguments.
        custom_objects: classes of one's own, by name.

    Raises:
        ValueError: if the class is not known.
    """
    name = config.get("class_name")
    cls = catalogue.find("quantizer", name, custom_objects)
    if cls is None:
        raise catalogue.unknown("quantizer", name)
    made: Quantizer | QuantizationConfig = cls.from_config(dict(config.get("config") or {}))
    return made
