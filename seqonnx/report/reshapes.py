"""The dimension that Reshape or Flatten works out, where the input has dynamic dimensions."""

from __future__ import annotations

from collections import Counter

import onnx

from seqonnx.graph.reading import is_op
from seqonnx.report.polynomial import Dim, GraphShape, Polynomial
from seqonnx.report.read import graphs_of
from seqonnx.report.tensors import describe_type


def solve_reshapes(model: onnx.ModelProto) -> bool:
    """Fill in the one unknown output dimension of Reshape and Flatten nodes, in place.

    Elements are kept, so the dimension is the size of the input divided by the dimensions known.

    Returns:
        Whether anything was filled in.
    """
    solved = False
    for graph in graphs_of(model):
        types = {v.name: v.type for v in (*graph.input, *graph.value_info, *graph.output)}
        for node in graph.node:
            if not is_op(node, "Reshape", "Flatten"):
                continue
            if not node.input or not node.output:  # a damaged file
                continue
            source, target = types.get(node.input[0]), types.get(node.output[0])
            if source is None or target is None:
                continue
            shape = describe_type(target)[1]
            dim = missing_dim(describe_type(source)[1], shape)
            if shape is None or dim is None:
                continue
            field = target.tensor_type.shape.dim[shape.index(None)]
            if isinstance(dim, int):
                field.dim_value = dim
            else:
                field.dim_param = dim
            solved = True
    return solved


def missing_dim(source: GraphShape, target: GraphShape) -> Dim:
    """Return the one unknown dimension of `target`, which has as many elements as `source`.

    None if there is no unknown dimension or more than one, or if they do not divide.

    Example:
        >>> missing_dim(("batch", 13, 13, 32), (None, 5408))
        'batch'
    """
    if source is None or target is None or target.count(None) != 1:
        return None
    whole = Polynomial.product(*source)
    part = Polynomial.product(*(dim for dim in target if dim is not None))
    if whole is None or part is None or not whole.terms or not part.terms:
        return None
    (names, factor), (known_names, known_factor) = whole.terms[0], part.terms[0]
    left = Counter(names)
    left.subtract(known_names)
    if factor % known_factor or min(left.values(), default=0) < 0:
        return None
    quotient, rest = factor // known_factor, list(left.elements())
    if not rest:
        return quotient
    return "*".join(rest if quotient == 1 else [str(quotient), *rest])
