"""Wrong arguments are refused in Keras's words."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as sx
from seqonnx import applications
from seqonnx.applications import mobilenet_v2, resnet50, vgg16, vgg19, xception

NETWORKS = [
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
    least = 71 if network is applications.Xception else 32
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
        sx.clear_session()
        second = applications.MobileNetV2((32, 32, 3), 0.35, False, tmp_path / name)
        for ours, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


PIXELS = np.array([[[0, 128, 255]]], np.uint8)


@pytest.mark.parametrize("module", [xception, mobilenet_v2])
def test_pixels_are_scaled_to_one(module):
    y = module.preprocess_input(PIXELS)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, [[[-1.0, 128 / 127.5 - 1, 1.0]]], atol=1e-6)


@pytest.mark.parametrize("module", [vgg16, vgg19, resnet50])
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
    with pytest.raises(ValueError, match="works on arrays of images"):
        xception.preprocess_input(sx.Input((8, 8, 3)))
