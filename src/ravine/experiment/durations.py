"""Lengths of time, sizes of memory: read from what people type, said as people say them."""

import math
import re

from ravine.errors import InvalidArgument

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
SPELLED = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "min": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
}
PART = r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*"
YEAR = 365 * 86400.0


def read_seconds(given: str | float) -> float:
    """A length of time, in seconds. Raises ``InvalidArgument``.

    >>> read_seconds("5min"), read_seconds("1h30m"), read_seconds("90"), read_seconds(2.5)
    (300.0, 5400.0, 90.0, 2.5)
    """
    seconds = math.nan
    if isinstance(given, str):
        text = given.strip().lower()
        parts = re.findall(PART, text) if re.fullmatch(f"({PART})+", text) else []
        if len(parts) == 1 and not parts[0][1]:
            parts = [(parts[0][0], "s")]
        units = [next((u for u, names in SPELLED.items() if n in names), "") for _, n in parts]
        if parts and all(units) and len({*units}) == len(units):
            numbers = [float(number) for number, _ in parts]
            seconds = sum(n * UNITS[unit] for n, unit in zip(numbers, units, strict=True))
    elif isinstance(given, int | float) and not isinstance(given, bool):
        seconds = float(given)
    if not 0 < seconds < math.inf:
        raise InvalidArgument(
            f"cannot read the length of time {given!r}: write such as 90s, 5min, 1h30m or 2h, or "
            "a number of seconds, above 0"
        )
    return seconds


def said_seconds(seconds: float) -> str:
    """A length of time in one or two units, no finer than is meant by "about".

    >>> said_seconds(42.4), said_seconds(312), said_seconds(5500), said_seconds(9.3e9)
    ('42 s', '5 min', '1 h 32 min', '295 years')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 12 * 3600:
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if seconds < 72 * 3600:
        return f"{seconds / 3600:.0f} h"
    if seconds < 2 * YEAR:
        return f"{seconds / 86400:.0f} days"
    return f"{seconds / YEAR:,.0f} years"


def said_bytes(count: float) -> str:
    """A size in memory or on disk, two digits of it.

    >>> said_bytes(8.4e6), said_bytes(1.23e9), said_bytes(4.4e10), said_bytes(3e12)
    ('8 MB', '1.2 GB', '44 GB', '3.0 TB')
    """
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= size:
            number = count / size
            return (
                f"{number:.1f} {unit}" if 1 < number < 10 and size > 1e6 else f"{number:.0f} {unit}"
            )
    return "less than 1 MB"
