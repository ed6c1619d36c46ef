"""One cycle as functions: a cut in, a picture, then rulings out. Nothing here is kept until the journal has it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adms.apps.view import RoundView
from adms.core.commands import App, Command, Refused
from adms.core.estimate import Estimate, Grade, NotEstimated
from adms.core.ids import ElementId, PlanId
from adms.core.journal import EntryKind
from adms.core.modes import Mode
from adms.core.plans import PlanProgress, PlanStatus
from adms.core.telemetry import PointKey, PointKind, TelemetrySnapshot
from adms.grid.arrays import NetworkArrays
from adms.grid.reported import ReportedGrid
from adms.grid.state import GridState
from adms.runtime.canonical import plain
from adms.runtime.confirmation import observe
from adms.runtime.desk_state import DeskState, limits_in_force
from adms.runtime.devices import ReportedOutcome
from adms.runtime.gate import Gate
from adms.runtime.gate_state import GateState
from adms.runtime.journal import Draft
from adms.runtime.stages import Stages

PLANS_KEPT = 1000
FINISHED = frozenset({PlanStatus.DONE, PlanStatus.ABORTED})


@dataclass(frozen=True, kw_only=True)
class CycleState:
    """What the service carries from round to round."""

    grid: GridState
    estimator: Any
    apps: tuple[Any, ...]
    gate: GateState
    plans: Mapping[PlanId, PlanProgress] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CycleInputs:
    """Everything from outside that one cycle sees."""

    snapshot: TelemetrySnapshot
    held: frozenset[ElementId]
    """Devices that a connected controller holds."""
    outcomes: tuple[ReportedOutcome, ...]
    attached: frozenset[ElementId]
    cleared: frozenset[ElementId]
    desk: DeskState


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The first half of a cycle."""

    positions: ReportedGrid
    estimate: Estimate | NotEstimated
    estimator: Any
    """The estimator's state to be."""

    @property
    def grade(self) -> Grade:
        """FAILED where there is no estimate."""
        return self.estimate.grade if isinstance(self.estimate, Estimate) else Grade.FAILED

    @property
    def wrong_positions(self) -> frozenset[ElementId]:
        """Devices that are named as not being where they are reported: where they are is not known either (SW16)."""
        return self.estimate.wrong_positions if isinstance(self.estimate, Estimate) else frozenset()


@dataclass(frozen=True, kw_only=True)
class CycleResult:
    """The second half of a cycle."""

    state: CycleState
    view: RoundView
    commands: tuple[Command, ...]
    refused: tuple[Refused, ...]
    notes: tuple[tuple[App | None, str], ...]
    drafts: tuple[Draft, ...]
    superseded: bool


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """The stages bound to one network."""

    arrays: NetworkArrays
    stages: Stages
    gate: Gate

    def picture(self, inputs: CycleInputs, *, state: CycleState) -> Picture:
        """Positions and estimate of one snapshot."""
        positions = self.stages.read_positions(inputs.snapshot, previous=state.grid)
        after, estimate = self.stages.estimate(inputs.snapshot, positions=positions, state=state.estimator)
        return Picture(positions=positions, estimate=estimate, estimator=after)

    def act(self, inputs: CycleInputs, *, state: CycleState, picture: Picture, mode: Mode) -> CycleResult:
        """Apps decide on one view, the gate rules."""
        observed = observe(
            state.gate,
            snapshot=inputs.snapshot,
            outcomes=inputs.outcomes,
            attached=inputs.attached,
            cleared=inputs.cleared,
            policy=self.gate.policy,
            max_age_s=self.gate.max_age_s,
            epoch=self.gate.epoch,
        )
        view = self._view(inputs, gate=observed.state, picture=picture, mode=mode)
        decisions = [
            stage.decide(view, state=before) for stage, before in zip(self.stages.apps, state.apps, strict=True)
        ]
        proposals = [proposal for decision in decisions for proposal in decision.proposals]
        expected = {stage.app: decision.expected for stage, decision in zip(self.stages.apps, decisions, strict=True)}
        rulings = self.gate.rule(observed.state, view=view, proposals=proposals, expected=expected)
        progress = [plan for decision in decisions for plan in decision.plans]
        plans, plan_drafts = _with_plans(state.plans, progress, view=view)
        return CycleResult(
            state=CycleState(
                grid=picture.positions.grid,
                estimator=picture.estimator,
                apps=tuple(decision.state for decision in decisions),
                gate=rulings.state,
                plans=plans,
            ),
            view=view,
            commands=rulings.commands,
            refused=rulings.refused,
            notes=tuple(
                (stage.app, note)
                for stage, decision in zip(self.stages.apps, decisions, strict=True)
                for note in decision.notes
            ),
            drafts=(*observed.drafts, *plan_drafts, *rulings.drafts),
            superseded=observed.superseded,
        )

    def _view(self, inputs: CycleInputs, *, gate: GateState, picture: Picture, mode: Mode) -> RoundView:
        snapshot, desk = inputs.snapshot, inputs.desk
        return RoundView(
            now=snapshot.cut_time,
            arrays=self.arrays,
            snapshot=snapshot,
            grid=picture.positions.grid,
            unknown_positions=picture.positions.unknown | picture.wrong_positions,
            estimate=picture.estimate,
            system_mode=mode,
            device_modes=desk.device_modes,
            controllable=frozenset(
                device for device in inputs.held if _remote(snapshot, device, max_age_s=self.gate.max_age_s)
            ),
            outstanding={device: waiting.command for device, waiting in gate.outstanding.items()},
            history=gate.history,
            tags=desk.tags,
            interface_limits=limits_in_force(desk, now=snapshot.cut_time),
            approved_plans=desk.approved,
            aborted_plans=desk.aborted,
            failed_devices=gate.failed_devices(),
        )


def _remote(snapshot: TelemetrySnapshot, device: ElementId, *, max_age_s: float) -> bool:
    """A device with a REMOTE point is controllable while that point says so; one without it always."""
    key = PointKey(kind=PointKind.REMOTE, element=device)
    return key not in snapshot.table.row or snapshot.good(key, max_age_s=max_age_s) == 1.0


def _with_plans(
    plans: Mapping[PlanId, PlanProgress], progress: Iterable[PlanProgress], *, view: RoundView
) -> tuple[dict[PlanId, PlanProgress], list[Draft]]:
    after = dict(plans)
    drafts: list[Draft] = []
    for item in progress:
        plan_id = item.plan.plan_id
        before = after.get(plan_id)
        if before == item:
            continue
        after[plan_id] = item
        if before is None or before.plan != item.plan:
            body = plain(item)
            drafts.append(Draft(time=view.now, kind=EntryKind.PLAN, actor=item.plan.app.value, body=body))
        else:
            status = {"plan_id": plan_id, "status": item.status.value, "steps_done": item.steps_done, "text": item.text}
            drafts.append(Draft(time=view.now, kind=EntryKind.PLAN_STATUS, actor=item.plan.app.value, body=status))
    finished = [plan_id for plan_id, item in after.items() if item.status in FINISHED]
    for plan_id in finished[: max(0, len(after) - PLANS_KEPT)]:
        del after[plan_id]
    return after, drafts
