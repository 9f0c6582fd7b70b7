"""Layers as plain values that JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from seqonnx.dtypes import plain_value
from seqonnx.layers.activation.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from seqonnx.layers.base import Layer
from seqonnx.layers.convolution.conv import Conv1D, Conv2D, Conv3D
from seqonnx.layers.convolution.depthwise_conv import DepthwiseConv1D, DepthwiseConv2D
from seqonnx.layers.convolution.separable_conv import SeparableConv1D, SeparableConv2D
from seqonnx.layers.core.dense import Dense
from seqonnx.layers.core.identity import Identity
from seqonnx.layers.merging.dot import Dot
from seqonnx.layers.merging.merging import (
    Add,
    Average,
    Concatenate,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
)
from seqonnx.layers.normalization.batch_normalization import BatchNormalization
from seqonnx.layers.onnx.onnx_model import ONNXModel
from seqonnx.layers.pooling.global_pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
from seqonnx.layers.pooling.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from seqonnx.layers.preprocessing.rescaling import Rescaling
from seqonnx.layers.regularization.dropout import Dropout
from seqonnx.layers.reshaping.padding import ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from seqonnx.layers.reshaping.reshaping import Flatten, Reshape

_CLASSES: Final[tuple[type[Layer], ...]] = (
    *(Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract),
    *(Activation, AveragePooling1D, AveragePooling2D, AveragePooling3D, BatchNormalization),
    *(Conv1D, Conv2D, Conv3D, Dense, DepthwiseConv1D, DepthwiseConv2D, Dropout, ELU, Flatten),
    *(GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D),
    *(GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D, Identity, LeakyReLU),
    *(MaxPooling1D, MaxPooling2D, MaxPooling3D, ONNXModel, PReLU, ReLU, Rescaling, Reshape),
    *(SeparableConv1D, SeparableConv2D, Softmax),
    *(ZeroPadding1D, ZeroPadding2D, ZeroPadding3D),
)

KNOWN: Final[dict[str, type[Layer]]] = {cls.__name__: cls for cls in _CLASSES}
"""The layer classes that a configuration may name."""

_PARTS: Final = ("_initializer", "_regularizer", "_constraint")
"""Endings of the arguments that hold something else than a layer."""


def serialize(layer: Layer) -> dict[str, Any]:
    """Return a layer as plain values: its class and its constructor's arguments, no weights.

    Example:
        >>> serialize(Flatten(name="f"))["class_name"]
        'Flatten'
    """
    return {"class_name": type(layer).__name__, "config": plain_value(layer.get_config())}


def deserialize(
    config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> Layer:
    """Make a layer from what `serialize` gave.

    Args:
        config: class and arguments.
        custom_objects: one's own layer classes, and one's own initializers, regularizers,
            constraints and activation functions, by the name they were saved under.

    Returns:
        A layer, not built.

    Raises:
        ValueError: if the class is not known.

    Example:
        >>> deserialize({"class_name": "Dense", "config": {"units": 3, "name": "d"}})
        <Dense name=d, built=False>
    """
    custom = {} if custom_objects is None else custom_objects
    name = config.get("class_name")
    cls = custom.get(str(name), KNOWN.get(str(name)))
    if cls is None:
        raise ValueError(
            f"Could not locate class '{name}'. A layer of one's own must be passed in "
            f"`custom_objects`, as {{'{name}': {name}}}. Passed: {sorted(custom)}. Known layers: "
            f"{', '.join(sorted(KNOWN))}."
        )
    arguments = config.get("config") or {}
    layer: Layer = cls.from_config(
        {key: _revive(key, value, custom) for key, value in arguments.items()}
    )
    return layer


def _revive(key: str, value: Any, custom: Mapping[str, Any]) -> Any:
    """Turn an argument into the object it stands for, where its constructor could not."""
    if isinstance(value, str) and key.endswith("activation"):
        return custom.get(value, value)
    if not isinstance(value, Mapping) or "class_name" not in value:
        return value
    if not key.endswith(_PARTS):
        return deserialize(value, custom)
    found = custom.get(str(value["class_name"]))
    if isinstance(found, type):
        return found(**(value.get("config") or {}))
    return value if found is None else found
