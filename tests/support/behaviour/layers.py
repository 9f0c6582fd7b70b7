"""Layers: outputs with drawn weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from support.behaviour.table import case, draw, fitted, plain, same

ROW, IMAGE, CUBE = draw(2, 6, 3), draw(2, 6, 5, 3), draw(1, 4, 5, 4, 2)
BY_RANK = {"1D": ROW, "2D": IMAGE, "3D": CUBE}
FLAT = draw(3, 4)


def ranked(*names: str) -> list[str]:
    """Paths of layers for each number of axes."""
    return [f"layers.{name}{rank}" for name in names for rank in BY_RANK]


@case(*ranked("AveragePooling", "MaxPooling", "GlobalAveragePooling", "GlobalMaxPooling"))
def pooling(kit: Any, name: str) -> Any:
    """Defaults and arguments."""
    cls, x = getattr(kit.layers, name), BY_RANK[name[-2:]]
    if name.startswith("Global"):
        return [cls()(x), cls(keepdims=True)(x)]
    return [cls(2)(x), cls(3, strides=2, padding="same")(x)]


for _rank in BY_RANK:
    same(
        **{
            f"AvgPool{_rank}": f"AveragePooling{_rank}",
            f"MaxPool{_rank}": f"MaxPooling{_rank}",
            f"GlobalAvgPool{_rank}": f"GlobalAveragePooling{_rank}",
            f"GlobalMaxPool{_rank}": f"GlobalMaxPooling{_rank}",
            f"Convolution{_rank}": f"Conv{_rank}",
            f"Convolution{_rank}Transpose": f"Conv{_rank}Transpose",
        }
    )("layers")
same(SeparableConvolution1D="SeparableConv1D", SeparableConvolution2D="SeparableConv2D")("layers")


@case(*ranked("Conv"), *(f"layers.Conv{rank}Transpose" for rank in BY_RANK))
def convolution(kit: Any, name: str) -> Any:
    """Defaults and arguments."""
    cls, x = getattr(kit.layers, name), BY_RANK[name[4:6]]
    more = {"strides": 2, "padding": "same", "activation": "tanh", "use_bias": False}
    return [fitted(cls(2, 2), x), fitted(cls(3, 3, **more), x)]


@case(
    *("layers.DepthwiseConv1D", "layers.DepthwiseConv2D"),
    *("layers.SeparableConv1D", "layers.SeparableConv2D"),
)
def depthwise(kit: Any, name: str) -> Any:
    """Defaults and arguments."""
    cls, x = getattr(kit.layers, name), BY_RANK[name[-2:]]
    first = (2,) if name.startswith("Separable") else ()
    more = {"strides": 2, "padding": "same", "depth_multiplier": 2}
    return [fitted(cls(*first, 2), x), fitted(cls(*first, 3, **more), x)]


@case("layers.UpSampling1D", "layers.UpSampling2D", "layers.UpSampling3D")
def up_sampling(kit: Any, name: str) -> Any:
    """Defaults and arguments."""
    cls, x = getattr(kit.layers, name), BY_RANK[name[-2:]]
    more = {"interpolation": "bilinear"} if name == "UpSampling2D" else {}
    return [cls()(x), cls(3, **more)(x)]


@case("layers.ZeroPadding1D", "layers.ZeroPadding2D", "layers.ZeroPadding3D")
def padding(kit: Any, name: str) -> Any:
    """Defaults and arguments."""
    cls, x = getattr(kit.layers, name), BY_RANK[name[-2:]]
    count = int(name[-2])
    sizes = ((2, 0), (0, 1), (1, 1))[:count]
    return [cls()(x), cls(sizes[0] if count == 1 else sizes)(x)]


MERGED = (draw(2, 3), draw(2, 3, seed=1))
PAIRS = {"Average": "average", "Maximum": "maximum", "Minimum": "minimum", "Multiply": "multiply"}


@case(
    *(f"layers.{name}" for name in (*PAIRS, "Subtract")),
    *(f"layers.{name}" for name in (*PAIRS.values(), "subtract", "add", "concatenate")),
)
def merging(kit: Any, name: str) -> Any:
    """Of two arrays, by layer or function."""
    thing = getattr(kit.layers, name)
    return thing()(list(MERGED)) if name[0].isupper() else functional(kit, thing, *MERGED)


def functional(kit: Any, function: Any, *arrays: Any) -> Any:
    """Compute a function of symbolic tensors."""
    inputs = [kit.Input(array.shape[1:]) for array in arrays]
    return kit.Model(inputs, function(inputs))(list(arrays))


@case("layers.Dot")
def dot(kit: Any) -> Any:
    """Of matrices, and of vectors that are normalized."""
    cls = kit.layers.Dot
    pair = [draw(2, 3, 4), draw(2, 4, 5)]
    return [cls((2, 1))(pair), cls(1, normalize=True)(list(MERGED))]


@case("layers.dot")
def dot_function(kit: Any) -> Any:
    """The function."""
    return functional(kit, lambda tensors: kit.layers.dot(tensors, axes=1), *MERGED)


@case("layers.Activation")
def activation(kit: Any) -> Any:
    """By name and by function."""
    return [kit.layers.Activation(each)(FLAT) for each in ("tanh", kit.activations.relu)]


@case("layers.ReLU", "layers.ELU", "layers.LeakyReLU", "layers.Softmax", "layers.PReLU")
def activation_layer(kit: Any, name: str) -> Any:
    """Defaults and arguments."""
    cls = getattr(kit.layers, name)
    more = {
        "ReLU": {"max_value": 1.0, "negative_slope": 0.5, "threshold": 0.25},
        "ELU": {"alpha": 0.5},
        "LeakyReLU": {"negative_slope": 0.5},
        "Softmax": {"axis": 1},
        "PReLU": {"shared_axes": [1]},
    }[name]
    return [fitted(cls(), ROW), fitted(cls(**more), ROW)]


@case("layers.Dropout")
def dropout(kit: Any) -> Any:
    """Nothing in inference; in training each entry is zero or what keeps the mean."""
    layer = kit.layers.Dropout(0.25, seed=3)
    x = np.ones((50, 100), "float32")
    dropped = np.asarray(kit.ops.convert_to_numpy(layer(x, training=True)))
    share = float((dropped == 0).mean())
    values = sorted({round(float(value), 5) for value in dropped.ravel()})
    return [layer(FLAT), {"near": [share], "within": 0.03}, values]


@case("layers.Embedding", "layers.ReversibleEmbedding")
def embedding(kit: Any, name: str) -> Any:
    """Rows of the table; and back."""
    ids = np.array([[1, 2, 0], [4, 3, 3]], "int32")
    layer = getattr(kit.layers, name)(5, 4)
    rows = fitted(layer, ids)
    return [rows] if name == "Embedding" else [rows, layer(draw(2, 3, 4), reverse=True)]


@case("layers.EinsumDense")
def einsum_dense(kit: Any) -> Any:
    """Two equations."""
    cls = kit.layers.EinsumDense
    return [
        fitted(cls("abc,cd->abd", (None, 4), bias_axes="d"), ROW),
        fitted(cls("ab,bcd->acd", (2, 3), activation="relu"), FLAT),
    ]


@case(*(f"layers.{name}" for name in ("Reshape", "Identity", "Rescaling", "Masking", "Flatten")))
def plain_layer(kit: Any, name: str) -> Any:
    """Values."""
    arguments = {"Reshape": ((3, -1),), "Rescaling": (0.5, 1.0), "Masking": (0.0,)}.get(name, ())
    x = ROW.copy()
    x[0, 1] = 0.0
    return [getattr(kit.layers, name)(*arguments)(x)]


@case("layers.Input", "layers.InputLayer")
def entry(kit: Any, name: str) -> Any:
    """Shape and dtype of a tensor."""
    if name == "Input":
        tensor = kit.Input((3, None), batch_size=2, dtype="int32", name="ids")
    else:
        tensor = kit.layers.InputLayer((3, None), batch_size=2, dtype="int32", name="ids").output
    return [list(tensor.shape), tensor.dtype, tensor.name]


@case("layers.InputSpec")
def input_spec(kit: Any) -> Any:
    """Text, configuration and refusals."""
    spec = kit.layers.InputSpec(dtype="float32", shape=(None, 3), axes={-1: 3})

    class Asking(kit.layers.Layer):
        def __init__(self, **arguments):
            super().__init__(name="asking")
            self.input_spec = kit.layers.InputSpec(**arguments)

        def call(self, x):
            return x

    problems = []
    for arguments in ({"ndim": 2}, {"max_ndim": 2}, {"min_ndim": 4}, {"axes": {-1: 4}}):
        try:
            Asking(**arguments)(ROW)
        except ValueError as error:
            problems.append(str(error))
    return [repr(spec), spec.get_config(), problems]


@case("layers.Normalization")
def normalization(kit: Any) -> Any:
    """Adapted and given statistics, and back."""
    layer = kit.layers.Normalization()
    layer.adapt(FLAT)
    return [
        layer(FLAT),
        kit.layers.Normalization(mean=1.0, variance=4.0)(FLAT),
        kit.layers.Normalization(mean=1.0, variance=4.0, invert=True)(FLAT),
    ]


@case("layers.Discretization")
def discretization(kit: Any) -> Any:
    """Boundaries that are given, and outputs."""
    cls, x = kit.layers.Discretization, FLAT
    return [cls([-1.0, 0.0, 1.5])(x), cls([-1.0, 0.0, 1.5], output_mode="one_hot")(x[:, 0])]


@case("layers.CategoryEncoding")
def category_encoding(kit: Any) -> Any:
    """The three outputs."""
    ids = np.array([[0, 3], [1, 1]], "int32")
    cls = kit.layers.CategoryEncoding
    return [
        cls(4)(ids),
        cls(4, output_mode="count")(ids),
        cls(4, output_mode="one_hot")(np.array([2, 0], "int32")),
    ]


@case("layers.Hashing")
def hashing(kit: Any) -> Any:
    """Bins of numbers and strings."""
    cls = kit.layers.Hashing
    words = np.array([["a"], ["bb"], ["ccc"]], dtype=object)
    return [cls(7)(words), cls(7, salt=(3, 5))(words), cls(5)(np.array([[1], [20], [300]]))]


@case("layers.HashedCrossing")
def hashed_crossing(kit: Any) -> Any:
    """Bins of pairs."""
    pair = (np.array([1, 2, 3, 4]), np.array([7, 8, 7, 9]))
    return kit.layers.HashedCrossing(6)(pair)


@case("layers.StringLookup")
def string_lookup(kit: Any) -> Any:
    """Indices, and back."""
    cls = kit.layers.StringLookup
    words = np.array([["a", "b"], ["z", "c"]], dtype=object)
    layer = cls(vocabulary=["a", "b", "c"], num_oov_indices=1)
    back = cls(vocabulary=["a", "b", "c"], invert=True)
    again = plain(back(np.array([[1, 2], [0, 3]])))
    many = cls(vocabulary=["a", "b"], output_mode="multi_hot")(words)
    return [layer(words), layer.get_vocabulary(), again, many]


@case("layers.IntegerLookup")
def integer_lookup(kit: Any) -> Any:
    """Indices, and back."""
    cls = kit.layers.IntegerLookup
    ids = np.array([[10, 20], [99, 30]])
    layer = cls(vocabulary=[10, 20, 30])
    return [
        layer(ids),
        layer.vocabulary_size(),
        cls(vocabulary=[10, 20], output_mode="count")(ids),
        cls(vocabulary=[10, 20], invert=True)(np.array([[1, 2]])),
    ]


@case("layers.TextVectorization")
def text_vectorization(kit: Any) -> Any:
    """Adapted, and with a vocabulary that is given."""
    texts = np.array(["The cat, the dog!", "a cat"], dtype=object)
    layer = kit.layers.TextVectorization(output_sequence_length=5)
    layer.adapt(texts)
    given = kit.layers.TextVectorization(vocabulary=["the", "cat"], output_mode="multi_hot")
    return [layer.get_vocabulary(), layer(texts), given(texts)]


@case("layers.Wrapper")
def wrapper(kit: Any) -> Any:
    """One of a user's own calls the layer inside."""

    class Doubling(kit.layers.Wrapper):
        def call(self, x):
            return 2.0 * self.layer(x)

    inner = kit.layers.Dense(2)
    return [fitted(Doubling(inner), FLAT), len(inner.weights)]


