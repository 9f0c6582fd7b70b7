"""Layers of the standard in PyTorch: convolutions, normalizations, losses, recurrence, images.

Importing this module adds them to `torch_peers.PEERS`.
"""

# ruff: noqa: D103 - a function is what its operator is
from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch_peers import PEERS, Attributes, ints, need, peer


def _padded(a: Attributes, x: Any, kernel: list[int], value: float = 0.0) -> Any:
    """The picture with the pads of the attributes around it."""
    n = len(kernel)
    pads = list(a.get("pads", [0] * (2 * n)))
    how = a.get("auto_pad", "NOTSET")
    if how.startswith("SAME"):
        strides, dilations = a.get("strides", [1] * n), a.get("dilations", [1] * n)
        for i, (size, k) in enumerate(zip(x.shape[2:], kernel, strict=True)):
            extent = (k - 1) * dilations[i] + 1
            total = max((-(-size // strides[i]) - 1) * strides[i] + extent - size, 0)
            small, large = total // 2, total - total // 2
            pads[i], pads[n + i] = (small, large) if how == "SAME_UPPER" else (large, small)
    flat = [p for i in reversed(range(n)) for p in (pads[i], pads[n + i])]
    return F.pad(x, flat, value=value) if any(flat) else x


@peer("Conv")
def conv(a: Attributes, x: Any, w: Any, b: Any = None) -> Any:
    n = x.dim() - 2
    x = _padded(a, x, list(w.shape[2:]))
    strides, dilations = a.get("strides", [1] * n), a.get("dilations", [1] * n)
    return getattr(F, f"conv{n}d")(x, w, b, strides, 0, dilations, a.get("group", 1))


@peer("ConvTranspose")
def conv_transpose(a: Attributes, x: Any, w: Any, b: Any = None) -> Any:
    n = x.dim() - 2
    need("output_shape" not in a and "auto_pad" not in a, "takes pads, not sizes")
    pads = a.get("pads", [0] * (2 * n))
    made = getattr(F, f"conv_transpose{n}d")(
        x,
        w,
        b,
        a.get("strides", [1] * n),
        0,
        a.get("output_padding", [0] * n),
        a.get("group", 1),
        a.get("dilations", [1] * n),
    )
    for i in range(n):
        made = made.narrow(2 + i, pads[i], made.shape[2 + i] - pads[i] - pads[n + i])
    return made


@peer("MaxPool")
def max_pool(a: Attributes, x: Any) -> Any:
    kernel = a["kernel_shape"]
    n = len(kernel)
    x = _padded(a, x, kernel, -float("inf"))
    strides, dilations = a.get("strides", [1] * n), a.get("dilations", [1] * n)
    return getattr(F, f"max_pool{n}d")(x, kernel, strides, 0, dilations, bool(a.get("ceil_mode")))


@peer("AveragePool")
def average_pool(a: Attributes, x: Any) -> Any:
    kernel = a["kernel_shape"]
    n = len(kernel)
    pads = a.get("pads", [0] * (2 * n))
    need("dilations" not in a, "an average has no dilations")
    need("auto_pad" not in a and pads[:n] == pads[n:], "pads the same on both sides")
    return getattr(F, f"avg_pool{n}d")(
        x,
        kernel,
        a.get("strides", [1] * n),
        pads[:n],
        bool(a.get("ceil_mode")),
        bool(a.get("count_include_pad", 0)),
    )


@peer("LpPool")
def lp_pool(a: Attributes, x: Any) -> Any:
    p, kernel = a.get("p", 2), a["kernel_shape"]
    need(p % 2 == 0, "F.lp_pool takes no absolute values")
    x = _padded(a, x, kernel)
    return getattr(F, f"lp_pool{len(kernel)}d")(x, p, kernel, a.get("strides", [1] * len(kernel)))


@peer("BatchNormalization")
def batch_norm(a: Attributes, x: Any, scale: Any, bias: Any, mean: Any, var: Any) -> Any:
    epsilon = a.get("epsilon", 1e-5)
    if not a.get("training_mode"):
        # Spelled out: F.batch_norm gives its statistics no gradient.
        shape = [-1] + [1] * (x.dim() - 2)
        mean, var, scale, bias = (v.reshape(shape) for v in (mean, var, scale, bias))
        return (x - mean) / torch.sqrt(var + epsilon) * scale + bias
    need(not mean.requires_grad, "statistics have no gradient")
    return F.batch_norm(x, None, None, scale, bias, True, eps=epsilon)


@peer("LayerNormalization")
def layer_norm(a: Attributes, x: Any, scale: Any, bias: Any = None) -> Any:
    shape = x.shape[a.get("axis", -1) :]
    need(scale.shape == shape and (bias is None or bias.shape == shape), "parameters of one shape")
    return F.layer_norm(x, shape, scale, bias, a.get("epsilon", 1e-5))


@peer("RMSNormalization")
def rms_norm(a: Attributes, x: Any, scale: Any) -> Any:
    return F.rms_norm(x, x.shape[a.get("axis", -1) :], scale, a.get("epsilon", 1e-5))


@peer("MeanVarianceNormalization")
def mean_variance(a: Attributes, x: Any) -> Any:
    axes = list(a.get("axes", [0, 2, 3]))
    std, mean = torch.std_mean(x, axes, correction=0, keepdim=True)
    return (x - mean) / (std + 1e-9)


@peer("LRN")
def local_response(a: Attributes, x: Any) -> Any:
    return F.local_response_norm(
        x, a["size"], a.get("alpha", 1e-4), a.get("beta", 0.75), a.get("bias", 1.0)
    )


@peer("NegativeLogLikelihoodLoss")
def nll(a: Attributes, x: Any, y: Any, weight: Any = None) -> Any:
    return F.nll_loss(
        x,
        y,
        weight,
        ignore_index=a.get("ignore_index", -100),
        reduction=a.get("reduction", "mean"),
    )


@peer("SoftmaxCrossEntropyLoss")
def cross_entropy(a: Attributes, x: Any, y: Any, weight: Any = None) -> Any:
    loss = nll(a, torch.log_softmax(x, 1), y, weight)
    return loss, torch.log_softmax(x, 1)


_GATES = {"RNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 2, 3, 1]}
"""The order of PyTorch's gates in the order of the standard's."""


def _recurrent(kind: str) -> Any:
    def run(a: Attributes, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None,
            h: Any = None, c: Any = None, p: Any = None) -> Any:  # fmt: skip
        need(lengths is None and p is None, "no sequence lengths or peepholes")
        for name in ("activations", "clip", "input_forget", "layout"):
            need(not a.get(name), f"no attribute {name}")
        need(a.get("direction", "forward") != "reverse", "no direction reverse alone")
        need(kind != "GRU" or a.get("linear_before_reset") == 1, "resets after the product only")
        directions, hidden, batch = w.shape[0], r.shape[2], x.shape[1]
        module = getattr(torch.nn, kind)(
            x.shape[2], hidden, bidirectional=directions == 2, dtype=torch.float64
        )
        b = (
            torch.zeros(directions, 2 * len(_GATES[kind]) * hidden, dtype=torch.float64)
            if b is None
            else b
        )
        half = b.shape[1] // 2
        names = {"weight_ih": w, "weight_hh": r, "bias_ih": b[:, :half], "bias_hh": b[:, half:]}
        weights = {
            f"{name}_l0{'_reverse' if direction else ''}": torch.cat(
                [value[direction].chunk(len(_GATES[kind]))[g] for g in _GATES[kind]]
            )
            for name, value in names.items()
            for direction in range(directions)
        }
        zeros = torch.zeros(directions, batch, hidden, dtype=torch.float64)
        start = zeros if h is None else h
        start = (start, zeros if c is None else c) if kind == "LSTM" else start
        y, last = torch.func.functional_call(module, weights, (x, start))
        y = y.reshape(len(x), batch, directions, hidden).swapaxes(1, 2)
        return (y, *last) if kind == "LSTM" else (y, last)

    return run


PEERS.update({kind: _recurrent(kind) for kind in _GATES})


@peer("DFT")
def dft(a: Attributes, x: Any, length: Any = None, axis: Any = None) -> Any:
    dim = (-2 if axis is None else int(axis)) % x.dim()
    n = None if length is None else int(length)
    if x.shape[-1] == 1:
        x = torch.cat([x, torch.zeros_like(x)], -1)
    signal = torch.view_as_complex(x.contiguous())
    made = (torch.fft.ifft if a.get("inverse") else torch.fft.fft)(signal, n, dim)
    if a.get("onesided"):
        made = made.narrow(dim, 0, made.shape[dim] // 2 + 1)
    return torch.view_as_real(made)


@peer("STFT")
def stft(a: Attributes, x: Any, step: Any, window: Any = None, length: Any = None) -> Any:
    size = len(window) if length is None else int(length)
    window = torch.ones(size, dtype=torch.float64) if window is None else window
    signal = torch.view_as_complex(x.contiguous()) if x.shape[-1] == 2 else x[..., 0]
    made = torch.stft(
        signal,
        size,
        int(step),
        size,
        window,
        center=False,
        onesided=bool(a.get("onesided", 1)),
        return_complex=True,
    )
    return torch.view_as_real(made.swapaxes(1, 2).contiguous())


@peer("Col2Im")
def col2im(a: Attributes, x: Any, image: Any, block: Any) -> Any:
    pads = a.get("pads", [0] * 4)
    need(pads[:2] == pads[2:], "pads the same on both sides")
    return F.fold(x, ints(image), ints(block), a.get("dilations", 1), pads[:2], a.get("strides", 1))


@peer("GridSample")
def grid_sample(a: Attributes, x: Any, grid: Any) -> Any:
    need(x.dim() > 3, "pictures and volumes only")
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(a.get("mode", "linear"), "nearest")
    corners = bool(a.get("align_corners", 0))
    return F.grid_sample(x, grid, mode, a.get("padding_mode", "zeros"), corners)


@peer("Resize")
def resize(a: Attributes, x: Any, roi: Any = None, scales: Any = None, sizes: Any = None) -> Any:
    where, mode = a.get("coordinate_transformation_mode", "half_pixel"), a.get("mode", "nearest")
    need("axes" not in a and not len(roi), "no axes or regions")
    for name in ("exclude_outside", "cubic_coeff_a"):
        need(name not in a, f"no attribute {name}")
    options: dict[str, Any] = {}
    if sizes is not None:
        options["size"] = ints(sizes)[2:]
    else:
        factors = options["scale_factor"] = [float(s) for s in scales[2:]]
        whole = all((n * s).is_integer() for n, s in zip(x.shape[2:], factors, strict=True))
        need(mode != "nearest" or all(s.is_integer() for s in factors), "nearest by whole factors")
        need(where != "align_corners" or whole, "align_corners with sizes that are not whole")
    if mode == "nearest":
        return F.interpolate(x, mode="nearest", **options)
    need(where in ("half_pixel", "align_corners"), f"no coordinates {where}")
    need("antialias" not in a, "another filter with antialias")
    name = {1: "linear", 2: "bilinear", 3: "trilinear"}[x.dim() - 2]
    return F.interpolate(
        x,
        mode="bicubic" if mode == "cubic" else name,
        align_corners=where == "align_corners",
        **options,
    )


@peer("Attention")
def attention(a: Attributes, q: Any, k: Any, v: Any, mask: Any = None, *past: Any) -> Any:
    need(q.dim() == 4 and not past, "four axes, no past")
    need(not a.get("softcap") and not a.get("qk_matmul_output_mode"), "no scores, no softcap")
    need("softmax_precision" not in a, "one precision")
    need(mask is None or not a.get("is_causal"), "a mask or a causal one")
    return F.scaled_dot_product_attention(
        q,
        k,
        v,
        mask,
        is_causal=bool(a.get("is_causal")),
        scale=a.get("scale"),
        enable_gqa=q.shape[1] != k.shape[1],
    )
