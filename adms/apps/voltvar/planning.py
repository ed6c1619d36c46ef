"""One look at the feeder: which moves, in which order, proved on exact power flows; or why none."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import permutations

from adms.apps.view import RoundView
from adms.apps.voltvar.controls import DiscreteControl, discrete_controls
from adms.apps.voltvar.picture import Picture
from adms.apps.voltvar.policy import VoltVarPolicy
from adms.apps.voltvar.reactive import ReactiveControl, best_reactive, reactive_controls
from adms.apps.voltvar.search import Positions, moved, search, wear_w
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
    controls: tuple[DiscreteControl, ...] = ()
    if latched_forbidden:
        rejected.append(("taps and capacitors", latched_forbidden))
    else:
        controls, blocked = discrete_controls(view, picture=picture, policy=policy)
        rejected += [(item.device, item.reason) for item in blocked]
    desk = _Desk(view=view, study=study, picture=picture, controls=controls, inverters=inverters, policy=policy)
    stay = _Option(name="nothing", positions=tuple(c.position for c in controls), q=q_now, score=before, wear_w=0.0)
    q_first = desk.with_reactive(stay, cures=cures)
    options = [q_first]
    if cures:
        # Wear against losses: taps that bring the voltage where it belongs, or inverters that push against it.
        options.append(desk.with_reactive(desk.with_discrete(stay, rejected=rejected), cures=cures))
    else:
        options.append(desk.with_discrete(q_first, rejected=rejected))
    useful = [o for o in options if worth(before, o.score, wear_w=o.wear_w, cures=cures, policy=policy)]
    best = min(useful, key=lambda o: o.total_w, default=stay)
    for option in options:
        if option is not best and option.name != "nothing":
            why = f"losses {option.score.losses_w:.0f} W, {option.score.violation_pu:.4f} pu outside limits in sum"
            if option not in useful:
                why = f"VV9: saves only {before.losses_w - option.score.losses_w - option.wear_w:.0f} W"
            rejected.append((option.name, why))
    stages = _ordered(
        view.grid, study, controls, best.positions, q_now=q_now, q_best=best.q, before=before, cures=cures
    )
    grid = moved(view.grid, controls, best.positions) if stages else view.grid
    flow = study.flow(grid, q=best.q if stages else q_now)
    return Outlook(
        cures=cures,
        before=before,
        stages=stages,
        reason="" if stages else _nothing(before, cures=cures, policy=policy),
        binding_limit="" if flow is None else study.nearest_limit(flow),
        rejected=tuple(rejected),
    )


def worth(before: Score, after: Score, *, wear_w: float, cures: bool, policy: VoltVarPolicy) -> bool:
    """VV9: a violation is lowered by half the dead band at least, or the threshold is saved at no node's cost."""
    lowered_pu = before.violation_pu - after.violation_pu
    if cures and lowered_pu >= 0.5 * policy.violation_deadband_pu:
        return True
    saved_w = before.losses_w - after.losses_w - wear_w
    return lowered_pu >= -VIOLATION_TOLERANCE_PU and saved_w >= policy.gain_threshold_w


@dataclass(frozen=True, kw_only=True)
class _Option:
    """A whole answer: positions and Q together."""

    name: str
    positions: Positions
    q: Reactive
    score: Score
    wear_w: float

    @property
    def total_w(self) -> float:
        return self.score.objective_w + self.wear_w


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """What one look works with."""

    view: RoundView
    study: Study
    picture: Picture
    controls: tuple[DiscreteControl, ...]
    inverters: tuple[ReactiveControl, ...]
    policy: VoltVarPolicy

    def with_reactive(self, option: _Option, *, cures: bool) -> _Option:
        """The option with the Q that suits its positions best, if that is worth a change."""
        grid = moved(self.view.grid, self.controls, option.positions)
        answer = best_reactive(
            self.study, grid, self.inverters, start=option.q, picture=self.picture, policy=self.policy
        )
        if answer is None or not worth(option.score, answer[1], wear_w=0.0, cures=cures, policy=self.policy):
            return option
        name = "inverter Q" if option.name == "nothing" else f"{option.name}, inverter Q"
        return replace(option, name=name, q=answer[0], score=answer[1])

    def with_discrete(self, option: _Option, *, rejected: list[tuple[str, str]]) -> _Option:
        """The option with the positions that suit its Q best, if they are worth their wear."""
        if not self.controls:
            return option
        found = search(
            self.controls,
            evaluate=lambda p: self.study.evaluate(moved(self.view.grid, self.controls, p), q=option.q),
            exhausted=lambda: self.study.exhausted,
            policy=self.policy,
        )
        if found is None or found.best.positions == option.positions:
            return option
        if found.runner_up is not None:
            score = found.runner_up.score
            why = f"losses {score.losses_w:.0f} W, {score.violation_pu:.4f} pu outside limits in sum"
            rejected.append((_words(self.controls, found.runner_up.positions), why))
        if not found.complete:
            why = f"the limit of {self.policy.power_flows_max} power flows was reached"
            rejected.append(("further positions", why))
        return replace(
            option,
            name=_words(self.controls, found.best.positions),
            positions=found.best.positions,
            score=found.best.score,
            wear_w=wear_w(self.controls, found.best.positions, policy=self.policy),
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
    cures: bool,
) -> tuple[Proved, ...]:
    """Stages of one class each (VV2) such that every state between them can be left (SW20): not more violation than
    now. Where no order of all classes does that, the first order of fewer."""
    classes = [
        kind
        for kind in (DeviceClass.CAPACITOR, DeviceClass.TAP)
        if any(c.device_class is kind and c.position != p for c, p in zip(controls, positions, strict=True))
    ]
    first = [DeviceClass.REACTIVE] if dict(q_best) != dict(q_now) else []
    # A cure's Q suits the positions after it, so it comes last where it can.
    preferred = classes + first if cures else first + classes
    orders = [list(order) for size in (3, 2, 1) for order in permutations(preferred, size)]
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
