"""Data sets of the files in a directory: which files, in which order, with which labels."""

from __future__ import annotations

import os
import wave

import numpy as np
import pytest

import seqonnx
from seqonnx.utils import (
    audio_dataset_from_directory,
    image_dataset_from_directory,
    save_img,
    text_dataset_from_directory,
)


@pytest.fixture
def texts(tmp_path):
    """Files of two classes, in folders of folders, and some that are not meant."""
    for name, count in (("b", 4), ("a", 3), (".hidden", 1)):
        for i in range(count):
            folder = tmp_path / name / ("deep" if i == 2 else "")
            folder.mkdir(parents=True, exist_ok=True)
            ending = "TXT" if i == 1 else "txt"
            (folder / f"{name}{i}.{ending}").write_text(f"content of {name}{i}", "utf-8")
    (tmp_path / "b" / "other.md").write_text("not a text", "utf-8")
    return tmp_path


SORTED = "a/a0.txt a/a1.TXT a/deep/a2.txt b/b0.txt b/b1.TXT b/b3.txt b/deep/b2.txt"
SHUFFLED = "a/deep/a2.txt b/b3.txt a/a0.txt b/deep/b2.txt b/b0.txt a/a1.TXT b/b1.TXT"
EVERYWHERE = (
    "a/a1.TXT b/b1.TXT .hidden/.hidden0.txt b/b3.txt a/deep/a2.txt a/a0.txt b/b0.txt b/deep/b2.txt"
)
"""Orders that Keras 3.15.1 makes with the seed 7."""


def relative(dataset, directory):
    return " ".join(os.path.relpath(path, directory) for path in dataset.file_paths)


@pytest.mark.parametrize(
    ("options", "order", "classes"),
    [
        ({"shuffle": False}, SORTED, ["a", "b"]),
        ({}, SHUFFLED, ["a", "b"]),
        ({"labels": list(range(8))}, EVERYWHERE, [str(n) for n in range(8)]),
        ({"class_names": ["b"]}, "b/b3.txt b/b1.TXT b/b0.txt b/deep/b2.txt", ["b"]),
        (
            {"validation_split": 0.3, "subset": "training"},
            "a/deep/a2.txt b/b3.txt a/a0.txt b/deep/b2.txt b/b0.txt",
            ["a", "b"],
        ),
        (
            {"validation_split": 0.3, "subset": "validation"},
            "a/a1.TXT b/b1.TXT",
            ["a", "b"],
        ),
    ],
)
def test_files_come_in_the_order_of_keras(texts, options, order, classes):
    dataset = text_dataset_from_directory(texts, seed=7, **options)
    assert relative(dataset, texts) == order
    assert dataset.class_names == classes


def pairs(dataset):
    """The name in each text, and its label."""
    return [
        (str(text).removeprefix("content of "), label)
        for batch, labels in dataset
        for text, label in zip(batch, labels.tolist(), strict=True)
    ]


def test_each_file_keeps_its_label(texts):
    dataset = text_dataset_from_directory(texts, seed=7, batch_size=3)
    assert [len(labels) for _, labels in dataset] == [3, 3, 1]
    assert len(dataset) == 3
    seen = pairs(dataset)
    assert {(name, int(name[0] == "b")) for name, _ in seen} == set(seen)
    assert len(seen) == 7
    # Labels of one's own go with the files in the order of their paths (`EVERYWHERE`).
    own = text_dataset_from_directory(texts, labels=[2, 5, 0, 6, 3, 1, 4, 7], shuffle=False)
    assert dict(pairs(own))[".hidden0"] == 2
    swapped = text_dataset_from_directory(texts, class_names=["b", "a"])
    assert {(name, int(name[0] == "a")) for name, _ in seen} == set(pairs(swapped))


def test_labels_are_encoded_as_the_losses_want_them(texts):
    sparse = next(iter(text_dataset_from_directory(texts, shuffle=False)))[1]
    assert (sparse.dtype, sparse.tolist()) == (np.int32, [0, 0, 0, 1, 1, 1, 1])
    binary = next(iter(text_dataset_from_directory(texts, label_mode="binary", shuffle=False)))[1]
    assert (binary.dtype, binary.tolist()) == (np.float32, [[0], [0], [0], [1], [1], [1], [1]])
    rows = next(iter(text_dataset_from_directory(texts, label_mode="categorical", shuffle=False)))
    assert rows[1].dtype == np.float32
    assert rows[1].tolist() == [[1, 0]] * 3 + [[0, 1]] * 4
    for options in ({"label_mode": None}, {"labels": None}):
        (batch,) = text_dataset_from_directory(texts, **options)
        assert batch.shape == (8,)


def test_shuffled_files_come_anew_in_each_pass_and_the_same_with_the_same_seed(texts):
    def names(dataset):
        return [name for name, _ in pairs(dataset)]

    first, second = (text_dataset_from_directory(texts, seed=3) for _ in range(2))
    orders = [names(first), names(first)]
    assert orders[0] != orders[1]
    assert [names(second), names(second)] == orders
    steady = text_dataset_from_directory(texts, seed=3, format="grain")
    assert names(steady) == names(steady)
    orders = []
    for _ in range(2):
        seqonnx.config.set_random_seed(5)
        orders.append(names(text_dataset_from_directory(texts)))
    assert orders[0] == orders[1]


def test_both_gives_two_data_sets_and_only_the_first_is_shuffled(texts):
    train, validation = text_dataset_from_directory(
        texts, validation_split=0.5, subset="both", seed=7
    )
    assert len(train.file_paths) == 4
    assert len(validation.file_paths) == 3
    assert not set(train.file_paths) & set(validation.file_paths)
    names = [os.path.basename(path).split(".")[0] for path in validation.file_paths]
    assert [name for name, _ in pairs(validation)] == names


def test_texts_are_cut_and_not_batched_on_request(texts):
    (texts / "a" / "a0.txt").write_bytes("größer\r\n".encode())
    single = text_dataset_from_directory(texts, batch_size=None, max_length=3, shuffle=False)
    elements = list(single)
    assert len(elements) == 7
    assert (str(elements[0][0]), int(elements[0][1])) == ("grö", 0)
    whole = text_dataset_from_directory(texts, batch_size=None, shuffle=False)
    assert str(next(iter(whole))[0]) == "größer\r\n"


def test_links_to_folders_are_followed_on_request(texts, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "a9.txt").write_text("x", "utf-8")
    (texts / "a" / "link").symlink_to(outside)
    assert len(text_dataset_from_directory(texts).file_paths) == 7
    assert len(text_dataset_from_directory(texts, follow_links=True).file_paths) == 8


def test_numbers_of_files_are_told_unless_that_is_switched_off(texts, capsys):
    text_dataset_from_directory(texts, labels=None)
    text_dataset_from_directory(texts, validation_split=0.3, subset="both", seed=1)
    assert capsys.readouterr().out.splitlines() == [
        "Found 8 files.",
        "Found 7 files belonging to 2 classes.",
        "Using 5 files for training.",
        "Using 2 files for validation.",
    ]
    text_dataset_from_directory(texts, verbose=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "a"}, '`labels` must be "inferred"'),
        ({"labels": [1, 2]}, "one label for each of the 8 text files.*2 labels"),
        ({"labels": [1, 2], "class_names": ["a"]}, "`class_names` names subdirectories"),
        ({"label_mode": None, "class_names": ["a"]}, "`class_names` names subdirectories"),
        ({"class_names": ["a", "c"]}, r"\['a', 'b'\], or some of them.*\['a', 'c'\]"),
        ({"label_mode": "sparse"}, '`label_mode` must be "int"'),
        ({"label_mode": "binary", "class_names": ["a"]}, "needs exactly 2 classes.*: 1 in"),
        ({"validation_split": 1.5, "subset": "both"}, "must lie between 0 and 1"),
        ({"validation_split": 0.5}, "`validation_split` and `subset` go together"),
        ({"subset": "training"}, "`validation_split` and `subset` go together"),
        ({"subset": "test"}, '`subset` must be "training"'),
        ({"validation_split": 0.5, "subset": "both", "seed": None}, "needs a `seed`"),
        ({"validation_split": 0.01, "subset": "validation"}, "no validation text files"),
        ({"format": "torch"}, '`format` must be "tf" or "grain"'),
        ({"max_length": 0}, "`max_length` must be positive"),
    ],
)
def test_wrong_arguments_are_refused(texts, options, message):
    with pytest.raises(ValueError, match=message):
        text_dataset_from_directory(texts, **{"seed": 1, **options})


def test_directory_without_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no text files in .*end in \.txt"):
        text_dataset_from_directory(tmp_path)


# Pictures.


@pytest.fixture
def pictures(tmp_path):
    pytest.importorskip("PIL", reason="pictures need Pillow")
    for index, name in enumerate(["cat", "dog"]):
        (tmp_path / name).mkdir()
        for i in range(3):
            pixels = np.full((6, 4 + 8 * index, 3), [40 * i, 100 * index, 255])
            save_img(tmp_path / name / f"{i}.png", pixels, scale=False)
    return tmp_path


def test_pictures_are_float_batches_of_one_size(pictures):
    dataset = image_dataset_from_directory(pictures, image_size=(5, 3), shuffle=False, batch_size=4)
    (first, labels), (rest, _) = dataset
    assert (first.shape, first.dtype, rest.shape) == ((4, 5, 3, 3), np.float32, (2, 5, 3, 3))
    assert labels.tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(rest[0, 2, 1], [40, 100, 255], rtol=1e-6)
    assert dataset.class_names == ["cat", "dog"]


@pytest.mark.parametrize(("mode", "channels"), [("grayscale", 1), ("rgb", 3), ("rgba", 4)])
def test_pictures_have_the_channels_of_the_mode(pictures, mode, channels):
    dataset = image_dataset_from_directory(pictures, color_mode=mode, image_size=8, batch_size=None)
    assert next(iter(dataset))[0].shape == (8, 8, channels)
    first = image_dataset_from_directory(
        pictures, color_mode=mode, image_size=(8, 9), data_format="channels_first"
    )
    assert next(iter(first))[0].shape == (6, channels, 8, 9)


def test_pictures_are_cut_or_padded_to_keep_their_ratio(tmp_path):
    pytest.importorskip("PIL", reason="pictures need Pillow")
    ramp = np.repeat(np.arange(8)[None, :, None] * 10.0, 4, axis=0)
    save_img(tmp_path / "ramp.png", ramp, scale=False)
    options = {"labels": None, "color_mode": "grayscale", "image_size": (4, 4)}

    def picture(**more):
        (batch,) = image_dataset_from_directory(tmp_path, **options, **more)
        return batch[0, :, :, 0]

    np.testing.assert_allclose(picture()[0], [5, 25, 45, 65])
    np.testing.assert_allclose(picture(crop_to_aspect_ratio=True)[0], [20, 30, 40, 50])
    padded = picture(pad_to_aspect_ratio=True)
    np.testing.assert_allclose(padded, [[0] * 4, [5, 25, 45, 65], [5, 25, 45, 65], [0] * 4])
    np.testing.assert_allclose(picture(interpolation="nearest")[0], [10, 30, 50, 70])
    np.testing.assert_allclose(picture(interpolation="area")[0], [5, 25, 45, 65])
    with pytest.raises(ValueError, match="Only one of"):
        picture(crop_to_aspect_ratio=True, pad_to_aspect_ratio=True)


def test_broken_picture_is_named(pictures):
    (pictures / "cat" / "9.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"9\.jpg cannot be read as a picture"):
        list(image_dataset_from_directory(pictures))


def test_deep_gray_pictures_are_scaled_to_8_bits(tmp_path):
    pil = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    pil.fromarray(np.full((2, 2), 0x8040, np.uint16)).save(tmp_path / "deep.png")
    for mode in ("grayscale", "rgb"):
        (batch,) = image_dataset_from_directory(
            tmp_path, labels=None, color_mode=mode, image_size=(2, 2)
        )
        assert set(batch.ravel()) == {0x80}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"color_mode": "cmyk"}, '`color_mode` must be "rgb"'),
        ({"image_size": (3,)}, "`image_size` must be a height and a width"),
        ({"interpolation": "cubic"}, "`interpolation` must be one of bilinear, nearest"),
        ({"data_format": "last"}, "`data_format` must be"),
    ],
)
def test_wrong_options_of_pictures_are_refused(pictures, options, message):
    with pytest.raises(ValueError, match=message):
        image_dataset_from_directory(pictures, **options)


