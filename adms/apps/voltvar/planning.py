"""One look at the feeder: which moves, in which order, proved on exact power flows; or why none."""

from collections.abc import Mapping
from dataclasses import dataclass

from adms.apps.view import RoundView
from adms.apps.voltvar.controls import Blocked, DiscreteControl, discrete_controls
from adms.apps.voltvar.picture import Picture
from adms.apps.voltvar.policy import VoltVarPolicy
from adms.apps.voltvar.reactive import ReactiveControl, best_reactive, reactive_controls
from adms.apps.voltvar.search import Found, Positions, moved, search, wear_w
from adms.apps.voltvar.state import DeviceClass, VoltVarState
from adms.apps.voltvar.study import VIOLATION_TOLERANCE_PU, Score, Study
from adms.core.commands import PowerSetpoint
from adms.core.ids import ElementId
from adms.grid.state import GridState

Reactive = Mapping[ElementId, float]


@dataclass(frozen=True, kw_only=True)
class Proved:
    """A class of devices at its new positions, and the state that an exact power flow gives after it."""

    device_class: DeviceClass
    levels: Mapping[ElementId, float]
    """New tap position, steps or Q (var) of each device that changes."""
    score: Score


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a look found. Without stages there is nothing to do, and `reason` says why."""

    cures: bool
    before: Score
    stages: tuple[Proved, ...]
    reason: str
    binding_limit: str
    rejected: tuple[tuple[str, str], ...]
    """(what, why) of alternatives and devices that were left out."""
    power_flows: int

    @property
    def after(self) -> Score:
        """Score of the last stage."""
        return self.stages[-1].score if self.stages else self.before


def standing_q(view: RoundView, state: VoltVarState, *, study: Study, limits: Mapping[ElementId, float]) -> Reactive:
    """Q that is in force: the standing target, else as estimated; inside the present limit of the inverter."""
    q: dict[ElementId, float] = {}
    for der, limit in limits.items():
        target = state.standing.get(der)
        wanted = target.setpoint.q_injection_var if target and isinstance(target.setpoint, PowerSetpoint) else None
        value = study.q_injection_var(der) if wanted is None else wanted
        q[der] = min(limit, max(-limit, value))
    return q


def look(
    view: RoundView,
    *,
    state: VoltVarState,
    picture: Picture,
    study: Study,
    cures: bool,
    latched_forbidden: str,
    policy: VoltVarPolicy,
) -> Outlook | str:
    """Search for a plan.

    Args:
        view: the round.
        state: standing targets.
        picture: the usable part of the estimate.
        study: what-if power flows of this round.
        cures: True in the fast cycle: the plan must lower the violation. Else it must save the threshold.
        latched_forbidden: why taps and capacitors may not move now; empty where they may.
        policy: limits and weights.

    Returns:
        The outlook, or why the present state cannot be studied.
    """
    inverters = reactive_controls(view, picture=picture, policy=policy)
    q_now = standing_q(view, state, study=study, limits={c.der: c.q_limit_var for c in inverters})
    before = study.evaluate(view.grid, q=q_now)
    if before is None:
        return "the present state has no power flow"
    rejected: list[tuple[str, str]] = []
    q_best, with_q = _reactive(view, study, inverters, q_now, before, picture=picture, cures=cures, policy=policy)
    controls: tuple[DiscreteControl, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    if latched_forbidden:
        rejected.append(("taps and capacitors", latched_forbidden))
    elif cures and with_q.violation_pu <= VIOLATION_TOLERANCE_PU:
        rejected.append(("taps and capacitors", "inverter Q alone cures it, without wear"))
    else:
        controls, blocked = discrete_controls(view, picture=picture, policy=policy)
        rejected += [(item.device, item.reason) for item in blocked]
    found = _discrete(view, study, controls, q_best, policy=policy)
    positions: Positions = tuple(c.position for c in controls)
    if found is not None and found.best.positions != positions:
        wear = wear_w(controls, found.best.positions, policy=policy)
        if worth(with_q, found.best.score, wear_w=wear, cures=cures, policy=policy):
            positions = found.best.positions
        else:
            gain = with_q.losses_w - found.best.score.losses_w
            rejected.append((_words(controls, found.best.positions), f"VV9: saves only {gain:.0f} W"))
    if found is not None and found.runner_up is not None:
        other = found.runner_up
        why = f"losses {other.score.losses_w:.0f} W, {other.score.violation_pu:.4f} pu outside limits in sum"
        rejected.append((_words(controls, other.positions), why))
    if found is not None and not found.complete:
        rejected.append(("further positions", f"the limit of {policy.power_flows_max} power flows was reached"))
    stages = _ordered(view.grid, study, controls, positions, q_now=q_now, q_best=q_best, before=before)
    grid = moved(view.grid, controls, positions) if stages else view.grid
    flow = study.flow(grid, q=q_best if stages else q_now)
    return Outlook(
        cures=cures,
        before=before,
        stages=stages,
        reason="" if stages else _nothing(before, cures=cures, policy=policy),
        binding_limit="" if flow is None else study.nearest_limit(flow),
        rejected=tuple(rejected),
        power_flows=study.power_flows,
    )


def worth(before: Score, after: Score, *, wear_w: float, cures: bool, policy: VoltVarPolicy) -> bool:
    """VV9: a violation is lowered by half the dead band at least, or the threshold is saved at no node's cost."""
    lowered_pu = before.violation_pu - after.violation_pu
    if cures and lowered_pu >= 0.5 * policy.violation_deadband_pu:
        return True
    saved_w = before.losses_w - after.losses_w - wear_w
    return lowered_pu >= -VIOLATION_TOLERANCE_PU and saved_w >= policy.gain_threshold_w


