"""What devices see of a fault, who clears it and how far they reach, on a feeder that a person can check.

    source - 1 =breaker= 2 - 3 =recloser= 4 =sectionaliser= 5    and    3 =fuse= 6 (phase 1 only), 5 -tie- 7 - source

Every line and closed device has its own impedance of `networks.line`; devices are of 0.3 + 0.6j, mutual 0.1 + 0.25j.
"""

from dataclasses import replace

import numpy as np
import pytest

from adms.core.ids import BusId, ElementId
from adms.grid.model import NetworkModel, SwitchGear, SwitchKind
from adms.grid.state import normal_state
from adms.powerflow import Factor, NotSolved, factorise
from adms.powerflow.protective_devices import clearing, device_currents, protection_reach
from adms.powerflow.short_circuit import Fault, FaultKind, ShortCircuit, short_circuit
from tests.unit.powerflow.networks import V_BASE_V, arrays_of, bus, four_buses, line, nodes, source

E_V = 1.02 * V_BASE_V
Z_SOURCE, Z_SELF, Z_MUTUAL = 0.05 + 0.2j, 0.3 + 0.6j, 0.1 + 0.25j


def _gear(
    kind: SwitchKind, pickup_a: float | None, *, ground_a: float | None = None, closed: bool = True, group: str = ""
) -> SwitchGear:
    return SwitchGear(
        kind=kind, normally_closed=closed, remote=True, pickup_a=pickup_a, ground_pickup_a=ground_a, group=group
    )


def _feeder() -> NetworkModel:
    return NetworkModel(
        name="protected feeder",
        frequency_hz=60.0,
        buses=(*(bus(str(k)) for k in range(1, 6)), bus("6", phases=(1,)), bus("7")),
        sources=(source("source.main", "1"), source("source.other", "7")),
        branches=(
            line("line.breaker", ("1", "2"), switch=_gear(SwitchKind.BREAKER, 600.0, ground_a=200.0)),
            line("line.l23", ("2", "3")),
            line("line.recloser", ("3", "4"), switch=_gear(SwitchKind.RECLOSER, 400.0, ground_a=150.0)),
            line("line.sectionaliser", ("4", "5"), switch=_gear(SwitchKind.SECTIONALISER, 200.0)),
            line("line.fuse", ("3", "6"), phases=(1,), switch=_gear(SwitchKind.FUSE, None)),
            line("line.tie", ("5", "7"), switch=_gear(SwitchKind.BREAKER, 500.0, closed=False)),
        ),
        capacitors=(),
        loads=(),
        ders=(),
    )


def _factor(model: NetworkModel, *, tie_closed: bool = False) -> Factor:
    grid = normal_state(model)
    if tie_closed:
        grid = grid.with_switch(ElementId("line.tie"), closed=True)
    factor = factorise(arrays_of(model), grid)
    assert isinstance(factor, Factor)
    return factor


def _short(
    factor: Factor, at: str, phases: tuple[int, ...], kind: FaultKind = FaultKind.LINE_GROUND, r_ohm: float = 0.0
) -> ShortCircuit:
    short = short_circuit(factor, Fault(kind=kind, bus=BusId(at), phases=phases, r_fault_ohm=r_ohm))
    assert isinstance(short, ShortCircuit)
    return short


def test_devices_on_the_way_see_the_fault_current_and_the_others_nothing() -> None:
    """LG at bus 5, four impedances away: I = 3 E / (2 Z1 + Z0), all of it the ground current 3 I0."""
    z1 = Z_SOURCE + 4.0 * (Z_SELF - Z_MUTUAL)
    z0 = Z_SOURCE + 4.0 * (Z_SELF + 2.0 * Z_MUTUAL)
    current = 3.0 * E_V / abs(2.0 * z1 + z0)
    seen = {s.device.name: s for s in device_currents(_short(_factor(_feeder()), "5", (2,)))}
    assert set(seen) == {"line.breaker", "line.recloser", "line.sectionaliser", "line.fuse"}
    for name, pickup, ground in (("line.breaker", 600.0, 200.0), ("line.recloser", 400.0, 150.0)):
        np.testing.assert_allclose(seen[name].current_a, [0.0, current, 0.0], atol=1e-6)
        assert seen[name].ground_a == pytest.approx(current, rel=1e-9)
        assert seen[name].phase_ratio == pytest.approx(current / pickup, rel=1e-9)
        assert seen[name].ground_ratio == pytest.approx(current / ground, rel=1e-9)
        assert seen[name].picks_up
    assert seen["line.fuse"].current_a.max() < 1e-6
    assert seen["line.fuse"].picks_up is None  # unknown pickup, not "no"


def test_a_high_resistance_fault_is_seen_by_the_ground_element_alone() -> None:
    seen = {s.device.name: s for s in device_currents(_short(_factor(_feeder()), "5", (2,), r_ohm=9.0))}
    phase, ground = seen["line.recloser"].phase_ratio, seen["line.recloser"].ground_ratio
    assert phase is not None
    assert ground is not None
    assert phase < 1.0 < ground
    assert seen["line.recloser"].picks_up


