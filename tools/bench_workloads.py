"""What `bench.py` trains: the workloads, and how each contestant trains them.

A workload is a class with its model written once for seqonnx and once for each peer. A contestant
turns a workload into a trainer: a function that takes a number of batches, trains on that many and
returns their mean loss. Nothing is imported from a peer before it is asked to train.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Trainer = Callable[[int], float]


class Workload(ABC):
    """A model, its data and its optimizer.

    Attributes:
        summary: one line for the heading of the table.
        batch: samples per training step.
        steps: training steps per timed block, long enough for a block of some tenths of a second.
        images: whether the input has channels, so that a memory layout can be chosen.
        dropout: share of the values that a dropout layer drops, where the model has one.
    """

    summary: str
    batch: int
    steps: int
    images: bool = False
    dropout: float = 0.0

    def data(self) -> tuple[Array, Array]:
        """Samples (float32, Keras layout) and labels (int64) for `steps` batches."""
        x, y = digits(self.batch * self.steps)
        return (x if self.images else x.reshape(len(x), -1)), y

    @abstractmethod
    def seqonnx_model(self) -> Any:
        """The compiled seqonnx model."""

    @abstractmethod
    def torch_model(self) -> Any:
        """The PyTorch module; it returns logits, for the loss that PyTorch computes from them."""

    @abstractmethod
    def torch_optimizer(self, parameters: Any) -> Any:
        """The PyTorch optimizer with the settings of the seqonnx one."""


class MnistCnn(Workload):
    """The "simple MNIST convnet" of the Keras examples: 34,826 weights."""

    summary = "convnet on 28 x 28 images, batch 128, Adam"
    batch = 128
    steps = 8
    images = True
    dropout = 0.5

    def seqonnx_model(self) -> Any:
        """Two convolutions, dropout, one dense layer."""
        import seqonnx
        from seqonnx import layers

        model = seqonnx.Sequential(
            [
                seqonnx.Input(shape=(28, 28, 1)),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dropout(self.dropout),
                layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
        return model

    def torch_model(self) -> Any:
        """The same stack, channels first."""
        from torch import nn

        return nn.Sequential(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(self.dropout),
            nn.Linear(1600, 10),
        )

    def torch_optimizer(self, parameters: Any) -> Any:
        """Adam with the defaults of Keras."""
        import torch

        return torch.optim.Adam(parameters, lr=1e-3, eps=1e-7, fused=True)


class Mlp(Workload):
    """A perceptron whose time goes into matrix products: 669,706 weights."""

    summary = "perceptron 784-512-512-10, batch 128, SGD"
    batch = 128
    steps = 40
    units: tuple[int, ...] = (512, 512)

    def seqonnx_model(self) -> Any:
        """Hidden layers with ReLU, then softmax."""
        import seqonnx
        from seqonnx import layers, optimizers

        hidden = [layers.Dense(units, activation="relu") for units in self.units]
        model = seqonnx.Sequential(
            [seqonnx.Input(shape=(784,)), *hidden, layers.Dense(10, activation="softmax")]
        )
        model.compile(
            optimizer=optimizers.SGD(learning_rate=0.01), loss="sparse_categorical_crossentropy"
        )
        return model

    def torch_model(self) -> Any:
        """The same stack."""
        from torch import nn

        widths = (784, *self.units)
        hidden: list[Any] = []
        for inputs, outputs in pairwise(widths):
            hidden += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*hidden, nn.Linear(widths[-1], 10))

    def torch_optimizer(self, parameters: Any) -> Any:
        """Plain stochastic gradient descent."""
        import torch

        return torch.optim.SGD(parameters, lr=0.01, fused=True)


class MlpSmall(Mlp):
    """A perceptron so small that the cost of a step is mostly overhead: 50,890 weights."""

    summary = "perceptron 784-64-10, batch 32, SGD"
    batch = 32
    steps = 400
    units = (64,)


WORKLOADS: dict[str, type[Workload]] = {
    "mnist_cnn": MnistCnn,
    "mlp": Mlp,
    "mlp_small": MlpSmall,
}


def digits(count: int) -> tuple[Array, Array]:
    """`count` images of shape (28, 28, 1) with values in [0, 1], and their labels.

    The 8 x 8 digits that seqonnx carries, each pixel enlarged to 3 x 3 and framed, repeated as
    often as needed.
    """
    from seqonnx.datasets import load_digits

    (small, labels), _ = load_digits(test_split=0.0)
    large = np.pad(np.kron(small, np.ones((1, 3, 3), np.uint8)), ((0, 0), (2, 2), (2, 2)))
    x = (large[..., np.newaxis] / 16).astype(np.float32)
    chosen = np.arange(count) % len(x)
    return x[chosen], labels[chosen]


@dataclass(frozen=True)
class Contestant:
    """A way to train.

    Attributes:
        package: what must be importable.
        trainer: `(workload, device, threads)` to the trainer.
        only_images: whether it differs from the package's other contestants on images alone.
    """

    package: str
    trainer: Callable[[Workload, str, int], Trainer]
    only_images: bool = False

    def missing(self, device: str) -> str | None:
        """Why it cannot run, or None if it can."""
        if importlib.util.find_spec(self.package) is None:
            return f"{self.package} is not installed"
        if self.package == "torch" and device == "cuda":
            import torch

            return None if torch.cuda.is_available() else "PyTorch finds no CUDA device"
        return None


@cache
def share_onnxruntime_threads(count: int) -> None:
    """Make the pool that all sessions of seqonnx use; it would take every core of the machine."""
    import onnxruntime

    onnxruntime.set_global_thread_pool_sizes(count, 1)


def seqonnx_trainer(workload: Workload, device: str, threads: int) -> Trainer:
    """Train through `fit`; its loop over k batches is what is timed."""
    import seqonnx

    share_onnxruntime_threads(threads)
    seqonnx.set_device(device)
    model = initial_model(workload)
    x, y = workload.data()
    size = workload.batch

    def train(steps: int) -> float:
        part = slice(0, steps * size)
        history = model.fit(x[part], y[part], batch_size=size, epochs=1, verbose=0, shuffle=False)
        return float(history.history["loss"][0])

    return train


def initial_model(workload: Workload) -> Any:
    """The seqonnx model with the weights that every contestant starts from."""
    import seqonnx

    seqonnx.set_random_seed(0)
    return workload.seqonnx_model()


def copy_weights(model: Any, module: Any) -> None:
    """Give a PyTorch module the weights of a seqonnx model with the same layers."""
    import torch

    with torch.no_grad():
        arrays = torch_layout(model.get_weights())
        for parameter, array in zip(module.parameters(), arrays, strict=True):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def torch_layout(weights: Iterable[Array]) -> Iterator[Array]:
    """Reorder the weights of a stack of layers for PyTorch.

    A kernel (height, width, in, out) becomes (out, in, height, width), and (in, out) becomes
    (out, in), where `in` counts the values of a flattened image with its channels first, not last.
    """
    channels = None
    for weight in weights:
        if weight.ndim == 4:
            channels = weight.shape[-1]
            yield weight.transpose(3, 2, 0, 1)
        elif weight.ndim == 2:
            yield (weight if channels is None else channels_first(weight, channels)).T
            channels = None
        else:
            yield weight


def channels_first(weight: Array, channels: int) -> Array:
    """Reorder the rows of a dense kernel that follows a flattened square image."""
    size = round((len(weight) // channels) ** 0.5)
    rows = weight.reshape(size, size, channels, -1)
    return rows.transpose(2, 0, 1, 3).reshape(weight.shape)


def torch_trainer(
    workload: Workload, device: str, threads: int, channels_last: bool = False
) -> Trainer:
    """The usual PyTorch loop, without a wait for the loss in each step."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = workload.torch_model()
    copy_weights(initial_model(workload), model)
    model = model.to(device, memory_format=layout).train()
    optimizer = workload.torch_optimizer(model.parameters())
    criterion = torch.nn.CrossEntropyLoss()
    samples, labels = workload.data()
    x, y = torch.from_numpy(samples), torch.from_numpy(labels)
    if workload.images:
        x = x.permute(0, 3, 1, 2).contiguous(memory_format=layout)
    if device != "cpu":
        x, y = x.pin_memory(), y.pin_memory()
    size = workload.batch

    def train(steps: int) -> float:
        total = torch.zeros((), device=device)
        for start in range(0, steps * size, size):
            batch = x[start : start + size].to(device, non_blocking=True)
            target = y[start : start + size].to(device, non_blocking=True)
            optimizer.zero_grad()
            loss = criterion(model(batch), target)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return float(total.item()) / steps  # on a GPU, `item` waits for all of the work

    return train


def torch_channels_last_trainer(workload: Workload, device: str, threads: int) -> Trainer:
    """PyTorch with images and kernels in the layout that its convolutions prefer."""
    return torch_trainer(workload, device, threads, channels_last=True)


SUBJECT = "seqonnx"
"""The contestant that the others are compared with."""

CONTESTANTS: dict[str, Contestant] = {
    SUBJECT: Contestant("seqonnx", seqonnx_trainer),
    "torch": Contestant("torch", torch_trainer),
    "torch-channels-last": Contestant("torch", torch_channels_last_trainer, only_images=True),
}
