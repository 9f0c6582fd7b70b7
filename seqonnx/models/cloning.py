"""Copies of models with new weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from seqonnx.contexts import in_own_context
from seqonnx.export.keras_objects import serialize_keras_object
from seqonnx.layers.base import Layer
from seqonnx.layers.core.input import UNNAMED, Input, InputLayer
from seqonnx.layers.core.operation import Operation
from seqonnx.layers.shared_entries import collect_shared, find_shared, note_shared, number_of
from seqonnx.layers.sharing import number_shared
from seqonnx.models.keras_files import arguments_of
from seqonnx.models.model import Model
from seqonnx.models.sequential import Sequential
from seqonnx.structures import mapped, parts, put_back, take_out
from seqonnx.symbolic import SymbolicTensor

CloneFunction = Callable[[Any], Any]


@in_own_context
def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: CloneFunction | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Model:
    """Make a model of the same layers, with new weights.

    Args:
        model: a model that is known by its layers, or whose class has `get_config`.
        input_tensors: symbolic tensors to build it on, in the structure of `model.input`.
        clone_function: called with each layer but the inputs, gives the layer in its place;
            default: `layer.from_config(layer.get_config())`.
        call_function: `fn(layer, *args, **kwargs)`, gives what a layer gives in the copy; for
            models of inputs and outputs.
        recursive: whether models inside are copied layer by layer, too.
        **kwargs: `cache`, a dict of copies made before, by the `id` of the layer.

    Returns:
        The copy, compiled as the model is, with a fresh optimizer.

    Raises:
        ValueError: if an argument does not fit the kind of model.

    Example:
        >>> from seqonnx import layers
        >>> model = Sequential([Input((2,)), layers.Dense(3)])
        >>> clone_model(model).count_params()
        9
    """
    number_shared(model)
    collect_shared()
    cache = kwargs.pop("cache", None)
    if kwargs:
        raise ValueError(f"Unexpected keyword argument(s): {tuple(kwargs)}")
    own = type(model)._is_subclassed()
    if own and (clone_function is not None or input_tensors is not None or call_function):
        raise ValueError(
            "Arguments `clone_function`, `call_function` and `input_tensors` are only supported "
            "for models that are made from layers, or from inputs and outputs; class "
            f"{type(model).__name__} has a `call` of its own. Received: "
            f"clone_function={clone_function}, call_function={call_function}, "
            f"input_tensors={input_tensors}"
        )
    if own:
        copy: Any = type(model).from_config(model.get_config())
        copy.build_from_config(model.get_build_config() or {})
    elif isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError(
                "`call_function` argument is not supported with Sequential models: their layers "
                "are only listed. Use it with models of inputs and outputs. Received: "
                f"call_function={call_function}"
            )
        copies = _Copies(clone_function, None, recursive, cache)
        copy = _stack(model, copies, input_tensors)
    else:
        copies = _Copies(clone_function, call_function, recursive, cache)
        copy = _graph(model, copies, input_tensors)
    if model.compiled:
        copy.compile(**_arguments(model))
    return copy  # type: ignore[no-any-return]  # the class of the model is the user's


class _Copies:
    """The copies of the layers of a model: each is made once."""

    def __init__(
        self,
        clone: CloneFunction | None,
        call: Callable[..., Any] | None,
        recursive: bool,
        cache: dict[int, Any] | None,
    ) -> None:
        if clone is not None and not callable(clone):
            raise ValueError(
                "Expected `clone_function` argument to be a callable. "
                f"Received: clone_function={clone}"
            )
        self.clone, self.call, self.recursive = clone or _clone_layer, call, recursive
        self.made = {} if cache is None else cache

    def of(self, layer: Layer) -> Any:
        """Return the copy of a layer."""
        if id(layer) not in self.made:
            inner = self.recursive and isinstance(layer, Model) and not layer._is_subclassed()
            self.made[id(layer)] = self._inner(layer) if inner else self.clone(layer)
        return self.made[id(layer)]

    def _inner(self, model: Any) -> Any:
        call = None if isinstance(model, Sequential) else self.call
        return clone_model(model, None, self.clone, call, True, cache=self.made)


def _clone_layer(layer: Layer) -> Layer:
    """A copy by the configuration; of what models inside share, one."""
    entry = number_of(layer)
    copy: Layer | None = find_shared(entry)
    if copy is None:
        copy = type(layer).from_config(layer.get_config())
        note_shared(entry, copy)
    return copy


def _arguments(model: Model) -> dict[str, Any]:
    """Return the arguments of `compile`, with new objects for those that have state."""
    compilation = model._sessions.compiled()
    given: dict[str, Any] = dict(compilation.given)
    optimizer = compilation.optimizer
    fresh = type(optimizer).from_config(optimizer.get_config())
    try:
        given = arguments_of(serialize_keras_object(given))
    except (TypeError, ValueError):
        given.pop("run_eagerly", None)  # the user's own functions, which no name finds
    return {
        "optimizer": fresh if compilation.trains else None,
        "steps_per_execution": compilation.steps_per_execution,
        **given,
    }


def _stack(model: Sequential, copies: _Copies, tensors: Any) -> Sequential:
    """A copy of a Sequential."""
    layers = [copies.of(layer) for layer in model.layers]
    if tensors is not None:
        given = list(tensors) if isinstance(tensors, list | tuple) else [tensors]
        if len(given) != 1:
            raise ValueError("Argument `input_tensors` must contain a single tensor.")
        _check_tensors(given[0])
        layers = [given[0], *layers]
    elif model._entry is not None:
        entry = model._entry
        layers = [_same_input(entry), *layers]
    return Sequential(layers, name=model.name, trainable=model._trainable)


def _check_tensors(tensors: Any) -> None:
    found = parts(tensors, SymbolicTensor)
    flat: list[Any] = []
    take_out(tensors, lambda part: not isinstance(part, list | tuple | Mapping), flat)
    if len(found) < len(flat) or len(found) == 0:
        raise ValueError(
            "All entries in `input_tensors` must be symbolic tensors, as `Input` gives. "
            f"Received: input_tensors={tensors}"
        )


def _graph(model: Model, copies: _Copies, tensors: Any) -> Model:
    """A copy of a model of inputs and outputs."""
    given, made = model._structures()
    if tensors is None:
        tensors = mapped(_same_input, given, SymbolicTensor)
    else:
        _check_tensors(tensors)
    found: list[Any] = []
    wanted: list[Any] = []
    pattern = take_out(tensors, lambda part: isinstance(part, SymbolicTensor), found)
    if pattern != take_out(given, lambda part: isinstance(part, SymbolicTensor), wanted):
        raise ValueError(
            "`input_tensors` must have the same structure as model.input\n"
            f"Reference structure: {given}\nReceived structure: {tensors}"
        )
    values = {id(old): new for old, new in zip(wanted, found, strict=True)}
    for call in _in_order(model):
        _call(call, copies, values, model)
    outputs = mapped(lambda tensor: values[id(tensor)], made, SymbolicTensor)
    return type(model)(tensors, outputs, name=model.name)


def _same_input(tensor: SymbolicTensor) -> Any:
    source = tensor._source
    name = None if tensor.name == UNNAMED else tensor.name
    optional = isinstance(source, InputLayer) and source.optional
    return Input(batch_shape=tensor.shape, dtype=tensor.dtype, optional=optional, name=name)


def _in_order(model: Model) -> list[Any]:
    """Calls of a model, each after those it depends on."""
    return list(dict.fromkeys(call for call, _ in model._calls_inside))


def _call(call: Any, copies: _Copies, values: dict[int, Any], model: Model) -> None:
    """Repeat one call on the tensors of the copy."""
    layer = call.layer
    tensors = [values[id(tensor)] for tensor in call.inputs]
    if isinstance(layer, Operation):
        result = Operation(layer.function).record(put_back(call.arguments.first, tensors))
    else:
        named: dict[str, Any] = {} if call.training is None else {"training": call.training}
        if call.arguments is not None:
            first = put_back(call.arguments.first, tensors)
            named |= put_back(dict(call.arguments.named), tensors)
        else:
            first = tensors if len(tensors) > 1 or _is_merging(layer) else tensors[0]
        new = copies.of(layer)
        result = new(first, **named) if copies.call is None else copies.call(new, first, **named)
    given = parts(result, SymbolicTensor)
    mine = [tensor for made, tensor in model._calls_inside if made is call]
    for tensor in mine:
        values[id(tensor)] = given[tensor._index]


def _is_merging(layer: Any) -> bool:
    return bool(layer._takes_list) and not isinstance(layer, Model)
