"""The optimum as a record: whole-network columns, labels, grade and reasons in words."""

import numpy as np

from adms.core.estimate import ComplexArray, Estimate, Innovations, SigmaSource, Use
from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, IntArray, PointKind, TelemetrySnapshot
from adms.estimation.augmented import Problem
from adms.estimation.bad_data import Verdict
from adms.estimation.contradiction import Contradictions
from adms.estimation.grading import graded
from adms.estimation.policy import EstimationPolicy
from adms.grid.arrays import S_BASE_VA

MEASURING_KINDS = frozenset(
    {
        PointKind.V_MAGNITUDE,
        PointKind.P_FLOW,
        PointKind.Q_FLOW,
        PointKind.I_MAGNITUDE,
        PointKind.P_INJECTION,
        PointKind.Q_INJECTION,
    }
)
_PSEUDO_SHARE = 0.5
"""A node whose variance the telemetry did not bring below this share of the prior's rests on pseudo-measurements."""


def picture_of(
    snapshot: TelemetrySnapshot,
    *,
    problem: Problem,
    verdict: Verdict,
    contradictions: Contradictions,
    unknown: frozenset[ElementId],
    policy: EstimationPolicy,
) -> Estimate:
    """Write an optimum out.

    Args:
        snapshot: what it was made from.
        problem: the network, its inputs and its measurements.
        verdict: the optimum and what it says about its measurements.
        contradictions: voltage meters that say that a switch position is wrong.
        unknown: devices whose position is not known.
        policy: limits of the grade.

    Returns:
        The estimate, graded, with the reasons.
    """
    layout = problem.layout
    arrays = layout.arrays
    point = verdict.optimum.iterate.point
    source = _sigma_source(problem, verdict, policy)
    v = np.zeros(arrays.node_count, dtype=np.complex128)
    v[layout.live] = point.v
    sigma = np.zeros(arrays.node_count)
    sigma[layout.live] = verdict.covariance.sigma_v_pu
    s = np.zeros(len(arrays.injectors), dtype=np.complex128)
    s[layout.injectors] = point.s * S_BASE_VA
    delivered = _source_power_va(problem, v=v, emf=point.e)
    losses = float(delivered.real.sum() + s.real.sum())
    lost = source == SigmaSource.UNOBSERVABLE
    v[lost] = np.nan
    touched = lost[arrays.injector_fr] | (lost[arrays.injector_to] & (arrays.injector_to >= 0))
    s[touched] = np.nan
    grade, reason = graded(
        problem, verdict, contradictions=contradictions, source=source, sigma=sigma, unknown=unknown, policy=policy
    )
    used = verdict.readings.use
    ages = snapshot.age_s[problem.stack.table_rows[used]]
    return Estimate(
        snapshot_id=snapshot.snapshot_id,
        model_version=arrays.version,
        time=snapshot.cut_time,
        grade=grade,
        reason=reason,
        topology_version=layout.grid.topology_version,
        v_phasor_pu=v,
        sigma_v_pu=sigma,
        sigma_source=source,
        s_injection_va=s,
        s_source_va=delivered,
        losses_w=losses,
        innovations=_innovations(snapshot, problem, verdict, contradictions=contradictions, v=v, sigma_v=sigma),
        chi2=verdict.chi2,
        degrees_of_freedom=verdict.degrees_of_freedom,
        iterations=verdict.iterations,
        oldest_input_s=float(ages.max(initial=0.0)),
    )


def _source_power_va(problem: Problem, *, v: ComplexArray, emf: ComplexArray) -> ComplexArray:
    """[source] delivered by the estimated, not the nominal, open-circuit voltages."""
    layout = problem.layout
    delivered = [
        equivalent.power_pu(v, emf_pu=emf[at : at + len(equivalent.nodes)])
        for equivalent, at in zip(layout.sources, layout.emf_first, strict=True)
    ]
    return S_BASE_VA * np.array(delivered, dtype=np.complex128)


def _sigma_source(problem: Problem, verdict: Verdict, policy: EstimationPolicy) -> IntArray:
    layout, stack = problem.layout, problem.stack
    covariance = verdict.covariance
    label = np.full(layout.arrays.node_count, int(SigmaSource.DEAD), dtype=np.int64)
    live = np.full(layout.n, int(SigmaSource.ESTIMATED), dtype=np.int64)
    held = covariance.sigma_v_pu**2 > _PSEUDO_SHARE * covariance.sigma_v_prior_pu**2
    live[held] = SigmaSource.PSEUDO
    voltage = stack.blocks[0]
    count = len(voltage.table_rows)
    live[voltage.column[:count][verdict.readings.use[:count]]] = SigmaSource.MEASURED
    live[covariance.sigma_v_pu > policy.sigma_unobservable_pu] = SigmaSource.UNOBSERVABLE
    label[layout.live] = live
    return label


def _innovations(
    snapshot: TelemetrySnapshot,
    problem: Problem,
    verdict: Verdict,
    *,
    contradictions: Contradictions,
    v: ComplexArray,
    sigma_v: FloatArray,
) -> Innovations:
    table = snapshot.table
    shown = [i for i, key in enumerate(table.keys) if key.kind in MEASURING_KINDS]
    place = {row: i for i, row in enumerate(shown)}
    residual = np.full(len(shown), np.nan)
    normalized = np.full(len(shown), np.nan)
    use = [Use.NOT_USED] * len(shown)
    rejected = set(verdict.rejected.tolist())
    for m, row in enumerate(problem.stack.table_rows):
        at = place[int(row)]
        residual[at] = verdict.residual[m] * problem.stack.si_per_unit[m]
        normalized[at] = verdict.normalized[m]
        if m in rejected:
            use[at] = Use.REJECTED
        elif verdict.readings.use[m]:
            use[at] = Use.USED
    base = problem.layout.arrays.v_base_v
    for row, node in zip(contradictions.table_rows, contradictions.nodes, strict=True):
        at = place[int(row)]
        use[at] = Use.REJECTED
        residual[at] = snapshot.value[row] - abs(v[node]) * base[node]
        # The estimate does not rest on this meter: their errors are independent.
        deviation = float(np.hypot(np.nan_to_num(snapshot.sigma[row]), sigma_v[node] * base[node]))
        normalized[at] = residual[at] / deviation if 0.0 < deviation < np.inf else np.nan
    return Innovations(
        keys=tuple(table.keys[i] for i in shown), residual=residual, normalized=normalized, use=tuple(use)
    )
