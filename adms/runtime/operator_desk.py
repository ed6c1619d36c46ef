"""Takes in what operators ask (`adms.ports.inward.OperatorDesk`): checks it, journals it, applies it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from adms.apps.view import Tag
from adms.core.errors import AdapterError, InputError, Problem
from adms.core.ids import ElementId, PlanId
from adms.core.journal import EntryKind
from adms.core.modes import Mode, effective_mode
from adms.core.plans import PlanProgress, PlanStatus
from adms.grid.model import NetworkModel
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
from adms.runtime.canonical import plain
from adms.runtime.clock import Clock
from adms.runtime.desk_state import DeskState, applied, tag_id_of
from adms.runtime.devices import device_classes
from adms.runtime.journal import Draft, JournalWriter
from adms.runtime.modes import ModeChange, ModeKeeper
from adms.runtime.text_bounds import ACTOR_MAX, ID_MAX, REASON_MAX, too_long

OPEN = frozenset({PlanStatus.PROPOSED, PlanStatus.APPROVED, PlanStatus.EXECUTING})
UNNAMED = "(nobody named)"
"""Who stopped where the request does not say."""


def mode_draft(change: ModeChange, *, now: datetime, actor: str) -> Draft:
    """The entry for a change of the effective mode."""
    body = {"before": change.before.name, "after": change.after.name, "reason": change.reason}
    return Draft(time=now, kind=EntryKind.MODE, actor=actor, body=body)


class Desk:
    """One operator desk. What it holds is read by the next cut."""

    def __init__(
        self,
        model: NetworkModel,
        *,
        clock: Clock,
        journal: JournalWriter,
        modes: ModeKeeper,
        state: DeskState,
        plans: Callable[[], Mapping[PlanId, PlanProgress]],
    ) -> None:
        self._devices = frozenset(device_classes(model))
        self._interfaces = tuple(source.id for source in model.sources if source.interface)
        self._clock = clock
        self._journal = journal
        self._modes = modes
        self._plans = plans
        self.state = state
        self._cleared: set[ElementId] = set()
        if state.stopped:
            modes.stop()

    def now(self) -> datetime:
        """The service's time."""
        return self._clock.now()

    def tags(self) -> tuple[Tag, ...]:
        """All tags in force."""
        return self.state.tags

    def placed_tag(self, request_id: str) -> Tag:
        """The tag that a request placed; it may have been removed since."""
        request = self.state.requests[request_id].request
        for tag in self.state.tags:
            if tag.tag_id == tag_id_of(request):
                return tag
        problem = Problem(element="tag", field="request_id", value=request_id, message="the tag was removed since")
        raise InputError([problem])

    def plans(self, *, open_only: bool) -> tuple[PlanProgress, ...]:
        """Plans, oldest first, with what operators said about them."""
        listed = [self._as_told(progress) for progress in self._plans().values()]
        return tuple(progress for progress in listed if not open_only or progress.status in OPEN)

    def take_cleared(self) -> frozenset[ElementId]:
        """Devices that operators released since the last call."""
        cleared = frozenset(self._cleared)
        self._cleared.clear()
        return cleared

    def request(self, request: Request) -> Mode:
        """Journals and applies an act. A stop stops whatever else is wrong with the request, and complains then."""
        if isinstance(request.act, EmergencyStop):
            return self._stop(request)
        known = self.state.requests.get(request.request_id)
        if known is not None:
            if not _same(known.request, request):
                problem = _found("request", "request_id", request.request_id, "was used for another request")
                raise InputError([problem])
            return self._effective(request)
        problems = self._problems(request)
        if problems:
            raise InputError(problems)
        now = self._clock.now()
        after = applied(self.state, request, now=now)
        body = {"act": type(request.act).__name__, "request": plain(request)}
        draft = Draft(time=now, kind=EntryKind.OPERATOR, actor=request.actor, body=body)
        self._journal.commit([draft])
        self.state = after
        if isinstance(request.act, SetMode):
            self._set_mode(request.act, actor=request.actor, now=now)
        return self._effective(request)

    def _set_mode(self, act: SetMode, *, actor: str, now: datetime) -> None:
        if act.device is not None:
            self._cleared.add(act.device)
            return
        change = self._modes.request(act.mode)
        if change is not None:
            try:
                self._journal.commit([mode_draft(change, now=now, actor=actor)])
            except AdapterError as error:
                self._modes.round_failed(str(error))
                raise

    def _stop(self, request: Request) -> Mode:
        """Stops first. Neither an id that was used before nor words that are missing or too long are in its way; it is
        journalled if it can be."""
        change = self._modes.stop()
        now = self._clock.now()
        said = replace(
            request,
            request_id=request.request_id[:ID_MAX],
            actor=request.actor[:ACTOR_MAX] or UNNAMED,
            reason=request.reason[:REASON_MAX],
        )
        self.state = applied(self.state, said, now=now)
        body = {"act": type(said.act).__name__, "request": plain(said)}
        draft = Draft(time=now, kind=EntryKind.OPERATOR, actor=said.actor, body=body)
        self._record_stop([draft], change, actor=said.actor, now=now)
        problems = self._problems(request)
        if request.request_id in self.state.requests:
            problems.append(_found("request", "request_id", request.request_id, "was used for another request"))
        if problems:
            raise InputError([replace(each, message=f"{each.message}; all automation is stopped") for each in problems])
        return self._modes.mode

    def _record_stop(self, drafts: list[Draft], change: ModeChange | None, *, actor: str, now: datetime) -> None:
        if change is not None:
            drafts = [*drafts, mode_draft(change, now=now, actor=actor)]
        try:
            self._journal.commit(drafts)
        except AdapterError:
            # Stopping needs no permission from the journal; the journal's own problem shows in the status.
            return

    def _effective(self, request: Request) -> Mode:
        act = request.act
        if isinstance(act, SetMode) and act.device is not None:
            return effective_mode(self._modes.mode, act.mode)
        return self._modes.mode

    def _as_told(self, progress: PlanProgress) -> PlanProgress:
        plan_id = progress.plan.plan_id
        if progress.status is PlanStatus.PROPOSED and plan_id in self.state.approved:
            return PlanProgress(
                plan=progress.plan, status=PlanStatus.APPROVED, steps_done=progress.steps_done, text=progress.text
            )
        return progress

    def _problems(self, request: Request) -> list[Problem]:
        found: list[Problem] = []

        def add(field: str, value: str, message: str) -> None:
            found.append(Problem(element="request", field=field, value=value, message=message))

        if not request.request_id:
            add("request_id", "", "must not be empty")
        if not request.actor.strip():
            add("actor", "", "must not be empty: every act is attributable (X2)")
        if not request.reason.strip() and not isinstance(request.act, RemoveTag):
            add("reason", "", "must not be empty: every act is attributable (X2)")
        long = _texts_too_long(request)
        found.extend(long)
        act_problem = None if long else self._act_problem(request)
        if act_problem is not None:
            add(*act_problem)
        return found

    def _act_problem(self, request: Request) -> tuple[str, str, str] | None:
        match request.act:
            case SetMode(device=device) | PlaceTag(device=device):
                if device is not None and device not in self._devices:
                    return "device_id", device, "no such controllable device in the model"
            case ApprovePlan(approve=plan_id):
                progress = self._plans().get(plan_id)
                if progress is None:
                    return "plan_id", plan_id, "no such plan"
                if progress.status is not PlanStatus.PROPOSED or plan_id in self.state.aborted:
                    return "plan_id", plan_id, f"only a proposed plan can be approved; this one is {progress.status}"
            case AbortPlan(abort=plan_id):
                progress = self._plans().get(plan_id)
                if progress is None:
                    return "plan_id", plan_id, "no such plan"
                if progress.status not in OPEN:
                    return "plan_id", plan_id, f"the plan is {progress.status}"
            case RemoveTag(tag_id=tag_id):
                tag = next((tag for tag in self.state.tags if tag.tag_id == tag_id), None)
                if tag is None:
                    return "tag_id", tag_id, "no such tag"
                if tag.holder != request.actor:
                    return "actor", request.actor, f"only its holder, {tag.holder}, removes a tag (SW4)"
            case SetInterfaceLimit(limit=limit):
                if limit.interface not in self._interfaces:
                    known = ", ".join(self._interfaces) or "none"
                    return "interface_id", limit.interface, f"no such interface in the model; there is {known}"
                for name, value in (("import_max_w", limit.import_max_w), ("export_max_w", limit.export_max_w)):
                    if value is not None and not (math.isfinite(value) and value >= 0.0):
                        return name, str(value), "must be finite and not negative"
                if limit.end is not None and limit.end <= limit.start:
                    return "end", limit.end.isoformat(), "must be later than start"
        return None


