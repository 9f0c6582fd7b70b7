"""Vocabularies: the tokens of a lookup layer, checked, read from files and learned from data."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx import dtypes, registration

Token = str | int


@dataclass(frozen=True)
class Specials:
    """The places in front of a vocabulary.

    Args:
        mask: token of the first place, where there is one.
        masked: whether there is a place for the mask.
        oov: token that stands for those that are not in the vocabulary.
        oov_count: number of places for those.
        inverted: whether numbers are turned into tokens.
    """

    mask: Token | None
    masked: bool
    oov: Token | None
    oov_count: int
    inverted: bool

    @property
    def tokens(self) -> list[Token | None]:
        """The tokens in these places."""
        return [self.mask] * self.masked + [self.oov] * self.oov_count


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary, with what it was made of.

    Args:
        tokens: its tokens, without the places in front.
        idf: inverse document frequency of each place, those in front included; or None.
        given: the tokens as they were given.
        given_idf: the inverse document frequencies as they were given, or None.
    """

    tokens: list[Token]
    idf: npt.NDArray[Any] | None
    given: list[Token]
    given_idf: list[float] | None


def plain_tokens(vocabulary: Any, dtype: str) -> list[Token]:
    """Return tokens as Python's strings or integers.

    Args:
        vocabulary: list, tuple, or array of one axis.
        dtype: `"string"` or `"int64"`.

    Raises:
        ValueError: if they are none, or not of this dtype.
    """
    array = np.asarray(vocabulary)
    if array.size == 0:
        raise ValueError(f"Cannot set an empty vocabulary. Received: vocabulary={vocabulary}")
    if array.ndim != 1:
        raise ValueError(
            f"A vocabulary must have one axis. Received: vocabulary of shape {array.shape}"
        )
    tokens: list[Token] = dtypes.to_array(array, dtype, "vocabulary").tolist()
    return tokens


def read_tokens(path: str | os.PathLike[str], dtype: str) -> list[Token]:
    """Return the tokens in a file: one in each line, in UTF-8.

    Raises:
        ValueError: if there is no such file, or a line is no integer where integers are wanted; and
            where a model that is loaded in safe mode names it.
    """
    if registration.in_safe_mode(otherwise=False):
        raise ValueError(
            "Requested the loading of a vocabulary file outside of the model archive. This carries "
            "a potential risk of loading arbitrary and sensitive files and thus it is disallowed "
            "by default. If you trust the source of the artifact, you can override this error by "
            "passing `safe_mode=False` to the loading function, or calling "
            f"`seqonnx.config.enable_unsafe_deserialization()`. Vocabulary file: '{path}'"
        )
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"Vocabulary file {path} does not exist.")
    lines = file.read_bytes().decode("utf-8").replace("\r", "").split("\n")
    if lines[-1] == "":
        lines.pop()
    try:
        tokens: list[Token] = [int(line) for line in lines] if dtype == "int64" else list(lines)
    except ValueError as error:
        raise ValueError(f"Vocabulary file {path} must hold integers: {error}") from error
    check_unique(tokens)
    return tokens


def tokens_in(text: str, dtype: str) -> list[Token]:
    """Return the tokens that Keras has written with a model, those of the places in front too.

    Raises:
        ValueError: if a line is no integer where integers are wanted.
    """
    lines = text.split("\n")
    while len(lines) > 0 and lines[-1] == "":
        lines.pop()
    return [int(line) if dtype == "int64" else line for line in lines]


def without_specials(tokens: Sequence[Token], specials: Specials) -> tuple[list[Token], bool]:
    """Return the tokens after the places in front, and whether those were among them.

    Raises:
        ValueError: if a token stands twice, or one of the places in front stands elsewhere.
    """
    front = specials.tokens
    found = list(tokens[: len(front)]) == front
    rest = list(tokens[len(front) :] if found else tokens)
    check_unique(rest)
    _check_apart(tokens, rest, "mask", specials.mask, front)
    if specials.inverted:
        _check_apart(tokens, rest, "OOV", specials.oov, front)
    return rest, found


def check_unique(tokens: Iterable[Token]) -> None:
    """Raise a ValueError if a token stands twice."""
    repeated = [token for token, count in Counter(tokens).items() if count > 1]
    if len(repeated) > 0:
        raise ValueError(
            "The passed vocabulary has at least one repeated term. Please uniquify your dataset. "
            f"The repeated terms are: {repeated}"
        )


def padded_idf(
    weights: Any, given: int, front: int, found: bool, size: int | None
) -> npt.NDArray[Any]:
    """Return the inverse document frequencies of a whole vocabulary.

    Args:
        weights: those of the tokens that were given.
        given: number of these tokens.
        front: number of places in front; without weights of their own they get the average.
        found: whether the places in front were among the tokens.
        size: number of places in all, where there may be more; the rest gets 0.

    Raises:
        ValueError: if there is not one for each token.
    """
    array = np.asarray(weights, np.float32)
    if array.ndim != 1:
        raise ValueError(
            f"TF-IDF data must be a 1-index array. Received: type(idf_weights)={type(weights)}"
        )
    if len(array) != given:
        raise ValueError(
            f"`idf_weights` must be the same length as vocabulary. len(idf_weights) is "
            f"{len(array)}; len(vocabulary) is {given}"
        )
    before = np.full(0 if found else front, array.mean(), np.float32)
    whole = np.concatenate([before, array])
    rest = 0 if size is None else size - len(whole)
    return np.concatenate([whole, np.zeros(rest, np.float32)])


class TokenCounts:
    """How often tokens occur, and in how many documents."""

    def __init__(self) -> None:
        self._counts: Counter[Token] = Counter()
        self._documents: Counter[Token] = Counter()
        self._size = 0

    def add(self, documents: Iterable[Sequence[Token]], *, in_documents: bool) -> None:
        """Count the tokens of documents.

        Args:
            documents: for each its tokens.
            in_documents: whether to count in how many documents each occurs, too.
        """
        for document in documents:
            self._counts.update(document)
            self._size += 1
            if in_documents:
                self._documents.update(set(document))

    def most_common(self, besides: Iterable[Token | None], most: int | None) -> list[Token]:
        """Return the tokens, the most frequent first; of two as frequent the larger one first.

        Args:
            besides: tokens that are left out.
            most: how many at most.
        """
        left = self._counts.keys() - set(besides)
        ordered = sorted(left, key=lambda token: (self._counts[token], token), reverse=True)
        return ordered[:most]

    def idf(self, tokens: Iterable[Token]) -> list[float]:
        """Return log(1 + documents / (1 + documents with the token)) for each token."""
        found = np.array([self._documents[token] for token in tokens])
        weights: list[float] = np.log(1 + self._size / (1 + found)).astype(np.float32).tolist()
        return weights


def _check_apart(
    given: Sequence[Token],
    rest: Sequence[Token],
    label: str,
    token: Token | None,
    front: Sequence[Token | None],
) -> None:
    """Raise a ValueError if a token of the places in front is among the others."""
    if token is None or token not in rest:
        return
    place = max(index for index, each in enumerate(given) if each == token)
    raise ValueError(
        f"Found reserved {label} token at unexpected location in `vocabulary`. Note that passed "
        "`vocabulary` does not need to include the OOV and mask tokens. Either remove all mask "
        "and OOV tokens, or include them only at the start of the vocabulary in precisely this "
        f"order: {list(front)}. Received: {label.lower()}_token={token} at vocabulary index {place}"
    )
