"""Shared by the applications: their arguments, their input, their head and their weights."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqonnx import activations
from seqonnx.applications.imagenet import CLASSES
from seqonnx.downloads import RemoteFile, fetch
from seqonnx.layers import Dense, GlobalAveragePooling2D, GlobalMaxPooling2D, Input
from seqonnx.models import Model
from seqonnx.symbolic import SymbolicTensor

IMAGENET = "imagenet"

ImageShape = tuple[int | None, ...]


@dataclass(frozen=True)
class ApplicationOptions:
    """Arguments of an application; see `seqonnx.applications.Xception`.

    Raises:
        ValueError: if `weights` is none of the choices, or does not go with the other arguments.
    """

    include_top: bool
    weights: str | os.PathLike[str] | None
    input_tensor: SymbolicTensor | None
    input_shape: Sequence[int | None] | None
    pooling: str | None
    classes: int
    classifier_activation: Any

    def __post_init__(self) -> None:
        if self.weights not in {None, IMAGENET} and not Path(str(self.weights)).exists():
            raise ValueError(
                "The `weights` argument should be either `None` (random initialization), "
                "'imagenet' (pre-training on ImageNet), or the path to the weights file to be "
                f"loaded. Received: weights={self.weights}"
            )
        if self.weights == IMAGENET and self.include_top and self.classes != CLASSES:
            raise ValueError(
                "If using `weights='imagenet'` with `include_top=True`, `classes` should be 1000.  "
                f"Received classes={self.classes}"
            )
        if self.input_tensor is not None and not isinstance(self.input_tensor, SymbolicTensor):
            raise ValueError(
                "`input_tensor` must be a symbolic tensor, as `Input` and layers give. "
                f"Received: input_tensor={self.input_tensor}"
            )

    def entry(self, default_size: int, min_size: int) -> SymbolicTensor:
        """Return the tensor that the network starts from.

        Args:
            default_size: height and width with a head, where no shape is given.
            min_size: least height and width.

        Raises:
            ValueError: if the shape is not legal.
        """
        shape = self._shape(default_size, min_size)
        return Input(shape) if self.input_tensor is None else self.input_tensor

    def _shape(self, default_size: int, min_size: int) -> ImageShape:
        """Height, width, channels, checked."""
        default: ImageShape = (default_size, default_size, 3)
        if self.input_shape is None:
            return default if self.include_top else (None, None, 3)
        shape = tuple(self.input_shape)
        if self.weights == IMAGENET and self.include_top and shape != default:
            raise ValueError(
                "When setting `include_top=True` and loading `imagenet` weights, `input_shape` "
                f"should be {default}.  Received: input_shape={shape}"
            )
        if len(shape) != 3:
            raise ValueError(
                "`input_shape` must be a tuple of three integers. "
                f"Received: input_shape={self.input_shape}"
            )
        if self.weights == IMAGENET and shape[2] != 3:
            raise ValueError(f"The input must have 3 channels; Received `input_shape={shape}`")
        if any(size is not None and size < min_size for size in shape[:2]):
            raise ValueError(
                f"Input size must be at least {min_size}x{min_size}; Received: input_shape={shape}"
            )
        if self.include_top and None in shape:
            raise ValueError(
                "If `include_top` is True, you should specify a static `input_shape`. "
                f"Received: input_shape={shape}"
            )
        if shape[2] not in {1, 3}:
            warnings.warn(
                "This model usually expects 1 or 3 input channels. However, it was passed an "
                f"input_shape with {shape[2]} input channels.",
                stacklevel=4,
            )
        return shape

    def pool(self, x: SymbolicTensor, *, named: bool = False) -> SymbolicTensor:
        """Add the pooling of a network without a head: average, largest or none."""
        if self.pooling == "avg":
            x = GlobalAveragePooling2D(name="avg_pool" if named else None)(x)
        elif self.pooling == "max":
            x = GlobalMaxPooling2D(name="max_pool" if named else None)(x)
        return x

    def classify(self, x: SymbolicTensor, name: str = "predictions", **kwargs: Any) -> Any:
        """Add the classifier.

        Args:
            x: features.
            name: name of the layer.
            **kwargs: further arguments of the layer.

        Raises:
            ValueError: if pretrained weights would meet an activation they were not made for.
        """
        self.check_activation()
        return Dense(self.classes, self.classifier_activation, name=name, **kwargs)(x)

    def check_activation(self) -> None:
        """Raise if pretrained weights would meet an activation they were not made for."""
        activation = self.classifier_activation
        if self.weights is not None and activations.get(activation) not in {
            activations.get(None),
            activations.get("softmax"),
        }:
            raise ValueError(
                "Only `None` and `softmax` activations are allowed for the `classifier_activation` "
                "argument when using pretrained weights, with `include_top=True`; Received: "
                f"classifier_activation={activation}"
            )

    def model(
        self, x: SymbolicTensor, entry: SymbolicTensor, name: str | None, published: RemoteFile
    ) -> Model:
        """Make the model and load its weights.

        Args:
            x: output of the network.
            entry: returned by `entry`.
            name: name of the model.
            published: weights for `weights="imagenet"`.
        """
        sources = _sources(entry)
        model = Model(sources[0] if len(sources) == 1 else sources, x, name=name)
        if self.weights == IMAGENET:
            model.load_weights(fetch(published))
        elif self.weights is not None:
            model.load_weights(self.weights)
        return model


def check_match(input_tensor: Any, input_shape: Sequence[int | None] | None) -> None:
    """Raise if a tensor and a shape are both given, and differ in the width of the images."""
    if not isinstance(input_tensor, SymbolicTensor) or input_shape is None:
        return
    if input_tensor.shape[2] != input_shape[1]:
        raise ValueError(
            "input_tensor.shape[2] must equal input_shape[1]; Received "
            f"`input_tensor.shape={input_tensor.shape}`, `input_shape={input_shape}`"
        )


def _sources(tensor: SymbolicTensor) -> list[SymbolicTensor]:
    """Model inputs that a tensor depends on."""
    found: dict[int, SymbolicTensor] = {}
    seen: set[int] = set()
    stack = [tensor]
    while stack:
        current = stack.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if current._call is None:
            found[id(current)] = current
        else:
            stack.extend(reversed(current._call.inputs))
    return list(found.values())
