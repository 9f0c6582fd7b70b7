"""No argument is taken in silence: each has an effect, or warns once, or is refused.

The table holds, for each argument, two values that must not come to the same: results, weights,
numbers of batches, printed text, files, warnings or errors differ.
"""

from __future__ import annotations

import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import callbacks, layers
from seqonnx.training.data import PyDataset

ROOT = Path(__file__).resolve().parents[2]
X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
Y = np.arange(12) % 2
W = np.linspace(0.2, 2.0, 12)


class Count(callbacks.Callback):
    """How many batches of each kind there were."""

    def __init__(self):
        self.batches = {"train": 0, "test": 0, "predict": 0}

    def on_train_batch_end(self, batch, logs=None):
        self.batches["train"] += 1

    def on_test_batch_end(self, batch, logs=None):
        self.batches["test"] += 1

    def on_predict_batch_end(self, batch, logs=None):
        self.batches["predict"] += 1


class Rising(callbacks.Callback):
    """Makes the metric `loss` of each epoch larger than that of the one before."""

    def on_epoch_end(self, epoch, logs=None):
        logs["loss"] = epoch + 1.0


class Stop(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = True

    def on_test_begin(self, logs=None):
        self._say("asked to measure")

    def on_predict_begin(self, logs=None):
        self._say("asked to predict")


def make_model(**options):
    keras.clear_session(free_memory=False)
    keras.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, "softmax", name="out")])
    model.compile(**{"optimizer": "sgd", "loss": "sparse_categorical_crossentropy"} | options)
    return model


def compile_then_fit(tmp_path, **options):
    count = Count()
    model = make_model(**options)
    history = model.fit(X, Y, 3, sample_weight=W, verbose=0, callbacks=[count])
    return history.history, model.get_weights(), count.batches


def fit(tmp_path, **options):
    count = Count()
    model = make_model()
    given = options.pop("callbacks", None) or []
    arguments = {"x": X, "y": Y, "verbose": 0, "batch_size": 3} | options
    history = model.fit(callbacks=[count, *given], **arguments)
    return history.history, history.epoch, model.get_weights(), count.batches


def evaluate(tmp_path, **options):
    count = Count()
    given = options.pop("callbacks", None) or []
    arguments = {"x": X, "y": Y, "verbose": 0} | options
    return make_model().evaluate(callbacks=[count, *given], **arguments), count.batches


def predict(tmp_path, **options):
    count = Count()
    given = options.pop("callbacks", None) or []
    arguments = {"x": X, "verbose": 0} | options
    return make_model().predict(callbacks=[count, *given], **arguments), count.batches


def on_batch(method):
    def run(tmp_path, **options):
        model = make_model()
        arguments = {"x": X} if method == "predict_on_batch" else {"x": X, "y": Y}
        return getattr(model, method)(**arguments | options), model.get_weights()

    return run


def write(method):
    def run(tmp_path, **options):
        model = make_model()
        path = options.pop("filepath", f"m.{'npz' if method == 'save_weights' else 'onnx'}")
        getattr(model, method)(tmp_path / path, **options)
        return sorted((p.name, p.read_bytes()) for p in tmp_path.iterdir())

    return run


class Twice(layers.Layer):
    def call(self, op, x, training):
        return op.Mul(x, 2.0)


def load_model(tmp_path, **options):
    for name, layer in (("a.onnx", layers.Dense(2)), ("own.onnx", Twice())):
        keras.Sequential([keras.Input((3,)), layer]).save(tmp_path / name)
    path = tmp_path / options.pop("filepath", "own.onnx")
    return [type(layer).__name__ for layer in keras.load_model(path, **options).layers]


def load_weights(tmp_path, **options):
    make_model().save_weights(tmp_path / "a.npz")
    other = make_model()
    other.fit(X, Y, verbose=0)
    other.save_weights(tmp_path / "b.npz")
    narrow = keras.Sequential([keras.Input((3,)), layers.Dense(3, name="out")])
    narrow.save_weights(tmp_path / "narrow.npz")
    model = make_model()
    model.load_weights(tmp_path / options.pop("filepath", "narrow.npz"), **options)
    return model.get_weights()


