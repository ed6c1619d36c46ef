"""One simulated SunSpec device: registers in front, physics behind. Time is an argument; it never runs by itself."""

from __future__ import annotations

from collections.abc import Sequence

from hil.endpoints.sunspec.bank import BankPoint, Refusal, RefusedError, RegisterBank
from hil.endpoints.sunspec.contents import fill, layouts
from hil.endpoints.sunspec.curves import BY_MODEL, Curves
from hil.endpoints.sunspec.physics import Measured, Nameplate, Physics, PowerFactor, Wanted
from hil.endpoints.sunspec.readings import show
from hil.endpoints.sunspec.reversion import P_LIMIT, P_SET, PF_ABSORBING, PF_INJECTING, Q_SET, Control, Reversions
from hil.endpoints.sunspec.words import decode, limits

BASE_ADDRESS = 40_000
WATTS, VARS = 1, 4
HEARTBEAT_MAX = 1_000_000


class SunSpecDevice:
    """Answers reads and writes of one Modbus unit.

    Measurements are taken from the physics at each read; `physics.want` is called when a write or a reversion changed
    what is asked of it, and once at the start. Times are seconds of any clock that does not run backwards: feeder time
    in lockstep, a monotonic clock in real time.
    """

    def __init__(
        self, *, nameplate: Nameplate, physics: Physics, now_s: float, base_address: int = BASE_ADDRESS
    ) -> None:
        self.nameplate = nameplate
        self.bank = RegisterBank(layouts(nameplate), base_address=base_address)
        fill(self.bank, nameplate)
        self._physics = physics
        self._reversions = Reversions(self.bank)
        self._curves = Curves(self.bank)
        self._now_s = now_s
        self._shown: Measured | None = None
        self.writes = 0
        """Writes carried out."""
        physics.want(self.wanted())

    def advance(self, now_s: float) -> None:
        """Let time pass: what is to revert by then reverts. Call it each step in lockstep; reads and writes do so."""
        self._now_s = max(self._now_s, now_s)
        reverted = self._reversions.advance(self._now_s)
        if self._curves.advance(self._now_s) or reverted:
            self._physics.want(self.wanted())

    def read(self, address: int, count: int, *, now_s: float) -> list[int]:
        """Registers from a Modbus address. Raises RefusedError."""
        self.advance(now_s)
        measured = self._physics.measured()
        if measured != self._shown:
            show(self.bank, measured, nameplate=self.nameplate)
            self._shown = measured
        self.bank.put(715, "DERHb", int(self._now_s) % HEARTBEAT_MAX)
        return self.bank.read(address, count)

    def write(self, address: int, registers: Sequence[int], *, now_s: float) -> None:
        """Write registers, all of them or none. Raises RefusedError."""
        self.advance(now_s)
        found = self.bank.written(address, registers)
        for point, raw in found:
            self._check(point, raw)
        if found and self._physics.measured().local:
            raise RefusedError(Refusal.ILLEGAL_FUNCTION, "the device is in local control")
        models: dict[int, set[str]] = {}
        for point, raw in found:
            self.bank.registers[point.start : point.start + point.place.size] = raw
            models.setdefault(point.model_id, set()).add(point.place.name)
        for model, names in models.items():
            if model == 704:
                self._reversions.written(frozenset(names), now_s=self._now_s)
            elif model in BY_MODEL:
                self._curves.written(model, frozenset(names), now_s=self._now_s)
        self._reversions.advance(self._now_s)
        self._curves.advance(self._now_s)
        self.writes += 1
        self._physics.want(self.wanted())

    def wanted(self) -> Wanted:
        """What the registers ask of the unit."""
        p_max_w = self.bank.scaled(702, "WMax") or self.nameplate.p_max_w
        p_target_w = self._set(P_SET, mode="WSetMod", absolute=WATTS, full=p_max_w)
        limit_pct = self.bank.scaled(704, "WMaxLimPct") if self._enabled(P_LIMIT) else None
        return Wanted(
            permitted=self.bank.get(703, "ES") == 1,
            p_target_w=p_target_w,
            p_limit_w=None if limit_pct is None else limit_pct / 100.0 * p_max_w,
            q_target_var=self._set(Q_SET, mode="VarSetMod", absolute=VARS, full=self._q_full()),
            power_factor_injecting=self._power_factor(PF_INJECTING),
            power_factor_absorbing=self._power_factor(PF_ABSORBING),
            droop=self._curves.droop(),
            curves=self._curves.active(),
        )

    def _enabled(self, control: Control) -> bool:
        return self.bank.get(704, control.enable) == 1

    def _set(self, control: Control, *, mode: str, absolute: int, full: float) -> float | None:
        """W or var that a function asks for: as it stands, or as a percentage of `full`."""
        if not self._enabled(control):
            return None
        if self.bank.get(704, mode) == absolute:
            return self.bank.scaled(704, control.name)
        percent = self.bank.scaled(704, f"{control.name}Pct")
        return None if percent is None else percent / 100.0 * full

    def _q_full(self) -> float:
        """var that 100 % of VarSetPct is, by VarSetMod; of what is available as of VarMaxInj."""
        mode = self.bank.get(704, "VarSetMod")
        name = {0: "WMax", 3: "VAMax"}.get(mode if isinstance(mode, int) else -1, "VarMaxInj")
        return self.bank.scaled(702, name) or 0.0

    def _power_factor(self, control: Control) -> PowerFactor | None:
        factor = self.bank.scaled(704, f"{control.name}.PF") if self._enabled(control) else None
        if factor is None:
            return None
        return PowerFactor(factor=factor, over_excited=self.bank.get(704, f"{control.name}.Ext") == 0)

    def _check(self, point: BankPoint, raw: Sequence[int]) -> None:
        """Raises RefusedError for a value that the point does not take."""
        place = point.place
        value = decode(raw, kind=place.kind)
        if not isinstance(value, int):
            if place.kind == "string":
                return
            raise RefusedError(Refusal.ILLEGAL_VALUE, f"{place.name}: the value for not implemented is no setting")
        if self.bank.get(point.model_id, place.name) is None and place.name.startswith(("PFOvr", "PFUnd", "WMaxOvr")):
            raise RefusedError(Refusal.ILLEGAL_ADDRESS, f"{place.name} is not implemented")
        if place.kind.startswith("enum") and value not in place.symbols:
            raise RefusedError(Refusal.ILLEGAL_VALUE, f"{place.name}: {value} is none of its symbols")
        self._curves.check(point, value)
        low, high = self._range(point)
        scaled = value * 10.0 ** self.bank.exponent(point.model_id, place.name) if place.scale else float(value)
        if not low <= scaled <= high:
            raise RefusedError(Refusal.ILLEGAL_VALUE, f"{place.name}: {scaled:g} is outside {low:g} to {high:g}")

    def _range(self, point: BankPoint) -> tuple[float, float]:
        """Lowest and highest value of a point in its unit."""
        name, model = point.place.name, point.model_id
        if model == 702 and self.bank.has(702, f"{name}Rtg"):
            rating = self.bank.scaled(702, f"{name}Rtg")
            return (0.0, 0.0 if rating is None else rating)
        if model != 704:
            low, high = limits(point.place.kind, size=point.place.size)
            scale = 10.0 ** self.bank.exponent(model, name) if point.place.scale else 1.0
            return low * scale, high * scale
        plate = self.nameplate
        # Half a step over: a setpoint at the nameplate may be rounded up by its scale factor.
        half = 0.5 * 10.0 ** self.bank.exponent(704, name) if point.place.scale else 0.0
        charge_pct = -100.0 if plate.p_charge_max_w > 0.0 else 0.0
        ranges = {
            "WMaxLimPct": (0.0, 100.0),
            "WSet": (-plate.p_charge_max_w - half, plate.p_max_w + half),
            "WSetPct": (charge_pct, 100.0),
            "VarSet": (-plate.q_max_var - half, plate.q_max_var + half),
            "VarSetPct": (-100.0, 100.0),
            "PF": (0.0, 1.0),
        }
        stem = name.rsplit(".", 1)[-1].removesuffix("Rvrt")
        return ranges.get(stem, (0.0, float("inf")))
