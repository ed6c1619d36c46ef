"""SW10 to SW12: what a power flow of the state after a step says about ratings and voltages."""

from dataclasses import dataclass, replace

import numpy as np

from adms.apps.interlock.guard import Severity, Verdict, Violation, is_close
from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.interlock.registry import check
from adms.apps.view import ExpectedState, RoundView
from adms.core.commands import Proposal, SwitchSetpoint
from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.state import GridState
from adms.powerflow import NotSolved, PowerFlow, solve_power_flow

PROOFS = ("SW10", "SW11", "SW12")
"""What a power flow of the state after a close shows."""

_ROUNDING_FRAC = 1e-9


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Which of a model's limits a state must meet."""

    normal: bool
    """Normal limits (the state that stays); else the emergency ones (every state on the way)."""
    v_before_pu: FloatArray | None = None
    """[node] magnitudes before the outage, NaN where not known. A node outside its limit already then may stay so,
    but not become worse: refusing to restore would not cure it."""


def island_of(arrays: NetworkArrays, grid: GridState, *, device: ElementId) -> BoolArray:
    """[node] what a branch is joined to by conductors, with the switches as they stand in `grid`."""
    label = arrays.islands(grid)
    return np.asarray(np.isin(label, label[arrays.branch_nodes[arrays.branch_idx[device]]]))


def voltage_limits(arrays: NetworkArrays, limits: Limits) -> tuple[FloatArray, FloatArray]:
    """[node] lowest and highest magnitude allowed, per unit."""
    low = arrays.v_min_pu if limits.normal else arrays.v_emergency_min_pu
    high = arrays.v_max_pu if limits.normal else arrays.v_emergency_max_pu
    if limits.v_before_pu is not None:
        low, high = np.fmin(low, limits.v_before_pu), np.fmax(high, limits.v_before_pu)
    return low, high


def state_violations(
    arrays: NetworkArrays, grid: GridState, *, flow: PowerFlow, nodes: BoolArray, limits: Limits
) -> tuple[Violation, ...]:
    """Ratings and voltages outside the limits in one solved state; worst first.

    Branches and sources without a rating are not checked (the model says so by None).

    Args:
        arrays: the network.
        grid: the positions that `flow` was solved for.
        flow: the solved state.
        nodes: [node] the part of the network that is judged: what a step changes.
        limits: which limits.
    """
    found: list[tuple[float, Violation]] = []

    def add(guard: str, excess: float, text: str) -> None:
        found.append((excess, Violation(guard=guard, severity=Severity.PERMISSION, reason=text)))

    kind = "normal" if limits.normal else "emergency"
    for index, branch in enumerate(arrays.branches):
        at = arrays.branch_nodes[index]
        closed = branch.switch is None or grid.closed[branch.id]
        rating_a = branch.rating_a if limits.normal else branch.rating_emergency_a
        if not closed or not nodes[at].any() or (rating_a is None and branch.rating_va is None):
            continue
        if rating_a is not None:
            amps = np.abs(arrays.branch_current_a(index, grid, flow.v_phasor_pu))
            worst = int(np.argmax(amps))
            if amps[worst] > rating_a * (1.0 + _ROUNDING_FRAC):
                phase = arrays.nodes[int(at[worst])].phase
                text = f"{branch.id} phase {phase} at {amps[worst]:.0f} A, {kind} rating {rating_a:.0f} A"
                add("SW10", amps[worst] / rating_a - 1.0, text)
        if branch.rating_va is not None:
            power = arrays.branch_power_va(index, grid, flow.v_phasor_pu)
            first = len(branch.terminals[0])
            va = float(max(np.abs(power[:first]).sum(), np.abs(power[first:]).sum()))
            if va > branch.rating_va * (1.0 + _ROUNDING_FRAC):
                text = f"{branch.id} at {va / 1e3:.0f} kVA, rating {branch.rating_va / 1e3:.0f} kVA"
                add("SW10", va / branch.rating_va - 1.0, text)
    for index, source in enumerate(arrays.model.sources):
        p_w = float(flow.s_source_va[index].real)
        if source.p_max_w is not None and nodes[arrays.source_nodes[index]].any() and p_w > source.p_max_w:
            text = f"{source.id} at {p_w / 1e3:.0f} kW, of {source.p_max_w / 1e3:.0f} kW"
            add("SW10", p_w / source.p_max_w - 1.0, text)
    judged = nodes & flow.energised
    low, high = voltage_limits(arrays, limits)
    magnitude = flow.v_magnitude_pu
    outside = np.where(judged, np.fmax(low - magnitude, magnitude - high), -np.inf)
    worst = int(np.argmax(outside))
    if outside[worst] > 0.0:
        node = arrays.nodes[worst]
        text = (
            f"bus {node.bus} phase {node.phase} at {magnitude[worst]:.4f} pu, "
            f"{kind} limits {low[worst]:.3f} to {high[worst]:.3f} pu"
        )
        add("SW11", float(outside[worst]), text)
    found.sort(key=lambda item: -item[0])
    return tuple(violation for _, violation in found)


def at_pick_up(view: RoundView, expected: ExpectedState) -> ComplexArray:
    """[injector] VA at nominal voltage while dead parts are picked up: their loads times the cold-load factor (SW12),
    everything else as expected."""
    arrays = view.arrays
    dead = ~arrays.energised(view.grid)
    cold = dead[arrays.injector_fr] & ~arrays.injector_is_der
    return np.where(cold, expected.s_nominal_va * expected.cold_load_factor, expected.s_nominal_va)


def prove(view: RoundView, proposal: Proposal, *, expected: ExpectedState | None) -> Verdict:
    """SW10, SW11 and SW12 for one switching step, at emergency limits, from a power flow of the state after it.

    Args:
        view: the present round.
        proposal: a switching step.
        expected: what to expect once the step is done; without it nothing is proved.
    """
    assert isinstance(proposal.setpoint, SwitchSetpoint)
    if expected is None:
        return _unproved(proposal, "nothing says what load to expect after it")
    after = view.grid.with_switch(proposal.device, closed=proposal.setpoint.closed)
    flow = solve_power_flow(view.arrays, after, s_nominal_va=at_pick_up(view, expected))
    if isinstance(flow, NotSolved):
        return _unproved(proposal, f"no power flow of the state after it: {flow.reason}")
    violations = state_violations(
        view.arrays,
        after,
        flow=flow,
        nodes=island_of(view.arrays, after, device=proposal.device),
        limits=Limits(normal=False, v_before_pu=expected.v_before_pu),
    )
    broken = {violation.guard for violation in violations}
    return Verdict(
        held=tuple(guard for guard in PROOFS if guard not in broken),
        violations=tuple(
            replace(violation, reason=f"after {proposal.device}, {violation.reason}") for violation in violations
        ),
    )


def _unproved(proposal: Proposal, reason: str) -> Verdict:
    violation = Violation(guard="SW11", severity=Severity.PERMISSION, reason=f"{proposal.device}: {reason}")
    return Verdict(held=(), violations=(violation,))


def check_step(
    view: RoundView, proposal: Proposal, *, expected: ExpectedState | None, policy: InterlockPolicy
) -> Verdict:
    """Every guard and, for a close that they permit, the power flow: what planner and gate ask just before a step."""
    verdict = check(view, proposal, policy=policy)
    if not is_close(proposal) or verdict.refusal() is not None:
        return verdict
    proof = prove(view, proposal, expected=expected)
    return replace(verdict, held=(*verdict.held, *proof.held), violations=(*verdict.violations, *proof.violations))
