"""Between proposals for one device: priority wins, and P and Q of a DER may come from different apps. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from adms.core.commands import PowerSetpoint, Proposal, Refused
from adms.core.ids import ElementId


@dataclass(frozen=True, kw_only=True)
class Arbitration:
    """One proposal per device, most urgent first, and those that lost."""

    awarded: tuple[Proposal, ...]
    refused: tuple[Refused, ...]


def arbitrate(proposals: Iterable[Proposal]) -> Arbitration:
    """Awards each device to the most urgent proposal (priority, then app, then plan and step). Power setpoints
    compose: each quantity goes to the most urgent app that asks for it; the loser is told (DE8)."""
    by_device: dict[ElementId, list[Proposal]] = {}
    for proposal in sorted(proposals, key=_urgency):
        by_device.setdefault(proposal.device, []).append(proposal)
    awarded: list[Proposal] = []
    refused: list[Refused] = []
    for group in by_device.values():
        winner = group[0]
        for other in group[1:]:
            winner, lost = _combine(winner, other)
            if lost is not None:
                refused.append(lost)
        awarded.append(winner)
    return Arbitration(
        awarded=tuple(sorted(awarded, key=lambda p: (p.priority, p.device))),
        refused=tuple(refused),
    )


def _urgency(proposal: Proposal) -> tuple[int, str, str, int, str]:
    return proposal.priority, proposal.app.value, proposal.plan_id or "", proposal.step, repr(proposal.setpoint)


def _combine(winner: Proposal, other: Proposal) -> tuple[Proposal, Refused | None]:
    first, second = winner.setpoint, other.setpoint
    if first == second:
        return winner, None
    if not (isinstance(first, PowerSetpoint) and isinstance(second, PowerSetpoint)):
        return winner, _lost(winner, other, "the device")
    p = second.p_injection_w if first.p_injection_w is None else first.p_injection_w
    q = second.q_injection_var if first.q_injection_var is None else first.q_injection_var
    contested = [
        name
        for name, mine, theirs in (
            ("active power", first.p_injection_w, second.p_injection_w),
            ("reactive power", first.q_injection_var, second.q_injection_var),
        )
        if mine is not None and theirs is not None and mine != theirs
    ]
    setpoint = PowerSetpoint(p_injection_w=p, q_injection_var=q)
    if setpoint != first:
        winner = replace(winner, setpoint=setpoint, reason=f"{winner.reason}; {other.app}: {other.reason}")
    return winner, _lost(winner, other, " and ".join(contested)) if contested else None


def _lost(winner: Proposal, other: Proposal, what: str) -> Refused:
    reason = f"{winner.app} has priority over {what}: {winner.reason}"
    return Refused(proposal=other, guard="DE8", reason=reason)
