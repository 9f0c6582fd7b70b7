"""Models as estimators of scikit-learn, which is an extra (`seqonnx[sklearn]`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqonnx.wrappers.classifier import SKLearnClassifier
    from seqonnx.wrappers.regressor import SKLearnRegressor
    from seqonnx.wrappers.transformer import SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]


def __getattr__(name: str) -> Any:
    """Import an estimator on first use: its base class is scikit-learn's."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from seqonnx.wrappers import classifier, regressor, transformer
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "sklearn":
            raise
        raise ImportError(
            f"{name} is an estimator of scikit-learn. Install it with: "
            'pip install "seqonnx[sklearn]"'
        ) from error
    made = (
        classifier.SKLearnClassifier,
        regressor.SKLearnRegressor,
        transformer.SKLearnTransformer,
    )
    globals().update({each.__name__: each for each in made})
    return globals()[name]


def __dir__() -> list[str]:
    return __all__
