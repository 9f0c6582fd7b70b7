"""Data outside the folder of a model is named by `inspect`, not looked at, and never loaded."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import seqonnx as keras
from seqonnx import layers
from seqonnx.autodiff import gradients
from seqonnx.errors import ModelFileError
from seqonnx.report.collect import collect

links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


def network(location: str) -> onnx.ModelProto:
    """A product with a weight that lies elsewhere."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 5])
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "80")):
        weight.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def folder(tmp_path):
    """A folder with data inside, and data outside that is only half as long as a model says."""
    inside = tmp_path / "folder"
    (inside / "sub").mkdir(parents=True)
    (inside / "sub" / "weights").write_bytes(np.full(20, 7, np.float32).tobytes())
    (tmp_path / "secret").write_bytes(bytes(40))
    return inside


def written(folder: Path, location: str) -> Path:
    path = folder / "m.onnx"
    path.write_bytes(network(location).SerializeToString())
    return path


def locations(folder: Path) -> dict[str, str]:
    """Ways out of a folder."""
    if sys.platform != "win32":
        (folder / "link").symlink_to(folder.parent / "secret")
        (folder / "up").symlink_to(folder.parent)
        (folder / "first").symlink_to("link")
    return {
        "above": "../secret",
        "absolute": str(folder.parent / "secret"),
        "around": "sub/../../secret",
        "link": "link",
        "linked folder": "up/secret",
        "chain of links": "first",
        "of windows": "..\\secret",
        "drive": "C:\\secret",
        "share": "\\\\host\\secret",
    }


WAYS = (
    "above",
    "absolute",
    "around",
    *(pytest.param(name, marks=links) for name in ("link", "linked folder", "chain of links")),
    "of windows",
    "drive",
    "share",
)


@pytest.mark.parametrize("way", WAYS)
def test_inspect_says_that_data_lies_outside_and_does_not_look(folder, monkeypatch, way):
    location = locations(folder)[way]
    path = written(folder, location)
    looked = []
    for name in ("is_file", "stat"):
        original = getattr(Path, name)

        def spy(self, *args, original=original, **kwargs):
            looked.append(self)
            return original(self, *args, **kwargs)

        monkeypatch.setattr(Path, name, spy)
    notes = [note for note in collect(path).notes if "External" in note]
    assert len(notes) == 1
    assert f"{location!r} lies outside the folder of the model" in notes[0]
    assert all(seen == path for seen in looked)


def test_inspect_looks_at_data_inside(folder):
    for location in ("sub/weights", "sub/../sub/weights", "./sub/weights"):
        assert collect(written(folder, location)).notes == ()
    (folder / "sub" / "weights").write_bytes(bytes(10))
    assert "is truncated: 10 of 80 bytes" in collect(written(folder, "sub/weights")).notes[0]
    assert "is missing" in collect(written(folder, "weights")).notes[0]


@pytest.mark.parametrize("way", WAYS)
def test_nothing_loads_data_from_outside(folder, way, monkeypatch):
    location = locations(folder)[way]
    path = written(folder, location)
    (folder.parent / "secret").write_bytes(bytes(80))
    for load in (layers.ONNXModel, keras.load_model, lambda model: gradients(model, "y", "x")):
        with pytest.raises(ModelFileError, match=r"m\.onnx"):
            load(path)
    monkeypatch.chdir(folder)  # where the data of a ModelProto are looked for
    for load in (layers.ONNXModel, lambda model: gradients(model, "y", "x")):
        with pytest.raises(ModelFileError, match="Tensor 'w' of the model lies in"):
            load(network(location))


def test_data_inside_are_loaded(folder, monkeypatch):
    path = written(folder, "sub/weights")
    monkeypatch.chdir(folder)
    for model in (path, network("sub/weights")):
        np.testing.assert_array_equal(layers.ONNXModel(model).get_weights()[0], np.full((4, 5), 7))
    with pytest.raises(ModelFileError, match="no file in the working directory"):
        layers.ONNXModel(network("absent"))


@links
def test_inspect_passes_over_a_pipe(folder):
    os.mkfifo(folder / "pipe")
    assert "'pipe' is missing" in collect(written(folder, "pipe")).notes[0]
