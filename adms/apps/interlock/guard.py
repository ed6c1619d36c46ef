"""What a guard is, and what the guards together say about one proposal."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.view import RoundView
from adms.core.commands import CapacitorSetpoint, PowerSetpoint, Priority, Proposal, SwitchSetpoint, TapSetpoint


class Severity(StrEnum):
    """How binding an invariant is."""

    HARD = "H"
    """Never overridable."""
    PERMISSION = "P"
    """Needs an authorised, journalled permission."""
    WARNING = "W"


class GuardFunction(Protocol):
    """One invariant: None where it holds for the proposal in the view, else why not, for a person."""

    def __call__(self, view: RoundView, proposal: Proposal, *, policy: InterlockPolicy) -> str | None:
        """Judges one proposal in one view."""
        ...


@dataclass(frozen=True, kw_only=True)
class Guard:
    """One invariant of the safety list."""

    id: str
    severity: Severity
    applies_to: Callable[[Proposal], bool]
    function: GuardFunction


@dataclass(frozen=True, kw_only=True)
class Violation:
    """An invariant that a proposal would break."""

    guard: str
    severity: Severity
    reason: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the guards that apply say about one proposal."""

    held: tuple[str, ...]
    """Ids of the guards that were checked and held."""
    violations: tuple[Violation, ...]
    permitted: frozenset[str] = frozenset()
    """Ids of P guards for which the proposal brings its own permission: see `own_permissions`."""

    def refusal(self, *, permissions: frozenset[str] = frozenset()) -> Violation | None:
        """The first violation that forbids the proposal; None where it may pass.

        Args:
            permissions: ids of P guards for which an authorised, journalled permission exists, beside `permitted`.
        """
        for violation in self.violations:
            permitted = violation.severity is Severity.PERMISSION and violation.guard in permissions | self.permitted
            if violation.severity is not Severity.WARNING and not permitted:
                return violation
        return None


def own_permissions(proposal: Proposal) -> frozenset[str]:
    """Ids of P guards that a proposal may pass by what it is for: VV4 allows a move over the daily budget that cures a
    violation, which an app says with `Priority.LIMITS`. The gate journals that it was used."""
    return frozenset({"VV4"}) if proposal.priority is Priority.LIMITS else frozenset()


def is_any(proposal: Proposal) -> bool:
    """Applies to everything."""
    return True


def is_latched(proposal: Proposal) -> bool:
    """Switches, taps and capacitors."""
    return not isinstance(proposal.setpoint, PowerSetpoint)


def is_switching(proposal: Proposal) -> bool:
    """Opening or closing a switch."""
    return isinstance(proposal.setpoint, SwitchSetpoint)


def is_close(proposal: Proposal) -> bool:
    """Closing a switch."""
    return isinstance(proposal.setpoint, SwitchSetpoint) and proposal.setpoint.closed


def is_open(proposal: Proposal) -> bool:
    """Opening a switch."""
    return isinstance(proposal.setpoint, SwitchSetpoint) and not proposal.setpoint.closed


def is_tap(proposal: Proposal) -> bool:
    """Moving a tap changer."""
    return isinstance(proposal.setpoint, TapSetpoint)


def is_capacitor(proposal: Proposal) -> bool:
    """Switching a capacitor."""
    return isinstance(proposal.setpoint, CapacitorSetpoint)


def is_regulation(proposal: Proposal) -> bool:
    """Taps and capacitors."""
    return is_tap(proposal) or is_capacitor(proposal)


def is_power(proposal: Proposal) -> bool:
    """A power setpoint of a DER."""
    return isinstance(proposal.setpoint, PowerSetpoint)
