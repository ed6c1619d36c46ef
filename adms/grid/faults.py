"""What a short circuit is, and which ones a place can have."""

from dataclasses import dataclass
from enum import StrEnum

from adms.core.errors import Problem
from adms.core.ids import BusId

BALANCED_PHASE = 0


class FaultKind(StrEnum):
    """Which conductors a fault joins."""

    THREE_PHASE = "three_phase"
    """The three phases with each other."""
    THREE_PHASE_GROUND = "three_phase_ground"
    LINE_LINE = "line_line"
    LINE_LINE_GROUND = "line_line_ground"
    LINE_GROUND = "line_ground"

    @property
    def phase_count(self) -> int:
        """How many phases it joins."""
        return _PHASE_COUNT[self]

    @property
    def to_ground(self) -> bool:
        """True where it joins the ground too."""
        return self in (FaultKind.THREE_PHASE_GROUND, FaultKind.LINE_LINE_GROUND, FaultKind.LINE_GROUND)


_PHASE_COUNT = {
    FaultKind.THREE_PHASE: 3,
    FaultKind.THREE_PHASE_GROUND: 3,
    FaultKind.LINE_LINE: 2,
    FaultKind.LINE_LINE_GROUND: 2,
    FaultKind.LINE_GROUND: 1,
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault at one bus."""

    kind: FaultKind
    bus: BusId
    phases: tuple[int, ...] = ()
    """Phases that it joins. May be left empty for a three-phase fault at a bus of three phases or of phase 0."""
    r_fault_ohm: float = 0.0
    """From each phase to the point where they meet (line to ground: to ground); line to line: between the two."""
    r_ground_ohm: float = 0.0
    """From that point to ground; no part of a fault that does not go to ground."""

    def __str__(self) -> str:
        return f"{self.kind.value} at {self.bus}.{'.'.join(map(str, self.phases))}".rstrip(".")


def fault_problems(fault: Fault, *, present: tuple[int, ...] | None) -> list[Problem]:
    """What is wrong with a fault: phases that are not there or do not make its kind, a negative or infinite resistance,
    an unbalanced fault in a balanced network.

    Args:
        fault: what and where.
        present: phases of the place; None where there is no such bus.
    """
    element = f"fault at {fault.bus}"
    problems = [
        Problem(element=element, field=field, value=str(value), message="must be a number of at least 0")
        for field, value in (("r_fault_ohm", fault.r_fault_ohm), ("r_ground_ohm", fault.r_ground_ohm))
        if not 0.0 <= value < float("inf")
    ]
    if fault.r_ground_ohm > 0.0 and not fault.kind.to_ground:
        message = f"a {fault.kind.value} fault does not go to ground"
        problems.append(Problem(element=element, field="r_ground_ohm", value=str(fault.r_ground_ohm), message=message))
    if present is None:
        problems.append(Problem(element=element, field="bus", value=fault.bus, message="no such bus"))
        return problems
    wanted = fault.phases or (present if fault.kind.phase_count == 3 else ())
    given = ",".join(map(str, wanted))
    if BALANCED_PHASE in present:
        if fault.kind.phase_count != 3:
            message = "the network is balanced (one node a bus): only three-phase faults can be told in it"
            problems.append(Problem(element=element, field="kind", value=fault.kind.value, message=message))
        elif wanted != (BALANCED_PHASE,):
            message = "a balanced bus has phase 0 only"
            problems.append(Problem(element=element, field="phases", value=given, message=message))
        return problems
    lacking = [phase for phase in wanted if phase not in present]
    if lacking:
        has = ", ".join(map(str, present))
        problems.append(Problem(element=element, field="phases", value=given, message=f"there are only phases {has}"))
    if len(set(wanted)) != fault.kind.phase_count or len(wanted) != fault.kind.phase_count:
        count = fault.kind.phase_count
        message = f"a {fault.kind.value} fault joins {count} {'phase' if count == 1 else 'different phases'}"
        problems.append(Problem(element=element, field="phases", value=given, message=message))
    return problems
