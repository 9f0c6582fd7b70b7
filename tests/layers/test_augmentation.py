"""Layers on images augment in training only, by numbers of each image, and repeatably."""

from __future__ import annotations

import math

import numpy as np
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.preprocessing.draws import Draws
from support.layers.augmenting import augment
from support.layers.emission import runtime

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0, 255, (4, 6, 8, 3)).astype(np.float32)

RANDOM = {
    "flip": layers.RandomFlip,
    "rotation": lambda **more: layers.RandomRotation(0.4, **more),
    "zoom": lambda **more: layers.RandomZoom(0.4, **more),
    "translation": lambda **more: layers.RandomTranslation(0.4, 0.4, **more),
    "shear": lambda **more: layers.RandomShear(0.4, **more),
    "crop": lambda **more: layers.RandomCrop(3, 4, **more),
    "contrast": lambda **more: layers.RandomContrast(0.4, **more),
    "brightness": lambda **more: layers.RandomBrightness(0.4, **more),
    "hue": lambda **more: layers.RandomHue(0.4, **more),
    "saturation": lambda **more: layers.RandomSaturation((0.3, 0.6), **more),
    "grayscale": lambda **more: layers.RandomGrayscale(0.5, **more),
    "sharpness": lambda **more: layers.RandomSharpness(0.4, **more),
    "erasing": lambda **more: layers.RandomErasing((1.0, 1.0), **more),
    "invert": lambda **more: layers.RandomInvert((0.4, 0.6), **more),
    "perspective": lambda **more: layers.RandomPerspective((1.0, 1.0), **more),
    "blur": lambda **more: layers.RandomGaussianBlur((1.0, 1.0), **more),
    "elastic": lambda **more: layers.RandomElasticTransform((1.0, 1.0), **more),
    "posterization": lambda **more: layers.RandomPosterization((1, 8), **more),
    "degeneration": lambda **more: layers.RandomColorDegeneration(0.9, **more),
    "solarization": lambda **more: layers.Solarization(0.4, 0.4, **more),
    "jitter": lambda **more: layers.RandomColorJitter((0, 255), 0.3, 0.3, **more),
    "mix_up": layers.MixUp,
    "cut_mix": layers.CutMix,
    "rand_augment": lambda **more: layers.RandAugment(num_ops=1, **more),
    "aug_mix": lambda **more: layers.AugMix(num_chains=2, chain_depth=1, all_ops=False, **more),
}
every_random = pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM)


@every_random
def test_inference_leaves_images_as_they_are_and_emits_nothing(make):
    layer = make()
    if isinstance(layer, layers.RandomCrop):
        pytest.skip("cuts the middle out in inference")
    np.testing.assert_array_equal(layer(IMAGES, training=False), IMAGES)
    op = Emitter()
    layer._emit(op, op.input("x", "float32", ("batch", *IMAGES.shape[1:])), False)
    assert (op.noise, list(op.graph)) == ({}, [])


@every_random
def test_equal_seeds_give_equal_sequences_of_calls(make):
    """Also where one is called on dicts, and both on a single image, which is a batch of one."""
    one, other = make(seed=11), make(seed=11)
    results = [one(IMAGES) for _ in range(3)]
    given = {"images": IMAGES, "names": ["a", "b"]}
    again = [other(given) for _ in range(3)]
    assert given["images"] is IMAGES
    for result, same in zip(results, again, strict=True):
        np.testing.assert_array_equal(result, same["images"])
        assert same["names"] == ["a", "b"]
    assert any((result != results[0]).any() for result in results[1:])
    np.testing.assert_array_equal(one(IMAGES[0]), other(IMAGES[:1])[0])


@every_random
def test_equal_images_of_a_batch_get_numbers_of_their_own(make):
    layer = make(seed=5)
    if isinstance(layer, layers.MixUp | layers.CutMix):
        pytest.skip("an image mixed with its copy is that image")
    results = layer(np.repeat(IMAGES[:1], 12, axis=0))
    assert len({result.tobytes() for result in results}) > 1


