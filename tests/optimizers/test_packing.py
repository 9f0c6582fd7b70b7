"""Small weights are updated as one, with the values that each would get by itself."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx import optimizers
from seqonnx.graph import Emitter

ALL = [
    *(optimizers.SGD(0.1), optimizers.SGD(0.1, momentum=0.9, nesterov=True)),
    *(optimizers.Adam(0.1), optimizers.Adam(0.1, amsgrad=True), optimizers.AdamW(0.1)),
    *(optimizers.Adamax(0.1), optimizers.Nadam(0.1), optimizers.RMSprop(0.1, centered=True)),
    *(optimizers.Adagrad(0.1), optimizers.Adadelta(0.1), optimizers.Ftrl(0.1)),
    *(optimizers.Lion(0.1), optimizers.SGD(0.1, clipnorm=0.5), optimizers.Adam(clipvalue=0.1)),
]


def fresh(optimizer):
    return type(optimizer).from_config(optimizer.get_config())


def nodes(optimizer, shapes, names=None):
    """Operators of one update of variables of these shapes."""
    op = Emitter()
    values = [op.input(f"w{i}", "float32", shape) for i, shape in enumerate(shapes)]
    slots = [
        {key: op.input(f"{key}{i}", "float32", shape) for key in optimizer.slots(shape, "float32")}
        for i, shape in enumerate(shapes)
    ]
    lr, step = op.input("lr", "float32", ()), op.input("step", "float32", ())
    optimizer._emit(op, values, values, slots, lr, step, names)
    return [node.op_type for node in op.graph]


@pytest.mark.parametrize("optimizer", ALL, ids=lambda o: f"{type(o).__name__}-{ALL.index(o)}")
def test_vectors_get_the_values_that_each_would_get_alone(optimizer):
    rng = np.random.default_rng(0)
    shapes = [(3,), (2, 2), (5,), (1,), (4,), (), (6,), (3, 2, 1, 1), (4, 1), (1, 2), (3, 2)]
    params = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    together = fresh(optimizer)
    alone = [fresh(optimizer) for _ in shapes]
    mine, theirs = params, params
    for _ in range(3):
        grads = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
        mine = together.apply(grads, mine)
        theirs = [o.apply([g], [p])[0] for o, g, p in zip(alone, grads, theirs, strict=True)]
    for actual, wanted in zip(mine, theirs, strict=True):
        assert actual.shape == wanted.shape
        np.testing.assert_allclose(actual, wanted, rtol=1e-6, atol=1e-7)


def test_hundreds_of_vectors_cost_as_many_nodes_as_three():
    adam = optimizers.Adam()
    assert len(nodes(adam, [(8,)] * 300)) == len(nodes(adam, [(8,)] * 3))


def test_large_weights_are_left_alone():
    shapes = [(100, 100)] * 5 + [(100_000,)] * 5 + [(3,), (3,), (8, 1), (8, 1), (8, 1)]
    assert "Concat" not in nodes(optimizers.Adam(), shapes)


def test_hundreds_of_small_matrices_cost_as_many_nodes_as_three():
    adam = optimizers.Adam()
    shapes = [(i % 7 + 1, 4, 2) for i in range(200)]
    assert len(nodes(adam, shapes)) == len(nodes(adam, shapes[:3]))


def test_matrices_are_updated_in_parts_that_stay_in_the_cache():
    """Three thousand of 1,024 elements: 24 parts, each with what three matrices cost."""
    adam = optimizers.Adam()
    shared = len(nodes(adam, []))
    three = len(nodes(adam, [(32, 32)] * 3)) - shared
    assert len(nodes(adam, [(32, 32)] * 3072)) - shared <= 25 * three


def test_a_descent_inside_the_product_is_not_given_up_for_small_matrices():
    assert "Concat" not in nodes(optimizers.SGD(), [(4, 4)] * 5)
    assert "Concat" not in nodes(optimizers.SGD(momentum=0.9), [(4, 4)] * 5)


def test_vectors_that_decay_are_apart_from_those_that_do_not():
    optimizer = optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    names = [f"dense_{i}/{kind}" for i in range(4) for kind in ("gamma", "bias")]
    op = Emitter()
    values = [op.input(name, "float32", (2,)) for name in names]
    zero = op.constant(np.zeros(2, np.float32))
    slots = [{"momentum": zero, "velocity": zero} for _ in names]
    lr = op.constant(np.float32(0.1))
    new, _ = optimizer._emit(op, values, [zero] * 8, slots, lr, op.constant(np.float32(1)), names)
    outputs = [str(op.output(value, f"new/{i}").name) for i, value in enumerate(new)]
    from onnx.reference import ReferenceEvaluator

    from seqonnx.graph.serde import to_proto

    feeds = {name: np.ones(2, np.float32) for name in names}
    found = ReferenceEvaluator(to_proto(op.graph)).run(outputs, feeds)
    expected = [0.95 if name.endswith("gamma") else 1.0 for name in names]
    np.testing.assert_allclose([value[0] for value in found], expected, rtol=1e-6)


def test_an_update_that_a_subclass_writes_gets_each_variable_by_itself():
    """Such as one that divides by the norm of the whole variable."""

    class Normalised(optimizers.SGD):
        def update(self, op, param, grad, slots, scalars):
            unit = op.Div(grad, op.ReduceL2(grad, keepdims=0))
            return op.Sub(param, op.Mul(unit, scalars["lr"])), {}

    params = [np.zeros(2, np.float32) for _ in range(4)]
    grads = [np.array([3.0, 4.0], np.float32) * (i + 1) for i in range(4)]
    for new in Normalised(1.0).apply(grads, params):
        np.testing.assert_allclose(new, [-0.6, -0.8], rtol=1e-6)


def test_kernels_that_end_in_one_are_updated_as_vectors():
    """A product with a scalar is slow where the last axis has one element."""
    op = Emitter()
    kernel, grad = (op.input(name, "float32", (8, 4, 1, 1)) for name in ("w", "g"))
    slots = [{name: op.input(name, "float32", (8, 4, 1, 1)) for name in ("momentum", "velocity")}]
    lr, step = op.input("lr", "float32", ()), op.input("step", "float32", ())
    new, changed = optimizers.Adam()._emit(op, [kernel], [grad], slots, lr, step)
    assert [list(value.shape) for value in (new[0], *changed[0].values())] == [[8, 4, 1, 1]] * 3
    products = [node.outputs[0].shape for node in op.graph if node.op_type == "Mul"]
    assert [list(shape) for shape in products if len(shape) > 0] == [[32]] * 6
