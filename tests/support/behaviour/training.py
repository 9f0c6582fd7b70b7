"""Losses, metrics, optimizers, schedules and callbacks."""

from __future__ import annotations

import csv
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from support.behaviour.table import case, draw, plain

Y, P = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], "f4"), draw(3, 2, low=0.05, high=0.95)
CLASSES = np.array([1, 0, 1], "int32")
METRICS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("Accuracy",), (np.array([1, 2, 3]), np.array([1, 0, 3]))),
    **dict.fromkeys(("Mean", "Sum"), (P,)),
    "SparseCategoricalAccuracy": (CLASSES, P),
    "TopKCategoricalAccuracy": (np.eye(6, dtype="f4")[:3], draw(3, 6)),
    **dict.fromkeys(
        (
            *("BinaryAccuracy", "CategoricalAccuracy", "CategoricalHinge", "FalseNegatives"),
            *("FalsePositives", "TrueNegatives", "TruePositives", "Hinge", "KLDivergence"),
            *("LogCoshError", "MeanAbsoluteError", "MeanAbsolutePercentageError"),
            *("MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson", "SquaredHinge"),
            "RootMeanSquaredError",
        ),
        (Y, P),
    ),
}


@case(*(f"metrics.{name}" for name in METRICS))
def metric(kit: Any, name: str) -> Any:
    """After one batch, after another with weights, and after a reset."""
    made, batch = getattr(kit.metrics, name)(), METRICS[name]
    results = []
    for weight in (None, [1.0, 0.5, 2.0]):
        made.update_state(*batch, sample_weight=weight)
        results.append(plain(made.result()))
    made.reset_state()
    made.update_state(*batch)
    return [*results, made.result(), made.name]


@case("metrics.MeanMetricWrapper")
def wrapped_metric(kit: Any) -> Any:
    """The mean of a function of a user's own."""
    made = kit.metrics.MeanMetricWrapper(
        lambda y_true, y_pred: kit.ops.max(kit.ops.abs(y_true - y_pred), axis=-1), name="most"
    )
    made.update_state(Y, P)
    return [made.result(), made.name]


