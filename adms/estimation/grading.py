"""How far an optimum can be trusted, in a grade and in words.

INCONSISTENT is what no local gap explains: meters against switches, meters against the model, or a head that hardly
any meter ties. PARTIAL is a gap that can be named and left alone.
"""

import numpy as np

from adms.core.estimate import Grade, SigmaSource
from adms.core.ids import ElementId
from adms.core.kept import kept
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.bad_data import Verdict
from adms.estimation.contradiction import Contradictions
from adms.estimation.islands import everything_follows
from adms.estimation.iterate import EXACT_PU
from adms.estimation.observability import Observed
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem
from adms.grid.arrays import GROUND, BoolArray, NetworkArrays

_NAMED = 5
_KEPT = 64
_NO_FLOW = "power or current"


def graded(
    problem: Problem,
    verdict: Verdict,
    *,
    contradictions: Contradictions,
    observed: Observed,
    source: IntArray,
    sigma: FloatArray,
    unknown: frozenset[ElementId],
    policy: EstimationPolicy,
) -> tuple[Grade, str]:
    """The grade of an optimum, and why it is not SOLVED.

    Args:
        problem: the network, its inputs and its measurements.
        verdict: the optimum and what it says about its measurements.
        contradictions: voltage meters that say that a switch position is wrong.
        observed: what telemetry alone determines.
        source: [node] `SigmaSource` of each node.
        sigma: [node] standard deviation of the voltage, per unit; 0 where dead.
        unknown: devices whose position is not known.
        policy: limits of the grade.
    """
    arrays = problem.layout.arrays
    against = [
        *_contradicted(arrays, contradictions),
        *_untied(problem, verdict.readings.columns.use, observed=observed, policy=policy),
        *_disagreeing(verdict),
    ]
    gaps = _loose(verdict) + _gaps(arrays, source=source, sigma=sigma, unknown=unknown, policy=policy)
    grade = Grade.INCONSISTENT if against else Grade.PARTIAL if gaps else Grade.SOLVED
    return grade, "; ".join([*against, *gaps])


def _contradicted(arrays: NetworkArrays, found: Contradictions) -> list[str]:
    reasons: list[str] = []
    if not len(found.rows):
        return reasons
    for live, words in (
        (True, "no voltage is read where the switches say live"),
        (False, "a voltage is read where the switches say dead"),
    ):
        places = dict.fromkeys(arrays.nodes[int(i)] for i in found.nodes[(found.live == live) & ~found.refuted])
        if places:
            reasons.append(f"{words}: {_some([f'{n.bus}.{n.phase}' for n in places])}")
    return reasons


def _untied(problem: Problem, use: BoolArray, *, observed: Observed, policy: EstimationPolicy) -> tuple[str, ...]:
    """`_lacking`, which is the same from scan to scan, and whatever taps and capacitors do. Powers need no meter where
    voltages say what they are: phasors at every bus do."""
    key, known = use.tobytes(), problem.layout.kept_by_topology(problem.grid.topology_version)
    if key not in known.lacking:
        if len(known.lacking) >= _KEPT:
            known.lacking.clear()
        known.lacking[key] = tuple(_lacking(problem, use, island=problem.joined))
    lacking = known.lacking[key]
    if not any(_NO_FLOW in one for one in lacking):
        return lacking
    follows = _known(observed)
    if policy not in follows:
        follows[policy] = everything_follows(observed, policy=policy)
    return tuple(one for one in lacking if _NO_FLOW not in one) if follows[policy] else lacking


@kept
def _known(observed: Observed) -> dict[EstimationPolicy, bool]:
    """Whether everything follows from it, by policy."""
    return {}


def _lacking(problem: Problem, use: BoolArray, *, island: IntArray) -> list[str]:
    """What is missing for the head to be measured at all: on each phase that carries load, in the island that carries
    most of it, one voltage, and one power or current of the network itself. DER report themselves and say nothing of
    what the feeder draws. With less, the picture is the prior with an anchor."""
    voltage, flow = _measured(problem, use)
    if not voltage.size:
        return ["no voltage measurement is in use"]
    phase = problem.layout.phase
    main, loaded = _loaded_phases(problem, phase=phase, island=island)
    missing = []
    for words, nodes in (("voltage", voltage), (_NO_FLOW, flow)):
        there = set(phase[nodes[island[nodes] == main]].tolist())
        lacking = sorted(loaded - there)
        if lacking:
            missing.append(f"no {words} measurement is in use on phase {', '.join(map(str, lacking))}")
    return missing


def _loaded_phases(problem: Problem, *, phase: IntArray, island: IntArray) -> tuple[int, set[int]]:
    """The island that carries most nominal load, and the phases on which it does; none where nothing is fed."""
    arrays = problem.layout.arrays
    live = problem.factor.injectors
    loads = live[~arrays.injector_is_der[live]]
    if not loads.size:
        return 0, set()
    fr, to = arrays.injector_fr[loads], arrays.injector_to[loads]
    drawn = np.bincount(island[fr], np.abs(arrays.injector_s_nominal_va[loads]))
    main = int(np.argmax(drawn))
    ends = np.concatenate([fr, to[to != GROUND]])
    return main, set(phase[ends[island[ends] == main]].tolist())


def _measured(problem: Problem, use: BoolArray) -> tuple[IntArray, IntArray]:
    """Nodes at which (a voltage, a power or current of a branch, source or load) is in use."""
    rows = problem.layout.rows
    owner = np.repeat(np.arange(rows.count), np.diff(rows.term_first))
    voltage = np.isin(owner, np.concatenate(list(problem.layout.voltage_rows.values())))
    used = use[owner]
    metered = rows.at >= 0
    return rows.column[used & voltage & ~metered], rows.at[used & metered]


def _disagreeing(verdict: Verdict) -> list[str]:
    told = f"chi-squared {verdict.chi2:.0f} with {verdict.degrees_of_freedom} measurements"
    if not verdict.consistent:
        return [f"measurements and model disagree: {told}, {len(verdict.rejected)} rejected"]
    if verdict.more_to_reject:
        return [f"more than {len(verdict.rejected)} measurements would have to be rejected: {told}"]
    return []


def _loose(verdict: Verdict) -> list[str]:
    size = verdict.optimum.loose_pu
    if size <= EXACT_PU:
        return []
    return [
        f"voltages known only to {size:.0e} pu: loads are at limits of their voltage laws, between which steps go on"
    ]


def _gaps(
    arrays: NetworkArrays,
    *,
    source: IntArray,
    sigma: FloatArray,
    unknown: frozenset[ElementId],
    policy: EstimationPolicy,
) -> list[str]:
    reasons = []
    if unknown:
        reasons.append(f"position not known: {_some([str(e) for e in sorted(unknown)])}")
    if sigma.max(initial=0.0) <= min(policy.sigma_solved_max_pu, policy.sigma_unobservable_pu):
        return reasons
    lost = [arrays.nodes[int(i)] for i in np.flatnonzero(source == SigmaSource.UNOBSERVABLE)]
    if lost:
        reasons.append(f"not observable: {_some([f'{n.bus}.{n.phase}' for n in lost])}")
    weak = np.flatnonzero((sigma > policy.sigma_solved_max_pu) & (source != SigmaSource.UNOBSERVABLE))
    if weak.size:
        worst = int(weak[np.argmax(sigma[weak])])
        node = arrays.nodes[worst]
        reasons.append(f"voltage known only to {sigma[worst]:.3f} pu at {node.bus}.{node.phase} ({weak.size} nodes)")
    return reasons


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
