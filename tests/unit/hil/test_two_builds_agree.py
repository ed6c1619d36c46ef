"""The overlay is applied twice: by the importer to the service's model, by the bench to its OpenDSS plant. Neither
knows the other; where they agree, both read it right. Expected voltages come from OpenDSS."""

import numpy as np
import pytest

from adms.adapters.importers.opendss import import_opendss
from adms.core.ids import BusId, ElementId, ModelVersion
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NodeRef
from adms.grid.state import GridState, normal_state
from adms.powerflow.solve import PowerFlow, solve_power_flow
from hil.overlay import read_overlay
from hil.plant.circuit import Circuit, build_circuit
from tests.unit.hil.bench_case import FILES

RESTORED = {
    # The demo's default fault, isolated; what lies behind it is fed by a neighbour over 95-195.
    "switch.s_l67": False,
    "switch.s_l73": False,
    "switch.t95_195": True,
}
TAPS = {
    "transformer.reg1a": 5,
    "transformer.reg2a": -2,
    "transformer.reg3a": 2,
    "transformer.reg3c": -1,
    "transformer.reg4a": 9,
    "transformer.reg4b": 3,
    "transformer.reg4c": 6,
}
DERS = {"der.pv_48": 100e3 + 20e3j, "der.battery_47": -80e3 + 30e3j}


@pytest.fixture(scope="module")
def arrays() -> NetworkArrays:
    model = import_opendss(FILES.deck, overlay=FILES.overlay)
    return NetworkArrays(model, version=ModelVersion("test"))


@pytest.fixture(scope="module")
def plant() -> Circuit:
    return build_circuit(FILES.deck, overlay=read_overlay(FILES.overlay))


def plant_voltages(plant: Circuit, *, load_factor: float, switches: dict[str, bool]) -> dict[NodeRef, complex]:
    engine = plant.engine
    for switch in plant.overlay.switches:
        engine.set_switch(plant.element(switch.id), closed=switches.get(switch.id, switch.normally_closed))
    for tap, position in TAPS.items():
        plant.set_tap(tap, position=position)
    engine.set_loads(np.array([complex(load.p_w, load.q_var) * load_factor for load in plant.loads]))
    for der, s in DERS.items():
        engine.set_generator(plant.element(der).split(".", 1)[1], s_injection_va=s)
    assert engine.solve()
    per_unit = engine.voltages() / engine.node_bases()
    return {NodeRef(BusId(bus), phase): v for (bus, phase), v in zip(engine.node_names(), per_unit, strict=True)}


def model_voltages(arrays: NetworkArrays, *, load_factor: float, switches: dict[str, bool]) -> PowerFlow:
    grid: GridState = normal_state(arrays.model)
    for switch, closed in switches.items():
        grid = grid.with_switch(ElementId(switch), closed=closed)
    for tap, position in TAPS.items():
        grid = grid.with_tap(ElementId(tap), position=position)
    s = arrays.injector_s_nominal_va * load_factor
    for der, power in DERS.items():
        rows = arrays.injector_rows[ElementId(der)]
        s[rows] = power / len(rows)
    flow = solve_power_flow(arrays, grid, s_nominal_va=s, tolerance_pu=1e-10)
    assert isinstance(flow, PowerFlow), flow
    return flow


@pytest.mark.parametrize("switches", [{}, RESTORED], ids=["normal", "restored"])
@pytest.mark.parametrize("load_factor", [0.6, 1.0])
def test_model_and_plant_have_the_same_voltages(
    arrays: NetworkArrays, plant: Circuit, load_factor: float, switches: dict[str, bool]
) -> None:
    flow = model_voltages(arrays, load_factor=load_factor, switches=switches)
    truth = plant_voltages(plant, load_factor=load_factor, switches=switches)
    live = [i for i in range(arrays.node_count) if flow.energised[i]]
    difference = np.array([flow.v_phasor_pu[i] - truth[arrays.nodes[i]] for i in live])
    assert len(live) > 270
    assert np.abs(difference).max() < 1e-6
    dead = [abs(truth[arrays.nodes[i]]) for i in range(arrays.node_count) if not flow.energised[i]]
    assert max(dead, default=0.0) < 0.02
