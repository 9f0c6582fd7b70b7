"""InFiles: the part of `Model` that writes files and reads weights."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import onnx

from seqonnx.export.calibration import Drift
from seqonnx.models import keras_files, keras_json, saving, training_files
from seqonnx.training.sessions import Sessions

PathLike = str | os.PathLike[str]


class InFiles:
    """The part of a model that writes files and reads them."""

    _sessions: Sessions

    def save(
        self,
        filepath: PathLike,
        overwrite: bool = True,
        zipped: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Write everything: architecture, weights, compile arguments, optimizer state.

        Args:
            filepath: an `.onnx` file, which runs anywhere, holds every model, and also keeps the
                counters and the seed, so that training goes on exactly; a `.keras` file, which
                Keras 3 loads and trains on; or a legacy `.h5` file. The last two need
                `seqonnx[keras]`.
            overwrite: whether to replace a file that is there; else the user is asked.
            zipped: must not be False: a `.keras` file is always one zip file.
            **kwargs: `include_optimizer`, whether to write compile arguments and the state of the
                optimizer, default True.

        Raises:
            ValueError: if the model is not built, the name has another ending, or a `.keras` or
                `.h5` file cannot hold a part of the model.
            FileExistsError: if the user cannot be asked.
        """
        saving.save_model(self._sessions, Path(filepath), overwrite, zipped, kwargs)

    def export(
        self,
        filepath: PathLike,
        format: str = "onnx",
        *,
        outputs: str | Sequence[str] | None = None,
        opset: int | None = None,
        ir_version: int | None = None,
        dtype: str | None = None,
        quantize: str | None = None,
        calibration_data: Any = None,
        keep_io: bool = True,
        merge_lora: bool = True,
        external_data: bool | int | None = None,
        weights_as: Literal["initializer", "constant", "input"] = "initializer",
        verbose: bool | None = None,
    ) -> Drift | None:
        """Write the inference graph: dynamic batch, normalization folded, dropout gone.

        Args:
            filepath: an `.onnx` file; an earlier one is replaced only when the new one is whole.
            format: must be `"onnx"`; for the other formats of Keras an error says what to do.
            outputs: `"all"` for the output of every layer, or names of layers; default: the
                model's outputs.
            opset: operator set, from 13 to 23; default 18, which every reader of the page
                "Readers and operator sets" takes, or the lowest above it that can say the model,
                which is logged.
            ir_version: version of the file format; default the lowest for the operator set.
            dtype: `"float16"` for weights and computation, but for what would leave its range;
                `"float16_weights"` or `"bfloat16_weights"` for weights alone, from which float32
                is computed; `"bfloat16"`, which ONNX Runtime does not run on the CPU (untried).
            quantize: `"int8"`: weights and activations, by the ranges of the calibration data;
                `"int8_dynamic"`: activations by ranges measured while the file runs; `"int4"`:
                weights alone, in blocks, which needs operator set 21.
            calibration_data: some hundred inputs such as the model will see: an array, a list of
                them for several inputs, or a dict by name. The drift on them is measured.
            keep_io: whether inputs and outputs keep their dtype with `dtype`.
            merge_lora: whether the products of LoRA go into the weights.
            external_data: whether weights go to a data file beside the model: True, False, or the
                number of bytes from which they do; default: where one file cannot hold them.
            weights_as: `"initializer"`; `"constant"`, for readers that want Constant nodes; or
                `"input"`: the model's weights, nothing folded, are inputs whose values are their
                defaults, so that a session may be fed others.
            verbose: whether to print a line about the file; the drift is printed unless False.

        Returns:
            How far the file's outputs are from the model's on the calibration data, or None.

        Raises:
            ValueError: if the model is not built, an argument is not legal, two contradict each
                other, or the operator set cannot say the model.
            OSError: if the file cannot be written; most obstacles are found before the work.

        Example:
            >>> model = Sequential([Input((4,)), Dense(2)])
            >>> model.export("dense.onnx", opset=13)
        """
        return saving.export(
            *(self._sessions.network, Path(filepath), format, outputs),
            opset=opset,
            ir_version=ir_version,
            dtype=dtype,
            quantize=quantize,
            calibration_data=calibration_data,
            keep_io=keep_io,
            merge_lora=merge_lora,
            external_data=external_data,
            weights_as=weights_as,
            verbose=verbose,
        )

    def to_onnx(self) -> onnx.ModelProto:
        """Return the inference graph as a ModelProto: weights as initializers, nothing folded."""
        return saving.to_onnx(self._sessions.network)

    def to_json(self, **kwargs: Any) -> str:
        """Return the architecture, and what `compile` was given, as JSON; no weights.

        `seqonnx.models.model_from_json`, or Keras's, makes a new model of it.

        Args:
            **kwargs: arguments of `json.dumps`.

        Raises:
            ValueError: if Keras has no such model (see `save`).
        """
        return keras_json.to_json(self._sessions, kwargs)

    def save_weights(
        self,
        filepath: PathLike,
        overwrite: bool = True,
        max_shard_size: float | None = None,
        *,
        lora_only: bool = False,
    ) -> None:
        """Write the weights.

        Args:
            filepath: an `.npz` file; a `.weights.h5` file, which Keras 3 reads into the same
                layers and which needs `seqonnx[keras]`; or a `.safetensors` file, which needs
                `seqonnx[safetensors]`.
            overwrite: whether to replace a file that is there; else the user is asked.
            max_shard_size: must be None: weights are written into one file.
            lora_only: write an adapter, as `.safetensors` or `.npz`: the factors that
                `enable_lora` has added and what else may train, without the frozen base.

        Raises:
            ValueError: if the name has another ending.
            OSError: if the file cannot be written; an earlier one is then as it was.
        """
        network = self._sessions.network
        saving.save_weights(network, Path(filepath), overwrite, max_shard_size, lora_only=lora_only)

    def load_weights(
        self,
        filepath: PathLike,
        skip_mismatch: bool = False,
        by_name: bool = False,
        *,
        lora_only: bool = False,
    ) -> None:
        """Read weights that `save_weights` or Keras wrote; with an error nothing has changed.

        Args:
            filepath: an `.npz` or `.safetensors` file; or a file of Keras's: `.weights.h5`,
                `.keras`, or a legacy `.h5`.
            skip_mismatch: leave weights that do not fit as they are, and warn.
            by_name: for legacy `.h5` files: match layers by name, not by order; layers that the
                file does not name stay as they are.
            lora_only: read an adapter that `save_weights(lora_only=True)` wrote onto the base,
                whose layers have adapters of the same rank.
        """
        network = self._sessions.network
        saving.load_weights(network, Path(filepath), skip_mismatch, by_name, lora_only=lora_only)

    def export_training(
        self,
        folder: PathLike,
        *,
        sample_weight: bool = False,
        target_dtype: Any = None,
        weights: bool = True,
        opset: int | None = None,
    ) -> None:
        """Write the training itself as ONNX graphs, which other programs can go on with.

        `train.onnx` is a step, `eval.onnx` measures, `forward.onnx` predicts; `state.safetensors`
        holds weights and optimizer, `manifest.json` says what is what, and `seqonnx.js` drives all
        that in Node and in browsers. See the page "Train in the browser" of the documentation.

        Args:
            folder: where to write; made if it is not there. Files of an earlier export are
                replaced, and only when all new ones are whole.
            sample_weight: whether steps take a weight for each sample.
            target_dtype: dtype of the targets that are fed, such as `"int32"`; default: int64 for
                labels, else float32.
            weights: whether the state is written; a driver can be given another one.
            opset: operator set of the graphs, from 13 to 23; None: 18, which ONNX Runtime 1.14 of
                2023 and newer ones read, or the lowest that can say them.

        Raises:
            ValueError: if the model is not built or not compiled, or another program could not
                drive its training: text, steps or schedules of one's own, metrics that are no
                means.
            GradientError: if an operator before the loss has no gradient rule.
            OSError: if a file cannot be written; earlier files are then untouched.
        """
        training_files.export_training(
            self._sessions,
            Path(folder),
            sample_weight=sample_weight,
            target_dtype=target_dtype,
            weights=weights,
            opset=opset,
        )

    def load_training(self, folder: PathLike, state: PathLike | None = None) -> None:
        """Take over the state that a driver of an exported training has left.

        Weights, optimizer slots, the number of steps and the seed are as they were there, so that
        training goes on exactly; with an error nothing has changed.

        Args:
            folder: the folder that `export_training` of this model, or of one that the same code
                has built and compiled, has written.
            state: a `.safetensors` file that a driver has saved; default: the one in the folder.

        Raises:
            ModelFileError: if a file is absent or broken.
            ValueError: if the model is not built and compiled, or is another one.
        """
        training_files.load_training(
            self._sessions, Path(folder), None if state is None else Path(state)
        )

    def get_compile_config(self) -> dict[str, Any]:
        """Return what `compile` was given, as plain values that JSON can hold."""
        return keras_files.compile_config(self._sessions.compilation)

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """Compile with what `get_compile_config` returned, here or in Keras.

        Args:
            config: arguments of `compile`, as plain values or as objects.
        """
        model: Any = self
        if "compile" in {name for cls in own_classes(type(self)) for name in vars(cls)}:
            warnings.warn(
                "`compile()` was not called as part of model loading because the model's "
                "`compile()` method is custom. Override `get_compile_config()` and "
                "`compile_from_config(config)`, too, or call `compile()` after loading.",
                stacklevel=2,
            )
            return
        model.compile(**keras_files.arguments_of(config))

    def get_build_config(self) -> dict[str, Any] | None:
        """Return the shapes that the model was built for, or None."""
        return keras_json.build_config(self._sessions.network)

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Build the model for the shapes that `get_build_config` returned.

        Args:
            config: `{"input_shape": ...}`; None as the shape builds nothing.
        """
        keras_json.build_from(self._sessions.network, config)


def own_classes(cls: type) -> list[type]:
    """Return a class of the user's and its bases, up to those of seqonnx."""
    return [base for base in cls.__mro__ if not base.__module__.startswith("seqonnx.")]
