"""IntegerLookup: integers become their numbers in a vocabulary, and back."""

from __future__ import annotations

from typing import Any, Unpack

from seqonnx.catalogue import register
from seqonnx.layers.options import UnnamedOptions
from seqonnx.layers.preprocessing.index_lookup import IndexLookup


@register("layer")
class IntegerLookup(IndexLookup):
    """Integers as their numbers in a vocabulary, which is given or learned by `adapt`.

    As `StringLookup` does it for strings.

    Args:
        max_tokens: most places of the vocabulary, with those in front; None for any number.
        num_oov_indices: places for unknown integers; see `oov_method`. With 0 an unknown integer
            is an error.
        mask_token: integer that stands for nothing: number 0 in the mode `"int"`, else left out.
        oov_token: what an inverted layer gives for a number that is not in the vocabulary.
        vocabulary: integers, or the path of a text file with one in each line.
        vocabulary_dtype: must be `"int64"`.
        idf_weights: inverse document frequency of each, for the mode `"tf_idf"`.
        invert: whether numbers become the integers of the vocabulary.
        output_mode: see `StringLookup`.
        sparse: must be False: ONNX Runtime computes with dense tensors.
        pad_to_max_tokens: whether vectors have `max_tokens` places, however many integers there
            are.
        oov_method: which of several places an unknown integer gets: `"floormod"`: the rest of
            its division by their number; `"farmhash"`: by a hash of it, written out. ONNX has no
            hash, so that such a layer is called on arrays only.
        salt: one or two integers: the key of SipHash, which then takes FarmHash's place.
        name: see `Layer`.
        vocabulary_size: places of a vocabulary that is yet to come.
        has_input_vocabulary: False where `adapt` may replace the vocabulary that is given.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not one of those named, or excludes another.

    Example:
        >>> IntegerLookup(vocabulary=[12, 36])([[36, 5]]).tolist()
        [[2, 0]]
    """

    _data_dtype = "int64"

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        *,
        vocabulary_size: int | None = None,
        has_input_vocabulary: bool | None = None,
        **kwargs: Unpack[UnnamedOptions],
    ) -> None:
        _check_sizes(max_tokens, num_oov_indices)
        if vocabulary_dtype != "int64":
            raise ValueError(
                "Only `vocabulary_dtype='int64'` is supported at this time. Received: "
                f"vocabulary_dtype={vocabulary_dtype}"
            )
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary_dtype,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            sparse,
            pad_to_max_tokens,
            oov_method,
            salt,
            vocabulary_size,
            has_input_vocabulary,
            name=name,
            **kwargs,
        )


def _check_sizes(max_tokens: int | None, num_oov_indices: int) -> None:
    """Refuse sizes in the words of this layer."""
    if max_tokens is not None and max_tokens <= 1:
        raise ValueError(
            "If `max_tokens` is set for `IntegerLookup`, it must be greater than 1. "
            f"Received: max_tokens={max_tokens}"
        )
    if num_oov_indices < 0:
        raise ValueError(
            "The value of `num_oov_indices` argument for `IntegerLookup` must >= 0. Received: "
            f"num_oov_indices={num_oov_indices}"
        )
