"""Damaged files: whole ones of every format, and a seeded change to one of them.

Half of the changes are made to bytes (as a bad disk or a broken download makes them), half to
what the bytes mean (as another program, or somebody who means ill, makes them).
"""

from __future__ import annotations

import io
import json
import random
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
from google.protobuf.message import Message

import seqonnx as sx
from seqonnx import layers

FORMATS = ("saved", "exported", "foreign", "keras", "weights.h5", "legacy.h5", "npz")
SUFFIXES = {"keras": ".keras", "weights.h5": ".weights.h5", "legacy.h5": ".h5", "npz": ".npz"}
SAMPLES = Path(__file__).parents[2] / "importers" / "samples"

NUMBERS = (0, 1, -1, 2, 7, 255, -(2**31), 2**31, 2**40, 2**62, -(2**63), 2**63 - 1)
WORDS = ("", "x", "y", "Relu", "Loop", "ai.onnx", "com.microsoft", "../x", "ä", "\x00", "n" * 300)
PLAIN = (None, True, -1, 0, 10**12, 1.5, "", "relu", [], [1, 2], {}, {"class_name": "Dense"})

FOREIGN = """
    <ir_version: 8, opset_import: ["": 17, "own": 1]>
    net (float[N, 2, 6, 6] x) => (float[N, 3] y)
    <int64[2] shape = {0, -1}, int64 times = {2}, bool go = {1}> {
        c = Conv<kernel_shape = [3, 3], group = 1>(x, k, b)
        n = BatchNormalization<epsilon = 0.001>(c, s, b, m, v)
        r = own.twice<factor = 2.0>(n)
        p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(r)
        f = Reshape(p, shape)
        d = MatMul(f, w)
        l = Loop (times, go, d) <
            body = step (int64 i, bool on, float[N, 3] a) => (bool still, float[N, 3] t) {
                still = Identity(on)
                t = Tanh(a)
            }
        >
        y = Softmax<axis = 1>(l)
    }
    <domain: "own", opset_import: ["": 17]>
    twice<factor>(a) => (z) { q = Constant<value_float: float = @factor>() h = Mul(a, q)
        z = Relu(h) }
"""

WEIGHTS = {"k": (4, 2, 3, 3), "b": 4, "s": 4, "m": 4, "v": 4, "w": (16, 3)}


