"""LabelMixing: what layers share that put two images, and their labels, together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.image_layer import Array, ImageLayer, is_data


@dataclass(frozen=True)
class Mixing:
    """How each image of a batch is put together with another one.

    Args:
        images: the mixed images.
        order: number of the other image, (batch).
        share: share of the image itself in its label, (batch, 1, 1, 1).
    """

    images: ir.Value
    order: ir.Value
    share: ir.Value


class LabelMixing(ImageLayer):
    """Base of layers that mix images and labels; a subclass writes `_mix`.

    Called on a dict with `"images"` and `"labels"` (one-hot, (batch, classes)), it mixes both. In
    a model it mixes the images alone, as the labels do not go through the model.
    """

    def _mix(self, op: Emitter, images: ir.Value, draws: Draws) -> Mixing:
        """Emit the mixed images, and how they were mixed; see `_transform`."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_mix`.")

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        return self._mix(op, images, draws).images

    def _transform_dict(self, data: dict[str, Any], training: bool | None) -> dict[str, Any]:
        if "labels" not in data:
            return data | {"images": self(data["images"], training=training)}
        if not is_data([data["images"], data["labels"]]):
            raise ValueError(
                f"Layer '{self.name}' ({type(self).__name__}) mixes labels of arrays only: the "
                "labels do not go through a model. Call it on batches before `fit`, for example "
                "in a generator."
            )
        images, labels = self._to_images(data["images"]), self._to_labels(data["labels"])
        alone = images.ndim == 3
        if alone:
            images, labels = images[None], labels[None]
        if labels.ndim != 2 or len(labels) != len(images):
            raise ValueError(
                f"Layer '{self.name}' ({type(self).__name__}) takes labels of shape (batch, "
                f"classes), such as one-hot ones. Received: images of shape {images.shape}, labels "
                f"of shape {labels.shape}."
            )
        if training is not False:
            images, labels = self._mixed_together(images, labels)
        else:
            images = self._call_on_images(images, False)
        parts = {"images": images, "labels": labels}
        return data | {key: part[0] if alone else part for key, part in parts.items()}

    def _to_labels(self, data: Any) -> Array:
        """Labels as an array of numbers with fractions."""
        return dtypes.to_array(data, dtypes.widened(self.compute_dtype), "labels")

    def _mixed_together(self, images: Array, labels: Array) -> tuple[Array, Array]:
        """Images and labels, mixed by the same numbers."""
        self._build_for(images.shape)

        def emit(op: Emitter, values: list[ir.Value]) -> list[ir.Value]:
            given = self._channels_first(op, values[0])
            mixing = self._mix(op, given, Draws(op, given))
            mixed = self._as_output(op, mixing.images, self._result_dtype(values[0]))
            return [mixed, _mixed_labels(op, values[1], mixing)]

        mixed = self._run([images, labels], True, emit)
        return mixed[0], mixed[1]


def _mixed_labels(op: Emitter, labels: ir.Value, mixing: Mixing) -> ir.Value:
    """Emit the sum of both labels by their shares."""
    share = op.Reshape(mixing.share, [-1, 1])
    own = op.Mul(labels, share)
    return op.Add(own, op.Mul(op.Gather(labels, mixing.order, axis=0), op.Sub(1.0, share)))
