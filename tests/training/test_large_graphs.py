"""Large networks from plain ONNX files learn a batch: a step's gradients reach all weights.

`tools/bench/build_times.py` does the same for every network there, and times it.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import onnx
import pytest

TOOL = runpy.run_path(
    str(Path(__file__).resolve().parents[2] / "tools" / "bench" / "build_times.py")
)


def losses_of(task, steps: int = 5) -> list[float]:
    return [float(task.model.train_on_batch(task.x, task.y)) for _ in range(steps)]


@pytest.mark.parametrize("name", ["squeezenet", pytest.param("shufflenet", marks=pytest.mark.slow)])
def test_published_architecture_learns_a_batch(name):
    task = TOOL["light"](name)
    before = [weight.numpy().copy() for weight in task.model.weights]
    losses = losses_of(task)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]
    for weight, old in zip(task.model.weights, before, strict=True):
        assert np.array_equal(weight.numpy(), old) != weight.trainable, weight.path


def test_transformer_of_twelve_layers_learns_a_batch():
    losses = losses_of(TOOL["transformer"](TOOL["spelled_out"]))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] / 2


def test_transformer_learns_the_same_with_the_operator_attention():
    forms = [TOOL["spelled_out"], TOOL["one_operator"]]
    one, other = (losses_of(TOOL["transformer"](form, depth=2)) for form in forms)
    np.testing.assert_allclose(one, other, rtol=1e-3)
    assert one[-1] < one[0]


def test_every_network_of_the_tool_is_a_valid_model():
    assert len(TOOL["NETWORKS"]) == 11
    for form in (TOOL["spelled_out"], TOOL["one_operator"]):
        onnx.checker.check_model(TOOL["transformer_model"](form), full_check=True)


def test_loss_that_rises_or_a_slow_build_fails():
    def result(losses, build):
        return TOOL["Result"]("net", 1, 1, build, build, 0.0, losses, 10.0)

    assert result([2.0, 1.0], 9.0).passed
    assert not result([1.0, 2.0], 9.0).passed
    assert not result([2.0, float("nan")], 9.0).passed
    assert not result([2.0, 1.0], 11.0).passed
