"""Models as estimators of scikit-learn: its own checks, and what Keras's estimators do."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

import seqonnx
from seqonnx import Input, Model, Sequential
from seqonnx.layers import Dense

pytest.importorskip("sklearn", reason="estimators need scikit-learn")

from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from seqonnx.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer


def network(X, y, loss, activation=None, units=10, rate=1e-3):
    """The model of Keras's own test of its estimators."""
    entry = Input((X.shape[1],))
    hidden = Dense(units, activation="relu")(entry)
    model = Model(entry, Dense(y.shape[1], activation=activation)(hidden))
    model.compile(loss=loss, optimizer=seqonnx.optimizers.RMSprop(rate))
    return model


def classifier(**fit_kwargs):
    return SKLearnClassifier(
        network,
        model_kwargs={"loss": "categorical_crossentropy", "activation": "softmax"},
        fit_kwargs={"verbose": 0, **fit_kwargs},
    )


def regressor(**fit_kwargs):
    fit_kwargs = {"verbose": 0, **fit_kwargs}
    return SKLearnRegressor(network, model_kwargs={"loss": "mse"}, fit_kwargs=fit_kwargs)


def transformer():
    return SKLearnTransformer(network, model_kwargs={"loss": "mse"}, fit_kwargs={"verbose": 0})


CONSTANT = {"loss": "mse", "activation": "softmax"}
"""As in Keras's test: the softmax of one output is 1, so fits agree in spite of random weights."""

RANDOM = "assumes that two fits give the same, and initial weights are random"
EXPECTED_FAILURES = {
    "check_classifiers_one_label_sample_weights": "samples of weight 0 still name a class",
    "check_classifiers_classes": "few epochs on few samples do not find every class",
    "check_classifier_data_not_an_array": RANDOM,
    "check_supervised_y_2d": RANDOM,
    "check_fit_idempotent": RANDOM,
    "check_classifiers_train": "decision_function of two classes has two columns",
}
"""Those of the list in Keras 3.15.1 that Keras's own classifier fails under scikit-learn 1.9."""


@pytest.mark.filterwarnings("ignore")  # the checks themselves warn
@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (classifier(), EXPECTED_FAILURES),
        pytest.param(regressor().set_params(model_kwargs=CONSTANT), {}, marks=pytest.mark.slow),
        pytest.param(transformer().set_params(model_kwargs=CONSTANT), {}, marks=pytest.mark.slow),
    ],
    ids=["classifier", "regressor", "transformer"],
)
def test_estimator_passes_the_checks_of_scikit_learn_but_those_that_keras_fails(
    estimator, expected
):
    pytest.importorskip("sklearn", "1.6", reason="expected failures are named since 1.6")
    seqonnx.config.set_random_seed(0)
    results = check_estimator(estimator, expected_failed_checks=expected, on_skip=None)
    assert len(results) > 40


@pytest.fixture(scope="module")
def classes():
    X, y = make_classification(120, 8, n_informative=6, n_classes=3, random_state=0)
    return X, np.array(["low", "middle", "high"])[y]


def test_classifier_learns_and_gives_the_labels_of_its_targets(classes):
    X, y = classes
    seqonnx.config.set_random_seed(1)
    fitted = classifier(epochs=40).set_params(
        model_kwargs={
            "loss": "categorical_crossentropy",
            "activation": "softmax",
            "units": 32,
            "rate": 0.01,
        }
    )
    assert fitted.fit(X, y).score(X, y) > 0.9
    assert fitted.classes_.tolist() == ["high", "low", "middle"]
    assert fitted.epoch_ == 40
    assert list(fitted.history_.history) == ["loss"]
    outputs = fitted.decision_function(X)
    assert outputs.shape == (120, 3)
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[outputs.argmax(1)])


def test_arguments_of_fit_come_before_those_of_the_estimator_and_do_not_stay(classes):
    fitted = regressor(epochs=2)
    X, y = make_regression(20, 4, random_state=0)
    assert fitted.fit(X, y, epochs=3).epoch_ == 3
    assert fitted.fit(X, y).epoch_ == 2


def test_regressor_gives_targets_in_the_shape_of_those_of_fit():
    X, y = make_regression(30, 4, n_targets=2, random_state=0)
    assert regressor().fit(X, y).predict(X).shape == (30, 2)
    assert regressor().fit(X, y[:, 0]).predict(X).shape == (30,)