def test_the_nearest_device_upstream_that_interrupts_must_clear() -> None:
    factor = _factor(_feeder())
    at_5 = clearing(_short(factor, "5", (1,)))
    # The sectionaliser between 4 and 5 does not interrupt, so 4 is in the zone.
    assert at_5.zone_buses == ("4", "5")
    assert [(c.device.name, c.fed_by) for c in at_5.devices] == [("line.recloser", ("source.main",))]
    assert [c.device.name for c in clearing(_short(factor, "6", (1,))).devices] == ["line.fuse"]
    assert [c.device.name for c in clearing(_short(factor, "3", (1,))).devices] == ["line.breaker"]
    at_source = clearing(_short(factor, "1", (1,)))
    assert (at_source.devices, at_source.fed_inside) == ((), ("source.main",))


def test_a_fault_between_two_sources_is_cleared_from_both_sides() -> None:
    found = clearing(_short(_factor(_feeder(), tie_closed=True), "5", (1,)))
    assert {c.device.name: c.fed_by for c in found.devices} == {
        "line.recloser": ("source.main",),
        "line.tie": ("source.other",),
    }


def test_a_machine_behind_a_device_makes_it_clear_as_well() -> None:
    model = _feeder()
    (pv,) = four_buses().ders
    machine = replace(pv, pairs=tuple((node, None) for node in nodes("5")), x_subtransient_pu=0.2)
    found = clearing(_short(_factor(replace(model, ders=(machine,))), "3", (1,)))
    assert {c.device.name: c.fed_by for c in found.devices} == {
        "line.breaker": ("source.main",),
        "line.recloser": ("der.pv3",),
    }


def test_poles_that_are_branches_of_their_own_are_one_device_with_one_ground_current() -> None:
    """Three-phase fault: each pole carries a third of a balanced system, the three together nothing to ground."""
    model = _feeder()
    poles = tuple(
        line(
            f"line.pole{phase}",
            ("3", "4"),
            phases=(phase,),
            z_mutual_ohm=0.0,
            switch=_gear(SwitchKind.RECLOSER, 400.0 + phase, ground_a=150.0, group="rc"),
        )
        for phase in (1, 2, 3)
    )
    kept = tuple(b for b in model.branches if b.id != "line.recloser")
    factor = _factor(replace(model, branches=(*kept, *poles)))
    short = _short(factor, "5", (1, 2, 3), FaultKind.THREE_PHASE)
    (seen,) = (s for s in device_currents(short) if s.device.name == "rc")
    assert seen.device.elements == ("line.pole1", "line.pole2", "line.pole3")
    assert seen.device.pickup_a == 401.0
    np.testing.assert_allclose(seen.current_a, np.abs(short.current_a), rtol=1e-9)
    assert seen.ground_a < 1e-6
    assert [c.device.name for c in clearing(short).devices] == ["rc"]


def test_reach_is_the_weakest_fault_up_to_the_next_device_that_clears() -> None:
    """Phase faults: the recloser's zone ends at bus 5, where between two phases flows sqrt(3)/2 E / (zs + 4 (z - zm));
    the breaker's ends at bus 3 (bus 6 is the fuse's), with two impedances."""
    factor = _factor(_feeder())
    found = protection_reach(factor, kinds=[FaultKind.THREE_PHASE, FaultKind.LINE_LINE])
    assert not isinstance(found, NotSolved)
    reach = {r.device.name: r for r in found}
    for name, impedances, pickup, zone in (
        ("line.breaker", 2, 600.0, ("2", "3")),
        ("line.recloser", 4, 400.0, ("4", "5")),
    ):
        current = 3.0**0.5 / 2.0 * E_V / abs(Z_SOURCE + impedances * (Z_SELF - Z_MUTUAL))
        assert reach[name].zone_buses == zone
        assert reach[name].weakest.bus == zone[-1]
        assert reach[name].weakest.kind is FaultKind.LINE_LINE
        assert reach[name].smallest_a == pytest.approx(current, rel=1e-9)
        assert reach[name].seen.margin == pytest.approx(current / pickup, rel=1e-9)
    assert "line.tie" not in reach  # open


def test_reach_says_where_a_device_is_blind() -> None:
    """Through 40 ohm to ground less than 2448 V / 40 ohm flows: below every pickup, and the reach says so."""
    found = protection_reach(_factor(_feeder()), kinds=[FaultKind.LINE_GROUND], r_fault_ohm=40.0)
    assert not isinstance(found, NotSolved)
    margins = {r.device.name: r.seen.margin for r in found}
    assert set(margins) == {"line.breaker", "line.recloser", "line.fuse"}
    assert margins["line.fuse"] is None
    assert margins["line.breaker"] is not None
    assert margins["line.breaker"] < 1.0
    assert all(r.smallest_a < E_V / 40.0 for r in found)


def test_a_device_fed_from_both_sides_has_a_reach_each_way() -> None:
    found = protection_reach(_factor(_feeder(), tie_closed=True), kinds=[FaultKind.THREE_PHASE])
    assert not isinstance(found, NotSolved)
    ways = [(r.device.name, r.zone_buses) for r in found]
    assert ("line.recloser", ("4", "5")) in ways
    assert ("line.recloser", ("2", "3")) in ways
