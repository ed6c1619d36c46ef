"""What the telemetry alone determines, before any number is believed.

The network law is exact, the angle of the sources is the reference, and nothing is known of any power or open-circuit
magnitude that no meter reads. What then still has a finite covariance is determined by telemetry; the rest is held by
pseudo-measurements or by nothing (numerical observability; Abur & Exposito, Power System State Estimation, 2004,
chapter 4, with the covariance in place of pivots, so that "hardly" shows as well as "not").
"""

from dataclasses import dataclass

import numpy as np

from adms.core.telemetry import FloatArray, TelemetrySnapshot
from adms.estimation.beliefs import NOTHING_KNOWN_PU, Beliefs
from adms.estimation.covariance import radial_variance
from adms.estimation.kernel.columns import PriorColumns, ReadingColumns
from adms.estimation.layout import layout_of
from adms.estimation.policy import EstimationPolicy
from adms.estimation.prior import NOTHING_SHARED, LoadPrior
from adms.estimation.problem import Problem, problem_of
from adms.estimation.readings import readings_of
from adms.estimation.system import Singular, System, system_at
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.state import GridState
from adms.powerflow import NotSolved


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """What telemetry alone says of each node."""

    determined: BoolArray
    """[node] True where it determines the voltage magnitude; False at dead nodes. The angle is against the sources'
    inner voltages, which a load of which nothing is known turns."""
    sigma_v_pu: FloatArray
    """[node] of the magnitude; inf where it is not determined."""
    system: System | None


def nothing_known(problem: Problem) -> Beliefs:
    """A prior that says nothing."""
    count = len(problem.layout.arrays.injectors)
    k = len(problem.injectors.fr)
    none = np.zeros(0, dtype=np.int64)
    unknown = np.full(k, NOTHING_KNOWN_PU**2)
    return Beliefs(
        prior=LoadPrior(
            s_nominal_va=np.zeros(count, dtype=np.complex128),
            sigma_p_va=np.full(count, np.inf),
            sigma_q_va=np.full(count, np.inf),
            shared=NOTHING_SHARED,
        ),
        columns=PriorColumns(
            mean=np.zeros(k, dtype=np.complex128),
            variance_p=unknown,
            variance_q=unknown,
            keep_p=np.ones(k),
            keep_q=np.ones(k),
            first=np.zeros(1, dtype=np.int64),
            injector=none,
            share=np.zeros(0, dtype=np.complex128),
        ),
        near=np.zeros(0, dtype=np.bool_),
    )


def observed(problem: Problem, x: FloatArray, *, readings: ReadingColumns, policy: EstimationPolicy) -> Observed:
    """What the rows in use determine by themselves.

    Args:
        problem: the network in one state.
        x: [size] where it is linearised: an estimate, or a power flow of usual loads.
        readings: which rows are in use, and their variances.
        policy: what is too little to be called determined; the sigma of the reference angle.
    """
    layout = problem.layout
    free = problem.with_free_magnitudes(policy)
    beliefs = nothing_known(free)
    s = free.powers_at(x, layout.arrays.injector_s_nominal_va)
    made = system_at(free, x, s=s, beliefs=beliefs, inside=readings.use, variance=readings.variance)
    nowhere = np.full(layout.arrays.node_count, np.inf)
    if isinstance(made, Singular):
        return Observed(determined=np.zeros(len(nowhere), dtype=np.bool_), sigma_v_pu=nowhere, system=None)
    variance = radial_variance(made, x)
    sigma = np.sqrt(np.where(variance < 0.0, np.inf, variance))
    solved = problem.factor.solved
    determined = solved & (sigma < policy.sigma_unobservable_pu)
    return Observed(determined=determined, sigma_v_pu=np.where(determined, sigma, np.inf), system=made)


def telemetry_alone(
    snapshot: TelemetrySnapshot, *, arrays: NetworkArrays, grid: GridState, policy: EstimationPolicy
) -> Observed | NotSolved:
    """What the points of a snapshot determine by themselves, before anything is estimated.

    Args:
        snapshot: the telemetry of one instant.
        arrays: the network in solver order.
        grid: positions.
        policy: says which points are too old, and what is too little to be called determined.

    Returns:
        What is determined, or why the network has no voltages at all.
    """
    problem = problem_of(layout_of(arrays, snapshot.table), grid, policy=policy)
    if isinstance(problem, NotSolved):
        return problem
    usual = LoadPrior(
        s_nominal_va=arrays.injector_s_nominal_va,
        sigma_p_va=np.zeros(len(arrays.injectors)),
        sigma_q_va=np.zeros(len(arrays.injectors)),
    )
    readings = readings_of(snapshot, problem=problem, policy=policy)
    return observed(problem, problem.expected_flow(usual), readings=readings.columns, policy=policy)
