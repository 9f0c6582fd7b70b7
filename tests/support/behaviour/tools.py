"""Utilities."""

from __future__ import annotations

import tempfile
import wave
from pathlib import Path
from typing import Any

import numpy as np

from support.behaviour.table import case, draw

BOXES = np.array([[[1.0, 2.0, 5.0, 6.0], [0.0, 0.0, 3.0, 8.0]]], "f4")
OTHERS = np.array([[[2.0, 2.0, 5.0, 7.0], [6.0, 6.0, 8.0, 8.0]]], "f4")


@case("utils.CustomObjectScope", "utils.custom_object_scope")
def scope(kit: Any, name: str) -> Any:
    """A name is known inside, and not outside."""

    def doubled(x):
        return x * 2.0

    find = kit.utils.get_registered_object
    with getattr(kit.utils, name)({"doubled": doubled}):
        inside = find("doubled") is doubled
    return [inside, find("doubled")]


@case("utils.get_custom_objects")
def objects(kit: Any) -> Any:
    """A dict that registers."""
    kit.utils.get_custom_objects()["Answer"] = len
    try:
        return [kit.utils.get_registered_object("Answer") is len]
    finally:
        del kit.utils.get_custom_objects()["Answer"]


@case(
    *("utils.register_keras_serializable", "utils.get_registered_name"),
    "utils.get_registered_object",
)
def registered(kit: Any, name: str) -> Any:
    """A class by the name of its package."""

    class Answer:
        def get_config(self):
            return {}

    made = kit.utils.register_keras_serializable(package="p", name=f"A{name}")(Answer)
    found = kit.utils.get_registered_name(made)
    return [made is Answer, found, kit.utils.get_registered_object(found) is Answer]


@case("utils.serialize_keras_object", "utils.deserialize_keras_object")
def written(kit: Any, name: str) -> Any:
    """A layer, and a list with a slice."""
    entries = [
        kit.utils.serialize_keras_object(thing)
        for thing in (kit.layers.Dense(3, name="d"), [1, slice(0, 2, None)])
    ]
    if name == "serialize_keras_object":
        return [entries[0]["class_name"], entries[0]["module"], entries[1]]
    made = [kit.utils.deserialize_keras_object(entry) for entry in entries]
    return [type(made[0]).__name__, made[0].units, made[1][1] == slice(0, 2, None)]


@case(
    *("utils.disable_interactive_logging", "utils.enable_interactive_logging"),
    "utils.is_interactive_logging_enabled",
)
def logging(kit: Any, name: str) -> Any:
    """Off, and on again."""
    utils = kit.utils
    utils.disable_interactive_logging()
    off = utils.is_interactive_logging_enabled()
    utils.enable_interactive_logging()
    return [off, utils.is_interactive_logging_enabled()]


@case("utils.is_keras_tensor")
def is_keras_tensor(kit: Any) -> Any:
    """A tensor of a model, and an array."""
    return [kit.utils.is_keras_tensor(each) for each in (kit.Input((2,)), np.ones(2))]


@case("utils.set_random_seed")
def seed(kit: Any) -> Any:
    """The same weights again."""
    made = []
    for _ in range(2):
        kit.utils.set_random_seed(3)
        layer = kit.layers.Dense(4)
        layer.build((None, 3))
        made.append(layer.get_weights()[0])
    return [bool(np.array_equal(*made)), float(np.random.rand())]


PICTURE = np.arange(48, dtype="uint8").reshape(4, 4, 3) * 5


@case("utils.array_to_img", "utils.img_to_array", "utils.save_img", "utils.load_img")
def pictures(kit: Any, name: str) -> Any:
    """To a file and back; smaller, and of another mode."""
    utils = kit.utils
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "p.png")
        utils.save_img(path, PICTURE, scale=False)
        read = [
            utils.img_to_array(utils.load_img(path)),
            utils.img_to_array(utils.load_img(path, color_mode="grayscale")),
            utils.img_to_array(utils.load_img(path, target_size=(2, 3))),
        ]
    scaled = utils.array_to_img(draw(2, 2, 3))
    return [*read, list(scaled.size), np.asarray(scaled).tolist()]


def folder_of(kit: Any, folder: str, ending: str) -> Path:
    """Two classes of two files each."""
    for number in range(4):
        path = Path(folder) / "ab"[number % 2] / f"{number}{ending}"
        path.parent.mkdir(exist_ok=True)
        if ending == ".png":
            kit.utils.save_img(str(path), PICTURE + number, scale=False)
        else:
            path.write_text(f"text {number}")
    return Path(folder)


@case("utils.image_dataset_from_directory", "utils.text_dataset_from_directory")
def directories(kit: Any, name: str) -> Any:
    """Batches in order, and names of classes."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = name.startswith("image")
        more = {"image_size": (4, 4)} if pictures else {}
        made = getattr(kit.utils, name)(
            folder_of(kit, folder, ".png" if pictures else ".txt"),
            shuffle=False,
            batch_size=3,
            verbose=False,
            **more,
        )
        batches = [[np.asarray(x).tolist(), np.asarray(y).tolist()] for x, y in made]
    if not pictures:
        batches = [[[_text(each) for each in x], y] for x, y in batches]
    return [made.class_names, batches]


def _text(thing: Any) -> str:
    return thing.decode() if isinstance(thing, bytes) else str(thing)


@case("utils.Sequence", "utils.PyDataset")
def sequences(kit: Any, name: str) -> Any:
    """`fit` goes through one of a user's own."""
    seen: list[int] = []

    class Rows(getattr(kit.utils, name)):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            seen.append(index)
            return draw(4, 3, seed=index), draw(4, 2, seed=index + 5)

        def on_epoch_end(self):
            seen.append(-1)

    layer = kit.layers.Dense(2)
    model = kit.Sequential([kit.Input((3,)), layer])
    layer.set_weights([draw(3, 2), np.zeros(2, "f4")])
    model.compile(kit.optimizers.SGD(0.1), "mse")
    history = model.fit(Rows(), epochs=2, shuffle=False, verbose=0)
    return [history.history["loss"], seen.count(-1) > 0, sorted(set(seen) - {-1})]