def with_callback(cls, *others, **fixed):
    """Train with a callback made of the arguments."""

    def run(tmp_path, **options):
        arguments = fixed | options
        if "filepath" in arguments:
            arguments["filepath"] = str(tmp_path / arguments["filepath"])
        if "filename" in arguments:
            arguments["filename"] = str(tmp_path / arguments["filename"])
        model = make_model(metrics=["accuracy"])
        told = [*(other() for other in others), cls(**arguments)]
        history = model.fit(X, Y, 3, epochs=4, verbose=0, callbacks=told)
        files = sorted(p.name for p in tmp_path.iterdir())
        text = [p.read_text() for p in tmp_path.iterdir() if p.suffix == ".csv"]
        return history.history, model.get_weights(), files, text

    return run


class Items(PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return X[3 * index : 3 * index + 3], Y[3 * index : 3 * index + 3]


def dataset(tmp_path, **options):
    from seqonnx.training.data import make_batches

    return make_batches(Items(**options)).depth


TABLE = {
    (keras.Model.compile, compile_then_fit): {
        "optimizer": ("sgd", "adam"),
        "loss": ("sparse_categorical_crossentropy", "mse"),
        "metrics": (None, ["accuracy"]),
        "weighted_metrics": (None, ["accuracy"]),
        "device": ("cpu", "tpu"),
        "steps_per_execution": (1, 2),
        "autotune": "tests/training/test_autotune.py",
        "auto_scale_loss": "tests/training/test_loss_scale.py",
        "recompute": "tests/training/test_recompute.py",
        "accepted": "tests/models/test_arguments.py",
    },
    (keras.Model.fit, fit): {
        "x": (X, -X),
        "y": (Y, 1 - Y),
        "batch_size": (3, 4),
        "epochs": (1, 2),
        "verbose": (0, 2),
        "callbacks": (None, [Stop()]),
        "validation_split": (0.0, 0.25),
        "validation_data": (None, (X, Y)),
        "shuffle": (True, False),
        "class_weight": (None, {0: 3.0}),
        "sample_weight": (None, W),
        "initial_epoch": (0, 1, {"epochs": 2}),
        "steps_per_epoch": (None, 1),
        "validation_steps": (None, 2, {"validation_data": (X, Y)}),
        "validation_batch_size": (3, 12, {"validation_data": (X, Y)}),
        "validation_freq": (1, 2, {"validation_data": (X, Y), "epochs": 2}),
    },
    (keras.Model.evaluate, evaluate): {
        "x": (X, -X),
        "y": (Y, 1 - Y),
        "batch_size": (3, 4),
        "verbose": (0, 2),
        "sample_weight": (None, W),
        "steps": (None, 1, {"batch_size": 3}),
        "callbacks": (None, [Stop()]),
        "return_dict": (False, True),
    },
    (keras.Model.predict, predict): {
        "x": (X, -X),
        "batch_size": (3, 4),
        "verbose": (0, 2),
        "steps": (None, 1, {"batch_size": 3}),
        "callbacks": (None, [Stop()]),
    },
    (keras.Model.train_on_batch, on_batch("train_on_batch")): {
        "x": (X, -X),
        "y": (Y, 1 - Y),
        "sample_weight": (None, W),
        "class_weight": (None, {0: 3.0}),
        "return_dict": (False, True),
    },
    (keras.Model.test_on_batch, on_batch("test_on_batch")): {
        "x": (X, -X),
        "y": (Y, 1 - Y),
        "sample_weight": (None, W),
        "return_dict": (False, True),
    },
    (keras.Model.predict_on_batch, on_batch("predict_on_batch")): {"x": (X, -X)},
    (keras.Model.save, write("save")): {
        "filepath": ("a.onnx", "b.onnx"),
        "overwrite": "tests/export/test_keras_files.py",
        "zipped": "tests/export/test_keras_files.py",
        "kwargs": "tests/export/test_keras_files.py",  # `include_optimizer`
    },
    (keras.Model.save_weights, write("save_weights")): {
        "filepath": ("a.npz", "b.npz"),
        "overwrite": "tests/export/test_keras_files.py",
        "max_shard_size": "tests/export/test_keras_files.py",
        "lora_only": "tests/layers/test_lora_of_files.py",
    },
    (keras.Model.export, write("export")): {
        "filepath": ("a.onnx", "b.onnx"),
        "outputs": (None, ["none"]),
        "format": ("onnx", "openvino"),
        "opset": (13, 18),
        "ir_version": (8, 9),
        "dtype": (None, "float16"),
        "quantize": (None, "int8_dynamic"),
        "calibration_data": "tests/export/test_quantization.py",
        "keep_io": (True, False, {"dtype": "float16"}),
        "merge_lora": "tests/layers/test_lora_of_files.py",
        "external_data": "tests/export/test_export_options.py",
        "weights_as": ("initializer", "constant"),
        "verbose": (False, True),
    },
    (keras.load_model, load_model): {
        "filepath": ("a.onnx", "own.onnx"),
        "custom_objects": (None, {"Twice": Twice}),
        "compile": "tests/export/test_keras_files.py",
        "safe_mode": "tests/export/test_keras_files.py",
    },
    (keras.Model.load_weights, load_weights): {
        "filepath": ("a.npz", "b.npz"),
        "skip_mismatch": (False, True),
        "by_name": (False, True, {"filepath": "a.npz"}),
        "lora_only": "tests/layers/test_lora_of_files.py",
    },
    (PyDataset.__init__, dataset): {
        "workers": "tests/training/test_py_dataset.py",
        "use_multiprocessing": "tests/training/test_py_dataset.py",
        "max_queue_size": (1, 2),
    },
    (
        callbacks.EarlyStopping.__init__,
        with_callback(callbacks.EarlyStopping, Rising, monitor="loss"),
    ): {
        "monitor": ("loss", "val_loss"),
        "min_delta": (0, 10.0, {"mode": "max"}),
        "patience": (0, 2),
        "verbose": (0, 1),
        "mode": ("min", "max"),
        "baseline": (None, 0.0, {"patience": 2}),
        "restore_best_weights": (False, True),
        "start_from_epoch": (0, 2),
    },
    (
        callbacks.ReduceLROnPlateau.__init__,
        with_callback(callbacks.ReduceLROnPlateau, Rising, monitor="loss", patience=1),
    ): {
        "monitor": ("loss", "val_loss"),
        "factor": (0.1, 0.5),
        "patience": (1, 2),
        "verbose": (0, 1),
        "mode": ("min", "max"),
        "min_delta": (0.0, 2.0, {"mode": "max"}),
        "cooldown": (0, 3),
        "min_lr": (0.0, 0.01),
    },
    (
        callbacks.ModelCheckpoint.__init__,
        with_callback(
            callbacks.ModelCheckpoint, filepath="{epoch}.onnx", monitor="loss", save_best_only=True
        ),
    ): {
        "filepath": ("a.onnx", "b.onnx"),
        "monitor": ("loss", "val_loss"),
        "verbose": (0, 1),
        "save_best_only": (False, True, {"mode": "max"}),
        "save_weights_only": (False, True, {"filepath": "w.npz"}),
        "mode": ("min", "max"),
        "save_freq": ("epoch", 5),
        "initial_value_threshold": (None, 0.0),
    },
    (callbacks.CSVLogger.__init__, with_callback(callbacks.CSVLogger, filename="log.csv")): {
        "filename": ("a.csv", "b.csv"),
        "separator": (",", ";"),
        "append": "tests/callbacks/test_metric_callbacks.py",
    },
    (
        callbacks.LearningRateScheduler.__init__,
        with_callback(callbacks.LearningRateScheduler, schedule=lambda epoch: 0.1),
    ): {
        "schedule": (lambda epoch: 0.1, lambda epoch: 0.2),
        "verbose": (0, 1),
    },
    (callbacks.TerminateOnNaN.__init__, with_callback(callbacks.TerminateOnNaN)): {
        "raise_error": "tests/callbacks/test_metric_callbacks.py",
    },
}


def rows():
    for (function, run), arguments in TABLE.items():
        for name, values in arguments.items():
            if not isinstance(values, str):
                yield pytest.param(run, name, values, id=f"{function.__qualname__}-{name}")


def observed(run, tmp_path, capsys, options):
    """All that a run does, as comparable text."""
    tmp_path.mkdir()
    capsys.readouterr()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = run(tmp_path, **options)
        except (ValueError, TypeError, RuntimeError) as error:
            result = f"{type(error).__name__}: {error}"
    with np.printoptions(threshold=10**6, precision=9):
        text = repr(result) + repr([str(w.message) for w in caught]) + capsys.readouterr().out
    return re.sub(r"\d+m?s(/step)?", "", text).replace(str(tmp_path), "")


@pytest.mark.parametrize(("run", "name", "values"), list(rows()))
def test_argument_has_an_effect_or_says_that_it_has_none(run, name, values, tmp_path, capsys):
    first, second, *rest = values
    common = rest[0] if rest else {}
    one, other = (
        observed(run, tmp_path / str(number), capsys, common | {name: value})
        for number, value in enumerate((first, second))
    )
    assert one != other


@pytest.mark.parametrize("run", [run for _, run in TABLE])
def test_what_is_observed_of_a_run_repeats_itself(run, tmp_path, capsys):
    """Else the test above could not fail."""
    arguments = {} if run is not dataset else {"use_multiprocessing": True}
    one, again = (observed(run, tmp_path / str(number), capsys, arguments) for number in range(2))
    assert one == again


@pytest.mark.parametrize(
    ("function", "run"), list(TABLE), ids=lambda f: getattr(f, "__qualname__", "-")
)
def test_every_argument_has_its_entry(function, run):
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    assert sorted(TABLE[function, run]) == sorted(names)
    for name, where in TABLE[function, run].items():
        if isinstance(where, str):
            assert name in (ROOT / where).read_text("utf-8")


@pytest.mark.parametrize("weight", [2.0, 2, np.float32(2), [2.0], (2.0,), {"out": 2.0}])
def test_loss_weight_multiplies_the_loss_and_not_the_penalties(weight, tmp_path):
    """The figures are Keras 3.15.1's (torch): 4.5 and 1.03 without a weight."""
    model = keras.Sequential(
        [
            keras.Input((1,)),
            layers.Dense(1, kernel_initializer="ones", kernel_regularizer="l2", name="out"),
        ]
    )
    model.layers[0].kernel_regularizer.l2 = 0.5
    model.compile("sgd", "mse", loss_weights=weight)
    x, y = np.ones((4, 1)), np.full((4, 1), 3.0)
    assert model.evaluate(x, y, verbose=0) == 8.5
    model.save(tmp_path / "a.onnx")
    assert model.fit(x, y, verbose=0).history["loss"] == [8.5]
    assert model.get_weights()[0] == pytest.approx(np.array([[1.07]]))
    assert keras.load_model(tmp_path / "a.onnx").evaluate(x, y, verbose=0) == 8.5


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        ([1.0, 2.0], "`loss_weights` must match the number of losses, got 1 losses and 2 weights"),
        ({}, "got 1 losses and 0 weights"),
        ({"foo": 1.0}, "`loss_weights`, ['foo'] do not correspond to any model output. Names of"),
        ("a", "must be a number, a list of numbers or a dict of them by the names of the outputs"),
        (True, "Received: loss_weights=True of type <class 'bool'>"),
        (float("nan"), "`loss_weights` must be finite. Received: loss_weights=nan"),
    ],
)
def test_loss_weights_of_other_kinds_are_refused(weight, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        make_model(loss_weights=weight)


@pytest.mark.parametrize("built", [True, False])
def test_metrics_of_another_output_are_refused(built):
    model = keras.Sequential([keras.Input((3,))] if built else [])
    model.add(layers.Dense(2, name="out"))
    for argument in ("metrics", "weighted_metrics"):
        with pytest.raises(ValueError, match=rf"`{argument}`, \['foo'\] do not correspond to any"):
            model.compile("sgd", "mse", **{argument: {"foo": ["mae"]}})
        model.compile("sgd", "mse", **{argument: {"out": ["mae"]}})


def test_accepted_arguments_are_silent_where_they_ask_for_what_happens():
    for value in (True, False, None, "auto"):
        make_model(jit_compile=value, run_eagerly=False)
    with pytest.warns(UserWarning, match="`run_eagerly=True` has no effect") as caught:
        make_model(run_eagerly=True)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"validation_steps": 1}, "`validation_steps` has no effect without validation data"),
        (
            {"validation_batch_size": 1, "validation_freq": 2},
            "`validation_batch_size`, `validation_freq` has no effect without validation data",
        ),
        (
            {"validation_split": 0.5, "validation_data": (X, Y)},
            "`validation_split=0.5` has no effect beside `validation_data`",
        ),
        ({"x": Items(), "y": None, "batch_size": 2}, "`batch_size=2` has no effect on a PyDatas"),
        (
            {"validation_data": Items(), "validation_batch_size": 2},
            "`batch_size=2` has no effect on a PyDataset",
        ),
    ],
)
def test_arguments_without_effect_warn_once(arguments, text):
    with pytest.warns(UserWarning, match=re.escape(text)) as caught:
        make_model().fit(**{"x": X, "y": Y, "verbose": 0} | arguments)
    assert len(caught) == 1


