"""Layers on images augment in training only, by numbers of each image, and repeatably."""

from __future__ import annotations

import math

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.graph import Emitter
from support.layers.augmenting import augment
from support.layers.emission import runtime

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0, 255, (4, 6, 8, 3)).astype(np.float32)

RANDOM = {
    "flip": lambda **more: layers.RandomFlip(**more),
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
    "mix_up": lambda **more: layers.MixUp(**more),
    "cut_mix": lambda **more: layers.CutMix(**more),
    "rand_augment": lambda **more: layers.RandAugment(num_ops=1, **more),
    "aug_mix": lambda **more: layers.AugMix(num_chains=2, chain_depth=1, all_ops=False, **more),
}
every_random = pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM)


@every_random
def test_inference_leaves_images_as_they_are_and_exports_no_noise(make, tmp_path):
    layer = make()
    if isinstance(layer, layers.RandomCrop):
        pytest.skip("cuts the middle out in inference")
    np.testing.assert_array_equal(layer(IMAGES, training=False), IMAGES)
    model = keras.Sequential([keras.Input(IMAGES.shape[1:]), layer])
    np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), IMAGES)
    op = Emitter()
    layer._emit(op, op.input("x", "float32", ("batch", *IMAGES.shape[1:])), False)
    assert (op.noise, list(op.graph)) == ({}, [])


@every_random
def test_equal_seeds_give_equal_sequences_and_each_call_its_own_numbers(make):
    one, other = make(seed=11), make(seed=11)
    results = [one(IMAGES) for _ in range(3)]
    for result in results:
        np.testing.assert_array_equal(other(IMAGES), result)
    assert any((result != results[0]).any() for result in results[1:])
    assert any((make(seed=seed)(IMAGES) != results[0]).any() for seed in (12, 13, 14))


@every_random
def test_equal_images_of_a_batch_get_numbers_of_their_own(make):
    one, other = make(seed=5), IMAGES[:1]
    if isinstance(one, layers.LabelMixing if hasattr(layers, "LabelMixing") else layers.MixUp):
        pytest.skip("an image mixed with its copy is that image")
    if isinstance(one, layers.CutMix):
        pytest.skip("an image mixed with its copy is that image")
    results = one(np.repeat(other, 12, axis=0))
    assert len({result.tobytes() for result in results}) > 1


@every_random
def test_global_seed_repeats_calls_of_layers_without_a_seed(make):
    results = []
    for _ in range(2):
        keras.set_random_seed(3)
        results.append(make()(IMAGES))
    np.testing.assert_array_equal(results[0], results[1])
