"""PyTorch as `bench.py` runs it: the usual loop, with fused optimizers and no wait for the loss."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import zip_longest
from typing import Any

import bench_specs as specs
import bench_torch_blocks as torch_blocks
import numpy as np
from bench_torch_blocks import tensor
from bench_worker import Contestant, Prepared, Setup
from bench_workloads import Workload

UNMENTIONED = ""


def contestants(setup: Setup) -> dict[str, Contestant]:
    """Eager in both memory layouts; or compiled, if BENCH_TORCH says so."""
    import torch

    if setup.device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("PyTorch finds no CUDA device")
    torch.set_num_threads(setup.threads)
    torch.set_num_interop_threads(1)
    rest = "fused optimizer, loss not fetched in each step"
    first, last = partial(prepare, channels_last=False), partial(prepare, channels_last=True)
    turned = partial(prepare, channels_last=False, time_first=True)
    if os.environ.get("BENCH_TORCH") == "compile":
        text = f"torch.compile (inductor), channels_last for images, {rest}"
        return {"torch-compile": Contestant(text, prepare_compiled)}
    return {
        "torch": Contestant(f"eager, default layout, {rest}", first),
        "torch-channels-last": Contestant(f"eager, channels_last, {rest}", last, only_images),
        "torch-time-first": Contestant(f"eager, time before batch, {rest}", turned, only_recurrent),
    }


def versions() -> dict[str, str]:
    """Version of PyTorch."""
    import torch

    return {"torch": torch.__version__}


def only_images(workload: Workload) -> str | None:
    """Other inputs have no layout to choose."""
    return None if workload.images else UNMENTIONED


def only_recurrent(workload: Workload) -> str | None:
    """Only sequences that a recurrent layer walks through have a time."""
    recurrent = (specs.Lstm, specs.Gru, specs.BothWays)
    walks = any(isinstance(spec, recurrent) for spec in workload.stack)
    return None if walks else UNMENTIONED


def prepare_compiled(workload: Workload, setup: Setup) -> Prepared:
    """The same, compiled."""
    return prepare(workload, setup, channels_last=workload.images, compiled=True)


def prepare(
    workload: Workload,
    setup: Setup,
    *,
    channels_last: bool,
    compiled: bool = False,
    time_first: bool = False,
) -> Prepared:
    """The module with the workload's initial weights, and the data as tensors."""
    import torch

    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    base, head = modules(workload)
    head = torch_blocks.time_first(head) if time_first else head
    model = torch.nn.Sequential(base, head).to(setup.device, memory_format=layout)
    samples, labels = workload.data()
    x, y = torch.from_numpy(samples), torch.from_numpy(labels)
    if workload.images:
        x = x.permute(0, 3, 1, 2).contiguous(memory_format=layout)
    if setup.device == "cuda":
        x, y = x.pin_memory(), y.pin_memory()
    if workload.task == "predict":
        return Prepared(predictor(model.eval(), x, workload, setup, compiled=compiled))
    return Prepared(trainer(base, head, (x, y), workload, setup, compiled=compiled))


def predictor(model: Any, x: Any, workload: Workload, setup: Setup, *, compiled: bool) -> Any:
    """Calls in inference mode; outputs come back to the host."""
    import torch

    function = torch.compile(model) if compiled else model
    size = workload.batch

    def predict(steps: int) -> float:
        with torch.inference_mode():
            for start in range(0, steps * size, size):
                batch = x[start : start + size].to(setup.device, non_blocking=True)
                function(batch).cpu()
        return 0.0

    return predict


def trainer(
    base: Any, head: Any, data: tuple[Any, Any], workload: Workload, setup: Setup, *, compiled: bool
) -> Any:
    """Training steps of the head on features of the base."""
    import torch

    base.eval().requires_grad_(workload.tuned)
    optimizer = make_optimizer(workload, [*base.parameters(), *head.train().parameters()])
    criterion = torch.nn.CrossEntropyLoss()

    def forward(batch: Any, target: Any) -> Any:
        with torch.set_grad_enabled(workload.tuned):
            features = base(batch)
        return criterion(head(features), target)

    function = torch.compile(forward) if compiled else forward
    x, y = data
    size, device = workload.batch, setup.device

    def train(steps: int) -> float:
        total = torch.zeros((), device=device)
        for start in range(0, steps * size, size):
            batch = x[start : start + size].to(device, non_blocking=True)
            target = y[start : start + size].to(device, non_blocking=True)
            optimizer.zero_grad(set_to_none=True)
            loss = function(batch, target)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return float(total.item()) / steps  # on a GPU, `item` waits for all of the work

    return train


