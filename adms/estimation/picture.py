"""The optimum as a record: whole-network columns, labels, grade and reasons in words."""

from collections.abc import Sequence

import numpy as np

from adms.core.estimate import ComplexArray, Estimate, Innovations, SigmaSource, Use
from adms.core.ids import ElementId
from adms.core.telemetry import TelemetrySnapshot
from adms.estimation.bad_data import Verdict
from adms.estimation.contradiction import Contradictions
from adms.estimation.grading import graded
from adms.estimation.kernel.drawing import Labels, draw_nodes, draw_points, draw_powers, oldest_of
from adms.estimation.observability import Observed
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem
from adms.grid.arrays import S_BASE_VA

_LABELS = Labels(
    measured=int(SigmaSource.MEASURED),
    estimated=int(SigmaSource.ESTIMATED),
    pseudo=int(SigmaSource.PSEUDO),
    unobservable=int(SigmaSource.UNOBSERVABLE),
    dead=int(SigmaSource.DEAD),
)
_USED, _NOT_USED = Use.USED, Use.NOT_USED
_NOT_IN_NETWORK = "measures nothing in the network model"


def picture_of(
    snapshot: TelemetrySnapshot,
    *,
    problem: Problem,
    verdict: Verdict,
    observed: Observed,
    contradictions: Contradictions,
    unknown: frozenset[ElementId],
    policy: EstimationPolicy,
) -> Estimate:
    """Write an optimum out.

    Args:
        snapshot: what it was made from.
        problem: the network in one state.
        verdict: the optimum and what it says about its measurements.
        observed: what telemetry alone determines.
        contradictions: voltage meters that say that a switch position is wrong.
        unknown: devices whose position is not known.
        policy: limits of the grade.

    Returns:
        The estimate, graded, with the reasons.
    """
    layout = problem.layout
    arrays = layout.arrays
    x, use = verdict.optimum.x, verdict.readings.columns.use
    sigma = verdict.covariance.sigma_v_pu
    metered, meter = layout.voltage_meters
    v, source = np.empty(arrays.node_count, dtype=np.complex128), np.empty(arrays.node_count, dtype=np.int64)
    lost_count = draw_nodes(
        _LABELS,
        x,
        layout.node,
        problem.factor.solved,
        observed.determined,
        sigma,
        policy.sigma_unobservable_pu,
        metered,
        meter,
        use,
        v,
        source,
    )
    s = np.zeros(len(arrays.injectors), dtype=np.complex128)
    delivered = np.zeros(len(arrays.sources), dtype=np.complex128)
    losses = draw_powers(
        problem.sources,
        layout.source_of_emf,
        x,
        problem.factor.injectors,
        verdict.optimum.s,
        S_BASE_VA,
        delivered,
        s,
    )
    innovations = _innovations(snapshot, problem, verdict, contradictions=contradictions, v=v)
    if lost_count:
        lost = source == _LABELS.unobservable
        v[lost] = np.nan
        touched = lost[arrays.injector_fr] | (lost[arrays.injector_to] & (arrays.injector_to >= 0))
        s[touched] = complex(np.nan, np.nan)
    grade, reason = graded(
        problem,
        verdict,
        contradictions=contradictions,
        observed=observed,
        source=source,
        sigma=sigma,
        unknown=unknown,
        policy=policy,
    )
    return Estimate(
        snapshot_id=snapshot.snapshot_id,
        model_version=arrays.version,
        time=snapshot.cut_time,
        grade=grade,
        reason=reason,
        topology_version=problem.grid.topology_version,
        v_phasor_pu=v,
        sigma_v_pu=sigma,
        sigma_source=source,
        s_injection_va=s,
        s_source_va=delivered,
        losses_w=losses,
        innovations=innovations,
        chi2=verdict.chi2,
        degrees_of_freedom=verdict.degrees_of_freedom,
        iterations=verdict.iterations,
        oldest_input_s=oldest_of(snapshot.age_s[layout.rows.table_rows], use),
    )


def _innovations(
    snapshot: TelemetrySnapshot,
    problem: Problem,
    verdict: Verdict,
    *,
    contradictions: Contradictions,
    v: ComplexArray,
) -> Innovations:
    layout = problem.layout
    count = len(layout.shown)
    at, unit = layout.shown_of_row, layout.rows.si_per_unit
    columns, critical = np.full((3, count), np.nan), np.zeros(count, dtype=np.bool_)
    draw_points(
        at, unit, verdict.residual, verdict.residual_sigma, verdict.normalized, verdict.critical, columns, critical
    )
    residual, sigma, normalized = columns
    use, why = _words(problem, verdict)
    base, sigma_v = layout.arrays.v_base_v, verdict.covariance.sigma_v_pu
    against: dict[int, str] = {}
    found = (contradictions.rows, contradictions.nodes, contradictions.live, contradictions.refuted)
    for row, node, live, refuted in zip(*found, strict=True):
        place, point = at[row], layout.rows.table_rows[row]
        words = "reads no voltage where the switches say live" if live else "reads one where they say dead"
        against[int(place)] = "bad data: reads no voltage, and switches and other meters say live" if refuted else words
        residual[place] = snapshot.value[point] - abs(v[node]) * base[node]
        # The estimate does not rest on this meter: their errors are independent.
        sigma[place] = float(np.hypot(np.nan_to_num(snapshot.sigma[point]), sigma_v[node] * base[node]))
        normalized[place] = residual[place] / sigma[place] if 0.0 < sigma[place] < np.inf else np.nan
    return Innovations(
        keys=layout.shown,
        residual=residual,
        residual_sigma=sigma,
        normalized=normalized,
        critical=critical,
        use=tuple(Use.REJECTED if i in against else one for i, one in enumerate(use)) if against else tuple(use),
        why=tuple(against.get(i, one) for i, one in enumerate(why)) if against else tuple(why),
    )


def _words(problem: Problem, verdict: Verdict) -> tuple[Sequence[Use], Sequence[str]]:
    """([shown] what became of each point, [shown] why it is not used). Mostly every one is used."""
    layout = problem.layout
    count = len(layout.shown)
    used = verdict.readings.columns.use
    if used.all() and len(used) == count:
        return layout.all_used
    use, why = [_NOT_USED] * count, [_NOT_IN_NETWORK] * count
    for place, taken, reason in zip(layout.shown_list, used.tolist(), verdict.readings.why, strict=True):
        use[place], why[place] = _USED if taken else _NOT_USED, reason
    for row in verdict.rejected:
        use[layout.shown_list[row]] = Use.REJECTED
    return use, why
