"""When the head counts as measured: by meters of its power, or by voltages that leave no power open."""

from collections.abc import Iterable

import numpy as np

from adms.core.estimate import Estimate, Grade
from adms.core.ids import BusId, ElementId
from adms.core.telemetry import PointKey, PointKind
from adms.grid.model import NodeRef
from adms.grid.state import normal_state
from tests.unit.estimation.scans import flow_keys, scan, snapshot, true_values, voltage_keys
from tests.unit.estimation.test_estimator import prior_of, solved
from tests.unit.powerflow.networks import arrays_of, four_buses

ARRAYS = arrays_of(four_buses())
GRID = normal_state(ARRAYS.model)
FLOW = solved(ARRAYS, GRID)
BUSES = tuple(bus.id for bus in ARRAYS.model.buses)


def seen(buses: Iterable[str], *, angles: bool, currents: Iterable[str] = (), powers: Iterable[str] = ()) -> Estimate:
    """With perfect meters: of voltages, and of currents (phasors) or powers at the first ends of branches."""
    sizes = [*voltage_keys(ARRAYS, buses), *flow_keys(ARRAYS, powers)]
    value, sigma = true_values(ARRAYS, GRID, flow=FLOW, keys=sizes).tolist(), []
    sigma = [1e-3 * abs(one) for one in value]
    keys = list(sizes)
    if angles:
        for key in voltage_keys(ARRAYS, buses):
            at = ARRAYS.node_idx[NodeRef(BusId(key.element), key.phase)]
            keys.append(PointKey(kind=PointKind.V_ANGLE, element=key.element, phase=key.phase))
            value.append(float(np.angle(FLOW.v_phasor_pu[at])))
            sigma.append(1e-3)
    for branch in currents:
        index = ARRAYS.branch_idx[ElementId(branch)]
        i = ARRAYS.branch_current_a(index, GRID, FLOW.v_phasor_pu)
        for place, node in enumerate(ARRAYS.branches[index].terminals[0]):
            for kind, one, of in (
                (PointKind.I_MAGNITUDE, abs(i[place]), 1e-2 * abs(i[place])),
                (PointKind.I_ANGLE, np.angle(i[place]), 1e-2),
            ):
                keys.append(PointKey(kind=kind, element=branch, side=0, phase=node.phase))
                value.append(float(one))
                sigma.append(float(of))
    taken = snapshot(ARRAYS, keys, value=np.array(value), sigma=np.array(sigma))
    return scan(taken, ARRAYS, grid=GRID, prior=prior_of(ARRAYS))[1]


def test_voltage_phasors_at_every_bus_say_what_every_branch_carries() -> None:
    got = seen(BUSES, angles=True)
    assert (got.grade, got.reason) == (Grade.SOLVED, "")


def test_voltage_magnitudes_at_every_bus_leave_the_powers_open() -> None:
    got = seen(BUSES, angles=False)
    assert got.grade is Grade.INCONSISTENT
    assert got.reason == "no power or current measurement is in use on phase 1, 2, 3"


def test_voltage_phasors_at_the_head_alone_do_not_say_what_it_delivers() -> None:
    got = seen(("1",), angles=True)
    assert got.grade is Grade.INCONSISTENT
    assert got.reason.startswith("no power or current measurement is in use on phase 1, 2, 3")


def test_phasors_of_the_current_at_the_head_are_a_measurement_of_it() -> None:
    got = seen(("1",), angles=True, currents=("line.l12",))
    assert (got.grade, got.reason) == (Grade.SOLVED, "")


def test_a_power_at_the_head_is_one_as_well() -> None:
    got = seen(("1",), angles=False, powers=("line.l12",))
    assert (got.grade, got.reason) == (Grade.SOLVED, "")
