"""The benchmark compares like with like, counts quiet rounds only, and names who is missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "bench"

FAKE = """
from bench_worker import Contestant, Prepared

def contestants(setup):
    return {NAMES}

def versions():
    return {{"fake": "1.2"}}

def prepare(workload, setup):
    return Prepared(lambda steps: 0.5, {{"step_graph_s": 0.25}})
"""
BROKEN = "def contestants(setup):\n    import no_such_framework\n"


@pytest.fixture
def bench(monkeypatch):
    """The coordinator's module, with the machine's cores left as they are."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import bench

    monkeypatch.setattr(bench, "limit_cores", lambda count: None)
    monkeypatch.setattr(bench, "PAUSE", 0.0)
    monkeypatch.setattr(bench, "CALIBRATION", 1)
    return bench


@pytest.fixture
def roster(bench, tmp_path):
    """seqonnx, a peer with a contestant that refuses, and one that cannot be imported."""
    from bench_pool import Framework

    ours = '{"seqonnx": Contestant("ours", prepare)}'
    theirs = (
        '{"peer": Contestant("theirs", prepare), '
        '"lazy": Contestant("", prepare, lambda workload: "has no such layer"), '
        '"silent": Contestant("", prepare, lambda workload: "")}'
    )
    for name, names in (("fake_ours", ours), ("fake_peer", theirs)):
        text = FAKE.replace("{NAMES}", names).replace("{{", "{").replace("}}", "}")
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    (tmp_path / "fake_broken.py").write_text(BROKEN, "utf-8")
    path = {"PYTHONPATH": str(tmp_path)}
    return {
        "seqonnx": Framework("fake_ours", path),
        "theirs": Framework("fake_peer", path),
        "broken": Framework("fake_broken", path),
        "elsewhere": Framework("fake_peer", path, python=str(tmp_path / "python")),
    }


def test_missing_peers_are_named_and_numbers_written(bench, roster, tmp_path, capsys):
    del roster["elsewhere"]
    file = tmp_path / "result.json"
    arguments = ["--workload", "mlp_small", "--rounds", "1", "--json", str(file)]
    assert bench.main(arguments, roster) == 0
    printed = capsys.readouterr().out
    assert "missing: broken: no_such_framework is not installed" in printed
    assert "missing: lazy: has no such layer" in printed
    assert "missing: silent" not in printed

    report = json.loads(file.read_text("utf-8"))
    assert set(report["machine"]) >= {"processor", "python", "device", "threads"}
    assert report["frameworks"]["theirs"]["versions"] == {"fake": "1.2"}
    (workload,) = report["workloads"]
    assert workload["workload"] == "mlp_small"
    assert workload["task"] == "train"
    assert set(workload["missing"]) == {"broken", "lazy"}
    assert set(workload["contestants"]) == {"seqonnx", "peer"}
    assert workload["best_peer"] == "peer"
    assert len(workload["quiet"]) == workload["rounds"] >= workload["quiet_rounds"]
    ours = workload["contestants"]["seqonnx"]
    assert len(ours["ms"]) == workload["rounds"]
    assert ours["loss"] == 0.5
    assert ours["step_graph_s"] == 0.25
    assert ours["peak_mib"] > 1
    assert ours["cold_s"] >= ours["first_s"]
    assert ours["warm_s"] > 0  # a second start, with the cache of the first
    assert "warm_s" not in workload["contestants"]["peer"]


def test_check_finds_that_fakes_agree_and_names_the_missing(bench, roster, capsys):
    del roster["elsewhere"]
    assert bench.main(["--check", "--workload", "mlp_small"], roster) == 0
    printed = capsys.readouterr().out
    assert printed.count(" same ") == 2
    assert "no_such_framework is not installed" in printed


def test_list_shows_workloads_and_missing_frameworks(bench, roster, capsys):
    del roster["elsewhere"]
    assert bench.main(["--list"], roster) == 0
    printed = capsys.readouterr().out
    assert "xception_frozen" in printed
    assert "no_such_framework is not installed" in printed


