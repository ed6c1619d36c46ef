"""What outlives the process, and what does not."""

import json
from pathlib import Path

import pytest

from adms.apps.view import InterfaceLimit, TagKind
from adms.core.errors import InputError
from adms.core.journal import EntryKind
from adms.core.modes import Mode
from adms.ports.records import (
    EmergencyStop,
    PlaceTag,
    Request,
    SetInterfaceLimit,
    SetMode,
)
from adms.runtime.image import UsedFrames
from adms.runtime.journal import Journal
from adms.runtime.recovery import recovered
from tests.unit.runtime.feeders import (
    SOURCE,
    SWITCH,
    TIE,
    at,
    opened,
    proposal,
)
from tests.unit.runtime.rigs import OPEN, RTU, Rig, ask, asks


async def test_after_a_kill_no_frame_is_used_twice_and_nothing_is_resent(tmp_path: Path) -> None:
    path = tmp_path / "j"
    first = Rig(path)
    first.connect()
    asks(first, proposal(SWITCH, opened()))
    ask(first, PlaceTag(device=TIE, kind=TagKind.CLEARANCE))
    limit = InterfaceLimit(interface=SOURCE, import_max_w=1e5, export_max_w=None, start=at(0), end=None)
    ask(first, SetInterfaceLimit(limit=limit))
    await first.in_control()
    (command,) = [c for _, c in first.outside.sent]
    first.telemetry(3.0)  # received, never cut
    first.kill()

    second = Rig(path)
    assert second.epoch == first.epoch + 1
    assert second.modes.mode is Mode.OBSERVE
    assert [tag.device for tag in second.desk.tags()] == [TIE]
    second.connect()
    # The journal accounts for the two cut frames; the third is taken anew.
    assert second.sequence == 2
    asks(second, proposal(SWITCH, opened()))
    second.ask(SetMode(mode=Mode.CONTROL, device=None))
    for seconds in (4.0, 6.0, 8.0):
        assert await second.look(seconds) == []
    view = second.script.views[-1]
    assert view.outstanding[SWITCH].command_id == command.command_id
    assert view.interface_limits == (limit,)
    assert [operation.time for operation in view.history[SWITCH]] == [at(2)]
    # The device did move: telemetry says so, and there is nothing left to do.
    assert await second.look(10.0, OPEN) == []
    assert second.script.views[-1].outstanding == {}
    second.kill()
    entries = Journal(path).entries()
    assert recovered(entries).used == {RTU: UsedFrames(instance_epoch=1, sequence=6)}
    # Both processes together: frames 1 to 6 are each in one cut, without a gap.
    spans = [json.loads(entry.body)["frames"].get(RTU, []) for entry in entries if entry.kind is EntryKind.CUT]
    assert [(s["from"], s["to"], s["count"]) for (s,) in spans] == [(n, n, 1) for n in range(1, 7)]


async def test_epochs_are_never_used_again(tmp_path: Path) -> None:
    epochs = []
    for _ in range(4):
        rig = Rig(tmp_path / "j")
        epochs.append(rig.epoch)
        rig.kill()
    assert epochs == [1, 2, 3, 4]


async def test_an_emergency_stop_outlives_the_process(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "j")
    ask(rig, EmergencyStop())
    rig.kill()
    again = Rig(tmp_path / "j")
    assert again.modes.stopped
    again.kill()


async def test_the_same_request_again_has_no_further_effect(rig: Rig) -> None:
    request = ask(rig, PlaceTag(device=SWITCH, kind=TagKind.HOLD))
    size = rig.record.size
    rig.desk.request(request)
    assert (len(rig.desk.tags()), rig.record.size) == (1, size)
    act = SetMode(mode=Mode.ADVISE, device=None)
    other = Request(request_id=request.request_id, actor="op", reason="x", act=act)
    with pytest.raises(InputError, match="another request"):
        rig.desk.request(other)
