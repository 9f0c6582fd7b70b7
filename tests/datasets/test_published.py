"""Data sets that Keras publishes are read from files of their form as Keras 3.15.1 reads them.

The files are made here, small, and lie in the cache with their own checksums. Orders and replaced
words are those that Keras's `load_data` gives for the same files, recorded.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pickle
import tarfile
from typing import ClassVar

import numpy as np
import pytest

from seqonnx import config, datasets
from seqonnx.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
)

RECORDED = {
    "imdb": (
        np.dtype(object),
        (5,),
        [1, 0, 1, 0, 1],
        [1, 1, 1, 0, 0],
        [[1, 10, 6], [1, 4, 17, 25], [1, 11], [1, 8, 12, 5, 2], [1, 7, 7, 14]],
        [[1, 10, 6], [1, 7, 7, 14], [1, 11], [1, 4, 17, 25], [1, 8, 12, 5, 2]],
        [
            [[10, 6], [], [11], [7, 7]],
            [1, 0, 1, 1],
            [[10, 6], [7, 7], [11], []],
            [1, 1, 1, 0],
        ],
    ),
    "reuters": [
        [[1, 10, 6], [1, 4, 2, 2], [1, 11]],
        [1, 3, 1],
        [[1, 8, 12, 5, 2], [1, 7, 7, 2]],
        [4, 5],
    ],
    "boston": ([9.0, 3.0, 6.0, 1.0, 0.0, 7.0, 4.0], [8.0, 2.0, 5.0]),
    "california": (480, [568.0, 505.0, 59.0], [163.0, 161.0]),
}
TEXTS = [[1, 14, 22], [7, 3], [5, 9, 2, 30], [8], [4, 4, 11]]


def ragged(texts):
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


@pytest.fixture
def publish(cache, monkeypatch):
    """Put a file into the cache, and make its checksum the published one."""

    def put(module, name, content, constant="_SHA256", kind="sha256"):
        cache.mkdir(parents=True, exist_ok=True)
        (cache / name).write_bytes(content)
        monkeypatch.setattr(module, constant, hashlib.new(kind, content).hexdigest())

    return put


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_reviews_are_shuffled_marked_and_limited_as_in_keras(publish):
    content = npz(
        x_train=ragged(TEXTS),
        y_train=np.array([0, 1, 0, 1, 1]),
        x_test=ragged(TEXTS[::-1]),
        y_test=np.array([1, 1, 0, 1, 0]),
    )
    publish(imdb, "imdb.npz", content)
    (x, y), (x_test, y_test) = imdb.load_data()
    assert (x.dtype, x.shape, y.tolist(), y_test.tolist()) == RECORDED["imdb"][:4]
    assert (x.tolist(), x_test.tolist()) == RECORDED["imdb"][4:6]
    limited = imdb.load_data(num_words=12, skip_top=6, maxlen=4, start_char=None, oov_char=None)
    assert [part.tolist() for pair in limited for part in pair] == RECORDED["imdb"][6]
    with pytest.raises(ValueError, match="shorter than maxlen=2, no sequence was kept"):
        imdb.load_data(maxlen=2)


def test_news_are_split_as_in_keras(publish):
    publish(reuters, "reuters.npz", npz(x=ragged(TEXTS), y=np.array([3, 1, 4, 1, 5])))
    loaded = reuters.load_data(num_words=13, test_split=0.4)
    assert [part.tolist() for pair in loaded for part in pair] == RECORDED["reuters"]
    names = reuters.get_label_names()
    assert (len(names), names[3], names[-1]) == (46, "earn", "lead")


def test_word_numbers_are_read_from_json(publish):
    content = json.dumps({"film": 19}).encode()
    for module, name in ((imdb, "imdb"), (reuters, "reuters")):
        publish(module, f"{name}_word_index.json", content, "_WORDS_MD5", "md5")
        assert module.get_word_index() == {"film": 19}


def test_tables_are_shuffled_and_split_as_in_keras(publish):
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10.0)
    publish(boston_housing, "boston_housing.npz", npz(x=x, y=y))
    (x_train, y_train), (x_test, y_test) = boston_housing.load_data(test_split=0.3)
    assert (y_train.tolist(), y_test.tolist()) == RECORDED["boston"]
    assert (x_train[:, 0] / 2).tolist() == y_train.tolist()
    assert (x_test[:, 0] / 2).tolist() == y_test.tolist()
    many = np.arange(1300.0)
    publish(california_housing, "california_housing.npz", npz(x=many[:, None], y=many))
    (_, y_train), (_, y_test) = california_housing.load_data("small")
    assert (len(y_train), y_train[:3].tolist(), y_test[:2].tolist()) == RECORDED["california"]
    assert len(california_housing.load_data()[1][1]) == 260
    for module in (boston_housing, california_housing):
        with pytest.raises(ValueError, match=r"`test_split` must be in \[0, 1\)"):
            module.load_data(test_split=1.0)
    with pytest.raises(ValueError, match="Received: version=tiny"):
        california_housing.load_data("tiny")


def test_pictures_of_clothes_are_read_from_idx_files(cache):
    folder = cache / "fashion-mnist"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    expected = []
    for name, count in (("train", 3), ("t10k", 2)):
        x, y = rng.integers(0, 256, (count, 28, 28), np.uint8), np.arange(count, dtype=np.uint8)
        with gzip.open(folder / f"{name}-images-idx3-ubyte.gz", "wb") as file:
            file.write(bytes(16) + x.tobytes())
        with gzip.open(folder / f"{name}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(bytes(8) + y.tobytes())
        expected += [x, y]
    for read, wanted in zip(sum(fashion_mnist.load_data(), ()), expected, strict=True):
        np.testing.assert_array_equal(read, wanted)
        assert read.dtype == np.uint8
    with gzip.open(folder / "train-labels-idx1-ubyte.gz", "wb") as file:
        file.write(bytes(8 + 2))
    with pytest.raises(ValueError, match="do not match their labels"):
        fashion_mnist.load_data()


class PythonTwo(pickle._Pickler):
    """Writes text and bytes as Python 2 wrote its strings."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def string(self, value):
        content = value.encode() if isinstance(value, str) else value
        self.write(pickle.BINSTRING + len(content).to_bytes(4, "little") + content)

    dispatch[bytes] = dispatch[str] = string


