"""Critical measurements and critical sets, against removal of measurements one by one and networks done by hand."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from adms.core.telemetry import FloatArray, PointKey, PointKind
from adms.estimation import EstimationPolicy, telemetry_alone
from adms.estimation.bad_data import CRITICAL_FRAC
from adms.estimation.criticality import (
    Criticality,
    criticality_alone,
    criticality_noticed,
    criticality_of,
    weighed_residuals,
)
from adms.estimation.observability import Observed
from adms.estimation.prior import NOTHING_SHARED, LoadPrior, prior_from_model
from adms.estimation.system import System
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NetworkModel
from adms.grid.state import normal_state
from tests.unit.estimation.scans import POLICY, flow_keys, scan, snapshot, voltage_keys
from tests.unit.powerflow.networks import arrays_of, bus, four_buses, line, load, nodes, source


def chain(*buses: str, phases: tuple[int, ...] = (1,)) -> NetworkModel:
    """A source at the first of some buses in a row, a load at every other."""
    return NetworkModel(
        name="chain",
        frequency_hz=50.0,
        buses=tuple(bus(name, phases=phases) for name in buses),
        sources=(source("source.s", buses[0], phases=phases),),
        branches=tuple(line(f"line.{fr}{to}", (fr, to), phases=phases) for fr, to in pairwise(buses)),
        capacitors=(),
        loads=tuple(load(f"load.{b}", ((nodes(b, phases)[0], None),), s_va=3e3 + 1e3j) for b in buses[1:]),
        ders=(),
    )


ARRAYS = arrays_of(chain("a", "b", "c"))


def p_and_q(element: str, *, flow: bool = False, side: int = 0) -> list[PointKey]:
    """Of a load, or into a line."""
    kinds = (PointKind.P_FLOW, PointKind.Q_FLOW) if flow else (PointKind.P_INJECTION, PointKind.Q_INJECTION)
    return [PointKey(kind=kind, element=element, side=side, phase=1 if flow else 0) for kind in kinds]


def sigma_of(keys: Sequence[PointKey]) -> FloatArray:
    """10 V, 300 W."""
    return np.array([10.0 if key.kind is PointKind.V_MAGNITUDE else 300.0 for key in keys])


def alone(keys: Sequence[PointKey], *, arrays: NetworkArrays = ARRAYS, policy: EstimationPolicy = POLICY) -> Observed:
    """What points determine; values have no part in it but to be possible ones."""
    value = np.array([2400.0 if key.kind is PointKind.V_MAGNITUDE else 10e3 for key in keys])
    taken = snapshot(arrays, keys, value=value, sigma=sigma_of(keys))
    got = telemetry_alone(taken, arrays=arrays, grid=normal_state(arrays.model), policy=policy)
    assert isinstance(got, Observed)
    return got


def told(keys: Sequence[PointKey], arrays: NetworkArrays = ARRAYS) -> Criticality:
    got = criticality_alone(alone(keys, arrays=arrays))
    assert got is not None
    return got


def test_with_as_many_measurements_as_unknowns_all_are_critical() -> None:
    """Two loads and a source's magnitude: five numbers, the angle being the reference."""
    keys = [*voltage_keys(ARRAYS, ("a",)), *p_and_q("load.b"), *p_and_q("load.c")]
    got = told(keys)
    assert (got.table_rows, got.sets) == ((0, 1, 2, 3, 4), ())


def test_two_voltmeters_that_only_check_each_other_are_a_critical_pair() -> None:
    """By hand: the powers being metered, the second voltage is the first less a drop that is known. 300 W move the drop
    over 0.3 ohm by 0.04 V, against 10 V of a voltmeter: the voltages do not check the powers."""
    keys = [*voltage_keys(ARRAYS, ("a", "b")), *p_and_q("load.b"), *p_and_q("load.c")]
    got = told(keys)
    assert got.table_rows == (2, 3, 4, 5)
    (only,) = got.sets
    assert (only.table_rows, only.pairwise) == ((0, 1), True)
    assert only.why.startswith("an error in one of v_magnitude_v of a.1, v_magnitude_v of b.1 shows, and not in which")


def test_a_measurement_beside_the_redundant_ones_stays_critical() -> None:
    """P of load c is seen twice, Q once."""
    keys = [*voltage_keys(ARRAYS, ("a",)), *p_and_q("load.b"), *p_and_q("load.c"), p_and_q("line.bc", flow=True)[0]]
    got = told(keys)
    # Q and V have a hand in the line's loss, which is far below what the meters tell.
    assert got.table_rows == (0, 1, 2, 4)
    assert [each.table_rows for each in got.sets] == [(3, 5)]


def by_removal(w: FloatArray, size: int) -> set[tuple[int, ...]]:
    """Minimal sets whose joint covariance is singular, by trying all of them: none of the members has more than
    `CRITICAL_FRAC` left once the others are known."""
    found: set[tuple[int, ...]] = set()
    for k in range(1, size + 1):
        for rows in combinations(range(len(w)), k):
            if any(set(other) <= set(rows) for other in found):
                continue
            part = w[np.ix_(rows, rows)]
            left = [
                part[i, i] - part[i, rest] @ np.linalg.solve(part[np.ix_(rest, rest)], part[rest, i])
                if rest
                else part[i, i]
                for i in range(k)
                for rest in [[j for j in range(k) if j != i]]
            ]
            if max(left) < CRITICAL_FRAC:
                found.add(rows)
    return found


