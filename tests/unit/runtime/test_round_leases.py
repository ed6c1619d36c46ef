"""Leases around scripted stages: renewed while wanted, composed, staggered, let go."""

import itertools

from adms.core.commands import App, Command, OutcomeCode, Priority
from tests.unit.runtime.feeders import (
    BATTERY,
    GATE_POLICY,
    PV,
    power,
    proposal,
)
from tests.unit.runtime.rigs import CONTROLLER, Rig, asks, devices


async def test_a_lease_is_renewed_before_it_lapses_while_it_is_wanted(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3, 0.0)))
    await rig.in_control()
    sent: list[Command] = [c for _, c in rig.outside.sent]
    for seconds in range(4, 124, 2):
        for command in await rig.look(float(seconds)):
            sent.append(command)
            rig.answer(command, OutcomeCode.SUCCESS, seconds=float(seconds))
    for command, following in itertools.pairwise(sent):
        left = (command.expiry - following.issue_time).total_seconds()
        # Renewed in the first round with less than renew_s left; a round is 2 s.
        assert GATE_POLICY.renew_s - 2.0 <= left < GATE_POLICY.renew_s
    assert len(sent) >= 3


async def test_a_lease_that_is_not_wanted_lapses(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3)))
    await rig.in_control()
    asks(rig)
    for seconds in range(4, 80, 2):
        assert await rig.look(float(seconds)) == []


async def test_small_changes_wait_for_the_renewal(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3)))
    await rig.in_control()
    rig.script.proposals = lambda view: (proposal(PV, power(1e3 + GATE_POLICY.dead_band_w)),)
    assert await rig.look(4.0) == []
    rig.script.proposals = lambda view: (proposal(PV, power(1e3 + GATE_POLICY.dead_band_w + 1.0)),)
    assert devices(await rig.look(6.0)) == [PV]


async def test_active_power_from_one_app_and_reactive_from_another_make_one_setpoint(rig: Rig) -> None:
    asks(
        rig,
        proposal(PV, power(None, 2e3), app=App.VOLTVAR, priority=Priority.VOLTVAR),
        proposal(PV, power(5e3, None), app=App.DISPATCH, priority=Priority.LIMITS),
    )
    await rig.in_control()
    assert [c.setpoint for _, c in rig.outside.sent] == [power(5e3, 2e3)]


async def test_a_der_that_never_answers_is_left_alone_and_asked_again_now_and_then(rig: Rig) -> None:
    """Leases last 50 to 60 s and are renewed below 20 s: three unanswered ones take about 100 s."""
    asks(rig, proposal(PV, power(1e3)))
    await rig.in_control()
    times = [c.issue_time for _, c in rig.outside.sent]
    for seconds in range(4, 400, 2):
        times += [c.issue_time for c in await rig.look(float(seconds))]
    assert len(times) >= 4
    assert (times[3] - times[2]).total_seconds() >= GATE_POLICY.retry_s


async def test_leases_of_many_devices_do_not_lapse_together(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3)), proposal(BATTERY, power(1e3)))
    await rig.in_control()
    first, second = (c.expiry for _, c in rig.outside.sent)
    assert first != second


async def test_a_controller_that_comes_back_gets_its_lease_again(rig: Rig) -> None:
    asks(rig, proposal(PV, power(1e3)))
    await rig.in_control()
    rig.devices.detach(CONTROLLER, instance="i")
    assert await rig.look(4.0) == []
    rig.connect()
    assert devices(await rig.look(6.0)) == [PV]