some_random = pytest.mark.parametrize("name", ["flip", "rotation", "crop", "brightness", "hue"])


@some_random
def test_other_seeds_give_other_numbers_and_the_global_one_repeats_them(name):
    make = RANDOM[name]
    results = [make(seed=seed)(IMAGES) for seed in (1, 2, 3)]
    assert any((result != results[0]).any() for result in results[1:])
    for seed in (7, 7):
        keras.set_random_seed(seed)
        results.append(make()(IMAGES))
    np.testing.assert_array_equal(results[3], results[4])


@some_random
def test_integers_are_taken_and_give_numbers_with_fractions(name):
    pixels = IMAGES.round().astype(np.uint8)
    one, other = RANDOM[name](seed=9), RANDOM[name](seed=9)
    result = one(pixels)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, other(pixels.astype(np.float32)))


def trained(rate, *, epochs):
    """Losses of a model with an augmentation, and the weight of its Dense."""
    keras.set_random_seed(1)
    x = np.random.default_rng(1).uniform(0, 1, (32, 4, 4, 3)).astype(np.float32)
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(0.05),
            layers.RandomBrightness(0.2, (-1, 2)),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(rate), "mse")
    y = x.mean(axis=(1, 2, 3))
    losses = model.fit(x, y, epochs=epochs, batch_size=32, verbose=0).history["loss"]
    return losses, model.get_weights()[0]


def test_training_draws_anew_at_each_step():
    losses, _ = trained(0.0, epochs=4)
    assert len(set(losses)) == 4


def test_equal_seeds_train_equally_and_the_loss_falls():
    (losses, weights), (again, same) = trained(0.02, epochs=30), trained(0.02, epochs=30)
    assert losses == again
    np.testing.assert_array_equal(weights, same)
    assert losses[-1] < 0.5 * losses[0]


def test_gradient_passes_through_an_augmentation_behind_a_trainable_layer():
    keras.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(3, 3, padding="same"),
            layers.RandomRotation(0.2, "constant"),
            layers.RandomBrightness(0.1, (-10, 10)),
            layers.RandomCrop(4, 4),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    x = np.random.default_rng(3).uniform(0, 1, (8, 6, 6, 3))
    model.fit(x, np.ones((8, 1)), verbose=0)
    assert (model.get_weights()[0] != before).any()


