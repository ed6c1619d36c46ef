"""How far an optimum can be trusted, in a grade and in words.

INCONSISTENT is what no local gap explains: meters against switches, meters against the model, or a head that hardly
any meter ties. PARTIAL is a gap that can be named and left alone.
"""

import numpy as np
import scipy.sparse as sp

from adms.core.estimate import Grade, SigmaSource
from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.ampere import CurrentBlock
from adms.estimation.augmented import Problem
from adms.estimation.bad_data import Verdict
from adms.estimation.blocks import MeasurementStack
from adms.estimation.contradiction import Contradictions
from adms.estimation.layout import Layout
from adms.estimation.policy import EstimationPolicy
from adms.estimation.power import PowerBlock
from adms.estimation.voltage import VoltageBlock
from adms.grid.arrays import GROUND, BoolArray, NetworkArrays

_NAMED = 5


def graded(
    problem: Problem,
    verdict: Verdict,
    *,
    contradictions: Contradictions,
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
        source: [node] `SigmaSource` of each node.
        sigma: [node] standard deviation of the voltage, per unit; 0 where dead.
        unknown: devices whose position is not known.
        policy: limits of the grade.
    """
    arrays = problem.layout.arrays
    against = [*_contradicted(arrays, contradictions), *_untied(problem, verdict.readings.use), *_disagreeing(verdict)]
    gaps = _gaps(arrays, source=source, sigma=sigma, unknown=unknown, policy=policy)
    grade = Grade.INCONSISTENT if against else Grade.PARTIAL if gaps else Grade.SOLVED
    return grade, "; ".join([*against, *gaps])


def _contradicted(arrays: NetworkArrays, found: Contradictions) -> list[str]:
    reasons = []
    for live, words in (
        (True, "no voltage is read where the switches say live"),
        (False, "a voltage is read where the switches say dead"),
    ):
        places = dict.fromkeys(arrays.nodes[int(i)] for i in found.nodes[found.live == live])
        if places:
            reasons.append(f"{words}: {_some([f'{n.bus}.{n.phase}' for n in places])}")
    return reasons


def _untied(problem: Problem, use: BoolArray) -> list[str]:
    """What is missing for the head to be measured at all: on each phase that carries load, in the island that carries
    most of it, one voltage, and one power or current of the network itself. DER report themselves and say nothing of
    what the feeder draws. With less, the picture is the prior with an anchor."""
    layout, stack = problem.layout, problem.stack
    if not use[: len(stack.blocks[0].table_rows)].any():
        return ["no voltage measurement is in use"]
    phase, island = _phase_and_island(layout)
    main, loaded = _loaded_phases(layout, phase=phase, island=island)
    voltage, flow = _measured(stack, use)
    missing = []
    for words, nodes in (("voltage", voltage), ("power or current", flow)):
        there = set(phase[nodes[island[nodes] == main]].tolist())
        lacking = sorted(loaded - there)
        if lacking:
            missing.append(f"no {words} measurement is in use on phase {', '.join(map(str, lacking))}")
    return missing


def _phase_and_island(layout: Layout) -> tuple[IntArray, IntArray]:
    """([n] phase, [n] label of the island) of the live nodes."""
    phase = np.array([layout.arrays.nodes[int(i)].phase for i in layout.live], dtype=np.int64)
    joined = abs(layout.y)
    joined.eliminate_zeros()  # an open switch
    return phase, np.asarray(sp.csgraph.connected_components(joined, directed=False)[1], dtype=np.int64)


def _loaded_phases(layout: Layout, *, phase: IntArray, island: IntArray) -> tuple[int, set[int]]:
    """The island that carries most nominal load, and the phases on which it does; none where nothing is fed."""
    arrays = layout.arrays
    loads = layout.injectors[~arrays.injector_is_der[layout.injectors]]
    if not loads.size:
        return 0, set()
    fr, to = arrays.injector_fr[loads], arrays.injector_to[loads]
    at = layout.row_of_node[fr]
    drawn = np.bincount(island[at], np.abs(arrays.injector_s_nominal_va[loads]))
    main = int(np.argmax(drawn))
    ends = np.concatenate([fr, to[to != GROUND]])
    rows = layout.row_of_node[ends]
    return main, set(phase[rows[island[rows] == main]].tolist())


def _measured(stack: MeasurementStack, use: BoolArray) -> tuple[IntArray, IntArray]:
    """Live rows of nodes at which (a voltage, a power or current of a branch or source) is in use."""
    voltage, flow = [], []
    first = 0
    for block in stack.blocks:
        used = use[first : first + len(block.table_rows)]
        first += len(block.table_rows)
        if isinstance(block, PowerBlock | CurrentBlock):
            flow.append(block.terminals.node[used[block.terminals.row]])
        elif isinstance(block, VoltageBlock):
            voltage.append(block.nodes[used])
    none = np.zeros(0, dtype=np.int64)
    return np.concatenate([none, *voltage]), np.concatenate([none, *flow])


def _disagreeing(verdict: Verdict) -> list[str]:
    told = f"chi-squared {verdict.chi2:.0f} with {verdict.degrees_of_freedom} measurements"
    if not verdict.consistent:
        return [f"measurements and model disagree: {told}, {len(verdict.rejected)} rejected"]
    if verdict.more_to_reject:
        return [f"more than {len(verdict.rejected)} measurements would have to be rejected: {told}"]
    return []


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
