"""The geometry of sliding windows: what convolutions and pools say in attributes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.rules.sizes import zero_pad
from seqonnx.errors import GradientError
from seqonnx.graph import Dim, static_shape


@dataclass(frozen=True)
class Window:
    """A window that slides over the spatial axes of a large tensor and gives a small one.

    Args:
        kernel: size of the window along each axis.
        strides: steps between windows.
        dilations: steps inside a window.
        before: padding at the start of each axis.
        after: padding at the end of each axis.
        large: sizes that the window slides over (the input of a convolution).
        small: number of windows (the output of a convolution).
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    large: tuple[Dim, ...]
    small: tuple[Dim, ...]

    @property
    def axes(self) -> list[int]:
        """The spatial axes of a tensor (batch, channels, spatial axes)."""
        return [2 + i for i in range(len(self.kernel))]

    @property
    def extent(self) -> tuple[int, ...]:
        """Distance from the first to one past the last element of a window."""
        pairs = zip(self.kernel, self.dilations, strict=True)
        return tuple((k - 1) * d + 1 for k, d in pairs)

    @property
    def large_sizes(self) -> tuple[int, ...] | None:
        """Sizes of the large tensor if all are known."""
        known = tuple(d for d in self.large if isinstance(d, int))
        return known if len(known) == len(self.large) else None

    @property
    def small_sizes(self) -> tuple[int, ...] | None:
        """Number of windows along each axis if all are known."""
        known = tuple(d for d in self.small if isinstance(d, int))
        return known if len(known) == len(self.small) else None

    @property
    def rest(self) -> tuple[int, ...] | None:
        """Padded elements behind the last window; negative where a window hangs over the end."""
        if self.large_sizes is None or self.small_sizes is None:
            return (0,) * len(self.kernel) if set(self.strides) == {1} else None
        padded = [sum(t) for t in zip(self.large_sizes, self.before, self.after, strict=True)]
        reach = [
            (n - 1) * s + e
            for n, s, e in zip(self.small_sizes, self.strides, self.extent, strict=True)
        ]
        return tuple(p - r for p, r in zip(padded, reach, strict=True))

    @property
    def tiles(self) -> bool:
        """Whether the windows lie side by side, without overlap, padding or overhang."""
        rest = self.rest
        return (
            self.kernel == self.strides
            and set(self.dilations) == {1}
            and not any(self.before + self.after)
            and rest is not None
            and min(rest) >= 0
        )

    def without_rest(self) -> Window:
        """The same window over just what the windows cover; for windows side by side."""
        sizes = self.small_sizes or ()
        return replace(self, large=tuple(n * k for n, k in zip(sizes, self.kernel, strict=True)))

    def lift(self) -> Window:
        """The same window with a first axis of size 1."""
        return replace(
            self,
            kernel=(1, *self.kernel),
            strides=(1, *self.strides),
            dilations=(1, *self.dilations),
            before=(0, *self.before),
            after=(0, *self.after),
            large=(1, *self.large),
            small=(1, *self.small),
        )

    def taps(self, axis: int) -> npt.NDArray[np.int64]:
        """Positions along one padded axis: (number of windows, kernel size)."""
        count = self.small[axis]
        starts = np.arange(count if isinstance(count, int) else 0) * self.strides[axis]
        return starts[:, None] + np.arange(self.kernel[axis]) * self.dilations[axis]


def window_of(node: ir.Node, kernel: tuple[int, ...], large: ir.Value, small: ir.Value) -> Window:
    """Read a window from the attributes of a convolution or pool and the shapes around it.

    Args:
        node: the node, with the attributes `strides`, `dilations`, `pads`, `auto_pad`.
        kernel: size of the window.
        large: tensor that the window slides over.
        small: tensor with one element for each window.

    Raises:
        GradientError: if `auto_pad` needs sizes that are not known.
    """
    window, same = explicit_window(node, kernel, large, small), same_padding(node)
    return window if same is None else _pad_same(node, window, upper=same == "SAME_UPPER")


def same_padding(node: ir.Node) -> str | None:
    """Return "SAME_UPPER" or "SAME_LOWER" where the padding follows from the sizes."""
    auto = node.attributes.get_string("auto_pad", "NOTSET")
    return auto if auto in ("SAME_UPPER", "SAME_LOWER") else None


def explicit_window(
    node: ir.Node, kernel: tuple[int, ...], large: ir.Value, small: ir.Value
) -> Window:
    """Like `window_of`, but without the padding of "SAME_..."."""
    count = len(kernel)
    ones, zeros = (1,) * count, (0,) * (2 * count)
    pads = tuple(node.attributes.get_ints("pads", zeros) or zeros)
    if node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        pads = zeros
    return Window(
        kernel=kernel,
        strides=tuple(node.attributes.get_ints("strides", ones) or ones),
        dilations=tuple(node.attributes.get_ints("dilations", ones) or ones),
        before=pads[:count],
        after=pads[count:],
        large=static_shape(large)[2:],
        small=static_shape(small)[2:],
    )


def _pad_same(node: ir.Node, window: Window, *, upper: bool) -> Window:
    """Pad so that the windows just cover the large tensor; the odd element goes to one end."""
    bare = replace(window, before=(0,) * len(window.kernel), after=(0,) * len(window.kernel))
    rest = bare.rest
    if rest is None:
        raise GradientError(
            f"The gradient of {node.op_type} (node '{node.name}') with auto_pad='SAME_...' and "
            f"strides {window.strides} needs to know the spatial sizes. Received: "
            f"{window.large}. Give the model an input shape with these sizes, or explicit pads."
        )
    if window.large_sizes is None:
        rest = tuple(1 - e for e in window.extent)
    half = tuple(max(-r, 0) // 2 for r in rest)
    other = tuple(max(-r, 0) - h for r, h in zip(rest, half, strict=True))
    before, after = (half, other) if upper else (other, half)
    return replace(window, before=before, after=after)


def enlarge(op: RuleEmitter, value: ir.Value, window: Window) -> ir.Value:
    """Repeat every element over its window, for windows side by side; zeros behind the last."""
    made = op.Resize(
        value,
        None,
        [1.0, 1.0, *(float(k) for k in window.kernel)],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    rest = list(window.rest or ())
    return zero_pad(op, made, [0] * len(rest), rest, window.axes) if any(rest) else made
