"""Networks as both exporters of PyTorch 2.13 write them.

The older exporter (`dynamo=False`) folds BatchNormalization, keeps shapes in Constant nodes and
computes those of a free batch; the newer one names what it has folded `val_N`, weights and plain
numbers alike.
"""

from __future__ import annotations


def _cnn(batch: int, *, newer: bool) -> str:
    kernel, bias = ("val_3", "val_5") if newer else ("folded_29", "folded_30")
    flat = f"int64[2] val_9 = {{{batch}, 64}}" if newer else "int64[0] unused_axes"
    make = "" if newer else f"val_9 = Constant<value = int64[2] {{{batch}, -1}}> ()"
    version = 20 if newer else 17
    return f"""
        <ir_version: 10, opset_import: ["": {version}]>
        main_graph (float[{batch}, 1, 8, 8] x) => (float[{batch}, 3] y)
        <float[4, 1, 3, 3] {kernel}, float[4] {bias}, float[4, 4, 3, 3] c2_weight,
         float[4] c2_bias, float[3, 64] f_weight, float[3] f_bias{", " + flat if newer else ""}> {{
            a = Conv<dilations = [1, 1], group = 1, kernel_shape = [3, 3], pads = [1, 1, 1, 1],
                strides = [1, 1]> (x, {kernel}, {bias})
            b = Relu(a)
            c = MaxPool<kernel_shape = [2, 2], strides = [2, 2]> (b)
            d = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (c, c2_weight, c2_bias)
            e = Relu(d)
            g = Add(e, c)
            {make}
            h = Reshape<allowzero = 0> (g, val_9)
            y = Gemm<alpha = 1.0, beta = 1.0, transB = 1> (h, f_weight, f_bias)
        }}
    """


_RESNET_BLOCK = """
    <ir_version: 8, opset_import: ["": 13]>
    torch_jit (float[batch, 3, 8, 8] x) => (float[batch, 5] y)
    <float[4, 3, 3, 3] stem, float[4, 4, 3, 3] kernel, float[4] gain, float[4] shift,
     float[4] mean, float[4] variance, float[5, 4] fc_weight, float[5] fc_bias> {
        a = Conv<pads = [1, 1, 1, 1], strides = [2, 2]> (x, stem)
        b = Conv<pads = [1, 1, 1, 1]> (a, kernel)
        c = BatchNormalization<epsilon = 0.00001, momentum = 0.9> (b, gain, shift, mean, variance)
        d = Add(c, a)
        e = Relu(d)
        g = GlobalAveragePool(e)
        s = Shape(g)
        zero = Constant<value = int64 {0}> ()
        n = Gather<axis = 0> (s, zero)
        first = Constant<value = int64[1] {0}> ()
        rest = Constant<value = int64[1] {-1}> ()
        n1 = Unsqueeze(n, first)
        shape = Concat<axis = 0> (n1, rest)
        h = Reshape(g, shape)
        y = Gemm<transB = 1> (h, fc_weight, fc_bias)
    }
"""

_SQUEEZE_EXCITE = """
    <ir_version: 9, opset_import: ["": 17]>
    mobilenet (float[1, 4, 6, 6] x) => (float[1, 2] y)
    <float[4, 1, 3, 3] depthwise, float[4] depthwise_bias, float[2, 4, 1, 1] squeeze,
     float[2] squeeze_bias, float[4, 2, 1, 1] excite, float[4] excite_bias, float[2, 4] head,
     float[2] head_bias> {
        a = Conv<group = 4, pads = [1, 1, 1, 1]> (x, depthwise, depthwise_bias)
        b = HardSwish(a)
        c = ReduceMean<axes = [2, 3], keepdims = 1> (b)
        d = Conv(c, squeeze, squeeze_bias)
        e = Relu(d)
        g = Conv(e, excite, excite_bias)
        h = HardSigmoid<alpha = 0.16666667> (g)
        i = Mul(h, b)
        j = ReduceMean<axes = [2, 3], keepdims = 0> (i)
        y = Gemm<transB = 1> (j, head, head_bias)
    }
"""

