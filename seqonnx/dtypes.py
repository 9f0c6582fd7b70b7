"""Dtypes under the names that Keras and NumPy use."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from seqonnx import defaults
from seqonnx.tables import holds_numbers, numbers_of

FLOAT_TYPES: Final = ("float16", "bfloat16", "float32", "float64")
INTEGER_TYPES: Final = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
HALF_TYPES: Final = ("float16", "bfloat16")
MIXED_POLICIES: Final = ("mixed_float16", "mixed_bfloat16")
QUANTIZATION_MODES: Final = ("int8", "int4")
"""The forms of quantised weights."""
_TEXT: Final = "OUST"
"""NumPy's kinds of arrays that may hold text."""
_PYTHON_TYPES: Final = {bool: "bool", int: "int32", float: "float32", str: "string"}
ALL_TYPES: Final = (*FLOAT_TYPES, *INTEGER_TYPES, "bool", "string")


def standardize(dtype: object) -> str:
    """Return the standard name of `dtype`.

    Args:
        dtype: a name (`"float32"`), a NumPy or torch dtype, a type, a `DTypePolicy` (the dtype that
            it computes in), or None for `config.floatx()`.

    Returns:
        One of `ALL_TYPES`.

    Raises:
        ValueError: if the type has no ONNX counterpart that layers can work on.

    Example:
        >>> standardize(np.float64)
        'float64'
    """
    if dtype is None:
        return defaults.floatx()
    if isinstance(dtype, DTypePolicy):
        return dtype.compute_dtype
    name = _PYTHON_TYPES.get(dtype) if isinstance(dtype, type) else None
    name = _name_of(dtype) if name is None else name
    if name not in ALL_TYPES:
        raise ValueError(f"Invalid dtype: {dtype}. Expected one of {', '.join(ALL_TYPES)}.")
    return str(name)


