"""The demo page of docs learns digits that are drawn on it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

import seqonnx as keras
from seqonnx import layers
from support.javascript.chromium import run_in_chromium

HERE = Path(__file__).parent
PACKAGES = os.environ.get("SEQONNX_JAVASCRIPT")


def trained() -> keras.Sequential:
    """The model of the page on training in the browser, trained for less long."""
    keras.set_random_seed(0)
    (x, y), _ = keras.datasets.load_digits()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(16, 3, activation="relu"),
            layers.BatchNormalization(momentum=0.9),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[..., None].astype("float32"), y, epochs=3, verbose=0)
    return model


@pytest.mark.skipif(
    PACKAGES is None,
    reason="set SEQONNX_JAVASCRIPT to the folder that tests/javascript/install.sh has filled",
)
def test_demo_learns_what_is_drawn(tmp_path):
    trained().export_training(tmp_path / "training")
    places = {
        "index.html": HERE.parents[1] / "docs" / "demo" / "digits.html",
        "drawing.html": HERE / "drawing.html",
        "training": tmp_path / "training",
        "ort": Path(str(PACKAGES), "node_modules", "onnxruntime-web", "dist"),
    }
    run_in_chromium("drawing.html", places, tmp_path, tmp_path / "profile")
    seen = json.loads((tmp_path / "demo.json").read_text())
    before = re.fullmatch(r"It knows (\d+) of your 12 digits\.", seen["before"])
    after = re.fullmatch(r"It knew \d+ of your 12 digits, and now (\d+)\.", seen["after"])
    assert before is not None
    assert after is not None
    assert int(before[1]) <= 10 < 11 <= int(after[1])
    assert seen["scores"][9] > 50  # the cross that it had never seen as a 9
