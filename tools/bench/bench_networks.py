"""Networks of `bench.py` that come from the literature: their layers as data."""

from __future__ import annotations

from bench_blocks import (
    Depthwise,
    Gelu,
    LayerNorm,
    MeanOverTime,
    Relu6,
    SelfAttention,
    UpConv,
)
from bench_specs import (
    BatchNorm,
    Beside,
    Conv,
    Dense,
    GlobalAveragePool,
    MaxPool,
    Relu,
    Residual,
    SeparableConv,
    Spec,
)

_CLASSES = 10


def normalized(filters: int, size: int = 3, strides: int = 1) -> tuple[Spec, ...]:
    """A convolution without bias, normalized."""
    return (Conv(filters, size, strides, padding="same", bias=False), BatchNorm())


def separable(filters: int) -> tuple[Spec, ...]:
    """A separable convolution, normalized."""
    return (SeparableConv(filters), BatchNorm())


def shrinking(first: int, second: int, *, relu_first: bool) -> Residual:
    """Two separable convolutions and a pooling, beside a strided convolution."""
    start = (Relu(),) if relu_first else ()
    return Residual(
        (*start, *separable(first), Relu(), *separable(second), MaxPool(3, 2, "same")),
        (Conv(second, 1, 2, "same", bias=False), BatchNorm()),
    )


def xception() -> tuple[Spec, ...]:
    """Chollet's network of 2017 up to its pooled features."""
    stem = (
        *(Conv(32, strides=2, bias=False), BatchNorm(), Relu()),
        *(Conv(64, bias=False), BatchNorm(), Relu()),
    )
    entry = (
        shrinking(128, 128, relu_first=False),
        shrinking(256, 256, relu_first=True),
        shrinking(728, 728, relu_first=True),
    )
    middle = [Residual((Relu(), *separable(728)) * 3) for _ in range(8)]
    leave = (
        shrinking(728, 1024, relu_first=True),
        *(*separable(1536), Relu()),
        *(*separable(2048), Relu()),
    )
    return (*stem, *entry, *middle, *leave, GlobalAveragePool())


def bottleneck(filters: int, strides: int, *, widens: bool) -> tuple[Spec, ...]:
    """Three convolutions, the outer ones of 1 x 1, beside a shortcut.

    The branch starts at zero (Goyal and others, 2017): a network of random branches doubles its
    rounding errors from block to block, and no two losses could be compared.
    """
    main = (
        *(*normalized(filters, 1, strides), Relu()),
        *(*normalized(filters), Relu()),
        *(Conv(4 * filters, 1, bias=False), BatchNorm(scale=0.0)),
    )
    shortcut = normalized(4 * filters, 1, strides) if widens else ()
    return (Residual(main, shortcut), Relu())


def resnet50() -> tuple[Spec, ...]:
    """The network of He and others, 2015, with 50 layers."""
    made: list[Spec] = [Conv(64, 7, 2, bias=False, border=3), BatchNorm(), Relu()]
    made.append(MaxPool(3, 2, "same"))
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            strides = 2 if block == 0 and stage > 0 else 1
            made += bottleneck(64 * 2**stage, strides, widens=block == 0)
    return (*made, GlobalAveragePool(), Dense(_CLASSES))


def inverted(channels: int, filters: int, strides: int, expansion: int) -> tuple[Spec, ...]:
    """Wider, each channel by itself, narrower; beside the input where the shape stays."""
    wide = () if expansion == 1 else (*normalized(channels * expansion, 1), Relu6())
    main = (*wide, Depthwise(3, strides), BatchNorm(), Relu6(), *normalized(filters, 1))
    return (Residual(main),) if strides == 1 and channels == filters else main


def mobilenet_v2() -> tuple[Spec, ...]:
    """The network of Sandler and others, 2018, up to its pooled features."""
    made: list[Spec] = [Conv(32, 3, 2, bias=False, border=1), BatchNorm(), Relu6()]
    channels = 32
    for expansion, filters, repeats, first in (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    ):
        for i in range(repeats):
            made += inverted(channels, filters, first if i == 0 else 1, expansion)
            channels = filters
    return (*made, *normalized(1280, 1), Relu6(), GlobalAveragePool())


def twice(filters: int) -> tuple[Spec, ...]:
    """Two convolutions with their activations."""
    return (*(Conv(filters, padding="same"), Relu()), *(Conv(filters, padding="same"), Relu()))


def unet(*filters: int) -> tuple[Spec, ...]:
    """The network of Ronneberger and others, 2015: a class for each pixel.

    Args:
        filters: those of each level, from the finest to the coarsest.
    """
    inner = twice(filters[-1])
    for count in reversed(filters[:-1]):
        inner = (*twice(count), Beside((MaxPool(), *inner, UpConv(count))), *twice(count))
    return (*inner, Conv(_CLASSES, 1))


def transformer(width: int, heads: int) -> tuple[Spec, ...]:
    """A block of attention and a perceptron, each normalized first, and a classifier."""
    return (
        Residual((LayerNorm(), SelfAttention(heads))),
        Residual((LayerNorm(), Dense(4 * width), Gelu(), Dense(width))),
        *(LayerNorm(), MeanOverTime(), Dense(_CLASSES)),
    )
