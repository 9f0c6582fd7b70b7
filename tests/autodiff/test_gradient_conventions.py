"""Gradients where a function has a kink, a pole or a tie follow PyTorch's choice.

The numbers are the conventions listed in `seqonnx/autodiff/rules/README.md`, worked out by hand.
"""

from __future__ import annotations

import numpy as np
import pytest

from support.autodiff.gradient_check import Case, differentiate

INF = float("inf")


def gradients(op_type: str, *inputs: object, dy: object = 1.0, **attributes: object) -> list:
    """Gradients in float32 on ONNX Runtime, for a gradient `dy` of every element."""
    arrays = tuple(np.array(x, np.float64) for x in inputs)
    case = Case(op_type, arrays, dict(attributes))
    made = differentiate(case, {0: np.array(dy)}, case.wanted, "float32", False)
    return [grad.tolist() for grad in made.run(reference=False)]


@pytest.mark.parametrize(
    ("op_type", "x", "dx", "attributes"),
    [
        ("Relu", [-1.0, 0.0, 2.0], [0.0, 0.0, 1.0], {}),
        ("Relu", [-INF, 1e-37, INF], [0.0, 1.0, 1.0], {}),
        ("LeakyRelu", [-1.0, 0.0, 2.0], [0.25, 0.25, 1.0], {"alpha": 0.25}),
        ("Abs", [-3.0, 0.0, 1e-37], [-1.0, 0.0, 1.0], {}),
        ("Elu", [0.0, 2.0], [1.0, 1.0], {}),
        ("Sqrt", [0.0, 4.0], [0.0, 0.25], {}),
        ("HardSigmoid", [-2.5, 2.5, 0.0], [0.0, 0.0, np.float32(0.2)], {}),
        ("HardSwish", [-4.0, 4.0, 0.0], [0.0, 1.0, 0.5], {}),
    ],
)
def test_function_of_one_variable(op_type, x, dx, attributes):
    assert gradients(op_type, x, dy=np.ones(len(x)), **attributes) == [dx]


def test_power_at_zero_is_finite():
    base, exponent = [0.0, 0.0, 0.0, 4.0], [0.0, 0.5, 2.0, 0.5]
    dbase, dexponent = gradients("Pow", base, exponent, dy=np.ones(4))
    assert dbase == [0.0, 0.0, 0.0, 0.25]
    np.testing.assert_allclose(dexponent, [0.0, 0.0, 0.0, 2 * np.log(4)], rtol=1e-6)


@pytest.mark.parametrize("op_type", ["Max", "Min"])
def test_operands_that_tie_share(op_type):
    assert gradients(op_type, [1.0, 5.0], [1.0, 5.0], dy=np.ones(2)) == [[0.5, 0.5], [0.5, 0.5]]


def test_clip_passes_at_its_bounds():
    dx, dlow, dhigh = gradients("Clip", [-2.0, -1.0, 0.0, 1.0, 3.0], -1.0, 1.0, dy=np.ones(5))
    assert dx == [0.0, 1.0, 1.0, 1.0, 0.0]
    assert (dlow, dhigh) == (1.0, 1.0)


@pytest.mark.parametrize("op_type", ["ReduceMax", "ReduceMin"])
def test_elements_that_tie_share(op_type):
    assert gradients(op_type, [[2.0, 2.0, 2.0, 2.0]], dy=[[1.0]]) == [[[0.25] * 4]]


def test_norm_of_zeros_has_gradient_zero():
    assert gradients("ReduceL2", [[0.0, 0.0]], dy=[[1.0]]) == [[[0.0, 0.0]]]
    assert gradients("ReduceL1", [[0.0, -2.0]], dy=[[1.0]]) == [[[0.0, -1.0]]]


@pytest.mark.parametrize(
    ("x", "dx"),
    [
        ([2.0, 3.0, 4.0], [12.0, 8.0, 6.0]),
        ([2.0, 0.0, 4.0], [0.0, 8.0, 0.0]),
        ([0.0, 0.0, 4.0], [0.0, 0.0, 0.0]),
    ],
)
def test_product_with_zeros(x, dx):
    assert gradients("ReduceProd", x, dy=[1.0]) == [dx]


def test_log_sum_exp_of_minus_infinity_has_gradient_zero():
    assert gradients("ReduceLogSumExp", [[-INF, -INF]], dy=[[1.0]]) == [[[0.0, 0.0]]]


def test_where_stops_what_was_not_chosen_even_if_infinite():
    case = Case("Where", (np.array([True, False]), np.zeros(2), np.zeros(2)))
    made = differentiate(case, {0: np.array([INF, 2.0])}, [1, 2], "float32", False)
    assert [grad.tolist() for grad in made.run(reference=False)] == [[INF, 0.0], [0.0, 2.0]]


@pytest.mark.parametrize("kernel", [[2, 2], [3, 3]])
def test_max_pool_takes_the_first_of_those_that_tie(kernel):
    size = kernel[0]
    (dx,) = gradients(
        "MaxPool", np.ones((1, 1, size, size)), dy=[[[[1.0]]]], kernel_shape=kernel, strides=[2, 2]
    )
    assert np.array(dx).ravel().tolist() == [1.0] + [0.0] * (size * size - 1)


def test_global_max_pool_takes_the_first_of_those_that_tie():
    assert gradients("GlobalMaxPool", [[[1.0, 3.0, 3.0]]], dy=[[[1.0]]]) == [[[[0.0, 1.0, 0.0]]]]
