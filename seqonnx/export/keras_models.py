"""Models as Keras 3.15 writes them: layers with what they are called on and were built for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from seqonnx import catalogue, registration
from seqonnx.contexts import in_own_context
from seqonnx.export.keras_objects import (
    dtype_policy,
    entry_of,
    is_written_with_op,
    keras_tensor,
    kind_of,
    object_entry,
    serialize_keras_object,
)
from seqonnx.export.keras_operations import OPERATIONS
from seqonnx.graph.signatures import spelling_of
from seqonnx.importers.keras.code import dump_function
from seqonnx.layers._inside import parts_of
from seqonnx.layers.architecture import numbered_calls
from seqonnx.layers.attention.multi_head_attention import MultiHeadAttention
from seqonnx.layers.attention.projected import ProjectedAttention
from seqonnx.layers.base import Layer
from seqonnx.layers.core.input import InputLayer
from seqonnx.layers.core.lambda_layer import Lambda
from seqonnx.layers.core.operation import Operation
from seqonnx.layers.network import Network
from seqonnx.layers.onnx.onnx_model import ONNXModel
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.quantizable import check_told
from seqonnx.layers.shared_entries import number_of
from seqonnx.layers.sharing import number_shared
from seqonnx.layers.subclassing import built_from
from seqonnx.layers.wrappers.bidirectional import Bidirectional
from seqonnx.structures import mapped, put_back, take_out
from seqonnx.symbolic import LayerCall, SymbolicTensor

_ELSEWHERE: Final = "Save it as `.onnx`, which holds every model of seqonnx's"

_BUILT_FROM_THE_START: Final = frozenset(
    (
        *("Masking", "Activation", "Identity", "UnitNormalization", "MaxPooling1D"),
        *("MaxPooling2D", "MaxPooling3D", "AveragePooling1D", "AveragePooling2D"),
        *("AveragePooling3D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"),
        *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"),
        *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
        *("AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization"),
        *("Reshape", "ReLU", "LeakyReLU", "ELU", "Softmax", "InputLayer", "Lambda"),
        *("CutMix", "MixUp", "AugMix", "RandAugment"),
    )
)
"""Layers that Keras never builds, and so writes no shape for."""


_RECURRENT: Final = ("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
_MASKED: Final = (
    *("BatchNormalization", "GlobalAveragePooling1D", "Softmax", "Bidirectional"),
    *("TimeDistributed", *_RECURRENT),
)
_DROPPING: Final = (
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout"),
    *("GaussianDropout", "GaussianNoise", "SpectralNormalization", *_RECURRENT),
)
_DEFAULTS: Final = {"mask": (None, _MASKED), "training": (False, _DROPPING)}
"""Arguments of calls that Keras notes even where they were not given, and for which layers."""


@in_own_context
def model_entry(model: Network) -> dict[str, Any]:
    """Return a model as the config.json of a `.keras` file holds it, without `compile_config`.

    Raises:
        ValueError: if it has parts that Keras does not have, or that could not be found again.
    """
    _check_parts(model)
    number_shared(model)
    return _entry(model)


@object_entry.register
@in_own_context
def _network_object(model: Network) -> dict[str, Any]:
    """A model that `serialize_keras_object` was given."""
    number_shared(model)
    return _entry(model)


def _entry(layer: Layer) -> dict[str, Any]:
    """A layer, an input layer or a model, with its number if models share it."""
    return _own_entry(layer) | number_of(layer)


def _own_entry(layer: Layer) -> dict[str, Any]:
    """A layer, an input layer or a model."""
    if isinstance(layer, InputLayer):
        return _input_entry(layer)
    if isinstance(layer, Network) and not layer._is_subclassed():
        return _network_entry(layer)
    config = _with_inner_entries(layer, layer.get_config())
    check_told(layer, layer.get_config())
    if isinstance(layer, Lambda):
        config = {key: x for key, x in config.items() if x is not None} | _lambda_config(layer)
    entry = entry_of(layer, config)
    shapes = built_from(layer) if isinstance(layer, Network) else _built_for(layer)
    return entry | shapes


def _check_parts(model: Network) -> None:
    """Raise a ValueError if Keras does not have a part of a model, and could not be given it."""
    waiting: list[Layer] = [model]
    while len(waiting) > 0:
        layer = waiting.pop(0)
        if isinstance(layer, Network) and not layer._is_subclassed():
            waiting += layer.layers
        elif not isinstance(layer, InputLayer):
            _check_part(layer)
            waiting += parts_of(_held(layer, layer.get_config()), Layer)


def _check_part(layer: Layer) -> None:
    """Raise a ValueError for a layer that Keras does not have and could not be given."""
    cls = type(layer)
    if isinstance(layer, ONNXModel):
        raise ValueError(
            f"Layer '{layer.name}' holds an ONNX graph, which a file of Keras's cannot hold. "
            f"{_ELSEWHERE}."
        )
    if kind_of(cls) is not None:
        return
    if is_written_with_op(layer):
        raise ValueError(
            f"Layer '{layer.name}' cannot be written to a file of Keras's: `call` of "
            f"{cls.__name__} is written with ONNX operators (`op`), which Keras does not have. "
            f"{_ELSEWHERE}, or write `call(self, inputs)` with `seqonnx.ops`."
        )
    if not registration.is_registered(cls):
        raise ValueError(
            f"Layer '{layer.name}' cannot be written to a file of Keras's: its class "
            f"{cls.__name__} is not registered, so that nothing could find it again. Put "
            "`@seqonnx.saving.register_keras_serializable()` before the class. Or save the model "
            "as `.onnx` and pass the class to `load_model` in `custom_objects`."
        )


def _input_entry(layer: InputLayer) -> dict[str, Any]:
    config = {
        "batch_shape": list(layer.output.shape),
        "dtype": layer.output.dtype,
        "sparse": False,
        "ragged": False,
        "name": layer.name,
        "optional": layer.optional,
    }
    return {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": config,
        "registered_name": None,
    }


def _lambda_config(layer: Lambda) -> dict[str, Any]:
    """The functions of a Lambda, which Keras writes in full."""
    functions = {"function": layer.function, "output_shape": layer.output_shape, "mask": layer.mask}
    config: dict[str, Any] = {}
    for key, value in functions.items():
        if callable(value) and is_written_with_op(value):
            raise ValueError(
                f"Layer '{layer.name}' cannot be written to a file of Keras's: its `{key}` is "
                f"written with ONNX operators (`op`). {_ELSEWHERE}, or write it with "
                "`seqonnx.ops`."
            )
        if getattr(value, "__name__", "") == "<lambda>":
            parts = dict(zip(("code", "defaults", "closure"), dump_function(value), strict=True))
            config[key] = {"class_name": "__lambda__", "config": parts}
        elif value is not None:
            config[key] = serialize_keras_object(value)
    return config


def _network_entry(model: Network) -> dict[str, Any]:
    """A Sequential or a Functional, or a class derived from one of them."""
    common = {"name": model.name, "trainable": model._trainable}
    if catalogue.is_own("model", type(model)) or registration.is_registered(type(model)):
        name = catalogue.saved_name(type(model))
    else:
        name = "Functional" if not _is_stack(model) else "Sequential"
    own = not catalogue.is_own("model", type(model)) and registration.is_registered(type(model))
    if _is_stack(model):
        config = {**common, "dtype": dtype_policy(str(model.dtype_policy.name)), **_stack(model)}
        module, registered = "keras", None
    else:
        config = {**common, **_graph(model)}
        module, registered = "keras.src.models.functional", "Functional"
    if own:
        module, registered = type(model).__module__, name
        name = type(model).__name__
    shape = config.get("build_input_shape")
    built = {} if not model.built else {"build_config": {"input_shape": shape}}
    entry = {"module": module, "class_name": name, "config": config, "registered_name": registered}
    return entry | built | {"compile_config": {}}


def _is_stack(model: Network) -> bool:
    return any(catalogue.saved_name(base) == "Sequential" for base in type(model).__mro__)


def _stack(model: Network) -> dict[str, Any]:
    """Layers of a Sequential, and the shape that it was built for."""
    layers = [_entry(layer) for layer in model.layers]
    if not model.built:
        return {"layers": layers}
    tensor = model.inputs[0]
    source = tensor._source
    entry = source if isinstance(source, InputLayer) else InputLayer._standing_for(tensor)
    shape = list(tensor.shape)
    return {"layers": [_input_entry(entry), *layers], "build_input_shape": shape}


def _graph(model: Network) -> dict[str, Any]:
    """Layers of a Functional with their calls, and its inputs and outputs."""
    calls = numbered_calls(model)
    inputs = {id(x.output): [x.name, 0, 0] for x in model.layers if isinstance(x, InputLayer)}

    def refer(tensor: SymbolicTensor) -> list[Any]:
        if id(tensor) in inputs:
            return inputs[id(tensor)]
        assert tensor._call is not None
        return [tensor._call.layer.name, calls[tensor._call], tensor._index]

    entries = []
    for layer in model.layers:
        own = [call for call in calls if call.layer is layer]
        if isinstance(layer, Operation):
            entries.append(_operation(layer, own, refer))
        else:
            entries.append(_called(layer, own, refer))
    given, made = model._structures()
    return {
        "layers": entries,
        "input_layers": mapped(refer, given, SymbolicTensor),
        "output_layers": mapped(refer, made, SymbolicTensor),
    }


def _called(layer: Layer, calls: Sequence[LayerCall], refer: Any) -> dict[str, Any]:
    """A layer with its calls."""
    nodes = []
    for call in calls:
        tensors = [keras_tensor(tensor, refer(tensor)) for tensor in call.inputs]
        named: Mapping[str, Any] = {}
        if call.arguments is not None:
            first, named = put_back(call.arguments.first, tensors), dict(call.arguments.named)
        elif isinstance(layer, Network):
            structure = layer._structures()[0]
            first = put_back(take_out(structure, _is_symbolic, []), tensors)
        else:
            first = tensors if layer._takes_list or len(tensors) > 1 else tensors[0]
        others = put_back(dict(named), tensors)
        args = [first, *_by_position(layer, others)]
        kwargs = _noted(layer) | others
        if call.training is not None:
            kwargs["training"] = call.training
        nodes.append(
            {"args": serialize_keras_object(args), "kwargs": serialize_keras_object(kwargs)}
        )
    return _entry(layer) | {"name": layer.name, "inbound_nodes": nodes}


def _is_symbolic(part: Any) -> bool:
    return isinstance(part, SymbolicTensor)


def _by_position(layer: Layer, named: dict[str, Any]) -> list[Any]:
    """Tensors that are arguments right after the first; they are taken out of those by name."""
    found: list[Any] = []
    for name in layer._spelling.names[1:]:
        tensor = named.get(name)
        if not isinstance(tensor, Mapping) or tensor.get("class_name") != "__keras_tensor__":
            break
        found.append(named.pop(name))
    return found


def _noted(layer: Layer) -> dict[str, Any]:
    """Arguments that Keras notes with each call of a layer."""
    name = type(layer).__name__
    if isinstance(layer, Network):
        return {"mask": None}
    if kind_of(type(layer)) is None:
        return {}
    noted = {key: value for key, (value, names) in _DEFAULTS.items() if name in names}
    return noted | ({"training": True} if isinstance(layer, ImageLayer) else {})


def _operation(layer: Operation, calls: Sequence[LayerCall], refer: Any) -> dict[str, Any]:
    """A function of tensors with its call."""
    found = OPERATIONS.get(layer.function)
    if found is None:
        raise ValueError(
            f"The function '{layer.function}' (node '{layer.name}') cannot be written to a file of "
            f"Keras's, which has no class for it. {_ELSEWHERE}."
        )
    module, name, own = found
    config: dict[str, Any] = {"name": layer.name}
    nodes = []
    for call in calls:
        assert call.arguments is not None
        tensors = [keras_tensor(tensor, refer(tensor)) for tensor in call.inputs]
        arguments = serialize_keras_object(put_back(call.arguments.first, tensors))
        config |= {key: value for key, value in arguments.items() if key in own}
        args = [value for key, value in arguments.items() if key not in own]
        nodes.append({"args": args, "kwargs": {}})
    return {
        "module": f"keras.src.ops.{module}",
        "class_name": name,
        "config": config,
        "registered_name": name,
        "name": layer.name,
        "inbound_nodes": nodes,
    }


def _with_inner_entries(layer: Layer, config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with the layers in it as Keras writes them, with what they were built for."""
    held = _held(layer, config)
    full = {key: _inner(held[key], value) for key, value in config.items()}
    if isinstance(layer, MultiHeadAttention) and layer._built_for is not None:
        # Keras notes which axes it has found.
        full["attention_axes"] = full["attention_axes"] or list(
            range(1, len(layer._built_for[0]) - 1)
        )
    return full


