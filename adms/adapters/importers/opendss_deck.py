"""The text of an OpenDSS deck, read command by command: what a deck may do while it is imported.

The engine's own `redirect` would obey everything in a deck, and finds no file whose name differs in case. Here the
files are followed one by one: backslashes and case are forgiven, commands that show, plot, save or run something are
left out, and names of data files become absolute, so that the engine needs no working folder.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from adms.core.errors import Problem

_FOLLOWED = ("redirect", "compile")
_READS_A_FILE = ("buscoords", "latlongcoords", "giscoords")
_LEFT_OUT = frozenset(
    [
        "save",
        "show",
        "plot",
        "dump",
        "help",
        "quit",
        "panel",
        "about",
        "export",
        "fileedit",
        "formedit",
        "di_plot",
        "comparecases",
        "yearlycurves",
        "cd",
        "visualize",
        "closedi",
        "doscmd",
        "alignfile",
        "top",
        "distribute",
        "exportoverloads",
        "exportvviolations",
        "comhelp",
        "newactor",
        "solveall",
        "wait",
        "abort",
        "clone",
        "cvrtloadshapes",
        "vdiff",
        "obfuscate",
    ]
)
_OPTION = re.compile(
    r"\b(?:datap\w*|recor\w*|demandi\w*|diverb\w*|editor|allowforms|defaultbasefile)\s*=\s*"
    r"(?:\"[^\"]*\"|'[^']*'|\([^)]*\)|\[[^\]]*\]|\{[^}]*\}|[^\s,]+)",
    re.IGNORECASE,
)
_FIRST_WORD = re.compile(r"\s*([^\s=,]+)\s*(=?)\s*(.*)", re.DOTALL)
_DATA_FILE = re.compile(
    r"(\b(?:file|csvfile|sngfile|dblfile|pqcsvfile|pmult_?file|qmult_?file)\s*=\s*)"
    r"(?:\"([^\"]+)\"|'([^']+)'|([^\s,)\]}\"'(\[{]+))",
    re.IGNORECASE,
)
_QUOTES = {'"': '"', "'": "'", "(": ")", "[": "]", "{": "}"}
_DEEPEST = 50


@dataclass(frozen=True, kw_only=True)
class Command:
    """One line for the engine."""

    text: str
    verb: str
    """In full and lower case; empty where the line edits a property of the active element."""
    where: str
    """File and line number."""


@dataclass(kw_only=True)
class DeckText:
    """The commands of a deck as they are read, what was left out, and which files are missing."""

    commands_of_the_engine: Sequence[str]
    """Names in the engine's order: it takes the first that an abbreviation fits."""
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def commands(self, path: Path, *, depth: int = 0) -> Iterator[Command]:
        """Everything in a file and in the files that it names, in order."""
        if depth > _DEEPEST:
            self._problem(path.name, "the files of the deck name each other in a circle")
            return
        try:
            raw = path.read_bytes()
        except OSError as error:
            self._problem(str(path), f"cannot be read: {error.strerror}")
            return
        inside_comment = False
        folder = path.parent
        for number, line in enumerate(_decoded(raw).splitlines(), start=1):
            stripped = line.strip()
            if inside_comment or stripped.startswith("/*"):
                inside_comment = "*/" not in stripped
                continue
            if not stripped or stripped.startswith(("!", "//")):
                continue
            where = f"{path.name}:{number}"
            verb, rest = self._verb(stripped)
            if verb in _FOLLOWED:
                named = _first_value(rest)
                found = find_file(folder, named)
                if found is None:
                    self._problem(where, f"no such file: {named}", value=named)
                    continue
                yield from self.commands(found, depth=depth + 1)
                if verb == "compile":  # the engine stays in the folder of what it compiled
                    folder = found.parent
            elif verb in _LEFT_OUT:
                self.notes.append(f"{where}: the command {verb} is left out")
            else:
                yield Command(text=self._harmless(stripped, verb, rest, folder), verb=verb, where=where)

    def _problem(self, element: str, message: str, *, value: str = "") -> None:
        self.problems.append(Problem(element=element, field="", value=value, message=message))

    def _verb(self, line: str) -> tuple[str, str]:
        match = _FIRST_WORD.match(line)
        if match is None or match[2]:
            return "", line
        word = match[1].lower()
        names = [name.lower() for name in self.commands_of_the_engine]
        if word in names:
            return word, match[3]
        return next((name for name in names if name.startswith(word)), ""), match[3]

    def _harmless(self, line: str, verb: str, rest: str, folder: Path) -> str:
        if verb == "clearall":
            return "clear"
        if verb in ("set", "solve"):
            return _OPTION.sub("", line)
        if verb in _READS_A_FILE:
            found = find_file(folder, _first_value(rest))
            return line if found is None else f'{verb} "{found}"'
        if "=" not in line:
            return line

        def absolute(match: re.Match[str]) -> str:
            found = find_file(folder, match[2] or match[3] or match[4])
            return match[0] if found is None else f'{match[1]}"{found}"'

        return _DATA_FILE.sub(absolute, line)


def find_file(folder: Path, name: str) -> Path | None:
    """The file that a deck means, with either kind of slash and in any case; None where there is none."""
    parts = PureWindowsPath(name.strip()).parts
    if not parts:
        return None
    place = folder
    if parts[0] in ("\\", "/"):
        place, parts = Path("/"), parts[1:]
    for part in parts:
        exact = place / part
        if part in (".", "..") or exact.exists():
            place = exact
            continue
        if not place.is_dir():
            return None
        alike = sorted(entry for entry in place.iterdir() if entry.name.lower() == part.lower())
        if not alike:
            return None
        place = alike[0]
    return place.resolve() if place.is_file() else None


def _first_value(text: str) -> str:
    """The first parameter: quoted, or up to a blank or a comment."""
    text = text.strip()
    name, equals, value = text.partition("=")
    if equals and name.strip().lower() == "file":
        text = value.strip()
    if text[:1] in _QUOTES:
        return text[1:].partition(_QUOTES[text[0]])[0]
    return re.split(r"[\s,!]|//", text, maxsplit=1)[0]


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
