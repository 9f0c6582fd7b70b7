"""`load_digits` gives the published data, split evenly and always in the same way."""

from __future__ import annotations

import io
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest

from seqonnx.datasets import load_digits

ROOT = Path(__file__).resolve().parents[2]
CARRIED = ROOT / "seqonnx" / "datasets" / "digits.npz"
SPLITS = [(0.2, 0), (0.2, 7), (0.0, 0), (0.5, 1), (0.37, 3), (0.999, 2)]


def rows(images, labels):
    """Every image with its label, in an order that depends on the content alone."""
    pairs = zip(images, labels, strict=True)
    return sorted((*image.ravel().tolist(), int(label)) for image, label in pairs)


def test_carried_file_equals_the_data_of_scikit_learn():
    source = pytest.importorskip("sklearn.datasets").load_digits()
    with np.load(CARRIED, allow_pickle=False) as data:
        np.testing.assert_array_equal(data["x"], source.images)
        np.testing.assert_array_equal(data["y"], source.target)
        assert data["x"].dtype == data["y"].dtype == np.uint8


def test_classes_have_the_published_counts():
    with np.load(CARRIED, allow_pickle=False) as data:
        counts = np.bincount(data["y"]).tolist()
    # "Class distribution" of the test part, in the description that UCI publishes with the data.
    assert counts == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_carried_file_names_its_makers_and_its_license():
    with np.load(CARRIED, allow_pickle=False) as data:
        attribution = "\n".join(data["attribution"])
    for words in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0", "licenses/by/4.0"):
        assert words in attribution
        assert words in (ROOT / "seqonnx" / "datasets" / "README.md").read_text("utf-8")


def test_tool_rebuilds_the_carried_file():
    pytest.importorskip("sklearn")
    build = runpy.run_path(str(ROOT / "tools" / "refresh" / "make_digits.py"))["build"]
    rebuilt = build()
    assert rebuilt == build()
    with zipfile.ZipFile(io.BytesIO(rebuilt)) as new, zipfile.ZipFile(CARRIED) as old:
        # Compressed bytes may differ between builds of zlib; everything else may not.
        assert [(f.filename, f.date_time, f.CRC, f.file_size) for f in new.infolist()] == [
            (f.filename, f.date_time, f.CRC, f.file_size) for f in old.infolist()
        ]
        assert all(new.read(name) == old.read(name) for name in old.namelist())


def test_default_split_has_the_documented_types_shapes_and_values():
    (x_train, y_train), (x_test, y_test) = load_digits()
    assert (x_train.shape, x_test.shape) == ((1438, 8, 8), (359, 8, 8))
    assert (y_train.shape, y_test.shape) == ((1438,), (359,))
    assert x_train.dtype == x_test.dtype == np.uint8
    assert y_train.dtype == y_test.dtype == np.int64
    assert (x_train.min(), x_train.max()) == (0, 16)
    assert sorted(set(y_train.tolist())) == sorted(set(y_test.tolist())) == list(range(10))


@pytest.mark.parametrize(("test_split", "seed"), SPLITS)
def test_parts_are_disjoint_and_together_are_the_whole_data(test_split, seed):
    (x_train, y_train), (x_test, y_test) = load_digits(test_split, seed)
    with np.load(CARRIED, allow_pickle=False) as data:
        whole = rows(data["x"], data["y"])
    assert len(set(whole)) == len(whole) == 1797  # no image twice: equal sets mean disjoint parts
    assert sorted(rows(x_train, y_train) + rows(x_test, y_test)) == whole
    assert len(y_test) == int(1797 * test_split + 0.5)


@pytest.mark.parametrize(("test_split", "seed"), SPLITS)
def test_every_class_has_its_share_of_test_images(test_split, seed):
    (_, y_train), (_, y_test) = load_digits(test_split, seed)
    in_test = np.bincount(y_test, minlength=10)
    in_all = in_test + np.bincount(y_train, minlength=10)
    assert np.abs(in_test - in_all * test_split).max() <= 1


def test_same_seed_gives_the_same_split_and_another_seed_another():
    (x_first, y_first), (_, test_first) = load_digits(seed=5)
    (x_again, y_again), (_, test_again) = load_digits(seed=5)
    np.testing.assert_array_equal(x_first, x_again)
    np.testing.assert_array_equal(y_first, y_again)
    np.testing.assert_array_equal(test_first, test_again)
    (x_other, _), _ = load_digits(seed=6)
    assert rows(x_first, y_first) != rows(x_other, load_digits(seed=6)[0][1])


def test_parts_come_shuffled():
    (_, y_train), (_, y_test) = load_digits()
    for labels in (y_train, y_test):
        # In the published order labels run 0, 1, 2 ...: four fifths of all neighbours differ by 1.
        assert np.mean(np.diff(labels) == 1) < 0.2


@pytest.mark.parametrize("test_split", [-0.1, 1, 1.5, float("nan")])
def test_split_outside_the_unit_interval_is_refused(test_split):
    with pytest.raises(ValueError, match=r"`test_split` must be in \[0, 1\)\. Received: test_spl"):
        load_digits(test_split=test_split)


@pytest.mark.parametrize("seed", [-1, 1.5, True, None])
def test_seed_that_is_not_a_natural_number_is_refused(seed):
    with pytest.raises(ValueError, match=r"`seed` must be a non-negative integer\. Received: seed"):
        load_digits(seed=seed)
