"""A rule that loses to a special case of itself is told to look at its tuning."""

import pytest

from ravine.analysis.rule_hierarchy import CONTAINS, contained
from ravine.rules import RULES


def test_the_table_is_of_rules_there_are_and_goes_one_way() -> None:
    assert {*CONTAINS, *(special for row in CONTAINS.values() for special in row)} <= set(RULES)
    for rule in CONTAINS:
        assert rule not in contained(rule)
        assert "sgd" in contained(rule)


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ({"sgd": 50, "momentum": 60, "adam": 40}, [("momentum", "sgd")]),
        ({"sgd": 50, "momentum": 30, "adam": 40}, [("adam", "momentum")]),
        ({"sgd": 50, "adam": 40, "adamw": 45}, [("adamw", "adam")]),
        ({"sgd": 50, "momentum": 30, "nadam": 40}, [("nadam", "momentum")]),
        ({"sgd": 50, "rmsprop": 60, "adam": 40}, []),  # which contains nothing
        ({"sgd": 50, "momentum": 50, "adam": 50}, []),
        ({"sgd": 30, "momentum": 40, "adam": 50}, [
            ("adam", "momentum"), ("adam", "sgd"), ("momentum", "sgd"),
        ]),
    ],
)  # fmt: skip
def test_who_lost_to_a_special_case(made, times: dict[str, int], told: list[object]) -> None:
    plan = made.planned(*times)
    curves = made.timed(plan, {rule: [t] * 12 for rule, t in times.items()})
    found = made.judged(plan, curves)
    assert [(s.rule, s.special) for s in found.suspects] == told
    warned = [w for w in found.warnings if "suspect its tuning" in w]
    assert len(warned) == len({rule for rule, _ in told})


def test_a_loss_must_be_sure(made) -> None:
    """Slower on 9 of 12 seeds: the interval still reaches 1. And three seeds say nothing."""
    plan = made.planned("sgd", "momentum")
    times = {"sgd": [50] * 12, "momentum": [60] * 9 + [40] * 3}
    assert made.judged(plan, made.timed(plan, times)).suspects == ()
    few = made.planned("sgd", "momentum", fresh=3)
    times = {"sgd": [50] * 3, "momentum": [60] * 3}
    assert made.judged(few, made.timed(few, times)).suspects == ()
