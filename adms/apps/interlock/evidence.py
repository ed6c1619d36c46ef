"""What protection says, as levels: lockout flags and latched fault indicators."""

from dataclasses import dataclass

import numpy as np

from adms.apps.interlock.wiring import Wiring
from adms.apps.view import RoundView
from adms.core.commands import SwitchSetpoint
from adms.core.ids import ElementId
from adms.core.telemetry import PointKey, PointKind, Quality
from adms.grid.model import SwitchKind

_PROTECTIVE = (SwitchKind.BREAKER, SwitchKind.RECLOSER)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Protection levels of one view."""

    locked_out: frozenset[ElementId]
    passed: frozenset[ElementId]
    """Switches whose indicator says now that fault current passed; a locked-out device counts as one."""
    not_passed: frozenset[ElementId]
    """Switches whose indicator says now that none passed."""
    last_passed: frozenset[ElementId]
    """Indicators that said so when last heard, and are not to be relied on now. They keep a suspicion alive (the flag
    is latched), but locate nothing (it may be an old one)."""


def read_evidence(view: RoundView, wiring: Wiring, *, max_age_s: float) -> Evidence:
    """Lockout flags and fault indicators of every switch of a view."""
    locked_out, passed, not_passed, last_passed = set(), set(), set(), set()
    for switch, gear in wiring.gear.items():
        if _says_locked_out(view, switch, max_age_s=max_age_s):
            locked_out.add(switch)
        if not gear.fault_indicator:
            continue
        key = PointKey(kind=PointKind.FAULT_INDICATOR, element=switch)
        flag = view.snapshot.good(key, max_age_s=max_age_s)
        if flag is None:
            row = view.snapshot.table.row.get(key)
            heard = row is not None and view.snapshot.quality[row] not in (Quality.INVALID, Quality.MISSING)
            if heard and np.isfinite(view.snapshot.value[row]) and view.snapshot.value[row] == 1.0:
                last_passed.add(switch)
        elif flag == 1.0:
            passed.add(switch)
        else:
            not_passed.add(switch)
    return Evidence(
        locked_out=frozenset(locked_out),
        passed=frozenset(passed | locked_out),
        not_passed=frozenset(not_passed - locked_out),
        last_passed=frozenset(last_passed - locked_out),
    )


def _says_locked_out(view: RoundView, switch: ElementId, *, max_age_s: float) -> bool:
    return view.snapshot.good(PointKey(kind=PointKind.LOCKOUT, element=switch), max_age_s=max_age_s) == 1.0


def is_protective(wiring: Wiring, switch: ElementId) -> bool:
    """True for what trips by itself."""
    gear = wiring.gear[switch]
    return gear.kind in _PROTECTIVE or gear.pickup_a is not None


def opened_by_command(view: RoundView, switch: ElementId) -> bool:
    """True where the last operation of the switch in the last 24 h was a command to open."""
    operations = view.history.get(switch, ())
    if not operations:
        return False
    last = operations[-1].setpoint
    return isinstance(last, SwitchSetpoint) and not last.closed


def may_still_reclose(view: RoundView, wiring: Wiring, *, switch: ElementId, timer_s: float, max_age_s: float) -> bool:
    """True for a protective device that is open and of which neither lockout nor an order to open is known (SW2).

    Without reclosing shots a trip is final. Otherwise the lockout flag says so or, failing that, a trip record older
    than the timer.

    A device that is closed is not locked out. While one says so, no lockout flag is believed: a station that sends all
    flags set would else let FLISR switch between two shots.
    """
    gear = wiring.gear[switch]
    open_off_normal = not view.grid.closed[switch] and gear.normally_closed
    if not is_protective(wiring, switch) or not open_off_normal or gear.reclose_shots == 0:
        return False
    flags = {s for s in wiring.gear if _says_locked_out(view, s, max_age_s=max_age_s)}
    impossible = any(view.grid.closed[s] and s not in view.outstanding for s in flags)
    if switch in flags and not impossible:
        return False
    if opened_by_command(view, switch):
        return False
    trips = [event.time for event in view.snapshot.events if event.element == switch]
    return not trips or (view.now - max(trips)).total_seconds() < timer_s
