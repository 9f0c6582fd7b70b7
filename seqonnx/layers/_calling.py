"""Calls of a layer: on symbolic tensors (extends a model), on data (computes), in a trace (emits).

Functions over a layer, so that a layer's own methods are what its user has given it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import config, dtypes
from seqonnx.contexts import in_own_context
from seqonnx.graph import Trace, TracedTensor, Variable, current_trace, dtype_name
from seqonnx.graph.signatures import Spelling
from seqonnx.graph.tracing import tracing
from seqonnx.layers.alone import CallsOnData
from seqonnx.layers.spec import check_dtypes
from seqonnx.structures import Slot, put_back, take_out
from seqonnx.symbolic import Arguments, Emits, LayerCall, SymbolicTensor, infer_call

_FOLLOWING: ContextVar[bool] = ContextVar("_FOLLOWING", default=False)
"""Whether the graph of a training step is being made, in which `training=True` says nothing new."""


@contextmanager
def following_training() -> Iterator[None]:
    """Take `training=True` for symbolic tensors inside."""
    token = _FOLLOWING.set(True)
    try:
        yield
    finally:
        _FOLLOWING.reset(token)


class Callable(Emits, Protocol):
    """The side of a layer that a call needs."""

    trainable: bool
    autocast: bool
    input_spec: Any
    _data_dtype: str | None
    _calls: list[tuple[LayerCall, list[SymbolicTensor]]]
    _calls_on_data: CallsOnData

    @property
    def dtype(self) -> str:
        """Dtype of the weights."""

    @property
    def compute_dtype(self) -> str:
        """Dtype that the layer computes in."""

    @property
    def _on_host(self) -> bool:
        """Whether a call on data begins with what ONNX cannot compute."""

    def _call_on_host(self, data: Any) -> npt.NDArray[Any]:
        """Compute the output for data, where ONNX alone cannot."""

    @property
    def _spelling(self) -> Spelling:
        """How the layer's `call` is written."""

    @property
    def _settings(self) -> tuple[Hashable, ...]:
        """Settings that the nodes depend on."""

    def _separate(self, x: Any) -> list[Any]:
        """Return one entry per input."""

    def _arrange(self, values: Sequence[Any]) -> Any:
        """Return one value per output as the user wants them."""

    def _build_for(self, shape: Any, **others: Any) -> None:
        """Check an input shape and build the layer if it is not built."""

    def _call_symbolic(
        self, inputs: list[SymbolicTensor], training: bool | None
    ) -> list[SymbolicTensor]:
        """Note a call in the layer graph; returns what it gives."""


@in_own_context
def call(
    layer: Callable,
    x: Any,
    training: bool | None,
    positional: Sequence[Any] = (),
    named: Mapping[str, Any] | None = None,
) -> Any:
    """Apply a layer (see `Layer.__call__`)."""
    trace = current_trace()
    more = bool(positional) or bool(named)
    structured = isinstance(x, list | tuple | Mapping) and not layer._spelling.emits
    if trace is None and not more and not structured:
        return _call_plain(layer, x, training)
    given, training = _by_name(layer, positional, named or {}, training)
    if trace is not None:
        return _call_traced(layer, trace, x, training, given)
    return _call_structured(layer, x, training, given)


def _call_plain(layer: Callable, x: Any, training: bool | None) -> Any:
    """Call on one tensor, or on a flat list of them."""
    parts = layer._separate(x)
    symbolic = [part for part in parts if isinstance(part, SymbolicTensor)]
    if len(symbolic) == len(parts):
        outputs = layer._call_symbolic(symbolic, training)
        return _given(layer, outputs[0]._call, outputs) if outputs else layer._arrange(outputs)
    if len(symbolic) > 0:
        raise ValueError(
            f"Layer '{layer.name}' was called on symbolic tensors and on data at once; all "
            f"inputs must be of one kind. Received: inputs={x}"
        )
    if layer._on_host:
        return layer._call_on_host(x)
    arrays = [_to_array(layer, part) for part in parts]
    return _call_on_data(layer, arrays, training is True, None)


def _call_structured(
    layer: Callable, x: Any, training: bool | None, named: Mapping[str, Any]
) -> Any:
    """Call on a structure of tensors, or with further arguments."""
    first = _first(layer, x)
    arguments, symbolic = Arguments.of(first, named, lambda p: isinstance(p, SymbolicTensor))
    if len(symbolic) > 0:
        return _given(layer, *_note_call(layer, symbolic, training, arguments))
    arguments, found = Arguments.of(_arrays_in(first), _arrays_named(named), _is_data)
    arrays = [
        _to_array(layer, part) if i < _count(arguments.first) else _as_given(layer, part)
        for i, part in enumerate(found)
    ]
    return _call_on_data(layer, arrays, training is True, arguments)