def network() -> sx.Sequential:
    """The model that the files hold and that weights are loaded into."""
    sx.clear_session()
    sx.set_random_seed(0)
    model = sx.Sequential(
        [
            sx.Input((6, 6, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    return model


def whole_files(folder: Path) -> dict[str, bytes]:
    """A whole file of every format."""
    model = network()
    files: dict[str, bytes] = {}
    for kind, write in (
        ("saved", model.save),
        ("exported", model.export),
        ("weights.h5", model.save_weights),
        ("npz", model.save_weights),
    ):
        path = folder / f"whole{SUFFIXES.get(kind, '.onnx')}"
        write(path)
        files[kind] = path.read_bytes()
    foreign = onnx.parser.parse_model(FOREIGN)
    rng = np.random.default_rng(0)
    for name, shape in WEIGHTS.items():
        array = rng.random(shape, np.float32)
        foreign.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    files["foreign"] = foreign.SerializeToString(deterministic=True)
    files["keras"] = (SAMPLES / "chain.keras").read_bytes()
    files["legacy.h5"] = _legacy(model)
    return files


def mutate(kind: str, whole: bytes, seed: int) -> bytes:
    """The file with one seeded change."""
    rng = random.Random(f"{kind}/{seed}")
    if rng.random() < 0.5:
        return _change_bytes(whole, rng)
    try:
        return _STRUCTURES[kind](whole, rng)
    except _Refused:
        return _change_bytes(whole, rng)


class _Refused(Exception):
    """A writer does not write what was drawn."""


def _change_bytes(whole: bytes, rng: random.Random) -> bytes:
    """Flip, cut, copy, repeat or clear some bytes."""
    data = bytearray(whole)
    at, other = rng.randrange(len(data)), rng.randrange(len(data))
    size = rng.choice((1, 2, 4, 8, 64, 512))
    match rng.choice(("flip", "flip", "flip", "cut", "splice", "repeat", "clear", "remove")):
        case "flip":
            for _ in range(rng.choice((1, 1, 1, 4, 32))):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case "cut":
            del data[at:]
        case "splice":
            data[at : at + size] = data[other : other + size]
        case "repeat":
            data[at:at] = data[at : at + size] * rng.choice((1, 2, 50))
        case "clear":
            data[at : at + size] = bytes([rng.choice((0, 255))]) * len(data[at : at + size])
        case "remove":
            del data[at : at + size]
    return bytes(data)


def _change_onnx(whole: bytes, rng: random.Random) -> bytes:
    """Change one field somewhere in the protobuf, or the JSON in its metadata."""
    model = onnx.load_model_from_string(whole)
    texts = [entry for entry in model.metadata_props if entry.value[:1] in "[{"]
    if len(texts) > 0 and rng.random() < 0.3:
        entry = rng.choice(texts)
        entry.value = _change_json(entry.value, rng)
        return bytes(model.SerializeToString())
    if rng.random() < 0.1:
        _make_cycle(model, rng)
        return bytes(model.SerializeToString())
    places: list[tuple[Message, Any, int | None]] = []
    stack: list[Message] = [model]
    while len(stack) > 0:
        proto = stack.pop()
        for field, content in proto.ListFields():
            repeated = not isinstance(content, Message | str | bytes | int | float)
            items = list(content) if repeated else [content]
            stack += [item for item in items if isinstance(item, Message)]
            places += [(proto, field, i if repeated else None) for i in range(len(items))][:40]
    _change_field(*rng.choice(places), rng)
    return bytes(model.SerializeToString())


def _change_field(proto: Any, field: Any, index: int | None, rng: random.Random) -> None:
    """Remove, repeat or replace what a field holds."""
    content = getattr(proto, field.name)
    action = rng.choice(("remove", "repeat", "replace", "replace"))
    if action == "remove":
        if index is None:
            proto.ClearField(field.name)
        else:
            del content[index]
    elif action == "repeat" and index is not None:
        if isinstance(content[index], Message):
            content.add().CopyFrom(content[index])
        else:
            content.append(content[index])
    else:
        _replace(proto, field, index, rng)


def _replace(proto: Any, field: Any, index: int | None, rng: random.Random) -> None:
    """Put another value into a field."""
    if field.type == field.TYPE_MESSAGE:
        target = getattr(proto, field.name) if index is None else None
        (target if index is None else getattr(proto, field.name)[index]).Clear()
        return
    if field.type == field.TYPE_STRING:
        value: Any = rng.choice(WORDS)
    elif field.type == field.TYPE_BYTES:
        value = rng.randbytes(rng.choice((0, 1, 3, 8, 100)))
    elif field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        value = rng.choice((0.0, -1.0, 1e30, float("nan"), float("inf")))
    elif field.type == field.TYPE_ENUM:
        value = rng.choice([v.number for v in field.enum_type.values])
    else:
        value = rng.choice(NUMBERS)
    try:
        if index is None:
            setattr(proto, field.name, value)
        else:
            getattr(proto, field.name)[index] = value
    except ValueError as error:  # does not fit 32 bits
        raise _Refused from error


def _make_cycle(model: onnx.ModelProto, rng: random.Random) -> None:
    """Feed a node, in the graph, a body or a function, with what depends on it."""
    bodies: list[Any] = [model.graph.node, *(f.node for f in model.functions)]
    bodies += [a.g.node for n in model.graph.node for a in n.attribute if a.HasField("g")]
    nodes = list(rng.choice([body for body in bodies if len(body) > 0]))
    first, last = sorted((rng.randrange(len(nodes)), rng.randrange(len(nodes))))
    if len(nodes[first].input) > 0 and len(nodes[last].output) > 0:
        nodes[first].input[rng.randrange(len(nodes[first].input))] = nodes[last].output[0]


def _change_json(text: str, rng: random.Random) -> str:
    """Remove, rename or retype one value anywhere in a JSON text."""
    value = json.loads(text)
    places: list[tuple[Any, Any]] = []
    stack = [value]
    while len(stack) > 0:
        item = stack.pop()
        keys = list(item) if isinstance(item, dict) else range(len(item))
        places += [(item, key) for key in keys]
        stack += [item[key] for key in keys if isinstance(item[key], dict | list)]
    if len(places) == 0:
        raise _Refused
    holder, key = rng.choice(places)
    match rng.choice(("remove", "replace", "replace", "number", "move")):
        case "remove":
            del holder[key]
        case "replace":
            holder[key] = rng.choice(PLAIN)
        case "number":
            holder[key] = rng.choice(NUMBERS)
        case "move":
            other, place = rng.choice(places)
            try:
                holder[key] = other[place]
                return json.dumps(value)
            except ValueError as error:  # it now holds itself
                raise _Refused from error
    return json.dumps(value)


def _change_zip(whole: bytes, rng: random.Random) -> bytes:
    """Change, remove, rename or repeat one member of an archive."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    at = rng.randrange(len(members))
    name, content = members[at]
    match rng.choice(("inside", "inside", "inside", "remove", "rename", "repeat", "bomb", "pack")):
        case "inside":
            members[at] = (name, _change_member(name, content, rng))
        case "remove":
            del members[at]
        case "rename":
            members[at] = (rng.choice(("../x", "x", f"{name}x", "/x", name.upper())), content)
        case "repeat":
            members.append((name, content))
        case "bomb":
            members.append(("more", bytes(1 << 25)))
        case "pack":
            members[at] = (name, b"\x80\x04K\x01.")
    target = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", method) as archive:
        warnings.simplefilter("ignore")  # a name that is there twice is what is wanted
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


def _change_member(name: str, content: bytes, rng: random.Random) -> bytes:
    """Change a member as its own format wants it."""
    if name.endswith(".json"):
        return _change_json(content.decode(), rng).encode()
    if name.endswith(".h5"):
        return _change_hdf5(content, rng)
    if name.endswith(".npy") and rng.random() < 0.6:
        header = np.lib.format.magic(1, 0)
        shape = rng.choice(((), (2,), (10**15,), (2**62, 4), (-1, 3), (0, 5), ("a",)))
        kind = rng.choice(("<f4", "<f8", "|O", "<U9", "<M8[s]", "nonsense", "|V3", "<c8"))
        text = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
        text = rng.choice((text, text[:-9], "[" * 3000, f"__import__('os')#{text}"))
        padded = text.encode().ljust(117) + b"\n"
        return header + len(padded).to_bytes(2, "little") + padded + content[128:]
    return _change_bytes(content, rng)


def _change_hdf5(whole: bytes, rng: random.Random) -> bytes:
    """Change one group, data set or attribute."""
    buffer = io.BytesIO(whole)
    with h5py.File(buffer, "r+") as file:
        paths: list[str] = []
        file.visit(paths.append)
        path = rng.choice([*paths, "/"])
        item = file[path]
        if len(item.attrs) > 0 and rng.random() < 0.5:
            key = rng.choice(sorted(item.attrs))
            _set_attribute(item, key, rng)
        elif path != "/":
            _replace_item(file, path, rng)
    return buffer.getvalue()


def _set_attribute(item: Any, key: str, rng: random.Random) -> None:
    """Remove or retype an attribute."""
    values = (None, 3, "text", [1.5, 2.0], ["a", "b"], [b"\xff", b"a"], np.zeros(0), "{}")
    value = rng.choice(values)
    del item.attrs[key]
    if value is not None:
        item.attrs[key] = value


def _replace_item(file: Any, path: str, rng: random.Random) -> None:
    """Put something else in the place of a group or data set."""
    del file[path]
    match rng.choice(("remove", "group", "shape", "text", "link", "type", "huge")):
        case "group":
            file.create_group(path)
        case "shape":
            file[path] = np.zeros(rng.choice(((), (0,), (5, 7), (1, 1, 1, 1, 1))), np.float32)
        case "text":
            file[path] = ["a", "b"]
        case "link":
            links = (h5py.SoftLink("/nowhere"), h5py.ExternalLink("x.h5", "/x"))
            file[path] = rng.choice(links)
        case "type":
            file[path] = np.zeros(4, rng.choice(("<c8", "<i8", "|S3", "<f2")))
        case "huge":
            file.create_dataset(path, shape=(1 << 40,), dtype="f4", chunks=(1 << 20,))


def _change_npz(whole: bytes, rng: random.Random) -> bytes:
    return _change_zip(whole, rng)


def _legacy(model: sx.Sequential) -> bytes:
    """The weights as Keras 1 and 2 laid them out."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        file.attrs["keras_version"] = b"2.4.0"
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{v.name}:0" for v in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, variable in zip(names, layer.weights, strict=True):
                group[name] = variable.numpy()
    return buffer.getvalue()


_STRUCTURES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "saved": _change_onnx,
    "exported": _change_onnx,
    "foreign": _change_onnx,
    "keras": _change_zip,
    "weights.h5": _change_hdf5,
    "legacy.h5": _change_hdf5,
    "npz": _change_npz,
}
