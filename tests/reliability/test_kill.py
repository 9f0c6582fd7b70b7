"""A save that is killed leaves the old file or the new one, and the next save tidies up.

SEQONNX_KILLS=2000 python -m pytest tests/reliability/test_kill.py    # 100 kills by default
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import seqonnx as keras
from seqonnx.graph.writing import aside, replacing

pytest.importorskip("h5py", reason="`.weights.h5` needs h5py")

KILLS = int(os.environ.get("SEQONNX_KILLS", "100"))
SCRIPT = Path(__file__).parents[1] / "support" / "reliability" / "kills.py"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(keras.__file__).parents[1])}

forks = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor flock")


@forks
def test_killed_save_leaves_the_old_or_the_new_file_and_the_next_one_tidies_up(tmp_path):
    command = [sys.executable, str(SCRIPT), str(tmp_path), str(KILLS), "0"]
    result = subprocess.run(
        command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60 + KILLS
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["faults"] == []
    seen = report["seen"]
    total = {kind: sum(counts.get(kind, 0) for counts in seen.values()) for kind in ("old", "new")}
    assert sum(total.values()) == KILLS
    assert min(total.values()) > 0  # kills before and after the rename
    left = [counts.get("left", 0) for counts in seen.values()]
    assert sum(left) >= KILLS // 20  # kills that left something to tidy up
    for name in ("save", "data file"):
        model = keras.load_model(tmp_path / name / "m.onnx")
        np.testing.assert_array_equal(model.get_weights()[0], 1.0)
    for name, file in (("npz", "m.npz"), ("h5", "m.weights.h5")):
        model.set_weights([0 * weight for weight in model.get_weights()])
        model.load_weights(tmp_path / name / file)
        np.testing.assert_array_equal(model.get_weights()[0], 1.0)


WRITER = """
import sys, time
from pathlib import Path
from seqonnx.graph.writing import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"of another process")
    file.flush()
    print("writing", flush=True)
    sys.stdin.readline()
"""


@forks
def test_temporary_file_of_a_living_process_stays_and_that_of_a_killed_one_goes(tmp_path):
    path = tmp_path / "weights.npz"

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WRITER, str(path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen(command, env=ENVIRONMENT, text=True, **pipes)
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        return process

    with start() as killed, start() as living:
        assert len(list(tmp_path.iterdir())) == 2
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        with replacing(path) as file:
            file.write(b"mine")
        assert len(list(tmp_path.iterdir())) == 2  # the file, and what the living one writes
        assert path.read_bytes() == b"mine"
        living.communicate("go on\n")
    assert path.read_bytes() == b"of another process"
    assert list(tmp_path.iterdir()) == [path]


def test_writers_in_one_process_leave_each_other_alone(tmp_path):
    path = tmp_path / "weights.npz"
    with replacing(path) as one:
        one.write(b"one")
        with replacing(path) as other:
            other.write(b"other")
        assert path.read_bytes() == b"other"
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


NEIGHBOURS = (
    "m",
    "m.onnx.more",
    "M.onnx",
    "m.onn",
    ".m.onnx",
    "m.onnx.0123456789ab.data",
    "a name of more than twenty letters, one.onnx",
    "a name of more than twenty letters, two.onnx",
)


@pytest.mark.parametrize("name", [*NEIGHBOURS, "m.onnx"])
def test_files_of_neighbours_are_not_taken_for_abandoned_ones(tmp_path, name):
    left = {}
    for other in (*NEIGHBOURS, "m.onnx"):
        with aside(tmp_path / other) as temporary:
            left[other] = Path(temporary.file.name)
    for file in left.values():
        file.write_bytes(b"left by a killed process")
    for decoy in (".m.onnx.abcdefgh", "m.onnx.tmp", ".m.onnx.tmp", f"{left['m.onnx'].name}.mine"):
        (tmp_path / decoy).write_bytes(b"somebody's")
    before = set(tmp_path.iterdir())
    with replacing(tmp_path / name) as file:
        file.write(b"whole")
    assert set(tmp_path.iterdir()) == before - {left[name]} | {tmp_path / name}