def test_exported_file_resizes_and_has_no_augmentation(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((6, 8, 3), dtype="uint8"),
            layers.Resizing(4, 4),
            layers.Rescaling(1 / 255),
            layers.RandomFlip(),
            layers.RandAugment((0, 1)),
        ]
    )
    model.export(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert len(session.get_inputs()) == 1
    pixels = IMAGES.round().astype(np.uint8)
    (made,) = session.run(None, {session.get_inputs()[0].name: pixels})
    np.testing.assert_allclose(made, layers.Resizing(4, 4)(pixels) / np.float32(255), rtol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        layers.AutoContrast,
        lambda: layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 3)),
        lambda: layers.CenterCrop(3, 5),
        lambda: layers.RandomCrop(4, 4),
        lambda: layers.Resizing(9, 9, "bicubic", pad_to_aspect_ratio=True),
        lambda: layers.Resizing(4, 4, "nearest", data_format="channels_first"),
    ],
    ids=["auto_contrast", "clahe", "center_crop", "random_crop", "bicubic", "nearest"],
)
def test_what_works_in_inference_stands_in_the_file(make, tmp_path):
    layer = make()
    model = keras.Sequential([keras.Input(IMAGES.shape[1:]), layer])
    model.export(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (made,) = session.run(None, {session.get_inputs()[0].name: IMAGES})
    np.testing.assert_allclose(made, layer(IMAGES, training=False), rtol=1e-5, atol=1e-3)


def test_models_and_layers_of_ones_own_augment_in_training_only():
    class Bright(layers.Layer):
        def __init__(self):
            super().__init__()
            self.flip = layers.RandomFlip("horizontal")
            self.brightness = layers.RandomBrightness(0.5)

        def call(self, x, training=None):
            return self.brightness(self.flip(x), training=training)

    model = keras.Sequential([keras.Input(IMAGES.shape[1:]), layers.RandomRotation(0.3)])
    for called in (Bright(), model):
        np.testing.assert_array_equal(called(IMAGES, training=False), IMAGES)
        assert np.abs(called(IMAGES, training=True) - IMAGES).max() > 1


def test_dict_of_symbolic_tensors_gives_a_dict():
    labels = keras.Input((5,))
    result = layers.RandomFlip()({"images": keras.Input((4, 4, 3)), "labels": labels})
    assert (result["images"].shape, result["labels"]) == ((None, 4, 4, 3), labels)


def test_pipeline_hands_images_and_labels_on():
    pipeline = layers.Pipeline([layers.RandomFlip(seed=1), layers.MixUp(seed=2)])
    data = {"images": IMAGES, "labels": np.eye(4)}
    expected = layers.MixUp(seed=2)(layers.RandomFlip(seed=1)(data))
    result = pipeline(data)
    for key in data:
        np.testing.assert_array_equal(result[key], expected[key])
    np.testing.assert_array_equal(pipeline(data, training=False)["images"], IMAGES)


def test_pipeline_in_a_model_augments_in_training_only():
    keras.set_random_seed(0)
    pipeline = layers.Pipeline([layers.RandomBrightness(0.5), layers.Rescaling(1 / 255)])
    model = keras.Sequential([keras.Input((6, 8, 3)), pipeline, layers.Flatten(), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    y = np.zeros((4, 1))
    losses = model.fit(IMAGES, y, epochs=3, verbose=0).history["loss"]
    assert len(set(losses)) == 3
    inner = keras.Model(model.inputs, pipeline.output)
    np.testing.assert_allclose(inner.predict(IMAGES, verbose=0), IMAGES / 255, rtol=1e-6)


class TestMixing:
    LABELS = np.eye(4, 5, dtype=np.float32)

    @pytest.mark.parametrize("cls", [layers.MixUp, layers.CutMix])
    def test_labels_are_mixed_as_the_images_are(self, cls):
        """Images of one value each, so that their means tell the shares."""
        images = np.broadcast_to(np.arange(4.0)[:, None, None, None] ** 2, (4, 40, 40, 1))
        result = cls(seed=3)({"images": images, "labels": self.LABELS})
        shares = result["labels"][:, :4]
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-6)
        assert np.count_nonzero(shares) > 4
        means = result["images"].mean(axis=(1, 2, 3))
        atol = 0.5 if cls is layers.CutMix else 1e-5  # a rectangle has whole pixels
        np.testing.assert_allclose(shares @ np.arange(4.0) ** 2, means, atol=atol)

    @pytest.mark.parametrize("cls", [layers.MixUp, layers.CutMix])
    def test_inference_returns_both_as_they_are(self, cls):
        result = cls()({"images": IMAGES, "labels": self.LABELS}, training=False)
        np.testing.assert_array_equal(result["images"], IMAGES)
        np.testing.assert_array_equal(result["labels"], self.LABELS)

    def test_labels_that_are_not_one_row_for_each_image_are_refused(self):
        with pytest.raises(ValueError, match=r"labels of shape \(batch, classes\).*\(4,\)"):
            layers.MixUp()({"images": IMAGES, "labels": np.arange(4)})

    def test_labels_in_a_graph_are_refused(self):
        inputs = {"images": keras.Input((4, 4, 3)), "labels": keras.Input((5,))}
        with pytest.raises(ValueError, match="mixes labels of arrays only"):
            layers.MixUp()(inputs)


class TestDistributions:
    """Moments of the numbers drawn, against those of the distributions."""

    COUNT = 20000

    def drawn(self, draw):
        op = Emitter()
        x = op.input("x", "float32", (self.COUNT, 1, 1, 1))
        op.output(draw(Draws(op, x)), "y")
        rng = np.random.default_rng(4)
        feeds = {name: rng.random(static_shape(v), np.float32) for name, v in op.noise.items()}
        return runtime(op, feeds | {"x": np.zeros((self.COUNT, 1, 1, 1), np.float32)})[0]

    @pytest.mark.parametrize("shape", [0.2, 0.5, 1.0, 3.0])
    def test_symmetric_beta(self, shape):
        numbers = self.drawn(lambda draws: draws.symmetric_beta(shape))
        assert (numbers.min() >= 0, numbers.max() <= 1) == (True, True)
        variance = 1 / (4 * (2 * shape + 1))
        assert numbers.mean() == pytest.approx(0.5, abs=5 * math.sqrt(variance / self.COUNT))
        assert numbers.var() == pytest.approx(variance, rel=0.04)

    @pytest.mark.parametrize("shape", [0.4, 1.0, 2.5])
    def test_gamma(self, shape):
        numbers = self.drawn(lambda draws: draws.gamma(shape, (1,)))
        assert numbers.min() >= 0
        assert numbers.mean() == pytest.approx(shape, abs=5 * math.sqrt(shape / self.COUNT))
        assert numbers.var() == pytest.approx(shape, rel=0.08)

    def test_normal(self):
        numbers = self.drawn(lambda draws: draws.normal((1,)))
        assert numbers.mean() == pytest.approx(0, abs=0.04)
        assert numbers.var() == pytest.approx(1, rel=0.05)

    def test_order_is_a_permutation(self):
        assert sorted(self.drawn(lambda draws: draws.order()).tolist()) == list(range(self.COUNT))


def test_random_crop_cuts_each_image_where_its_numbers_say():
    images = np.arange(2 * 5 * 6, dtype=np.float32).reshape(2, 5, 6, 1)
    result = augment(layers.RandomCrop(2, 3), images, [[0.0, 0.99], [0.5, 0.0]])
    np.testing.assert_array_equal(result[0], images[0, 0:2, 2:5])
    np.testing.assert_array_equal(result[1], images[1, 3:5, 0:3])


def test_random_crop_keeps_the_middle_in_inference():
    images = IMAGES[:, :, :6]
    made = layers.RandomCrop(3, 6)(images, training=False)
    expected = layers.Resizing(3, 6, crop_to_aspect_ratio=True)(images)
    np.testing.assert_array_equal(made, expected)


def test_rand_augment_gives_each_image_one_of_its_transformations():
    """The eleventh, an equalization, and the ninth, a solarization, chosen by two images."""
    layer = layers.RandAugment(num_ops=1, factor=(1.0, 1.0))
    op = Emitter()
    layer._emit(op, op.input("x", "float32", ("batch", 6, 8, 3)), True)
    draws = [np.full(2, 0.0, np.float32)] * len(op.noise)
    draws[0] = np.array([10.5, 8.5], np.float32) / 11
    result = augment(layer, IMAGES[:2], draws)
    np.testing.assert_allclose(result[0], layers.Equalization()(IMAGES[:2])[0], atol=1e-3)
    # With u = 0: 1 is added, and the threshold is 1.
    np.testing.assert_allclose(result[1], 255 - np.clip(IMAGES[1] + 1, 0, 255), atol=1e-3)


def test_aug_mix_blends_chains_and_the_image():
    """Chains of the choice beyond the layers leave the image as it is, and so does the blend."""
    layer = layers.AugMix(num_chains=2, chain_depth=1, all_ops=False)
    op = Emitter()
    layer._emit(op, op.input("x", "float32", ("batch", 6, 8, 3)), True)
    rng = np.random.default_rng(5)
    draws = [
        rng.random([4 if isinstance(d, str) else d for d in static_shape(value)], np.float32)
        for value in op.noise.values()
    ]
    choice = 1 + 2  # after the shares of the chains, and of the image
    draws[choice] = np.full_like(draws[choice], 0.999)
    np.testing.assert_allclose(augment(layer, IMAGES, draws), IMAGES, atol=1e-3)
    draws[choice] = np.full_like(draws[choice], 0.0)
    assert np.abs(augment(layer, IMAGES, draws) - IMAGES).max() > 1