@case("utils.bounding_boxes.compute_iou", "utils.bounding_boxes.compute_ciou")
def overlaps(kit: Any, name: str) -> Any:
    """Of two lists of boxes."""
    function = getattr(kit.utils.bounding_boxes, name)
    return function(BOXES[0], OTHERS[0], "xyxy")


@case("utils.bounding_boxes.convert_format")
def formats(kit: Any) -> Any:
    """From corners to every other format."""
    convert = kit.utils.bounding_boxes.convert_format
    formats = ("yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy")
    return [convert(BOXES, "xyxy", each, height=10, width=20) for each in formats]


@case("utils.bounding_boxes.encode_box_to_deltas", "utils.bounding_boxes.decode_deltas_to_boxes")
def deltas(kit: Any, name: str) -> Any:
    """Boxes as differences from anchors, and back."""
    rooms = kit.utils.bounding_boxes
    found = rooms.encode_box_to_deltas(OTHERS[0], BOXES[0], "xyxy", "xyxy")
    if name.startswith("encode"):
        return found
    return rooms.decode_deltas_to_boxes(OTHERS[0], found, "xyxy", "xyxy")


@case(
    "utils.bounding_boxes.clip_to_image_size",
    "utils.bounding_boxes.crop",
    "utils.bounding_boxes.pad",
)
def clipped(kit: Any, name: str) -> Any:
    """Labelled boxes."""
    boxes = {"boxes": BOXES, "labels": np.array([[1.0, 2.0]], "f4")}
    rooms = kit.utils.bounding_boxes
    if name == "clip_to_image_size":
        return rooms.clip_to_image_size(boxes, 5, 4, "xyxy")
    if name == "crop":
        return rooms.crop(BOXES, 1, 1, 4, 4)
    return rooms.pad(BOXES, 1, 2)


@case("utils.bounding_boxes.affine_transform")
def affine(kit: Any) -> Any:
    """Turned, moved and scaled."""
    return kit.utils.bounding_boxes.affine_transform(
        boxes=BOXES,
        angle=np.array([30.0], "f4"),
        translate_x=np.array([1.0], "f4"),
        translate_y=np.array([2.0], "f4"),
        scale=np.array([1.5], "f4"),
        shear_x=np.array([0.0], "f4"),
        shear_y=np.array([0.0], "f4"),
        height=10,
        width=10,
    )


@case("utils.get_file")
def files(kit: Any) -> Any:
    """From the place of origin to the cache, whole."""
    with tempfile.TemporaryDirectory() as folder:
        origin = Path(folder) / "there.txt"
        origin.write_text("content")
        made = Path(kit.utils.get_file("here.txt", origin.as_uri(), cache_dir=folder))
        return [made.name, made.read_text(), made.parent.name]


@case("utils.FeatureSpace")
def feature_space(kit: Any) -> Any:
    """Numbers and words, adapted."""
    if kit.__name__ == "keras":
        import tensorflow

        rows = tensorflow.data.Dataset.from_tensor_slices
    else:
        rows = None
    data = {"number": np.array([0.0, 1.0, 2.0, 3.0], "f4"), "count": np.array([3, 3, 5, 7])}
    cls = kit.utils.FeatureSpace
    space = cls(
        {"number": cls.float_rescaled(2.0, 1.0), "count": "integer_categorical"},
        output_mode="concat",
    )
    space.adapt(data if rows is None else rows(data))
    found = [space({key: column[i : i + 1] for key, column in data.items()}) for i in range(4)]
    return [np.asarray(each).tolist() for each in found]


LEGACY = ("serialize_keras_object", "deserialize_keras_object")


@case(*(f"utils.legacy.{name}" for name in LEGACY))
def legacy(kit: Any, name: str) -> Any:
    """A penalty and a function, to the form of Keras 2 and back."""
    rooms = kit.utils.legacy
    written = rooms.serialize_keras_object(kit.regularizers.L1L2(0.25, 0.5))
    if name.startswith("serialize"):
        return [written, rooms.serialize_keras_object(kit.activations.relu)]
    made = rooms.deserialize_keras_object(written, vars(kit.regularizers))
    return [made.get_config(), rooms.deserialize_keras_object(None)]  # names fail in Keras 3.15.1


@case("utils.audio_dataset_from_directory")
def recordings(kit: Any) -> Any:
    """Samples in order, and names of classes."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(4):
            path = Path(folder) / "ab"[number % 2] / f"{number}.wav"
            path.parent.mkdir(exist_ok=True)
            with wave.open(str(path), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes(np.arange(0, 600 * (number + 1), 100, "int16").tobytes())
        made = kit.utils.audio_dataset_from_directory(
            folder, shuffle=False, batch_size=3, output_sequence_length=8, verbose=False
        )
        batches = [[np.asarray(x).tolist(), np.asarray(y).tolist()] for x, y in made]
    return [made.class_names, batches]
