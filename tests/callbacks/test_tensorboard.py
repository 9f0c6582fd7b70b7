"""TensorBoard's files hold what Keras writes to them, by Keras's tags, and RemoteMonitor posts."""

from __future__ import annotations

import http.server
import importlib
import json
import struct
import sys
import threading
from urllib.parse import parse_qs

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.callbacks import RemoteMonitor, TensorBoard
from seqonnx.callbacks.event_file import EventFile

pytest.importorskip("tensorboardX", reason="TensorBoard needs tensorboardX")

X = np.linspace(-1, 1, 60, dtype="float32").reshape(20, 3)
Y = X.sum(-1, keepdims=True)


def events(folder):
    """The events of a folder, read as the records they are."""
    event = importlib.import_module("tensorboardX.proto.event_pb2").Event
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data = path.read_bytes()
        while data:
            (size,) = struct.unpack("<Q", data[:8])
            found.append(event.FromString(data[12 : 12 + size]))
            data = data[16 + size :]
    return found


def series(folder):
    """Steps and values of each tag."""
    found = {}
    for event in events(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value))
    return found


def scalars(folder):
    return {
        tag: [(step, value.simple_value) for step, value in pairs]
        for tag, pairs in series(folder).items()
        if pairs[0][1].HasField("simple_value")
    }


def make():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, name="first"), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
    return model


def fit(tmp_path, model=None, **options):
    model = make() if model is None else model
    arguments = {"batch_size": 5, "epochs": 2, "verbose": 0, "validation_data": (X[:4], Y[:4])}
    history = model.fit(X, Y, **arguments, callbacks=[TensorBoard(tmp_path / "logs", **options)])
    return history.history, tmp_path / "logs" / "train", tmp_path / "logs" / "validation"


def test_metrics_of_epochs_have_keras_tags(tmp_path):
    history, train, validation = fit(tmp_path)
    written = scalars(train)
    assert sorted(written) == ["epoch_learning_rate", "epoch_loss", "epoch_mae"]
    for name in ("loss", "mae"):
        steps, values = zip(*written[f"epoch_{name}"], strict=True)
        assert steps == (0, 1)
        assert values == pytest.approx(history[name])
    assert [step for step, _ in written["epoch_learning_rate"]] == [0, 1]
    assert written["epoch_learning_rate"][0][1] == pytest.approx(0.05)
    measured = scalars(validation)
    assert sorted(measured) == [
        "epoch_loss",
        "epoch_mae",
        "evaluation_loss_vs_iterations",
        "evaluation_mae_vs_iterations",
    ]
    assert [step for step, _ in measured["evaluation_loss_vs_iterations"]] == [4, 8]
    assert measured["epoch_loss"][1][1] == pytest.approx(history["val_loss"][1])


@pytest.mark.parametrize(("update_freq", "steps"), [("batch", range(1, 9)), (3, [3, 6])])
def test_metrics_of_batches_come_as_often_as_asked(update_freq, steps, tmp_path):
    _, train, _ = fit(tmp_path, update_freq=update_freq, write_steps_per_second=True)
    written = scalars(train)
    for tag in ("batch_loss", "batch_mae", "batch_steps_per_second"):
        assert [step for step, _ in written[tag]] == list(steps)
    assert all(value > 0 for _, value in written["epoch_steps_per_second"])


def test_evaluate_writes_over_the_steps_of_the_optimizer(tmp_path):
    model = make()
    model.fit(X, Y, batch_size=5, verbose=0)
    logs = model.evaluate(
        X, Y, verbose=0, return_dict=True, callbacks=[TensorBoard(tmp_path / "logs")]
    )
    written = scalars(tmp_path / "logs" / "validation")
    assert written["evaluation_loss_vs_iterations"] == [(4, pytest.approx(logs["loss"]))]
    assert not (tmp_path / "logs" / "train").exists()


def test_weights_are_histograms_and_images(tmp_path):
    pytest.importorskip("PIL", reason="images need Pillow")
    _, train, _ = fit(tmp_path, histogram_freq=1, write_images=True)
    written = series(train)
    histograms = [tag for tag in written if tag.endswith("/histogram")]
    assert len(histograms) == 4
    histogram = written["first/kernel/histogram"][0][1].histo
    assert [step for step, _ in written["first/kernel/histogram"]] == [0, 1]
    assert histogram.num == 12
    image = written["first/kernel/image"][0][1].image
    assert (image.height, image.width) == (3, 4)
    assert image.encoded_image_string[:4] == b"\x89PNG"
    assert (written["first/bias/image"][0][1].image.height) == 4


def test_graph_has_the_operators_of_the_model_and_can_be_left_out(tmp_path):
    graph_def = importlib.import_module("tensorboardX.proto.graph_pb2").GraphDef
    _, train, _ = fit(tmp_path / "a")
    (written,) = [event.graph_def for event in events(train) if event.graph_def]
    nodes = {node.name: node for node in graph_def.FromString(written).node}
    operators = [node.op for node in nodes.values()]
    assert operators.count("Placeholder") == 1
    assert operators.count("Const") == 4
    assert {"Gemm", "MatMul"} & set(operators)
    assert all(source in nodes for node in nodes.values() for source in node.input)
    _, train, _ = fit(tmp_path / "b", write_graph=False)
    assert not any(event.graph_def for event in events(train))


