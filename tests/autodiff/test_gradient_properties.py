"""Properties that hold for every gradient, on random shapes and random graphs.

Undoing broadcasts is summing over stretched axes; the backward pass is linear in what arrives; an
input's gradient does not depend on which others are wanted; and a graph may be cut anywhere.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from seqonnx.autodiff import backward
from seqonnx.autodiff.sources import sources_of
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from support.autodiff.gradient_check import assert_close
from support.autodiff.random_check import Reference, cotangents_of, differentiate
from support.autodiff.random_graphs import RARE, draw
from support.autodiff.random_values import TEMPLATES

SLOW = {*RARE, "DeformConv", "GridSample", "LSTM", "GRU", "RNN", "STFT"}
QUICK = tuple(sorted(set(TEMPLATES) - SLOW))
EXACT = 1e-9
"""Two forms of the same float64 number differ by rounding alone."""

seeds = st.integers(0, 10**6)
PARTIALS = {
    "Add": lambda a, b: (1, 1),
    "Sub": lambda a, b: (1, -1),
    "Mul": lambda a, b: (b, a),
    "Div": lambda a, b: (1 / b, -a / b**2),
    "Pow": lambda a, b: (b * a ** (b - 1), np.log(a) * a**b),
    "Max": lambda a, b: (a > b, b > a),
    "Mean": lambda a, b: (0.5, 0.5),
}


def summed(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The sum over every axis that broadcasting stretched."""
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    stretched = [i for i, n in enumerate(shape) if n == 1 and gradient.shape[i] != 1]
    return gradient.sum(axis=tuple(stretched), keepdims=True)


@st.composite
def operands(draw_from, count: int):
    """Arrays whose shapes broadcast, and which axes of each are known before the run."""
    shapes = draw_from(mutually_broadcastable_shapes(num_shapes=count, max_dims=4, max_side=3))
    rng = np.random.default_rng(draw_from(seeds))
    arrays = [rng.uniform(0.5, 2.0, shape) for shape in shapes.input_shapes]
    masks = [draw_from(st.tuples(*[st.booleans()] * a.ndim)) for a in arrays]
    declared = [
        [n if known else None for n, known in zip(array.shape, mask, strict=True)]
        for array, mask in zip(arrays, masks, strict=True)
    ]
    return arrays, declared


def check_unbroadcast(op_type, arrays, declared, partials, condition=None):
    """Compare the gradients of one operator with partial derivatives summed by NumPy."""
    extra = [] if condition is None else [condition]
    full = np.broadcast_shapes(*(a.shape for a in [*arrays, *extra]))
    dy = np.random.default_rng(3).normal(size=full)
    op = Emitter()
    values = [op.input(f"x{i}", "float64", shape) for i, shape in enumerate(declared)]
    first = [op.input("condition", "bool", a.shape) for a in extra]
    y = op.emit(op_type, [*first, *values], {})
    found = backward(op, [(y, op.input("dy", "float64", [None] * dy.ndim))], values)
    names = [op.output(gradient, "g").name for gradient in found]
    feeds = {f"x{i}": array for i, array in enumerate(arrays)} | {"dy": dy}
    if condition is not None:
        feeds["condition"] = condition
    results = Reference(to_proto(op.graph))(feeds)
    for name, array, partial in zip(names, arrays, partials, strict=True):
        assert_close(results[name], summed(dy * partial, array.shape), 1e-12, op_type)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(PARTIALS)), operands(2))
def test_a_broadcast_operand_gets_the_sum_over_its_stretched_axes(op_type, pair):
    arrays, declared = pair
    check_unbroadcast(op_type, arrays, declared, PARTIALS[op_type](*arrays))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(operands(3))
def test_a_broadcast_operand_of_where_gets_the_sum_over_its_stretched_axes(triple):
    arrays, declared = triple
    condition = arrays[2] > 1.2
    check_unbroadcast("Where", arrays[:2], declared[:2], (condition, ~condition), condition)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seeds, st.floats(-2, 2), st.floats(-2, 2))
