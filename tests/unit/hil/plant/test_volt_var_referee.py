"""OpenDSS' own InvControl as the referee of volt-var: another implementation of the same curve on the same feeder."""

from pathlib import Path

import numpy as np
import pytest

from hil.engine import Engine
from hil.plant.ieee1547 import VOLT_VAR
from hil.plant.terminals import Terminals
from tests.unit.hil.plant.units import PV, unit

FEEDER = """
clear
new circuit.small basekv=0.4 bus1=head pu={v_pu} r1=0.001 x1=0.002 r0=0.001 x0=0.002
new line.a bus1=head bus2=b length=1 units=km r1=0.12 x1=0.08 r0=0.4 x0=0.3 c1=0 c0=0
new load.a bus1=b phases=3 kv=0.4 kw=20 kvar=6
"""
ITS_OWN = """
new xycurve.vv npts=4 yarray=(1.0 0 0 -1.0) xarray=(0.92 0.98 1.02 1.08)
new pvsystem.pv bus1=b phases=3 kv=0.4 kva=100 pmpp=60 irradiance=1 kvarmax=44 kvarmaxabs=44 wattpriority=no
~ %cutin=0.1 %cutout=0.1 vminpu=0.5 vmaxpu=1.5
new invcontrol.vv derlist=[pvsystem.pv] mode=voltvar vvc_curve1=vv refreactivepower=varmax
~ deltaq_factor=0.2 varchangetolerance=0.00001 voltagechangetolerance=0.00001
set voltagebases=[0.4]
calcvoltagebases
set maxcontroliter=1000
set maxiterations=200
set tolerance=1e-9
"""
OURS = """
new generator.pv bus1=b phases=3 kv=0.4 kw=60 kvar=0 model=1 vminpu=0.3 vmaxpu=1.5
set voltagebases=[0.4]
calcvoltagebases
set controlmode=off
set maxiterations=200
set tolerance=1e-9
"""


def compiled(folder: Path, text: str) -> Engine:
    path = folder / "deck.dss"
    path.write_text(text)
    engine = Engine()
    engine.compile(path)
    return engine


@pytest.mark.parametrize("v_pu", [0.93, 0.97, 1.0, 1.03, 1.06])
def test_volt_var_comes_to_rest_where_opendss_inverter_control_does(tmp_path: Path, v_pu: float) -> None:
    theirs = compiled(tmp_path, FEEDER.format(v_pu=v_pu) + ITS_OWN)
    assert theirs.solve()
    expected = -complex(theirs.flows("pvsystem.pv", terminal=0)[1].sum())

    engine = compiled(tmp_path, FEEDER.format(v_pu=v_pu) + OURS)
    row = {node: i for i, node in enumerate(engine.node_names())}
    made = unit(PV, reactive_curve=VOLT_VAR["B"])
    for _ in range(120):
        engine.set_generator("pv", s_injection_va=complex(made.p_w, made.q_var))
        assert engine.solve()
        seen = Terminals(v_v=engine.voltages(), base_v=engine.node_bases(), row=row, live=frozenset(row), f_hz=None).of(
            PV
        )
        made.step(0.5, irradiance_frac=0.6, terminal=seen)
    assert made.p_w == pytest.approx(60e3)
    # Its control stops within 1e-5 of its range of 44 kvar and of voltage, which is 44 kvar / 0.06 pu x 1e-5 = 7 var.
    assert made.q_var == pytest.approx(expected.imag, abs=20.0)
    assert expected.real == pytest.approx(60e3, rel=1e-3)
    v_theirs = np.abs(theirs.voltages()[theirs.node_names().index(("b", 1))])
    assert np.abs(engine.voltages()[row["b", 1]]) == pytest.approx(v_theirs, rel=2e-5)