def archive(folder, **files):
    """A compressed archive of pickles as Python 2 wrote them."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in files.items():
            pickled = io.BytesIO()
            PythonTwo(pickled, protocol=2).dump(content)
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = pickled.tell()
            pickled.seek(0)
            tar.addfile(info, pickled)
    return file.getvalue()


def test_coloured_pictures_are_read_from_pickles(publish):
    rows = np.arange(7 * 3072, dtype=np.int64).reshape(7, 3072).astype(np.uint8)
    batches = {f"data_batch_{n}": {b"data": rows[n : n + 1], b"labels": [n]} for n in range(1, 6)}
    content = archive(
        "cifar-10-batches-py", **batches, test_batch={b"data": rows[:2], b"labels": [9, 0]}
    )
    publish(cifar10, "cifar-10-batches-py-target_archive", content)
    (x, y), (x_test, y_test) = cifar10.load_data()
    assert (x.shape, y.tolist(), y.dtype) == ((5, 32, 32, 3), [[1], [2], [3], [4], [5]], np.uint8)
    np.testing.assert_array_equal(x_test[1, :, :, 2], rows[1, 2048:].reshape(32, 32))
    assert y_test.tolist() == [[9], [0]]
    config.set_image_data_format("channels_first")
    (x_first, _), _ = cifar10.load_data()
    np.testing.assert_array_equal(x_first.transpose(0, 2, 3, 1), x)


def test_kinds_and_groups_of_pictures(publish):
    rows = np.zeros((2, 3072), np.uint8)
    labels = {b"data": rows, b"fine_labels": [40, 99], b"coarse_labels": [1, 19]}
    publish(
        cifar100,
        "cifar-100-python-target_archive",
        archive("cifar-100-python", train=labels, test=labels),
    )
    (x, y), _ = cifar100.load_data()
    assert (x.shape, y.tolist(), y.dtype) == ((2, 32, 32, 3), [[40], [99]], np.int64)
    assert cifar100.load_data("coarse")[1][1].tolist() == [[1], [19]]
    with pytest.raises(ValueError, match='must be one of `"fine"`, `"coarse"`'):
        cifar100.load_data("rough")


class Harm:
    def __reduce__(self):
        return os.system, ("true",)


def test_a_file_that_asks_for_more_than_arrays_is_refused(publish):
    content = npz(x=np.array([Harm()], object), y=np.zeros(1))
    publish(reuters, "reuters.npz", content)
    with pytest.raises(ValueError, match=r"asks for `.*system`, which a data set does not need"):
        reuters.load_data()


def test_a_file_that_is_no_archive_is_refused(publish):
    publish(reuters, "reuters.npz", b"not an archive")
    with pytest.raises(ValueError, match=r"is not an \.npz file, or it is truncated"):
        reuters.load_data()


def test_a_file_of_ones_own_is_read_without_a_checksum(tmp_path):
    np.savez(tmp_path / "mine.npz", x=np.zeros((4, 13)), y=np.arange(4.0))
    (x, _), _ = boston_housing.load_data(str(tmp_path / "mine.npz"))
    assert x.shape == (3, 13)


@pytest.mark.parametrize(
    "load",
    [
        fashion_mnist.load_data,
        cifar10.load_data,
        cifar100.load_data,
        imdb.load_data,
        imdb.get_word_index,
        reuters.load_data,
        reuters.get_word_index,
        boston_housing.load_data,
        california_housing.load_data,
    ],
)
def test_without_a_network_the_error_says_where_to_put_the_file(load, cache):
    with pytest.raises(ConnectionError) as caught:
        load()
    assert str(cache) in str(caught.value)
    assert "could not be downloaded" in str(caught.value)


def test_a_copy_with_another_checksum_is_named(cache):
    cache.mkdir(parents=True)
    (cache / "boston_housing.npz").write_bytes(b"old")
    with pytest.raises(ConnectionError, match="does not have the checksum f553886a"):
        boston_housing.load_data()


def test_digits_of_mnist_are_taken_from_the_cache_with_keras_checksum(publish):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (2, 28, 28), np.uint8), np.array([1, 2], np.uint8)
    publish(mnist, "mnist.npz", npz(x_train=x, y_train=y, x_test=x, y_test=y))
    (loaded, _), _ = mnist.load_data()
    np.testing.assert_array_equal(loaded, x)
    assert sorted(datasets.__all__) == datasets.__dir__()
