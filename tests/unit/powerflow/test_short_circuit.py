"""Short circuits against hand calculations and against the laws that hold in any network."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from adms.core.errors import InputError
from adms.core.estimate import ComplexArray
from adms.core.ids import BusId, ElementId
from adms.grid.arrays import S_BASE_VA, NetworkArrays
from adms.grid.model import Branch, BranchKind, NetworkModel, Source
from adms.grid.state import normal_state
from adms.powerflow import Factor, NotSolved, PowerFlow, factorise, short_circuit_network, solve_power_flow
from adms.powerflow.short_circuit import (
    EquivalentVoltage,
    Fault,
    FaultKind,
    ShortCircuit,
    faults_at,
    iec_c_factor,
    short_circuit,
    short_circuits,
)
from adms.powerflow.short_circuit_levels import short_circuit_levels
from adms.powerflow.short_circuit_network import Prefault
from tests.unit.powerflow.networks import (
    V_BASE_V,
    arrays_of,
    bus,
    four_buses,
    line,
    matrix,
    nodes,
    peak_va,
    source,
)

Z_SOURCE = 0.05 + 0.2j
Z_SELF, Z_MUTUAL = 0.3 + 0.6j, 0.1 + 0.25j
E_V = 1.02 * V_BASE_V


def _factor(model: NetworkModel) -> Factor:
    factor = factorise(arrays_of(model), normal_state(model))
    assert isinstance(factor, Factor)
    return factor


def _solved(
    factor: Factor, fault: Fault, *, prefault: Prefault | None = None, der_off: Sequence[ElementId] = ()
) -> ShortCircuit:
    short = short_circuit(factor, fault, prefault=prefault, der_off=der_off)
    assert isinstance(short, ShortCircuit)
    return short


def _fault(kind: FaultKind, at: str = "2", phases: tuple[int, ...] = (), *, r_ohm: float = 0.0) -> Fault:
    return Fault(kind=kind, bus=BusId(at), phases=phases, r_fault_ohm=r_ohm)


def _flow(factor: Factor) -> PowerFlow:
    arrays = factor.arrays
    flow = solve_power_flow(arrays, factor.grid, s_nominal_va=peak_va(arrays), factor=factor, tolerance_pu=1e-12)
    assert isinstance(flow, PowerFlow)
    return flow


def _two_buses() -> NetworkModel:
    return NetworkModel(
        name="source and line",
        frequency_hz=60.0,
        buses=(bus("1"), bus("2")),
        sources=(source("source.main", "1"),),
        branches=(line("line.l12", ("1", "2")),),
        capacitors=(),
        loads=(),
        ders=(),
    )


def test_fault_currents_of_a_line_are_those_of_its_sequence_impedances() -> None:
    """Source (no coupling) and line in series, so Z1 = Z2 = zs + z - zm and Z0 = zs + z + 2 zm, and by the textbook
    (Anderson, chapter 3) 3ph = E / Z1, LL = sqrt(3) E / 2 Z1, LG = 3 E / (2 Z1 + Z0), LLG to ground
    3 I0 = 3 E / (Z1 + 2 Z0)."""
    z1 = Z_SOURCE + Z_SELF - Z_MUTUAL
    z0 = Z_SOURCE + Z_SELF + 2.0 * Z_MUTUAL
    factor = _factor(_two_buses())
    for kind in (FaultKind.THREE_PHASE, FaultKind.THREE_PHASE_GROUND):
        np.testing.assert_allclose(np.abs(_solved(factor, _fault(kind)).current_a), E_V / abs(z1), rtol=1e-12)
    between = _solved(factor, _fault(FaultKind.LINE_LINE, phases=(2, 3)))
    np.testing.assert_allclose(np.abs(between.current_a), math.sqrt(3.0) / 2.0 * E_V / abs(z1), rtol=1e-12)
    assert abs(between.ground_current_a) < 1e-9
    to_ground = _solved(factor, _fault(FaultKind.LINE_GROUND, phases=(3,)))
    assert to_ground.largest_a == pytest.approx(3.0 * E_V / abs(2.0 * z1 + z0), rel=1e-12)
    both = _solved(factor, _fault(FaultKind.LINE_LINE_GROUND, phases=(1, 2)))
    assert abs(both.ground_current_a) == pytest.approx(3.0 * E_V / abs(z1 + 2.0 * z0), rel=1e-12)


def test_resistances_enter_as_in_the_sequence_networks() -> None:
    """LG: 3 E / (2 Z1 + Z0 + 3 (R + Rg)); LL: sqrt(3) E / (2 Z1 + R); 3ph: E / (Z1 + R); LLG with R a phase and Rg
    to ground: 3 I0 = 3 E / (Z1 + R + 2 (Z0 + R + 3 Rg))."""
    z1, z0, r, rg = Z_SOURCE + Z_SELF - Z_MUTUAL, Z_SOURCE + Z_SELF + 2.0 * Z_MUTUAL, 1.5, 4.0
    factor = _factor(_two_buses())

    def solved(kind: FaultKind, phases: tuple[int, ...], ground_ohm: float) -> ShortCircuit:
        fault = Fault(kind=kind, bus=BusId("2"), phases=phases, r_fault_ohm=r, r_ground_ohm=ground_ohm)
        return _solved(factor, fault)

    expected = {
        (FaultKind.LINE_GROUND, (1,), rg): 3.0 * E_V / abs(2.0 * z1 + z0 + 3.0 * (r + rg)),
        (FaultKind.LINE_LINE, (1, 2), 0.0): math.sqrt(3.0) * E_V / abs(2.0 * z1 + r),
        (FaultKind.THREE_PHASE, (1, 2, 3), 0.0): E_V / abs(z1 + r),
        (FaultKind.THREE_PHASE_GROUND, (1, 2, 3), rg): E_V / abs(z1 + r),
    }
    for (kind, phases, ground_ohm), current in expected.items():
        assert solved(kind, phases, ground_ohm).largest_a == pytest.approx(current, rel=1e-12)
    both = solved(FaultKind.LINE_LINE_GROUND, (2, 3), rg)
    i0 = E_V / abs(z1 + r + 2.0 * (z0 + r + 3.0 * rg))
    assert abs(both.ground_current_a) == pytest.approx(3.0 * i0, rel=1e-12)


def test_a_balanced_network_has_three_phase_faults_and_says_why_no_others() -> None:
    model = NetworkModel(
        name="balanced",
        frequency_hz=50.0,
        buses=(bus("1", phases=(0,)), bus("2", phases=(0,))),
        sources=(source("source.main", "1", phases=(0,)),),
        branches=(line("line.l12", ("1", "2"), phases=(0,), z_ohm=Z_SELF),),
        capacitors=(),
        loads=(),
        ders=(),
    )
    factor = _factor(model)
    short = _solved(factor, _fault(FaultKind.THREE_PHASE, r_ohm=0.5))
    assert short.largest_a == pytest.approx(E_V / abs(Z_SOURCE + Z_SELF + 0.5), rel=1e-12)
    assert faults_at(factor.arrays, BusId("2"), kind=FaultKind.LINE_GROUND) == ()
    with pytest.raises(InputError, match="only three-phase faults"):
        short_circuit(factor, _fault(FaultKind.LINE_GROUND, phases=(0,)))


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
    short = _solved(_factor(model), _fault(FaultKind.THREE_PHASE))
    from_machine = E_V / (1j * 0.2 * 3.0 * V_BASE_V**2 / 600e3)
    from_source = E_V / (Z_SOURCE + Z_SELF)
    assert complex(short.der_current_a[0]) == pytest.approx(from_machine, rel=1e-12)
    assert complex(short.source_current_a[0][0]) == pytest.approx(from_source, rel=1e-12)
    assert complex(short.current_a[0]) == pytest.approx(from_machine + from_source, rel=1e-12)


def test_every_problem_of_every_fault_is_named_at_once() -> None:
    factor = _factor(four_buses())
    faults = [
        Fault(kind=FaultKind.LINE_GROUND, bus=BusId("nowhere"), phases=(1,)),
        Fault(kind=FaultKind.LINE_LINE, bus=BusId("4"), phases=(1, 2), r_fault_ohm=-1.0),
        Fault(kind=FaultKind.LINE_LINE, bus=BusId("2"), phases=(1, 1), r_ground_ohm=2.0),
        Fault(kind=FaultKind.LINE_GROUND, bus=BusId("2"), r_fault_ohm=math.nan),
    ]
    with pytest.raises(InputError) as refused:
        short_circuits(factor, faults)
    named = {(problem.element, problem.field) for problem in refused.value.problems}
    assert named == {
        ("fault at nowhere", "bus"),
        ("fault at 4", "r_fault_ohm"),
        ("fault at 4", "phases"),
        ("fault at 2", "r_ground_ohm"),
        ("fault at 2", "phases"),
        ("fault at 2", "r_fault_ohm"),
    }


def test_a_dead_place_has_no_short_circuit_and_the_others_are_solved_all_the_same() -> None:
    model = four_buses()
    grid = normal_state(model).with_switch(ElementId("line.s23"), closed=False)
    factor = factorise(arrays_of(model), grid)
    assert isinstance(factor, Factor)
    dead, alive = short_circuits(
        factor, [_fault(FaultKind.LINE_GROUND, "3", (1,)), _fault(FaultKind.LINE_GROUND, "2", (1,))]
    )
    assert isinstance(dead, NotSolved)
    assert dead.reason == "3 is not energised"
    assert isinstance(alive, ShortCircuit)
    levels = short_circuit_levels(factor)
    assert not isinstance(levels, NotSolved)
    assert [level.bus for level in levels if level.largest_a is None] == ["3"]


def _missing_current_pu(short: ShortCircuit, *, s_load_va: ComplexArray | None) -> ComplexArray:
    """Kirchhoff's current law at every node during the fault; zero where it holds."""
    arrays, v = short.factor.arrays, short.v_phasor_pu
    y_source, norton = arrays.source_norton_pu()
    left = (arrays.admittance_pu(short.factor.grid) + y_source) @ v - norton
    across_before = arrays.incidence.T @ short.v_prefault_pu
    injected = short.der_current_a * arrays.v_base_v[arrays.injector_fr] / S_BASE_VA
    if s_load_va is not None:
        load_y = -np.conj(s_load_va / S_BASE_VA) / np.abs(across_before) ** 2
        injected = injected - np.where(arrays.injector_is_der, 0.0, load_y) * (arrays.incidence.T @ v)
    left = left - arrays.incidence @ injected
    rows = [arrays.node_idx[node] for node in nodes(short.fault.bus, short.phases)]
    left[rows] += short.current_a * arrays.v_base_v[rows] / S_BASE_VA
    return np.asarray(left)


