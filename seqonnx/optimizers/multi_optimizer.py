"""MultiOptimizer: one model, several optimizers, each for some of the variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Self

import onnx_ir as ir

from seqonnx import catalogue
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Variable
from seqonnx.optimizers.base import Optimizer
from seqonnx.optimizers.in_step import StepWork
from seqonnx.optimizers.lookup import deserialize
from seqonnx.optimizers.loss_scale_optimizer import LossScaleOptimizer
from seqonnx.optimizers.numbers import Fixed, StepNumber
from seqonnx.optimizers.slots import SlotVariables


class OptimizerMap(MutableMapping[str, Optimizer]):
    """Optimizers by the paths of variables.

    A key is a path or a regular expression that matches all of one. An exact path comes first.

    Args:
        default_optimizer: for variables that no key matches.
        optimizer_map: optimizers by key.

    Raises:
        TypeError: if one of them is something else.

    Example:
        >>> from seqonnx.optimizers import SGD, Adam
        >>> chosen = OptimizerMap(SGD(name="usual"), {"encoder/.*": Adam(name="slow")})
        >>> chosen["encoder/dense/kernel"].name, chosen["head/bias"].name
        ('slow', 'usual')
    """

    def __init__(
        self, default_optimizer: Optimizer, optimizer_map: dict[str, Optimizer] | None = None
    ) -> None:
        given: Any = default_optimizer
        if not isinstance(given, Optimizer):
            raise TypeError(
                f"default_optimizer must be an Optimizer instance. Received: {default_optimizer}"
            )
        table: Any = optimizer_map
        if table is not None and not isinstance(table, dict):
            raise TypeError(f"optimizer_map must be a dictionary. Received: {optimizer_map}")
        self._default_optimizer = default_optimizer
        self._optimizer_map: dict[str, Optimizer] = {}
        for key, optimizer in (table or {}).items():
            self[key] = optimizer

    @property
    def default_optimizer(self) -> Optimizer:
        """The optimizer of variables that no key matches."""
        return self._default_optimizer

    def __getitem__(self, key: str) -> Optimizer:
        """Return the optimizer of the variable at a path.

        Raises:
            ValueError: if several keys match it.
        """
        if key in self._optimizer_map:
            return self._optimizer_map[key]
        matching = [pattern for pattern in self._optimizer_map if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ValueError(
                f"Multiple optimizers assigned to variable {key}. Keys that match it: {matching}"
            )
        return self._optimizer_map[matching[0]] if matching else self._default_optimizer

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        """Choose an optimizer for a path.

        Raises:
            ValueError: if the key is there already, or is no string; or if the optimizer is none,
                or itself made of others.
        """
        if key in self._optimizer_map:
            raise ValueError(
                f"'{key}' already exists in the OptimizerMap with value "
                f"{self._optimizer_map[key]}. Please make sure to not use duplicated keys."
            )
        text: Any = key
        if not isinstance(text, str):
            raise ValueError(f"key must be a string. Received: {key}")
        given: Any = optimizer
        if not isinstance(given, Optimizer):
            raise ValueError(f"optimizer must be an Optimizer instance. Received: {optimizer}")
        for refused in (LossScaleOptimizer, MultiOptimizer):
            if isinstance(given, refused):
                raise ValueError(f"optimizer cannot be {refused.__name__}.")
        self._optimizer_map[key] = optimizer

    def __delitem__(self, key: str) -> None:
        del self._optimizer_map[key]

    def __len__(self) -> int:
        return len(self._optimizer_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._optimizer_map)

    def __call__(self, variable: Variable) -> Optimizer:
        """Return the optimizer of a variable."""
        return self[variable.path]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values that JSON can hold."""
        table = {key: catalogue.serialize(each) for key, each in self._optimizer_map.items()}
        default = catalogue.serialize(self._default_optimizer)
        return {"default_optimizer": default, "optimizer_map": table}

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        """Make a map from the configuration returned by `get_config`, here or in Keras.

        Args:
            config: the configuration.
            custom_objects: the user's own classes, by name.
        """
        table = {
            key: deserialize(each, custom_objects)
            for key, each in (config["optimizer_map"] or {}).items()
        }
        return cls(deserialize(config["default_optimizer"], custom_objects), table)


