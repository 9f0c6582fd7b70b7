"""The profile of a step counts every microsecond once, and the operations of known products."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "bench"


@pytest.fixture
def trace(monkeypatch):
    """The module that reads traces."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import profile_trace

    return profile_trace


@pytest.fixture
def tool(monkeypatch, trace):
    """The tool, with the machine's cores and the threads of this process left as they are."""
    import profile_step

    monkeypatch.setattr(profile_step, "limit_cores", lambda count: None)
    monkeypatch.setattr(profile_step, "share_threads", lambda count: None)
    return profile_step


def event(name, op, start, length, inputs=(), outputs=()):
    shapes = [[{"float": list(shape)} for shape in side] for side in (inputs, outputs)]
    arguments = {"op_name": op, "input_type_shape": shapes[0], "output_type_shape": shapes[1]}
    return {
        "cat": "Node",
        "name": f"{name}_kernel_time",
        "ts": start,
        "dur": length,
        "args": arguments,
    }


def run_of(start, length):
    return {"cat": "Session", "name": "model_run", "ts": start, "dur": length, "args": {}}


def read(trace, folder, *events):
    file = folder / "trace.json"
    file.write_text(json.dumps(list(events)), "utf-8")
    return trace.read_runs(file)


def execution(trace, op, inputs, output):
    return trace.Execution("n", op, tuple(inputs), (output,), 1)


def test_time_of_a_body_is_not_counted_twice(trace, tmp_path):
    (run,) = read(
        trace,
        tmp_path,
        event("dense/Gemm", "Gemm", 1, 9),
        event("grad/dense/chunks/Mul", "Mul", 12, 5),
        event("grad/dense/inner/Exp", "Exp", 21, 2),
        event("grad/dense/chunks/Loop", "Loop", 20, 10),
        event("grad/dense/Scan", "Scan", 10, 30),
        event("optimizer/Sub", "Sub", 40, 0),
        run_of(0, 50),
    )
    own = {one.node.rpartition("/")[2]: one.microseconds for one in run.executions}
    assert own == {"Gemm": 9, "Scan": 15, "Mul": 5, "Loop": 8, "Exp": 2, "Sub": 0}
    assert run.between == 50 - 9 - 30


def test_runs_are_told_apart_by_the_clock(trace, tmp_path):
    runs = read(
        trace,
        tmp_path,
        event("a/Mul", "Mul", 2, 3),
        run_of(0, 10),
        event("a/Mul", "Mul", 10, 4),
        run_of(10, 20),
        event("a/Mul", "Mul", 31, 1),
        run_of(30, 15),
    )
    assert [run.microseconds for run in runs] == [10, 20, 15]
    assert [one.microseconds for run in runs for one in run.executions] == [3, 4, 1]
    assert trace.median_run(runs).microseconds == 15
    typical = trace.typical_run(runs)
    assert [one.microseconds for one in typical.executions] == [3]
    assert typical.between == 14


def test_runs_of_other_nodes_have_no_typical_one(trace):
    runs = [trace.Run(2, (trace.Execution(name, "Mul", (), (), 1),)) for name in ("a/Mul", "b/Mul")]
    with pytest.raises(ValueError, match="differ in their nodes"):
        trace.typical_run(runs)


@pytest.mark.parametrize(
    ("node", "part", "layer"),
    [
        ("conv2d/Conv", "forward", "conv2d"),
        ("block/conv2d/Conv", "forward", "conv2d"),
        ("grad/block/conv2d/chunks/Gemm", "gradient", "conv2d"),
        ("grad/loss/Mul", "gradient", "loss"),
        ("optimizer/Mul_3", "optimizer", "optimizer"),
        ("loss_scale/Where", "optimizer", "loss_scale"),
        ("loss/LogSoftmax", "loss and metrics", "loss"),
        ("metrics/accuracy/ArgMax", "loss and metrics", "metrics/accuracy"),
        ("ReorderInput_token_3", "added by ONNX Runtime", ""),
    ],
)
def test_name_of_a_node_tells_part_and_layer(trace, node, part, layer):
    assert trace.Execution(node, "", (), (), 0).part == part
    assert part in trace.PARTS
    assert trace.layer_name(node, {"conv2d", "dense"}) == layer


@pytest.mark.parametrize(
    ("op", "inputs", "output", "expected"),
    [
        ("Gemm", [(32, 784), (784, 64), (64,)], (32, 64), 2 * 32 * 784 * 64),
        ("Gemm", [(32, 784), (32, 64), (784, 64)], (784, 64), 2 * 32 * 784 * 64),  # transA
        ("Gemm", [(32, 10), (64, 10)], (32, 64), 2 * 32 * 10 * 64),  # transB
        ("FusedMatMul", [(7, 5, 3), (7, 5, 4)], (7, 3, 4), 2 * 7 * 3 * 4 * 5),
        ("MatMul", [(7, 3, 5), (5, 4)], (7, 3, 4), 2 * 7 * 3 * 4 * 5),
        ("MatMul", [(5,), (5, 4)], (4,), 2 * 5 * 4),
        ("MatMul", [(7, 3, 5), (5,)], (7, 3), 2 * 7 * 3 * 5),
        ("MatMul", [(6, 5)], (6, 4), 2 * 6 * 5 * 4),  # a constant matrix that was packed
        ("MatMul", [(0, 5), (5, 4)], (0, 4), 0),
        ("Conv", [(2, 6, 9, 9), (8, 3, 3, 3), (8,)], (2, 8, 7, 7), 2 * 2 * 8 * 49 * 27),
        ("FusedConv", [(2, 6, 9, 9), (6, 1, 3, 3)], (2, 6, 9, 9), 2 * 2 * 6 * 81 * 9),
        ("ConvTranspose", [(2, 8, 7, 7), (8, 3, 3, 3)], (2, 3, 9, 9), 2 * 2 * 8 * 49 * 27),
        ("Relu", [(2, 8)], (2, 8), None),
    ],
)
def test_operations_are_those_of_the_shapes(trace, op, inputs, output, expected):
    assert trace.operations(execution(trace, op, inputs, output)) == expected


