"""What the engine remembers between solutions, and when it forgets."""

from pathlib import Path

import numpy as np
import pytest

from hil.engine import Engine, EngineError
from hil.plant.circuit import Circuit
from tests.day_of_plant import day_of, quiet_bench
from tests.unit.hil.bench_case import FILES, TWO_ZONES, small_circuit


def _loads(circuit: Circuit, *, share: float) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
    return np.array([complex(load.p_w, load.q_var) * share for load in circuit.loads])


def _afresh(folder: Path, *, share: float) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
    circuit = small_circuit(folder)
    circuit.engine.set_loads(_loads(circuit, share=share))
    assert circuit.engine.solve()
    return circuit.engine.voltages()


def test_loads_set_again_after_a_command_are_those_that_were_asked_for(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    engine = circuit.engine
    engine.set_loads(_loads(circuit, share=0.5))
    engine.command("load.a.kw=1")
    engine.set_loads(_loads(circuit, share=0.5))
    assert engine.solve()
    np.testing.assert_allclose(engine.voltages(), _afresh(tmp_path, share=0.5), rtol=1e-8)


def test_only_loads_that_changed_are_set_and_all_of_them(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    engine = circuit.engine
    half = _loads(circuit, share=0.5)
    mixed = half.copy()
    mixed[1] *= 2.0
    for s_va in (mixed, half):
        engine.set_loads(s_va)
    assert engine.solve()
    np.testing.assert_allclose(engine.voltages(), _afresh(tmp_path, share=0.5), rtol=1e-8)


def test_an_array_that_its_owner_writes_into_is_seen_as_changed(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    s_va = _loads(circuit, share=1.0)
    circuit.engine.set_loads(s_va)
    s_va *= 0.5
    circuit.engine.set_loads(s_va)
    assert circuit.engine.solve()
    np.testing.assert_allclose(circuit.engine.voltages(), _afresh(tmp_path, share=0.5), rtol=1e-8)


def test_voltages_and_flows_are_those_of_the_last_solution_and_read_only(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    engine = circuit.engine
    engine.set_loads(_loads(circuit, share=0.5))
    assert engine.solve()
    v, (current, power) = engine.voltages(), engine.flows("line.a", terminal=0)
    engine.set_loads(_loads(circuit, share=1.0))
    assert engine.flows("line.a", terminal=0)[0] is not None
    np.testing.assert_array_equal(engine.flows("line.a", terminal=0)[0], current)
    assert engine.solve()
    # Twice the load, about twice the current.
    assert abs(engine.flows("line.a", terminal=0)[0][0]) == pytest.approx(2.0 * abs(current[0]), rel=0.1)
    assert not np.array_equal(engine.voltages(), v)
    for array in (v, current, power):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_power_into_a_line_is_its_voltage_by_its_current(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    engine = circuit.engine
    assert engine.solve()
    bus, phases = engine.element("line.b").terminals[1]
    rows = [engine.node_names().index((bus, phase)) for phase in phases]
    current, power = engine.flows("line.b", terminal=1)
    np.testing.assert_allclose(power, engine.voltages()[rows] * current.conj(), rtol=1e-9)


def test_a_generator_takes_what_it_is_told_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    engine = circuit.engine
    for s_va in (50e3 + 10e3j, 20e3 - 5e3j, 20e3 - 5e3j):
        engine.set_generator("battery", s_injection_va=s_va)
        assert engine.solve()
        assert -engine.flows("generator.battery", terminal=0)[1].sum() == pytest.approx(s_va, abs=1e-2)
    with pytest.raises(EngineError, match=r"no element generator\.nobody"):
        engine.set_generator("nobody", s_injection_va=0j)


def test_elements_out_of_service_are_not_named(tmp_path: Path) -> None:
    engine = small_circuit(tmp_path).engine
    assert "line.c" in engine.element_names()
    engine.command("line.c.enabled=no")
    assert "line.c" not in engine.element_names()


REGULATED = TWO_ZONES.replace(
    "set voltagebases",
    "new transformer.r windings=2 buses=[b br] kvs=[4.16 4.16] kvas=[1000 1000]\n"
    "new regcontrol.r transformer=r winding=2 vreg=120 ptratio=20 {regulator}\n"
    "new capacitor.c bus1=c kvar=100 kv=4.16\n"
    "new capcontrol.c capacitor=c element=line.c terminal=1 {capacitor}\n"
    "set voltagebases",
)


@pytest.mark.parametrize(
    ("regulator", "capacitor", "message"),
    [
        ("reversible=yes", "type=voltage", r"regcontrol\.r: the plant has no local control with reversible=yes"),
        ("vlimit=125", "type=voltage", r"regcontrol\.r: the plant has no local control with vlimit"),
        ("ptphase=2", "type=voltage", r"regcontrol\.r: the plant has no local control with ptphase other than 1"),
        ("bus=c.1", "type=voltage", r"regcontrol\.r: the plant has no local control with bus \(a remote bus\)"),
        ("", "type=pf", r"capcontrol\.c: the plant has no local control with type=powerfactor"),
        ("", "type=time", r"capcontrol\.c: the plant has no local control with type=time"),
        ("", "type=kvar", r"capcontrol\.c: the plant has no local control with an element of several phases"),
    ],
)
def test_a_deck_whose_local_control_the_plant_does_not_have_is_refused_by_name(
    regulator: str, capacitor: str, message: str, tmp_path: Path
) -> None:
    deck = tmp_path / "regulated.dss"
    deck.write_text(REGULATED.format(regulator=regulator, capacitor=capacitor))
    engine = Engine()
    engine.compile(deck)

    def read() -> None:
        engine.regulator_controls()
        engine.capacitor_controls({"capacitor.c"})

    with pytest.raises(EngineError, match=message):
        read()


def test_two_runs_of_the_plant_are_the_same_to_the_last_bit() -> None:
    first, second = (day_of(quiet_bench(FILES, turbulent=True), step_s=60.0, hours=1.0) for _ in range(2))
    assert first.v_phasor_v.tobytes() == second.v_phasor_v.tobytes()
    assert first.moves == second.moves > 0
