"""Lookups: tokens become their numbers in a vocabulary, and back.

Where ONNX can look a token up, a call on arrays compiles what a model's graph would hold. Only
the hashes that spread unknown tokens over several numbers are computed on the host: ONNX has no
hash.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, note_setting
from seqonnx.layers.alone import run_alone
from seqonnx.layers.base import Layer
from seqonnx.layers.options import NamedOptions
from seqonnx.layers.preprocessing.adapting import batches_in, is_one_array
from seqonnx.layers.preprocessing.categories import check_dense, check_mode, encode
from seqonnx.layers.preprocessing.hashes import checked_salt, hash_bins
from seqonnx.layers.preprocessing.lookup_table import emit_numbers, emit_tokens
from seqonnx.layers.preprocessing.vocabulary import (
    Specials,
    Token,
    TokenCounts,
    Vocabulary,
    padded_idf,
    plain_tokens,
    read_tokens,
    tokens_in,
    without_specials,
)

_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
_ROWS = 1 << 14
"""Samples of an array that are counted at once."""


class IndexLookup(Layer):
    """The base of `StringLookup` and `IntegerLookup`; see there.

    Args:
        vocabulary_dtype: `"string"` or `"int64"`.
        sparse: must be False: ONNX Runtime computes with dense tensors.
        pad_to_max_tokens: whether vectors have `max_tokens` places, however many tokens there are.
        oov_method: `"floormod"` or `"farmhash"`: how unknown integers are spread.
        vocabulary_size: places of a vocabulary that is yet to come, as Keras's files say it.
        has_input_vocabulary: False where `adapt` may replace the vocabulary that is given.
        **kwargs: name, dtype, …: see `Layer`; the others: see `StringLookup`.
    """

    autocast = False

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary_dtype: str,
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        vocabulary_size: int | None = None,
        has_input_vocabulary: bool | None = None,
        **kwargs: Unpack[NamedOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.max_tokens: int | None = dtypes.plain_value(max_tokens)
        self.num_oov_indices: int = dtypes.plain_value(num_oov_indices)
        self.mask_token = dtypes.plain_value(mask_token)
        self.oov_token = dtypes.plain_value(oov_token)
        self.vocabulary_dtype = vocabulary_dtype
        self.invert = bool(invert)
        self.output_mode = check_mode(output_mode, _MODES, type(self).__name__)
        self.sparse = check_dense(sparse)
        self.pad_to_max_tokens = bool(pad_to_max_tokens)
        self.oov_method = oov_method
        self.salt = salt
        self._check_arguments(idf_weights)
        self._frozen_size: int | None = vocabulary_size
        self._vocabulary: Vocabulary | None = None
        self._counts = TokenCounts()
        given = vocabulary is not None
        self._static = given if has_input_vocabulary is None else bool(has_input_vocabulary)
        if given:
            if self.output_mode == "tf_idf" and idf_weights is None:
                raise ValueError(
                    "When specifying the `vocabulary` argument, in TF-IDF output mode, the "
                    "`idf_weights` argument must also be provided."
                )
            self.set_vocabulary(vocabulary, idf_weights)

    def _check_arguments(self, idf_weights: Any) -> None:
        """Refuse arguments that exclude each other."""
        if self.max_tokens is not None and self.max_tokens <= 1:
            raise ValueError(
                "If set, `max_tokens` must be greater than 1. "
                f"Received: max_tokens={self.max_tokens}"
            )
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise ValueError(
                "If pad_to_max_tokens is True, must set `max_tokens`. "
                f"Received: max_tokens={self.max_tokens}"
            )
        if self.num_oov_indices < 0:
            raise ValueError(
                "`num_oov_indices` must be greater than or equal to 0. "
                f"Received: num_oov_indices={self.num_oov_indices}"
            )
        if self.oov_method not in {"floormod", "farmhash"}:
            raise ValueError(
                f"Unknown value for `oov_method` argument of {type(self).__name__}. Allowed "
                f"values are: ('floormod', 'farmhash'). Received: oov_method={self.oov_method}"
            )
        if self.salt is not None:
            if self.vocabulary_dtype == "int64" and self.oov_method != "farmhash":
                raise ValueError(
                    "`salt` can only be used when `oov_method='farmhash'`. "
                    f"Received: oov_method={self.oov_method}"
                )
            self.salt = checked_salt(self.salt, "IndexLookup")
        if self.invert and self.output_mode != "int":
            raise ValueError(
                "`output_mode` must be `'int'` when `invert` is true. "
                f"Received: output_mode={self.output_mode}"
            )
        if idf_weights is not None and self.output_mode != "tf_idf":
            raise ValueError(
                "`idf_weights` should only be set if `output_mode` is `'tf_idf'`. Received: "
                f"idf_weights={idf_weights} and output_mode={self.output_mode}"
            )

    # The vocabulary.

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary.

        Args:
            vocabulary: tokens without those of the mask and of unknown ones, or with them in
                front; or the path of a text file with one token in each line.
            idf_weights: inverse document frequency of each, for the output mode `"tf_idf"`.

        Raises:
            ValueError: if a token stands twice, there are too many, or weights are missing.
        """
        if self.output_mode == "tf_idf" and idf_weights is None:
            raise ValueError("`idf_weights` must be set if output_mode is 'tf_idf'.")
        if self.output_mode != "tf_idf" and idf_weights is not None:
            raise ValueError(
                "`idf_weights` should only be set if output_mode is `'tf_idf'`. Received: "
                f"output_mode={self.output_mode} and idf_weights={idf_weights}"
            )
        if isinstance(vocabulary, str | os.PathLike):
            if self.output_mode == "tf_idf":
                raise ValueError(
                    "output_mode `'tf_idf'` does not support loading a vocabulary from file."
                )
            given = read_tokens(vocabulary, self.vocabulary_dtype)
        else:
            given = plain_tokens(vocabulary, self.vocabulary_dtype)
        self._take(given, idf_weights)

    def _load_text(self, text: str, idf_weights: npt.NDArray[Any] | None) -> None:
        """Take the vocabulary that Keras has written with a model."""
        tokens = tokens_in(text, self.vocabulary_dtype)
        idf = None if idf_weights is None else idf_weights[: len(tokens)]
        self._take(tokens, idf)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """Return the tokens by their number.

        Args:
            include_special_tokens: whether the mask and the unknown ones stand in front.
        """
        tokens = [] if self._vocabulary is None else list(self._vocabulary.tokens)
        return [*self._specials.tokens, *tokens] if include_special_tokens else tokens

    def vocabulary_size(self) -> int:
        """Return the number of places, with those in front."""
        return len(self.get_vocabulary())

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary from data: the most frequent tokens first.

        Args:
            data: a list or an array of tokens, each row a document; or what yields batches of
                these: a generator, a data loader, a `PyDataset`.
            steps: number of batches to take from what yields batches; None for all.

        Raises:
            ValueError: if the vocabulary was given, or the data are no tokens.
        """
        self.reset_state()
        whole = isinstance(data, list | tuple) or is_one_array(data)
        given = self._rows(data) if whole else data
        for batch in batches_in(given, self.name, steps=steps, rows=_ROWS):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of one batch.

        Args:
            data: tokens of documents, a row for each; tokens without rows are of one document.
        """
        self._check_adapts()
        array = dtypes.to_array(data, self.vocabulary_dtype, "data")
        documents = array.reshape(len(array) if array.ndim > 1 else 1, -1)
        self._count(documents.tolist())

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        front = len(self._specials.tokens)
        most = None if self.max_tokens is None else self.max_tokens - front
        tokens = self._counts.most_common((self.mask_token, self.oov_token), most)
        idf = self._counts.idf(tokens) if self.output_mode == "tf_idf" else None
        if not self._static and len(tokens) > 0:
            self._take(tokens, idf)
        self._counts = TokenCounts()

    def reset_state(self) -> None:
        """Forget what was counted; the vocabulary stays until `finalize_state`."""
        self._counts = TokenCounts()

    def _check_adapts(self) -> None:
        """Raise a ValueError if the vocabulary was given."""
        if self._static:
            raise ValueError(
                f"Cannot adapt layer '{self.name}' after setting a static vocabulary via "
                "`vocabulary` argument or `set_vocabulary()` method."
            )

    def _count(self, documents: Sequence[Sequence[Token]]) -> None:
        self._counts.add(documents, in_documents=self.output_mode == "tf_idf")

    def _rows(self, data: Any) -> npt.NDArray[Any]:
        """A whole data set as documents; single tokens are a document each."""
        array = dtypes.to_array(data, self.vocabulary_dtype, "data")
        return array[:, np.newaxis] if array.ndim == 1 else array

    def _take(self, given: list[Token], idf_weights: Any) -> None:
        """Replace the vocabulary by checked tokens; graphs are made anew."""
        front = len(self._specials.tokens)
        tokens, found = without_specials(given, self._specials)
        size = front + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                "Attempted to set a vocabulary larger than the maximum vocab size. Received "
                f"vocabulary size is {size}; `max_tokens` is {self.max_tokens}."
            )
        idf = None
        if idf_weights is not None:
            padded = self.max_tokens if self.pad_to_max_tokens else None
            idf = padded_idf(idf_weights, len(given), front, found, padded)
        self._freeze(size)
        kept = None if idf is None else np.asarray(idf_weights, np.float32).tolist()
        self._vocabulary = Vocabulary(tokens, idf, given, kept)
        note_setting()

    def _freeze(self, size: int) -> None:
        """Refuse another size where the layers after this one count on it."""
        fixed = self.output_mode != "int" and not self.pad_to_max_tokens and len(self._calls) > 0
        if fixed and self._frozen_size is not None and size != self._frozen_size:
            raise RuntimeError(
                f"When using `output_mode={self.output_mode}` and `pad_to_max_tokens=False`, the "
                "vocabulary size cannot be changed after the layer is called. Old vocab size is "
                f"{self._frozen_size}, new vocab size is {size}"
            )
        self._frozen_size = size

    @property
    def _specials(self) -> Specials:
        masked = self.mask_token is not None and self.output_mode == "int"
        return Specials(self.mask_token, masked, self.oov_token, self.num_oov_indices, self.invert)

    # Calls.

    def call(self, op: Emitter, x: Any, training: bool) -> ir.Value:
        """Emit a LabelEncoder, and the encoding of its numbers."""
        if self._hashes and not isinstance(x, list):
            self._refuse_hash()
        known = self._known(op)
        tokens = known.tokens
        if self.invert:
            return emit_tokens(op, op.cast(x, "int64"), tokens, self._specials)
        x, bins = x if isinstance(x, list) else (x, None)
        x = op.cast(x, self.vocabulary_dtype)
        numbers = emit_numbers(op, x, bins, tokens, self._specials)
        if self.output_mode == "int":
            return numbers
        depth = self.max_tokens if self.pad_to_max_tokens else self._frozen_size
        assert depth is not None
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        vectors = encode(op, numbers, mode, depth, self.compute_dtype)
        if self.output_mode != "tf_idf" or known.idf is None:
            return vectors
        return op.Mul(vectors, op.cast(op.constant(known.idf, "idf_weights"), self.compute_dtype))

    @property
    def _hashes(self) -> bool:
        """Whether unknown tokens are told apart by a hash."""
        integers = self.vocabulary_dtype == "int64" and self.oov_method == "floormod"
        return not self.invert and self.num_oov_indices > 1 and not integers

    def _refuse_hash(self) -> None:
        raise ValueError(
            f"Layer '{self.name}' spreads unknown tokens over {self.num_oov_indices} numbers by a "
            "hash, which ONNX does not have, so it cannot be part of a model. Call it on the data "
            "before, and build the model on the numbers that it gives; or use "
            "`num_oov_indices=1`."
        )

    def _known(self, op: Emitter) -> Vocabulary:
        """The vocabulary; in a graph made for its shapes there may be none yet."""
        sized = self.output_mode == "int" or self.pad_to_max_tokens
        if self._vocabulary is not None:
            return self._vocabulary
        if op.shapes_only and (sized or self._frozen_size):
            return Vocabulary([], None, [], None)
        mode = f"When using `output_mode={self.output_mode}` and `pad_to_max_tokens=False`, you"
        raise RuntimeError(
            f"{'You' if sized else mode} must set the layer's vocabulary before calling it. Either "
            "pass a `vocabulary` argument to the layer, or call `adapt` with some sample data. "
            f"Layer: '{self.name}'"
        )

    @property
    def _on_host(self) -> bool:
        """Whether a call on data starts on the host."""
        return self._hashes or (self.num_oov_indices == 0 and not self.invert)

    def _call_on_host(self, data: Any) -> npt.NDArray[Any]:
        """Compute what ONNX cannot, and run the graph of the rest."""
        array = dtypes.to_array(data, self._data_dtype, "inputs")
        arrays = [array]
        if self._hashes:
            arrays.append(hash_bins(array, self.num_oov_indices, self.salt))
        elif self._vocabulary is not None:
            self._check_known(array, self._vocabulary)
        return run_alone(
            self._calls_on_data,
            arrays,
            ("host", len(arrays)),
            lambda op, x: self._emit(op, x if self._hashes else x[0], training=False),
        )

    def _check_known(self, array: npt.NDArray[Any], known: Vocabulary) -> None:
        """Raise a ValueError for tokens that are not in the vocabulary."""
        unknown = set(array.reshape(-1).tolist()) - set(known.tokens) - {self.mask_token}
        if len(unknown) > 0:
            raise ValueError(
                "When `num_oov_indices=0` all inputs should be in vocabulary, found OOV values "
                f"{sorted(unknown)}, consider setting `num_oov_indices=1`."
            )

    # Configuration.

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, and the vocabulary that was learned."""
        config = super().get_config()
        known = self._vocabulary
        found = {
            "vocabulary": None if known is None else list(known.given),
            "idf_weights": None if known is None else known.given_idf,
            "vocabulary_size": self._frozen_size,
        }
        learned = {} if known is None or self._static else {"has_input_vocabulary": False}
        return config | found | learned
