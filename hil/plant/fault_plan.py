"""The faults of a story as values, and their TOML records.

[[fault]]
name = "tree"                 # optional: else the line
time_s = 180.0                # or: after = "lockout" | "restoration", delay_s = 20.0
line = "line.l67"
at_frac = 0.3                 # of the length from the line's first terminal
kind = "LG"                   # LG, LL, LLG, LLL, LLLG
phases = [1]
r_fault_ohm = 0.05
clears_after_dead_s = 0.5     # optional: a temporary fault
[[fault.evolves]]             # optional
after_s = 0.3                 # of energised time
kind = "LLLG"
phases = [1, 2, 3]
r_fault_ohm = 0.05
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hil.plant.records import Records

PHASES_OF_KIND = {"LG": 1, "LL": 2, "LLG": 2, "LLL": 3, "LLLG": 3}
AFTER = ("lockout", "restoration")
PREPARED_R_OHM = 0.05
"""Of a fault that is given by line and kind only."""


@dataclass(frozen=True, kw_only=True)
class FaultStage:
    """What touches what."""

    kind: str
    """LG, LLG, LLLG: each phase to ground through `r_fault_ohm`. LL, LLL: the same between each pair of phases."""
    phases: tuple[int, ...]
    r_fault_ohm: float
    after_s: float = 0.0
    """Energised for so long in the stage before."""

    @property
    def grounded(self) -> bool:
        """Whether it touches ground."""
        return self.kind.endswith("G")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault of a story."""

    name: str
    line: str
    at_frac: float
    """Share of the line's length from its first terminal."""
    stages: tuple[FaultStage, ...]
    """The first, and what it evolves to."""
    time_s: float | None
    """When it begins; None where `after` says."""
    after: str = ""
    """"lockout": after the first; "restoration": after the first commanded close that follows a lockout."""
    delay_s: float = 0.0
    """After that."""
    clears_after_dead_s: float | None = None
    """A temporary fault is gone when it has been without supply for so long; None is permanent."""

    @property
    def in_words(self) -> str:
        """For the story."""
        stage = self.stages[0]
        lasting = "permanent" if self.clears_after_dead_s is None else "temporary"
        phases = ", ".join(map(str, stage.phases))
        place = f"{self.at_frac:.0%} of the line"
        return f"{lasting} {stage.kind} fault, phase {phases}, {stage.r_fault_ohm:g} ohm, at {place}"


def prepared_fault(*, line: str, kind: str, phases: tuple[int, ...], time_s: float | None) -> Fault:
    """A permanent fault at mid-line by the names of the command line: "three_phase" is all phases of the line to
    ground, "line_ground" its first."""
    hit = phases[:1] if kind == "line_ground" else phases
    stage = FaultStage(kind={1: "LG", 2: "LLG", 3: "LLLG"}[len(hit)], phases=hit, r_fault_ohm=PREPARED_R_OHM)
    return Fault(name=line, line=line, at_frac=0.5, stages=(stage,), time_s=time_s)


_EVOLVES_KEYS = ("after_s", "kind", "phases", "r_fault_ohm")
_KEYS = (
    *("name", "time_s", "after", "delay_s", "line", "at_frac", "clears_after_dead_s", "evolves"),
    *("kind", "phases", "r_fault_ohm"),
)


def _stage(records: Records, element: str, entry: Mapping[str, Any], *, after_s: float) -> FaultStage:
    kind = records.word(element, entry, "kind", of=tuple(PHASES_OF_KIND))
    count, phases = PHASES_OF_KIND[kind], entry.get("phases")
    good = isinstance(phases, list) and all(phase in (1, 2, 3) for phase in phases)
    if not good or len(set(phases or ())) != len(phases or ()) or len(phases or ()) != count:
        records.wrong(element, "phases", "" if phases is None else phases, f"needs {count} different ones of 1, 2, 3")
        phases = [1]
    r_ohm = records.number(element, entry, "r_fault_ohm", above=0.0)
    return FaultStage(kind=kind, phases=tuple(phases or ()), r_fault_ohm=r_ohm, after_s=after_s)


def _fault(records: Records, k: int, entry: Mapping[str, Any]) -> Fault:
    line = str(entry.get("line", "")).lower()
    name = str(entry.get("name", line or k))
    element = f"fault {name}"
    records.unknown(element, entry, known=_KEYS)
    if not line.startswith("line."):
        records.wrong(element, "line", entry.get("line", ""), 'needs a line of the deck, as "line.<name>"')
    timed, waits = "time_s" in entry, "after" in entry
    if timed == waits:
        records.wrong(element, "time_s", entry.get("time_s", ""), "needs exactly one of time_s and after")
    if "delay_s" in entry and not waits:
        records.wrong(element, "delay_s", entry["delay_s"], "goes with after")
    stages = [_stage(records, element, entry, after_s=0.0)]
    for later in entry.get("evolves", ()):
        said = f"{element} evolves"
        records.unknown(said, later, known=_EVOLVES_KEYS)
        stages.append(_stage(records, said, later, after_s=records.number(said, later, "after_s", least=0.0)))
    return Fault(
        name=name,
        line=line,
        at_frac=records.number(element, entry, "at_frac", above=0.0, below=1.0),
        stages=tuple(stages),
        time_s=records.number(element, entry, "time_s", least=0.0) if timed else None,
        after=records.word(element, entry, "after", of=AFTER) if waits else "",
        delay_s=records.number(element, entry, "delay_s", least=0.0) if waits else 0.0,
        clears_after_dead_s=records.maybe(element, entry, "clears_after_dead_s", least=0.0),
    )


def read_faults(entries: Sequence[Mapping[str, Any]]) -> tuple[Fault, ...]:
    """The `[[fault]]` records of a story. Raises InputError with every problem of all of them."""
    records = Records()
    faults = tuple(_fault(records, k, entry) for k, entry in enumerate(entries, start=1))
    names = [fault.name for fault in faults]
    for name in sorted({name for name in names if names.count(name) > 1}):
        records.wrong(f"fault {name}", "name", name, "is the name of more than one fault")
    records.refuse()
    return faults
