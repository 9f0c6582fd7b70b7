"""A run draws from one generator of noise for all its life, whatever the default becomes."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import ModelFileError
from seqonnx.runtime.noise import uniform_noise
from seqonnx.training.compilation import Progress

ROWS, WIDTH, RATE = 8, 5, 0.25
X = np.ones((ROWS, WIDTH), np.float32)
Y = np.full((ROWS, 1), -0.5, np.float32)


def begun() -> keras.Model:
    """A model whose kernel, one step after zero, shows the mask of that step."""
    keras.set_random_seed(11)
    net = [layers.Dropout(RATE), layers.Dense(1, use_bias=False)]
    model = keras.Sequential([keras.Input((WIDTH,)), *net])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.fit(X, Y, batch_size=ROWS, epochs=3, shuffle=False, verbose=0)
    return model


def record(path: Path) -> dict:
    return json.loads(onnx.load(path).training_info[0].algorithm.doc_string)["training"]


def rewrite(path: Path, **values) -> Path:
    """Change what a file says; None takes it out."""
    proto = onnx.load(path)
    graph = proto.training_info[0].algorithm
    whole = json.loads(graph.doc_string)
    whole["training"] |= values
    whole["training"] = {k: v for k, v in whole["training"].items() if v is not None}
    graph.doc_string = json.dumps(whole)
    onnx.save(proto, path)
    return path


@pytest.fixture
def of_before(tmp_path) -> Path:
    """A file as earlier versions wrote it: it does not name a generator."""
    begun().save(tmp_path / "before.onnx")
    return rewrite(tmp_path / "before.onnx", noise_generator=None)


def kernel_after_a_step(model: keras.Model) -> np.ndarray:
    model.set_weights([np.zeros((WIDTH, 1), np.float32)])
    model.fit(X, Y, batch_size=ROWS, epochs=1, shuffle=False, verbose=0)
    return model.get_weights()[0]


def kernel_of(noise: np.ndarray) -> np.ndarray:
    """The kernel by the definition of the step: minus the gradient at zero."""
    dropped = np.where(noise >= RATE, 1 / (1 - RATE), 0)
    return -(2 * (0 - Y) * dropped).mean(0)[:, None]


def numbers_of_before(seed: int, step: int) -> np.ndarray:
    """The noise of earlier versions."""
    bits = np.random.PCG64DXSM(np.random.SeedSequence([seed, 0, step]))
    return np.random.Generator(bits).random((ROWS, WIDTH), np.float32)


def test_file_of_before_goes_on_with_the_old_numbers(of_before):
    seed, step = record(of_before)["seed"], record(of_before)["step"]
    old, new = numbers_of_before(seed, step), uniform_noise(seed, step, 0, (ROWS, WIDTH))
    assert not np.array_equal(kernel_of(old), kernel_of(new))
    got = kernel_after_a_step(keras.load_model(of_before))
    np.testing.assert_allclose(got, kernel_of(old), rtol=1e-6)


def test_new_file_names_its_generator_and_goes_on_with_its_numbers(tmp_path):
    path = tmp_path / "new.onnx"
    begun().save(path)
    values = record(path)
    assert values["noise_generator"] == "triple32"
    wanted = kernel_of(uniform_noise(values["seed"], values["step"], 0, (ROWS, WIDTH)))
    got = kernel_after_a_step(keras.load_model(path))
    np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_run_of_before_keeps_its_generator_when_saved_and_copied(of_before, tmp_path):
    model = keras.load_model(of_before)
    model.fit(X, Y, batch_size=ROWS, epochs=2, verbose=0)
    for number, one in enumerate([model, copy.deepcopy(model)]):
        path = tmp_path / f"{number}.onnx"
        one.save(path)
        values = record(path)
        assert values["noise_generator"] == "pcg64dxsm"
        wanted = kernel_of(numbers_of_before(values["seed"], values["step"]))
        got = kernel_after_a_step(keras.load_model(path))
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_new_run_of_a_model_of_before_has_the_new_generator(of_before, tmp_path):
    model = keras.load_model(of_before)
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "again.onnx")
    assert record(tmp_path / "again.onnx")["noise_generator"] == "triple32"


def test_copy_by_an_earlier_version_has_the_generator_of_before():
    progress = Progress.__new__(Progress)
    vars(progress).update(seed=1, epochs=0, slots={})
    assert progress.generator == "pcg64dxsm"


@pytest.mark.parametrize("name", ["squares", ["triple32"], 7], ids=str)
def test_unknown_generator_is_refused_by_name(tmp_path, name):
    begun().save(tmp_path / "m.onnx")
    path = rewrite(tmp_path / "m.onnx", noise_generator=name)
    with pytest.raises(ModelFileError) as caught:
        keras.load_model(path)
    assert str(caught.value) == (
        f"{path} cannot go on training: its noise comes from the generator {name!r}, which is not "
        "known here. Known: ['pcg64dxsm', 'triple32']. Load it with the version of seqonnx that "
        "wrote it, or a later one."
    )
