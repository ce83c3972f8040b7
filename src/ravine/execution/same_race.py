"""Whether what goes on with a race is of that race: its task, its rules, its versions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ravine.errors import InvalidArgument
from ravine.execution.scheduler import Scheduler
from ravine.experiment.plan import Plan, TaskInfo, make_plan
from ravine.frameworks.spelling import AnyRule, is_spelled, read_rule
from ravine.results.race import Race
from ravine.rules.update_rule import Rule
from ravine.storage import payload, provenance
from ravine.storage.store import WORK
from ravine.tasks import TASKS, find
from ravine.tasks.task import Task

# Commands that may be told a task of one's own again.
TAKE_TASK = {"replicate", "crosscheck", "extend"}


def own_again(
    race: Race, task: Task | None, rules: Sequence[AnyRule], verb: str
) -> tuple[Task, dict[str, Rule]]:
    """The task and the rules of a race, those of the user's own from what was handed in.

    ``verb``: the function that wants them, for the error.
    """
    choices, folder = race.plan.choices, race.folder
    own = {str(rule): rule for rule in map(read_rule, rules)}
    if race.payload is not None:
        then = payload.unpack(folder / WORK, race.payload)
        task, own = task or then.task, {**then.rules, **own}
    strange = [n for n in choices.rules if n not in own and not is_spelled(n)]
    if strange or (task is None and choices.task not in TASKS):
        asked = [repr(str(rule)) for rule in rules if is_spelled(str(rule))]
        named = ", ".join([*asked, *strange])
        raise InvalidArgument(
            f"the race in '{folder}' is of things that ravine does not ship; "
            + ("give --task FILE.py:NAME, or " if verb in TAKE_TASK and not strange else "")
            + f"go on from Python: ravine.{verb}('{folder}', rules=[{named}]"
            + ("" if choices.task in TASKS else f", task=<what makes '{choices.task}'>")
            + ")"
        )
    by_name = {name: own.get(name) or read_rule(name) for name in choices.rules}
    return task or find(choices.task), by_name


def check_same(race: Race, plan: Plan, rules: Mapping[str, Rule], driver: Scheduler) -> TaskInfo:
    """Raises ``InvalidArgument`` unless what would be run now is the experiment that was begun."""
    facts = driver.describe()
    if facts.engine != plan.facts.engine:
        raise InvalidArgument(
            f"the race in '{race.folder}' cannot go on: its folder says that it is trained by "
            f"{plan.facts.engine}, but its task is trained by {facts.engine}"
        )
    settled = make_plan(plan.choices, {n: rules[n] for n in plan.choices.rules}, facts)
    told = facts._replace(notes=plan.facts.notes)  # which decide nothing
    if replace(settled, width=plan.width, facts=told) != plan:
        raise InvalidArgument(
            f"the race in '{race.folder}' cannot go on: its task, its rules or ravine itself have "
            "changed since it was planned"
        )
    if changed := provenance.differing(
        provenance.versions(plan.facts.engine), race.meta["versions"]
    ):
        raise InvalidArgument(
            f"the race in '{race.folder}' cannot go on with {', '.join(changed)}: "
            "its curves would not be those of one experiment"
        )
    return facts
