"""Loaders of PyTorch and TensorFlow themselves train, measure and predict as arrays do.

They run where these packages are installed, which they are not in CI: `PYTHONPATH=tests python -m
pytest tests/training/test_real_loaders.py` with `torch` or `tensorflow` beside seqonnx.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import seqonnx as sx

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
]

RNG = np.random.default_rng(3)
X = RNG.normal(size=(20, 4)).astype("float32")
Z = RNG.normal(size=(20, 3)).astype("float32")
Y = RNG.normal(size=(20, 2)).astype("float32")
W = RNG.uniform(0.5, 2.0, 20).astype("float32")
BATCH = 8


def model(named: bool = False) -> Any:
    """A small model; with two inputs by name, or with one."""
    x, z = sx.Input((4,), name="x"), sx.Input((3,), name="z")
    joined = sx.layers.Concatenate()([x, z]) if named else x
    y = sx.layers.Dense(2, kernel_initializer=sx.initializers.Constant(0.1))(joined)
    made = sx.Model({"x": x, "z": z} if named else x, y)
    made.compile(sx.optimizers.SGD(0.1), "mse", weighted_metrics=["mae"])
    return made


def torch_loaders() -> SimpleNamespace:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

    class Named(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(X)

        def __getitem__(self, index: int) -> Any:
            return {"x": X[index], "z": Z[index]}, Y[index]

    def of(*arrays: Any, **options: Any) -> Any:
        data = torch.utils.data.TensorDataset(*map(torch.from_numpy, arrays))
        return torch.utils.data.DataLoader(data, batch_size=BATCH, **options)

    return SimpleNamespace(
        pairs=of(X, Y),
        weighted=of(X, Y, W),
        inputs=of(X),
        named=torch.utils.data.DataLoader(Named(), batch_size=BATCH),
        workers=of(X, Y, num_workers=2, persistent_workers=True),
    )


def tensorflow_loaders() -> SimpleNamespace:
    reason = "TensorFlow is not installed"
    tf = pytest.importorskip("tensorflow", reason=reason, exc_type=ImportError)

    def of(data: Any) -> Any:
        return tf.data.Dataset.from_tensor_slices(data).batch(BATCH)

    return SimpleNamespace(
        pairs=of((X, Y)),
        weighted=of((X, Y, W)),
        inputs=of(X),
        named=of(({"x": X, "z": Z}, Y)),
        workers=of((X, Y)).prefetch(2).cache(),
    )


@pytest.fixture(scope="module", params=[torch_loaders, tensorflow_loaders])
def loaders(request):
    return request.param()


def trained(data: Any, *more: Any, named: bool = False, **options: Any) -> tuple[Any, Any]:
    made = model(named)
    history = made.fit(data, *more, epochs=2, verbose=0, shuffle=False, **options).history
    return history, made.get_weights()


def assert_alike(found: tuple[Any, Any], expected: tuple[Any, Any]) -> None:
    assert list(found[0]) == list(expected[0])
    for name, values in expected[0].items():
        np.testing.assert_allclose(found[0][name], values, rtol=1e-5)
    for mine, wanted in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-6)


def test_loader_trains_as_arrays_do(loaders):
    arrays = {"batch_size": BATCH, "validation_data": (X, Y)}
    expected = trained(X, Y, **arrays)
    assert_alike(trained(loaders.pairs, validation_data=loaders.pairs), expected)
    assert_alike(trained(loaders.workers, validation_data=(X, Y)), expected)
    assert_alike(
        trained(loaders.pairs, validation_data=loaders.pairs, validation_steps=3), expected
    )


def test_loader_gives_sample_weights_and_inputs_by_name(loaders):
    expected = trained(X, Y, sample_weight=W, batch_size=BATCH)
    assert_alike(trained(loaders.weighted), expected)
    expected = trained({"x": X, "z": Z}, Y, named=True, batch_size=BATCH)
    assert_alike(trained(loaders.named, named=True), expected)


def test_loader_is_measured_on_and_predicted_from(loaders):
    made = model()
    expected = made.evaluate(X, Y, batch_size=BATCH, verbose=0)
    np.testing.assert_allclose(made.evaluate(loaders.pairs, verbose=0), expected, rtol=1e-6)
    expected = made.predict(X, verbose=0)
    for data in (loaders.inputs, loaders.pairs):
        np.testing.assert_allclose(made.predict(data, verbose=0), expected, atol=1e-6)


def test_steps_take_a_loader_up_where_it_was_left(loaders):
    made = model()
    history = made.fit(loaders.pairs, epochs=3, steps_per_epoch=2, verbose=0).history
    assert len(history["loss"]) == 3
    expected = model()
    for number in (0, 1, 2, 0, 1, 2):
        rows = slice(number * BATCH, (number + 1) * BATCH)
        expected.train_on_batch(X[rows], Y[rows])
    for mine, wanted in zip(made.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-6)
