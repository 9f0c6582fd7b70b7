"""Heads: the outputs of a model, each with the loss and the metrics that `compile` gave it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqonnx import losses as losses_room
from seqonnx.losses import Loss
from seqonnx.metrics import Metric
from seqonnx.symbolic import Shape, SymbolicTensor

LossSpec = Loss | str
"""A loss, or `"crossentropy"`, whose kind the shapes of the data decide."""

MetricSpec = Metric | str
"""A metric, or `"accuracy"`, whose kind the shapes of the data decide."""

BY_SHAPE = frozenset({"crossentropy", "ce"})
"""Losses that stand for the one that fits the data, as in Keras."""


@dataclass(frozen=True)
class Head:
    """An output of a model, and what it is trained for and measured by.

    Args:
        names: names that data and arguments may call it by; the first stands in logs.
        output: the output.
        loss: its loss; None where it has none.
        loss_weight: what the loss is multiplied by in the sum of all.
        metrics: metrics that sample weights do not touch.
        weighted_metrics: metrics that they do.
        order: place of its loss in logs.
    """

    names: tuple[str, ...]
    output: SymbolicTensor
    loss: LossSpec | None = None
    loss_weight: float = 1.0
    metrics: tuple[MetricSpec, ...] = ()
    weighted_metrics: tuple[MetricSpec, ...] = ()
    order: int = 0

    @property
    def is_measured(self) -> bool:
        """Whether it is compared with targets."""
        return self.loss is not None or len(self.metrics) + len(self.weighted_metrics) > 0

    def loss_for(self, target: Shape) -> Loss | None:
        """Return the loss for targets of a shape, batch first."""
        if not isinstance(self.loss, str):
            return self.loss
        output = self.output.shape
        if output[-1] == 1:
            return losses_room.BinaryCrossentropy(name=self.loss)
        if len(target) < len(output) or target[-1] == 1:
            return losses_room.SparseCategoricalCrossentropy(name=self.loss)
        return losses_room.CategoricalCrossentropy(name=self.loss)


@dataclass(frozen=True)
class Outputs:
    """The outputs of a model, as arguments and data name them.

    Args:
        tensors: the outputs.
        names: for each the names that it goes by, the one in logs first.
        keys: the keys in the order of the dict that the model was made with; None where it gives
            no dict.
    """

    tensors: tuple[SymbolicTensor, ...]
    names: tuple[tuple[str, ...], ...]
    keys: tuple[str, ...] | None

    @property
    def first_names(self) -> list[str]:
        """The name of each output in logs."""
        return [names[0] for names in self.names]

    def index(self, name: str) -> int | None:
        """Return the number of the output that goes by a name; None if there is none."""
        return next((i for i, names in enumerate(self.names) if name in names), None)


def make_heads(
    outputs: Outputs, loss: Any, loss_weights: Any, metrics: Any, weighted_metrics: Any
) -> list[Head]:
    """Return the heads that the arguments of `compile` come to, in the order of the outputs.

    Args:
        outputs: the outputs of the model.
        loss: a loss for all outputs, or a list or dict of them.
        loss_weights: numbers in the same form.
        metrics: a list of metrics for the only output; for several outputs a list with an entry
            for each, or a dict.
        weighted_metrics: the same.

    Raises:
        ValueError: if the arguments do not fit the outputs.
    """
    count = len(outputs.tensors)
    losses = _losses(outputs, loss)
    weights = _weights(outputs, losses, loss, loss_weights)
    plain = metrics_by_output(outputs, metrics, "metrics")
    weighted = metrics_by_output(outputs, weighted_metrics, "weighted_metrics")
    order = list(range(count))
    if outputs.keys is not None:  # logs follow the dict then, as in Keras
        listed = list(loss if isinstance(loss, Mapping) else outputs.keys)
        places = [[listed.index(x) for x in names if x in listed] for names in outputs.names]
        order = [place[0] if len(place) > 0 else count for place in places]
    parts = (outputs.names, outputs.tensors, losses, weights, plain, weighted, order)
    return [Head(*each) for each in zip(*parts, strict=True)]


def _losses(outputs: Outputs, loss: Any) -> list[LossSpec | None]:
    """The loss of each output."""
    count = len(outputs.tensors)
    if isinstance(loss, Mapping):
        unknown = [name for name in loss if outputs.index(name) is None]
        if len(unknown) > 0:
            raise ValueError(
                f"Expected keys {outputs.first_names} in loss dict, but found "
                f"loss.keys()={list(loss)}"
            )
        return _by_name(outputs, loss)
    if not isinstance(loss, list | tuple):
        return [loss] * count
    if len(loss) != count:
        raise ValueError(
            f"`loss` must have one entry for each output of the model, which are "
            f"{outputs.first_names} (None for an output without a loss). Received {len(loss)}: "
            f"loss={loss}"
        )
    return list(loss)


def _weights(
    outputs: Outputs, losses: Sequence[LossSpec | None], loss: Any, given: Any
) -> list[float]:
    """The factor of each output's loss."""
    count = len(outputs.tensors)
    if given is None:
        return [1.0] * count
    if isinstance(given, Mapping):
        if len(given) == 0:
            raise ValueError(_wrong_number(count, 0, given))
        check_names(given, outputs.names, "loss_weights")
        return [1.0 if w is None else _weight(w, given) for w in _by_name(outputs, given)]
    listed = list(given) if isinstance(given, list | tuple) else [given]
    at = list(range(count))
    if count > 1 and len(listed) != count:  # as many as there are losses does, too
        at = [i for i, each in enumerate(losses) if each is not None]
    if len(listed) != len(at):
        number = len(loss) if isinstance(loss, list | tuple | Mapping) else count
        raise ValueError(_wrong_number(number, len(listed), given))
    weights = [1.0] * count
    for index, weight in zip(at, listed, strict=True):
        weights[index] = 1.0 if weight is None and count > 1 else _weight(weight, given)
    return weights


