"""Keras's `preprocessing.image`: pictures, files and arrays, each from the other."""

from __future__ import annotations

from seqonnx.data.images import array_to_img, img_to_array, load_img, save_img
from seqonnx.ops.smart_resize import smart_resize

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img", "smart_resize"]
