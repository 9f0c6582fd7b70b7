"""BatchNormalization with `renorm`: training and inference as in Keras 3.15.1."""

from __future__ import annotations

import json

import numpy as np
import pytest

import seqonnx as sx
from seqonnx import layers
from support.layers.renormalizing import CASES, FILE, trained

RECORDED = json.loads(FILE.read_text("utf-8"))


@pytest.mark.parametrize("case", CASES)
def test_training_and_inference_are_those_of_keras(case):
    made, wanted = trained(sx, *CASES[case]), RECORDED[case]
    assert made["names"] == wanted["names"]
    for what in ("losses", "outputs"):
        np.testing.assert_allclose(made[what], wanted[what], rtol=1e-5, atol=1e-6)
    for weight, value in zip(made["weights"], wanted["weights"], strict=True):
        np.testing.assert_allclose(weight, value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"max": 1.0}, r"Received invalid keys for `renorm_clipping` argument: \{'max': 1.0\}"),
        ({"rmax": 1, "rmin": 2}, r"rmax should be greater than rmin .* rmax=1, rmin=2"),
        ({"dmax": -1}, "dmax should be non-negative .* dmax=-1"),
    ],
)
def test_limits_that_cannot_be_are_refused(limits, problem):
    with pytest.raises(ValueError, match=problem):
        layers.BatchNormalization(renorm=True, renorm_clipping=limits)


def test_configuration_makes_the_same_layer():
    layer = layers.BatchNormalization(renorm=True, renorm_clipping={"dmax": 1.0}, synchronized=True)
    config = layer.get_config()
    assert (config["renorm"], config["renorm_clipping"]) == (True, {"dmax": 1.0})
    assert config["synchronized"] is True
    assert layers.BatchNormalization.from_config(config).get_config() == config
    assert layers.BatchNormalization().get_config()["renorm"] is False


def test_one_replica_is_synchronized_with_itself():
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    together, alone = (layers.BatchNormalization(synchronized=each) for each in (True, False))
    assert np.array_equal(together(x, training=True), alone(x, training=True))


def test_files_keep_the_renormalization(tmp_path):
    model = sx.Sequential([sx.Input((3,)), layers.BatchNormalization(renorm=True)])
    model.layers[0].set_weights([np.full(3, i + 1, "float32") for i in range(7)])
    model.save(tmp_path / "m.keras")
    again = sx.load_model(tmp_path / "m.keras").layers[0]
    assert again.renorm
    assert [w.name for w in again.weights] == [w.name for w in model.layers[0].weights]
    assert [float(w[0]) for w in again.get_weights()] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
