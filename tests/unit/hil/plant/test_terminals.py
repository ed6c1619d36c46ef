from dataclasses import replace

import numpy as np
import pytest

from hil.engine import ComplexArray
from hil.plant.ride_through import Terminal
from hil.plant.terminals import Terminals
from tests.unit.hil.plant.units import PV

TURN = np.exp(-2j * np.pi / 3)
BALANCED: ComplexArray = np.array([1.0, TURN, TURN**2], dtype=np.complex128) * 2400.0


def terminals(v_v: ComplexArray, *, dead: int | None = None) -> Terminals:
    row = {("b", phase): phase - 1 for phase in (1, 2, 3)}
    live = frozenset(node for node in row if node[1] != dead)
    return Terminals(v_v=v_v, base_v=np.full(3, 2400.0), row=row, live=live, f_hz=59.9)


def test_a_unit_in_wye_sees_each_phase_to_ground() -> None:
    seen = terminals(BALANCED * np.array([0.9, 1.0, 1.04])).of(PV)
    assert (seen.v_low_pu, seen.v_high_pu, seen.v_mean_pu) == pytest.approx((0.9, 1.04, 0.98))
    assert seen.f_hz == 59.9


@pytest.mark.parametrize(("phases", "pairs"), [((1, 2, 3), 3), ((1, 2), 1), ((3, 1), 1)])
def test_a_unit_in_delta_sees_phase_to_phase_and_not_where_ground_is(phases: tuple[int, ...], pairs: int) -> None:
    delta = replace(PV, connection="delta", phases=phases)
    for shift in (0.0, 0.4 * 2400.0):
        seen = terminals(BALANCED + shift).of(delta)
        assert (seen.v_low_pu, seen.v_high_pu, seen.v_mean_pu) == pytest.approx((1.0, 1.0, 1.0))
    uneven = terminals(BALANCED * np.array([0.5, 1.0, 1.0])).of(delta)
    # |0.5 - e^(-j 120 deg)| / sqrt 3 = sqrt(1 + 0.25 + 0.5) / sqrt 3 = 0.7638; only phases 2 and 3 keep theirs.
    assert uneven.v_low_pu == pytest.approx(0.7638, abs=1e-4)
    assert uneven.v_high_pu == pytest.approx(1.0 if pairs == 3 else 0.7638, abs=1e-4)
    shifted = terminals(BALANCED + 960.0).to_ground(delta)
    assert shifted.v_high_pu == pytest.approx(1.4)


def test_a_unit_with_a_dead_phase_sees_nothing() -> None:
    none = Terminal(v_low_pu=0.0, v_high_pu=0.0, v_mean_pu=0.0, f_hz=59.9)
    assert terminals(BALANCED, dead=2).of(PV) == none
    assert terminals(BALANCED, dead=2).of(replace(PV, phases=(1,))) != none
