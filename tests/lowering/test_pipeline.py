"""Which passes a graph goes through is written in one place, in order, each with its reason."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import seqonnx
from seqonnx.graph import Emitter
from seqonnx.lowering import pipeline
from seqonnx.lowering.pipeline import DEVICES, EAGER, FORWARD, INFERENCE, STEP, TUNING, Options

HOUSE = Path(seqonnx.__file__).parent
PIPELINES = {
    "FORWARD": FORWARD,
    "STEP": STEP,
    "INFERENCE": INFERENCE,
    "EAGER": EAGER,
    "TUNING": TUNING,
}
FORMS = {"descent", "logits", "packing", "row_totals"}
"""The forms that are chosen while a graph is emitted."""
BUILDING_BLOCKS = {
    "blocks": "blocked/region",
    "layout_rules": "layout",
    "replacing": "small_maps",
    "respelling": "relabel",
    "segments": "recompute",
    "transposes": "layout",
}
"""Files that passes are made of, and one that each is for."""


@pytest.mark.parametrize(
    ("name", "device", "passes"),
    [
        ("FORWARD", "cpu", ["low_rank", "unused", "layout", "padding", "cropping"]),
        ("FORWARD", "cuda", ["low_rank", "unused", "layout", "padding", "cropping"]),
        (
            *("STEP", "cpu"),
            [
                *("flat_outputs", "shared_states", "unused"),
                *("batch_statistics", "recompute", "blocked", "small_maps"),
            ],
        ),
        (
            *("STEP", "cuda"),
            [
                *("flat_outputs", "shared_states", "unused"),
                *("batch_statistics", "recompute", "relabel"),
            ],
        ),
        ("INFERENCE", "cpu", ["batch_statistics", "folding"]),
        ("INFERENCE", "cuda", ["batch_statistics", "folding", "relabel"]),
        ("EAGER", "cpu", ["batch_statistics"]),
        ("EAGER", "cuda", ["batch_statistics"]),
        ("TUNING", "cpu", ["unused", "blocked"]),
        ("TUNING", "cuda", ["unused"]),
    ],
)
def test_the_order_of_the_passes_for_each_device(name, device, passes):
    assert [p.name for p in PIPELINES[name] if device in p.devices] == passes


def test_no_pipeline_is_missing_here():
    found = {
        name
        for name, value in vars(pipeline).items()
        if isinstance(value, tuple) and any(isinstance(p, pipeline.Pass) for p in value)
    }
    assert found == PIPELINES.keys()


@pytest.mark.parametrize("name", PIPELINES)
def test_every_pass_says_why_it_is_there(name):
    for entry in PIPELINES[name]:
        assert len(entry.reason.split()) >= 10, entry.name
        assert set(entry.devices) <= set(DEVICES)
        assert len(entry.devices) > 0


def test_every_file_of_the_room_is_a_pass_of_a_pipeline_or_named_as_something_else():
    files = {path.stem for path in (HOUSE / "lowering").glob("*.py")} - {"__init__", "pipeline"}
    files |= {path.parent.name for path in (HOUSE / "lowering").glob("*/__init__.py")}
    passes = {entry.name for entries in PIPELINES.values() for entry in entries}
    assert files == passes | FORMS | BUILDING_BLOCKS.keys()
    assert passes.isdisjoint(FORMS | BUILDING_BLOCKS.keys())
    for block, user in BUILDING_BLOCKS.items():
        text = (HOUSE / "lowering" / f"{user}.py").read_text("utf-8")
        assert f"from seqonnx.lowering.{block} import" in text


def test_no_other_room_calls_a_pass():
    passes = {entry.name for entries in PIPELINES.values() for entry in entries}
    called = re.compile(rf"seqonnx\.lowering(?:\.| import )(?:{'|'.join(sorted(passes))})\b")
    outside = {
        path.relative_to(HOUSE).as_posix()
        for path in HOUSE.rglob("*.py")
        if (HOUSE / "lowering") not in path.parents and called.search(path.read_text("utf-8"))
    }
    assert outside == set()


def emitted():
    """A graph with something for `unused`, `flat_outputs` and `batch_statistics` to do."""
    op = Emitter()
    x, v = op.input("x", "float32", (4, 2)), op.input("v", "float32", (2,))
    op.Relu(x)
    y, *_ = op.BatchNormalization(x, v, v, v, v, training_mode=1, _outputs=3)
    op.output(y, "y")
    op.output(op.Reshape(op.Neg(v), np.array([2, 1])), "w")
    return op


def test_a_pass_runs_only_where_it_is_wanted():
    shapes = {}
    for flat in (False, True):
        op = emitted()
        pipeline.lower(op, STEP, Options(flat=flat))
        shapes[flat] = {value.name: tuple(value.shape) for value in op.graph.outputs}
    assert shapes == {False: {"y": (4, 2), "w": (2, 1)}, True: {"y": (4, 2), "w": (2,)}}


def test_passes_run_in_the_order_of_the_pipeline():
    ran = []

    def noted(name, devices=DEVICES):
        return pipeline.Pass(name, lambda op, options: ran.append(name), "none", devices)

    entries = (noted("b"), noted("only on a GPU", ("cuda",)), noted("a"))
    pipeline.lower(Emitter(), entries)
    assert ran == ["b", "a"]
    pipeline.lower(Emitter(), entries, Options(device="cuda"))
    assert ran == ["b", "a", "b", "only on a GPU", "a"]


def test_a_step_declares_an_older_operator_set_on_a_gpu_only():
    versions = {}
    for device in DEVICES:
        op = emitted()
        pipeline.lower(op, STEP, Options(device=device))
        assert "Relu" not in [node.op_type for node in op.graph]
        assert not any(node.attributes.get_int("training_mode", 0) for node in op.graph)
        versions[device] = op.graph.opset_imports[""]
    assert versions["cuda"] < versions["cpu"]


def test_a_file_is_folded_only_where_that_is_asked_for():
    kinds = {}
    for folded in (False, True):
        op = Emitter()
        x, ones = op.input("x", "float32", ("batch", 2)), np.ones(2, np.float32)
        made = op.MatMul(x, op.constant(np.ones((2, 2), np.float32), "w"))
        statistics = [op.constant(ones, name) for name in ("scale", "bias", "mean", "variance")]
        op.output(op.BatchNormalization(made, *statistics), "y")
        pipeline.lower(op, INFERENCE, Options(folded=folded))
        kinds[folded] = [node.op_type for node in op.graph]
    assert kinds == {False: ["MatMul", "BatchNormalization"], True: ["Gemm"]}
