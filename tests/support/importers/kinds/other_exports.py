"""Networks as PaddlePaddle, quantizers, converters to float16 and scikit-learn write them."""

from __future__ import annotations

_PADDLE = """
    <ir_version: 7, opset_import: ["": 11]>
    paddle (float[batch, 1, 6, 6] x) => (float[batch, 2] y) {
        kernel = Constant<value = float[2, 1, 2, 2] {0.1, 0.2, -0.3, 0.4, 0.5, -0.6, 0.7, 0.8}> ()
        bias = Constant<value = float[2] {0.1, -0.2}> ()
        shape = Constant<value = int64[4] {1, 2, 1, 1}> ()
        c = Conv<pads = [0, 0, 0, 0]> (x, kernel)
        b4 = Reshape(bias, shape)
        d = Add(c, b4)
        r = Relu(d)
        g = GlobalAveragePool(r)
        flat = Flatten<axis = 1> (g)
        w = Constant<value = float[2, 2] {0.5, -0.5, 0.25, 1.0}> ()
        b = Constant<value = float[2] {0.3, 0.1}> ()
        m = MatMul(flat, w)
        y = Add(m, b)
    }
"""

_QDQ = """
    <ir_version: 8, opset_import: ["": 13]>
    qdq (float[batch, 1, 6, 6] x) => (float[batch, 3] y)
    <float[2, 1, 3, 3] kernel, float[2] bias, float[3, 2] head, float[3] head_bias,
     float xs = {0.01}, uint8 xz = {3}, float ws = {0.05}, int8 wz = {0}, float ys = {0.05},
     uint8 yz = {7}> {
        xq = QuantizeLinear(x, xs, xz)
        xd = DequantizeLinear(xq, xs, xz)
        kq = QuantizeLinear(kernel, ws, wz)
        kd = DequantizeLinear(kq, ws, wz)
        c = Conv(xd, kd, bias)
        r = Relu(c)
        rq = QuantizeLinear(r, ys, yz)
        rd = DequantizeLinear(rq, ys, yz)
        g = GlobalAveragePool(rd)
        f = Flatten(g)
        y = Gemm<transB = 1> (f, head, head_bias)
    }
"""

_QDQ_STORED = """
    <ir_version: 8, opset_import: ["": 13]>
    int8 (float[batch, 3] x) => (float[batch, 2] y)
    <int8[3, 4] stored = {1, 2, 3, 4, -5, 6, 7, -8, 9, 10, -11, 12},
     float[4] scales = {0.1, 0.2, 0.1, 0.2},
     int8[4] zeros = {0, 0, 0, 0}, float[4] bias, float[4, 2] head> {
        kernel = DequantizeLinear<axis = 1> (stored, scales, zeros)
        m = MatMul(x, kernel)
        a = Add(m, bias)
        r = Relu(a)
        y = MatMul(r, head)
    }
"""

_HALF = """
    <ir_version: 8, opset_import: ["": 17]>
    half (float[batch, 1, 6, 6] x) => (float[batch, 3] y)
    <float16[2, 1, 3, 3] kernel, float16[2] bias, float16[3, 2] head, float16[3] head_bias> {
        xh = Cast<to = 10> (x)
        c = Conv(xh, kernel, bias)
        r = Relu(c)
        g = GlobalAveragePool(r)
        f = Flatten(g)
        yh = Gemm<transB = 1> (f, head, head_bias)
        y = Cast<to = 1> (yh)
    }
"""

_HALF_THROUGHOUT = """
    <ir_version: 8, opset_import: ["": 17]>
    half (float16[batch, 4] x) => (float16[batch, 3] y)
    <float16[4, 4] w, float16[4] b, float16[4] gain, float16[4] shift, float16[4, 3] head> {
        m = MatMul(x, w)
        a = Add(m, b)
        n = LayerNormalization<axis = -1> (a, gain, shift)
        g = Sigmoid(n)
        y = MatMul(g, head)
    }
"""