@register("optimizer")
class MultiOptimizer(Optimizer):
    """Trains each variable by the optimizer that is chosen for it.

    Each has its own learning rate, slots, clipping and decay; a norm of all gradients is that of
    the variables of one optimizer. There is no learning rate of the whole.

    Args:
        optimizer_map: an `OptimizerMap`, or a function from a variable to its optimizer.
        loss_scale_factor: fixed factor of the loss; it replaces those of the optimizers.
        name: name; default: `multi_optimizer`, numbered.

    Example:
        >>> from seqonnx.optimizers import SGD
        >>> chosen = OptimizerMap(SGD(0.5), {"frozen/.*": SGD(0.0)})
        >>> paths = ["dense/bias", "frozen/bias"]
        >>> weights = [Variable(np.ones(1), "bias", path=path) for path in paths]
        >>> MultiOptimizer(chosen).apply([np.ones(1), np.ones(1)], weights)
        >>> [float(weight.numpy()[0]) for weight in weights]
        [0.5, 1.0]
    """

    def __init__(
        self,
        optimizer_map: OptimizerMap | Callable[[Variable], Optimizer],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ) -> None:
        given: Any = optimizer_map
        if not callable(given):
            raise TypeError(
                "`optimizer_map` must be an OptimizerMap, or a function from a variable to its "
                f"optimizer. Received: {optimizer_map}"
            )
        self._optimizer_map = optimizer_map
        self._inner: list[Optimizer] = []
        self._chosen: dict[Variable, Optimizer] = {}
        super().__init__(learning_rate=0.0, loss_scale_factor=loss_scale_factor, name=name)
        if isinstance(optimizer_map, OptimizerMap):
            for key in optimizer_map:
                self._add(optimizer_map[key])
            self._add(optimizer_map.default_optimizer)

    def _add(self, optimizer: Optimizer) -> None:
        """Take in an optimizer, if it is new."""
        if any(optimizer is known for known in self._inner):
            return
        optimizer.loss_scale_factor = self.loss_scale_factor
        optimizer._count = optimizer._count.set_to(self._steps_taken)
        optimizer._slot_variables = self._slot_variables
        self._inner.append(optimizer)

    def _optimizer_of(self, weight: Variable) -> Optimizer:
        """The optimizer of a variable."""
        if weight not in self._chosen:
            found: Any = self._optimizer_map(weight)
            if not isinstance(found, Optimizer):
                raise ValueError(
                    f"Optimizer for variable {weight} is not an Optimizer instance. Received: "
                    f"{found}"
                )
            if isinstance(found, LossScaleOptimizer):
                raise ValueError("LossScaleOptimizer cannot be used inside an MultiOptimizer.")
            if isinstance(found, MultiOptimizer):
                raise ValueError("MultiOptimizer cannot be used inside an MultiOptimizer.")
            self._add(found)
            self._chosen[weight] = found
        return self._chosen[weight]

    def _shares(self, weights: Sequence[Variable]) -> list[tuple[Optimizer, list[Variable]]]:
        """The optimizers that change any of these variables, each with its own."""
        chosen = [self._optimizer_of(weight) for weight in weights]
        pairs = list(zip(weights, chosen, strict=True))
        shares = [(each, [w for w, mine in pairs if mine is each]) for each in self._inner]
        return [(each, own) for each, own in shares if len(own) > 0]

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimizers; those of a function once variables are known."""
        return list(self._inner)

    @property
    def learning_rate(self) -> Any:
        """There is none of the whole.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(
            "Learning rate cannot be accessed on a MultiOptimizer. Access the learning rate on "
            "the individual sub-optimizers instead: they are in `optimizers`."
        )

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        raise AttributeError(
            "Learning rate cannot be set on a MultiOptimizer. Set the learning rate on the "
            "individual sub-optimizers instead: they are in `optimizers`."
        )

    @property
    def loss_scale_factor(self) -> float | None:
        """Fixed factor of the loss, for all optimizers."""
        return self._factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        self._factor = value
        for each in self._inner:
            each.loss_scale_factor = value

    def _restart(self) -> None:
        """Forget the steps taken, and which variable belongs to which optimizer."""
        super()._restart()
        self._chosen = {}
        for each in self._inner:
            each._restart()

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the variables that the optimizers keep for weights.

        Args:
            variables: the weights that will be trained.

        Raises:
            ValueError: if there is no optimizer for one, or one that cannot be inside of this.
        """
        for each, own in self._shares(list(variables)):
            each.build(own)
        self._weights, self.built = list(variables), True

    def _slots_for_training(self, weights: Sequence[Variable]) -> SlotVariables:
        made: dict[Variable, Mapping[str, Variable]] = {}
        for each, own in self._shares(weights):
            made.update(each._slots_for_training(own))
        self.built = True
        return {weight: made[weight] for weight in weights}

    def _slots_of(self, weights: Sequence[Variable]) -> SlotVariables:
        found: dict[Variable, Mapping[str, Variable]] = {}
        for each, own in self._shares(weights):
            slots = each._slots_of(own)
            found.update({weight: slots[weight] for weight in own})
        if not self.built:
            self._weights, self.built = list(weights), True
        return found

    @property
    def _state_variables(self) -> list[Variable]:
        return [variable for each in self._inner for variable in each._state_variables]

    @property
    def variables(self) -> list[Any]:
        """The number of steps, a number that says nothing, and what the optimizers keep."""
        own = [StepNumber(self), Fixed(self, "learning_rate", 0.0, "float32")]
        return own + [variable for each in self._inner for variable in each.variables]

    def _inside(self) -> list[Optimizer]:
        """This, and the optimizers in it."""
        return [self, *self._inner]

    def _rate_owners(self) -> list[Any]:
        """The optimizers in it."""
        return list(self._inner)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Let the optimizers put moving averages in the place of weights."""
        for each, own in self._shares(list(var_list)):
            each.finalize_variable_values(own)

    def _emit_step(self, op: Emitter, work: StepWork) -> dict[Variable, ir.Value]:
        """Emit one step of each optimizer on its own variables."""
        rates = dict(zip(map(id, self._inner), work.rates, strict=True))
        changed: dict[Variable, ir.Value] = {}
        for each, own in self._shares(list(work.values)):
            part = work._replace(
                values={weight: work.values[weight] for weight in own},
                grads={weight: work.grads[weight] for weight in own if weight in work.grads},
                rates=[rates[id(each)]],
            )
            if len(part.grads) > 0 or each.use_ema:
                changed |= each._emit_step(op, part)
        return changed

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values that JSON can hold."""
        table = self._optimizer_map
        if isinstance(table, OptimizerMap):
            written: Any = {"class_name": "OptimizerMap", "config": table.get_config()}
        else:
            written = table
        return {
            "optimizer_map": written,
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        """Make an optimizer from the configuration returned by `get_config`, here or in Keras.

        Args:
            config: the configuration.
            custom_objects: the user's own classes, by name.
        """
        known = dict(config)
        if isinstance(known["optimizer_map"], Mapping) and "config" in known["optimizer_map"]:
            inside = known["optimizer_map"]["config"]
            known["optimizer_map"] = OptimizerMap.from_config(inside, custom_objects)
        return cls(**known)