def test_interpreters_are_given_by_name(bench, roster):
    options = bench.parse(["--peer", "theirs=/a/python", "--skip", "elsewhere"])
    chosen = bench.chosen(options, roster)
    assert chosen["theirs"].python == "/a/python"
    assert chosen["seqonnx"].python == sys.executable
    assert "elsewhere" not in chosen
    with pytest.raises(SystemExit, match=r"Expected a framework of seqonnx, .* Received: thiers"):
        bench.chosen(bench.parse(["--peer", "thiers=/a/python"]), roster)


def test_interpreter_that_is_not_there_is_a_missing_peer(bench, roster):
    from bench_pool import Client, Limits

    with Client(roster["elsewhere"], Limits("cpu", 1, 10.0)) as client:
        answer = client.hello()
    assert "No such file" in answer["missing"]


def measured(**rounds):
    """Three quiet rounds and a noisy one of each kind; times by contestant."""
    from bench_rounds import Block, Measured, Round

    def one(probe, scale, **trouble):
        blocks = {
            name.replace("_", "-"): Block(
                ms * scale, 0.0, **{"others": 0.0, "steal": 0.0} | trouble
            )
            for name, ms in rounds.items()
        }
        return Round(probe, blocks)

    result = Measured("mlp_small", wanted=3, best_probe=2.0, flops=300, probe_flops=100)
    result.rounds = [one(2.0, 1.0), one(2.1, 1.5), one(2.2, 1.25)]
    result.rounds += [one(2.0, 9.0, others=0.5), one(2.0, 9.0, steal=0.5), one(4.0, 9.0)]
    return result


def test_ratios_come_from_quiet_rounds_only(bench):
    result = measured(seqonnx=1.0, slow=4.0, fast=2.0, plain_session=0.5)
    result.rounds[3].blocks["fast"] = result.rounds[0].blocks["seqonnx"]
    assert len(result.quiet) == 3
    assert result.enough
    assert result.medians() == {
        "seqonnx": 1.25, "slow": 5.0, "fast": 2.5, "plain-session": 0.625
    }  # fmt: skip
    assert result.best_peer() == "fast"
    assert result.ratio("fast") == 0.5
    assert result.ratio("plain-session") == 2.0


def test_no_ratio_counts_with_too_few_quiet_rounds(bench):
    from bench_report import caption, verdict
    from bench_rounds import as_json

    result = measured(seqonnx=1.0, peer=2.0)
    del result.rounds[0]
    assert not result.enough
    written = as_json(result, {"task": "train"})
    assert written["ratio_to_best_peer"] is None
    assert written["ratio_in_shown_rounds"] == 0.5
    assert written["quiet"] == [True, True, False, False, False]
    assert "only 2 of 5 rounds" in caption(result)
    assert "does not count" in verdict(result)


def test_floor_is_the_time_of_the_products_at_the_best_rate(bench):
    from bench_rounds import times_floor

    result = measured(seqonnx=12.0)
    assert result.floor_ms == 6.0
    assert times_floor(result, "seqonnx") == 15.0 / 6.0


def test_geometric_mean_leaves_out_what_does_not_count(bench):
    from bench_rounds import geometric_mean

    assert geometric_mean([0.5, None, 2.0]) == pytest.approx(1.0)
    assert geometric_mean([None]) is None


@pytest.mark.parametrize(
    ("peer", "same"),
    [([2.0, 1.001], True), ([2.0, 1.01], False), ([1.9, 1.0], False), ([2.0, np.nan], False)],
)
def test_losses_that_differ_are_other_work(bench, peer, same):
    assert bench.same_work([2.0, 1.0], peer) is same


def test_operations_are_those_of_the_definition(bench):
    from bench_specs import Conv, Dense, Flatten, SeparableConv, forward_flops, training_flops

    stack = (Conv(4, 3, 2, "same"), SeparableConv(5), Flatten(), Dense(7))
    conv = 3 * 3 * 4 * 3 * 3 * 2
    separable = 3 * 3 * (4 * 9 + 4 * 5)
    dense = 3 * 3 * 5 * 7
    assert forward_flops(stack, (6, 6, 2)) == 2 * (conv + separable + dense)
    assert training_flops(stack, (6, 6, 2)) == 2 * (2 * conv + 3 * separable + 3 * dense)


