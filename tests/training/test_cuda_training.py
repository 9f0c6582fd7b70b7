"""On a GPU: training steps run there as a whole, and give the same as on the CPU."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx
from seqonnx import config, layers
from seqonnx.runtime import placement
from seqonnx.training import trainer

pytestmark = pytest.mark.gpu

MUST_RUN_THERE = {
    "BatchNormalization",
    "Conv",
    "ConvTranspose",
    "Gemm",
    "HardSigmoid",
    "MatMul",
} | {
    "GlobalAveragePool",
    "MaxPool",
    "Mul",
    "Pad",
    "Relu",
    "Transpose",
}


@pytest.fixture
def float32_products(monkeypatch):
    monkeypatch.setattr(config, "_settings", config._Settings())
    config.enable_tensor_float_32(False)


def network():
    stack = [seqonnx.Input((16, 16, 3))]
    for filters in (16, 32):
        stack += [
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
        ]
    return seqonnx.Sequential(
        [*stack, layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    )


def losses(device, *, recompute=False):
    """Losses of two epochs with a ragged last batch."""
    seqonnx.clear_session(free_memory=False)
    seqonnx.set_random_seed(0)
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", device=device, recompute=recompute)
    rng = np.random.default_rng(0)
    x, y = rng.random((80, 16, 16, 3), dtype=np.float32), rng.integers(0, 10, 80)
    history = model.fit(x, y, batch_size=32, epochs=2, verbose=0)
    return np.array(history.history["loss"])


@pytest.mark.parametrize("recompute", [False, True])
def test_losses_are_those_of_the_cpu(gpu, float32_products, recompute):
    ours = losses("cuda", recompute=recompute)
    np.testing.assert_allclose(ours, losses("cpu"), rtol=1e-4)


def test_losses_with_cuda_graphs_are_the_same(gpu, float32_products):
    plain = losses("cuda")
    config.enable_cuda_graphs(True)
    np.testing.assert_allclose(losses("cuda"), plain, rtol=1e-5)


def test_step_runs_on_the_gpu(gpu, monkeypatch):
    found = []
    original = trainer.build_train_step

    def recording(*args, **kwargs):
        found.append(original(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(trainer, "build_train_step", recording)
    losses("cuda")
    model = found[0].model
    kinds = {node.name: node.op_type for node in onnx.load_model_from_string(model).graph.node}
    providers = placement(model, gpu)
    left = {kinds[name] for name, where in providers.items() if where.startswith("CPU")}
    assert not left & MUST_RUN_THERE
    assert not {"If", "Loop", "Scan"} & set(kinds.values())