def make_optimizer(workload: Workload, parameters: Iterable[Any]) -> Any:
    """The workload's optimizer, fused."""
    import torch

    chosen = workload.optimizer
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if chosen.name == "adam":
        return torch.optim.Adam(trained, lr=chosen.learning_rate, eps=1e-7, fused=True)
    return torch.optim.SGD(trained, lr=chosen.learning_rate, momentum=chosen.momentum, fused=True)


def modules(workload: Workload) -> tuple[Any, Any]:
    """Frozen base and trained head with the workload's initial weights."""
    import torch

    weights = iter(workload.weights())
    with torch.no_grad():
        base = stack(workload.base, workload.given, weights)
        head = stack(workload.head, workload.base_shape, weights)
    return base, head


def stack(
    described: Iterable[specs.Spec], given: specs.Shape, weights: Iterator[specs.Weights]
) -> Any:
    """A stack of layers; a layer takes its weights from `weights` when it is made."""
    from torch import nn

    flattened: specs.Shape | None = None
    made = []
    for spec in described:
        if isinstance(spec, specs.Residual):
            main = stack(spec.main, given, weights)
            made.append(sum_of(main, stack(spec.shortcut, given, weights)))
        elif isinstance(spec, specs.Beside):
            made.append(torch_blocks.beside(stack(spec.main, given, weights)))
        elif isinstance(spec, specs.Dense):
            made.append(dense(spec, given, next(weights), flattened))
            flattened = None
        elif isinstance(spec, specs.Flatten):
            made.append(nn.Flatten())
            flattened = given
        elif isinstance(spec, specs.MaxPool):
            made.append(max_pool(spec, given))
        elif isinstance(spec, specs.SeparableConv):
            made.append(separable(spec, given, next(weights)))
        else:
            made.append(layer(spec, given, weights))
        given = spec.shape(given)
    return nn.Sequential(*made)


def layer(spec: specs.Spec, given: specs.Shape, weights: Iterator[specs.Weights]) -> Any:
    """A layer that does not depend on those before."""
    from torch import nn

    match spec:
        case specs.Conv():
            return conv(spec, given, next(weights))
        case specs.BatchNorm(epsilon, momentum, _):
            return batch_norm(nn.BatchNorm2d(given[-1], epsilon, 1 - momentum), next(weights))
        case specs.Relu():
            return nn.ReLU()
        case specs.Dropout(rate):
            return nn.Dropout(rate)
        case specs.GlobalAveragePool():
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case specs.Embedding(vocabulary, units):
            table = nn.Embedding(vocabulary, units)
            table.weight.copy_(tensor(next(weights)["embeddings"]))
            return table
        case specs.Lstm() | specs.Gru() | specs.BothWays():
            return recurrent(spec, given, next(weights))
        case _:
            return torch_blocks.layer(spec, given, weights)


def dense(
    spec: specs.Dense, given: specs.Shape, weights: specs.Weights, flattened: specs.Shape | None
) -> Any:
    """A linear layer; behind a flattened image its rows are reordered for channels first."""
    from torch import nn

    kernel = weights["kernel"]
    if flattened is not None and len(flattened) == 3:
        kernel = channels_first(kernel, flattened)
    made = nn.Linear(given[-1], spec.units)
    made.weight.copy_(tensor(kernel.T))
    made.bias.copy_(tensor(weights["bias"]))
    return made


def channels_first(kernel: specs.Array, flattened: specs.Shape) -> specs.Array:
    """Reorder the rows of a kernel that follows a flattened (height, width, channels)."""
    rows = kernel.reshape(*flattened, -1)
    return rows.transpose(2, 0, 1, 3).reshape(kernel.shape)


def conv(spec: specs.Conv, given: specs.Shape, weights: specs.Weights) -> Any:
    """A convolution; what "same" adds is the same on both sides in every workload."""
    from torch import nn

    padding = symmetric_padding(spec, given) + spec.border
    made = nn.Conv2d(given[-1], spec.filters, spec.size, spec.strides, padding, bias=spec.bias)
    made.weight.copy_(tensor(weights["kernel"].transpose(3, 2, 0, 1)))
    if spec.bias:
        made.bias.copy_(tensor(weights["bias"]))
    return made