_LSTM = """
    <ir_version: 9, opset_import: ["": 17]>
    main_graph (int64[1, 6] x) => (float[1, 3] y)
    <float[8, 4] e_weight, float[1, 20, 4] w, float[1, 20, 5] r, float[1, 40] b,
     float[3, 5] f_weight, float[3] f_bias> {
        a = Gather(e_weight, x)
        t = Transpose<perm = [1, 0, 2]> (a)
        state = Constant<value = float[1, 1, 5] {0, 0, 0, 0, 0}> ()
        s = Shape(t)
        one = Constant<value = int64 {1}> ()
        n = Gather(s, one)
        axis = Constant<value = int64[1] {0}> ()
        n1 = Unsqueeze(n, axis)
        directions = Constant<value = int64[1] {1}> ()
        width = Constant<value = int64[1] {5}> ()
        wanted = Concat<axis = 0> (directions, n1, width)
        h0 = Expand(state, wanted)
        c0 = Expand(state, wanted)
        out, last, cell = LSTM<hidden_size = 5> (t, w, r, b, , h0, c0)
        squeezed = Squeeze(out, directions)
        u = Transpose<perm = [1, 0, 2]> (squeezed)
        end = Constant<value = int64 {-1}> ()
        g = Gather<axis = 1> (u, end)
        y = Gemm<transB = 1> (g, f_weight, f_bias)
    }
"""

_GRU = """
    <ir_version: 9, opset_import: ["": 17]>
    main_graph (int64[batch, 6] x) => (float[batch, 3] y)
    <float[8, 4] e_weight, float[2, 15, 4] w, float[2, 15, 5] r, float[2, 30] b,
     float[3, 10] f_weight, float[3] f_bias> {
        a = Gather(e_weight, x)
        s = Shape(a)
        zero = Constant<value = int64 {0}> ()
        n = Gather<axis = 0> (s, zero)
        two = Constant<value = int64[1] {2}> ()
        axis = Constant<value = int64[1] {0}> ()
        n1 = Unsqueeze(n, axis)
        width = Constant<value = int64[1] {5}> ()
        shape = Concat<axis = 0> (two, n1, width)
        h0 = ConstantOfShape<value = float[1] {0}> (shape)
        t = Transpose<perm = [1, 0, 2]> (a)
        out, last = GRU<direction = "bidirectional", hidden_size = 5, linear_before_reset = 1>
            (t, w, r, b, , h0)
        u = Transpose<perm = [0, 2, 1, 3]> (out)
        flat = Constant<value = int64[3] {0, 0, -1}> ()
        v = Reshape(u, flat)
        q = Transpose<perm = [1, 0, 2]> (v)
        g = Gather<axis = 1> (q, zero)
        y = Gemm<transB = 1> (g, f_weight, f_bias)
    }
"""

_GRU_NEWER = """
    <ir_version: 10, opset_import: ["": 20]>
    main_graph (float[2, 4, 3] x) => (float[2, 2] y)
    <float[1, 12, 3] val_77, float[1, 12, 4] val_78, float[1, 24] val_79, float[2, 4] f_weight,
     float[2] f_bias, float[1, 2, 4] val_10 = {0, 0, 0, 0, 0, 0, 0, 0}, int64[1] val_20 = {1},
     int64 val_22 = {-1}> {
        t = Transpose<perm = [1, 0, 2]> (x)
        out, last = GRU<hidden_size = 4, linear_before_reset = 1>
            (t, val_77, val_78, val_79, , val_10)
        squeezed = Squeeze(out, val_20)
        u = Transpose<perm = [1, 0, 2]> (squeezed)
        g = Gather<axis = 1> (u, val_22)
        y = Gemm<transB = 1> (g, f_weight, f_bias)
    }
"""

