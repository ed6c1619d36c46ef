"""Switches that do not do as they are told: the records of `[[switch_defect]]`.

[[switch_defect]]
switch = "switch.s_l67"
mode = "stuck"                # says that it will, and does not move; "slow": takes `factor` times its travel time
factor = 10.0                 # of "slow"
from_s = 0.0                  # optional, as is until_s
until_s = 300.0
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf

from adms.client import InputError, Problem
from hil.plant.reading import raise_problems, tables_of

MODES = ("stuck", "slow")


@dataclass(frozen=True, kw_only=True)
class SwitchDefect:
    """One switch for a while."""

    switch: str
    mode: str
    factor: float
    from_s: float
    until_s: float

    def travel_s(self, usual_s: float) -> float:
        """Time that it takes to move; never where it sticks."""
        return inf if self.mode == "stuck" else self.factor * usual_s


def read_switch_defects(content: object) -> tuple[SwitchDefect, ...]:
    """Read `[[switch_defect]]`. Raises InputError with every problem."""
    problems: list[Problem] = []
    found = []
    for table in tables_of(content, name="switch_defect", problems=problems):
        mode = table.text("mode", among=MODES)
        found.append(
            SwitchDefect(
                switch=table.text("switch"),
                mode=mode,
                factor=table.number("factor", low=1.0) if mode == "slow" else 1.0,
                from_s=table.number("from_s", low=0.0, default=0.0),
                until_s=table.number("until_s", low=0.0) if "until_s" in table else inf,
            )
        )
        table.end()
    raise_problems(problems)
    return tuple(found)


def check_switches(defects: Sequence[SwitchDefect], *, switches: Collection[str]) -> None:
    """Raise InputError with every switch that the feeder does not have."""
    unknown = [defect.switch for defect in defects if defect.switch not in switches]
    if unknown:
        raise InputError(
            Problem(element="switch_defect", field="switch", value=name, message="the feeder has no such switch")
            for name in unknown
        )


def travel_s(defects: Sequence[SwitchDefect], *, switch: str, usual_s: float, now_s: float) -> float:
    """Time that a switch takes that is told to move now; infinite where it sticks."""
    for defect in defects:
        if defect.switch == switch and defect.from_s <= now_s < defect.until_s:
            return defect.travel_s(usual_s)
    return usual_s
