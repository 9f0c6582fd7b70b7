"""The code blocks of the Sequential guide, in order and as written.

Changed are the import lines, `tf.ones` (NumPy here), and what the guide leaves out as `...`: the
file, the compile arguments and the data, which stand in capitals.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import seqonnx

BLOCKS = {
    "setup": """
import numpy as np
import seqonnx as keras
from seqonnx import layers
""",
    "define_a_sequential_model_with_3_layers": """
# Define Sequential model with 3 layers
model = keras.Sequential(
    [
        layers.Dense(2, activation="relu", name="layer1"),
        layers.Dense(3, activation="relu", name="layer2"),
        layers.Dense(4, name="layer3"),
    ]
)
# Call model on a test input
x = np.ones((3, 3))
y = model(x)
""",
    "create_3_layers_and_call_them": """
# Create 3 layers
layer1 = layers.Dense(2, activation="relu", name="layer1")
layer2 = layers.Dense(3, activation="relu", name="layer2")
layer3 = layers.Dense(4, name="layer3")

# Call layers on a test input
x = np.ones((3, 3))
y = layer3(layer2(layer1(x)))
""",
    "pass_a_list_of_layers": """
model = keras.Sequential(
    [
        layers.Dense(2, activation="relu"),
        layers.Dense(3, activation="relu"),
        layers.Dense(4),
    ]
)
""",
    "layers_attribute": """
model.layers
""",
    "create_incrementally_with_add": """
model = keras.Sequential()
model.add(layers.Dense(2, activation="relu"))
model.add(layers.Dense(3, activation="relu"))
model.add(layers.Dense(4))
""",
    "pop_a_layer": """
model.pop()
print(len(model.layers))  # 2
""",
    "name_the_model": """
model = keras.Sequential(name="my_sequential")
model.add(layers.Dense(2, activation="relu", name="layer1"))
model.add(layers.Dense(3, activation="relu", name="layer2"))
model.add(layers.Dense(4, name="layer3"))
""",
    "a_layer_has_no_weights_at_first": """
layer = layers.Dense(3)
layer.weights  # Empty
""",
    "a_layer_has_weights_once_it_is_called": """
# Call layer on a test input
x = np.ones((1, 4))
y = layer(x)
layer.weights  # Now it has weights, of shape (4, 3) and (3,)
""",
    "a_model_has_weights_once_it_is_called": """
model = keras.Sequential(
    [
        layers.Dense(2, activation="relu"),
        layers.Dense(3, activation="relu"),
        layers.Dense(4),
    ]
)  # No weights at this stage!

# At this point, you can't do this:
# model.weights

# You also can't do this:
# model.summary()

# Call the model on a test input
x = np.ones((1, 4))
y = model(x)
print("Number of weights after calling the model:", len(model.weights))  # 6
""",
    "summary_of_a_built_model": """
model.summary()
""",
    "start_with_an_input": """
model = keras.Sequential()
model.add(keras.Input(shape=(4,)))
model.add(layers.Dense(2, activation="relu"))

model.summary()
""",
    "the_input_is_not_a_layer": """
model.layers
""",
    "pass_input_shape_to_the_first_layer": """
model = keras.Sequential()
model.add(layers.Dense(2, activation="relu", input_shape=(4,)))

model.summary()
""",
    "debug_with_add_and_summary": """
model = keras.Sequential()
model.add(keras.Input(shape=(250, 250, 3)))  # 250x250 RGB images
model.add(layers.Conv2D(32, 5, strides=2, activation="relu"))
model.add(layers.Conv2D(32, 3, activation="relu"))
model.add(layers.MaxPooling2D(3))

# Can you guess what the current output shape is at this point? Probably not.
# Let's just print it:
model.summary()

# The answer was: (40, 40, 32), so we can keep downsampling...

model.add(layers.Conv2D(32, 3, activation="relu"))
model.add(layers.Conv2D(32, 3, activation="relu"))
model.add(layers.MaxPooling2D(3))
model.add(layers.Conv2D(32, 3, activation="relu"))
model.add(layers.Conv2D(32, 3, activation="relu"))
model.add(layers.MaxPooling2D(2))

# And now?
model.summary()

# Now that we have 4x4 feature maps, time to apply global max pooling.
model.add(layers.GlobalMaxPooling2D())

# Finally, we add a classification layer.
model.add(layers.Dense(10))
""",
    "extract_the_features_of_all_layers": """
initial_model = keras.Sequential(
    [
        keras.Input(shape=(250, 250, 3)),
        layers.Conv2D(32, 5, strides=2, activation="relu"),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Conv2D(32, 3, activation="relu"),
    ]
)
feature_extractor = keras.Model(
    inputs=initial_model.inputs,
    outputs=[layer.output for layer in initial_model.layers],
)

# Call feature extractor on test input.
x = np.ones((1, 250, 250, 3))
features = feature_extractor(x)
""",
    "extract_the_features_of_one_layer": """
initial_model = keras.Sequential(
    [
        keras.Input(shape=(250, 250, 3)),
        layers.Conv2D(32, 5, strides=2, activation="relu"),
        layers.Conv2D(32, 3, activation="relu", name="my_intermediate_layer"),
        layers.Conv2D(32, 3, activation="relu"),
    ]
)
feature_extractor = keras.Model(
    inputs=initial_model.inputs,
    outputs=initial_model.get_layer(name="my_intermediate_layer").output,
)
# Call feature extractor on test input.
x = np.ones((1, 250, 250, 3))
features = feature_extractor(x)
""",
    "freeze_all_layers_but_the_last": """
model = keras.Sequential([
    keras.Input(shape=(784)),
    layers.Dense(32, activation='relu'),
    layers.Dense(32, activation='relu'),
    layers.Dense(32, activation='relu'),
    layers.Dense(10),
])

# Presumably you would want to first load pre-trained weights.
model.load_weights(WEIGHTS_FILE)

# Freeze all layers except the last one.
for layer in model.layers[:-1]:
  layer.trainable = False

# Recompile and train (this will only update the weights of the last layer).
model.compile(**COMPILE)
model.fit(**DATA)
""",
    "stack_a_pretrained_model_and_a_classifier": """
# Load a convolutional base with pre-trained weights
base_model = keras.applications.Xception(
    weights=WEIGHTS,
    include_top=False,
    pooling='avg')

# Freeze the base model
base_model.trainable = False

# Use a Sequential model to add a trainable classifier on top
model = keras.Sequential([
    base_model,
    layers.Dense(1000),
])

# Compile & train
model.compile(**COMPILE)
model.fit(**DATA)
""",
}

_LAST = ("freeze_all_layers_but_the_last", "stack_a_pretrained_model_and_a_classifier")


def run(name: str, **given: Any) -> tuple[dict[str, Any], str]:
    """Run the guide from its first line to the end of a block, with fresh names.

    Blocks that need what the test brings run only if they are asked for.

    Args:
        name: name of the block.
        **given: what stands in capitals in the block.

    Returns:
        The variables afterwards, and what the block printed.
    """
    seqonnx.clear_session()
    seqonnx.set_random_seed(0)
    names = list(BLOCKS)
    before = [one for one in names[: names.index(name)] if one not in _LAST]
    variables: dict[str, Any] = dict(given)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Do not pass an `input_shape`")
        for one in before:
            exec(BLOCKS[one], variables)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(BLOCKS[name], variables)
    return variables, printed.getvalue()
