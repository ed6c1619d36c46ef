"""Short circuits against hand calculations and against the laws that hold in any network."""

import math
from dataclasses import replace

import numpy as np
import pytest

from adms.core.errors import InputError
from adms.core.ids import BusId, ElementId
from adms.grid.admittance import as_matrix
from adms.grid.arrays import NetworkArrays
from adms.grid.model import Branch, BranchKind, NetworkModel
from adms.grid.state import normal_state
from adms.powerflow import Factor, NotSolved, factorise
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
from tests.unit.powerflow.faulted import (
    E_V,
    Z_MUTUAL,
    Z_SELF,
    Z_SOURCE,
    factor_of,
    fault_at,
    machines_and_inverters,
    solved,
    source_and_line,
)
from tests.unit.powerflow.networks import V_BASE_V, arrays_of, bus, four_buses, line, nodes, source


def test_fault_currents_of_a_line_are_those_of_its_sequence_impedances() -> None:
    """Source (no coupling) and line in series, so Z1 = Z2 = zs + z - zm and Z0 = zs + z + 2 zm, and by the textbook
    (Anderson, chapter 3) 3ph = E / Z1, LL = sqrt(3) E / 2 Z1, LG = 3 E / (2 Z1 + Z0), LLG to ground
    3 I0 = 3 E / (Z1 + 2 Z0)."""
    z1 = Z_SOURCE + Z_SELF - Z_MUTUAL
    z0 = Z_SOURCE + Z_SELF + 2.0 * Z_MUTUAL
    factor = factor_of(source_and_line())
    for kind in (FaultKind.THREE_PHASE, FaultKind.THREE_PHASE_GROUND):
        np.testing.assert_allclose(np.abs(solved(factor, fault_at(kind)).current_a), E_V / abs(z1), rtol=1e-12)
    between = solved(factor, fault_at(FaultKind.LINE_LINE, phases=(2, 3)))
    np.testing.assert_allclose(np.abs(between.current_a), math.sqrt(3.0) / 2.0 * E_V / abs(z1), rtol=1e-12)
    assert abs(between.ground_current_a) < 1e-9
    to_ground = solved(factor, fault_at(FaultKind.LINE_GROUND, phases=(3,)))
    assert to_ground.largest_a == pytest.approx(3.0 * E_V / abs(2.0 * z1 + z0), rel=1e-12)
    both = solved(factor, fault_at(FaultKind.LINE_LINE_GROUND, phases=(1, 2)))
    assert abs(both.ground_current_a) == pytest.approx(3.0 * E_V / abs(z1 + 2.0 * z0), rel=1e-12)


def test_resistances_enter_as_in_the_sequence_networks() -> None:
    """LG: 3 E / (2 Z1 + Z0 + 3 (R + Rg)); LL: sqrt(3) E / (2 Z1 + R); 3ph: E / (Z1 + R); LLG with R a phase and Rg
    to ground: 3 I0 = 3 E / (Z1 + R + 2 (Z0 + R + 3 Rg))."""
    z1, z0, r, rg = Z_SOURCE + Z_SELF - Z_MUTUAL, Z_SOURCE + Z_SELF + 2.0 * Z_MUTUAL, 1.5, 4.0
    factor = factor_of(source_and_line())

    def through(kind: FaultKind, phases: tuple[int, ...], ground_ohm: float) -> ShortCircuit:
        fault = Fault(kind=kind, bus=BusId("2"), phases=phases, r_fault_ohm=r, r_ground_ohm=ground_ohm)
        return solved(factor, fault)

    expected = {
        (FaultKind.LINE_GROUND, (1,), rg): 3.0 * E_V / abs(2.0 * z1 + z0 + 3.0 * (r + rg)),
        (FaultKind.LINE_LINE, (1, 2), 0.0): math.sqrt(3.0) * E_V / abs(2.0 * z1 + r),
        (FaultKind.THREE_PHASE, (1, 2, 3), 0.0): E_V / abs(z1 + r),
        (FaultKind.THREE_PHASE_GROUND, (1, 2, 3), rg): E_V / abs(z1 + r),
    }
    for (kind, phases, ground_ohm), current in expected.items():
        assert through(kind, phases, ground_ohm).largest_a == pytest.approx(current, rel=1e-12)
    both = through(FaultKind.LINE_LINE_GROUND, (2, 3), rg)
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
    factor = factor_of(model)
    short = solved(factor, fault_at(FaultKind.THREE_PHASE, r_ohm=0.5))
    assert short.largest_a == pytest.approx(E_V / abs(Z_SOURCE + Z_SELF + 0.5), rel=1e-12)
    assert short.ground_current_a == 0.0
    assert faults_at(factor.arrays, BusId("2"), kind=FaultKind.LINE_GROUND) == ()
    with pytest.raises(InputError, match="only three-phase faults"):
        short_circuit(factor, fault_at(FaultKind.LINE_GROUND, phases=(0,)))


