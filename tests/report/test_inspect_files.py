"""Files that are no models: one clear line, for whatever bytes a file holds."""

from __future__ import annotations

import random
from pathlib import Path

import onnx
import pytest
from onnx import helper

from seqonnx.errors import ModelFileError
from seqonnx.report.collect import collect
from seqonnx.report.read import read_model

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
SMALL = LIGHT / "light_squeezenet.onnx"


@pytest.fixture
def folder(tmp_path):
    """Files that are not models, under telling names."""
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "text.onnx").write_text("this is not a model\n" * 50)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4)
    (tmp_path / "archive.zip").write_bytes(b"PK\x03\x04" + bytes(500))
    (tmp_path / "zeros.onnx").write_bytes(bytes(1000))
    (tmp_path / "directory").mkdir()
    model = helper.make_model(
        helper.make_graph([], "g", [], []), opset_imports=[helper.make_opsetid("", 21)]
    )
    model.ClearField("graph")
    (tmp_path / "headless.onnx").write_bytes(model.SerializeToString())
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent.onnx", "no such file"),
        ("directory", "is a directory, not an ONNX file"),
        ("empty.onnx", "is empty (0 bytes)"),
        ("text.onnx", "not an ONNX model"),
        ("picture.png", "not an ONNX model"),
        ("archive.zip", "not an ONNX model"),
        ("zeros.onnx", "not an ONNX model"),
        ("headless.onnx", "it has no graph"),
        ("text.onnx/below", "cannot be read: Not a directory"),
        ("nul\0byte", "cannot be read"),
    ],
)
def test_what_is_no_model_is_named_with_its_reason(name, reason, folder):
    path = folder / name
    with pytest.raises(ModelFileError) as caught:
        read_model(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.99, -1])
def test_truncated_file_is_refused(share, tmp_path):
    if not SMALL.exists():
        pytest.skip("the onnx package has no light models")
    data = SMALL.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: -1 if share < 0 else int(len(data) * share)])
    with pytest.raises(ModelFileError, match=r"cut\.onnx: not an? (complete )?ONNX model"):
        read_model(path)


def test_file_above_the_limit_of_protobuf_is_refused_unread(tmp_path):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(2**31 + 1)  # sparse: takes no room
    with pytest.raises(ModelFileError, match="larger than 2 GiB"):
        read_model(path)


def test_damaged_bytes_give_a_report_or_a_clear_error(tmp_path):
    if not SMALL.exists():
        pytest.skip("the onnx package has no light models")
    data = SMALL.read_bytes()
    chance = random.Random(7)
    path = tmp_path / "damaged.onnx"
    outcomes = {"report": 0, "refused": 0}
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 3, 20))):
            damaged[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            report = collect(path)
        except ModelFileError:
            outcomes["refused"] += 1
        else:
            outcomes["report"] += 1
            assert sum(row.params for row in report.rows) == report.totals.params
    assert min(outcomes.values()) > 0
