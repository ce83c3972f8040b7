"""Several races side by side, in the terminal and as a page."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ravine.analysis import said_speedup, title
from ravine.analysis.results import REFERENCE
from ravine.reporting import style, vega
from ravine.reporting.results import Results, finite
from ravine.reporting.tables import count, number
from ravine.reporting.templates import render

if TYPE_CHECKING:
    import pandas as pd

PANEL, ROW = 230, 22


def frame(races: Mapping[str, Results]) -> "pd.DataFrame":
    """A row a race and rule: the leaderboards below one another, the race's name first."""
    import pandas as pd

    boards = [results.leaderboard() for results in races.values()]
    for name, board in zip(races, boards, strict=True):
        board.insert(0, "race", name)
    return pd.concat(boards, ignore_index=True)


def to_json(races: Mapping[str, Results]) -> str:
    """The same as JSON, with what each race says."""
    content = {
        "races": {name: str(results.verdict) for name, results in races.items()},
        "differences": differences(races),
        "rules": frame(races).to_dict("records"),
    }
    return json.dumps(finite(content), indent=2, ensure_ascii=False) + "\n"


def rules(races: Mapping[str, Results]) -> list[str]:
    """Those of any race, in the order in which they come first in one."""
    found = (s.rule for results in races.values() for s in results.verdict.standings)
    return list(dict.fromkeys(found))


def differences(races: Mapping[str, Results]) -> dict[str, dict[str, Any]]:
    """What the races did not do alike, by race: speed-ups are each against their own descent."""
    told = {
        name: {
            "task": results.plan.choices.task,
            "model and data": results.plan.facts.digest[:8],
            "steps": results.plan.steps,
            "batch size": results.plan.choices.batch_size,
            "schedule": results.plan.choices.schedule,
            "target": number(results.verdict.target),
            "judged on": results.judged_on,
        }
        for name, results in races.items()
    }
    keys = next(iter(told.values()))
    unlike = [key for key in keys if len({one[key] for one in told.values()}) > 1]
    return {key: {name: one[key] for name, one in told.items()} for key in unlike}


def cells(results: Results, rule: str) -> tuple[str, str, str]:
    """A rule in a race: speed-up with its interval, steps to the target, test loss."""
    found = [s for s in results.verdict.standings if s.rule == rule]
    if not found:
        return ("", "", "")
    s = found[0]
    ratio = "1" if s.finding == REFERENCE else said_speedup(s.speedup)
    return ratio, count(s.steps_to_target.median), number(s.final_loss)


def show(races: Mapping[str, Results], console: Console) -> None:
    """Print them: a row a rule, three columns a race where there is room, else a race a block."""
    looks = style.looks(rules(races))
    wide = 14 + 40 * len(races) <= console.width
    for group in [races] if wide else [{name: r} for name, r in races.items()]:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        table.add_column("rule")
        for name in group:
            table.add_column(Text(f"{name}\nspeed-up"), justify="right", no_wrap=True)
            table.add_column("steps", justify="right", vertical="bottom")
            table.add_column("loss", justify="right", vertical="bottom")
        for rule in rules(group):
            said = [cell for results in group.values() for cell in cells(results, rule)]
            table.add_row(style.marked(rule, looks[rule]), *said)
        console.print(table)
        console.print()
    for name, results in races.items():
        console.print(Text.assemble((f"{name}: ", "dim"), (str(results.verdict), "bold")))
    for what, values in differences(races).items():
        each = ", ".join(f"{name} {value}" for name, value in values.items())
        console.print(Text(f"Not alike: {what}: {each}", "yellow"))


def write(races: Mapping[str, Results], path: str | os.PathLike[str]) -> None:
    """Write them as one page: no scripts, and nothing in it asks the network."""
    from markupsafe import Markup

    still = vega.still(chart(races, style.PAGE).to_dict(), "speedups")
    page = render(
        "compare.html",
        {},
        races=races,
        rules=rules(races),
        looks=style.looks(rules(races), style.PAGE),
        cells=cells,
        differences=differences(races),
        still=Markup(still),  # noqa: S704  # made by Vega-Lite, which escapes
    )
    Path(path).write_text(page, encoding="utf-8", newline="\n")


def chart(races: Mapping[str, Results], paint: style.Paint = style.LIGHT) -> Any:
    """Speed-ups with their intervals: a panel a race, a row a rule."""
    import altair as alt
    import pandas as pd

    order = rules(races)
    looks = style.looks(order, paint)
    data = frame(races)
    ratios = [*data["speedup"], *data["speedup_low"], *data["speedup_high"]]
    shown = [v for v in ratios if math.isfinite(v) and v > 0]
    low, high = min([*shown, 0.9]) / 1.1, max([*shown, 1.1]) * 1.1
    for name in ("speedup", "speedup_low", "speedup_high"):
        data[name] = data[name].clip(lower=low, upper=high)
    data["name"] = data["rule"].map(title)
    x = alt.X(
        "speedup:Q",
        title=None,
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(values=style.ticks(low, high), format="~g", grid=True),
    )
    y = alt.Y(
        "name:N", title=None, sort=[title(rule) for rule in order], axis=alt.Axis(ticks=False)
    )
    colour = alt.Color(
        "rule:N", legend=None, scale=alt.Scale(domain=order, range=[looks[r].colour for r in order])
    )
    shape = alt.Shape(
        "rule:N", legend=None, scale=alt.Scale(domain=order, range=[looks[r].mark for r in order])
    )
    columns = ["name", "rule", "speedup", "speedup_low", "speedup_high"]
    panels = []
    for race in races:
        own = alt.Chart(data.loc[data["race"] == race, columns])
        one = alt.Chart(pd.DataFrame({"speedup": [1.0]})).mark_rule(color=paint.muted)
        panels.append(
            alt.layer(
                one.encode(x=x),
                own.mark_rule(strokeWidth=2).encode(
                    x=alt.X("speedup_low:Q"), x2=alt.X2("speedup_high"), y=y, color=colour
                ),
                own.mark_point(filled=True, size=60, opacity=1).encode(
                    x=x, y=y, color=colour, shape=shape
                ),
                width=PANEL,
                height=ROW * len(order),
                title=alt.TitleParams(race, fontSize=14, limit=PANEL),
            )
        )
    return alt.concat(*panels, columns=3, spacing=24).configure(**style.configuration(paint))
