"""Rules that hold a rule: a file each, a line each."""

from ravine.wrapping.clip import Clip
from ravine.wrapping.decay import Decay
from ravine.wrapping.l2 import L2
from ravine.wrapping.partition import Partition
from ravine.wrapping.scheduled import Scheduled
from ravine.wrapping.wrapper import Wrapper

__all__ = ["L2", "WRAPPING", "Clip", "Decay", "Partition", "Scheduled", "Wrapper"]

WRAPPING: dict[str, type[Wrapper]] = {
    rule.name: rule for rule in (Decay, L2, Clip, Partition, Scheduled)
}
