"""The layers of `bench_blocks` in PyTorch, each as fast as PyTorch has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bench_blocks as blocks
import bench_specs as specs
import numpy as np


def tensor(array: specs.Array) -> Any:
    """A tensor of a NumPy array's values."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


def layer(spec: specs.Spec, given: specs.Shape, weights: Iterator[specs.Weights]) -> Any:
    """The module of a description."""
    from torch import nn

    match spec:
        case blocks.SelfAttention(heads):
            return self_attention(heads, next(weights))
        case blocks.LayerNorm(epsilon):
            made = nn.LayerNorm(given[-1], epsilon)
            return filled(made, next(weights).values())
        case blocks.Gelu():
            return nn.GELU()
        case blocks.Relu6():
            return nn.ReLU6()
        case blocks.MeanOverTime():
            return mean_over_time()
        case blocks.Depthwise(size, strides, border):
            channels = given[-1]
            deep = nn.Conv2d(channels, channels, size, strides, border, 1, channels, bias=False)
            return filled(deep, [next(weights)["kernel"].transpose(2, 3, 0, 1)])
        case blocks.UpConv(filters):
            kernel, bias = next(weights).values()
            up = nn.ConvTranspose2d(given[-1], filters, 2, 2)
            return filled(up, [kernel.transpose(3, 2, 0, 1), bias])
        case _:
            raise TypeError(f"Expected a layer. Received: {spec!r}")


def filled(module: Any, arrays: Any) -> Any:
    """Fill the weight of a module, and its bias if there is one."""
    for place, array in zip(module.parameters(), arrays, strict=True):
        place.copy_(tensor(array))
    return module


def self_attention(heads: int, weights: specs.Weights) -> Any:
    """Attention by PyTorch's fused kernel; query, key and value are one product."""
    import torch
    from torch import nn
    from torch.nn.functional import scaled_dot_product_attention

    class SelfAttention(nn.Module):
        """(batch, length, width) to the same."""

        def __init__(self, width: int) -> None:
            super().__init__()
            self.enter, self.leave = nn.Linear(width, 3 * width), nn.Linear(width, width)

        def forward(self, x: Any) -> Any:
            """Attend."""
            batch, length, width = x.shape
            split = self.enter(x).view(batch, length, 3, heads, width // heads)
            query, key, value = split.permute(2, 0, 3, 1, 4)
            found = scaled_dot_product_attention(query, key, value)
            return self.leave(found.transpose(1, 2).reshape(batch, length, width))

    width = len(weights["output_bias"])
    made = SelfAttention(width)
    names = ("query", "key", "value")
    kernels = [tensor(weights[name].reshape(width, width).T) for name in names]
    biases = [tensor(weights[f"{name}_bias"].reshape(width)) for name in names]
    made.enter.weight.copy_(torch.cat(kernels))
    made.enter.bias.copy_(torch.cat(biases))
    made.leave.weight.copy_(tensor(weights["output"].reshape(width, width).T))
    made.leave.bias.copy_(tensor(weights["output_bias"]))
    return made


def mean_over_time() -> Any:
    """A module that takes the mean over the length of a sequence."""
    from torch import nn

    class MeanOverTime(nn.Module):
        """(batch, length, width) to (batch, width)."""

        def forward(self, x: Any) -> Any:
            """Take the mean."""
            return x.mean(1)

    return MeanOverTime()


def beside(main: Any) -> Any:
    """A module that puts the channels of its input beside those of a branch."""
    import torch
    from torch import nn

    class Beside(nn.Module):
        """The input's channels, then the branch's."""

        def __init__(self) -> None:
            super().__init__()
            self.main = main

        def forward(self, x: Any) -> Any:
            """Concatenate."""
            return torch.cat([x, self.main(x)], 1)

    return Beside()


def time_first(head: Any) -> Any:
    """The same modules on (length, batch), which saves recurrent layers two copies."""
    from torch import nn

    class Turned(nn.Module):
        """(batch, length) to (length, batch)."""

        def forward(self, x: Any) -> Any:
            """Swap the axes."""
            return x.t()

    for module in head.modules():
        if isinstance(module, nn.RNNBase):
            module.batch_first = False
    return nn.Sequential(Turned(), head)