def test_the_backward_pass_is_linear_in_what_arrives(seed, a, b):
    drawn, rng = draw(seed, QUICK), np.random.default_rng(seed)
    inputs = drawn.feeds
    outputs = Reference(drawn.model)(inputs)
    u, v = cotangents_of(outputs, rng), cotangents_of(outputs, rng)
    graph = ir.from_proto(drawn.model).graph
    run = Reference(differentiate(graph, u, list(drawn.floats)))
    mixed = {name: a * u[name] + b * v[name] for name in u}
    of_u, of_v, of_both = (
        run({**inputs, **{f"dy/{name}": dy for name, dy in each.items()}}) for each in (u, v, mixed)
    )
    gradients = [name for name in of_u if name.startswith("grad/")]
    assert len(gradients) > 0
    for name in gradients:
        assert_close(of_both[name], a * of_u[name] + b * of_v[name], EXACT, f"{seed}: {name}")


@settings(max_examples=4, deadline=None, derandomize=True)
@given(seeds)
def test_an_input_alone_gets_the_gradient_that_it_gets_among_all(seed):
    drawn, rng = draw(seed, QUICK), np.random.default_rng(seed)
    inputs = drawn.feeds
    cotangents = cotangents_of(Reference(drawn.model)(inputs), rng)
    feeds = inputs | {f"dy/{name}": dy for name, dy in cotangents.items()}

    def run(wrt):
        graph = ir.from_proto(drawn.model).graph
        return Reference(differentiate(graph, cotangents, wrt))(feeds)

    together = run(list(drawn.floats))
    for name in rng.permutation(list(drawn.floats))[:6]:
        alone = run([name])
        assert (f"grad/{name}" in alone) == (f"grad/{name}" in together)
        if f"grad/{name}" in alone:
            assert_close(alone[f"grad/{name}"], together[f"grad/{name}"], EXACT, f"{seed}: {name}")


def crossing(graph: ir.Graph, place: int) -> list[ir.Value]:
    """The float values that the nodes from `place` on, or the outputs, take from before it."""
    nodes = list(graph)
    before = {*graph.inputs, *(value for node in nodes[:place] for value in node.outputs)}
    used = [value for node in nodes[place:] for value in sources_of(node)]
    return [
        value
        for value in dict.fromkeys([*used, *graph.outputs])
        if value in before and value.dtype == ir.DataType.DOUBLE
    ]


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seeds, st.floats(0.1, 0.9))
def test_a_graph_may_be_cut_anywhere(seed, share):
    drawn, rng = draw(seed, QUICK), np.random.default_rng(seed)
    inputs = drawn.feeds
    cotangents = cotangents_of(Reference(drawn.model)(inputs), rng)
    graph = ir.from_proto(drawn.model).graph
    cut = crossing(graph, int(share * len(graph)))
    op = Emitter(graph)
    wrt = [value for value in graph.inputs if value.name in drawn.floats]
    targets = [
        (value, op.input(f"dy/{value.name}", "float64", cotangents[value.name].shape))
        for value in graph.outputs
    ]
    whole = backward(op, targets, wrt)
    above = backward(op, targets, cut)
    arrived = [(value, grad) for value, grad in zip(cut, above, strict=True) if grad is not None]
    names = []
    for one, two in zip(whole, backward(op, arrived, wrt), strict=True):
        assert (one is None) == (two is None), seed
        if one is not None:
            names.append((op.output(one, "whole").name, op.output(two, "cut").name))
    feeds = inputs | {f"dy/{name}": dy for name, dy in cotangents.items()}
    results = Reference(to_proto(graph))(feeds)
    assert len(names) > 0
    for one, two in names:
        assert_close(results[two], results[one], EXACT, f"{seed}: cut at {share:.2f}")