@case("metrics.Metric")
def own_metric(kit: Any) -> Any:
    """One of a user's own."""

    class Largest(kit.metrics.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.total = self.add_weight(name="total", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign(self.total + kit.ops.max(kit.ops.abs(y_true - y_pred)))

        def result(self):
            return self.total

    made = Largest()
    for _ in range(2):
        made.update_state(Y, P)
    return [made.result(), made.name]


@case("metrics.get", "metrics.deserialize", "losses.get", "losses.deserialize")
def by_name(kit: Any, name: str) -> Any:
    """From what `serialize` gives."""
    metric_again = getattr(kit.metrics, name)(kit.metrics.serialize(kit.metrics.Precision(0.25)))
    loss_again = getattr(kit.losses, name)(kit.losses.serialize(kit.losses.Huber(2.0)))
    return [metric_again.get_config()["thresholds"], type(loss_again).__name__]


@case("metrics.serialize", "losses.serialize")
def as_values(kit: Any, name: str) -> Any:
    """Class and arguments."""
    given = kit.metrics.serialize(kit.metrics.Precision(0.25))
    loss = kit.losses.serialize(kit.losses.Huber(2.0))
    return [given["class_name"], given["config"]["thresholds"], loss["class_name"]]


@case("losses.Loss")
def own_loss(kit: Any) -> Any:
    """One of a user's own, with each reduction."""

    class Cubic(kit.losses.Loss):
        def call(self, y_true, y_pred):
            return kit.ops.mean(kit.ops.abs(y_true - y_pred) ** 3, axis=-1)

    reductions = ("sum_over_batch_size", "sum", "none", "mean")
    return [Cubic(reduction=each)(Y, P, [1.0, 0.5, 2.0]) for each in reductions]


def trained(kit: Any, optimizer: Any, callbacks: Any = (), **arguments: Any) -> tuple[Any, Any]:
    """A layer that `fit` trains, in the order of the rows; and the history."""
    layer = kit.layers.Dense(2, name="d")
    model = kit.Sequential([kit.Input((3,)), layer])
    layer.set_weights([draw(3, 2, low=-0.5, high=0.5), np.zeros(2, "f4")])
    model.compile(optimizer, "mse", metrics=["mae"])
    given = {"epochs": 4, "batch_size": 4, "shuffle": False, "verbose": 0} | arguments
    x, y = draw(8, 3), draw(8, 2, seed=1)
    history = model.fit(x, y, callbacks=list(callbacks), **given)
    return model, history


@case("optimizers.LossScaleOptimizer")
def loss_scale(kit: Any) -> Any:
    """The scale grows, and a step is as without it."""
    optimizer = kit.optimizers.LossScaleOptimizer(kit.optimizers.SGD(0.1), 4.0, 3)
    model, _ = trained(kit, optimizer)
    return [model.get_weights()[0], float(optimizer.dynamic_scale)]


@case("optimizers.Optimizer")
def base_optimizer(kit: Any) -> Any:
    """Facts of all optimizers: steps, learning rate, configuration."""
    optimizer = kit.optimizers.SGD(0.1, clipnorm=1.0, weight_decay=0.01)
    trained(kit, optimizer)
    optimizer.learning_rate = 0.5
    config = optimizer.get_config()
    return [
        isinstance(optimizer, kit.optimizers.Optimizer),
        int(optimizer.iterations),
        float(optimizer.learning_rate),
        {key: config[key] for key in ("clipnorm", "weight_decay", "use_ema", "clipvalue")},
    ]


@case("optimizers.get", "optimizers.deserialize")
def optimizer_again(kit: Any, name: str) -> Any:
    """From what `serialize` gives."""
    written = kit.optimizers.serialize(kit.optimizers.Adam(0.25, beta_1=0.5))
    again = getattr(kit.optimizers, name)(written)
    return [type(again).__name__, float(again.learning_rate), again.beta_1]


@case("optimizers.serialize")
def optimizer_written(kit: Any) -> Any:
    """Class and arguments."""
    written = kit.optimizers.serialize(kit.optimizers.Adam(0.25, beta_1=0.5))
    return [written["class_name"], written["config"]["beta_1"]]


SCHEDULES: dict[str, list[tuple[Any, ...]]] = {
    "CosineDecay": [(0.1, 10), (0.1, 10, 0.2, "c", 0.5, 5)],
    "CosineDecayRestarts": [(0.1, 5), (0.1, 5, 2.0, 0.9, 0.1)],
    "ExponentialDecay": [(0.1, 5, 0.5), (0.1, 5, 0.5, True)],
    "InverseTimeDecay": [(0.1, 5, 0.5), (0.1, 5, 0.5, True)],
    "PiecewiseConstantDecay": [([3, 9], [0.3, 0.2, 0.1])],
    "PolynomialDecay": [(0.1, 10), (0.1, 10, 0.01, 2.0, True)],
}


@case(*(f"optimizers.schedules.{name}" for name in SCHEDULES))
def schedule(kit: Any, name: str) -> Any:
    """Rates and configuration."""
    cls = getattr(kit.optimizers.schedules, name)
    made = [cls(*arguments) for arguments in SCHEDULES[name]]
    rates = [[float(each(step)) for step in (0, 1, 3, 4, 9, 10, 11, 25)] for each in made]
    return [rates, made[-1].get_config()]


@case("optimizers.schedules.LearningRateSchedule")
def own_schedule(kit: Any) -> Any:
    """One of a user's own trains."""

    class Halving(kit.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1 / (kit.ops.cast(step, "float32") + 1.0)

        def get_config(self):
            return {}

    model, _ = trained(kit, kit.optimizers.SGD(Halving()))
    return model.get_weights()[0]


@case("optimizers.schedules.serialize", "optimizers.schedules.deserialize")
def schedule_again(kit: Any, name: str) -> Any:
    """Class and arguments, and from them."""
    schedules = kit.optimizers.schedules
    written = schedules.serialize(schedules.ExponentialDecay(0.1, 5, 0.5))
    if name == "serialize":
        return [written["class_name"], written["config"]["decay_rate"]]
    return float(schedules.deserialize(written)(5))


@case("callbacks.Callback", "callbacks.LambdaCallback")
def events(kit: Any, name: str) -> Any:
    """Order and logs of what is called."""
    seen: list[Any] = []

    class Noting(kit.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(["train begin", self.params["epochs"], self.params["steps"]])

        def on_epoch_begin(self, epoch, logs=None):
            seen.append(["epoch begin", epoch])

        def on_train_batch_end(self, batch, logs=None):
            seen.append(["batch end", batch, sorted(logs)])

        def on_test_end(self, logs=None):
            seen.append(["test end", sorted(logs or {})])

        def on_epoch_end(self, epoch, logs=None):
            seen.append(["epoch end", epoch, sorted(logs)])

        def on_train_end(self, logs=None):
            seen.append(["train end", sorted(logs)])

    def note(what: str) -> Any:
        return lambda *given, logs=None: seen.append([what, *given[:1]])

    made = (
        Noting()
        if name == "Callback"
        else kit.callbacks.LambdaCallback(
            on_epoch_begin=note("epoch begin"),
            on_epoch_end=note("epoch end"),
            on_train_begin=note("train begin"),
            on_train_end=note("train end"),
            on_train_batch_begin=note("batch begin"),
            on_train_batch_end=note("batch end"),
        )
    )
    validation = (draw(4, 3), draw(4, 2))
    trained(kit, kit.optimizers.SGD(0.1), [made], epochs=2, validation_data=validation)
    return seen


@case("callbacks.CallbackList")
def callback_list(kit: Any) -> Any:
    """Several are called in order."""
    seen: list[Any] = []
    made = [
        kit.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs, i=i: seen.append([i, epoch]))
        for i in range(2)
    ]
    together = kit.callbacks.CallbackList(made, add_history=False)
    together.on_epoch_end(3, {"loss": 1.0})
    return seen


@case("callbacks.History")
def history(kit: Any) -> Any:
    """Values of each epoch."""
    _, made = trained(kit, kit.optimizers.SGD(0.1))
    return [made.epoch, made.history, made.params["epochs"]]


@case("callbacks.EarlyStopping", "callbacks.TerminateOnNaN")
def stopping(kit: Any, name: str) -> Any:
    """When training ends, and with which weights."""
    made = (
        kit.callbacks.TerminateOnNaN()
        if name == "TerminateOnNaN"
        else kit.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)
    )
    rate = 1e30 if name == "TerminateOnNaN" else 1.2
    model, made_history = trained(kit, kit.optimizers.SGD(rate), [made], epochs=6)
    if name == "TerminateOnNaN":
        return len(made_history.epoch)
    return [made_history.epoch, made.stopped_epoch, made.best_epoch, model.get_weights()[0]]


@case("callbacks.ReduceLROnPlateau", "callbacks.LearningRateScheduler")
def rates(kit: Any, name: str) -> Any:
    """Learning rates of each epoch."""
    made = (
        kit.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch > 1 else rate)
        if name == "LearningRateScheduler"
        else kit.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_lr=0.01)
    )
    _, made_history = trained(kit, kit.optimizers.SGD(1.2), [made], epochs=6)
    return made_history.history["learning_rate"]