def _machines_and_inverters(*, limit_pu: float | None = 1.2) -> NetworkModel:
    """`four_buses` with the PV as an inverter and a machine at bus 2."""
    model = four_buses()
    (pv,) = model.ders
    inverter = replace(pv, fault_current_pu=limit_pu)
    machine = replace(
        pv,
        id=ElementId("der.machine"),
        pairs=tuple((node, None) for node in nodes("2")),
        s_max_va=500e3,
        x_subtransient_pu=0.18,
    )
    return replace(model, ders=(inverter, machine))


@pytest.mark.parametrize("kind", FaultKind)
@pytest.mark.parametrize("r_ohm", [0.0, 3.0])
def test_currents_balance_at_every_node_during_a_fault(kind: FaultKind, r_ohm: float) -> None:
    """Loads as admittances, a machine by low rank, an inverter at its limit: nothing is left over at any node."""
    factor = _factor(_machines_and_inverters())
    flow = _flow(factor)
    for fault in faults_at(factor.arrays, BusId("3"), kind=kind, r_fault_ohm=r_ohm):
        short = _solved(factor, fault, prefault=flow)
        assert np.abs(_missing_current_pu(short, s_load_va=flow.s_injection_va)).max() < 1e-9
        drawn = short.current_a * (r_ohm if kind != FaultKind.LINE_LINE else 0.0)
        rows = [factor.arrays.node_idx[node] for node in nodes("3", short.phases)]
        v = short.v_phasor_pu[rows] * factor.arrays.v_base_v[rows]
        if kind == FaultKind.LINE_LINE:
            assert abs(v[0] - v[1] - r_ohm * short.current_a[0]) < 1e-6
        else:
            assert np.ptp((v - drawn).real) < 1e-6  # one point where the phases meet
            assert np.ptp((v - drawn).imag) < 1e-6


