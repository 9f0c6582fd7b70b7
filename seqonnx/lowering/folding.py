"""Folding for deployment: what only training needs goes into the weights."""

from __future__ import annotations

from typing import Final

import onnx_ir as ir
from onnxscript import optimizer
from onnxscript.rewriter import RewritePass
from onnxscript.rewriter.rules import common as rules

from seqonnx.graph.reading import input_at, is_op, scope_of
from seqonnx.graph.versions import IR_VERSION
from seqonnx.lowering.unused import drop_unused

ADAPTER: Final = "lora_"
"""Beginning of the names of adapters' factors."""

_OF_BLOCKS: Final = ("_scale", "_zero")
"""Endings of the names of numbers that a block of integers shares."""

_RULES = [
    rules.fuse_batchnorm_into_conv_rule,
    rules.fuse_batchnorm_into_conv_transpose_rule,
    rules.fuse_batchnorm_into_gemm_rule,
]


def fold(graph: ir.Graph) -> None:
    """Fold batch normalization into the product before it and compute constants, in place.

    Args:
        graph: inference graph with its weights as initializers and its outputs declared.
    """
    model = ir.Model(graph, ir_version=IR_VERSION)
    before = set(graph)
    _give_products_a_bias(graph)
    RewritePass(_RULES)(model)
    prepared = _prepared_weights(graph)
    optimizer.fold_constants(
        model,
        onnx_shape_inference=False,
        should_fold=lambda node: _is_folded(node, prepared),
    )
    _drop_identities(graph)
    drop_unused(graph)
    _name_new(graph, before)


def _is_folded(node: ir.Node, prepared: set[ir.Node]) -> bool | None:
    """Whether a node on constants is computed; None where its size decides.

    An adapter that is in a graph at all is meant to be there: what is deployed has it merged.
    """
    if is_op(node, "DequantizeLinear"):
        return False  # a weight of integers is to stay one
    names = [value.name for value in node.inputs if value is not None and value.name]
    if any(name.rpartition("/")[2].startswith(ADAPTER) for name in names):
        return False
    if is_op(node, "Gather") and names[0].endswith(_OF_BLOCKS):
        return False  # there would be one for each integer
    return True if node in prepared else None


def _prepared_weights(graph: ir.Graph) -> set[ir.Node]:
    """Nodes that prepare weights, of whatever size: for recurrent operators, or as integers."""
    found: set[ir.Node] = set()
    stack = [
        value
        for node in graph
        if any(is_op(node, name) for name in ("LSTM", "GRU", "RNN"))
        for value in node.inputs[1:4]
    ]
    for each in graph:
        weight = input_at(each, 0)
        if is_op(each, "QuantizeLinear") and weight is not None and weight.const_value is not None:
            found.add(each)
            stack.extend(each.inputs)
    while stack:
        value = stack.pop()
        node = None if value is None else value.producer()
        if node is not None and node not in found:
            found.add(node)
            stack.extend(node.inputs)
    return found


def _give_products_a_bias(graph: ir.Graph) -> None:
    """Turn a MatMul of rank 2 before a batch normalization into the Gemm that the rule takes."""
    for node in list(graph):
        if not is_op(node, "BatchNormalization") or node.inputs[0] is None:
            continue
        product = node.inputs[0].producer()
        if product is None or not is_op(product, "MatMul") or len(product.outputs[0].uses()) > 1:
            continue
        data, weight = product.inputs
        if data is None or data.shape is None or len(data.shape) != 2:
            continue
        if weight is None or weight.const_value is None or len(weight.const_value.shape) != 2:
            continue
        gemm = ir.Node("", "Gemm", [data, weight], name=product.name)
        gemm.outputs[0].shape, gemm.outputs[0].type = product.outputs[0].shape, data.type
        gemm.outputs[0].name = product.outputs[0].name
        graph.insert_before(product, gemm)
        product.outputs[0].replace_all_uses_with(gemm.outputs[0])
        graph.remove(product, safe=True)


def _drop_identities(graph: ir.Graph) -> None:
    """Remove Identity nodes, but not those that carry the name of a graph output.

    (The pass of onnx_ir renames another graph output where both carry one value.)
    """
    for node in list(graph):
        source, value = input_at(node, 0), node.outputs[0]
        if is_op(node, "Identity") and source is not None and not value.is_graph_output():
            value.replace_all_uses_with(source)
            graph.remove(node, safe=True)


def _name_new(graph: ir.Graph, before: set[ir.Node]) -> None:
    """Name what rewriting made after the layer whose weights it took over."""
    taken = {node.name for node in graph}
    for node in graph:
        if node in before:
            continue
        scope = _scope(node)
        name = candidate = f"{scope}/{node.op_type}" if scope else node.op_type
        number = 0
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate)
        node.name = candidate
        for value in node.outputs:
            if not value.is_graph_output():
                value.name = candidate


def _scope(node: ir.Node) -> str:
    """Layer of the first weight of a node."""
    for value in node.inputs[1:]:
        if value is not None and value.name and "/" in value.name:
            return scope_of(value.name)
    return ""