MANY = [
    *voltage_keys(ARRAYS, ("a", "b", "c")),
    *p_and_q("load.b"),
    *p_and_q("load.c"),
    *p_and_q("line.ab", flow=True),
    *p_and_q("line.bc", flow=True, side=1),
]


@pytest.mark.parametrize("left_out", [(), (1,), (2,), (3,), (4, 5), (0, 2, 9), (7, 8), (9, 10), (2, 10), (0, 6, 8)])
def test_sets_are_those_that_trying_all_removals_finds(left_out: tuple[int, ...]) -> None:
    """Exhaustive up to three members."""
    keys = [key for i, key in enumerate(MANY) if i not in left_out]
    observed = alone(keys)
    assert observed.system is not None
    expected = by_removal(weighed_residuals(observed.system), 3)
    got = criticality_of(observed.system, use=observed.system.inside)
    table = observed.system.problem.layout.rows.table_rows
    singles = {int(table[rows[0]]) for rows in expected if len(rows) == 1}
    assert set(got.table_rows) == singles
    pairs = {tuple(sorted(int(table[i]) for i in rows)) for rows in expected if len(rows) == 2}
    assert {pair for each in got.sets if each.pairwise for pair in combinations(each.table_rows, 2)} == pairs
    # Of triples, one for each way through the pairs.
    twin = {row: each.table_rows[0] for each in got.sets if each.pairwise for row in each.table_rows}
    triples = {
        tuple(sorted(twin.get(int(table[i]), int(table[i])) for i in rows)) for rows in expected if len(rows) == 3
    }
    assert {each.table_rows for each in got.sets if not each.pairwise and len(each.table_rows) == 3} == triples


def test_a_larger_set_is_found_without_trying_all() -> None:
    """A feeder whose head meter sees the sum of loads that are each metered: one redundant number for P, one for Q."""
    buses = "abcdef"
    arrays = arrays_of(chain(*buses))
    keys = [*voltage_keys(arrays, ("a",)), *p_and_q("line.ab", flow=True)]
    for each in buses[1:]:
        keys += p_and_q(f"load.{each}")
    got = told(keys, arrays)
    assert got.table_rows == (0,)
    # Five loads and the head: all residuals of P are one number, so that every two are a pair.
    assert [each.table_rows for each in got.sets] == [(1, *range(3, 13, 2)), (2, *range(4, 13, 2))]
    more = [*keys, *p_and_q("line.cd", flow=True)]
    sets = [(each.table_rows, each.pairwise) for each in told(more, arrays).sets]
    # Now b and c check the head less line cd, and d, e, f line cd: two numbers for P. Head, b and c err alike, as do
    # d, e and f; one of either with line cd is a triple.
    assert sets == [
        ((1, 3, 5), True),
        ((1, 7, 13), False),
        ((2, 4, 6), True),
        ((2, 8, 14), False),
        ((7, 9, 11), True),
        ((8, 10, 12), True),
    ]


def test_pseudo_measurements_check_what_meters_alone_do_not() -> None:
    arrays = arrays_of(four_buses())
    keys = [*voltage_keys(arrays, ("1", "3")), *flow_keys(arrays, ("line.l12",))]
    value = np.array([2400.0 if key.kind is PointKind.V_MAGNITUDE else 60e3 for key in keys])
    taken = snapshot(arrays, keys, value=value, sigma=np.where(value > 1e4, 2e3, 24.0))
    policy = replace(POLICY, alarm_probability=0.0)
    prior = prior_from_model(arrays, POLICY)
    state, got = scan(taken, arrays, grid=normal_state(arrays.model), prior=prior, policy=policy)
    noticed = criticality_noticed(state)
    assert noticed.table_rows == ()
    assert not got.innovations.critical.any()
    without = criticality_alone(state.observed)
    assert without is not None
    # By hand: on phases 2 and 3 all that enters line l12 goes on to bus 3, so that the voltages there check each other.
    # What a load draws on phase 1 at bus 4 is not metered, but the drop that its current makes in the other phases is,
    # by mutual coupling: with it, the voltages of phase 1 check each other too, less well. Nothing checks the powers.
    assert set(without.table_rows) == set(range(6, 12))


def test_what_the_estimator_calls_critical_is_what_is_listed() -> None:
    keys = [*voltage_keys(ARRAYS, ("a",)), *p_and_q("load.b"), *p_and_q("load.c"), p_and_q("line.bc", flow=True)[0]]
    value = np.array([2440.0, -30e3, -10e3, -30e3, -10e3, 30.1e3])
    nothing = LoadPrior(
        s_nominal_va=ARRAYS.injector_s_nominal_va,
        sigma_p_va=np.full(2, np.inf),
        sigma_q_va=np.full(2, np.inf),
        shared=NOTHING_SHARED,
    )
    taken = snapshot(ARRAYS, keys, value=value, sigma=sigma_of(keys))
    policy = replace(POLICY, source_v_sigma_pu=np.inf)
    state, got = scan(taken, ARRAYS, grid=normal_state(ARRAYS.model), prior=nothing, policy=policy)
    assert criticality_noticed(state).table_rows == tuple(np.flatnonzero(got.innovations.critical).tolist())


def test_with_too_many_rows_no_sets_are_looked_for_and_that_is_said() -> None:
    system: System | None = alone(MANY).system
    assert system is not None
    whole, short = criticality_of(system, use=system.inside), criticality_of(system, use=system.inside, most_rows=5)
    assert (whole.complete, short.complete, short.sets) == (True, False, ())
    assert short.table_rows == whole.table_rows
