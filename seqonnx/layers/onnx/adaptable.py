"""The part of `ONNXModel` that is adapted: its weights frozen, low-rank products that train."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import onnx_ir as ir

from seqonnx import initializers
from seqonnx.graph import Emitter, Variable, note_setting
from seqonnx.importers.onnx.foreign import Foreign
from seqonnx.layers.base import Layer
from seqonnx.layers.lora import A_INITIALIZER, B_INITIALIZER, checked_rank
from seqonnx.layers.onnx.adapters import (
    NetworkAdapter,
    Target,
    all_targets,
    find_targets,
    with_changes,
)
from seqonnx.layers.onnx.requantizing import requantized
from seqonnx.layers.standing import is_merged


class AdaptableNetwork(Layer):
    """Base of a layer whose weights come from a file, and can be frozen and adapted."""

    _foreign: Foreign
    _by_name: dict[str, Variable]
    _adapters: list[NetworkAdapter]

    def enable_lora(
        self,
        rank: int,
        targets: str | Sequence[str] | None = None,
        alpha: float | None = None,
        a_initializer: Any = A_INITIALIZER,
        b_initializer: Any = B_INITIALIZER,
    ) -> None:
        """Freeze the network and add adapters of a low rank to its products, which train.

        Integer weights (QuantizeLinear and DequantizeLinear, as quantised files have them) can be
        adapted, too: the integers stay. Call `compile` afterwards.

        Args:
            rank: inner size of the adapters: A is (inputs, rank), B is (rank, outputs).
            targets: a regular expression, or several, searched for in the names of the weights
                of MatMul, Gemm and Conv, and of these nodes; default: all that an adapter is
                smaller than.
            alpha: adapters are multiplied by `alpha / rank`; default `rank`.
            a_initializer: first value of each A.
            b_initializer: first value of each B; zeros leave the network as it is.

        Raises:
            ValueError: if there is nothing to adapt, a pattern is found nowhere, or the network
                has adapters.

        Example:
            >>> base = ONNXModel("mnist.onnx")  # doctest: +SKIP
            >>> base.enable_lora(4, targets="conv")  # doctest: +SKIP
        """
        rank = checked_rank("rank", rank) or 0
        if len(self._adapters) > 0:
            raise ValueError(
                f"Layer '{self.name}' already has adapters of rank {self._adapters[0].rank}; it "
                "can have them once. Export it, and adapt what the file holds."
            )
        found = find_targets(self._foreign.graph, self._by_name, targets, rank)
        scale = rank if alpha is None else alpha
        for target in found:
            self._adapt(target, rank, float(scale), a_initializer, b_initializer)
        for variable in self._by_name.values():
            variable.trainable = False
            self._fixed.add(variable)
        note_setting()

    @property
    def lora_enabled(self) -> bool:
        """Whether there are adapters."""
        return len(self._adapters) > 0

    def _adapt(self, target: Target, rank: int, alpha: float, a: Any, b: Any) -> None:
        """Add the adapter of one weight."""
        lead, inputs, outputs = target.factors
        factors = []
        for letter, shape, initializer in (
            ("a", (*lead, inputs, rank), a),
            ("b", (*lead, rank, outputs), b),
        ):
            name = f"{target.name.strip('/')}/lora_{letter}"
            value = initializers.get(initializer)(shape, "float32")
            factors.append(Variable(value, name, path=f"{self.name}/{name}"))
        self._variables.extend(factors)
        weight = self._by_name.get(target.name)
        adapter = NetworkAdapter(target, factors[0], factors[1], alpha, weight)
        self._adapters.append(adapter)
        if weight is not None:
            self._stand_ins[weight] = adapter

    def _output_axes(self) -> Mapping[Variable, int]:
        """Axes of the outputs of the weights of MatMul, Gemm and Conv."""
        targets = all_targets(self._foreign.graph, self._by_name)
        return {
            self._by_name[target.name]: 0 if target.outputs_first else len(target.shape) - 1
            for target in targets
            if target.name in self._by_name
        }

    def _adapted(
        self, op: Emitter, graph: ir.Graph, weights: Mapping[str, ir.Value]
    ) -> tuple[ir.Graph, dict[str, ir.Value]]:
        """Return the graph and its inputs with what adapts integers, which no variable holds."""
        adapters = {x.target.name: x for x in self._adapters if x.weight is None}
        if len(adapters) == 0:
            return graph, dict(weights)
        if is_merged():
            values = {v: v._stored() for x in adapters.values() for v in x.parts}
            changes = {name: x.change(values) for name, x in adapters.items()}
            graph, errors = requantized(graph, changes)
            name, error = max(errors.items(), key=lambda pair: pair[1])
            warnings.warn(
                f"Layer '{self.name}': adapters were merged into {len(errors)} integer weights, "
                "which were quantised again. The largest error of rounding is "
                f"{error:.2%} of the largest value, in '{name}'.",
                stacklevel=2,
            )
            return graph, dict(weights)
        names = {name: f"{name}/lora" for name in adapters}
        with op.computing_in(None):
            products = {names[name]: x.product(op) for name, x in adapters.items()}
        return with_changes(graph, names), {**weights, **products}

    def _adapter_config(self) -> dict[str, Any]:
        """The adapters as plain values; nothing where there are none."""
        if not self.lora_enabled:
            return {}
        first = self._adapters[0]
        names = [x.target.name for x in self._adapters]
        return {"lora": {"rank": first.rank, "alpha": first.alpha, "weights": names}}

    def _adapt_as_configured(self, config: Mapping[str, Any] | None) -> None:
        """Add the adapters that `_adapter_config` returned."""
        if config is not None:
            names = [f"^{re.escape(name)}$" for name in config["weights"]]
            self.enable_lora(config["rank"], names, config["alpha"])
