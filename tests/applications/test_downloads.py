"""Published files are fetched once, verified, and asked for again when the network fails."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import threading

import numpy as np
import pytest
from rich.console import Console

from seqonnx import applications
from seqonnx.applications import imagenet, mobilenet_v2, nasnet, xception
from seqonnx.config import cache_folder
from seqonnx.downloads import RemoteFile, fetch
from seqonnx.errors import ModelFileError

CONTENT = bytes(range(256)) * 4096
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Answers every request with the next of `answers`, the last one again and again."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list = [CONTENT]
        self.requests: list[str] = []
        self.headers: dict[str, str] = {}

    def file(self, md5: str | None = MD5, name: str = "net.h5") -> RemoteFile:
        return RemoteFile(f"http://127.0.0.1:{self.server_port}/models/{name}", md5)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.server.requests.append(self.path)
        if isinstance(answer, int):
            self.send_error(answer)
            return
        body, length = answer if isinstance(answer, tuple) else (answer, len(answer))
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_file_is_fetched_once(server):
    path = fetch(server.file())
    assert path == cache_folder() / "models" / "net.h5"
    assert path.read_bytes() == CONTENT
    assert fetch(server.file()) == path
    assert server.requests == ["/models/net.h5"]


def test_copy_with_a_wrong_checksum_is_fetched_again(server):
    path = fetch(server.file())
    path.write_bytes(b"damaged")
    assert fetch(server.file()).read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_copy_of_keras_is_taken(server, tmp_path):
    (tmp_path / "keras" / "models").mkdir(parents=True)
    copy = tmp_path / "keras" / "models" / "net.h5"
    copy.write_bytes(b"something else")
    assert fetch(server.file()) != copy
    (cache_folder() / "models" / "net.h5").unlink()
    copy.write_bytes(CONTENT)
    assert fetch(server.file()) == copy
    assert len(server.requests) == 1


@pytest.mark.parametrize("failure", [503, (CONTENT[:99], len(CONTENT)), b"other content"])
def test_failure_that_passes_is_survived(server, failure):
    server.answers = [failure, failure, CONTENT]
    assert fetch(server.file(), pause=0.0).read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_wrong_checksum_is_never_kept(server):
    server.answers = [b"other content"]
    with pytest.raises(ModelFileError, match=rf"came with the checksum .* but {MD5} is published"):
        fetch(server.file(), pause=0.0)
    assert list((cache_folder() / "models").iterdir()) == []


def test_checksum_of_the_server_is_verified_where_none_is_published(server):
    right = base64.b64encode(bytes.fromhex(MD5)).decode()
    server.headers = {"x-goog-hash": f"crc32c=AAAAAA==,md5={right}"}
    assert fetch(server.file(None)).read_bytes() == CONTENT
    server.headers = {"x-goog-hash": f"md5={base64.b64encode(bytes(16)).decode()}"}
    with pytest.raises(ModelFileError, match="checksum"):
        fetch(server.file(None, "other.h5"), pause=0.0)


def test_sha256_is_verified_where_it_is_published(server):
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    url = server.file().url
    path = fetch(RemoteFile(url, sha256=sha256, kept_as="mine.h5"), pause=0.0)
    assert (path.name, path.read_bytes()) == ("mine.h5", CONTENT)
    path.write_bytes(b"damaged")
    server.answers = [b"other content"]
    with pytest.raises(ModelFileError, match=rf"\(SHA256\), but {sha256} is published"):
        fetch(RemoteFile(url, sha256=sha256, kept_as="mine.h5"), pause=0.0)


def test_file_that_is_not_there_is_not_asked_for_again(server):
    server.answers = [404]
    with pytest.raises(ConnectionError, match=r"net\.h5 could not be downloaded \(HTTP Error 404"):
        fetch(server.file(), pause=0.0)
    assert len(server.requests) == 1


def test_no_network_says_what_to_do(server):
    file = server.file()
    server.shutdown()
    server.server_close()
    with pytest.raises(
        ConnectionError,
        match=r"could not be downloaded \(.*\). With a network it is fetched once and kept. "
        r"Without, fetch it elsewhere and put it at .*net\.h5, or pass the path of a local file",
    ):
        fetch(file, attempts=2, pause=0.0)


def test_progress_is_shown_on_a_terminal_alone(server, capsys):
    screen = io.StringIO()
    fetch(server.file(), console=Console(file=screen, force_terminal=True, width=80))
    assert "Downloading net.h5" in screen.getvalue()
    assert "1.0/1.0 MB" in screen.getvalue()
    fetch(server.file(name="other.h5"))
    assert capsys.readouterr() == ("", "")


def test_imagenet_weights_are_fetched_and_loaded(server, monkeypatch):
    h5py = pytest.importorskip("h5py")
    arguments = {"alpha": 0.35, "include_top": False, "input_shape": (96, 96, 3)}
    base = applications.MobileNetV2(weights=None, **arguments)
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        with_weights = [layer for layer in base.layers if len(layer.weights) > 0]
        file.attrs["layer_names"] = [layer.name for layer in with_weights]
        for layer in with_weights:
            names = [f"w{i}" for i in range(len(layer.weights))]
            file.create_group(layer.name).attrs["weight_names"] = names
            for name, weight in zip(names, layer.weights, strict=True):
                file[layer.name][name] = weight.numpy()
    server.answers = [stored.getvalue()]
    monkeypatch.setattr(mobilenet_v2, "_URL", f"http://127.0.0.1:{server.server_port}/weights")
    for _ in range(2):
        loaded = applications.MobileNetV2(**arguments)
        for ours, theirs in zip(loaded.get_weights(), base.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert server.requests == ["/weights_0.35_96_no_top.h5"]


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        ({}, "1.0_224.h5"),
        ({"alpha": 0.5, "input_shape": (96, 96, 3)}, "0.5_96.h5"),
        ({"include_top": False, "input_shape": (160, 160, 3)}, "1.0_160_no_top.h5"),
    ],
)
def test_mobilenet_weights_are_those_of_its_size(monkeypatch, arguments, file):
    asked = []

    def note(remote: RemoteFile):
        asked.append(remote.name)
        raise ConnectionError("no network")

    monkeypatch.setattr("seqonnx.applications.assembly.fetch", note)
    with pytest.raises(ConnectionError):
        mobilenet_v2.MobileNetV2(**arguments)
    assert asked == [f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{file}"]


# File in the cache, start of the checksum: those of Keras 3.15.1.
PUBLISHED = [
    ("ConvNeXtTiny", {}, "convnext_tiny.h5", "8ae6e78c"),
    ("DenseNet121", {}, "densenet121_weights_tf_dim_ordering_tf_kernels.h5", "9d60b809"),
    ("EfficientNetB0", {}, "efficientnetb0.h5", "902e53a9"),
    ("EfficientNetV2B0", {}, "efficientnetv2-b0.h5", "21ecbf6d"),
    ("MobileNet", {}, "mobilenet_1_0_224_tf.h5", None),
    (
        "MobileNet",
        {"alpha": 0.25, "include_top": False, "input_shape": (128, 128, 3)},
        "mobilenet_2_5_128_tf_no_top.h5",
        None,
    ),
    (
        "MobileNetV3Small",
        {"minimalistic": True, "include_top": False, "input_shape": (224, 224, 3)},
        "weights_mobilenet_v3_small_minimalistic_224_1.0_float_no_top_v2.h5",
        "cde8136e",
    ),
    ("ResNet50V2", {}, "resnet50v2_weights_tf_dim_ordering_tf_kernels.h5", "3ef43a0b"),
]


@pytest.mark.parametrize(
    ("network", "arguments", "name", "checksum"),
    [
        pytest.param(*row, marks=[] if row[0].startswith(("Mobile", "Conv")) else pytest.mark.slow)
        for row in PUBLISHED
    ],
)
def test_published_file_is_that_of_keras(monkeypatch, network, arguments, name, checksum):
    asked = []

    def note(remote: RemoteFile):
        asked.append(remote)
        raise ConnectionError("no network")

    monkeypatch.setattr("seqonnx.applications.assembly.fetch", note)
    with pytest.raises(ConnectionError):
        getattr(applications, network)(**arguments)
    (remote,) = asked
    assert remote.name == name
    assert remote.checksum is None if checksum is None else remote.checksum.startswith(checksum)
    assert remote.url.startswith("https://storage.googleapis.com/")


def test_nasnet_is_kept_under_the_name_that_keras_gives():
    assert nasnet._MOBILE.headless.url.endswith("/NASNet-mobile-no-top.h5")
    assert nasnet._MOBILE.headless.name == "nasnet_mobile_no_top.h5"


def index() -> dict[str, list[str]]:
    return {str(i): [f"n{i:08}", f"thing_{i}"] for i in range(1000)}


def test_best_classes_are_named_in_order(tmp_path):
    path = tmp_path / "index.json"
    path.write_text(json.dumps(index()), "utf-8")
    scores = np.zeros((2, 1000), np.float32)
    scores[0, [7, 3]] = 0.25, 0.75
    scores[1, 999] = 1.0
    found = xception.decode_predictions(scores, top=2, class_index=path)
    assert found[0] == [("n00000003", "thing_3", 0.75), ("n00000007", "thing_7", 0.25)]
    assert found[1] == [("n00000999", "thing_999", 1.0), ("n00000000", "thing_0", 0.0)]


def test_names_of_classes_are_fetched(server, monkeypatch):
    content = json.dumps(index()).encode()
    server.answers = [content]
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    monkeypatch.setattr(imagenet, "CLASS_INDEX", server.file(md5, "imagenet_class_index.json"))
    for _ in range(2):
        assert imagenet.decode_predictions(np.eye(1, 1000))[0][0][1] == "thing_0"
    assert len(server.requests) == 1


def test_scores_of_other_networks_are_refused(tmp_path):
    with pytest.raises(
        ValueError,
        match=r"`decode_predictions` expects a batch of predictions \(i.e. a 2D array of shape "
        r"\(samples, 1000\)\). Received array with shape: \(1, 10\)",
    ):
        imagenet.decode_predictions(np.ones((1, 10)))
    path = tmp_path / "index.json"
    for text in ("", "{}", '{"0": 1}'):
        path.write_text(text, "utf-8")
        with pytest.raises(ModelFileError, match="does not name the 1000 classes"):
            imagenet.decode_predictions(np.ones((1, 1000)), class_index=path)
