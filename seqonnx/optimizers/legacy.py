"""The optimizers of Keras 2 by their names, which refuse to be made, as in Keras 3."""

from __future__ import annotations

from typing import Any


class LegacyOptimizer:
    """An optimizer of Keras 2, which neither Keras 3 nor seqonnx has.

    Args:
        *args: what the optimizer of Keras 2 took.
        **kwargs: the same.

    Raises:
        ImportError: always.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ImportError(
            "`optimizers.legacy` has only the names of Keras 2's optimizers, as in Keras 3. Use "
            "the optimizer of the same name in `seqonnx.optimizers`. Received: "
            f"args={args}, kwargs={kwargs}"
        )


SGD = Adam = Adagrad = Ftrl = RMSprop = Optimizer = LegacyOptimizer
"""The names of Keras 2."""

__all__ = ["SGD", "Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop"]


def __dir__() -> list[str]:
    return sorted(__all__)
