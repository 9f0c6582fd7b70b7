"""Keras's `legacy`: forms of Keras 2."""

from seqonnx.legacy import saving

__all__ = ["saving"]


def __dir__() -> list[str]:
    return __all__
