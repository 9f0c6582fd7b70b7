"""NASNet: B. Zoph et al., "Learning Transferable Architectures", 2018."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from seqonnx.applications import imagenet
from seqonnx.applications.assembly import IMAGENET, ApplicationOptions
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.applications.parts import strided_padding
from seqonnx.downloads import RemoteFile
from seqonnx.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Cropping2D,
    GlobalAveragePooling2D,
    MaxPooling2D,
    SeparableConv2D,
    ZeroPadding2D,
)
from seqonnx.models import Model
from seqonnx.symbolic import SymbolicTensor

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]

_URL: Final = "https://storage.googleapis.com/tensorflow/keras-applications/nasnet/NASNet-"


class _CellForm(NamedTuple):
    """Size of the images, filters of the first cells and the stem, cells in a row.

    Args:
        size: height and width of the images with a classifier.
        filters: filters of the cells before the first reduction.
        stem: filters of the first convolution.
        cells: number of cells between reductions.
        reaches_back: whether the cell after a reduction also sees what the reduction saw.
        full: published weights with a classifier.
        headless: those without one.
    """

    size: int
    filters: int
    stem: int
    cells: int
    reaches_back: bool
    full: RemoteFile
    headless: RemoteFile


def _file(name: str, md5: str) -> RemoteFile:
    """A published file, kept under the name that Keras keeps it under."""
    kept_as = f"nasnet_{name.replace('-', '_')}.h5"
    return RemoteFile(f"{_URL}{name}.h5", md5, kept_as=kept_as)


_MOBILE = _CellForm(
    224,
    44,
    32,
    4,
    True,
    _file("mobile", "020fb642bf7360b370c678b08e0adf61"),
    _file("mobile-no-top", "1ed92395b5b598bdda52abe5c0dbfd63"),
)
_LARGE = _CellForm(
    331,
    168,
    96,
    6,
    False,
    _file("large", "11577c9a518f0070763c2b964a382f17"),
    _file("large-no-top", "d81d89dc07e6e56530c4e77faddd61b5"),
)


def NASNetMobile(  # noqa: N802 - Keras's name
    input_shape: Sequence[int | None] | None = None,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = IMAGENET,
    input_tensor: SymbolicTensor | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = "nasnet_mobile",
) -> Model:
    """Return the NASNetMobile network: 5,326,716 parameters, 224 x 224 images.

    Args:
        input_shape: (height, width, channels), each side at least 32; default: 224 x 224 x 3.
        include_top: whether the classifier is there.
        weights: `"imagenet"` (downloaded once), None for new weights, or the path of a file.
        input_tensor: symbolic tensor to start from; default: a new `Input`.
        pooling: without the classifier: `"avg"`, `"max"`, or None for the last feature map.
        classes: number of classes.
        classifier_activation: activation of the classifier; None gives logits.
        name: name of the model.

    Returns:
        The model.

    Raises:
        ValueError: if an argument is not legal.
        ConnectionError: if weights cannot be downloaded.

    Example:
        >>> NASNetMobile(weights=None, include_top=False, pooling="avg").output_shape
        (None, 1056)
    """
    if not include_top and input_shape is None:
        input_shape = (_MOBILE.size, _MOBILE.size, 3)
    options = ApplicationOptions(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )
    return _nasnet(_MOBILE, options, name)


def NASNetLarge(  # noqa: N802 - Keras's name
    input_shape: Sequence[int | None] | None = None,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = IMAGENET,
    input_tensor: SymbolicTensor | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = "nasnet_large",
) -> Model:
    """Return the NASNetLarge network: 88,949,818 parameters, 331 x 331 images.

    Arguments are those of `NASNetMobile`; without the classifier, images may have any size.

    Example:
        >>> NASNetLarge(weights=None, include_top=False, pooling="avg").output_shape
        (None, 4032)
    """
    options = ApplicationOptions(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )
    return _nasnet(_LARGE, options, name)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Return images of 0 … 255 scaled to -1 … 1.

    Example:
        >>> float(preprocess_input([[[255, 0, 127.5]]]).max())
        1.0
    """
    return imagenet.preprocess_input(x, data_format, "tf")