def _wrong_number(losses: int, weights: int, given: Any) -> str:
    """Text for weights of another number than the losses."""
    return (
        f"`loss_weights` must match the number of losses, got {losses} losses and {weights} "
        f"weights. Received: loss_weights={given!r}"
    )


def _weight(weight: Any, given: Any) -> float:
    """One number of `loss_weights`."""
    if isinstance(weight, bool) or not isinstance(weight, int | float | np.number):
        raise ValueError(
            "`loss_weights` must be a number, a list of numbers or a dict of them by the names of "
            f"the outputs. Received: loss_weights={given!r} of type {type(given)}"
        )
    if not math.isfinite(weight):
        raise ValueError(f"`loss_weights` must be finite. Received: loss_weights={given!r}")
    return float(weight)


def metrics_by_output(outputs: Outputs, given: Any, argument: str) -> list[tuple[MetricSpec, ...]]:
    """Return the metrics of each output.

    Args:
        outputs: the outputs of the model.
        given: a list, or a dict by the names of outputs.
        argument: name of the argument of `compile`.

    Raises:
        ValueError: if it does not fit the outputs.
    """
    count = len(outputs.tensors)
    if isinstance(given, Mapping):
        check_names(given, outputs.names, argument)
        return [_listed(entry) for entry in _by_name(outputs, given)]
    if len(given) == 0:
        return [()] * count
    if count == 1:
        return [_listed(given)]
    if len(given) != count:
        raise ValueError(
            f"Invalid `{argument}`. `{argument}` should contain metrics objects and either be a "
            f"dict or a list matching the output names of the model {outputs.first_names}. "
            f"Received: {argument}={given}"
        )
    return [_listed(entry) for entry in given]


def _listed(entry: Any) -> tuple[MetricSpec, ...]:
    """Metrics as a flat tuple: one, a list of them, or None."""
    if entry is None:
        return ()
    if isinstance(entry, list | tuple):
        return tuple(spec for part in entry for spec in _listed(part))
    return (entry,)