def test_a_fault_of_endless_resistance_leaves_the_state_before_it() -> None:
    factor = _factor(_machines_and_inverters())
    flow = _flow(factor)
    for kind in FaultKind:
        for fault in faults_at(factor.arrays, BusId("3"), kind=kind, r_fault_ohm=1e9):
            short = _solved(factor, fault, prefault=flow)
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


def test_a_fault_here_is_felt_there_as_one_there_is_felt_here() -> None:
    """Reciprocity: volts lost at b for each ampere at a are those lost at a for each ampere at b."""
    factor = _factor(_machines_and_inverters(limit_pu=None))
    at_a = _solved(factor, _fault(FaultKind.LINE_GROUND, "3", (2,)))
    at_b = _solved(factor, _fault(FaultKind.LINE_GROUND, "4", (1,)))
    a, b = factor.arrays.node_idx[nodes("3")[1]], factor.arrays.node_idx[nodes("4", (1,))[0]]
    lost_at_b = (at_a.v_prefault_pu - at_a.v_phasor_pu)[b] / at_a.current_a[0]
    lost_at_a = (at_b.v_prefault_pu - at_b.v_phasor_pu)[a] / at_b.current_a[0]
    assert abs(lost_at_b) > 1e-6
    assert lost_at_a == pytest.approx(lost_at_b, rel=1e-10)


