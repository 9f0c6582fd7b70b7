"""Steps that a user writes: train_step, test_step, predict_step, compute_loss, compute_metrics."""

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers, ops

rng = np.random.RandomState(0)
X = rng.rand(50, 4).astype("float32")
Y = (X @ rng.rand(4, 1)).astype("float32")


class ByHand(keras.Model):
    """The step of Keras's guide, statement by statement."""

    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=x.shape[0])
            else:
                metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


class ByLoss(keras.Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return super().compute_loss(x, y, y_pred, sample_weight)


class ByMetrics(keras.Model):
    def compute_metrics(self, x, y, y_pred, sample_weight):
        results = super().compute_metrics(x, y, y_pred, sample_weight)
        return {**results, "batch": ops.shape(x)[0] * 1.0}


def make_model(cls, **options):
    keras.set_random_seed(1)
    x = keras.Input((4,))
    hidden = layers.Dense(5, activation="relu", kernel_regularizer="l2")(x)
    hidden = layers.BatchNormalization()(layers.Dropout(0.2)(hidden))
    model = cls(x, layers.Dense(1, kernel_constraint="non_neg")(hidden))
    model.compile(options.pop("optimizer", "adam"), "mse", ["mae"], **options)
    return model


def fitted(model, **options):
    return model.fit(X, Y, epochs=2, batch_size=16, verbose=0, **options).history


@pytest.mark.parametrize("cls", [ByHand, ByLoss, ByMetrics])
@pytest.mark.parametrize("steps", [1, 3])
def test_a_step_written_out_does_what_fit_does(cls, steps):
    plain = make_model(keras.Model, steps_per_execution=steps)
    expected = fitted(plain, validation_split=0.2)
    own = make_model(cls, steps_per_execution=steps)
    history = fitted(own, validation_split=0.2)
    history.pop("batch", None), history.pop("val_batch", None)
    assert history.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)
    for ours, theirs in zip(own.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert int(own.optimizer.iterations) == int(plain.optimizer.iterations)
    np.testing.assert_allclose(
        own.evaluate(X, Y, verbose=0)[:2], plain.evaluate(X, Y, verbose=0), rtol=1e-4
    )


def test_sample_weights_and_class_weights_reach_the_step():
    weights = np.linspace(0, 2, 50).astype("float32")
    expected = fitted(make_model(keras.Model), sample_weight=weights)["loss"]
    assert fitted(make_model(ByLoss), sample_weight=weights)["loss"] == pytest.approx(
        expected, rel=1e-5
    )


def test_a_tensor_that_is_returned_shows_the_last_batch():
    class Last(keras.Model):
        def train_step(self, data):
            x, _ = data
            return {"first": x[0, 0], "rows": ops.sum(x, axis=1)[:2]}

    model = make_model(Last)
    logs = model.train_on_batch(X[:8], Y[:8], return_dict=True)
    assert logs["first"] == pytest.approx(X[0, 0])
    np.testing.assert_allclose(logs["rows"], X[:2].sum(axis=1), rtol=1e-6)
    history = model.fit(X, Y, batch_size=16, shuffle=False, verbose=0).history
    assert history["first"] == [pytest.approx(X[48, 0])]


class Gan(keras.Model):
    """Keras's DCGAN example, but for the sizes."""

    def __init__(self, discriminator, generator):
        super().__init__()
        self.discriminator, self.generator = discriminator, generator
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")
        self.g_loss_metric = keras.metrics.Mean(name="g_loss")

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    @property
    def metrics(self):
        return [self.d_loss_metric, self.g_loss_metric]

    def train_step(self, real):
        count = ops.shape(real)[0]
        fake = self.generator(ops.ones((count, 3)))
        labels = ops.concatenate([ops.ones((count, 1)), ops.zeros((count, 1))], axis=0)
        with keras.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(ops.concatenate([fake, real], axis=0)))
        weights = self.discriminator.trainable_weights
        grads = tape.gradient(d_loss, weights)
        self.d_optimizer.apply_gradients(zip(grads, weights, strict=True))
        with keras.GradientTape() as tape:
            predictions = self.discriminator(self.generator(ops.ones((count, 3))))
            g_loss = self.loss_fn(ops.zeros((count, 1)), predictions)
        weights = self.generator.trainable_weights
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
        self.d_loss_metric.update_state(d_loss)
        self.g_loss_metric.update_state(g_loss)
        return {"d_loss": self.d_loss_metric.result(), "g_loss": self.g_loss_metric.result()}


