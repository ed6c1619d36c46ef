import numpy as np

from hil.meters import GATEWAY, Meters, name_of
from tests.unit.hil.bench_case import bench, scenario


def test_noise_has_the_stated_sigma_and_no_bias() -> None:
    setup = bench()
    plant = setup.plant()
    meters = Meters(plant, plan=setup.scenario.meters, seed=5)
    points = meters.points_of(GATEWAY)
    draws: dict[int, list[float]] = {}
    for _ in range(400):
        scan = meters.scan()[GATEWAY]
        for index, value in zip(scan.index, scan.value, strict=True):
            if points[index].sigma is not None and points[index].kind in {"p_flow_w", "q_flow_var"}:
                draws.setdefault(index, []).append(value)
    for index, values in draws.items():
        sigma = points[index].sigma
        assert sigma is not None
        # 400 draws: the sample sigma is within 4 x 1/sqrt(800) of the stated one, the mean within 5 x 1/sqrt(400).
        assert abs(np.std(values) / sigma - 1.0) < 0.15
        truth = plant.flow(points[index].element, side=points[index].side)[1]
        wanted = truth.real if points[index].kind == "p_flow_w" else truth.imag
        assert min(abs(np.mean(values) - wanted)) < 0.25 * sigma


def test_values_drop_out_at_the_stated_rate() -> None:
    setup = bench()
    meters = Meters(setup.plant(), plan=setup.scenario.meters, seed=5)
    noisy = sum(p.sigma is not None for p in meters.points_of(GATEWAY))
    missing = sum(len(meters.points_of(GATEWAY)) - len(meters.scan()[GATEWAY].index) for _ in range(300))
    # Binomial with the scenario's rate: within four standard deviations.
    mean = 300 * noisy * scenario().meters.drop_out_frac
    assert abs(missing - mean) < 4 * np.sqrt(mean)


def test_each_quantity_has_one_source_and_every_der_its_own() -> None:
    setup = bench()
    plant = setup.plant()
    meters = Meters(plant, plan=setup.scenario.meters, seed=5)
    names = [name_of(point) for owner in (GATEWAY, *plant.ders) for point in meters.points_of(owner)]
    assert len(names) == len(set(names))
    assert len(plant.ders) >= 20
    for der in plant.ders:
        kinds = {point.kind for point in meters.points_of(der)}
        assert {"p_injection_w", "q_injection_var", "p_available_w", "remote"} <= kinds


def test_positions_and_flags_are_exact() -> None:
    setup = bench()
    plant = setup.plant()
    meters = Meters(plant, plan=setup.scenario.meters, seed=5)
    points, scan = meters.points_of(GATEWAY), meters.scan()[GATEWAY]
    shown = {name_of(points[i]): v for i, v in zip(scan.index, scan.value, strict=True)}
    assert shown["switch_closed/switch.t95_195/0/0"] == 0.0
    assert shown["switch_closed/line.sw4/0/0"] == 1.0
    for regulator, position in plant.taps.items():
        assert shown[f"tap_position/{regulator}/0/0"] == position
