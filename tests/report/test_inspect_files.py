"""Files that are no models: one clear line, for whatever bytes a file holds."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from seqonnx.cli import main
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


def write_huge(path, nbytes):
    """A product with a weight of `nbytes` inside the file, which takes no room on the disk."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[nbytes // 4, 1])
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, ["n", nbytes // 4])],
        [value("y", TensorProto.FLOAT, ["n", 1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    stated = weight.SerializeToString() + b"\x4a" + varint(nbytes)  # raw_data, field 9
    inner = graph.SerializeToString() + b"\x2a" + varint(len(stated) + nbytes) + stated
    model.ClearField("graph")
    outer = model.SerializeToString() + b"\x3a" + varint(len(inner) + nbytes) + inner
    path.write_bytes(outer)
    with path.open("r+b") as file:
        file.truncate(len(outer) + nbytes)


def varint(number):
    """A number as protobuf writes it."""
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


@pytest.mark.skipif(sys.platform != "linux", reason="sparse files, and memory as Linux counts it")
def test_weights_in_a_file_above_the_limit_of_protobuf_take_no_memory(tmp_path):
    path = tmp_path / "huge.onnx"
    write_huge(path, 5 * 2**30)
    script = (
        "import json, re, sys\n"
        "from pathlib import Path\n"
        "from seqonnx.report.collect import collect\n"
        "def peak():\n"
        "    return int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        "before = peak()\n"
        f"report = collect({str(path)!r})\n"
        "json.dump([report.totals.weight_bytes, report.file_bytes, peak(), peak() - before],"
        " sys.stdout)"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    weight_bytes, file_bytes, peak, taken = json.loads(output.stdout)
    assert weight_bytes == 5 * 2**30
    assert file_bytes == path.stat().st_size
    assert peak < 150 * 1024  # kilobytes
    assert taken < 40 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="sparse files")
def test_what_needs_a_session_refuses_such_a_file_at_once(tmp_path, capsys):
    path = tmp_path / "huge.onnx"
    write_huge(path, 2**31)
    for option in ("--check", "--providers=cpu"):
        assert main(["inspect", str(path), option]) == 1
        error = capsys.readouterr().err
        assert "is larger than 2 GiB" in error
        assert "--check and --providers need its weights as external data" in error
    assert main(["inspect", str(path)]) == 0


def test_weights_in_a_file_are_not_called_external(tmp_path):
    path = tmp_path / "m.onnx"
    write_huge(path, 8192)
    report = collect(path)
    assert report.external_bytes == 0
    assert report.notes == ()


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
