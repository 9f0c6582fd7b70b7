"""Keras's `preprocessing.sequence`: sequences of different lengths as one array."""

from __future__ import annotations

from seqonnx.data.sequences import pad_sequences

__all__ = ["pad_sequences"]


def __dir__() -> list[str]:
    return sorted(__all__)
