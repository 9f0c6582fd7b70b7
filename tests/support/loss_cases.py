"""Calls of losses whose results in Keras are recorded in `tests/losses/keras_losses.json`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_rng = np.random.default_rng(7)
N, T, C = 6, 4, 5


def _softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _unit(x: Any) -> Any:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


_X = _rng.normal(size=(N, C))
_X3 = _rng.normal(size=(3, T, C))
_LABELS = _rng.integers(0, C, N)
_LABELS3 = _rng.integers(0, C, (3, T))

DATA = {
    "numbers": (_rng.normal(size=(N, C)), _X),
    "positive": (np.abs(_rng.normal(size=(N, C))), np.abs(_X) + 0.1),
    "cube": (_rng.normal(size=(3, T, C)), _X3),
    "column": (_rng.normal(size=N), _X[:, :1]),
    "bits": (_rng.integers(0, 2, (N, C)).astype(float), 1 / (1 + np.exp(-_X))),
    "bits, logits": (_rng.integers(0, 2, (N, C)).astype(float), _X),
    "bits of maps": (
        _rng.integers(0, 2, (3, T, C)).astype(float),
        1 / (1 + np.exp(-_X3)),
    ),
    "one-hot": (np.eye(C)[_LABELS], 2 * _softmax(_X)),
    "one-hot, logits": (np.eye(C)[_LABELS], _X),
    "one-hot in the middle": (
        np.moveaxis(np.eye(T)[_rng.integers(0, T, (3, C))], -1, 1),
        _softmax(_X3, 1),
    ),
    "one-hot in the middle, logits": (
        np.moveaxis(np.eye(T)[_rng.integers(0, T, (3, C))], -1, 1),
        _X3,
    ),
    "labels": (_LABELS, _softmax(_X)),
    "labels, logits": (_LABELS[:, None], _X),
    "labels of steps": (_LABELS3, _softmax(_X3)),
    "labels in the middle": (_rng.integers(0, T, (3, C)), _softmax(_X3, 1)),
    "distributions": (_softmax(_rng.normal(size=(N, C))), _softmax(_X)),
    "embeddings": (np.array([0, 1, 0, 2, 1, 0]), _unit(_X)),
    "embeddings, some alone": (np.array([0, 1, 0, 2, 3, 4]), _unit(_X)),
    "texts": (
        np.array([[1, 2, 0], [3, 3, 1], [4, 0, 0]]),
        _rng.normal(size=(3, 7, C)),
    ),
}
"""Targets and predictions."""

WEIGHTS = {
    "per sample": np.array([1.0, 2.0, 0.0, 0.5, 1.0, 3.0]),
    "per step": _rng.uniform(size=(3, T)),
    "of three": np.array([1.0, 0.0, 2.0]),
    "column": np.array([[1.0], [2.0], [0.0], [0.5], [1.0], [3.0]]),
}


class Case(NamedTuple):
    """A call: the class, its arguments, the data and the weights."""

    name: str
    arguments: dict[str, Any]
    data: str
    weight: str | None = None

    @property
    def id(self) -> str:
        arguments = ", ".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.name}({arguments}) of {self.data}, {self.weight}"


_ELEMENTWISE = {
    "MeanSquaredError": "numbers",
    "MeanAbsoluteError": "numbers",
    "MeanAbsolutePercentageError": "numbers",
    "MeanSquaredLogarithmicError": "positive",
    "LogCosh": "numbers",
    "Huber": "numbers",
    "CosineSimilarity": "numbers",
    "Poisson": "positive",
    "KLDivergence": "distributions",
    "Hinge": "bits, logits",
    "SquaredHinge": "bits, logits",
    "CategoricalHinge": "one-hot, logits",
    "BinaryCrossentropy": "bits",
    "BinaryFocalCrossentropy": "bits",
    "CategoricalCrossentropy": "one-hot",
    "CategoricalFocalCrossentropy": "one-hot",
    "CategoricalGeneralizedCrossEntropy": "labels",
    "SparseCategoricalCrossentropy": "labels",
    "Circle": "embeddings",
    "Dice": "bits",
    "Tversky": "bits",
}
_REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)

CASES = [
    *(Case(name, {}, data) for name, data in _ELEMENTWISE.items()),
    *(Case(name, {}, data, "per sample") for name, data in _ELEMENTWISE.items()),
    *(
        Case(name, {"reduction": reduction}, data, weight)
        for name, data in (
            ("MeanSquaredError", "numbers"),
            ("BinaryFocalCrossentropy", "bits"),
            ("SparseCategoricalCrossentropy", "labels"),
            ("Circle", "embeddings, some alone"),
            ("Dice", "bits"),
        )
        for reduction in _REDUCTIONS
        for weight in (None, "per sample")
    ),
    Case("CTC", {}, "texts"),
    Case("CTC", {"reduction": "sum"}, "texts", "of three"),
    Case("CTC", {"reduction": None}, "texts"),
    Case("Huber", {"delta": 0.3, "dtype": "float64"}, "numbers"),
    Case("MeanSquaredError", {"dtype": "float16", "reduction": "none"}, "numbers"),
    Case("MeanSquaredError", {"dtype": "mixed_float16"}, "numbers", "per sample"),
    Case("CategoricalCrossentropy", {"dtype": "float64"}, "one-hot"),
    Case("SparseCategoricalCrossentropy", {"dtype": "float64"}, "labels"),
    Case("MeanSquaredError", {}, "column"),
    Case("MeanSquaredError", {}, "column", "column"),
    Case("MeanSquaredError", {}, "cube", "per step"),
    Case("CosineSimilarity", {"axis": 1}, "cube"),
    Case("CosineSimilarity", {"axis": 0, "reduction": None}, "numbers"),
    Case("BinaryCrossentropy", {"axis": 1, "reduction": None}, "bits of maps"),
    Case("BinaryCrossentropy", {"axis": [1, 2]}, "bits of maps", "of three"),
    Case("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "bits, logits"),
    Case("BinaryFocalCrossentropy", {"from_logits": True, "gamma": 1.5}, "bits, logits"),
    Case("BinaryFocalCrossentropy", {"gamma": 0.0}, "bits"),
    Case(
        "BinaryFocalCrossentropy",
        {"apply_class_balancing": True, "alpha": 0.4, "label_smoothing": 0.2, "axis": 1},
        "bits of maps",
    ),
    Case("CategoricalCrossentropy", {"axis": 1, "reduction": None}, "one-hot in the middle"),
    Case(
        "CategoricalCrossentropy", {"axis": 1, "from_logits": True}, "one-hot in the middle, logits"
    ),
    Case("CategoricalCrossentropy", {"label_smoothing": 0.1}, "one-hot"),
    Case("CategoricalFocalCrossentropy", {"from_logits": True, "gamma": 3.0}, "one-hot, logits"),
    Case(
        "CategoricalFocalCrossentropy",
        {"alpha": [0.1, 0.2, 0.3, 0.4, 0.5], "label_smoothing": 0.1},
        "one-hot",
    ),
    Case("CategoricalFocalCrossentropy", {"axis": 1, "gamma": 0.0}, "one-hot in the middle"),
    Case("CategoricalGeneralizedCrossEntropy", {"q": 0.8, "reduction": None}, "labels"),
    Case("SparseCategoricalCrossentropy", {"from_logits": True}, "labels, logits"),
    Case("SparseCategoricalCrossentropy", {"ignore_class": 2}, "labels of steps"),
    Case("SparseCategoricalCrossentropy", {"ignore_class": 2}, "labels of steps", "per step"),
    Case(
        "SparseCategoricalCrossentropy", {"ignore_class": 2, "reduction": "none"}, "labels of steps"
    ),
    Case("SparseCategoricalCrossentropy", {"axis": 1, "reduction": None}, "labels in the middle"),
    Case("SparseCategoricalCrossentropy", {"axis": 1, "ignore_class": 0}, "labels in the middle"),
    Case("Circle", {"gamma": 2.0, "margin": 0.2, "remove_diagonal": False}, "embeddings"),
    Case("Dice", {"axis": 1, "reduction": None}, "bits of maps"),
    Case("Dice", {"axis": [1, 2]}, "bits of maps", "of three"),
    Case("Tversky", {"alpha": 0.2, "beta": 0.9}, "bits"),
    Case("Tversky", {"alpha": 0.2, "beta": 0.9, "axis": [1, 2], "reduction": None}, "bits of maps"),
]

FUNCTIONS = [
    ("mean_squared_error", {}, "column"),
    ("mean_absolute_error", {}, "numbers"),
    ("mean_absolute_percentage_error", {}, "numbers"),
    ("mean_squared_logarithmic_error", {}, "positive"),
    ("huber", {"delta": 0.5}, "numbers"),
    ("log_cosh", {}, "numbers"),
    ("cosine_similarity", {}, "numbers"),
    ("cosine_similarity", {"axis": 1}, "cube"),
    ("poisson", {}, "positive"),
    ("kl_divergence", {}, "distributions"),
    ("hinge", {}, "bits, logits"),
    ("squared_hinge", {}, "bits, logits"),
    ("categorical_hinge", {}, "one-hot, logits"),
    ("binary_crossentropy", {"from_logits": True}, "bits, logits"),
    ("binary_crossentropy", {"axis": 1}, "bits of maps"),
    ("binary_focal_crossentropy", {"alpha": 0.3, "apply_class_balancing": True}, "bits"),
    ("categorical_crossentropy", {"label_smoothing": 0.1}, "one-hot"),
    ("categorical_focal_crossentropy", {"gamma": 1.0}, "one-hot"),
    ("categorical_generalized_cross_entropy", {"q": 0.3}, "labels"),
    ("sparse_categorical_crossentropy", {"ignore_class": 1}, "labels of steps"),
    ("ctc", {}, "texts"),
    ("dice", {}, "bits"),
    ("dice", {"axis": 1}, "bits of maps"),
    ("tversky", {"alpha": 0.3, "beta": 0.7, "axis": 0}, "bits"),
    ("circle", {}, "embeddings"),
    ("circle", {"remove_diagonal": False, "gamma": 3.0}, "embeddings"),
]
"""Functions, their arguments and their data."""
