"""The contract of an optimizer: slots per variable, and the update as nodes."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Never, Self

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.configuration import Configured, config_of
from seqonnx.graph import Emitter, Variable, auto_name
from seqonnx.lowering import packing
from seqonnx.optimizers import clipping, eager
from seqonnx.optimizers.loss_scale import LossScale
from seqonnx.optimizers.numbers import Iterations, LearningRate
from seqonnx.optimizers.rate import check_rate, rate_at, read_rate, write_rate
from seqonnx.optimizers.step_count import StepCount
from seqonnx.runtime.program import value_key

Slots = Mapping[str, ir.Value]
Updated = tuple[ir.Value, dict[str, ir.Value]]

_KERAS_DEFAULTS: Final[dict[str, Any]] = {
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
    "is_legacy_optimizer": False,
}
"""Entries of a Keras config that say nothing while they hold these values."""


_NOT_EMITTED: Final = ("name", "_count", "_rate", "_kept", "_slot_variables")
"""Attributes that an update does not depend on."""


class Optimizer(Configured, ABC):
    """Base of all optimizers; also the way to write one's own.

    A subclass defines `slots`, `update` and, for numbers that all variables share, `prepare`. Where
    `update` treats each element by itself, `elementwise = True` says so: then small vectors, such
    as biases, are given to it concatenated.

    Args:
        learning_rate: step size: a number, a `LearningRateSchedule`, or a function from the
            number of steps taken so far to a number.
        name: name; default: the class name in snake case, numbered.
        weight_decay: part of a variable, times the learning rate, that each step takes away
            before the update (Loshchilov & Hutter, "Decoupled weight decay regularization",
            2019).
        clipnorm: longest Euclidean norm of the gradient of a variable.
        clipvalue: largest absolute element of a gradient.
        global_clipnorm: longest Euclidean norm of all gradients together.
        **unknown: refused.

    Raises:
        ValueError: for an argument that no optimizer knows, more than one form of clipping,
            or a learning rate that is no number, schedule or function.

    Attributes:
        elementwise: whether `update` treats each element of a variable by itself.

    Example:
        >>> class SignDescent(Optimizer):
        ...     def update(self, op, param, grad, slots, scalars):
        ...         return op.Sub(param, op.Mul(op.Sign(grad), scalars["lr"])), {}
        >>> SignDescent(0.5).apply([np.array([3.0, -4.0])], [np.array([1.0, 1.0])])[0].tolist()
        [0.5, 1.5]
    """

    elementwise = False

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        name: str | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **unknown: Never,
    ) -> None:
        if unknown:
            raise ValueError(f"Argument(s) not recognized: {unknown}")
        limits = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        _check_limits(limits)
        self.name = auto_name(type(self).__name__) if name is None else name
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self._count = StepCount()
        self._rate = check_rate(learning_rate)
        self._undecayed: tuple[str, ...] = ()
        self._kept = eager.Kept()
        self._slot_variables: Callable[[], Sequence[Variable]] | None = None

    # What an optimizer defines.

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return the names of the arrays kept for a variable and what fills them at first.

        Args:
            shape: shape of the variable; each slot has the same.
            dtype: dtype of the variable; each slot has the same.
        """
        return {}

    def prepare(self, op: Emitter, lr: ir.Value, step: ir.Value) -> dict[str, ir.Value]:
        """Emit the numbers that all variables share; once per step.

        Args:
            op: emitter of the graph.
            lr: learning rate, scalar.
            step: number of this step, 1 for the first; scalar of the type of `lr`.

        Returns:
            Scalars by name, as `update` gets them.
        """
        return {"lr": lr}

    @abstractmethod
    def update(
        self,
        op: Emitter,
        param: ir.Value,
        grad: ir.Value,
        slots: Slots,
        scalars: Mapping[str, ir.Value],
    ) -> Updated:
        """Emit the update of one variable.

        Args:
            op: emitter of the graph.
            param: the variable.
            grad: gradient of the loss, with the shape and type of the variable.
            slots: the variable's slots.
            scalars: returned by `prepare`, of the variable's type.

        Returns:
            The new value of the variable, and of each slot.
        """

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values that JSON can hold."""
        common = {
            "name": self.name,
            "learning_rate": write_rate(self._rate),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
        }
        return common | config_of(self, Optimizer, without=common)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an optimizer from the configuration returned by `get_config`, here or in Keras."""
        known = {k: v for k, v in config.items() if _KERAS_DEFAULTS.get(k, ...) != v}
        if "learning_rate" in known:
            known["learning_rate"] = read_rate(known["learning_rate"])
        return cls(**known)

    # What every optimizer does.

    @property
    def _scaling(self) -> LossScale | None:
        """Factor of the loss before it is differentiated; None: there is none."""
        return None

    @property
    def iterations(self) -> Iterations:
        """How many steps have been taken: an int, with `assign`; settable."""
        return Iterations(self._count.total() + self._kept.steps, self)

    @iterations.setter
    def iterations(self, value: Any) -> None:
        self._count = self._count.set_to(int(value) - self._kept.steps)

    @property
    def variables(self) -> list[Any]:
        """The number of steps, the learning rate unless a schedule gives it, and the slots.

        The slots are those of the model that was compiled with this optimizer last.
        """
        rate = [] if callable(self._rate) else [self.learning_rate]
        slots = () if self._slot_variables is None else self._slot_variables()
        return [self.iterations, *rate, *slots]

    def _restart(self) -> None:
        """Forget the steps taken, as `compile` does; slots belong to the model."""
        self.iterations = 0

    @property
    def learning_rate(self) -> LearningRate:
        """The learning rate of the next step: a float, with `assign`.

        Settable, unless a schedule gives it.

        Raises:
            TypeError: when set on an optimizer that has a schedule.
        """
        return LearningRate(self._learning_rate_at(int(self.iterations)), self)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(self._rate) and not callable(value):
            raise TypeError(
                "This optimizer was created with a `LearningRateSchedule` object as its "
                "`learning_rate` constructor argument, hence its learning rate is not settable. "
                "If you need the learning rate to be settable, you should instantiate the "
                "optimizer with a float `learning_rate` argument."
            )
        self._rate = check_rate(value)

    def _learning_rate_at(self, iteration: int) -> float:
        """Return the learning rate of the step after `iteration` steps have been taken."""
        return rate_at(self._rate, iteration)

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Name variables that weight decay leaves alone; takes effect at `compile`.

        Args:
            var_list: variables.
            var_names: regular expressions, searched in the path of a variable (`"bias"`).
        """
        exact = () if var_list is None else tuple(f"^{re.escape(v.path)}$" for v in var_list)
        self._undecayed = (*exact, *(var_names or ()))

    def _emit(
        self,
        op: Emitter,
        params: Sequence[ir.Value],
        grads: Sequence[ir.Value],
        slots: Sequence[Slots],
        lr: ir.Value,
        step: ir.Value,
        names: Sequence[str] | None = None,
    ) -> tuple[list[ir.Value], list[dict[str, ir.Value]]]:
        """Emit one step: clipping, weight decay, update.

        Args:
            op: emitter of the graph.
            params: the variables.
            grads: a gradient for each.
            slots: the slots of each.
            lr: learning rate, float scalar.
            step: number of this step, 1 for the first; scalar of any numeric type.
            names: the variables' paths, for `exclude_from_weight_decay`.

        Returns:
            The new variables, and the new slots of each.
        """
        paths = [""] * len(params) if names is None else names
        scalars = self.prepare(op, lr, _as_type(op, step, lr.dtype))
        if self.weight_decay is not None:
            scalars["weight_decay"] = op.Mul(lr, self.weight_decay)
        typed: dict[ir.DataType | None, dict[str, ir.Value]] = {}
        grads = self._clip(op, grads)
        new_params = list(params)
        new_slots = [dict(kept) for kept in slots]
        join = partial(packing.join, elementwise=self._is_elementwise())
        part = partial(packing.part, elementwise=self._is_elementwise())
        for group in self._groups(params, paths):
            members = [params[i] for i in group]
            if members[0].dtype not in typed:
                typed[members[0].dtype] = {
                    k: _as_type(op, v, members[0].dtype) for k, v in scalars.items()
                }
            shared = typed[members[0].dtype]
            param = join(op, members)
            grad = join(op, [grads[i] for i in group])
            kept = {k: join(op, [slots[i][k] for i in group]) for k in slots[group[0]]}
            if self._decays(paths[group[0]]):
                param = op.Sub(param, op.Mul(param, shared["weight_decay"]))
            new_param, changed = self.update(op, param, grad, kept, shared)
            for i, value in zip(group, part(op, new_param, members), strict=True):
                new_params[i] = value
            for key, new in changed.items():
                for i, value in zip(group, part(op, new, members), strict=True):
                    new_slots[i][key] = value
        return new_params, new_slots

    def apply(
        self, grads: Sequence[npt.ArrayLike], params: Sequence[npt.ArrayLike]
    ) -> list[npt.NDArray[Any]]:
        """Take one step on arrays; the slots stay in the optimizer.

        Args:
            grads: gradients.
            params: the variables, of the same number and shapes at every call.

        Returns:
            The new variables.

        Raises:
            ValueError: if numbers or shapes of gradients and variables differ.
        """
        values = [_floats(param, "params") for param in params]
        given = [_floats(grad, "grads") for grad in grads]
        shapes = [value.shape for value in values]
        if [grad.shape for grad in given] != shapes:
            raise ValueError(
                "`grads` and `params` must have the same shapes. Received: shapes of grads="
                f"{[grad.shape for grad in given]}, shapes of params={shapes}"
            )
        given = [grad.astype(v.dtype) for grad, v in zip(given, values, strict=True)]
        kept = self._kept.slots
        if kept is None:
            kept = [eager.first_slots(self.slots(v.shape, v.dtype.name), v) for v in values]
        key = value_key(self, ignore=_NOT_EMITTED)
        values, slots = eager.run_step(
            self._emit, values, given, kept, float(self.learning_rate), self.iterations + 1, key
        )
        self._kept = eager.Kept(slots, self._kept.steps + 1)
        return values

    def _decays(self, path: str) -> bool:
        """Whether weight decay takes from the variable at `path`."""
        excepted = any(re.search(pattern, path) for pattern in self._undecayed)
        return self.weight_decay is not None and not excepted

    def _is_elementwise(self) -> bool:
        """Whether the class that wrote `update` says so of it; a subclass may write another."""
        author = next(c for c in type(self).__mro__ if "update" in vars(c))
        return bool(vars(author).get("elementwise", False))

    def _groups(self, params: Sequence[ir.Value], paths: Sequence[str]) -> list[list[int]]:
        """Variables to update together."""
        if not self._is_elementwise():
            return [[i] for i in range(len(params))]
        return packing.pack(params, lambda i: self._decays(paths[i]))

    def _clip(self, op: Emitter, grads: Sequence[ir.Value]) -> Sequence[ir.Value]:
        """Gradients after the one form of clipping that is set."""
        if self.clipnorm is not None:
            return clipping.clip_each_by_norm(op, grads, float(self.clipnorm))
        if self.clipvalue is not None:
            return clipping.clip_each_by_value(op, grads, float(self.clipvalue))
        if self.global_clipnorm is not None and len(grads) > 0:
            return clipping.clip_all_by_norm(op, grads, float(self.global_clipnorm))
        return grads

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy: the steps are its own, those who take them are not."""
        own = {"_count": StepCount(self._count.total()), "_slot_variables": None}
        return vars(self) | own


def _as_type(op: Emitter, value: ir.Value, dtype: ir.DataType | None) -> ir.Value:
    """Cast a value to a dtype where it has another one."""
    if dtype is None or value.dtype == dtype:
        return value
    return op.Cast(value, to=int(dtype))


def _floats(data: npt.ArrayLike, what: str) -> npt.NDArray[Any]:
    """An array with a floating-point type: its own, or float32."""
    array = dtypes.to_array(data, None, what)
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def _check_limits(limits: Mapping[str, float | None]) -> None:
    """Check the forms of clipping: at most one, and positive."""
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if len(given) > 1:
        received = ", ".join(f"{name}={limit}" for name, limit in limits.items())
        raise ValueError(
            "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. "
            f"Received: {received}"
        )
    for name, limit in given.items():
        if limit <= 0:
            raise ValueError(f"`{name}` must be greater than 0. Received: {name}={limit}")
