"""Small files that ask for much are refused at once, by the node; what is large and sound loads."""

from __future__ import annotations

import re
import resource
import sys
import time
from collections import ChainMap

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import seqonnx as sx
from seqonnx import layers
from seqonnx.autodiff import gradients
from seqonnx.cli import main
from seqonnx.errors import ModelFileError
from seqonnx.importers.onnx.soundness import refuse_unsound
from seqonnx.report.check import check_model
from seqonnx.report.collect import collect
from seqonnx.report.mac_rules import NodeFacts
from seqonnx.report.measure import GraphValue, Visit
from seqonnx.report.memory import peak_activation_bytes

LARGE = 3 * 10**9
"""Elements: more than any machine of a test has memory for, few bytes to write down."""


def value(name, kind=TensorProto.FLOAT, shape=("N", 3)):
    return helper.make_tensor_value_info(name, kind, shape)


def numbers(name, *entries, kind=np.int64, scalar=False):
    array = np.array(entries[0] if scalar else entries, kind)
    return numpy_helper.from_array(array, name)


def model(nodes, constants=(), version=18, functions=(), shape=("N", 3)):
    """A model from `x` to `y` that also has these nodes."""
    last = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph(
        [*nodes, last], "g", [value("x", shape=shape)], [value("y", shape=None)], list(constants)
    )
    imports = [helper.make_opsetid("", version), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, functions=list(functions))


def one(op, inputs, constants=(), version=18, **attributes):
    node = helper.make_node(op, inputs, ["big"], name="the_node", **attributes)
    return model([node], constants, version)


def float_row(name, *entries):
    return numbers(name, *entries, kind=np.float32)


EXPANDING = {
    "Range": one(
        "Range",
        ["zero", "n", "step"],
        [numbers(k, v, scalar=True) for k, v in (("zero", 0), ("n", LARGE), ("step", 1))],
    ),
    "ConstantOfShape": one("ConstantOfShape", ["s"], [numbers("s", LARGE)]),
    "Expand": one("Expand", ["v", "s"], [float_row("v", 1), numbers("s", LARGE)]),
    "Tile": one("Tile", ["v", "s"], [float_row("v", 1), numbers("s", LARGE)]),
    "Pad": one("Pad", ["v", "s"], [float_row("v", 1), numbers("s", 0, LARGE)]),
    "Resize": one("Resize", ["v", "", "f"], [float_row("v", 1), float_row("f", LARGE)]),
    "Upsample": one("Upsample", ["v", "f"], [float_row("v", 1), float_row("f", LARGE)], 9),
    "OneHot": one(
        "OneHot",
        ["i", "n", "v"],
        [numbers("i", 1), numbers("n", LARGE, scalar=True), float_row("v", 0, 1)],
    ),
    "RandomNormal": one("RandomNormal", [], shape=[LARGE]),
    "HannWindow": one("HannWindow", ["n"], [numbers("n", LARGE, scalar=True)]),
    "CenterCropPad": one("CenterCropPad", ["v", "s"], [float_row("v", 1), numbers("s", LARGE)]),
    "ConvTranspose": one(
        "ConvTranspose",
        ["d", "d"],
        [numpy_helper.from_array(np.ones((1, 1, 1), np.float32), "d")],
        strides=[LARGE],
        output_shape=[LARGE],
    ),
}


def broadcasting():
    """Two vectors of 400 KB that are 40 GB when added."""
    long = np.ones((100_000, 1), np.float32)
    constants = [numpy_helper.from_array(a, k) for k, a in (("a", long), ("b", long.T))]
    return one("Add", ["a", "b"], constants)


def computed_size():
    """A size that is only known after some arithmetic."""
    nodes = [
        helper.make_node("Mul", ["s", "s"], ["square"]),
        helper.make_node("Concat", ["square", "s"], ["shape"], axis=0),
        helper.make_node("ConstantOfShape", ["shape"], ["big"], name="the_node"),
    ]
    return model(nodes, [numbers("s", 5000)])


