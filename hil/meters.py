"""Meters where a utility has them: which points, how good, and what they show at a scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from adms.client import Point, PointKind
from hil.engine import ComplexArray
from hil.plant.plant import Plant
from hil.scenario import MeterPlan

GATEWAY = "gateway"


Reader = Callable[[], float]


def name_of(point: Point) -> str:
    """One word for seeds and messages."""
    return f"{point.kind.value}/{point.element}/{point.side}/{point.phase}"


@dataclass(frozen=True, kw_only=True)
class Meter:
    """One metered quantity and who reports it."""

    owner: str
    """`GATEWAY` or the id of a DER."""
    point: Point
    read: Reader
    """The truth now."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What the points of one owner show at one instant; dropped points are left out."""

    index: tuple[int, ...]
    value: tuple[float, ...]


class Meters:
    """All meters of a plant. Each has its own noise stream, so adding one leaves the others as they were."""

    def __init__(self, plant: Plant, *, plan: MeterPlan, seed: int) -> None:
        self._plant = plant
        self._plan = plan
        self._flow_cache: dict[tuple[str, int], ComplexArray] = {}
        self._meters: list[Meter] = []
        self._base = dict(zip(plant.circuit.nodes, plant.v_base_v, strict=True))
        self._declare_line_devices()
        for name in plant.ders:
            self._declare_der(name)
        unique: dict[str, Meter] = {}
        for meter in self._meters:
            unique.setdefault(name_of(meter.point), meter)  # the service takes a point from one source only
        self._meters = list(unique.values())
        self._noise = [
            np.random.default_rng([seed, 2, crc32(name.encode()), crc32(meter.owner.encode())])
            for name, meter in unique.items()
        ]

    def points_of(self, owner: str) -> tuple[Point, ...]:
        """Points of one telemetry source, in the order of its declaration."""
        return tuple(meter.point for meter in self._meters if meter.owner == owner)

    def scan(self) -> dict[str, Scan]:
        """Read every meter now, by owner."""
        self._flow_cache.clear()
        columns: dict[str, tuple[list[int], list[float]]] = {}
        count: dict[str, int] = {}
        for meter, noise in zip(self._meters, self._noise, strict=True):
            point = meter.point
            index = count.get(meter.owner, 0)
            count[meter.owner] = index + 1
            value = meter.read()
            if point.sigma is not None:
                value += point.sigma * float(noise.standard_normal())
                if point.kind is PointKind.V_MAGNITUDE:
                    value = max(value, 0.0)
                if noise.random() < self._plan.drop_out_frac:
                    continue
            indices, values = columns.setdefault(meter.owner, ([], []))
            indices.append(index)
            values.append(value)
        return {owner: Scan(index=tuple(i), value=tuple(v)) for owner, (i, v) in columns.items()}

    # ---- declarations ---------------------------------------------------------------------------------------

    def _add(self, point: Point, read: Reader, *, owner: str = GATEWAY) -> None:
        self._meters.append(Meter(owner=owner, point=point, read=read))

    def _voltages(self, bus: str, *, phases: tuple[int, ...], owner: str, sigma_frac: float) -> None:
        for phase in phases:
            sigma = sigma_frac * float(self._base[(bus, phase)])
            point = Point(kind=PointKind.V_MAGNITUDE, element=bus, phase=phase, sigma=sigma)
            self._add(point, lambda bus=bus, phase=phase: self._plant.node_v(bus, phase=phase), owner=owner)  # type: ignore[misc]

    def _power(self, element: str, *, side: int, k: int) -> complex:
        key = (element, side)
        if key not in self._flow_cache:
            self._flow_cache[key] = self._plant.flow(element, side=side)[1]
        return complex(self._flow_cache[key][k])

    def _flows(self, element: str, *, sigma_w: float) -> None:
        _, phases = self._plant.circuit.engine.element(self._plant.circuit.element(element)).terminals[0]
        for k, phase in enumerate(phases):
            for kind, part in ((PointKind.P_FLOW, "real"), (PointKind.Q_FLOW, "imag")):
                point = Point(kind=kind, element=element, phase=phase, sigma=sigma_w)
                self._add(
                    point,
                    lambda e=element, k=k, part=part: float(getattr(self._power(e, side=0, k=k), part)),  # type: ignore[misc]
                )

    def _flag(self, kind: PointKind, element: str, *, reader: Reader, owner: str = GATEWAY) -> None:
        self._add(Point(kind=kind, element=element), reader, owner=owner)

    def _declare_line_devices(self) -> None:
        plant, plan, engine = self._plant, self._plan, self._plant.circuit.engine
        overlay = plant.circuit.overlay
        head_bus, head_phases = engine.element(plant.circuit.element(overlay.interface)).terminals[0]
        self._voltages(head_bus, phases=head_phases, owner=GATEWAY, sigma_frac=plan.v_sigma_frac)
        for conductor in plant.circuit.topology.conductors:
            if conductor.element in plant.taps and conductor.pairs[0][0][0] == head_bus:
                self._flows(conductor.element, sigma_w=plan.head_sigma_frac * plan.head_rated_w)
        flow_switches = dict.fromkeys([*plant.relays, *plan.flow_switches])
        for metered in flow_switches:
            if metered not in plant.closed:
                raise KeyError(f"meters: no switch {metered}")
            self._flows(metered, sigma_w=plan.flow_sigma_frac * plan.flow_rated_w)
            for bus, phases in engine.element(plant.circuit.element(metered)).terminals:
                if not bus.endswith("_sw"):
                    self._voltages(bus, phases=phases, owner=GATEWAY, sigma_frac=plan.v_sigma_frac)
        for switch in overlay.switches:
            if not switch.remote:
                continue
            name = switch.id
            self._flag(PointKind.SWITCH_CLOSED, name, reader=lambda n=name: float(plant.closed[n]))  # type: ignore[misc]
            self._flag(PointKind.REMOTE, name, reader=lambda: 1.0)
            if switch.fault_indicator:
                self._flag(PointKind.FAULT_INDICATOR, name, reader=lambda n=name: float(plant.indicators[n]))  # type: ignore[misc]
            if switch.pickup_a is not None:
                self._flag(PointKind.LOCKOUT, name, reader=lambda n=name: float(plant.relays[n].lockout))  # type: ignore[misc]
        for name in plant.taps:
            winding = plant.circuit.regulators[name].winding
            bus, phases = engine.element(name).terminals[winding - 1]
            self._voltages(bus, phases=phases, owner=GATEWAY, sigma_frac=plan.v_sigma_frac)
            self._flag(PointKind.TAP_POSITION, name, reader=lambda n=name: float(plant.taps[n]))  # type: ignore[misc]
            self._flag(PointKind.REMOTE, name, reader=lambda: 1.0)
        for entry in overlay.capacitors:
            name = entry.id
            bus, phases = engine.element(name).terminals[0]
            self._voltages(bus, phases=phases, owner=GATEWAY, sigma_frac=plan.v_sigma_frac)
            self._flag(PointKind.CAPACITOR_STEPS, name, reader=lambda n=name: float(plant.capacitors[n]))  # type: ignore[misc]
            self._flag(PointKind.REMOTE, name, reader=lambda: 1.0)
        by_name = {load.name: load for load in plant.circuit.loads}
        for name in plan.ami_loads:
            load = by_name[name]
            self._voltages(load.bus, phases=load.phases, owner=GATEWAY, sigma_frac=plan.ami_sigma_frac)

    def _declare_der(self, name: str) -> None:
        unit, plan = self._plant.ders[name], self._plan
        sigma = plan.der_sigma_frac * unit.entry.s_max_va
        self._add(Point(kind=PointKind.P_INJECTION, element=name, sigma=sigma), lambda: unit.p_w, owner=name)
        self._add(Point(kind=PointKind.Q_INJECTION, element=name, sigma=sigma), lambda: unit.q_var, owner=name)
        self._voltages(unit.entry.bus, phases=unit.entry.phases, owner=name, sigma_frac=plan.v_sigma_frac)
        self._flag(PointKind.P_AVAILABLE, name, reader=lambda: 0.0 if unit.tripped else unit.available_w, owner=name)
        if unit.soc_frac is not None:
            self._flag(PointKind.SOC, name, reader=lambda: unit.soc_frac or 0.0, owner=name)
        self._flag(PointKind.REMOTE, name, reader=lambda: 1.0, owner=name)