_VOICE = """
    <ir_version: 8, opset_import: ["": 16]>
    vad (float[batch, 16] input, float[batch, 4] state, int64 sr)
    => (float[batch, 1] output, float[batch, 4] stateN)
    <float[4, 1, 4] basis, float[4] basis_bias, float[4, 1, 4] narrow, float[4] narrow_bias,
     float[4, 4] recur, float[1, 4] head, float[1] head_bias, int64 rate = {16000},
     int64[1] one = {1}, int64[1] last = {2}> {
        is16 = Equal(sr, rate)
        channel = Unsqueeze(input, one)
        c = If (is16) <
            then_branch = wide () => (float[batch, 4, n] a) {
                a = Conv<strides = [4]> (channel, basis, basis_bias)
            },
            else_branch = other () => (float[batch, 4, m] b) {
                b = Conv<strides = [2]> (channel, narrow, narrow_bias)
            }
        >
        r = Relu(c)
        pooled = ReduceMean<axes = [2], keepdims = 0> (r)
        before = MatMul(state, recur)
        sum = Add(pooled, before)
        stateN = Tanh(sum)
        logit = Gemm<transB = 1> (stateN, head, head_bias)
        output = Sigmoid(logit)
    }
"""

_SCIKIT_LEARN = """
    <ir_version: 8, opset_import: ["": 15, "ai.onnx.ml": 3]>
    sklearn (float[batch, 3] X) => (float[batch, 2] variable)
    <float[3, 4] coefficient, float[1, 4] intercepts, float[4, 2] coefficient1,
     float[1, 2] intercepts1, int64[2] shape = {-1, 2}> {
        filled = ai.onnx.ml.Imputer<imputed_value_floats = [0.5, 0.25, 0.125],
            replaced_value_float = 0.0> (X)
        scaled = ai.onnx.ml.Scaler<offset = [0.5, 0.4, 0.3], scale = [2.0, 3.0, 4.0]> (filled)
        unit = ai.onnx.ml.Normalizer<norm = "L2"> (scaled)
        m = MatMul(unit, coefficient)
        a = Add(m, intercepts)
        r = Relu(a)
        n = MatMul(r, coefficient1)
        b = Add(n, intercepts1)
        variable = Reshape(b, shape)
    }
"""

_TWO_TOWERS = """
    <ir_version: 8, opset_import: ["": 13]>
    towers (int64[batch, 3] user, float[batch, 4] item)
    => (float[batch, 1] score, float[batch, 2] code)
    <float[8, 2] table, float[4, 2] w, float[2] b> {
        e = Gather(table, user)
        code = ReduceMean<axes = [1], keepdims = 0> (e)
        m = MatMul(item, w)
        a = Add(m, b)
        p = Mul(code, a)
        axes = Constant<value = int64[1] {1}> ()
        score = ReduceSum<keepdims = 1> (p, axes)
    }
"""

_INTEGER = """
    <ir_version: 8, opset_import: ["": 13]>
    dynamic (float[batch, 3] x) => (float[batch, 2] y)
    <int8[3, 2] stored = {1, 2, 3, -4, 5, 6}, int8 zero = {0}, float scale = {0.1},
     float[3, 3] first, float[2] bias> {
        h = MatMul(x, first)
        q, xs, xz = DynamicQuantizeLinear(h)
        i = MatMulInteger(q, stored, xz, zero)
        f = Cast<to = 1> (i)
        s = Mul(xs, scale)
        d = Mul(f, s)
        y = Add(d, bias)
    }
"""

OTHER_EXPORTS = {
    "weights in Constant nodes, by PaddlePaddle": _PADDLE,
    "fake quantization (QDQ) of float weights": _QDQ,
    "int8 weights behind DequantizeLinear": _QDQ_STORED,
    "float16 with float32 at both ends": _HALF,
    "float16 throughout": _HALF_THROUGHOUT,
    "voice activity with a rate as a scalar input": _VOICE,
    "scaler and perceptron, by scikit-learn": _SCIKIT_LEARN,
    "two inputs and two outputs": _TWO_TOWERS,
    "dynamic int8, by ONNX Runtime's quantizer": _INTEGER,
}