def test_every_problem_of_every_fault_is_named_at_once() -> None:
    factor = factor_of(four_buses())
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
        factor, [fault_at(FaultKind.LINE_GROUND, "3", (1,)), fault_at(FaultKind.LINE_GROUND, "2", (1,))]
    )
    assert isinstance(dead, NotSolved)
    assert dead.reason == "3 is not energised"
    assert isinstance(alive, ShortCircuit)
    levels = short_circuit_levels(factor)
    assert not isinstance(levels, NotSolved)
    assert [level.bus for level in levels if level.largest_a is None] == ["3"]


def test_a_fault_here_is_felt_there_as_one_there_is_felt_here() -> None:
    """Reciprocity: volts lost at b for each ampere at a are those lost at a for each ampere at b."""
    factor = factor_of(machines_and_inverters(limit_pu=None))
    at_a = solved(factor, fault_at(FaultKind.LINE_GROUND, "3", (2,)))
    at_b = solved(factor, fault_at(FaultKind.LINE_GROUND, "4", (1,)))
    a, b = factor.arrays.node_idx[nodes("3")[1]], factor.arrays.node_idx[nodes("4", (1,))[0]]
    lost_at_b = (at_a.v_prefault_pu - at_a.v_phasor_pu)[b] / at_a.current_a[0]
    lost_at_a = (at_b.v_prefault_pu - at_b.v_phasor_pu)[a] / at_b.current_a[0]
    assert abs(lost_at_b) > 1e-6
    assert lost_at_a == pytest.approx(lost_at_b, rel=1e-10)


def test_the_equivalent_voltage_of_iec_60909_gives_c_times_the_nominal_one_over_the_impedance() -> None:
    """I_k'' = c U_n / (sqrt(3) Z_k) with Z_k = zs + z - zm; in the line flows the whole of it, at no load nothing."""
    factor = factor_of(source_and_line())
    c = iec_c_factor(V_BASE_V, largest=True)
    assert (c, iec_c_factor(V_BASE_V, largest=False)) == (1.10, 1.00)
    assert (iec_c_factor(230.0, largest=True), iec_c_factor(230.0, largest=False)) == (1.10, 0.90)
    assert (iec_c_factor(577.0, largest=False), iec_c_factor(578.0, largest=False)) == (0.90, 1.00)
    short = solved(factor, fault_at(FaultKind.THREE_PHASE), prefault=EquivalentVoltage(c_factor=c))
    expected = c * V_BASE_V / abs(Z_SOURCE + Z_SELF - Z_MUTUAL)
    assert short.largest_a == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(np.abs(short.branch_current_a(ElementId("line.l12"))), expected, rtol=1e-9)
    np.testing.assert_allclose(np.abs(short.source_current_a[0]), expected, rtol=1e-9)


def test_the_table_of_all_buses_says_what_each_fault_says() -> None:
    factor = factor_of(machines_and_inverters(limit_pu=None))
    levels = short_circuit_levels(factor, r_fault_ohm=0.7, r_ground_ohm=2.0)
    assert not isinstance(levels, NotSolved)
    count = 0
    for at in levels:
        for level in at.levels:
            short = solved(factor, level.fault)
            np.testing.assert_allclose(level.current_a, np.abs(short.current_a), rtol=1e-10)
            assert level.ground_a == pytest.approx(abs(short.ground_current_a), abs=1e-9)
            count += 1
        assert at.largest_a == max(level.largest_a for level in at.levels)
    # Four buses of three phases with 1 + 1 + 3 + 3 + 3 faults each, one of a single phase with one.
    assert count == 4 * 11 + 1


def test_what_the_sources_and_the_branches_carry_adds_up_to_the_fault() -> None:
    factor = factor_of(four_buses(tie_closed=True))
    short = solved(factor, fault_at(FaultKind.LINE_GROUND, "3", (1,)))
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
    model = source_and_line()
    transformer = replace(
        model.branches[0],
        id=ElementId("transformer.t"),
        kind=BranchKind.TRANSFORMER,
        terminals=(nodes("2"), nodes("3")),
        y_primitive_siemens=as_matrix(y),
    )
    assert isinstance(transformer, Branch)
    factor = factor_of(replace(model, buses=(*model.buses, bus("3")), branches=(*model.branches, transformer)))
    assert solved(factor, fault_at(FaultKind.LINE_GROUND, "3", (1,))).largest_a < 0.02
    z1 = Z_SOURCE + Z_SELF - Z_MUTUAL + z
    short = solved(factor, fault_at(FaultKind.THREE_PHASE, "3"))
    np.testing.assert_allclose(np.abs(short.current_a), E_V / abs(z1), rtol=1e-5)
    between = solved(factor, fault_at(FaultKind.LINE_LINE, "3", (1, 2)))
    np.testing.assert_allclose(np.abs(between.current_a), math.sqrt(3.0) / 2.0 * E_V / abs(z1), rtol=1e-5)


def test_arrays_of_two_models_are_not_mixed_up() -> None:
    """Phases of a bus are remembered by network."""
    one, other = arrays_of(four_buses()), arrays_of(source_and_line())
    assert isinstance(one, NetworkArrays)
    assert len(faults_at(one, BusId("4"), kind=FaultKind.LINE_GROUND)) == 1
    assert faults_at(other, BusId("4"), kind=FaultKind.LINE_GROUND) == ()
