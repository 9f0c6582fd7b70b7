"""Small models in the shape of exported ones, and changes to them, for comparisons."""

from __future__ import annotations

import copy

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def _weight(rng, name, *shape):
    return numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)


def convnet(opset=17):
    """Two convolutions with a shortcut, and a dense layer."""
    rng = np.random.default_rng(0)
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "conv1.weight", "conv1.bias"], ["c1"], "/conv1/Conv", pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"], "/relu/Relu"),
        node(
            "Conv", ["r1", "conv2.weight", "conv2.bias"], ["c2"], "/conv2/Conv", pads=[1, 1, 1, 1]
        ),
        node("Add", ["c2", "r1"], ["s"], "/Add"),
        node("Relu", ["s"], ["r2"], "/relu_1/Relu"),
        node("GlobalAveragePool", ["r2"], ["p"], "/pool/GlobalAveragePool"),
        node("Flatten", ["p"], ["f"], "/Flatten"),
        node("Gemm", ["f", "fc.weight", "fc.bias"], ["y"], "/fc/Gemm", transB=1),
    ]
    weights = [
        _weight(rng, "conv1.weight", 4, 3, 3, 3),
        _weight(rng, "conv1.bias", 4),
        _weight(rng, "conv2.weight", 4, 4, 3, 3),
        _weight(rng, "conv2.bias", 4),
        _weight(rng, "fc.weight", 5, 4),
        _weight(rng, "fc.bias", 5),
    ]
    return _model(nodes, weights, ["batch", 3, 8, 8], ["batch", 5], opset)


def encoder(layers=4, width=8):
    """Blocks alike but for their weights: three products of one value, joined, and a residual."""
    rng = np.random.default_rng(1)
    nodes, weights, value = [], [], "x"
    for i in range(layers):
        for part in "qkv":
            weights.append(_weight(rng, f"l{i}.{part}", width, width))
            nodes.append(
                helper.make_node("MatMul", [value, f"l{i}.{part}"], [f"{part}{i}"], f"/l{i}/{part}")
            )
        nodes += [
            helper.make_node("Mul", [f"q{i}", f"k{i}"], [f"s{i}"], f"/l{i}/Mul"),
            helper.make_node("Softmax", [f"s{i}"], [f"a{i}"], f"/l{i}/Softmax", axis=-1),
            helper.make_node("Mul", [f"a{i}", f"v{i}"], [f"o{i}"], f"/l{i}/Mul_1"),
            helper.make_node("Add", [value, f"o{i}"], [f"h{i}"], f"/l{i}/Add"),
        ]
        value = f"h{i}"
    nodes.append(helper.make_node("Identity", [value], ["y"], "/out"))
    return _model(nodes, weights, ["batch", width], ["batch", width], 17)


def branching():
    """An If whose branches read a value from outside."""
    node, info = helper.make_node, helper.make_tensor_value_info
    out = [info("o", TensorProto.FLOAT, None)]
    yes = helper.make_graph([node("Relu", ["h"], ["o"], "yes/Relu")], "yes", [], out)
    no = helper.make_graph([node("Elu", ["h"], ["o"], "no/Elu", alpha=1.0)], "no", [], out)
    zero = numpy_helper.from_array(np.zeros((), np.float32), "zero")
    nodes = [
        node("Neg", ["x"], ["h"], "neg"),
        node("ReduceSum", ["x"], ["t"], "sum", keepdims=0),
        node("Greater", ["t", "zero"], ["c"], "greater"),
        node("If", ["c"], ["y"], "if", then_branch=yes, else_branch=no),
    ]
    return _model(nodes, [zero], ["batch", 4], None, 17)


def _model(nodes, weights, taken, given, opset):
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [info("x", TensorProto.FLOAT, taken)],
        [info("y", TensorProto.FLOAT, given)],
        weights,
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="pytorch")


def renamed(model):
    """The same model with other names inside, as another exporter gives them."""
    model = copy.deepcopy(model)
    outside = {value.name for value in (*model.graph.input, *model.graph.output)}
    names = {}

    def rename(name):
        return names.setdefault(name, f"onnx::{len(names) + 100}") if name else ""

    names |= {name: name for name in outside}
    for tensor in model.graph.initializer:
        tensor.name = rename(tensor.name)
    pending = [model.graph]
    while pending:
        graph = pending.pop()
        for index, node in enumerate(graph.node):
            node.name = f"{node.op_type}_{100 - index}"
            node.input[:] = map(rename, node.input)
            node.output[:] = map(rename, node.output)
            pending += [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
        for value in graph.output:
            value.name = rename(value.name)
    return model


def reordered(model):
    """The same model with its nodes in another order that is possible, and stored from the end."""
    model = copy.deepcopy(model)
    left, order = list(model.graph.node), []
    made = {v.name for v in (*model.graph.input, *model.graph.initializer)}
    while left:
        node = next(n for n in reversed(left) if made.issuperset(_reads(n)))
        left.remove(node)
        order.append(node)
        made |= set(node.output)
    del model.graph.node[:]
    model.graph.node.extend(order)
    stored = list(model.graph.initializer)[::-1]
    del model.graph.initializer[:]
    model.graph.initializer.extend(stored)
    return model


def _reads(node):
    """Names of the values that a node reads, also in its bodies."""
    inner = [child for a in node.attribute for child in a.g.node]
    made = {name for child in inner for name in child.output}
    return {name for n in (node, *inner) for name in n.input if name} - made


def with_inserted(model, after, *nodes):
    """The model with unary nodes behind the value `after`, which its readers take instead."""
    model = copy.deepcopy(model)
    place = next(i for i, n in enumerate(model.graph.node) if after in n.output) + 1
    value, new = after, []
    for index, node in enumerate(nodes):
        name = f"{after}_inserted_{index}"
        node.input.insert(0, value)
        node.output.append(name)
        new.append(node)
        value = name
    for node in model.graph.node:
        node.input[:] = [value if name == after else name for name in node.input]
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*rest[:place], *new, *rest[place:]])
    return model


def with_weight(model, name, change):
    """The model with a weight changed by a function of its array."""
    model = copy.deepcopy(model)
    for tensor in model.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), name))
    return model


def numbered(model):
    """The model with its nodes named by operator and place, as exporters do without scopes."""
    model = copy.deepcopy(model)
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{index}"
    return model
