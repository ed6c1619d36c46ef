"""Interlock: one pure function per safety invariant, used by the planner and again by the gate before each step."""

from adms.apps.interlock.guard import Guard, Severity, Verdict, Violation
from adms.apps.interlock.operations import OperationAccount, operation_account
from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.interlock.proof import check_step, prove
from adms.apps.interlock.registry import GUARDS, check
from adms.apps.interlock.switching import pending_protection
from adms.apps.interlock.usable import why_not_commandable
from adms.apps.interlock.zone import SuspectedZone, suspected_zone

__all__ = [
    "GUARDS",
    "Guard",
    "InterlockPolicy",
    "OperationAccount",
    "Severity",
    "SuspectedZone",
    "Verdict",
    "Violation",
    "check",
    "check_step",
    "operation_account",
    "pending_protection",
    "prove",
    "suspected_zone",
    "why_not_commandable",
]