_ENCODER = """
    <ir_version: 9, opset_import: ["": 17]>
    encoder (int64[batch, 6] x) => (float[batch, 3] y)
    <float[8, 4] e_weight, float[1, 6, 4] position, float[4, 12] qkv, float[12] qkv_bias,
     float[4, 4] out, float[4] out_bias, float[4] norm1, float[4] norm1_bias, float[4, 8] up,
     float[8] up_bias, float[8, 4] down, float[4] down_bias, float[4] norm2, float[4] norm2_bias,
     float[3, 4] f_weight, float[3] f_bias, int64[5] split = {0, 6, 3, 2, 2},
     int64[3] merged = {0, 6, 4}, int64 zero = {0}, int64 one = {1}, int64 two = {2},
     float half = {0.7071068}> {
        embedded = Gather(e_weight, x)
        a = Add(embedded, position)
        p = MatMul(a, qkv)
        pb = Add(qkv_bias, p)
        r = Reshape(pb, split)
        t = Transpose<perm = [2, 0, 3, 1, 4]> (r)
        q = Gather<axis = 0> (t, zero)
        k = Gather<axis = 0> (t, one)
        v = Gather<axis = 0> (t, two)
        kt = Transpose<perm = [0, 1, 3, 2]> (k)
        scores = MatMul(q, kt)
        scaled = Mul(scores, half)
        weights = Softmax<axis = -1> (scaled)
        mixed = MatMul(weights, v)
        back = Transpose<perm = [0, 2, 1, 3]> (mixed)
        flat = Reshape(back, merged)
        o = MatMul(flat, out)
        ob = Add(out_bias, o)
        res = Add(a, ob)
        n = LayerNormalization<axis = -1, epsilon = 0.00001> (res, norm1, norm1_bias)
        u = MatMul(n, up)
        ub = Add(up_bias, u)
        root = Constant<value = float {1.4142135}> ()
        d = Div(ub, root)
        erf = Erf(d)
        unit = Constant<value = float {1}> ()
        e1 = Add(erf, unit)
        g = Mul(ub, e1)
        point = Constant<value = float {0.5}> ()
        gelu = Mul(g, point)
        w = MatMul(gelu, down)
        wb = Add(down_bias, w)
        res2 = Add(n, wb)
        n2 = LayerNormalization<axis = -1, epsilon = 0.00001> (res2, norm2, norm2_bias)
        pooled = ReduceMean<axes = [1], keepdims = 0> (n2)
        y = Gemm<transB = 1> (pooled, f_weight, f_bias)
    }
"""

_MASKED = """
    <ir_version: 10, opset_import: ["": 20]>
    decoder (float[2, 3, 4] x) => (float[2, 3, 4] y)
    <float[4, 12] val_0, float[12] q_bias, float[4, 4] val_74, float[4] o_bias,
     float[1] val_62 = {0.7071068},
     float[3, 3] val_47 = {0, -3.4028235e38, -3.4028235e38, 0, 0, -3.4028235e38, 0, 0, 0},
     int64[5] val_8 = {2, 3, 3, 2, 2}, int64[1] val_9 = {0}, int64[1] val_10 = {1},
     int64[1] val_15 = {2}, int64[1] val_19 = {3}, int64[3] val_73 = {2, 3, 4}> {
        val_1 = MatMul(x, val_0)
        linear = Add(val_1, q_bias)
        view = Reshape(linear, val_8)
        permute = Transpose<perm = [2, 0, 3, 1, 4]> (view)
        val_12 = Slice(permute, val_9, val_10, val_9)
        q = Squeeze(val_12, val_9)
        val_17 = Slice(permute, val_10, val_15, val_9)
        k = Squeeze(val_17, val_9)
        val_21 = Slice(permute, val_15, val_19, val_9)
        v = Squeeze(val_21, val_9)
        kt = Transpose<perm = [0, 1, 3, 2]> (k)
        val_63 = Mul(q, val_62)
        val_65 = Mul(kt, val_62)
        val_66 = MatMul(val_63, val_65)
        val_67 = Add(val_66, val_47)
        val_68 = Softmax<axis = -1> (val_67)
        mixed = MatMul(val_68, v)
        back = Transpose<perm = [0, 2, 1, 3]> (mixed)
        flat = Reshape(back, val_73)
        val_75 = MatMul(flat, val_74)
        y = Add(val_75, o_bias)
    }
"""

_SDPA = """
    <ir_version: 8, opset_import: ["": 14]>
    sdpa (float[batch, 5, 4] x) => (float[batch, 5, 4] y)
    <float[4, 4] wq, float[4] bq, float[4, 4] wk, float[4, 4] wv, float[4, 4] wo> {
        q0 = MatMul(x, wq)
        q = Add(q0, bq)
        k = MatMul(x, wk)
        v = MatMul(x, wv)
        s = Shape(q)
        end = Constant<value = int64[1] {-1}> ()
        most = Constant<value = int64[1] {9223372036854775807}> ()
        width = Slice(s, end, most)
        widthf = Cast<to = 1> (width)
        root = Sqrt(widthf)
        unit = Constant<value = float[1] {1}> ()
        scale = Div(unit, root)
        less = Sqrt(scale)
        second = Constant<value = int64 {1}> ()
        length = Gather<axis = 0> (s, second)
        first = Constant<value = int64[1] {0}> ()
        l1 = Unsqueeze(length, first)
        square = Concat<axis = 0> (l1, l1)
        ones = ConstantOfShape<value = float[1] {1}> (square)
        lower = Trilu<upper = 0> (ones)
        zero = Constant<value = float {0}> ()
        off = Equal(lower, zero)
        minus = Constant<value = float {-inf}> ()
        mask = Where(off, minus, zero)
        kt = Transpose<perm = [0, 2, 1]> (k)
        qs = Mul(q, less)
        ks = Mul(kt, less)
        scores = MatMul(qs, ks)
        added = Add(scores, mask)
        weights = Softmax<axis = -1> (added)
        mixed = MatMul(weights, v)
        y = MatMul(mixed, wo)
    }
"""

