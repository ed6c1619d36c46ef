"""What `adms estimate` believes besides the measurements: thresholds, sources and pseudo-measurements."""

from dataclasses import dataclass, replace

import numpy as np

from adms.cli.estimate import Pseudo
from adms.cli.estimate_observed import determined_by_telemetry
from adms.core.ids import ElementId
from adms.core.telemetry import IntArray, PointKey, PointKind, TelemetrySnapshot
from adms.estimation import AgeingPolicy, EstimationPolicy, LoadPrior, prior_from_model
from adms.grid.arrays import GROUND, BoolArray, NetworkArrays
from adms.grid.state import GridState

POLICY = EstimationPolicy(
    load_factor_mean=1.0,
    load_sigma_frac=0.4,
    load_sigma_floor_va=100.0,
    load_scale_sigma_frac=0.15,
    phase_scale_sigma_frac=0.0,
    pv_sigma_frac=0.4,
    der_unbalance_frac=0.02,
    source_v_sigma_pu=0.01,
    source_angle_sigma_rad=1e-3,
    telemetry_max_age_s=86400.0,
    alarm_probability=0.002,
    max_rejections=20,
    chi2_confidence=0.95,
    chi2_partial_ratio=1.3,
    sigma_solved_max_pu=0.02,
    sigma_unobservable_pu=0.2,
    ageing=AgeingPolicy(
        load_tau_s=2700.0,
        load_stays_share=0.5,
        der_tau_s=1800.0,
        v_sigma_pu=0.005,
        v_tau_s=1800.0,
        skew_s=0.0,
        # A file does not say over which interval a mean is: its sigma does.
        average_interval_s=0.0,
        average_max_age_s=86400.0,
    ),
    tolerance_pu=1e-10,
)
"""Of every estimate of a file: pseudo-measurements of loads have 40 % of their own and 15 % in common. What a whole day
has not renewed is not used, and what is younger ages: at age 0 a sigma is what the file says. Phases of a load hardly
deviate together beyond that."""

_OWN_CLOCK_RAD = 1.0
"""Sigma of a source's angle where phasor measurements bring a reference of their own. Several sources are tied by their
angles, and keep them."""
_ANYTHING = 10.0
"""Sigma of a power of which nothing is known, where steps without any bound do not settle: over what all loads draw."""
_LEAST_TOTAL_VA = 1e5
_ACTIVE = frozenset({PointKind.P_INJECTION, PointKind.P_AVERAGE})
_REACTIVE = frozenset({PointKind.Q_INJECTION, PointKind.Q_AVERAGE})


@dataclass(frozen=True, kw_only=True, eq=False)
class Believed:
    """What goes into an estimate besides the snapshot."""

    prior: LoadPrior
    policy: EstimationPolicy
    rule: str
    """Which injections have pseudo-measurements: "none", "unmeasured" or "all"."""
    why: str
    held: int
    """Injectors with a pseudo-measurement of their active power."""
    determined: BoolArray
    """[node] True where telemetry alone determines the voltage."""

    @property
    def bounded(self) -> bool:
        """True where something is believed of every power."""
        return bool(np.isfinite(self.prior.sigma_p_va).all() and np.isfinite(self.prior.sigma_q_va).all())


def _has_angles(snapshot: TelemetrySnapshot) -> bool:
    keys, age_s = snapshot.table.keys, snapshot.age_s
    return any(
        key.kind in (PointKind.V_ANGLE, PointKind.I_ANGLE) and age <= POLICY.telemetry_max_age_s
        for key, age in zip(keys, age_s, strict=True)
    )


