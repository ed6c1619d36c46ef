"""A DER of the plant behind SunSpec registers, in another process than the plant: it shows what it was last told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adms.client import Point, PointKind
from hil.endpoints.sunspec import Nameplate, SunSpecDevice, UnitPhysics, nameplate_of
from hil.endpoints.sunspec.reversion import ALL
from hil.overlay import DerEntry

AC, CONTROLS = 701, 704


@dataclass(kw_only=True)
class ShownUnit:
    """A unit as the plant last told of it. Powers are injections."""

    entry: DerEntry
    p_target_w: float | None
    q_target_var: float | None
    v_v: tuple[float, ...]
    """Phase to neutral, in the order of its phases."""
    f_hz: float
    p_w: float = 0.0
    q_var: float = 0.0
    soc_frac: float | None = None
    available_w: float = 0.0
    tripped: bool = False


class NotedDevice(SunSpecDevice):
    """Notes when its measurements and its controls were read and when it was last written to, feeder seconds."""

    def __init__(self, *, nameplate: Nameplate, physics: UnitPhysics, now_s: float) -> None:
        self.reads_s: list[float] = []
        self.checks_s: list[float] = []
        self.written_s: float | None = None
        super().__init__(nameplate=nameplate, physics=physics, now_s=now_s)
        self._measured_at = self.bank.address(AC, "W")
        self._controls_at = self.bank.address(CONTROLS, "ID")

    def read(self, address: int, count: int, *, now_s: float) -> list[int]:
        """As the device does."""
        registers = super().read(address, count, now_s=now_s)
        if address <= self._measured_at < address + count:
            self.reads_s.append(now_s)
        if address <= self._controls_at < address + count:
            self.checks_s.append(now_s)
        return registers

    def write(self, address: int, registers: Sequence[int], *, now_s: float) -> None:
        """As the device does."""
        super().write(address, registers, now_s=now_s)
        self.written_s = now_s


class SimulatedInverter:
    """One DER with its registers."""

    def __init__(self, message: Mapping[str, Any], *, now_s: float) -> None:
        """`message`: as `hil.wiring.told.inverter_setup` writes it."""
        given = dict(message["entry"])
        entry = DerEntry(**{**given, "phases": tuple(given["phases"])})
        v_v = (float(message["v_nominal_v"]),) * len(entry.phases)
        self.unit = ShownUnit(
            entry=entry,
            p_target_w=entry.default_p_injection_w,
            q_target_var=entry.default_q_injection_var,
            v_v=v_v,
            f_hz=float(message["f_hz"]),
        )
        self._points = tuple(Point(**{**point, "kind": PointKind(point["kind"])}) for point in message["points"])
        self._physics = UnitPhysics(self.unit, v_v=lambda: self.unit.v_v, f_hz=lambda: self.unit.f_hz)
        plate = nameplate_of(entry, v_nominal_v=v_v[0], f_nominal_hz=self.unit.f_hz)
        self.device = NotedDevice(nameplate=plate, physics=self._physics, now_s=now_s)
        self.read_once = False

    def show(self, truth: Mapping[str, Any], *, index: Sequence[int], value: Sequence[float]) -> None:
        """What the plant says of the unit, and over it what its meters show. A value that they dropped is the plant's:
        an inverter measures itself with each answer."""
        unit = self.unit
        unit.p_w, unit.q_var = float(truth["p_w"]), float(truth["q_var"])
        unit.soc_frac, unit.available_w = truth["soc_frac"], float(truth["available_w"])
        unit.tripped, unit.f_hz = bool(truth["tripped"]), float(truth["f_hz"])
        v_v = [float(v) for v in truth["v_v"]]
        for place, shown in zip(index, value, strict=True):
            point = self._points[place]
            match point.kind:
                case PointKind.P_INJECTION:
                    unit.p_w = shown
                case PointKind.Q_INJECTION:
                    unit.q_var = shown
                case PointKind.V_MAGNITUDE if point.phase in unit.entry.phases:
                    v_v[unit.entry.phases.index(point.phase)] = shown
                case PointKind.P_AVAILABLE:
                    unit.available_w = shown
                case PointKind.SOC:
                    unit.soc_frac = shown
                case PointKind.REMOTE:
                    self._physics.local = shown < 0.5
                case _:
                    pass
        unit.v_v = tuple(v_v)

    @property
    def target(self) -> list[float | None]:
        """P and Q that the registers ask for; None: as it would by itself."""
        return [self.unit.p_target_w, self.unit.q_target_var]

    @property
    def leased(self) -> bool:
        """Whether something written for a time is in force."""
        bank = self.device.bank
        return any(bank.get(CONTROLS, control.left) not in (None, 0) for control in ALL)

    def news(self) -> tuple[list[float], list[float], float | None]:
        """When its measurements and its controls were read, and when it was last written to, since it was asked."""
        news = (self.device.reads_s, self.device.checks_s, self.device.written_s)
        self.read_once = self.read_once or bool(news[0])
        self.device.reads_s, self.device.checks_s, self.device.written_s = [], [], None
        return news
