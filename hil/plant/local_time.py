"""The date and the clock on the wall that belong to feeder seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adms.client import Problem
from hil.plant.reading import Table, raise_problems

DAY_S = 86400.0
_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class LocalTime:
    """When feeder second 0 is. The offset from UTC stays through a run: no change to summer time within it."""

    start: datetime
    """With its offset from UTC."""

    @property
    def start_of_day_s(self) -> float:
        """Seconds after local midnight at feeder second 0."""
        clock = self.start
        return clock.hour * 3600.0 + clock.minute * 60.0 + clock.second + clock.microsecond / 1e6

    def hour(self, time_s: float) -> float:
        """Local hour of the day, 0 to 24."""
        return ((self.start_of_day_s + time_s) % DAY_S) / 3600.0

    def weekend(self, time_s: float) -> bool:
        """Whether it is Saturday or Sunday."""
        day = self.start.weekday() + int((self.start_of_day_s + time_s) // DAY_S)
        return day % 7 >= 5

    def days_since_j2000(self, time_s: float) -> float:
        """Days, UT, from 2000-01-01 12:00."""
        return ((self.start - _J2000).total_seconds() + time_s) / DAY_S


def read_local_time(content: Mapping[str, object]) -> LocalTime:
    """Read `[calendar]`: `start`, a date and time with its offset. Raises InputError with every problem."""
    problems: list[Problem] = []
    table = Table(content, name="calendar", problems=problems)
    start = table.moment("start")
    table.end()
    raise_problems(problems)
    return LocalTime(start=start or _J2000)