def in_a_function():
    """A size that a function is called with."""
    inner = helper.make_node("ConstantOfShape", ["n"], ["m"], name="the_node")
    imports = [helper.make_opsetid("", 18)]
    function = helper.make_function("own", "grow", ["n"], ["m"], [inner], imports)
    call = helper.make_node("grow", ["s"], ["big"], domain="own")
    return model([call], [numbers("s", LARGE)], functions=[function])


def in_a_body():
    """A size in a branch of an If."""

    def branch(name, nodes):
        return helper.make_graph(nodes, name, [], [value(name, shape=None)])

    grow = branch("t", [helper.make_node("ConstantOfShape", ["s"], ["t"], name="the_node")])
    other = branch("e", [helper.make_node("Identity", ["x"], ["e"])])
    node = helper.make_node("If", ["go"], ["big"], then_branch=grow, else_branch=other)
    return model([node], [numbers("s", LARGE), numbers("go", True, kind=bool, scalar=True)])


def many_times_a_little():
    """Eighty results, each below any limit."""
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], [f"v{i}"], name="the_node") for i in range(80)
    ]
    return model(nodes, [numbers("s", 4_000_000)])


EXPANDING |= {f.__name__: f() for f in (broadcasting, computed_size, in_a_function, in_a_body)} | {
    "many": many_times_a_little()
}


def loop(count, go_on="Identity", levels=1):
    """Loops in each other; the condition of each is passed on, or computed."""
    nodes = [helper.make_node("Tanh", ["a"], ["t"])]
    for _ in range(levels):
        still = helper.make_node(go_on, ["on"], ["still"])
        inputs = [
            value("i", TensorProto.INT64, []),
            value("on", TensorProto.BOOL, []),
            value("a", shape=None),
        ]
        outputs = [value("still", TensorProto.BOOL, []), value("t", shape=None)]
        body = helper.make_graph([*nodes, still], "body", inputs, outputs)
        nodes = [helper.make_node("Loop", ["n", "", "a"], ["t"], body=body, name="the_node")]
    nodes[0].input[2], nodes[0].output[0] = "x", "big"
    return model(nodes, [numbers("n", count, scalar=True)])


def nested_functions(levels, calls=2):
    """Functions that call each other twice: 2**levels nodes."""
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    functions = []
    for level in range(levels):
        kind = {"op_type": f"f{level - 1}", "domain": "own"} if level else {"op_type": "Relu"}
        names = ["a", *(f"m{i}" for i in range(calls - 1)), "b"]
        nodes = [
            helper.make_node(inputs=[names[i]], outputs=[names[i + 1]], **kind)
            for i in range(calls)
        ]
        made = helper.make_function("own", f"f{level}", ["a"], ["b"], nodes, imports)
        functions.append(made)
    call = helper.make_node(f"f{levels - 1}", ["x"], ["big"], domain="own")
    return model([call], functions=functions)


def self_calling():
    imports = [helper.make_opsetid("own", 1)]
    inner = helper.make_node("f", ["a"], ["b"], domain="own")
    function = helper.make_function("own", "f", ["a"], ["b"], [inner], imports)
    call = helper.make_node("f", ["x"], ["big"], domain="own")
    return model([call], functions=[function])