def symmetric_padding(spec: Any, given: specs.Shape) -> int:
    """Padding of each side.

    Raises:
        ValueError: if the sides differ.
    """
    sides = {
        side
        for length in given[:-1]
        for side in specs.padding_of(length, spec.size, spec.strides, spec.padding)
    }
    if len(sides) != 1:
        raise ValueError(f"Expected the same padding on all sides. Received: {spec} on {given}")
    return sides.pop()


def max_pool(spec: specs.MaxPool, given: specs.Shape) -> Any:
    """A pooling; one row more at the end only is what PyTorch calls `ceil_mode`."""
    from torch import nn

    before, after = specs.padding_of(given[0], spec.size, spec.strides, spec.padding)
    return nn.MaxPool2d(spec.size, spec.strides, before, ceil_mode=after > before)


def separable(spec: specs.SeparableConv, given: specs.Shape, weights: specs.Weights) -> Any:
    """A depthwise convolution and a pointwise one."""
    from torch import nn

    channels, bias = given[-1], weights.get("bias")
    deep = nn.Conv2d(
        channels, channels, spec.size, padding=spec.size // 2, groups=channels, bias=False
    )
    deep.weight.copy_(tensor(weights["depthwise"].transpose(2, 3, 0, 1)))
    point = nn.Conv2d(channels, spec.filters, 1, bias=spec.bias)
    point.weight.copy_(tensor(weights["pointwise"].transpose(3, 2, 0, 1)))
    if bias is not None:
        point.bias.copy_(tensor(bias))
    return nn.Sequential(deep, point)


def batch_norm(made: Any, weights: specs.Weights) -> Any:
    """Fill a normalization."""
    places = (made.weight, made.bias, made.running_mean, made.running_var)
    for place, array in zip_longest(places, weights.values()):
        place.copy_(tensor(array))
    return made


def recurrent(spec: Any, given: specs.Shape, weights: specs.Weights) -> Any:
    """A recurrent layer that gives its last output.

    The second bias of an LSTM stays zero, as Keras has only one.
    """
    import torch
    from torch import nn

    class Last(nn.Module):
        """The last outputs of a recurrent layer, of each direction."""

        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Any) -> Any:
            """(batch, length, features) to (batch, units)."""
            states = self.inner(x)[1]
            last = states[0] if isinstance(states, tuple) else states
            return last[0] if len(last) == 1 else torch.cat(tuple(last), dim=1)

    kind = nn.GRU if isinstance(spec, specs.Gru) else nn.LSTM
    both = isinstance(spec, specs.BothWays)
    made = Last(kind(given[-1], spec.units, batch_first=True, bidirectional=both))
    for way, suffix in (("forward_", ""), ("backward_", "_reverse")) if both else (("", ""),):
        own = [weights[f"{way}{name}"] for name in ("kernel", "recurrent", "bias")]
        fill(made.inner, suffix, *(gates_in_order(spec, array) for array in own))
    return made


def fill(inner: Any, suffix: str, *arrays: specs.Array) -> None:
    """Fill one direction of a recurrent layer."""
    kernel, state, bias = arrays
    first, second = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    named = {"weight_ih": kernel.T, "weight_hh": state.T, "bias_ih": first, "bias_hh": second}
    for name, array in named.items():
        getattr(inner, f"{name}_l0{suffix}").copy_(tensor(array))
    if bias.ndim == 1:
        getattr(inner, f"bias_hh_l0{suffix}").requires_grad_(False)


def gates_in_order(spec: specs.Spec, array: specs.Array) -> specs.Array:
    """PyTorch's GRU has the reset gate before the update gate; its LSTM is as Keras's."""
    if not isinstance(spec, specs.Gru):
        return array
    update, reset, new = np.split(array, 3, axis=-1)
    return np.concatenate([reset, update, new], axis=-1)


def sum_of(main: Any, shortcut: Any) -> Any:
    """A module that adds what two modules make of its input."""
    from torch import nn

    class Sum(nn.Module):
        """The sum of a branch and a shortcut."""

        def __init__(self) -> None:
            super().__init__()
            self.main, self.shortcut = main, shortcut

        def forward(self, x: Any) -> Any:
            """Add both."""
            return self.main(x) + self.shortcut(x)

    return Sum()
