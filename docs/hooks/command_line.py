"""The command-line reference: commands, arguments and options as the program has them."""

import enum
from typing import Any


def commands(_: str) -> str:
    """A section a command, in the order of ``ravine --help``."""
    from typer.main import get_command

    from ravine.cli.app import app

    program: Any = get_command(app)
    return "\n\n".join(_command(name, one) for name, one in program.commands.items())


def _command(name: str, command: Any) -> str:
    shown = [p for p in command.params if p.name != "help" and not p.hidden]
    arguments = [_metavar(p) for p in shown if not _is_option(p)]
    usage = " ".join(["ravine", name, *arguments, *(["[OPTIONS]"] if shown else [])])
    parts = [f"## ravine {name}", command.help or "", f"`{usage}`"]
    if shown:
        parts.append("\n".join(["| | | default |", "|---|---|---|", *map(_row, shown)]))
    parts += [command.epilog] if command.epilog else []
    return "\n\n".join(parts)


def _row(param: Any) -> str:
    default = param.default.value if isinstance(param.default, enum.Enum) else param.default
    given = "" if default in (None, False, ()) or param.required else str(default)
    if default is True:
        given = "on"
    names = [*param.opts, *param.secondary_opts] if _is_option(param) else [_metavar(param)]
    value = f" {_metavar(param)}" if _is_option(param) and not param.is_flag else ""
    named = ", ".join(f"`{name}{value if name.startswith('--') else ''}`" for name in names)
    cells = [named, param.help or "", f"`{given}`" if given else ""]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _is_option(param: Any) -> bool:
    return bool(param.opts[0].startswith("-"))


def _metavar(param: Any) -> str:
    said = param.metavar or param.name.upper()
    return said if param.required or _is_option(param) else f"[{said}]"


PIECES = {"commands": commands}
