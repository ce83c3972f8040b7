"""A Keras layer that Keras lacks."""

from typing import Any


def offset(initializer: Any) -> Any:
    """Adds to every row the same trained array, of a row's shape."""
    import keras

    class Offset(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        """Adds to every row the same trained array, of a row's shape."""

        def __init__(self, initializer: Any, **arguments: Any) -> None:
            super().__init__(**arguments)
            self._initializer = keras.initializers.get(initializer)

        def build(self, shape: tuple[int | None, ...]) -> None:
            """Make the array."""
            self.array = self.add_weight(shape=shape[1:], initializer=self._initializer)

        def call(self, x: Any) -> Any:
            """The sum."""
            return x + self.array

    return Offset(initializer)
