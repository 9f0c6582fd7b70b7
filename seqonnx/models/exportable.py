"""A network that can be written to files and described."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import onnx

from seqonnx.graph import Variable
from seqonnx.models import copying, describe, files
from seqonnx.layers.architecture import connect_config, graph_config
from seqonnx.layers.network import Network

PathLike = str | os.PathLike[str]


class Exportable(Network):
    """A network with files and a summary; `Model` adds training."""

    def get_config(self) -> dict[str, Any]:
        """Return name and layers, with what they are called on, as plain values.

        Raises:
            AttributeError: if inputs and outputs are not known.
        """
        return {"name": self.name, "trainable": self._trainable, **graph_config(self)}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        """Make a model, with new weights, from what `get_config` gave.

        Args:
            config: name and layers.
            custom_objects: the user's own classes and functions, by name.

        Raises:
            ValueError: if a class is not known.
        """
        inputs, outputs = connect_config(config, custom_objects or {})
        return cls(inputs, outputs, name=config["name"], trainable=config.get("trainable", True))

    def export(self, filepath: PathLike, outputs: str | Sequence[str] | None = None) -> None:
        """Write the inference graph: dynamic batch, normalization folded, dropout gone.

        Args:
            filepath: an `.onnx` file; an earlier one is replaced only when the new one is whole.
            outputs: `"all"` for the output of every layer, or names of layers; default: the
                model's outputs.

        Raises:
            ValueError: if the model is not built or a name is unknown.
            OSError: if the file cannot be written; most obstacles are found before the work.
        """
        files.export(self, Path(filepath), outputs)

    def to_onnx(self) -> onnx.ModelProto:
        """Return the inference graph as a message, nothing folded: a weight is an initializer."""
        return files.to_onnx(self)

    def save_weights(self, filepath: PathLike) -> None:
        """Write the weights.

        Args:
            filepath: an `.npz` file; or a `.weights.h5` file, which Keras 3 reads into the same
                layers and which needs `seqonnx[keras]`.

        Raises:
            OSError: if the file cannot be written; an earlier one is then as it was.
        """
        files.save_weights(self, Path(filepath))

    def load_weights(
        self, filepath: PathLike, skip_mismatch: bool = False, by_name: bool = False
    ) -> None:
        """Read weights that `save_weights` or Keras wrote; with an error nothing has changed.

        Args:
            filepath: an `.npz` file; or a file of Keras's: `.weights.h5`, `.keras`, or a legacy
                `.h5`.
            skip_mismatch: leave weights that do not fit as they are, and warn.
            by_name: for legacy `.h5` files: match layers by name, not by order; layers that the
                file does not name stay as they are.
        """
        files.load_weights(self, Path(filepath), skip_mismatch, by_name)

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
        *,
        style: Literal["rich", "plain"] = "rich",
    ) -> None:
        """Print the layers with their output shapes and numbers of parameters.

        Before the model is built, shapes are `?` and numbers `0 (unbuilt)`.

        Args:
            line_length: width of the table in characters.
            positions: ends of the columns, as fractions of the width.
            print_fn: called once with the whole text; default: the terminal.
            expand_nested: whether layers of nested models get rows of their own.
            show_trainable: whether to say which layers train.
            layer_range: names of the first and last layer to show (regular expressions).
            style: `"rich"` as Keras 3 prints, `"plain"` as the Sequential guide prints.

        Raises:
            ValueError: if a column would be narrower than 4 characters, or `layer_range` is not
                two strings or matches no layer.
        """
        describe.summary(
            self,
            line_length=line_length,
            positions=positions,
            print_fn=print_fn,
            expand_nested=expand_nested,
            show_trainable=show_trainable,
            layer_range=layer_range,
            style=style,
        )

    @property
    def optimizer_variables(self) -> list[Variable]:
        """Slots of the optimizer; a network without training has none."""
        return []

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy: everything needed to go on, and no session."""
        return copying.state_of(self, super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        copying.restore(self, state)
