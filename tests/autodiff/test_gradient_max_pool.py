"""Maxima over windows that overlap or are padded: the forms of their gradient, and which is taken.

One axis after the other is offered behind operators whose results tie only in flat regions, so the
pools here stand behind such an operator.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.serde import to_proto
from support.autodiff.gradient_check import run_onnxruntime, run_reference
from support.autodiff.gradient_inputs import distinct

SEPARATE, INDICES, HALVES = "one axis after the other", "indices", "halves"

GEOMETRIES = {
    "3-by-2-same-even": ((2, 3, 6, 8), {"kernel_shape": [3, 3], "strides": [2, 2]}, "SAME_UPPER"),
    "3-by-2-same-odd": ((2, 3, 7, 9), {"kernel_shape": [3, 3], "strides": [2, 2]}, "SAME_UPPER"),
    "3-by-2-same-lower": ((2, 3, 6, 7), {"kernel_shape": [3, 3], "strides": [2, 2]}, "SAME_LOWER"),
    "3-by-2-valid-odd": ((2, 3, 7, 9), {"kernel_shape": [3, 3], "strides": [2, 2]}, None),
    "3-by-2-valid-rest": ((2, 3, 8, 6), {"kernel_shape": [3, 3], "strides": [2, 2]}, None),
    "3-by-2-padded": (
        (2, 3, 8, 7),
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        None,
    ),
    "3-by-2-one-side": (
        (2, 3, 6, 7),
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 0, 2]},
        None,
    ),
    "3-by-1-padded": ((2, 3, 5, 6), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, None),
    "3-by-1-valid": ((2, 3, 5, 6), {"kernel_shape": [3, 3]}, None),
    "2-by-1": ((2, 3, 5, 6), {"kernel_shape": [2, 2]}, None),
    "2-by-1-same": ((2, 3, 5, 6), {"kernel_shape": [2, 2]}, "SAME_UPPER"),
    "5-by-2": (
        (2, 3, 9, 8),
        {"kernel_shape": [5, 5], "strides": [2, 2], "pads": [2, 2, 2, 2]},
        None,
    ),
    "5-by-3-late": (
        (2, 3, 8, 10),
        {"kernel_shape": [5, 5], "strides": [3, 3], "pads": [3, 4, 0, 1]},
        None,
    ),
    "3-by-3-padded": (
        (2, 3, 7, 8),
        {"kernel_shape": [3, 3], "strides": [3, 3], "pads": [1, 1, 1, 0]},
        None,
    ),
    "ceil": ((2, 3, 6, 8), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, None),
    "rectangles": (
        (2, 3, 7, 9),
        {"kernel_shape": [4, 3], "strides": [3, 2], "pads": [0, 1, 2, 1]},
        None,
    ),
    "rows-only": ((2, 3, 7, 5), {"kernel_shape": [3, 1], "strides": [2, 1]}, "SAME_UPPER"),
    "columns-only": ((2, 3, 5, 7), {"kernel_shape": [1, 3], "strides": [1, 2]}, "SAME_UPPER"),
    "wide": ((2, 2, 6, 67), {"kernel_shape": [3, 3], "strides": [2, 2]}, "SAME_UPPER"),
    "wide-padded": ((2, 2, 3, 66), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, None),
    "wide-rows-only": ((2, 2, 5, 65), {"kernel_shape": [3, 1], "strides": [2, 1]}, None),
    "wide-columns-only": ((2, 2, 2, 65), {"kernel_shape": [1, 3], "strides": [1, 2]}, None),
    "one-window": ((2, 3, 2, 2), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, None),
}
CASES = [
    pytest.param(shape, {**attributes, **({} if same is None else {"auto_pad": same})}, id=name)
    for name, (shape, attributes, same) in GEOMETRIES.items()
]


def leaky(op, x):
    return op.LeakyRelu(x, alpha=0.5)


class Pool:
    """A pool behind an operator, its gradient by x in one form, and the gradient of that.

    Args:
        shape: shape of x.
        attributes: those of the pool.
        form: name of the form to take.
        behind: emits what the pool stands behind.
        dtype: that of its input.
        batch: the first size of x that the graph knows.
    """

    def __init__(
        self, shape, attributes, form=SEPARATE, *, behind=leaky, dtype="float64", batch=None
    ):
        self.dtype, self.offered = dtype, []
        op = Emitter()
        x = op.input("x", dtype, [shape[0] if batch is None else batch, *shape[1:]])
        y = op.MaxPool(behind(op, x), **attributes)
        self.small = (shape[0], *static_shape(y)[1:])
        dy = op.input("dy", dtype, static_shape(y))
        v = op.input("v", dtype, static_shape(x))

        def choose(node, wanted, forms):
            self.offered.append([each.name for each in forms])
            return next((each for each in forms if each.name == form), forms[0])

        (dx,) = backward(op, [(y, dy)], [x], choose=choose)
        second = backward(op, [(dx, v)], [x, dy], choose=choose)
        self.operators = {node.op_type for node in op.graph}
        named = {"y": y, "dx": dx, "x by v": second[0], "dy by v": second[1]}
        self.names = {
            name: str(op.output(value, name).name)
            for name, value in named.items()
            if value is not None
        }
        self.model = to_proto(op.graph)

    def run(self, wanted, **feeds):
        feeds = {"dy": np.zeros(self.small), **feeds}
        feeds.setdefault("v", np.zeros(feeds["x"].shape))
        cast = {name: array.astype(self.dtype) for name, array in feeds.items()}
        run = run_reference if self.dtype == "float64" else run_onnxruntime
        return run(self.model, [self.names[wanted]], cast)[0]


def away_from_0(shape):
    """No ties, and no kink of the operator before the pool."""
    return distinct(*shape) + 0.0025


def normal(seed, shape):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize(("shape", "attributes"), CASES)
@pytest.mark.parametrize("form", [SEPARATE, INDICES])
def test_both_forms_agree_with_finite_differences(shape, attributes, form):
    pool = Pool(shape, attributes, form)
    assert {SEPARATE, INDICES} == set(pool.offered[0]) - {HALVES}
    assert ("ScatterElements" in pool.operators) == (form == INDICES)
    x, dy, direction = away_from_0(shape), normal(1, pool.small), normal(2, shape)
    ahead, behind = (pool.run("y", x=x + step * direction) for step in (1e-5, -1e-5))
    dx = pool.run("dx", x=x, dy=dy)
    np.testing.assert_allclose(
        (dx * direction).sum(), ((ahead - behind) / 2e-5 * dy).sum(), rtol=1e-7, atol=1e-7
    )


@pytest.mark.parametrize(("shape", "attributes"), CASES)
def test_both_forms_agree_on_onnxruntime(shape, attributes):
    x, dy = distinct(*shape), normal(1, Pool(shape, attributes).small)
    one, other = (
        Pool(shape, attributes, form, dtype="float32").run("dx", x=x, dy=dy)
        for form in (SEPARATE, INDICES)
    )
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def one_of_those_that_tie(x, dy, pads, kernel, strides):
    """The rule: in each window a column, in that column an element, each time the first that holds
    the maximum among those from the end of the padding before on, or else the last before it."""

    def first(values, before):
        for i in [*range(before, len(values)), *range(before - 1, -1, -1)]:
            if values[i] == max(values):
                return i

    padded = np.pad(
        x, [(0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])], constant_values=-np.inf
    )
    dx = np.zeros(padded.shape)
    space = (
        slice(pads[0], pads[0] + x.shape[2]),
        slice(pads[1], pads[1] + x.shape[3]),
    )
    for n, c, i, j in product(*(range(size) for size in dy.shape)):
        at = [o * s for o, s in zip((i, j), strides, strict=True)]
        window = padded[n, c, at[0] : at[0] + kernel[0], at[1] : at[1] + kernel[1]]
        column = first(list(window.max(axis=0)), pads[1])
        row = first(list(window[:, column]), pads[0])
        dx[n, c, at[0] + row, at[1] + column] += dy[n, c, i, j]
    return dx[:, :, *space]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "kernel", "strides", "pads"),
    [
        ((2, 3, 8, 6), [3, 3], [2, 2], [0, 0, 1, 1]),
        ((2, 3, 7, 9), [3, 3], [2, 2], [1, 1, 1, 1]),
        ((2, 3, 5, 6), [3, 3], [1, 1], [1, 1, 1, 1]),
        ((2, 3, 9, 9), [4, 5], [2, 3], [2, 3, 1, 1]),
        ((2, 1, 5, 66), [3, 3], [2, 2], [1, 1, 1, 1]),
    ],
)
def test_of_elements_that_tie_one_gets_the_whole_gradient(shape, kernel, strides, pads, dtype):
    x = np.random.default_rng(0).integers(-1, 2, size=shape).astype(float)
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads}
    pool = Pool(shape, attributes, dtype=dtype)
    dy = np.random.default_rng(1).integers(-8, 9, size=pool.small).astype(float)
    wanted = one_of_those_that_tie(x, dy, pads, kernel, strides) * np.where(x > 0, 1, 0.5)
    np.testing.assert_array_equal(pool.run("dx", x=x, dy=dy), wanted)


@pytest.mark.parametrize(("shape", "attributes"), CASES)
def test_a_flat_region_gets_exactly_the_gradient_of_its_windows(shape, attributes):
    pool = Pool(shape, attributes, dtype="float32")
    dy = np.random.default_rng(1).integers(-8, 9, size=pool.small).astype(float)
    dx = pool.run("dx", x=np.zeros(shape) + 3, dy=dy)
    np.testing.assert_array_equal(dx.sum(axis=(2, 3)), dy.sum(axis=(2, 3)))


HALVED = [
    ((2, 3, 8, 6), [0, 0, 1, 1]),
    ((2, 3, 7, 9), [1, 1, 1, 1]),
    ((2, 3, 8, 7), [1, 1, 0, 1]),
    ((2, 3, 6, 5), [0, 1, 1, 1]),
    ((1, 2, 2, 1), [0, 1, 1, 1]),
]
"""Shapes and paddings for windows of 3 x 3 in steps of 2 that go by halves."""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "pads"), HALVED)
def test_by_halves_the_same_one_of_those_that_tie_gets_it(shape, pads, dtype):
    x = np.random.default_rng(0).integers(-1, 2, size=shape).astype(float)
    attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": pads}
    pool = Pool(shape, attributes, HALVES, dtype=dtype)
    assert HALVES in pool.offered[0]
    assert "HardSigmoid" in pool.operators
    dy = np.random.default_rng(1).integers(-8, 9, size=pool.small).astype(float)
    wanted = one_of_those_that_tie(x, dy, pads, [3, 3], [2, 2]) * np.where(x > 0, 1, 0.5)
    np.testing.assert_array_equal(pool.run("dx", x=x, dy=dy), wanted)


def test_by_halves_the_smallest_difference_counts():
    x = np.nextafter(np.ones((1, 1, 2, 2), np.float32), np.float32(2))
    x[0, 0, 0, 0] = 1
    attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}
    pool = Pool(x.shape, attributes, HALVES, dtype="float32")
    dx = pool.run("dx", x=x, dy=np.ones((1, 1, 1, 1)))
    np.testing.assert_array_equal(dx[0, 0], [[0, 0], [1, 0]])


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((1, 2, 7, 7), {"kernel_shape": [3, 3], "strides": [2, 2]}),
        ((1, 2, 8, 8), {"kernel_shape": [3, 3], "strides": [2, 2]}),
        ((1, 2, 8, 8), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
        ((1, 2, 8, 8), {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [0, 0, 1, 0]}),
    ],
)
def test_other_windows_do_not_go_by_halves(shape, attributes):
    assert HALVES not in Pool(shape, attributes).offered[0]


@pytest.mark.parametrize(
    ("shape", "attributes", "form"),
    [
        *(pytest.param(*case.values, SEPARATE, id=case.id) for case in CASES),
        *(
            pytest.param(shape, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": pads}, HALVES)
            for shape, pads in HALVED[:3]
        ),
    ],
)
def test_second_order_agrees_with_finite_differences(shape, attributes, form):
    pool = Pool(shape, attributes, form, behind=lambda op, x: op.Elu(op.Mul(x, 0.25)))
    x, v = away_from_0(shape) - 2, normal(3, shape)
    dy = normal(1, pool.small)
    dx, ddy = normal(4, shape), normal(5, pool.small)
    ahead, behind = (
        (pool.run("dx", x=x + step * dx, dy=dy + step * ddy) * v).sum() for step in (1e-5, -1e-5)
    )
    by_x, by_dy = (pool.run(name, x=x, dy=dy, v=v) for name in ("x by v", "dy by v"))
    assert form == HALVES or "ScatterElements" not in pool.operators
    assert by_x.any()
    derivative = (by_x * dx).sum() + (by_dy * ddy).sum()
    np.testing.assert_allclose(derivative, (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-6)


PRODUCERS = {
    "convolution": lambda op, x: op.Conv(
        x, np.full((3, 3, 1, 1), 0.5) + np.eye(3)[..., None, None]
    ),
    "relu": lambda op, x: op.Relu(x),
    "padded relu": lambda op, x: op.Pad(op.Relu(x), [0, 0, 1, 1, 0, 0, 1, 1]),
    "channels": lambda op, x: op.Concat(op.Relu(x), op.Pad(leaky(op, x), [0] * 8), axis=1),
}


@pytest.mark.parametrize("behind", PRODUCERS.values(), ids=PRODUCERS)
def test_both_forms_agree_behind_operators_that_tie_only_in_flat_regions(behind):
    shape, attributes = (2, 3, 7, 8), {"kernel_shape": [3, 3], "strides": [2, 2]}
    one, other = (Pool(shape, attributes, form, behind=behind) for form in (SEPARATE, INDICES))
    assert {SEPARATE, INDICES} == set(one.offered[0]) - {HALVES}
    x, dy = distinct(*shape), normal(1, one.small)
    results = [pool.run("dx", x=x, dy=dy) for pool in (one, other)]
    np.testing.assert_allclose(*results, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("width", [8, 67])
def test_the_size_of_the_batch_need_not_be_known(width):
    shape, attributes = (3, 2, 7, width), {"kernel_shape": [3, 3], "strides": [2, 2]}
    known = Pool(shape, attributes, dtype="float32")
    unknown = Pool(shape, attributes, dtype="float32", batch="batch")
    assert {SEPARATE, INDICES} == set(unknown.offered[0]) - {HALVES}
    assert "ScatterElements" not in unknown.operators
    feeds = {"x": distinct(*shape), "dy": normal(1, known.small)}
    np.testing.assert_array_equal(known.run("dx", **feeds), unknown.run("dx", **feeds))


PADS = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}


@pytest.mark.parametrize(
    ("shape", "attributes", "behind"),
    [
        pytest.param((1, 2, 7, 7), PADS, lambda op, x: op.Neg(x), id="ties anywhere"),
        pytest.param(
            (1, 2, 7, 7),
            PADS,
            lambda op, x: op.Pad(op.Relu(x), [0, 0, 1, 1, 0, 0, 1, 1], -np.inf),
            id="infinity",
        ),
        pytest.param(
            (1, 2, 7, 7), PADS, lambda op, x: op.Concat(op.Relu(x), x, axis=1), id="ties in a part"
        ),
        pytest.param((1, 2, 7, 7), {"kernel_shape": [2, 2], "strides": [3, 3]}, leaky, id="gaps"),
        pytest.param(
            (1, 2, 7, 7), {"kernel_shape": [2, 2], "dilations": [2, 2]}, leaky, id="dilated"
        ),
        pytest.param(
            (1, 2, 4, 4),
            {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1]},
            leaky,
            id="no common place",
        ),
        pytest.param((1, 2, 7), {"kernel_shape": [3]}, leaky, id="one axis"),
    ],
)
def test_only_indices_are_offered_elsewhere(shape, attributes, behind):
    pool = Pool(shape, attributes, behind=behind)
    assert pool.offered == []
    assert "ScatterElements" in pool.operators


@pytest.mark.parametrize(("width", "best"), [(6, INDICES), (7, SEPARATE), (66, SEPARATE)])
def test_the_rule_prefers_indices_on_very_narrow_maps(width, best):
    assert Pool((1, 2, 7, width), PADS).offered[0][0] == best


def test_on_a_gpu_indices_are_taken():
    op = Emitter()
    x = op.input("x", "float32", (1, 2, 7, 7))
    y = op.MaxPool(op.Relu(x), **PADS)
    backward(op, [(y, op.input("dy", "float32", static_shape(y)))], [x], device="cuda")
    assert "ScatterElements" in {node.op_type for node in op.graph}
