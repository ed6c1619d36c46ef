"""Conductors with one phase open, against the network law written as dense matrices and against OpenDSS."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adms.adapters.importers.opendss import import_opendss
from adms.core.ids import ElementId, ModelVersion
from adms.grid.arrays import S_BASE_VA, NetworkArrays
from adms.grid.model import NetworkModel, VoltageLaw
from adms.grid.state import normal_state
from adms.powerflow import PowerFlow, solve_power_flow
from tests.unit.powerflow.networks import arrays_of, bus, gear, line, load, nodes, source

IMPEDANCE = VoltageLaw(z_frac=1.0)


def _one_pole_open(*, delta: bool) -> NetworkModel:
    """Source - three poles of a switch - a coupled line - loads of constant impedance; the third pole is open."""
    phases = (1, 2, 3)
    at = nodes("3")
    pairs = ((at[0], at[1]), (at[1], at[2]), (at[2], at[0])) if delta else tuple((n, None) for n in at)
    drawn = load("load.c", pairs, s_va=300e3 + 150e3j, law=(1.0, 0.0, 0.0))
    return NetworkModel(
        name="one pole open",
        frequency_hz=60.0,
        buses=(bus("1"), bus("2"), bus("3")),
        sources=(source("source.s", "1"),),
        branches=(
            *(
                line(f"switch.p{p}", ("1", "2"), phases=(p,), z_ohm=1e-4, z_mutual_ohm=0.0, switch=gear(closed=p < 3))
                for p in phases
            ),
            line("line.l23", ("2", "3")),
        ),
        capacitors=(),
        loads=(drawn,),
        ders=(),
    )


@pytest.mark.parametrize("delta", [True, False])
def test_an_open_phase_has_the_voltage_that_its_loads_and_its_line_leave(delta: bool) -> None:
    arrays = arrays_of(_one_pole_open(delta=delta))
    grid = normal_state(arrays.model)
    s = arrays.injector_s_nominal_va
    flow = solve_power_flow(arrays, grid, s_nominal_va=s, tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    y_source, norton = arrays.source_norton_pu()
    a = arrays.incidence.toarray()
    of_loads = a @ np.diag(-np.conj(s / S_BASE_VA) * arrays.injector_v_scale**2) @ a.T
    dense = arrays.admittance_pu(grid).toarray() + y_source.toarray() + of_loads
    expected = np.linalg.solve(dense, norton)
    # What the stray capacitance changes: 1e-8 of what the loads are, 0.1.
    assert np.abs(flow.v_phasor_pu - expected).max() < 1e-6
    open_phase = [i for i, node in enumerate(arrays.nodes) if node.phase == 3 and node.bus != "1"]
    assert not flow.energised[open_phase].any()
    assert bool(np.abs(expected[open_phase]).min() > 0.3) is delta


def test_a_conductor_that_nothing_ties_to_ground_disturbs_nobody() -> None:
    model = replace(_one_pole_open(delta=False), loads=())
    arrays = arrays_of(model)
    flow = solve_power_flow(arrays, normal_state(model), s_nominal_va=np.zeros(0, dtype=np.complex128))
    assert isinstance(flow, PowerFlow)
    assert np.isfinite(flow.v_phasor_pu).all()
    live = flow.energised
    # Without a current there is no drop: 1.02 pu of the source everywhere.
    assert np.abs(np.abs(flow.v_phasor_pu[live]) - 1.02).max() < 1e-6


OVERLAY = """
schema_version = 1
name = "pole"
[[switch]]
id = "switch.x"
in_line = "line.670671"
at = "fr"
kind = "fuse"
single_pole = true
normally_closed = true
remote = false
travel_s = 1.0
"""


def test_the_13_bus_feeder_with_one_pole_open_is_opendss_with_one_conductor_open(
    project_root: Path, tmp_path: Path
) -> None:
    from dss import DSS

    deck = project_root / "tests/cases/feeders/13Bus" / "IEEE13Nodeckt.dss"
    overlay = tmp_path / "pole.toml"
    overlay.write_text(OVERLAY)
    model = import_opendss(deck, overlay=overlay)
    arrays = NetworkArrays(model, version=ModelVersion("13"))
    grid = normal_state(model).with_switch(ElementId("switch.x_3"), closed=False)
    flow = solve_power_flow(arrays, grid, s_nominal_va=arrays.injector_s_nominal_va, tolerance_pu=1e-10)
    assert isinstance(flow, PowerFlow)

    before = DSS.AllowChangeDir
    DSS.AllowChangeDir = False
    engine = DSS.NewContext()
    try:
        engine.Text.Command = f'redirect "{deck}"'
        for command in ("set maxcontroliter=200", "solve", "solve", "set controlmode=off", "open line.670671 1 3"):
            engine.Text.Command = command
        engine.Text.Command = "set tolerance=1e-10 maxiterations=500"
        engine.ActiveCircuit.Solution.Solve()
        packed = np.asarray(engine.ActiveCircuit.AllBusVolts)
        names = [str(name).lower() for name in engine.ActiveCircuit.AllNodeNames]
    finally:
        engine.ClearAll()
        DSS.AllowChangeDir = before
    truth = dict(zip(names, packed[0::2] + 1j * packed[1::2], strict=True))
    compared = 0
    for row, node in enumerate(arrays.nodes):
        if (name := f"{node.bus}.{node.phase}") in truth:
            assert abs(flow.v_phasor_pu[row] - truth[name] / arrays.v_base_v[row]) < 1e-6, name
            compared += 1
    assert compared == len(truth)
