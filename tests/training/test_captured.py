"""Steps that a GPU replays: their inputs keep their places, and results stay what they are."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest

import seqonnx
from seqonnx import config, layers
from seqonnx.errors import ExecutionError
from seqonnx.runtime import CPU, Binding, DeviceArray, Session
from seqonnx.runtime.device import Device, Provider
from seqonnx.training import captured, runner
from seqonnx.training.captured import FixedInputs, capturing_session

GPU = Device("cuda", 0, (Provider("CUDAExecutionProvider", (("device_id", "0"),)), *CPU.providers))


def weights_after_training(**options):
    """Weights after five steps with dropout, whose noise is an input, too."""
    seqonnx.clear_session(free_memory=False)
    seqonnx.set_random_seed(0)
    model = seqonnx.Sequential(
        [
            seqonnx.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    rate = seqonnx.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    model.compile(
        seqonnx.optimizers.Adam(rate), "sparse_categorical_crossentropy", device="cpu", **options
    )
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 6), dtype=np.float32), rng.integers(0, 3, 40)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    return model.get_weights()


def test_training_from_fixed_places_is_the_same(monkeypatch):
    # The CPU reads from fixed places, too; it only records nothing.
    plain = weights_after_training()
    recordings, bound = [], {}
    run, set_input = Binding.run, Binding.set_input

    def noted_run(self, *, synchronize=True, recording=None):
        recordings.append(recording)
        return run(self, synchronize=synchronize, recording=recording)

    def noted_input(self, name, array):
        bound.setdefault(name, set()).add(id(array))
        return set_input(self, name, array)

    monkeypatch.setattr(runner, "may_capture", lambda graph, device: True)
    monkeypatch.setattr(Device, "capturing", lambda self: self)
    monkeypatch.setattr(Binding, "run", noted_run)
    monkeypatch.setattr(Binding, "set_input", noted_input)
    for ours, wanted in zip(weights_after_training(), plain, strict=True):
        np.testing.assert_array_equal(ours, wanted)
    assert recordings == [1, 2, 1, 2, 1]
    changing = [name for name in bound if len(bound[name]) != 2]
    assert changing == []
    assert {"learning_rate", "y_true"} <= bound.keys()


def test_arrays_keep_their_places():
    places = FixedInputs(CPU)
    first = places.place(0, {"x": np.arange(3)})["x"]
    other = places.place(1, {"x": np.arange(3) + 5})["x"]
    again = places.place(0, {"x": np.arange(3) * 2})["x"]
    assert again is first
    assert other is not first
    assert (first.numpy().tolist(), other.numpy().tolist()) == ([0, 2, 4], [5, 6, 7])
    here = DeviceArray.from_numpy(np.zeros(2), CPU)
    assert places.place(0, {"y": here})["y"] is here


@pytest.mark.parametrize(
    ("enabled", "device", "batch", "steps", "wanted"),
    [
        (True, GPU, 8, 1, True),
        (False, GPU, 8, 1, False),
        (True, CPU, 8, 1, False),
        (True, GPU, "batch", 1, False),
        (True, GPU, 8, 4, False),
    ],
)
def test_what_may_be_captured(monkeypatch, enabled, device, batch, steps, wanted):
    monkeypatch.setattr(config, "_settings", config._Settings())
    config.enable_cuda_graphs(enabled)

    graph = SimpleNamespace(batch={"x": (batch, 3)}, noise={}, steps=steps)
    assert captured.may_capture(graph, device) is wanted


def test_capturing_is_an_option_of_the_provider():
    providers = GPU.capturing().provider_arguments()
    assert providers[0][1] == {"device_id": "0", "enable_cuda_graph": "1"}
    assert providers[1:] == CPU.provider_arguments()


def test_refusal_of_the_runtime_is_logged_and_leaves_no_session(caplog):
    def refusing(device: Device) -> Session:
        raise ExecutionError("control flow")

    with caplog.at_level(logging.INFO, "seqonnx"):
        assert capturing_session(refusing, GPU) is None
    assert "The training step is not captured as a CUDA graph. control flow" in caplog.text


def test_graphs_are_on_or_off():
    assert config.cuda_graphs_enabled() is False
    with pytest.raises(ValueError, match=r"must be True or False. Received: enabled=1$"):
        config.enable_cuda_graphs(1)
