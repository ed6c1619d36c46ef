"""One close that goes wrong, and FLISR only proposes: what is a trial, what is not, and for how long."""

from dataclasses import replace

import pytest

from adms.apps.flisr import FlisrState
from adms.core.commands import App
from adms.core.plans import PlanStatus
from adms.grid.model import SwitchKind
from tests.unit.apps.flisr.networks import Feeder, Link, line_of_four, switch
from tests.unit.apps.flisr.plants import POLICY
from tests.unit.apps.flisr.test_decide import Rounds, of


def many_ties(*, tie: SwitchKind = SwitchKind.RECLOSER) -> Feeder:
    """s0 =R= a =1= b =2= c =3= d, and a tie from a source of its own behind a recloser (h1 to h4) to each section."""
    base = line_of_four()
    heads = [Link(name=f"h{k}", fr=f"s{k}", to=f"h{k}", kind=SwitchKind.RECLOSER) for k in range(1, 5)]
    ties = [
        Link(name=f"t{k}", fr=f"h{k}", to=section, normally_closed=False, kind=tie)
        for k, section in enumerate("abcd", start=1)
    ]
    return replace(
        base,
        links=(*base.links[:-1], *heads, *ties),
        sources=("s0", "s1", "s2", "s3", "s4"),
        loads_w={**base.loads_w, **{f"h{k}": 50e3 for k in range(1, 5)}},
    )


def energising(rounds: Rounds) -> int:
    """Trips, each of which is one time that the fault was energised."""
    return len(rounds.tripped)


@pytest.mark.parametrize("tie", [SwitchKind.RECLOSER, SwitchKind.LOAD_BREAK])
@pytest.mark.parametrize("faulted", ["a", "b", "c", "d"])
def test_with_all_indicators_at_rest_the_fault_is_energised_once_at_most(faulted: str, tie: SwitchKind) -> None:
    rounds = Rounds(many_ties(tie=tie)).quiet()
    rounds.plant.at_rest = True
    rounds.plant.fault(faulted)
    rounds.run(60)
    assert energising(rounds) <= 1
    # With the fault elsewhere than behind R, where it is looked for without indicators, it is met once.
    assert energising(rounds) == (0 if faulted == "a" else 1)


def test_after_a_trial_plans_are_proposed_with_the_reason_and_executed_once_approved() -> None:
    rounds = Rounds(many_ties()).quiet()
    rounds.plant.at_rest = True
    rounds.plant.fault("c")
    for _ in range(30):
        decision = rounds.one()
        if rounds.tripped and decision.plans:
            break
    done = list(rounds.operated)
    decision = rounds.one() if decision.plans[-1].status is not PlanStatus.PROPOSED else decision
    assert decision.plans[-1].status is PlanStatus.PROPOSED
    assert any("handed over: switch.t" in note and "operator" in note for note in decision.notes)
    assert rounds.run(5) == done
    rounds.plant.approved = {of(decision).plan_id}
    assert len(rounds.run(3)) > len(done)


def test_the_block_ends_trial_block_s_after_the_close() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("a")
    rounds.plant.stuck = {switch("t")}
    rounds.run(5)
    assert rounds.operated == [("1", False), ("t", True)]
    closed_at = rounds.plant.history[switch("t")][-1].time
    rounds.plant.stuck = set()
    rounds.plant.wait(POLICY.trial_block_s - (rounds.plant.now - closed_at).total_seconds() - 1.0)
    rounds.one()
    assert rounds.state.trials.keys() == {switch("t")}
    rounds.one()
    assert not rounds.state.trials


def test_a_tie_without_protection_that_makes_its_feeder_trip_is_a_trial() -> None:
    rounds = Rounds(many_ties(tie=SwitchKind.LOAD_BREAK)).quiet()
    rounds.plant.at_rest = True
    rounds.plant.fault("c")
    rounds.run(20)
    assert len(rounds.tripped) == 1
    assert rounds.tripped[0].startswith("switch.h")
    (trial,) = rounds.state.trials.values()
    assert f"{rounds.tripped[0]} tripped after it" in trial.reason


@pytest.mark.parametrize("answer", ["local: the handle is on local", "interlocked", "not_supported"])
def test_a_close_that_the_device_refuses_is_no_trial(answer: str) -> None:
    links = line_of_four().links
    spare = Link(name="u", fr="s2", to="d", normally_closed=False)
    feeder = replace(line_of_four(), links=(*links, spare), sources=("s0", "s1", "s2"))
    rounds = Rounds(feeder).quiet()
    rounds.plant.fault("a")
    rounds.plant.stuck = {switch("t")}
    while ("t", True) not in rounds.operated:
        rounds.one()
    rounds.plant.failed = {switch("t"): answer}
    rounds.run(3)
    assert rounds.operated[-1] == ("u", True)
    assert rounds.dead() == {"a"}
    # That it may be tried again later does not make it one afterwards.
    rounds.plant.failed = {}
    rounds.run(3)
    assert not rounds.state.trials


def test_a_close_that_nothing_confirmed_in_time_is_a_trial_even_if_the_position_is_not_known() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    while ("r", True) not in rounds.operated:
        rounds.one()
    rounds.plant.lost = {switch("r")}
    rounds.plant.failed = {switch("r"): "telemetry did not show the position by 2026-01-01T00:00:30+00:00"}
    decision = rounds.one()
    assert "switch.r was ordered to close and did not confirm it" in (rounds.state.trials[switch("r")].reason)
    assert decision.proposals == ()
    assert ("t", True) not in rounds.run(10)


def test_a_restart_finds_the_trial_in_the_history() -> None:
    rounds = Rounds(many_ties()).quiet()
    rounds.plant.at_rest = True
    rounds.plant.fault("d")
    rounds.run(30)
    assert energising(rounds) == 1
    rounds.state = FlisrState.initial()
    done = list(rounds.operated)
    assert rounds.run(20) == done
    assert rounds.state.trials


def test_a_close_by_an_operator_that_trips_is_no_trial_of_flisr() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("b")
    rounds.one()
    rounds.plant.operate(switch("r"), closed=True)
    (operation,) = rounds.plant.history[switch("r")]
    rounds.plant.history[switch("r")] = (replace(operation, app=App.OPERATOR),)
    rounds.one()
    assert not rounds.state.trials


def test_an_outage_that_is_over_ends_the_handover() -> None:
    rounds = Rounds().quiet()
    rounds.plant.fault("a")
    rounds.plant.stuck = {switch("t")}
    rounds.run(5)
    assert rounds.state.trials
    rounds.plant.faults.clear()
    rounds.plant.passed.clear()
    rounds.plant.locked_out.clear()
    for name in ("r", "1"):
        rounds.plant.grid = rounds.plant.grid.with_switch(switch(name), closed=True)
    rounds.one()
    assert not rounds.state.trials
