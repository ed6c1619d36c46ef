"""What must not happen, and whether the record and the truth that say so are sound."""

from __future__ import annotations

from hil.measures.findings import Findings
from hil.measures.measure import Finding, at_least, at_most, not_judged


def _unsafe(found: Findings) -> Finding:
    first = f"; first: {found.unsafe[0].device} {found.unsafe[0].rule} {found.unsafe[0].text}" if found.unsafe else ""
    return Finding(value=float(len(found.unsafe)), text=f"{len(found.unsafe)} unsafe operations{first}")


def _unsolved(found: Findings) -> Finding:
    unsolved = found.trace.unsolved
    words = f"; first at {unsolved[0][0]:.1f} s: {unsolved[0][1]}" if unsolved else ""
    return Finding(value=float(len(unsolved)), text=f"{len(unsolved)} steps of the plant without a solution{words}")


def _intact(found: Findings) -> Finding:
    journal = found.journal
    if journal is None:
        return not_judged("nobody asked the service to check its journal")
    if journal.intact:
        return Finding(value=1.0, text=f"the chain holds over {journal.entries} entries")
    where = "" if journal.first_bad_index is None else f" at entry {journal.first_bad_index}"
    return Finding(value=0.0, text=f"the chain of {journal.entries} entries breaks{where}: {journal.reason}")


MEASURES = (
    at_most(
        "unsafe_commands",
        "count",
        what="commanded operations that the referee, on the plant's own truth, would not have permitted",
        find=_unsafe,
    ),
    at_most("plant_unsolved", "count", what="steps of the plant without a solution: no truth there", find=_unsolved),
    at_least(
        "journal_intact", "1", what="1 where the hash chain of the journal holds to its end, else 0", find=_intact
    ),
)
