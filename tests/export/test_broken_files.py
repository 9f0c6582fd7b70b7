"""Broken, foreign and absent files are named; a write that fails leaves the old file whole."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import ModelFileError
from seqonnx.graph import writing
from seqonnx.models import saving as model_files


def make_model(units: int = 40) -> keras.Sequential:
    model = keras.Sequential([keras.Input((30,)), layers.Dense(units), layers.Dense(3)])
    model.compile("adam", "mse")
    return model


def test_absent_and_damaged_files_are_named(tmp_path):
    path = tmp_path / "m.onnx"
    with pytest.raises(ModelFileError, match=r"^File not found: .*m\.onnx"):
        keras.load_model(path)
    with pytest.raises(ModelFileError, match="File not found"):
        keras.load_model(tmp_path)
    make_model(2).save(path)
    whole = path.read_bytes()
    assert len(whole) < 20_000
    rng = np.random.default_rng(0)
    for size in (0, 1, 10, *rng.integers(10, len(whole), 40), len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelFileError, match=r"m\.onnx"):
            keras.load_model(path)
    path.write_bytes(rng.bytes(5000))
    with pytest.raises(ModelFileError, match=r"m\.onnx"):
        keras.load_model(path)


def test_file_cut_between_its_parts_is_not_taken_for_an_untrained_model(tmp_path):
    path = tmp_path / "m.onnx"
    make_model(2).save(path)
    proto = onnx.load(path)
    del proto.training_info[:]
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelFileError, match="the training state is missing"):
        keras.load_model(path)


def test_file_that_save_did_not_write_is_refused(tmp_path):
    path = tmp_path / "m.onnx"
    make_model().export(path)
    with pytest.raises(ModelFileError, match=r"m\.onnx does not hold a model saved by seqonnx"):
        keras.load_model(path)


WRITERS = {
    "save": ("m.onnx", lambda model, path: model.save(path)),
    "export": ("m.onnx", lambda model, path: model.export(path)),
    "weights": ("m.npz", lambda model, path: model.save_weights(path)),
    "external": (
        "m.onnx",
        lambda model, path: model_files.save(model._sessions, path, external_from=1),
    ),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, kind, failing):
    name, write = WRITERS[kind]
    write(make_model(2), tmp_path / name)
    before = contents(tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writing.os, failing, full)
    with pytest.raises(OSError, match="No space left on device"):
        write(make_model(3), tmp_path / name)
    monkeypatch.undo()
    assert contents(tmp_path) == before
    write(make_model(3), tmp_path / name)
    assert contents(tmp_path) != before


def test_second_file_of_a_pair_failing_takes_the_first_away(tmp_path, monkeypatch):
    write = WRITERS["external"][1]
    write(make_model(2), tmp_path / "m.onnx")
    before = contents(tmp_path)
    assert len(before) == 2
    calls = []
    original = os.fsync

    def full_at_the_model(handle):
        calls.append(handle)
        if len(calls) > 2:  # data file, its folder, model
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(handle)

    monkeypatch.setattr(writing.os, "fsync", full_at_the_model)
    with pytest.raises(OSError, match="No space left"):
        write(make_model(3), tmp_path / "m.onnx")
    monkeypatch.undo()
    assert contents(tmp_path) == before


FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import seqonnx as keras
from seqonnx import layers
model = keras.Sequential([keras.Input((30,)), layers.Dense(4000), layers.Dense(3)])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    model.save(sys.argv[1])
except OSError as error:
    sys.exit(f"refused: {error}")
"""


def test_file_system_that_refuses_more_bytes_leaves_the_old_file(tmp_path):
    pytest.importorskip("resource")
    make_model(2).save(tmp_path / "m.onnx")
    before = contents(tmp_path)
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "m.onnx")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(keras.__file__).parents[1])},
    )
    assert "refused: [Errno 27] File too large" in result.stderr
    assert contents(tmp_path) == before
    keras.load_model(tmp_path / "m.onnx")


def test_large_weights_go_to_a_data_file_that_everyone_finds(tmp_path):
    path = tmp_path / "m.onnx"
    model = make_model(40)
    x, y = np.ones((8, 30), np.float32), np.ones((8, 3))
    model.fit(x, y, verbose=0)
    model_files.save(model._sessions, path, external_from=1000)
    (data,) = set(tmp_path.iterdir()) - {path}
    assert data.name.startswith("m.onnx.")
    assert path.stat().st_size < 10_000 < data.stat().st_size
    (got,) = onnxruntime.InferenceSession(path).run(None, {"input": x})
    np.testing.assert_allclose(got, model.predict(x, verbose=0), atol=1e-5)
    onnx.checker.check_model(path, full_check=True)
    loaded = keras.load_model(path)
    for one in (model, loaded):
        one.fit(x, y, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # Writing again leaves no data file of before, and one of another model alone.
    other = tmp_path / "m.onnx.mine.data"
    other.write_bytes(b"mine")
    model_files.save(model._sessions, path, external_from=1000)
    assert len(list(tmp_path.iterdir())) == 3
    assert not data.exists()
    keras.load_model(path)
    model.save(path)
    assert set(tmp_path.iterdir()) == {path, other}


@pytest.mark.parametrize("damage", ["absent", "truncated"])
def test_data_file_that_is_absent_or_short_is_named(tmp_path, damage):
    path = tmp_path / "m.onnx"
    model_files.save(make_model()._sessions, path, external_from=1000)
    (data,) = set(tmp_path.iterdir()) - {path}
    if damage == "absent":
        data.unlink()
    else:
        data.write_bytes(data.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match=r"The weights of .*m\.onnx lie in a data file"):
        keras.load_model(path)


def test_link_and_permissions_of_the_file_stay(tmp_path):
    path, link = tmp_path / "m.onnx", tmp_path / "link.onnx"
    make_model(2).export(path)
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    path.chmod(0o640)
    link.symlink_to(path)
    make_model(3).export(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    session = onnxruntime.InferenceSession(path)
    assert session.get_inputs()[0].shape == ["batch", 30]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