def test_a_machine_is_a_source_behind_its_reactance() -> None:
    """The machine put in by low rank against a model that has a source of x'' in its place, factored anew. The source
    stands at the voltage that the machine finds before the fault, so both models start from the same state."""
    model = _machines_and_inverters(limit_pu=None)
    with_machine = _factor(model)
    at = [with_machine.arrays.node_idx[node] for node in nodes("2")]
    before = with_machine.v_no_load_pu[np.searchsorted(with_machine.live, at)]
    x_ohm = 0.18 * V_BASE_V**2 / (500e3 / 3.0)
    instead = Source(
        id=ElementId("source.machine"),
        nodes=nodes("2"),
        v_magnitude_pu=tuple(np.abs(before).tolist()),
        v_angle_rad=tuple(np.angle(before).tolist()),
        y_primitive_siemens=matrix(np.asarray(np.eye(3) / (1j * x_ohm), dtype=np.complex128)),
    )
    with_source = _factor(replace(model, ders=model.ders[:1], sources=(*model.sources, instead)))
    for kind in FaultKind:
        for fault in faults_at(with_machine.arrays, BusId("3"), kind=kind):
            one, other = _solved(with_machine, fault), _solved(with_source, fault)
            np.testing.assert_allclose(one.current_a, other.current_a, rtol=1e-10)
            np.testing.assert_allclose(one.v_phasor_pu, other.v_phasor_pu, atol=1e-11)
            rows = with_machine.arrays.injector_rows[ElementId("der.machine")]
            np.testing.assert_allclose(one.der_current_a[rows], other.source_current_a[-1], atol=1e-7)
    off = _solved(with_machine, _fault(FaultKind.THREE_PHASE, "3"), der_off=[ElementId("der.machine")])
    assert off.largest_a < _solved(with_machine, _fault(FaultKind.THREE_PHASE, "3")).largest_a
    assert not off.der_current_a.any()


