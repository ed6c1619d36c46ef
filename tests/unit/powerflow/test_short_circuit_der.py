"""Short circuits with loads, machines and inverters: the laws that hold, and the limits that must."""

from dataclasses import replace

import numpy as np
import pytest

from adms.core.ids import BusId, ElementId
from adms.grid.admittance import as_matrix
from adms.grid.model import NetworkModel, Source
from adms.powerflow import PowerFlow, short_circuit_network, solve_power_flow
from adms.powerflow.short_circuit import (
    FaultKind,
    OpenCircuit,
    faults_at,
)
from tests.unit.powerflow.faulted import (
    E_V,
    Z_SELF,
    Z_SOURCE,
    factor_of,
    fault_at,
    flow_before,
    machines_and_inverters,
    missing_current_pu,
    solved,
)
from tests.unit.powerflow.networks import V_BASE_V, bus, four_buses, line, nodes, source


def test_a_machine_in_a_balanced_network_gives_each_of_its_three_conductors_a_third() -> None:
    """x = 0.2 on 600 kVA of all three phases: X = 0.2 * 3 * 2400^2 / 600e3 ohm a phase, beside source and line."""
    (pv,) = four_buses().ders
    machine = replace(pv, pairs=((nodes("2", (0,))[0], None),), s_max_va=600e3, x_subtransient_pu=0.2)
    model = NetworkModel(
        name="balanced with a machine",
        frequency_hz=50.0,
        buses=(bus("1", phases=(0,)), bus("2", phases=(0,))),
        sources=(source("source.main", "1", phases=(0,)),),
        branches=(line("line.l12", ("1", "2"), phases=(0,), z_ohm=Z_SELF),),
        capacitors=(),
        loads=(),
        ders=(machine,),
    )
    short = solved(factor_of(model), fault_at(FaultKind.THREE_PHASE))
    from_machine = E_V / (1j * 0.2 * 3.0 * V_BASE_V**2 / 600e3)
    from_source = E_V / (Z_SOURCE + Z_SELF)
    assert complex(short.der_current_a[0]) == pytest.approx(from_machine, rel=1e-12)
    assert complex(short.source_current_a[0][0]) == pytest.approx(from_source, rel=1e-12)
    assert complex(short.current_a[0]) == pytest.approx(from_machine + from_source, rel=1e-12)


@pytest.mark.parametrize("kind", FaultKind)
@pytest.mark.parametrize("r_ohm", [0.0, 3.0])
def test_currents_balance_at_every_node_during_a_fault(kind: FaultKind, r_ohm: float) -> None:
    """Loads as admittances, a machine by low rank, an inverter at its limit: nothing is left over at any node."""
    factor = factor_of(machines_and_inverters())
    flow = flow_before(factor)
    for fault in faults_at(factor.arrays, BusId("3"), kind=kind, r_fault_ohm=r_ohm):
        short = solved(factor, fault, prefault=flow)
        assert np.abs(missing_current_pu(short, s_load_va=flow.s_injection_va)).max() < 1e-9
        drawn = short.current_a * (r_ohm if kind != FaultKind.LINE_LINE else 0.0)
        rows = [factor.arrays.node_idx[node] for node in nodes("3", short.phases)]
        v = short.v_phasor_pu[rows] * factor.arrays.v_base_v[rows]
        if kind == FaultKind.LINE_LINE:
            assert abs(v[0] - v[1] - r_ohm * short.current_a[0]) < 1e-6
        else:
            assert np.ptp((v - drawn).real) < 1e-6  # one point where the phases meet
            assert np.ptp((v - drawn).imag) < 1e-6


def test_a_fault_of_endless_resistance_leaves_the_state_before_it() -> None:
    factor = factor_of(machines_and_inverters())
    flow = flow_before(factor)
    for kind in FaultKind:
        for fault in faults_at(factor.arrays, BusId("3"), kind=kind, r_fault_ohm=1e9):
            short = solved(factor, fault, prefault=flow)
            np.testing.assert_allclose(short.v_phasor_pu, flow.v_phasor_pu, atol=1e-7)
            assert short.largest_a < 1e-5
            s = np.where(
                factor.arrays.injector_is_der,
                (factor.arrays.incidence.T @ short.v_phasor_pu)
                * np.conj(short.der_current_a * factor.arrays.v_base_v[factor.arrays.injector_fr]),
                0.0,
            )
            der = factor.arrays.injector_is_der
            np.testing.assert_allclose(s[der], flow.s_injection_va[der], rtol=1e-6)


