"""Helper: a layer on images in training, with the numbers that it draws given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqonnx.graph import Emitter, static_shape
from seqonnx.layers import Layer
from support.layers.emission import runtime


def augment(layer: Layer, images: np.ndarray, uniforms: Sequence[np.ndarray]) -> np.ndarray:
    """The batch after the layer, in training.

    Args:
        layer: layer on images.
        images: the batch.
        uniforms: what it draws, in order, each with the batch first; axes of size 1 are free, and
            a single number is that of every image.
    """
    op = Emitter()
    x = op.input("x", images.dtype.name, ("batch", *images.shape[1:]))
    layer._build_for((None, *images.shape[1:]))
    with op.scope(layer.name):
        y = layer._emit(op, x, True)
    op.output(y, "y")
    feeds = {"x": images}
    for (name, value), numbers in zip(op.noise.items(), uniforms, strict=True):
        shape = [len(images) if isinstance(d, str) else d for d in static_shape(value)]
        given = np.asarray(numbers, np.float32)
        feeds[name] = np.full(shape, given) if given.size == 1 else given.reshape(shape)
    return runtime(op, feeds)[0]