def test_batch_size_of_arrays_says_nothing_about_validation_batches_that_are_made():
    make_model().fit(X, Y, batch_size=2, validation_data=Items(), verbose=0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"batch_size": 2.5}, "`batch_size` must be a positive integer. Received: batch_size=2.5"),
        ({"batch_size": "8"}, "`batch_size` must be a positive integer. Received: batch_size='8'"),
        ({"validation_data": (X, Y), "validation_batch_size": 0}, "`batch_size` must be a posit"),
        ({"epochs": 1.5}, "`epochs` must be an integer of at least 0. Received: epochs=1.5"),
        ({"initial_epoch": -1}, "`initial_epoch` must be an integer of at least 0. Received: ini"),
        ({"steps_per_epoch": 1.5}, "The number of steps must be an integer. Received: 1.5"),
    ],
)
def test_numbers_that_count_nothing_are_refused(arguments, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        make_model().fit(X, Y, verbose=0, **arguments)


def test_numbers_of_numpy_count():
    two = np.int64(2)
    model = make_model(steps_per_execution=two)
    model.fit(
        X,
        Y,
        batch_size=two,
        epochs=two,
        initial_epoch=np.int32(0),
        steps_per_epoch=two,
        validation_data=(X, Y),
        validation_steps=two,
        validation_batch_size=two,
        validation_freq=two,
        verbose=0,
    )
    assert model.optimizer.iterations == 4


def test_class_weights_beside_yielded_sample_weights_are_refused():
    class Weighted(Items):
        def __getitem__(self, index):
            return (*super().__getitem__(index), np.ones(3))

    with pytest.raises(ValueError, match="You cannot `class_weight` and `sample_weight` at the sa"):
        make_model().fit(Weighted(), class_weight={0: 2.0}, verbose=0)


@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch"])
def test_single_batch_comes_as_arrays(method):
    with pytest.raises(ValueError, match="A single batch must be given as arrays"):
        getattr(make_model(), method)(Items())


def test_custom_objects_for_a_file_of_another_program_warn(tmp_path):
    make_model().export(tmp_path / "a.onnx")
    proto = onnx.load(tmp_path / "a.onnx")
    del proto.metadata_props[:]
    proto.producer_name = "other"
    onnx.save(proto, tmp_path / "b.onnx")
    with pytest.warns(UserWarning, match="`custom_objects` has no effect for .*b.onnx"):
        keras.load_model(tmp_path / "b.onnx", custom_objects={"Twice": Twice})


def test_every_callback_has_its_entry():
    made = {function.__qualname__.partition(".")[0] for function, _ in TABLE}
    with_arguments = {
        name
        for name in callbacks.__all__
        if isinstance(cls := getattr(callbacks, name), type)
        and issubclass(cls, callbacks.Callback)
        and len(inspect.signature(cls).parameters) > 0
    }
    # Their arguments have tests of their own in `tests/callbacks`.
    elsewhere = {"BackupAndRestore", "RemoteMonitor", "SwapEMAWeights", "TensorBoard"}
    assert with_arguments - {"LambdaCallback", "ProgbarLogger", *elsewhere} <= made
