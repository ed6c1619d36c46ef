"""Setpoints against voltage limits: exact power flow, rows where it says no, scaled back where rows do not suffice."""

from dataclasses import dataclass, replace

import numpy as np

from adms.apps.dispatch.fleet import Member
from adms.apps.dispatch.policy import DispatchPolicy
from adms.apps.dispatch.share import Rows, Share, share
from adms.apps.tightening import tightened_limits
from adms.apps.view import RoundView
from adms.core.estimate import ComplexArray, Estimate
from adms.core.telemetry import FloatArray
from adms.estimation.prior import nominal_loads
from adms.grid.arrays import BoolArray
from adms.powerflow.factor import Factor, NotSolved, factorise
from adms.powerflow.sensitivity import voltage_sensitivity
from adms.powerflow.solve import PowerFlow, solve_power_flow

TOLERANCE_PU = 1e-6
ROW_MARGIN_PU = 1e-4
"""Linear rows aim this far inside the limit, so that the exact power flow agrees."""
SCALES = (1.0, 0.75, 0.5, 0.25, 0.0)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a round's power flows stand on."""

    view: RoundView
    picture: Estimate
    factor: Factor
    s_nominal_va: ComplexArray
    """[injector] as estimated."""
    members: tuple[Member, ...]
    idle: PowerFlow
    """With every member at idle."""
    watched: BoolArray
    v_low_pu: FloatArray
    """[node] tightened by sigma; or idle and the allowance, where that is further out."""
    v_high_pu: FloatArray

    def flow(self, p_w: FloatArray) -> PowerFlow | None:
        """Exact power flow with the members at `p_w` [member], their Q as estimated."""
        s = _at(self.view, self.s_nominal_va, self.members, p_w)
        flow = solve_power_flow(
            self.view.arrays,
            self.view.grid,
            s_nominal_va=s,
            factor=self.factor,
            v_start_pu=self.picture.v_phasor_pu,
        )
        return None if isinstance(flow, NotSolved) else flow

    def outside(self, flow: PowerFlow) -> FloatArray:
        """[node] distance outside the limits, 0 inside and where not watched."""
        v = np.abs(flow.v_phasor_pu)
        worst = np.maximum(0.0, np.maximum(v - self.v_high_pu, self.v_low_pu - v))
        return np.where(self.watched & (worst > TOLERANCE_PU), worst, 0.0)

    def where(self, node: int) -> str:
        """A node in words."""
        at = self.view.arrays.nodes[node]
        return f"{at.bus}.{at.phase}"


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Proved setpoints."""

    share: Share
    flow: PowerFlow | None
    """At the setpoints; None where no power flow was asked for or found."""
    binding: str
    """The voltage limit that holds the setpoints back; empty where none does."""


def _at(view: RoundView, s_va: ComplexArray, members: tuple[Member, ...], p_w: FloatArray) -> ComplexArray:
    s = s_va.copy()
    for member, p in zip(members, p_w, strict=True):
        rows = view.arrays.injector_rows[member.der.id]
        s[rows] += (p - s[rows].real.sum()) / len(rows)
    return s


def proof_of(view: RoundView, *, picture: Estimate, members: tuple[Member, ...], policy: DispatchPolicy) -> Proof | str:
    """The feeder with the members at idle, solved; or why setpoints cannot be proved."""
    factor = factorise(view.arrays, view.grid)
    if isinstance(factor, NotSolved):
        return factor.reason
    s = nominal_loads(picture, view.arrays)
    at_idle = _at(view, s, members, np.array([m.idle_w for m in members]))
    idle = solve_power_flow(view.arrays, view.grid, s_nominal_va=at_idle, factor=factor, v_start_pu=picture.v_phasor_pu)
    if isinstance(idle, NotSolved):
        return idle.reason
    arrays = view.arrays
    watched = factor.energised & np.isfinite(picture.v_phasor_pu) & np.isfinite(picture.sigma_v_pu)
    v_low_pu, v_high_pu = tightened_limits(
        arrays, sigma_v_pu=np.where(watched, picture.sigma_v_pu, 0.0), sigma_margin=policy.sigma_margin
    )
    v = np.abs(idle.v_phasor_pu)
    return Proof(
        view=view,
        picture=picture,
        factor=factor,
        s_nominal_va=s,
        members=members,
        idle=idle,
        watched=np.asarray(watched),
        v_low_pu=np.minimum(v_low_pu, v - policy.voltage_allowance_pu),
        v_high_pu=np.maximum(v_high_pu, v + policy.voltage_allowance_pu),
    )


def share_proved(proof: Proof, *, need_w: float, policy: DispatchPolicy) -> Shared:
    """Share a need such that an exact power flow has no node outside its limits, or further outside than at idle."""
    members = proof.members
    rows = Rows(matrix=np.zeros((0, len(members))), limit=np.zeros(0))
    found = share(members, need_w=need_w, rows=rows)
    binding = ""
    sensitivity: FloatArray | None = None
    nodes: list[tuple[int, float]] = []
    for _ in range(policy.voltage_corrections_max):
        flow = proof.flow(found.p_w)
        if flow is None:
            break
        outside = proof.outside(flow)
        if not outside.any():
            return Shared(share=found, flow=flow, binding=binding)
        worst = int(np.argmax(outside))
        binding = f"voltage at {proof.where(worst)}"
        if sensitivity is None:
            sensitivity = _sensitivity(proof)
        if not np.isfinite(sensitivity).all():
            break  # not converged: no linear rows; the way back to idle needs none
        v = np.abs(flow.v_phasor_pu)
        for node in np.flatnonzero(outside):
            side = 1.0 if v[node] > proof.v_high_pu[node] else -1.0
            if (int(node), side) not in nodes:
                nodes.append((int(node), side))
        found = share(members, need_w=need_w, rows=_rows(proof, sensitivity, nodes, at=flow, p_w=found.p_w))
    return _scaled(proof, found, need_w=need_w, binding=binding)


def _sensitivity(proof: Proof) -> FloatArray:
    """d|v|/dP [node, member], each member's P shared equally by its pairs."""
    split = [proof.view.arrays.injector_rows[m.der.id] for m in proof.members]
    by_row, _ = voltage_sensitivity(proof.factor, proof.idle, rows=np.concatenate(split))
    ends = np.cumsum([len(r) for r in split])
    return np.stack([part.mean(axis=1) for part in np.split(by_row, ends[:-1], axis=1)], axis=1)


