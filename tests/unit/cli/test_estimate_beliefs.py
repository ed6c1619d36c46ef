"""What `adms estimate` believes where nobody measures."""

import numpy as np
import pytest

from adms.cli.estimate import Pseudo
from adms.cli.estimate_beliefs import POLICY, beliefs, without_measured
from adms.core.ids import ElementId
from adms.core.telemetry import PointKey, PointKind, TelemetrySnapshot
from adms.estimation import prior_from_model
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NetworkModel
from adms.grid.state import normal_state
from tests.unit.cli.scan_files import four_bus_keys
from tests.unit.estimation.scans import snapshot
from tests.unit.powerflow.networks import arrays_of, bus, four_buses, line, load, nodes, source

ARRAYS = arrays_of(four_buses())


def taken(*keys: PointKey, arrays: NetworkArrays = ARRAYS) -> TelemetrySnapshot:
    """Fresh points of any value."""
    return snapshot(arrays, keys, value=np.ones(len(keys)), sigma=np.ones(len(keys)))


def point(element: str, kind: PointKind = PointKind.P_INJECTION, *, phase: int = 0) -> PointKey:
    return PointKey(kind=kind, element=element, phase=phase)


def unknown_p(*keys: PointKey) -> list[tuple[str, int]]:
    """(element, phase) of injectors without a pseudo-measurement of P."""
    prior = without_measured(prior_from_model(ARRAYS, POLICY), ARRAYS, snapshot=taken(*keys))
    rows = np.flatnonzero(np.isinf(prior.sigma_p_va))
    return [(ARRAYS.injectors[i].element, ARRAYS.nodes[ARRAYS.injectors[i].fr].phase) for i in rows]


@pytest.mark.parametrize(
    ("key", "left_out"),
    [
        (point("load.l4"), [("load.l4", 1)]),
        (point("load.l4", phase=1), [("load.l4", 1)]),
        (point("load.l4", PointKind.P_AVERAGE), [("load.l4", 1)]),
        (point("load.l3bc", phase=2), [("load.l3bc", 2)]),
        (point("load.l1", phase=3), [("load.l1", 3)]),
        # A total of three phases does not say how they share it.
        (point("load.l1"), []),
        (point("der.pv3"), []),
        # The only load of bus 4; of bus 3 there are several; of bus 1 the source is part.
        (point("4"), [("load.l4", 1)]),
        (point("3"), []),
        (point("1", phase=1), []),
        (point("source.main"), []),
        (point("load.l4", PointKind.Q_INJECTION), []),
        (PointKey(kind=PointKind.V_MAGNITUDE, element="4", phase=1), []),
    ],
)
def test_a_power_that_a_row_gives_by_itself_has_no_pseudo_measurement(
    key: PointKey, left_out: list[tuple[str, int]]
) -> None:
    assert unknown_p(key) == left_out


def test_active_and_reactive_power_are_left_out_each_by_its_own_row() -> None:
    prior = without_measured(
        prior_from_model(ARRAYS, POLICY), ARRAYS, snapshot=taken(point("load.l4", PointKind.Q_AVERAGE))
    )
    row = ARRAYS.injector_rows[ElementId("load.l4")]
    assert np.isinf(prior.sigma_q_va[row]).all()
    assert np.isfinite(prior.sigma_p_va).all()


def test_a_row_that_is_too_old_leaves_its_pseudo_measurement() -> None:
    old = taken(point("load.l4"))
    old.age_s[0] = POLICY.telemetry_max_age_s + 1.0
    prior = without_measured(prior_from_model(ARRAYS, POLICY), ARRAYS, snapshot=old)
    assert np.isfinite(prior.sigma_p_va).all()


def test_without_pseudo_measurements_the_sources_are_free_and_their_angle_is_the_reference() -> None:
    grid = normal_state(ARRAYS.model)
    got = beliefs(ARRAYS, grid, snapshot=taken(*four_bus_keys(ARRAYS)), asked=Pseudo.NONE)
    assert (got.rule, got.why, got.held) == ("none", "asked for", 0)
    assert got.policy.source_v_sigma_pu == np.inf
    assert got.policy.source_angle_sigma_rad == POLICY.source_angle_sigma_rad
    assert np.isinf(got.prior.sigma_q_va).all()


def test_phasor_measurements_bring_the_reference_where_there_is_one_source() -> None:
    angle = PointKey(kind=PointKind.V_ANGLE, element="1", phase=1)
    two = beliefs(ARRAYS, normal_state(ARRAYS.model), snapshot=taken(angle), asked=Pseudo.ALL)
    assert two.policy.source_angle_sigma_rad == POLICY.source_angle_sigma_rad
    one_source = arrays_of(
        NetworkModel(
            name="one source",
            frequency_hz=60.0,
            buses=(bus("1"), bus("2")),
            sources=(source("source.main", "1"),),
            branches=(line("line.l12", ("1", "2")),),
            capacitors=(),
            loads=(load("load.l2", ((nodes("2")[0], None),), s_va=1e3 + 0j),),
            ders=(),
        )
    )
    one = beliefs(
        one_source, normal_state(one_source.model), snapshot=taken(angle, arrays=one_source), asked=Pseudo.ALL
    )
    assert one.policy.source_angle_sigma_rad == 1.0
