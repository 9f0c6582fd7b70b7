"""The networks of the benchmark learn in ONNX Runtime's blocked layout what they learn without it.

Where one bit decides, as at the bend of Relu, sums in another order may decide otherwise, and one
place of a map then gets a gradient that it has not in the other form. So what is compared is the
whole of a tensor, and deep networks may differ by some times as much as the plain form does from
itself with an input that is moved by a rounding error. `tests/lowering/test_blocked.py` compares
single numbers, where nothing bends.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import seqonnx as keras
from seqonnx.runtime import CPU
from seqonnx.training.blocks import block_for

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "bench"
BATCH = 16
OFTEN = ("mnist_cnn", "cifar_vgg", "separable")
MORE = ("xception", "unet", "resnet50", "mobilenet_tuned")


def changes(name, moved=0.0):
    """The change of each weight of a benchmark's network in one step of descent with the rate 1."""
    from bench_keras_api import build
    from bench_workloads import WORKLOADS

    workload = WORKLOADS[name].smaller(BATCH, 1)
    keras.clear_session(free_memory=False)
    keras.set_random_seed(0)
    model = build(keras, workload)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1.0), loss)
    x, y = workload.data()
    before = [np.array(weight) for weight in model.get_weights()]
    model.fit(x * np.float32(1 + moved), y, batch_size=BATCH, verbose=0, shuffle=False)
    return [new - old for new, old in zip(model.get_weights(), before, strict=True)]


@pytest.mark.parametrize(
    "name", [*OFTEN, *(pytest.param(each, marks=pytest.mark.slow) for each in MORE)]
)
def test_a_network_of_the_benchmark_learns_the_same_in_blocks(name, monkeypatch):
    if block_for(CPU) == 0:
        pytest.skip("this processor or build of ONNX Runtime has no blocked layout")
    monkeypatch.syspath_prepend(str(TOOLS))
    blocked = changes(name)
    monkeypatch.setenv("SEQONNX_BLOCKED", "0")
    plain, again = changes(name), changes(name, moved=1e-7)
    chaos = max(map(apart, again, plain))
    assert max(map(apart, blocked, plain)) <= 1e-4 + 10 * chaos


def apart(found, expected):
    """How far a tensor is from another, by the length of that."""
    length = max(float(np.linalg.norm(expected)), 1e-2)  # rounding of a weight of 1 is no change
    return float(np.linalg.norm(found - expected)) / length
