"""ONNX Runtime's blocked layout for convolutional regions of a step graph."""

from seqonnx.lowering.blocked.blocking import block_convolutions

__all__ = ["block_convolutions"]
