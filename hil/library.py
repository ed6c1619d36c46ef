"""The scenarios that come with the bench, and where others are found: a file is all that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from adms.client import InputError, Problem
from hil.feeders import ROOT
from hil.scenario import Scenario
from hil.scenario_file import read_scenario

FOLDER = ROOT / "scenarios"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A scenario and the file that it was read from."""

    path: Path
    scenario: Scenario

    @property
    def key(self) -> str:
        """What it is asked for by: the name of its file."""
        return self.path.stem


def library(folder: Path = FOLDER) -> tuple[Entry, ...]:
    """Every scenario of a folder, by name. Raises InputError with everything that is wrong with any of them."""
    return _read(sorted(folder.glob("*.toml")))


def chosen(names: list[str], *, every: bool, fast: bool) -> tuple[Entry, ...]:
    """Scenarios by the names or paths of their files, all of the library, or those of its fast set. Raises InputError
    with every name that there is none of."""
    if every or fast:
        return tuple(entry for entry in library() if every or entry.scenario.fast)
    known = {path.stem: path for path in FOLDER.glob("*.toml")}
    paths: list[Path] = []
    problems: list[Problem] = []
    for name in names:
        path = Path(name) if name.endswith(".toml") else known.get(name)
        if path is not None and path.is_file():
            paths.append(path)
            continue
        near = get_close_matches(name, known, n=3)
        message = f"there is no such scenario; did you mean {', '.join(near)}" if near else "there is no such scenario"
        problems.append(Problem(element="command line", field="scenario", value=name, message=message))
    if problems:
        raise InputError(problems)
    return _read(paths)


def _read(paths: list[Path]) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            entries.append(Entry(path=path, scenario=read_scenario(path)))
        except InputError as refused:
            problems += refused.problems
    if problems:
        raise InputError(problems)
    return tuple(entries)
