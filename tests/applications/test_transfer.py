"""The runnable examples of transfer learning and feature extraction do what they say."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import numpy as np

MODELS = Path(__file__).resolve().parents[2] / "models"


def test_head_on_a_frozen_xception_is_trained_alone():
    program = runpy.run_path(str(MODELS / "xception_transfer.py"))
    model = program["build"](None)
    assert model.input_shape == (None, 72, 72, 3)
    assert [v.path for v in model.trainable_weights] == [
        v.path for v in model.layers[1].trainable_weights
    ]
    assert sum(math.prod(v.shape) for v in model.trainable_weights) == 2 * 2048 + 2048 * 10 + 10


def test_program_of_transfer_runs():
    program = runpy.run_path(str(MODELS / "xception_transfer.py"))
    accuracy = program["train"](None, samples=4, epochs=1, verbose=0)
    assert 0.0 <= accuracy <= 1.0


def test_features_of_one_task_solve_another():
    program = runpy.run_path(str(MODELS / "feature_extractor.py"))
    assert program["train"](epochs=5, verbose=0) > 0.9


def test_extractor_gives_every_layer_and_shares_its_weights():
    program = runpy.run_path(str(MODELS / "feature_extractor.py"))
    model = program["build"]()
    features = program["extractor"](model)
    x = np.ones((2, 8, 8, 1))
    shapes = [feature.shape for feature in features(x)]
    assert shapes == [(2, 6, 6, 16), (2, 4, 4, 32), (2, 32), (2, 2)]
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    assert not features(x)[0].any()
