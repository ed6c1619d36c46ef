"""The text of an OpenDSS deck, read command by command: what a deck may do while it is imported.

The engine's own `redirect` would obey everything in a deck, and finds no file whose name differs in case. Here the
files are followed one by one: backslashes and case are forgiven, commands that do not make, switch or solve a network
are left out, and names of data files become absolute, so that the engine needs no working folder.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from adms.adapters.importers.opendss_words import (
    ALLOWED,
    Word,
    full_name,
    with_allowed_options,
    without_writing,
    words,
)
from adms.core.errors import Problem

_FOLLOWED = ("redirect", "compile")
_READS_A_FILE = ("buscoords", "latlongcoords", "giscoords")
_DATA_FILE = re.compile(
    r"(\b(?:file|csvfile|sngfile|dblfile|pqcsvfile|pmult_?file|qmult_?file)\s*=\s*)"
    r"(?:\"([^\"]+)\"|'([^']+)'|([^\s,)\]}\"'(\[{]+))",
    re.IGNORECASE,
)
_READS_NUMBERS = re.compile(
    r"@|\b(?:\w*file\w*|csv\w*|pqcsv\w*|sng\w*|dbl\w*|f|fi|fil)\s*=|(?:shape|xycurve|spectrum)[\"')\]}]*\.",
    re.IGNORECASE,
)
_CONTINUES = ("more", "m", "~", "")
_DEEPEST = 50


@dataclass(frozen=True, kw_only=True)
class Command:
    """One line for the engine."""

    text: str
    verb: str
    """In full and lower case; empty where the line edits a property of the active element."""
    where: str
    """File and line number."""
    quotable: bool
    """Whether what the engine says of it can be repeated. Decks come from others, and the engine quotes what it read:
    not of a file outside the deck's folder, nor where a line has the engine read a file of numbers."""


@dataclass(kw_only=True)
class DeckText:
    """The commands of a deck as they are read, what was left out, and which files are missing."""

    commands_of_the_engine: Sequence[str]
    """Names in the engine's order: it takes the first that an abbreviation fits."""
    options_of_the_engine: Sequence[str]
    """Likewise, of `set`."""
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _variables: dict[str, str] = field(default_factory=dict)
    """What `var` has set, by name in lower case."""
    _own_folder: Path | None = None
    """Of the first file."""
    _reads_numbers: bool = False
    """The element that a line may continue."""

    def commands(self, path: Path, *, depth: int = 0) -> Iterator[Command]:
        """Everything in a file and in the files that it names, in order."""
        self._own_folder = self._own_folder or path.parent
        own = path.resolve().is_relative_to(self._own_folder.resolve())
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
            given = list(words(stripped))
            if not given:
                continue
            where = f"{path.name}:{number}"
            verb = full_name(given[0].value, self.commands_of_the_engine) if not given[0].name else ""
            if verb in _FOLLOWED:
                named = self._file_name(given)
                found = find_file(folder, named)
                if found is None:
                    said = (f"no such file: {named}", named) if own else ("names a file that there is not", "")
                    self._problem(where, said[0], value=said[1])
                    continue
                yield from self.commands(found, depth=depth + 1)
                if verb == "compile":  # the engine stays in the folder of what it compiled
                    folder = found.parent
            elif not given[0].name and not given[0].value:
                self.notes.append(f"{where}: a line that begins with a separator is left out")  # as the engine does
            elif not given[0].name and given[0].value.startswith("@"):
                self.notes.append(f"{where}: a command that is named by a variable is left out")
            elif not given[0].name and not verb:
                self._problem(where, "unknown command", value=given[0].value if own else "")
            elif verb and verb not in ALLOWED:
                self.notes.append(f"{where}: the command {verb} is left out")
            else:
                text = self._harmless(stripped, verb, given, folder, where=where)
                if text:
                    numbers = bool(_READS_NUMBERS.search(stripped)) or verb in _READS_A_FILE
                    self._reads_numbers = numbers or (self._reads_numbers and verb in _CONTINUES)
                    yield Command(text=text, verb=verb, where=where, quotable=own and not self._reads_numbers)

    def _problem(self, element: str, message: str, *, value: str = "") -> None:
        self.problems.append(Problem(element=element, field="", value=value, message=message))

    def _file_name(self, given: Sequence[Word]) -> str:
        """The first parameter of a command."""
        named = given[1].value if len(given) > 1 else ""
        return self._variables.get(named.lower(), named)

    def _harmless(self, line: str, verb: str, given: Sequence[Word], folder: Path, *, where: str) -> str:
        """The line in a form in which the engine can only read it as it was read here; empty where nothing is left."""
        if verb in ("clear", "clearall"):
            return "clear"
        if verb == "var":
            self._variables |= {word.name.lower(): word.value for word in given[1:] if word.name.startswith("@")}
        if verb in ("set", "solve"):
            text, left = with_allowed_options(verb, given[1:], line, self.options_of_the_engine)
            text = "" if text == "set" else text
        elif verb in _READS_A_FILE:
            found = find_file(folder, self._file_name(given))
            text, left = f'{verb} "{found or self._file_name(given)}"', []
        elif verb:
            text, left = without_writing(given[1:], line, start=given[0].rest)
            text = f"{verb} {text}"
        else:
            text, left = without_writing(given, line, start=0)
        self.notes += [f"{where}: {each} is left out" for each in left]

        def absolute(match: re.Match[str]) -> str:
            found = find_file(folder, match[2] or match[3] or match[4])
            return match[0] if found is None else f'{match[1]}"{found}"'

        return _DATA_FILE.sub(absolute, text) if "=" in text else text


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


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
