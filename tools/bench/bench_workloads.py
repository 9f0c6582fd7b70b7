"""Workloads of `bench.py`: networks, data and optimizers, as data for all frameworks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from bench_networks import (
    mobilenet_v2,
    resnet50,
    separable,
    shrinking,
    transformer,
    unet,
    xception,
)
from bench_specs import (
    Array,
    BatchNorm,
    BothWays,
    Conv,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool,
    Gru,
    Lstm,
    MaxPool,
    Relu,
    Residual,
    Shape,
    Spec,
    Weights,
    forward_flops,
    initial_weights,
    output_shape,
    training_flops,
)


@dataclass(frozen=True)
class Optimizer:
    """Name and settings of an optimizer, the same in all frameworks."""

    name: Literal["adam", "sgd"]
    learning_rate: float
    momentum: float = 0.0


TUNING = Optimizer("adam", 0.00001)
SGD = Optimizer("sgd", 0.01)
MOMENTUM = Optimizer("sgd", 0.001, 0.9)
ADAM = Optimizer("adam", 0.001)
"""With the epsilon of Keras, 1e-7."""


@dataclass(frozen=True)
class Workload:
    """A network, its data and what is done with it.

    Attributes:
        summary: one line for the heading of the table.
        head: the layers that are trained; they end in logits.
        base: layers before them that are frozen.
        given: shape of a sample, Keras's layout.
        batch: samples per step.
        steps: steps per timed block: a block should take some tenths of a second.
        task: a training step, or inference.
        optimizer: how it trains.
        classes: number of classes.
        vocabulary: for integer inputs: how many there are.
        steps_per_execution: for frameworks that can take several steps per call.
        floor: whether the table shows the time beside that of its matrix products.
        counted: whether its ratio is part of the mean over all.
        tuned: whether the base is trained, too, its normalization as in inference.
    """

    summary: str
    head: tuple[Spec, ...]
    given: Shape
    batch: int
    steps: int
    base: tuple[Spec, ...] = ()
    task: Literal["train", "predict"] = "train"
    optimizer: Optimizer = SGD
    classes: int = 10
    vocabulary: int = 0
    steps_per_execution: int = 1
    floor: bool = False
    counted: bool = True
    tuned: bool = False

    @property
    def stack(self) -> tuple[Spec, ...]:
        """All layers."""
        return self.base + self.head

    @property
    def images(self) -> bool:
        """Whether the input has channels, so that a memory layout can be chosen."""
        return len(self.given) == 3

    @property
    def base_shape(self) -> Shape:
        """Shape behind the frozen layers."""
        return output_shape(self.base, self.given)

    def data(self) -> tuple[Array, Array]:
        """Samples (Keras layout) and labels (int64) for `steps` batches, always the same.

        A label for each sample, or for each pixel where the network gives logits for these.
        """
        rng = np.random.default_rng(1)
        count = self.batch * self.steps
        places = output_shape(self.stack, self.given)[:-1]
        labels = rng.integers(0, self.classes, (count, *places))
        if self.vocabulary > 0:
            return rng.integers(0, self.vocabulary, (count, *self.given), dtype=np.int32), labels
        samples = rng.random((count, *self.given), dtype=np.float32)
        return samples, labels

    def weights(self) -> list[Weights]:
        """Initial weights of every layer that has some."""
        return initial_weights(self.stack, self.given)

    def flops(self) -> int:
        """Floating-point operations of a step on a batch."""
        if self.task == "predict":
            return self.batch * forward_flops(self.stack, self.given)
        frozen = forward_flops(self.base, self.given)
        if len(self.base) == 0 or self.tuned:
            return self.batch * training_flops(self.stack, self.given)
        return self.batch * (frozen + training_flops(self.head, self.base_shape))

    def without_dropout(self) -> Workload:
        """The same without dropout, whose random numbers differ between frameworks."""
        kept = tuple(spec for spec in self.head if not isinstance(spec, Dropout))
        return replace(self, head=kept)

    def smaller(self, batch: int, steps: int) -> Workload:
        """The same with less to do."""
        return replace(self, batch=min(self.batch, batch), steps=min(self.steps, steps))


def perceptron(*units: int) -> tuple[Spec, ...]:
    """Dense layers with ReLU between them."""
    hidden: list[Spec] = [spec for count in units for spec in (Dense(count), Relu())]
    return (*hidden, Dense(10))


def normalized(filters: int) -> tuple[Spec, ...]:
    """A convolution without bias, normalized."""
    return (Conv(filters, padding="same", bias=False), BatchNorm(), Relu())


CONVNET: tuple[Spec, ...] = (
    *(Conv(32), Relu(), MaxPool()),
    *(Conv(64), Relu(), MaxPool()),
    *(Flatten(), Dropout(0.5), Dense(10)),
)
VGG: tuple[Spec, ...] = (
    *(*normalized(32), *normalized(32), MaxPool()),
    *(*normalized(64), *normalized(64), MaxPool()),
    *(Flatten(), Dense(128), Relu(), Dense(10)),
)
SEPARABLE: tuple[Spec, ...] = (
    *normalized(32),
    shrinking(64, 64, relu_first=False),
    shrinking(128, 128, relu_first=True),
    Residual((Relu(), *separable(128)) * 2),
    *(GlobalAveragePool(), Dense(10)),
)


def classifier(recurrent: Spec) -> tuple[Spec, ...]:
    """Words, a recurrent layer, classes."""
    return (Embedding(20_000, 128), recurrent, Dense(10))


WORKLOADS: dict[str, Workload] = {
    "mlp_small": Workload(
        "perceptron 784-64-10, batch 32, SGD",
        *(perceptron(64), (784,), 32, 400),
        steps_per_execution=20,
    ),
    "mlp": Workload(
        "perceptron 784-512-512-10, batch 128, SGD",
        *(perceptron(512, 512), (784,), 128, 64),
        steps_per_execution=4,
    ),
    "mlp_large": Workload(
        "perceptron 1024-2048-2048-10, batch 256, SGD",
        *(perceptron(2048, 2048), (1024,), 256, 6),
    ),
    "mnist_cnn": Workload(
        "convnet on 28 x 28 images, batch 128, Adam",
        *(CONVNET, (28, 28, 1), 128, 12),
        optimizer=ADAM,
        floor=True,
    ),
    "cifar_vgg": Workload(
        "VGG-like with batch normalization on 32 x 32 images, batch 64, SGD with momentum",
        *(VGG, (32, 32, 3), 64, 4),
        optimizer=MOMENTUM,
        floor=True,
    ),
    "separable": Workload(
        "blocks of separable convolutions on 32 x 32 images, batch 32, Adam",
        *(SEPARABLE, (32, 32, 3), 32, 8),
        optimizer=ADAM,
        floor=True,
    ),
    "lstm": Workload(
        "LSTM classifier: vocabulary 20,000, length 100, 128 units, batch 32, Adam",
        *(classifier(Lstm(128)), (100,), 32, 6),
        optimizer=ADAM,
        vocabulary=20_000,
        counted=False,
    ),
    "gru": Workload(
        "GRU classifier: vocabulary 20,000, length 100, 128 units, batch 32, Adam",
        *(classifier(Gru(128)), (100,), 32, 6),
        optimizer=ADAM,
        vocabulary=20_000,
        counted=False,
    ),
    "bidirectional": Workload(
        "LSTM classifier both ways: vocabulary 20,000, length 100, 2 x 128 units, batch 32, Adam",
        *(classifier(BothWays(128)), (100,), 32, 4),
        optimizer=ADAM,
        vocabulary=20_000,
        counted=False,
    ),
    "xception_frozen": Workload(
        "Xception on 96 x 96 images, base frozen, batch 16, Adam",
        *((Dense(10),), (96, 96, 3), 16, 4),
        base=xception(),
        optimizer=ADAM,
        floor=True,
    ),
    "xception": Workload(
        "Xception on 96 x 96 images, all trained, batch 8, SGD with momentum",
        *((*xception(), Dense(10)), (96, 96, 3), 8, 2),
        optimizer=MOMENTUM,
        floor=True,
    ),
    "transformer": Workload(
        "transformer block: sequence 128, width 256, 4 heads, batch 16, Adam",
        *(transformer(256, 4), (128, 256), 16, 6),
        optimizer=ADAM,
        floor=True,
        counted=False,
    ),
    "unet": Workload(
        "U-Net of 16 to 128 filters on 64 x 64 images, batch 8, Adam",
        *(unet(16, 32, 64, 128), (64, 64, 3), 8, 4),
        optimizer=ADAM,
        floor=True,
        counted=False,
    ),
    "resnet50": Workload(
        "ResNet-50 on 96 x 96 images, batch 8, SGD with momentum",
        *(resnet50(), (96, 96, 3), 8, 2),
        optimizer=MOMENTUM,
        floor=True,
        counted=False,
    ),
    "mobilenet_tuned": Workload(
        "MobileNetV2 on 96 x 96 images, fine-tuned with fixed statistics, batch 16, Adam",
        *((Dense(10),), (96, 96, 3), 16, 2),
        base=mobilenet_v2(),
        optimizer=TUNING,
        floor=True,
        counted=False,
        tuned=True,
    ),
    "mnist_cnn_1": Workload(
        "convnet on 28 x 28 images, batch 1 (online learning), SGD",
        *(CONVNET, (28, 28, 1), 1, 200),
        floor=True,
        counted=False,
    ),
    "lstm_predict_32": Workload(
        "LSTM classifier, inference, batch 32",
        *(classifier(Lstm(128)), (100,), 32, 20),
        task="predict",
        vocabulary=20_000,
    ),
    "mnist_cnn_predict_1": Workload(
        "convnet, inference, batch 1", CONVNET, (28, 28, 1), 1, 1000, task="predict"
    ),
    "mnist_cnn_predict_64": Workload(
        "convnet, inference, batch 64",
        *(CONVNET, (28, 28, 1), 64, 60),
        task="predict",
        floor=True,
    ),
    "xception_predict_1": Workload(
        "Xception on 96 x 96 images, inference, batch 1",
        *((*xception(), Dense(10)), (96, 96, 3), 1, 20),
        task="predict",
        floor=True,
    ),
    "xception_predict_64": Workload(
        "Xception on 96 x 96 images, inference, batch 64",
        *((*xception(), Dense(10)), (96, 96, 3), 64, 2),
        task="predict",
        floor=True,
    ),
}
"""By name, in the order of the table."""
