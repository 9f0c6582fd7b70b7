"""Which functions of Keras are here: all but those that say why not, with Keras's arguments."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from seqonnx import ops
from seqonnx.ops.missing import MISSING
from support.ops import CASES, find

HERE = Path(__file__).parent
NAMES = json.loads((HERE / "keras_names.json").read_text("utf-8"))
SIGNATURES = json.loads((HERE / "keras_signatures.json").read_text("utf-8"))
MODULES = {"image", "linalg", "nn", "numpy"}
TESTED_ELSEWHERE = {
    *("associative_scan", "cond", "fori_loop", "map", "scan", "switch", "vectorized_map"),
    *("while_loop", "vectorize", "get_item", "argpartition"),
    *("convert_to_numpy", "dtype", "is_tensor", "empty", "empty_like", "conj", "conjugate"),
    *("imag", "istft"),
}
"""Functions that take functions, and others whose results no table of arrays can hold."""


def test_each_name_of_keras_is_here_or_says_why_not():
    assert set(dir(ops)) == set(NAMES["ops"]) - set(MISSING)
    assert len(NAMES["ops"]) == 341
    assert len(set(dir(ops)) - MODULES) >= 315


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_have_the_names_of_those_of_keras(module):
    wanted = set(NAMES[module]) - set(MISSING)
    assert set(dir(getattr(ops, module))) == wanted
    for name in wanted:
        found = getattr(getattr(ops, module), name)
        assert module == "image" or found is getattr(ops, name)


@pytest.mark.parametrize("name", sorted(set(MISSING) & set(NAMES["ops"])))
def test_missing_function_says_why(name):
    with pytest.raises(AttributeError, match=f"`seqonnx.ops.{name}` of Keras is not here: it "):
        getattr(ops, name)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'sparkle'"):
        _ = ops.sparkle


@pytest.mark.parametrize(
    "name", [name for name in SIGNATURES if name.removeprefix("image.") not in MISSING]
)
def test_arguments_and_defaults_are_those_of_keras(name):
    parameters = inspect.signature(find(name)).parameters.values()
    mine = [str(p.replace(annotation=inspect.Parameter.empty)) for p in parameters]
    assert mine == SIGNATURES[name]


def test_each_function_has_a_case():
    tested = {case.name for case in CASES} | TESTED_ELSEWHERE
    assert {*dir(ops)} - MODULES - tested == set()
    assert {f"image.{name}" for name in dir(ops.image)} - tested == set()
