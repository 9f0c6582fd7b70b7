"""`mnist.load_data` reads the layout that Keras uses and says what is wrong with other files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqonnx.datasets import mnist

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist10k.npz"


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (5, 28, 28), dtype=np.uint8),
        "y_train": np.array([3, 1, 4, 1, 5], np.uint8),
        "x_test": rng.integers(0, 256, (2, 28, 28), dtype=np.uint8),
        "y_test": np.array([9, 0], np.uint8),
    }


def load_error(path, arrays):
    """The text of the error that a file with these arrays raises."""
    np.savez_compressed(path, **arrays)
    with pytest.raises(ValueError) as caught:
        mnist.load_data(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_arrays_come_back_as_they_were_written(tmp_path, arrays):
    np.savez(tmp_path / "mnist.npz", **arrays)
    (x_train, y_train), (x_test, y_test) = mnist.load_data(tmp_path / "mnist.npz")
    for name, array in zip(arrays, (x_train, y_train, x_test, y_test), strict=True):
        np.testing.assert_array_equal(array, arrays[name])
        assert array.dtype == np.uint8


def test_labels_of_any_integer_type_are_accepted(tmp_path, arrays):
    np.savez(tmp_path / "mnist.npz", **arrays | {"y_train": arrays["y_train"].astype(np.int64)})
    (_, y_train), _ = mnist.load_data(str(tmp_path / "mnist.npz"))
    np.testing.assert_array_equal(y_train, arrays["y_train"])
    assert y_train.dtype == np.uint8


def test_a_part_of_the_real_data_loads():
    if not SHARED.is_file():
        pytest.skip("the shared sample of MNIST is not beside this checkout")
    (x_train, y_train), (x_test, y_test) = mnist.load_data(SHARED)
    assert (x_train.shape, x_test.shape) == ((8000, 28, 28), (2000, 28, 28))
    assert np.bincount(np.concatenate([y_train, y_test])).min() > 800  # all ten digits


@pytest.mark.parametrize("variable", ["KERAS_HOME", "HOME"])
def test_relative_path_is_also_looked_for_among_the_downloads_of_keras(
    tmp_path, monkeypatch, arrays, variable
):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    home = tmp_path if variable == "KERAS_HOME" else tmp_path / ".keras"
    (home / "datasets").mkdir(parents=True)
    np.savez(home / "datasets" / "mnist.npz", **arrays)
    (x_train, _), _ = mnist.load_data()
    np.testing.assert_array_equal(x_train, arrays["x_train"])


def test_absent_file_says_what_is_expected_and_where_it_comes_from(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        mnist.load_data("mnist.npz")
    text = str(caught.value)
    for words in (
        "No MNIST file at 'mnist.npz' or ",
        str(tmp_path / "keras" / "datasets" / "mnist.npz"),
        "uint8 of shape (n, 28, 28)",
        "Keras distributes",
        "load_digits()",
    ):
        assert words in text


def test_missing_arrays_are_named_beside_those_that_are_there(tmp_path, arrays):
    del arrays["x_test"], arrays["y_test"]
    text = load_error(tmp_path / "part.npz", arrays | {"extra": np.zeros(1)})
    assert "lacks x_test, y_test. It holds: x_train, y_train, extra." in text


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("x_train", np.zeros((5, 784), np.uint8), "`x_train` is uint8 of shape (5, 784)"),
        ("x_test", np.zeros((2, 28, 28)), "`x_test` is float64 of shape (2, 28, 28)"),
        ("y_train", np.zeros((5, 10), np.uint8), "`y_train` is uint8 of shape (5, 10)"),
        ("y_test", np.zeros(2), "`y_test` is float64 of shape (2,)"),
        ("y_test", np.zeros(3, np.uint8), "`x_test` has 2 images but `y_test` has 3 labels"),
        ("y_train", np.arange(6, 11), "`y_train` has values from 6 to 10"),
        ("y_train", np.arange(-1, 4), "`y_train` has values from -1 to 3"),
        ("x_train", np.array([{}], object), "`x_train` cannot be read (Object arrays cannot be"),
    ],
)
def test_array_of_the_wrong_kind_is_named(tmp_path, arrays, name, array, words):
    assert words in load_error(tmp_path / "bad.npz", arrays | {name: array})


def test_file_that_is_not_an_archive_is_refused(tmp_path, arrays):
    whole = tmp_path / "whole.npz"
    np.savez(whole, **arrays)
    for name, content in (("cut.npz", whole.read_bytes()[:3000]), ("page.npz", b"<html>")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}' is not an .npz file, or it is truncated"):
            mnist.load_data(tmp_path / name)


def test_damaged_array_is_named(tmp_path, arrays):
    path = tmp_path / "damaged.npz"
    np.savez(path, **arrays)
    content = bytearray(path.read_bytes())
    content[1000] ^= 0xFF  # inside the first image: the checksum no longer fits
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"`x_train` cannot be read \(Bad CRC"):
        mnist.load_data(path)
