"""Settings as an operator wrote them: a file's text and the environment, with the place of each value and the nearest name.

Knows nothing of what the settings mean; the names that there are come as ``names``, the keys by section.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import SettingsError

ENV_PREFIX = "FLEET__"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: in a file (with its line), or in a variable; neither for what only the defaults say."""

    file: str = ""
    line: int | None = None
    variable: str = ""

    def __str__(self) -> str:
        return f"variable {self.variable}" if self.variable else f"{self.file}, line {self.line}" if self.file else ""

    def order(self) -> tuple[int, int]:
        """By line of the file, then variables, then what stands nowhere."""
        return (0, self.line or 0) if self.file else (1, 0) if self.variable else (2, 0)


@dataclass(frozen=True, slots=True)
class Written:
    """What an operator wrote: a file's text, and the environment."""

    path: Path | None
    text: str
    environ: Mapping[str, str]

    @classmethod
    def read(cls, path: Path | None, environ: Mapping[str, str]) -> Written:
        """Raises: SettingsError, the file cannot be read."""
        if path is None:
            return cls(None, "", environ)
        try:
            return cls(path, path.read_text(encoding="utf-8"), environ)
        except OSError as error:
            said = (
                "write it, or name another with --config" if isinstance(error, FileNotFoundError) else "let this user read it"
            )
            raise SettingsError(f"cannot read the settings file {path.absolute()}: {error.strerror}; {said}") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"cannot read the settings file {path.absolute()}: it is not text in UTF-8") from error

    def values(self) -> dict[str, Any]:
        """What it says, over the defaults not yet laid. Raises: SettingsError, the file is not TOML."""
        told = {} if self.path is None else parse(self.text, str(self.path))
        return merge(told, _from_environment(self.environ))

    def place(self, section: str, key: str = "") -> Place:
        """Where ``key`` of ``section``, or the section itself, is said; a variable lies over the file."""
        if variable := _variable_of(self.environ, section, key):
            return Place(variable=variable)
        line = _line_of(self.text, section, key)
        return Place(file=str(self.path), line=line) if line else Place()


def parse(text: str, where: str) -> dict[str, Any]:
    """Raises: SettingsError, it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{where}: not TOML: {error}") from error


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """One laid over the other, section by section."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in environ.items():
        if name.startswith(ENV_PREFIX):
            section, _, key = name.removeprefix(ENV_PREFIX).lower().partition("__")
            found.setdefault(section, {})[key] = value
    return found


def _line_of(text: str, section: str, key: str) -> int | None:
    """The line in a TOML text on which ``key`` of ``[section]`` stands (``section`` itself, without a key), counted from 1."""
    above = True
    inside = False
    here = rf"[\"']?{re.escape(key)}[\"']?\s*="
    dotted = rf"{re.escape(section)}\s*\." + rf"\s*{here}" if key else rf"[\"']?{re.escape(section)}[\"']?\s*[=.]"
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\]]+)\]", line):
            above = False
            inside = header[1].strip() == section
            if inside and not key:
                return number
        elif (above or inside) and re.match(r"\s*" + (dotted if above else here), line):
            return number
    return None


def _variable_of(environ: Mapping[str, str], section: str, key: str) -> str | None:
    """The environment variable that sets ``key`` of ``section``, or anything in it without a key."""
    name = f"{ENV_PREFIX}{section}__{key}".upper()
    ours = [each for each in environ if each.startswith(ENV_PREFIX)]
    exact = (each for each in ours if each.upper() in (name, name.removesuffix("__")))
    return next(exact, None) or (None if key else next((each for each in ours if each.upper().startswith(name)), None))


def unknown(names: Mapping[str, Sequence[str]], section: str, key: str) -> str:
    """What is said of a name that is none of ours: what would be one, the nearest first."""
    owners = [name for name, keys in names.items() if (key or section) in keys]
    if section not in names:
        said = "no such setting; the sections are " + ", ".join(names)
        if close := nearest(section, names):
            return f"{said}; did you mean [{close}]?"
        return f"{said}; did you mean [{owners[0]}] {key or section}?" if owners else said
    if not key:
        return f"no such setting; a variable is named as in {ENV_PREFIX}BALANCER__PORT"
    if owners:
        return f"no such setting; did you mean {key} of [{owners[0]}]?"
    if close := nearest(key, names[section]):
        return f"no such setting; did you mean {close}?"
    return f"no such setting; [{section}] has the keys " + ", ".join(names[section])


def nearest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The name among these that was probably meant."""
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=cutoff)
    return found[0] if found else None
