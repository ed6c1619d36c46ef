from datetime import timedelta

from adms.apps.view import TagKind
from adms.core.ids import PlanId
from adms.ports.records import AbortPlan, ApprovePlan, OperatorAct, PlaceTag, Request
from adms.runtime.desk_state import DeskState, applied
from tests.unit.runtime.feeders import TIE, at


def said(desk: DeskState, name: str, act: OperatorAct, *, hours: float) -> DeskState:
    request = Request(request_id=name, actor="op", reason="test", act=act)
    return applied(desk, request, now=at(0) + timedelta(hours=hours))


def remembered(desk: DeskState) -> tuple[set[str], set[str], set[str]]:
    return set(desk.requests), set(desk.approved), set(desk.aborted)


def test_what_operators_said_is_forgotten_after_a_day_and_tags_in_force_are_not() -> None:
    desk = DeskState()
    for name, act in (
        ("tag", PlaceTag(device=TIE, kind=TagKind.CLEARANCE)),
        ("yes", ApprovePlan(approve=PlanId("p"))),
        ("no", AbortPlan(abort=PlanId("q"))),
    ):
        desk = said(desk, name, act, hours=0.0)
    desk = said(desk, "later", ApprovePlan(approve=PlanId("r")), hours=23.0)
    assert remembered(desk) == ({"tag", "yes", "no", "later"}, {"p", "r"}, {"q"})
    desk = said(desk, "today", AbortPlan(abort=PlanId("s")), hours=25.0)
    assert remembered(desk) == ({"tag", "later", "today"}, {"r"}, {"s"})
    assert [tag.device for tag in desk.tags] == [TIE]
    assert desk.version == 5
