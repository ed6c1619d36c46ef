"""The round around scripted stages: what leaves, when, and what never does."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from adms.apps.view import RoundView, TagKind
from adms.core.commands import Outcome, OutcomeCode, Proposal, SwitchSetpoint
from adms.core.errors import AdapterError, InvariantError
from adms.core.estimate import Estimate, Grade, NotEstimated
from adms.core.ids import CommandId, PlanId
from adms.core.journal import EntryKind
from adms.core.modes import Mode
from adms.core.telemetry import TelemetrySnapshot
from adms.ports.records import (
    ControllerOutcomes,
    EmergencyStop,
    PlaceTag,
    RemoveTag,
    SetMode,
)
from adms.runtime.desk_state import tag_id_of
from adms.runtime.journal import Draft, Journal
from tests.unit.runtime.feeders import (
    BATTERY,
    PV,
    SWITCH,
    TIE,
    at,
    flat_estimate,
    opened,
    power,
    proposal,
)
from tests.unit.runtime.rigs import CONTROLLER, OPEN, RTU, Rig, ask, asks, devices

# --- nothing leaves without permission


async def test_start_up_observes_until_good_rounds_and_a_release(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3)))
    for seconds in (0.0, 2.0, 4.0):
        assert await rig.look(seconds) == []
    rig.ask(SetMode(mode=Mode.CONTROL, device=None))
    assert devices(await rig.look(6.0)) == [PV]


@pytest.mark.parametrize(
    "picture",
    [
        lambda s: NotEstimated(snapshot_id=s.snapshot_id, time=s.cut_time, reason="diverged"),
        None,
    ],
)
async def test_a_bad_picture_commands_nothing_and_two_demote(rig: Rig, picture: object) -> None:
    asks(rig, proposal(PV, power(1e3)))
    await rig.in_control()
    rig.script.proposals = lambda view: (proposal(BATTERY, power(-1e3)),)

    def bad(snapshot: TelemetrySnapshot) -> Estimate | NotEstimated:
        if callable(picture):
            found: NotEstimated = picture(snapshot)
            return found
        return flat_estimate(snapshot, arrays=rig.script.arrays, grade=Grade.FAILED)

    rig.script.picture = bad
    modes = []
    for seconds in (4.0, 6.0):
        assert await rig.look(seconds) == []
        modes.append(rig.modes.mode)
    assert modes == [Mode.CONTROL, Mode.OBSERVE]
    # The picture is back: the operator's mode returns after two good rounds, by itself.
    rig.script.picture = None
    assert await rig.look(8.0) == []
    assert devices(await rig.look(10.0)) == [BATTERY]


async def test_a_failing_app_drops_the_round_and_a_person_must_release_it(rig: Rig) -> None:
    await rig.in_control()

    def fails(view: RoundView) -> tuple[Proposal, ...]:
        raise InvariantError("sum of parts is not the whole")

    rig.script.proposals = fails
    assert await rig.look(4.0) == []
    assert rig.outside.dropped == ["InvariantError"]
    assert rig.outside.healthy == [True, True, False]
    assert rig.modes.mode is Mode.OBSERVE
    asks(rig, proposal(PV, power(1e3)))
    for seconds in (6.0, 8.0, 10.0):
        assert await rig.look(seconds) == []
    rig.ask(SetMode(mode=Mode.CONTROL, device=None))
    assert devices(await rig.look(12.0)) == [PV]
    # The frame of the dropped round is accounted for by the next one: none is lost.
    used = [entry.body for entry in rig.record.entries() if entry.kind is EntryKind.CUT]
    assert len(used) == rig.round.number - 1
    assert rig.outside.acknowledged[-1] == {RTU: rig.sequence}


async def test_an_emergency_stop_holds_until_an_operator_sets_a_mode(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3)))
    await rig.in_control()
    ask(rig, EmergencyStop())
    rig.script.proposals = lambda view: (proposal(BATTERY, power(1e3)),)
    for seconds in (4.0, 6.0, 8.0):
        assert await rig.look(seconds) == []
    rig.ask(SetMode(mode=Mode.CONTROL, device=None))
    assert await rig.look(10.0) == []
    assert devices(await rig.look(12.0)) == [BATTERY]


async def test_a_stop_during_a_round_stops_that_round(rig: Rig) -> None:
    await rig.in_control()

    def stopped_meanwhile(view: RoundView) -> tuple[Proposal, ...]:
        loop.call_soon_threadsafe(lambda: ask(rig, EmergencyStop()))
        # The round computes off the event loop: give the loop its turn.
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()
        return (proposal(PV, power(1e3)),)

    loop = asyncio.get_running_loop()
    rig.script.proposals = stopped_meanwhile
    assert await rig.look(4.0) == []
    assert rig.round.state.gate.leases == {}


async def test_advise_sends_only_what_was_approved(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3), plan_id="p1"), proposal(BATTERY, power(1e3)))
    rig.ask(SetMode(mode=Mode.ADVISE, device=None))
    for seconds in (0.0, 2.0, 4.0):
        assert await rig.look(seconds) == []
    from dataclasses import replace

    rig.desk.state = replace(rig.desk.state, approved=frozenset({PlanId("p1")}))
    assert devices(await rig.look(6.0)) == [PV]


async def test_a_device_mode_holds_one_device(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3)), proposal(BATTERY, power(1e3)))
    rig.ask(SetMode(mode=Mode.OBSERVE, device=PV))
    await rig.in_control()
    assert devices([c for _, c in rig.outside.sent]) == [BATTERY]


async def test_a_tagged_device_is_not_operated_until_its_holder_takes_the_tag_away(rig: Rig) -> None:
    asks(rig, proposal(SWITCH, opened()))
    request = ask(rig, PlaceTag(device=SWITCH, kind=TagKind.HOLD))
    await rig.in_control()
    assert await rig.look(4.0) == []
    ask(rig, RemoveTag(tag_id=tag_id_of(request)))
    assert devices(await rig.look(6.0)) == [SWITCH]


async def test_a_device_that_no_controller_holds_is_refused(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3)))
    rig.devices.detach(CONTROLLER, instance="i")
    await rig.in_control()
    assert rig.outside.sent == []


async def test_a_switch_whose_position_is_stale_is_not_operated(rig: Rig) -> None:
    await rig.in_control()
    asks(rig, proposal(SWITCH, opened()))
    assert await rig.tick(14.0) == []


# --- journal first


class Failing:
    """A journal that refuses from a given commit on."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.fails = False
        self.problem = ""

    def commit(self, drafts: Iterable[Draft]) -> None:
        if self.fails:
            raise AdapterError("database or disk is full", retryable=True)
        self.journal.commit(drafts)


