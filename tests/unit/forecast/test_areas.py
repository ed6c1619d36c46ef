"""Which parts of a network have metered borders."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from adms.core.estimate import Estimate, Grade, Innovations, Use
from adms.core.ids import ElementId, SnapshotId
from adms.core.telemetry import PointKey, PointKind
from adms.forecast.areas import MeteredAreas, metered_areas, used_points
from adms.grid.arrays import NetworkArrays
from adms.grid.state import GridState, normal_state
from tests.unit.estimation.scans import flow_keys, injection_keys
from tests.unit.powerflow.networks import arrays_of, four_buses


def estimate_of(arrays: NetworkArrays, grid: GridState, keys: list[PointKey]) -> Estimate:
    """Only what finding areas looks at."""
    nothing = np.zeros(0)
    return Estimate(
        snapshot_id=SnapshotId("scan"),
        model_version=arrays.version,
        time=datetime(2026, 1, 1, tzinfo=UTC),
        grade=Grade.SOLVED,
        reason="",
        topology_version=grid.topology_version,
        v_phasor_pu=nothing.astype(np.complex128),
        sigma_v_pu=nothing,
        sigma_source=nothing.astype(np.int64),
        s_injection_va=nothing.astype(np.complex128),
        s_source_va=nothing.astype(np.complex128),
        losses_w=0.0,
        innovations=Innovations(
            keys=tuple(keys),
            residual=np.zeros(len(keys)),
            residual_sigma=np.ones(len(keys)),
            normalized=np.zeros(len(keys)),
            critical=np.zeros(len(keys), dtype=np.bool_),
            use=(Use.USED,) * len(keys),
            why=("",) * len(keys),
        ),
        chi2=0.0,
        degrees_of_freedom=0,
        iterations=1,
        oldest_input_s=0.0,
    )


def areas_of(keys: list[PointKey], *, tie_closed: bool = False) -> MeteredAreas:
    arrays = arrays_of(four_buses())
    grid = normal_state(arrays.model).with_switch(ElementId("line.t35"), closed=tie_closed)
    estimate = estimate_of(arrays, grid, keys)
    return metered_areas(estimate, arrays=arrays, grid=grid, used=used_points(estimate), areas_max=24)


ARRAYS = arrays_of(four_buses())
HEAD = injection_keys(("source.main",))
FLOW = flow_keys(ARRAYS, ("line.l12",))


def test_without_a_meter_there_is_no_area() -> None:
    assert areas_of([]).count == 0


def test_a_metered_source_makes_one_area_of_all_it_feeds() -> None:
    areas = areas_of(HEAD)
    assert areas.count == 1
    assert (areas.row_area == 0).all()
    assert areas.sign[0].tolist() == areas.sign[1].tolist() == [1]


def test_a_metered_line_takes_from_one_area_what_it_gives_the_next() -> None:
    areas = areas_of([*HEAD, *FLOW])
    # Loads 3a, 3bc and 4 (190 kW) are beyond the line, load 1 (three rows, 90 kW) before it.
    assert areas.count == 2
    assert areas.row_area.tolist() == [1, 1, 1, 0, 0, 0]
    entering = dict.fromkeys(range(len([*HEAD, *FLOW])), 0)
    for point, area, sign in zip(areas.point[0], areas.area[0], areas.sign[0], strict=True):
        entering[int(point)] += int(sign) * (1 if area == 0 else 10)
    keys = [*HEAD, *FLOW]
    for index, key in enumerate(keys):
        expected = {PointKind.P_INJECTION: 10, PointKind.P_FLOW: 1 - 10}.get(key.kind, 0)
        assert entering[index] == expected


def test_beyond_a_metered_line_an_unmetered_source_does_not_matter() -> None:
    areas = areas_of(FLOW)
    assert areas.count == 1
    assert areas.row_area.tolist() == [-1, -1, -1, 0, 0, 0]


def test_a_second_source_without_a_meter_spoils_its_area() -> None:
    assert areas_of([*HEAD, *FLOW], tie_closed=True).row_area.tolist() == [0, 0, 0, -1, -1, -1]


def test_two_of_three_phases_are_no_border() -> None:
    assert areas_of([key for key in FLOW if key.phase != 3]).count == 0


def test_only_p_around_an_area_says_nothing_of_q() -> None:
    areas = areas_of([key for key in FLOW if key.kind is PointKind.P_FLOW])
    assert areas.whole[0].tolist() == [1]
    assert areas.whole[1].tolist() == [0]


def test_a_der_without_telemetry_is_named_and_one_with_is_not() -> None:
    assert (areas_of(HEAD).der_area == 0).all()
    assert (areas_of([*HEAD, *injection_keys(("der.pv3",))]).der_area == -1).all()


def test_a_rejected_point_is_no_border() -> None:
    grid = normal_state(ARRAYS.model)
    estimate = estimate_of(ARRAYS, grid, HEAD)
    rejected = replace(estimate.innovations, use=(Use.REJECTED,) * len(HEAD))
    assert used_points(replace(estimate, innovations=rejected)) == frozenset()
