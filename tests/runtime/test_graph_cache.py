"""Optimised step graphs are kept for the next process, and nothing about that breaks training."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_bytes
from seqonnx.runtime import CPU, Session, graph_cache

TRAIN = """
import numpy as np
import seqonnx as keras
from seqonnx import layers
from seqonnx.runtime import graph_cache

graph_cache._SMALLEST = 0
keras.set_random_seed(0)
hidden = [layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(8)]
model = keras.Sequential([keras.Input((6, 6, 1)), *hidden, layers.Dense(2)])
model.compile("adam", "mse")
x = np.linspace(-1, 1, 4 * 36, dtype=np.float32).reshape(4, 6, 6, 1)
print([float(model.train_on_batch(x, x[:, 0, :2, 0])) for _ in range(3)])
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of the entries, which graphs of every size get into."""
    monkeypatch.setenv("SEQONNX_CACHE", str(tmp_path))
    monkeypatch.setenv("SEQONNX_GRAPH_CACHE", "1")
    monkeypatch.setattr(graph_cache, "_SMALLEST", 0)
    return tmp_path / "graphs"


@pytest.fixture
def levels(monkeypatch):
    """The level of optimization of each session that is opened."""
    seen = []
    opened = onnxruntime.InferenceSession

    def noted(model, options, **kwargs):
        seen.append(options.graph_optimization_level.name)
        return opened(model, options, **kwargs)

    monkeypatch.setattr(onnxruntime, "InferenceSession", noted)
    return seen


def train(units: int = 8, frozen: bool = False) -> list[float]:
    """The losses of some steps."""
    keras.set_random_seed(0)
    keras.utils.clear_session(free_memory=False)  # the same names as in another process
    first = layers.Dense(units, activation="relu")
    first.trainable = not frozen
    model = keras.Sequential([keras.Input((4,)), first, layers.Dense(2)])
    model.compile("adam", "mse")
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    return [float(model.train_on_batch(x, x[:, :2])) for _ in range(3)]


def test_processes_that_write_at_once_leave_one_entry_for_the_next(folder):
    variables = {**os.environ}

    def start():
        command = [sys.executable, "-c", TRAIN]
        return subprocess.Popen(command, stdout=subprocess.PIPE, env=variables, text=True)

    written = [process.communicate()[0] for process in [start(), start()]]
    entries = list(folder.iterdir())
    assert [entry.suffix for entry in entries] == [".graph"]
    before = entries[0].stat().st_ino
    read = start().communicate()[0]
    assert list(folder.iterdir()) == entries
    assert entries[0].stat().st_ino == before  # not written again
    assert written[0].startswith("[")
    assert written == [read, read]


def test_what_is_kept_is_opened_as_it_is_and_trains_as_before(folder, levels):
    expected = train()
    again = train()
    assert again == expected
    assert levels == ["ORT_ENABLE_EXTENDED", "ORT_DISABLE_ALL"]
    train(units=9)
    assert levels[2:] == ["ORT_ENABLE_EXTENDED"]
    assert len(list(folder.iterdir())) == 2


def test_nodes_are_executed_in_the_same_order(folder, tmp_path):
    """It decides how much memory a step takes."""
    op = Emitter()
    x = op.input("x", "float32", (3,))
    for _ in range(3):
        x = op.Tanh(op.Relu(x))
        op.output(op.Cos(op.Exp(op.Sin(x))), "y")
    orders = []
    for number in range(2):
        profile = tmp_path / f"{number}.json"
        session = Session(to_bytes(op.graph), CPU, training=True, profile=profile)
        session.run({"x": np.zeros(3, np.float32)})
        orders.append([record.node for record in session.end_profile()])
    assert len(list(folder.iterdir())) == 1
    assert len(orders[0]) == 15
    assert orders[0] == orders[1]


@pytest.mark.parametrize("kept", ["a bit has changed", "cut off", "empty", "no model"])
def test_a_damaged_entry_is_made_anew(folder, levels, kept):
    expected = train()
    (entry,) = folder.iterdir()
    good = entry.read_bytes()
    other = {
        "a bit has changed": good[:-1] + bytes([good[-1] ^ 1]),
        "cut off": good[: len(good) // 2],
        "empty": b"",
        "no model": graph_cache._DIGEST(b"no model").digest() + b"no model",
    }
    entry.write_bytes(other[kept])
    assert train() == expected
    assert entry.read_bytes() == good
    assert train() == expected
    assert levels[-1] == "ORT_DISABLE_ALL"


def test_the_entries_that_were_used_longest_ago_go_where_all_are_too_large(folder, monkeypatch):
    names = []
    for age, units in ((300, 8), (200, 9), (100, 10)):
        train(units)
        (new,) = set(folder.iterdir()) - set(names)
        names.append(new)
        then = new.stat().st_mtime - age
        os.utime(new, (then, then))
    train(8)  # reads the oldest
    monkeypatch.setattr(graph_cache, "_CAPACITY", int(3.5 * names[0].stat().st_size))
    train(11)
    left = set(folder.iterdir())
    assert names[1] not in left
    assert {names[0], names[2]} < left
    assert len(left) == 3


def test_it_can_be_switched_off(folder, levels, monkeypatch):
    monkeypatch.setenv("SEQONNX_GRAPH_CACHE", "0")
    assert train() == train()
    assert not folder.exists()
    assert levels == ["ORT_ENABLE_EXTENDED"] * 2


@pytest.mark.parametrize("bounds", [(1 << 17, 1 << 24), (0, 100)])
def test_small_and_very_large_graphs_are_not_kept(folder, monkeypatch, bounds):
    monkeypatch.setattr(graph_cache, "_SMALLEST", bounds[0])
    monkeypatch.setattr(graph_cache, "_LARGEST", bounds[1])
    train()
    assert not folder.exists()


def test_graphs_with_constant_weights_and_forward_passes_are_not_kept(folder):
    train(frozen=True)
    keras.Sequential([keras.Input((4,)), layers.Dense(2)]).predict(np.ones((1, 4)), verbose=0)
    assert not folder.exists()


@pytest.mark.parametrize("trouble", ["no home", "no folder", "no temporary folder"])
def test_without_a_place_to_write_to_training_works(folder, monkeypatch, trouble):
    def fail(*args, **kwargs):
        raise RuntimeError if trouble == "no home" else OSError(28, "No space left on device")

    if trouble == "no home":
        monkeypatch.setattr(keras.config, "cache_folder", fail)
    elif trouble == "no folder":
        folder.write_bytes(b"a file in its place")
    else:
        monkeypatch.setattr(graph_cache.tempfile, "TemporaryDirectory", fail)
    losses = train()
    monkeypatch.setenv("SEQONNX_GRAPH_CACHE", "0")
    assert losses == train()


def test_a_draft_that_cannot_be_written_is_no_error(folder, monkeypatch):
    opened = onnxruntime.InferenceSession

    def full(model, options, **kwargs):
        if options.optimized_model_filepath != "":
            raise RuntimeError("No space left on device")
        return opened(model, options, **kwargs)

    monkeypatch.setattr(onnxruntime, "InferenceSession", full)
    losses = train()
    assert not folder.exists()
    monkeypatch.setenv("SEQONNX_GRAPH_CACHE", "0")
    assert losses == train()
