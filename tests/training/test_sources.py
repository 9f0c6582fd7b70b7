"""Tables, files and libraries' data are read as they are, and never more of them than a batch."""

from __future__ import annotations

import sys
import threading
import tracemalloc
import types

import numpy as np
import pytest

import seqonnx
from seqonnx import layers
from seqonnx.data.py_dataset import PyDataset
from seqonnx.training.data import make_batches, split_validation


def rng(seed=0):
    return np.random.default_rng(seed)


def model(*columns, text=()):
    """A model that adds up its inputs; with several names, one for each."""
    seqonnx.set_random_seed(1)
    inputs = [
        layers.Input((1,), name=name, dtype="string" if name in text else "float32")
        for name in columns
    ]
    numbers = [
        layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(tensor)
        if tensor.name in text
        else tensor
        for tensor in inputs
    ]
    joined = layers.Concatenate()(numbers) if len(numbers) > 1 else numbers[0]
    net = seqonnx.Model(inputs, layers.Dense(1, kernel_initializer="ones")(joined))
    net.compile("sgd", "mse")
    return net


# Tables.


class PolarsSeries:
    """A column as polars has it: nothing is missing in an array of numbers but by NaN."""

    def __init__(self, values):
        self._values = values
        self.dtype = "String" if isinstance(values[0], str) else "Int64"

    def __len__(self):
        return len(self._values)

    def to_numpy(self):
        return np.asarray(self)

    def __array__(self, dtype=None, copy=None):
        if any(isinstance(v, str | bool) for v in self._values):
            return np.array(self._values, object)
        return np.array([np.nan if v is None else v for v in self._values])

    def __arrow_c_stream__(self):
        raise AssertionError("not needed")


class PolarsFrame:
    """A table as polars has it: names, and columns by name."""

    def __init__(self, data):
        self._data = data
        self.columns = list(data)
        self.shape = (len(next(iter(data.values()))), len(data))

    def __getitem__(self, name):
        return PolarsSeries(self._data[name])

    def __len__(self):
        return self.shape[0]

    def to_numpy(self):
        return np.asarray(self)

    def __array__(self, dtype=None, copy=None):
        return np.array(list(self._data.values()), object).T

    def __arrow_c_stream__(self):
        raise AssertionError("not needed")


class ArrowColumn:
    """A chunked array of Arrow."""

    def __init__(self, values):
        self._values = values
        self.type = "string" if isinstance(values[0], str) else "int64"

    def __len__(self):
        return len(self._values)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(PolarsSeries(self._values))


class ArrowTable:
    """A table of Arrow, whose `columns` are no names, and which older versions make no array of."""

    def __init__(self, data):
        self._data = data
        self.column_names = list(data)
        self.columns = [ArrowColumn(values) for values in data.values()]

    def column(self, name):
        return ArrowColumn(self._data[name])

    def __arrow_c_stream__(self):
        raise AssertionError("not needed")


class Stream:
    """A table that gives Arrow's stream and nothing else."""

    def __init__(self, data):
        self.data = data

    def __arrow_c_stream__(self, requested_schema=None):
        raise AssertionError("for pyarrow alone")


def pandas_frame(data):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    return pandas.DataFrame({name: pandas.array(values) for name, values in data.items()})


def polars_frame(data):
    return pytest.importorskip("polars", reason="polars is not installed").DataFrame(data)


def arrow_table(data):
    return pytest.importorskip("pyarrow", reason="pyarrow is not installed").table(data)


@pytest.fixture
def stream(monkeypatch):
    """Makes streams that a stand-in for pyarrow reads."""
    fake = types.ModuleType("pyarrow")
    fake.table = lambda given: ArrowTable(given.data)
    monkeypatch.setitem(sys.modules, "pyarrow", fake)
    return Stream


TABLES = [pandas_frame, polars_frame, arrow_table, PolarsFrame, ArrowTable]
every_table = pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)

NUMBERS = {"a": [1, 2, None, 4], "b": [0.5, 1.5, 2.5, 3.5], "c": [True, None, False, True]}
AS_ARRAY = [[1, 0.5, 1], [2, 1.5, np.nan], [np.nan, 2.5, 0], [4, 3.5, 1]]


