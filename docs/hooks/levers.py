"""What a stored race of levers found, as a table."""

import json

import drawings

from ravine.analysis import title


def levers(name: str) -> str:
    """A row a combination: its values, the gradient by layer, each rule's median steps."""
    file = drawings.DOCS / "results" / name / "levers.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    rules = list(found["combinations"][0]["times"])
    heads = [*found["levers"], "first layer", "last layer", "first / last", *map(title, rules)]
    numbers = 3 + len(rules)
    lines = [heads, [*["---"] * len(found["levers"]), *["---:"] * numbers]]
    for one in found["combinations"]:
        first, last = (one["slopes"][i]["size"] for i in (0, -1))
        steps = [one["times"][rule]["median"] for rule in rules]
        said = ["∞" if each is None else f"{each:g}" for each in steps]
        shares = [f"{first:.2g}", f"{last:.2g}", f"{first / last:.2g}"]
        lines.append([*one["values"].values(), *shares, *said])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


PIECES = {"levers": levers}
