"""Files of earlier versions load, go on training as recorded, and run as recorded.

The sets in `fixtures/` were written by `write_fixtures.py` at the commits that their records name.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnxruntime
import pytest

import seqonnx as keras

pytest.importorskip("h5py", reason="the script and `.weights.h5` need h5py")

from support.compatibility.builders import CASES, CUSTOM
from support.compatibility.write_fixtures import FIXTURES, RECORD, go_on, predictions
from support.compatibility.write_fixtures import main as write_set

RECORDS = {
    folder.name: json.loads((folder / RECORD).read_text("utf-8"))
    for folder in sorted(FIXTURES.iterdir())
}
MODELS = [(name, model) for name, record in RECORDS.items() for model in record["models"]]
SAVED = [
    (name, file)
    for name, record in RECORDS.items()
    for file in record["files"]
    if file.endswith(".onnx") and not file.endswith(".export.onnx")
]
WEIGHTS = [
    (name, file)
    for name, record in RECORDS.items()
    for file in record["files"]
    if file.endswith((".npz", ".weights.h5"))
]


def recorded(name: str, file: str):
    """The case of a file and what was recorded of it."""
    model = file.partition(".")[0]
    return CASES[model], RECORDS[name]["models"][model]


def close(case, got, wanted) -> bool:
    return np.allclose(got, wanted, rtol=case.rtol, atol=case.rtol)


def loaded(name: str, file: str) -> keras.Model:
    return keras.load_model(FIXTURES / name / file, custom_objects=CUSTOM)


@pytest.mark.parametrize(("name", "file"), SAVED)
def test_saved_model_goes_on_training_as_recorded(name, file):
    case, wanted = recorded(name, file)
    model = loaded(name, file)
    assert close(case, predictions(model, case), wanted["predictions"])
    got = go_on(model, case)
    assert close(case, got["losses"], wanted["losses"])
    assert set(got["history"]) == set(wanted["history"])
    for key, values in wanted["history"].items():
        assert close(case, got["history"][key], values), key
    assert close(case, got["then"], wanted["then"])


@pytest.mark.parametrize(("name", "file"), WEIGHTS)
def test_weights_load_into_a_fresh_model(name, file):
    case, wanted = recorded(name, file)
    model = case.build()
    assert not close(case, predictions(model, case), wanted["predictions"])
    model.load_weights(FIXTURES / name / file)
    assert close(case, predictions(model, case), wanted["predictions"])


@pytest.mark.parametrize(("name", "model"), MODELS)
def test_export_gives_the_recorded_predictions(name, model):
    case, wanted = recorded(name, model)
    session = onnxruntime.InferenceSession(FIXTURES / name / f"{model}.export.onnx")
    x, _ = case.data(3, seed=9)
    data = x if isinstance(x, list) else [x]
    feed = {value.name: array for value, array in zip(session.get_inputs(), data, strict=True)}
    (got,) = session.run(None, feed)
    # What is folded into a kernel rounds otherwise.
    assert np.allclose(got, wanted["predictions"], rtol=10 * case.rtol, atol=10 * case.rtol)


@pytest.mark.parametrize("name", RECORDS)
def test_no_file_is_without_a_test_or_was_changed(name):
    folder, record = FIXTURES / name, RECORDS[name]
    found = {path.name for path in folder.iterdir()} - {RECORD}
    assert found == set(record["files"])
    for file, digest in record["files"].items():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest, file
    tested = {file for set_name, file in SAVED + WEIGHTS if set_name == name}
    tested |= {f"{model}.export.onnx" for model in record["models"]}
    beside = {file for file in found if file.endswith(".data")}  # read with the model it is of
    assert found - tested == beside
    assert {file.partition(".")[0] for file in found} == set(record["models"])
    for kind in (".onnx", ".export.onnx", ".npz", ".weights.h5"):
        assert {f"{model}{kind}" for model in record["models"]} <= found


def test_set_that_exists_is_not_overwritten(capsys):
    name = next(iter(RECORDS))
    before = {path: path.stat().st_mtime_ns for path in (FIXTURES / name).iterdir()}
    with pytest.raises(SystemExit):
        write_set([name])
    error = capsys.readouterr().err
    assert "exists" in error
    assert "--overwrite" in error
    assert {path: path.stat().st_mtime_ns for path in (FIXTURES / name).iterdir()} == before
