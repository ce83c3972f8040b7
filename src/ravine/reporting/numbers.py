"""Numbers as people write them."""

from collections.abc import Sequence


def number(value: float) -> str:
    """A number of up to six digits, with a true minus.

    >>> number(12.0), number(-0.25), number(1e-9)
    ('12', '−0.25', '1e−09')
    """
    return f"{value:.6g}".replace("-", "−")


def numbers(values: Sequence[float]) -> str:
    """Numbers, a comma between them."""
    return ", ".join(map(number, values))
