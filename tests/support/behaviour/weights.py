"""Activations, constraints, initializers and regularizers."""

from __future__ import annotations

from typing import Any

import numpy as np

from support.behaviour.table import case, draw, near, same

POINTS = np.array([[-7.0, -3.0, -1.5, -0.5], [-0.25, 0.0, 0.25, 0.5], [0.75, 1.5, 3.0, 7.0]], "f4")

ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "celu": [{"alpha": 0.5}],
    "elu": [{"alpha": 0.5}],
    "gelu": [{"approximate": True}],
    "glu": [{"axis": 1}],
    "hard_shrink": [{"threshold": 1.0}],
    "leaky_relu": [{"negative_slope": 0.5}],
    "log_softmax": [{"axis": 0}],
    "relu": [{"negative_slope": 0.5, "max_value": 2.0, "threshold": 0.3}],
    "soft_shrink": [{"threshold": 1.0}],
    "softmax": [{"axis": 0}],
    "squareplus": [{"b": 2}],
    "threshold": [{"threshold": 0.3, "default_value": -1.0}],
}


@case(
    *(
        f"activations.{name}"
        for name in (
            *("celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid"),
            *("hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid"),
            *("log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink"),
            *("softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax"),
            *("squareplus", "swish", "tanh", "tanh_shrink", "threshold"),
        )
    )
)
def activation(kit: Any, name: str) -> Any:
    """Values, with its defaults and with arguments."""
    function = getattr(kit.activations, name)
    given = [{}, *ARGUMENTS.get(name, [])]
    given = given[1:] if name == "threshold" else given
    if name == "sparsemax":  # Keras's leaves a row whose sum is not 1 for the others
        return function(POINTS[::2])
    return [function(POINTS, **arguments) for arguments in given]


@case("activations.get")
def activation_by_name(kit: Any) -> Any:
    """By name, by None and as it is."""
    get = kit.activations.get
    return [
        get("swish")(POINTS),
        get(None) is kit.activations.linear,
        get(kit.activations.relu) is kit.activations.relu,
    ]


@case("activations.serialize")
def activation_as_name(kit: Any) -> Any:
    """Its name."""
    return [kit.activations.serialize(kit.activations.relu), kit.activations.serialize(len)][:1]


@case("activations.deserialize")
def activation_again(kit: Any) -> Any:
    """From its name."""
    return kit.activations.deserialize("relu") is kit.activations.relu


WEIGHT = draw(3, 4)


@case("constraints.MaxNorm", "constraints.NonNeg", "constraints.UnitNorm", "constraints.MinMaxNorm")
def constraint(kit: Any, name: str) -> Any:
    """Values and configuration."""
    cls = getattr(kit.constraints, name)
    more = {"MaxNorm": (0.5, 1), "UnitNorm": (1,), "MinMaxNorm": (0.5, 1.0, 0.5, 1)}.get(name, ())
    return [[each(WEIGHT), each.get_config()] for each in (cls(), cls(*more))]


same(max_norm="MaxNorm", non_neg="NonNeg", unit_norm="UnitNorm", min_max_norm="MinMaxNorm")(
    "constraints"
)


@case("constraints.Constraint")
def own_constraint(kit: Any) -> Any:
    """One of a user's own holds a kernel after a step."""

    class Rounded(kit.constraints.Constraint):
        def __call__(self, w):
            return kit.ops.clip(w, -0.125, 0.5)

    layer = kit.layers.Dense(2, kernel_constraint=Rounded(), use_bias=False)
    model = kit.Sequential([kit.Input((3,)), layer])
    layer.set_weights([draw(3, 2)])
    model.compile(kit.optimizers.SGD(0.1), "mse")
    model.train_on_batch(draw(4, 3), draw(4, 2))
    return layer.get_weights()[0]


@case("regularizers.L1", "regularizers.L2", "regularizers.L1L2")
def regularizer(kit: Any, name: str) -> Any:
    """Values and configuration."""
    cls = getattr(kit.regularizers, name)
    more = (0.3, 0.2) if name == "L1L2" else (0.3,)
    return [[each(WEIGHT), each.get_config()] for each in (cls(), cls(*more))]


same(l1="L1", l2="L2", l1_l2="L1L2", orthogonal_regularizer="OrthogonalRegularizer")("regularizers")


@case("regularizers.OrthogonalRegularizer")
def orthogonal(kit: Any) -> Any:
    """Rows: Keras divides the columns of a square matrix by the norms of its rows."""
    cls = kit.regularizers.OrthogonalRegularizer
    return [cls()(WEIGHT), cls(0.3)(WEIGHT.T), cls(0.3).get_config()]


@case("regularizers.Regularizer")
def own_regularizer(kit: Any) -> Any:
    """One of a user's own is added to the loss."""

    class Cubic(kit.regularizers.Regularizer):
        def __call__(self, x):
            return 0.1 * kit.ops.sum(kit.ops.abs(x) ** 3)

    layer = kit.layers.Dense(2, kernel_regularizer=Cubic(), use_bias=False)
    model = kit.Sequential([kit.Input((3,)), layer])
    layer.set_weights([draw(3, 2)])
    model.compile(kit.optimizers.SGD(0.1), "mse")
    losses = [float(model.train_on_batch(draw(4, 3), draw(4, 2))) for _ in range(2)]
    return [losses, layer.get_weights()[0]]


