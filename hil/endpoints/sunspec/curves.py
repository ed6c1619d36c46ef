"""Stored curves of models 705 to 712: the first is in force and read-only; another is adopted by asking for its number,
and only then checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from hil.endpoints.sunspec.bank import BankPoint, Refusal, RefusedError, RegisterBank
from hil.endpoints.sunspec.physics import ActiveCurve, Droop
from hil.endpoints.sunspec.reversion import Timer

COMPLETED, FAILED = 1, 2


@dataclass(frozen=True, kw_only=True)
class Family:
    """One of the models."""

    model: int
    name: str
    x: str
    y: str
    x_unit: float
    """Of the register's unit: a percentage is 0.01."""
    y_unit: float
    kinds: tuple[str, ...] = ("",)
    """Curves in one set."""
    prefix: str = "Crv"
    request: str = "AdptCrvReq"
    result: str = "AdptCrvRslt"
    count: str = "NCrv"
    after: str = "RvrtCrv"


TRIPS = (("MustTrip.", "must"), ("MayTrip.", "may"), ("MomCess.", "momentary"))
_KINDS = tuple(path for path, _ in TRIPS)
DROOP = Family(
    model=711,
    name="droop",
    x="",
    y="",
    x_unit=1.0,
    y_unit=1.0,
    kinds=(),
    prefix="Ctl",
    request="AdptCtlReq",
    result="AdptCtlRslt",
    count="NCtl",
    after="RvrtCtl",
)
FAMILIES = (
    Family(model=705, name="volt_var", x="V", y="Var", x_unit=0.01, y_unit=0.01),
    Family(model=706, name="volt_watt", x="V", y="W", x_unit=0.01, y_unit=0.01),
    Family(model=707, name="low_voltage", x="V", y="Tms", x_unit=0.01, y_unit=1.0, kinds=_KINDS, count="NCrvSet"),
    Family(model=708, name="high_voltage", x="V", y="Tms", x_unit=0.01, y_unit=1.0, kinds=_KINDS, count="NCrvSet"),
    Family(model=709, name="low_frequency", x="Hz", y="Tms", x_unit=1.0, y_unit=1.0, kinds=_KINDS, count="NCrvSet"),
    Family(model=710, name="high_frequency", x="Hz", y="Tms", x_unit=1.0, y_unit=1.0, kinds=_KINDS, count="NCrvSet"),
    DROOP,
    Family(model=712, name="watt_var", x="W", y="Var", x_unit=0.01, y_unit=0.01),
)
BY_MODEL = {family.model: family for family in FAMILIES}


class Curves:
    """The curves of one device and their reversions."""

    def __init__(self, bank: RegisterBank) -> None:
        self._bank = bank
        self._timers = {family.model: Timer() for family in FAMILIES if bank.has(family.model, "RvrtTms")}

    def check(self, point: BankPoint, value: int) -> None:
        """Raises RefusedError for a write to a curve that is read-only or to a number of no curve."""
        family = BY_MODEL.get(point.model_id)
        if family is None:
            return
        name = point.place.name
        if name.startswith(f"{family.prefix}["):
            own = name.split(".", 1)[0]
            if self._bank.get(family.model, f"{own}.ReadOnly") == 1 or name.endswith(".ReadOnly"):
                raise RefusedError(Refusal.ILLEGAL_ADDRESS, f"{name} is read-only")
        elif name in (family.request, family.after) and not 1 <= value <= self._bank.number(family.model, family.count):
            raise RefusedError(Refusal.ILLEGAL_VALUE, f"{name}: there is no curve {value}")

    def written(self, model: int, names: frozenset[str], *, now_s: float) -> None:
        """Points of one of the models were written."""
        family = BY_MODEL[model]
        if family.request in names:
            adopted = self._adopt(family, self._bank.number(model, family.request))
            self._bank.put(model, family.result, COMPLETED if adopted else FAILED)
        timer = self._timers.get(model)
        if timer is not None and names & {family.request, "Ena", "RvrtTms", family.after}:
            enabled = self._bank.get(model, "Ena") == 1
            timer.start(self._bank.number(model, "RvrtTms") if enabled else 0, now_s=now_s)

    def advance(self, now_s: float) -> bool:
        """Reverts what ran out and counts down the rest; whether something reverted."""
        reverted = False
        for model, timer in self._timers.items():
            if timer.over(now_s):
                reverted |= self._adopt(BY_MODEL[model], self._bank.number(model, BY_MODEL[model].after))
            left_s = timer.news(now_s)
            if left_s is not None:
                self._bank.put(model, "RvrtRem", left_s)
        return reverted

    def active(self) -> dict[str, ActiveCurve]:
        """The curves of enabled functions."""
        found = {}
        for family in FAMILIES:
            if self._bank.get(family.model, "Ena") != 1:
                continue
            for path in family.kinds:
                name = family.name if not path else f"{family.name}.{dict(TRIPS)[path]}"
                points = tuple(self._points(family, f"Crv[1].{path}"))
                if points:
                    found[name] = ActiveCurve(
                        points=points,
                        reference=self._optional(family.model, "Crv[1].DeptRef") or 0,
                        response_s=self._scaled(family.model, "Crv[1].RspTms"),
                    )
        return found

    def droop(self) -> Droop | None:
        """The frequency droop, where it is enabled."""
        if self._bank.get(DROOP.model, "Ena") != 1:
            return None
        over, under, k_over, k_under, response_s = (
            self._scaled(DROOP.model, f"Ctl[1].{name}") or 0.0 for name in ("DbOf", "DbUf", "KOf", "KUf", "RspTms")
        )
        return Droop(
            dead_band_over_hz=over, dead_band_under_hz=under, k_over=k_over, k_under=k_under, response_s=response_s
        )

    def _optional(self, model: int, name: str) -> int | None:
        value = self._bank.get(model, name) if self._bank.has(model, name) else None
        return value if isinstance(value, int) else None

    def _scaled(self, model: int, name: str) -> float | None:
        return self._bank.scaled(model, name) if self._bank.has(model, name) else None

    def _points(self, family: Family, curve: str) -> Iterator[tuple[float, float]]:
        for place in range(1, (self._optional(family.model, f"{curve}ActPt") or 0) + 1):
            x = self._scaled(family.model, f"{curve}Pt[{place}].{family.x}")
            y = self._scaled(family.model, f"{curve}Pt[{place}].{family.y}")
            yield (
                float("nan") if x is None else x * family.x_unit,
                float("nan") if y is None else y * family.y_unit,
            )

    def _adopt(self, family: Family, number: int) -> bool:
        source = f"{family.prefix}[{number}]."
        if not all(self._sound(family, f"{source}{path}") for path in family.kinds):
            return False
        for name in list(self._bank.names(family.model)):
            if name.startswith(source) and not name.endswith(".ReadOnly"):
                target = f"{family.prefix}[1].{name.removeprefix(source)}"
                self._bank.put(family.model, target, self._bank.get(family.model, name))
        return True

    def _sound(self, family: Family, curve: str) -> bool:
        """No more points than there is room for, each one given, x never falling; a function has at least two."""
        most = self._bank.number(family.model, "NPt")
        count = self._optional(family.model, f"{curve}ActPt")
        if count is None or count > most or (len(family.kinds) == 1 and count < 2):
            return False
        points = list(self._points(family, curve))
        if any(x != x or y != y for x, y in points):
            return False
        return all(before[0] <= after[0] for before, after in pairwise(points))