def cycle(where):
    """Two nodes that wait for each other, in the graph, in a body or in a function."""
    pair = [
        helper.make_node("Add", ["x", "q"], ["p"], name="first"),
        helper.make_node("Relu", ["p"], ["q"], name="second"),
    ]
    if where == "graph":
        return model(pair)
    if where == "function":
        imports = [helper.make_opsetid("", 18)]
        function = helper.make_function("own", "f", ["x"], ["q"], pair, imports)
        return model([helper.make_node("f", ["x"], ["big"], domain="own")], functions=[function])
    if where == "through a body":
        body = helper.make_graph(
            [helper.make_node("Add", ["x", "q"], ["t"])], "b", [], [value("t", shape=None)]
        )
        branch = helper.make_node("If", ["go"], ["p"], then_branch=body, else_branch=body)
        branch.name = "first"
        return model([branch, pair[1]], [numbers("go", True, kind=bool, scalar=True)])
    body = helper.make_graph(pair, "b", [], [value("q", shape=None)])
    node = helper.make_node("If", ["go"], ["big"], then_branch=body, else_branch=body)
    return model([node], [numbers("go", True, kind=bool, scalar=True)])


READERS = {
    "load_model": sx.load_model,
    "ONNXModel": layers.ONNXModel,
    "gradients": lambda path: gradients(path, "y", "x"),
}


def refusal(read, proto, tmp_path) -> str:
    """The error of a reader for a file; it must come within a second and name the file."""
    path = tmp_path / "net.onnx"
    onnx.save(proto, path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    with pytest.raises(ModelFileError, match=r"net\.onnx") as caught:
        read(path)
    assert time.process_time() - start < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB
    return str(caught.value)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", EXPANDING)
def test_constants_that_explode_are_refused_by_their_node(tmp_path, kind, reader):
    text = refusal(READERS[reader], EXPANDING[kind], tmp_path)
    assert "the_node" in text or "big'" in text
    assert "bytes from constants alone" in text


def expanding_inputs():
    """Files whose input becomes far larger than itself, in as many ways as there are operators."""
    node = helper.make_node
    vast = 2**33

    def named(op, inputs, **attributes):
        return node(op, inputs, ["big"], name="the_node", **attributes)

    columns = [node("Reshape", ["x", "down"], ["p"]), node("Reshape", ["x", "along"], ["q"])]
    ways = [numbers("down", -1, 1), numbers("along", 1, -1)]
    index = node("Cast", ["x"], ["i"], to=TensorProto.INT64)
    lift = node("Unsqueeze", ["x", "axes"], ["u"])
    sizes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "one"], ["width"]),
        node("Mul", ["width", "many"], ["n"]),
    ]
    width = [numbers("one", 1, scalar=True), numbers("many", vast, scalar=True)]
    learned = [  # a weight of few numbers that become a shape
        node("Cast", ["w"], ["n"], to=TensorProto.INT64),
        named("Expand", ["x", "n"]),
    ]
    few = [node("Expand", ["x", "s"], [f"e{i}"], name="the_node") for i in range(9)]
    joined = node("Concat", [f"e{i}" for i in range(9)], ["big"], axis=0)
    return {
        "Expand": ([named("Expand", ["x", "s"])], [numbers("s", vast, 1, 1)]),
        "Tile": ([named("Tile", ["x", "s"])], [numbers("s", 1, vast)]),
        "Pad": ([named("Pad", ["x", "s"])], [numbers("s", 0, 0, 0, vast)]),
        "Resize": (
            [lift, named("Resize", ["u", "", "f"])],
            [numbers("axes", 0, 1), float_row("f", 1, 1, 30000, 30000)],
        ),
        "OneHot": (
            [index, named("OneHot", ["i", "n", "v"])],
            [numbers("n", vast, scalar=True), float_row("v", 0, 1)],
        ),
        "ConstantOfShape": (
            [*sizes, node("Reshape", ["n", "one_axis"], ["m"]), named("ConstantOfShape", ["m"])],
            [*width, numbers("one_axis", 1)],
        ),
        "Range": (
            [*sizes, named("Range", ["zero", "n", "one"])],
            [*width, numbers("zero", 0, scalar=True)],
        ),
        "Add": ([*columns, named("Add", ["p", "q"])], ways, 40_000),
        "MatMul": ([*columns, named("MatMul", ["p", "q"])], ways, 40_000),
        "a weight as a shape": (learned, [float_row("w", 1e9, 1, 1)]),
        "many that are held at once": ([*few, joined], [numbers("s", 3_000_000, 1, 1)]),
        "an input": ([named("Relu", ["x"])], [], vast),
        "a state that doubles": ([doubling()], [numbers("n", 40, scalar=True)]),
    }


