"""SKLearnClassifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import type_of_target

from seqonnx.wrappers.estimator import Estimator


class SKLearnClassifier(ClassifierMixin, Estimator):  # type: ignore[misc]  # no types
    """A model as a classifier of scikit-learn.

    The model is fitted to one-hot rows, one column for each class that `y` names.

    Args:
        model: a compiled model, which a copy with new weights is fitted of; or a function that
            returns one when it is called with `X`, `y` and what `model_kwargs` says.
        warm_start: whether `fit` goes on with the weights that are there.
        model_kwargs: arguments of the function.
        fit_kwargs: arguments of `Model.fit`; those given to `fit` here come first.

    Attributes:
        model_: the fitted model.
        history_: what its `fit` returned.
        classes_: the labels, sorted.

    Example:
        >>> def network(X, y):
        ...     model = Sequential([Input((X.shape[1],)), Dense(y.shape[1], "softmax")])
        ...     model.compile("adam", "categorical_crossentropy")
        ...     return model
        >>> iris = SKLearnClassifier(network, fit_kwargs={"epochs": 2, "verbose": 0})
        >>> iris.fit([[0.0, 1.0], [1.0, 0.0]], ["no", "yes"]).classes_.tolist()
        ['no', 'yes']
    """

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: N803  # scikit-learn's name
        """Return what the model gives for samples, one column for each class.

        Args:
            X: array of shape (samples, features).
        """
        outputs: np.ndarray = self._outputs(X)
        return outputs

    def _several(self, targets: Any) -> bool:
        """No: a sample has one label."""
        return False

    def _encode(self, targets: np.ndarray) -> np.ndarray:
        """One-hot rows."""
        kind = type_of_target(targets)
        if kind not in {"binary", "multiclass"}:
            raise ValueError(
                f"Unknown label type: {kind}. A classifier needs one label of two or more for each "
                f"sample. Received: y={targets!r}"
            )
        self.classes_, indices = np.unique(targets, return_inverse=True)
        if len(self.classes_) == 1:
            raise ValueError(
                "A classifier cannot be trained on one class. Received: only the label "
                f"{self.classes_[0]!r} in y"
            )
        return np.eye(len(self.classes_))[indices]

    def _decode(self, outputs: np.ndarray) -> np.ndarray:
        """The label of the largest output of each row."""
        labels: np.ndarray = self.classes_[outputs.argmax(axis=-1)]
        return labels

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description: few epochs on few samples score low."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags
