"""Pictures, files and arrays, each from the other: as Keras 3.15.1 (torch) makes them."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("PIL", reason="pictures need Pillow")

from PIL import Image

from seqonnx import Input
from seqonnx.preprocessing.image import smart_resize
from seqonnx.utils import array_to_img, img_to_array, load_img, save_img

RNG = np.random.RandomState(0)
PIXELS = RNG.rand(5, 8, 3)
FOUR = RNG.rand(4, 3, 4)
GRAY = PIXELS[..., :1]


def described(image):
    return image.mode, image.size, hashlib.sha1(image.tobytes()).hexdigest()[:10]


@pytest.mark.parametrize(
    ("array", "options", "recorded"),
    [
        (PIXELS, {}, ("RGB", (8, 5), "3ea3a94fb2")),
        (PIXELS * 200, {"scale": False}, ("RGB", (8, 5), "33f32bd1c5")),
        (FOUR, {}, ("RGBA", (3, 4), "220c3f8c4f")),
        (
            PIXELS.transpose(2, 0, 1),
            {"data_format": "channels_first"},
            ("RGB", (8, 5), "3ea3a94fb2"),
        ),
        (GRAY, {}, ("L", (8, 5), "8a3ab6d4cc")),
        (GRAY * 1000, {"scale": False}, ("I", (8, 5), "b33fcd0095")),
        (np.zeros((2, 2, 1)), {}, ("L", (2, 2), "9069ca78e7")),
    ],
    ids=["rgb", "as it is", "rgba", "channels first", "gray", "deep gray", "black"],
)
def test_array_becomes_the_image_that_keras_makes(array, options, recorded):
    assert described(array_to_img(array, **options)) == recorded


def test_image_becomes_the_array_that_keras_makes():
    image = array_to_img(PIXELS)
    array = img_to_array(image)
    assert (array.shape, array.dtype, array.sum()) == ((5, 8, 3), np.float32, 15255.0)
    first = img_to_array(image, "channels_first", "int32")
    assert (first.shape, first.dtype, first[2, 1, 1]) == ((3, 5, 8), np.int32, 106)
    assert img_to_array(array_to_img(GRAY)).shape == (5, 8, 1)
    assert img_to_array(array_to_img(GRAY), data_format="channels_first").shape == (1, 5, 8)


LOADED = [
    ({}, ("RGB", (8, 5), "3ea3a94fb2")),
    ({"color_mode": "grayscale"}, ("L", (8, 5), "6ed901ce86")),
    ({"color_mode": "rgba"}, ("RGBA", (8, 5), "b9cb2dadce")),
    ({"target_size": (3, 4)}, ("RGB", (4, 3), "26748f42ec")),
    ({"target_size": (7, 4), "interpolation": "bilinear"}, ("RGB", (4, 7), "a57f2d82f5")),
    ({"target_size": (3, 9), "interpolation": "box"}, ("RGB", (9, 3), "57ce958c07")),
    ({"target_size": (3, 9), "interpolation": "hamming"}, ("RGB", (9, 3), "e6a4ca81b2")),
    (
        {"target_size": (4, 4), "interpolation": "bicubic", "keep_aspect_ratio": True},
        ("RGB", (4, 4), "4c1c183e40"),
    ),
    (
        {"target_size": (3, 9), "interpolation": "lanczos", "keep_aspect_ratio": True},
        ("RGB", (9, 3), "cf9104b1f6"),
    ),
]


@pytest.mark.parametrize(("options", "recorded"), LOADED)
def test_file_is_read_as_keras_reads_it(options, recorded, tmp_path):
    save_img(tmp_path / "x.png", PIXELS)
    assert described(load_img(tmp_path / "x.png", **options)) == recorded
    content = io.BytesIO((tmp_path / "x.png").read_bytes())
    assert described(load_img(content, **options)) == recorded


def test_gray_picture_keeps_its_16_bits(tmp_path):
    deep = (np.arange(12).reshape(3, 4) * 5000).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    image = load_img(tmp_path / "deep.png", color_mode="grayscale")
    np.testing.assert_array_equal(np.asarray(image), deep)


def test_picture_is_written_in_the_format_of_the_name_or_the_one_given(tmp_path):
    save_img(tmp_path / "x.jpg", PIXELS, quality=30)
    assert (tmp_path / "x.jpg").read_bytes()[6:10] == b"JFIF"
    content = io.BytesIO()
    save_img(content, PIXELS, file_format="bmp")
    assert Image.open(content).format == "BMP"
    with pytest.warns(UserWarning, match="no transparency"):
        save_img(tmp_path / "y.jpg", FOUR)
    with Image.open(tmp_path / "y.jpg") as image:
        assert image.mode == "RGB"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: array_to_img(np.ones((2, 2))), ValueError, r"rank 3.*shape \(2, 2\)"),
        (lambda: array_to_img(np.ones((2, 2, 5))), ValueError, "with 5 channels"),
        (lambda: array_to_img(PIXELS, data_format="first"), ValueError, "`data_format` must be"),
        (lambda: img_to_array(np.ones(3)), ValueError, "height and width"),
        (lambda: load_img(3), TypeError, "`path` must be a path"),
    ],
)
def test_wrong_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_unknown_options_of_reading_are_refused(tmp_path):
    save_img(tmp_path / "x.png", PIXELS)
    with pytest.raises(ValueError, match='`color_mode` must be "grayscale"'):
        load_img(tmp_path / "x.png", color_mode="cmyk")
    with pytest.raises(ValueError, match="`interpolation` must be one of nearest, bilinear"):
        load_img(tmp_path / "x.png", target_size=(2, 2), interpolation="cubic")


def test_without_pillow_the_remedy_is_told():
    program = (
        "import sys\nsys.modules['PIL'] = None\nfrom seqonnx import utils\n"
        "try:\n    utils.load_img('x.png')\nexcept ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 'pip install "seqonnx[images]"' in done.stdout


# smart_resize, recorded from Keras 3.15.1 (torch).

WIDE = np.arange(2 * 3 * 8, dtype=np.float32).reshape(2, 3, 8, 1)


@pytest.mark.parametrize(
    ("size", "interpolation", "recorded"),
    [
        ((2, 2), "bilinear", [[4.25, 5.75], [16.25, 17.75]]),
        ((6, 4), "bilinear", np.add.outer([3, 5, 9, 13, 17, 19], [0, 0.25, 0.75, 1])),
        ((2, 2), "nearest", [[2, 4], [18, 20]]),
    ],
)
def test_smart_resize_cuts_and_resizes_as_keras_does(size, interpolation, recorded):
    result = smart_resize(WIDE, size, interpolation)
    np.testing.assert_allclose(result[0, ..., 0], recorded, rtol=1e-5)
    first = smart_resize(WIDE.transpose(0, 3, 1, 2), size, interpolation, "channels_first")
    np.testing.assert_array_equal(first, result.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(smart_resize(WIDE[1], size, interpolation), result[1])


def test_smart_resize_takes_symbolic_pictures_of_a_known_size():
    assert smart_resize(Input((7, 11, 3)), (3, 3)).shape == (None, 3, 3, 3)
    with pytest.raises(ValueError, match="height and width are known"):
        smart_resize(Input((None, 11, 3)), (3, 3))
    with pytest.raises(ValueError, match="rank 3 or a batch of rank 4"):
        smart_resize(np.ones((3, 3)), (3, 3))
    with pytest.raises(ValueError, match="`size` must be a height and a width"):
        smart_resize(WIDE, (3, 3, 1))
