"""Batch renormalization in either kit: three steps of training, and what is left then.

    KERAS_BACKEND=torch python tests/support/layers/renormalizing.py

Run by itself it records what Keras does. Recorded with Keras 3.15.1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("recorded_renormalization.json")
CASES: dict[str, tuple[bool, dict[str, Any]]] = {
    "free": (False, {}),
    "clipped": (False, {"axis": 1, "renorm_clipping": {"rmax": 1.2, "rmin": 0.9, "dmax": 0.3}}),
    "masked": (True, {"renorm_clipping": {"rmax": 1.2}}),
    "without_gamma": (False, {"axis": 2, "scale": False, "renorm_clipping": {}}),
    "without_beta": (False, {"center": False, "renorm_clipping": {"dmax": 0.1}}),
}
"""Whether there is a mask, and arguments of the layer."""


def trained(kit: Any, masked: bool, arguments: dict[str, Any]) -> dict[str, Any]:
    """Train a layer for three steps; returns its losses, weights and predictions."""
    rng = np.random.default_rng(0)
    shape = (4, 3, 5)
    x = rng.normal(1, 2, (6, *shape)).astype("float32")
    x[0, 1, 1] = x[3, 2] = 0
    y = rng.normal(0, 1, (6, *shape)).astype("float32")
    entry = kit.Input(shape)
    layer = kit.layers.BatchNormalization(
        momentum=0.8, epsilon=0.01, renorm=True, renorm_momentum=0.7, **arguments
    )
    model = kit.Model(entry, layer(kit.layers.Masking(0.0)(entry) if masked else entry))
    model.compile(kit.optimizers.SGD(0.1), loss="mse")
    layer.set_weights([rng.uniform(0.5, 1.5, w.shape).astype("float32") for w in layer.weights])
    losses = [float(model.train_on_batch(x + i * (x != 0), y)) for i in range(3)]
    return {
        "names": [weight.name for weight in layer.weights],
        "losses": losses,
        "weights": [np.asarray(weight).tolist() for weight in layer.get_weights()],
        "outputs": np.asarray(model.predict(x[:2], verbose=0)).ravel()[::7].tolist(),
    }


if __name__ == "__main__":
    import keras

    recorded = {name: trained(keras, *case) for name, case in CASES.items()}
    FILE.write_text(json.dumps(recorded), "utf-8")
