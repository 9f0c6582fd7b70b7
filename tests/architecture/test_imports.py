"""Rooms import downward only, and importing the package stays light.

The contract itself stands in `pyproject.toml` under `[tool.importlinter]`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LINT = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
)

HEAVY = (
    "h5py",
    "keras",
    "onnx_ir",
    "onnxruntime",
    "onnxscript",
    "sklearn",
    "sympy",
    "tensorflow",
    "torch",
)

ROOMS = (
    "activations",
    "applications",
    "autodiff",
    "callbacks",
    "catalogue",
    "cli",
    "config",
    "configuration",
    "constraints",
    "datasets",
    "dtypes",
    "errors",
    "export",
    "graph",
    "importers",
    "initializers",
    "layers",
    "losses",
    "lowering",
    "metrics",
    "models",
    "objectives",
    "optimizers",
    "regularizers",
    "report",
    "runtime",
    "symbolic",
    "training",
)


def python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter that finds packages in `cwd` first."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture
def house(tmp_path):
    """A package with every room, all of them empty, under the real contract."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"), "utf-8")
    for package in ("seqonnx", *(f"seqonnx/{room}" for room in ROOMS)):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("", "utf-8")
    return tmp_path


def test_package_keeps_the_contract():
    result = python(LINT, ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_empty_house_keeps_the_contract(house):
    result = python(LINT, house)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("graph", "import seqonnx.layers"),
        ("autodiff", "from seqonnx.runtime import session"),
        ("dtypes", "from seqonnx import errors"),
        ("layers", "def f():\n    from seqonnx import losses"),
        ("optimizers", "from seqonnx import layers"),
        ("datasets", "import seqonnx.metrics"),
        ("symbolic", "import seqonnx.layers"),
        ("callbacks", "import seqonnx.training"),
        ("report", "import seqonnx.export"),
        ("training", "import seqonnx.models"),
        ("models", "import seqonnx.applications"),
        ("applications", "import seqonnx.cli"),
    ],
)
def test_contract_forbids_an_import_upward_or_sideways(house, room, line):
    (house / "seqonnx" / room / "__init__.py").write_text(line + "\n", "utf-8")
    result = python(LINT, house)
    assert result.returncode == 1
    assert f"seqonnx.{room} -> seqonnx." in result.stdout


def test_contract_forbids_a_detour_through_the_package_itself(house):
    (house / "seqonnx" / "__init__.py").write_text("from seqonnx import models\n", "utf-8")
    (house / "seqonnx" / "graph" / "__init__.py").write_text("import seqonnx\n", "utf-8")
    assert python(LINT, house).returncode == 1


def test_new_room_must_be_declared(house):
    (house / "seqonnx" / "helpers.py").write_text("", "utf-8")
    result = python(LINT, house)
    assert result.returncode == 1
    assert "helpers" in result.stdout


@pytest.mark.parametrize(
    "module",
    [
        *("", ".cli", ".config", ".datasets", ".dtypes", ".errors", ".runtime"),
        *(".report.collect", ".report.render", ".report.serialize"),  # `seqonnx inspect`
    ],
)
def test_import_loads_no_heavy_package(module):
    code = f"import seqonnx{module}, sys; print(*sys.modules)"
    result = python(code, ROOT)
    assert result.returncode == 0, result.stderr
    loaded = set(result.stdout.split())
    assert f"seqonnx{module}" in loaded
    assert loaded.isdisjoint(HEAVY), sorted(loaded & set(HEAVY))