@case("constraints.get", "constraints.deserialize")
def constraint_again(kit: Any, name: str) -> Any:
    """From what `serialize` gives."""
    written = kit.constraints.serialize(kit.constraints.MaxNorm(3, axis=1))
    return getattr(kit.constraints, name)(written).get_config()


@case("regularizers.get", "regularizers.deserialize")
def regularizer_again(kit: Any, name: str) -> Any:
    """From what `serialize` gives."""
    written = kit.regularizers.serialize(kit.regularizers.L1L2(0.25, 0.5))
    return getattr(kit.regularizers, name)(written).get_config()


@case("initializers.get", "initializers.deserialize")
def initializer_again(kit: Any, name: str) -> Any:
    """From what `serialize` gives."""
    written = kit.initializers.serialize(kit.initializers.RandomNormal(1.0, 0.5, seed=3))
    return getattr(kit.initializers, name)(written).get_config()


@case("constraints.serialize", "regularizers.serialize", "initializers.serialize")
def names_of_objects(kit: Any, name: str) -> Any:
    """Class and arguments, as the readers of Keras need them."""
    things = (kit.constraints.MaxNorm(3), kit.regularizers.L2(0.5), kit.initializers.Constant(2.0))
    modules = (kit.constraints, kit.regularizers, kit.initializers)
    written = [getattr(m, name)(t) for m, t in zip(modules, things, strict=True)]
    return [[each["class_name"], each["config"]] for each in written]


FIXED: dict[str, tuple[tuple[Any, ...], tuple[int, ...]]] = {
    "Zeros": ((), (2, 3)),
    "Ones": ((), (2, 3)),
    "Constant": ((0.25,), (2, 3)),
    "Identity": ((0.5,), (3, 3)),
    "STFT": (("real",), (8, 1, 5)),
}


@case(*(f"initializers.{name}" for name in FIXED))
def fixed(kit: Any, name: str) -> Any:
    """Values and configuration."""
    arguments, shape = FIXED[name]
    made = getattr(kit.initializers, name)(*arguments)
    # Keras's class writes no gain.
    return [made(shape), {} if name == "Identity" else made.get_config()]


RANDOM: dict[str, dict[str, Any]] = {
    **{f"{name}Uniform": {} for name in ("Glorot", "He", "Lecun")},
    **{f"{name}Normal": {} for name in ("Glorot", "He", "Lecun")},
    "RandomNormal": {"mean": 1.0, "stddev": 0.5},
    "RandomUniform": {"minval": -2.0, "maxval": 3.0},
    "TruncatedNormal": {"mean": 1.0, "stddev": 0.5},
    "VarianceScaling": {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"},
    "Orthogonal": {"gain": 1.5},
}


@case(*(f"initializers.{name}" for name in RANDOM))
def random(kit: Any, name: str) -> Any:
    """Moments and limits of many draws, equal draws of one seed, and the configuration."""
    made = getattr(kit.initializers, name)(**RANDOM[name], seed=3)
    shape = (120, 80) if name == "Orthogonal" else (400, 250)
    value = np.asarray(kit.ops.convert_to_numpy(made(shape)))
    again = getattr(kit.initializers, name)(**RANDOM[name], seed=3)(shape)
    scale = float(value.std())
    limits = [float(np.quantile(value, q)) for q in (0.01, 0.25, 0.75, 0.99)]
    return [
        near([float(value.mean()), scale, *limits], 0.05 * max(scale, 0.1)),
        bool(np.array_equal(value, kit.ops.convert_to_numpy(again))),
        {key: item for key, item in made.get_config().items() if "axes" not in key},
    ]


@case("initializers.Initializer")
def own_initializer(kit: Any) -> Any:
    """One of a user's own starts a kernel."""

    class Steps(kit.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.arange(np.prod(shape), dtype="float32").reshape(shape)

    layer = kit.layers.Dense(2, kernel_initializer=Steps())
    layer.build((None, 3))
    return [layer.get_weights()[0], Steps().get_config()]


same(
    zeros="Zeros",
    ones="Ones",
    constant="Constant",
    identity="Identity",
    IdentityInitializer="Identity",
    stft="STFT",
    STFTInitializer="STFT",
    glorot_uniform="GlorotUniform",
    glorot_normal="GlorotNormal",
    he_uniform="HeUniform",
    he_normal="HeNormal",
    lecun_uniform="LecunUniform",
    lecun_normal="LecunNormal",
    random_normal="RandomNormal",
    random_uniform="RandomUniform",
    truncated_normal="TruncatedNormal",
    variance_scaling="VarianceScaling",
    orthogonal="Orthogonal",
    OrthogonalInitializer="Orthogonal",
)("initializers")
