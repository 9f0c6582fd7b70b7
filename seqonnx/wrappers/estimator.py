"""Estimator: what all estimators made of models do."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from seqonnx.callbacks import History
from seqonnx.models import Model

MakesModel = Callable[..., Model]


class Estimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A compiled model, or a function that makes one, as an estimator of scikit-learn.

    Args:
        model: a compiled model, which a copy with new weights is fitted of; or a function that
            returns one when it is called with `X`, `y` and what `model_kwargs` says.
        warm_start: whether `fit` goes on with the weights that are there: those of the model
            itself, or of the model that the function made the first time.
        model_kwargs: arguments of the function.
        fit_kwargs: arguments of `Model.fit`; those given to `fit` here come first.
    """

    def __init__(
        self,
        model: Model | MakesModel,
        warm_start: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
        fit_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Self:  # noqa: N803  # scikit-learn's names
        """Fit the model.

        Args:
            X: array of shape (samples, features).
            y: targets, of shape (samples,) or (samples, outputs).
            **kwargs: arguments of `Model.fit`.

        Raises:
            ValueError: if the data do not fit.
            RuntimeError: if the model is not compiled, or has no loss.
        """
        X, y = validate_data(self, X, y, multi_output=self._several(y))  # noqa: N806  # as above
        targets = self._encode(y)
        model = self._model_for(X, targets)
        if not model.compiled or model.loss is None:
            raise RuntimeError(
                f"The model '{model.name}' of a {type(self).__name__} must be compiled with a loss "
                "and an optimizer. Call `compile` on it first"
            )
        arguments = {**(self.fit_kwargs or {}), **kwargs}
        self.history_ = model.fit(X, targets, **arguments)
        self.model_ = model
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803  # scikit-learn's name
        """Return what the model says of samples, as the targets of `fit` were given.

        Args:
            X: array of shape (samples, features).

        Raises:
            NotFittedError: before `fit`.
        """
        return self._decode(self._outputs(X))

    @property
    def epoch_(self) -> int:
        """Number of epochs of the last `fit`; 0 before."""
        history: History | None = getattr(self, "history_", None)
        return 0 if history is None else len(history.epoch)

    def set_fit_request(self, **kwargs: Any) -> Self:
        """Say which metadata `fit` wants, for scikit-learn's routing of metadata.

        Args:
            **kwargs: for each name True, False, None or another name for it.

        Raises:
            RuntimeError: if routing is not enabled in scikit-learn.
        """
        if not get_config().get("enable_metadata_routing", False):
            raise RuntimeError(
                "Metadata are routed only after sklearn.set_config(enable_metadata_routing=True)."
            )
        self._metadata_request = MetadataRequest(owner=self)
        for name, alias in kwargs.items():
            self._metadata_request.fit.add_request(param=name, alias=alias)
        return self

    def _outputs(self, samples: Any) -> Any:
        """The outputs of the fitted model for samples."""
        check_is_fitted(self)
        outputs = self.model_.predict(validate_data(self, samples, reset=False))
        return outputs[0] if isinstance(outputs, list) and len(outputs) == 1 else outputs

    def _several(self, targets: Any) -> bool:
        """Whether there are several targets for each sample."""
        shape = np.asarray(targets).shape
        return len(shape) == 2 and shape[1] > 1

    def _encode(self, targets: np.ndarray) -> np.ndarray:
        """Targets as the model is fitted to them: with an axis for the outputs."""
        if type_of_target(targets) == "unknown":
            raise ValueError(f"Unknown label type: {targets!r}. Targets must be numbers or labels")
        self._target_shape = targets.shape[1:]
        return targets[:, None] if targets.ndim == 1 else targets

    def _decode(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs as the targets were given: without an axis if they had none."""
        alone = self._target_shape == () and outputs.ndim == 2 and outputs.shape[1] == 1
        return outputs[:, 0] if alone else outputs

    def _model_for(self, samples: np.ndarray, targets: np.ndarray) -> Model:
        """The model to fit: a new one, or the one that is there for a warm start."""
        fitted: Model | None = getattr(self, "model_", None)
        if self.warm_start and fitted is not None:
            return fitted
        if isinstance(self.model, Model):
            return self.model if self.warm_start else _copy_with_new_weights(self.model)
        return self.model(X=samples, y=targets, **(self.model_kwargs or {}))

    def __sklearn_clone__(self) -> Self:
        """Return an estimator that is not fitted, with a model of its own."""
        own = copy.deepcopy(self.model) if isinstance(self.model, Model) else self.model
        return type(self)(
            own,
            warm_start=self.warm_start,
            model_kwargs=copy.deepcopy(self.model_kwargs),
            fit_kwargs=copy.copy(self.fit_kwargs),
        )

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of the estimator: initial weights are random."""
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags


def _copy_with_new_weights(model: Model) -> Model:
    """A model of the same structure, compiled in the same way."""
    fresh = type(model).from_config(model.get_config())
    if model._sessions.compilation is not None:
        compilation = copy.deepcopy(model._sessions.compilation)
        fresh._sessions.compile(compilation, model._sessions._device_request)
    return fresh
