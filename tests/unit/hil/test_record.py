"""What a trace takes from a plant."""

import numpy as np
import pytest

from hil.measures.moves import direction_of
from hil.plant.der import DerUnit, RideThrough
from hil.record import Trace
from tests.unit.hil.bench_case import bench
from tests.unit.hil.measures.records import der


def test_a_scan_keeps_the_moves_pv_and_der_of_the_plant() -> None:
    plant = bench().plant()
    regulator, capacitor = "transformer.reg1a", next(iter(plant.capacitors))
    tap, steps = plant.taps[regulator], plant.capacitors[capacitor]
    plant.automatic = dict.fromkeys(plant.automatic, False)
    names = list(plant.ders)
    pv = next(name for name in names if plant.ders[name].entry.kind == "pv")
    unit = plant.ders[pv]
    unit.p_target_w, unit.q_target_var, unit.leased = 1000.0, None, True
    plant.move_tap(regulator, position=tap - 1)
    plant.switch_capacitor(capacitor, steps=1 - steps)
    plant.advance(2.0)
    trace = Trace(nodes=plant.circuit.nodes)
    trace.take(plant, in_fault=False)

    assert trace.first_positions[regulator] == tap - 1
    assert {trace.first_positions[name] for name in plant.closed} == {0, 1}
    moves = {event.element: direction_of(event) for event in plant.events if event.what in {"tap", "capacitor"}}
    assert moves == {regulator: -1, capacitor: 1 - 2 * steps}

    running = [u for u in plant.ders.values() if u.entry.kind == "pv"]
    assert trace.pv_w == [pytest.approx(sum(u.p_w for u in running))]
    assert trace.pv_available_w == [pytest.approx(sum(u.available_w for u in running))]
    assert trace.pv_available_w[0] > trace.pv_w[0]

    assert [entry.id for entry in trace.ders] == names
    (scan,) = trace.der
    column = names.index(pv)
    assert list(scan.leased) == [name == pv for name in names]
    assert scan.p_lease_w[column] == 1000.0
    assert np.isnan(scan.q_lease_var).all()  # the only lease says nothing of reactive power
    assert np.isnan(np.delete(scan.p_lease_w, column)).all()
    assert list(scan.p_w) == [u.p_w for u in plant.ders.values()]
    assert scan.p_high_w[column] == unit.available_w
    assert (scan.p_low_w <= scan.p_w + 1e-6).all()
    assert not scan.away.any()


def test_pv_that_tripped_counts_neither_as_there_nor_as_available() -> None:
    plant = bench().plant()
    for unit in plant.ders.values():
        if unit.entry.kind == "pv":
            unit.tripped = True  # type: ignore[misc]
    trace = Trace(nodes=plant.circuit.nodes)
    trace.take(plant, in_fault=False)
    assert trace.pv_w == [0.0]
    assert trace.pv_available_w == [0.0]
    assert [entry.id for entry, away in zip(trace.ders, trace.der[0].away, strict=True) if away] == [
        entry.id for entry in trace.ders if entry.kind == "pv"
    ]


def test_a_full_store_draws_nothing() -> None:
    plant = bench().plant()
    name, unit = next((n, u) for n, u in plant.ders.items() if u.soc_frac is not None)
    column = list(plant.ders).index(name)
    trace = Trace(nodes=plant.circuit.nodes)
    trace.take(plant, in_fault=False)
    unit.soc_frac = 1.0  # type: ignore[misc]
    trace.take(plant, in_fault=False)
    assert [scan.p_low_w[column] for scan in trace.der] == [unit.entry.p_min_w, 0.0]


def test_a_unit_that_ceases_or_comes_back_is_away_until_it_may_use_all_of_its_rating() -> None:
    entry = der("der.pv")
    ride = RideThrough(
        cease_below_pu=0.5,
        trip_after_s=1.0,
        return_min_pu=0.9,
        return_max_pu=1.05,
        return_delay_s=4.0,
        return_ramp_s=4.0,
    )
    unit = DerUnit(entry, ride_through=ride, soc_frac=None)
    shares: list[float] = []
    for v_pu in (1.0, 0.2, 0.2, 1.0, 1.0, 1.0, 1.0, 1.0):
        unit.step(2.0 if shares else 1.0, irradiance_frac=1.0, v_pu=v_pu)
        shares.append(unit.share_frac)
    # Runs; ceases at once and trips; good for 2 s of 4; back after 4 s with the first 2 of 4 s of its ramp; then all.
    assert shares == [1.0, 0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0]
