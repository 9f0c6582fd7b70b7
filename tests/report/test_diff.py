"""`seqonnx inspect --diff`: nodes are paired by what they compute, and what differs is told."""

from __future__ import annotations

import copy
import json

import numpy as np
import onnx
import pytest
from onnx import helper, version_converter

from seqonnx.cli import main
from seqonnx.errors import ModelFileError
from seqonnx.report.diff import diff_files, diff_text
from seqonnx.report.diff.weight_changes import numbers_apart
from support.report.diff_models import (
    branching,
    convnet,
    encoder,
    numbered,
    renamed,
    reordered,
    with_inserted,
    with_weight,
)


@pytest.fixture
def diff(tmp_path):
    """Compare two ModelProtos."""

    def compare(one, two, **options):
        paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
        for model, path in zip((one, two), paths, strict=True):
            onnx.save(model, path)
        return diff_files(*paths, **options)

    return compare


def changes(found):
    """Return both sides of each difference, by node and detail."""
    return {(n.name, c.what): (c.before, c.after) for n in found.changed for c in n.changes}


@pytest.mark.parametrize("model", [convnet(), encoder(), branching()], ids=["conv", "enc", "if"])
@pytest.mark.parametrize("change", [renamed, reordered, lambda m: reordered(renamed(m))])
def test_names_and_order_are_no_difference(diff, model, change):
    found = diff(model, change(model))
    assert found.equal
    assert found.changed == found.added == found.removed == found.weights == ()


@pytest.mark.parametrize("model", [convnet(), encoder()], ids=["conv", "enc"])
def test_each_node_is_paired_with_its_own(diff, model):
    """Blocks that differ in nothing but their weights are told apart by these."""
    two = renamed(model)
    expected = {(a.name, b.name) for a, b in zip(model.graph.node, two.graph.node, strict=True)}
    assert set(diff(model, reordered(two)).renamed) == expected


@pytest.mark.parametrize("disguise", [lambda m: m, renamed, lambda m: reordered(renamed(m))])
def test_a_changed_weight_is_found_and_measured(diff, disguise):
    one = encoder()
    two = with_weight(one, "l2.q", lambda w: w + np.float32(0.5))
    found = diff(one, disguise(two))
    (weight,) = found.weights
    stored = next(t for t in one.graph.initializer if t.name == "l2.q")
    array = onnx.numpy_helper.to_array(stored).astype(np.float64)
    largest = np.max(np.abs((onnx.numpy_helper.to_array(stored) + np.float32(0.5)) - array))
    assert (weight.name, weight.node) == ("l2.q", "/l2/q")
    assert weight.largest == largest
    assert weight.relative == largest / np.max(np.abs(array))
    assert not found.equal
    assert found.changed == ()


def test_all_weights_changed_leave_the_nodes_paired(diff):
    one, two = convnet(), convnet()
    for tensor in one.graph.initializer:
        two = with_weight(two, tensor.name, lambda w: 2 * w)
    found = diff(one, renamed(two))
    assert {(w.name, w.relative) for w in found.weights} == {
        (tensor.name, 1.0) for tensor in one.graph.initializer
    }
    assert found.paired == len(one.graph.node)


def test_a_changed_attribute_is_told(diff):
    one, two = convnet(), convnet()
    two.graph.node[2].attribute[0].ints[:] = [0, 0, 2, 2]
    assert changes(diff(one, renamed(two))) == {
        ("/conv2/Conv", "pads"): ("[1, 1, 1, 1]", "[0, 0, 2, 2]")
    }


def test_a_default_that_is_written_out_is_no_difference(diff):
    two = convnet()
    two.graph.node[-1].attribute.append(helper.make_attribute("alpha", 1.0))
    assert diff(convnet(), two).equal
    two.graph.node[-1].attribute[-1].f = 0.5
    assert changes(diff(convnet(), two)) == {("/fc/Gemm", "alpha"): ("1", "0.5")}


def test_an_attribute_in_a_body_is_told(diff):
    two = branching()
    two.graph.node[-1].attribute[0].g.node[0].attribute[0].f = 0.5
    assert changes(diff(branching(), renamed(two))) == {("no/Elu", "alpha"): ("1", "0.5")}


@pytest.mark.parametrize("names", [numbered, renamed])
@pytest.mark.parametrize(
    ("model", "after", "readers"),
    [
        (convnet(), "r1", {"/conv2/Conv", "/Add"}),
        (encoder(), "h1", {"/l2/q", "/l2/k", "/l2/v", "/l2/Add"}),
    ],
    ids=["conv", "enc"],
)
def test_an_added_node_shifts_no_other(diff, model, after, readers, names):
    """Exporters number nodes anew: names then say that every node behind has changed."""
    two = names(with_inserted(model, after, helper.make_node("Dropout", [], [])))
    found = diff(model, two)
    assert [node.op_type for node in found.added] == ["Dropout"]
    assert found.removed == ()
    assert {node.name for node in found.changed} == readers
    assert found.paired == len(model.graph.node)
    back = diff(two, model)
    assert [node.op_type for node in back.removed] == ["Dropout"]


