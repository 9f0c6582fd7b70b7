"""Handwritten digits, 8 x 8: the data set that needs no download.

Data: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, 1998, https://doi.org/10.24432/C50P49, licensed CC BY 4.0. The package carries the
1,797 images of its test part, unchanged in value (`digits.npz`, made by
`tools/refresh/make_digits.py`).
"""

from __future__ import annotations

from importlib import resources
from typing import cast

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


def load_digits(
    test_split: float = 0.2, seed: int = 0
) -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    """Load the UCI handwritten digits, split for training and testing as Keras data sets are.

    The split is stratified: every class has the same share of test images, to within one image.
    It depends on `test_split` and `seed` alone, not on the machine or the version of NumPy. Both
    parts come shuffled.

    Args:
        test_split: share of the 1,797 images that go to the test part, 0 <= `test_split` < 1.
        seed: an integer >= 0 that chooses which images they are, and the order of both parts.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. Images are `uint8` of shape `(n, 8, 8)` with
        values 0 (paper) to 16 (ink); labels are `int64` of shape `(n,)` with values 0 to 9.

    Raises:
        ValueError: if `test_split` is not in [0, 1) or `seed` is not an integer >= 0.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_digits()
        >>> x_train.shape, x_test.shape
        ((1438, 8, 8), (359, 8, 8))
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"`test_split` must be in [0, 1). Received: test_split={test_split!r}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"`seed` must be a non-negative integer. Received: seed={seed!r}")
    images, labels = _read()
    train, test = _stratified_split(labels, test_split, int(seed))
    return (images[train], labels[train]), (images[test], labels[test])


def _read() -> tuple[Images, Labels]:
    """All images and labels, in the order in which UCI publishes them."""
    with (
        resources.files(__package__).joinpath("digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as data,
    ):
        return cast(Images, data["x"]), data["y"].astype(np.int64)


def _stratified_split(
    labels: Labels, test_split: float, seed: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Indices of the training and the test samples, each in random order.

    Samples are lined up class by class, shuffled within the class, and the test samples are taken
    at regular distances along that line (systematic sampling), which gives every class its share.
    """
    # Raw bits are the one part of NumPy's generators whose values are promised never to change.
    keys = np.random.PCG64(seed).random_raw(2 * len(labels)).reshape(2, -1)
    line = np.lexsort((keys[0], labels))
    taken = np.floor(np.arange(len(labels) + 1) * test_split + 0.5)
    is_test = np.zeros(len(labels), dtype=bool)
    is_test[line[np.diff(taken) > 0]] = True
    order = np.argsort(keys[1], kind="stable")
    return order[~is_test[order]], order[is_test[order]]