def test_model_trains_on_pictures_of_a_directory(pictures):
    data = image_dataset_from_directory(pictures, image_size=(4, 4), batch_size=2, seed=1)
    layers = seqonnx.layers
    model = seqonnx.Sequential(
        [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(data, validation_data=data, epochs=2, verbose=0).history
    assert len(history["val_accuracy"]) == 2
    assert model.predict(data, verbose=0).shape == (6, 2)


# Recordings.


def write_wav(path, samples, rate=8000, width=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        data = samples.astype("<i4")
        if width == 1:
            file.writeframes((data + 128).astype(np.uint8).tobytes())
        else:
            size = samples.shape
            file.writeframes(data.view(np.uint8).reshape(*size, 4)[..., :width].tobytes())


@pytest.fixture
def recordings(tmp_path):
    for index, name in enumerate(["no", "yes"]):
        (tmp_path / name).mkdir()
        for i in range(2):
            write_wav(tmp_path / name / f"{i}.wav", np.full((3 + i + 2 * index, 1), 8192 * (i + 1)))
    return tmp_path


def test_recordings_are_filled_up_to_the_longest_of_their_batch(recordings):
    dataset = audio_dataset_from_directory(recordings, shuffle=False, batch_size=2)
    (first, labels), (second, _) = dataset
    assert (first.dtype, labels.tolist(), len(dataset)) == (np.float32, [0, 0], 2)
    assert first[..., 0].tolist() == [[0.25, 0.25, 0.25, 0], [0.5, 0.5, 0.5, 0.5]]
    assert second.shape == (2, 6, 1)


def test_recordings_are_cut_or_kept_on_request(recordings):
    cut = audio_dataset_from_directory(
        recordings, shuffle=False, output_sequence_length=4, labels=None
    )
    (batch,) = cut
    assert batch.shape == (4, 4, 1)
    assert batch[0, :, 0].tolist() == [0.25, 0.25, 0.25, 0]
    ragged = audio_dataset_from_directory(recordings, shuffle=False, ragged=True)
    ((batch, labels),) = ragged
    assert [each.shape for each in batch] == [(3, 1), (4, 1), (5, 1), (6, 1)]
    assert labels.tolist() == [0, 0, 1, 1]
    single = audio_dataset_from_directory(recordings, shuffle=False, batch_size=None)
    assert [each.shape[0] for each, _ in single] == [3, 4, 5, 6]


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_recordings_of_every_width_lie_between_minus_one_and_one(tmp_path, width):
    top = 1 << (8 * width - 1)
    samples = np.array([[-top, top // 2], [top - 1, 0], [0, -(top // 4)]])
    write_wav(tmp_path / "x.wav", samples, width=width)
    (batch,) = audio_dataset_from_directory(tmp_path, labels=None)
    np.testing.assert_allclose(batch[0], samples / top, atol=1e-7)


@pytest.mark.parametrize(("rate", "new_rate"), [(8000, 16000), (16000, 8000), (8000, 11025)])
def test_recordings_are_converted_to_a_rate(tmp_path, rate, new_rate):
    def tone(rate):
        return np.sin(2 * np.pi * 440 * np.arange(rate // 4) / rate)[:, None]

    write_wav(tmp_path / "x.wav", np.round(tone(rate) * 30000), rate)
    (batch,) = audio_dataset_from_directory(tmp_path, labels=None, sampling_rate=new_rate)
    result = batch[0]
    expected = tone(new_rate) * 30000 / 32768
    assert abs(len(result) - new_rate // 4) <= 1
    middle = slice(100, len(expected) - 100)
    np.testing.assert_allclose(result[middle], expected[middle], atol=2e-4)


def test_tones_above_the_new_rate_are_gone(tmp_path):
    tone = np.sin(2 * np.pi * 6000 * np.arange(4000) / 16000)[:, None]
    write_wav(tmp_path / "x.wav", np.round(tone * 30000), 16000)
    (batch,) = audio_dataset_from_directory(tmp_path, labels=None, sampling_rate=8000)
    assert np.abs(batch[0, 100:-100]).max() < 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ragged": True, "output_sequence_length": 3}, "only one can be given"),
        ({"sampling_rate": 0}, "`sampling_rate` must be a positive integer"),
        ({"sampling_rate": 8000.0}, "`sampling_rate` must be a positive integer"),
        ({"output_sequence_length": -1}, "`output_sequence_length` must be a positive"),
    ],
)
def test_wrong_options_of_recordings_are_refused(recordings, options, message):
    with pytest.raises(ValueError, match=message):
        audio_dataset_from_directory(recordings, **options)


def test_broken_recording_is_named(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"x\.wav is not a WAV file of integers"):
        list(audio_dataset_from_directory(tmp_path, labels=None))
