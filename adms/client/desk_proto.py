"""Status, pictures, rounds, journal, tags and plans, from wire to client records."""

from adms.client.records import (
    EstimateReport,
    ListedPlan,
    ListedStep,
    NodeVoltage,
    PlacedTag,
    PositionReport,
    PositionWitness,
    RoundCommand,
    RoundRefusal,
    RoundReport,
    SourcePower,
    StatusReport,
)
from adms.convert.common import setpoint_from_proto, time_from_proto
from adms.convert.enums import GRADE, MODE, PLAN_STATUS, POSITION_STANDING, SIGMA_SOURCE, TAG_KIND
from adms.core.commands import Setpoint
from adms.core.devices import TagKind
from adms.core.errors import AdapterError
from adms.core.estimate import Grade, SigmaSource
from adms.core.journal import EntryKind, JournalEntry
from adms.core.modes import Mode
from adms.core.plans import PlanStatus
from adms.core.positions import Standing
from adms.wire.common.v1 import common_pb2
from adms.wire.insight.v1 import insight_pb2
from adms.wire.operations.v1 import operations_pb2


def _known_setpoint(message: common_pb2.Setpoint) -> Setpoint:
    found = setpoint_from_proto(message)
    if found is None:
        raise AdapterError("the service speaks of a kind of setpoint that this client does not know", retryable=False)
    return found


def status_from_proto(message: insight_pb2.GetStatusResponse) -> StatusReport:
    """The service at a glance; a mode that this client does not know counts as OBSERVE."""
    return StatusReport(
        mode=MODE.from_proto(message.mode, unknown=Mode.OBSERVE),
        mode_reason=message.mode_reason,
        emergency_stopped=message.emergency_stopped,
        model_name=message.model_name,
        model_version=message.model_version,
        epoch=message.epoch,
        time=time_from_proto(message.time),
        simulation=message.simulation,
        telemetry_sources=message.telemetry_sources,
        controllers=message.controllers,
        devices=message.devices,
        rounds=message.rounds,
        journal_entries=message.journal_entries,
        live_store_problem=message.live_store_problem,
    )


def estimate_from_proto(message: insight_pb2.Estimate) -> EstimateReport:
    """A picture."""
    return EstimateReport(
        snapshot_id=message.snapshot_id,
        time=time_from_proto(message.time),
        grade=GRADE.from_proto(message.grade, unknown=Grade.FAILED),
        reason=message.reason,
        topology_version=message.topology_version,
        nodes=tuple(
            NodeVoltage(
                bus=node.bus,
                phase=node.phase,
                v_pu=node.v_pu if node.HasField("v_pu") else None,
                angle_rad=node.angle_rad if node.HasField("angle_rad") else None,
                sigma_v_pu=node.sigma_v_pu if node.HasField("sigma_v_pu") else None,
                source=SIGMA_SOURCE.from_proto(node.source, unknown=SigmaSource.UNOBSERVABLE),
            )
            for node in message.nodes
        ),
        chi2=message.chi2,
        degrees_of_freedom=message.degrees_of_freedom,
        iterations=message.iterations,
        losses_w=message.losses_w,
        oldest_input_s=message.oldest_input_s,
        rejected_points=tuple(message.rejected_points),
        sources=tuple(SourcePower(source_id=s.source_id, p_w=s.p_w, q_var=s.q_var) for s in message.sources),
        positions=tuple(_position_from_proto(each) for each in message.positions),
    )


def _position_from_proto(message: insight_pb2.PositionVerdict) -> PositionReport:
    return PositionReport(
        device_id=message.device_id,
        standing=POSITION_STANDING.from_proto(message.standing, unknown=Standing.UNDECIDABLE),
        instead=tuple(message.instead),
        log_odds=message.log_odds,
        why=message.why,
        witnesses=tuple(
            PositionWitness(point=w.point, reported_sigmas=w.reported_sigmas, instead_sigmas=w.instead_sigmas)
            for w in message.witnesses
        ),
    )


def round_from_proto(message: insight_pb2.WatchRoundsResponse) -> RoundReport:
    """A round."""

    def given(name: str) -> float | None:
        value: float = getattr(message, name)
        return value if message.HasField(name) else None  # type: ignore[arg-type]

    return RoundReport(
        round=message.round,
        time=time_from_proto(message.time),
        mode=MODE.from_proto(message.mode, unknown=Mode.OBSERVE),
        grade=GRADE.from_proto(message.grade, unknown=Grade.FAILED),
        grade_reason=message.grade_reason,
        v_min_pu=given("v_min_pu"),
        v_min_node=message.v_min_node,
        v_max_pu=given("v_max_pu"),
        v_max_node=message.v_max_node,
        losses_w=given("losses_w"),
        interface_import_w=given("interface_import_w"),
        interface_import_max_w=given("interface_import_max_w"),
        sigma_mean_pu=given("sigma_mean_pu"),
        estimate_ms=message.estimate_ms,
        round_ms=message.round_ms,
        notes=tuple((note.app, note.text) for note in message.notes),
        commands=tuple(
            RoundCommand(
                command_id=c.command_id,
                device_id=c.device_id,
                setpoint=_known_setpoint(c.setpoint),
                app=c.app,
                reason=c.reason,
                plan_id=c.plan_id,
            )
            for c in message.commands
        ),
        refusals=tuple(
            RoundRefusal(device_id=r.device_id, app=r.app, guard=r.guard, reason=r.reason) for r in message.refusals
        ),
        estimate=estimate_from_proto(message.estimate) if message.HasField("estimate") else None,
    )


def entry_from_proto(message: insight_pb2.JournalEntry) -> JournalEntry:
    """A journal entry."""
    return JournalEntry(
        index=message.index,
        time=time_from_proto(message.time),
        kind=EntryKind(message.kind),
        actor=message.actor,
        body=message.body_json,
        previous_hash=message.previous_hash,
        entry_hash=message.entry_hash,
    )


def tag_from_proto(message: operations_pb2.Tag) -> PlacedTag:
    """A tag; a kind that this client does not know counts as HOLD."""
    return PlacedTag(
        tag_id=message.tag_id,
        device_id=message.device_id,
        kind=TAG_KIND.from_proto(message.kind, unknown=TagKind.HOLD),
        holder=message.holder,
        reason=message.reason,
        placed=time_from_proto(message.placed),
    )


def plan_from_proto(message: operations_pb2.Plan) -> ListedPlan:
    """A plan."""
    return ListedPlan(
        plan_id=message.plan_id,
        app=message.app,
        created=time_from_proto(message.created),
        snapshot_id=message.snapshot_id,
        title=message.title,
        reason=message.reason,
        steps=tuple(
            ListedStep(
                device_id=step.device_id,
                setpoint=_known_setpoint(step.setpoint),
                reason=step.reason,
                checks=tuple(step.checks),
            )
            for step in message.steps
        ),
        predicted=tuple((effect.name, effect.value) for effect in message.predicted),
        rejected=tuple((alternative.summary, alternative.reason) for alternative in message.rejected),
        binding_limit=message.binding_limit,
        status=PLAN_STATUS.from_proto(message.status, unknown=PlanStatus.PROPOSED),
        steps_done=message.steps_done,
        status_text=message.status_text,
    )
