"""Keras's `preprocessing`: pictures, sequences and data sets from directories."""

from __future__ import annotations

from seqonnx.data.image_directory import image_dataset_from_directory
from seqonnx.data.sequences import timeseries_dataset_from_array
from seqonnx.data.text_directory import text_dataset_from_directory
from seqonnx.preprocessing import image, sequence

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]


def __dir__() -> list[str]:
    return sorted(__all__)