def gan_parts():
    d = keras.Sequential([keras.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    g = keras.Sequential([keras.Input((3,)), layers.Dense(2, kernel_initializer="ones")])
    return d, g


def sigmoid_loss(labels, logits):
    return np.mean(np.logaddexp(0, logits) - labels * logits)


def test_the_second_optimizer_sees_what_the_first_has_changed():
    d, g = gan_parts()
    gan = Gan(d, g)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2), loss)
    real = np.full((4, 2), 0.5, "float32")
    history = gan.fit(real, batch_size=4, verbose=0).history
    # The same by hand, with derivatives of the logistic function.
    w, b, k, c = np.ones(2), 0.0, np.ones((3, 2)), np.zeros(2)
    fake = np.ones((4, 3)) @ k + c
    both, labels = np.concatenate([fake, real]), np.repeat([1.0, 0.0], 4)
    logits = both @ w + b
    d_loss = sigmoid_loss(labels, logits)
    slope = (1 / (1 + np.exp(-logits)) - labels) / 8
    w, b = w - 0.1 * both.T @ slope, b - 0.1 * slope.sum()
    logits = fake @ w + b
    slope = 1 / (1 + np.exp(-logits)) / 4
    k = k - 0.2 * np.ones((3, 4)) @ np.outer(slope, w)
    assert history["d_loss"] == [pytest.approx(d_loss, rel=1e-5)]
    assert history["g_loss"] == [pytest.approx(sigmoid_loss(0, logits), rel=1e-5)]
    np.testing.assert_allclose(d.get_weights()[0][:, 0], w, rtol=1e-5)
    np.testing.assert_allclose(g.get_weights()[0], k, rtol=1e-5)
    assert (int(gan.d_optimizer.iterations), int(gan.g_optimizer.iterations)) == (1, 1)


def test_slots_of_both_optimizers_go_on_from_fit_to_fit():
    losses = []
    for parts in ((2,), (1, 1)):
        gan = Gan(*gan_parts())
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        gan.compile(keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.1), loss)
        for epochs in parts:
            history = gan.fit(X[:, :2], epochs=epochs, shuffle=False, verbose=0).history
        losses.append((history["g_loss"][-1], gan.d_optimizer.learning_rate))
    assert losses[0] == losses[1]


class Vae(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = layers.Dense(4)
        self.decoder = layers.Dense(4)
        self.kl = keras.metrics.Mean(name="kl")

    def call(self, x):
        mean, log_var = ops.split(self.encoder(x), 2, axis=-1)
        kl = -0.5 * ops.mean(1 + log_var - mean**2 - ops.exp(log_var))
        self.add_loss(kl)
        noise = keras.random.normal((ops.shape(mean)[0], 2))
        return self.decoder(mean + noise * ops.exp(log_var / 2))


def test_a_model_trains_by_what_its_call_adds_to_the_loss():
    keras.set_random_seed(0)
    model = Vae()
    model.compile("adam")
    history = model.fit(X, epochs=3, verbose=0).history["loss"]
    assert history[0] > history[-1] > 0
    model.compile("adam", "mse")
    assert model.fit(X, X, epochs=1, verbose=0).history["loss"][0] > history[-1]


def test_predict_step_gives_the_predictions():
    class Both(keras.Model):
        def predict_step(self, data):
            x = data[0] if isinstance(data, tuple) else data
            return {"y": self(x), "sum": ops.sum(x, axis=-1)}

    model = make_model(Both)
    outputs = model.predict(X, batch_size=16, verbose=0)
    np.testing.assert_allclose(outputs["sum"], X.sum(axis=-1), rtol=1e-6)
    np.testing.assert_allclose(outputs["y"], model(X), rtol=1e-5, atol=1e-6)


def test_a_step_takes_data_in_any_structure():
    class Any(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def train_step(self, data):
            x, (y, masks) = data["x"], data["y"]
            with keras.GradientTape() as tape:
                loss = ops.mean(masks * (self.dense(x) - y) ** 2)
            self.optimizer.apply(
                tape.gradient(loss, self.dense.trainable_weights), self.dense.trainable_weights
            )
            return {"loss": loss}

    def batches():
        for start in range(0, 48, 16):
            rows = slice(start, start + 16)
            yield {"x": X[rows], "y": (Y[rows], np.ones((16, 1), "float32"))}

    model = Any()
    model.compile("sgd")
    first, *_, last = model.fit(batches(), verbose=0).history["loss"] * 2
    again = model.fit(batches(), verbose=0).history["loss"][0]
    assert again < last == first


def test_a_saved_model_goes_on_with_its_own_step(tmp_path):
    once = make_model(ByHand)
    fitted(once)
    twice = make_model(ByHand)
    fitted(twice)
    twice.save(tmp_path / "own.onnx")
    again = keras.load_model(tmp_path / "own.onnx", custom_objects={"ByHand": ByHand})
    assert type(again) is ByHand
    first, second = fitted(once), fitted(again)
    assert first == second


def test_a_frozen_layer_stays_as_it_is():
    model = make_model(ByHand)
    model.layers[1].trainable = False
    model.compile("adam", "mse")
    before = model.layers[1].get_weights()
    fitted(model)
    assert all((u == v).all() for u, v in zip(before, model.layers[1].get_weights(), strict=True))


def test_a_step_without_gradients_says_so():
    class Nothing(keras.Model):
        def train_step(self, data):
            x, _ = data
            with keras.GradientTape() as tape:
                loss = ops.sum(x)
            self.optimizer.apply(
                tape.gradient(loss, self.trainable_weights), self.trainable_weights
            )
            return {"loss": loss}

    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        fitted(make_model(Nothing))
