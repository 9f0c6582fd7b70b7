"""A training as files for other programs, and its state back from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from seqonnx import dtypes
from seqonnx.errors import ModelFileError
from seqonnx.export.training import SavedState, read_training, write_training
from seqonnx.export.training_manifest import Kind, MetricEntry, StateEntry, TrainingFacts
from seqonnx.graph import Variable, assign_together, read_together
from seqonnx.metrics.base import Accumulator
from seqonnx.metrics.ratio import ratio_of
from seqonnx.optimizers import schedules
from seqonnx.optimizers.rate import write_rate
from seqonnx.optimizers.slots import AVERAGE
from seqonnx.release import __version__
from seqonnx.runtime.forking import making
from seqonnx.runtime.noise import GENERATOR
from seqonnx.training.goal import SAMPLE_WEIGHT, TARGET
from seqonnx.training.measures import Measures
from seqonnx.training.portable import PortableTraining, portable_training, states_of
from seqonnx.training.sessions import Sessions
from seqonnx.training.trainer import Trainer


def export_training(
    sessions: Sessions,
    folder: Path,
    *,
    sample_weight: bool,
    target_dtype: Any,
    weights: bool,
    opset: int | None,
) -> None:
    """Write the graphs of a training, its state and a driver (see `Model.export_training`)."""
    _refuse(sessions)
    dtype = _target_dtype(target_dtype)
    trainer = sessions.trainer()
    rates = _rates(trainer)
    # One model at a time: two that each train what the other holds would wait for each other.
    with making(), trainer.at_rest():
        graphs = portable_training(
            trainer, sessions.network, sample_weight=bool(sample_weight), target_dtype=dtype
        )
        state = _entries(trainer, graphs)
        kept = [entry.name for entry in state if entry.kind != "metric"]
        variables = {name: variable for variable, name in graphs.names.items()}
        _, arrays = read_together([variables[name] for name in kept])
        counters = {"steps": trainer.step, "epochs": trainer.epochs}
    facts = TrainingFacts(
        model=sessions.network.name,
        version=__version__,
        inputs=list(graphs.forward.data),
        targets=[name for name in graphs.train.data if name.partition("/")[0] == TARGET],
        sample_weights=[SAMPLE_WEIGHT] if SAMPLE_WEIGHT in graphs.train.data else [],
        noise={key: graph.noise for key, graph in graphs.graphs.items()},
        seed=trainer.seed,
        learning_rates=dict(zip(graphs.scalars, rates, strict=False)),
        step=graphs.scalars[-1],
        state=state,
        metrics=_metrics(graphs.measures, graphs),
        averages=_averages(trainer, graphs),
        counts=_counts(trainer),
    )
    models = {key: (graph.model, graph.arrays) for key, graph in graphs.graphs.items()}
    held = dict(zip(kept, arrays, strict=True)) if weights else None
    write_training(folder, facts, models, held, counters, opset)


def load_training(sessions: Sessions, folder: Path, state: Path | None) -> None:
    """Take weights, slots and counters from a training in files (see `Model.load_training`)."""
    _refuse(sessions)
    saved = read_training(folder, state)
    trainer = sessions.trainer()
    network = sessions.network
    counts, here = saved.manifest["counts"], _counts(trainer)
    if counts != here:
        raise ValueError(
            f"The training in {folder} is of another model or optimizer than '{network.name}': it "
            f"was written for {counts}, and here there are {here}."
        )
    states = iter(states_of(network))
    found = [_fitted(entry, saved, trainer, folder, states) for entry in saved.manifest["state"]]
    assign_together(pair for pair in found if pair is not None)
    seeds = saved.manifest["graphs"]["train"]["seed"]
    trainer.seed = seeds[0] + (seeds[1] << 32)
    trainer.epochs = saved.epochs
    sessions.compiled().optimizer._steps_taken = saved.steps


def _refuse(sessions: Sessions) -> None:
    """Raise a ValueError for a model whose training no other program can drive."""
    network = sessions.network
    if sessions.optimizer() is None:
        raise ValueError(
            f"Model '{network.name}' was compiled with `optimizer=None`. To train it elsewhere, "
            "pass an optimizer to `compile()`, such as 'adam'."
        )
    if not network.built:
        raise ValueError(
            f"Model '{network.name}' has not yet been built, so there is no graph to export. Call "
            "it on data or call `build()` first."
        )
    own = sorted(sessions.own_steps & {"train", "test"})
    if len(own) > 0:
        raise ValueError(
            f"Model '{network.name}' has a `train_step`, `test_step`, `compute_loss` or "
            "`compute_metrics` of its own. A training in files holds the step that `compile` "
            "describes: give `compile()` the loss and the metrics instead."
        )
    text = [tensor.name for tensor in network.inputs if tensor.dtype == "string"]
    if len(text) > 0:
        raise ValueError(
            f"Model '{network.name}' takes text ({text}), which no graph for training holds. Make "
            "a model of the layers behind those that read text, and export that."
        )


def _target_dtype(given: Any) -> str | None:
    """The argument `target_dtype`."""
    if given is None:
        return None
    name = dtypes.standardize(given)
    if name in {"string", "bfloat16"}:
        raise ValueError(
            "`target_dtype` must be a dtype of numbers that arrays of other languages have, such "
            f"as 'int32' or 'float32'. Received: target_dtype={given!r}"
        )
    return name


def _rates(trainer: Trainer) -> list[Any]:
    """The learning rates: numbers, or schedules as class names and configurations."""
    if trainer.generator != GENERATOR:
        raise ValueError(
            f"This training draws its noise from the generator '{trainer.generator}' of an earlier "
            f"version; drivers know '{GENERATOR}'. Call `compile()` to begin a new training."
        )
    rates = [owner._rate for owner in trainer.compilation.optimizer._rate_owners()]
    for rate in rates:
        if callable(rate) and type(rate).__module__ != schedules.__name__:
            raise ValueError(
                f"The learning rate is given by {rate!r}, which other programs cannot call. Use a "
                "schedule of `seqonnx.optimizers.schedules`, or a number, which a driver may "
                "change before each step."
            )
    return [write_rate(rate) for rate in rates]


def _counts(trainer: Trainer) -> dict[str, int]:
    """How many weights the model has, and variables its optimizer."""
    variables = trainer.optimizer_variables
    return {"weights": len(trainer.subject.weights), "optimizer": len(variables)}


def _entries(trainer: Trainer, graphs: PortableTraining) -> list[StateEntry]:
    """State that training keeps: weights in the order of the model, the optimizer's, the rest."""
    weights = {variable: i for i, variable in enumerate(trainer.subject.weights)}
    optimizer = {variable: i for i, variable in enumerate(trainer.optimizer_variables)}
    slots = {slot for each in trainer.slots.values() for slot in each.values()}
    trained, sums = set(trainer.subject.trainable), set(graphs.accumulators)
    entries = []
    for variable in sorted(graphs.names, key=lambda v: _rank(v, weights, optimizer)):
        kind: Kind = "layer"
        if variable in sums:
            kind = "metric"
        elif variable in optimizer:
            kind = "slot" if variable in slots else "optimizer"
        elif variable in weights and variable.dtype == "float32":
            kind = "weight" if variable in trained else "statistic"
        index = weights.get(variable, optimizer.get(variable))
        entry = (graphs.names[variable], kind, index, variable.path, variable.dtype)
        entries.append(StateEntry(*entry, list(variable._stored_shape)))
    return entries


