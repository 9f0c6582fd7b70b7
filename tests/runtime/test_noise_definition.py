"""Noise is what its definition says, in Python's integers, on the published page, in JavaScript."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from seqonnx.runtime.noise import uniform_noise

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how_it_works.md").read_text("utf-8")
PUBLISHED = [
    tuple(map(int, row.strip("| ").split("|")))
    for row in re.findall(r"^(?:\| \d+ ){6}\|$", PAGE, re.MULTILINE)
]
"""Rows of seed, stream, step, sample, element, and the number times 2**24."""
WORD = 2**32
GOLDEN = 0x9E3778C1

# Longer and shorter samples than are computed at a time, with rests, and no batch at all.
SHAPES = [(), (5,), (3, 70_000), (2, 65_536), (70_000, 3), (7, 10_000), (4, 3, 2, 5), (70_000,)]


def mix(x: int, key: int = 0) -> int:
    x = ((x ^ x >> 17) * 0xED5AD4BB % WORD) ^ key
    x = (x ^ x >> 11) * 0xAC4C1B51 % WORD
    x = (x ^ x >> 15) * 0x31848BAB % WORD
    return x ^ x >> 14


def key(start: int, words: tuple[int, ...]) -> int:
    for word in words:
        start = mix(start ^ word)
    return start


def number(seed: int, stream: int, step: int, sample: int, element: int) -> int:
    """The definition: the number times 2**24."""
    words = (seed % WORD, seed // WORD, stream, step)
    counter = GOLDEN * (element + GOLDEN * sample)
    return mix((key(1, words) + counter) % WORD, key(2, words)) >> 8


@pytest.mark.parametrize("row", PUBLISHED, ids=str)
def test_published_numbers_follow_from_the_definition(row):
    assert number(*row[:-1]) == row[-1]


@pytest.mark.parametrize("row", [row for row in PUBLISHED if row[4] < 2**22], ids=str)
def test_published_numbers_are_drawn(row):
    seed, stream, step, sample, element, expected = row
    noise = uniform_noise(seed, step, stream, (1, element + 1), first_sample=sample)
    assert noise[0, element] * 2**24 == expected


def test_there_are_published_numbers():
    assert len(PUBLISHED) >= 10


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_has_the_numbers_of_the_definition(shape):
    seed, stream, step, first = 2**40 + 3, 2, 11, 5
    noise = uniform_noise(seed, step, stream, shape, first_sample=first)
    assert noise.shape == shape
    samples = shape[0] if shape else 1
    rows = noise.reshape(samples, -1)
    picked = np.random.default_rng(0).integers(0, rows.size, 300)
    edges = [0, rows.size - 1, *(np.array([65_535, 65_536]) % rows.size)]
    for at in map(int, [*picked, *edges]):
        sample, element = divmod(at, rows.shape[1])
        expected = number(seed, stream, step, first + sample, element)
        assert rows[sample, element] * 2**24 == expected, at


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the JavaScript of the page")
def test_javascript_of_the_page_has_the_same_bits():
    (code,) = re.findall(r"^```js\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    seed, stream, step, first = 2**62 + 17, 3, 2**31 + 5, 2**20
    noise = uniform_noise(seed, step, stream, (20, 50), first_sample=first)
    places = [(s, e) for s in range(20) for e in range(50)]
    ours = [((seed, stream, step, first + s, e), float(noise[s, e])) for s, e in places]
    ours += [(row[:-1], row[-1] / 2**24) for row in PUBLISHED]
    rows = [
        [[seed % WORD, seed // WORD, stream, step], sample, element]
        for (seed, stream, step, sample, element), _ in ours
    ]
    program = f"{code}\nconsole.log(JSON.stringify({json.dumps(rows)}.map((r) => uniform(...r))))"
    printed = subprocess.check_output(["node", "-e", program], text=True, timeout=60)
    assert json.loads(printed) == [value for _, value in ours]