def test_an_inverter_gives_its_limit_to_a_near_fault_and_its_power_to_a_far_one() -> None:
    factor = _factor(_machines_and_inverters(limit_pu=1.2))
    flow = _flow(factor)
    rows = factor.arrays.injector_rows[ElementId("der.pv3")]
    bolted = _solved(factor, _fault(FaultKind.THREE_PHASE, "3"), prefault=flow)
    np.testing.assert_allclose(np.abs(bolted.der_current_a[rows]), 1.2 * 40e3 / V_BASE_V, rtol=1e-9)
    faint = _solved(factor, _fault(FaultKind.THREE_PHASE, "2", r_ohm=200.0), prefault=flow)
    across = faint.v_phasor_pu[[factor.arrays.node_idx[node] for node in nodes("3")]] * V_BASE_V
    np.testing.assert_allclose(across * np.conj(faint.der_current_a[rows]), flow.s_injection_va[rows], rtol=1e-8)
    assert faint.iterations > 0


def test_inverters_settle_in_bolted_faults_that_their_own_current_holds_up() -> None:
    """Next to a bolted fault all voltage there is may be the inverter's own: it has no angle but the one it remembers."""
    model = _machines_and_inverters(limit_pu=1.5)
    strong = replace(model.ders[0], s_max_va=3e6, normal_p_injection_w=300e3)
    factor = _factor(replace(model, ders=(strong,)))
    flow = _flow(factor)
    rows = factor.arrays.injector_rows[ElementId("der.pv3")]
    for kind in FaultKind:
        for place in ("1", "2", "3"):
            for fault in faults_at(factor.arrays, BusId(place), kind=kind):
                short = _solved(factor, fault, prefault=flow)
                assert np.abs(short.der_current_a[rows]).max() <= 1.5 * 1e6 / V_BASE_V * (1.0 + 1e-9)
                assert np.abs(_missing_current_pu(short, s_load_va=flow.s_injection_va)).max() < 1e-9


def test_an_inverter_without_a_known_limit_goes_off_in_a_fault() -> None:
    factor = _factor(_machines_and_inverters(limit_pu=None))
    short = _solved(factor, _fault(FaultKind.LINE_GROUND, "3", (1,)), prefault=_flow(factor))
    assert not short.der_current_a[factor.arrays.injector_rows[ElementId("der.pv3")]].any()


