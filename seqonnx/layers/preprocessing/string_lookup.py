"""StringLookup: strings become their numbers in a vocabulary, and back."""

from __future__ import annotations

import codecs
from typing import Any, Unpack

from seqonnx.catalogue import register
from seqonnx.layers.options import UnnamedOptions
from seqonnx.layers.preprocessing.index_lookup import IndexLookup


@register("layer")
class StringLookup(IndexLookup):
    """Strings as their numbers in a vocabulary, which is given or learned by `adapt`.

    In front stand a place for `mask_token` (in the output mode `"int"`, if there is one) and
    `num_oov_indices` places for strings that are not in the vocabulary.

    A layer is called on arrays of strings, or is part of a model after
    `Input(dtype="string")`, whose file then holds a LabelEncoder of the domain `ai.onnx.ml`.
    With `num_oov_indices` above 1 it is called on arrays only: ONNX has no hash.

    Args:
        max_tokens: most places of the vocabulary, with those in front; None for any number.
        num_oov_indices: places for unknown strings; with several, FarmHash says which one it is.
            With 0 an unknown string is an error.
        mask_token: string that stands for nothing: number 0 in the mode `"int"`, else left out.
        oov_token: what an inverted layer gives for a number that is not in the vocabulary.
        vocabulary: strings, or the path of a text file with one in each line.
        idf_weights: inverse document frequency of each, for the mode `"tf_idf"`.
        invert: whether numbers become strings.
        output_mode: `"int"` (int64); or vectors with a place for each string: `"one_hot"` of each
            element, `"multi_hot"`, `"count"` and `"tf_idf"` of all along axis 1.
        pad_to_max_tokens: whether vectors have `max_tokens` places, however many strings there are.
        sparse: must be False: ONNX Runtime computes with dense tensors.
        encoding: must be UTF-8, as which bytes are decoded.
        name: see `Layer`.
        salt: one or two integers: the key of SipHash, which then takes FarmHash's place.
        oov_method: has no meaning for strings, which are always hashed.
        vocabulary_size: places of a vocabulary that is yet to come.
        has_input_vocabulary: False where `adapt` may replace the vocabulary that is given.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not one of those named, or excludes another.

    Example:
        >>> StringLookup(vocabulary=["a", "b"])([["b", "z"]]).tolist()
        [[2, 0]]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        *,
        oov_method: str = "floormod",
        vocabulary_size: int | None = None,
        has_input_vocabulary: bool | None = None,
        **kwargs: Unpack[UnnamedOptions],
    ) -> None:
        self.encoding = checked_encoding(encoding)
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            "string",
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
        self._data_dtype = "int64" if self.invert else "string"

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, and the vocabulary that was learned."""
        config = super().get_config()
        return {key: value for key, value in config.items() if key != "vocabulary_dtype"}


def checked_encoding(encoding: str) -> str:
    """Refuse another encoding than UTF-8.

    Raises:
        ValueError: for another one.
    """
    if codecs.lookup(encoding).name != "utf-8":
        raise ValueError(
            "Strings are Unicode, and bytes are decoded as UTF-8. Decode bytes of another "
            f"encoding first, such as by `numpy.char.decode`. Received: encoding={encoding}"
        )
    return encoding
