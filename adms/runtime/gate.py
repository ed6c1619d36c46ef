"""The only writer of commands: proposals and a view in, commands and refusals out. Pure; the round journals them first
and sends them then."""

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from adms.apps.view import Operation, RoundView, TagKind
from adms.core.commands import Command, PowerSetpoint, Proposal, Refused, Setpoint, SwitchSetpoint
from adms.core.estimate import Grade
from adms.core.ids import CommandId, ElementId
from adms.core.journal import EntryKind
from adms.core.modes import Mode
from adms.runtime.arbitration import arbitrate
from adms.runtime.canonical import plain
from adms.runtime.gate_state import GatePolicy, GateState, Lease, Outstanding, reported_position
from adms.runtime.journal import Draft
from adms.runtime.stages import Check

NO_OPERATION_TAGS = frozenset({TagKind.HOLD, TagKind.CLEARANCE})


@dataclass(frozen=True, kw_only=True)
class Rulings:
    """What the gate permits in one round."""

    state: GateState
    """To be adopted once `drafts` are in the journal."""
    commands: tuple[Command, ...]
    refused: tuple[Refused, ...]
    drafts: tuple[Draft, ...]


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The rules, bound to one service's policy and epoch."""

    policy: GatePolicy
    check: Check
    epoch: int
    max_age_s: float
    """Oldest position that counts as reported."""

    def rule(self, state: GateState, *, view: RoundView, proposals: Iterable[Proposal]) -> Rulings:
        """Arbitrates, checks and issues. A latched device that already stands where it should, one whose command is
        outstanding, and a DER whose lease still runs get nothing."""
        arbitration = arbitrate(proposals)
        refused = list(arbitration.refused)
        sitting = _Sitting(gate=self, view=view, state=state)
        for proposal in arbitration.awarded:
            refusal = sitting.consider(proposal)
            if refusal is not None:
                refused.append(refusal)
        known = {_refusal_key(refusal): refusal for refusal in refused}
        drafts = [
            *sitting.drafts,
            *(_refusal_draft(r, view) for key, r in known.items() if key not in state.refused),
        ]
        after = replace(sitting.state, refused=frozenset(known))
        return Rulings(state=after, commands=tuple(sitting.commands), refused=tuple(refused), drafts=tuple(drafts))


