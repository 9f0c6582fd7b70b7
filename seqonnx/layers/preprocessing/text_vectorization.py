"""TextVectorization: texts become the numbers of their words in a vocabulary.

Removing punctuation, n-grams, parting characters and rules of one's own cannot be said in ONNX,
so a layer with these is called on arrays, and its host code is the only one that there is. Where
ONNX has the operators, a call on arrays compiles what a model's graph would hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.base import Layer
from seqonnx.layers.options import UnnamedOptions
from seqonnx.layers.preprocessing import text
from seqonnx.layers.preprocessing.adapting import batches_in, is_one_array
from seqonnx.layers.preprocessing.categories import check_mode
from seqonnx.layers.preprocessing.string_lookup import StringLookup, checked_encoding

_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
_ROWS = 1 << 12
"""Texts of an array that are parted at once while the layer adapts."""


@register("layer")
class TextVectorization(Layer):
    """Texts as numbers of their words in a vocabulary, which is given or learned by `adapt`.

    Number 0 stands for no word, 1 for a word that is not in the vocabulary. The layer is called
    on arrays of texts, of shape (batch,) or (batch, 1). With `standardize` None or `"lower"`,
    `split` None or `"whitespace"` and without `ngrams` it may also be part of a model, after
    `Input(shape=(1,), dtype="string")`.

    Args:
        max_tokens: most places of the vocabulary; None for any number.
        standardize: `"lower_and_strip_punctuation"`, `"lower"`, `"strip_punctuation"` (both of
            ASCII), a function of an array of strings, or None.
        split: `"whitespace"`, `"character"`, a function of an array of strings that returns a
            list of words for each, or None where each string is a word.
        ngrams: also runs of up to so many words, or of just these numbers of words.
        output_mode: `"int"`, or vectors: see `StringLookup`.
        output_sequence_length: size of the last axis in the mode `"int"`: longer texts are cut
            off; default: that of the longest text.
        pad_to_max_tokens: whether vectors have `max_tokens` places, however many words there are.
        vocabulary: words, or the path of a text file with one in each line.
        idf_weights: inverse document frequency of each, for the mode `"tf_idf"`.
        sparse: must be False: ONNX Runtime computes with dense tensors.
        ragged: must be False, for the same reason.
        encoding: must be UTF-8, as which bytes are decoded.
        name: see `Layer`.
        vocabulary_size: places of a vocabulary that is yet to come.
        has_input_vocabulary: False where `adapt` may replace the vocabulary that is given.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not one of those named, or excludes another.

    Example:
        >>> layer = TextVectorization(vocabulary=["hello", "world"], output_sequence_length=4)
        >>> layer(["Hello, my world!"]).tolist()
        [[2, 1, 3, 0]]
    """

    autocast = False
    _data_dtype = "string"

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Callable[[Any], Any] | None = "lower_and_strip_punctuation",
        split: str | Callable[[Any], Any] | None = "whitespace",
        ngrams: int | Sequence[int] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        *,
        vocabulary_size: int | None = None,
        has_input_vocabulary: bool | None = None,
        **kwargs: Unpack[UnnamedOptions],
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.standardize = _checked_rule("standardize", standardize, text.STANDARDIZE)
        self.split = _checked_rule("split", split, text.SPLIT)
        self.ngrams = _checked_ngrams(dtypes.plain_value(ngrams))
        self.output_mode = check_mode(output_mode, _MODES, type(self).__name__)
        self.output_sequence_length = _checked_length(
            dtypes.plain_value(output_sequence_length), self.output_mode
        )
        if ragged:
            raise ValueError(
                "`ragged=True` cannot be had: ONNX has no ragged tensors. Leave it out; shorter "
                "texts get zeros behind their words. Received: ragged=True"
            )
        self.ragged = False
        self.encoding = checked_encoding(encoding)
        self._lookup = StringLookup(
            max_tokens,
            mask_token="",
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            output_mode=self.output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            name=self.name,
            vocabulary_size=vocabulary_size,
            has_input_vocabulary=has_input_vocabulary,
            dtype=self.dtype_policy,
        )
        self._lookup._calls = self._calls  # it must know whether its size is used

    # The vocabulary.

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary; see `StringLookup.set_vocabulary`."""
        self._lookup.set_vocabulary(vocabulary, idf_weights)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """Return the words by their number.

        Args:
            include_special_tokens: whether the empty string and `"[UNK]"` stand in front.
        """
        return self._lookup.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """Return the number of places, with those in front."""
        return self._lookup.vocabulary_size()

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary from texts: the most frequent words first.

        Args:
            data: a list or an array of texts; or what yields batches of them: a generator, a data
                loader, a `PyDataset`. A batch that is a tuple stands for its first part.
            batch_size: texts of an array that are worked on at once; the result is the same.
            steps: number of batches to take from what yields batches; None for all.

        Raises:
            ValueError: if the vocabulary was given, or the data are no texts.
        """
        self.reset_state()
        if isinstance(data, list | tuple) or is_one_array(data):
            data = dtypes.to_array(data, "string", "data")
            data = data[:, np.newaxis] if data.ndim == 1 else data
        rows = _ROWS if batch_size is None else batch_size
        for batch in batches_in(data, self.name, steps=steps, rows=rows):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the words of one batch of texts."""
        texts = dtypes.to_array(data, "string", "data")
        if self.split is None and self.ngrams is None:
            self._lookup.update_state(text.standardized(texts, self.standardize))
            return
        rows, _ = self._rows(texts)
        self._lookup._check_adapts()
        self._lookup._count(rows)

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        self._lookup.finalize_state()

    def reset_state(self) -> None:
        """Forget what was counted; the vocabulary stays until `finalize_state`."""
        self._lookup.reset_state()

    # Calls.

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit StringNormalizer, StringSplit and the lookup."""
        self._refuse_in_graph()
        if self.split is not None and x.shape is not None and len(x.shape) > 1:
            _check_texts(tuple(x.shape))
            x = op.Squeeze(x, [-1])
        if self.standardize is not None:
            x = text.emit_lower(op, x)
        if self.split is not None:
            x = text.emit_words(op, x)
        numbers = self._lookup.call(op, x, training)
        length = self.output_sequence_length
        if self.output_mode != "int":
            return numbers
        if self.split is not None:
            return text.emit_packed(op, numbers, length)
        return numbers if length is None else text.emit_length(op, numbers, length)

    @property
    def _reasons(self) -> list[str]:
        """The arguments that ONNX has no operators for."""
        beyond = {
            "standardize": self.standardize not in {None, "lower"},
            "split": self.split not in {None, "whitespace"},
            "ngrams": self.ngrams is not None,
        }
        return [f"{name}={getattr(self, name)!r}" for name, found in beyond.items() if found]

    def _refuse_in_graph(self) -> None:
        """Raise a ValueError if ONNX cannot say what the layer does."""
        if len(self._reasons) > 0:
            raise ValueError(
                f"Layer '{self.name}' cannot be part of a model: ONNX has no operators for "
                f"{', '.join(self._reasons)}. Call the layer on the texts, and build, train and "
                "export the model from the numbers on; or use `standardize` None or 'lower', "
                "`split` None or 'whitespace', and no `ngrams`."
            )

    @property
    def _on_host(self) -> bool:
        """Whether words are told apart on the host."""
        return len(self._reasons) > 0

    def _call_on_host(self, data: Any) -> npt.NDArray[Any]:
        """Part texts into words, and run the graph of the lookup."""
        return self._lookup(self._tokens(dtypes.to_array(data, "string", "inputs")))

    def _tokens(self, texts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The words of texts, with empty strings behind those of shorter ones."""
        length = self.output_sequence_length
        if self.split is None and self.ngrams is None:
            words = text.standardized(texts, self.standardize)
            if length is None or words.ndim == 0:
                return words
            rows: list[list[str]] = words.reshape(-1, words.shape[-1]).tolist()
            return text.padded(rows, words.shape[:-1], length)
        rows, outer = self._rows(texts)
        return text.padded(rows, outer, length)

    def _rows(self, texts: npt.NDArray[Any]) -> tuple[list[list[str]], tuple[int, ...]]:
        """The words of each text, and the shape of the texts."""
        texts = text.standardized(texts, self.standardize)
        if self.split is None:
            texts = np.atleast_1d(texts)
            outer = texts.shape[:-1]
            rows = texts.reshape(-1, texts.shape[-1]).tolist()
        else:
            if texts.ndim > 1:
                _check_texts(texts.shape)
                texts = texts[..., 0]
            outer = texts.shape
            rows = text.split_tokens(texts, self.split)
        if self.ngrams is not None:
            widths = self.ngrams if isinstance(self.ngrams, list) else range(1, self.ngrams + 1)
            rows = [text.with_ngrams(row, widths) for row in rows]
        return rows, outer

    # Configuration.

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, and the vocabulary that was learned."""
        names = ("max_tokens", "pad_to_max_tokens", "sparse", "vocabulary", "idf_weights")
        inner = self._lookup.get_config()
        held = {name: inner[name] for name in (*names, "has_input_vocabulary") if name in inner}
        size = inner["vocabulary_size"] or self.vocabulary_size()
        return super().get_config() | held | {"vocabulary_size": size}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state of a copy."""
        vars(self).update(state)
        self._lookup._calls = self._calls