@every_table
def test_table_is_one_array_of_its_columns(make):
    first, last = make_batches(make(NUMBERS), batch_size=3, input_dtype="float32").epoch()
    assert first.x[0].dtype == np.float32
    np.testing.assert_array_equal(np.concatenate([first.x[0], last.x[0]]), AS_ARRAY)


def test_stream_of_arrow_is_a_table(stream):
    (batch,) = make_batches(stream(NUMBERS), input_dtype="float32").epoch()
    np.testing.assert_array_equal(batch.x[0], AS_ARRAY)


def test_stream_of_arrow_without_pyarrow_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="Reading a Stream through Arrow needs pyarrow: `pip ins"):
        make_batches(Stream(NUMBERS))


@every_table
def test_columns_without_numbers_are_named(make):
    table = make({"a": [1, 2], "city": ["x", "y"], "b": [3, 4], "kind": ["u", "v"]})
    with pytest.raises(ValueError, match=r"`x` must hold numbers.*'city' .*'kind'"):
        make_batches(table)


@every_table
def test_table_of_text_feeds_an_input_of_strings(make):
    table = make({"a": ["x", "y"], "b": ["u", "v"]})
    (batch,) = make_batches(table, input_dtype="string").epoch()
    assert batch.x[0].tolist() == [["x", "u"], ["y", "v"]]
    with pytest.raises(ValueError, match=r"must hold text"):
        make_batches(make({"a": ["x", "y"], "b": [1, 2]}), input_dtype="string")


def test_categories_of_pandas_are_text():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"a": pandas.Categorical(["x", "y", "x"])})
    (batch,) = make_batches(frame, input_dtype="string").epoch()
    assert batch.x[0].tolist() == [["x"], ["y"], ["x"]]
    (batch,) = make_batches(frame["a"], input_dtype="string").epoch()
    assert batch.x[0].tolist() == ["x", "y", "x"]


@every_table
def test_columns_are_the_inputs_of_their_names(make):
    data = {"city": ["b", "a", "c"], "size": [10, 20, 30]}
    net = model("size", "city", text=["city"])
    table, plain = make(data), {"size": np.array([10, 20, 30]), "city": np.array(["b", "a", "c"])}
    wanted = net.predict(plain, verbose=0)
    assert wanted.tolist() == [[11], [21], [31]]
    np.testing.assert_array_equal(net.predict(table, verbose=0), wanted)
    y = np.array([11.0, 21.0, 30.0])
    assert net.evaluate(table, y, verbose=0) == pytest.approx(1 / 3)
    items = [(make(data), y)]
    assert net.evaluate(iter(items), verbose=0) == pytest.approx(1 / 3)
    net.fit(table, y, validation_split=0.34, verbose=0)
    net.fit(table, y, validation_data=(table, y), verbose=0)
    with pytest.raises(ValueError, match=r"must name the inputs.*\['size', 'city'\].*'extra'"):
        net.predict(make({**data, "extra": [1, 2, 3]}), verbose=0)


@every_table
def test_column_of_a_table_is_the_targets(make):
    table = make({"y": [1, 2, 3], "w": [0.5, 1.0, 2.0]})
    column = table.column if hasattr(table, "column_names") else table.__getitem__
    (batch,) = make_batches(np.zeros((3, 1)), column("y"), column("w")).epoch()
    assert batch.y.tolist() == [1, 2, 3]
    assert batch.sample_weight.tolist() == [0.5, 1.0, 2.0]
    (batch,) = make_batches(np.zeros((3, 1)), table).epoch()
    assert batch.y.tolist() == [[1, 0.5], [2, 1], [3, 2]]


# Files.


class Counted:
    """A data set in a file, as h5py has it, that notes what is read of it."""

    chunks = None

    def __init__(self, data):
        self._data = np.asarray(data)
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim
        self.read = []

    def __len__(self):
        return len(self._data)

    def __getitem__(self, rows):
        if not isinstance(rows, slice):
            assert (np.diff(rows) > 0).all(), "h5py wants indices that increase"
        part = self._data[rows]
        self.read.append(len(part))
        return part

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("the whole is never read")


