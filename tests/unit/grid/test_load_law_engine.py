"""The load law against the OpenDSS engine: one load at a stiff source, its voltage swept."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from dss import DSS

from adms.core.ids import BusId, ElementId
from adms.grid.load_law import law_row, voltage_factors
from adms.grid.model import CONSTANT_POWER, Load, NodeRef, OutsideRule, VoltageLaw

Z = VoltageLaw(z_frac=1.0)
CURRENT = VoltageLaw(i_frac=1.0)
V_PU = np.array(
    [0.05, 0.3, 0.499, 0.501, 0.599, 0.6, 0.601, 0.7, 0.899, 0.901, 0.95, 1.0, 1.06, 1.099, 1.101, 1.3, 1.5]
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    """A context of its own."""
    context = DSS.NewContext()
    yield context
    context.ClearAll()


def swept(engine: Any, model: int, more: str) -> tuple[np.ndarray, np.ndarray]:
    """(P, Q) over nominal that the engine has at each of `V_PU`."""
    for command in (
        "clear",
        "new circuit.c basekv=1 phases=1 bus1=a.1 model=ideal puzideal=[1e-9 1e-9]",
        f"new load.x bus1=a.1 phases=1 kv=1 kw=100 kvar=50 vminpu=0.9 vmaxpu=1.1 model={model} {more}",
        "set tolerance=1e-12 maxiterations=500",
    ):
        engine.Text.Command = command
    found = []
    for v in V_PU:
        engine.Text.Command = f"vsource.source.pu={v}"
        engine.ActiveCircuit.Solution.Solve()
        engine.ActiveCircuit.SetActiveElement("load.x")
        found.append(engine.ActiveCircuit.ActiveCktElement.Powers[:2] / np.array([100.0, 50.0]))
    return tuple(np.array(found).T)


def load(law: VoltageLaw, q_law: VoltageLaw, **more: Any) -> Load:
    """Of the engine's limits."""
    nodes = ((NodeRef(BusId("a"), 1), None),)
    limits = {"v_low_pu": 0.9, "v_high_pu": 1.1, **more}
    return Load(
        id=ElementId("load.x"), pairs=nodes, p_w=1.0, q_var=1.0, v_nominal_v=1.0, law=law, q_law=q_law, **limits
    )


EXPONENT_LAWS = (VoltageLaw(e_frac=1.0, exponent=0.8), VoltageLaw(e_frac=1.0, exponent=3.0))
ZIP_LAWS = (VoltageLaw(z_frac=0.2, i_frac=0.3, p_frac=0.5), VoltageLaw(z_frac=0.1, i_frac=0.5, p_frac=0.4))
CASES = {
    "1 constant power": (1, "", load(CONSTANT_POWER, CONSTANT_POWER)),
    "1 with a floor above": (1, "vlowpu=0.95", load(CONSTANT_POWER, CONSTANT_POWER, v_floor_pu=0.95)),
    "2 constant impedance": (2, "", load(Z, Z)),
    "3 constant P, quadratic Q": (3, "", load(CONSTANT_POWER, Z, outside=OutsideRule.POWER)),
    "4 exponents": (4, "cvrwatts=0.8 cvrvars=3", load(*EXPONENT_LAWS, outside=OutsideRule.POWER)),
    "5 constant current": (5, "", load(CURRENT, CURRENT)),
    "6 constant P, fixed Q": (6, "", load(CONSTANT_POWER, CONSTANT_POWER, outside=OutsideRule.FIXED_Q)),
    "7 constant P, fixed reactance": (7, "", load(CONSTANT_POWER, Z, outside=OutsideRule.FIXED_Q)),
    "8 ZIP": (8, "zipv=[0.2 0.3 0.5 0.1 0.5 0.4 0]", load(*ZIP_LAWS)),
    "8 ZIP with a cut-off": (8, "zipv=[0.2 0.3 0.5 0.1 0.5 0.4 0.6]", load(*ZIP_LAWS, v_cut_pu=0.6)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_law_is_the_engines_at_every_voltage(engine: Any, case: str) -> None:
    model, more, element = CASES[case]
    p, q = swept(engine, model, more)
    # A voltage that is a limit to the last digit may fall on either side of it in the engine.
    v = V_PU[:, None].T
    found = voltage_factors(v, np.array([law_row(element)]))
    away = np.abs(V_PU - element.v_floor_pu) > 1e-6
    # 1e-6: the stiff source's 1e-9 pu of impedance on 1 GVA, times the cut-off's slope of 250 a per unit.
    assert np.allclose(found[0][0][away], p[away], rtol=0, atol=1e-6)
    assert np.allclose(found[1][0][away], q[away], rtol=0, atol=1e-6)
