"""The arguments that most applications have, said once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from seqonnx.applications.assembly import IMAGENET, ApplicationOptions
from seqonnx.downloads import RemoteFile
from seqonnx.models import Model
from seqonnx.symbolic import SymbolicTensor

NetworkFunction = Callable[[SymbolicTensor, ApplicationOptions], Any]
"""From the input and the options to the output."""

_TEXT = """Return the {name} network: {parameters:,} parameters, {size} x {size} images.

    Args:
        include_top: whether the classifier is there.
        weights: `"imagenet"` (downloaded once), None for new weights, or the path of a file.
        input_tensor: symbolic tensor to start from; default: a new `Input`.
        input_shape: (height, width, channels), each side at least {least}; without the classifier,
            sides may be None.
        pooling: without the classifier: `"avg"`, `"max"`, or None for the last feature map.
        classes: number of classes.
        classifier_activation: activation of the classifier; None gives logits.
{further}        name: name of the model.

    Returns:
        The model.

    Raises:
        ValueError: if an argument is not legal.
        ConnectionError: if weights cannot be downloaded.

    Example:
        >>> {name}(weights=None, include_top=False, pooling="avg").output_shape
        (None, {features})
    """


class Application(Protocol):
    """A function that returns a network, with Keras's arguments."""

    __name__: str

    def __call__(
        self,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = IMAGENET,
        input_tensor: SymbolicTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str | None = ...,
    ) -> Model:
        """Return the network."""


def application(
    *,
    title: str | None = None,
    name: str | None = None,
    size: int,
    least: int,
    parameters: int,
    features: int,
    full: RemoteFile,
    headless: RemoteFile,
) -> Callable[[NetworkFunction], Application]:
    """Decorate what makes a network, and give it the arguments of an application.

    Args:
        title: name of the application; default: that of what is decorated.
        name: default name of the model; default: the title in lower case.
        size: height and width of the images with a classifier.
        least: least height and width.
        parameters: number of parameters with a classifier.
        features: number of features without one.
        full: weights for `weights="imagenet"` with a classifier.
        headless: weights without one.

    Returns:
        A decorator of a function from the input and the options to the output.
    """

    def decorate(network: NetworkFunction) -> Application:
        called = network.__name__ if title is None else title

        def build(
            include_top: bool = True,
            weights: str | os.PathLike[str] | None = IMAGENET,
            input_tensor: SymbolicTensor | None = None,
            input_shape: Sequence[int | None] | None = None,
            pooling: str | None = None,
            classes: int = 1000,
            classifier_activation: Any = "softmax",
            name: str | None = called.lower() if name is None else name,
        ) -> Model:
            options = ApplicationOptions(
                include_top,
                weights,
                input_tensor,
                input_shape,
                pooling,
                classes,
                classifier_activation,
            )
            entry = options.entry(size, least)
            output = network(entry, options)
            return options.model(output, entry, name, full if include_top else headless)

        facts = {"parameters": parameters, "size": size, "least": least, "features": features}
        describe(build, called, network.__module__, facts)
        return build

    return decorate


PREPROCESSING = (
    "        include_preprocessing: whether images are of 0 … 255, and the network prepares them.\n"
)
"""Text on an argument that some applications have besides."""


def describe(
    build: Any, title: str, module: str, facts: Mapping[str, int], further: str = ""
) -> None:
    """Give a function that makes a network its name and its documentation.

    Args:
        build: the function.
        title: its name.
        module: where it is found.
        facts: number of `parameters` and `features`, `size` and `least` size of the images.
        further: text on further arguments.
    """
    build.__name__ = build.__qualname__ = title
    build.__module__ = module
    build.__doc__ = _TEXT.format(name=title, further=further, **facts)