def test_an_added_layer_with_weights_is_told_with_its_cost(diff):
    """The same layer once more, behind itself, with weights of its own."""
    one = encoder()
    two = with_inserted(one, "h1", helper.make_node("MatMul", ["l9"], [], "extra"))
    weight = np.ones((8, 8), np.float32)
    two.graph.initializer.append(onnx.numpy_helper.from_array(weight, "l9"))
    (added,) = diff(one, reordered(renamed(two))).added
    assert (added.op_type, added.params, added.macs_at) == ("MatMul", 64, 64)
    assert added.output_shape == ("batch", 8)


def test_a_replaced_operator_is_one_changed_node(diff):
    two = convnet()
    two.graph.node[1].op_type = "Elu"
    found = diff(convnet(), renamed(two))
    assert changes(found) == {("/relu/Relu", "operator"): ("Relu", "Elu")}
    assert found.added == found.removed == ()


def test_swapped_inputs_are_told(diff):
    one, two = encoder(1), encoder(1)
    two.graph.node[3].input[:] = ["v0", "k0"]
    two.graph.node[5].input[:] = ["a0", "q0"]
    assert diff(one, reordered(one)).equal
    assert not diff(one, two).equal


def test_another_operator_set_is_a_fact(diff):
    one = convnet(17)
    two = version_converter.convert_version(one, 21)
    facts = {fact.what: (fact.before, fact.after) for fact in diff(one, two).facts}
    assert facts["opset ai.onnx"] == ("17", "21")


def test_metadata_inputs_and_producer_are_facts(diff):
    two = convnet()
    helper.set_model_props(two, {"author": "me"})
    two.producer_name = "tf2onnx"
    two.graph.input[0].name = "images"
    two.graph.node[0].input[0] = "images"
    facts = {fact.what: (fact.before, fact.after) for fact in diff(convnet(), two).facts}
    assert facts == {
        "producer": ("pytorch", "tf2onnx"),
        "metadata author": ("none", "me"),
        "input 0": ("x float32 (batch, 3, 8, 8)", "images float32 (batch, 3, 8, 8)"),
    }


def test_a_name_of_a_dimension_counts_once(diff):
    two = convnet()
    for value in (*two.graph.input, *two.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    found = diff(convnet(), two)
    assert [fact.what for fact in found.facts] == ["input 0", "output 0"]
    assert found.changed == ()


def test_a_constant_node_is_as_good_as_an_initializer(diff):
    two = convnet()
    tensor = two.graph.initializer[0]
    two.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
    del two.graph.initializer[0]
    found = diff(convnet(), two)
    assert found.equal
    assert found.paired == 8


def test_weights_beside_the_file_are_compared(tmp_path):
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for model, path in zip(
        (convnet(), with_weight(convnet(), "fc.bias", np.negative)), paths, strict=True
    ):
        onnx.save(
            model, path, save_as_external_data=True, size_threshold=0, location=f"{path.name}.data"
        )
    assert [w.name for w in diff_files(*paths).weights] == ["fc.bias"]
    (tmp_path / "b.onnx.data").unlink()
    with pytest.raises(ModelFileError, match=r"weights of .*b\.onnx lie in a data file"):
        diff_files(*paths)


def test_values_are_compared_until_they_part(diff):
    one = convnet()
    run = diff(one, renamed(with_weight(one, "conv2.weight", lambda w: 1.5 * w)), run=True).run
    assert (run.parted.node, run.parted.other_node) == ("/conv2/Conv", "Conv_98")
    assert (run.compared, run.total) == (3, 8)
    assert not run.alike


def test_the_run_takes_given_inputs(diff):
    one, x = convnet(), np.ones((1, 3, 8, 8), np.float32)
    two = with_weight(one, "fc.bias", lambda b: b + np.float32(2))
    run = diff(one, two, run=True, inputs={"x": x}).run
    assert run.parted.node == "/fc/Gemm"
    assert run.outputs[0].largest == pytest.approx(2, rel=1e-5)
    run = diff(one, two, run=True, inputs={"x": np.zeros_like(x)}, shapes={"x": x.shape}).run
    assert run.outputs[0].largest == pytest.approx(2, rel=1e-5)


def test_a_difference_that_rounding_explains_leaves_the_run_alike(diff):
    one = convnet()
    run = diff(one, with_weight(one, "fc.bias", lambda b: b + np.float32(1e-6)), run=True).run
    assert run.alike
    assert run.parted is None
    assert run.compared == run.total == 8


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.5], (0.5, 0.25)),
        ([0.0], [3.0], (3.0, None)),
        ([np.inf, np.nan], [np.inf, np.nan], (0.0, None)),
        ([1.0, np.nan], [1.0, 4.0], (np.inf, np.inf)),
        ([np.inf, 2.0], [-np.inf, 2.0], (np.inf, np.inf)),
        ([], [], (0.0, None)),
    ],
)
def test_distance_of_arrays(one, two, expected):
    assert numbers_apart(np.array(one, np.float64), np.array(two, np.float64)) == expected


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run the command on two models in files `a.onnx` and `b.onnx`."""
    monkeypatch.chdir(tmp_path)

    def run(one, two, *options):
        onnx.save(one, "a.onnx")
        onnx.save(two, "b.onnx")
        code = main(["inspect", "--diff", "a.onnx", "b.onnx", *options])
        return code, capsys.readouterr()

    return run


TEXT = """\
A  a.onnx
B  b.onnx

