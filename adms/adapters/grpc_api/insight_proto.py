"""Pictures, rounds and the journal, from domain to wire."""

import numpy as np

from adms.convert.common import setpoint_to_proto, time_to_proto
from adms.convert.enums import GRADE, MODE, POSITION_STANDING, SIGMA_SOURCE
from adms.core.estimate import Estimate, SigmaSource, Use
from adms.core.journal import JournalEntry
from adms.core.positions import PositionVerdict
from adms.core.telemetry import PointKey
from adms.grid.arrays import NetworkArrays
from adms.ports.records import RoundSummary, Status, Verification
from adms.wire.insight.v1 import insight_pb2 as pb


def estimate_to_proto(estimate: Estimate, *, arrays: NetworkArrays) -> pb.Estimate:
    """A picture; what is not known at a node is absent."""
    v_pu, angle = np.abs(estimate.v_phasor_pu), np.angle(estimate.v_phasor_pu)
    nodes = []
    for i, node in enumerate(arrays.nodes):
        known = bool(np.isfinite(v_pu[i]))
        message = pb.NodeEstimate(
            bus=node.bus, phase=node.phase, source=SIGMA_SOURCE.to_proto(SigmaSource(int(estimate.sigma_source[i])))
        )
        if known:
            message.v_pu = float(v_pu[i])
            message.angle_rad = float(angle[i])
        if np.isfinite(estimate.sigma_v_pu[i]):
            message.sigma_v_pu = float(estimate.sigma_v_pu[i])
        nodes.append(message)
    innovations = estimate.innovations
    rejected = [
        point_name(key) for key, use in zip(innovations.keys, innovations.use, strict=True) if use is Use.REJECTED
    ]
    return pb.Estimate(
        snapshot_id=estimate.snapshot_id,
        time=time_to_proto(estimate.time),
        grade=GRADE.to_proto(estimate.grade),
        reason=estimate.reason,
        topology_version=estimate.topology_version,
        nodes=nodes,
        chi2=estimate.chi2,
        degrees_of_freedom=max(0, estimate.degrees_of_freedom),
        iterations=estimate.iterations,
        losses_w=estimate.losses_w,
        oldest_input_s=estimate.oldest_input_s,
        rejected_points=rejected,
        sources=[
            pb.SourcePower(source_id=source.id, p_w=float(s.real), q_var=float(s.imag))
            for source, s in zip(arrays.model.sources, estimate.s_source_va, strict=True)
        ],
        positions=[_position_to_proto(verdict) for verdict in estimate.positions],
    )


def _position_to_proto(verdict: PositionVerdict) -> pb.PositionVerdict:
    return pb.PositionVerdict(
        device_id=verdict.device,
        standing=POSITION_STANDING.to_proto(verdict.standing),
        instead=verdict.instead,
        log_odds=verdict.log_odds,
        why=verdict.why,
        witnesses=[
            pb.PositionWitness(
                point=point_name(witness.key),
                reported_sigmas=witness.reported_sigmas,
                instead_sigmas=witness.instead_sigmas,
            )
            for witness in verdict.witnesses
        ],
    )


def point_name(key: PointKey) -> str:
    """A point for people: kind, element, side and phase."""
    return f"{key.kind.value} {key.element}" + (f" side {key.side}" if key.side else "") + f" phase {key.phase}"


def round_to_proto(summary: RoundSummary) -> pb.WatchRoundsResponse:
    """A round's summary, without node voltages."""
    return pb.WatchRoundsResponse(
        round=summary.round,
        time=time_to_proto(summary.time),
        mode=MODE.to_proto(summary.mode),
        grade=GRADE.to_proto(summary.grade),
        grade_reason=summary.grade_reason,
        v_min_pu=summary.v_min_pu,
        v_min_node=summary.v_min_node,
        v_max_pu=summary.v_max_pu,
        v_max_node=summary.v_max_node,
        losses_w=summary.losses_w,
        interface_import_w=summary.interface_import_w,
        interface_import_max_w=summary.interface_import_max_w,
        sigma_mean_pu=summary.sigma_mean_pu,
        estimate_ms=1e3 * summary.estimate_s,
        round_ms=1e3 * summary.round_s,
        notes=[pb.AppNote(app="service" if app is None else app.value, text=text) for app, text in summary.notes],
        commands=[
            pb.RoundCommand(
                command_id=command.command_id,
                device_id=command.device,
                setpoint=setpoint_to_proto(command.setpoint),
                app=command.app.value,
                reason=command.reason,
                plan_id=command.plan_id or "",
            )
            for command in summary.commands
        ],
        refusals=[
            pb.RoundRefusal(
                device_id=refusal.proposal.device,
                app=refusal.proposal.app.value,
                guard=refusal.guard,
                reason=refusal.reason,
            )
            for refusal in summary.refusals
        ],
    )


def status_to_proto(status: Status) -> pb.GetStatusResponse:
    """The service at a glance."""
    return pb.GetStatusResponse(
        mode=MODE.to_proto(status.mode),
        mode_reason=status.mode_reason,
        emergency_stopped=status.emergency_stopped,
        model_name=status.model_name,
        model_version=status.model_version,
        epoch=status.epoch,
        time=time_to_proto(status.time),
        simulation=status.simulation,
        telemetry_sources=status.telemetry_sources,
        controllers=status.controllers,
        devices=status.devices,
        rounds=status.rounds,
        journal_entries=status.journal_entries,
        live_store_problem=status.live_store_problem,
    )


def entry_to_proto(entry: JournalEntry) -> pb.JournalEntry:
    """One journal entry."""
    return pb.JournalEntry(
        index=entry.index,
        time=time_to_proto(entry.time),
        kind=entry.kind.value,
        actor=entry.actor,
        body_json=entry.body,
        previous_hash=entry.previous_hash,
        entry_hash=entry.entry_hash,
    )


def verification_to_proto(found: Verification) -> pb.VerifyJournalResponse:
    """Whether the chain holds."""
    return pb.VerifyJournalResponse(
        intact=found.intact,
        entries=found.entries,
        first_bad_index=found.first_bad_index or 0,
        reason=found.reason,
    )
