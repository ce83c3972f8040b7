"""The update rules that ravine races: a file each, a line each."""

from ravine.rules.adagrad import Adagrad
from ravine.rules.adam import Adam
from ravine.rules.adamw import AdamW
from ravine.rules.momentum import Momentum
from ravine.rules.nadam import Nadam
from ravine.rules.nesterov import Nesterov
from ravine.rules.rmsprop import RMSprop
from ravine.rules.sgd import SGD
from ravine.rules.update_rule import Rule
from ravine.rules.variants import VARIANTS

__all__ = [
    "RULES",
    "SGD",
    "VARIANTS",
    "Adagrad",
    "Adam",
    "AdamW",
    "Momentum",
    "Nadam",
    "Nesterov",
    "RMSprop",
]

RULES: dict[str, type[Rule]] = {
    rule.name: rule for rule in (SGD, Momentum, Nesterov, Adagrad, RMSprop, Adam, AdamW, Nadam)
}