def _check_texts(shape: Sequence[Any]) -> None:
    """Refuse texts side by side, whose words would have no place."""
    if shape[-1] != 1:
        raise ValueError(
            "When using `TextVectorization` to tokenize strings, the input rank must be 1 or the "
            f"last shape dimension must be 1. Received: inputs.shape={tuple(shape)} with "
            f"rank={len(shape)}"
        )


def _checked_rule(name: str, rule: Any, legal: Sequence[str]) -> Any:
    if rule is None or callable(rule) or rule in legal:
        return rule
    raise ValueError(
        f"Unknown value for `{name}` argument of TextVectorization. Allowed values are: "
        f"{tuple(legal)}. Received: {name}={rule}"
    )


def _checked_ngrams(ngrams: Any) -> int | list[int] | None:
    if ngrams is None or (isinstance(ngrams, int) and not isinstance(ngrams, bool)):
        return ngrams
    if isinstance(ngrams, list | tuple) and all(isinstance(item, int) for item in ngrams):
        return list(ngrams)
    raise ValueError(
        f"`ngrams` must be None, an integer, or a tuple of integers. Received: ngrams={ngrams}"
    )


def _checked_length(length: int | None, mode: str) -> int | None:
    if mode == "int" and not (length is None or isinstance(length, int)):
        raise ValueError(
            "`output_sequence_length` must be either None or an integer when `output_mode` is "
            f"'int'. Received: output_sequence_length={length}"
        )
    if mode != "int" and length is not None:
        raise ValueError(
            "`output_sequence_length` must not be set if `output_mode` is not 'int'. Received "
            f"output_sequence_length={length}."
        )
    return length
