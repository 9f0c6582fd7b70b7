"""Boston housing: 506 districts of the 1970s with 13 numbers each, and the price of a home.

Data: D. Harrison and D. L. Rubinfeld, "Hedonic prices and the demand for clean air", 1978, in the
form that Keras publishes. One of its columns was made to reason with the share of Black people:
prefer `california_housing` for teaching.
"""

from __future__ import annotations

from seqonnx.datasets.published import Pair, check_test_split, of_keras, read_npz, shuffled, split

__all__ = ["load_data"]

_SHA256 = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(
    path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[Pair, Pair]:
    """Load the districts, in the order that Keras has for a seed.

    Args:
        path: name of the copy in the cache (see `utils.get_file`), or the path of a file.
        test_split: share of the districts that go to the test part, 0 <= `test_split` < 1.
        seed: of the order.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float64 of shape `(n, 13)`, and prices in 1,000
        dollars of shape `(n,)`.

    Raises:
        ConnectionError: if the file is not in the cache and cannot be downloaded.
        ValueError: if the file is damaged, or `test_split` is out of range.
    """
    check_test_split(test_split)
    file = read_npz(of_keras(path, "boston_housing.npz", _SHA256))
    x, y = shuffled(seed, file["x"], file["y"])
    return split(x, y, test_split)
