"""More rows of the benchmark, thread counts, what it says of the machine, and its history."""

from __future__ import annotations

import argparse
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "bench"
EIGHT = {
    *("mlp_small", "mlp", "mlp_large", "mnist_cnn", "cifar_vgg", "separable"),
    *("xception_frozen", "xception"),
}


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


@pytest.mark.parametrize(
    ("network", "input_shape", "output_shape", "weights"),
    [
        # 25,557,032 of ResNet-50 with 1000 classes, with the 53,120 moving statistics, its last
        # layer of 2048 x 1000 + 1000 for one of 10 classes (torchvision 0.28).
        ("resnet50", (96, 96, 3), (10,), 25_557_032 + 53_120 - 2_049_000 + 20_490),
        ("mobilenet_v2", (96, 96, 3), (1280,), 2_257_984),  # Keras 3.15, include_top=False
    ],
)
def test_networks_of_the_literature_have_its_number_of_weights(
    network, input_shape, output_shape, weights
):
    import bench_networks
    import bench_specs

    stack = getattr(bench_networks, network)()
    assert bench_specs.output_shape(stack, input_shape) == output_shape
    made = bench_specs.initial_weights(stack, input_shape)
    assert bench_specs.count_weights(made) == weights


def test_unet_gives_logits_and_gets_labels_for_every_pixel():
    from bench_specs import output_shape
    from bench_workloads import WORKLOADS

    workload = WORKLOADS["unet"]
    assert output_shape(workload.stack, workload.given) == (64, 64, 10)
    _, labels = workload.smaller(2, 1).data()
    assert labels.shape == (2, 64, 64)


def test_operations_of_attention_are_those_of_its_products():
    from bench_blocks import SelfAttention

    assert SelfAttention(4).macs((128, 256)) == 4 * 128 * 256 * 256 + 2 * 4 * 128 * 128 * 64


@pytest.mark.parametrize(
    "name",
    [
        *("transformer", "mnist_cnn_1"),
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("unet", "resnet50", "mobilenet_tuned")),
    ],
)
def test_seqonnx_and_torch_do_the_same_work(name):
    pytest.importorskip("torch", reason="the peer")
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


def test_torch_does_the_same_work_with_time_before_batch():
    pytest.importorskip("torch", reason="the peer")
    import bench_torch
    from bench_worker import Setup
    from bench_workloads import WORKLOADS

    workload = WORKLOADS["bidirectional"].smaller(4, 2)
    setup = Setup("cpu", 2)
    usual = bench_torch.prepare(workload, setup, channels_last=False).run
    turned = bench_torch.prepare(workload, setup, channels_last=False, time_first=True).run
    assert turned(2) == pytest.approx(usual(2), rel=1e-5)
    assert bench_torch.only_recurrent(workload) is None
    assert bench_torch.only_recurrent(WORKLOADS["transformer"]) == ""


def test_the_mean_is_taken_over_the_eight_rows_that_it_always_had():
    from bench_report import summary
    from bench_workloads import WORKLOADS

    counted = {n for n, w in WORKLOADS.items() if w.task == "train" and w.counted}
    assert counted == EIGHT
    rows = [
        {"task": "train", "counted": True, "ratio_to_best_peer": 0.5},
        {"task": "train", "counted": True, "ratio_to_best_peer": 2.0},
        {"task": "train", "counted": False, "ratio_to_best_peer": 9.0},
        {"task": "predict", "counted": True, "ratio_to_best_peer": 9.0},
    ]
    assert summary(rows) == "Geometric mean over 2 of 2 training workloads: 1.00"


def test_thread_counts_are_numbers_or_all(monkeypatch):
    import bench

    monkeypatch.setattr(bench.os, "cpu_count", lambda: 6)
    assert bench.thread_counts("1,2,all") == [1, 2, 6]
    assert bench.thread_counts("6,all") == [6]
    for text in ("0", "two", "1,,2", "-1"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"Received: {text}"):
            bench.thread_counts(text)


def test_the_heading_names_vector_unit_and_block_size():
    from bench_report import machine

    facts = machine("cpu", 2)
    assert {"AVX2": 8, "AVX-512": 16}.get(facts["vector unit"]) == facts["block size"]
    assert facts["threads"] == 2


def report(ratio, date="2026-11-30", threads=2):
    """A report of `bench.py` with two workloads, the second without enough quiet rounds."""

    def row(name, value):
        return {
            **{"workload": name, "task": "train", "counted": True, "best_peer": "torch"},
            "ratio_to_best_peer": value,
            "contestants": {"seqonnx": {"median_ms": 3.0}},
        }

    machine = {"processor": "p", "vector unit": "AVX2", "block size": 8, "device": "cpu"}
    return {
        "machine": {**machine, "threads": threads, "date": date, "system": "left out"},
        "frameworks": {"seqonnx": {"versions": {"seqonnx": "1.5.0"}}},
        "workloads": [row("mlp", ratio), row("mnist_cnn", None)],
    }


def test_a_run_adds_a_line_to_the_history(tmp_path):
    from bench_history import append, entry, read

    file = tmp_path / "history.jsonl"
    for ratio in (1.25, 0.8):
        append(file, entry(report(ratio)))
    first, second = read(file)
    assert first["ratios"] == {"mlp": 1.25, "mnist_cnn": None}
    assert first["versions"] == {"seqonnx": "1.5.0"}
    assert second["mean"] == pytest.approx(0.8)
    assert "system" not in first


def test_the_picture_shows_ratios_of_quiet_rounds_for_each_kind_of_machine(tmp_path):
    from bench_history import HEIGHT, append, entry, main

    file, picture = tmp_path / "history.jsonl", tmp_path / "ratios.svg"
    for ratio, threads in ((1.0, 2), (4.0, 2), (0.5, 1)):
        append(file, entry(report(ratio, threads=threads)))
    assert main([str(file), str(picture)]) == 0
    root = ET.fromstring(picture.read_text("utf-8"))
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "step over the best peer's: AVX2, threads: 2" in texts
    assert "step over the best peer's: AVX2, threads: 1" in texts
    assert "1.5.0 (2026-11-30)" in texts
    assert "mlp 4.00" in texts
    assert "mnist_cnn" in texts
    places = [float(c.get("cy")) for c in root.iter("{http://www.w3.org/2000/svg}circle")]
    assert places == pytest.approx([HEIGHT / 2, 0, HEIGHT * 0.75])


def test_runs_with_several_thread_counts_are_written_one_after_the_other(monkeypatch, tmp_path):
    import bench
    import bench_pool
    import bench_rounds

    monkeypatch.setattr(bench, "limit_cores", lambda count: None)
    monkeypatch.setattr(bench.Bench, "greet", lambda self: {})
    monkeypatch.setattr(
        bench.Bench, "measure", lambda self, name: bench_rounds.Measured(name, wanted=1)
    )
    file, history = tmp_path / "result.json", tmp_path / "history.jsonl"
    arguments = ["--workload", "mlp", "--threads", "1,2", "--json", str(file)]
    assert bench.main([*arguments, "--history", str(history)], bench_pool.FRAMEWORKS) == 0
    runs = json.loads(file.read_text("utf-8"))["runs"]
    assert [run["machine"]["threads"] for run in runs] == [1, 2]
    assert len(history.read_text("utf-8").splitlines()) == 2