@case("layers.Layer")
def own_layer(kit: Any) -> Any:
    """One of a user's own: weights, mask and loss."""

    class Scale(kit.layers.Layer):
        def build(self, input_shape):
            self.factor = self.add_weight(shape=(input_shape[-1],), name="factor")
            self.count = self.add_weight(shape=(), trainable=False, name="count")

        def call(self, x):
            return x * self.factor + self.count

    layer = Scale()
    y = fitted(layer, FLAT)
    names = [weight.name for weight in layer.weights]
    return [y, names, layer.count_params(), len(layer.trainable_weights)]


@case("layers.Lambda", "layers.Pipeline")
def functions(kit: Any, name: str) -> Any:
    """Functions and layers one after the other."""
    if name == "Lambda":
        return kit.layers.Lambda(lambda x: x * 2.0)(FLAT)
    return kit.layers.Pipeline([kit.layers.Rescaling(0.5), kit.layers.ReLU()])(FLAT)


@case("layers.SpectralNormalization")
def spectral(kit: Any) -> Any:
    """The kernel as it is, outside of training."""
    return fitted(kit.layers.SpectralNormalization(kit.layers.Dense(3)), FLAT)


@case("layers.serialize", "layers.deserialize")
def written(kit: Any, name: str) -> Any:
    """A layer as plain values, and made from them."""
    entry = kit.layers.serialize(kit.layers.Dense(3, activation="relu", name="d"))
    if name == "serialize":
        return [entry["class_name"], entry["config"]["units"], entry["config"]["activation"]]
    layer = kit.layers.deserialize(entry)
    return [type(layer).__name__, layer.name, layer.units]
