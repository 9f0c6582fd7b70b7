"""SKLearnTransformer."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import TransformerMixin

from seqonnx.wrappers.estimator import Estimator


class SKLearnTransformer(TransformerMixin, Estimator):  # type: ignore[misc]  # no types
    """A model as a transformer of scikit-learn: a step of a pipeline, such as an embedding.

    Args:
        model: a compiled model, which a copy with new weights is fitted of; or a function that
            returns one when it is called with `X`, `y` and what `model_kwargs` says.
        warm_start: whether `fit` goes on with the weights that are there.
        model_kwargs: arguments of the function.
        fit_kwargs: arguments of `Model.fit`; those given to `fit` here come first.

    Attributes:
        model_: the fitted model.
        history_: what its `fit` returned.

    Example:
        >>> line = Sequential([Input((1,)), Dense(1)])
        >>> line.compile("sgd", "mse")
        >>> step = SKLearnTransformer(line, fit_kwargs={"verbose": 0})
        >>> step.fit([[1.0], [2.0]], [2.0, 4.0]).transform([[3.0]]).shape
        (1, 1)
    """

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803  # scikit-learn's name
        """Return what the model gives for samples.

        Args:
            X: array of shape (samples, features).
        """
        outputs: np.ndarray = self._outputs(X)
        return outputs

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description: outputs have the dtype of the model."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
