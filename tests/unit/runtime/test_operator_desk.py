"""A stop always stops; what operators say is bounded."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from adms.apps.view import TagKind
from adms.core.errors import InputError
from adms.core.ids import ElementId, PlanId
from adms.core.journal import EntryKind
from adms.core.modes import Mode
from adms.ports.records import ApprovePlan, EmergencyStop, OperatorAct, PlaceTag, RemoveTag, Request, SetMode
from adms.runtime.recovery import recovered
from tests.unit.runtime.feeders import SWITCH
from tests.unit.runtime.rigs import Rig

CONTROL = SetMode(mode=Mode.CONTROL, device=None)


@pytest.fixture
def rig(tmp_path: Path) -> Iterable[Rig]:
    rig = Rig(tmp_path / "j")
    rig.connect()
    yield rig
    rig.kill()


def asked(act: OperatorAct, *, name: str = "r1", actor: str = "op", reason: str = "test") -> Request:
    return Request(request_id=name, actor=actor, reason=reason, act=act)


async def test_the_same_stop_again_stops_again(rig: Rig) -> None:
    await rig.in_control()
    rig.desk.request(asked(EmergencyStop(), name="button"))
    rig.ask(CONTROL)
    assert not rig.modes.stopped
    assert rig.desk.request(asked(EmergencyStop(), name="button")) is Mode.OBSERVE
    assert (rig.modes.stopped, rig.desk.state.stopped) == (True, True)
    assert recovered(rig.record.entries()).desk.stopped


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (asked(EmergencyStop(), name="used"), "request_id"),
        (asked(EmergencyStop(), name=""), "request_id"),
        (asked(EmergencyStop(), actor=""), "actor"),
        (asked(EmergencyStop(), reason=" "), "reason"),
        (asked(EmergencyStop(), reason="x" * 1001), "reason"),
        (asked(EmergencyStop(), actor="x" * 101), "actor"),
        (asked(EmergencyStop(), name="x" * 201), "request_id"),
    ],
)
async def test_what_is_wrong_with_a_stop_is_said_after_it_has_stopped(rig: Rig, request_: Request, field: str) -> None:
    tag = rig.desk.request(asked(PlaceTag(device=SWITCH, kind=TagKind.HOLD), name="used"))
    assert tag is Mode.OBSERVE
    await rig.in_control()
    with pytest.raises(InputError) as caught:
        rig.desk.request(request_)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert "all automation is stopped" in str(caught.value)
    assert (rig.modes.mode, rig.modes.stopped) == (Mode.OBSERVE, True)
    acts = [json.loads(e.body)["act"] for e in rig.record.entries() if e.kind is EntryKind.OPERATOR]
    assert acts[-1] == "EmergencyStop"
    # The tag is still the one of its request: a stop takes no id away.
    assert rig.desk.placed_tag("used").device == SWITCH


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (asked(CONTROL, name="x" * 201), "request_id"),
        (asked(CONTROL, actor="x" * 101), "actor"),
        (asked(CONTROL, reason="\x01" * 3_900_000), "reason"),
        (asked(replace(CONTROL, device=ElementId("x" * 201))), "device_id"),
        (asked(ApprovePlan(approve=PlanId("x" * 201))), "plan_id"),
        (asked(RemoveTag(tag_id="x" * 205)), "tag_id"),
    ],
)
def test_words_that_are_too_long_are_refused_by_name_and_not_repeated(rig: Rig, request_: Request, field: str) -> None:
    size = rig.record.size
    with pytest.raises(InputError) as caught:
        rig.desk.request(request_)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert len(str(caught.value)) < 500
    assert rig.record.size == size
