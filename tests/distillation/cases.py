"""Distillation in Keras's idiom, for Keras and for seqonnx."""

from __future__ import annotations

from typing import Any

import numpy as np

_RNG = np.random.RandomState(0)
X = _RNG.randn(24, 4).astype("float32")
Y = _RNG.randint(0, 3, 24)


def models(kit: Any) -> tuple[Any, Any]:
    """A teacher and a student with weights that are always the same."""
    made = []
    for prefix, activation in (("t", "relu"), ("s", None)):
        hidden = kit.layers.Dense(5, activation, name=f"{prefix}h")
        output = kit.layers.Dense(3, name=f"{prefix}o")
        model = kit.Sequential([kit.Input((4,)), hidden, output])
        rng = np.random.RandomState(1)
        shapes = [weight.shape for weight in model.get_weights()]
        model.set_weights([rng.randn(*shape).astype("float32") * 0.5 for shape in shapes])
        made.append(model)
    return made[0], made[1]


def losses(kit: Any) -> dict[str, tuple[Any, Any, float]]:
    """Losses, their weights, and the weight of the student's loss."""
    room, kl = kit.distillation, kit.losses.KLDivergence()
    entropy = kit.losses.CategoricalCrossentropy(from_logits=True)
    return {
        "divergence": (room.LogitsDistillation(2.0, kl), None, 0.5),
        "logits": (room.LogitsDistillation(4.0, entropy), None, 0.3),
        "several": (
            [room.LogitsDistillation(loss=kl), room.FeatureDistillation("mse", "th", "sh")],
            [0.5, 2.0],
            0.25,
        ),
        "teacher alone": (room.FeatureDistillation(), None, 0.0),
        "targets alone": (room.LogitsDistillation(loss=kl), None, 1.0),
    }


def run(kit: Any, name: str) -> dict[str, Any]:
    """Train two epochs; returns logs, the student's weights, and what is measured."""
    teacher, student = models(kit)
    distiller = kit.distillation.Distiller(teacher, student, *losses(kit)[name])
    loss = kit.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile(kit.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    history = distiller.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    measured = distiller.evaluate(X, Y, verbose=0, return_dict=True)
    return {
        "history": {key: [float(x) for x in values] for key, values in history.items()},
        "measured": {key: float(x) for key, x in measured.items()},
        "weights": [np.asarray(x).tolist() for x in student.get_weights()],
    }
