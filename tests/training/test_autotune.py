"""Autotuning measures the forms of a gradient once, and remembers the fastest by its name."""

from __future__ import annotations

import json

import numpy as np
import pytest

import seqonnx
from seqonnx import layers
from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_bytes, to_proto
from seqonnx.runtime import CPU
from seqonnx.training import autotune
from seqonnx.training.autotune import Autotuner
from seqonnx.training.blocks import plain_forms

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(4, 12, 9, 9)), RNG.normal(size=(10, 12, 3, 3))
DY = RNG.normal(size=(4, 10, 9, 9))


def emit(choose, dtype="float64"):
    """A padded convolution and its gradients; all sizes are known."""
    op = Emitter()
    x, w = op.input("x", dtype, X.shape), op.input("w", dtype, W.shape)
    y = op.Conv(x, w, pads=[1, 1, 1, 1])
    dy = op.input("dy", dtype, DY.shape)
    found = backward(op, [(y, dy)], [x, w], choose=choose)
    return to_proto(op.graph), op, found


def offered():
    offers = []

    def watch(node, wanted, forms):
        offers.extend(forms)
        return forms[0]

    emit(watch)
    return offers


def names(forms):
    return [form.name for form in forms]


def test_a_padded_convolution_offers_several_forms():
    plain = ["shared windows", "flipped convolution", "transposed convolution"]
    assert names(plain_forms(offered())) == plain
    assert names(offered()) != plain


def test_forms_for_the_blocked_layout_are_measured_where_there_is_one(tmp_path, timed):
    emit(Autotuner(CPU, tmp_path / "plain.json"))
    emit(Autotuner(CPU, tmp_path / "blocked.json", block=8))
    assert timed == [names(plain_forms(offered())), names(offered())]


@pytest.mark.parametrize("form", offered(), ids=lambda form: form.name)
def test_every_form_gives_the_same_gradient(form):
    from onnx.reference import ReferenceEvaluator

    def run(form):
        _, op, found = emit(lambda *_: form)
        outputs = [str(op.output(value, f"g{i}").name) for i, value in enumerate(found)]
        feeds = {"x": X, "w": W, "dy": DY}
        return ReferenceEvaluator(to_proto(op.graph)).run(outputs, feeds)

    for actual, wanted in zip(run(form), run(offered()[-1]), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-10, atol=1e-10)


@pytest.fixture
def timed(monkeypatch):
    """The names of the forms that were measured; the last form counts as the fastest."""
    measured = []

    def fastest(self, node, wanted, forms):
        measured.append(names(forms))
        return forms[-1]

    monkeypatch.setattr(Autotuner, "_fastest", fastest)
    return measured


def test_a_choice_is_measured_once_and_remembered_in_a_file(tmp_path, timed):
    path = tmp_path / "cache" / "choices.json"
    emit(Autotuner(CPU, path))
    emit(Autotuner(CPU, path))
    assert len(timed) == 1
    ((machine, choices),) = json.loads(path.read_text()).items()
    assert "onnxruntime" in machine
    assert list(choices.values()) == ["transposed convolution"]


@pytest.mark.parametrize(
    "content", ["{", "[]", "null", '{"some machine": []}', '{"some machine": {"Conv": "unknown"}}']
)
def test_a_damaged_file_costs_only_a_measurement(tmp_path, timed, content):
    path = tmp_path / "choices.json"
    path.write_text(content)
    emit(Autotuner(CPU, path))
    assert len(timed) == 1
    assert "transposed convolution" in path.read_text()


def test_a_machine_with_a_damaged_entry_starts_anew(tmp_path, timed):
    path = tmp_path / "choices.json"
    emit(Autotuner(CPU, path))
    machine = next(iter(json.loads(path.read_text())))
    path.write_text(json.dumps({machine: []}))
    emit(Autotuner(CPU, path))
    assert len(timed) == 2


def test_what_another_process_has_remembered_stays(tmp_path, timed):
    path = tmp_path / "choices.json"
    choose = Autotuner(CPU, path)
    path.write_text('{"another machine": {"Conv": "somehow"}}')
    emit(choose)
    assert json.loads(path.read_text())["another machine"] == {"Conv": "somehow"}


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, timed, caplog):
    (tmp_path / "file").write_text("")
    emit(Autotuner(CPU, tmp_path / "file" / "choices.json"))
    assert len(timed) == 1
    assert "are not remembered" in caplog.text


def test_the_measured_form_is_one_of_those_offered(tmp_path):
    path = tmp_path / "choices.json"
    emit(Autotuner(CPU, path), "float32")
    (choices,) = json.loads(path.read_text()).values()
    assert set(choices.values()) <= set(names(offered()))


def test_a_pool_is_measured_behind_an_operator_like_its_own(tmp_path, monkeypatch):
    trials, offers = [], []

    def serialized(graph):
        trials.append({node.op_type for node in graph})
        return to_bytes(graph)

    monkeypatch.setattr(autotune, "to_bytes", serialized)
    timed = Autotuner(CPU, tmp_path / "choices.json")

    def choose(node, wanted, forms):
        offers.extend(names(forms))
        return timed(node, wanted, forms)

    op = Emitter()
    x = op.input("x", "float32", (2, 3, 9, 9))
    y = op.MaxPool(op.Relu(x), kernel_shape=[3, 3], strides=[2, 2])
    backward(op, [(y, op.input("dy", "float32", (2, 3, 4, 4)))], [x], choose=choose)
    assert offers == ["one axis after the other", "indices"]
    assert ["ScatterElements" in operators for operators in trials] == [False, True]


def test_a_tuned_model_trains_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQONNX_CACHE", str(tmp_path))

    def train(**options):
        seqonnx.set_random_seed(1)
        model = seqonnx.Sequential(
            [
                seqonnx.Input(shape=(8, 8, 3)),
                layers.Conv2D(9, 3, padding="same", activation="relu"),
                layers.Conv2D(10, 3, padding="same", activation="relu"),
                layers.Flatten(),
                layers.Dense(2),
            ]
        )
        model.compile("sgd", "mse", **options)
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(8, 8, 8, 3)), rng.normal(size=(8, 2))
        model.fit(x, y, batch_size=4, verbose=0)
        return model.get_weights()

    for tuned, plain in zip(train(autotune=True), train(), strict=True):
        np.testing.assert_allclose(tuned, plain, rtol=1e-4, atol=1e-6)
    assert (tmp_path / "choices.json").exists()
