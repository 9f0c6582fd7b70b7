"""The cost of a stack grows with its number of layers, and no faster.

Counted are calls of functions, not seconds: the count is the same on a busy machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.training import trainer
from support.counting import calls_in

FEW, MANY = 16, 48
X, Y = np.zeros((4, 3), np.float32), np.zeros((4, 3), np.float32)


def parts(number: int) -> list[Any]:
    return [keras.Input((3,)), *(layers.Dense(3) for _ in range(number))]


def compiled(number: int) -> keras.Sequential:
    model = keras.Sequential(parts(number))
    model.compile("adam", "mse")
    return model


def per_layer(cost: Callable[[int], int]) -> tuple[float, float]:
    """The cost of a layer where there are few, and of each one more where there are many."""
    cost(2)  # what is made once for a process
    start, few, many = cost(1), cost(FEW), cost(MANY)
    return (few - start) / (FEW - 1), (many - few) / (MANY - FEW)


def listed(number: int) -> int:
    held = parts(number)
    return calls_in(lambda: keras.Sequential(held))


def added(number: int) -> int:
    model, held = keras.Sequential(), parts(number)
    return calls_in(lambda: [model.add(layer) for layer in held])


def first_step(number: int) -> int:
    model = compiled(number)
    return calls_in(lambda: model.train_on_batch(X, Y))


def step(number: int) -> int:
    model = compiled(number)
    model.train_on_batch(X, Y)
    return calls_in(lambda: model.train_on_batch(X, Y))


@pytest.mark.parametrize("cost", [listed, added, first_step])
def test_a_layer_costs_the_same_in_a_high_stack(cost: Callable[[int], int]) -> None:
    few, many = per_layer(cost)
    assert many < 1.05 * few


def test_a_step_asks_little_of_each_layer() -> None:
    few, many = per_layer(step)
    assert many < 1.05 * few < 75


def nodes_of_step(number: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many nodes the graph of a training step has."""
    made: list[Any] = []
    build = trainer.build_train_step

    def recording(*args: Any, **options: Any) -> Any:
        made.append(build(*args, **options))
        return made[-1]

    monkeypatch.setattr(trainer, "build_train_step", recording)
    compiled(number).train_on_batch(X, Y)
    return len(onnx.load_from_string(made[0].model).graph.node)


def test_a_layer_adds_few_nodes_to_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its product, both gradients of it, and the sum and shape of the gradient of its bias."""
    few, many = (nodes_of_step(number, monkeypatch) for number in (5, 15))
    assert (many - few) / 10 == 5
