"""Fault by fault against OpenDSS's `Fault` objects, and IEC 60909 levels against pandapower."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dss import DSS

from adms.adapters.importers.opendss import import_opendss
from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId, ModelVersion
from adms.grid.admittance import as_matrix
from adms.grid.arrays import NetworkArrays
from adms.grid.model import Branch, BranchKind, NetworkModel, Source
from adms.grid.state import normal_state
from adms.powerflow import Factor, NotSolved, PowerFlow, factorise, solve_power_flow
from adms.powerflow.short_circuit import (
    EquivalentVoltage,
    Fault,
    FaultKind,
    OpenCircuit,
    ShortCircuit,
    faults_at,
    short_circuit,
)
from adms.powerflow.short_circuit_levels import short_circuit_levels
from adms.powerflow.short_circuit_network import Prefault
from tests.unit.powerflow.networks import arrays_of, bus, nodes

FEEDERS = Path("tests/cases/feeders")
IEEE123 = Path("hil/feeders/ieee123/IEEE123Master.dss")
PLACES = {
    FEEDERS / "4Bus-DY-Bal/4Bus-DY-Bal.DSS": ("n2", "n4"),
    FEEDERS / "4Bus-YD-Bal/4Bus-YD-Bal.DSS": ("n2", "n4"),  # n4: delta side; n2.4: floating neutral
    FEEDERS / "4Bus-OYOD-UnBal/4bus-OYOD-UnBal.dss": ("sd_unbal_oy_od_4",),
    FEEDERS / "13Bus/IEEE13Nodeckt.dss": ("634", "611", "684"),  # 611: one phase, 684: two
    IEEE123: ("66", "610", "32", "36"),  # 610: delta-delta; 32: one phase, 36: two
}
RESISTANCE_OHM = (1e-4, 1.0, 40.0)
CURRENT_TOLERANCE = 1e-6
"""Of the fault's current, or of 1 A where it is less. The engine's own tolerance is set to 1e-10."""
VOLTAGE_TOLERANCE_PU = 5e-6
"""Ungrounded sides stand on shunts of a millionth of the transformer: what is common to their phases is known to no
more in either program (2e-6 at bus 610; 1e-8 everywhere else)."""


class _Engine:
    """A deck in an engine context of its own, loads off or of constant admittance."""

    def __init__(self, deck: Path) -> None:
        self.context = DSS.NewContext()
        self.change_folder = DSS.AllowChangeDir
        DSS.AllowChangeDir = False
        self.deck = deck
        self.count = 0
        self.command(f'redirect "{deck}"')

    def command(self, text: str) -> None:
        self.context.Text.Command = text

    def voltages(self) -> dict[str, complex]:
        circuit = self.context.ActiveCircuit
        packed = np.asarray(circuit.YNodeVarray)
        names = [name.lower() for name in circuit.YNodeOrder]
        return dict(zip(names, (packed[0::2] + 1j * packed[1::2]).tolist(), strict=True))

    def faulted(self, fault: Fault) -> tuple[dict[str, complex], ComplexArray]:
        """Voltages, V, and currents into the fault, A, with one fault; it is gone afterwards."""
        self.count += 1
        name, phases = f"f{self.count}", ".".join(map(str, fault.phases))
        if fault.kind is FaultKind.LINE_LINE:
            where = f"phases=1 bus1={fault.bus}.{fault.phases[0]} bus2={fault.bus}.{fault.phases[1]}"
        elif fault.kind is FaultKind.THREE_PHASE:
            where = f"phases=3 bus1={fault.bus}.{phases} bus2=star{self.count}.9.9.9"
        else:
            where = f"phases={len(fault.phases)} bus1={fault.bus}.{phases}"
        self.command(f"new fault.{name} {where} r={fault.r_fault_ohm}")
        self.command("solve")
        circuit = self.context.ActiveCircuit
        v = self.voltages()
        circuit.SetActiveElement(f"fault.{name}")
        packed = np.asarray(circuit.ActiveCktElement.Currents)
        current = (packed[0::2] + 1j * packed[1::2])[: circuit.ActiveCktElement.NumPhases]
        self.command(f"fault.{name}.enabled=no")
        return v, current

    def close(self) -> None:
        self.context.ClearAll()
        DSS.AllowChangeDir = self.change_folder


@pytest.mark.parametrize("with_loads", [False, True], ids=["no load", "loads of constant admittance"])
@pytest.mark.parametrize("deck", PLACES, ids=lambda deck: deck.stem)
def test_every_kind_of_fault_is_as_in_opendss(project_root: Path, tmp_path: Path, deck: Path, with_loads: bool) -> None:
    loads = "batchedit load..* model=2 vminpu=0.0 vmaxpu=3" if with_loads else "batchedit load..* enabled=no"
    study = tmp_path / "study.dss"
    settings = f"set controlmode=off\n{loads}\nset maxiterations=200 tolerance=1e-10\nsolve\n"
    study.write_text(f'redirect "{project_root / deck}"\n{settings}')
    model = import_opendss(study)
    arrays = NetworkArrays(model, version=ModelVersion("test"))
    factor = factorise(arrays, normal_state(model))
    assert isinstance(factor, Factor)
    prefault: Prefault = OpenCircuit()
    if with_loads:
        flow = solve_power_flow(arrays, factor.grid, s_nominal_va=arrays.injector_s_nominal_va)
        assert isinstance(flow, PowerFlow)
        prefault = flow
    engine = _Engine(study)
    try:
        compared = 0
        for place in PLACES[deck]:
            for kind in FaultKind:
                for r_ohm in RESISTANCE_OHM:
                    for fault in faults_at(arrays, BusId(place), kind=kind, r_fault_ohm=r_ohm):
                        short = short_circuit(factor, fault, prefault=prefault)
                        assert isinstance(short, ShortCircuit)
                        v, current = engine.faulted(fault)
                        allowed = CURRENT_TOLERANCE * max(1.0, short.largest_a)
                        assert np.abs(short.current_a[: len(current)] - current).max() < allowed, fault
                        theirs = np.array([v[f"{node.bus}.{node.phase}"] for node in arrays.nodes])
                        off = np.abs(theirs / arrays.v_base_v - short.v_phasor_pu).max()
                        assert off < VOLTAGE_TOLERANCE_PU, fault
                        compared += 1
    finally:
        engine.close()
    assert compared >= 33


Z_LINE_1, Z_LINE_0 = 0.32 + 0.35j, 0.9 + 1.4j
"""ohm/km."""
KM = (3.0, 5.0)
C_MAX, S_SC_VA = 1.10, 500e6
RX, X0X, R0X0 = 0.1, 1.2, 0.15


def _grid_impedance() -> tuple[complex, complex]:
    """Of the feeding network by IEC 60909-0:2016, 6.2: Z = c U^2 / S, and as pandapower defines its zero sequence."""
    size = C_MAX * 20e3**2 / S_SC_VA
    x = size / (1.0 + RX**2) ** 0.5
    return complex(RX * x, x), complex(R0X0 * X0X * x, X0X * x)


def _phases(z1: complex, z0: complex) -> ComplexArray:
    """Phase impedances of symmetrical sequence impedances."""
    own, mutual = (z0 + 2.0 * z1) / 3.0, (z0 - z1) / 3.0
    return np.asarray(np.full((3, 3), mutual) + np.eye(3) * (own - mutual), dtype=np.complex128)


def _two_lines() -> NetworkModel:
    phases, v_base = (1, 2, 3), 20e3 / 3**0.5
    y_grid = np.linalg.inv(_phases(*_grid_impedance()))
    branches = []
    for k, km in enumerate(KM):
        y = np.linalg.inv(km * _phases(Z_LINE_1, Z_LINE_0))
        branches.append(
            Branch(
                id=ElementId(f"line.l{k}"),
                kind=BranchKind.LINE,
                terminals=(nodes(str(k), phases), nodes(str(k + 1), phases)),
                y_primitive_siemens=as_matrix(np.block([[y, -y], [-y, y]])),
            )
        )
    return NetworkModel(
        name="two lines",
        frequency_hz=50.0,
        buses=tuple(bus(str(k), v_base_v=v_base) for k in range(3)),
        sources=(
            Source(
                id=ElementId("source.grid"),
                nodes=nodes("0", phases),
                v_magnitude_pu=(1.0,) * 3,
                v_angle_rad=(0.0, -2.0 * np.pi / 3.0, 2.0 * np.pi / 3.0),
                y_primitive_siemens=as_matrix(np.asarray(y_grid, dtype=np.complex128)),
            ),
        ),
        branches=tuple(branches),
        capacitors=(),
        loads=(),
        ders=(),
    )


def _pandapower_net() -> Any:
    import pandapower as pp

    net = pp.create_empty_network(f_hz=50.0)
    for _ in range(3):
        pp.create_bus(net, 20.0)
    pp.create_ext_grid(net, 0, s_sc_max_mva=S_SC_VA / 1e6, rx_max=RX, x0x_max=X0X, r0x0_max=R0X0)
    for k, km in enumerate(KM):
        pp.create_line_from_parameters(
            net,
            k,
            k + 1,
            km,
            r_ohm_per_km=Z_LINE_1.real,
            x_ohm_per_km=Z_LINE_1.imag,
            c_nf_per_km=0.0,
            max_i_ka=1.0,
            r0_ohm_per_km=Z_LINE_0.real,
            x0_ohm_per_km=Z_LINE_0.imag,
            c0_nf_per_km=0.0,
            endtemp_degree=20.0,
        )
    return net


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [("3ph", FaultKind.THREE_PHASE), ("2ph", FaultKind.LINE_LINE), ("1ph", FaultKind.LINE_GROUND)],
)
def test_iec_60909_currents_are_those_of_pandapower(theirs: str, kind: FaultKind) -> None:
    """pandapower writes its own ikss_ka to 1e-10; its iterations are none, so that both are exact."""
    from pandapower.shortcircuit import calc_sc

    net = _pandapower_net()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandapower's own, of its dependencies
        calc_sc(net, case="max", fault=theirs, branch_results=False)
    model = _two_lines()
    factor = factorise(arrays_of(model), normal_state(model))
    assert isinstance(factor, Factor)
    levels = short_circuit_levels(factor, kinds=[kind], prefault=EquivalentVoltage(c_factor=C_MAX))
    assert not isinstance(levels, NotSolved)
    ours = np.array([[level.largest_a for level in at.levels] for at in levels])
    expected = np.repeat(net.res_bus_sc.ikss_ka.to_numpy()[:, None] * 1e3, ours.shape[1], axis=1)
    np.testing.assert_allclose(ours, expected, rtol=1e-7)
