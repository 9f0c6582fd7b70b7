"""Low-rank adaptation (LoRA): a frozen weight, and a product of two thin matrices that trains.

Hu et al., 2021: W + (alpha / rank) A B, where B is 0 at first, so that nothing changes until
training begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter, Variable, dtype_name, note_setting
from seqonnx.layers.base import Layer
from seqonnx.layers.setting import Setting

A_INITIALIZER = "he_uniform"
B_INITIALIZER = "zeros"


class Adaptable(Layer):
    """Base of the layers whose large weight can be frozen and adapted."""

    lora_rank: Setting[int | None] = Setting(lambda rank: checked_rank("lora_rank", rank))
    """Inner size of the adapter; None where there is none."""

    lora_alpha: Setting[float | None] = Setting()
    """The adapter is multiplied by `lora_alpha / lora_rank`."""

    _adapted_name = "kernel"
    """Name of the weight that an adapter changes."""

    _adapter: Adapter | None = None

    @property
    def lora_enabled(self) -> bool:
        """Whether there is an adapter."""
        return self._adapter is not None

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = A_INITIALIZER,
        b_initializer: Any = B_INITIALIZER,
    ) -> None:
        """Freeze the large weight and add an adapter of a low rank, which trains in its place.

        Call `compile` afterwards. The bias goes on training, as in Keras; `layer.bias.trainable =
        False` stops it.

        Args:
            rank: inner size of the product: A is (inputs, rank), B is (rank, outputs).
            lora_alpha: the product is multiplied by `lora_alpha / rank`; default: that of the
                constructor, or `rank`.
            a_initializer: first value of A.
            b_initializer: first value of B; zeros leave the layer as it is.

        Raises:
            ValueError: if the layer is not built, has an adapter, or its weight has a constraint.

        Example:
            >>> layer = Dense(3)
            >>> layer.build((None, 8))
            >>> layer.enable_lora(rank=2)
            >>> [weight.name for weight in layer.trainable_weights]
            ['bias', 'lora_kernel_a', 'lora_kernel_b']
        """
        rank = checked_rank("rank", rank) or 0
        weight = self._adaptable_weight()
        shape = self._adapted_shape(weight)
        regularizer = getattr(self, f"{self._adapted_name}_regularizer")
        a, b = (
            self.add_weight(
                sizes,
                initializer,
                dtype="float32",
                regularizer=regularizer,
                name=f"lora_{self._adapted_name}_{name}",
            )
            for name, sizes, initializer in (
                ("a", (*shape[:-1], rank), a_initializer),
                ("b", (rank, shape[-1]), b_initializer),
            )
        )
        if lora_alpha is None:
            lora_alpha = rank if self.lora_alpha is None else self.lora_alpha
        self.lora_rank, self.lora_alpha = rank, lora_alpha
        weight.trainable = False
        self._fixed.add(weight)
        self._take_adapter(Adapter(self, weight, a, b))
        note_setting()

    def _adapted_shape(self, weight: Variable) -> tuple[int, ...]:
        """The shape that the adapter's product has."""
        return weight.shape

    def _take_adapter(self, adapter: Adapter) -> None:
        """Have an adapter, in the place of the weight."""
        self._adapter = adapter
        self._stand_ins[adapter.weight] = adapter

    def _adaptable_weight(self) -> Variable:
        """The large weight.

        Raises:
            ValueError: if it cannot be adapted.
        """
        name = self._adapted_name
        where = f"Layer '{self.name}' ({type(self).__name__})"
        found = [variable for variable in self._variables if variable.name == name]
        if len(found) == 0:
            raise ValueError(
                f"{where} is not built, so there is no `{name}` to adapt. Call it on data, or "
                "`build(input_shape)`, or pass `lora_rank` to the constructor."
            )
        if self.lora_enabled:
            raise ValueError(
                f"{where} already has an adapter of rank {self.lora_rank}; there can be one. "
                "Merge it first: `export`, or a `.keras` file, holds the sum."
            )
        if getattr(self, f"{name}_constraint") is not None:
            raise ValueError(
                f"{where} has a `{name}_constraint`, which would hold for the frozen weight and "
                "not for its sum with an adapter. Make the layer without it."
            )
        return found[0]

    def _ask_for_adapter(self, rank: int | None, alpha: float | None) -> None:
        """Note what the constructor was given."""
        self.lora_rank, self.lora_alpha = rank, rank if alpha is None else alpha

    def _adapt_from_the_start(self) -> None:
        """Add the adapter that the constructor was asked for; called at the end of `build`."""
        if self.lora_rank is not None and not self.lora_enabled:
            self.enable_lora(self.lora_rank, self.lora_alpha)


@dataclass(frozen=True, eq=False)
class Adapter:
    """W + (alpha / rank) A B, in the place of W.

    Args:
        layer: whose `lora_alpha` and `lora_rank` count.
        weight: W, frozen.
        a: A, of the shape of W with the rank in the place of the last size (Keras layout).
        b: B, (rank, last size of W).
    """

    layer: Adaptable
    weight: Variable
    a: Variable
    b: Variable

    merges = True
    """Files to deploy have the sum."""

    @property
    def parts(self) -> Sequence[Variable]:
        """A and B."""
        return (self.a, self.b)

    @property
    def scale(self) -> float:
        """The factor of the product."""
        return scale_of(self.layer.lora_rank, self.layer.lora_alpha)

    def emit(self, op: Emitter, weight: ir.Value) -> ir.Value:
        """Emit the sum."""
        result: ir.Value = op.Add(weight, op.cast(self.emit_product(op), dtype_name(weight)))
        return result

    def emit_product(self, op: Emitter) -> ir.Value:
        """Emit what is added to the weight."""
        # The factor goes with B, the smaller one of what is multiplied.
        product = op.MatMul(op.read(self.a), op.Mul(op.read(self.b), np.float32(self.scale)))
        if self.weight._layout is not None:
            product = op.Transpose(product, perm=list(self.weight._layout))
        result: ir.Value = product
        return result

    def emit_rows(self, op: Emitter, indices: ir.Value) -> ir.Value:
        """Emit rows of what is added to a table."""
        rows = op.Gather(op.read(self.a), indices, axis=0)
        result: ir.Value = op.MatMul(rows, op.Mul(op.read(self.b), np.float32(self.scale)))
        return result

    def merged(self, values: Mapping[Variable, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return the sum, in the ONNX layout of W."""
        weight = values[self.weight]
        return np.asarray(weight + self.product(values), weight.dtype, order="C")

    def product(self, values: Mapping[Variable, npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return what is added to the weight, in its ONNX layout."""
        product = np.asarray(values[self.a] @ (values[self.b] * np.float32(self.scale)))
        layout = self.weight._layout
        return product if layout is None else product.transpose(layout)


def scale_of(rank: int | None, alpha: float | None) -> float:
    """Return the factor of an adapter's product: alpha / rank, or 1 where one is not given."""
    return 1.0 if rank is None or alpha is None else alpha / rank


def checked_rank(name: str, rank: Any) -> int | None:
    """Return a rank as an int; None stays None.

    Raises:
        ValueError: if it is not a positive integer.
    """
    if rank is None and name == "lora_rank":
        return None
    if isinstance(rank, bool) or not isinstance(rank, int | np.integer) or rank <= 0:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={rank!r}")
    return int(rank)
