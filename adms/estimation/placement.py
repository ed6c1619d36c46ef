"""One more sensor: which one would help most.

A row h with sigma turns the covariance Sigma of the voltages into

    Sigma - Sigma h h^T Sigma / (sigma^2 + h^T Sigma h)

exactly, whatever it reads (Sherman, Morrison, Ann. Math. Stat. 21(1), 1950); several rows of one sensor likewise, with
the inverse of their innovations' covariance. One substitution for each row says it of all nodes. All possible sensors
are looked at first through the columns of a few sums of nodes, and those that promise most are worked out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, PointKey, PointKind
from adms.estimation.bad_data import CRITICAL_FRAC
from adms.estimation.candidate import borders
from adms.estimation.certainty import Certainty
from adms.estimation.estimator import EstimatorState
from adms.estimation.iterate import Converged
from adms.estimation.promise import promise
from adms.estimation.system import Singular, System, system_at
from adms.grid.arrays import S_BASE_VA
from adms.grid.model import NodeRef

SHORTLIST = 200
"""Sensors that are worked out: some 4 ms for a three-phase meter on 8,500 nodes."""


class Objective(StrEnum):
    """What a sensor is to help."""

    VOLTAGE = "voltage"
    """The mean variance of the voltage magnitudes of all live nodes, no node counting for more than an unobservable
    one."""
    WORST = "worst"
    """The largest of their sigmas."""
    REDUNDANCY = "redundancy"
    """How many measurements nothing else checks."""


@dataclass(frozen=True, kw_only=True)
class MeterAccuracy:
    """Of sensors that are not there yet: standard deviations."""

    v_frac: float = 0.005
    """Of a voltage meter, over the nominal voltage."""
    s_frac: float = 0.01
    """Of active and of reactive power, over the apparent power that the estimate says flows there now,"""
    s_least_va: float = 100.0
    """and at least this."""


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """A device that could be put up."""

    keys: tuple[PointKey, ...]
    """What it measures."""
    sigma: tuple[float, ...]
    """Standard deviation of each, SI."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How well a network is known."""

    sigma_mean_pu: float
    """Square root of the mean variance of the live nodes' voltage magnitudes, each at most that of an unobservable
    one."""
    sigma_worst_pu: float
    unobservable: int
    """Live nodes that nothing holds."""
    critical: int
    """Measurements that nothing else checks, the new ones left aside."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A sensor and what it would change."""

    sensor: Sensor
    before: Quality
    after: Quality


def suggest_sensors(
    state: EstimatorState,
    *,
    count: int,
    objective: Objective = Objective.VOLTAGE,
    together: bool = False,
    accuracy: MeterAccuracy | None = None,
    sensors: Sequence[Sensor] | None = None,
    shortlist: int = SHORTLIST,
) -> tuple[Suggestion, ...]:
    """The sensors that would help most, the best first.

    Args:
        state: what a scan left.
        count: how many to name.
        objective: what they are to help.
        together: True for sensors that are put up one after the other, each the best beside those before it (and its
            `before` with them); False for the best, second best and so on as the only one.
        accuracy: of the sensors.
        sensors: what could be put up; everything that `possible_sensors` finds, unless given.
        shortlist: how many are worked out.

    Returns:
        At most `count`; those that help nothing are left out.
    """
    system = _system(state)
    if system is None:
        return ()
    if sensors is None:
        sensors = possible_sensors(state, accuracy=accuracy or MeterAccuracy())
    keys = tuple(dict.fromkeys(key for sensor in sensors for key in sensor.keys))
    found = borders(system, keys)
    row_of = {keys[int(at)]: row for row, at in enumerate(found.stack.table_rows) if found.live[row]}
    usable = [sensor for sensor in sensors if all(key in row_of for key in sensor.keys)]
    rows = [np.array([row_of[key] for key in sensor.keys], dtype=np.int64) for sensor in usable]
    variance = [
        (np.array(sensor.sigma) / found.stack.si_per_unit[at]) ** 2 for sensor, at in zip(usable, rows, strict=True)
    ]
    certainty = Certainty(system, cap_pu=state.policy.sigma_unobservable_pu)
    promised = promise(certainty, found, rows=rows, variance=variance, objective=objective.value)
    left = np.argsort(-promised, kind="stable")[:shortlist].tolist()
    named: list[Suggestion] = []
    before = _quality(certainty, certainty.variance, certainty.residual_frac)
    while left and len(named) < count:
        tried = []
        for one in left:
            with_it = certainty.with_rows(found, rows[one], variance=variance[one])
            tried.append((_rank(after := _quality(certainty, *with_it), objective), one, after))
        tried.sort(key=lambda each: each[:2])
        better = [each for each in tried if each[0] < _rank(before, objective)]
        if not together:
            named += [Suggestion(sensor=usable[one], before=before, after=after) for _, one, after in better[:count]]
            break
        if not better:
            break
        _, one, after = better[0]
        named.append(Suggestion(sensor=usable[one], before=before, after=after))
        certainty.put_up(found, rows[one], variance=variance[one])
        before = after
        left.remove(one)
    return tuple(named)


def _system(state: EstimatorState) -> System | None:
    """A matrix at the optimum with the rows in use."""
    optimum, base = state.optimum, state.system
    s = optimum.s if isinstance(optimum, Converged) else base.s
    beliefs = base.beliefs.for_covariance() if base.beliefs.partial else base.beliefs
    made = system_at(base.problem, optimum.x, s=s, beliefs=beliefs, inside=state.use, variance=base.variance)
    return None if isinstance(made, Singular) else made


