"""What each row measured may have done since: the variance that age, time skew and intervals add to a meter's own.

A power of loads or DER is carried on by its own law. Its deviation x from the prior's mean has the prior's variance V,
own and shared, of which a part M comes and goes with correlation time tau and the rest stays (habits; what loads have
in common moves over hours). A value of age d then has Cov(z, x) = c V with c = 1 - (M / V) (1 - exp(-d / tau)), and

    mean + (z - mean) / c   is a measurement of x with variance   (sigma_meter^2 + Var z - c^2 V) / c^2

whose innovation has exactly the variance that the estimator takes it to have, at any age. A mean over an interval is
the same with the ratios of `adms.estimation.ageing`; an instant is an interval of no length. What several injectors
share is taken to move them all one way, which is so for the phases of a load and for loads of a class.

Flows, currents and voltages are held: z stands for the present, with 2 M (1 - exp(-d / tau)) more. M of a flow is that
of all loads and DER times its share of all power: what independent loads of one size behind it would have. Of a voltage
it is the policy's.

The sum is rounded to steps of a tenth of itself (a twentieth of its sigma), counted from the meter's own variance: the
factored matrix leaves variances within 2 % as they are, so ages that jitter cost no new factor. At age 0, without skew,
nothing changes.
"""

import numpy as np

from adms.core.telemetry import FloatArray
from adms.estimation.beliefs import Beliefs
from adms.estimation.kernel.ageing import AgeingLaws, age_rows
from adms.estimation.policy import EstimationPolicy
from adms.estimation.problem import Problem
from adms.grid.arrays import S_BASE_VA, BoolArray


def aged(
    z: FloatArray,
    variance: FloatArray,
    *,
    age_s: FloatArray,
    use: BoolArray,
    problem: Problem,
    beliefs: Beliefs,
    policy: EstimationPolicy,
) -> tuple[FloatArray, FloatArray]:
    """Values and variances as measurements of the present.

    Args:
        z: [M] per unit.
        variance: [M] of the meters, per unit squared.
        age_s: [M] of the values, of means from the ends of their intervals; finite where in use.
        use: [M] False where a row is left as it is.
        problem: the network in one state.
        beliefs: about its injectors.
        policy: how fast things move.

    Returns:
        ([M] values, [M] variances). inf where an age leaves nothing of a value.
    """
    how = policy.ageing
    if how is None:
        return z, variance
    layout, injectors = problem.layout, problem.factor.injectors
    brought, after = np.empty(len(z)), np.empty(len(z))
    changed = age_rows(
        layout.moving.laws(how),
        AgeingLaws(
            skew_s=how.skew_s,
            load_stays_share=how.load_stays_share,
            der_tau_s=how.der_tau_s,
            v_sigma_pu=how.v_sigma_pu,
            load_sigma_frac=policy.load_sigma_frac,
        ),
        problem.rows.input_first,
        problem.rows.inputs,
        beliefs.columns,
        beliefs.near,
        np.abs(layout.arrays.injector_s_nominal_va[injectors]) / S_BASE_VA,
        layout.moving.load[injectors],
        age_s,
        use,
        z,
        variance,
        brought,
        after,
    )
    return (brought, after) if changed else (z, variance)