class _Sitting:
    """One round at the gate: each permitted command counts for those after it."""

    def __init__(self, *, gate: Gate, view: RoundView, state: GateState) -> None:
        self._gate = gate
        self._view = view
        self._moves = 0
        self.state = state
        self.commands: list[Command] = []
        self.drafts: list[Draft] = []

    def consider(self, proposal: Proposal) -> Refused | None:
        """Issues a command where one is due and permitted. Returns the refusal, or None."""
        if isinstance(proposal.setpoint, PowerSetpoint):
            return self._consider_lease(proposal, proposal.setpoint)
        return self._consider_latched(proposal)

    def _consider_latched(self, proposal: Proposal) -> Refused | None:
        view, device = self._view, proposal.device
        stands = reported_position(view.snapshot, device, like=proposal.setpoint, max_age_s=self._gate.max_age_s)
        waiting = self.state.outstanding.get(device)
        if waiting is None and stands == proposal.setpoint:
            return None
        if waiting is not None and waiting.command.setpoint == proposal.setpoint:
            return None
        refusal = self._forbidden(proposal)
        if refusal is not None:
            return refusal
        if waiting is not None:
            return _refuse(proposal, "SW17", f"command {waiting.command.command_id} is outstanding")
        if stands is None:
            return _refuse(proposal, "SW16", "telemetry does not show where the device stands")
        if isinstance(proposal.setpoint, SwitchSetpoint):
            closing = proposal.setpoint.closed
            for other, moving in self.state.outstanding.items():
                command = moving.command.setpoint
                # The checks below rest on reported positions: only several openings may be under way at once.
                if isinstance(command, SwitchSetpoint) and (closing or command.closed):
                    return _refuse(proposal, "SW17", f"{other} is still moving")
        expiry_s = self._gate.policy.latched_expiry_s
        return self._check_and_issue(proposal, previous=stands, expiry_s=expiry_s)

    def _consider_lease(self, proposal: Proposal, setpoint: PowerSetpoint) -> Refused | None:
        policy, now, device = self._gate.policy, self._view.now, proposal.device
        lease = self.state.leases.get(device)
        running = lease is not None and lease.command.expiry > now
        moved = not running or lease is None or _moved(lease.command.setpoint, setpoint, policy=policy)
        if lease is not None and not moved and lease.command.expiry - now >= timedelta(seconds=policy.renew_s):
            return None
        refusal = self._forbidden(proposal)
        if refusal is not None:
            return refusal
        if lease is not None and self._silent(lease):
            return _refuse(proposal, "DE11", f"the last {lease.unanswered} commands were not answered")
        if moved and self._moves >= policy.der_moves_per_round_max:
            return _refuse(proposal, "DE7", "enough DER move in this round; the next one continues")
        share = zlib.crc32(device.encode()) / 2**32
        result = self._check_and_issue(proposal, previous=None, expiry_s=policy.lease_s - policy.stagger_s * share)
        self._moves += int(moved and result is None)
        return result

    def _silent(self, lease: Lease) -> bool:
        """True for a DER that does not answer; it is asked again now and then, or it could never answer."""
        policy, since = self._gate.policy, self._view.now - lease.command.issue_time
        return lease.unanswered >= policy.unanswered_leases_max and since < timedelta(seconds=policy.retry_s)

    def _forbidden(self, proposal: Proposal) -> Refused | None:
        """Rules that need no network."""
        view, device = self._view, proposal.device
        picture = view.picture()
        if picture is None or picture.grade is Grade.FAILED:
            return _refuse(proposal, "X1", "there is no picture to decide on")
        if picture.snapshot_id != view.snapshot.snapshot_id or picture.model_version != view.arrays.version:
            return _refuse(proposal, "X1", "the picture is of another snapshot or model")
        mode = view.mode_of(device)
        if mode is Mode.OBSERVE:
            return _refuse(proposal, "MODE", "mode is OBSERVE")
        if mode is Mode.ADVISE and proposal.plan_id not in view.approved_plans:
            return _refuse(proposal, "MODE", "mode is ADVISE and no operator approved the plan")
        if proposal.plan_id in view.aborted_plans:
            return _refuse(proposal, "ABORTED", f"an operator aborted plan {proposal.plan_id}")
        for tag in view.tags:
            if tag.device == device and tag.kind in NO_OPERATION_TAGS:
                return _refuse(proposal, "SW3", f"tag {tag.tag_id} ({tag.kind}) of {tag.holder}")
        if device in view.failed_devices:
            return _refuse(proposal, "SW16", f"device failed: {view.failed_devices[device]}")
        if device not in view.controllable:
            return _refuse(proposal, "SW16", "no connected controller offers the device for remote control")
        if device in view.unknown_positions:
            return _refuse(proposal, "SW16", "position unknown")
        if not _finite(proposal.setpoint):
            return _refuse(proposal, "RANGE", "setpoint is not a finite number")
        return None

    def _check_and_issue(self, proposal: Proposal, *, previous: Setpoint | None, expiry_s: float) -> Refused | None:
        verdict = self._gate.check(self._view, proposal)
        against = [violation for violation in verdict.violations if violation.severity != "W"]
        if against:
            reason = "; ".join(f"{violation.guard}: {violation.reason}" for violation in against)
            return _refuse(proposal, against[0].guard, reason)
        view, now = self._view, self._view.now
        sequence = self.state.next_sequence
        command = Command(
            command_id=CommandId(f"c{self._gate.epoch}-{sequence}"),
            device=proposal.device,
            setpoint=proposal.setpoint,
            app=proposal.app,
            epoch=self._gate.epoch,
            sequence=sequence,
            issue_time=now,
            expiry=now + timedelta(seconds=expiry_s),
            plan_id=proposal.plan_id,
            step=proposal.step,
            reason=proposal.reason,
            snapshot_id=view.snapshot.snapshot_id,
            guards=verdict.held,
        )
        if isinstance(proposal.setpoint, PowerSetpoint):
            self.state = _with_lease(self.state, command)
            body = {"command": plain(command)}
        else:
            deadline = now + timedelta(seconds=self._travel_s(proposal.device) + self._gate.policy.confirm_timeout_s)
            waiting = Outstanding(command=command, deadline=deadline)
            operation = Operation(time=now, setpoint=proposal.setpoint, previous=previous, app=proposal.app)
            self.state = _with_operation(self.state, waiting, operation)
            body = {"command": plain(command), "deadline": deadline.isoformat(), "operation": plain(operation)}
        self.commands.append(command)
        self.drafts.append(Draft(time=now, kind=EntryKind.COMMAND, actor=proposal.app.value, body=body))
        return None

    def _travel_s(self, device: ElementId) -> float:
        arrays = self._view.arrays
        index = arrays.branch_idx.get(device)
        gear = None if index is None else arrays.branches[index].switch
        return self._gate.policy.latched_travel_s if gear is None else gear.travel_s


def _with_lease(state: GateState, command: Command) -> GateState:
    before = state.leases.get(command.device)
    lease = Lease(command=command, unanswered=1 if before is None else before.unanswered + 1)
    return replace(state, next_sequence=command.sequence + 1, leases={**state.leases, command.device: lease})


def _with_operation(state: GateState, waiting: Outstanding, operation: Operation) -> GateState:
    device = waiting.command.device
    return replace(
        state,
        next_sequence=waiting.command.sequence + 1,
        outstanding={**state.outstanding, device: waiting},
        history={**state.history, device: (*state.history.get(device, ()), operation)},
    )


def _moved(before: Setpoint, after: PowerSetpoint, *, policy: GatePolicy) -> bool:
    if not isinstance(before, PowerSetpoint):
        return True
    return _apart(before.p_injection_w, after.p_injection_w, dead_band=policy.dead_band_w) or _apart(
        before.q_injection_var, after.q_injection_var, dead_band=policy.dead_band_var
    )


def _apart(before: float | None, after: float | None, *, dead_band: float) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) > dead_band


def _finite(setpoint: Setpoint) -> bool:
    if not isinstance(setpoint, PowerSetpoint):
        return True
    given = [value for value in (setpoint.p_injection_w, setpoint.q_injection_var) if value is not None]
    return bool(given) and all(math.isfinite(value) for value in given)


def _refuse(proposal: Proposal, guard: str, reason: str) -> Refused:
    return Refused(proposal=proposal, guard=guard, reason=reason)


def _refusal_key(refusal: Refused) -> tuple[ElementId, str, str]:
    return refusal.proposal.device, refusal.proposal.app.value, refusal.guard


def _refusal_draft(refusal: Refused, view: RoundView) -> Draft:
    body = {"refused": plain(refusal), "snapshot_id": view.snapshot.snapshot_id}
    return Draft(time=view.now, kind=EntryKind.REFUSED, actor=refusal.proposal.app.value, body=body)
