"""Meters where a utility has them: which points, how good, and what they show at a scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from adms.client import Point, PointKind
from hil.engine import ComplexArray, LoadRecord
from hil.plant.plant import Plant
from hil.scenario import MeterPlan
from hil.sensors.bank import SensorBank
from hil.sensors.channel import ChannelCounts, Delivery
from hil.sensors.faults import SensorPlan
from hil.sensors.meter import Meter, Reader, name_of

__all__ = ["AMI", "GATEWAY", "IDEAL", "Meter", "Meters", "Scan", "name_of"]

GATEWAY = "gateway"
"""Source of the substation and its line devices."""
AMI = "ami"
"""Source of the interval meters: whoever collects what they report."""
IDEAL = SensorPlan()
"""Noise and drop-outs of the meter plan, and nothing else."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What the points of one owner show at one instant; dropped points are left out."""

    index: tuple[int, ...]
    value: tuple[float, ...]


class Meters:
    """All meters of a plant. Each has its own noise stream, so adding one leaves the others as they were.

    A run takes either `scan` or `deliveries`: both draw from the same streams."""

    def __init__(
        self,
        plant: Plant,
        *,
        plan: MeterPlan,
        seed: int,
        sensors: SensorPlan = IDEAL,
        owners: Mapping[str, str] | None = None,
    ) -> None:
        """`owners`: source by device or bus, of points that are the gateway's otherwise; their draws stay the same.
        Raises InputError where `sensors` means points or sources that there are not."""
        self._plant = plant
        self._plan = plan
        self._flow_cache: dict[tuple[str, int], ComplexArray] = {}
        self._declared: list[Meter] = []
        self._base = dict(zip(plant.circuit.nodes, plant.v_base_v, strict=True))
        self._declare_line_devices()
        loads = {load.name: load for load in plant.circuit.loads}
        for load in (loads[name] for name in plan.ami_loads):
            if sensors.intervals is None:
                self._voltages(load.bus, phases=load.phases, owner=GATEWAY, sigma_frac=plan.ami_sigma_frac)
            else:
                self._declare_interval_meter(load, power_sigma_frac=sensors.intervals.power_sigma_frac)
        for name in plant.ders:
            self._declare_der(name)
        unique: dict[str, Meter] = {}
        for meter in self._declared:
            if owners is not None and meter.owner == GATEWAY:
                meter = replace(meter, owner=owners.get(meter.point.element, GATEWAY))
            unique.setdefault(name_of(meter.point), meter)  # the service takes a point from one source only
        self._meters = tuple(unique.values())
        self._bank = SensorBank(
            self._meters, plan=sensors, seed=seed, drop_out_frac=plan.drop_out_frac, begin_s=plant.time_s
        )

    @property
    def owners(self) -> tuple[str, ...]:
        """Every telemetry source: the gateway, interval meters where there are some, and each DER."""
        return tuple(dict.fromkeys((GATEWAY, *self._bank.owners)))

    @property
    def v_sigma_frac(self) -> float:
        """Of voltage meters, over nominal voltage."""
        return self._plan.v_sigma_frac

    def points_of(self, owner: str) -> tuple[Point, ...]:
        """Points of one telemetry source, in the order of its declaration."""
        return tuple(meter.point for meter in self._meters if meter.owner == owner)

    def scan(self) -> dict[str, Scan]:
        """Read every meter now, by owner: what they show, before any channel. Interval meters are left out."""
        self._flow_cache.clear()
        return {
            owner: Scan(index=tuple(index for index, _ in pairs), value=tuple(value for _, value in pairs))
            for owner, pairs in self._bank.read_all(self._plant.time_s).items()
        }

    def observe(self, now_s: float) -> None:
        """The plant has solved a step that ends now: the means of the interval meters go on, and scan classes that are
        due are read. To be called after each step; without it, means and classes know the scans only."""
        self._flow_cache.clear()
        self._bank.observe(now_s)

    def deliveries(self, now_s: float) -> Mapping[str, tuple[Delivery, ...]]:
        """What reaches the telemetry source of each owner until now, in the order of arrival; owners of whom nothing
        arrives are left out."""
        self._flow_cache.clear()
        return self._bank.deliveries(now_s)

    @property
    def counts(self) -> Mapping[str, ChannelCounts]:
        """What became of the frames of each owner."""
        return self._bank.counts

    # ---- declarations ---------------------------------------------------------------------------------------

    def _add(
        self, point: Point, read: Reader, *, owner: str = GATEWAY, rating: float | None = None, interval_meter: str = ""
    ) -> None:
        self._declared.append(Meter(owner=owner, point=point, read=read, rating=rating, interval_meter=interval_meter))

    def _voltages(
        self, bus: str, *, phases: tuple[int, ...], owner: str, sigma_frac: float, interval_meter: str = ""
    ) -> None:
        kind = PointKind.V_AVERAGE if interval_meter else PointKind.V_MAGNITUDE
        for phase in phases:
            base = float(self._base[(bus, phase)])
            self._add(
                Point(kind=kind, element=bus, phase=phase, sigma=sigma_frac * base),
                lambda bus=bus, phase=phase: self._plant.node_v(bus, phase=phase),  # type: ignore[misc]
                owner=owner,
                rating=base,
                interval_meter=interval_meter,
            )

    def _declare_interval_meter(self, load: LoadRecord, *, power_sigma_frac: float) -> None:
        name, rating = load.name, abs(complex(load.p_w, load.q_var))
        self._voltages(
            load.bus, phases=load.phases, owner=AMI, sigma_frac=self._plan.ami_sigma_frac, interval_meter=name
        )
        for kind, part in ((PointKind.P_AVERAGE, "real"), (PointKind.Q_AVERAGE, "imag")):
            self._add(
                Point(kind=kind, element=name, sigma=power_sigma_frac * rating),
                # What a load draws flows into it; an injection is positive into the network.
                lambda part=part: -sum(float(getattr(s, part)) for s in self._powers(name, side=0)),  # type: ignore[misc]
                owner=AMI,
                rating=rating,
                interval_meter=name,
            )

    def _powers(self, element: str, *, side: int) -> ComplexArray:
        key = (element, side)
        if key not in self._flow_cache:
            self._flow_cache[key] = self._plant.flow(element, side=side)[1]
        return self._flow_cache[key]

    def _flows(self, element: str, *, sigma_frac: float, rated_w: float) -> None:
        _, phases = self._plant.circuit.engine.element(self._plant.circuit.element(element)).terminals[0]
        for k, phase in enumerate(phases):
            for kind, part in ((PointKind.P_FLOW, "real"), (PointKind.Q_FLOW, "imag")):
                point = Point(kind=kind, element=element, phase=phase, sigma=sigma_frac * rated_w)
                self._add(
                    point,
                    lambda e=element, k=k, part=part: float(getattr(complex(self._powers(e, side=0)[k]), part)),  # type: ignore[misc]
                    rating=rated_w,
                )

    def _flag(
        self, kind: PointKind, element: str, *, reader: Reader, owner: str = GATEWAY, rating: float | None = None
    ) -> None:
        self._add(Point(kind=kind, element=element), reader, owner=owner, rating=rating)

    def _declare_line_devices(self) -> None:
        plant, plan, engine = self._plant, self._plan, self._plant.circuit.engine
        overlay = plant.circuit.overlay
        head_bus, head_phases = engine.element(plant.circuit.element(overlay.interface)).terminals[0]
        self._voltages(head_bus, phases=head_phases, owner=GATEWAY, sigma_frac=plan.v_sigma_frac)
        for conductor in plant.circuit.topology.conductors:
            if conductor.element in plant.taps and conductor.pairs[0][0][0] == head_bus:
                self._flows(conductor.element, sigma_frac=plan.head_sigma_frac, rated_w=plan.head_rated_w)
        flow_switches = dict.fromkeys([*plant.relays, *plan.flow_switches])
        for metered in flow_switches:
            if metered not in plant.closed:
                raise KeyError(f"meters: no switch {metered}")
            self._flows(metered, sigma_frac=plan.flow_sigma_frac, rated_w=plan.flow_rated_w)
            for bus, phases in engine.element(plant.circuit.element(metered)).terminals:
                if not bus.endswith("_sw"):
                    self._voltages(bus, phases=phases, owner=GATEWAY, sigma_frac=plan.v_sigma_frac)
        for switch in overlay.switches:
            if not switch.remote:
                continue
            name = switch.id
            self._flag(PointKind.SWITCH_CLOSED, name, reader=lambda n=name: float(plant.told_closed(n)))  # type: ignore[misc]
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

    def _declare_der(self, name: str) -> None:
        unit, plan = self._plant.ders[name], self._plan
        s_max_va = unit.entry.s_max_va
        sigma = plan.der_sigma_frac * s_max_va
        active = Point(kind=PointKind.P_INJECTION, element=name, sigma=sigma)
        reactive = Point(kind=PointKind.Q_INJECTION, element=name, sigma=sigma)
        self._add(active, lambda: unit.p_w, owner=name, rating=s_max_va)
        self._add(reactive, lambda: unit.q_var, owner=name, rating=s_max_va)
        self._voltages(unit.entry.bus, phases=unit.entry.phases, owner=name, sigma_frac=plan.v_sigma_frac)
        self._flag(
            PointKind.P_AVAILABLE,
            name,
            reader=lambda: 0.0 if unit.tripped else unit.available_w,
            owner=name,
            rating=s_max_va,
        )
        if unit.soc_frac is not None:
            self._flag(PointKind.SOC, name, reader=lambda: unit.soc_frac or 0.0, owner=name, rating=1.0)
        self._flag(PointKind.REMOTE, name, reader=lambda: 1.0, owner=name)