def _held(layer: Layer, config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a layer that it holds as attributes."""
    held = {key: getattr(layer, key, None) for key in config}
    return held | ({"layer": layer.forward_layer} if isinstance(layer, Bidirectional) else {})


def _inner(held: Any, value: Any) -> Any:
    """One argument, where it is a layer or a list of them."""
    if isinstance(held, Layer) and isinstance(value, Mapping):
        return _entry(held)
    if isinstance(held, list | tuple) and isinstance(value, list) and len(held) == len(value):
        return [_inner(one, written) for one, written in zip(held, value, strict=True)]
    return value


def _built_for(layer: Layer) -> dict[str, Any]:
    """An entry `build_config` with the shapes that a layer was built for, as Keras writes it."""
    known = kind_of(type(layer)) is None or type(layer).__name__ not in _BUILT_FROM_THE_START
    shapes = layer._built_for
    if not known or shapes is None:
        return {}
    shape, others = shapes
    if len(others) == 0:
        return {"build_config": {"input_shape": _sizes(shape)}}
    first = "query_shape" if isinstance(layer, ProjectedAttention) else build_names(layer)[0]
    return {"build_config": {"shapes_dict": {first: _sizes(shape)} | _sizes(others)}}


def build_names(layer: Layer) -> tuple[str, ...]:
    """Return the names of the arguments of a layer's `build`."""
    return spelling_of(layer.build).names


def _sizes(shape: Any) -> Any:
    """Shapes as lists of sizes."""
    if isinstance(shape, Mapping):
        return {key: _sizes(item) for key, item in shape.items()}
    if isinstance(shape, list | tuple):
        return [_sizes(item) for item in shape]
    return shape
