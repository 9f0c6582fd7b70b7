"""The version of seqonnx."""

__version__ = "0.1.0"
