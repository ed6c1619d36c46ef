"""What operators have said and is in force: tags, limits, device modes, approvals. A value; acts are applied by a pure
function, live and when the journal is read back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from adms.apps.view import InterfaceLimit, Tag
from adms.core.ids import ElementId, PlanId
from adms.core.modes import Mode
from adms.ports.records import (
    AbortPlan,
    ApprovePlan,
    EmergencyStop,
    PlaceTag,
    RemoveTag,
    Request,
    SetInterfaceLimit,
    SetMode,
)

REMEMBERED = timedelta(days=1)
"""How long a request id, an approval and an abort are remembered. A plan lives minutes."""


@dataclass(frozen=True, kw_only=True)
class KnownRequest:
    """A request that was applied, and when."""

    request: Request
    time: datetime


@dataclass(frozen=True, kw_only=True)
class DeskState:
    """Everything that operators have set."""

    device_modes: Mapping[ElementId, Mode] = field(default_factory=dict)
    tags: tuple[Tag, ...] = ()
    interface_limits: tuple[InterfaceLimit, ...] = ()
    """At most one at any time for an interface."""
    approved: frozenset[PlanId] = frozenset()
    aborted: frozenset[PlanId] = frozenset()
    stopped: bool = False
    requests: Mapping[str, KnownRequest] = field(default_factory=dict)
    """Those of the last day, and those of tags in force, by request id: the same one again changes nothing."""
    version: int = 0
    """Acts so far: a round whose desk moved on while it computed issues nothing."""


def applied(desk: DeskState, request: Request, *, now: datetime) -> DeskState:
    """The desk after a request that was found to be possible."""
    act = request.act
    match act:
        case SetMode(device=None):
            after = replace(desk, stopped=False)
        case SetMode(device=device, mode=mode):
            assert device is not None
            after = replace(desk, device_modes={**desk.device_modes, device: mode})
        case ApprovePlan(approve=plan_id):
            after = replace(desk, approved=desk.approved | {plan_id})
        case AbortPlan(abort=plan_id):
            after = replace(desk, approved=desk.approved - {plan_id}, aborted=desk.aborted | {plan_id})
        case PlaceTag():
            tag = Tag(
                tag_id=tag_id_of(request),
                device=act.device,
                kind=act.kind,
                holder=request.actor,
                reason=request.reason,
                placed=now,
            )
            after = replace(desk, tags=(*desk.tags, tag))
        case RemoveTag(tag_id=tag_id):
            after = replace(desk, tags=tuple(tag for tag in desk.tags if tag.tag_id != tag_id))
        case EmergencyStop():
            after = replace(desk, stopped=True)
        case SetInterfaceLimit(limit=limit):
            after = replace(desk, interface_limits=_rescheduled(desk.interface_limits, limit))
        case _ as unreachable:
            assert_never(unreachable)
    known = dict(desk.requests)
    if not isinstance(act, EmergencyStop):
        # A stop is never the same one again, and takes no id from another request.
        known[request.request_id] = KnownRequest(request=request, time=now)
    return _without_old(replace(after, requests=known, version=desk.version + 1), now=now)


def _without_old(desk: DeskState, *, now: datetime) -> DeskState:
    """The desk without what was said more than a day ago: plans are long gone, tags in force are not."""
    tags = {tag.tag_id for tag in desk.tags}
    kept = {
        request_id: known
        for request_id, known in desk.requests.items()
        if now - known.time <= REMEMBERED or tag_id_of(known.request) in tags
    }
    if len(kept) == len(desk.requests):
        return desk
    acts = [known.request.act for known in kept.values()]
    return replace(
        desk,
        requests=kept,
        approved=desk.approved & {act.approve for act in acts if isinstance(act, ApprovePlan)},
        aborted=desk.aborted & {act.abort for act in acts if isinstance(act, AbortPlan)},
    )


def tag_id_of(request: Request) -> str:
    """Id of the tag that a request places."""
    return f"tag-{request.request_id}"


def limits_in_force(desk: DeskState, *, now: datetime) -> tuple[InterfaceLimit, ...]:
    """Limits that have not ended, those announced for later included."""
    return tuple(limit for limit in desk.interface_limits if limit.end is None or limit.end > now)


def _rescheduled(limits: tuple[InterfaceLimit, ...], new: InterfaceLimit) -> tuple[InterfaceLimit, ...]:
    """The new limit replaces what was said for its interface from its start on."""
    kept = []
    for limit in limits:
        if limit.interface != new.interface or (limit.end is not None and limit.end <= new.start):
            kept.append(limit)
        elif limit.start < new.start:
            kept.append(replace(limit, end=new.start))
    return (*kept, new)
