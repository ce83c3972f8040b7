"""Rules that hold a rule: a file each, a line each."""

from ravine.rules.wrappers.clip import Clip
from ravine.rules.wrappers.decay import Decay
from ravine.rules.wrappers.l2 import L2
from ravine.rules.wrappers.partition import Partition
from ravine.rules.wrappers.scheduled import Scheduled
from ravine.rules.wrappers.wrapper import Wrapper

__all__ = ["L2", "WRAPPING", "Clip", "Decay", "Partition", "Scheduled", "Wrapper"]

WRAPPING: dict[str, type[Wrapper]] = {
    rule.name: rule for rule in (Decay, L2, Clip, Partition, Scheduled)
}
