"""A type checker finds a user's mistakes, and knows what calls return: mypy on a small program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

mypy = pytest.importorskip("mypy.api", reason="the check of the types needs mypy")

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import numpy as np
import onnx_ir as ir

import seqonnx as keras
from seqonnx.graph import Emitter
from seqonnx.layers import Dense, Dropout, Layer

entry = keras.Input((4,))
data = np.ones((2, 4), np.float32)
model = keras.Sequential([entry, Dense(3)])

reveal_type(Dense(3)(entry))  # SymbolicTensor
reveal_type(Dense(3)([entry]))  # SymbolicTensor
reveal_type(Dense(3)(data))  # ndarray
reveal_type(model(entry))  # SymbolicTensor
reveal_type(model(data))  # ndarray
reveal_type(model.predict(data))  # ndarray
reveal_type(model.predict_on_batch(data))  # ndarray
reveal_type(model.fit(data, data))  # History
reveal_type(keras.losses.MeanSquaredError()([1.0], [2.0]))  # float | ndarray
model.compile("adam", "mse", metric=["mae"])  # error: Unexpected keyword argument "metric"
keras.optimizers.Adam(lr=0.1)  # error: Unexpected keyword argument "lr" for "Adam"
keras.optimizers.SGD(0.1, clip_norm=1.0)  # error: Unexpected keyword argument "clip_norm"
keras.optimizers.AdamW(clipnorm="1")  # error: incompatible type "str"; expected "float | None"
Dense(3, unit=4)  # error: Unexpected keyword argument "unit" for "Dense"
Dropout(0.5, trainabel=True)  # error: Unexpected keyword argument "trainabel" for "Dropout"
Dense(3, name=3)  # error: incompatible type "int"; expected "str | None"


class Scale(Layer):
    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        op.MatMull(x, 2.0)  # error: "Emitter" has no attribute "MatMull"
        op.Relu(1.0, 2.0)  # error: Too many arguments for "Relu"
        op.Softmax(1.0, axes=1)  # error: Unexpected keyword argument "axes" for "Softmax"
        op.Concat(1.0, 2.0)  # error: Missing named argument "axis" for "Concat"
        reveal_type(op.TopK(x, [2], _outputs=2))  # tuple[onnx_ir._core.Value, onnx_ir._core.Value]
        reveal_type(op.Split(1.0, [2, 2], _outputs=2))  # tuple[onnx_ir._core.Value, ...]
        return op.Mul(1.0, 2.0)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[str]]:
    """The findings of mypy in the program, by line."""
    file = tmp_path_factory.mktemp("types") / "program.py"
    file.write_text(PROGRAM, "utf-8")
    warm = ROOT / ".mypy_cache"  # of a run over the package: 2 seconds in place of 14
    cache = warm if warm.is_dir() else file.parent / "cache"
    config = ROOT / "pyproject.toml"
    printed, failed, _ = mypy.run(
        [f"--config-file={config}", f"--cache-dir={cache}", "--hide-error-context", str(file)]
    )
    assert failed == "", failed
    lines: dict[int, list[str]] = {}
    for name, line, text in re.findall(r"^(\S+?):(\d+): (.*)$", printed, flags=re.MULTILINE):
        assert Path(name).name == file.name, printed
        lines.setdefault(int(line), []).append(text)
    return lines


EXPECTED = [
    (number, *line.split("  # "))
    for number, line in enumerate(PROGRAM.splitlines(), 1)
    if "  # " in line
]


@pytest.mark.parametrize(("number", "code", "wanted"), EXPECTED)
def test_type_checker_says(found, number, code, wanted):
    said = " ".join(found.get(number, []))
    if wanted.startswith("error: "):
        assert "error: " in said
        assert wanted.removeprefix("error: ") in said
    else:
        (revealed,) = re.findall(r'Revealed type is "(.*)"', said)
        parts = [part.split("[")[0].split(".")[-1] for part in revealed.split(" | ")]
        assert wanted in (revealed, " | ".join(parts))


def test_type_checker_says_nothing_else(found):
    assert set(found) == {number for number, *_ in EXPECTED}
