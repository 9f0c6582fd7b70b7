"""The block size of ONNX Runtime's blocked layout on this processor, found once by trying it."""

from __future__ import annotations

import logging
from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from seqonnx.graph.versions import OPSET
from seqonnx.runtime.device import CPU
from seqonnx.runtime.install import load_onnxruntime
from seqonnx.runtime.options import open_session

_CHANNELS = 32
_SIZES = (16, 8)
_DOMAIN = "com.microsoft.nchwc"
_SEVERITY_FATAL = 4
_logger = logging.getLogger("seqonnx")


@cache
def block_size() -> int:
    """Return how many channels ONNX Runtime's blocked convolutions keep together; 0 for none.

    A graph that names the operators itself is run with each size that there is, and compared with
    a convolution in the plain layout: a build that lacks the operators, or has them otherwise,
    counts as one without the layout.

    Example:
        >>> block_size() in (0, 8, 16)
        True
    """
    try:
        found = next((size for size in _SIZES if _is_right(size)), 0)
    except Exception as error:  # whatever a build or processor refuses: the plain graph works
        _logger.info("Convolutions stay in the plain layout: %s", error)
        return 0
    if found == 0:
        _logger.info("Convolutions stay in the plain layout: this processor has no blocked one.")
    return found


def _kernel() -> np.ndarray:
    numbers = np.random.default_rng(0).standard_normal((_CHANNELS, _CHANNELS, 3, 3))
    return numbers.astype(np.float32)


def _in_blocks(weights: np.ndarray, size: int) -> np.ndarray:
    """Weights [K, C, h, w] as [K / B, C / B, h, w, B of C, B of K], under their own shape."""
    filters, channels, *kernel = weights.shape
    split = weights.reshape(filters // size, size, channels // size, size, *kernel)
    return split.transpose(0, 2, 4, 5, 3, 1).reshape(weights.shape)


def _is_right(size: int) -> bool:
    """Whether weights in blocks of this size give what the plain convolution gives."""
    weights = _kernel()
    x = np.random.default_rng(1).standard_normal((1, _CHANNELS, 5, 5)).astype(np.float32)
    nodes = [
        helper.make_node("ReorderInput", ["x"], ["a"], domain=_DOMAIN),
        helper.make_node("Conv", ["a", "w"], ["b"], domain=_DOMAIN, kernel_shape=[3, 3]),
        helper.make_node("ReorderOutput", ["b"], ["y"], domain=_DOMAIN, channels=_CHANNELS),
    ]
    models = (
        _model(nodes, {"w": _in_blocks(weights, size)}),
        _model([helper.make_node("Conv", ["x", "w"], ["y"])], {"w": weights}),
    )
    runtime = load_onnxruntime()
    options = runtime.SessionOptions()
    options.log_severity_level = _SEVERITY_FATAL
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    sessions = [open_session(model, options, CPU.provider_arguments()) for model in models]
    blocked, plain = (session.run(None, {"x": x})[0] for session in sessions)
    return bool(np.allclose(blocked, plain, 1e-4, 1e-4))


def _model(nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray]) -> bytes:
    """The bytes of a model of one input and one output."""
    graph = helper.make_graph(
        nodes,
        "layout",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, _CHANNELS, 5, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    sets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_DOMAIN, 1)]
    content: bytes = helper.make_model(graph, opset_imports=sets, ir_version=9).SerializeToString()
    return content
