"""The client against the service over a real gRPC server: one loop from telemetry to outcome, and its failures."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adms.apps.view import RoundView
from adms.client import (
    AdapterError,
    DeviceController,
    InputError,
    Insight,
    Lease,
    Mode,
    Operator,
    OutcomeCode,
    Point,
    PointKind,
    ReceivedCommand,
    SimulationClock,
    TagKind,
    TelemetrySource,
)
from adms.core.commands import Proposal
from tests.contract.loops import ALL_DEVICES, CLIENT_POINTS, DEFAULT, running
from tests.unit.runtime.feeders import NORMAL, PV, SWITCH, Script, at, opened, power, proposal, small_arrays

VALUES = dict(enumerate(NORMAL))


def wants_power(p: float) -> Script:
    """An app that wants a PV at one power."""

    def ask(view: RoundView) -> tuple[Proposal, ...]:
        return (proposal(PV, power(p, 0.0)),)

    return Script(arrays=small_arrays(), proposals=ask)


async def connected(*parts: TelemetrySource | DeviceController) -> None:
    async with asyncio.timeout(5.0):
        for part in parts:
            await part.until_connected()


async def test_from_telemetry_to_command_to_outcome(tmp_path: Path) -> None:
    taken: list[ReceivedCommand] = []
    async with (
        running(tmp_path, script=wants_power(5e3)) as loop,
        TelemetrySource(loop.endpoint, source_id="rtu", instance_epoch=1, points=CLIENT_POINTS) as source,
        DeviceController(loop.endpoint, controller_id="ctl", devices=ALL_DEVICES, now=lambda: at(0)) as controller,
        Operator(loop.endpoint, actor="op", run_id="r") as operator,
        SimulationClock(loop.endpoint) as clock,
        Insight(loop.endpoint) as insight,
    ):
        await connected(source, controller)
        assert controller.accepted == {device.device_id for device in ALL_DEVICES}
        await operator.set_mode(Mode.CONTROL, reason="test")
        for tick in (0, 2, 4):
            await source.send(measure_time=at(tick), values=VALUES)
            advanced = await clock.advance_to(
                at(tick),
                expect_frames={"rtu": source.sequence},
                expect_outcomes={"ctl": controller.outcome_sequence},
            )
            assert advanced.rounds == 1
            while controller.stream_sequence < advanced.streams["ctl"] or controller._commands.qsize():
                command = await anext(controller.commands())
                taken.append(command)
                await controller.report(command, OutcomeCode.SUCCESS)
            await controller.until_settled(advanced.streams["ctl"])
        # The second good round (2 s) releases CONTROL; the lease still runs at 4 s.
        assert [(c.device_id, c.setpoint, c.issue_time) for c in taken] == [(PV, power(5e3, 0.0), at(2))]
        async with asyncio.timeout(5.0):
            await source.until_acknowledged(3)
            await controller.until_recorded(1)
        assert source.waiting == 0
        status = await insight.status()
        assert (status.mode, status.rounds, status.epoch, status.time) == (Mode.CONTROL, 3, 1, at(4))
        assert (await insight.verify_journal()).intact
        kinds = [entry.kind.value async for entry in insight.journal()]
        assert kinds == [
            *("start", "operator"),  # CONTROL is asked for
            *("cut", "device", "refused"),  # MODE: still observing
            *("cut", "mode", "command"),
            *("cut", "outcome"),
        ]
        estimate = await insight.estimate()
        assert not isinstance(estimate, str)
        assert [node.v_pu for node in estimate.nodes] == [1.0, 1.0, 1.0]


async def test_two_equal_runs_write_equal_journals(tmp_path: Path) -> None:
    journals = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        async with (
            running(folder, script=wants_power(5e3)) as loop,
            TelemetrySource(loop.endpoint, source_id="rtu", instance_epoch=1, points=CLIENT_POINTS) as source,
            DeviceController(loop.endpoint, controller_id="ctl", devices=ALL_DEVICES, now=lambda: at(0)) as controller,
            Operator(loop.endpoint, actor="op", run_id="r") as operator,
            SimulationClock(loop.endpoint) as clock,
        ):
            await connected(source, controller)

            async def obey(command: ReceivedCommand) -> OutcomeCode:
                return OutcomeCode.SUCCESS

            obeying = asyncio.create_task(controller.serve(obey))
            await operator.set_mode(Mode.CONTROL, reason="test")
            for tick in range(0, 60, 2):
                await source.send(measure_time=at(tick), values=VALUES)
                advanced = await clock.advance_to(
                    at(tick),
                    expect_frames={"rtu": source.sequence},
                    expect_outcomes={"ctl": controller.outcome_sequence},
                )
                await controller.until_settled(advanced.streams["ctl"])
            obeying.cancel()
            journals.append([entry.entry_hash for entry in loop.journal.entries()])
    # 30 cuts, and what came of them: the last hash stands for every byte before it.
    assert len(journals[0]) > 30
    assert journals[0] == journals[1]


async def test_no_frame_is_lost_or_used_twice_when_the_service_dies(tmp_path: Path) -> None:
    """Frames sent before, during and after an outage: the journal accounts for each exactly once, in order."""
    async with running(tmp_path) as first:
        endpoint = first.endpoint
        source = TelemetrySource(endpoint, source_id="rtu", instance_epoch=1, points=CLIENT_POINTS)
        await source.__aenter__()
        await connected(source)
        async with SimulationClock(endpoint) as clock:
            await source.send(measure_time=at(0), values=VALUES)
            await clock.advance_to(at(0), expect_frames={"rtu": 1})
        # Received and not in the journal yet when the service dies.
        await source.send(measure_time=at(1), values=VALUES)
    await source.send(measure_time=at(2), values=VALUES)
    async with running(tmp_path, listen=endpoint) as second, SimulationClock(endpoint) as clock:
        assert second.service.epoch == 2
        async with asyncio.timeout(10.0):
            await source.until_connected()
        await source.send(measure_time=at(4), values=VALUES)
        await clock.advance_to(at(4), expect_frames={"rtu": 4})
        async with asyncio.timeout(5.0):
            await source.until_acknowledged(4)
        cuts = [entry for entry in second.journal.entries() if entry.kind.value == "cut"]
    assert ['"used":{"rtu":[1,1]}' in cuts[0].body, '"used":{"rtu":[1,4]}' in cuts[1].body] == [True, True]
    assert source.waiting == 0
    await source.__aexit__(None, None, None)


async def test_a_lapsed_lease_leaves_the_default(tmp_path: Path) -> None:
    now = at(0)
    async with (
        running(tmp_path, script=wants_power(5e3)) as loop,
        DeviceController(loop.endpoint, controller_id="ctl", devices=ALL_DEVICES, now=lambda: now) as controller,
        Operator(loop.endpoint, actor="op") as operator,
        SimulationClock(loop.endpoint) as clock,
    ):
        await connected(controller)
        await operator.set_mode(Mode.CONTROL, reason="test")
        await clock.advance_to(at(0))
        await clock.advance_to(at(2))
        async with asyncio.timeout(5.0):
            command = await anext(controller.commands())
        lease = Lease(stored_default=DEFAULT, now=lambda: now)
        assert lease.take(command)
        assert (lease.due().setpoint, lease.due().leased) == (power(5e3, 0.0), True)
    now = command.expiry
    assert (lease.due().setpoint, lease.due().leased) == (DEFAULT, False)


async def test_a_grant_names_what_did_not_arrive(tmp_path: Path) -> None:
    async with running(tmp_path) as loop, SimulationClock(loop.endpoint) as clock:
        with pytest.raises(AdapterError, match=r"frame 3 of source rtu \(have 0\)"):
            await clock.advance_to(at(0), expect_frames={"rtu": 3})


async def test_time_never_goes_back(tmp_path: Path) -> None:
    async with running(tmp_path) as loop, SimulationClock(loop.endpoint) as clock:
        assert (await clock.advance_to(at(10))).rounds == 1
        assert (await clock.advance_to(at(15))).rounds == 2
        with pytest.raises(InputError, match="time never goes back"):
            await clock.advance_to(at(14))


async def test_a_grant_is_a_day_at_most(tmp_path: Path) -> None:
    async with running(tmp_path) as loop, SimulationClock(loop.endpoint) as clock:
        with pytest.raises(InputError, match="too far ahead: at most 2200"):
            await clock.advance_to(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
        await clock.advance_to(at(0))
        with pytest.raises(InputError, match="24 h after the last grant"):
            await clock.advance_to(at(24 * 3600 + 1))
        assert (await clock.advance_to(at(2))).rounds == 1


async def test_operators_hear_every_problem(tmp_path: Path) -> None:
    async with running(tmp_path) as loop, Operator(loop.endpoint, actor="") as operator:
        with pytest.raises(InputError) as caught:
            await operator.set_mode(Mode.CONTROL, reason="", device="switch.none")
        text = str(caught.value)
        assert all(field in text for field in ("request.actor", "request.reason", "request.device_id"))


async def test_a_tag_is_its_holders(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as loop,
        Operator(loop.endpoint, actor="ann") as ann,
        Operator(loop.endpoint, actor="bob") as bob,
    ):
        tag = await ann.place_tag(SWITCH, kind=TagKind.HOLD, reason="work")
        assert (tag.holder, tag.device_id, tag.kind) == ("ann", SWITCH, TagKind.HOLD)
        with pytest.raises(InputError, match="SW4"):
            await bob.remove_tag(tag.tag_id)
        await ann.remove_tag(tag.tag_id)
        assert await ann.tags() == ()


async def test_points_that_the_model_lacks_come_back_as_problems(tmp_path: Path) -> None:
    points = (*CLIENT_POINTS, Point(kind=PointKind.V_MAGNITUDE, element="nowhere", phase=1, sigma=1.0))
    async with (
        running(tmp_path) as loop,
        TelemetrySource(loop.endpoint, source_id="rtu", instance_epoch=1, points=points) as source,
        SimulationClock(loop.endpoint) as clock,
    ):
        await connected(source)
        await source.send(measure_time=at(0), values={**VALUES, 4: 1.0})
        await clock.advance_to(at(0), expect_frames={"rtu": 1})
        async with asyncio.timeout(5.0):
            await source.until_acknowledged(1)
        assert [problem.element for problem in source.point_problems] == ["nowhere"]


async def test_rounds_can_be_watched(tmp_path: Path) -> None:
    async with running(tmp_path) as loop, Insight(loop.endpoint) as insight, SimulationClock(loop.endpoint) as clock:
        rounds = insight.rounds(with_nodes=True)
        first = asyncio.ensure_future(anext(rounds))
        while not loop.service.watched():
            await asyncio.sleep(0.01)
        await clock.advance_to(at(0))
        async with asyncio.timeout(5.0):
            seen = await first
        assert (seen.round, seen.time, seen.v_min_pu) == (1, at(0), 1.0)
        assert seen.estimate is not None
        assert ("dispatch", "looked") in seen.notes
        await rounds.aclose()


async def test_a_switch_is_confirmed_by_telemetry_and_not_by_the_answer(tmp_path: Path) -> None:
    def ask(view: RoundView) -> tuple[Proposal, ...]:
        return (proposal(SWITCH, opened()),)

    script = Script(arrays=small_arrays(), proposals=ask)
    async with (
        running(tmp_path, script=script) as loop,
        TelemetrySource(loop.endpoint, source_id="rtu", instance_epoch=1, points=CLIENT_POINTS) as source,
        DeviceController(loop.endpoint, controller_id="ctl", devices=ALL_DEVICES, now=lambda: at(0)) as controller,
        Operator(loop.endpoint, actor="op") as operator,
        SimulationClock(loop.endpoint) as clock,
    ):
        await connected(source, controller)
        await operator.set_mode(Mode.CONTROL, reason="test")

        async def scan(tick: float, closed: float) -> None:
            values = {**VALUES, 1: closed}
            await source.send(measure_time=at(tick), values=values)
            await clock.advance_to(
                at(tick),
                expect_frames={"rtu": source.sequence},
                expect_outcomes={"ctl": controller.outcome_sequence},
            )

        await scan(0, 1.0)
        await scan(2, 1.0)
        command = await anext(controller.commands())
        await controller.report(command, OutcomeCode.SUCCESS)
        await scan(4, 1.0)
        assert SWITCH in script.views[-1].outstanding
        await scan(6, 0.0)
        assert SWITCH not in script.views[-1].outstanding
        assert controller.stream_sequence == 1
