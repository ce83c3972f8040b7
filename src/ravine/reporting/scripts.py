"""Scripts of a page: small modules put together into one file, and how a page lets them run."""

import base64
import hashlib
import re
from collections.abc import Iterable
from importlib.resources import files


def joined(package: str, names: Iterable[str]) -> str:
    """The JavaScript modules of a package as one script, each after those that it imports."""
    return "".join(_module((files(package) / f"{name}.js").read_text("utf-8")) for name in names)


def _module(text: str) -> str:
    """A scope of its own, which gives what it exports."""
    text = re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)
    exported = re.findall(
        r"^export (?:async )?(?:const|let|function|class) ([\w$]+)", text, re.MULTILINE
    )
    text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
    if not exported:
        return f"{{\n{text}}}\n"
    names = f"{{{', '.join(exported)}}}"
    return f"const {names} = (() => {{\n{text}return {names};\n}})();\n"


def lean(text: str) -> str:
    """A script without indentation, empty lines and lines that are comments.

    Nothing in it can end the script element that it stands in.
    """
    lines = (line.strip() for line in text.splitlines())
    kept = "\n".join(line for line in lines if line and not line.startswith("//"))
    return kept.replace("</", "<\\/").replace("<!--", "<\\!--") + "\n"


def fingerprint(script: str) -> str:
    """A script as a Content-Security-Policy names it: nothing else may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