class DTypePolicy:
    """Dtypes of a layer: that of its weights, and that it computes in.

    Every `dtype` argument takes one, in the place of its name; one is equal to its name.

    Args:
        name: a dtype, for both; or one of `MIXED_POLICIES`: weights in float32, computation in 16
            bits. None for the policy of the process.

    Raises:
        TypeError: if `name` is no string.
        ValueError: if it names no policy.

    Example:
        >>> policy = DTypePolicy("mixed_float16")
        >>> policy, policy.variable_dtype, policy.compute_dtype
        (<DTypePolicy "mixed_float16">, 'float32', 'float16')
    """

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = defaults.dtype_policy()
        if not isinstance(name, str):
            raise TypeError(
                "'name' must be a string, such as 'mixed_float16'. "
                f"Received: name={name} (of type {type(name)})"
            )
        mixed = name in MIXED_POLICIES
        if name.startswith("mixed_") and not mixed:
            raise ValueError(
                f"Invalid dtype policy: {name}. Expected one of {', '.join(MIXED_POLICIES)}, or "
                "a dtype."
            )
        self._compute_dtype = name.removeprefix("mixed_") if mixed else standardize(name)
        self._variable_dtype = "float32" if mixed else self._compute_dtype
        self._name = name if mixed else self._compute_dtype

    @classmethod
    def of(cls, dtype: object) -> DTypePolicy:
        """Return the policy that a `dtype` argument stands for.

        Args:
            dtype: a policy, its name, what `standardize` takes, or None for the policy of the
                process.

        Raises:
            ValueError: if it names none.
        """
        if isinstance(dtype, DTypePolicy):
            return dtype
        if isinstance(dtype, str) and "_from_" in dtype:
            return quantized_policy(dtype)
        if dtype is None or isinstance(dtype, str):
            return DTypePolicy(dtype)
        return DTypePolicy(standardize(dtype))

    @property
    def name(self) -> str:
        """Name of the policy."""
        return self._name

    @property
    def variable_dtype(self) -> str:
        """Dtype of the weights."""
        return self._variable_dtype

    @property
    def compute_dtype(self) -> str:
        """Dtype of the computation, and of its outputs."""
        return self._compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        """The form of quantised weights, one of `QUANTIZATION_MODES`; None where they are not."""
        return None

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """Make a policy from the configuration returned by `get_config`, here or in Keras."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        named = other.name if isinstance(other, DTypePolicy) else other
        return self._name == named

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'


class FloatDTypePolicy(DTypePolicy):
    """Another name of `DTypePolicy`, as in Keras."""


class QuantizedDTypePolicy(DTypePolicy):
    """Dtypes of a layer whose large weights are small integers.

    Args:
        mode: `"int8"`, or `"int4"` without blocks.
        source_name: the policy of the rest of the layer; default that of the process.

    Raises:
        ValueError: if there is no such form, or it does not go with float16.

    Example:
        >>> QuantizedDTypePolicy("int8", "float32")
        <QuantizedDTypePolicy "int8_from_float32">
    """

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        super().__init__(source_name)
        if mode not in QUANTIZATION_MODES:
            raise ValueError(
                f"Invalid quantization mode. Expected one of {QUANTIZATION_MODES}. "
                f"Received: mode={mode!r}"
            )
        if mode == "int8" and self._compute_dtype == "float16":
            raise ValueError(
                "Quantization mode='int8' does not go with compute_dtype='float16', whose range "
                f"its sums leave. Use float32 or bfloat16. Received: source_name={source_name!r}"
            )
        self._mode, self._source_name = mode, self._name
        self._name = f"{mode}_from_{self._source_name}"

    @property
    def quantization_mode(self) -> str | None:
        """The form of quantised weights, one of `QUANTIZATION_MODES`."""
        return self._mode

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"mode": self._mode, "source_name": self._source_name}

    def __repr__(self) -> str:
        return f'<{type(self).__name__} "{self._name}">'


class Int4DTypePolicy(QuantizedDTypePolicy):
    """Dtypes of a layer whose large weights are integers of 4 bits, in blocks.

    Args:
        mode: `"int4/128"` for blocks of 128 inputs; `"int4/-1"` for none.
        source_name: the policy of the rest of the layer; default that of the process.

    Raises:
        ValueError: if the mode is written otherwise.
    """

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        form, _, size = mode.partition("/")
        if form != "int4" or not (size == "-1" or (size.isdecimal() and int(size) > 0)):
            raise ValueError(
                "The mode of an Int4DTypePolicy is written 'int4/<block_size>', with a positive "
                f"integer, or -1 for no blocks. Received: mode={mode!r}"
            )
        super().__init__(form, source_name)
        self.block_size = int(size)
        self._name = f"{mode}_from_{self._source_name}"

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"mode": f"int4/{self.block_size}"}


def quantized_policy(name: str) -> QuantizedDTypePolicy:
    """Return the policy of a name such as `"int8_from_float32"` or `"int4/128_from_float32"`.

    Raises:
        ValueError: if it is not written so.
    """
    mode, _, source = name.partition("_from_")
    return (Int4DTypePolicy if "/" in mode else QuantizedDTypePolicy)(mode, source)


def _name_of(dtype: object) -> str:
    """The name of a dtype of NumPy or torch, or of what NumPy makes one."""
    if not isinstance(dtype, str):
        if str(dtype).startswith("torch."):
            return str(dtype).removeprefix("torch.")
        # `np.dtype` is typed for what it accepts; anything may come in, and it says what is wrong.
        return str(np.dtype(dtype).name)  # type: ignore[call-overload]  # any object; NumPy says
    return np.dtype(dtype).name if dtype in {"half", "single", "double"} else dtype


def widened(dtype: str) -> str:
    """Return float32 for a type of 16 bits, which loses digits in sums; else `dtype`.

    Example:
        >>> widened("bfloat16"), widened("float64")
        ('float32', 'float64')
    """
    return "float32" if dtype in HALF_TYPES else dtype


def is_float(dtype: str) -> bool:
    """Whether `dtype` (a standard name) is a floating-point type."""
    return dtype in FLOAT_TYPES


def is_float_dtype(dtype: object) -> bool:
    """Return whether a dtype, in any form that `standardize` takes, is a floating-point one."""
    return standardize(dtype) in FLOAT_TYPES


def is_int_dtype(dtype: object) -> bool:
    """Return whether a dtype, in any form that `standardize` takes, is an integer one."""
    return standardize(dtype) in INTEGER_TYPES


def plain_value(value: Any) -> Any:
    """Return NumPy's numbers as Python's, and its arrays as lists, also inside of sequences.

    Sizes, axes and rates come out of array shapes and sums, so any argument may be of NumPy's
    types; in a configuration they would not be JSON.

    Example:
        >>> plain_value((np.int64(3), [np.float32(0.5), None])), plain_value(np.array([1, 2]))
        ((3, [0.5, None]), [1, 2])
    """
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if type(value) in {list, tuple}:
        return type(value)(plain_value(item) for item in value)
    if type(value) is dict:
        return {key: plain_value(item) for key, item in value.items()}
    return value


def to_array(data: Any, dtype: str | None, what: str) -> npt.NDArray[Any]:
    """Return `data` as a contiguous NumPy array.

    Args:
        data: array, list of numbers, or anything with `__array__` (torch, pandas, jax …).
        dtype: standard name to cast to; None keeps a numeric type as it is. `"string"` takes text
            and gives an array of Python's strings; bytes are decoded as UTF-8.
        what: name of the data in errors, such as `"x"`.

    Returns:
        C-contiguous array.

    Raises:
        ValueError: if the data holds text or objects where numbers are wanted, or the other way
            round, or rows of different lengths.

    Example:
        >>> to_array([[1, 2]], "float32", "x").dtype.name
        'float32'
    """
    array = _as_array(data, what)
    if dtype == "string":
        return _text_of(array, what)
    if not holds_numbers(array) and getattr(data, "to_numpy", None) is not None:
        array = numbers_of(data, what)
    if not holds_numbers(array):
        raise ValueError(
            f"`{what}` must hold numbers. Received data of dtype {array.dtype} "
            f"(type {type(data).__name__}). Encode text and objects as numbers first."
        )
    return np.asarray(array if dtype is None else array.astype(dtype, copy=False), order="C")


def name_of(array: npt.NDArray[Any]) -> str:
    """Return the standard name of an array's dtype; arrays of text and of objects hold strings.

    Example:
        >>> name_of(np.array(["a"])), name_of(np.zeros(1))
        ('string', 'float64')
    """
    return "string" if array.dtype.kind in _TEXT else array.dtype.name


def _as_array(data: Any, what: str) -> npt.NDArray[Any]:
    """An array of whatever data holds."""
    try:
        return np.asarray(data)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"`{what}` cannot be made an array: {error}. Received: {type(data)}"
        ) from error


def _text_of(array: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    """An array of text as one of Python's strings, which ONNX Runtime takes."""
    if array.dtype.kind not in _TEXT and array.size > 0:
        raise ValueError(
            f"`{what}` must hold text. Received data of dtype {array.dtype}. Make strings of "
            "numbers first, such as by `array.astype(str)`."
        )
    texts = array.astype(object)
    if array.dtype.kind in "UT":
        return texts
    flat = texts.reshape(-1)
    for index, value in enumerate(flat):
        if isinstance(value, bytes):
            flat[index] = value.decode("utf-8")
        elif not isinstance(value, str):
            raise ValueError(
                f"`{what}` must hold text. Received: {value!r} (of type {type(value).__name__}) "
                f"at place {np.unravel_index(index, array.shape)}"
            )
    return flat.reshape(array.shape)