def test_profile_of_some_batches_is_a_trace_of_their_nodes(tmp_path):
    history, train, _ = fit(tmp_path, profile_batch=(2, 3))
    trace = json.loads((train / "batch_2.trace.json").read_text())
    nodes = [event for event in trace if event.get("cat") == "Node"]
    assert len(nodes) > 0
    runs = [event for event in trace if event.get("name") == "model_run"]
    assert len(runs) == 2
    assert history["loss"][1] < history["loss"][0]  # and training has gone on


def test_profile_changes_no_bit_of_the_training(tmp_path):
    weights = []
    for number, batches in enumerate((0, "3,6", 8)):
        keras.config.set_random_seed(4)
        model = make()
        fit(tmp_path / str(number), model, profile_batch=batches)
        weights.append([array.tobytes() for array in model.get_weights()])
    assert weights[0] == weights[1] == weights[2]


def test_embeddings_are_tables_that_the_projector_finds(tmp_path):
    model = keras.Sequential(
        [keras.Input((2,), dtype="int32"), layers.Embedding(5, 3, name="words"), layers.Flatten()]
    )
    model.compile("sgd", "mse")
    (tmp_path / "logs").mkdir()
    callback = TensorBoard(
        tmp_path / "logs", embeddings_freq=1, embeddings_metadata={"words": "words.tsv"}
    )
    model.fit(np.zeros((4, 2)), np.zeros((4, 6)), epochs=2, verbose=0, callbacks=[callback])
    config = (tmp_path / "logs" / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "train/words-1.tsv"' in config
    assert 'metadata_path: "words.tsv"' in config
    table = np.loadtxt(tmp_path / "logs" / "train" / "words-1.tsv")
    np.testing.assert_allclose(table, model.get_weights()[0], rtol=1e-6)
    wrong = TensorBoard(tmp_path / "logs", embeddings_freq=1, embeddings_metadata={"w": "x"})
    with pytest.raises(ValueError, match=r"Unrecognized `Embedding` layer names.*\['w'\]"):
        model.fit(np.zeros((4, 2)), np.zeros((4, 6)), verbose=0, callbacks=[wrong])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"update_freq": 0}, "`update_freq` must be 'epoch', 'batch' or a positive number"),
        ({"update_freq": "step"}, "Received: update_freq='step'"),
        ({"profile_batch": -1}, "profile_batch must be a non-negative integer"),
        ({"profile_batch": (5, 2)}, r"Found: \(5, 2\)"),
        ({"profile_batch": "a"}, "Found: a"),
        ({"histogram_freq": 1.5}, "`histogram_freq` must be a number of epochs"),
    ],
)
def test_arguments_are_checked(options, text):
    with pytest.raises(ValueError, match=text):
        TensorBoard(**options)


def test_missing_library_is_named_with_its_installation(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)
    with pytest.raises(ImportError, match=r"pip install \"seqonnx\[tensorboard\]\""):
        TensorBoard()


def test_metric_of_several_values_has_a_series_for_each(tmp_path):
    file = EventFile(tmp_path)
    file.scalar("epoch_f1", np.array([0.25, 0.5]), 3)
    file.histogram("none", np.array([np.nan]), 3)
    file.close()
    assert scalars(tmp_path) == {"epoch_f1_0": [(3, 0.25)], "epoch_f1_1": [(3, 0.5)]}


@pytest.fixture
def server():
    """A server that keeps what is posted."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            seen.append((self.path, dict(self.headers), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", seen
        running.shutdown()
        thread.join()


def test_remote_monitor_posts_each_epoch_as_a_form_or_as_json(server):
    root, seen = server
    RemoteMonitor(root, headers={"X-Key": "7"}).on_epoch_end(2, {"loss": np.float32(0.5)})
    RemoteMonitor(root, "/in/", send_as_json=True).on_epoch_end(3, {"f1": np.array([1.0, 2.0])})
    (path, headers, body), (other, more, text) = seen
    assert path == "/publish/epoch/end/"
    assert json.loads(parse_qs(body)["data"][0]) == {"epoch": 2, "loss": 0.5}
    assert headers["X-Key"] == "7"
    assert (other, more["Content-Type"]) == ("/in/", "application/json")
    assert json.loads(text) == {"epoch": 3, "f1": [1.0, 2.0]}


def test_remote_monitor_warns_and_goes_on_without_a_server():
    monitor = RemoteMonitor("http://127.0.0.1:9")
    with pytest.warns(UserWarning, match="Could not reach RemoteMonitor root server at http://127"):
        monitor.on_epoch_end(0, {"loss": 1.0})
    with pytest.raises(ValueError, match=r"`root` must begin with http.*root=file:"):
        RemoteMonitor("file:///etc")