def test_a_machine_is_a_source_behind_its_reactance() -> None:
    """The machine put in by low rank against a model that has a source of x'' in its place, factored anew. The source
    stands at the voltage that the machine finds before the fault, so both models start from the same state."""
    model = machines_and_inverters(limit_pu=None)
    with_machine = factor_of(model)
    at = [with_machine.arrays.node_idx[node] for node in nodes("2")]
    before = with_machine.v_no_load_pu[np.searchsorted(with_machine.live, at)]
    x_ohm = 0.18 * V_BASE_V**2 / (500e3 / 3.0)
    instead = Source(
        id=ElementId("source.machine"),
        nodes=nodes("2"),
        v_magnitude_pu=tuple(np.abs(before).tolist()),
        v_angle_rad=tuple(np.angle(before).tolist()),
        y_primitive_siemens=as_matrix(np.asarray(np.eye(3) / (1j * x_ohm), dtype=np.complex128)),
    )
    with_source = factor_of(replace(model, ders=model.ders[:1], sources=(*model.sources, instead)))
    for kind in FaultKind:
        for fault in faults_at(with_machine.arrays, BusId("3"), kind=kind):
            one, other = solved(with_machine, fault), solved(with_source, fault)
            np.testing.assert_allclose(one.current_a, other.current_a, rtol=1e-10)
            np.testing.assert_allclose(one.v_phasor_pu, other.v_phasor_pu, atol=1e-11)
            rows = with_machine.arrays.injector_rows[ElementId("der.machine")]
            np.testing.assert_allclose(one.der_current_a[rows], other.source_current_a[-1], atol=1e-7)
    off = solved(with_machine, fault_at(FaultKind.THREE_PHASE, "3"), der_off=[ElementId("der.machine")])
    assert off.largest_a < solved(with_machine, fault_at(FaultKind.THREE_PHASE, "3")).largest_a
    assert not off.der_current_a.any()


def test_an_inverter_gives_its_limit_to_a_near_fault_and_its_power_to_a_far_one() -> None:
    factor = factor_of(machines_and_inverters(limit_pu=1.2))
    flow = flow_before(factor)
    rows = factor.arrays.injector_rows[ElementId("der.pv3")]
    bolted = solved(factor, fault_at(FaultKind.THREE_PHASE, "3"), prefault=flow)
    np.testing.assert_allclose(np.abs(bolted.der_current_a[rows]), 1.2 * 40e3 / V_BASE_V, rtol=1e-9)
    faint = solved(factor, fault_at(FaultKind.THREE_PHASE, "2", r_ohm=200.0), prefault=flow)
    across = faint.v_phasor_pu[[factor.arrays.node_idx[node] for node in nodes("3")]] * V_BASE_V
    np.testing.assert_allclose(across * np.conj(faint.der_current_a[rows]), flow.s_injection_va[rows], rtol=1e-8)
    assert faint.iterations > 0


def test_inverters_settle_in_bolted_faults_that_their_own_current_holds_up() -> None:
    """Next to a bolted fault all voltage there is may be its own: it has no angle but the one it remembers."""
    model = machines_and_inverters(limit_pu=1.5)
    strong = replace(model.ders[0], s_max_va=3e6, normal_p_injection_w=300e3)
    factor = factor_of(replace(model, ders=(strong,)))
    flow = flow_before(factor)
    rows = factor.arrays.injector_rows[ElementId("der.pv3")]
    for kind in FaultKind:
        for place in ("1", "2", "3"):
            for fault in faults_at(factor.arrays, BusId(place), kind=kind):
                short = solved(factor, fault, prefault=flow)
                assert np.abs(short.der_current_a[rows]).max() <= 1.5 * 1e6 / V_BASE_V * (1.0 + 1e-9)
                assert np.abs(missing_current_pu(short, s_load_va=flow.s_injection_va)).max() < 1e-9


@pytest.mark.parametrize(("limit_pu", "unknown"), [(None, ("der.pv3",)), (0.0, ())])
def test_a_der_of_unknown_fault_current_is_off_and_named_and_one_of_none_is_off(
    limit_pu: float | None, unknown: tuple[str, ...]
) -> None:
    factor = factor_of(machines_and_inverters(limit_pu=limit_pu))
    for prefault in (flow_before(factor), OpenCircuit()):
        short = solved(factor, fault_at(FaultKind.LINE_GROUND, "3", (1,)), prefault=prefault)
        assert short.der_unknown == unknown
        assert not short.der_current_a[factor.arrays.injector_rows[ElementId("der.pv3")]].any()


def test_a_drawing_der_of_unknown_fault_current_is_off_and_a_known_one_an_admittance() -> None:
    model = four_buses()
    (pv,) = model.ders
    currents = {}
    for limit_pu in (None, 1.2):
        drawing = replace(pv, p_min_w=-100e3, normal_p_injection_w=-90e3, fault_current_pu=limit_pu)
        factor = factor_of(replace(model, ders=(drawing,)))
        arrays = factor.arrays
        flow = solve_power_flow(arrays, factor.grid, s_nominal_va=arrays.injector_s_nominal_va, factor=factor)
        assert isinstance(flow, PowerFlow)
        fault = fault_at(FaultKind.LINE_GROUND, "3", (1,), r_ohm=1.0)
        off = solved(factor, fault, prefault=flow, der_off=[pv.id])
        currents[limit_pu] = solved(factor, fault, prefault=flow).current_a, off.current_a
    np.testing.assert_array_equal(*currents[None])
    assert np.abs(currents[1.2][0] - currents[1.2][1]).max() > 1.0


def test_loads_that_plain_iteration_does_not_settle_are_solved_by_the_krylov_method(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    factor = factor_of(four_buses())
    flow = flow_before(factor)
    fault = fault_at(FaultKind.LINE_LINE, "3", (1, 3))
    plain = solved(factor, fault, prefault=flow)
    monkeypatch.setattr(short_circuit_network, "_PLAIN_STEPS", 1)
    np.testing.assert_allclose(solved(factor, fault, prefault=flow).v_phasor_pu, plain.v_phasor_pu, atol=1e-11)
