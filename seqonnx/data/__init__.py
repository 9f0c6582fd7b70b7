"""Data on the host: labels, sequences, pictures and data sets that are read as they are needed."""

from __future__ import annotations

from seqonnx.data.dataset import Dataset

__all__ = ["Dataset"]
