"""Wrong positions as hypotheses: their evidence against the referee's, and what is named, left open or called
undecidable."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adms.core.ids import BusId, ElementId
from adms.core.positions import PositionVerdict, Standing
from adms.core.telemetry import FloatArray, PointKey, PointKind
from adms.estimation.beliefs import beliefs_of
from adms.estimation.hypotheses import weighed
from adms.estimation.hypotheses_candidates import candidates_of
from adms.estimation.hypotheses_evidence import Fit, fit_of, heard_of
from adms.estimation.hypotheses_linear import linear_test
from adms.estimation.layout import layout_of
from adms.estimation.problem import Problem, problem_of
from adms.grid.model import NodeRef
from adms.grid.state import GridState
from adms.powerflow import PowerFlow, solve_power_flow
from tests.estimation_study.draws import scan_of
from tests.estimation_study.meter_functions import MeterFunctions
from tests.estimation_study.positions_by_odds import HYPOTHESES, Positions, named, tap_by_odds
from tests.estimation_study.studies import Study
from tests.estimation_study.wrong_positions import (
    OR,
    RIGHT,
    UNDECIDABLE,
    Evidence,
    NameTap,
    opened,
    stepped,
    tap_naming,
)
from tests.unit.estimation.positions import SWITCH_13, of, verdict, with_open
from tests.unit.estimation.scans import snapshot, voltage_keys


def fitted(one: Study, grid: GridState, value: FloatArray) -> Fit:
    layout = layout_of(one.arrays, one.plan.table)
    problem = problem_of(layout, grid, policy=one.policy)
    assert isinstance(problem, Problem)
    reported = problem_of(layout, one.grid, policy=one.policy)
    assert isinstance(reported, Problem)
    beliefs = beliefs_of(reported, one.prior)
    taken = scan_of(one.arrays, one.plan, value=value)
    heard = heard_of(taken, problem=reported, beliefs=beliefs, policy=one.policy)
    found = fit_of(
        problem,
        heard,
        beliefs=beliefs_of(problem, one.prior),
        policy=one.policy,
        hypotheses=HYPOTHESES,
        start=None,
    )
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["13", "34"])
def test_the_evidence_of_a_tap_step_is_the_referees(name: str) -> None:
    """The referee has its own measurement functions, Gauss-Newton and a dense residual covariance."""
    one = of(name)
    value = one.drawn(seed=5, count=1)[1][:, 0]
    taps = [c for c in candidates_of(one.arrays, one.grid, tap_steps=(1,)) if c.is_tap][:3]
    grids = {c.device: c.applied(one.grid) for c in taps}
    expected = Evidence(one, {"": one.grid, **grids}).of(value)
    reported = fitted(one, one.grid, value)
    for device, grid in grids.items():
        odds = fitted(one, grid, value).log_evidence - reported.log_evidence
        assert odds == pytest.approx(expected[device] - expected[""], abs=2e-3)


def test_the_evidence_of_an_open_switch_is_the_referees() -> None:
    one = of("13")
    value = with_open("13", SWITCH_13)[:, 0]
    expected = Evidence(one, {"": one.grid, "open": opened(one, SWITCH_13)}).of(value)
    odds = fitted(one, opened(one, SWITCH_13), value).log_evidence - fitted(one, one.grid, value).log_evidence
    assert odds == pytest.approx(expected["open"] - expected[""], rel=1e-3)


@pytest.mark.parametrize("name", ["13", "123"])
def test_the_linear_test_says_what_an_exact_solution_says_of_tap_steps_and_ties(name: str) -> None:
    one = of(name)
    value = one.drawn(seed=5, count=1)[1][:, 0]
    reported = fitted(one, one.grid, value)
    checked = 0
    for candidate in candidates_of(one.arrays, one.grid, tap_steps=(-1, 1))[-12:]:
        if candidate.is_tap or not one.grid.closed[candidate.poles[0]]:
            got = linear_test(reported, candidate)
            assert got is not None
            exact = fitted(one, candidate.applied(one.grid), value).log_evidence - reported.log_evidence
            assert got.log_odds == pytest.approx(exact, abs=0.15 + 0.02 * abs(exact))
            checked += 1
    assert checked >= 5


def test_an_open_switch_is_named_with_its_odds() -> None:
    one = of("13")
    said = verdict(Positions(one)(with_open("13", SWITCH_13)[:, 0]), SWITCH_13)
    assert said.standing is Standing.WRONG
    assert said.instead == (f"{SWITCH_13} open",)
    assert said.log_odds > 20.0
    assert said.odds_in_words.startswith("10^")


@pytest.mark.parametrize("switch", ["line.sw1", "line.sw5", "switch.s_l43", "switch.s_l105"])
def test_open_switches_of_123_are_named(switch: str) -> None:
    one = of("123")
    assert named(Positions(one)(with_open("123", switch)[:, 0])) == switch


def test_switches_in_series_are_named_together() -> None:
    one = of("123")
    said = named(Positions(one)(with_open("123", "line.sw4")[:, 0]))
    assert said is not None
    assert set(said.split(OR)) == {"line.sw4", "switch.s_l117"}


def test_a_tie_that_is_closed_unseen_is_named() -> None:
    one = of("123")
    tie = "switch.t151_300"
    value = one.drawn(seed=6, count=1, grid=one.grid.with_switch(ElementId(tie), closed=True))[1][:, 0]
    assert named(Positions(one)(value)) == tie


def test_a_switch_that_is_closed_though_reported_open_is_named_by_voltages_beyond_it() -> None:
    """Reported open, everything beyond is dead; the meters there read a voltage."""
    one = of("13")
    reported_open = replace(one, grid=opened(one, SWITCH_13))
    value = one.drawn(seed=7, count=1)[1][:, 0]
    said = verdict(Positions(reported_open)(value), SWITCH_13)
    assert said.standing is Standing.WRONG
    assert said.instead == (f"{SWITCH_13} closed",)


def test_a_switch_with_nothing_behind_it_is_undecidable_and_it_is_said_why() -> None:
    """line.sw6 ends at a bus without load and without meters."""
    one = of("123")
    said = verdict(Positions(one)(with_open("123", "line.sw6")[:, 0]), "line.sw6")
    assert said.standing is Standing.UNDECIDABLE
    assert "0.0 sigma" in said.why


@pytest.mark.parametrize("name", ["13", "34", "123"])
def test_scans_of_true_positions_name_nothing(name: str) -> None:
    one = of(name)
    values = one.drawn(seed=8, count=3)[1]
    assert [named(Positions(one)(values[:, i])) for i in range(3)] == [None] * 3


def test_one_dead_meter_opens_no_switch() -> None:
    """A voltage meter beyond the switch reads zero, the others beyond do not: that is a failed meter."""
    one = of("123")
    dead = ~one.arrays.energised(opened(one, "line.sw3"))
    beyond = [
        i
        for i, key in enumerate(one.plan.keys)
        if key.kind is PointKind.V_MAGNITUDE and dead[one.arrays.node_idx[NodeRef(BusId(key.element), key.phase)]]
    ]
    assert len(beyond) >= 2
    value = one.drawn(seed=9, count=1)[1][:, 0].copy()
    value[beyond[0]] = 0.0
    assert named(Positions(one)(value)) is None


def test_a_tap_one_step_off_is_named_within_sixty_scans() -> None:
    one = of("34", at_taps=True)
    changer = "transformer.reg1b"
    found = tap_naming(one, lambda: tap_by_odds(one, changer), changers=[changer], runs=2, seed=51)
    assert found.frac(RIGHT) == 1.0


def test_with_biased_meters_the_same_step_is_undecidable() -> None:
    one = of("34", at_taps=True)
    changer = "transformer.reg1b"
    found = tap_naming(
        one,
        lambda: tap_by_odds(one, changer, voltage_bias_frac=0.005),
        changers=[changer],
        runs=2,
        seed=51,
        bias_frac=0.005,
    )
    assert found.frac(UNDECIDABLE) == 1.0


def test_a_tap_without_voltage_meters_beside_it_is_undecidable() -> None:
    one = of("13")
    value = one.drawn(seed=8, count=1, grid=stepped(one, "transformer.reg1", 1))[1][:, 0]
    said = verdict(Positions(one)(value), "transformer.reg1")
    assert said.standing is Standing.UNDECIDABLE
    assert "sigma" in said.why


def test_a_reading_that_is_not_new_is_not_counted_again() -> None:
    """The same snapshot sixty times over says no more than once."""
    one = of("13", at_taps=True)
    taken = scan_of(
        one.arrays, one.plan, value=one.drawn(seed=8, count=1, grid=stepped(one, "transformer.reg1", 1))[1][:, 0]
    )
    state, odds = None, []
    for _ in range(3):
        state, said = weighed(
            state,
            snapshot=taken,
            arrays=one.arrays,
            grid=one.grid,
            prior=one.prior,
            policy=one.policy,
            hypotheses=HYPOTHESES,
        )
        odds.append(verdict(said, "transformer.reg1").log_odds)
    assert np.ptp(odds) < 1e-6


def test_what_was_seen_before_a_reported_move_counts_no_more() -> None:
    one = of("13", at_taps=True)
    values = one.drawn(seed=8, count=2)[1]
    state = None
    for grid in (one.grid, stepped(one, "transformer.reg1", 1)):
        state, _ = weighed(
            state,
            snapshot=scan_of(one.arrays, one.plan, value=values[:, 0]),
            arrays=one.arrays,
            grid=grid,
            prior=one.prior,
            policy=one.policy,
            hypotheses=HYPOTHESES,
        )
        assert state is not None
        assert state.window.scans == 1


def test_errors_of_the_meters_that_nobody_stated_name_no_tap() -> None:
    """Half a per cent, constant, of every voltage meter; what is believed is none."""
    one = of("34", at_taps=True)
    changer = "transformer.reg2b"
    found = tap_naming(one, lambda: tap_by_odds(one, changer), changers=[changer], runs=2, seed=951, bias_frac=0.005)
    assert found.frac(UNDECIDABLE) == 1.0


def test_without_the_guard_the_same_errors_name_one() -> None:
    """So that the test above cannot pass for another reason."""
    one = of("34", at_taps=True)
    off = replace(HYPOTHESES, unstated_bias_odds=0.0)

    def by_odds() -> NameTap:
        positions = Positions(one, off)
        return lambda value: named(positions(value))

    found = tap_naming(one, by_odds, changers=["transformer.reg2b"], runs=2, seed=951, bias_frac=0.005)
    assert found.frac(None) < 1.0


def test_the_readings_that_carry_a_verdict_are_those_beyond_the_switch() -> None:
    one = of("123")
    dead = ~one.arrays.energised(opened(one, "line.sw3"))
    said = verdict(Positions(one)(with_open("123", "line.sw3")[:, 0]), "line.sw3")
    assert len(said.witnesses) >= 2
    for witness in said.witnesses:
        assert witness.key.kind is PointKind.V_MAGNITUDE
        assert dead[one.arrays.node_idx[NodeRef(BusId(witness.key.element), witness.key.phase)]]
        assert abs(witness.instead_sigmas) < 5.0 < abs(witness.reported_sigmas)


def asked(one: Study, value: FloatArray, **options: Any) -> tuple[PositionVerdict, ...]:
    return weighed(
        None,
        snapshot=scan_of(one.arrays, one.plan, value=value),
        arrays=one.arrays,
        grid=one.grid,
        prior=one.prior,
        policy=one.policy,
        hypotheses=options.pop("hypotheses", HYPOTHESES),
        **options,
    )[1]


def test_nothing_is_said_of_a_device_whose_position_is_not_known_nor_another_blamed_for_it() -> None:
    one = of("13")
    said = asked(one, with_open("13", SWITCH_13)[:, 0], unknown=frozenset({ElementId(SWITCH_13)}))
    assert SWITCH_13 not in {v.device for v in said}
    assert len(said) == 3
    assert all(v.standing is not Standing.WRONG for v in said)


def test_what_looks_wrong_once_has_to_look_wrong_again_where_that_is_asked_for() -> None:
    one = of("13")
    values = with_open("13", SWITCH_13)
    positions = Positions(one, replace(HYPOTHESES, named_in_a_row=2))
    assert verdict(positions(values[:, 0]), SWITCH_13).why == "it looks wrong, and has to once more"
    assert verdict(positions(values[:, 1]), SWITCH_13).standing is Standing.WRONG


def test_a_tap_changer_that_is_metered_itself_gets_its_turn() -> None:
    """The linear test says nothing where a meter is on the branch: it is solved. Perfect voltages everywhere, P and Q
    through a regulator that is two steps off; one scan is all there is."""
    one = of("13")
    changer = one.arrays.branches[one.arrays.tapped[0]]
    flows = [
        PointKey(kind=kind, element=changer.id, phase=node.phase)
        for node in changer.terminals[0]
        for kind in (PointKind.P_FLOW, PointKind.Q_FLOW)
    ]
    keys = (*voltage_keys(one.arrays, {node.bus for node in one.arrays.nodes}), *flows)
    true = stepped(one, str(changer.id), 2)
    flow = solve_power_flow(one.arrays, true, s_nominal_va=one.arrays.injector_s_nominal_va)
    assert isinstance(flow, PowerFlow)
    wide = np.concatenate([flow.v_phasor_pu, *(source.emf_pu for source in one.arrays.sources)])
    value = MeterFunctions(one.arrays, true, keys=keys).value(wide, s_pu=flow.s_injection_va / 1e6)
    _, verdicts = weighed(
        None,
        snapshot=snapshot(one.arrays, keys, value=value, sigma=np.maximum(0.002 * np.abs(value), 1.0)),
        arrays=one.arrays,
        grid=one.grid,
        prior=one.prior,
        policy=one.policy,
        hypotheses=replace(HYPOTHESES, by_turn=1000, exact_each_scan=1000),
    )
    assert verdict(verdicts, str(changer.id)).standing is Standing.WRONG