def test_packed_factor_is_told_from_the_other_shapes(trace):
    both = [(6, 5), (5, 4)]
    assert trace.factors(execution(trace, "Gemm", [*both, (4,)], (6, 4))) == tuple(both)
    assert trace.factors(execution(trace, "Gemm", [(6, 5), (4,)], (6, 4))) == tuple(both)
    assert trace.factors(execution(trace, "MatMul", [(6, 5)], (6, 4))) == tuple(both)
    assert trace.factors(execution(trace, "MatMul", [(2, 6, 5), (5,)], (2, 6))) == ((2, 6, 5), (5,))


def test_perceptron_has_all_parts_and_the_products_of_its_layers(tool, tmp_path, capsys):
    file = tmp_path / "profile.json"
    arguments = ["mlp_small", "--batch", "4", "--runs", "3", "--rows", "3", "--json", str(file)]
    assert tool.main([*arguments, "--by", "layer"]) == 0
    printed = capsys.readouterr().out
    assert "here batch 4" in printed
    for title in ("by part and layer", "the costliest 3 of", "products by shape", "between nodes"):
        assert title in printed

    report = json.loads(file.read_text("utf-8"))
    assert report["workload"] == "mlp_small"
    assert set(report["machine"]) >= {"processor", "threads", "onnxruntime", "seqonnx"}
    assert report["matrix_product_gflops"] > 0
    assert report["shown_ms"] == report["median_ms"] == sorted(report["runs_ms"])[1]
    parts = {row["part"]: row for row in report["parts"]}
    assert parts.keys() >= {"forward", "gradient", "optimizer", "loss and metrics"}
    whole = sum(row["ms"] for row in parts.values()) + report["between_nodes_ms"]
    assert whole == pytest.approx(report["shown_ms"])
    for by in ("operator", "layer", "node"):
        rows = report[f"by_{by}"]
        assert sum(row["percent"] for row in rows) <= 100.0
        for part, row in parts.items():
            inside = [r["ms"] for r in rows if r["part"] == part]
            assert sum(inside) == pytest.approx(row["ms"])

    hidden = [row for row in report["products"] if row["weights"] == "784x64"]
    assert [(row["part"], row["output"], row["calls"]) for row in hidden] == [
        ("forward", "4x64", 1)
    ]
    assert hidden[0]["gflop"] == pytest.approx(2e-9 * 4 * 784 * 64)
    # Forward pass, the gradient of the second layer's input, and a gradient for each kernel.
    factors = [row["gflop"] for row in report["products"] if not row["input"].startswith("1x")]
    assert sum(factors) == pytest.approx(2e-9 * 4 * (2 * 784 * 64 + 3 * 64 * 10))


def test_convolution_in_chunks_is_counted_by_its_chunks(tool, trace, monkeypatch):
    from bench_workloads import WORKLOADS

    monkeypatch.setenv("SEQONNX_BLOCKED", "0")  # the chunks are a form of the plain layout

    runs, layers = tool.profiled(WORKLOADS["mnist_cnn"].smaller(64, 1), 1)
    (run,) = runs
    assert {"conv2d", "conv2d_1", "dense"} <= layers
    assert 0 <= run.between < run.microseconds
    scans = [one for one in run.executions if one.op == "Scan"]
    inner = [one for one in run.executions if "/chunks/" in one.node]
    products = [one for one in inner if one.op in ("Gemm", "FusedGemm")]
    assert len(scans) == 1
    assert scans[0].microseconds < sum(one.microseconds for one in (*scans, *inner))
    # The weight gradient of the second convolution, whose last row and column no pool looks at.
    assert sum(map(trace.operations, products)) == 2 * 64 * 10 * 10 * 9 * 32 * 64


def test_layers_that_are_missing_are_named(tool, capsys, monkeypatch):
    monkeypatch.setattr(tool, "missing_layer", lambda api, workload: "LSTM: not there")
    assert tool.main(["lstm"]) == 2
    assert "lstm cannot be built: LSTM: not there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nothing"], "invalid choice: 'nothing'"),
        (["mnist_cnn_predict_1"], "invalid choice"),
        (["mlp", "--rows=0"], "--rows: expected a whole number from 1 on. Received: 0"),
        (["mlp", "--runs=some"], "--runs: expected a whole number from 1 on. Received: some"),
    ],
)
def test_wrong_arguments_are_refused(tool, arguments, text, capsys):
    with pytest.raises(SystemExit):
        tool.main(arguments)
    assert text in capsys.readouterr().err
