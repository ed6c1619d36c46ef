"""Trials: closes by FLISR after which protection acted again, or which nothing confirmed. After one, people take over.

A close that meets a fault stresses plant and customers whatever the indicators said before, so what they say is not
believed a second time: further plans for the outage are only proposed until `trial_block_s` has passed since the close.
A trial is read from levels (the last command and the positions now), so a restarted service sees it too.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from adms.apps.flisr.policy import FlisrPolicy
from adms.apps.flisr.state import FlisrState, Trial
from adms.apps.interlock.evidence import is_protective, opened_by_command
from adms.apps.interlock.positions import Positions, read_positions
from adms.apps.interlock.wiring import Wiring, wiring_of
from adms.apps.view import Operation, RoundView
from adms.core.commands import App, OutcomeCode, SwitchSetpoint
from adms.core.ids import ElementId, SectionId

_REFUSALS = frozenset(
    {
        OutcomeCode.EXPIRED,
        OutcomeCode.LOCAL,
        OutcomeCode.INTERLOCKED,
        OutcomeCode.TOO_MANY_OPERATIONS,
        OutcomeCode.NOT_SUPPORTED,
        OutcomeCode.OUT_OF_RANGE,
        OutcomeCode.STALE_EPOCH,
    }
)
"""Answers of a device that did not act."""


def note_trials(view: RoundView, *, area: Collection[SectionId], state: FlisrState, policy: FlisrPolicy) -> FlisrState:
    """The state with the trials of this round added, those that are over left out, and the closes that were refused.

    Args:
        view: the round.
        area: dead sections; FLISR makes one plan for all of them, so they count as one outage.
        state: before.
        policy: limits.
    """
    wiring = wiring_of(view.arrays)
    positions = read_positions(view, wiring, max_age_s=policy.interlock.telemetry_max_age_s)
    # The feeders of the outage, as they are run normally and as they stand now; a close at their live part counts too.
    normal = {switch for switch, gear in wiring.gear.items() if gear.normally_closed}
    feeders = wiring.reach(area, closed=normal | positions.maybe_closed)
    trials = {
        device: trial
        for device, trial in state.trials.items()
        if (view.now - trial.time).total_seconds() < policy.trial_block_s
    }
    refused: dict[ElementId, datetime] = {}
    for device, close in _closes(view, wiring, within_s=policy.trial_block_s).items():
        if _is_refusal(view.failed_devices.get(device)) or state.refused.get(device) == close.time:
            if device not in positions.surely_closed:
                # The failure is forgotten when the device may be tried again; that it did not move then is not.
                refused[device] = close.time
            continue
        how = _how_it_failed(view, wiring, device=device, positions=positions)
        if how is not None and set(wiring.ends[device]) & feeders:
            trials[device] = trials.get(device) or Trial(time=close.time, reason=f"{device} {how}")
    return replace(state, trials=trials, refused=refused)


def handed_over(state: FlisrState) -> str | None:
    """Why FLISR only proposes in this outage; None where it may act."""
    if not state.trials:
        return None
    reasons = "; ".join(trial.reason for _, trial in sorted(state.trials.items()))
    return f"handed over: {reasons}; further plans wait for an operator's approval"


def awaited_close(view: RoundView) -> ElementId | None:
    """A close by FLISR whose outcome is not known yet: no other follows before it is."""
    waiting = (device for device in sorted(view.outstanding) if _close(view.history, device) is not None)
    return next(waiting, None)


def _close(history: Mapping[ElementId, tuple[Operation, ...]], device: ElementId) -> Operation | None:
    """The last operation of a device, where that is a close by FLISR."""
    last = history.get(device, ())[-1:]
    if not last or last[0].app is not App.FLISR or last[0].setpoint != SwitchSetpoint(closed=True):
        return None
    return last[0]


def _closes(view: RoundView, wiring: Wiring, *, within_s: float) -> dict[ElementId, Operation]:
    found = {device: _close(view.history, device) for device in sorted(view.history) if device in wiring.ends}
    return {
        device: close
        for device, close in found.items()
        if close is not None and (view.now - close.time).total_seconds() < within_s
    }


def _is_refusal(failure: str | None) -> bool:
    return failure is not None and failure.split(":")[0].lower() in _REFUSALS


def _how_it_failed(view: RoundView, wiring: Wiring, *, device: ElementId, positions: Positions) -> str | None:
    failure = view.failed_devices.get(device)
    if failure is not None:
        return f"was ordered to close and did not confirm it ({failure})"
    if device in positions.unconfirmed:
        return None
    if not view.grid.closed[device]:
        return "was closed and is open again, not by command"
    ends = set(wiring.ends[device])
    if ends & positions.maybe_live:
        return None
    # It was closed to energise what is behind it. If both its sides are dead, what feeds it has tripped.
    dead = wiring.reach(ends, closed=positions.closed)
    upstream = sorted(
        switch
        for section in dead
        for switch in wiring.switches_at[section]
        if switch not in positions.maybe_closed
        and is_protective(wiring, switch)
        and wiring.gear[switch].normally_closed
        and not opened_by_command(view, switch)
    )
    return f"was closed, and {upstream[0]} tripped after it" if upstream else None
