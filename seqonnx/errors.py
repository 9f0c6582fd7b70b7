"""Exceptions that seqonnx adds to Python's own.

Wrong arguments raise the built-in types that Keras users expect (`ValueError`, `TypeError`,
`AttributeError`). The classes here name situations that Keras does not have; each is a subclass
of the built-in that a caller would catch anyway.
"""

from __future__ import annotations


class GradientError(ValueError):
    """A value cannot be differentiated: names the operator, node, layer and what to do."""


class RuntimeNotInstalledError(ImportError):
    """No usable ONNX Runtime is installed: gives the command that mends it."""


class DeviceError(RuntimeError):
    """The requested device cannot be had: says what is missing (driver, library, wheel)."""


class ExecutionError(RuntimeError):
    """ONNX Runtime failed while running a graph: names the node and the layer that emitted it."""


class ModelFileError(ValueError):
    """A file is absent, truncated, corrupt or not the kind of file that was asked for."""


class ForeignFileError(ModelFileError):
    """A model file is whole, but another program wrote it."""
