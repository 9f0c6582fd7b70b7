"""Keras's weight files: their content, the part that is taken, and errors if it does not fit."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

import seqonnx as sx
from seqonnx import layers
from seqonnx.errors import ModelFileError

h5py = pytest.importorskip("h5py")


def dense_model(units: int = 2, name: str = "a") -> sx.Sequential:
    return sx.Sequential(
        [sx.Input((3,)), layers.Dense(units, name=name), layers.Dense(1, name="b")], name="net"
    )


def kernels(seed: int = 0, units: int = 2) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = [(3, units), (units,), (units, 1), (1,)]
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def write_modern(path, arrays, names=("dense", "dense_1")) -> None:
    with h5py.File(path, "w") as file:
        for i, name in enumerate(names):
            for j in range(2):
                file[f"layers/{name}/vars/{j}"] = arrays[2 * i + j]


def write_legacy(path, arrays, names=("a", "b"), prefix="") -> None:
    with h5py.File(path, "w") as file:
        root = file.require_group(prefix) if prefix else file
        root.attrs["layer_names"] = [*names, "drop"]
        root.create_group("drop").attrs["weight_names"] = []
        for i, name in enumerate(names):
            weights = [f"{name}/kernel:0", f"{name}/bias:0"]
            root.create_group(name).attrs["weight_names"] = weights
            for j, weight in enumerate(weights):
                root[name][weight] = arrays[2 * i + j]


def assert_weights(model, arrays) -> None:
    for weight, array in zip(model.get_weights(), arrays, strict=True):
        np.testing.assert_array_equal(weight, array)


def test_layers_are_found_by_class_and_number_not_by_name(tmp_path):
    path = tmp_path / "w.weights.h5"
    write_modern(path, kernels())
    model = dense_model()
    model.load_weights(path)
    assert_weights(model, kernels())


def test_what_the_file_has_beyond_the_model_is_left_alone(tmp_path):
    path = tmp_path / "w.weights.h5"
    write_modern(path, [*kernels(), *kernels(1)[:2]], ("dense", "dense_1", "dense_2"))
    with h5py.File(path, "a") as file:
        file["optimizer/vars/0"] = 3
    model = dense_model()
    model.load_weights(path)
    assert_weights(model, kernels())


def test_written_weights_are_read_by_a_model_with_other_layer_names(tmp_path):
    path = tmp_path / "w.weights.h5"
    model = dense_model()
    model.set_weights(kernels())
    model.save_weights(path)
    other = dense_model(name="other")
    other.load_weights(path)
    assert_weights(other, kernels())


def test_statistics_follow_what_trains_whatever_the_order_of_declaration(tmp_path):
    class Late(layers.Layer):
        def build(self, input_shape):
            self.count = self.add_weight((), "zeros", name="count", trainable=False)
            self.scale = self.add_weight((3,), "ones", name="scale")

        def call(self, op, x, training):
            return op.Mul(x, self.scale)

    model = sx.Sequential([sx.Input((3,)), Late(name="late")])
    model.save_weights(tmp_path / "w.weights.h5")
    with h5py.File(tmp_path / "w.weights.h5") as file:
        assert file["layers/late/vars/0"].shape == (3,)
        assert file["layers/late/vars/1"].shape == ()


def test_shared_layer_is_written_once(tmp_path):
    entry, shared = sx.Input((3,)), layers.Dense(3)
    inner = sx.Model(entry, shared(entry))
    x = sx.Input((3,))
    model = sx.Model(x, layers.Dense(1)(inner(shared(x))))
    model.save_weights(tmp_path / "w.weights.h5")
    with h5py.File(tmp_path / "w.weights.h5") as file:
        assert sorted(file["layers/dense/vars"]) == ["0", "1"]
        assert file["layers/dense_1/vars/0"].shape == (3, 1)
        assert "layers/functional/layers/dense" not in file


def test_mismatch_names_the_layer_and_changes_nothing(tmp_path):
    path = tmp_path / "w.weights.h5"
    write_modern(path, kernels(units=4))
    model = dense_model()
    model.set_weights(kernels(1))
    with pytest.raises(
        ValueError,
        match=r"A total of 2 objects could not be loaded.*<Dense name=a, built=True>.*"
        r"'kernel' of shape \(3, 2\), but the file holds shape \(3, 4\)",
    ):
        model.load_weights(path)
    assert_weights(model, kernels(1))


def test_missing_layer_says_what_was_expected(tmp_path):
    path = tmp_path / "w.weights.h5"
    write_modern(path, kernels()[:2], ("dense",))
    with pytest.raises(
        ValueError,
        match=r"Layer 'b' expected 2 variables, but received 0 variables during loading. "
        r"Expected: \['kernel', 'bias'\]",
    ):
        dense_model().load_weights(path)


def test_skip_mismatch_takes_what_fits_and_warns(tmp_path):
    path = tmp_path / "w.weights.h5"
    write_modern(path, [*kernels(units=4)[:2], *kernels()[2:]])
    model = dense_model()
    model.set_weights(kernels(1))
    with pytest.warns(UserWarning, match="A total of 1 objects could not be loaded"):
        model.load_weights(path, skip_mismatch=True)
    assert_weights(model, [*kernels(1)[:2], *kernels()[2:]])


@pytest.mark.parametrize("prefix", ["", "model_weights"])
@pytest.mark.parametrize("name", ["w.h5", "w.hdf5", "w.weights.h5"])
def test_legacy_file_is_told_by_what_it_holds(tmp_path, prefix, name):
    write_legacy(tmp_path / name, kernels(), ("x", "y"), prefix)
    model = dense_model()
    model.load_weights(tmp_path / name)
    assert_weights(model, kernels())


def test_legacy_file_by_name_leaves_other_layers(tmp_path):
    write_legacy(tmp_path / "w.h5", kernels(), ("zzz", "b"))
    model = dense_model()
    model.set_weights(kernels(1))
    model.load_weights(tmp_path / "w.h5", by_name=True)
    assert_weights(model, [*kernels(1)[:2], *kernels()[2:]])


def test_legacy_names_in_parts_are_joined(tmp_path):
    write_legacy(tmp_path / "w.h5", kernels())
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file.attrs["layer_names"]
        file.attrs["layer_names0"] = [b"a"]
        file.attrs["layer_names1"] = [b"b"]
    model = dense_model()
    model.load_weights(tmp_path / "w.h5")
    assert_weights(model, kernels())


def test_legacy_order_puts_weights_that_train_first(tmp_path):
    model = sx.Sequential(
        [
            sx.Input((3,)),
            sx.Sequential(
                [sx.Input((3,)), layers.BatchNormalization(), layers.Dense(3)], name="inner"
            ),
        ]
    )
    shapes = [(3,), (3,), (3, 3), (3,), (3,), (3,)]  # gamma, beta, kernel, bias, mean, variance
    arrays = [np.full(shape, i + 1.0, "float32") for i, shape in enumerate(shapes)]
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = ["inner"]
        names = [f"w{i}" for i in range(6)]
        file.create_group("inner").attrs["weight_names"] = names
        for name, array in zip(names, arrays, strict=True):
            file["inner"][name] = array
    model.load_weights(tmp_path / "w.h5")
    assert [float(weight.ravel()[0]) for weight in model.get_weights()] == [1, 2, 5, 6, 3, 4]


@pytest.mark.parametrize(
    ("names", "units", "by_name", "text"),
    [
        (("a",), 2, False, "Model expected 2 layers, found 1 saved layers"),
        (("a", "b"), 4, False, r"Shape mismatch in layer #0 \(named a\) for weight a/kernel"),
        (("a", "b"), 4, True, r"expects shape \(3, 2\). Received saved weight with shape \(3, 4\)"),
    ],
)
def test_legacy_mismatch_changes_nothing(tmp_path, names, units, by_name, text):
    write_legacy(tmp_path / "w.h5", kernels(units=units), names)
    model = dense_model()
    model.set_weights(kernels(1))
    with pytest.raises(ValueError, match=text):
        model.load_weights(tmp_path / "w.h5", by_name=by_name)
    assert_weights(model, kernels(1))


def test_legacy_count_of_weights_must_agree(tmp_path):
    write_legacy(tmp_path / "w.h5", kernels())
    with h5py.File(tmp_path / "w.h5", "a") as file:
        file["b"].attrs["weight_names"] = ["b/kernel:0"]
    model = dense_model()
    model.set_weights(kernels(1))
    text = r"Weight count mismatch for layer #1 \(named b.* Layer expects 2 weight\(s\). Received 1"
    for by_name in (False, True):
        with pytest.raises(ValueError, match=text):
            model.load_weights(tmp_path / "w.h5", by_name=by_name)
    with pytest.warns(UserWarning, match=text):
        model.load_weights(tmp_path / "w.h5", by_name=True, skip_mismatch=True)
    assert_weights(model, [*kernels()[:2], *kernels(1)[2:]])


def test_legacy_skip_mismatch_leaves_the_weights_that_do_not_fit(tmp_path):
    write_legacy(tmp_path / "w.h5", kernels(units=4))
    model = dense_model()
    model.set_weights(kernels(1))
    with pytest.warns(UserWarning, match="Shape mismatch"):
        model.load_weights(tmp_path / "w.h5", skip_mismatch=True)
    assert_weights(model, [*kernels(1)[:3], kernels(units=4)[3]])


def test_legacy_file_that_lacks_what_it_names_is_damaged(tmp_path):
    write_legacy(tmp_path / "w.h5", kernels())
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file["b/b/kernel:0"]
    with pytest.raises(ModelFileError, match="layer 'b' names a weight 'b/kernel:0'"):
        dense_model().load_weights(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file["b"]
    with pytest.raises(ModelFileError, match="names a layer 'b' that it does not hold"):
        dense_model().load_weights(tmp_path / "w.h5")


def test_by_name_is_for_legacy_files(tmp_path):
    write_modern(tmp_path / "w.weights.h5", kernels())
    with pytest.raises(ValueError, match=r"`by_name` only supports loading legacy '.h5'"):
        dense_model().load_weights(tmp_path / "w.weights.h5", by_name=True)


def test_unbuilt_model_neither_saves_nor_loads(tmp_path):
    write_modern(tmp_path / "w.weights.h5", kernels())
    model = sx.Sequential([layers.Dense(2)])
    with pytest.raises(ValueError, match="loading weights into a model that has not yet been"):
        model.load_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match="has not yet been built, so it has no weights to save"):
        model.save_weights(tmp_path / "v.weights.h5")


@pytest.mark.parametrize("name", ["w.h5", "w.keras", "w.hdf5"])
def test_weights_are_written_as_weights_h5_alone(tmp_path, name):
    with pytest.raises(ValueError, match=r"must end in `.npz` or `.weights.h5`. Received: filepa"):
        dense_model().save_weights(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    model = dense_model()
    path = tmp_path / "w.weights.h5"
    model.save_weights(path)
    old = path.read_bytes()
    monkeypatch.setattr(h5py.Group, "create_dataset", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.save_weights(path)
    assert [file.name for file in tmp_path.iterdir()] == ["w.weights.h5"]
    assert path.read_bytes() == old


def test_without_h5py_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    write_modern(tmp_path / "w.weights.h5", kernels())
    monkeypatch.setitem(sys.modules, "h5py", None)
    text = r"need h5py. Install it with: pip install 'seqonnx\[keras\]'"
    with pytest.raises(ImportError, match=text):
        dense_model().load_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ImportError, match=text):
        dense_model().save_weights(tmp_path / "v.weights.h5")


def test_integers_and_doubles_are_cast(tmp_path):
    path = tmp_path / "w.weights.h5"
    arrays = [np.round(array * 4) for array in kernels()]
    write_modern(path, [array.astype("float64") for array in arrays])
    model = dense_model()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.load_weights(path)
    assert_weights(model, arrays)