async def test_nothing_is_sent_or_acknowledged_that_the_journal_did_not_take(tmp_path: Path) -> None:
    record = Journal(tmp_path / "j2")
    failing = Failing(record)
    rig = Rig(tmp_path / "j", journal=failing)
    rig.connect()
    asks(rig, proposal(PV, power(1e3)))
    await rig.in_control()
    acknowledged = list(rig.outside.acknowledged)
    rig.script.proposals = lambda view: (proposal(BATTERY, power(1e3)), proposal(SWITCH, opened()))
    failing.fails = True
    assert await rig.look(4.0) == []
    assert rig.modes.mode is Mode.OBSERVE
    assert rig.outside.acknowledged == acknowledged
    assert rig.outside.healthy[-1:] == [False]
    assert rig.round.state.gate.outstanding == {}
    with pytest.raises(AdapterError):
        rig.ask(SetMode(mode=Mode.CONTROL, device=None))
    failing.fails = False
    assert await rig.look(6.0) == []
    assert rig.outside.healthy[-1:] == [True]
    # The frames of both rounds are acknowledged once the journal takes them.
    assert rig.outside.acknowledged[-1] == {RTU: rig.sequence}
    rig.ask(SetMode(mode=Mode.CONTROL, device=None))
    assert devices(await rig.look(8.0)) == [BATTERY, SWITCH]
    rig.kill()
    record.close()


async def test_an_emergency_stop_needs_no_journal(tmp_path: Path) -> None:
    record = Journal(tmp_path / "j2")
    failing = Failing(record)
    rig = Rig(tmp_path / "j", journal=failing)
    rig.connect()
    asks(rig, proposal(PV, power(1e3)))
    await rig.in_control()
    failing.fails = True
    ask(rig, EmergencyStop())
    assert rig.modes.stopped
    rig.kill()
    record.close()


# --- latched devices


async def test_a_latched_command_is_sent_once_and_confirmed_by_telemetry(rig: Rig) -> None:
    asks(rig, proposal(SWITCH, opened()))
    await rig.in_control()
    (command,) = [c for _, c in rig.outside.sent]
    rig.answer(command, OutcomeCode.SUCCESS, seconds=3.0)
    assert await rig.look(4.0) == []
    assert SWITCH in rig.script.views[-1].outstanding
    assert await rig.look(6.0, OPEN) == []
    assert SWITCH not in rig.script.views[-1].outstanding
    assert [op.setpoint for op in rig.script.views[-1].history[SWITCH]] == [opened()]


async def test_a_position_measured_before_the_command_confirms_nothing(rig: Rig) -> None:
    asks(rig, proposal(SWITCH, opened()))
    await rig.in_control()
    # Arrives late: measured before the command of 2 s.
    rig.telemetry(1.0, OPEN)
    await rig.tick(4.0)
    assert SWITCH in rig.script.views[-1].outstanding