@case("callbacks.CSVLogger")
def csv_logger(kit: Any) -> Any:
    """Columns and rows; without validation, Keras has columns of NA besides."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        made = kit.callbacks.CSVLogger(str(path), separator=";")
        validation = (draw(4, 3), draw(4, 2))
        trained(kit, kit.optimizers.SGD(0.1), [made], validation_data=validation)
        with path.open() as file:
            head, *rows = csv.reader(file, delimiter=";")
    return [head, [[float(each) for each in row] for row in rows]]


@case("callbacks.ModelCheckpoint")
def checkpoints(kit: Any) -> Any:
    """Names of files, and which epochs are kept."""
    with tempfile.TemporaryDirectory() as folder:
        every = str(Path(folder) / "e{epoch:02d}-{loss:.3f}.weights.h5")
        best = str(Path(folder) / "best.keras")
        made = [
            kit.callbacks.ModelCheckpoint(every, save_weights_only=True),
            kit.callbacks.ModelCheckpoint(best, monitor="loss", save_best_only=True),
        ]
        trained(kit, kit.optimizers.SGD(0.3), made)
        names = sorted(path.name for path in Path(folder).iterdir())
        weights = kit.models.load_model(best).get_weights()[0]
    return [names, weights]


@case("callbacks.BackupAndRestore")
def backup(kit: Any) -> Any:
    """Training that was interrupted goes on at its epoch, and leaves no file."""
    seen: list[int] = []

    def stop(epoch: int, logs: Any) -> None:
        seen.append(epoch)
        if epoch == 2 and seen.count(2) == 1:
            raise RuntimeError("interrupted")

    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            made = [
                kit.callbacks.BackupAndRestore(str(Path(folder) / "backup")),
                kit.callbacks.LambdaCallback(on_epoch_begin=stop),
            ]
            try:
                model, _ = trained(kit, kit.optimizers.SGD(0.1), made)
            except RuntimeError:
                continue
        left = len(list((Path(folder) / "backup").glob("*")))
    return [seen, left, model.get_weights()[0]]


@case("callbacks.SwapEMAWeights")
def averages(kit: Any) -> Any:
    """The averages stand in the model when an epoch is evaluated."""
    seen: list[Any] = []
    optimizer = kit.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    made = [kit.callbacks.SwapEMAWeights(swap_on_epoch=True)]
    model, _ = trained(kit, optimizer, made, epochs=2)
    seen.append(plain(model.get_weights()[0]))
    return seen


@case("callbacks.ProgbarLogger")
def progress(kit: Any) -> Any:
    """It is there, and `fit` takes it."""
    made = kit.callbacks.ProgbarLogger()
    _, made_history = trained(kit, kit.optimizers.SGD(0.1), [made])
    return [isinstance(made, kit.callbacks.Callback), made_history.epoch]


@case("callbacks.TensorBoard")
def events_in_files(kit: Any) -> Any:
    """Folders, and names of scalars in their event files."""
    names = [b"epoch_loss", b"epoch_mae", b"epoch_learning_rate", b"evaluation_loss_vs_iterations"]
    with tempfile.TemporaryDirectory() as folder:
        made = [kit.callbacks.TensorBoard(folder, write_graph=False)]
        validation = (draw(4, 3), draw(4, 2))
        trained(kit, kit.optimizers.SGD(0.1), made, validation_data=validation)
        found = {}
        for part in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
            content = b"".join(file.read_bytes() for file in part.glob("events.out.tfevents.*"))
            found[part.name] = [content.count(name) for name in names]
    return found


@case("callbacks.RemoteMonitor")
def remote(kit: Any) -> Any:
    """A server that is not there is warned of."""
    made = kit.callbacks.RemoteMonitor(root="http://127.0.0.1:9")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            trained(kit, kit.optimizers.SGD(0.1), [made], epochs=1)
        except ImportError:  # Keras needs the package `requests`
            return "could not reach"
    texts = [str(each.message).lower() for each in caught]
    return "could not reach" if any("could not reach" in text for text in texts) else texts


@case("optimizers.MultiOptimizer", "optimizers.OptimizerMap")
def several(kit: Any, name: str) -> Any:
    """One optimizer for kernels, another for the rest."""
    kernels = kit.optimizers.SGD(0.1, momentum=0.9)
    chosen = kit.optimizers.OptimizerMap(kit.optimizers.Adam(0.01), {".*kernel": kernels})
    if name == "OptimizerMap":
        found = [type(chosen[path]).__name__ for path in ("d/kernel", "d/bias")]
        return [found, list(chosen), len(chosen), type(chosen.default_optimizer).__name__]
    model, history = trained(kit, kit.optimizers.MultiOptimizer(chosen))
    return [history.history["loss"], *model.get_weights()]


LEGACY = ("Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop", "SGD")


@case(*(f"optimizers.legacy.{name}" for name in LEGACY))
def legacy(kit: Any, name: str) -> Any:
    """Each refuses to be made."""
    try:
        return getattr(kit.optimizers.legacy, name)(0.1)
    except ImportError as error:
        return type(error).__name__