def doubling():
    """A Loop whose state is twice as large after every turn."""
    nodes = [
        helper.make_node("Concat", ["a", "a"], ["t"], axis=1, name="the_node"),
        helper.make_node("Identity", ["on"], ["still"]),
    ]
    inputs = [
        value("i", TensorProto.INT64, []),
        value("on", TensorProto.BOOL, []),
        value("a", shape=None),
    ]
    outputs = [value("still", TensorProto.BOOL, []), value("t", shape=None)]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    return helper.make_node("Loop", ["n", "", "x"], ["big"], body=body)


def only_running_tells(nodes, constants, width=3):
    """A model whose output has a size that depends on the values of `big`, so it is tried out."""
    last = [
        helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "number"], ["sum"]),
        helper.make_node("NonZero", ["sum"], ["found"]),
        helper.make_node("Cast", ["found"], ["y"], to=TensorProto.FLOAT),
    ]
    proto = model([*nodes, *last], constants, shape=("N", width))
    del proto.graph.node[-1]
    return proto


@pytest.mark.parametrize("kind", expanding_inputs())
def test_what_a_model_makes_of_its_inputs_is_bounded_before_it_is_tried_out(tmp_path, kind):
    text = refusal(sx.load_model, only_running_tells(*expanding_inputs()[kind]), tmp_path)
    assert ("inputs take" if kind == "an input" else "'the_node") in text
    layer = layers.ONNXModel(tmp_path / "net.onnx")  # nothing is tried out until it is called
    shape = (3,) if kind not in {"Add", "MatMul", "an input"} else layer._declared_input_shape
    with pytest.raises(ModelFileError, match=r"net\.onnx is refused"):
        layer(sx.Input(shape))


def test_a_network_for_one_batch_size_is_bounded_before_its_rows_are_compared(tmp_path):
    nodes = [
        helper.make_node("Expand", ["x", "s"], ["big"], name="the_node"),
        helper.make_node("ReduceMax", ["big", "axis"], ["y"], keepdims=0),
    ]
    proto = model(nodes, [numbers("s", 2, 2**31, 3), numbers("axis", 1)], shape=(2, 1, 3))
    del proto.graph.node[-1]
    assert "Expand 'the_node' makes" in refusal(layers.ONNXModel, proto, tmp_path)


def test_models_that_make_much_of_their_inputs_for_a_while_are_tried_out(tmp_path):
    nodes = [  # 100 MB each, of which one is held at a time
        node
        for i in range(4)
        for node in (
            helper.make_node("Expand", ["x", "s"], [f"e{i}"]),
            helper.make_node("ReduceMax", [f"e{i}"], [f"m{i}"], keepdims=0),
        )
    ]
    nodes.append(helper.make_node("Sum", [f"m{i}" for i in range(4)], ["big"]))
    proto = only_running_tells(nodes, [numbers("s", 2_800_000, 1, 1)])
    onnx.save(proto, tmp_path / "net.onnx")
    loaded = sx.load_model(tmp_path / "net.onnx")
    assert loaded.predict(np.ones((1, 3), np.float32), verbose=0).tolist() == [[0] * 3, [0, 1, 2]]


@pytest.mark.parametrize("kind", EXPANDING)
def test_the_inspector_describes_what_it_need_not_compute(tmp_path, kind):
    path = tmp_path / "net.onnx"
    onnx.save(EXPANDING[kind], path)
    assert collect(path).totals.nodes >= 2
    check = check_model(path)[2]
    assert (check.name, check.passed) == ("ONNX Runtime", False)
    assert "bytes from constants alone" in check.detail