def _rows(
    proof: Proof, sensitivity: FloatArray, nodes: list[tuple[int, float]], *, at: PowerFlow, p_w: FloatArray
) -> Rows:
    """side (v_at + dv/dP (p - p_at)) <= side limit, with the exact state `at` as the point of expansion."""
    index = np.array([node for node, _ in nodes])
    side = np.array([s for _, s in nodes])
    v = np.abs(at.v_phasor_pu)[index]
    bound = np.where(side > 0.0, proof.v_high_pu[index] - ROW_MARGIN_PU, proof.v_low_pu[index] + ROW_MARGIN_PU)
    matrix = side[:, None] * sensitivity[index]
    return Rows(matrix=matrix, limit=side * (bound - v) + matrix @ p_w)


def _scaled(proof: Proof, found: Share, *, need_w: float, binding: str) -> Shared:
    """The largest part of the way from idle that an exact power flow permits. Idle itself always is."""
    idle = np.array([m.idle_w for m in proof.members])
    for scale in SCALES:
        p = idle + scale * (found.p_w - idle)
        flow = proof.flow(p)
        if flow is not None and not proof.outside(flow).any():
            given_w = abs(float((p - idle).sum()))
            return Shared(share=replace(found, p_w=p, short_w=abs(need_w) - given_w), flow=flow, binding=binding)
    return Shared(share=replace(found, p_w=idle, short_w=abs(need_w)), flow=None, binding=binding or "no power flow")
