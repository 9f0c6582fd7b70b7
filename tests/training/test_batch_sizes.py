"""A step graph for the usual size of batch, one for all others."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx
from seqonnx import layers
from seqonnx.training.batch_sizes import BatchSizes


def test_a_ragged_last_batch_shares_the_graph_for_any_size():
    sizes = BatchSizes()
    epoch = [8, 8, 8, 3]
    assert [sizes.choose(n) for n in epoch * 3] == [8, 8, 8, "batch"] * 3


def test_a_size_that_comes_often_gets_a_graph_as_well():
    sizes = BatchSizes()
    sizes.choose(1)
    chosen = [sizes.choose(128) for _ in range(20)]
    assert chosen[0] == "batch"
    assert chosen[-1] == 128
    assert sizes.choose(1) == 1


def test_ever_new_sizes_do_not_build_ever_new_graphs():
    sizes = BatchSizes()
    chosen = {sizes.choose(n) for _ in range(40) for n in range(1, 30)}
    assert len(chosen) == 3


@pytest.fixture
def built(monkeypatch):
    """Inputs of every step graph that is built."""
    from seqonnx.training import trainer

    found = []
    original = trainer.build_train_step

    def recording(*args, **kwargs):
        graph = original(*args, **kwargs)
        model = onnx.load_from_string(graph.model)
        sizes = {v.name: v.type.tensor_type.shape.dim for v in model.graph.input}
        found.append({name: sizes[name][0] for name in graph.batch})
        return graph

    monkeypatch.setattr(trainer, "build_train_step", recording)
    return found


def test_a_ragged_batch_trains_on_the_mean_over_its_own_samples(built):
    """Linear regression by hand: the last batch has its own size, and its own mean."""
    x = np.arange(10, dtype=np.float32).reshape(5, 2) / 10
    y = np.array([[1.0], [2.0], [0.5], [0.0], [1.5]], np.float32)
    model = seqonnx.Sequential(
        [seqonnx.Input(shape=(2,)), layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    model.compile(optimizer=seqonnx.optimizers.SGD(0.1), loss="mse")
    model.fit(x, y, batch_size=3, epochs=2, shuffle=False, verbose=0)
    kernel = np.ones((2, 1))
    for _ in range(2):
        for rows in (slice(0, 3), slice(3, 5)):
            error = x[rows] @ kernel - y[rows]
            kernel = kernel - 0.1 * 2 * x[rows].T @ error / len(error)
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-5)
    assert [[d.dim_value or d.dim_param for d in graph.values()] for graph in built] == [
        [3, 3],
        ["batch", "batch"],
    ]