def test_large_constants_of_a_sound_size_load_and_run(tmp_path):
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["mask"]),
        helper.make_node("ReduceMax", ["mask"], ["most"], keepdims=0),
        helper.make_node("Add", ["x", "most"], ["y"]),
    ]
    proto = model(nodes, [numbers("s", 4096, 4096)])
    del proto.graph.node[-1]
    onnx.save(proto, tmp_path / "net.onnx")
    loaded = sx.load_model(tmp_path / "net.onnx")
    assert loaded.predict(np.ones((2, 3), np.float32), verbose=0).tolist() == [[1.0] * 3] * 2
    assert check_model(tmp_path / "net.onnx")[2].passed


def large_layer(where):
    """A layer with weights of 4 MiB, in a field or in a node, that also makes 400 MiB."""
    kernel = numpy_helper.from_array(np.ones((1024, 1024), np.float32), "w")
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["mask"]),
        helper.make_node("ReduceMax", ["mask"], ["most"], keepdims=0),
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Add", ["h", "most"], ["y"]),
    ]
    constants = [numbers("s", 100, 1 << 20)]
    if where == "node":
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=kernel))
    elif where == "numbers":
        entries = np.ones(1 << 20, np.float32)
        constants.append(helper.make_tensor("w", TensorProto.FLOAT, [1024, 1024], entries))
    else:
        constants.append(kernel)
    proto = model(nodes, constants, shape=("N", 1024))
    del proto.graph.node[-1]
    return proto


@pytest.mark.parametrize("where", ["bytes", "numbers", "node"])
def test_what_may_be_computed_counts_weights_wherever_they_are(where):
    assert layers.ONNXModel(large_layer(where)).count_params() == 1 << 20


def test_what_was_imported_loads_again_from_a_save(tmp_path):
    net = sx.Sequential([sx.Input((1024,)), layers.ONNXModel(large_layer("bytes"))])
    net.save(tmp_path / "net.onnx")
    assert sx.load_model(tmp_path / "net.onnx").count_params() == 1 << 20


def test_weights_of_a_graph_without_functions_are_not_written_to_be_measured(monkeypatch):
    def size(proto):
        raise AssertionError("protobuf writes a whole proto to learn its size")

    monkeypatch.setattr(onnx.GraphProto, "ByteSize", size)
    refuse_unsound(large_layer("bytes"), "it")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("proto", "text"),
    [
        (loop(2**62), "Loop 'the_node' takes 4,611,686,018,427,387,904 turns"),
        (loop(2**13, levels=2), "Loop 'the_node' takes 67,108,864 turns"),
        (nested_functions(30), r"function 'f29' alone to 1,073,741,824 nodes"),
        (self_calling(), "cannot be expanded: these call each other: f"),
        (cycle("graph"), "nodes wait for each other: .*(Add 'first'|Relu 'second'), "),
        (cycle("body"), "nodes wait for each other: .*(Add 'first'|Relu 'second'), "),
        (cycle("function"), "in function 'f' wait for each other"),
        (cycle("through a body"), "wait for each other: (If 'first'|Relu 'second')"),
        (one("Einsum", ["x"], equation="...i...->i"), "Einsum 'the_node' has more than one elli"),
        (one("Einsum", ["x"], equation="...i->......"), "Einsum 'the_node' has more than one ell"),
        (one("Slice", ["x", "s", "s"], [numbers("s", *[0] * 99)]), "99 entries, one per axis"),
        (model([], shape=["N", *[1] * 99]), r"'x' has 100 axes; a value has at most 64"),
    ],
)  # fmt: skip
def test_what_never_ends_is_refused_by_its_node(tmp_path, reader, proto, text):
    assert re.search(text, refusal(READERS[reader], proto, tmp_path))


