"""Functions of one's own: `function`, `GradientTape`, `value_and_grad` and `grad`."""

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers, ops

rng = np.random.RandomState(0)
X = rng.rand(32, 4).astype("float32")
Y = (X @ rng.rand(4, 1)).astype("float32")


def make_model():
    keras.set_random_seed(3)
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(8, activation="tanh"), layers.Dense(1)]
    )


def test_a_loop_of_ones_own_does_what_train_on_batch_does():
    model, peer = make_model(), make_model()
    optimizer, loss_fn = keras.optimizers.Adam(0.01), keras.losses.MeanSquaredError()
    mean = keras.metrics.Mean()

    @keras.function
    def step(x, y):
        with keras.GradientTape() as tape:
            loss = loss_fn(y, model(x, training=True))
        weights = model.trainable_weights
        optimizer.apply(tape.gradient(loss, weights), weights)
        mean.update_state(loss)
        return loss, mean.result()

    peer.compile(keras.optimizers.Adam(0.01), "mse")
    losses = []
    for _ in range(5):
        loss, so_far = step(X, Y)
        losses.append(peer.train_on_batch(X, Y))
        assert float(loss) == pytest.approx(losses[-1], rel=1e-6)
        assert so_far == pytest.approx(np.mean(losses), rel=1e-6)
    for ours, theirs in zip(model.get_weights(), peer.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert int(optimizer.iterations) == 5
    assert mean.result() == pytest.approx(np.mean(losses), rel=1e-6)


def test_a_function_is_traced_once_for_each_kind_of_data():
    traces = []

    @keras.function
    def double(x):
        traces.append(x.shape)
        return x * 2

    for size in (3, 3, 5, 3):
        assert double(np.ones(size, "float32")).tolist() == [2.0] * size
    assert traces == [(3,), (5,)]


def test_a_method_is_compiled_for_each_object():
    class Scaler:
        def __init__(self, factor):
            self.factor = factor

        @keras.function
        def scale(self, x):
            return x * self.factor

    assert [Scaler(k).scale(np.ones(1)).tolist() for k in (2, 3)] == [[2.0], [3.0]]


def test_weights_that_are_assigned_between_calls_are_seen():
    model = make_model()
    total = keras.function(lambda x: ops.sum(model(x)))
    before = float(total(X))
    model.set_weights([w * 0 for w in model.get_weights()])
    assert before != 0 == float(total(X))


def test_value_and_grad_of_arrays_and_of_variables():
    cube = keras.value_and_grad(lambda x, y: ops.sum(x**3 * y), argnums=(0, 1))
    value, (dx, dy) = cube(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert float(value) == 35.0
    np.testing.assert_allclose(dx, [9.0, 48.0])
    np.testing.assert_allclose(dy, [1.0, 8.0])
    model = make_model()
    both = keras.value_and_grad(
        lambda x: (ops.sum(model(x)), x), has_aux=True, variables=model.trainable_weights
    )
    (value, aux), grads = both(X)
    assert float(value) == pytest.approx(float(np.sum(model(X))), rel=1e-5)
    assert (aux == X).all()
    step = 1e-2
    kernel = model.trainable_weights[0]
    moved = kernel.numpy()
    for sign in (1, -2):
        moved[1, 2] += sign * step
        kernel.assign(moved)
        value = float(np.sum(model(X).astype("float64"))) if sign == 1 else value
    slope = (value - float(np.sum(model(X).astype("float64")))) / (2 * step)
    assert float(grads[0][1, 2]) == pytest.approx(slope, rel=1e-2)


def test_gradients_of_gradients():
    @keras.function
    def penalty(x):
        with keras.GradientTape() as outer:
            with keras.GradientTape() as inner:
                y = ops.sum(x**3)
            slope = inner.gradient(y, x)
            total = ops.sum(slope * slope)  # 9 x^4
        return outer.gradient(total, x)

    np.testing.assert_allclose(penalty(np.array([1.0, 2.0])), [36.0, 288.0], rtol=1e-6)
    assert float(keras.grad(keras.grad(lambda x: x**4))(np.float32(2.0))) == 48.0


def test_a_tape_gives_gradients_in_the_structure_of_the_sources():
    @keras.function
    def slopes(x, y):
        with keras.GradientTape() as tape:
            z = ops.sum(x * x)
        return tape.gradient(z, {"x": x, "y": [y]}, unconnected_gradients="zero")

    found = slopes(np.array([1.0, 2.0]), np.array([5.0]))
    assert found["x"].tolist() == [2.0, 4.0]
    assert found["y"][0].tolist() == [0.0]


def test_a_tape_outside_of_a_graph_says_where_it_works():
    with (
        pytest.raises(RuntimeError, match="`GradientTape` works where a graph is made"),
        keras.GradientTape(),
    ):
        pass


def test_sizes_that_depend_on_values_cannot_be_returned():
    where = keras.function(lambda x: ops.nonzero(x)[0])
    with pytest.raises(ValueError, match="sizes follow from those of its arguments"):
        where(np.array([0.0, 1.0]))


def test_noise_differs_from_call_to_call_and_follows_the_seed():
    draw = keras.function(lambda x: x + keras.random.normal((3,)))
    keras.set_random_seed(5)
    first, second = draw(np.zeros(3)), draw(np.zeros(3))
    keras.set_random_seed(5)
    assert (draw(np.zeros(3)) == first).all()
    assert (first != second).all()


@pytest.mark.parametrize("turns", ["yynyn", "nnynny", "ynnny"])
def test_a_variable_that_not_every_trace_assigns_keeps_its_value(turns):
    often = keras.Variable(np.zeros(1, np.float32), name="often")
    seldom = keras.Variable(np.ones(2, np.float32), name="seldom")

    @keras.function
    def step(x, both):
        often.assign_add(ops.reshape(ops.sum(x), (1,)))
        if both:
            seldom.assign(seldom * 2.0)
        return ops.sum(seldom)

    size = 1.0
    for number, turn in enumerate(turns, 1):
        size *= 2 if turn == "y" else 1
        assert float(step(np.ones(3, np.float32), turn == "y")) == 2 * size
        np.testing.assert_array_equal(seldom.numpy(), [size, size])
        np.testing.assert_array_equal(often.numpy(), [3 * number])
        if number == 2:
            seldom.assign(np.array([5.0, 5.0], np.float32))
            size = 5.0