async def test_an_unconfirmed_command_is_unknown_and_never_resent_blindly(rig: Rig) -> None:
    asks(rig, proposal(SWITCH, opened()))
    await rig.in_control()
    # Travel 5 s (model) + 5 s (policy) after 2 s.
    for seconds in (4.0, 6.0, 8.0, 10.0, 12.0):
        assert await rig.look(seconds) == []
    assert await rig.look(14.0) == []
    assert "2026-07-01T12:00:12" in rig.script.views[-1].failed_devices[SWITCH]
    told = [e.body for e in rig.record.entries() if e.kind is EntryKind.OUTCOME]
    assert ['"unknown"' in body for body in told] == [True]
    # Tried again only after retry_s, given a fresh position.
    for seconds in range(16, 44, 2):
        assert await rig.look(float(seconds)) == []
    assert devices(await rig.look(44.0)) == [SWITCH]
    # The second failure in a row is the last: now an operator clears it.
    for seconds in range(46, 160, 2):
        assert await rig.look(float(seconds)) == []
    rig.ask(SetMode(mode=Mode.CONTROL, device=SWITCH))
    assert devices(await rig.look(160.0)) == [SWITCH]


async def test_a_refusal_of_the_device_is_a_failure(rig: Rig) -> None:
    asks(rig, proposal(SWITCH, opened()))
    await rig.in_control()
    (command,) = [c for _, c in rig.outside.sent]
    rig.answer(command, OutcomeCode.LOCAL, seconds=3.0)
    assert await rig.look(4.0) == []
    view = rig.script.views[-1]
    assert view.failed_devices == {SWITCH: "local"}
    assert view.outstanding == {}


async def test_nothing_is_closed_while_another_switch_moves(rig: Rig) -> None:
    asks(rig, proposal(SWITCH, opened()), proposal(TIE, SwitchSetpoint(closed=True)))
    await rig.in_control()
    assert devices([c for _, c in rig.outside.sent]) == [SWITCH]
    assert await rig.look(4.0) == []
    assert devices(await rig.look(6.0, OPEN)) == [TIE]


async def test_a_device_that_obeyed_a_later_service_ends_this_one(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3)))
    await rig.in_control()
    (command,) = [c for _, c in rig.outside.sent]
    rig.answer(command, OutcomeCode.STALE_EPOCH, seconds=3.0)
    await rig.look(4.0)
    assert (rig.modes.mode, rig.modes.reason) == (
        Mode.OBSERVE,
        "a device has obeyed a later service: this one is superseded",
    )
    rig.ask(SetMode(mode=Mode.CONTROL, device=None))
    rig.script.proposals = lambda view: (proposal(BATTERY, power(1e3)),)
    for seconds in (6.0, 8.0, 10.0):
        assert await rig.look(seconds) == []


def strange(rig: Rig, *, seconds: float, count: int = 1, code: OutcomeCode = OutcomeCode.STALE_EPOCH) -> None:
    """Outcomes about commands that never were."""
    rig.outcome_sequence += 1
    outcomes = tuple(
        Outcome(command_id=CommandId(f"no-{n}"), device=PV, code=code, time=at(seconds)) for n in range(count)
    )
    rig.devices.outcomes(
        ControllerOutcomes(controller=CONTROLLER, sequence=rig.outcome_sequence, outcomes=outcomes), instance="i"
    )


async def test_an_outcome_about_no_command_of_ours_changes_nothing_and_is_noted_once_a_minute(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3)))
    await rig.in_control()
    for n in range(40):
        strange(rig, seconds=4.0 + 2 * n, count=100)
        await rig.look(4.0 + 2 * n)
    assert rig.modes.mode is Mode.CONTROL
    dropped = [json.loads(e.body)["outcomes_dropped"] for e in rig.record.entries() if "outcomes_dropped" in e.body]
    # At 4 s the first hundred, at 64 s those of the thirty rounds since; those since then wait.
    assert dropped == [100, 3000]
    assert not [e for e in rig.record.entries() if e.kind is EntryKind.OUTCOME and "no-" in e.body]
    assert rig.outside.recorded[-1] == {CONTROLLER: 40}


async def test_a_command_of_another_device_or_an_answer_given_before_does_not_count(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3)), proposal(BATTERY, power(1e3)))
    await rig.in_control()
    first = next(c for _, c in rig.outside.sent if c.device == PV)
    rig.answer(replace(first, device=BATTERY), OutcomeCode.STALE_EPOCH, seconds=3.0)
    for _ in range(3):
        rig.answer(first, OutcomeCode.SUCCESS, seconds=3.0)
    await rig.look(4.0)
    assert rig.modes.mode is Mode.CONTROL
    told = [e for e in rig.record.entries() if e.kind is EntryKind.OUTCOME and first.command_id in e.body]
    assert len(told) == 1


async def test_a_refused_command_of_the_process_before_is_no_reason_to_stop(tmp_path: Path) -> None:
    before = Rig(tmp_path / "j")
    before.connect()
    asks(before, proposal(PV, power(1e3)))
    await before.in_control()
    (command,) = [c for _, c in before.outside.sent]
    before.kill()
    rig = Rig(tmp_path / "j")
    rig.connect()
    # The device has heard of epoch 2, which is ours, and refused what epoch 1 had sent late.
    rig.answer(command, OutcomeCode.STALE_EPOCH, seconds=4.0)
    await rig.tick(4.0)
    assert rig.modes.reason != "a device has obeyed a later service: this one is superseded"
    assert [e for e in rig.record.entries() if e.kind is EntryKind.OUTCOME]
    rig.kill()
