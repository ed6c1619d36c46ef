"""Guards on power setpoints of DER. Powers are injections, positive into the network."""

from math import hypot, isfinite

from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.view import RoundView
from adms.core.commands import PowerSetpoint, Proposal
from adms.core.telemetry import PointKey, PointKind
from adms.grid.model import Der, DerKind


def _setpoint(proposal: Proposal) -> tuple[float | None, float | None]:
    assert isinstance(proposal.setpoint, PowerSetpoint)
    return proposal.setpoint.p_injection_w, proposal.setpoint.q_injection_var


def _der(view: RoundView, proposal: Proposal) -> Der | None:
    return next((der for der in view.arrays.model.ders if der.id == proposal.device), None)


def within_capability_circle(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """DE1: P² + Q² <= S². A quantity that is left to the device counts as measured now; without a measurement, as the
    largest that the nameplate allows."""
    der = _der(view, proposal)
    if der is None:
        return "is not a DER of this model"
    p_w, q_var = _setpoint(proposal)
    if p_w is None and q_var is None:
        return None
    if p_w is None:
        measured = view.snapshot.good(
            PointKey(kind=PointKind.P_INJECTION, element=der.id), max_age_s=policy.telemetry_max_age_s
        )
        p_w = max(abs(der.p_max_w), abs(der.p_min_w)) if measured is None else measured
    if q_var is None:
        q_var = der.default_q_injection_var
    s_va = hypot(p_w, q_var)
    limit_va = der.s_max_va * (1.0 + policy.der_rating_tolerance_frac)
    return None if s_va <= limit_va else f"{s_va:.0f} VA is over its {der.s_max_va:.0f} VA"


def within_nameplate(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """DE2: P between its limits, Q within its reactive range, both numbers."""
    der = _der(view, proposal)
    if der is None:
        return "is not a DER of this model"
    p_w, q_var = _setpoint(proposal)
    if p_w is None and q_var is None:
        return "nothing is asked of it"
    slack_va = der.s_max_va * policy.der_rating_tolerance_frac
    if p_w is not None and not (isfinite(p_w) and der.p_min_w - slack_va <= p_w <= der.p_max_w + slack_va):
        return f"P of {p_w:.0f} W is outside {der.p_min_w:.0f} to {der.p_max_w:.0f} W"
    if q_var is not None and not (isfinite(q_var) and abs(q_var) <= der.q_max_var + slack_va):
        return f"Q of {q_var:.0f} var is outside ±{der.q_max_var:.0f} var"
    return None


def energy_suffices(view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
    """DE3: the state of charge stays in range over the whole lease. A battery of unknown charge gets no P; an EV site
    may always be told to draw (its own charger ends the charge), and never to inject from an unknown charge."""
    der = _der(view, proposal)
    p_w, _ = _setpoint(proposal)
    if der is None or der.energy_wh is None or p_w is None or p_w == 0.0:
        return None
    if der.kind is DerKind.EV and p_w < 0.0:
        return None
    soc = view.snapshot.good(PointKey(kind=PointKind.SOC, element=der.id), max_age_s=policy.telemetry_max_age_s)
    if soc is None:
        return "its state of charge is not known"
    per_wh = 1.0 / der.efficiency_frac if p_w > 0.0 else der.efficiency_frac
    end = soc - p_w * per_wh * policy.der_lease_s / 3600.0 / der.energy_wh
    if (p_w > 0.0 and end < policy.soc_min_frac) or (p_w < 0.0 and end > policy.soc_max_frac):
        return (
            f"its charge would go from {soc:.3f} to {end:.3f} in one lease, "
            f"outside {policy.soc_min_frac:.2f} to {policy.soc_max_frac:.2f}"
        )
    return None