def _call_traced(
    layer: Callable, trace: Trace, x: Any, training: bool | None, named: Mapping[str, Any]
) -> Any:
    """Emit a layer in place, in the graph of a trace."""
    if training and not trace.may_train:
        raise ValueError(_refused_training(layer))
    trace.begin_call(layer)
    first = _arrays_in(_first(layer, x))
    arguments, found = Arguments.of(first, _arrays_named(named), _is_traced)
    values = [trace.value(part) for part in found]
    shapes = [TracedTensor(value).shape for value in values]
    _check_dtypes(layer, arguments, [dtype_name(value) for value in values])
    with tracing(None):  # a Sequential or a subclassed model is built by calls on symbolic tensors
        build_for(layer, arguments, shapes)
    first, others = arguments.filled(values)
    mode = trace.training if training is None else training
    with trace.op.scope(layer.name):
        result = layer._emit(trace.op, first, mode, **others)
    outputs: list[ir.Value] = []
    pattern = take_out(result, lambda part: isinstance(part, ir.Value), outputs)
    return _arranged(layer, pattern, [TracedTensor(value) for value in outputs])


def call_symbolic(
    layer: Callable, inputs: list[SymbolicTensor], training: bool | None
) -> list[SymbolicTensor]:
    """Note a call in the layer graph; returns what it gives."""
    return _note_call(layer, inputs, training, None)[1]


def record(layer: Callable, arguments: Mapping[str, Any]) -> Any:
    """Note a call on a structure of symbolic tensors in the layer graph; returns what it gives."""
    made, symbolic = Arguments.of(arguments, {}, lambda part: isinstance(part, SymbolicTensor))
    call, outputs = _note_call(layer, symbolic, None, made)
    return put_back(call.result, outputs)


def _note_call(
    layer: Callable,
    inputs: list[SymbolicTensor],
    training: bool | None,
    arguments: Arguments | None,
) -> tuple[LayerCall, list[SymbolicTensor]]:
    """Note a call in the layer graph; returns it and what it gives."""
    if training and not _FOLLOWING.get():
        raise ValueError(_refused_training(layer))
    training = None if training else training
    _check_dtypes(layer, arguments, [tensor.dtype for tensor in inputs])
    build_for(layer, arguments, [tensor.shape for tensor in inputs])
    number = layer._calls[-1][0].index + 1 if len(layer._calls) > 0 else 0
    made = LayerCall(layer, tuple(inputs), number, training, arguments)
    given, pattern = infer_call(made)
    made = replace(made, result=pattern)
    outputs = [
        SymbolicTensor(shape, dtype, layer.name, made, index=index)
        for index, (shape, dtype) in enumerate(given)
    ]
    layer._calls.append((made, outputs))
    return made, outputs


def build_for(layer: Callable, arguments: Arguments | None, shapes: Sequence[Any]) -> None:
    """Build a layer for the arguments of a call, if it is not built.

    Args:
        layer: the layer.
        arguments: the arguments of the call, where it is not a plain one.
        shapes: the shapes of its tensors.
    """
    if arguments is None:
        layer._build_for(list(shapes) if layer._takes_list else shapes[0])
        return
    others = {
        f"{name}_shape": shapes[part.index]
        for name, part in arguments.named.items()
        if isinstance(part, Slot)
    }
    layer._build_for(put_back(arguments.first, shapes), **others)


def _check_dtypes(layer: Callable, arguments: Arguments | None, kinds: Sequence[str]) -> None:
    """Raise a ValueError if the dtypes of a call do not fit the requirements of a layer.

    Floating-point inputs count in the dtype that the layer casts them to.
    """
    if layer.input_spec is None:
        return
    cast = layer.autocast and dtypes.is_float(layer.compute_dtype)
    kinds = [layer.compute_dtype if cast and dtypes.is_float(kind) else kind for kind in kinds]
    given = kinds if arguments is None else put_back(arguments.first, kinds)
    single = arguments is None and not layer._takes_list
    check_dtypes(layer.input_spec, given[0] if single else given, layer.name)


def _call_on_data(
    layer: Callable,
    arrays: list[npt.NDArray[Any]],
    training: bool,
    arguments: Arguments | None,
) -> Any:
    """Compute on arrays."""
    _check_dtypes(layer, arguments, [array.dtype.name for array in arrays])
    build_for(layer, arguments, [array.shape for array in arrays])

    def emit(op: Any, values: list[ir.Value]) -> Any:
        if arguments is None:
            return layer._emit(op, values if layer._takes_list else values[0], training)
        first, named = arguments.filled(values)
        return layer._emit(op, first, training, **named)

    pattern, results = layer._calls_on_data.run(
        arrays,
        (training, layer._settings, repr(arguments), *_others(arguments)),
        emit,
        seed=config.next_seed() if training else 0,
    )
    return _arranged(layer, pattern, results)


