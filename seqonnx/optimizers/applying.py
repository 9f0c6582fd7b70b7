"""Steps outside of `fit`: on variables, on arrays, and in a training step that a user writes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, Variable, assign_together, current_trace
from seqonnx.optimizers.in_step import StepWork, emit_step
from seqonnx.optimizers.slots import SlotVariables
from seqonnx.optimizers.state import HasState
from seqonnx.runtime.program import run_emission, value_key

Array = npt.NDArray[Any]

NOT_EMITTED: Final = (
    *("name", "_count", "_rate", "_slot_variables", "_own", "_weights", "_index", "_arrays"),
    *("built", "_skipped"),
)
"""Attributes that an update does not depend on."""


class Applies(HasState):
    """The part of an optimizer that takes steps."""

    _arrays: tuple[list[Variable], SlotVariables]
    """Variables that stand for arrays, and their slots."""
    _steps_taken: int
    loss_scale_factor: float | None

    def _learning_rate_at(self, iteration: int) -> float:
        raise NotImplementedError

    def _rate_owners(self) -> list[Any]:
        """The optimizers whose learning rates a step needs."""
        return [self]

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> int:
        """Take one step on variables.

        Args:
            grads_and_vars: pairs of a gradient and the variable that it belongs to.

        Returns:
            The number of steps taken.
        """
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(list(grads), list(variables))
        return self._steps_taken

    def apply(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None
    ) -> list[Array] | None:
        """Take one step: on variables, which get new values, or on arrays, of which it returns new.

        In a trace of a training step the update becomes part of the step graph.

        Args:
            grads: gradients; None for a variable that has none.
            trainable_variables: the variables, or arrays, of the same number and shapes at every
                call; default: the variables that this was built for.

        Returns:
            The new arrays; None for variables.

        Raises:
            ValueError: if numbers or shapes of gradients and variables differ, if there is no
                gradient at all, or for variables that this was not built for.
        """
        if trainable_variables is None:
            if len(grads) == 0:
                return None
            weights = self._known_weights(len(grads))
        elif not all(isinstance(each, Variable) for each in trainable_variables):
            return self._apply_to_arrays(grads, trainable_variables)
        elif len(grads) == 0 and len(trainable_variables) > 0:
            return None
        else:
            weights = list(trainable_variables)
            if len(grads) != len(weights):
                raise ValueError(
                    f"`grads` and `trainable_variables` must be equally many. Received: "
                    f"{len(grads)} gradients for {len(weights)} variables"
                )
        given = _with_gradients(grads, weights)
        trace = current_trace()
        if trace is not None:
            trace.optimize(self, list(given.values()), list(given), weights)
            return None
        slots = self._slots_of(weights)
        arrays = {weight: _fitting(grad, weight) for weight, grad in given.items()}
        values = self._computed(slots, arrays)
        assign_together(values.items())
        self._advance()
        return None

    def _known_weights(self, count: int) -> list[Variable]:
        """The variables that this was built for."""
        if not self.built or len(self._weights) == 0:
            raise ValueError(
                "When passing `grads` without `variables`, the optimizer must already be built on "
                "a list of variables. Call `optimizer.build(trainable_variables)` first."
            )
        if count != len(self._weights):
            raise ValueError(
                "When passing `grads` as a list of gradient tensors, the gradients must match "
                f"`optimizer.variables` one-to-one. Received a list of {count} gradients, but the "
                f"optimizer is tracking {len(self._weights)} trainable variables."
            )
        return self._weights

    def _slots_of(self, weights: Sequence[Variable]) -> SlotVariables:
        """The slots of variables, for which this is built now if it has not been."""
        if all(weight in self._own for weight in weights) and len(weights) > 0:
            return self._own
        view = self._slot_variables
        find = None if view is None else getattr(view, "of", None)
        found: SlotVariables | None = None if find is None else find(weights)
        if found is not None:
            return found
        if self.built:
            raise self._unknown(next(weight for weight in weights if weight not in self._own))
        self.build(list(weights))
        return self._own

    def _advance(self) -> None:
        """Count a step that was taken outside of a training step."""
        self._steps_taken = self._steps_taken + 1

    def _apply_to_arrays(self, grads: Sequence[Any], params: Sequence[Any]) -> list[Array]:
        """Take one step on arrays; the slots stay here."""
        values = [_floats(param, "params") for param in params]
        given = [_floats(grad, "grads") for grad in grads]
        shapes = [value.shape for value in values]
        if [grad.shape for grad in given] != shapes:
            raise ValueError(
                "`grads` and `params` must have the same shapes. Received: shapes of grads="
                f"{[grad.shape for grad in given]}, shapes of params={shapes}"
            )
        if len(self._arrays[0]) == 0:
            variables = [Variable(value, str(i), path="") for i, value in enumerate(values)]
            self._arrays = (variables, self._slots_for_training(variables))
        variables, slots = self._arrays
        pairs = zip(variables, values, strict=True)
        assign_together((variable, value.astype(variable.dtype)) for variable, value in pairs)
        arrays = {v: grad.astype(v.dtype) for v, grad in zip(variables, given, strict=True)}
        new = self._computed(slots, arrays)
        assign_together(new.items())
        self._advance()
        return [variable.numpy() for variable in variables]

    def stateless_apply(
        self,
        optimizer_variables: Sequence[Any],
        grads: Sequence[Any],
        trainable_variables: Sequence[Any],
    ) -> tuple[list[Array], list[Array]]:
        """Compute one step and change nothing.

        Args:
            optimizer_variables: a value for each of `variables`.
            grads: a gradient for each variable that this was built for.
            trainable_variables: a value for each of them.

        Returns:
            The new values of those variables, and of `variables`.

        Raises:
            ValueError: if this has not been built, or the numbers differ.
        """
        if not self.built:
            raise ValueError(
                f"To call `stateless_apply`, {type(self).__name__} must be built (i.e. its "
                "variables must have been created). You can build it via "
                "`optimizer.build(trainable_variables)`."
            )
        variables = self.variables
        if len(optimizer_variables) != len(variables):
            raise ValueError(
                "Argument `optimizer_variables` must be a list of tensors corresponding 1:1 to "
                f"{type(self).__name__}().variables. Received list with length "
                f"{len(optimizer_variables)}, but expected {len(variables)} variables."
            )
        if len(trainable_variables) != len(self._weights):
            raise ValueError(
                "Argument `trainable_variables` must be a list of tensors corresponding 1:1 to "
                "the trainable variables list that the optimizer was built with. Received "
                f"len(trainable_variables) == {len(trainable_variables)} whereas the optimizer "
                f"was built with {len(self._weights)} variables."
            )
        before = [variable.numpy() for variable in variables]
        kept = [weight.numpy() for weight in self._weights]
        try:
            self._assign_all(variables, optimizer_variables)
            self._assign_all(self._weights, trainable_variables)
            self.apply(grads)
            changed = [weight.numpy() for weight in self._weights]
            return changed, [variable.numpy() for variable in self.variables]
        finally:
            self._assign_all(variables, before)
            self._assign_all(self._weights, kept)

    def scale_loss(self, loss: Any) -> Any:
        """Return a loss times `loss_scale_factor`, to be differentiated.

        Args:
            loss: the loss, a number, an array or a tensor.
        """
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def _emit_step(self, op: Emitter, work: StepWork) -> dict[Variable, ir.Value]:
        """Emit a step, without constraints; see `emit_step`."""
        return emit_step(self, op, work)

    def _emit_applied(self, op: Emitter, work: StepWork) -> dict[Variable, ir.Value]:
        """Emit what `apply` does; gradients are those of `scale_loss(loss)`."""
        return self._emit_step(op, work)

    def _computed(
        self, slots: SlotVariables, grads: Mapping[Variable, Array]
    ) -> dict[Variable, Array]:
        """Compute a step: the emission, run on the values of the moment at once."""
        weights, trained = list(slots), list(grads)
        inside = [slot for weight in weights for slot in slots[weight].values()]
        variables = [*weights, *inside, *self._state_variables]

        def nodes(op: Emitter, given: list[ir.Value]) -> list[ir.Value]:
            step, rest = given[0], iter(given[1:])
            rates = [next(rest) for _ in owners]
            op.variables.update({variable: next(rest) for variable in variables})
            values = {weight: op.read(weight) for weight in weights}
            by_weight = {weight: next(rest) for weight in trained}
            changed = self._emit_applied(op, StepWork(values, by_weight, slots, rates, step))
            # The values are given, so that a program serves other variables of the same kind.
            before = {variable: op.variables.pop(variable) for variable in variables}
            return [changed.get(variable, before[variable]) for variable in variables]

        owners, taken = self._rate_owners(), int(self._steps_taken)
        dtype = np.dtype(trained[0].dtype if len(trained) > 0 else np.float32)
        scalars = [np.asarray(taken + 1, dtype)]
        scalars += [np.asarray(owner._learning_rate_at(taken), dtype) for owner in owners]
        arrays = [*scalars, *(v._stored() for v in variables), *grads.values()]
        outputs = run_emission(nodes, [], key=self._program_key(slots, trained), fixed=arrays)
        return dict(zip(variables, outputs, strict=True))

    def _program_key(self, slots: SlotVariables, trained: Sequence[Variable]) -> Any:
        """A key of all that the emission of a step depends on."""
        kinds = tuple((w.path, w._layout, tuple(kept), w in trained) for w, kept in slots.items())
        return (value_key(self, ignore=NOT_EMITTED), kinds)


def _with_gradients(grads: Sequence[Any], weights: Sequence[Variable]) -> dict[Variable, Any]:
    """The gradients that there are, by variable; warns of variables that have none."""
    pairs = list(zip(weights, grads, strict=True))
    given = {weight: grad for weight, grad in pairs if grad is not None}
    if len(given) == 0:
        raise ValueError("No gradients provided for any variable.")
    missing = [weight.path for weight, grad in pairs if grad is None]
    if len(missing) > 0:
        warnings.warn(
            f"Gradients do not exist for variables {missing} when minimizing the loss. If using "
            "`model.compile()`, did you forget to provide a `loss` argument?",
            stacklevel=3,
        )
    return given


def _fitting(grad: Any, weight: Variable) -> Array:
    """A gradient as its variable is stored."""
    array = dtypes.to_array(grad, None, "grads")
    if array.shape != tuple(weight.shape):
        raise ValueError(
            f"A gradient must have the shape of its variable. Variable {weight.path} has shape "
            f"{tuple(weight.shape)}. Received: a gradient of shape {array.shape}"
        )
    return weight._fitted(array)


def _floats(data: npt.ArrayLike, what: str) -> Array:
    """An array with a floating-point type: its own, or float32."""
    array = dtypes.to_array(data, None, what)
    return array if array.dtype.kind == "f" else array.astype(np.float32)
