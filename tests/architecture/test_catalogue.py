"""One catalogue: what is registered is found by each of its names, saved, and made again."""

from __future__ import annotations

import pytest

from seqonnx import (
    activations,
    catalogue,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from seqonnx.optimizers import schedules

ROOMS = {
    "activation": activations,
    "constraint": constraints,
    "initializer": initializers,
    "loss": losses,
    "metric": metrics,
    "optimizer": optimizers,
    "regularizer": regularizers,
    "schedule": schedules,
}


@pytest.fixture
def entries(monkeypatch):
    """The catalogue without what a test adds to it."""
    copied = {kind: dict(known) for kind, known in catalogue._ENTRIES.items()}
    monkeypatch.setattr(catalogue, "_ENTRIES", copied)
    monkeypatch.setattr(catalogue, "_SAVED_AS", dict(catalogue._SAVED_AS))
    return copied


@pytest.mark.usefixtures("entries")
def test_class_is_found_by_its_own_name_and_by_further_ones():
    @catalogue.register("loss", "cubic", "3")
    class Cubic(losses.Loss):
        def call(self, op, y_true, y_pred):
            return op.Pow(op.Sub(y_pred, y_true), 3.0)

    for name in ("Cubic", "cubic", "3"):
        assert type(losses.get(name)) is Cubic
    assert losses.serialize(Cubic(name="c"))["class_name"] == "Cubic"
    assert losses.deserialize(losses.serialize(Cubic(name="c"))).name == "c"
    with pytest.raises(ValueError, match=r"one of bce, .*, cubic, "):
        losses.get("quartic")


@pytest.mark.usefixtures("entries")
def test_name_in_files_may_differ_from_the_name_of_the_class():
    @catalogue.register("model", saved_as="Stacked")
    class Model:
        pass

    assert catalogue.find("model", "Stacked") is Model
    assert catalogue.find("model", "Model") is None
    assert catalogue.saved_name(Model) == "Stacked"
    assert catalogue.saved_name(type("Own", (Model,), {})) == "Own"


@pytest.mark.parametrize("names", [("mse",), ("new", "mean_squared_error"), ("twice", "twice")])
def test_name_that_is_taken_is_refused_and_nothing_is_entered(entries, names):
    before = dict(entries["loss"])
    with pytest.raises(ValueError, match=r"cannot be registered as Mine, .*\. Taken: ") as caught:
        catalogue.register("loss", *names)(type("Mine", (losses.Loss,), {}))
    assert any(name in str(caught.value) for name in names)
    assert entries["loss"] == before


def test_kind_that_is_unknown_is_refused():
    with pytest.raises(ValueError, match=r"no catalogue of kind 'lozz'\. Expected one of act"):
        catalogue.register("lozz")


@pytest.mark.parametrize("kind", ROOMS)
def test_every_room_has_the_same_three_functions(kind):
    room = ROOMS[kind]
    for entry in set(catalogue.entries(kind).values()):
        name = catalogue.saved_name(entry)
        assert catalogue.find(kind, name) is entry
        assert name == entry.__name__
    with pytest.raises(ValueError, match=f"^Could not interpret {catalogue.KINDS[kind].label} id"):
        room.get("foo")
    with pytest.raises(ValueError, match=f"^Could not interpret {catalogue.KINDS[kind].label} id"):
        room.deserialize("foo", {"bar": 1})


@pytest.mark.parametrize("kind", ["loss", "metric", "optimizer", "initializer", "schedule"])
def test_class_of_ones_own_comes_from_custom_objects(kind):
    base = next(iter(catalogue.entries(kind).values()))
    own = type("Own", (base,), {})
    room = ROOMS[kind]
    arguments = {
        "initializer": {"value": [1.0]},
        "schedule": {
            "initial_learning_rate": 0.1,
            "decay_steps": 2,
            "decay_rate": 0.5,
        },
    }
    config = room.serialize(own(**arguments.get(kind, {})))
    assert config["class_name"] == "Own"
    with pytest.raises(ValueError, match="identifier: "):
        room.deserialize(config)
    twin = room.deserialize(config, {"Own": own})
    assert type(twin) is own
    assert room.serialize(twin) == config


def test_function_of_ones_own_comes_from_custom_objects():
    def halves(shape, dtype):
        return [0.5] * shape[0]

    def penalty(op, x):
        return op.ReduceMax(x, keepdims=0)

    config = initializers.serialize(initializers.get(halves))
    assert config == {"class_name": "halves", "config": {}}
    assert initializers.deserialize(config, {"halves": halves})((2,)).tolist() == [0.5, 0.5]
    config = regularizers.serialize(regularizers.get(penalty))
    assert regularizers.deserialize(config, {"penalty": penalty}).function is penalty
    assert activations.deserialize("penalty", {"penalty": penalty}) is penalty
    assert losses.deserialize("mse", {"mse": losses.Huber()}).name == "huber_loss"


def test_layers_register_themselves():
    known = catalogue.entries("layer")
    assert {"Dense", "Conv2D", "BatchNormalization", "ONNXModel"} <= set(known)
    assert all(issubclass(cls, layers.Layer) for cls in known.values())
    with pytest.raises(ValueError, match=r"Known layers: Activation, .*, ZeroPadding3D\.$"):
        layers.deserialize({"class_name": "Foo"})