def _rank(quality: Quality, objective: Objective) -> tuple[float, ...]:
    """Smaller is better; to rounding, so that what changes nothing is no better."""
    mean, worst = round(quality.sigma_mean_pu, 12), round(quality.sigma_worst_pu, 12)
    if objective is Objective.VOLTAGE:
        return (mean,)
    return (worst, mean) if objective is Objective.WORST else (quality.critical, mean)


def _quality(certainty: Certainty, variance: FloatArray, residual_frac: FloatArray) -> Quality:
    live = certainty.live
    v = variance[live]
    cap = certainty.cap_pu**2
    return Quality(
        sigma_mean_pu=float(np.sqrt(np.minimum(v, cap).mean())),
        sigma_worst_pu=float(np.sqrt(v.max())),
        unobservable=int(np.count_nonzero(v > cap)),
        critical=int(np.count_nonzero(residual_frac < CRITICAL_FRAC)),
    )


def possible_sensors(state: EstimatorState, *, accuracy: MeterAccuracy) -> list[Sensor]:
    """Everything that could be put up beside the points in use: a voltage meter at each live node, a meter of P and Q
    of every phase at each end of each branch, one of each load and DER.

    Args:
        state: what a scan left.
        accuracy: of the sensors.
    """
    problem = state.problem
    arrays = problem.layout.arrays
    used = problem.layout.rows.table_rows[state.use]
    there = {problem.layout.table.keys[int(row)] for row in used}
    sensors = [
        Sensor(
            keys=(PointKey(kind=PointKind.V_MAGNITUDE, element=arrays.nodes[i].bus, phase=arrays.nodes[i].phase),),
            sigma=(accuracy.v_frac * float(arrays.v_base_v[i]),),
        )
        for i in problem.live.tolist()
        if arrays.nodes[i].phase <= 3
    ]
    sensors += [sensor for sensor in _power_meters(state, accuracy) if sensor.keys]
    return [sensor for sensor in sensors if not there.issuperset(sensor.keys)]


def _power_meters(state: EstimatorState, accuracy: MeterAccuracy) -> list[Sensor]:
    arrays = state.problem.layout.arrays
    solved = state.problem.factor.solved
    layout = state.problem.layout
    v = layout.phasors(state.optimum.x, layout.node)
    s = state.optimum.s if isinstance(state.optimum, Converged) else state.system.s
    found = []
    for index, branch in enumerate(arrays.branches):
        there = solved[arrays.branch_nodes[index]].all()
        if not there or not arrays.branch_admittance_pu(index, state.problem.grid).any():
            continue  # dead, or open: it carries nothing
        flow = np.abs(arrays.branch_power_va(index, state.problem.grid, v))
        first = 0
        for side, terminal in enumerate(branch.terminals):
            conductors = [(node, float(flow[first + i])) for i, node in enumerate(terminal) if node.phase <= 3]
            first += len(terminal)
            found.append(_meter(branch.id, conductors, side=side, accuracy=accuracy, flows=True))
    for element, parts in arrays.injector_rows.items():
        places = state.problem.row_of_injector[parts]
        if len(places) == 0 or (places < 0).any():
            continue
        sizes = [float(each) for each in np.abs(s[places]) * S_BASE_VA]
        pairs = [(arrays.nodes[int(arrays.injector_fr[k])], size) for k, size in zip(parts, sizes, strict=True)]
        if len({node.phase for node, _ in pairs}) == len(pairs):
            found.append(_meter(element, pairs, side=0, accuracy=accuracy, flows=False))
    return found


def _meter(
    element: ElementId,
    conductors: list[tuple[NodeRef, float]],
    *,
    side: int,
    accuracy: MeterAccuracy,
    flows: bool,
) -> Sensor:
    """P and Q of each conductor, by the apparent power in it."""
    kinds = (PointKind.P_FLOW, PointKind.Q_FLOW) if flows else (PointKind.P_INJECTION, PointKind.Q_INJECTION)
    whole = len(conductors) == 1 and not flows
    named = [(kind, 0 if whole else node.phase) for node, _ in conductors for kind in kinds]
    return Sensor(
        keys=tuple(PointKey(kind=kind, element=element, side=side, phase=phase) for kind, phase in named),
        sigma=tuple(max(accuracy.s_frac * va, accuracy.s_least_va) for _, va in conductors for _ in kinds),
    )


def sensor_in_words(sensor: Sensor) -> str:
    """A sensor as it is spoken of."""
    key = sensor.keys[0]
    phases = "".join(str(phase) for phase in sorted({each.phase for each in sensor.keys}) if phase)
    on = f" phase {phases}" if len(phases) == 1 else f" phases {phases}" if phases else ""
    if key.kind is PointKind.V_MAGNITUDE:
        return f"V at bus {key.element}{on}"
    if key.kind is PointKind.P_FLOW:
        return f"P and Q into {key.element}{on} at side {key.side}"
    return f"P and Q of {key.element}{on}"


def suggestion_in_words(suggestion: Suggestion) -> str:
    """A sensor and what it would change: "V at bus 83 phase 1: mean sigma 0.42 % -> 0.31 %"."""
    before, after = suggestion.before, suggestion.after
    changes = [
        f"mean sigma {100.0 * before.sigma_mean_pu:.3g} % -> {100.0 * after.sigma_mean_pu:.3g} %",
        f"worst {_percent(before.sigma_worst_pu)} -> {_percent(after.sigma_worst_pu)}",
    ]
    for word, was, would_be in (
        ("not observable", before.unobservable, after.unobservable),
        ("unchecked measurements", before.critical, after.critical),
    ):
        if was != would_be:
            changes.append(f"{word} {was} -> {would_be}")
    return f"{sensor_in_words(suggestion.sensor)}: {', '.join(changes)}"


def _percent(sigma_pu: float) -> str:
    return f"{100.0 * sigma_pu:.3g} %" if sigma_pu < 1.0 else "unknown"
