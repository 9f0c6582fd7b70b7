"""Windows that slide over space: their arguments, padding and output sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqonnx.dtypes import plain_value
from seqonnx.graph import Dim


def integers(value: Any, count: int, name: str, *, at_least: int = 1) -> tuple[int, ...]:
    """Return an argument such as `kernel_size` as one integer per axis.

    Args:
        value: an integer, which counts for every axis, or one for each.
        count: number of axes.
        name: name of the argument, for the error.
        at_least: least legal value.

    Raises:
        ValueError: if it is neither, or holds a smaller value.

    Example:
        >>> integers(3, 2, "kernel_size")
        (3, 3)
    """
    problem = f"The `{name}` argument must be a tuple of {count} integers. Received {name}={value}"
    value = plain_value(value)
    parts = (value,) * count if isinstance(value, int) else value
    if not isinstance(parts, Sequence) or len(parts) != count:
        raise ValueError(problem)
    if not all(isinstance(p, int) for p in parts):
        raise ValueError(problem)
    small = sorted({int(p) for p in parts if p < at_least})
    if len(small) > 0:
        legal = "`value > 0`" if at_least == 1 else f"`value >= {at_least}`"
        raise ValueError(f"{problem}, including values {small} that do not satisfy {legal}")
    return tuple(int(p) for p in parts)


def check_padding(padding: Any, *legal: str) -> str:
    """Return the name of a form of padding, in lower case.

    Raises:
        ValueError: if it is not one of the legal ones.

    Example:
        >>> check_padding("SAME", "same", "valid")
        'same'
    """
    chosen = padding.lower() if isinstance(padding, str) else padding
    if chosen not in legal:
        names = ", ".join(repr(name) for name in sorted(legal))
        raise ValueError(
            f"The `padding` argument must be a list/tuple or one of {{{names}}}. "
            f"Received: {padding}"
        )
    return str(chosen)


def padding_attributes(
    padding: str,
    sizes: Sequence[Dim],
    window: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> dict[str, Any]:
    """Return the padding attributes of Conv and the pooling operators.

    With `"same"` there are ceil(size / stride) outputs; an odd number of cells to add puts the
    extra one at the end.

    Args:
        padding: `"valid"`, `"same"` or `"causal"`.
        sizes: spatial sizes of the input.
        window: size of the window.
        strides: strides.
        dilations: dilation rates.

    Returns:
        `pads`; where these depend on a size that is not known, `auto_pad`.
    """
    reach = [(k - 1) * d for k, d in zip(window, dilations, strict=True)]
    if padding == "valid":
        return {}
    if padding == "causal":
        return {"pads": [*reach, *(0 for _ in reach)]}
    totals = []
    for size, stride, last in zip(sizes, strides, reach, strict=True):
        if isinstance(size, int):
            totals.append(max((-(-size // stride) - 1) * stride + last + 1 - size, 0))
        elif stride == 1:
            totals.append(last)
        else:
            return {"auto_pad": "SAME_UPPER"}
    return {"pads": [*(t // 2 for t in totals), *(t - t // 2 for t in totals)]}


def transposed_padding(
    padding: str,
    window: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    output_padding: Sequence[int] | None,
) -> tuple[list[int], list[int]]:
    """Return `pads` and `output_padding` of ConvTranspose.

    Keras convolves the stretched input with a frame of zeros. Cells of the frame that the window's
    reach does not need lengthen the output; those that are missing shorten it.

    Args:
        padding: `"valid"` or `"same"`.
        window: size of the window.
        strides: strides.
        dilations: dilation rates.
        output_padding: cells more at the end; None for what `padding` implies.

    Example:
        >>> transposed_padding("same", [3], [2], [1], None)
        ([0, 1], [0])
    """
    before, after, extra = [], [], []
    for axis, (k, stride, dilation) in enumerate(zip(window, strides, dilations, strict=True)):
        reach = (k - 1) * dilation
        more = None if output_padding is None else output_padding[axis]
        if padding == "valid":
            first = reach
            last = reach + (max(stride - reach - 1, 0) if more is None else more)
        else:
            odd = (reach + 1) % 2
            frame = stride + reach - 1 if more is None else reach + odd - 1 + more
            first = min((frame + 1) // 2, reach)
            last = frame - first
        before.append(reach - first)
        after.append(max(reach - last, 0))
        extra.append(max(last - reach, 0))
    return [*before, *after], extra


def has_no_output(
    padding: str,
    sizes: Sequence[Dim],
    window: Sequence[int],
    dilations: Sequence[int],
) -> bool:
    """Whether the input is too small for a single window."""
    return padding == "valid" and any(
        isinstance(size, int) and size < (k - 1) * d + 1
        for size, k, d in zip(sizes, window, dilations, strict=True)
    )


def shown_shape(shape: Sequence[Dim]) -> tuple[int | None, ...]:
    """Return a shape as errors show it: None where a size is not fixed."""
    return tuple(d if isinstance(d, int) else None for d in shape)
