"""ImageLayer: what the layers on images share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import config, dtypes
from seqonnx.graph import Emitter, current_trace
from seqonnx.graph.operable import Valueless
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.own_seed import OwnSeed
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import (
    LAST,
    check_data_format,
    from_channels_first,
    to_channels_first,
)
from seqonnx.structures import holds

Array = npt.NDArray[Any]
_REFUSED = {
    "bounding_boxes": "bounding boxes",
    "segmentation_masks": "segmentation masks",
}


class ImageLayer(Layer):
    """Base of the layers on images; a subclass writes `_transform`.

    In a model it takes a batch of images. Called on data it takes a single image, too, or a dict
    with `"images"` and, if there are any, `"labels"`; `training` is True there by default, as in
    Keras.

    Args:
        data_format: `"channels_last"` (default) or `"channels_first"`.
        bounding_box_format: must be None; boxes are not transformed.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.
    """

    autocast = False  # integers come in as they are, and `call` chooses what it computes in
    data_format: Setting[str] = Setting(check_data_format)
    seed = OwnSeed()

    _only_in_training = True
    """Whether inference leaves the images as they are."""

    def __init__(
        self,
        *,
        data_format: str | None = None,
        bounding_box_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if bounding_box_format is not None:
            raise ValueError(
                f"Layer '{self.name}' ({type(self).__name__}) does not transform bounding boxes. "
                f"Received: bounding_box_format={bounding_box_format!r}. Leave the argument out, "
                "and transform images and boxes together before they reach the model."
            )
        self.data_format = data_format
        self.seed = None

    def build(self, input_shape: Any) -> None:
        """Check that the input is a batch of images."""
        if len(input_shape) != 4:
            raise ValueError(
                "Expected image tensor to have rank 3 (single image) or 4 (batch of images). "
                f"Received: data.shape={tuple(input_shape)}"
            )

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the transformation of the images, between casts and transpositions."""
        if self._only_in_training and not training:
            return op.cast(x, self._result_dtype(x))
        images = self._channels_first(op, x)
        if training:
            y = self._transform(op, images, Draws(op, images))
        else:
            y = self._transform_in_inference(op, images)
        return self._as_output(op, y, self._result_dtype(x))

    def _result_dtype(self, x: ir.Value) -> str:
        """Return the dtype of what `call` returns."""
        return self.compute_dtype

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        """Emit the transformation.

        Args:
            op: emitter.
            images: (batch, channels, height, width), float32 or float64.
            draws: random numbers for each image.

        Returns:
            The images, of the same dtype and order of axes.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `_transform`.")

    def _transform_within(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        """Emit `_transform` as a part of another layer, in a scope of its own."""
        with op.scope(self.name):
            return self._transform(op, images, draws)

    def _transform_in_inference(self, op: Emitter, images: ir.Value) -> ir.Value:
        """Emit what inference does, in a layer that does something there; see `_transform`."""
        return self._transform(op, images, Draws(op, images))

    def _channels_first(self, op: Emitter, x: ir.Value) -> ir.Value:
        """Emit what `_transform` takes."""
        last = self.data_format == LAST
        wide = "float64" if self.compute_dtype == "float64" else "float32"
        return op.cast(to_channels_first(op, x) if last else x, wide)

    def _as_output(self, op: Emitter, y: ir.Value, dtype: str) -> ir.Value:
        """Emit what `call` returns; integers are rounded and kept within their range."""
        if not dtypes.is_float(dtype):
            limits = np.iinfo(dtype)
            y = op.Clip(op.Round(y), float(limits.min), float(limits.max))
        y = op.cast(y, dtype)
        return from_channels_first(op, y) if self.data_format == LAST else y

    # Calls on data.

    def __call__(self, x: Any, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Apply the layer to a symbolic tensor, to images, or to a dict with images.

        Args:
            x: symbolic tensor, array (batch, height, width, channels) or of a single image, or a
                dict with `"images"` and perhaps `"labels"`, which comes back as a dict.
            *args: none but `training`.
            training: for data: whether to augment, default True.
            **kwargs: none.

        Returns:
            The images, or the dict, transformed.

        Raises:
            ValueError: if the input does not fit the layer, or holds boxes or masks.
            TypeError: if there are other arguments.
        """
        if len(args) == 1 and training is None and not kwargs:
            return self(x, training=args[0])
        if not args and not kwargs:
            if isinstance(x, Mapping):
                return self._call_on_dict(dict(x), training)
            if is_data(x):
                return self._call_on_images(self._to_images(x), training is not False)
        return super().__call__(x, *args, training=training, **kwargs)

    def _call_on_dict(self, data: dict[str, Any], training: bool | None) -> dict[str, Any]:
        for key, what in _REFUSED.items():
            if key in data:
                raise ValueError(
                    f"Layer '{self.name}' ({type(self).__name__}) does not transform {what}. "
                    f"Received: a dict with the keys {list(data)}."
                )
        if "images" not in data:
            raise ValueError(
                f"Layer '{self.name}' ({type(self).__name__}) takes a dict with the key 'images'. "
                f"Received: a dict with the keys {list(data)}."
            )
        return self._transform_dict(data, training)

    def _transform_dict(self, data: dict[str, Any], training: bool | None) -> dict[str, Any]:
        """Return a dict with its images transformed; labels stay as they are."""
        return data | {"images": self(data["images"], training=training)}

    def _call_on_images(self, images: Array, training: bool) -> Array:
        """Compute the transformation of a batch, or of a single image."""
        if images.ndim == 3:
            alone: Array = self._call_on_images(images[None], training)[0]
            return alone
        self._build_for(images.shape)
        emit = self._emit
        return self._run([images], training, lambda op, x: emit(op, x[0], training))[0]

    def _run(
        self,
        arrays: list[Array],
        training: bool,
        emit: Callable[[Emitter, list[ir.Value]], Any],
    ) -> list[Array]:
        """Compute what is emitted, with the next seed."""
        seed = config.next_seed() if training and self.seed is None else 0

        def emit_drawing(op: Emitter, values: list[ir.Value]) -> Any:
            with op.drawing_from(self._source):
                return emit(op, values)

        return self._calls_on_data.run(arrays, training, emit_drawing, seed=seed)[1]

    def _to_images(self, data: Any) -> Array:
        """Data as an array: numbers with fractions in the layer's dtype, integers as they are."""
        array = dtypes.to_array(data, None, "inputs")
        if array.dtype.kind in "iub" or not dtypes.is_float(self.compute_dtype):
            return array
        return dtypes.to_array(array, self.compute_dtype, "inputs")


def is_data(x: Any) -> bool:
    """Whether a layer is called on data: outside of a graph that is made, on no tensor of one."""
    return current_trace() is None and not holds(x, Valueless)


def channels_of(images: ir.Value) -> int | None:
    """Return the number of channels of (batch, channels, height, width), if it is known."""
    size = None if images.shape is None else images.shape[1]
    return size if isinstance(size, int) else None
