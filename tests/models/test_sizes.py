"""Sizes that data may have: of the batch, and of images that a model without `Input` sees."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

RNG = np.random.default_rng(0)
SMALL = RNG.normal(size=(4, 8, 8, 3)).astype(np.float32)
LARGE = RNG.normal(size=(4, 12, 10, 3)).astype(np.float32)
Y = RNG.normal(size=(4, 2)).astype(np.float32)


def network(*first):
    return keras.Sequential(
        [
            *first,
            layers.Conv2D(2, 3, strides=2, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )


def outcomes(batch_size, tmp_path):
    """All that a model gives for data of another length than its batch."""
    keras.clear_session(free_memory=False)
    keras.set_random_seed(0)
    model = network(keras.Input((8, 8, 3), batch_size=batch_size))
    model.compile("adam", "mse", metrics=["mae"])
    history = model.fit(SMALL, Y, batch_size=3, validation_data=(SMALL[:1], Y[:1]), verbose=0)
    model.save(tmp_path / f"{batch_size}.onnx")
    return [
        history.history["val_loss"],
        model.train_on_batch(SMALL[:3], Y[:3]),
        model.evaluate(SMALL[:3], Y[:3], verbose=0),
        model.predict(SMALL, batch_size=3, verbose=0),
        model(SMALL[:1]),
        keras.load_model(tmp_path / f"{batch_size}.onnx").predict(SMALL[:3], verbose=0),
        *model.get_weights(),
    ]


def test_batch_size_of_an_input_is_shown_and_data_may_have_any_length(tmp_path):
    free, declared = outcomes(None, tmp_path), outcomes(2, tmp_path)
    for one, other in zip(free, declared, strict=True):
        np.testing.assert_array_equal(one, other)
    assert network(keras.Input((8, 8, 3), batch_size=2)).output_shape == (2, 2)


def test_first_data_fixes_rank_and_channels_only():
    model, free = network(), network(keras.Input((None, None, 3)))
    assert model(SMALL).shape == (4, 2)
    assert (model.input_shape, model.layers[0].output.shape) == ((4, 8, 8, 3), (4, 4, 4, 2))
    free.set_weights(model.get_weights())
    for x in (LARGE, SMALL, LARGE[:, :9]):
        np.testing.assert_array_equal(model(x), free(x))
        np.testing.assert_array_equal(model.predict(x, verbose=0), free.predict(x, verbose=0))
    assert (model.input_shape, model.output_shape) == ((4, None, None, 3), (4, 2))
    assert [layer.output.shape for layer in model.layers[:2]] == [(4, None, None, 2)] * 2


def test_other_channels_and_ranks_are_refused():
    model = network()
    model(SMALL)
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 3, but"):
        model(np.ones((2, 8, 8, 4)))
    with pytest.raises(ValueError, match="Invalid input shape for input"):
        model(np.ones((2, 8, 8)))
    assert model.input_shape == (4, 8, 8, 3)


def test_sizes_that_a_layer_above_fixes_are_refused_with_its_name():
    model = keras.Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3, name="top")])
    model(SMALL)
    with pytest.raises(ValueError, match=r"'top' is incompatible.*have value 72, but rec.*160"):
        model(LARGE)
    assert model(SMALL).shape == (4, 3)


def test_input_that_was_declared_stays_as_it_is():
    for model in (network(keras.Input((8, 8, 3))), network()):
        model.build((None, 8, 8, 3))
        with pytest.raises(ValueError, match=r"Expected shape \(None, 8, 8, 3\), but input has"):
            model(LARGE)


def test_training_goes_on_with_data_of_another_size():
    """As if the model had been free from the start: slots, statistics and steps stay."""

    def run(*first):
        keras.clear_session(free_memory=False)
        keras.set_random_seed(0)
        model = network(*first)
        model.compile("adam", "mse")
        losses = [
            model.fit(x, Y, epochs=2, verbose=0).history["loss"][-1] for x in (SMALL, LARGE, SMALL)
        ]
        measured = [model.evaluate(x, Y, verbose=0) for x in (SMALL, LARGE)]
        return model.optimizer.iterations, [*losses, *measured, *model.get_weights()]

    (steps, found), (_, wanted) = run(), run(keras.Input((None, None, 3)))
    assert steps == 6
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def images(*sizes):
    for size in sizes:
        x = np.random.default_rng(size).normal(size=(2, size, size, 3)).astype(np.float32)
        yield x, Y[:2]


@pytest.mark.parametrize("executions", [1, 2])
def test_batches_of_a_generator_may_differ_in_size(executions):
    def run(*first):
        keras.clear_session(free_memory=False)
        keras.set_random_seed(0)
        model = network(*first)
        model.compile("adam", "mse", steps_per_execution=executions)
        loss = model.fit(images(8, 8, 12, 12, 10), verbose=0).history["loss"]
        measured = model.evaluate(images(8, 14, 6), verbose=0)
        outputs = model.predict((x for x, _ in images(10, 16, 8)), verbose=0)
        return loss, measured, outputs

    for one, other in zip(run(), run(keras.Input((None, None, 3))), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_wrong_later_batch_of_a_generator_is_told_as_the_first_would_be():
    model = network(keras.Input((8, 8, 3)))
    model.compile("sgd", "mse")
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match="Invalid input shape for input"):
            call(images(8, 9), verbose=0)


def test_models_that_share_the_tensors_take_other_sizes_too():
    model = network()
    model(SMALL)
    features = keras.Model(model.inputs, model.layers[1].output)
    assert features(SMALL).shape == (4, 4, 4, 2)
    model(LARGE)
    assert features(LARGE).shape == (4, 6, 5, 2)
    assert features(SMALL, training=True).shape == (4, 4, 4, 2)


def test_nested_stack_without_input_takes_several_sizes():
    inner = keras.Sequential([layers.Conv2D(2, 3), layers.ReLU()])
    outer = keras.Sequential([inner, layers.GlobalMaxPooling2D()])
    assert outer(SMALL).shape == outer(LARGE).shape == (4, 2)
    one, other = keras.Input((8, 8, 3)), keras.Input((12, 10, 3))
    both = keras.Model([one, other], layers.Add()([outer(one), outer(other)]))
    np.testing.assert_allclose(both([SMALL, LARGE]), outer(SMALL) + outer(LARGE), rtol=1e-6)


def test_export_takes_every_size(tmp_path):
    import onnxruntime

    model = network()
    model(SMALL)
    model(LARGE)
    model.export(tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    for x in (SMALL, LARGE):
        (found,) = session.run(None, {session.get_inputs()[0].name: x})
        np.testing.assert_allclose(found, model(x), rtol=1e-5, atol=1e-6)
