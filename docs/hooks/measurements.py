"""What benchmarks left in ``docs/results/benchmarks``, as tables and drawings."""

import json
from statistics import median
from typing import Any

import drawings
import provenance

from ravine.reporting import style, vega

FOLDER = drawings.DOCS / "results" / "benchmarks"
WIDTH, BAR = 380, 26  # pixels of a drawing


def stored(name: str) -> dict[str, Any]:
    """What a benchmark left."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def made_by(name: str) -> str:
    """The command, the date, the machine and the versions."""
    found = stored(name)
    return provenance.line(found["command"], found)


def sweeps(name: str) -> str:
    """A row a way to run a race's work: ravine as shipped, and tuners over Keras's ``fit``."""
    found = stored(name)
    rows = ["| | seconds | |", "|---|---:|---|"]
    for race in found["seconds"]:
        times = len(race["each"])
        said = "measured once" if times == 1 else f"median of {times}"
        rows.append(f"| `ravine race`, {race['cache']} | {race['median']:.0f} | {said} |")
    for sweep in found["sweeps"]:
        known = f"extrapolated from {sweep['trials']} of {found['race']['runs']} trials"
        rows.append(f"| {sweep['sweep']} | {sweep['seconds']:,.0f} | {known} |")
    return "\n".join(rows)


def sweeps_drawn(name: str) -> str:
    """The same as bars."""
    found = stored(name)
    bars = [(f"ravine, {race['cache']}", race["median"]) for race in found["seconds"]]
    bars += [(sweep["sweep"], sweep["seconds"]) for sweep in found["sweeps"]]
    said = "; ".join(f"{label}: {value:.0f} s" for label, value in bars)
    return _bars(bars, "seconds for all runs of a race of digits-mlp", said, name)


def peers(name: str) -> str:
    """A row a peer: how fast it trains, and how much faster ours does."""
    found = stored(name)
    ours = found["ours"]
    rows = [
        "| | in its best way | run-steps a second | ours is x | goal |",
        "|---|---|---:|---:|---:|",
        f"| ravine | {_lanes(ours['lanes'])} | {ours['median']:,.0f} | | |",
    ]
    for peer in found["peers"]:
        x, goal = peer["ours_is_times"], peer["goal"]
        times = f"{x['median']:.2f} [{x['low']:.2f}, {x['high']:.2f}]"
        aim = "" if goal is None else f"{goal:g}"
        rows.append(f"| {peer['peer']} | {peer['way']} | {peer['median']:,.0f} | {times} | {aim} |")
    share = ours["median"] / found["ceiling"]
    return "\n".join(rows) + (
        f"\n\nThe ceiling, every product at the rate of the fastest library here plus Adam's bytes "
        f"at memory speed, is {found['ceiling']:,.0f}; ours reaches {share:.0%} of it."
    )


def peers_drawn(name: str) -> str:
    """The same as bars."""
    found = stored(name)
    bars = [("ravine", found["ours"]["median"])]
    bars += [(peer["peer"], median(peer["each"])) for peer in found["peers"]]
    said = "; ".join(f"{label}: {value:,.0f}" for label, value in bars)
    return _bars(bars, f"run-steps a second, {found['network']}", said, name)


def _lanes(count: int) -> str:
    return f"{count} lane{'' if count == 1 else 's'}"


def _bars(bars: list[tuple[str, float]], heading: str, said: str, name: str) -> str:
    """Horizontal bars from zero, ours in the first colour, each with its number."""
    import altair as alt
    import pandas as pd

    paint = style.LIGHT
    rows = pd.DataFrame(bars, columns=["label", "value"])
    rows["number"] = [f"{value:,.0f}" for value in rows["value"]]
    rows["colour"] = [paint.rules[0] if "ravine" in b else paint.muted for b in rows["label"]]
    most = float(rows["value"].max())
    scale = alt.Scale(domain=[0, 1.12 * most], nice=False)
    # A reader's font may be wider than that which a chart is measured with.
    room = 7.5 * max(len(label) for label, _ in bars)
    base = alt.Chart(rows).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=400, minExtent=room)),
        x=alt.X("value:Q", title=heading, scale=scale, axis=alt.Axis(tickCount=5, format=",d")),
    )
    drawn = alt.layer(
        base.mark_bar(size=BAR // 2).encode(color=alt.Color("colour:N", scale=None)),
        base.mark_text(align="left", dx=5, color=paint.ink).encode(text="number:N"),
        width=WIDTH,
        height=BAR * len(bars),
    ).configure(**style.configuration(paint))
    return drawings.inline(vega.svg(drawn.to_dict()), said, name)


PIECES = {
    "made_by": made_by,
    "sweeps": sweeps,
    "sweeps_drawn": sweeps_drawn,
    "peers": peers,
    "peers_drawn": peers_drawn,
}
