"""Weight files and configurations that ask for what the file does not hold are refused."""

from __future__ import annotations

import io
import json
import resource
import time
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

import seqonnx as sx
from seqonnx import layers
from seqonnx.errors import ModelFileError

SAMPLES = Path(__file__).parents[1] / "importers" / "samples"


def network(units=2):
    model = sx.Sequential([sx.Input((3,)), layers.Dense(units, name="dense")])
    model.compile("adam", "mse")
    return model


def member(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=array.dtype.hasobject)
    return buffer.getvalue()


def claiming(shape, descr="<f4", content=bytes(24)) -> bytes:
    """An array whose header says something else than what follows."""
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def write(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


KERNEL = member(np.ones((3, 2), np.float32))
BIAS = member(np.ones(2, np.float32))
WHOLE = {"dense/kernel.npy": KERNEL, "dense/bias.npy": BIAS}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.npz"


def test_whole_file_is_read_as_numpy_writes_it(path):
    for save in (np.savez, np.savez_compressed):
        save(path, **{"dense/kernel": np.full((3, 2), 4.0), "dense/bias": np.zeros(2, np.int64)})
        model = network()
        model.load_weights(path)
        assert model.get_weights()[0].tolist() == [[4.0, 4.0]] * 3


def test_member_that_no_weight_asks_for_is_not_read(path):
    """A quarter of a gigabyte of zeros takes 1 MB in the archive; that memory is not taken."""
    header = claiming((1 << 26,), content=b"")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in WHOLE.items():
            archive.writestr(name, content)
        with archive.open("unused.npy", "w", force_zip64=True) as more:
            more.write(header)
            block = bytes(1 << 24)
            for _ in range(16):
                more.write(block)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    model = network()
    model.load_weights(path)
    assert time.process_time() - start < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB
    assert model.get_weights()[0].tolist() == [[1.0, 1.0]] * 3


@pytest.mark.parametrize(
    ("kernel", "text"),
    [
        (claiming((10**15,)), r"claims an array of shape \(1000000000000000,\) .* and holds 24"),
        (claiming((2**62, 4)), "claims an array of shape"),
        (claiming((-3, 2)), "claims an array of shape"),
        (claiming((3, 2), content=b"1234"), "takes 24 bytes, and holds 4"),
        (claiming((3, 2), "|O"), "holds Python objects, which are never read from a file"),
        (member(np.array([{}, []], object)), "holds Python objects"),
        (claiming("abc"), r"member 'dense/kernel\.npy', is damaged: "),
        (claiming((3, 2), "nonsense"), r"member 'dense/kernel\.npy', is damaged: "),
        (b"\x93NUMPY\x01\x00\x20\x00" + b"[" * 32, r"member 'dense/kernel\.npy', is damaged: "),
        (b"text", r"member 'dense/kernel\.npy', is damaged: "),
        (b"", r"member 'dense/kernel\.npy', is damaged: "),
    ],
)
def test_array_that_is_not_what_it_claims(path, kernel, text):
    write(path, WHOLE | {"dense/kernel.npy": kernel})
    model = network()
    before = model.get_weights()
    with pytest.raises(ModelFileError, match=text) as caught:
        model.load_weights(path)
    assert "w.npz" in str(caught.value)
    assert "pickle" not in str(caught.value)
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"kernel,bias\n1,2\n", r"those are zip archives, and this begins with b'kernel,bias"),
        (b"", "and this begins with b''"),
        (member(np.ones(3)), r"holds a single array, as `numpy\.save` writes it"),
        (b"\x80\x04K\x01.", "those are zip archives"),
    ],
)
def test_file_of_another_kind_is_told_what_it_is(path, content, text):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=text) as caught:
        network().load_weights(path)
    assert "pickle" not in str(caught.value)


def test_members_that_mean_ill(path):
    write(path, WHOLE | {"../evil.npy": BIAS})
    with pytest.raises(ModelFileError, match="leads out of the archive"):
        network().load_weights(path)
    write(path, WHOLE | {"readme.txt": b"x"})
    with pytest.raises(ModelFileError, match=r"'readme\.txt' is no array"):
        network().load_weights(path)