def _others(arguments: Arguments | None) -> list[Any]:
    """Functions and other objects in arguments, whose `repr` may soon be that of another."""
    if arguments is None:
        return []
    plain = (type(None), int, float, str, np.generic, Slot, list, tuple, Mapping)
    return [
        part
        for part in _parts([arguments.first, arguments.named])
        if isinstance(part, Hashable) and not isinstance(part, plain)
    ]


def _given(layer: Callable, made: LayerCall | None, outputs: list[SymbolicTensor]) -> Any:
    """The tensors of a call as its user wants them."""
    return _arranged(layer, None if made is None else made.result, outputs)


def _arranged(layer: Callable, pattern: Any, outputs: Sequence[Any]) -> Any:
    """Outputs in the structure that a user's `call` has given, or as the layer arranges them."""
    if layer._spelling.emits or pattern is None:
        return layer._arrange(outputs)
    return put_back(pattern, outputs)


def _by_name(
    layer: Callable,
    positional: Sequence[Any],
    named: Mapping[str, Any],
    training: bool | None,
) -> tuple[dict[str, Any], bool | None]:
    """The arguments after the first by name, and `training`."""
    try:
        given = layer._spelling.named(positional, named)
    except TypeError as error:
        raise TypeError(f"Layer '{layer.name}' ({type(layer).__name__}) {error}.") from None
    if "training" in given:
        training = given.pop("training")
    return given, training


def _first(layer: Callable, x: Any) -> Any:
    """The first argument as the layer gets it: a list, one tensor, or the user's structure."""
    if not layer._spelling.emits:
        return x
    parts = layer._separate(x)
    return parts if layer._takes_list else parts[0]


def _arrays_in(x: Any) -> Any:
    """The first argument of a call with data as arrays: a list of numbers is one array."""
    if isinstance(x, Mapping):
        return {key: _arrays_in(part) for key, part in x.items()}
    if isinstance(x, list | tuple) and any(_is_traced(part) for part in _parts(x)):
        return type(x)(_arrays_in(part) for part in x)
    return x if x is None or _is_traced(x) else dtypes.to_array(x, None, "inputs")


def _arrays_named(named: Mapping[str, Any]) -> dict[str, Any]:
    """Further arguments of a call with masks as arrays."""
    return {
        name: _arrays_in(value) if name.endswith("mask") and not isinstance(value, bool) else value
        for name, value in named.items()
    }


def _parts(structure: Any) -> list[Any]:
    """Everything in a structure, itself included."""
    found: list[Any] = []

    def note(part: Any) -> bool:
        found.append(part)
        return False

    take_out(structure, note, [])
    return found


def _count(pattern: Any) -> int:
    """Number of slots in a pattern."""
    return sum(isinstance(part, Slot) for part in _parts(pattern))


def _is_data(part: Any) -> bool:
    return isinstance(part, np.ndarray | Variable)


def _is_traced(part: Any) -> bool:
    return isinstance(part, np.ndarray | Variable | TracedTensor)


def _to_array(layer: Callable, data: Any) -> npt.NDArray[Any]:
    """Data in the layer's dtype, where it takes data of floating-point numbers.

    A layer of integers takes what it is given: its graph casts floating-point inputs. So does one
    without `autocast` take integers: float16 has no odd ones above 2,048.
    """
    if layer._data_dtype is not None:
        return dtypes.to_array(data, layer._data_dtype, "inputs")
    array = dtypes.to_array(data, None, "inputs")
    kept = array.dtype.kind in "iub" and not layer.autocast
    if kept or not dtypes.is_float(layer.dtype):
        return array
    return dtypes.to_array(array, layer.dtype, "inputs")


def _as_given(layer: Callable, data: Any) -> npt.NDArray[Any]:
    """A further argument: floating-point numbers in the layer's dtype, others as they are."""
    array = dtypes.to_array(data, None, "inputs")
    return _to_array(layer, array) if array.dtype.kind == "f" else array


def _refused_training(layer: Callable) -> str:
    return (
        f"Layer '{layer.name}' cannot be called on symbolic tensors with `training=True`: "
        "`fit` runs in training mode, `predict` does not. Leave the argument out, or pass "
        "False to keep this call in inference mode."
    )
