"""Reuters: 11,228 news of 1987 as numbers of words, and which of 46 topics they are about.

Data: Reuters-21578, in the form that Keras publishes.
"""

from __future__ import annotations

from typing import cast

from seqonnx.datasets.published import Pair, of_keras, read_json, read_npz, shuffled, split
from seqonnx.datasets.words import WordIndex, array_of, short_enough

__all__ = ["get_label_names", "get_word_index", "load_data"]

_SHA256 = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
_WORDS_MD5 = "4d44cc38712099c9e383dc6e5f11a921"


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[Pair, Pair]:
    """Load the news, in the order that Keras has for a seed.

    Args:
        path: name of the copy in the cache (see `utils.get_file`), or the path of a file.
        num_words: words of this number and above are replaced; None for no limit.
        skip_top: words below this number are replaced.
        maxlen: texts of this length and longer are left out; None for no limit.
        test_split: share of the texts that go to the test part.
        seed: of the order.
        start_char: put before each text; None for nothing.
        oov_char: put in the place of a word that is replaced; None to leave the word out.
        index_from: added to the number of each word.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists of numbers, and the number of the
        topic of each, see `get_label_names`.

    Raises:
        ConnectionError: if the file is not in the cache and cannot be downloaded.
        ValueError: if the file is damaged, or `maxlen` leaves no text.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data(num_words=5000)  # doctest: +SKIP
    """
    file = read_npz(of_keras(path, "reuters.npz", _SHA256))
    texts, labels = shuffled(seed, file["x"], file["y"])
    words = WordIndex(num_words, skip_top, start_char, oov_char, index_from)
    kept, wanted = short_enough(words.marked(texts), labels, maxlen)
    return split(array_of(words.limited(kept)), wanted, test_split)


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """Load the numbers of the words, without `index_from`.

    Args:
        path: name of the copy in the cache, or the path of a file.
    """
    file = of_keras(path, "reuters_word_index.json", _WORDS_MD5)
    return cast("dict[str, int]", read_json(file))


def get_label_names() -> tuple[str, ...]:
    """Return the names of the 46 topics, in the order of their numbers."""
    return (
        *("cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing"),
        *("money-supply", "coffee", "sugar", "trade", "reserves", "ship", "cotton", "carcass"),
        *("crude", "nat-gas", "cpi", "money-fx", "interest", "gnp", "meal-feed", "alum"),
        *("oilseed", "gold", "tin", "strategic-metal", "livestock", "retail", "ipi"),
        *("iron-steel", "rubber", "heat", "jobs", "lei", "bop", "zinc", "orange", "pet-chem"),
        *("dlr", "gas", "silver", "wpi", "hog", "lead"),
    )