@pytest.fixture(params=["counted", "memmap", "hdf5"])
def stored(request, tmp_path):
    """Puts an array into a file."""

    def store(array, name="data"):
        if request.param == "counted":
            return Counted(array)
        if request.param == "memmap":
            np.save(tmp_path / f"{name}.npy", array)
            return np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        h5py = pytest.importorskip("h5py", reason="h5py is not installed")
        file = h5py.File(tmp_path / f"{name}.h5", "w")
        request.addfinalizer(file.close)
        return file.create_dataset("data", data=array, chunks=(4, *array.shape[1:]))

    return store


def test_files_are_read_by_the_batch_in_any_order(stored):
    data = np.arange(40, dtype=np.uint8).reshape(20, 2)
    batches = make_batches(
        stored(data), np.arange(20), batch_size=6, shuffle=True, input_dtype="float32"
    )
    epoch = list(batches.epoch(rng()))
    order = np.concatenate([batch.y for batch in epoch])
    assert order.tolist() != list(range(20))
    np.testing.assert_array_equal(np.concatenate([batch.x[0] for batch in epoch]), data[order])
    assert {batch.x[0].dtype.name for batch in epoch} == {"float32"}
    np.testing.assert_array_equal(np.concatenate([b.x[0] for b in batches.epoch()]), data)
    assert batches.depth > 0  # read while a step runs, however small it is


def test_no_more_than_a_batch_of_a_file_is_read_at_once():
    x, y, w = (Counted(np.ones((64, 2), np.float32)) for _ in range(3))
    y, w = Counted(np.ones((64, 1), np.float32)), Counted(np.ones(64, np.float32))
    net = seqonnx.Sequential([layers.Dense(1)])
    net.compile("sgd", "mse")
    net.fit(x, y, sample_weight=w, batch_size=8, epochs=2, validation_split=0.25, verbose=0)
    net.evaluate(x, y, 8, verbose=0)
    net.predict(x, 8, verbose=0)
    assert max(x.read + y.read + w.read) == 8


def test_peak_memory_of_a_memory_mapped_array_is_that_of_batches(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4096, 1024), np.float32))
    np.save(tmp_path / "y.npy", np.zeros((4096, 1024), np.float32))
    x, y = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy")
    tracemalloc.start()
    try:
        batches = make_batches(x, y, batch_size=16, shuffle=True, input_dtype="float32")
        batches.check_targets(lambda target: np.isfinite(target).all())
        for _ in batches.epoch(rng()):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < x.nbytes // 16


def test_targets_in_a_file_are_checked_batch_by_batch(stored):
    net = seqonnx.Sequential([seqonnx.Input((2,)), layers.Dense(3, activation="softmax")])
    net.compile("sgd", "sparse_categorical_crossentropy")
    labels = np.zeros(20, np.int64)
    labels[13] = 7
    with pytest.raises(ValueError, match="7"):
        net.fit(np.zeros((20, 2), np.float32), stored(labels), batch_size=5, verbose=0)


def test_split_of_a_file_reads_nothing(stored):
    data = stored(np.arange(10.0)[:, None])
    (x, _, _), (held_out, _, _) = split_validation(data, None, None, 0.3)
    assert getattr(data, "read", []) == []
    assert [b.x[0].ravel().tolist() for b in make_batches(held_out).epoch()] == [[7, 8, 9]]
    assert len(list(make_batches(x, batch_size=2).epoch())) == 4
    (first, _, _), (second, _, _) = split_validation(x, None, None, 0.5)
    assert [b.x[0].ravel().tolist() for b in make_batches(second).epoch()] == [[3, 4, 5, 6]]
    assert [b.x[0].ravel().tolist() for b in make_batches(first).epoch()] == [[0, 1, 2]]


