"""The variables of an optimizer: making them, listing them, storing and loading them as Keras does.

Until a model is trained, an optimizer may be built by hand, for weights of one's own; then the
optimizer keeps the slots. Those of a compiled model belong to the model, and are shown here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from seqonnx import initializers
from seqonnx.graph import Variable, assign_together
from seqonnx.optimizers.in_step import NUMBERS
from seqonnx.optimizers.slots import (
    ACCUMULATOR,
    AVERAGE,
    SlotSpec,
    SlotVariables,
    in_keras_order,
    make_slots,
)
from seqonnx.optimizers.step_count import StepCount


class ModelSlots(Protocol):
    """The slots of the model that was compiled with an optimizer."""

    def __call__(self) -> Sequence[Variable]:
        """Return the slots of all weights, those of one weight together; none before training."""

    def of(self, weights: Sequence[Variable]) -> SlotVariables | None:
        """Return the slots of these weights, made now if need be; None if they are not its."""


class HasState:
    """The part of an optimizer that holds variables."""

    name: str
    built: bool
    use_ema: bool
    gradient_accumulation_steps: int | None
    _count: StepCount
    _slot_variables: Callable[[], Sequence[Variable]] | None
    _own: SlotVariables
    """Slots of weights that this was built for by hand."""
    _weights: list[Variable]
    _extra: list[Variable]
    """Variables that a class in Keras's spelling has made."""
    _listed_later: ClassVar[tuple[str, ...]] = ()
    """Keys of slots that Keras makes for all weights after the others."""

    # What an optimizer defines.

    def slots(self, shape: Sequence[int], dtype: str) -> dict[str, float]:
        """Return the names of the arrays kept for a variable and what fills them at first.

        Args:
            shape: shape of the variable; each slot has the same.
            dtype: dtype of the variable; each slot has the same.
        """
        return {}

    def _slot_specs(self, weight: Variable) -> Mapping[str, SlotSpec]:
        """The slots of a weight, where they are not all like the weight."""
        starts = self.slots(weight.shape, weight.dtype)
        return {key: SlotSpec.like(weight, start) for key, start in starts.items()}

    # What every optimizer does.

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the variables that are kept for weights; training a model calls this by itself.

        A class in Keras's spelling calls this first and then makes its own, with
        `add_variable_from_reference`.

        Args:
            variables: the weights that will be trained.

        Example:
            >>> from seqonnx.optimizers import Adam
            >>> optimizer = Adam(name="adam")
            >>> optimizer.build([Variable(np.zeros(3, np.float32), "kernel")])
            >>> [variable.path for variable in optimizer.variables[2:]]
            ['adam/kernel_momentum', 'adam/kernel_velocity']
        """
        weights = list(variables)
        view = self._slot_variables
        of_model = None if view is None or self._extends() else getattr(view, "of", None)
        if of_model is None or of_model(weights) is None:
            self._own = self._make_slots(weights)
        self._weights, self._index = weights, {weight: i for i, weight in enumerate(weights)}
        self.built = True

    def _extends(self) -> bool:
        """Whether the class has a `build` of its own."""
        return type(self).build is not HasState.build

    def _make_slots(self, weights: Sequence[Variable]) -> SlotVariables:
        """Return new slots of weights."""
        return {weight: make_slots(self, weight, self._all_specs(weight)) for weight in weights}

    def _all_specs(self, weight: Variable) -> Mapping[str, SlotSpec]:
        """Slots of a weight, and what averages and gathered gradients need."""
        specs = dict(self._slot_specs(weight))
        if self.use_ema:
            specs[AVERAGE] = SlotSpec.like(weight)
        if self.gradient_accumulation_steps:
            specs[ACCUMULATOR] = SlotSpec.like(weight)
        return specs

    def _slots_for_training(self, weights: Sequence[Variable]) -> SlotVariables:
        """Return new slots of weights, for a model that keeps them."""
        if not self._extends():
            self.built = True
            return self._make_slots(weights)
        self.built, self._extra = False, []
        self.build(list(weights))
        slots, self._own = self._own, {}
        return slots

    @property
    def _state_variables(self) -> list[Variable]:
        """Variables besides slots that a training step changes."""
        return list(self._extra)

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any = "zeros",
        dtype: str | None = None,
        aggregation: str = "none",
        layout: None = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable of the optimizer, in the `build` of a class in Keras's spelling.

        Args:
            shape: its shape.
            initializer: name or initializer of its first value.
            dtype: its dtype; default float32.
            aggregation: how replicas of a model agree on it.
            layout: None, as nothing is distributed over devices.
            name: its name.

        Raises:
            ValueError: if `layout` is not None.
        """
        if layout is not None:
            raise ValueError(
                f"`layout` must be None: variables stay on one device. Received: {layout}"
            )
        start = initializers.get(initializer)
        value = np.asarray(start(tuple(shape), dtype or "float32"))
        name = name or "variable"
        how: Any = aggregation
        variable = Variable(
            value, name, trainable=False, path=f"{self.name}/{name}", aggregation=how
        )
        self._extra.append(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Make a variable with the shape and dtype of a weight.

        Args:
            reference_variable: the weight.
            name: last part of the name; default `"var"`.
            initializer: name or initializer of the first value.
        """
        return self.add_variable(
            reference_variable.shape,
            initializer,
            reference_variable.dtype,
            name=f"{reference_variable.path.replace('/', '_')}_{name or 'var'}",
        )

    def add_optimizer_variables(
        self,
        trainable_variables: Sequence[Variable],
        name: str | Sequence[str],
        initializer: Any = "zeros",
    ) -> Any:
        """Make variables for each of several weights.

        Args:
            trainable_variables: the weights.
            name: last part of the names, or several.
            initializer: initializer of all, or one for each name.

        Returns:
            A list, one for each weight; with several names a tuple of lists.

        Raises:
            ValueError: if there are not as many names as initializers.
        """
        names = [name] if isinstance(name, str) else list(name)
        several = isinstance(initializer, list | tuple)
        starts = list(initializer) if several else [initializer] * len(names)
        if len(names) != len(starts):
            raise ValueError(
                "The number of provided names must match the number of provided initializers. "
                f"Received: name='{name}', initializer='{initializer}'"
            )
        made: tuple[list[Variable], ...] = tuple([] for _ in names)
        for variable in trainable_variables:
            for rows, each, start in zip(made, names, starts, strict=True):
                rows.append(self.add_variable_from_reference(variable, each, start))
        return made[0] if isinstance(name, str) else made

    def _get_variable_index(self, variable: Variable) -> int:
        """Number of a weight among those that this was built for."""
        if variable not in self._index:
            raise self._unknown(variable)
        return self._index[variable]

    def _unknown(self, variable: Variable) -> ValueError:
        return ValueError(
            f"Unknown variable: {variable}. This optimizer can only be called for the variables "
            "it was originally built with. When working with a new set of variables, you should "
            "recreate a new optimizer instance."
        )

    def assign(self, variable: Variable, value: Any) -> None:
        """Give a variable a new value: at once, or in the step that is being traced."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable, as `assign`."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable, as `assign`."""
        variable.assign_sub(value)

    @property
    def _slots_now(self) -> list[Variable]:
        """All slots that there are: of the compiled model, or of what this was built for."""
        shown = () if self._slot_variables is None else self._slot_variables()
        found = [slot for slot in shown if getattr(slot, "owner", self) is self]
        own = [slot for slots in self._own.values() for slot in slots.values()]
        return found or own

    @property
    def _listed(self) -> list[Any]:
        """Slots and variables as Keras lists them, behind the numbers."""
        return [*in_keras_order(self._slots_now, self._listed_later), *self._extra]

    @property
    def variables(self) -> list[Any]:
        """Everything that an optimizer keeps, in Keras's order; see `Optimizer.variables`."""
        return self._listed

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Put the value of each of `variables` into a mapping, by its number.

        Args:
            store: gets arrays by `"0"`, `"1"`, ...; a group of an HDF5 file is one, too.
        """
        for number, variable in enumerate(self.variables):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Take values that `save_own_variables` has stored, here or in Keras.

        Warns, and loads nothing, if there are not as many as there are `variables`.

        Args:
            store: arrays by `"0"`, `"1"`, ...
        """
        variables = self.variables
        if len(store) != len(variables):
            text = (
                f"Skipping variable loading for optimizer '{self.name}', because it has "
                f"{len(variables)} variables whereas the saved optimizer has {len(store)} "
                "variables. "
            )
            if len(variables) == 0 or not self.built:
                text += (
                    "This is likely because the optimizer has not been called/built yet. Call "
                    "`optimizer.build(model.trainable_variables)` first."
                )
            warnings.warn(text, stacklevel=2)
            return
        self._assign_all(variables, [store[str(number)] for number in range(len(variables))])

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Give each of `variables` a value.

        Args:
            weights: an array for each.

        Raises:
            ValueError: if there are none yet, or the number or a shape differs.
        """
        if not self.built:
            raise ValueError(
                "You are calling `set_weights()` on an optimizer that has not yet been built. "
                "Please call `optimizer.build(trainable_variables)` to create the optimizer "
                "weights before calling `set_weights()`."
            )
        variables = self.variables
        if len(weights) != len(variables):
            raise ValueError(
                f"`set_weights` takes an array for each of the {len(variables)} variables. "
                f"Received: {len(weights)} arrays"
            )
        self._assign_all(variables, weights)

    def _assign_all(self, variables: Sequence[Any], values: Sequence[Any]) -> None:
        """Assign to numbers one by one, and to variables together."""
        arrays = [np.asarray(value) for value in values]
        for variable, array in zip(variables, arrays, strict=True):
            if tuple(variable.shape) != array.shape:
                raise ValueError(
                    f"Optimizer variable {variable.path} has shape {tuple(variable.shape)} not "
                    f"compatible with provided weight shape {array.shape}."
                )
        pairs = list(zip(variables, arrays, strict=True))
        real = [(v, v._fitted(array)) for v, array in pairs if isinstance(v, Variable)]
        for variable, array in pairs:
            if not isinstance(variable, Variable):
                variable.assign(array)
        assign_together(real)

    @property
    def _averages(self) -> list[tuple[Variable, Variable]]:
        """Weights with their moving averages."""
        found = [slot for slot in self._slots_now if getattr(slot, "key", "") == AVERAGE]
        return [(slot.weight, slot) for slot in found]  # type: ignore[attr-defined]  # Slots

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Replace weights by their moving averages, with `use_ema`; `fit` does so at its end.

        Args:
            var_list: the trained weights.

        Raises:
            ValueError: if this was not built for as many.
        """
        if not self.use_ema:
            return
        averages = dict(self._averages)
        if len(averages) != len(var_list) or any(weight not in averages for weight in var_list):
            raise ValueError(
                f"The length of model variables ({len(var_list)}) to override does not match the "
                f"length of model variables stored in the optimizer ({len(averages)}). Please "
                "check if the optimizer was called on your model."
            )
        assign_together((weight, averages[weight]._stored()) for weight in var_list)

    @property
    def _numbers(self) -> Any:
        """Numbers of the step that is being emitted; None outside."""
        found = NUMBERS.get()
        return found if found is not None and found.optimizer is self else None
