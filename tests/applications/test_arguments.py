"""Wrong arguments are refused in Keras's words."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as sx
from seqonnx import applications
from seqonnx.applications import (
    convnext,
    densenet,
    efficientnet,
    efficientnet_v2,
    imagenet_utils,
    inception_resnet_v2,
    inception_v3,
    mobilenet,
    mobilenet_v2,
    mobilenet_v3,
    nasnet,
    resnet,
    resnet50,
    resnet_v2,
    vgg16,
    vgg19,
    xception,
)

NETWORKS = [
    applications.ConvNeXtTiny,
    applications.DenseNet121,
    applications.EfficientNetB0,
    applications.EfficientNetV2S,
    applications.InceptionResNetV2,
    applications.InceptionV3,
    applications.MobileNet,
    applications.MobileNetV3Large,
    applications.NASNetLarge,
    applications.ResNet152,
    applications.ResNet50V2,
    applications.VGG16,
    applications.VGG19,
    applications.Xception,
    applications.ResNet50,
    applications.MobileNetV2,
]

every_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda f: f.__name__)


@every_network
def test_weights_are_none_imagenet_or_a_path(network, tmp_path):
    with pytest.raises(
        ValueError,
        match=r"The `weights` argument should be either `None` \(random initialization\), "
        r"'imagenet' \(pre-training on ImageNet\), or the path to the weights file to be loaded.",
    ):
        network(weights=str(tmp_path / "absent.h5"))


@every_network
def test_imagenet_has_a_thousand_classes(network):
    with pytest.raises(
        ValueError,
        match=r"If using `weights='imagenet'` with `include_top=True`, `classes` should be 1000.  "
        r"Received classes=10",
    ):
        network(classes=10)


@every_network
def test_images_have_a_least_size(network):
    least = {"Xception": 71, "InceptionV3": 75, "InceptionResNetV2": 75}.get(network.__name__, 32)
    small = (least - 1, 99, 3)
    with pytest.raises(ValueError) as raised:
        network(weights=None, include_top=False, input_shape=small)
    assert str(raised.value) == (
        f"Input size must be at least {least}x{least}; Received: input_shape={small}"
    )


def test_input_of_pretrained_weights_is_fixed():
    with pytest.raises(
        ValueError, match=r"`input_shape` should be \(299, 299, 3\).  Received: inp"
    ):
        applications.Xception(input_shape=(99, 99, 3))
    with pytest.raises(ValueError, match="The input must have 3 channels"):
        applications.VGG16(input_shape=(99, 99, 1), include_top=False)


@pytest.mark.parametrize(
    ("shape", "text"),
    [((99, 99), "must be a tuple of three integers"), ((None, 99, 3), "specify a static `input_")],
)
def test_shape_must_be_whole(shape, text):
    with pytest.raises(ValueError, match=text):
        applications.VGG16(weights=None, input_shape=shape)


def test_unusual_number_of_channels_is_warned_about():
    with pytest.warns(UserWarning, match="expects 1 or 3 input channels.*with 5 input channels"):
        applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 5))


def test_pretrained_weights_go_with_softmax_or_none(tmp_path):
    path = tmp_path / "w.h5"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="Only `None` and `softmax` activations are allowed"):
        applications.MobileNetV2(weights=path, classifier_activation="relu")


def test_input_tensor_must_be_symbolic():
    with pytest.raises(ValueError, match="`input_tensor` must be a symbolic tensor"):
        applications.VGG16(weights=None, input_tensor=np.ones((1, 32, 32, 3)))


def test_published_mobilenets_have_certain_factors():
    with pytest.raises(ValueError, match=r"alpha must be one of .* Received `alpha=0.6`"):
        applications.MobileNetV2(alpha=0.6)


def test_weights_of_a_file_are_loaded(tmp_path):
    first = applications.MobileNetV2((32, 32, 3), 0.35, False, None)
    for name in ("w.npz", "w.weights.h5"):
        if name.endswith("h5"):
            pytest.importorskip("h5py")
        first.save_weights(tmp_path / name)
        sx.clear_session(free_memory=False)
        second = applications.MobileNetV2((32, 32, 3), 0.35, False, tmp_path / name)
        for ours, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


PIXELS = np.array([[[0, 128, 255]]], np.uint8)


@pytest.mark.parametrize(
    "module",
    [xception, mobilenet, mobilenet_v2, inception_v3, inception_resnet_v2, nasnet, resnet_v2],
)
def test_pixels_are_scaled_to_one(module):
    y = module.preprocess_input(PIXELS)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, [[[-1.0, 128 / 127.5 - 1, 1.0]]], atol=1e-6)


@pytest.mark.parametrize("module", [vgg16, vgg19, resnet, resnet50])
def test_pixels_become_blue_green_red_around_the_mean(module):
    expected = [255 - 103.939, 128 - 116.779, -123.68]
    np.testing.assert_allclose(module.preprocess_input(PIXELS), [[expected]], rtol=1e-5)
    batch = np.moveaxis(PIXELS, -1, 0)[None]
    found = module.preprocess_input(batch, data_format="channels_first")
    np.testing.assert_allclose(found[0, :, 0, 0], expected, rtol=1e-5)


def test_images_given_stay_as_they_are():
    for preprocess in (xception.preprocess_input, vgg16.preprocess_input):
        x = np.full((1, 2, 2, 3), 9.0)
        assert preprocess(x).dtype == np.float64
        assert x.min() == x.max() == 9.0


def test_what_is_no_image_is_refused():
    with pytest.raises(ValueError, match=r"images with 3 channels.*Received: shape=\(2, 2\)"):
        vgg16.preprocess_input(np.ones((2, 2)))
    with pytest.raises(ValueError, match="Expected data_format to be one of"):
        xception.preprocess_input(PIXELS, "channels_middle")


# Recorded from Keras 3.15.1: imagenet_utils.preprocess_input of IMAGES in each mode.
IMAGES = np.array(
    [[[0.0, 64, 255], [10, 128, 200]], [[1, 2, 3], [250, 251, 252]]], dtype=np.float32
)
PREPARED = {
    "caffe": [
        [[151.061, -52.779, -123.68], [96.061, 11.221, -113.68]],
        [[-100.939, -114.779, -122.68], [148.061, 134.221, 126.32]],
    ],
    "tf": [
        [[-1.0, -0.498, 1.0], [-0.9216, 0.0039, 0.5686]],
        [[-0.9922, -0.9843, -0.9765], [0.9608, 0.9686, 0.9765]],
    ],
    "torch": [
        [[-2.1179, -0.9153, 2.64], [-1.9467, 0.2052, 1.6814]],
        [[-2.1008, -2.0007, -1.7522], [2.1633, 2.3585, 2.5877]],
    ],
}


@pytest.mark.parametrize("mode", PREPARED)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_images_are_prepared_in_keras_modes_also_inside_of_a_model(mode, data_format):
    first = data_format == "channels_first"
    x = np.moveaxis(IMAGES, -1, 0) if first else IMAGES
    entry = sx.Input(x.shape)
    model = sx.Model(entry, imagenet_utils.preprocess_input(entry, data_format, mode=mode))
    for found in (
        imagenet_utils.preprocess_input(x, data_format, mode=mode),
        imagenet_utils.preprocess_input(x[None], data_format, mode=mode)[0],
        model.predict(x[None], verbose=0)[0],
    ):
        in_order = np.moveaxis(found, 0, -1) if first else found
        np.testing.assert_allclose(in_order, PREPARED[mode], atol=6e-5)


def test_family_prepares_images_in_its_mode():
    np.testing.assert_allclose(densenet.preprocess_input(IMAGES), PREPARED["torch"], atol=6e-5)
    np.testing.assert_allclose(
        imagenet_utils.preprocess_input(IMAGES), PREPARED["caffe"], atol=6e-5
    )
    for module in (convnext, efficientnet, efficientnet_v2, mobilenet_v3):
        assert module.preprocess_input(IMAGES) is IMAGES
    with pytest.raises(ValueError, match=r"`caffe`, `tf` or `torch`\. Received: mode=jax"):
        imagenet_utils.preprocess_input(IMAGES, mode="jax")


@pytest.mark.parametrize(
    ("network", "arguments", "text"),
    [
        ("MobileNet", {"alpha": 0.6}, r"`0.75` or `1.0` only.  Received alpha=0.6"),
        ("MobileNet", {"depth_multiplier": 2}, "depth multiplier must be 1.  Received depth_mul"),
        ("MobileNetV3Small", {"alpha": 0.5}, "`1.0` for minimalistic only. Received: alpha=0.5"),
        ("MobileNetV3Large", {"alpha": 0.75, "minimalistic": True}, "minimalistic=True"),
        (
            "NASNetLarge",
            {"input_shape": (None, 331, 3)},
            r"must be static \(no None entries\). Got",
        ),
    ],
)
def test_there_are_published_weights_for_certain_arguments(network, arguments, text):
    with pytest.raises(ValueError, match=text):
        getattr(applications, network)(**arguments)


@pytest.mark.parametrize("network", ["MobileNetV2", "MobileNetV3Small"])
def test_tensor_and_shape_must_agree(network):
    with pytest.raises(
        ValueError, match=r"input_tensor.shape\[2\] must equal input_shape\[1\]; Rec"
    ):
        getattr(applications, network)(
            weights=None, input_tensor=sx.Input((64, 64, 3)), input_shape=(64, 96, 3)
        )
