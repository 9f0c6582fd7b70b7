"""The emission of an update: clipping, weight decay, and each variable's own nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, Variable
from seqonnx.lowering import packing
from seqonnx.optimizers import clipping
from seqonnx.optimizers.applying import Applies
from seqonnx.optimizers.in_step import StepWork
from seqonnx.optimizers.on_tensors import emit_on_tensors
from seqonnx.optimizers.rows_met import is_lazy, mark_lazy, update_lazily
from seqonnx.optimizers.slots import used_slots

Slots = Mapping[str, ir.Value]
Updated = tuple[ir.Value, dict[str, ir.Value]]


class EmitsUpdates(Applies):
    """The part of an optimizer that emits."""

    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    elementwise: ClassVar[bool] = False
    _undecayed: tuple[str, ...]
    _keras_layout: ClassVar[bool] = False
    """Whether `update` wants the axes of a variable in Keras's order."""

    def prepare(self, op: Emitter, lr: ir.Value, step: ir.Value) -> dict[str, ir.Value]:
        """Emit the numbers that all variables share; see `Optimizer.prepare`."""
        return {"lr": lr}

    def update(
        self,
        op: Emitter,
        param: ir.Value,
        grad: ir.Value,
        slots: Slots,
        scalars: Mapping[str, ir.Value],
    ) -> Updated:
        """Emit the update of one variable; see `Optimizer.update`."""
        raise NotImplementedError

    def _emit_update(self, op: Emitter, work: StepWork) -> dict[Variable, ir.Value]:
        """Emit clipping, weight decay and the update, in the spelling that the class has."""
        mark_lazy(self, work.grads)
        if self._on_tensors():
            return emit_on_tensors(self, op, work)
        weights = list(work.grads)
        kept = [used_slots(work.slots[weight]) for weight in weights]
        slots = [{key: op.read(slot) for key, slot in each.items()} for each in kept]
        params, changed = self._emit(
            op,
            [work.values[weight] for weight in weights],
            list(work.grads.values()),
            slots,
            work.rates[0],
            work.step,
            [weight.path for weight in weights],
            [weight._layout for weight in weights],
        )
        result: dict[Variable, ir.Value] = {}
        for weight, own, value, new in zip(weights, kept, params, changed, strict=True):
            result[weight] = value
            result.update({own[key]: of_slot for key, of_slot in new.items()})
        return result

    def _on_tensors(self) -> bool:
        """Whether the nearest class that defines an update does so in Keras's spelling."""
        spelled = (c for c in type(self).__mro__ if {"update", "update_step"} & vars(c).keys())
        return "update" not in vars(next(spelled))

    def _emit(
        self,
        op: Emitter,
        params: Sequence[ir.Value],
        grads: Sequence[ir.Value],
        slots: Sequence[Slots],
        lr: ir.Value,
        step: ir.Value,
        names: Sequence[str] | None = None,
        layouts: Sequence[Sequence[int] | None] | None = None,
        *,
        bare: bool = False,
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
            layouts: the variables' axes, as they are stored.
            bare: whether only the update is wanted.

        Returns:
            The new variables, and the new slots of each.
        """
        paths = [""] * len(params) if names is None else names
        axes = [None] * len(params) if layouts is None or not self._keras_layout else layouts
        scalars = self.prepare(op, lr, _as_type(op, step, lr.dtype))
        if not bare:
            for key, part in self._decays_used().items():
                scalars[key] = op.Mul(lr, part)
            grads = self._clip(op, grads)
        decays = [None if bare else self._decay_of(p, s) for p, s in zip(paths, slots, strict=True)]
        typed: dict[ir.DataType | None, dict[str, ir.Value]] = {}
        new_params = list(params)
        new_slots = [dict(kept) for kept in slots]
        lazy = [is_lazy(grad) for grad in grads]
        for group in self._groups(params, slots, decays, lazy):
            dtype = params[group[0]].dtype
            if dtype not in typed:
                typed[dtype] = {k: _as_type(op, v, dtype) for k, v in scalars.items()}
            first = group[0]
            decay = decays[first]
            values, changed = self._emit_group(
                op,
                [params[i] for i in group],
                [grads[i] for i in group],
                [slots[i] for i in group],
                typed[dtype],
                None if decay is None else typed[dtype][decay],
                axes[first],
            )
            for i, value in zip(group, values, strict=True):
                new_params[i] = value
            for key, parts in changed.items():
                for i, value in zip(group, parts, strict=True):
                    new_slots[i][key] = value
        return new_params, new_slots

    def _emit_group(
        self,
        op: Emitter,
        params: Sequence[ir.Value],
        grads: Sequence[ir.Value],
        slots: Sequence[Slots],
        scalars: Mapping[str, ir.Value],
        decay: ir.Value | None,
        axes: Sequence[int] | None,
    ) -> tuple[list[ir.Value], dict[str, list[ir.Value]]]:
        """Emit weight decay and update of variables that go together."""
        join = partial(packing.join, elementwise=self._is_elementwise())
        part = partial(packing.part, elementwise=self._is_elementwise())
        param = _shown(op, join(op, params), axes)
        grad = _shown(op, join(op, grads), axes)
        kept = {key: join(op, [each[key] for each in slots]) for key in slots[0]}
        if decay is not None:
            param = op.Sub(param, op.Mul(param, decay))
        lazily = update_lazily(self, op, param, grad, kept, scalars)
        new, changed = lazily or self.update(op, param, grad, kept, scalars)
        values = part(op, _stored(op, new, axes), params)
        parts = {k: part(op, v, [each[k] for each in slots]) for k, v in changed.items()}
        return values, parts

    def _decays_used(self) -> dict[str, float]:
        """The forms of weight decay by name."""
        return {} if self.weight_decay is None else {"weight_decay": float(self.weight_decay)}

    def _decay_of(self, path: str, slots: Slots) -> str | None:
        """The form of weight decay that takes from a variable; None: none does."""
        return "weight_decay" if self._decays(path) else None

    def _decays(self, path: str) -> bool:
        """Whether weight decay takes from the variable at `path`."""
        excepted = any(re.search(pattern, path) for pattern in self._undecayed)
        return self.weight_decay is not None and not excepted

    def _is_elementwise(self) -> bool:
        """Whether the class that wrote `update` says so of it; a subclass may write another."""
        author = next(c for c in type(self).__mro__ if "update" in vars(c))
        return bool(vars(author).get("elementwise", False))

    def _groups(
        self,
        params: Sequence[ir.Value],
        slots: Sequence[Slots],
        decays: Sequence[str | None],
        lazy: Sequence[bool],
    ) -> list[list[int]]:
        """Variables to update together; a lazy one is updated by itself."""
        if not self._is_elementwise():
            return [[i] for i in range(len(params))]
        many_nodes = all(len(kept) > 1 for kept in slots)  # with fewer, a descent may fuse instead
        return packing.pack(
            params, lambda i: (decays[i], i if lazy[i] else None), matrices=many_nodes
        )

    def _clip(self, op: Emitter, grads: Sequence[ir.Value]) -> Sequence[ir.Value]:
        """Gradients after the one form of clipping that is set."""
        if self.clipnorm is not None:
            return clipping.clip_each_by_norm(op, grads, float(self.clipnorm))
        if self.clipvalue is not None:
            return clipping.clip_each_by_value(op, grads, float(self.clipvalue))
        if self.global_clipnorm is not None and len(grads) > 0:
            return clipping.clip_all_by_norm(op, grads, float(self.global_clipnorm))
        return grads


def _as_type(op: Emitter, value: ir.Value, dtype: ir.DataType | None) -> ir.Value:
    """Cast a value to a dtype where it has another one."""
    if dtype is None or value.dtype == dtype:
        return value
    return op.Cast(value, to=int(dtype))


def _shown(op: Emitter, value: ir.Value, axes: Sequence[int] | None) -> ir.Value:
    """A value in Keras's order of axes, where it is stored in another."""
    if axes is None:
        return value
    shown: ir.Value = op.Transpose(value, perm=[int(axis) for axis in np.argsort(axes)])
    return shown


def _stored(op: Emitter, value: ir.Value, axes: Sequence[int] | None) -> ir.Value:
    """A value in Keras's order of axes, as it is stored."""
    if axes is None:
        return value
    stored: ir.Value = op.Transpose(value, perm=list(axes))
    return stored
