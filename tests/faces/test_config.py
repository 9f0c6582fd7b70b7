"""Settings of the process do what Keras's of the same names say."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import config, layers, metrics, ops
from seqonnx.dtypes import DTypePolicy


def test_the_settings_begin_as_in_keras():
    assert config.floatx() == "float32"
    assert config.epsilon() == 1e-7
    assert config.image_data_format() == "channels_last"
    assert config.max_epochs() is None
    assert config.max_steps_per_epoch() is None
    assert config.is_interactive_logging_enabled() is True
    assert config.is_flash_attention_enabled() is None
    assert config.is_nnx_enabled() is False
    assert config.backend() == "onnxruntime"


def test_floatx_is_the_dtype_of_what_is_not_given_one():
    config.set_floatx("float64")
    assert layers.Dense(2).dtype_policy == "float64"
    assert keras.Input((2,)).dtype == "float64"
    for made in (
        *(ops.zeros((2,)), ops.ones((2,)), ops.eye(2), ops.convert_to_tensor(1.5)),
        *(ops.divide(np.int32(3), np.int32(2)), ops.add(np.int32(1), 1.5)),
        keras.random.normal((2,)),
    ):
        assert np.asarray(made).dtype == np.float64
    config.set_floatx("float32")
    assert ops.zeros((2,)).dtype == np.float32  # not the one computed before
    with pytest.raises(ValueError, match=r"value: int32\. Expected one of bfloat16"):
        config.set_floatx("int32")


def test_a_model_in_float64_trains_as_the_formulas_say():
    config.set_floatx("float64")
    x = np.random.default_rng(0).normal(size=(8, 3))
    y = x @ np.ones((3, 1))
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, kernel_regularizer="l2")])
    kernel, bias = model.get_weights()
    assert kernel.dtype == np.float64
    model.compile(keras.optimizers.SGD(0.1), "mse")
    logs = model.fit(x, y, batch_size=8, verbose=0).history
    error = x @ kernel + bias - y
    penalty = 0.01 * (kernel**2).sum()
    assert logs["loss"] == [pytest.approx((error**2).mean() + penalty, rel=1e-6)]
    stepped = kernel - 0.1 * (2 * x.T @ error / 8 + 0.02 * kernel)
    np.testing.assert_allclose(model.get_weights()[0], stepped, rtol=1e-6)
    assert model.predict(x, verbose=0).dtype == np.float64


def test_a_chosen_policy_goes_before_floatx():
    config.set_dtype_policy(DTypePolicy("mixed_float16"))
    config.set_floatx("float64")
    assert config.dtype_policy() == DTypePolicy("mixed_float16")
    assert layers.Dense(2).compute_dtype == "float16"
    config.set_dtype_policy("float64")
    assert layers.Dense(2).compute_dtype == "float64"


def test_a_policy_is_taken_by_every_dtype_argument():
    policy = DTypePolicy("float64")
    assert layers.Dense(2, dtype=policy).dtype == "float64"
    assert layers.Dense(2, dtype=policy).get_config()["dtype"] == "float64"
    assert keras.Input((2,), dtype=policy).dtype == "float64"
    assert metrics.Mean(dtype=policy).dtype == "float64"
    assert ops.zeros((2,), dtype=policy).dtype == np.float64
    discretization = layers.Discretization([1.0], dtype=DTypePolicy("int32"))
    assert discretization.get_config()["dtype"] == "int32"


@pytest.mark.parametrize("value", [0, -1.0, "small", None, True])
def test_an_epsilon_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match="must be a number greater than 0"):
        config.set_epsilon(value)


def test_the_order_of_axes_is_one_of_two():
    config.set_image_data_format("CHANNELS_FIRST")
    assert config.image_data_format() == "channels_first"
    with pytest.raises(ValueError, match='must be "channels_last" or "channels_first"'):
        config.set_image_data_format("first")


def test_limits_are_positive_or_none():
    config.set_max_epochs(3)
    assert config.max_epochs() == 3
    config.set_max_epochs(None)
    with pytest.raises(ValueError, match="`max_epochs` must be a positive integer or None"):
        config.set_max_epochs(0)
    with pytest.raises(ValueError, match=r"`max_steps_per_epoch` .* Received: 1.5"):
        config.set_max_steps_per_epoch(1.5)


def test_limits_come_from_the_environment():
    code = "from seqonnx import config; print(config.max_epochs(), config.max_steps_per_epoch())"
    environment = {"KERAS_MAX_EPOCHS": "2", "KERAS_MAX_STEPS_PER_EPOCH": "5"}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["2", "5"]


def test_what_has_no_choice_says_so():
    config.set_backend("onnxruntime")
    with pytest.raises(ValueError, match="The backend is 'onnxruntime'"):
        config.set_backend("jax")
    config.disable_traceback_filtering()
    with pytest.warns(UserWarning, match="Tracebacks are not filtered"):
        config.enable_traceback_filtering()
    assert config.is_traceback_filtering_enabled() is False
    config.disable_flash_attention()
    assert config.is_flash_attention_enabled() is False
    config.enable_flash_attention()
    assert config.is_flash_attention_enabled() is None


def small_model():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_fit_evaluate_and_predict_keep_to_the_limits():
    config.set_max_epochs(2)
    config.set_max_steps_per_epoch(3)
    model, x = small_model(), np.ones((50, 2), np.float32)
    with pytest.warns(UserWarning, match="Limiting") as told:
        history = model.fit(x, np.ones(50), batch_size=5, epochs=9, verbose=0)
    assert {"Limiting epochs to 2", "Limiting steps_per_epoch to 3"} <= {
        str(warning.message) for warning in told
    }
    assert history.epoch == [0, 1]
    assert model.optimizer.iterations == 6
    with pytest.warns(UserWarning, match="Limiting steps_per_epoch to 3"):
        assert len(model.predict(x, batch_size=5, verbose=0)) == 15
    config.set_max_steps_per_epoch(10)
    assert len(model.predict(x, batch_size=5, verbose=0)) == 50  # no more than there are


def test_progress_goes_to_a_logger_where_there_is_no_screen(caplog, capsys):
    config.disable_interactive_logging()
    with caplog.at_level("INFO", logger="seqonnx"):
        small_model().fit(np.ones((4, 2)), np.ones(4), epochs=2, verbose=2)
    assert capsys.readouterr().out == ""
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "Epoch 1/2"
    assert re.match(r"1/1 - \d+s - \d+", said[1])  # however busy the machine is
    with caplog.at_level("INFO", logger="seqonnx"):
        small_model().fit(np.ones((4, 2)), np.ones(4), epochs=2, verbose=1)
    assert capsys.readouterr().out == ""
    config.enable_interactive_logging()
    small_model().fit(np.ones((4, 2)), np.ones(4), epochs=2, verbose=2)
    assert "Epoch 2/2" in capsys.readouterr().out
