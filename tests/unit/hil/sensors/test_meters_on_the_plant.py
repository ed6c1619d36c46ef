"""The meters of the operated 123-bus feeder, with and without a sensor plan, and what the service takes of them."""

from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest

from adms.adapters.importers.opendss import import_opendss
from adms.client import InputError, PointKind
from adms.core.telemetry import PointKey
from adms.grid.points import PointRules
from hil.meters import AMI, GATEWAY, Meters, name_of
from hil.plant.plant import Plant
from hil.sensors.faults import read_sensor_plan
from hil.setup import ders_setup, gateway_setup
from tests.unit.hil.bench_case import FILES, bench

AMI_PLAN = read_sensor_plan(
    {
        "interval_meters": {
            "interval_s": 6.0,
            "power_sigma_frac": 0.01,
            "report_delay_s": 2.0,
            "report_spread_s": 0.0,
            "report_distribution": "uniform",
        },
        # What they show is the truth: the means are compared with a hand calculation.
        "sensor": [{"source": AMI, "point": "*", "noise_sigma_frac": 0.0}],
    }
)


def test_without_a_plan_what_is_delivered_is_what_a_scan_shows_to_the_last_bit() -> None:
    setup = bench()
    one, other = setup.plant(), setup.plant()
    scanned = Meters(one, plan=setup.scenario.meters, seed=5)
    delivered = Meters(other, plan=setup.scenario.meters, seed=5)
    for now in (2.0, 4.0, 6.0, 8.0, 10.0):
        one.advance(now)
        other.advance(now)
        scans, deliveries = scanned.scan(), delivered.deliveries(now)
        assert list(scans) == list(deliveries)
        for owner, scan in scans.items():
            (arrived,) = deliveries[owner]
            assert (arrived.frame.index, arrived.frame.value) == (scan.index, scan.value)
            assert (arrived.frame.measure_time_s, arrived.frame.quality) == (now, ())


def test_the_noise_of_a_run_without_a_plan_is_what_it_always_was() -> None:
    # One normal and one uniform number a reading, from the stream [seed, 2, crc of the point, crc of the owner], so
    # that journals of earlier runs can be repeated.
    setup = bench()
    plant, plan = setup.plant(), setup.scenario.meters
    meters = Meters(plant, plan=plan, seed=5)
    streams = {
        (owner, index): np.random.default_rng([5, 2, crc32(name_of(point).encode()), crc32(owner.encode())])
        for owner in meters.owners
        for index, point in enumerate(meters.points_of(owner))
    }
    for now in (2.0, 4.0):
        plant.advance(now)
        scan = meters.scan()
        for owner in (GATEWAY, *plant.ders):
            shown = dict(zip(scan[owner].index, scan[owner].value, strict=True))
            for index, point in enumerate(meters.points_of(owner)):
                if point.sigma is None:
                    continue
                noise = point.sigma * float(streams[owner, index].standard_normal())
                dropped = streams[owner, index].random() < plan.drop_out_frac
                assert (index not in shown) == dropped
                if point.kind is PointKind.V_MAGNITUDE and not dropped:
                    truth = plant.node_v(point.element, phase=point.phase)
                    assert shown[index] == max(truth + noise, 0.0)


def _ami(plant: Plant) -> Meters:
    plan = replace(bench().scenario.meters, drop_out_frac=0.0)
    return Meters(plant, plan=plan, seed=5, sensors=AMI_PLAN)


