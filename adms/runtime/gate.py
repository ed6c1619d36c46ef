"""The only writer of commands: proposals and a view in, commands and refusals out. Pure; the round journals them first
and sends them then."""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from adms.apps.interlock import Verdict
from adms.apps.view import ExpectedState, Operation, RoundView
from adms.core.commands import App, Command, PowerSetpoint, Proposal, Refused, Setpoint, SwitchSetpoint
from adms.core.ids import CommandId, ElementId
from adms.core.journal import EntryKind
from adms.runtime.arbitration import arbitrate
from adms.runtime.canonical import plain
from adms.runtime.gate_state import GatePolicy, GateState, Lease, Outstanding, reported_position, with_issued
from adms.runtime.journal import Draft
from adms.runtime.stages import Check


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

    def rule(
        self,
        state: GateState,
        *,
        view: RoundView,
        proposals: Iterable[Proposal],
        expected: Mapping[App, ExpectedState | None],
    ) -> Rulings:
        """Arbitrates, checks and issues. A latched device that already stands where it should, one whose command is
        outstanding, and a DER whose lease still runs get nothing.

        Every rule that needs only the view and the proposal is a guard of the interlock; what counts here is what this
        round has already issued.

        Args:
            state: what the gate carries from round to round.
            view: the round.
            proposals: of all apps.
            expected: what each app's proposals rest on.
        """
        arbitration = arbitrate(proposals)
        refused = list(arbitration.refused)
        sitting = _Sitting(gate=self, view=view, state=state, expected=expected)
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

    def __init__(
        self, *, gate: Gate, view: RoundView, state: GateState, expected: Mapping[App, ExpectedState | None]
    ) -> None:
        self._gate = gate
        self._view = view
        self._expected = expected
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
        if waiting is not None:
            return _refuse(proposal, "SW17", f"command {waiting.command.command_id} is outstanding")
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

    def _check_and_issue(self, proposal: Proposal, *, previous: Setpoint | None, expiry_s: float) -> Refused | None:
        verdict = self._gate.check(self._view, proposal, expected=self._expected.get(proposal.app))
        refusal = verdict.refusal()
        if refusal is not None:
            return _refuse(proposal, refusal.guard, refusal.reason)
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
            reason="; ".join([proposal.reason, *_passed_over(verdict)]),
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
        before = self.state.issued.get(command.device, ())
        issued = with_issued(before, command.command_id, epoch=command.epoch)
        self.state = replace(self.state, issued={**self.state.issued, command.device: issued})
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


def _passed_over(verdict: Verdict) -> list[str]:
    """What a command was issued in spite of: it stands in the journal with the command."""
    return [f"permitted against {violation.guard}: {violation.reason}" for violation in verdict.violations]


def _refuse(proposal: Proposal, guard: str, reason: str) -> Refused:
    return Refused(proposal=proposal, guard=guard, reason=reason)


def _refusal_key(refusal: Refused) -> tuple[ElementId, str, str]:
    return refusal.proposal.device, refusal.proposal.app.value, refusal.guard


def _refusal_draft(refusal: Refused, view: RoundView) -> Draft:
    body = {"refused": plain(refusal), "snapshot_id": view.snapshot.snapshot_id}
    return Draft(time=view.now, kind=EntryKind.REFUSED, actor=refusal.proposal.app.value, body=body)
