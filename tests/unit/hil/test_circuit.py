from pathlib import Path

import numpy as np
import pytest

from hil.engine import Engine, split_bus
from hil.overlay import read_overlay
from hil.plant.circuit import build_circuit
from tests.unit.hil.bench_case import FILES, small_circuit


def test_with_ties_open_the_plant_is_the_deck_that_plain_opendss_solves() -> None:
    # Reference: OpenDSS on the unchanged deck with its controls off (all taps at neutral).
    plain = Engine()
    plain.compile(FILES.deck)
    plain.prepare()
    assert plain.solve()
    reference = dict(zip(plain.node_names(), np.abs(plain.voltages()) / plain.node_bases(), strict=True))
    circuit = build_circuit(FILES.deck, overlay=read_overlay(FILES.overlay))
    assert circuit.engine.solve()
    found = dict(
        zip(circuit.engine.node_names(), np.abs(circuit.engine.voltages()) / circuit.engine.node_bases(), strict=True)
    )
    shared = [node for node in reference if node in found]
    assert len(shared) >= 270
    worst = max(abs(reference[node] - found[node]) for node in shared)
    # Nineteen inserted contacts of 1e-6 ohm at up to 700 A: some 1e-6 pu.
    assert worst < 5e-6


def test_preparing_a_fault_changes_no_voltage() -> None:
    overlay = read_overlay(FILES.overlay)
    sound = build_circuit(FILES.deck, overlay=overlay)
    prepared = build_circuit(FILES.deck, overlay=overlay, fault="line.l67")
    values = []
    for circuit in (sound, prepared):
        assert circuit.engine.solve()
        v = dict(zip(circuit.engine.node_names(), np.abs(circuit.engine.voltages()), strict=True))
        values.append(np.array([v[node] for node in sound.nodes]))
    # Splitting a line moves only its charging, some 1e-7 pu.
    assert np.allclose(values[0], values[1], rtol=1e-6)
    assert set(prepared.nodes) == set(sound.nodes)


def test_opening_a_switch_makes_everything_behind_it_dead_in_the_engine_and_in_the_topology() -> None:
    overlay = read_overlay(FILES.overlay)
    circuit = build_circuit(FILES.deck, overlay=overlay)
    closed = {switch.id: switch.normally_closed for switch in overlay.switches} | {"line.sw4": False}
    circuit.engine.set_switch("line.sw4", closed=False)
    assert circuit.engine.solve()
    v_pu = np.abs(circuit.engine.voltages()) / circuit.engine.node_bases()
    live = circuit.topology.energised(closed)
    for node, v in zip(circuit.engine.node_names(), v_pu, strict=True):
        assert (v > 0.5) == (node in live), node
    assert ("67", 1) not in live
    assert ("61", 1) in live


def test_a_tie_between_two_sources_is_named_as_a_parallel(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    closed = {switch.id: switch.normally_closed for switch in circuit.overlay.switches}
    assert circuit.topology.loops(closed) == ()
    assert circuit.topology.loops(closed | {"switch.tie": True})
    assert circuit.topology.loops(closed | {"switch.tie": True, "switch.ab": False}) == ()


@pytest.mark.parametrize(
    ("text", "phases", "expected"),
    [("35.1.2", 2, ("35", (1, 2))), ("47", 3, ("47", (1, 2, 3))), ("150R.3", 1, ("150r", (3,)))],
)
def test_a_bus_string_gives_bus_and_phases(text: str, phases: int, expected: tuple[str, tuple[int, ...]]) -> None:
    assert split_bus(text, phase_count=phases) == expected
