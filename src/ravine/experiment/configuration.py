"""A configuration: what a rule is run with, of all that is tuned."""

import json
from collections.abc import Mapping
from typing import NamedTuple

DECAY = "weight_decay"  # the hyperparameter that is tuned beside the learning rate


class Configuration(NamedTuple):
    """A learning rate, and the other tuned hyperparameters by name; the rest is the rule's own.

    Sorted by learning rate first.

    >>> str(Configuration(0.01)), str(Configuration(0.01, (("weight_decay", 0.1),)))
    ('0.01', '0.01, weight_decay=0.1')
    """

    learning_rate: float
    others: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, learning_rate: float, others: Mapping[str, float]) -> "Configuration":
        """From a mapping; the order of its names does not matter."""
        return cls(learning_rate, tuple(sorted(others.items())))

    @property
    def values(self) -> dict[str, float]:
        """All of it by name."""
        return {"learning_rate": self.learning_rate, **dict(self.others)}

    def __str__(self) -> str:
        return ", ".join([f"{self.learning_rate:g}", *(f"{k}={v:g}" for k, v in self.others)])

    @property
    def others_json(self) -> str:
        """The other hyperparameters as text, as the store keeps them; equal ones give the same."""
        return json.dumps(dict(self.others), sort_keys=True)