def _rank(
    variable: Variable, weights: dict[Variable, int], optimizer: dict[Variable, int]
) -> tuple[int, int]:
    """The place of a state among all; those of one rank stay in the order of the graphs."""
    if variable in weights:
        return 0, weights[variable]
    return (1, optimizer[variable]) if variable in optimizer else (2, 0)


def _metrics(measures: Measures, graphs: PortableTraining) -> list[MetricEntry]:
    """Losses and metrics as ratios of accumulators, in the order of logs."""
    names = graphs.names
    count = [names[measures.loss_count]]
    entries = [MetricEntry("loss", [names[measures.loss_total]], count)]
    for head, total in measures.loss_totals.items():
        entries.append(MetricEntry(measures.loss_names[head], [names[total]], count))
    for tracked in measures.tracked:
        ratio = ratio_of(tracked.metric)
        if ratio is None:
            raise ValueError(_no_formula(tracked.name, tracked.metric))
        above, below = (
            [names[tracked.state[key]] for key in keys]
            for keys in (ratio.numerator, ratio.denominator)
        )
        entries.append(MetricEntry(tracked.name, above, below, 0.5 if ratio.root else 1.0))
    return entries


def _no_formula(name: str, metric: Accumulator) -> str:
    return (
        f"The metric '{name}' ({type(metric).__name__}) is no ratio of sums, which is all that a "
        "driver computes: means such as accuracies, sums, RootMeanSquaredError, Precision and "
        "Recall with one threshold are. Compile without it to export the training."
    )


def _averages(trainer: Trainer, graphs: PortableTraining) -> list[tuple[str, str]]:
    """Weights with the slots that `fit` puts in their places at its end."""
    if not trainer.compilation.optimizer._averages_weights:
        return []
    return [
        (graphs.names[weight], graphs.names[slots[AVERAGE]])
        for weight, slots in trainer.slots.items()
        if slots.get(AVERAGE) in graphs.names
    ]


def _fitted(
    entry: dict[str, Any],
    saved: SavedState,
    trainer: Trainer,
    folder: Path,
    states: Iterator[Variable],
) -> tuple[Variable, npt.NDArray[Any]] | None:
    """The variable that a state belongs to, with its value; None for an accumulator."""
    index, array = entry["index"], saved.arrays.get(entry["name"])
    if array is None:
        return None
    of_weights = entry["kind"] in {"weight", "statistic", "layer"}
    variables: Sequence[Variable] = (
        trainer.subject.weights if of_weights else trainer.optimizer_variables
    )
    if index is None:  # what layers keep besides weights stands in the order of the layers
        variable = next(states, None)
    else:
        variable = variables[index] if index < len(variables) else None
    if variable is None:
        raise ModelFileError(f"{folder} is damaged: its state {entry['name']} belongs to nothing.")
    same = variable.path.rpartition("/")[2] == entry["path"].rpartition("/")[2]
    if (of_weights and not same) or (
        (variable._stored_shape, variable.dtype) != (array.shape, array.dtype.name)
    ):
        raise ValueError(
            f"The training in {folder} does not fit: its '{entry['path']}' of shape {array.shape} "
            f"and dtype {array.dtype.name} is '{variable.path}' of shape "
            f"{variable._stored_shape} and dtype {variable.dtype} here. Nothing has changed."
        )
    return variable, array