def test_xception_of_the_benchmark_is_the_one_of_seqonnx(bench):
    from bench_specs import count_weights, initial_weights, output_shape
    from bench_workloads import xception

    assert output_shape(xception(), (96, 96, 3)) == (2048,)
    assert count_weights(initial_weights(xception(), (96, 96, 3))) == 20_861_480


def test_lstm_waits_for_its_layer(bench):
    from types import SimpleNamespace

    from bench_keras_api import missing_layer
    from bench_workloads import WORKLOADS

    without, complete = SimpleNamespace(), SimpleNamespace(LSTM=None, Embedding=None)
    lstm = WORKLOADS["lstm"]
    expected = "LSTM, Embedding: layer not there yet"
    assert missing_layer(SimpleNamespace(layers=without), lstm) == expected
    assert missing_layer(SimpleNamespace(layers=complete), lstm) is None
    assert missing_layer(SimpleNamespace(layers=without), WORKLOADS["mlp"]) is None


@pytest.mark.parametrize(
    "name",
    [
        "mlp",
        "mnist_cnn",
        "bidirectional",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("cifar_vgg", "separable")),
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("lstm", "gru")),
    ],
)
def test_seqonnx_and_torch_do_the_same_work(bench, name):
    pytest.importorskip("torch")
    import bench_seqonnx
    import bench_torch
    from bench_worker import Setup
    from bench_workloads import WORKLOADS

    workload = WORKLOADS[name].without_dropout().smaller(8, 2)
    setup = Setup("cpu", 2)
    ours = bench_seqonnx.prepare(workload, setup).run
    theirs = bench_torch.prepare(workload, setup, channels_last=workload.images).run
    for _ in range(2):
        assert ours(2) == pytest.approx(theirs(2), rel=2e-3)


def test_networks_of_seqonnx_torch_and_the_file_give_the_same_outputs(bench):
    torch = pytest.importorskip("torch")
    import bench_onnx
    import bench_torch
    import onnxruntime
    from bench_keras_api import build
    from bench_workloads import WORKLOADS

    import seqonnx

    workload = WORKLOADS["mnist_cnn"].smaller(4, 1)
    x, _ = workload.data()
    expected = np.asarray(build(seqonnx, workload)(x))
    _, head = bench_torch.modules(workload)
    with torch.inference_mode():
        theirs = head.eval()(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(theirs, expected, rtol=1e-4, atol=1e-5)
    model, trained = bench_onnx.forward(workload, dropout=False, with_loss=False)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (written,) = session.run(None, {"x": bench_onnx.images_first(x)})
    np.testing.assert_allclose(written, expected, rtol=1e-4, atol=1e-5)
    assert len(trained) == 6


def test_recurrent_file_written_by_hand_gives_the_same_outputs(bench):
    import bench_recurrent
    import onnxruntime
    from bench_keras_api import build
    from bench_workloads import WORKLOADS

    import seqonnx

    workload = WORKLOADS["lstm_predict_32"].smaller(4, 1)
    assert bench_recurrent.covers(workload)
    assert not bench_recurrent.covers(WORKLOADS["gru"])
    x, _ = workload.data()
    session = onnxruntime.InferenceSession(
        bench_recurrent.written(workload).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (written,) = session.run(None, {"x": x})
    np.testing.assert_allclose(written, build(seqonnx, workload)(x), rtol=1e-4, atol=1e-5)


def test_dense_kernel_is_reordered_for_images_with_channels_first(bench):
    import bench_torch

    rng = np.random.default_rng(0)
    image = rng.random((5, 4, 3, 2))
    kernel = rng.random((24, 2))
    expected = image.reshape(5, -1) @ kernel
    first = image.transpose(0, 3, 1, 2).reshape(5, -1)
    np.testing.assert_allclose(first @ bench_torch.channels_first(kernel, (4, 3, 2)), expected)
    assert not np.allclose(first @ kernel, expected)
