"""Optimizers with their arguments, and a small network that each trains for ten steps.

Read by the program that records real Keras and by the tests: classes are taken from whichever
library is given as `keras`.
"""

from __future__ import annotations

import numpy as np

STEPS = 10
BATCH = 8
RNG = np.random.default_rng(0)
X = RNG.normal(size=(STEPS * BATCH, 6, 6, 2)).astype("float32")
Y = RNG.normal(size=(STEPS * BATCH, 2)).astype("float32")
SHAPES = {
    "conv/kernel": (3, 3, 2, 3),
    "conv/bias": (3,),
    "hidden/kernel": (12, 5),
    "hidden/bias": (5,),
    "out/kernel": (5, 2),
    "out/bias": (2,),
}
START = [RNG.normal(0.0, 0.4, size=shape).astype("float32") for shape in SHAPES.values()]

BASIC = {
    "SGD": {"learning_rate": 0.05},
    "SGD momentum": {"learning_rate": 0.05, "momentum": 0.9},
    "SGD nesterov": {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
    "RMSprop": {"learning_rate": 0.01},
    "RMSprop all": {"learning_rate": 0.01, "rho": 0.8, "momentum": 0.5, "centered": True},
    "Adam": {"learning_rate": 0.01},
    "Adam amsgrad": {"learning_rate": 0.01, "amsgrad": True, "beta_1": 0.8, "beta_2": 0.9},
    "AdamW": {"learning_rate": 0.01, "weight_decay": 0.1},
    "Adamax": {"learning_rate": 0.01},
    "Nadam": {"learning_rate": 0.01},
    "Adagrad": {"learning_rate": 0.05},
    "Adadelta": {"learning_rate": 1.0},
    "Ftrl": {"learning_rate": 0.05, "l1_regularization_strength": 0.01, "beta": 0.1},
    "Lion": {"learning_rate": 0.01},
    "Lamb": {"learning_rate": 0.05},
    "Adafactor": {"learning_rate": 0.1},
    "Adafactor arguments": {
        "learning_rate": 0.1,
        "beta_2_decay": -0.6,
        "epsilon_1": 1e-4,
        "epsilon_2": 0.5,
        "clip_threshold": 0.7,
        "relative_step": False,
    },
    "ScheduleFreeAdamW": {"learning_rate": 0.02},
    "ScheduleFreeAdamW warm": {"learning_rate": 0.02, "beta_1": 0.8, "warmup_steps": 4},
    "Muon": {"learning_rate": 0.02, "exclude_layers": ["out/"]},
    "Muon arguments": {
        "learning_rate": 0.02,
        "adam_weight_decay": None,
        "weight_decay": 0.1,
        "adam_lr_ratio": 0.3,
        "momentum": 0.8,
        "ns_steps": 3,
        "nesterov": False,
        "rms_rate": None,
        "adam_beta_1": 0.7,
        "adam_beta_2": 0.95,
    },
}
"""Arguments of one optimizer each; the first word is its class."""

COMMON = {
    "clipnorm": {"clipnorm": 0.3},
    "clipvalue": {"clipvalue": 0.05},
    "global_clipnorm": {"global_clipnorm": 0.3},
    "weight_decay": {"weight_decay": 0.2},
    "accumulation": {"gradient_accumulation_steps": 3},
    "accumulation, clipped and decayed": {
        "gradient_accumulation_steps": 3,
        "clipnorm": 0.3,
        "weight_decay": 0.2,
    },
    "ema": {"use_ema": True, "ema_momentum": 0.7},
    "ema overwrites": {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 3},
    "ema with accumulation": {
        "use_ema": True,
        "ema_momentum": 0.7,
        "ema_overwrite_frequency": 2,
        "gradient_accumulation_steps": 3,
    },
    "loss_scale_factor": {"loss_scale_factor": 256.0},
}
"""Arguments that every optimizer takes."""

OF_COMMON = ("Adam", "Adafactor", "Muon")
"""Optimizers that get each of them: packed vectors, Keras's layout, two kinds of decay."""

CASES = BASIC | {
    f"{name} with {common}": BASIC[name] | COMMON[common] for name in OF_COMMON for common in COMMON
}

SWAPS = {
    "for measuring": {"swap_on_epoch": False},
    "on epochs": {"swap_on_epoch": True},
    "on epochs, loss scaled": {"swap_on_epoch": True, "loss_scaled": True},
}
"""Arguments of `fit_with_swaps`."""


def special(keras, name):
    """Optimizers that are more than a class with arguments."""
    o = keras.optimizers
    if name == "schedule":
        return o.SGD(o.schedules.ExponentialDecay(0.1, 3, 0.5), gradient_accumulation_steps=2)
    if name == "rate without arguments":
        return o.Adam(lambda: 0.02)
    if name == "excluded":
        optimizer = o.SGD(0.05, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return optimizer
    if name == "multi":
        chosen = o.OptimizerMap(o.Adam(0.02), {"conv/.*": o.SGD(0.05, momentum=0.9, clipnorm=0.2)})
        chosen["hidden/kernel"] = o.RMSprop(
            o.schedules.ExponentialDecay(0.1, 3, 0.5), use_ema=True, ema_momentum=0.5
        )
        return o.MultiOptimizer(chosen, loss_scale_factor=8.0)
    return o.LossScaleOptimizer(o.Adam(0.01, gradient_accumulation_steps=2), initial_scale=64.0)


SPECIAL = ("schedule", "rate without arguments", "excluded", "multi", "loss scale")
ALL = (*CASES, *SPECIAL)
LISTED = (*BASIC, "Adam with ema with accumulation", *SPECIAL)
"""Cases whose optimizers are compared variable by variable."""


def optimizer(keras, name):
    """The optimizer of a case."""
    if name in SPECIAL:
        return special(keras, name)
    return getattr(keras.optimizers, name.split()[0])(**CASES[name])


def network(keras, constrained=False, frozen=False):
    """A convolution and two dense layers, all with the same weights in both libraries."""
    layers = keras.layers
    bound = "max_norm" if constrained else None
    x = keras.Input((6, 6, 2))
    y = layers.Flatten()(layers.Conv2D(3, 3, strides=2, activation="tanh", name="conv")(x))
    y = layers.Dense(5, activation="tanh", name="hidden", kernel_constraint=bound)(y)
    model = keras.Model(x, layers.Dense(2, name="out")(y))
    model.set_weights(START)
    if frozen:
        model.get_layer("hidden").trainable = False
    return model


def trained(model):
    """Train for ten steps, without the exchange of weights at the end of `fit`."""
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        model.train_on_batch(X[rows], Y[rows])
    return model.get_weights()


def fit_with_swaps(keras, swap_on_epoch, loss_scaled=False):
    """The losses, the weights that later callbacks see, and those left, of a run with swaps."""
    seen = []

    class Looks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(np.concatenate([w.ravel() for w in self.model.get_weights()]))

    model = network(keras)
    inner = keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True, ema_momentum=0.8)
    model.compile(keras.optimizers.LossScaleOptimizer(inner) if loss_scaled else inner, "mse")
    swaps = keras.callbacks.SwapEMAWeights(swap_on_epoch=swap_on_epoch)
    history = model.fit(
        *(X[:48], Y[:48]),
        epochs=3,
        batch_size=BATCH,
        shuffle=False,
        validation_data=(X[48:], Y[48:]),
        verbose=0,
        callbacks=[swaps, Looks()],
    )
    left = np.concatenate([w.ravel() for w in model.get_weights()])
    return np.array(history.history["val_loss"]), np.stack(seen), left