def _by_name(outputs: Outputs, given: Mapping[str, Any]) -> list[Any]:
    """The entry of each output; None where there is none."""
    found: list[Any] = [None] * len(outputs.tensors)
    for name, entry in given.items():
        index = outputs.index(name)
        if index is not None:
            found[index] = entry
    return found


def check_names(given: Mapping[str, Any], outputs: Sequence[Sequence[str]], argument: str) -> None:
    """Raise a ValueError if a key of an argument is not the name of an output.

    Args:
        given: the argument.
        outputs: for each output the names that it goes by.
        argument: name of the argument.
    """
    names = list(dict.fromkeys(name for each in outputs for name in each))
    unknown = [name for name in given if name not in names]
    if len(unknown) > 0:
        kind = "output" if len(outputs) == 1 else "outputs"
        raise ValueError(
            f"In the dict argument `{argument}`, {unknown} do not correspond to any model output. "
            f"Names of the {kind}: {names}. Received: {argument}={given}"
        )


# Data.


def targets_of(heads: Sequence[Head], y: Any) -> list[Any]:
    """Return the target of each head; None where there is none.

    Args:
        heads: the heads of a model.
        y: an array for the only output; for several a list with an entry for each output, or for
            each that has a loss, or a dict by the names of outputs.

    Raises:
        ValueError: if it does not fit the heads.
    """
    if y is None:
        return [None] * len(heads)
    found = _spread(heads, y, "y")
    pairs = zip(heads, found, strict=True)
    missing = [head.names[0] for head, part in pairs if head.is_measured and part is None]
    if len(missing) > 0:
        raise ValueError(f"There are no targets for the outputs {missing}. {_received(heads, y)}")
    return found


def weights_of(heads: Sequence[Head], sample_weight: Any) -> list[Any]:
    """Return the sample weights of each head: one array for all, or a list or dict as targets."""
    if sample_weight is None or not isinstance(sample_weight, Mapping | list | tuple):
        return [sample_weight] * len(heads)
    return _spread(heads, sample_weight, "sample_weight")


def _spread(heads: Sequence[Head], data: Any, what: str) -> list[Any]:
    """Data by output as a list in the order of the heads."""
    if isinstance(data, Mapping):
        return _named(heads, data, what)
    if not isinstance(data, list | tuple):
        if len(heads) == 1:
            return [data]
        raise ValueError(
            f"A model of {len(heads)} outputs takes `{what}` as a list with an array for each, or "
            f"a dict. {_received(heads, data)}"
        )
    taken = heads if len(data) == len(heads) else [h for h in heads if h.loss is not None]
    if len(data) != len(taken):
        raise ValueError(
            f"`{what}` must have an array for each output, or for each that has a loss. "
            f"{_received(heads, data)}"
        )
    parts = {id(head): part for head, part in zip(taken, data, strict=True)}
    return [parts.get(id(head)) for head in heads]


def _named(heads: Sequence[Head], data: Mapping[str, Any], what: str) -> list[Any]:
    found: list[Any] = [None] * len(heads)
    for name, part in data.items():
        at = [i for i, head in enumerate(heads) if name in head.names]
        if len(at) == 0:
            raise ValueError(
                f"`{what}` names an output '{name}', which the model does not have. "
                f"{_received(heads, data)}"
            )
        found[at[0]] = part
    return found


def _received(heads: Sequence[Head], data: Any) -> str:
    """Names the outputs, and what was given for them."""
    names = [head.names[0] for head in heads]
    if isinstance(data, Mapping):
        given = f"a dict with the keys {list(data)}"
    elif isinstance(data, list | tuple):
        given = f"{len(data)} arrays"
    else:
        given = f"one array of shape {np.shape(data)}"
    return f"Outputs: {names}. Received: {given}"
