"""Optimizers are found by name, class and config, and round-trip through a config."""

from __future__ import annotations

import json

import pytest

from seqonnx import optimizers
from seqonnx.catalogue import short_names
from seqonnx.graph import clear_session
from seqonnx.optimizers import schedules

BY_NAME = sorted(short_names("optimizer").values(), key=lambda cls: cls.__name__)


@pytest.mark.parametrize("cls", BY_NAME)
def test_name_in_any_case_gives_its_optimizer(cls):
    assert type(optimizers.get(cls.__name__)) is cls
    assert type(optimizers.get(cls.__name__.lower())) is cls
    assert type(optimizers.get(cls)) is cls


def test_instance_comes_back():
    optimizer = optimizers.Adam()
    assert optimizers.get(optimizer) is optimizer


@pytest.mark.parametrize("identifier", ["foo", 3, None, {"class_name": "Foo"}])
def test_unknown_identifier_is_named(identifier):
    with pytest.raises(ValueError, match="Could not interpret optimizer identifier: ") as caught:
        optimizers.get(identifier)
    assert str(identifier) in str(caught.value)
    assert "rmsprop" in str(caught.value)


@pytest.mark.parametrize("cls", BY_NAME)
def test_config_round_trip_through_json(cls):
    optimizer = cls(0.25, name="given", clipnorm=1.5)
    config = json.loads(json.dumps(optimizers.serialize(optimizer)))
    twin = optimizers.get(config)
    assert type(twin) is cls
    assert twin.get_config() == optimizer.get_config()
    assert (twin.learning_rate, twin.name, twin.clipnorm) == (0.25, "given", 1.5)


def test_schedule_survives_the_round_trip():
    optimizer = optimizers.SGD(schedules.CosineDecay(0.1, 10), momentum=0.5, nesterov=True)
    twin = optimizers.SGD.from_config(json.loads(json.dumps(optimizer.get_config())))
    assert twin._learning_rate_at(5) == optimizer._learning_rate_at(5)
    assert twin.momentum == 0.5
    with pytest.raises(TypeError, match="not settable"):
        twin.learning_rate = 0.1


def test_config_of_keras_is_understood_and_what_matters_is_not_dropped():
    config = {
        "name": "adam",
        "learning_rate": 0.01,
        "weight_decay": None,
        "clipnorm": None,
        "global_clipnorm": None,
        "clipvalue": None,
        "use_ema": False,
        "ema_momentum": 0.99,
        "ema_overwrite_frequency": None,
        "loss_scale_factor": None,
        "gradient_accumulation_steps": None,
        "beta_1": 0.8,
        "beta_2": 0.99,
        "epsilon": 1e-07,
        "amsgrad": False,
    }
    assert optimizers.get({"class_name": "Adam", "config": config}).beta_1 == 0.8
    assert optimizers.Adam.from_config({**config, "use_ema": True}).use_ema
    with pytest.raises(ValueError, match=r"not recognized: \{'use_emu': True\}"):
        optimizers.Adam.from_config({**config, "use_emu": True})


def test_names_are_numbered_as_in_keras():
    clear_session()
    names = [optimizers.SGD().name, optimizers.SGD().name, optimizers.RMSprop().name]
    assert names == ["sgd", "sgd_1", "rm_sprop"]


@pytest.mark.parametrize(
    ("cls", "rate"),
    [(optimizers.SGD, 0.01), (optimizers.Adam, 0.001), (optimizers.RMSprop, 0.001)],
)
def test_default_learning_rates(cls, rate):
    assert cls().learning_rate == rate
    assert optimizers.AdamW().weight_decay == 0.004
