"""`graph/operators.pyi` is what the schemas of the standard say."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import onnx.defs

from seqonnx.graph import Emitter
from seqonnx.graph.versions import OPSET

ROOT = Path(__file__).resolve().parents[2]
STUB = ROOT / "seqonnx" / "graph" / "operators.pyi"
TOOL = runpy.run_path(str(ROOT / "tools" / "refresh" / "operators_stub.py"))


def methods() -> dict[str, ast.FunctionDef]:
    """The typed methods, by operator."""
    (operators,) = (n for n in ast.parse(STUB.read_text()).body if isinstance(n, ast.ClassDef))
    defined = [n for n in operators.body if isinstance(n, ast.FunctionDef)]
    return {n.name: n for n in defined if n.name != "emit"}


def test_stub_is_what_the_schemas_say():
    assert STUB.read_text("utf-8") == TOOL["render"](), (
        "the schemas or the generator changed: `python tools/refresh/refresh_golden.py operators`"
    )


def test_every_typed_operator_is_there_and_every_operator_is_typed():
    schemas = {s.name for s in onnx.defs.get_all_schemas() if s.domain == ""}
    standard = {name for name in schemas if onnx.defs.has(name, OPSET)}
    deprecated = {name for name in standard if onnx.defs.get_schema(name, OPSET, "").deprecated}
    assert set(methods()) == standard - deprecated
    op = Emitter()
    assert all(callable(getattr(op, name)) for name in methods())


def test_signature_of_a_method_is_that_of_the_standard():
    """`Conv` by the pages of the standard: X, W and B; W is needed, B is not."""
    given = methods()["Conv"].args
    assert [a.arg for a in given.posonlyargs] == ["self", "X", "W", "B"]
    assert len(given.defaults) == 1
    names = ["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]
    assert [a.arg for a in given.kwonlyargs] == names
    assert ast.unparse(given.kw_defaults[names.index("group")]) == "1"
