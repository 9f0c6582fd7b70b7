"""BatchNormalization in its training mode, spelled out for ONNX Runtime.

The operator is what layers emit and what the gradient rule knows, but ONNX Runtime must not see
it: on the CPU its kernel writes the new statistics over the tensors that it got the old ones in,
even where these are constants that other nodes share, so that results are wrong without an error
and a single NaN stays for ever; on CUDA there is no kernel since opset 14. (Observed with 1.31.1;
the tests hold the observation.)
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name
from seqonnx.graph.reading import is_op
from seqonnx.lowering.replacing import replace_node

_DEFAULT_EPSILON = 1e-5
_DEFAULT_MOMENTUM = 0.9


def expand_batch_statistics(graph: ir.Graph) -> None:
    """Replace every BatchNormalization in training mode by operators that any device runs.

    To be called after differentiation, before a session is made. The variance is computed from
    the centred input, which keeps its digits where the mean is far from 0.

    Args:
        graph: graph to change, in place; outputs keep their names.

    Example:
        >>> from seqonnx.graph import Emitter
        >>> op = Emitter()
        >>> x, v = op.input("x", "float32", ("batch", 2)), op.input("v", "float32", (2,))
        >>> _ = op.BatchNormalization(x, v, v, v, v, training_mode=1, _outputs=3)
        >>> expand_batch_statistics(op.graph)
        >>> [node.op_type for node in op.graph]
        ['ReduceMean', 'Sub', 'Mul', 'ReduceMean', 'BatchNormalization', \
'Mul', 'Mul', 'Add', 'Mul', 'Mul', 'Add']
    """
    op = Emitter(graph)
    for node in list(graph):
        if is_op(node, "BatchNormalization") and node.attributes.get_int("training_mode", 0) != 0:
            replace_node(op, node, _expand)


def _expand(op: Emitter, node: ir.Node) -> list[ir.Value]:
    """Emit the three outputs of a node."""
    x, scale, bias, old_mean, old_variance = node.inputs
    attributes = node.attributes
    if x is None or x.shape is None:
        raise ValueError(
            f"BatchNormalization '{node.name}' in training mode needs an input with a known number "
            "of axes."
        )
    mean = _channel_mean(op, x)
    rank = len(x.shape)
    spatial = np.arange(1, rank - 1)
    centred = op.Sub(x, op.Unsqueeze(mean, spatial) if rank > 2 else mean)
    variance = _channel_mean(op, op.Mul(centred, centred))
    epsilon = attributes.get_float("epsilon", _DEFAULT_EPSILON)
    y = op.BatchNormalization(x, scale, bias, mean, variance, epsilon=epsilon)
    momentum = attributes.get_float("momentum", _DEFAULT_MOMENTUM)
    if momentum == 0.0:
        return [y, mean, variance]
    keep, take = (np.asarray(share, dtype_name(mean)) for share in (momentum, 1.0 - momentum))
    pairs = ((old_mean, mean), (old_variance, variance))
    return [y, *(op.Add(op.Mul(old, keep), op.Mul(new, take)) for old, new in pairs)]


def _channel_mean(op: Emitter, x: ir.Value) -> ir.Value:
    """Mean over all axes but 1: over space first, then over the batch, as the memory lies."""
    rank = 2 if x.shape is None else len(x.shape)
    if rank > 2:
        x = op.ReduceMean(x, np.arange(2, rank), keepdims=0)
    return op.ReduceMean(x, np.arange(1), keepdims=0)
