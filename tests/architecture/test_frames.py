"""From `model.fit` to the run of a session there are few frames to read in a traceback."""

from __future__ import annotations

import traceback
from pathlib import Path

import numpy as np
import onnxruntime

import seqonnx as keras
from seqonnx import layers

PACKAGE = str(Path(keras.__file__).parent)


def test_seven_frames_lie_between_fit_and_the_run_of_the_session(monkeypatch):
    seen = []

    class Watched(onnxruntime.InferenceSession):
        def run_with_iobinding(self, *args, **kwargs):
            frames = traceback.extract_stack()
            seen.append([f.name for f in frames if f.filename.startswith(PACKAGE)])
            return super().run_with_iobinding(*args, **kwargs)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Watched)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 4), np.float32), np.ones((8, 2), np.float32), verbose=0)
    assert len(seen) == 1
    assert seen[0][0] == "fit"
    assert len(seen[0]) <= 7, seen[0]