def _reactive(
    view: RoundView,
    study: Study,
    inverters: tuple[ReactiveControl, ...],
    q_now: Reactive,
    before: Score,
    *,
    picture: Picture,
    cures: bool,
    policy: VoltVarPolicy,
) -> tuple[Reactive, Score]:
    answer = best_reactive(study, view.grid, inverters, start=q_now, picture=picture, policy=policy)
    if answer is None or not worth(before, answer[1], wear_w=0.0, cures=cures, policy=policy):
        return q_now, before
    return answer


def _discrete(
    view: RoundView, study: Study, controls: tuple[DiscreteControl, ...], q: Reactive, *, policy: VoltVarPolicy
) -> Found | None:
    if not controls:
        return None
    return search(
        controls,
        evaluate=lambda positions: study.evaluate(moved(view.grid, controls, positions), q=q),
        exhausted=lambda: study.exhausted,
        policy=policy,
    )


def _ordered(
    grid: GridState,
    study: Study,
    controls: tuple[DiscreteControl, ...],
    positions: Positions,
    *,
    q_now: Reactive,
    q_best: Reactive,
    before: Score,
) -> tuple[Proved, ...]:
    """Stages of one class each (VV2) such that every state between them can be left (SW20): not more violation than
    now. Where no order of both discrete classes does that, the first class that can stand alone."""
    classes = [
        kind
        for kind in (DeviceClass.CAPACITOR, DeviceClass.TAP)
        if any(c.device_class is kind and c.position != p for c, p in zip(controls, positions, strict=True))
    ]
    first = [DeviceClass.REACTIVE] if dict(q_best) != dict(q_now) else []
    orders = [first + classes, first + classes[::-1], *[[*first, kind] for kind in classes], first]
    for order in orders:
        stages = _prove(grid, study, controls, positions, order, q_now=q_now, q_best=q_best)
        limit = before.violation_pu + VIOLATION_TOLERANCE_PU
        safe = all(s.score.violation_pu <= limit for s in stages)
        if stages and safe and stages[-1].score.objective_w < before.objective_w:
            return stages
    return ()


def _prove(
    grid: GridState,
    study: Study,
    controls: tuple[DiscreteControl, ...],
    positions: Positions,
    order: list[DeviceClass],
    *,
    q_now: Reactive,
    q_best: Reactive,
) -> tuple[Proved, ...]:
    stages: list[Proved] = []
    q = q_now
    for kind in order:
        levels: dict[ElementId, float]
        if kind is DeviceClass.REACTIVE:
            q = q_best
            levels = {der: value for der, value in q_best.items() if value != q_now[der]}
        else:
            pairs = [(c, p) for c, p in zip(controls, positions, strict=True) if c.device_class is kind]
            grid = moved(grid, tuple(c for c, _ in pairs), tuple(p for _, p in pairs))
            levels = {member: p for c, p in pairs if p != c.position for member in c.members}
        score = study.evaluate(grid, q=q)
        if score is None:
            return ()
        stages.append(Proved(device_class=kind, levels=levels, score=score))
    return tuple(stages)


def _words(controls: tuple[DiscreteControl, ...], positions: Positions) -> str:
    moves = [f"{c.name} {c.position}->{p}" for c, p in zip(controls, positions, strict=True) if p != c.position]
    return ", ".join(moves)


def _nothing(before: Score, *, cures: bool, policy: VoltVarPolicy) -> str:
    if cures:
        return f"nothing found that lowers the violation ({before.violation_pu:.4f} pu in sum)"
    return f"no move saves {policy.gain_threshold_w:.0f} W"