def with_units(saved: Path, units: int) -> None:
    """Change the units of the layer in a saved model, and nothing else."""
    proto = onnx.load(saved)
    entry = next(e for e in proto.metadata_props if e.key == "seqonnx.config")
    config = json.loads(entry.value)
    dense = next(e for e in config["config"]["layers"] if e["class_name"] == "Dense")
    dense["config"]["units"] = units
    entry.value = json.dumps(config)
    onnx.save(proto, saved)


@pytest.mark.parametrize("units", [10**12, 2**31, 10**8])
def test_layer_that_the_file_has_no_weights_for_is_refused_before_it_is_made(tmp_path, units):
    saved = tmp_path / "m.onnx"
    network().save(saved)
    with_units(saved, units)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(
        ModelFileError, match=rf"m\.onnx .*'dense/kernel' of shape \(3, {units}\) would take"
    ):
        sx.load_model(saved)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB
    network(units=3)  # outside a file there is no limit


def test_metric_of_more_thresholds_than_memory_is_refused(tmp_path):
    saved = tmp_path / "m.onnx"
    model = sx.Sequential([sx.Input((3,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "mse", metrics=[sx.metrics.AUC(num_thresholds=5)])
    model.save(saved)
    proto = onnx.load(saved)
    graph = proto.training_info[0].algorithm
    assert graph.doc_string.count('"num_thresholds": 5') == 1
    graph.doc_string = graph.doc_string.replace('thresholds": 5', f'thresholds": {10**9}')
    onnx.save(proto, saved)
    with pytest.raises(
        ModelFileError, match=r"m\.onnx .*'auc/thresholds' of shape \(1000000000,\)"
    ):
        sx.load_model(saved)


def test_layer_of_a_keras_file_that_the_file_has_no_weights_for(tmp_path):
    pytest.importorskip("h5py", reason="Keras's files are HDF5 files")
    with zipfile.ZipFile(SAMPLES / "chain.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    dense = [e for e in config["config"]["layers"] if e["class_name"] == "Dense"]
    dense[-1]["config"]["units"] = 10**12
    path = tmp_path / "m.keras"
    write(path, members | {"config.json": json.dumps(config).encode()})
    with pytest.raises(ModelFileError, match=r"m\.keras .*1000000000000\) would take"):
        sx.load_model(path)


def test_cycle_in_a_configuration_is_refused(tmp_path):
    x = sx.Input((3,))
    first = layers.Dense(3, name="first")(x)
    model = sx.Model(x, layers.Add(name="sum")([first, layers.Dense(3, name="second")(first)]))
    saved = tmp_path / "m.onnx"
    model.save(saved)
    proto = onnx.load(saved)
    entry = next(e for e in proto.metadata_props if e.key == "seqonnx.config")
    config = json.loads(entry.value)
    by_name = {e["name"]: e for e in config["config"]["layers"]}
    by_name["first"]["inbound_nodes"] = [{"inputs": [["second", 0, 0]]}]
    entry.value = json.dumps(config)
    onnx.save(proto, saved)
    with pytest.raises(
        ModelFileError, match=r"m\.onnx .*these wait for inputs that nothing gives: .*fir"
    ):
        sx.load_model(saved)


def test_heap_of_names_that_hdf5_does_not_come_to_the_end_of(tmp_path):
    """HDF5 adds up the sizes of the objects; a size of zero keeps it at the same place for ever."""
    h5py = pytest.importorskip("h5py", reason="Keras's files are HDF5 files")
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["dense"]  # strings of any length lie in a heap
        group = file.create_group("dense")
        group.attrs["weight_names"] = ["kernel", "bias"]
        group["kernel"], group["bias"] = np.ones((3, 2), "f4"), np.ones(2, "f4")
    network().load_weights(path)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"GCOL") + 16
    at += 16 + 8  # past "dense"
    for size in (2**64 - 16, 2**40):
        raw[at + 8 : at + 16] = size.to_bytes(8, "little")
        path.write_bytes(raw)
        with pytest.raises(ModelFileError, match=r"w\.h5 is damaged: the heap of strings at byte"):
            network().load_weights(path)
