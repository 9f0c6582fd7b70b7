"""The contract of an optimizer: slots per variable, and the update as nodes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Self

import onnx_ir as ir

from seqonnx.configuration import Configured, config_of
from seqonnx.graph import Emitter, TracedTensor, Variable, auto_name, current_trace
from seqonnx.graph.tracing import Trace
from seqonnx.optimizers import options
from seqonnx.optimizers.emission import EmitsUpdates, Slots, Updated
from seqonnx.optimizers.loss_scale import LossScale
from seqonnx.optimizers.numbers import Iterations, LearningRate, StepNumber
from seqonnx.optimizers.on_tensors import emit_by_update
from seqonnx.optimizers.rate import check_rate, rate_at, read_rate, write_rate
from seqonnx.optimizers.step_count import StepCount

_LEGACY: Final[dict[str, Any]] = {"is_legacy_optimizer": False}
"""Entries of an old Keras config that say nothing while they hold these values."""


class Optimizer(EmitsUpdates, Configured):
    """Base of all optimizers; also the way to write one's own.

    A subclass defines `slots`, `update` and, for numbers that all variables share, `prepare`. Where
    `update` treats each element by itself, `elementwise = True` says so: then small vectors, such
    as biases, are given to it concatenated. Or it defines, as in Keras, `build(variables)` and
    `update_step(gradient, variable, learning_rate)` on tensors, with the functions of
    `seqonnx.ops`.

    Args:
        learning_rate: step size: a number, a `LearningRateSchedule`, or a function to a number:
            without arguments, or from the number of steps taken so far.
        weight_decay: part of a variable, times the learning rate, that each step takes away
            before the update (Loshchilov & Hutter, "Decoupled weight decay regularization",
            2019).
        clipnorm: longest Euclidean norm of the gradient of a variable.
        clipvalue: largest absolute element of a gradient.
        global_clipnorm: longest Euclidean norm of all gradients together.
        use_ema: whether a moving average of each weight is kept. `fit` puts it in the place of
            the weight at its end; `SwapEMAWeights` does so for evaluation.
        ema_momentum: part of the average that is kept in each step.
        ema_overwrite_frequency: every how many updates the average replaces the weight; None:
            never before the end.
        loss_scale_factor: fixed factor of the loss while it is differentiated, for gradients that
            would vanish; the update takes it back.
        gradient_accumulation_steps: number of steps whose mean gradient makes one update; None:
            each step is an update. Schedules count steps, `iterations` counts updates.
        name: name; default: the class name in snake case, numbered.
        **unknown: refused; `decay` of earlier versions of Keras with a warning.

    Raises:
        ValueError: for an argument that no optimizer knows, more than one form of clipping,
            a number out of its range, or a learning rate that is no number, schedule or function.

    Attributes:
        elementwise: whether `update` treats each element of a variable by itself.

    Example:
        >>> class SignDescent(Optimizer):
        ...     def update(self, op, param, grad, slots, scalars):
        ...         return op.Sub(param, op.Mul(op.Sign(grad), scalars["lr"])), {}
        >>> SignDescent(0.5).apply([np.array([3.0, -4.0])], [np.array([1.0, 1.0])])[0].tolist()
        [0.5, 1.5]
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        if unknown.pop("decay", None) is not None:
            warnings.warn(
                "Argument `decay` is no longer supported and will be ignored. Give a schedule as "
                "`learning_rate`.",
                stacklevel=3,
            )
        if unknown:
            raise ValueError(f"Argument(s) not recognized: {unknown}")
        limits = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        options.check_limits(limits)
        if use_ema:
            options.check_averaging(ema_momentum, ema_overwrite_frequency)
        self.name = auto_name(type(self).__name__) if name is None else name
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = bool(use_ema)
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = options.checked_factor(loss_scale_factor)
        accumulation = options.checked_accumulation(gradient_accumulation_steps)
        self.gradient_accumulation_steps = accumulation
        self.built = False
        self._count = StepCount()
        self._rate = check_rate(learning_rate)
        self._undecayed: tuple[str, ...] = ()
        self._forget()
        self._slot_variables: Callable[[], Sequence[Variable]] | None = None

    # What an optimizer defines.

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
        raise NotImplementedError(
            f"Optimizer {type(self).__name__} defines neither `update(self, op, param, grad, "
            "slots, scalars)` nor `update_step(self, gradient, variable, learning_rate)`."
        )

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Assign a variable its new value, and what is kept for it: on tensors, in a trace.

        Args:
            gradient: the gradient, in the Keras layout.
            variable: the weight; `self.assign(variable, value)` gives it a value.
            learning_rate: the learning rate, a tensor.
        """
        trace, numbers = current_trace(), self._numbers
        if not isinstance(trace, Trace) or numbers is None:
            raise RuntimeError(
                "`update_step` is called by `apply` and by training. Call "
                "`optimizer.apply([gradient], [variable])`."
            )
        slots = numbers.slots.get(variable, {})
        emit_by_update(self, trace, gradient, variable, learning_rate, slots, numbers.step)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values that JSON can hold."""
        common = {
            "name": self.name,
            "learning_rate": write_rate(self._rate),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            **{key: getattr(self, key) for key in options.DEFAULTS},
        }
        return common | config_of(self, Optimizer, without=common)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        """Make an optimizer from the configuration returned by `get_config`, here or in Keras.

        Args:
            config: the configuration.
            custom_objects: the user's own classes, by name, such as that of the schedule.
        """
        known = {k: v for k, v in config.items() if _LEGACY.get(k, ...) != v}
        if "learning_rate" in known:
            known["learning_rate"] = read_rate(known["learning_rate"], custom_objects)
        return cls(**known)

    # What every optimizer does.

    @property
    def _scaling(self) -> LossScale | None:
        """Factor of the loss before it is differentiated; None: there is none."""
        return None

    @property
    def _steps_taken(self) -> int:
        """How many steps have been taken, each of which may only have gathered gradients."""
        return self._count.total()

    @_steps_taken.setter
    def _steps_taken(self, value: int) -> None:
        for each in self._inside():
            each._count = each._count.set_to(int(value))

    @property
    def _steps_per_update(self) -> int:
        return self.gradient_accumulation_steps or 1

    @property
    def iterations(self) -> Any:
        """How many updates have been made: an int, with `assign`; settable.

        With `gradient_accumulation_steps` that is fewer than steps. In `update_step` it is a
        tensor.
        """
        numbers = self._numbers
        if numbers is None:
            return Iterations(self._steps_taken // self._steps_per_update, self)
        trace = current_trace()
        assert isinstance(trace, Trace)
        before = trace.op.Sub(numbers.step, 1.0)
        return TracedTensor(trace.op.cast(before, "int64"))

    @iterations.setter
    def iterations(self, value: Any) -> None:
        self._steps_taken = int(value) * self._steps_per_update

    @property
    def variables(self) -> list[Any]:
        """All that an optimizer keeps, in Keras's order.

        The number of steps, the learning rate unless a schedule gives it, and the slots: those of
        the model that was compiled with this optimizer last, or of what it was built for.
        """
        rate = [] if callable(self._rate) else [self._rate_number]
        return [StepNumber(self), *rate, *self._listed]

    @property
    def _rate_number(self) -> LearningRate:
        return LearningRate(self._learning_rate_at(int(self._steps_taken)), self)

    def _restart(self) -> None:
        """Forget the steps taken and what was kept, as `compile` does."""
        self._steps_taken, self.built = 0, False
        self._forget()

    def _forget(self) -> None:
        """Let go of the variables that this was built for."""
        self._own, self._weights, self._index, self._extra = {}, [], {}, []
        self._arrays = ([], {})

    @property
    def _averages_weights(self) -> bool:
        """Whether this, or one that takes steps with it, keeps moving averages of weights."""
        return any(each.use_ema for each in self._inside())

    def _inside(self) -> list[Optimizer]:
        """The optimizers that take steps together with this one, which comes first."""
        return [self]

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the next step: a float, with `assign`.

        Settable, unless a schedule gives it. In `update_step` it is a tensor.

        Raises:
            TypeError: when set on an optimizer that has a schedule.
        """
        numbers = self._numbers
        return self._rate_number if numbers is None else TracedTensor(numbers.rates[0])

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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy: the steps are its own, those who take them are not."""
        own = {"_count": StepCount(self._count.total()), "_slot_variables": None}
        return vars(self) | own
