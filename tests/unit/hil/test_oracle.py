from pathlib import Path

import numpy as np
import pytest

from hil import oracle
from hil.oracle import FeederState, Oracle
from hil.plant.circuit import Circuit
from tests.unit.hil.bench_case import small_circuit


def state(circuit: Circuit, **closed: bool) -> FeederState:
    positions = {switch.id: switch.normally_closed for switch in circuit.overlay.switches}
    positions.update({f"switch.{name}": value for name, value in closed.items()})
    return FeederState(
        closed=positions,
        taps={},
        capacitors={},
        demand_va=np.array([complex(load.p_w, load.q_var) for load in circuit.loads]),
        der_va={},
    )


def test_around_a_fault_in_the_middle_both_ends_come_back(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    best = Oracle(circuit).best(state(circuit, breaker=False), faulted_line="line.b")
    # By hand: zones a (100 kW), b (200 kW, faulted), c (300 kW). a comes back from the head, c from the neighbour.
    assert best.restorable_w == 400e3
    assert best.lost_w == 600e3
    assert best.switches == {"switch.breaker": True, "switch.ab": False, "switch.bc": False, "switch.tie": True}
    assert best.exhausted


def test_a_neighbour_that_cannot_carry_it_restores_less(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path, p_max_w=200e3)
    best = Oracle(circuit).best(state(circuit, breaker=False), faulted_line="line.b")
    assert best.restorable_w == 100e3
    assert "switch.tie" not in best.switches


def test_a_candidate_with_low_voltage_is_not_a_restoration(tmp_path: Path) -> None:
    # 300 kW over 5 ohm at 4.16 kV: the drop is about 5 * 300e3 / 4160**2 = 9 %, below the 5 % that is allowed.
    circuit = small_circuit(tmp_path, r_ohm=5.0)
    best = Oracle(circuit).best(state(circuit, breaker=False), faulted_line="line.b")
    assert best.restorable_w == 100e3


def test_a_fault_at_the_head_brings_the_rest_back_from_the_neighbour(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    best = Oracle(circuit).best(state(circuit, breaker=False), faulted_line="line.a")
    assert best.restorable_w == 500e3
    assert best.switches == {"switch.ab": False, "switch.tie": True}


def test_a_search_that_ends_early_or_skips_sets_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = small_circuit(tmp_path)
    standing = state(circuit, breaker=False)
    ended = Oracle(circuit, max_solves=0).best(standing, faulted_line="line.b")
    assert (ended.restorable_w, ended.exhausted) == (0.0, False)
    assert ended.unproven == "the budget of 0 solves ended the search"
    monkeypatch.setattr(oracle, "ALL_SETS_UP_TO", 1)
    monkeypatch.setattr(oracle, "LARGEST_SET", 0)
    # With one zone at most dropped there is nothing better than dropping none.
    assert Oracle(circuit).best(standing, faulted_line="line.b").exhausted
    # The neighbour carries 200 kW: c (300 kW) stays dark, and a alone would do; but only "nothing" and "everything"
    # are dropped.
    weak = small_circuit(tmp_path, p_max_w=200e3)
    skipped = Oracle(weak).best(standing, faulted_line="line.b")
    assert skipped.restorable_w == 0.0
    assert skipped.unproven == "of 2 zones no more than 0 were dropped at a time"


def test_a_feeder_without_solution_as_it_stands_is_told_in_the_engines_words(tmp_path: Path) -> None:
    circuit = small_circuit(tmp_path)
    circuit.engine.command("set maxiterations=1")
    answer = Oracle(circuit).best(state(circuit), faulted_line="line.b")
    assert answer.unproven == "the feeder as it stands has no solution: no convergence in 1 iterations"
