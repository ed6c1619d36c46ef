from pathlib import Path

from hil.plant.circuit import build_circuit
from hil.plant.fault_plan import Fault, FaultStage
from hil.referee import Referee
from tests.unit.hil.bench_case import small_circuit, small_feeder


def judged(folder: Path, *, switch: str, closed: bool, by: str = "command", **positions: bool) -> list[str]:
    circuit = small_circuit(folder, fault="line.b")
    referee = Referee(circuit, tap_min_interval_s=15.0)
    referee.fault_began(time_s=10.0)
    before = {entry.id: entry.normally_closed for entry in circuit.overlay.switches}
    before.update({f"switch.{name}": value for name, value in positions.items()})
    referee.switching(switch=f"switch.{switch}", closed=closed, by=by, time_s=20.0, positions=before)
    return [found.rule for found in referee.found]


def test_closing_onto_the_fault_is_unsafe(tmp_path: Path) -> None:
    assert judged(tmp_path, switch="breaker", closed=True, breaker=False) == ["SW1"]


def test_closing_towards_the_faulted_section_is_unsafe_even_when_dead(tmp_path: Path) -> None:
    assert judged(tmp_path, switch="bc", closed=True, breaker=False, bc=False) == ["SW1"]


def test_closing_after_isolation_is_safe(tmp_path: Path) -> None:
    assert judged(tmp_path, switch="breaker", closed=True, breaker=False, ab=False, bc=False) == []


def test_closing_onto_a_place_where_the_fault_has_cleared_is_safe_and_onto_a_second_fault_is_not(
    tmp_path: Path,
) -> None:
    deck, overlay = small_feeder(tmp_path)
    stage = FaultStage(kind="LG", phases=(1,), r_fault_ohm=0.05)
    places = {"first": "line.b", "second": "line.c"}
    faults = [Fault(name=name, line=line, at_frac=0.5, stages=(stage,), time_s=10.0) for name, line in places.items()]
    circuit = build_circuit(deck, overlay=overlay, faults=faults)
    referee = Referee(circuit, tap_min_interval_s=15.0)
    normal = {entry.id: entry.normally_closed for entry in overlay.switches}
    found = []
    for told, switch in (("first", "ab"), ("second", "ab"), ("second", "bc"), (None, "bc")):
        before = len(referee.found)
        referee.faults(frozenset(circuit.fault_places[told].nodes[0]) if told else frozenset())
        # line.b is supplied over ab, line.c over ab and bc.
        positions = normal | {"switch.bc": False, f"switch.{switch}": False}
        referee.switching(switch=f"switch.{switch}", closed=True, by="command", time_s=20.0, positions=positions)
        found.append([entry.rule for entry in referee.found[before:]])
    assert found == [["SW1"], [], ["SW1"], []]


def test_a_parallel_of_two_sources_is_unsafe(tmp_path: Path) -> None:
    assert judged(tmp_path, switch="tie", closed=True, ab=True) == ["SW1", "SW6"]


def test_dropping_supplied_load_is_unsafe(tmp_path: Path) -> None:
    assert judged(tmp_path, switch="bc", closed=False) == ["SW23"]


def test_what_protection_does_is_not_judged(tmp_path: Path) -> None:
    assert judged(tmp_path, switch="breaker", closed=True, by="protection", breaker=False) == []


def test_taps_moved_too_soon_and_setpoints_over_the_nameplate_are_counted(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    referee = Referee(circuit, tap_min_interval_s=15.0)
    for time_s, moves in ((0.0, True), (10.0, False), (14.0, True), (40.0, True)):
        referee.tap_command("transformer.r", time_s=time_s, moves=moves)
    (der,) = circuit.overlay.ders
    referee.power_command(der, time_s=50.0, p_injection_w=80e3, q_injection_var=44e3)
    referee.power_command(der, time_s=50.0, p_injection_w=0.0, q_injection_var=50e3)
    assert [found.rule for found in referee.found] == ["VV3", "DE2"]