def test_loads_that_plain_iteration_does_not_settle_are_solved_by_the_krylov_method(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    factor = _factor(four_buses())
    flow = _flow(factor)
    fault = _fault(FaultKind.LINE_LINE, "3", (1, 3))
    plain = _solved(factor, fault, prefault=flow)
    monkeypatch.setattr(short_circuit_network, "_PLAIN_STEPS", 1)
    np.testing.assert_allclose(_solved(factor, fault, prefault=flow).v_phasor_pu, plain.v_phasor_pu, atol=1e-11)


def test_the_equivalent_voltage_of_iec_60909_gives_c_times_the_nominal_one_over_the_impedance() -> None:
    """I_k'' = c U_n / (sqrt(3) Z_k) with Z_k = zs + z - zm; in the line flows the whole of it, at no load nothing."""
    factor = _factor(_two_buses())
    c = iec_c_factor(V_BASE_V, largest=True)
    assert (c, iec_c_factor(V_BASE_V, largest=False)) == (1.10, 1.00)
    assert (iec_c_factor(230.0, largest=True), iec_c_factor(230.0, largest=False)) == (1.10, 0.90)
    assert (iec_c_factor(230.0, largest=True, lv_tolerance_percent=6), iec_c_factor(577.0, largest=True)) == (1.05, 1.1)
    short = _solved(factor, _fault(FaultKind.THREE_PHASE), prefault=EquivalentVoltage(c_factor=c))
    expected = c * V_BASE_V / abs(Z_SOURCE + Z_SELF - Z_MUTUAL)
    assert short.largest_a == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(np.abs(short.branch_current_a(ElementId("line.l12"))), expected, rtol=1e-9)
    np.testing.assert_allclose(np.abs(short.source_current_a[0]), expected, rtol=1e-9)


def test_the_table_of_all_buses_says_what_each_fault_says() -> None:
    factor = _factor(_machines_and_inverters(limit_pu=None))
    levels = short_circuit_levels(factor, r_fault_ohm=0.7, r_ground_ohm=2.0)
    assert not isinstance(levels, NotSolved)
    count = 0
    for at in levels:
        for level in at.levels:
            short = _solved(factor, level.fault)
            np.testing.assert_allclose(level.current_a, np.abs(short.current_a), rtol=1e-10)
            assert level.ground_a == pytest.approx(abs(short.ground_current_a), abs=1e-9)
            count += 1
        assert at.largest_a == max(level.largest_a for level in at.levels)
    # Four buses of three phases with 1 + 1 + 3 + 3 + 3 faults each, one of a single phase with one.
    assert count == 4 * 11 + 1


def test_what_the_sources_and_the_branches_carry_adds_up_to_the_fault() -> None:
    factor = _factor(four_buses(tie_closed=True))
    short = _solved(factor, _fault(FaultKind.LINE_GROUND, "3", (1,)))
    from_left = short.branch_current_a(ElementId("line.s23"))[3]
    from_right = short.branch_current_a(ElementId("line.t35"))[0]
    assert -(from_left + from_right) == pytest.approx(complex(short.current_a[0]), rel=1e-9)
    given = sum(complex(current[0]) for current in short.source_current_a)
    assert given == pytest.approx(complex(short.current_a[0]), rel=1e-9)


def test_a_floating_neutral_point_carries_no_ground_current_and_full_current_between_phases() -> None:
    """Delta side of a transformer: made of three windings between phases, grounded through 1 Mohm a phase alone."""
    z = 0.02 + 0.4j
    winding = np.array([[1, -1, 0], [0, 1, -1], [-1, 0, 1]], dtype=np.complex128)
    c = np.block([[np.eye(3), np.zeros((3, 3))], [np.zeros((3, 3)), winding]])
    ratio = math.sqrt(3.0)
    coupling = np.block([[np.eye(3), -np.eye(3) / ratio], [-np.eye(3) / ratio, np.eye(3) / ratio**2]]) / z
    y = c.T @ coupling @ c + np.diag([0, 0, 0, 1e-6, 1e-6, 1e-6])
    model = _two_buses()
    transformer = replace(
        model.branches[0],
        id=ElementId("transformer.t"),
        kind=BranchKind.TRANSFORMER,
        terminals=(nodes("2"), nodes("3")),
        y_primitive_siemens=matrix(y),
    )
    assert isinstance(transformer, Branch)
    factor = _factor(replace(model, buses=(*model.buses, bus("3")), branches=(*model.branches, transformer)))
    assert _solved(factor, _fault(FaultKind.LINE_GROUND, "3", (1,))).largest_a < 0.02
    z1 = Z_SOURCE + Z_SELF - Z_MUTUAL + z
    short = _solved(factor, _fault(FaultKind.THREE_PHASE, "3"))
    np.testing.assert_allclose(np.abs(short.current_a), E_V / abs(z1), rtol=1e-5)
    between = _solved(factor, _fault(FaultKind.LINE_LINE, "3", (1, 2)))
    np.testing.assert_allclose(np.abs(between.current_a), math.sqrt(3.0) / 2.0 * E_V / abs(z1), rtol=1e-5)


def test_arrays_of_two_models_are_not_mixed_up() -> None:
    """Phases of a bus are remembered by network."""
    one, other = arrays_of(four_buses()), arrays_of(_two_buses())
    assert isinstance(one, NetworkArrays)
    assert len(faults_at(one, BusId("4"), kind=FaultKind.LINE_GROUND)) == 1
    assert faults_at(other, BusId("4"), kind=FaultKind.LINE_GROUND) == ()
