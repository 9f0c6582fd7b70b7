"""Text into tokens: on the host by any rule, and as ONNX operators as far as these go.

Letters are those of ASCII where they are made lower, and whitespace is that of ASCII where it
parts words, as in TensorFlow; so a file gives the same tokens on every machine and in every
locale.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.preprocessing.categories import shaped

Rule = str | Callable[[Any], Any] | None
"""The name of a rule, one of the user's own, or None for none."""

_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_NO_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)
_LOWER_NO_PUNCTUATION: Final = _LOWER | _NO_PUNCTUATION
_STANDARDIZE: Final = {
    "lower": _LOWER,
    "strip_punctuation": _NO_PUNCTUATION,
    "lower_and_strip_punctuation": _LOWER_NO_PUNCTUATION,
}
STANDARDIZE: Final = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
SPLIT: Final = ("whitespace", "character")
_WORDS: Final = re.compile(r"[^ \t\n\v\f\r]+")
_BREAKS: Final = "\t\n\v\f\r"
"""Whitespace besides the space, at which ONNX Runtime's operator does not part words."""
_MANY: Final = 1 << 30
_LOCALE: Final = "C"
"""The locale that every machine has."""


def standardized(texts: npt.NDArray[Any], rule: Rule) -> npt.NDArray[Any]:
    """Return texts by a rule of standardization.

    Args:
        texts: array of strings.
        rule: one of `STANDARDIZE`; a function of an array of strings; or None.
    """
    if rule is None:
        return texts
    if callable(rule):
        made = np.asarray(rule(texts.astype(str)))
        return np.array([_text(each) for each in made.flat], object).reshape(made.shape)
    table = _STANDARDIZE[rule]
    return np.array([text.translate(table) for text in texts.flat], object).reshape(texts.shape)


def split_tokens(texts: npt.NDArray[Any], rule: Rule) -> list[list[str]]:
    """Return the tokens of each text.

    Args:
        texts: array of strings, of any rank.
        rule: `"whitespace"`, `"character"`, or a function of an array of strings that returns a
            sequence of tokens for each.
    """
    flat = texts.reshape(-1)
    if rule == "whitespace":
        return [_WORDS.findall(text) for text in flat]
    if rule == "character":
        return [list(text) for text in flat]
    assert callable(rule)
    made = rule(flat.astype(str))
    listed = getattr(made, "to_list", getattr(made, "tolist", made.__iter__))()
    return [[_text(token) for token in tokens] for tokens in listed]


def with_ngrams(tokens: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return the runs of so many tokens, those of each width in turn, joined by spaces.

    Example:
        >>> with_ngrams(["a", "b", "c"], (1, 2))
        ['a', 'b', 'c', 'a b', 'b c']
    """
    return [
        " ".join(tokens[start : start + width])
        for width in widths
        for start in range(len(tokens) - width + 1)
    ]


def padded(
    rows: Sequence[Sequence[str]], outer: Sequence[int], length: int | None
) -> npt.NDArray[Any]:
    """Return rows of tokens as an array, with empty strings behind the shorter ones.

    Args:
        rows: tokens of each text.
        outer: shape of the texts.
        length: size of the last axis; None for the longest row.
    """
    size = max(map(len, rows), default=0) if length is None else length
    array = np.full((len(rows), size), "", object)
    for place, row in enumerate(rows):
        array[place, : len(row)] = row[:size]
    return array.reshape(*outer, size)


def emit_lower(op: Emitter, texts: ir.Value) -> ir.Value:
    """Emit texts of any shape with ASCII's letters made lower."""
    shape = op.Shape(texts)
    # The operator refuses to be given nothing, so it gets one text more.
    more = op.constant(np.array([""], object), "empty")
    flat = op.Concat(op.Reshape(texts, [-1]), more, axis=0)
    lower = op.StringNormalizer(flat, case_change_action="LOWER", locale=_LOCALE)
    result: ir.Value = op.Reshape(op.Slice(lower, [0], [-1], [0]), shape)
    result.shape = ir.Shape(static_shape(texts))
    return result


def emit_words(op: Emitter, texts: ir.Value) -> ir.Value:
    """Emit the words of each text along a new last axis, with empty strings between and behind."""
    rank = len(static_shape(texts))
    tokens = texts
    for character in _BREAKS:
        tokens, _ = op.StringSplit(tokens, delimiter=character, _outputs=2)
    tokens, _ = op.StringSplit(tokens, _outputs=2)
    shape = op.Shape(tokens)
    inner = op.ReduceProd(op.Slice(shape, [rank], [_MANY], [0]), keepdims=1)
    words: ir.Value = op.Reshape(tokens, op.Concat(op.Shape(texts), inner, axis=0), allowzero=1)
    words.shape = ir.Shape([*static_shape(texts), None])
    return words


def emit_packed(op: Emitter, numbers: ir.Value, length: int | None) -> ir.Value:
    """Emit rows of numbers with the zeros moved behind the others.

    Args:
        op: emitter of the graph.
        numbers: numbers of tokens, 0 for none; int64.
        length: size of the last axis; None for the largest count of others than zero.
    """
    zero = op.constant(np.zeros(1, np.int64), "zero")
    outer = op.Shape(numbers, start=0, end=-1)
    size = op.Shape(numbers, start=-1)
    valid = op.cast(op.Not(op.Equal(numbers, 0)), "int64")
    place = op.Sub(op.CumSum(valid, -1), 1)
    place = op.Where(op.Equal(valid, 1), place, size)
    more = size if length is None else op.Max(size, length)
    zeros = op.Expand(zero, op.Concat(outer, op.Add(more, 1), axis=0))
    packed = op.ScatterElements(zeros, place, numbers, axis=-1)
    shape = static_shape(numbers)[:-1]
    if length is not None:
        return shaped(op, op.Slice(packed, [0], [length], [-1]), (*shape, length))
    counts = op.Concat(op.Reshape(op.ReduceSum(valid, [-1], keepdims=0), [-1]), zero, axis=0)
    result: ir.Value = op.Slice(packed, [0], op.ReduceMax(counts, keepdims=1), [-1])
    result.shape = ir.Shape([*shape, None])
    return result


def emit_length(op: Emitter, numbers: ir.Value, length: int) -> ir.Value:
    """Emit rows of numbers cut off at a length, or with zeros behind them."""
    outer = op.Shape(numbers, start=0, end=-1)
    zero = op.constant(np.zeros(1, np.int64), "zero")
    zeros = op.Expand(zero, op.Concat(outer, [length], axis=0))
    joined = op.Concat(numbers, zeros, axis=-1)
    shape = (*static_shape(numbers)[:-1], length)
    return shaped(op, op.Slice(joined, [0], [length], [-1]), shape)


def _text(token: Any) -> str:
    return token.decode("utf-8") if isinstance(token, bytes) else str(token)
