"""A call on one small batch costs little besides the run of its session.

Counted are calls of functions, not seconds: the count is the same on a busy machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from support.counting import calls_in

ONE = np.ones((1, 4), np.float32)


def stack(number: int) -> keras.Model:
    return keras.Sequential([keras.Input((4,)), *(layers.Dense(4) for _ in range(number))])


def two_inputs() -> keras.Model:
    first, second = keras.Input((4,), name="first"), keras.Input((4,), name="second")
    return keras.Model([first, second], layers.Subtract()([first, second]))


def masked() -> keras.Model:
    return keras.Sequential([keras.Input((2, 4)), layers.Masking(), layers.SimpleRNN(3)])


CASES: dict[str, tuple[Callable[[], keras.Model], Any]] = {
    "one layer": (lambda: stack(1), ONE),
    "50 layers": (lambda: stack(50), ONE),
    "dict": (two_inputs, {"second": ONE, "first": 3 * ONE}),
    "list": (two_inputs, [3 * ONE, ONE]),
    "mask": (masked, np.ones((1, 2, 4), np.float32)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_call_and_a_prediction_do_little_besides_the_run(name: str) -> None:
    make, x = CASES[name]
    model = make()
    model(x), model.predict(x, verbose=0)
    more = len(model.inputs) - 1
    assert calls_in(lambda: model(x)) < 66 + 26 * more
    assert calls_in(lambda: model.predict(x, verbose=0)) < 76 + 34 * more


def test_several_inputs_are_told_apart_by_name_and_by_place() -> None:
    model = two_inputs()
    for x in ({"second": ONE, "first": 3 * ONE}, [3 * ONE, ONE], (3 * ONE, ONE)):
        np.testing.assert_array_equal(model.predict(x, verbose=0), 2 * ONE)
        np.testing.assert_array_equal(model(x), 2 * ONE)


def test_inputs_that_need_work_still_get_it() -> None:
    model = two_inputs()
    wide = {"second": ONE.astype(np.float64), "first": (3 * ONE).astype(np.int64)}
    np.testing.assert_array_equal(model.predict(wide, verbose=0), 2 * ONE)
    many = [np.repeat(3 * ONE, 5, axis=0), np.repeat(ONE, 5, axis=0)]
    np.testing.assert_array_equal(model.predict(many, batch_size=2, verbose=0), 2 * np.ones((5, 4)))


@pytest.mark.parametrize("x", [{"first": ONE, "third": ONE}, {"first": ONE}, [ONE, ONE[:, :3]]])
def test_inputs_that_do_not_fit_are_refused_as_before(x: Any) -> None:
    for compute in (two_inputs(), lambda given: two_inputs().predict(given, verbose=0)):
        with pytest.raises(ValueError, match=r"must name the inputs|Invalid input shape"):
            compute(x)


def test_inputs_of_unequal_numbers_of_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="cardinality"):
        two_inputs().predict([ONE, np.ones((2, 4), np.float32)], verbose=0)
