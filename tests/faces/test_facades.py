"""Keras's façades give what Keras 3.15.1 (torch backend) gives, recorded."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

import seqonnx as keras
from seqonnx import backend, dtype_policies, layers, mixed_precision, utils
from seqonnx.optimizers import LossScaleOptimizer


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        *((None, "float32"), (float, "float32"), (int, "int32"), (bool, "bool"), (str, "string")),
        *((np.float64, "float64"), (np.dtype("int8"), "int8"), (np.int16, "int16")),
    ],
)
def test_dtypes_have_one_name(dtype, name):
    assert backend.standardize_dtype(dtype) == utils.standardize_dtype(dtype) == name


def test_a_dtype_of_torch_has_a_name():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert backend.standardize_dtype(torch.float16) == "float16"


def test_kinds_and_results_of_dtypes():
    assert [backend.is_float_dtype(d) for d in ("bfloat16", float, "int8", "bool")] == [
        *(True, True, False, False),
    ]
    assert [backend.is_int_dtype(d) for d in ("uint8", int, "float16", "bool")] == [
        *(True, True, False, False),
    ]
    assert backend.result_type("int32", "float16") == "float16"
    assert backend.result_type(int, float) == "float32"
    assert backend.result_type("int8", float) == "float32"
    assert backend.result_type("bool", "uint8") == "uint8"
    assert backend.result_type() == "float32"


def test_numbers_of_prefixes_begin_anew_with_the_session():
    assert [backend.get_uid("a"), backend.get_uid("a"), backend.get_uid()] == [1, 2, 1]
    backend.clear_session(free_memory=False)
    assert backend.get_uid("a") == 1
    utils.clear_session()
    assert layers.Dense(1).name == "dense"


def test_the_inputs_of_a_tensor_are_found():
    a, b = keras.Input((2,)), keras.Input((2,))
    joined = layers.Concatenate()([layers.Dense(2)(a), b])
    assert utils.get_source_inputs(layers.Add()([joined, joined])) == [a, b]
    assert utils.get_source_inputs(a) == [a]
    assert utils.get_source_inputs(3) == 3
    assert [backend.is_keras_tensor(x) for x in (a, joined, np.ones(2), 1.0)] == [
        *(True, True, False, False),
    ]


def test_policies_are_objects():
    policy = mixed_precision.Policy("mixed_float16")
    assert repr(policy) == '<DTypePolicy "mixed_float16">'
    assert (policy.name, policy.compute_dtype, policy.variable_dtype, policy.quantization_mode) == (
        *("mixed_float16", "float16", "float32", None),
    )
    assert policy == "mixed_float16"
    assert policy == keras.FloatDTypePolicy("mixed_float16")
    assert policy != keras.DTypePolicy("float32")
    assert keras.DTypePolicy() == "float32"
    with pytest.raises(TypeError, match="'name' must be a string, such as 'mixed_float16'"):
        keras.DTypePolicy(3)
    mixed_precision.set_global_policy(policy)
    assert mixed_precision.global_policy() == mixed_precision.dtype_policy() == policy
    assert layers.Dense(1).dtype_policy == policy
    assert mixed_precision.LossScaleOptimizer is LossScaleOptimizer


def test_policies_are_found_by_what_stands_for_them():
    policy = dtype_policies.get("mixed_bfloat16")
    written = dtype_policies.serialize(policy)
    assert written == {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "mixed_bfloat16"},
        "registered_name": None,
    }
    assert dtype_policies.get(written) == policy
    assert dtype_policies.deserialize(written) == policy
    assert dtype_policies.get(policy) is policy
    assert dtype_policies.get(np.float64) == "float64"
    assert dtype_policies.get(None) == "float32"
    with pytest.raises(ValueError, match="'GPTQDTypePolicy' is not known"):
        dtype_policies.deserialize({"class_name": "GPTQDTypePolicy", "config": {}})
    with pytest.raises(ValueError, match="Cannot interpret `dtype` argument"):
        dtype_policies.get(object())


@pytest.mark.parametrize(
    ("name", "class_name", "config"),
    [
        ("int8_from_float32", "QuantizedDTypePolicy", {"mode": "int8"}),
        ("int4_from_float32", "QuantizedDTypePolicy", {"mode": "int4"}),
        ("int4/64_from_float32", "Int4DTypePolicy", {"mode": "int4/64"}),
    ],
)
def test_policies_of_integers_are_written_as_in_keras(name, class_name, config):
    """As Keras 3.15.1's `dtype_policies.serialize` does."""
    policy = dtype_policies.get(name)
    assert dtype_policies.serialize(policy) == {
        "module": "keras.dtype_policies",
        "class_name": class_name,
        "config": {**config, "source_name": "float32"},
        "registered_name": None,
    }
    assert dtype_policies.deserialize(dtype_policies.serialize(policy)) == policy == name
    assert policy.quantization_mode == name[:4]
    assert (policy.compute_dtype, policy.variable_dtype) == ("float32", "float32")
    assert repr(policy) == f'<{class_name} "{name}">'


def test_policies_of_integers_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match=r"Invalid quantization mode. Expected one of \('int8',"):
        dtype_policies.get("gptq_from_float32")
    for mode in ("int4/0", "int4/a", "int8/64", "int4/-2"):
        with pytest.raises(ValueError, match="is written 'int4/<block_size>'"):
            dtype_policies.Int4DTypePolicy(mode, "float32")
    with pytest.raises(ValueError, match="does not go with compute_dtype='float16'"):
        dtype_policies.QuantizedDTypePolicy("int8", "mixed_float16")


def test_named_values_are_attributes_and_items():
    config = utils.Config(rate=0.1)
    config.seed = 123
    config["more"] = [1]
    assert (config.rate, config["seed"], config.get("none", 7)) == (0.1, 123, 7)
    assert (list(config), len(config), "seed" in config) == (["rate", "seed", "more"], 3, True)
    assert config.to_json() == '{"rate": 0.1, "seed": 123, "more": [1]}'
    assert config.as_dict() == dict(config.items())
    config.update(seed=4)
    assert config.pop("more") == [1]
    config.freeze()
    assert config.frozen
    for change in (
        lambda: setattr(config, "seed", 1),
        lambda: config.__setitem__("seed", 1),
        lambda: config.update(seed=1),
        lambda: config.pop("seed"),
    ):
        with pytest.raises(ValueError, match="because the config is frozen"):
            change()
    assert config.seed == 4
    config.unfreeze()
    config.seed = 5
    assert (config.seed, config.frozen) == (5, False)
    with pytest.raises(AttributeError, match=r"no value 'nothing'. It has: rate, seed"):
        _ = config.nothing


def test_the_bar_averages_the_values_that_it_is_told_to():
    stream = io.StringIO()
    console = Console(file=stream, width=80)
    bar = utils.Progbar(2, verbose=2, stateless_metrics=["loss"], console=console)
    bar.add(1, [("loss", 1.0), ("rate", 8.0)])
    bar.add(1, [("loss", 2.0), ("rate", 4.0)])
    assert "loss: 1.5000 - rate: 4.0000" in stream.getvalue()
    with pytest.raises(ValueError, match="Only one of `stateful_metrics` or `stateless_metrics`"):
        utils.Progbar(2, stateful_metrics=[], stateless_metrics=[])
