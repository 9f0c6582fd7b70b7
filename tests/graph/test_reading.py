"""Reading a graph means the same in every room: domains, scopes, constants, known sizes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import seqonnx
from seqonnx.graph import Emitter
from seqonnx.graph.reading import (
    UnknownRankError,
    bytes_of,
    canonical_domain,
    constant_ints,
    constant_number,
    constant_of,
    float_attribute,
    gradient_scope,
    input_at,
    is_gradient,
    is_in,
    is_op,
    is_standard,
    known_rank,
    known_sizes,
    layer_of,
    scope_of,
    static_shape,
    subgraphs_of,
)

HOUSE = Path(seqonnx.__file__).parent
READING = "graph/reading.py"


@pytest.mark.parametrize("domain", ["", "ai.onnx"])
@pytest.mark.parametrize("as_proto", [False, True], ids=["ir", "proto"])
def test_both_spellings_of_the_standard_domain_are_standard(domain, as_proto):
    node = ir.Node(domain, "Conv", [])
    if as_proto:
        node = onnx.NodeProto(op_type="Conv", domain=domain)
    assert is_standard(node)
    assert is_op(node, "Relu", "Conv")
    assert not is_op(node, "Relu")
    assert canonical_domain(domain) == ""


@pytest.mark.parametrize("domain", ["com.microsoft", "com.microsoft.nchwc", "ai.onnx.ml"])
def test_an_operator_of_another_domain_is_not_standard_whatever_its_name(domain):
    node = ir.Node(domain, "Conv", [])
    assert not is_standard(node)
    assert not is_op(node, "Conv")
    assert canonical_domain(domain) == domain


@pytest.mark.parametrize(
    ("name", "scope", "layer", "gradient"),
    [
        ("dense/MatMul", "dense", "dense", False),
        ("block/conv/Conv", "block/conv", "block/conv", False),
        ("grad/dense/MatMul", "grad/dense", "dense", True),
        ("grad2/block/conv/Conv", "grad2/block/conv", "block/conv", True),
        ("grad/Add", "grad", "", True),
        ("grad/recompute/dense/MatMul", "grad/recompute/dense", "recompute/dense", True),
        ("gradient/MatMul", "gradient", "gradient", False),
        ("grad", "", "", False),
        ("Add", "", "", False),
        ("", "", "", False),
    ],
)
def test_a_name_tells_scope_layer_and_whether_it_is_a_gradient(name, scope, layer, gradient):
    node = ir.Node("", "Add", [], name=name)
    assert (scope_of(node), layer_of(node), is_gradient(node)) == (scope, layer, gradient)
    assert (scope_of(name), layer_of(name), is_gradient(name)) == (scope, layer, gradient)
    assert layer_of(onnx.NodeProto(name=name)) == layer


def test_a_node_without_a_name_stands_in_no_scope():
    assert scope_of(ir.Node("", "Add", [])) == ""
    assert not is_in(ir.Node("", "Add", []), "loss")


def test_gradients_of_gradients_count_their_order():
    scopes = ["dense"]
    for _ in range(3):
        scopes.append(gradient_scope(scopes[-1]))
    assert scopes == ["dense", "grad/dense", "grad2/dense", "grad3/dense"]
    assert gradient_scope(gradient_scope("")) == "grad2"


def test_only_the_outermost_scope_says_what_a_node_is_in():
    assert is_in("optimizer/Mul", "optimizer", "loss")
    assert not is_in("dense/loss/Mul", "loss")
    assert not is_in("loss", "loss")


def test_a_value_is_constant_only_where_no_run_can_change_it():
    op = Emitter()
    x = op.input("x", "int64", (2,))
    fixed = op.constant(np.array([[1], [2]], np.int64))
    assert constant_of(x) is None
    assert constant_of(None) is None
    assert constant_of(op.Neg(x)) is None
    assert constant_ints(fixed) == [1, 2]
    assert constant_number(fixed) is None
    assert constant_number(op.constant(np.array([0.5], np.float32))) == 0.5
    # An initializer that is a graph input, too, is only a default.
    op.graph.inputs.append(fixed)
    assert constant_of(fixed) is None


def test_sizes_are_known_only_where_all_are():
    op = Emitter()
    assert known_sizes(op.input("a", "float32", (2, 3))) == (2, 3)
    assert known_sizes(op.input("b", "float32", ())) == ()
    free = op.input("c", "float32", ("batch", 3))
    assert known_sizes(free) is None
    assert (known_rank(free), static_shape(free)) == (2, ("batch", 3))
    unknown = ir.Value(name="d")
    assert (known_sizes(unknown), known_rank(unknown), known_rank(None)) == (None, None, None)
    with pytest.raises(UnknownRankError, match="'d'"):
        static_shape(unknown)


def test_the_bytes_of_a_value_follow_from_its_sizes_and_its_dtype():
    op = Emitter()
    assert bytes_of(op.input("a", "float16", (2, 3))) == 12
    assert bytes_of(op.input("b", "int64", ())) == 8
    # Of a batch of unknown size they are a guess, but twice as wide counts twice.
    narrow, wide = (op.input(f"c{n}", "float32", ("batch", n)) for n in (3, 6))
    assert 2 * bytes_of(narrow) == bytes_of(wide) > 24


def test_an_attribute_has_the_digits_that_a_file_keeps():
    node = ir.node("LeakyRelu", [ir.Value(name="x")], {"alpha": 0.1})
    assert float_attribute(node, "alpha", 0.0) == float(np.float32(0.1))
    assert float_attribute(node, "beta", 0.3) == float(np.float32(0.3))


def test_an_input_that_is_left_out_is_none_at_the_end_as_in_the_middle():
    x = ir.Value(name="x")
    node = ir.node("Clip", [x, None])
    assert input_at(node, 0) is x
    assert (input_at(node, 1), input_at(node, 2)) == (None, None)


def test_bodies_are_found_among_the_attributes():
    body = ir.Graph([], [], nodes=[])
    condition = ir.Value(name="c")
    node = ir.node("If", [condition], {"then_branch": body, "else_branch": body})
    assert subgraphs_of(node) == [body, body]
    assert subgraphs_of(ir.node("Relu", [condition])) == []


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        (r'"", "ai\.onnx"|"ai\.onnx", ""', "is_standard or is_op"),
        (r"grad\\d|grad\(\\d", "is_gradient or gradient_scope"),
        (r'name or ""\)\.rpartition\("/"\)\[0\]', "scope_of or layer_of"),
    ],
)
def test_no_room_has_a_reading_of_its_own(pattern, instead):
    files = {path.relative_to(HOUSE).as_posix(): path for path in HOUSE.rglob("*.py")}
    own = {name for name, path in files.items() if re.search(pattern, path.read_text("utf-8"))}
    assert READING in own
    own -= {READING}
    assert own == set(), f"use {instead} of seqonnx/{READING}"
