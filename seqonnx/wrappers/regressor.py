"""SKLearnRegressor."""

from __future__ import annotations

from typing import Any

from sklearn.base import RegressorMixin

from seqonnx.wrappers.estimator import Estimator


class SKLearnRegressor(RegressorMixin, Estimator):  # type: ignore[misc]  # no types
    """A model as a regressor of scikit-learn.

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
        >>> line = SKLearnRegressor(line, fit_kwargs={"verbose": 0})
        >>> line.fit([[1.0], [2.0]], [2.0, 4.0]).predict([[3.0]]).shape
        (1,)
    """

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description: few epochs on few samples score low."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags
