"""IMDB: 50,000 reviews of films as numbers of words, and whether they praise.

Data: A. L. Maas et al., "Learning Word Vectors for Sentiment Analysis", 2011; the form that Keras
publishes.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from seqonnx.datasets.published import Pair, of_keras, read_json, read_npz
from seqonnx.datasets.words import WordIndex, array_of, short_enough

__all__ = ["get_word_index", "load_data"]

_SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
_WORDS_MD5 = "bfafd718b763782e994055a2d397834f"


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[Pair, Pair]:
    """Load the reviews, in the order that Keras has for a seed.

    Words are numbered by how frequent they are.

    Args:
        path: name of the copy in the cache (see `utils.get_file`), or the path of a file.
        num_words: words of this number and above are replaced; None for no limit.
        skip_top: words below this number are replaced.
        maxlen: reviews of this length and longer are left out; None for no limit.
        seed: of the order.
        start_char: put before each review; None for nothing.
        oov_char: put in the place of a word that is replaced; None to leave the word out.
        index_from: added to the number of each word.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of 25,000 lists of numbers, and labels 0
        (blame) and 1 (praise).

    Raises:
        ConnectionError: if the file is not in the cache and cannot be downloaded.
        ValueError: if the file is damaged, or `maxlen` leaves no review.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data(num_words=5000)  # doctest: +SKIP
    """
    file = read_npz(of_keras(path, "imdb.npz", _SHA256))
    words = WordIndex(num_words, skip_top, start_char, oov_char, index_from)
    # One generator draws both orders, as in Keras.
    generator = np.random.RandomState(seed)
    texts, labels = [], []
    for part in ("train", "test"):
        order = np.arange(len(file[f"x_{part}"]))
        generator.shuffle(order)
        marked = words.marked(file[f"x_{part}"][order])
        kept, wanted = short_enough(marked, file[f"y_{part}"][order], maxlen)
        texts.append(kept)
        labels.append(wanted)
    limited = words.limited(texts[0] + texts[1])
    count = len(texts[0])
    return (array_of(limited[:count]), labels[0]), (array_of(limited[count:]), labels[1])


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """Load the numbers of the words, without `index_from`.

    Args:
        path: name of the copy in the cache, or the path of a file.

    Example:
        >>> get_word_index()["film"]  # doctest: +SKIP
        19
    """
    file = of_keras(path, "imdb_word_index.json", _WORDS_MD5)
    return cast("dict[str, int]", read_json(file))
