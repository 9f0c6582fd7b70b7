"""Texts as lists of numbers of words: marked, limited to frequent words and to a length."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Text = list[int]


@dataclass(frozen=True)
class WordIndex:
    """Which words of a text count, and how; the arguments of `load_data`.

    Args:
        num_words: words of this number and above are replaced; None for those of the largest.
        skip_top: words below this number are replaced.
        start_char: put before each text; None for nothing.
        oov_char: put in the place of a word that is replaced; None to leave the word out.
        index_from: added to the number of each word.
    """

    num_words: int | None
    skip_top: int
    start_char: int | None
    oov_char: int | None
    index_from: int

    def marked(self, texts: Iterable[Any]) -> list[Text]:
        """Return texts with their words counted from `index_from`, and a mark at their start."""
        if self.start_char is not None:
            return [[self.start_char, *(word + self.index_from for word in t)] for t in texts]
        return [[word + self.index_from for word in text] for text in texts]

    def limited(self, texts: list[Text]) -> list[Text]:
        """Return texts without the words that do not count."""
        # As in Keras, the most seldom word of all is replaced where there is no limit.
        most = self.num_words or max(max(text) for text in texts)
        if self.oov_char is None:
            return [[w for w in text if self.skip_top <= w < most] for text in texts]
        return [[w if self.skip_top <= w < most else self.oov_char for w in t] for t in texts]


def short_enough(
    texts: list[Text], labels: npt.NDArray[Any], maxlen: int | None
) -> tuple[list[Text], npt.NDArray[Any]]:
    """Return the texts shorter than `maxlen` with their labels.

    Raises:
        ValueError: if there are none.
    """
    if not maxlen:
        return texts, labels
    kept = [index for index, text in enumerate(texts) if len(text) < maxlen]
    if len(kept) == 0:
        raise ValueError(
            f"After filtering for sequences shorter than maxlen={maxlen}, no sequence was kept. "
            "Increase maxlen."
        )
    return [texts[index] for index in kept], labels[kept]


def array_of(texts: list[Text]) -> npt.NDArray[np.object_]:
    """Return an array of lists."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array
