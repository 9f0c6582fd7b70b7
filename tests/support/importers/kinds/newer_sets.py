"""Networks of operator sets 23 to 28, with the operators that came with them."""

from __future__ import annotations


def _head(version: int) -> str:
    return f'<ir_version: {min(version - 12, 13)}, opset_import: ["": {version}]>'


_ATTENTION = f"""
    {_head(23)}
    attention (float[batch, 3, 4] x) => (float[batch, 3, 4] y)
    <float[4, 4] wq, float[4, 4] wk, float[4, 4] wv, float[4] norm> {{
        q = MatMul(x, wq)
        k = MatMul(x, wk)
        v = MatMul(x, wv)
        a = Attention<q_num_heads = 2, kv_num_heads = 2, is_causal = 1> (q, k, v)
        y = RMSNormalization<axis = -1> (a, norm)
    }}
"""

_SWISH = f"""
    {_head(24)}
    swish (float[batch, 4] x) => (float[batch, 2] y)
    <float[4, 4] w1, float[4] b1, float[4, 2] w2> {{
        a = MatMul(x, w1)
        b = Add(a, b1)
        c = Swish<alpha = 1.5> (b)
        y = MatMul(c, w2)
    }}
"""

_CACHE = f"""
    {_head(24)}
    cache (float[batch, 2, 4] x, float[batch, 5, 4] past, int64[batch] start)
    => (float[batch, 5, 4] y)
    <float[4, 4] w, float[4] b> {{
        m = MatMul(x, w)
        k = Add(m, b)
        y = TensorScatter<axis = 1, mode = "circular"> (past, k, start)
    }}
"""

_PRODUCTS = f"""
    {_head(26)}
    products (float[batch, 4] x) => (float[batch, 4] y)
    <float[4, 4] w, float[4] b, int64 axis = {{1}}> {{
        m = MatMul(x, w)
        a = Add(m, b)
        s = Sigmoid(a)
        p = CumProd<exclusive = 1> (s, axis)
        y = Mul(p, a)
    }}
"""

_LINEAR_ATTENTION = f"""
    {_head(27)}
    linear (float[batch, 3, 4] x) => (float[batch, 3, 4] y, float[batch, 2, 2, 2] state)
    <float[4, 4] wq, float[4, 4] wk, float[4, 4] wv, float[4, 2] wg, float[4, 2] wb> {{
        q = MatMul(x, wq)
        k = MatMul(x, wk)
        v = MatMul(x, wv)
        g0 = MatMul(x, wg)
        g1 = Sigmoid(g0)
        g = Log(g1)
        b0 = MatMul(x, wb)
        b = Sigmoid(b0)
        y, state = LinearAttention<q_num_heads = 2, kv_num_heads = 2,
            update_rule = "gated_delta"> (q, k, v, , g, b)
    }}
"""

_CAUSAL_CONV = f"""
    {_head(27)}
    mamba (float[batch, 2, 5] x) => (float[batch, 2, 5] y)
    <float[2, 1, 3] kernel, float[2] bias, float[2, 1] gain> {{
        c, state = CausalConvWithState<activation = "silu"> (x, kernel, bias)
        y = Mul(c, gain)
    }}
"""

_SWIGLU = f"""
    {_head(28)}
    swiglu (float[batch, 4] x) => (float[batch, 2] y)
    <float[4, 6] gate, float[4, 6] value, float[6, 2] down> {{
        a = MatMul(x, gate)
        b = MatMul(x, value)
        c = SwiGLU(a, b)
        y = MatMul(c, down)
    }}
"""

NEWER_SETS = {
    "Attention and RMSNormalization of set 23": _ATTENTION,
    "Swish of set 24": _SWISH,
    "TensorScatter of set 24": _CACHE,
    "CumProd of set 26": _PRODUCTS,
    "LinearAttention of set 27": _LINEAR_ATTENTION,
    "CausalConvWithState of set 27": _CAUSAL_CONV,
    "SwiGLU of set 28": _SWIGLU,
}
