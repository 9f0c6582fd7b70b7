"""Hostile files are refused: nothing is run, nothing outside the file is read, nothing explodes."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

import seqonnx as sx
from seqonnx import layers
from seqonnx.errors import ModelFileError

h5py = pytest.importorskip("h5py")

SAMPLE = Path(__file__).with_name("samples") / "chain.keras"


def model() -> sx.Sequential:
    return sx.Sequential([sx.Input((3,)), layers.Dense(2)])


def members() -> dict[str, bytes]:
    with zipfile.ZipFile(SAMPLE) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_archive(path: Path, content: dict[str, bytes], method=zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def config() -> dict:
    return json.loads(members()["config.json"])


def with_config(path: Path, changed) -> None:
    write_archive(path, members() | {"config.json": json.dumps(changed).encode()})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bad.keras"


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "assets/../../evil", "..\\evil", "C:\\evil", "C:/evil"]
)
def test_path_that_leaves_the_archive(path, tmp_path, name):
    write_archive(path, {**members(), name: b"x"})
    for read in (sx.load_model, model().load_weights):
        with pytest.raises(ModelFileError, match="leads out of the archive"):
            read(path)
    assert [file.name for file in tmp_path.iterdir()] == ["bad.keras"]


def test_member_that_is_there_twice(path):
    write_archive(path, members())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("config.json", b"{}")
    with pytest.raises(ModelFileError, match=r"holds 'config.json' twice"):
        sx.load_model(path)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "assets/more"])
def test_zip_bomb(path, name):
    write_archive(path, {**members(), name: bytes(1 << 25)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ModelFileError, match="decompression bomb"):
        sx.load_model(path)


def test_member_that_claims_less_than_it_holds(path):
    write_archive(path, members())
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02", 0, raw.rindex(b"model.weights.h5"))
    raw[at + 24 : at + 28] = (100).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(ModelFileError, match=r"bad\.keras"):
        sx.load_model(path)


def test_encrypted_member(path):
    write_archive(path, members())
    raw = bytearray(path.read_bytes())
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(ModelFileError, match="is encrypted"):
        sx.load_model(path)


@pytest.mark.parametrize("missing", ["config.json", "model.weights.h5"])
def test_archive_without_a_part(path, missing):
    write_archive(path, {name: data for name, data in members().items() if name != missing})
    with pytest.raises(ModelFileError, match=f"is not a `.keras` file: it holds no {missing}"):
        sx.load_model(path)


def test_archive_that_is_absent_or_none(path):
    with pytest.raises(ModelFileError, match=r"File not found: filepath=.*accessible `.keras` zip"):
        sx.load_model(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(ModelFileError, match=r"not a whole `.keras` zip file"):
        sx.load_model(path)


@pytest.mark.parametrize(
    "text", [b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"{}", b'{"class_name": "Sequential"}']
)
def test_configuration_that_is_none(path, text):
    write_archive(path, members() | {"config.json": text})
    with pytest.raises(ModelFileError):
        sx.load_model(path)


class Bang:
    def __reduce__(self):
        return (Path.touch, (Path("touched-by-pickle"),))


LAMBDA = {
    "module": "keras.layers",
    "class_name": "Lambda",
    "config": {
        "name": "evil",
        "function": {
            "class_name": "__lambda__",
            "config": {"code": "4wEAAAA=", "defaults": None, "closure": None},
        },
    },
}


@pytest.mark.parametrize("nested", [False, True])
def test_lambda_layer(path, nested):
    changed = config()
    entries = changed["config"]["layers"]
    inner = {"module": "keras", "class_name": "Sequential"}
    inner["config"] = {"name": "s", "layers": [LAMBDA]}
    entries.append(inner if nested else LAMBDA)
    with_config(path, changed)
    with pytest.raises(ModelFileError, match=r"'evil' \(Lambda\) holds Python code, which is nev"):
        sx.load_model(path)


@pytest.mark.parametrize(
    "value",
    [
        LAMBDA["config"]["function"],
        {"class_name": "__pickle__", "config": {"value": "gASV"}},
        {"module": "builtins", "class_name": "function", "config": "eval"},
        {"module": "os", "class_name": "function", "config": "system"},
    ],
)
def test_code_as_an_argument(path, value):
    changed = config()
    dense = next(e for e in changed["config"]["layers"] if e["class_name"] == "Dense")
    dense["config"]["activation"] = value
    with_config(path, changed)
    with pytest.raises(ModelFileError, match=r"Python code|Pass it in `custom_objects`"):
        sx.load_model(path)


def test_class_of_a_foreign_module_is_not_imported(path):
    changed = config()
    changed["config"]["layers"].append(
        {"module": "os", "class_name": "Dense", "config": {"name": "x", "units": 1}}
    )
    with_config(path, changed)
    with pytest.raises(ModelFileError, match=r"no layer for Dense \(layers: x\)"):
        sx.load_model(path)


def test_pickle_in_the_place_of_weights(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_archive(path, members() | {"model.weights.h5": pickle.dumps(Bang())})
    with pytest.raises(ModelFileError, match="not a whole HDF5 file"):
        sx.load_model(path)
    assert not (tmp_path / "touched-by-pickle").exists()


def secret(tmp_path: Path) -> Path:
    other = tmp_path / "secret.h5"
    with h5py.File(other, "w") as file:
        file["layers/dense/vars/0"] = np.ones((3, 2), "float32")
        file["layers/dense/vars/1"] = np.ones(2, "float32")
        file["raw"] = np.ones((3, 2), "float32")
    return other


@pytest.mark.parametrize(
    "at", ["layers", "layers/dense", "layers/dense/vars", "layers/dense/vars/0"]
)
@pytest.mark.parametrize("kind", ["external", "soft"])
def test_link_to_elsewhere(tmp_path, at, kind):
    other, path = secret(tmp_path), tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        if kind == "external":
            file[at] = h5py.ExternalLink(str(other), at)
        else:
            with h5py.File(other) as source:
                source.copy("layers", file, "there")
            file[at] = h5py.SoftLink(at.replace("layers", "/there", 1))
        if at.endswith("0"):
            file["layers/dense/vars/1"] = np.ones(2, "float32")
    net = model()
    before = net.get_weights()
    with pytest.raises(ModelFileError, match=r"is a link to another place \((External|Soft)Link\)"):
        net.load_weights(path)
    np.testing.assert_array_equal(before[0], net.get_weights()[0])


@pytest.mark.parametrize("kind", ["raw", "virtual"])
def test_data_in_other_files(tmp_path, kind):
    other, path = secret(tmp_path), tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/1"] = np.ones(2, "float32")
        group = file["layers/dense/vars"]
        if kind == "raw":
            where = [(str(other), 0, 24)]
            group.create_dataset("0", (3, 2), "float32", external=where)
        else:
            layout = h5py.VirtualLayout((3, 2), "float32")
            layout[:] = h5py.VirtualSource(str(other), "raw", (3, 2))
            group.create_virtual_dataset("0", layout)
    with pytest.raises(ModelFileError, match="refers to data in other files"):
        model().load_weights(path)


@pytest.mark.parametrize("value", [["a", "b"], [b"\x80\x04"]])
def test_data_that_is_no_numbers(tmp_path, value):
    path = tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = value
        file["layers/dense/vars/1"] = np.ones(2, "float32")
    with pytest.raises(ModelFileError, match="holds no numbers"):
        model().load_weights(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_data_set_that_expands(tmp_path, legacy):
    path = tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        huge = {"shape": (1 << 40,), "dtype": "float32", "chunks": (1 << 20,), "compression": 1}
        if legacy:
            file.attrs["layer_names"] = ["d"]
            file.create_group("d").attrs["weight_names"] = ["k", "b"]
            file["d"].create_dataset("k", **huge)
        else:
            file["layers/dense/vars/1"] = np.ones(2, "float32")
            file["layers/dense/vars"].create_dataset("0", **huge)
    with pytest.raises(ModelFileError, match="claims 4,398,046,511,104 bytes"):
        model().load_weights(path)


def test_group_in_the_place_of_data(tmp_path):
    path = tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_group("layers/dense/vars/0")
        file["layers/dense/vars/1"] = np.ones(2, "float32")
    with pytest.raises(ModelFileError, match="'0' is not a data set"):
        model().load_weights(path)


def test_weights_of_another_model_inside_the_archive(path):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["layers/dense/vars/0"] = np.ones((1, 1))
    write_archive(path, members() | {"model.weights.h5": content.getvalue()})
    with pytest.raises(ValueError, match="objects could not be loaded"):
        sx.load_model(path)