def beliefs(arrays: NetworkArrays, grid: GridState, *, snapshot: TelemetrySnapshot, asked: Pseudo) -> Believed:
    """Pseudo-measurements as asked for.

    Without any, nothing is known of an injection that is not measured, and nothing of the magnitude of a source's
    open-circuit voltage; its angle stays the reference.

    Args:
        arrays: the network, powers as the model or a study has them.
        grid: positions.
        snapshot: the measurements.
        asked: what the user wants.
    """
    policy = POLICY
    if len(arrays.model.sources) == 1 and _has_angles(snapshot):
        policy = replace(policy, source_angle_sigma_rad=_OWN_CLOCK_RAD)
    determined, everything = determined_by_telemetry(arrays, grid, snapshot=snapshot, policy=policy)
    live = arrays.energised(grid)
    count, known = int(live.sum()), int(determined[live].sum())
    by_model = prior_from_model(arrays, POLICY)
    if asked is Pseudo.ALL:
        rule, why, prior = "all", "asked for", by_model
    elif asked is Pseudo.NONE or (known == count and everything):
        why = "asked for" if asked is Pseudo.NONE else f"the telemetry alone determines all {count} energised nodes"
        nothing = np.full(len(arrays.injectors), np.inf)
        rule, prior = "none", LoadPrior(s_nominal_va=by_model.s_nominal_va, sigma_p_va=nothing, sigma_q_va=nothing)
    else:
        why = f"the telemetry alone determines {known} of {count} energised nodes"
        if known == count:
            why = "the telemetry alone determines all voltages, but not the angles and powers between them"
        rule, prior = "unmeasured", without_measured(by_model, arrays, snapshot=snapshot)
    if rule == "none":
        policy = replace(policy, source_v_sigma_pu=np.inf)
    return Believed(
        prior=prior,
        policy=policy,
        rule=rule,
        why=why,
        held=int(np.isfinite(prior.sigma_p_va).sum()),
        determined=determined,
    )


def within_reason(believed: Believed, arrays: NetworkArrays) -> Believed:
    """The same with powers of which nothing was known anything between plus and minus `_ANYTHING` times what all loads
    and DER together are in the model: far more than any is, far less than rounding cares for.

    Args:
        believed: with some powers of which nothing is known.
        arrays: the network.
    """
    prior = believed.prior
    widest = _ANYTHING * max(float(np.abs(arrays.injector_s_nominal_va).sum()), _LEAST_TOTAL_VA)
    open_p, open_q = np.isinf(prior.sigma_p_va), np.isinf(prior.sigma_q_va)
    mean = np.where(open_p, 0.0, prior.s_nominal_va.real) + 1j * np.where(open_q, 0.0, prior.s_nominal_va.imag)
    bounded = replace(
        prior,
        s_nominal_va=mean,
        sigma_p_va=np.where(open_p, widest, prior.sigma_p_va),
        sigma_q_va=np.where(open_q, widest, prior.sigma_q_va),
    )
    return replace(believed, prior=bounded)


def without_measured(prior: LoadPrior, arrays: NetworkArrays, *, snapshot: TelemetrySnapshot) -> LoadPrior:
    """The same without pseudo-measurements of powers that a measurement gives by itself. A total over several parts
    does not say how they share it: those keep theirs.

    Args:
        prior: of every injector.
        arrays: the network.
        snapshot: the measurements; those that are too old count for nothing.
    """
    sigma_p_va, sigma_q_va = prior.sigma_p_va.copy(), prior.sigma_q_va.copy()
    for row, key in enumerate(snapshot.table.keys):
        if key.kind not in _ACTIVE | _REACTIVE or snapshot.age_s[row] > POLICY.telemetry_max_age_s:
            continue
        parts = _parts(arrays, key)
        if len(parts) == 1:
            (sigma_p_va if key.kind in _ACTIVE else sigma_q_va)[parts] = np.inf
    return replace(prior, sigma_p_va=sigma_p_va, sigma_q_va=sigma_q_va)


def _parts(arrays: NetworkArrays, key: PointKey) -> IntArray:
    """Injectors that a power is the sum of; none where a source is part of it."""
    rows = arrays.injector_rows.get(ElementId(key.element))
    if rows is not None:
        if key.phase != 0 and len(rows) > 1:
            rows = rows[[arrays.nodes[int(node)].phase == key.phase for node in arrays.injector_fr[rows]]]
        return rows
    at = [i for i, n in enumerate(arrays.nodes) if n.bus == key.element and key.phase in (0, n.phase)]
    if not at or any(np.isin(nodes, at).any() for nodes in arrays.source_nodes):
        return np.zeros(0, dtype=np.int64)
    grounded = arrays.injector_to == GROUND
    there = np.isin(arrays.injector_fr, at) | (~grounded & np.isin(arrays.injector_to, at))
    return np.flatnonzero(there)
