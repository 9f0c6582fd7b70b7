"""Calls of metrics whose results in Keras are recorded in `tests/metrics/keras_metrics.json`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_rng = np.random.default_rng(11)
N, T, C = 14, 3, 4
CUT = 5
"""Samples of the first of two batches."""


def _softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


_X = _rng.normal(size=(N, C)).astype("float32")
_X3 = _rng.normal(size=(N, T, C)).astype("float32")
_BITS = _rng.integers(0, 2, (N, C)).astype("float32")
_LABELS = _rng.integers(0, C, N).astype("int32")
_LABELS3 = _rng.integers(0, C, (N, T)).astype("int32")
_SCORES = np.clip(0.3 * _BITS + 0.7 * _rng.random((N, C)), 0.001, 0.999).astype("float32")
_VOID = np.where(_rng.random((N, T)) < 0.3, -1, _LABELS3).astype("int32")
_EYE = np.eye(C, dtype="float32")

REQUIRED = {
    "IoU": (2, [0]),
    "OneHotIoU": (2, [0]),
    "MeanIoU": (2,),
    "OneHotMeanIoU": (2,),
    "MeanMetricWrapper": (lambda y_true, y_pred: y_pred - y_true,),
    "PrecisionAtRecall": (0.5,),
    "RecallAtPrecision": (0.5,),
    "SensitivityAtSpecificity": (0.5,),
    "SpecificityAtSensitivity": (0.5,),
}
"""Arguments of the metrics that do not go without."""

DATA = {
    "numbers": ((1.5 * _X[::-1] + _X).astype("float32"), _X),
    "cube": ((0.5 * _X3[::-1] + _X3).astype("float32"), _X3),
    "column": (_X[:, :1] + _X[:, 1:2], _X[:, :1]),
    "bits": (_BITS, _SCORES),
    "one column": (_BITS[:, :1], _SCORES[:, :1]),
    "row": (_BITS[:, 0], _SCORES[:, 0]),
    "no positives": (0 * _BITS, _SCORES),
    "no negatives": (0 * _BITS + 1, _SCORES),
    "logits": (_BITS, _X),
    "one-hot": (_EYE[_LABELS], _softmax(_X)),
    "one-hot in the middle": (
        np.swapaxes(_EYE[_LABELS3], 1, 2),
        np.swapaxes(_softmax(_X3), 1, 2),
    ),
    "labels": (_LABELS, _softmax(_X)),
    "labels of maps": (_LABELS3, _softmax(_X3)),
    "labels of maps, logits": (_LABELS3, _X3),
    "labels with void": (_VOID, _softmax(_X3)),
    "labels in the middle": (_LABELS3, np.swapaxes(_softmax(_X3), 1, 2)),
    "classes": (_LABELS3, _rng.integers(0, C, (N, T)).astype("int32")),
    "classes with void": (_VOID, _rng.integers(0, C + 1, (N, T)).astype("int32")),
    "few classes": (_LABELS3 % 2, _LABELS3[::-1] % 2),
    "ranked": (_LABELS, np.argsort(-_X, axis=-1).astype("float32")),
    "ranked maps": (_LABELS3, np.argsort(-_X3, axis=-1).astype("float32")),
}

WEIGHTS = {
    "samples": _rng.random(N).astype("float32"),
    "column": _rng.random((N, 1)).astype("float32"),
    "zero": np.zeros(N, "float32"),
    "some": (_rng.random(N) < 0.5).astype("float32"),
    "elements": _rng.random((N, C)).astype("float32"),
    "steps": _rng.random((N, T)).astype("float32"),
    "whole steps": _rng.integers(0, 3, (N, T)).astype("int32"),
    "flat steps": _rng.random(N * T).astype("float32"),
}


class Case(NamedTuple):
    """A metric, its arguments, and names of the data and of the weights."""

    name: str
    arguments: dict[str, Any]
    data: str
    weight: str | None = None

    @property
    def id(self) -> str:
        """Name of the case."""
        given = ", ".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.name}({given}) of {self.data} by {self.weight}"

    def batches(self) -> list[tuple[Any, Any, Any]]:
        """Two batches: targets, predictions and weights."""
        weight = None if self.weight is None else WEIGHTS[self.weight]
        at = CUT if weight is None else CUT * (len(weight) // N)
        parts = [None, None] if weight is None else np.split(weight, [at])
        y_true, y_pred = (np.split(array, [CUT]) for array in DATA[self.data])
        return list(zip(y_true, y_pred, parts, strict=True))


def _each(name: str, data: str, *weights: str | None, **arguments: Any) -> list[Case]:
    return [Case(name, arguments, data, weight) for weight in (weights or (None,))]


_PLAIN = (None, "samples")
_POINTS = {
    "PrecisionAtRecall": "recall",
    "RecallAtPrecision": "precision",
    "SensitivityAtSpecificity": "specificity",
    "SpecificityAtSensitivity": "sensitivity",
}
CASES = [
    *_each("PearsonCorrelation", "numbers", *_PLAIN, "column", "zero"),
    *_each("PearsonCorrelation", "cube", None, "steps", "samples"),
    *_each("PearsonCorrelation", "cube", None, axis=1),
    *_each("ConcordanceCorrelation", "numbers", *_PLAIN, "some"),
    *_each("ConcordanceCorrelation", "cube", None, axis=1),
    *_each("CosineSimilarity", "cube", *_PLAIN, axis=1),
    *(
        case
        for name, argument in _POINTS.items()
        for case in (
            *_each(name, "bits", None, "elements", **{argument: 0.6}),
            *_each(name, "one column", *_PLAIN, **{argument: 0.4, "num_thresholds": 7}),
            *_each(name, "row", None, **{argument: 0.9}),
            *_each(name, "bits", *_PLAIN, **{argument: 0.5, "class_id": 2}),
            *_each(name, "no positives", None, **{argument: 0.5}),
            *_each(name, "no negatives", None, **{argument: 0.5}),
            *_each(name, "bits", None, **{argument: 0.5, "num_thresholds": 1}),
            *_each(name, "bits", None, **{argument: 1.0, "num_thresholds": 20}),
        )
    ),
    *(
        case
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "minoring", "majoring")
        for case in (
            *_each("AUC", "bits", None, "elements", curve=curve, summation_method=method),
            *_each(
                *("AUC", "bits", None, "samples"),
                **{"curve": curve, "summation_method": method, "multi_label": True},
            ),
        )
    ),
    *_each("AUC", "bits", *_PLAIN, multi_label=True, num_labels=C, label_weights=[1, 2, 0.5, 0]),
    *_each("AUC", "bits", *_PLAIN, label_weights=[1, 2, 0.5, 0]),
    *_each("AUC", "bits", None, multi_label=True, thresholds=[0.2, 0.45, 0.8]),
    *_each("AUC", "logits", None, multi_label=True, from_logits=True),
    *_each("AUC", "logits", None, from_logits=True, curve="prgain"),
    *_each("AUC", "no positives", None, multi_label=True),
    *_each("AUC", "no negatives", None, curve="PR", multi_label=True),
    *_each("AUC", "no positives", None, curve="PRGAIN"),
    *_each("MeanIoU", "classes", None, "whole steps", num_classes=C),
    *_each("MeanIoU", "classes", "flat steps", num_classes=C, dtype="float32"),
    *_each("MeanIoU", "classes with void", None, num_classes=C),
    *_each("MeanIoU", "classes with void", None, num_classes=C, ignore_class=-1),
    *_each("MeanIoU", "classes", None, num_classes=C, ignore_class=2),
    *_each("MeanIoU", "few classes", None, num_classes=C),
    *_each("MeanIoU", "labels of maps", None, "steps", num_classes=C, sparse_y_pred=False),
    *_each("IoU", "classes", None, num_classes=C, target_class_ids=[0, 3]),
    *_each("IoU", "few classes", None, num_classes=C, target_class_ids=[3]),
    *_each("IoU", "classes", "whole steps", num_classes=C, target_class_ids=(1,)),
    *_each("BinaryIoU", "bits"),
    *_each("BinaryIoU", "bits", None, "elements", threshold=0.3, dtype="float32"),
    *_each("BinaryIoU", "bits", None, target_class_ids=[1], threshold=0.8),
    *_each("OneHotIoU", "one-hot", None, num_classes=C, target_class_ids=[0, 2]),
    *_each("OneHotIoU", "one-hot", "samples", num_classes=C, target_class_ids=[1], dtype="float32"),
    *_each("OneHotMeanIoU", "one-hot", None, num_classes=C, ignore_class=1),
    *_each("R2Score", "numbers", *_PLAIN, num_regressors=2),
    *_each("R2Score", "column", *_PLAIN, num_regressors=1),
    *_each("R2Score", "column", None, num_regressors=3, class_aggregation=None),
    *_each(
        *("R2Score", "numbers", None),
        **{"num_regressors": 5, "class_aggregation": "variance_weighted_average"},
    ),
    *_each("SparseTopKCategoricalAccuracy", "ranked", *_PLAIN, k=2, from_sorted_ids=True),
    *_each("SparseTopKCategoricalAccuracy", "ranked maps", None, k=3, from_sorted_ids=True),
    *_each("BinaryCrossentropy", "bits", None, "samples", label_smoothing=0.2),
    *_each("CategoricalCrossentropy", "one-hot", *_PLAIN, label_smoothing=0.1),
    *_each("CategoricalCrossentropy", "one-hot in the middle", *_PLAIN, axis=1),
    *_each("SparseCategoricalCrossentropy", "labels of maps", None, "steps", "samples"),
    *_each("SparseCategoricalCrossentropy", "labels with void", None, "steps", ignore_class=-1),
    *_each("SparseCategoricalCrossentropy", "labels of maps, logits", None, from_logits=True),
    *_each("SparseCategoricalCrossentropy", "labels in the middle", None, axis=1),
    *_each("F1Score", "bits", *_PLAIN, average="micro", threshold=0.5),
    *_each("F1Score", "bits", *_PLAIN, average="weighted", threshold=0.5),
    *_each("FBetaScore", "bits", None, beta=2.0, threshold=0.4),
    *_each("Precision", "bits", "elements", thresholds=[0.2, 0.7], class_id=None),
    *_each("Recall", "bits", "samples", top_k=2),
    *_each("TrueNegatives", "bits", "column", thresholds=[0.1, 0.6]),
]

FUNCTIONS = [
    ("binary_accuracy", {"threshold": 0.4}, "bits"),
    ("categorical_accuracy", {}, "one-hot"),
    ("sparse_categorical_accuracy", {}, "labels of maps"),
    ("top_k_categorical_accuracy", {"k": 2}, "one-hot"),
    ("sparse_top_k_categorical_accuracy", {"k": 2}, "labels of maps"),
    ("sparse_top_k_categorical_accuracy", {"k": 1, "from_sorted_ids": True}, "ranked"),
    ("pearson_correlation", {}, "numbers"),
    ("pearson_correlation", {"axis": 1}, "cube"),
    ("concordance_correlation", {"axis": 0}, "numbers"),
    ("binary_crossentropy", {"label_smoothing": 0.1, "axis": 1}, "bits"),
    ("binary_focal_crossentropy", {"gamma": 1.5}, "bits"),
    ("categorical_crossentropy", {"axis": 1}, "one-hot in the middle"),
    ("categorical_focal_crossentropy", {"alpha": 0.4}, "one-hot"),
    ("categorical_hinge", {}, "one-hot"),
    ("sparse_categorical_crossentropy", {"ignore_class": -1}, "labels with void"),
    ("hinge", {}, "bits"),
    ("squared_hinge", {}, "bits"),
    ("huber", {"delta": 0.3}, "numbers"),
    ("log_cosh", {}, "numbers"),
    ("kl_divergence", {}, "one-hot"),
    ("poisson", {}, "bits"),
    ("mean_absolute_error", {}, "numbers"),
    ("mean_absolute_percentage_error", {}, "numbers"),
    ("mean_squared_error", {}, "cube"),
    ("mean_squared_logarithmic_error", {}, "bits"),
]
"""Functions with their arguments and the names of the data."""

ATTRIBUTES = {
    "Precision": ({}, "bits", ("true_positives", "false_positives", "thresholds")),
    "Recall": ({}, "bits", ("true_positives", "false_negatives", "thresholds")),
    "TruePositives": ({"thresholds": [0.2, 0.6]}, "bits", ("accumulator", "thresholds")),
    "FalseNegatives": ({}, "bits", ("accumulator",)),
    "AUC": (
        {"num_thresholds": 5, "multi_label": True},
        "bits",
        (
            *("true_positives", "false_positives", "true_negatives", "false_negatives"),
            *("thresholds", "num_thresholds"),
        ),
    ),
    "PrecisionAtRecall": (
        {"recall": 0.5, "num_thresholds": 4},
        "bits",
        (
            *("true_positives", "false_positives", "true_negatives", "false_negatives"),
            *("thresholds", "num_thresholds", "recall", "value"),
        ),
    ),
    "F1Score": (
        {"threshold": 0.5},
        "bits",
        ("true_positives", "false_positives", "false_negatives", "intermediate_weights"),
    ),
    "FBetaScore": ({"average": "micro", "threshold": 0.5}, "bits", ("true_positives",)),
    "MeanIoU": ({"num_classes": C}, "classes", ("total_cm", "num_classes", "target_class_ids")),
    "R2Score": ({}, "column", ("num_samples", "squared_sum", "sum", "total_mse", "count")),
    "MeanAbsoluteError": ({}, "numbers", ("total", "count")),
    "RootMeanSquaredError": ({}, "numbers", ("total", "count")),
    "CategoricalAccuracy": ({}, "one-hot", ("total", "count")),
}
"""Arguments, data, and the attributes to compare after it."""
