"""Every code block of the Sequential guide runs and gives what the guide shows."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.datasets import mnist
from support.guide.guide_blocks import BLOCKS, run
from support.guide.summary_tables import CONV_ROWS, plain, table

MNIST = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist10k.npz"
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    monkeypatch.setenv("SEQONNX_DEVICE", "cpu")
    monkeypatch.setenv("COLUMNS", "100")


def shown(printed: str) -> list[list[str]]:
    """Cells of the layer rows of all tables in a text."""
    lines = [line for line in printed.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


def test_every_block_has_a_test():
    assert [name for name in BLOCKS if f"test_{name}" not in globals()] == []


def test_setup():
    variables, _ = run("setup")
    assert variables["layers"] is layers


def test_define_a_sequential_model_with_3_layers():
    found, _ = run("define_a_sequential_model_with_3_layers")
    assert found["y"].shape == (3, 4)
    assert [layer.name for layer in found["model"].layers] == ["layer1", "layer2", "layer3"]


def test_create_3_layers_and_call_them():
    """It is equivalent to the model of the block before."""
    found, _ = run("create_3_layers_and_call_them")
    chain = [found["layer1"], found["layer2"], found["layer3"]]
    for own, other in zip(found["model"].layers, chain, strict=True):
        own.set_weights(other.get_weights())
    np.testing.assert_allclose(found["model"](found["x"]), found["y"], rtol=1e-6)


def test_pass_a_list_of_layers():
    found, _ = run("pass_a_list_of_layers")
    assert not found["model"].built


def test_layers_attribute():
    found, _ = run("layers_attribute")
    kinds = [type(layer) for layer in found["model"].layers]
    assert kinds == [layers.Dense] * 3


def test_create_incrementally_with_add():
    found, _ = run("create_incrementally_with_add")
    assert [layer.units for layer in found["model"].layers] == [2, 3, 4]


def test_pop_a_layer():
    found, printed = run("pop_a_layer")
    assert printed == "2\n"
    assert [layer.units for layer in found["model"].layers] == [2, 3]


def test_name_the_model():
    found, _ = run("name_the_model")
    assert found["model"].name == "my_sequential"
    assert found["model"].get_layer("layer3").units == 4


def test_a_layer_has_no_weights_at_first():
    found, _ = run("a_layer_has_no_weights_at_first")
    assert found["layer"].weights == []


def test_a_layer_has_weights_once_it_is_called():
    found, _ = run("a_layer_has_weights_once_it_is_called")
    kernel, bias = found["layer"].weights
    # The guide's own name: six layers without names came before.
    assert kernel.path == "dense_6/kernel"
    assert (kernel.shape, bias.shape) == ((4, 3), (3,))
    assert (kernel.dtype, bias.dtype) == ("float32", "float32")
    # Glorot's limit is sqrt(6 / 7), the bias starts at zero.
    assert 0 < np.abs(kernel.numpy()).max() <= np.sqrt(6 / 7)
    np.testing.assert_array_equal(bias.numpy(), np.zeros(3))


def test_a_model_has_weights_once_it_is_called():
    found, printed = run("a_model_has_weights_once_it_is_called")
    assert printed == "Number of weights after calling the model: 6\n"
    # What the block says that one cannot do before:
    model = keras.Sequential([layers.Dense(2, activation="relu"), layers.Dense(4)])
    with pytest.raises(ValueError, match="have not yet been created"):
        _ = model.weights
    # This one can, as Keras 3 does: the table says what is not known yet.
    tables = []
    model.summary(print_fn=tables.append)
    assert shown(tables[0]) == [
        ["dense_10 (Dense)", "?", "0 (unbuilt)"],
        ["dense_11 (Dense)", "?", "0 (unbuilt)"],
    ]
    assert found["y"].shape == (1, 4)


def test_summary_of_a_built_model():
    found, printed = run("summary_of_a_built_model")
    assert printed.startswith('Model: "sequential_3"\n')
    assert shown(printed) == [
        ["dense_7 (Dense)", "(1, 2)", "10"],
        ["dense_8 (Dense)", "(1, 3)", "9"],
        ["dense_9 (Dense)", "(1, 4)", "16"],
    ]
    rows = [
        "dense_7 (Dense)              (1, 2)                    10        ",
        "dense_8 (Dense)              (1, 3)                    9         ",
        "dense_9 (Dense)              (1, 4)                    16        ",
    ]
    assert plain(found["model"]) == table("sequential_3", rows, "35")


def test_start_with_an_input():
    found, printed = run("start_with_an_input")
    assert shown(printed) == [["dense_10 (Dense)", "(None, 2)", "10"]]
    rows = ["dense_10 (Dense)             (None, 2)                 10        "]
    assert plain(found["model"]) == table("sequential_4", rows, "10")


def test_the_input_is_not_a_layer():
    found, _ = run("the_input_is_not_a_layer")
    assert [type(layer) for layer in found["model"].layers] == [layers.Dense]


def test_pass_input_shape_to_the_first_layer():
    with pytest.warns(UserWarning, match="Do not pass an `input_shape`"):
        found, printed = run("pass_input_shape_to_the_first_layer")
    assert shown(printed) == [["dense_11 (Dense)", "(None, 2)", "10"]]
    rows = ["dense_11 (Dense)             (None, 2)                 10        "]
    assert plain(found["model"]) == table("sequential_5", rows, "10")
    # Such a model always has weights and a defined output shape.
    assert len(found["model"].weights) == 2
    assert found["model"].output_shape == (None, 2)


def test_debug_with_add_and_summary():
    found, printed = run("debug_with_add_and_summary")
    first, second = printed.split("Model: ")[1:]
    assert first.startswith('"sequential_6"')
    expected = [[row[:29].strip(), row[29:55].strip(), row[55:].strip()] for row in CONV_ROWS]
    expected = [[name, shape, f"{int(count):,}"] for name, shape, count in expected]
    expected[5][0] = "max_pooling2d_1 (MaxPooling2D)"  # Cut in the guide's own table.
    expected[8][0] = "max_pooling2d_2 (MaxPooling2D)"
    assert shown(first) == expected[:3]
    assert shown(second) == expected
    assert "Total params: 11,680 " in first
    assert "Total params: 48,672 (190.12 KB)" in second
    assert found["model"].output_shape == (None, 10)


def test_extract_the_features_of_all_layers():
    found, _ = run("extract_the_features_of_all_layers")
    shapes = [feature.shape for feature in found["features"]]
    assert shapes == [(1, 123, 123, 32), (1, 121, 121, 32), (1, 119, 119, 32)]
    value = found["x"]
    for layer, feature in zip(found["initial_model"].layers, found["features"], strict=True):
        value = layer(value)
        np.testing.assert_allclose(feature, value, rtol=1e-4, atol=1e-5)


def test_extract_the_features_of_one_layer():
    found, _ = run("extract_the_features_of_one_layer")
    assert found["features"].shape == (1, 121, 121, 32)
    first, second = found["initial_model"].layers[:2]
    expected = second(first(found["x"]))
    np.testing.assert_allclose(found["features"], expected, rtol=1e-4, atol=1e-5)


def four_dense_layers() -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input(shape=(784)),
            *(layers.Dense(32, activation="relu") for _ in range(3)),
            layers.Dense(10),
        ]
    )


def compile_arguments(**more: object) -> dict[str, object]:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return {"optimizer": "adam", "loss": loss, **more}


def test_freeze_all_layers_but_the_last(tmp_path):
    keras.clear_session(free_memory=False)
    pretrained = four_dense_layers()
    pretrained.save_weights(tmp_path / "pretrained.npz")
    found, _ = run(
        "freeze_all_layers_but_the_last",
        WEIGHTS_FILE=tmp_path / "pretrained.npz",
        COMPILE=compile_arguments(),
        DATA={"x": RNG.normal(size=(40, 784)), "y": np.arange(40) % 10, "verbose": 0},
    )
    assert [layer.trainable for layer in found["model"].layers] == [False] * 3 + [True]
    pairs = zip(pretrained.get_weights(), found["model"].get_weights(), strict=True)
    assert [old.tobytes() == new.tobytes() for old, new in pairs] == [True] * 6 + [False] * 2


def test_stack_a_pretrained_model_and_a_classifier():
    pytest.importorskip("seqonnx.applications", reason="waits for seqonnx.applications")
    # Random weights in place of 'imagenet', which would be downloaded.
    found, _ = run(
        "stack_a_pretrained_model_and_a_classifier",
        WEIGHTS=None,
        COMPILE=compile_arguments(),
        DATA={"x": np.ones((2, 71, 71, 3)), "y": np.array([0, 999]), "verbose": 0},
    )
    model, base = found["model"], found["base_model"]
    assert len(base.layers) == 133
    assert not any(layer.trainable for layer in base.layers)
    assert model.output_shape == (None, 1000)
    assert model.count_params() == 22_910_480
    assert sum(math.prod(w.shape) for w in model.trainable_weights) == 2_049_000
    assert sum(math.prod(w.shape) for w in model.non_trainable_weights) == 20_861_480
    # Fresh statistics: had the base run in training mode, they would have moved.
    moving = base.get_layer("block1_conv1_bn").moving_mean.numpy()
    np.testing.assert_array_equal(moving, np.zeros(32))


@pytest.mark.skipif(not MNIST.exists(), reason="mnist10k.npz is not beside the project")
def test_freezing_blueprint_learns_new_digits_on_old_features(tmp_path):
    """Features learned on the digits 0 to 4 carry over to all ten: only the last layer trains."""
    (x, y), (x_test, y_test) = mnist.load_data(MNIST)
    x, x_test = (images.reshape(-1, 784) / 255 for images in (x, x_test))
    keras.clear_session(free_memory=False)
    keras.set_random_seed(0)
    pretrained = four_dense_layers()
    pretrained.compile(**compile_arguments(metrics=["accuracy"]))
    low = y < 5
    pretrained.fit(x[low], y[low], batch_size=64, epochs=4, verbose=0)
    pretrained.save_weights(tmp_path / "pretrained.npz")
    found, _ = run(
        "freeze_all_layers_but_the_last",
        WEIGHTS_FILE=tmp_path / "pretrained.npz",
        COMPILE=compile_arguments(metrics=["accuracy"]),
        DATA={"x": x, "y": y, "batch_size": 64, "epochs": 12, "verbose": 0},
    )
    _, before = pretrained.evaluate(x_test, y_test, verbose=0)
    _, accuracy = found["model"].evaluate(x_test, y_test, verbose=0)
    print(f"accuracy on all digits: {accuracy:.3f} (before: {before:.3f})")
    assert before < 0.55  # It has never seen half of the digits.
    assert accuracy > 0.65
