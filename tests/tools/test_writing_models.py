"""The models that write: trained as Keras trains them, exported, they go on with a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from support.models import text_models
from support.models.text_models import LENGTH

ROOT = Path(__file__).resolve().parents[2]
RECORDED = json.loads((ROOT / "tests/support/models/recorded_text.json").read_text("utf-8"))


@pytest.mark.parametrize("name", text_models.SIZES)
def test_program_is_short(name):
    assert len((ROOT / f"models/{name}.py").read_text("utf-8").splitlines()) <= 60


@pytest.mark.parametrize("name", text_models.SIZES)
def test_program_trains_as_in_keras_and_its_file_writes(name, load, tmp_path):
    program = load(f"models/{name}.py")
    model = program.build(**text_models.SIZES[name])
    losses = text_models.train(keras, model, name)
    # The same program, weights and batches in Keras: RECORDED holds its version. Rounding differs,
    # and every step passes the difference on.
    np.testing.assert_allclose(losses, RECORDED[name], rtol=1e-4)
    assert losses[-1] < losses[0] / 3

    path = tmp_path / "model.onnx"
    model.export(path)
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    codes, _ = text_models.parts()
    (outputs,) = session.run(None, {"codes": codes[:5]})
    np.testing.assert_allclose(outputs, model.predict(codes[:5], verbose=0), rtol=1e-4, atol=1e-6)

    begun = text_models.text()[:LENGTH]
    written = program.write(str(path), begun, 12)
    assert written.startswith(begun)
    for end in range(LENGTH, LENGTH + 12):  # each character is the one that `predict` finds
        seen = np.frombuffer(written[:end].encode("ascii"), np.uint8).astype(np.int32)
        seen = seen[-LENGTH:] if name == "transformer" else seen
        probabilities = model.predict(seen[np.newaxis], verbose=0)[0, -1]
        assert ord(written[end]) == probabilities.argmax()


@pytest.mark.parametrize("name", text_models.SIZES)
def test_program_runs_on_a_text_of_the_user(name, run_script, tmp_path):
    (tmp_path / "text.txt").write_text(text_models.text(4), "ascii")
    result = run_script(f"models/{name}.py", "text.txt")
    assert result.returncode == 0, result.stderr
    assert text_models.text(4)[:32] in result.stdout
    assert (tmp_path / f"{name}.onnx").is_file()
