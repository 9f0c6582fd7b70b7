"""Layers that learned from data in Keras have their vocabularies and statistics here.

`samples/words.keras` was written by `write_words.py`, with Keras 3.15.1.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

import seqonnx as sx
from seqonnx.errors import ModelFileError

pytest.importorskip("h5py")

SAMPLE = Path(__file__).with_name("samples") / "words.keras"
X = {
    "text": np.array([["good film"], ["so bad"]]),
    "word": np.array([["a", "z"], ["b", "b"]]),
    "number": np.array([[3, 4], [9, 3]]),
    "feature": np.array([[1.0, 2.0], [2.0, 5.0]], np.float32),
}
PREDICTED = [[-1.168932318687439, 0.8854062557220459], [-0.8174164295196533, -1.3252813816070557]]


def changed(tmp_path: Path, member: str, content: bytes) -> Path:
    """The sample with other content in one of its members."""
    path = tmp_path / "changed.keras"
    with zipfile.ZipFile(SAMPLE) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == member else old.read(name))
    return path


def test_model_predicts_as_in_keras():
    model = sx.load_model(SAMPLE)
    np.testing.assert_allclose(model.predict(X, verbose=0), PREDICTED, rtol=1e-4)
    words = model.get_layer("text_vectorization")
    assert words.get_vocabulary() == ["", "[UNK]", "film", "é", "good", "bad"]
    words.adapt(["other words"])
    assert (np.abs(model.predict(X, verbose=0) - PREDICTED) > 1e-4).any()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"[UNK]\na\na", "'string_lookup.*repeated term"),
        (b"\xff", "holds text that is none"),
    ],
)
def test_damaged_vocabulary_is_refused(tmp_path, content, text):
    with zipfile.ZipFile(SAMPLE) as archive:
        (member,) = (n for n in archive.namelist() if "string_lookup" in n and "assets" in n)
    with pytest.raises(ModelFileError, match=text):
        sx.load_model(changed(tmp_path, member, content))
