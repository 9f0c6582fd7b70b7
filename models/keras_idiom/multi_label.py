"""Subjects of short texts, several for each: F1 and the area under the ROC curve.

python models/keras_idiom/multi_label.py
"""

import numpy as np

import seqonnx as keras
from seqonnx import layers

SUBJECTS = {
    "biology": "cell gene leaf protein enzyme species",
    "computing": "compiler kernel cache thread parser pixel",
    "law": "court contract statute judge appeal clause",
    "music": "chord violin tempo opera melody choir",
}
COMMON = "the of a new in on study model theory with for from note"


def load_data(count: int, seed: int) -> tuple[np.ndarray, list[list[str]]]:
    """Return texts and the subjects of each of them."""
    rng = np.random.default_rng(seed)
    texts, subjects = [], []
    for _ in range(count):
        own = [name for name in SUBJECTS if rng.random() < 0.4]
        words = list(rng.choice(COMMON.split(), 8))
        for name in own:
            words += list(rng.choice(SUBJECTS[name].split(), 2))
        for name in rng.choice(list(SUBJECTS), 2):  # words that need not be about a subject of it
            words += list(rng.choice(SUBJECTS[name].split(), 1))
        rng.shuffle(words)
        texts.append(" ".join(words).capitalize() + ".")
        subjects.append(own)
    return np.array(texts), subjects


def encode(subjects: list[list[str]]) -> np.ndarray:
    """Return 1 where a text is about a subject, else 0."""
    lookup = layers.StringLookup(
        vocabulary=list(SUBJECTS), num_oov_indices=0, output_mode="multi_hot"
    )
    return np.array([np.array(lookup(own)) if own else np.zeros(len(SUBJECTS)) for own in subjects])


def make_vectorizer(texts: np.ndarray) -> layers.TextVectorization:
    """Return the layer that makes numbers of texts."""
    vectorizer = layers.TextVectorization(max_tokens=60, output_mode="tf_idf")
    vectorizer.adapt(texts)
    return vectorizer


def build(vectorizer: layers.TextVectorization) -> keras.Sequential:
    """Return the model, from numbers of words to a probability for each subject."""
    return keras.Sequential(
        [
            keras.Input(shape=(vectorizer.vocabulary_size(),)),
            layers.Dense(16, activation="relu"),
            layers.Dense(len(SUBJECTS), activation="sigmoid"),
        ]
    )


def train(model: keras.Sequential, vectorizer: layers.TextVectorization) -> dict[str, float]:
    """Train the model and measure it on other texts."""
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss="binary_crossentropy",
        metrics=[
            keras.metrics.BinaryAccuracy(name="accuracy"),
            keras.metrics.F1Score(average="macro", threshold=0.5, name="f1"),
            keras.metrics.AUC(multi_label=True, num_labels=len(SUBJECTS), name="auc"),
        ],
    )
    texts, subjects = load_data(600, seed=0)
    model.fit(
        vectorizer(texts), encode(subjects), batch_size=16, epochs=6, shuffle=False, verbose=0
    )
    texts, subjects = load_data(300, seed=1)
    return model.evaluate(vectorizer(texts), encode(subjects), return_dict=True, verbose=0)


if __name__ == "__main__":
    text_vectorizer = make_vectorizer(load_data(600, seed=0)[0])
    print(train(build(text_vectorizer), text_vectorizer))