def test_text_in_a_file_feeds_an_input_of_strings(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(tmp_path / "text.h5", "w") as file:
        data = file.create_dataset("text", data=["a", "ü", "c"], dtype=h5py.string_dtype())
        (batch,) = make_batches(data, input_dtype="string").epoch()
        assert batch.x[0].tolist() == ["a", "ü", "c"]
        with pytest.raises(ValueError, match="`x` must hold numbers"):
            make_batches(data, input_dtype="float32")


# Sparse matrices.


def sparse(array, kind="csr_matrix"):
    return getattr(pytest.importorskip("scipy.sparse", reason="scipy is not installed"), kind)(
        array
    )


def test_sparse_data_is_trained_on_as_the_dense_one():
    data = (rng(3).random((40, 5)) > 0.8).astype("float32")
    y = data.sum(1, keepdims=True)

    def losses(x):
        seqonnx.set_random_seed(1)
        net = seqonnx.Sequential([layers.Dense(1)])
        net.compile("sgd", "mse")
        told = net.fit(x, y, epochs=2, batch_size=8, validation_split=0.25, verbose=0).history
        return [*told["loss"], *told["val_loss"], *net.predict(x, verbose=0).ravel()]

    assert losses(sparse(data)) == losses(data)
    assert losses(sparse(data, "coo_array")) == losses(data)


def test_sparse_matrix_is_never_dense_as_a_whole():
    scipy = pytest.importorskip("scipy.sparse", reason="scipy is not installed")
    x = scipy.random(8000, 2000, density=1e-4, format="csr", dtype=np.float32)
    net = seqonnx.Sequential([seqonnx.Input((2000,)), layers.Dense(1)])
    net.compile("sgd", "mse")
    tracemalloc.start()
    try:
        net.fit(x, np.zeros(8000), batch_size=4, steps_per_epoch=3, verbose=0)
        net.evaluate(x, np.zeros(8000), batch_size=4, steps=3, verbose=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8000 * 2000 * 4 // 8


@pytest.mark.parametrize("what", ["y", "sample_weight"])
def test_sparse_targets_and_weights_are_refused(what):
    data = {"y": np.zeros((3, 1)), "sample_weight": None, what: sparse(np.eye(3))}
    with pytest.raises(
        ValueError, match=rf"`{what}` cannot be sparse\. Pass `{what}\.toarray\(\)`\. Received"
    ):
        make_batches(np.zeros((3, 1)), **data)


# Other kinds.


def test_masked_values_are_refused():
    masked = np.ma.array([[1.0], [2.0]], mask=[[False], [True]])
    with pytest.raises(ValueError, match=r"`x` has values that are masked.*`x\.filled\(0\)`"):
        make_batches(masked)
    (batch,) = make_batches(np.ma.array([[1.0], [2.0]])).epoch()
    assert batch.x[0].tolist() == [[1], [2]]


class TensorFlowDataset:
    """A data set of tf.data, as it looks from here."""

    __module__ = "tensorflow.python.data.ops.dataset_ops"
    __qualname__ = "DatasetV2"

    def __init__(self, items, length):
        self._items, self._length = items, length
        self.element_spec = None

    def __iter__(self):
        return iter(self._items)

    def __len__(self):
        if self._length is None:
            raise TypeError("The dataset length is unknown.")
        return self._length


TensorFlowDataset.__name__ = "DatasetV2"


class Tensor:
    """A tensor of another library."""

    def __init__(self, values):
        self._values = np.asarray(values)
        self.shape, self.dtype, self.ndim = self._values.shape, "tf.float32", self._values.ndim

    def __len__(self):
        return len(self._values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self._values, dtype=dtype)


@pytest.mark.parametrize("length", [3, None])
def test_data_of_tensorflow_is_trained_on_measured_and_predicted(length):
    items = [(Tensor(np.full((2, 1), i)), Tensor(np.full((2, 1), i + 1.0))) for i in range(3)]
    data = TensorFlowDataset(items, length)
    net = model("x")
    assert net.predict(data, verbose=0).ravel().tolist() == [0, 0, 1, 1, 2, 2]
    assert net.evaluate(data, verbose=0) == 1.0
    net.fit(data, epochs=2, validation_data=data, verbose=0)
    net.fit(data, epochs=2, steps_per_epoch=2, validation_data=data, validation_steps=1, verbose=0)
    with pytest.raises(ValueError, match=r"`x` as a tf\.data\.Dataset, `y` should not be passed"):
        net.fit(data, np.zeros(6), verbose=0)


def test_items_with_inputs_by_name_are_taken_from_every_kind_of_source():
    net = model("a", "b")
    item = ({"b": [[2.0], [20.0]], "a": [[1.0], [10.0]]}, [[3.0], [30.0]])
    for data in (iter([item]), [item][0:1].__iter__(), TensorFlowDataset([item], 1)):
        assert net.evaluate(data, verbose=0) == 0.0
    net.fit(TensorFlowDataset([item], 1), validation_data=TensorFlowDataset([item], 1), verbose=0)


# Overlap.


class Ahead(seqonnx.callbacks.Callback):
    """Leaves the first step only when the batches after it have been made."""

    def __init__(self, made):
        super().__init__()
        self.made = made

    def on_train_batch_end(self, batch, logs=None):
        if batch == 0:
            assert self.made.wait(20), "no batch is made while a step runs"


@pytest.mark.parametrize("kind", ["generator", "loader", "file", "data set", "threads"])
def test_batches_are_made_while_a_step_runs(kind):
    made = threading.Event()

    def item(index):
        if index == 2:
            made.set()
        return np.ones((4, 1), np.float32), np.ones((4, 1), np.float32)

    class File(Counted):
        def __getitem__(self, rows):
            return item(rows.start // 4)[0]

    class Set(PyDataset):
        num_batches = 6

        def __getitem__(self, index):
            return item(index)

    data = {
        "generator": lambda: (item(i) for i in range(6)),
        "loader": lambda: TensorFlowDataset(map(item, range(6)), 6),
        "file": lambda: File(np.ones((24, 1), np.float32)),
        "data set": Set,
        "threads": lambda: Set(workers=2),
    }[kind]()
    targets = {"y": np.ones((24, 1)), "batch_size": 4} if kind == "file" else {}
    model("x").fit(data, **targets, shuffle=False, verbose=0, callbacks=[Ahead(made)])


# Every kind, everywhere.

ROWS, TARGETS = np.arange(12, dtype=np.float32).reshape(6, 2), np.ones((6, 1), np.float32)
PARTS = [(ROWS[i : i + 2], TARGETS[i : i + 2]) for i in (0, 2, 4)]


class Parts(PyDataset):
    num_batches = 3

    def __getitem__(self, index):
        return PARTS[index]


KINDS = {
    "array": lambda: (ROWS, TARGETS),
    "list of rows": lambda: (ROWS.tolist(), TARGETS.tolist()),
    "polars": lambda: (PolarsFrame({"a": list(ROWS[:, 0]), "b": list(ROWS[:, 1])}), TARGETS),
    "arrow": lambda: (ArrowTable({"a": list(ROWS[:, 0]), "b": list(ROWS[:, 1])}), TARGETS),
    "sparse": lambda: (sparse(ROWS), TARGETS),
    "file": lambda: (Counted(ROWS), Counted(TARGETS)),
    "generator": lambda: iter(PARTS),
    "loader": lambda: TensorFlowDataset(PARTS, 3),
    "data set": Parts,
    "threads": lambda: Parts(workers=2),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_validates_measures_and_predicts_as_the_arrays(kind):
    def run(make):
        def given():
            data = make()
            return data if isinstance(data, tuple) else (data, None)

        seqonnx.set_random_seed(1)
        net = seqonnx.Sequential([layers.Dense(1)])
        net.compile("sgd", "mse")
        size = 2 if given()[1] is not None else None
        told = net.fit(
            *given(), batch_size=size, shuffle=False, validation_data=make(), verbose=0
        ).history
        measured = net.evaluate(*given(), batch_size=size, verbose=0)
        predicted = net.predict(given()[0], batch_size=size, verbose=0)
        return [*told["loss"], *told["val_loss"], measured, *predicted.ravel()]

    np.testing.assert_allclose(run(KINDS[kind]), run(KINDS["array"]), rtol=1e-6)
