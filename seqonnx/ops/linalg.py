"""Functions of linear algebra. Keras's names."""

from typing import Any, Final

from seqonnx.ops.face import function
from seqonnx.ops.missing import MISSING

_KERAS: Final = """
    cholesky cholesky_inverse det eig eigh inv jvp lstsq lu_factor matrix_rank norm pinv qr
    solve solve_triangular svd
"""

__all__ = [name for name in _KERAS.split() if name not in MISSING]


def __getattr__(name: str) -> Any:
    return function(name, __name__)


def __dir__() -> list[str]:
    return __all__