def compiled_line():
    model = Sequential([Input((1,)), Dense(1)])
    model.compile(seqonnx.optimizers.SGD(0.1), "mse")
    return model


X1 = np.linspace(-1, 1, 16)[:, None]


def test_fit_leaves_the_model_itself_and_begins_anew_each_time():
    model = compiled_line()
    before = model.get_weights()
    estimator = SKLearnRegressor(model, fit_kwargs={"verbose": 0, "epochs": 100})
    first = estimator.fit(X1, 3 * X1[:, 0]).model_
    assert first is not model
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert first.get_weights()[0] == pytest.approx(3, abs=0.2)
    assert first.optimizer.learning_rate == pytest.approx(0.1)
    assert estimator.fit(X1, X1[:, 0], epochs=1).model_.optimizer.iterations == 1


def test_warm_start_goes_on_with_the_weights_that_are_there():
    model = compiled_line()
    warm = SKLearnRegressor(model, warm_start=True, fit_kwargs={"verbose": 0})
    assert warm.fit(X1, X1[:, 0]).model_ is model
    assert warm.fit(X1, X1[:, 0]).model_.optimizer.iterations == 2
    made = regressor().set_params(warm_start=True)
    first = made.fit(X1, X1[:, 0]).model_
    assert made.fit(X1, X1[:, 0]).model_ is first


def test_clone_keeps_every_argument_and_has_a_model_of_its_own():
    model = compiled_line()
    estimator = SKLearnRegressor(model, warm_start=True, fit_kwargs={"epochs": 4})
    copy = clone(estimator)
    assert copy.fit_kwargs == {"epochs": 4}  # Keras 3.15.1 loses these
    assert copy.warm_start is True
    assert copy.model is not model
    function = clone(classifier(epochs=3))
    assert function.model is network
    assert function.fit_kwargs == {"verbose": 0, "epochs": 3}


def test_search_over_arguments_of_the_model_finds_the_better_one():
    X, y = make_regression(60, 3, noise=0.1, random_state=0)
    seqonnx.config.set_random_seed(3)
    grid = {"model_kwargs": [{"loss": "mse", "rate": 1e-6}, {"loss": "mse", "rate": 0.05}]}
    search = GridSearchCV(regressor(epochs=20), grid, cv=2).fit(X, y)
    assert search.best_params_["model_kwargs"]["rate"] == 0.05
    assert search.predict(X).shape == (60,)


def test_estimators_are_steps_of_pipelines(classes):
    X, y = classes
    pipeline = make_pipeline(StandardScaler(), classifier(epochs=2)).fit(X, y)
    assert set(pipeline.predict(X)) <= {"low", "middle", "high"}
    embedded = transformer().fit_transform(X, np.arange(120.0))
    assert embedded.shape == (120, 1)


@pytest.mark.parametrize("store", ["pickle", "joblib"])
def test_fitted_estimator_is_stored_and_predicts_the_same(store, tmp_path):
    fitted = regressor().fit(X1, X1[:, 0])
    if store == "pickle":
        again = pickle.loads(pickle.dumps(fitted))
    else:
        joblib = pytest.importorskip("joblib", reason="stores estimators in files")
        joblib.dump(fitted, tmp_path / "estimator.joblib")
        again = joblib.load(tmp_path / "estimator.joblib")
    np.testing.assert_array_equal(again.predict(X1), fitted.predict(X1))


def test_model_that_is_not_compiled_is_refused():
    model = Sequential([Input((1,)), Dense(1)])
    with pytest.raises(RuntimeError, match="must be compiled with a loss"):
        SKLearnRegressor(model).fit(X1, X1[:, 0])


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.linspace(0, 1, 16), "Unknown label type: continuous"),
        (np.ones(16), r"cannot be trained on one class. Received: only the label"),
    ],
)
def test_targets_that_are_no_classes_are_refused(targets, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(X1, targets)


def test_without_routing_no_metadata_can_be_asked_for():
    from sklearn import config_context

    with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
        regressor().set_fit_request(sample_weight=True)
    with config_context(enable_metadata_routing=True):
        asked = regressor().set_fit_request(sample_weight=True)
        assert asked.get_metadata_routing().fit.requests == {"sample_weight": True}


def test_without_scikit_learn_the_remedy_is_told():
    program = (
        "import sys\nsys.modules['sklearn'] = None\nimport seqonnx.wrappers\n"
        "try:\n    from seqonnx.wrappers import SKLearnRegressor\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 'pip install "seqonnx[sklearn]"' in done.stdout, done.stderr