def test_interval_meters_report_what_the_plant_drew_on_average() -> None:
    setup = bench()
    plant = setup.plant()
    meters = _ami(plant)
    points = meters.points_of(AMI)
    truth: dict[str, list[float]] = {name_of(point): [] for point in points}
    frames = []
    for step in range(1, 15):
        plant.advance(float(step))
        meters.observe(float(step))
        for point in points:
            if point.kind is PointKind.V_AVERAGE:
                truth[name_of(point)].append(plant.node_v(point.element, phase=point.phase))
            else:
                drawn = plant.flow(point.element, side=0)[1].sum()
                part = drawn.real if point.kind is PointKind.P_AVERAGE else drawn.imag
                truth[name_of(point)].append(-float(part))
        frames += [delivery.frame for delivery in meters.deliveries(float(step)).get(AMI, ())]
    assert [frame.measure_time_s for frame in frames] == [6.0, 12.0]
    for frame, first in zip(frames, (0, 6), strict=True):
        assert frame.index == tuple(range(len(points)))
        # Six steps of a second: their plain mean.
        wanted = [np.mean(truth[name_of(point)][first : first + 6]) for point in points]
        np.testing.assert_allclose(frame.value, wanted, rtol=1e-12)
    active = [value for point, value in zip(points, frames[0].value, strict=True) if point.kind is PointKind.P_AVERAGE]
    assert len(active) == len(setup.scenario.meters.ami_loads)
    assert max(active) < 0.0  # a load that draws is a negative injection


def test_the_service_takes_every_point_that_is_declared() -> None:
    plant = bench().plant()
    meters = _ami(plant)
    rules = PointRules(import_opendss(FILES.deck, overlay=FILES.overlay))
    problems = [
        rules.problem(PointKey(kind=p.kind, element=p.element, side=p.side, phase=p.phase), sigma=p.sigma)
        for owner in meters.owners
        for p in meters.points_of(owner)
    ]
    assert len(problems) > 400
    assert [str(problem) for problem in problems if problem is not None] == []


def test_the_gateways_process_is_told_of_the_interval_meters() -> None:
    setup = bench()
    plant = setup.plant()
    meters = _ami(plant)
    assert meters.owners == (GATEWAY, AMI, *plant.ders)
    told = gateway_setup(plant, meters, scenario=setup.scenario, endpoint="nowhere:1")["sources"]
    assert [source["source_id"] for source in told] == [GATEWAY, AMI]
    assert len(told[1]["points"]) == len(meters.points_of(AMI)) > 0
    ders = ders_setup(plant, meters, scenario=setup.scenario, endpoint="nowhere:1")["sources"]
    assert [source["source_id"] for source in ders] == list(plant.ders)


def test_a_fault_of_one_meter_leaves_every_other_as_it_was() -> None:
    setup = bench()
    plant = setup.plant()
    plan = setup.scenario.meters
    lie = read_sensor_plan(
        {
            "sensor_fault": [
                {"point": "p_flow_w/line.sw2/0/1", "kind": "scaled", "factor": 10.0, "start_s": 3.0, "duration_s": 4.0}
            ]
        }
    )
    healthy, faulty = Meters(plant, plan=plan, seed=5), Meters(plant, plan=plan, seed=5, sensors=lie)
    hit = next(k for k, p in enumerate(healthy.points_of(GATEWAY)) if name_of(p) == "p_flow_w/line.sw2/0/1")
    for now in (2.0, 4.0, 6.0, 8.0):
        plant.advance(now)
        mine, other = dict(healthy.deliveries(now)), dict(faulty.deliveries(now))
        (first,), (second,) = mine.pop(GATEWAY), other.pop(GATEWAY)
        assert other == mine
        assert second.frame.index == first.frame.index
        factor = [second.frame.value[k] / first.frame.value[k] for k, i in enumerate(first.frame.index) if i == hit]
        assert factor == [pytest.approx(10.0 if 3.0 <= now < 7.0 else 1.0)]
        rest = [k for k, i in enumerate(first.frame.index) if i != hit]
        assert [first.frame.value[k] for k in rest] == [second.frame.value[k] for k in rest]


def test_a_plan_for_meters_that_are_not_there_is_refused() -> None:
    setup = bench()
    lie = read_sensor_plan({"sensor_fault": [{"point": "p_flow_w/line.sw22/0/1", "kind": "nan", "start_s": 0.0}]})
    with pytest.raises(InputError, match=r"means no point; did you mean p_flow_w/line\.sw2/0/1\?"):
        Meters(setup.plant(), plan=setup.scenario.meters, seed=5, sensors=lie)
