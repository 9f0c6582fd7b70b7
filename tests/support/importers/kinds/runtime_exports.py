"""Networks that ONNX Runtime's optimizer has rewritten with operators of its own domain."""

from __future__ import annotations

_HEAD = '<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>'

_FUSED_CONV = f"""
    {_HEAD}
    fused (float[batch, 1, 6, 6] x) => (float[batch, 3] y)
    <float[2, 1, 3, 3] k1, float[2] b1, float[2, 2, 3, 3] k2, float[2] b2, float[3, 2] head,
     float[3] head_bias> {{
        a = com.microsoft.FusedConv<activation = "LeakyRelu", activation_params = [0.2],
            pads = [1, 1, 1, 1]> (x, k1, b1)
        b = com.microsoft.FusedConv<activation = "Relu", pads = [1, 1, 1, 1]> (a, k2, b2, a)
        g = GlobalAveragePool(b)
        f = Flatten(g)
        y = com.microsoft.FusedGemm<transB = 1, activation = "Tanh"> (f, head, head_bias)
    }}
"""

_FUSED_MATMUL = f"""
    {_HEAD}
    fused (float[batch, 3, 4] x) => (float[batch, 3, 3] y)
    <float[4, 4] wq, float[4, 4] wk> {{
        q = MatMul(x, wq)
        k = com.microsoft.FusedMatMul<transB = 1> (x, wk)
        y = com.microsoft.FusedMatMul<transB = 1, alpha = 0.5> (q, k)
    }}
"""

_GELUS = f"""
    {_HEAD}
    gelus (float[batch, 4] x) => (float[batch, 2] y)
    <float[4, 4] w1, float[4] b1, float[4, 4] w2, float[4] b2, float[4, 4] w3, float[4, 2] w4> {{
        a = MatMul(x, w1)
        b = com.microsoft.BiasGelu(a, b1)
        c = MatMul(b, w2)
        d = com.microsoft.FastGelu(c, b2)
        e = MatMul(d, w3)
        g = com.microsoft.QuickGelu<alpha = 1.702> (e)
        h = com.microsoft.Gelu(g)
        y = MatMul(h, w4)
    }}
"""

_BERT = f"""
    {_HEAD}
    bert (float[batch, 3, 4] x, int32[batch, 3] mask) => (float[batch, 3, 4] y)
    <float[4, 12] qkv, float[12] qkv_bias, float[4, 4] out, float[4] out_bias, float[4] gain1,
     float[4] shift1, float[4, 4] up, float[4] up_bias, float[4, 4] down, float[4] gain2,
     float[4] shift2> {{
        a = com.microsoft.Attention<num_heads = 2> (x, qkv, qkv_bias, mask)
        o = MatMul(a, out)
        n = com.microsoft.SkipLayerNormalization<epsilon = 0.00001>
            (o, x, gain1, shift1, out_bias)
        u = MatMul(n, up)
        g = com.microsoft.BiasGelu(u, up_bias)
        d = MatMul(g, down)
        y = com.microsoft.SkipLayerNormalization<epsilon = 0.00001> (d, n, gain2, shift2)
    }}
"""

_MULTI_HEAD = f"""
    {_HEAD}
    multi (float[batch, 3, 4] x) => (float[batch, 3, 4] y)
    <float[4, 4] wq, float[4, 4] wk, float[4, 4] wv, float[12] bias, float[4, 4] wo> {{
        q = MatMul(x, wq)
        k = MatMul(x, wk)
        v = MatMul(x, wv)
        a = com.microsoft.MultiHeadAttention<num_heads = 2, unidirectional = 1> (q, k, v, bias)
        y = MatMul(a, wo)
    }}
"""

_LLAMA = f"""
    {_HEAD}
    llama (float[batch, 3, 4] x, int64[batch, 3] position_ids) => (float[batch, 3, 4] y)
    <float[4] norm, float[4, 4] wq, float[4, 4] wk, float[4, 4] wv, float[4, 4] wo, float[4] norm2,
     float[4, 6] gate, float[4, 6] value, float[6, 4] down,
     float[8, 1] cos_cache = {{1.0, 0.54, -0.42, -0.99, -0.65, 0.28, 0.96, 0.75}},
     float[8, 1] sin_cache = {{0.0, 0.84, 0.91, 0.14, -0.76, -0.96, -0.28, 0.66}}> {{
        n = SimplifiedLayerNormalization<axis = -1, epsilon = 0.00001, stash_type = 1> (x, norm)
        q = MatMul(n, wq)
        k = MatMul(n, wk)
        v = MatMul(n, wv)
        qr = com.microsoft.RotaryEmbedding (q, position_ids, cos_cache, sin_cache)
        kr = com.microsoft.RotaryEmbedding (k, position_ids, cos_cache, sin_cache)
        a = com.microsoft.MultiHeadAttention<num_heads = 2, unidirectional = 1> (qr, kr, v)
        o = MatMul(a, wo)
        m, unused1, unused2, skip = com.microsoft.SkipSimplifiedLayerNormalization
            <epsilon = 0.00001> (o, x, norm2)
        g = MatMul(m, gate)
        s = com.microsoft.QuickGelu<alpha = 1.0> (g)
        u = MatMul(m, value)
        p = Mul(s, u)
        d = MatMul(p, down)
        y = Add(d, skip)
    }}
"""

RUNTIME_EXPORTS = {
    "FusedConv and FusedGemm": _FUSED_CONV,
    "FusedMatMul": _FUSED_MATMUL,
    "BiasGelu, FastGelu, QuickGelu and Gelu": _GELUS,
    "Attention and SkipLayerNormalization": _BERT,
    "MultiHeadAttention": _MULTI_HEAD,
    "RotaryEmbedding and simplified normalizations": _LLAMA.replace(
        "m, unused1, unused2, skip", "m, , , skip"
    ),
}