_U_NET = """
    <ir_version: 8, opset_import: ["": 13]>
    unet (float[1, 1, 8, 8] x) => (float[1, 2, 8, 8] y)
    <float[2, 1, 3, 3] a_weight, float[2] a_bias, float[4, 2, 3, 3] b_weight, float[4] b_bias,
     float[4, 2, 2, 2] up_weight, float[2] up_bias, float[2, 4, 3, 3] c_weight, float[2] c_bias,
     float[2, 6, 1, 1] d_weight, float[2] d_bias> {
        a = Conv<pads = [1, 1, 1, 1]> (x, a_weight, a_bias)
        ar = Relu(a)
        p = AveragePool<kernel_shape = [2, 2], strides = [2, 2]> (ar)
        b = Conv<pads = [1, 1, 1, 1]> (p, b_weight, b_bias)
        br = LeakyRelu<alpha = 0.1> (b)
        u = ConvTranspose<kernel_shape = [2, 2], strides = [2, 2]> (br, up_weight, up_bias)
        j = Concat<axis = 1> (ar, u)
        c = Conv<pads = [1, 1, 1, 1]> (j, c_weight, c_bias)
        sig = Sigmoid(c)
        silu = Mul(c, sig)
        roi = Constant<value_floats = [0.0]> ()
        scales = Constant<value = float[4] {1, 1, 2, 2}> ()
        r = Resize<coordinate_transformation_mode = "half_pixel", mode = "linear">
            (br, , scales)
        j2 = Concat<axis = 1> (silu, r)
        y = Conv(j2, d_weight, d_bias)
    }
"""

_U_NET_NEWER = """
    <ir_version: 10, opset_import: ["": 20]>
    unet (float[2, 1, 4, 4] x) => (float[2, 2, 4, 4] y)
    <float[4, 1, 3, 3] b_weight, float[4] b_bias, float[4, 1, 1] val_21, float[4, 1, 1] val_23,
     float[2, 4, 1, 1] d_weight, float[2] d_bias, float[2] val_8 = {1, 1},
     float[2] val_11 = {0, 0}, int64[3] val_7 = {0, 2, -1}, int64[4] val_12 = {2, 4, 4, 4},
     int64[2] val_30 = {2, 2}, float[4] val_40 = {1, 1, 2, 2}> {
        b = Conv<pads = [1, 1, 1, 1]> (x, b_weight, b_bias)
        grouped = Reshape(b, val_7)
        normal = InstanceNormalization<epsilon = 0.00001> (grouped, val_8, val_11)
        back = Reshape(normal, val_12)
        gained = Mul(back, val_21)
        shifted = Add(gained, val_23)
        r = Relu(shifted)
        small = MaxPool<kernel_shape = [2, 2], strides = [2, 2]> (r)
        large = Resize<coordinate_transformation_mode = "asymmetric", mode = "nearest",
            nearest_mode = "floor"> (small, , val_40)
        y = Conv(large, d_weight, d_bias)
    }
"""

TORCH_EXPORTS = {
    "CNN, older exporter, batch 1": _cnn(1, newer=False),
    "CNN, older exporter, batch 2": _cnn(2, newer=False),
    "CNN, newer exporter, batch 1": _cnn(1, newer=True),
    "CNN, newer exporter, batch 2": _cnn(2, newer=True),
    "residual CNN with BatchNormalization": _RESNET_BLOCK,
    "mobile CNN with squeeze and excitation": _SQUEEZE_EXCITE,
    "LSTM": _LSTM,
    "GRU in two directions": _GRU,
    "GRU, newer exporter": _GRU_NEWER,
    "transformer encoder": _ENCODER,
    "transformer decoder with a mask": _MASKED,
    "attention by its formula": _SDPA,
    "U-Net with ConvTranspose and Resize": _U_NET,
    "U-Net, newer exporter": _U_NET_NEWER,
}
