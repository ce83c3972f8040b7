"""What to say of rows of different lengths that are not padded, and of data that cannot be read."""

from typing import Any

from ravine.errors import InvalidArgument
from ravine.tasks.adapters.pytree import leaves

MASK = "and mask what is padded in the model, such as by Embedding(mask_zero=True) or Masking()"


def unequal(name: str, value: Any) -> InvalidArgument:
    """How to pad rows of different lengths, by what they are kept in."""
    if hasattr(value, "nested_row_splits"):
        return InvalidArgument(
            f"a RaggedTensor has rows of different lengths: pad them by x.to_tensor(), {MASK}"
        )
    if getattr(value, "is_nested", False):
        return InvalidArgument(
            "a nested tensor of PyTorch has rows of different lengths: pad them by "
            "torch.nested.to_padded_tensor(x, 0), and give their lengths next to them, "
            "((x, lengths), y)"
        )
    import numpy as np

    first = next((one for one in value if np.size(one)), 0)
    kind = "" if np.asarray(first).dtype.kind in "iub" else ', dtype="float32"'
    return InvalidArgument(
        f"{name} has rows of different lengths: pad them by "
        f'keras.utils.pad_sequences(x, padding="post"{kind}), {MASK}'
    )


def packed(name: str) -> InvalidArgument:
    """What to give for a ``PackedSequence``."""
    return InvalidArgument(
        f"{name} is a PackedSequence, which has no rows: give (x, lengths) for x, as "
        "torch.nn.utils.rnn.pad_packed_sequence(x, batch_first=True) has them, and pack them in "
        "the module"
    )


def check_listed(rows: Any, what: str) -> None:
    """Raises ``InvalidArgument`` for a list that has an array for each row."""
    targets = leaves(rows.y)
    if not isinstance(rows.x, list) or len(targets) != 1 or len(rows.x) != len(targets[0]):
        return
    sizes = {len(array) for array in leaves(rows.x)}
    if len(rows.x) < 2 or sizes == {len(targets[0])}:
        return
    if len(sizes) > 1:
        raise unequal(f"{what}: x, a list of {len(rows.x)} arrays,", leaves(rows.x))
    raise InvalidArgument(
        f"{what}: x is a list of {len(rows.x)} arrays, which are as many inputs to the model: give "
        "one array, np.stack(x)"
    )


def unbatched(given: Any) -> str:
    """How to have batches of what gives rows."""
    if not hasattr(given, "element_spec"):
        return "give it a batch_size"
    shapes = [one.shape for one in leaves(given.element_spec) if hasattr(one, "shape")]
    varying = any(size is None for shape in shapes for size in shape)
    return "end it with .padded_batch(32)" if varying else "end it with .batch(32)"


def unreadable(error: Exception, what: str) -> InvalidArgument:
    """What to say where the user's data fail as they are read."""
    from ravine.tasks.adapters.failures import line_of

    text = f"{what} fails as it is read: {line_of(error)}"
    if "stack expects each tensor to be equal size" in str(error):
        return InvalidArgument(
            f"{text}: give the DataLoader a collate_fn that pads rows, such as by "
            "torch.nn.utils.rnn.pad_sequence"
        )
    if "Cannot batch tensors with different shapes" in str(error):
        return InvalidArgument(f"{text}: call .padded_batch() rather than .batch()")
    return InvalidArgument(text)
