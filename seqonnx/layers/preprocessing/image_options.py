"""Arguments that every layer on images takes."""

from __future__ import annotations

from seqonnx.layers.options import LayerOptions


class FreeImageOptions(LayerOptions, total=False):
    """Options that a layer with a `data_format` of its own hands on to `ImageLayer`."""

    bounding_box_format: str | None


class ImageOptions(FreeImageOptions, total=False):
    """All options of `ImageLayer`."""

    data_format: str | None
