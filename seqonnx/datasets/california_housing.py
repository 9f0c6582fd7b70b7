"""California housing: 20,640 districts of 1990 with 8 numbers each, and the price of a home.

Data: R. K. Pace and R. Barry, "Sparse spatial autoregressions", 1997, in the form that Keras
publishes.
"""

from __future__ import annotations

from seqonnx.datasets.published import Pair, check_test_split, of_keras, read_npz, shuffled, split

__all__ = ["load_data"]

_SHA256 = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
_SMALL = 600


def load_data(
    version: str = "large",
    path: str = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> tuple[Pair, Pair]:
    """Load the districts, in the order that Keras has for a seed.

    Args:
        version: `"large"` for all, `"small"` for the first 600.
        path: name of the copy in the cache (see `utils.get_file`), or the path of a file.
        test_split: share of the districts that go to the test part, 0 <= `test_split` < 1.
        seed: of the order.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: features of shape `(n, 8)`, and prices in dollars
        of shape `(n,)`.

    Raises:
        ConnectionError: if the file is not in the cache and cannot be downloaded.
        ValueError: if the file is damaged, or an argument is not legal.
    """
    check_test_split(test_split)
    if version not in {"small", "large"}:
        raise ValueError(
            f"Argument `version` must be one of 'small', 'large'. Received: version={version}"
        )
    file = read_npz(of_keras(path, "california_housing.npz", _SHA256))
    count = _SMALL if version == "small" else None
    x, y = shuffled(seed, file["x"][:count], file["y"][:count])
    return split(x, y, test_split)