def test_loops_that_may_end_and_functions_of_a_sound_size_load(tmp_path):
    x = np.ones((2, 3), np.float32)
    for proto in (loop(3), loop(2**62, go_on="Not"), nested_functions(6)):
        onnx.save(proto, tmp_path / "net.onnx")
        assert sx.load_model(tmp_path / "net.onnx").predict(x, verbose=0).tolist() == x.tolist()


@pytest.mark.parametrize(
    "proto",
    [cycle("graph"), cycle("body"), self_calling(), nested_functions(30),
     one("Einsum", ["x"], equation="...i...->i")],
)  # fmt: skip
def test_inspect_refuses_in_one_line(tmp_path, capsys, proto):
    onnx.save(proto, tmp_path / "net.onnx")
    assert main(["inspect", str(tmp_path / "net.onnx"), "--check"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "net.onnx" in printed.err
    assert printed.err.count("\n") == 1


def test_loop_that_only_running_it_can_tell_is_endless_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("seqonnx.importers.onnx.probe._SECONDS", 0.2)
    proto = loop(2**62, go_on="Not")
    body = proto.graph.node[0].attribute[0].g
    body.node[-1].output[0] = "off"
    body.node.append(helper.make_node("Not", ["off"], ["still"]))
    proto.graph.node[-1].input[0] = "big"  # its shape is not known without running it
    path = tmp_path / "net.onnx"
    onnx.save(proto, path)
    start = time.process_time()
    with pytest.raises(ModelFileError, match=r"net\.onnx"):
        sx.load_model(path)
    assert time.process_time() - start < 5


def many_reshapes(count):
    nodes = [
        helper.make_node("Reshape", [f"a{i}" if i else "x", "s"], [f"a{i + 1}"])
        for i in range(count)
    ]
    return model(nodes, [numbers("s", 0, 3)])


def one_wide_split(count):
    node = helper.make_node("Split", ["x"], [f"o{i}" for i in range(count)], num_outputs=count)
    return model([node])


def lines_run(function, *arguments):
    """How many lines of Python a call executes: its cost, the same on every machine."""
    count = 0

    def trace(frame, event, value):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*arguments)
    finally:
        sys.settrace(before)
    return count


def test_the_cost_of_inspect_grows_no_faster_than_the_outputs_of_a_node(tmp_path):
    taken = []
    for count in (800, 1_600, 6_400):  # a smaller file has fewer steps of another kind
        path = tmp_path / f"net{count}.onnx"
        onnx.save(one_wide_split(count), path)
        taken.append(lines_run(collect, path))
    first, second, last = taken
    each = (second - first) / 800
    assert last - second < 1.1 * each * 4_800  # a walk over all for each: 3 times as many


def seconds_of_peak(count):
    """Least time of five to sum the outputs of one node; searching them is no line of Python."""
    outputs = tuple(GraphValue(f"o{i}", "float32", (1,), TensorProto.FLOAT) for i in range(count))
    node = helper.make_node("Split", ["x"], [value.name for value in outputs])
    facts = NodeFacts("Split", 18, (), ())
    visit = Visit(node, (), outputs, None, "", facts, ChainMap())
    taken = []
    for _ in range(5):
        start = time.process_time()
        peak_activation_bytes([visit], [], outputs)
        taken.append(time.process_time() - start)
    return min(taken)


def test_the_peak_of_a_hundred_times_as_many_outputs_takes_no_thousand_times_as_long():
    assert seconds_of_peak(40_000) < 1_000 * seconds_of_peak(400)  # a search in each: 10,000 times


@pytest.mark.parametrize("columns", ["", "80"])
def test_inspect_shows_so_many_rows_and_says_how_many_more_there_are(
    columns, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", columns)
    onnx.save(many_reshapes(2_500), tmp_path / "net.onnx")
    assert main(["inspect", str(tmp_path / "net.onnx")]) == 0
    text = capsys.readouterr().out
    assert "… and 501 more, all in --json" in text
    assert len(re.findall(r"^a\d+ ", text, re.M)) == 2_000
