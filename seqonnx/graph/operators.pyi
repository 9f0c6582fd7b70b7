"""Every operator of operator set 23 as a method: inputs, attributes and outputs.

Made from the schemas of the standard by `python tools/refresh/refresh_golden.py operators`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from seqonnx.graph.variable import Variable

_Number: TypeAlias = float | str | np.generic
_List: TypeAlias = Sequence[_Number | None] | Sequence[Sequence[_Number]]
Operand: TypeAlias = ir.Value | Variable | npt.NDArray[Any] | _Number | _List | None
"""An input: a graph value, a variable, what becomes a constant, or None, which leaves it out.

None stands here for every input, and among the numbers of a list, since that is how the inputs of a
node and static shapes are typed; a node without an input that it needs is refused when it is made.
"""

DataType: TypeAlias = int | ir.DataType | None
"""A dtype, or that of a value; one that is not known (None) is refused when the node is made."""

Tensor: TypeAlias = ir.TensorProtocol | onnx.TensorProto
"""A constant as an attribute."""

class Operators:
    """Every ONNX operator as a method: `op.Relu(x)` adds a node and returns its output."""

    def emit(self, op_type: str, args: Sequence[Any], attributes: Mapping[str, Any]) -> Any: ...
    def Abs(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def Acos(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def Acosh(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def Add(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def AffineGrid(
        self,
        theta: Operand,
        size: Operand,
        /,
        *,
        align_corners: int = 0,
    ) -> ir.Value: ...
    def And(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def ArgMax(
        self,
        data: Operand,
        /,
        *,
        axis: int = 0,
        keepdims: int = 1,
        select_last_index: int = 0,
    ) -> ir.Value: ...
    def ArgMin(
        self,
        data: Operand,
        /,
        *,
        axis: int = 0,
        keepdims: int = 1,
        select_last_index: int = 0,
    ) -> ir.Value: ...
    def Asin(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def Asinh(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def Atan(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def Atanh(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    @overload
    def Attention(
        self,
        Q: Operand,
        K: Operand,
        V: Operand,
        attn_mask: Operand = None,
        past_key: Operand = None,
        past_value: Operand = None,
        /,
        *,
        is_causal: int = 0,
        kv_num_heads: int = ...,
        q_num_heads: int = ...,
        qk_matmul_output_mode: int = 0,
        scale: float = ...,
        softcap: float = 0.0,
        softmax_precision: DataType = ...,
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def Attention(
        self,
        Q: Operand,
        K: Operand,
        V: Operand,
        attn_mask: Operand = None,
        past_key: Operand = None,
        past_value: Operand = None,
        /,
        *,
        is_causal: int = 0,
        kv_num_heads: int = ...,
        q_num_heads: int = ...,
        qk_matmul_output_mode: int = 0,
        scale: float = ...,
        softcap: float = 0.0,
        softmax_precision: DataType = ...,
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    @overload
    def Attention(
        self,
        Q: Operand,
        K: Operand,
        V: Operand,
        attn_mask: Operand = None,
        past_key: Operand = None,
        past_value: Operand = None,
        /,
        *,
        is_causal: int = 0,
        kv_num_heads: int = ...,
        q_num_heads: int = ...,
        qk_matmul_output_mode: int = 0,
        scale: float = ...,
        softcap: float = 0.0,
        softmax_precision: DataType = ...,
        _outputs: Literal[3],
    ) -> tuple[ir.Value, ir.Value, ir.Value]: ...
    @overload
    def Attention(
        self,
        Q: Operand,
        K: Operand,
        V: Operand,
        attn_mask: Operand = None,
        past_key: Operand = None,
        past_value: Operand = None,
        /,
        *,
        is_causal: int = 0,
        kv_num_heads: int = ...,
        q_num_heads: int = ...,
        qk_matmul_output_mode: int = 0,
        scale: float = ...,
        softcap: float = 0.0,
        softmax_precision: DataType = ...,
        _outputs: Literal[4],
    ) -> tuple[ir.Value, ir.Value, ir.Value, ir.Value]: ...
    def AveragePool(
        self,
        X: Operand,
        /,
        *,
        kernel_shape: Sequence[int],
        auto_pad: str = "NOTSET",
        ceil_mode: int = 0,
        count_include_pad: int = 0,
        dilations: Sequence[int] = ...,
        pads: Sequence[int] = ...,
        strides: Sequence[int] = ...,
    ) -> ir.Value: ...
    @overload
    def BatchNormalization(
        self,
        X: Operand,
        scale: Operand,
        B: Operand,
        input_mean: Operand,
        input_var: Operand,
        /,
        *,
        epsilon: float = 1e-05,
        momentum: float = 0.9,
        training_mode: int = 0,
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def BatchNormalization(
        self,
        X: Operand,
        scale: Operand,
        B: Operand,
        input_mean: Operand,
        input_var: Operand,
        /,
        *,
        epsilon: float = 1e-05,
        momentum: float = 0.9,
        training_mode: int = 0,
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    @overload
    def BatchNormalization(
        self,
        X: Operand,
        scale: Operand,
        B: Operand,
        input_mean: Operand,
        input_var: Operand,
        /,
        *,
        epsilon: float = 1e-05,
        momentum: float = 0.9,
        training_mode: int = 0,
        _outputs: Literal[3],
    ) -> tuple[ir.Value, ir.Value, ir.Value]: ...
    def Bernoulli(
        self,
        input: Operand,
        /,
        *,
        dtype: DataType = ...,
        seed: float = ...,
    ) -> ir.Value: ...
    def BitShift(
        self,
        X: Operand,
        Y: Operand,
        /,
        *,
        direction: str,
    ) -> ir.Value: ...
    def BitwiseAnd(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def BitwiseNot(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def BitwiseOr(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def BitwiseXor(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def BlackmanWindow(
        self,
        size: Operand,
        /,
        *,
        output_datatype: DataType = 1,
        periodic: int = 1,
    ) -> ir.Value: ...
    def Cast(
        self,
        input: Operand,
        /,
        *,
        to: DataType,
        saturate: int = 1,
    ) -> ir.Value: ...
    def CastLike(
        self,
        input: Operand,
        target_type: Operand,
        /,
        *,
        saturate: int = 1,
    ) -> ir.Value: ...
    def Ceil(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def Celu(
        self,
        X: Operand,
        /,
        *,
        alpha: float = 1.0,
    ) -> ir.Value: ...
    def CenterCropPad(
        self,
        input_data: Operand,
        shape: Operand,
        /,
        *,
        axes: Sequence[int] = ...,
    ) -> ir.Value: ...
    def Clip(
        self,
        input: Operand,
        min: Operand = None,
        max: Operand = None,
        /,
    ) -> ir.Value: ...
    def Col2Im(
        self,
        input: Operand,
        image_shape: Operand,
        block_shape: Operand,
        /,
        *,
        dilations: Sequence[int] = ...,
        pads: Sequence[int] = ...,
        strides: Sequence[int] = ...,
    ) -> ir.Value: ...
    def Compress(
        self,
        input: Operand,
        condition: Operand,
        /,
        *,
        axis: int = ...,
    ) -> ir.Value: ...
    def Concat(
        self,
        *inputs: Operand,
        axis: int,
    ) -> ir.Value: ...
    def ConcatFromSequence(
        self,
        input_sequence: Operand,
        /,
        *,
        axis: int,
        new_axis: int = 0,
    ) -> ir.Value: ...
    def Constant(
        self,
        *,
        sparse_value: onnx.SparseTensorProto = ...,
        value: Tensor = ...,
        value_float: float = ...,
        value_floats: Sequence[float] = ...,
        value_int: int = ...,
        value_ints: Sequence[int] = ...,
        value_string: str = ...,
        value_strings: Sequence[str] = ...,
    ) -> ir.Value: ...
    def ConstantOfShape(
        self,
        input: Operand,
        /,
        *,
        value: Tensor = ...,
    ) -> ir.Value: ...
    def Conv(
        self,
        X: Operand,
        W: Operand,
        B: Operand = None,
        /,
        *,
        auto_pad: str = "NOTSET",
        dilations: Sequence[int] = ...,
        group: int = 1,
        kernel_shape: Sequence[int] = ...,
        pads: Sequence[int] = ...,
        strides: Sequence[int] = ...,
    ) -> ir.Value: ...
    def ConvInteger(
        self,
        x: Operand,
        w: Operand,
        x_zero_point: Operand = None,
        w_zero_point: Operand = None,
        /,
        *,
        auto_pad: str = "NOTSET",
        dilations: Sequence[int] = ...,
        group: int = 1,
        kernel_shape: Sequence[int] = ...,
        pads: Sequence[int] = ...,
        strides: Sequence[int] = ...,
    ) -> ir.Value: ...
    def ConvTranspose(
        self,
        X: Operand,
        W: Operand,
        B: Operand = None,
        /,
        *,
        auto_pad: str = "NOTSET",
        dilations: Sequence[int] = ...,
        group: int = 1,
        kernel_shape: Sequence[int] = ...,
        output_padding: Sequence[int] = ...,
        output_shape: Sequence[int] = ...,
        pads: Sequence[int] = ...,
        strides: Sequence[int] = ...,
    ) -> ir.Value: ...
    def Cos(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def Cosh(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def CumSum(
        self,
        x: Operand,
        axis: Operand,
        /,
        *,
        exclusive: int = 0,
        reverse: int = 0,
    ) -> ir.Value: ...
    def DFT(
        self,
        input: Operand,
        dft_length: Operand = None,
        axis: Operand = None,
        /,
        *,
        inverse: int = 0,
        onesided: int = 0,
    ) -> ir.Value: ...
    def DeformConv(
        self,
        X: Operand,
        W: Operand,
        offset: Operand,
        B: Operand = None,
        mask: Operand = None,
        /,
        *,
        dilations: Sequence[int] = ...,
        group: int = 1,
        kernel_shape: Sequence[int] = ...,
        offset_group: int = 1,
        pads: Sequence[int] = ...,
        strides: Sequence[int] = ...,
    ) -> ir.Value: ...
    def DepthToSpace(
        self,
        input: Operand,
        /,
        *,
        blocksize: int,
        mode: str = "DCR",
    ) -> ir.Value: ...
    def DequantizeLinear(
        self,
        x: Operand,
        x_scale: Operand,
        x_zero_point: Operand = None,
        /,
        *,
        axis: int = 1,
        block_size: int = 0,
        output_dtype: DataType = 0,
    ) -> ir.Value: ...
    def Det(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def Div(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    @overload
    def Dropout(
        self,
        data: Operand,
        ratio: Operand = None,
        training_mode: Operand = None,
        /,
        *,
        seed: int = ...,
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def Dropout(
        self,
        data: Operand,
        ratio: Operand = None,
        training_mode: Operand = None,
        /,
        *,
        seed: int = ...,
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    @overload
    def DynamicQuantizeLinear(
        self,
        x: Operand,
        /,
        *,
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def DynamicQuantizeLinear(
        self,
        x: Operand,
        /,
        *,
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    @overload
    def DynamicQuantizeLinear(
        self,
        x: Operand,
        /,
        *,
        _outputs: Literal[3],
    ) -> tuple[ir.Value, ir.Value, ir.Value]: ...
    def Einsum(
        self,
        *Inputs: Operand,
        equation: str,
    ) -> ir.Value: ...
    def Elu(
        self,
        X: Operand,
        /,
        *,
        alpha: float = 1.0,
    ) -> ir.Value: ...
    def Equal(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def Erf(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def Exp(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def Expand(
        self,
        input: Operand,
        shape: Operand,
        /,
    ) -> ir.Value: ...
    def EyeLike(
        self,
        input: Operand,
        /,
        *,
        dtype: DataType = ...,
        k: int = 0,
    ) -> ir.Value: ...
    def Flatten(
        self,
        input: Operand,
        /,
        *,
        axis: int = 1,
    ) -> ir.Value: ...
    def Floor(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    @overload
    def GRU(
        self,
        X: Operand,
        W: Operand,
        R: Operand,
        B: Operand = None,
        sequence_lens: Operand = None,
        initial_h: Operand = None,
        /,
        *,
        activation_alpha: Sequence[float] = ...,
        activation_beta: Sequence[float] = ...,
        activations: Sequence[str] = ...,
        clip: float = ...,
        direction: str = "forward",
        hidden_size: int = ...,
        layout: int = 0,
        linear_before_reset: int = 0,
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def GRU(
        self,
        X: Operand,
        W: Operand,
        R: Operand,
        B: Operand = None,
        sequence_lens: Operand = None,
        initial_h: Operand = None,
        /,
        *,
        activation_alpha: Sequence[float] = ...,
        activation_beta: Sequence[float] = ...,
        activations: Sequence[str] = ...,
        clip: float = ...,
        direction: str = "forward",
        hidden_size: int = ...,
        layout: int = 0,
        linear_before_reset: int = 0,
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    def Gather(
        self,
        data: Operand,
        indices: Operand,
        /,
        *,
        axis: int = 0,
    ) -> ir.Value: ...
    def GatherElements(
        self,
        data: Operand,
        indices: Operand,
        /,
        *,
        axis: int = 0,
    ) -> ir.Value: ...
    def GatherND(
        self,
        data: Operand,
        indices: Operand,
        /,
        *,
        batch_dims: int = 0,
    ) -> ir.Value: ...
    def Gelu(
        self,
        X: Operand,
        /,
        *,
        approximate: str = "none",
    ) -> ir.Value: ...
    def Gemm(
        self,
        A: Operand,
        B: Operand,
        C: Operand = None,
        /,
        *,
        alpha: float = 1.0,
        beta: float = 1.0,
        transA: int = 0,
        transB: int = 0,
    ) -> ir.Value: ...
    def GlobalAveragePool(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def GlobalLpPool(
        self,
        X: Operand,
        /,
        *,
        p: int = 2,
    ) -> ir.Value: ...
    def GlobalMaxPool(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def Greater(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def GreaterOrEqual(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def GridSample(
        self,
        X: Operand,
        grid: Operand,
        /,
        *,
        align_corners: int = 0,
        mode: str = "linear",
        padding_mode: str = "zeros",
    ) -> ir.Value: ...
    def GroupNormalization(
        self,
        X: Operand,
        scale: Operand,
        bias: Operand,
        /,
        *,
        num_groups: int,
        epsilon: float = 1e-05,
        stash_type: DataType = 1,
    ) -> ir.Value: ...
    def HammingWindow(
        self,
        size: Operand,
        /,
        *,
        output_datatype: DataType = 1,
        periodic: int = 1,
    ) -> ir.Value: ...
    def HannWindow(
        self,
        size: Operand,
        /,
        *,
        output_datatype: DataType = 1,
        periodic: int = 1,
    ) -> ir.Value: ...
    def HardSigmoid(
        self,
        X: Operand,
        /,
        *,
        alpha: float = 0.2,
        beta: float = 0.5,
    ) -> ir.Value: ...
    def HardSwish(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def Hardmax(
        self,
        input: Operand,
        /,
        *,
        axis: int = -1,
    ) -> ir.Value: ...
    def Identity(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    @overload
    def If(
        self,
        cond: Operand,
        /,
        *,
        else_branch: ir.Graph,
        then_branch: ir.Graph,
    ) -> ir.Value: ...
    @overload
    def If(
        self,
        cond: Operand,
        /,
        *,
        else_branch: ir.Graph,
        then_branch: ir.Graph,
        _outputs: int,
    ) -> tuple[ir.Value, ...]: ...
    def ImageDecoder(
        self,
        encoded_stream: Operand,
        /,
        *,
        pixel_format: str = "RGB",
    ) -> ir.Value: ...
    def InstanceNormalization(
        self,
        input: Operand,
        scale: Operand,
        B: Operand,
        /,
        *,
        epsilon: float = 1e-05,
    ) -> ir.Value: ...
    def IsInf(
        self,
        X: Operand,
        /,
        *,
        detect_negative: int = 1,
        detect_positive: int = 1,
    ) -> ir.Value: ...
    def IsNaN(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def LRN(
        self,
        X: Operand,
        /,
        *,
        size: int,
        alpha: float = 0.0001,
        beta: float = 0.75,
        bias: float = 1.0,
    ) -> ir.Value: ...
    @overload
    def LSTM(
        self,
        X: Operand,
        W: Operand,
        R: Operand,
        B: Operand = None,
        sequence_lens: Operand = None,
        initial_h: Operand = None,
        initial_c: Operand = None,
        P: Operand = None,
        /,
        *,
        activation_alpha: Sequence[float] = ...,
        activation_beta: Sequence[float] = ...,
        activations: Sequence[str] = ...,
        clip: float = ...,
        direction: str = "forward",
        hidden_size: int = ...,
        input_forget: int = 0,
        layout: int = 0,
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def LSTM(
        self,
        X: Operand,
        W: Operand,
        R: Operand,
        B: Operand = None,
        sequence_lens: Operand = None,
        initial_h: Operand = None,
        initial_c: Operand = None,
        P: Operand = None,
        /,
        *,
        activation_alpha: Sequence[float] = ...,
        activation_beta: Sequence[float] = ...,
        activations: Sequence[str] = ...,
        clip: float = ...,
        direction: str = "forward",
        hidden_size: int = ...,
        input_forget: int = 0,
        layout: int = 0,
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    @overload
    def LSTM(
        self,
        X: Operand,
        W: Operand,
        R: Operand,
        B: Operand = None,
        sequence_lens: Operand = None,
        initial_h: Operand = None,
        initial_c: Operand = None,
        P: Operand = None,
        /,
        *,
        activation_alpha: Sequence[float] = ...,
        activation_beta: Sequence[float] = ...,
        activations: Sequence[str] = ...,
        clip: float = ...,
        direction: str = "forward",
        hidden_size: int = ...,
        input_forget: int = 0,
        layout: int = 0,
        _outputs: Literal[3],
    ) -> tuple[ir.Value, ir.Value, ir.Value]: ...
    @overload
    def LayerNormalization(
        self,
        X: Operand,
        Scale: Operand,
        B: Operand = None,
        /,
        *,
        axis: int = -1,
        epsilon: float = 1e-05,
        stash_type: DataType = 1,
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def LayerNormalization(
        self,
        X: Operand,
        Scale: Operand,
        B: Operand = None,
        /,
        *,
        axis: int = -1,
        epsilon: float = 1e-05,
        stash_type: DataType = 1,
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    @overload
    def LayerNormalization(
        self,
        X: Operand,
        Scale: Operand,
        B: Operand = None,
        /,
        *,
        axis: int = -1,
        epsilon: float = 1e-05,
        stash_type: DataType = 1,
        _outputs: Literal[3],
    ) -> tuple[ir.Value, ir.Value, ir.Value]: ...
    def LeakyRelu(
        self,
        X: Operand,
        /,
        *,
        alpha: float = 0.01,
    ) -> ir.Value: ...
    def Less(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def LessOrEqual(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def Log(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def LogSoftmax(
        self,
        input: Operand,
        /,
        *,
        axis: int = -1,
    ) -> ir.Value: ...
    @overload
    def Loop(
        self,
        M: Operand,
        cond: Operand,
        /,
        *v_initial: Operand,
        body: ir.Graph,
    ) -> ir.Value: ...
    @overload
    def Loop(
        self,
        M: Operand,
        cond: Operand,
        /,
        *v_initial: Operand,
        body: ir.Graph,
        _outputs: int,
    ) -> tuple[ir.Value, ...]: ...
    def LpNormalization(
        self,
        input: Operand,
        /,
        *,
        axis: int = -1,
        p: int = 2,
    ) -> ir.Value: ...
    def LpPool(
        self,
        X: Operand,
        /,
        *,
        kernel_shape: Sequence[int],
        auto_pad: str = "NOTSET",
        ceil_mode: int = 0,
        dilations: Sequence[int] = ...,
        p: int = 2,
        pads: Sequence[int] = ...,
        strides: Sequence[int] = ...,
    ) -> ir.Value: ...
    def MatMul(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def MatMulInteger(
        self,
        A: Operand,
        B: Operand,
        a_zero_point: Operand = None,
        b_zero_point: Operand = None,
        /,
    ) -> ir.Value: ...
    def Max(
        self,
        *data_0: Operand,
    ) -> ir.Value: ...
    @overload
    def MaxPool(
        self,
        X: Operand,
        /,
        *,
        kernel_shape: Sequence[int],
        auto_pad: str = "NOTSET",
        ceil_mode: int = 0,
        dilations: Sequence[int] = ...,
        pads: Sequence[int] = ...,
        storage_order: int = 0,
        strides: Sequence[int] = ...,
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def MaxPool(
        self,
        X: Operand,
        /,
        *,
        kernel_shape: Sequence[int],
        auto_pad: str = "NOTSET",
        ceil_mode: int = 0,
        dilations: Sequence[int] = ...,
        pads: Sequence[int] = ...,
        storage_order: int = 0,
        strides: Sequence[int] = ...,
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    def MaxRoiPool(
        self,
        X: Operand,
        rois: Operand,
        /,
        *,
        pooled_shape: Sequence[int],
        spatial_scale: float = 1.0,
    ) -> ir.Value: ...
    def MaxUnpool(
        self,
        X: Operand,
        I: Operand,
        output_shape: Operand = None,
        /,
        *,
        kernel_shape: Sequence[int],
        pads: Sequence[int] = ...,
        strides: Sequence[int] = ...,
    ) -> ir.Value: ...
    def Mean(
        self,
        *data_0: Operand,
    ) -> ir.Value: ...
    def MeanVarianceNormalization(
        self,
        X: Operand,
        /,
        *,
        axes: Sequence[int] = [0, 2, 3],
    ) -> ir.Value: ...
    def MelWeightMatrix(
        self,
        num_mel_bins: Operand,
        dft_length: Operand,
        sample_rate: Operand,
        lower_edge_hertz: Operand,
        upper_edge_hertz: Operand,
        /,
        *,
        output_datatype: DataType = 1,
    ) -> ir.Value: ...
    def Min(
        self,
        *data_0: Operand,
    ) -> ir.Value: ...
    def Mish(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def Mod(
        self,
        A: Operand,
        B: Operand,
        /,
        *,
        fmod: int = 0,
    ) -> ir.Value: ...
    def Mul(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def Multinomial(
        self,
        input: Operand,
        /,
        *,
        dtype: DataType = 6,
        sample_size: int = 1,
        seed: float = ...,
    ) -> ir.Value: ...
    def Neg(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def NegativeLogLikelihoodLoss(
        self,
        input: Operand,
        target: Operand,
        weight: Operand = None,
        /,
        *,
        ignore_index: int = ...,
        reduction: str = "mean",
    ) -> ir.Value: ...
    def NonMaxSuppression(
        self,
        boxes: Operand,
        scores: Operand,
        max_output_boxes_per_class: Operand = None,
        iou_threshold: Operand = None,
        score_threshold: Operand = None,
        /,
        *,
        center_point_box: int = 0,
    ) -> ir.Value: ...
    def NonZero(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def Not(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def OneHot(
        self,
        indices: Operand,
        depth: Operand,
        values: Operand,
        /,
        *,
        axis: int = -1,
    ) -> ir.Value: ...
    def Optional(
        self,
        input: Operand = None,
        /,
        *,
        type: ir.TypeAndShape = ...,
    ) -> ir.Value: ...
    def OptionalGetElement(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def OptionalHasElement(
        self,
        input: Operand = None,
        /,
    ) -> ir.Value: ...
    def Or(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def PRelu(
        self,
        X: Operand,
        slope: Operand,
        /,
    ) -> ir.Value: ...
    def Pad(
        self,
        data: Operand,
        pads: Operand,
        constant_value: Operand = None,
        axes: Operand = None,
        /,
        *,
        mode: str = "constant",
    ) -> ir.Value: ...
    def Pow(
        self,
        X: Operand,
        Y: Operand,
        /,
    ) -> ir.Value: ...
    def QLinearConv(
        self,
        x: Operand,
        x_scale: Operand,
        x_zero_point: Operand,
        w: Operand,
        w_scale: Operand,
        w_zero_point: Operand,
        y_scale: Operand,
        y_zero_point: Operand,
        B: Operand = None,
        /,
        *,
        auto_pad: str = "NOTSET",
        dilations: Sequence[int] = ...,
        group: int = 1,
        kernel_shape: Sequence[int] = ...,
        pads: Sequence[int] = ...,
        strides: Sequence[int] = ...,
    ) -> ir.Value: ...
    def QLinearMatMul(
        self,
        a: Operand,
        a_scale: Operand,
        a_zero_point: Operand,
        b: Operand,
        b_scale: Operand,
        b_zero_point: Operand,
        y_scale: Operand,
        y_zero_point: Operand,
        /,
    ) -> ir.Value: ...
    def QuantizeLinear(
        self,
        x: Operand,
        y_scale: Operand,
        y_zero_point: Operand = None,
        /,
        *,
        axis: int = 1,
        block_size: int = 0,
        output_dtype: DataType = 0,
        precision: int = 0,
        saturate: int = 1,
    ) -> ir.Value: ...
    def RMSNormalization(
        self,
        X: Operand,
        scale: Operand,
        /,
        *,
        axis: int = -1,
        epsilon: float = 1e-05,
        stash_type: DataType = 1,
    ) -> ir.Value: ...
    @overload
    def RNN(
        self,
        X: Operand,
        W: Operand,
        R: Operand,
        B: Operand = None,
        sequence_lens: Operand = None,
        initial_h: Operand = None,
        /,
        *,
        activation_alpha: Sequence[float] = ...,
        activation_beta: Sequence[float] = ...,
        activations: Sequence[str] = ["Tanh", "Tanh"],
        clip: float = ...,
        direction: str = "forward",
        hidden_size: int = ...,
        layout: int = 0,
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def RNN(
        self,
        X: Operand,
        W: Operand,
        R: Operand,
        B: Operand = None,
        sequence_lens: Operand = None,
        initial_h: Operand = None,
        /,
        *,
        activation_alpha: Sequence[float] = ...,
        activation_beta: Sequence[float] = ...,
        activations: Sequence[str] = ["Tanh", "Tanh"],
        clip: float = ...,
        direction: str = "forward",
        hidden_size: int = ...,
        layout: int = 0,
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    def RandomNormal(
        self,
        *,
        shape: Sequence[int],
        dtype: DataType = 1,
        mean: float = 0.0,
        scale: float = 1.0,
        seed: float = ...,
    ) -> ir.Value: ...
    def RandomNormalLike(
        self,
        input: Operand,
        /,
        *,
        dtype: DataType = ...,
        mean: float = 0.0,
        scale: float = 1.0,
        seed: float = ...,
    ) -> ir.Value: ...
    def RandomUniform(
        self,
        *,
        shape: Sequence[int],
        dtype: DataType = 1,
        high: float = 1.0,
        low: float = 0.0,
        seed: float = ...,
    ) -> ir.Value: ...
    def RandomUniformLike(
        self,
        input: Operand,
        /,
        *,
        dtype: DataType = ...,
        high: float = 1.0,
        low: float = 0.0,
        seed: float = ...,
    ) -> ir.Value: ...
    def Range(
        self,
        start: Operand,
        limit: Operand,
        delta: Operand,
        /,
    ) -> ir.Value: ...
    def Reciprocal(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def ReduceL1(
        self,
        data: Operand,
        axes: Operand = None,
        /,
        *,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> ir.Value: ...
    def ReduceL2(
        self,
        data: Operand,
        axes: Operand = None,
        /,
        *,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> ir.Value: ...
    def ReduceLogSum(
        self,
        data: Operand,
        axes: Operand = None,
        /,
        *,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> ir.Value: ...
    def ReduceLogSumExp(
        self,
        data: Operand,
        axes: Operand = None,
        /,
        *,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> ir.Value: ...
    def ReduceMax(
        self,
        data: Operand,
        axes: Operand = None,
        /,
        *,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> ir.Value: ...
    def ReduceMean(
        self,
        data: Operand,
        axes: Operand = None,
        /,
        *,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> ir.Value: ...
    def ReduceMin(
        self,
        data: Operand,
        axes: Operand = None,
        /,
        *,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> ir.Value: ...
    def ReduceProd(
        self,
        data: Operand,
        axes: Operand = None,
        /,
        *,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> ir.Value: ...
    def ReduceSum(
        self,
        data: Operand,
        axes: Operand = None,
        /,
        *,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> ir.Value: ...
    def ReduceSumSquare(
        self,
        data: Operand,
        axes: Operand = None,
        /,
        *,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> ir.Value: ...
    def RegexFullMatch(
        self,
        X: Operand,
        /,
        *,
        pattern: str = ...,
    ) -> ir.Value: ...
    def Relu(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def Reshape(
        self,
        data: Operand,
        shape: Operand,
        /,
        *,
        allowzero: int = 0,
    ) -> ir.Value: ...
    def Resize(
        self,
        X: Operand,
        roi: Operand = None,
        scales: Operand = None,
        sizes: Operand = None,
        /,
        *,
        antialias: int = 0,
        axes: Sequence[int] = ...,
        coordinate_transformation_mode: str = "half_pixel",
        cubic_coeff_a: float = -0.75,
        exclude_outside: int = 0,
        extrapolation_value: float = 0.0,
        keep_aspect_ratio_policy: str = "stretch",
        mode: str = "nearest",
        nearest_mode: str = "round_prefer_floor",
    ) -> ir.Value: ...
    def ReverseSequence(
        self,
        input: Operand,
        sequence_lens: Operand,
        /,
        *,
        batch_axis: int = 1,
        time_axis: int = 0,
    ) -> ir.Value: ...
    def RoiAlign(
        self,
        X: Operand,
        rois: Operand,
        batch_indices: Operand,
        /,
        *,
        coordinate_transformation_mode: str = "half_pixel",
        mode: str = "avg",
        output_height: int = 1,
        output_width: int = 1,
        sampling_ratio: int = 0,
        spatial_scale: float = 1.0,
    ) -> ir.Value: ...
    def RotaryEmbedding(
        self,
        X: Operand,
        cos_cache: Operand,
        sin_cache: Operand,
        position_ids: Operand = None,
        /,
        *,
        interleaved: int = 0,
        num_heads: int = ...,
        rotary_embedding_dim: int = 0,
    ) -> ir.Value: ...
    def Round(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def STFT(
        self,
        signal: Operand,
        frame_step: Operand,
        window: Operand = None,
        frame_length: Operand = None,
        /,
        *,
        onesided: int = 1,
    ) -> ir.Value: ...
    @overload
    def Scan(
        self,
        *initial_state_and_scan_inputs: Operand,
        body: ir.Graph,
        num_scan_inputs: int,
        scan_input_axes: Sequence[int] = ...,
        scan_input_directions: Sequence[int] = ...,
        scan_output_axes: Sequence[int] = ...,
        scan_output_directions: Sequence[int] = ...,
    ) -> ir.Value: ...
    @overload
    def Scan(
        self,
        *initial_state_and_scan_inputs: Operand,
        body: ir.Graph,
        num_scan_inputs: int,
        scan_input_axes: Sequence[int] = ...,
        scan_input_directions: Sequence[int] = ...,
        scan_output_axes: Sequence[int] = ...,
        scan_output_directions: Sequence[int] = ...,
        _outputs: int,
    ) -> tuple[ir.Value, ...]: ...
    def ScatterElements(
        self,
        data: Operand,
        indices: Operand,
        updates: Operand,
        /,
        *,
        axis: int = 0,
        reduction: str = "none",
    ) -> ir.Value: ...
    def ScatterND(
        self,
        data: Operand,
        indices: Operand,
        updates: Operand,
        /,
        *,
        reduction: str = "none",
    ) -> ir.Value: ...
    def Selu(
        self,
        X: Operand,
        /,
        *,
        alpha: float = 1.6732632,
        gamma: float = 1.050701,
    ) -> ir.Value: ...
    def SequenceAt(
        self,
        input_sequence: Operand,
        position: Operand,
        /,
    ) -> ir.Value: ...
    def SequenceConstruct(
        self,
        *inputs: Operand,
    ) -> ir.Value: ...
    def SequenceEmpty(
        self,
        *,
        dtype: DataType = ...,
    ) -> ir.Value: ...
    def SequenceErase(
        self,
        input_sequence: Operand,
        position: Operand = None,
        /,
    ) -> ir.Value: ...
    def SequenceInsert(
        self,
        input_sequence: Operand,
        tensor: Operand,
        position: Operand = None,
        /,
    ) -> ir.Value: ...
    def SequenceLength(
        self,
        input_sequence: Operand,
        /,
    ) -> ir.Value: ...
    @overload
    def SequenceMap(
        self,
        input_sequence: Operand,
        /,
        *additional_inputs: Operand,
        body: ir.Graph,
    ) -> ir.Value: ...
    @overload
    def SequenceMap(
        self,
        input_sequence: Operand,
        /,
        *additional_inputs: Operand,
        body: ir.Graph,
        _outputs: int,
    ) -> tuple[ir.Value, ...]: ...
    def Shape(
        self,
        data: Operand,
        /,
        *,
        end: int = ...,
        start: int = 0,
    ) -> ir.Value: ...
    def Shrink(
        self,
        input: Operand,
        /,
        *,
        bias: float = 0.0,
        lambd: float = 0.5,
    ) -> ir.Value: ...
    def Sigmoid(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def Sign(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def Sin(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def Sinh(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def Size(
        self,
        data: Operand,
        /,
    ) -> ir.Value: ...
    def Slice(
        self,
        data: Operand,
        starts: Operand,
        ends: Operand,
        axes: Operand = None,
        steps: Operand = None,
        /,
    ) -> ir.Value: ...
    def Softmax(
        self,
        input: Operand,
        /,
        *,
        axis: int = -1,
    ) -> ir.Value: ...
    @overload
    def SoftmaxCrossEntropyLoss(
        self,
        scores: Operand,
        labels: Operand,
        weights: Operand = None,
        /,
        *,
        ignore_index: int = ...,
        reduction: str = "mean",
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def SoftmaxCrossEntropyLoss(
        self,
        scores: Operand,
        labels: Operand,
        weights: Operand = None,
        /,
        *,
        ignore_index: int = ...,
        reduction: str = "mean",
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    def Softplus(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def Softsign(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def SpaceToDepth(
        self,
        input: Operand,
        /,
        *,
        blocksize: int,
    ) -> ir.Value: ...
    @overload
    def Split(
        self,
        input: Operand,
        split: Operand = None,
        /,
        *,
        axis: int = 0,
        num_outputs: int = ...,
    ) -> ir.Value: ...
    @overload
    def Split(
        self,
        input: Operand,
        split: Operand = None,
        /,
        *,
        axis: int = 0,
        num_outputs: int = ...,
        _outputs: int,
    ) -> tuple[ir.Value, ...]: ...
    def SplitToSequence(
        self,
        input: Operand,
        split: Operand = None,
        /,
        *,
        axis: int = 0,
        keepdims: int = 1,
    ) -> ir.Value: ...
    def Sqrt(
        self,
        X: Operand,
        /,
    ) -> ir.Value: ...
    def Squeeze(
        self,
        data: Operand,
        axes: Operand = None,
        /,
    ) -> ir.Value: ...
    def StringConcat(
        self,
        X: Operand,
        Y: Operand,
        /,
    ) -> ir.Value: ...
    def StringNormalizer(
        self,
        X: Operand,
        /,
        *,
        case_change_action: str = "NONE",
        is_case_sensitive: int = 0,
        locale: str = ...,
        stopwords: Sequence[str] = ...,
    ) -> ir.Value: ...
    @overload
    def StringSplit(
        self,
        X: Operand,
        /,
        *,
        delimiter: str = ...,
        maxsplit: int = ...,
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def StringSplit(
        self,
        X: Operand,
        /,
        *,
        delimiter: str = ...,
        maxsplit: int = ...,
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    def Sub(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
    def Sum(
        self,
        *data_0: Operand,
    ) -> ir.Value: ...
    def Tan(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def Tanh(
        self,
        input: Operand,
        /,
    ) -> ir.Value: ...
    def TfIdfVectorizer(
        self,
        X: Operand,
        /,
        *,
        max_gram_length: int,
        max_skip_count: int,
        min_gram_length: int,
        mode: str,
        ngram_counts: Sequence[int],
        ngram_indexes: Sequence[int],
        pool_int64s: Sequence[int] = ...,
        pool_strings: Sequence[str] = ...,
        weights: Sequence[float] = ...,
    ) -> ir.Value: ...
    def ThresholdedRelu(
        self,
        X: Operand,
        /,
        *,
        alpha: float = 1.0,
    ) -> ir.Value: ...
    def Tile(
        self,
        input: Operand,
        repeats: Operand,
        /,
    ) -> ir.Value: ...
    @overload
    def TopK(
        self,
        X: Operand,
        K: Operand,
        /,
        *,
        axis: int = -1,
        largest: int = 1,
        sorted: int = 1,
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def TopK(
        self,
        X: Operand,
        K: Operand,
        /,
        *,
        axis: int = -1,
        largest: int = 1,
        sorted: int = 1,
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    def Transpose(
        self,
        data: Operand,
        /,
        *,
        perm: Sequence[int] = ...,
    ) -> ir.Value: ...
    def Trilu(
        self,
        input: Operand,
        k: Operand = None,
        /,
        *,
        upper: int = 1,
    ) -> ir.Value: ...
    @overload
    def Unique(
        self,
        X: Operand,
        /,
        *,
        axis: int = ...,
        sorted: int = 1,
        _outputs: Literal[1] = 1,
    ) -> ir.Value: ...
    @overload
    def Unique(
        self,
        X: Operand,
        /,
        *,
        axis: int = ...,
        sorted: int = 1,
        _outputs: Literal[2],
    ) -> tuple[ir.Value, ir.Value]: ...
    @overload
    def Unique(
        self,
        X: Operand,
        /,
        *,
        axis: int = ...,
        sorted: int = 1,
        _outputs: Literal[3],
    ) -> tuple[ir.Value, ir.Value, ir.Value]: ...
    @overload
    def Unique(
        self,
        X: Operand,
        /,
        *,
        axis: int = ...,
        sorted: int = 1,
        _outputs: Literal[4],
    ) -> tuple[ir.Value, ir.Value, ir.Value, ir.Value]: ...
    def Unsqueeze(
        self,
        data: Operand,
        axes: Operand,
        /,
    ) -> ir.Value: ...
    def Where(
        self,
        condition: Operand,
        X: Operand,
        Y: Operand,
        /,
    ) -> ir.Value: ...
    def Xor(
        self,
        A: Operand,
        B: Operand,
        /,
    ) -> ir.Value: ...