def _nasnet(form: _CellForm, options: ApplicationOptions, name: str | None) -> Model:
    """Make a network."""
    shape = options.input_shape
    if options.weights == IMAGENET and shape is not None and None in tuple(shape):
        raise ValueError(
            "When specifying the input shape of a NASNet and loading `ImageNet` weights, the "
            f"input_shape argument must be static (no None entries). Got: `input_shape={shape}`."
        )
    entry = options.entry(form.size, 32)
    x: Any = _conv(entry, form.stem, "stem_conv1", 3, 2, "valid")
    x = _normalized(x, "stem_bn1")
    x, previous = _reduction(x, None, form.filters // 4, "stem_1"), x
    x, previous = _reduction(x, previous, form.filters // 2, "stem_2"), x
    for stage in range(3):
        filters = form.filters * 2**stage
        if stage > 0:
            before = x
            x = _reduction(x, previous, filters, f"reduce_{stage * form.cells}")
            previous = before if form.reaches_back else previous
        for index in range(form.cells):
            number = stage * form.cells + index + (1 if stage > 0 else 0)
            x, previous = _normal(x, previous, filters, f"{number}"), x
    x = Activation("relu")(x)
    top = options.include_top
    x = options.classify(GlobalAveragePooling2D()(x)) if top else options.pool(x)
    return options.model(x, entry, name, form.full if top else form.headless)


def _normal(x: Any, previous: Any, filters: int, block: str) -> Any:
    """A cell that keeps the size (Figure 4 of the paper, left)."""
    p = _adjusted(previous, x, filters, block)
    h = _normalized(
        _conv(Activation("relu")(x), filters, f"normal_conv_1_{block}"), f"normal_bn_1_{block}"
    )

    def separable(start: Any, window: int, side: str) -> Any:
        return _separable(start, filters, window, f"normal_{side}_{block}")

    def average(start: Any, side: str) -> Any:
        return AveragePooling2D(3, 1, "same", name=f"normal_{side}_{block}")(start)

    def total(index: int, left: Any, right: Any) -> Any:
        return Add(name=f"normal_add_{index}_{block}")([left, right])

    parts = [
        total(1, separable(h, 5, "left1"), separable(p, 3, "right1")),
        total(2, separable(p, 5, "left2"), separable(p, 3, "right2")),
        total(3, average(h, "left3"), p),
        total(4, average(p, "left4"), average(p, "right4")),
        total(5, separable(h, 3, "left5"), h),
    ]
    return Concatenate(name=f"normal_concat_{block}")([p, *parts])


def _reduction(x: Any, previous: Any, filters: int, block: str) -> Any:
    """A cell that halves height and width (Figure 4 of the paper, right)."""
    p = _adjusted(previous, x, filters, block)
    h = _normalized(
        _conv(Activation("relu")(x), filters, f"reduction_conv_1_{block}"),
        f"reduction_bn_1_{block}",
    )
    padded = ZeroPadding2D(strided_padding(h, 3), name=f"reduction_pad_1_{block}")(h)

    def separable(start: Any, window: int, side: str, strides: int = 2) -> Any:
        return _separable(start, filters, window, f"reduction_{side}_{block}", strides)

    def total(name: str | None, left: Any, right: Any) -> Any:
        return Add(name=name)([left, right])

    x1 = total(f"reduction_add_1_{block}", separable(h, 5, "left1"), separable(p, 7, "right1"))
    x2 = MaxPooling2D(3, 2, name=f"reduction_left2_{block}")(padded)
    x2 = total(f"reduction_add_2_{block}", x2, separable(p, 7, "right2"))
    x3 = AveragePooling2D(3, 2, name=f"reduction_left3_{block}")(padded)
    x3 = total(f"reduction_add3_{block}", x3, separable(p, 5, "right3"))
    x4 = AveragePooling2D(3, 1, "same", name=f"reduction_left4_{block}")(x1)
    x4 = total(None, x2, x4)
    x5 = separable(x1, 3, "left4", 1)
    x5 = total(
        f"reduction_add4_{block}",
        x5,
        MaxPooling2D(3, 2, name=f"reduction_right5_{block}")(padded),
    )
    return Concatenate(name=f"reduction_concat_{block}")([x2, x3, x4, x5])


def _adjusted(previous: Any, x: Any, filters: int, block: str) -> Any:
    """The output of the cell before the last, in the size and with the filters of this cell."""
    if previous is None:
        return x
    if previous.shape[-2] != x.shape[-2]:
        return _halved(previous, filters, block)
    if previous.shape[-1] == filters:
        return previous
    p = _conv(Activation("relu")(previous), filters, f"adjust_conv_projection_{block}")
    return _normalized(p, f"adjust_bn_{block}")


def _halved(x: Any, filters: int, block: str) -> Any:
    """Every second place, and every second of those shifted by one, beside each other."""
    x = Activation("relu", name=f"adjust_relu_1_{block}")(x)
    first = AveragePooling2D(1, 2, name=f"adjust_avg_pool_1_{block}")(x)
    first = _conv(first, filters // 2, f"adjust_conv_1_{block}")
    shifted = Cropping2D(((1, 0), (1, 0)))(ZeroPadding2D(((0, 1), (0, 1)))(x))
    shifted = AveragePooling2D(1, 2, name=f"adjust_avg_pool_2_{block}")(shifted)
    shifted = _conv(shifted, filters // 2, f"adjust_conv_2_{block}")
    return _normalized(Concatenate()([first, shifted]), f"adjust_bn_{block}")


def _separable(x: Any, filters: int, window: int, block: str, strides: int = 1) -> Any:
    """ReLU, a separable convolution and a normalization, twice."""
    x = Activation("relu")(x)
    padding = "same"
    if strides == 2:
        padding = "valid"
        zeros = strided_padding(x, window)
        x = ZeroPadding2D(zeros, name=f"separable_conv_1_pad_{block}")(x)
    for index in (1, 2):
        if index == 2:
            x, strides, padding = Activation("relu")(x), 1, "same"
        conv = SeparableConv2D(
            filters,
            window,
            strides,
            padding,
            use_bias=False,
            name=f"separable_conv_{index}_{block}",
        )
        x = _normalized(conv(x), f"separable_conv_{index}_bn_{block}")
    return x


def _conv(
    x: Any, filters: int, name: str, window: int = 1, strides: int = 1, padding: str = "same"
) -> Any:
    return Conv2D(
        filters,
        window,
        strides,
        padding,
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)


def _normalized(x: Any, name: str) -> Any:
    return BatchNormalization(momentum=0.9997, epsilon=1e-3, name=name)(x)
