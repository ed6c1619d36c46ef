"""Accepts or rejects switching options: the guards at every step, and the three-phase power flow after every close.

Radial islands do not feel each other, so each live island is judged on its own, once for each set of switches.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from adms.apps.flisr.cure import cure_voltages
from adms.apps.flisr.options import Feed, Option
from adms.apps.flisr.outage import Outage
from adms.apps.flisr.policy import FlisrPolicy
from adms.apps.flisr.reserve import NO_LIMIT, Reserve, reserve_of
from adms.apps.interlock.guard import Verdict
from adms.apps.interlock.proof import PROOFS, Limits, at_pick_up, island_of, state_violations
from adms.apps.interlock.registry import check
from adms.apps.interlock.wiring import Wiring
from adms.apps.view import ExpectedState, Operation, RoundView
from adms.core.commands import App, Priority, Proposal, SwitchSetpoint
from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId, PlanId, SectionId
from adms.core.plans import PlanStep
from adms.grid.state import GridState
from adms.powerflow import NotSolved, PowerFlow, solve_power_flow


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A feed that holds all limits."""

    v_min_pu: float
    """Lowest voltage of the island, in the state that stays."""
    cure: tuple[tuple[ElementId, int], ...]
    """Taps and capacitors with which Volt/VAR brings it inside the normal limits, and their positions."""
    reserve: Reserve
    """What is left of its limits in the state that stays, with more load."""


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A feed that does not."""

    reason: str


def proposal_of(device: ElementId, *, closed: bool, plan_id: PlanId, step: int, reason: str) -> Proposal:
    """A switching step as the gate is asked for it."""
    return Proposal(
        device=device, setpoint=SwitchSetpoint(closed=closed), app=App.FLISR, priority=Priority.FLISR,
        plan_id=plan_id, step=step, reason=reason,
    )  # fmt: skip


def as_if_approved(view: RoundView, *, plan_id: PlanId) -> RoundView:
    """The view in which a plan may already run: planning in ADVISE judges everything but the approval."""
    return replace(view, approved_plans=view.approved_plans | {plan_id})


@dataclass(kw_only=True, eq=False)
class Judge:
    """Judges options of one search, and remembers what it judged."""

    view: RoundView
    wiring: Wiring
    outage: Outage
    expected: ExpectedState
    policy: FlisrPolicy
    plan_id: PlanId
    power_flows: int = 0
    _known: dict[tuple[object, ...], Accepted | Rejected] = field(default_factory=dict)

    def judge(self, option: Option) -> Accepted | Rejected:
        """An option is accepted when each live island can take what it is given."""
        v_min_pu = np.inf
        cure: list[tuple[ElementId, int]] = []
        reserve = NO_LIMIT
        for feeds in self._by_island(option):
            verdict = self._island(option, feeds=feeds)
            if isinstance(verdict, Rejected):
                return verdict
            v_min_pu = min(v_min_pu, verdict.v_min_pu)
            cure += verdict.cure
            reserve = min(reserve, verdict.reserve, key=lambda one: one.margin_pu)
        return Accepted(v_min_pu=float(v_min_pu), cure=tuple(cure), reserve=reserve)

    def opens(self, option: Option) -> tuple[ElementId, ...]:
        """Isolation and extra openings that an option needs: none between two parts that both stay dead, except
        around the suspected sections."""
        restored = option.restored
        block = self.outage.zone_block
        isolate = [s for s in self.outage.isolate if set(self.wiring.ends[s]) & (block | restored)]
        return (*isolate, *option.opens)

    def steps(self, option: Option) -> tuple[PlanStep, ...] | Rejected:
        """The ordered steps of an accepted option, each with the guards checked for it; opens first."""
        grid = self.view.grid
        steps: list[PlanStep] = []
        wanted = [(device, False, self._open_reason(device)) for device in self.opens(option)]
        wanted += [(device, True, f"restores from {feed.at}") for feed in option.feeds for device in feed.closes]
        for device, closed, reason in wanted:
            verdict = self._guards(grid, device, closed=closed)
            refusal = verdict.refusal()
            if refusal is not None:
                return Rejected(reason=f"{refusal.guard}: {refusal.reason}")
            proofs = PROOFS if closed else ()
            setpoint = SwitchSetpoint(closed=closed)
            steps.append(PlanStep(device=device, setpoint=setpoint, reason=reason, checks=(*verdict.held, *proofs)))
            grid = grid.with_switch(device, closed=closed)
        return tuple(steps)

    def _open_reason(self, device: ElementId) -> str:
        suspected = set(self.wiring.ends[device]) & self.outage.zone_block
        return f"isolates {', '.join(sorted(suspected))}" if suspected else "parts what is fed from what is not"

    def _guards(self, grid: GridState, device: ElementId, *, closed: bool) -> Verdict:
        view = replace(as_if_approved(self.view, plan_id=self.plan_id), grid=grid, history=self._history_after(grid))
        proposal = proposal_of(device, closed=closed, plan_id=self.plan_id, step=0, reason="")
        return check(view, proposal, policy=self.policy.interlock)

    def _history_after(self, grid: GridState) -> dict[ElementId, tuple[Operation, ...]]:
        """The history once the steps so far are done: an opened recloser was opened by command, not by a trip."""
        now = self.view.grid.closed
        moved = {
            device: Operation(
                time=self.view.now,
                setpoint=SwitchSetpoint(closed=closed),
                previous=SwitchSetpoint(closed=now[device]),
                app=App.FLISR,
            )
            for device, closed in grid.closed.items()
            if closed is not now[device]
        }
        later = {device: (*self.view.history.get(device, ()), operation) for device, operation in moved.items()}
        return {**self.view.history, **later}

    def _by_island(self, option: Option) -> list[list[Feed]]:
        closed = {s for s, is_closed in self.view.grid.closed.items() if is_closed}
        islands: dict[frozenset[SectionId], list[Feed]] = {}
        for feed in option.feeds:
            islands.setdefault(self.wiring.reach([feed.at], closed=closed), []).append(feed)
        return list(islands.values())

    def _island(self, option: Option, *, feeds: list[Feed]) -> Accepted | Rejected:
        restored = frozenset(section for feed in feeds for section in feed.restored)
        closes = [device for feed in feeds for device in feed.closes]
        key = (frozenset(closes), restored)
        if key not in self._known:
            too_much = self._more_than_the_source(feeds[0].at, restored=restored)
            if too_much is None and self.power_flows >= self.policy.power_flows_max:
                return Rejected(reason=f"not judged: {self.power_flows} power flows are spent")
            self._known[key] = too_much or self._judge_island(option, closes=closes, restored=restored)
        return self._known[key]

    def _more_than_the_source(self, at: SectionId, *, restored: frozenset[SectionId]) -> Rejected | None:
        """SW10 without a power flow: load at the emergency limit draws at least v_emergency_min² of its nominal."""
        arrays, closed = self.view.arrays, {s for s, shut in self.view.grid.closed.items() if shut}
        island = self.wiring.reach([at], closed=closed)
        sources = [s for s in arrays.model.sources if self.wiring.section_of_bus[s.nodes[0].bus] in island]
        p_max_w = sum(np.inf if source.p_max_w is None else source.p_max_w for source in sources)
        load_w = sum(self._load_w[section] for section in restored) * self.expected.cold_load_factor
        least_w = load_w * float(arrays.v_emergency_min_pu.min()) ** 2
        if least_w <= p_max_w:
            return None
        return Rejected(reason=f"SW10: {load_w / 1e3:.0f} kW are more than {sources[0].id} gives")

    @cached_property
    def _load_w(self) -> dict[SectionId, float]:
        """Expected draw of each section at nominal voltage, W."""
        arrays, drawn = self.view.arrays, dict.fromkeys(self.wiring.sections, 0.0)
        for injector, s_va in zip(arrays.injectors, self.expected.s_nominal_va, strict=True):
            if not injector.is_der:
                drawn[self.wiring.section_of_bus[arrays.nodes[injector.fr].bus]] -= float(s_va.real)
        return drawn

    def _judge_island(
        self, option: Option, *, closes: list[ElementId], restored: frozenset[SectionId]
    ) -> Accepted | Rejected:
        start = self.view.grid
        for device in self.opens(option):
            start = start.with_switch(device, closed=False)
        states = [start]
        for device in closes:
            states.append(states[-1].with_switch(device, closed=True))
        cold = at_pick_up(self.view, self.expected)
        # The last state first: it carries the most, so most options fail there.
        for device, state in reversed(list(zip(closes, states[1:], strict=True))):
            flow = self._solve(state, s_nominal_va=cold)
            rejected = flow if isinstance(flow, Rejected) else self._outside(state, flow=flow, device=device)
            if rejected is not None:
                return rejected
        for device, state in zip(closes, states, strict=False):
            refusal = self._guards(state, device, closed=True).refusal()
            if refusal is not None:
                return Rejected(reason=f"{refusal.guard}: {refusal.reason}")
        return self._in_the_end(states[-1], device=closes[-1], restored=restored)

    def _solve(self, grid: GridState, *, s_nominal_va: ComplexArray) -> PowerFlow | Rejected:
        self.power_flows += 1
        flow = solve_power_flow(self.view.arrays, grid, s_nominal_va=s_nominal_va)
        return Rejected(reason=f"SW11: no power flow: {flow.reason}") if isinstance(flow, NotSolved) else flow

    def _outside(self, grid: GridState, *, flow: PowerFlow, device: ElementId, normal: bool = False) -> Rejected | None:
        violations = state_violations(
            self.view.arrays,
            grid,
            flow=flow,
            nodes=island_of(self.view.arrays, grid, device=device),
            limits=Limits(normal=normal, v_before_pu=self.expected.v_before_pu),
        )
        if not violations:
            return None
        return Rejected(reason=f"{violations[0].guard}: after closing {device}, {violations[0].reason}")

    def _in_the_end(self, grid: GridState, *, device: ElementId, restored: frozenset[SectionId]) -> Accepted | Rejected:
        """The state that stays, at its normal limits, after what Volt/VAR can do for its voltages."""

        def solve(state: GridState) -> PowerFlow | None:
            if self.power_flows >= self.policy.power_flows_max:
                return None
            found = self._solve(state, s_nominal_va=self.expected.s_nominal_va)
            return None if isinstance(found, Rejected) else found

        flow = self._solve(grid, s_nominal_va=self.expected.s_nominal_va)
        if isinstance(flow, Rejected):
            return flow
        nodes = island_of(self.view.arrays, grid, device=device)
        rejected = self._outside(grid, flow=flow, device=device, normal=True)
        moves: tuple[tuple[ElementId, int], ...] = ()
        if rejected is not None:
            cured = cure_voltages(
                self.view,
                grid,
                flow=flow,
                nodes=nodes,
                limits=Limits(normal=True, v_before_pu=self.expected.v_before_pu),
                solve=solve,
                moves_max=self.policy.cure_moves_max,
            )
            after = None if cured is None else solve(cured[0])
            if cured is None or after is None:
                return rejected
            if self._outside(cured[0], flow=after, device=device, normal=True) is not None:
                return rejected
            grid, flow, moves = cured[0], after, cured[1]

        def solve_at(s_nominal_va: ComplexArray) -> PowerFlow | None:
            found = self._solve(grid, s_nominal_va=s_nominal_va)
            return None if isinstance(found, Rejected) else found

        reserve = reserve_of(
            self.view.arrays,
            wiring=self.wiring,
            restored=restored,
            expected=self.expected,
            load_reserve_frac=self.policy.load_reserve_frac,
            nodes=nodes,
            solve=solve_at,
        )
        v_min_pu = float(flow.v_magnitude_pu[nodes & flow.energised].min())
        return Accepted(v_min_pu=v_min_pu, cure=moves, reserve=reserve)
