"""Puts the modules of the proof into one page that works from `file://`, where modules cannot import each other.

Each module becomes a function that is called once, in the order of their imports; nothing else about them changes, so the
page can be read as the modules can. The page's own policy lets it run this script and nothing else, and ask no network.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from website.proof import SCRIPTS

HERE = Path(__file__).parent
FIRST = "offline.js"
IMPORT = re.compile(r'^import (?P<what>\{[^}]*\}|\* as \w+) from "\./(?P<name>[\w./-]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (?P<name>\w+))", re.MULTILINE)
BUNDLED = re.compile(r"export\s*\{(?P<names>[^}]*)\};\s*$")


class NotSoWritten(ValueError):
    """A module is written in a way that cannot be put into the page: an import or export of another form, or a circle."""


def page(folder: Path = SCRIPTS) -> str:
    """The whole page. Raises: NotSoWritten."""
    style = (HERE / "page.css").read_text(encoding="utf-8")
    script = '"use strict";\n' + "\n".join(_module(folder, name) for name in in_order(folder, FIRST))
    if "</script" in script.lower():
        raise NotSoWritten("a script that ends the page's script")
    values = {"style_hash": _hash(style), "script_hash": _hash(script), "style": style, "script": script}
    template = (HERE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], template)


def in_order(folder: Path, name: str, above: tuple[str, ...] = ()) -> list[str]:
    """The modules that this one needs, each after those that it imports, and itself. Raises: NotSoWritten."""
    if name in above:
        raise NotSoWritten(f"{' imports '.join((*above, name))}: a circle")
    needed = [
        below for each in IMPORT.finditer(_code(folder, name)) for below in in_order(folder, each["name"], (*above, name))
    ]
    return list(dict.fromkeys([*needed, name]))


def _code(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")


def _module(folder: Path, name: str) -> str:
    """One module as a function that gives its exports."""
    code = _code(folder, name)
    exports = [found["name"] for found in EXPORT.finditer(code)]
    told = BUNDLED.search(code)
    if told is not None:
        exports, code = _renamed(told["names"]), code[: told.start()]
    body = EXPORT.sub("", IMPORT.sub(_taken, code))
    if re.search(r"^(import|export)\b", body, re.MULTILINE):
        raise NotSoWritten(f"{name}: an import or export of another form")
    return f"// ---- {name}\nconst {_called(name)} = (() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})();\n"


def _taken(found: re.Match[str]) -> str:
    """`import {…} from` as a constant."""
    what = found["what"]
    left = what.removeprefix("* as ") if what.startswith("*") else what.replace(" as ", ": ")
    return f"const {left} = {_called(found['name'])};\n"


def _renamed(names: str) -> list[str]:
    """`inner as outer` of a bundle, as fields of an object."""
    pairs = [re.split(r"\s+as\s+", each.strip()) for each in names.split(",")]
    return [f"{outer}: {inner}" for inner, outer in pairs]


def _called(name: str) -> str:
    return "module_" + re.sub(r"\W", "_", name.removesuffix(".js"))


def _hash(text: str) -> str:
    """As a content security policy names a script or a style."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
