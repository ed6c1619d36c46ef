"""What the operations of the last day leave a latched device: one account, for planners and guards alike."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import inf

from adms.apps.interlock.policy import InterlockPolicy
from adms.apps.view import Operation, RoundView
from adms.core.commands import CapacitorSetpoint, Setpoint, SwitchSetpoint, TapSetpoint
from adms.core.ids import ElementId


def level_of(setpoint: Setpoint | None) -> int | None:
    """Position of a latched setpoint as a number: tap, steps in, 1 for closed. None for any other and for none."""
    match setpoint:
        case TapSetpoint(position=position):
            return position
        case CapacitorSetpoint(steps=steps):
            return steps
        case SwitchSetpoint(closed=closed):
            return int(closed)
        case _:
            return None


@dataclass(frozen=True, kw_only=True)
class OperationAccount:
    """Past operations of one device, against what is allowed of it."""

    spent: int
    """Steps moved by command in 24 h: the sum of |change of position|. A switch or a one-step capacitor moves one step
    an operation; from an unknown position an operation counts as one step."""
    budget: int
    """[SW21, VV4]"""
    since_last_s: float
    """Since the last command to it; inf where there was none in 24 h."""
    interval_s: float
    """What must lie between two commands [VV3]; 0 for switches."""
    since_lowered_s: float
    """Since it was last moved down or out; inf where it was not in 24 h."""
    reclose_s: float
    """What must lie between a capacitor's way out and its way in again [VV5]; 0 for the others."""
    reversals: int
    """Changes of direction in the window."""
    reversals_max: int
    window_s: float
    """Window of reversals [VV6]."""
    last_rose: bool | None
    """Direction of the last move in the window; None where there was none."""

    @property
    def left(self) -> int:
        """Steps left in today's budget."""
        return max(0, self.budget - self.spent)

    def too_soon(self) -> str | None:
        """VV3: why it must rest, as a text for a person; None where it need not."""
        if self.since_last_s >= self.interval_s:
            return None
        return f"last operated {self.since_last_s:.0f} s ago, and {self.interval_s:.0f} s must pass"

    def over_budget(self, *, steps: int) -> str | None:
        """SW21, VV4: why another `steps` (their size) are too many in 24 h."""
        if steps == 0 or self.spent + steps <= self.budget:
            return None
        return f"{self.spent + steps} steps in 24 h, of {self.budget}"

    def not_discharged(self) -> str | None:
        """VV5: why it must not be switched in yet."""
        if self.since_lowered_s >= self.reclose_s:
            return None
        return f"switched out {self.since_lowered_s:.0f} s ago, and {self.reclose_s:.0f} s must pass"

    def hunting(self, *, rises: bool) -> str | None:
        """VV6: why one more move up (or down) would be a reversal too many."""
        count = self.reversals + (self.last_rose is not None and self.last_rose is not rises)
        if count <= self.reversals_max:
            return None
        return f"would be {count} reversals in {self.window_s:.0f} s, of {self.reversals_max}"

    def forbids(self, *, rises: bool) -> str:
        """Why it must not move up (or down) now, with the guard's id: VV3, VV5 or VV6; empty where it may."""
        reasons = {
            "VV3": self.too_soon(),
            "VV5": self.not_discharged() if rises else None,
            "VV6": self.hunting(rises=rises),
        }
        return next((f"{guard}: {reason}" for guard, reason in reasons.items() if reason is not None), "")


def operation_account(view: RoundView, device: ElementId, *, policy: InterlockPolicy) -> OperationAccount:
    """The account of a tap changer, a capacitor or a switch (SW21, VV3 to VV6).

    The guards VV3 to VV6 and SW21 are this account's answers, so a planner that asks it plans nothing that they refuse.

    Args:
        view: the round; `view.history` holds the operations of the last 24 h.
        device: any device; one without operations has an account with nothing spent.
        policy: the limits. They are those of a tap changer for a device in `view.grid.tap_position`, of a capacitor for
            one in `view.grid.capacitor_steps`, else of a switch.
    """
    if device in view.grid.tap_position:
        budget, interval_s, reclose_s = policy.tap_operations_per_day, policy.tap_interval_s, 0.0
    elif device in view.grid.capacitor_steps:
        budget, interval_s = policy.capacitor_operations_per_day, policy.capacitor_interval_s
        reclose_s = policy.capacitor_reclose_s
    else:
        budget, interval_s, reclose_s = policy.switch_operations_per_day, 0.0, 0.0
    day, window = view.now - timedelta(days=1), view.now - timedelta(seconds=policy.reversals_window_s)
    operations = [operation for operation in view.history.get(device, ()) if operation.time > day]
    changes = [(operation.time, _change(operation)) for operation in operations]
    directions = [change > 0 for time, change in changes if change and time > window]
    lowered = [time for time, change in changes if change is None or change < 0]
    return OperationAccount(
        spent=sum(1 if change is None else abs(change) for _, change in changes),
        budget=budget,
        since_last_s=(view.now - operations[-1].time).total_seconds() if operations else inf,
        interval_s=interval_s,
        since_lowered_s=(view.now - lowered[-1]).total_seconds() if lowered else inf,
        reclose_s=reclose_s,
        reversals=sum(a is not b for a, b in pairwise(directions)),
        reversals_max=policy.reversals_max,
        window_s=policy.reversals_window_s,
        last_rose=directions[-1] if directions else None,
    )


def _change(operation: Operation) -> int | None:
    """Signed steps; None from an unknown position."""
    before, after = level_of(operation.previous), level_of(operation.setpoint)
    return None if before is None or after is None else after - before
