"""Reversion timers: a setting that was written for a time goes back by itself when the time is over.

The time runs from the write: any write to a function that is enabled then, with a time other than 0, starts it anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from hil.endpoints.sunspec.bank import RegisterBank

CONTROLS = 704


@dataclass(frozen=True, kw_only=True)
class Control:
    """One function of model 704, by the names of its points."""

    name: str
    values: tuple[tuple[str, str], ...]
    """(setting, what it reverts to)."""
    modes: tuple[str, ...] = ()

    @property
    def enable(self) -> str:
        """Its enable."""
        return f"{self.name}Ena"

    @property
    def enable_after(self) -> str:
        """The enable that it reverts to."""
        return f"{self.name}EnaRvrt"

    @property
    def time(self) -> str:
        """Seconds that a write holds; 0 is for ever."""
        return f"{self.name}RvrtTms"

    @property
    def left(self) -> str:
        """Seconds left."""
        return f"{self.name}RvrtRem"

    @property
    def points(self) -> frozenset[str]:
        """What belongs to it."""
        pairs = (name for pair in self.values for name in pair)
        return frozenset({*pairs, *self.modes, self.enable, self.enable_after, self.time})


P_LIMIT = Control(name="WMaxLimPct", values=(("WMaxLimPct", "WMaxLimPctRvrt"),))
P_SET = Control(name="WSet", values=(("WSet", "WSetRvrt"), ("WSetPct", "WSetPctRvrt")), modes=("WSetMod",))
Q_SET = Control(
    name="VarSet", values=(("VarSet", "VarSetRvrt"), ("VarSetPct", "VarSetPctRvrt")), modes=("VarSetMod", "VarSetPri")
)
PF_INJECTING, PF_ABSORBING = (
    Control(name=way, values=tuple((f"{way}.{part}", f"{way}Rvrt.{part}") for part in ("PF", "Ext")))
    for way in ("PFWInj", "PFWAbs")
)
ALL = (P_LIMIT, P_SET, Q_SET, PF_INJECTING, PF_ABSORBING)


class Timer:
    """When something reverts."""

    def __init__(self) -> None:
        self._ends_s: float | None = None
        self._told_s = 0

    def start(self, time_s: int, *, now_s: float) -> None:
        """Run for so long from now; 0 stops it."""
        self._ends_s = now_s + time_s if time_s > 0 else None

    def left_s(self, now_s: float) -> int:
        """Whole seconds left, upwards; 0 where it does not run."""
        return 0 if self._ends_s is None else max(0, ceil(self._ends_s - now_s))

    def news(self, now_s: float) -> int | None:
        """Seconds left where they differ from those told before, else None."""
        left_s = self.left_s(now_s)
        if left_s == self._told_s:
            return None
        self._told_s = left_s
        return left_s

    def over(self, now_s: float) -> bool:
        """Whether it ran out; true once."""
        if self._ends_s is None or now_s < self._ends_s:
            return False
        self._ends_s = None
        return True


class Reversions:
    """The timers of model 704."""

    def __init__(self, bank: RegisterBank) -> None:
        self._bank = bank
        self._timers = {control: Timer() for control in ALL}

    def written(self, names: frozenset[str], *, now_s: float) -> None:
        """Points of model 704 were written."""
        for control, timer in self._timers.items():
            if names & control.points:
                enabled = self._bank.get(CONTROLS, control.enable) == 1
                time_s = self._bank.get(CONTROLS, control.time)
                timer.start(time_s if enabled and isinstance(time_s, int) else 0, now_s=now_s)

    def advance(self, now_s: float) -> bool:
        """Reverts what ran out and counts down the rest; whether something reverted."""
        reverted = False
        for control, timer in self._timers.items():
            if timer.over(now_s):
                reverted = True
                for setting, after in (*control.values, (control.enable, control.enable_after)):
                    self._bank.put(CONTROLS, setting, self._bank.get(CONTROLS, after))
            left_s = timer.news(now_s)
            if left_s is not None:
                self._bank.put(CONTROLS, control.left, left_s)
        return reverted