Sizes
                       A       B  B - A
───────────────────────────────────────
bytes              1,737   1,776    +39
nodes                  8       9     +1
params               285     285
weight bytes       1,140   1,140
MACs              16,148  16,148
peak activations   3,072   3,072

File
               In A  In B
─────────────────────────
opset ai.onnx  17    18

Only in B
Node       Operator  Output shape      Params  MACs
───────────────────────────────────────────────────
Dropout_2  Dropout   (batch, 4, 8, 8)       0     0

Changed nodes
Node                  In A             In B
────────────────────────────────────────────────────────
/conv2/Conv  input 0  Relu /relu/Relu  Dropout Dropout_2
/Add         input 1  Relu /relu/Relu  Dropout Dropout_2

Changed weights
Weight   Form         Largest  Relative
───────────────────────────────────────
fc.bias  float32 (5)        1     0.341

Renamed nodes
In A                     In B
────────────────────────────────────────────
/conv1/Conv              Conv_0
/relu/Relu               Relu_1
/relu_1/Relu             Relu_5
/pool/GlobalAveragePool  GlobalAveragePool_6
/Flatten                 Flatten_7
/fc/Gemm                 Gemm_8

Different: 8 nodes in both; 1 only in B, 2 changed, 6 only renamed; weights changed: 1
"""


def edited():
    """The network with a node more, another bias and another operator set."""
    two = with_inserted(convnet(18), "r1", helper.make_node("Dropout", [], []))
    return numbered(with_weight(two, "fc.bias", lambda b: b + np.float32(1)))


def test_text_of_a_comparison(command):
    code, printed = command(convnet(), edited())
    assert code == 1
    assert printed.out == TEXT


def test_text_keeps_to_its_width(command):
    for width in (60, 80):
        out = command(convnet(), edited(), "--width", str(width), "--inputs", "random")[1].out
        assert max(map(len, out.splitlines())) <= width


def test_json_of_a_comparison(command):
    code, printed = command(convnet(), edited(), "--json", "--inputs", "random")
    document = json.loads(printed.out)
    assert code == 1
    assert document["equal"] is False
    assert document["sizes"]["nodes"] == [8, 9]
    assert [node["name"] for node in document["added"]] == ["Dropout_2"]
    assert document["weights"][0]["name"] == "fc.bias"
    assert document["run"]["parted"]["node"] == "/fc/Gemm"


def test_an_infinite_difference_is_valid_json(command):
    two = with_weight(convnet(), "fc.bias", lambda b: b * np.float32(np.inf))
    document = json.loads(command(convnet(), two, "--json")[1].out, parse_constant=pytest.fail)
    assert document["weights"][0]["largest"] == "inf"


def test_exit_status_tells_equality(command):
    assert command(convnet(), renamed(convnet()))[0] == 0
    assert command(convnet(), edited())[0] == 1


def test_a_file_that_is_none_is_named(tmp_path, capsys):
    (tmp_path / "b.onnx").write_bytes(b"no model")
    onnx.save(convnet(), tmp_path / "a.onnx")
    assert main(["inspect", "--diff", str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx")]) == 2
    assert "b.onnx: not an ONNX model" in capsys.readouterr().err


def test_inputs_that_cannot_be_made_up_are_named(command):
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, None))
    values = [helper.make_value_info(name, kind) for name in ("sequence", "out")]
    node = helper.make_node("Identity", ["sequence"], ["out"])
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    code, printed = command(model, model, "--inputs", "random")
    assert code == 2
    assert "Input 'sequence' is of type seq(" in printed.err
    assert main(["inspect", "a.onnx", "--run", "1"]) == 1


def test_models_of_other_inputs_are_not_run(command):
    two = copy.deepcopy(convnet())
    two.graph.input.append(helper.make_tensor_value_info("more", 1, [1]))
    code, printed = command(convnet(), two, "--inputs", "random")
    assert code == 2
    assert "different numbers of inputs" in printed.err


@pytest.mark.parametrize(
    "options", [["--nodes"], ["--check"], ["--csv"], ["--providers", "cpu"], ["c.onnx"]]
)
def test_options_that_do_not_apply_are_refused(command, options, capsys):
    with pytest.raises(SystemExit):
        command(convnet(), convnet(), *options)
    assert "--diff A B takes --json" in capsys.readouterr().err


def test_no_file_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["inspect"])
    assert "FILE, or --diff A B" in capsys.readouterr().err


def test_a_name_cannot_steer_the_terminal(diff):
    two = with_inserted(convnet(), "r1", helper.make_node("Relu", [], [], "\x1b[31mred"))
    assert "\x1b" not in diff_text(diff(convnet(), two), width=80)
