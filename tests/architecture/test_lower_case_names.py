"""Classes go by Keras's names in lower case, too."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx import constraints, regularizers

W = np.array([[3.0, -1.0], [4.0, 0.5]], np.float32)


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (constraints.max_norm(2.5), W * [0.5, 1.0]),
        (constraints.min_max_norm(2.0, 2.5), W * [0.5, 2 / np.sqrt(1.25)]),
        (constraints.non_neg(), np.maximum(W, 0)),
        (constraints.unit_norm(), W / np.linalg.norm(W, axis=0)),
    ],
)
def test_constraints(constraint, expected):
    np.testing.assert_allclose(constraint(W), expected, rtol=1e-5)


def test_regularizers():
    rows = W / np.linalg.norm(W, axis=1, keepdims=True)
    expected = 0.1 * abs(rows[0] @ rows[1])
    assert float(regularizers.orthogonal_regularizer(0.1)(W)) == pytest.approx(expected, rel=1e-5)