def _same(one: Request, other: Request) -> bool:
    """True for the same request, whenever it was received."""
    mine, theirs = one.act, other.act
    if isinstance(mine, SetInterfaceLimit) and isinstance(theirs, SetInterfaceLimit) and theirs.immediate:
        limit = replace(theirs.limit, start=mine.limit.start)
        other = replace(other, act=replace(theirs, limit=limit))
    return one == other


def _texts_too_long(request: Request) -> list[Problem]:
    texts = [
        ("request_id", request.request_id, ID_MAX),
        ("actor", request.actor, ACTOR_MAX),
        ("reason", request.reason, REASON_MAX),
    ]
    match request.act:
        case SetMode(device=device) | PlaceTag(device=device):
            texts.append(("device_id", device or "", ID_MAX))
        case ApprovePlan(approve=plan_id) | AbortPlan(abort=plan_id):
            texts.append(("plan_id", plan_id, ID_MAX))
        case RemoveTag(tag_id=tag_id):
            # A tag is named after the request that placed it.
            texts.append(("tag_id", tag_id, ID_MAX + len("tag-")))
        case SetInterfaceLimit(limit=limit):
            texts.append(("interface_id", limit.interface, ID_MAX))
    return [
        _found("request", field, *wrong)
        for field, text, most in texts
        if (wrong := too_long(text, most=most)) is not None
    ]


def _found(element: str, field: str, value: str, message: str) -> Problem:
    return Problem(element=element, field=field, value=value, message=message)
