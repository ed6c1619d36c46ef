"""What the service said, round by round, as far as a run is judged by it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan

from adms.client import EstimateReport, Grade, Mode, RoundReport

WRONG = "wrong"
"""Standing of a device that is named as not being where it is reported."""
LEFT_ALONE = frozenset({"DE10", "DE11"})
"""Guards that say of a DER that it does not do as it is told: in local, or without answers."""
_POINT = re.compile(r"(?P<kind>\S+) (?P<element>.+?)(?: side (?P<side>\d+))? phase (?P<phase>\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One round, or the want of one at a time when one was due."""

    time_s: float
    service_up: bool
    """False while the service was killed: no round was due."""
    grade: Grade | None
    """None where there was no round."""
    mode: Mode | None
    rejected: frozenset[str]
    """Points found to lie, as `kind/element/side/phase`."""
    wrong_positions: frozenset[str]
    """Devices named as not being where they are reported."""
    noticed: frozenset[str]
    """Devices that a note names, or that were left alone because they do not do as they are told."""
    commands: Mapping[str, int]
    """Commands issued, by app."""
    estimate_ms: float
    """Measured, so different in every run; NaN where there was no round. As is the next."""
    round_ms: float

    @property
    def trusted(self) -> bool:
        """Whether automation may act on its picture (SAFETY.md, X1)."""
        return self.grade is not None and self.grade.trusted


def point_in_plan_words(name: str) -> str:
    """A point as the service names it (`p_flow_w line.x side 1 phase 2`) as a scenario does (`p_flow_w/line.x/1/2`).
    Raises ValueError for a name that is none."""
    found = _POINT.fullmatch(name)
    if found is None:
        raise ValueError(f"the service names a point that is none: {name!r}")
    return f"{found['kind']}/{found['element']}/{found['side'] or 0}/{found['phase']}"


class RoundLog:
    """All rounds of a run in order. `devices`: ids to look for in the notes of a round."""

    def __init__(self, *, devices: Sequence[str] = ()) -> None:
        self._rounds: list[Round] = []
        self._words: dict[str, str] = {}
        self._sets: dict[frozenset[str], frozenset[str]] = {}
        # An id ends where no further part of an id follows: der.pv_1 is not named by der.pv_10.
        names = "|".join(re.escape(name) for name in sorted(devices, key=len, reverse=True))
        self._named = re.compile(rf"(?<![\w.])(?:{names})(?!\w|\.\w)") if devices else None

    def __iter__(self) -> Iterator[Round]:
        return iter(self._rounds)

    def __len__(self) -> int:
        return len(self._rounds)

    def take(self, news: RoundReport | None, *, time_s: float, service_up: bool = True) -> None:
        """Keep what a scan brought: None where a round was due and did not come, or where the service is down."""
        if news is None:
            nothing = self._once(frozenset())
            self._rounds.append(
                Round(
                    time_s=time_s,
                    service_up=service_up,
                    grade=None,
                    mode=None,
                    rejected=nothing,
                    wrong_positions=nothing,
                    noticed=nothing,
                    commands={},
                    estimate_ms=nan,
                    round_ms=nan,
                )
            )
            return
        commands: dict[str, int] = {}
        for command in news.commands:
            commands[command.app] = commands.get(command.app, 0) + 1
        rejected, wrong = self._of_picture(news.estimate)
        self._rounds.append(
            Round(
                time_s=time_s,
                service_up=True,
                grade=news.grade,
                mode=news.mode,
                rejected=rejected,
                wrong_positions=wrong,
                noticed=self._noticed(news),
                commands=commands,
                estimate_ms=news.estimate_ms,
                round_ms=news.round_ms,
            )
        )

    def _of_picture(self, estimate: EstimateReport | None) -> tuple[frozenset[str], frozenset[str]]:
        if estimate is None:
            return self._once(frozenset()), self._once(frozenset())
        rejected = frozenset(self._in_plan_words(name) for name in estimate.rejected_points)
        wrong = frozenset(each.device_id for each in estimate.positions if each.standing == WRONG)
        return self._once(rejected), self._once(wrong)

    def _noticed(self, news: RoundReport) -> frozenset[str]:
        found = {refusal.device_id for refusal in news.refusals if refusal.guard in LEFT_ALONE}
        if self._named is not None:
            for _, text in news.notes:
                found.update(self._named.findall(text))
        return self._once(frozenset(found))

    def _in_plan_words(self, name: str) -> str:
        if name not in self._words:
            self._words[name] = point_in_plan_words(name)
        return self._words[name]

    def _once(self, names: frozenset[str]) -> frozenset[str]:
        """The same set as one object: a day has tens of thousands of rounds and few different sets."""
        return self._sets.setdefault(names, names)
