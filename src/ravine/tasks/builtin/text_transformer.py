"""English text, a small causal transformer that says the next character."""

from typing import Any

from ravine.tasks import scores
from ravine.tasks.offset import offset
from ravine.tasks.task import Data, Split, Task

LENGTH = 32  # characters of a row
SYMBOLS = 64  # the most frequent characters, and one for all others
WIDTH, HEADS, BLOCKS = 32, 2, 2
# Where each part of the text begins, and its rows: few to judge on, as they are read often.
PARTS = {"train": (0.0, 2048), "validation": (0.6, 64), "test": (0.8, 64), "end": (1.0, 0)}


def load() -> Data:
    """Rows of characters as numbers, int32, and the characters that follow each of them.

    The text is that of Python's own help, which differs between versions of Python; a race's plan
    holds a digest of it.
    """
    from collections import Counter

    import numpy as np

    text = _text()
    begins = [int(share * len(text)) for share, _ in PARTS.values()]
    frequent = Counter(text[: begins[1]]).most_common(SYMBOLS - 1)
    numbers = {character: i for i, (character, _) in enumerate(frequent, 1)}
    codes = np.array([numbers.get(character, 0) for character in text], np.int32)

    def spread(begin: int, end: int, rows: int) -> Split:
        """Rows at equal distances, none of which goes on into the next part."""
        at = begin + (end - begin) // rows * np.arange(rows)[:, None] + np.arange(LENGTH)
        return Split(codes[at], codes[at + 1])

    counts = [rows for _, rows in PARTS.values()]
    return Data(*map(spread, begins, begins[1:], counts))


def _text() -> str:
    """Every paragraph of Python's help once: it has many in several of its topics."""
    from pydoc_data.topics import topics

    paragraphs = (part.strip() for name in sorted(topics) for part in topics[name].split("\n\n"))
    return "\n\n".join(dict.fromkeys(filter(None, paragraphs)))


def make_model() -> Any:
    """Two blocks of attention and of a dense layer, each behind a layer norm and around a sum."""
    import keras
    from keras import layers

    given = keras.Input((LENGTH,), dtype="int32")
    x = offset("uniform")(layers.Embedding(SYMBOLS, WIDTH)(given))
    for _ in range(BLOCKS):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(y, y, use_causal_mask=True)
        y = layers.LayerNormalization()(x)
        x = x + layers.Dense(WIDTH)(layers.Dense(4 * WIDTH, activation="relu")(y))
    return keras.Model(given, layers.Dense(SYMBOLS)(layers.LayerNormalization()(x)))


def cross_entropy(y_true: Any, y_pred: Any) -> Any:
    """In nats a character, the mean over each row."""
    return scores.cross_entropy(y_true, y_pred).mean(-1)


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """The share of each row's characters that were thought most likely."""
    return scores.accuracy(y_true, y_pred).mean(-1)


task = Task(
    name="text-transformer",
    description="The help text of this version of Python, a small causal transformer on characters",
    make_model=make_model,
    load=load,
    loss=cross_entropy,
    metrics={"accuracy": accuracy},
    epochs=4,
    batch_size=16,
)
