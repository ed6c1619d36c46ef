"""Who holds which device, and the outcomes that wait for the next cut (`adms.ports.inward.ControlDesk`)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from adms.core.commands import Outcome
from adms.core.errors import InputError, Problem
from adms.core.ids import ControllerId, ElementId
from adms.core.journal import EntryKind
from adms.grid.model import NetworkModel
from adms.ports.records import (
    OUTCOMES_PER_MESSAGE_MAX,
    Attached,
    ControllerOutcomes,
    DeviceClass,
    DeviceRegistration,
)
from adms.runtime.journal import Draft
from adms.runtime.text_bounds import ID_MAX, too_long

SEEN_NOTED_S = 60.0
"""A controller that has seen a later epoch is noted in the journal at most once in this time."""
OUTCOMES_WAITING_MAX = 10_000
"""Outcomes that one controller may have waiting for a cut; more are refused."""


@dataclass(frozen=True, kw_only=True)
class ReportedOutcome:
    """An outcome and who reported it."""

    controller: ControllerId
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class DeviceCut:
    """Controllers as they stood at a cut."""

    holder: Mapping[ElementId, ControllerId]
    outcomes: tuple[ReportedOutcome, ...]
    """In order of controller id, then as sent."""
    recorded: Mapping[ControllerId, int]
    """Highest outcome sequence taken per controller, to be acknowledged once journalled."""
    attached: frozenset[ElementId]
    """Devices whose controller registered since the cut before."""
    drafts: tuple[Draft, ...]


@dataclass(kw_only=True)
class _Controller:
    instance: str
    devices: tuple[ElementId, ...]
    connected: bool = True
    outcome_sequence: int | None = None
    """None until the first message of this instance."""
    outcomes_waiting: int = 0


def device_classes(model: NetworkModel) -> dict[ElementId, DeviceClass]:
    """Everything in a model that a controller can hold."""
    found = {b.id: DeviceClass.SWITCH for b in model.branches if b.switch is not None}
    found |= {b.id: DeviceClass.TAP_CHANGER for b in model.branches if b.taps is not None}
    found |= {c.id: DeviceClass.CAPACITOR for c in model.capacitors}
    found |= {d.id: DeviceClass.DER for d in model.ders}
    return found


class DeviceRegister:
    """Takes in registrations and outcomes."""

    def __init__(self, model: NetworkModel, *, epoch: int, on_arrival: Callable[[], None]) -> None:
        self._classes = device_classes(model)
        self._epoch = epoch
        self._on_arrival = on_arrival
        self._controllers: dict[ControllerId, _Controller] = {}
        self._holder: dict[ElementId, ControllerId] = {}
        self._waiting: list[ControllerOutcomes] = []
        self._changed: set[ControllerId] = set()
        self._attached: set[ElementId] = set()
        self._seen_later: dict[ControllerId, int] = {}
        """Highest epoch above ours that a controller's devices have seen since the last cut."""
        self._seen_noted: dict[ControllerId, datetime] = {}
        self._recorded: dict[ControllerId, tuple[bool, tuple[ElementId, ...]]] = {}

    @property
    def controller_count(self) -> int:
        """Controllers with an open stream."""
        return sum(c.connected for c in self._controllers.values())

    @property
    def device_count(self) -> int:
        """Devices that a controller holds now."""
        return len(self._holder)

    def attach(self, controller: ControllerId, *, instance: str, devices: tuple[DeviceRegistration, ...]) -> Attached:
        """A controller opens its stream; a later instance of it takes its place."""
        _check_names(controller_id=controller, instance_id=instance)
        known = self._controllers.get(controller)
        self._release(controller)
        problems: list[Problem] = []
        accepted: list[ElementId] = []
        taken: set[ElementId] = set()
        for registration in devices:
            found = self._problem(registration)
            if found is not None and found[0] == "seen_epoch":
                self._seen_later[controller] = max(registration.seen_epoch, self._seen_later.get(controller, 0))
            if found is None and registration.device in taken:
                found = ("device_id", registration.device, "registered twice")
            if found is None:
                accepted.append(registration.device)
                taken.add(registration.device)
                self._holder[registration.device] = controller
            else:
                field, value, message = found
                problems.append(Problem(element=registration.device, field=field, value=value, message=message))
        same = known is not None and known.instance == instance
        self._controllers[controller] = _Controller(
            instance=instance,
            devices=tuple(sorted(accepted)),
            outcome_sequence=known.outcome_sequence if known is not None and same else None,
            outcomes_waiting=0 if known is None else known.outcomes_waiting,
        )
        self._changed.add(controller)
        self._attached.update(accepted)
        return Attached(accepted=tuple(accepted), problems=tuple(problems), epoch=self._epoch)

    def detach(self, controller: ControllerId, *, instance: str) -> None:
        """The stream of this instance is gone. Does nothing where another instance took over."""
        known = self._controllers.get(controller)
        if known is not None and known.instance == instance and known.connected:
            self._release(controller)
            known.connected = False
            self._changed.add(controller)

    def outcomes(self, batch: ControllerOutcomes, *, instance: str) -> None:
        """Keeps outcomes for the next cut; those already received are dropped."""
        known = self._controllers.get(batch.controller)
        if known is None or known.instance != instance:
            raise _refused(batch, "instance_id", instance, "not registered, or superseded by a later instance")
        last = known.outcome_sequence
        if last is not None and batch.sequence <= last:
            return
        if last is not None and batch.sequence != last + 1:
            raise _refused(batch, "sequence", str(batch.sequence), f"expected {last + 1}")
        if len(batch.outcomes) > OUTCOMES_PER_MESSAGE_MAX:
            message = f"at most {OUTCOMES_PER_MESSAGE_MAX} in a message"
            raise _refused(batch, "outcomes", str(len(batch.outcomes)), message)
        if known.outcomes_waiting + len(batch.outcomes) > OUTCOMES_WAITING_MAX:
            message = "too many outcomes wait for a cut; send fewer, resend these later"
            raise _refused(batch, "outcomes", str(known.outcomes_waiting), message)
        for outcome in batch.outcomes:
            wrong = too_long(outcome.command_id, most=ID_MAX)
            if wrong is not None:
                raise _refused(batch, "command_id", *wrong)
        mine = frozenset(known.devices)
        foreign = [o.device for o in batch.outcomes if o.device not in mine]
        if foreign:
            raise _refused(batch, "device_id", foreign[0][:ID_MAX], "not a device of this controller")
        known.outcome_sequence = batch.sequence
        known.outcomes_waiting += len(batch.outcomes)
        self._waiting.append(batch)
        self._on_arrival()

    def outcomes_received(self, controller: ControllerId) -> int:
        """Highest outcome sequence received of the controller's present instance."""
        known = self._controllers.get(controller)
        return 0 if known is None or known.outcome_sequence is None else known.outcome_sequence

    def cut(self, now: datetime) -> DeviceCut:
        """Freezes who holds what and hands over the waiting outcomes."""
        ordered = sorted(self._waiting, key=lambda batch: (batch.controller, batch.sequence))
        self._waiting = []
        for known in self._controllers.values():
            known.outcomes_waiting = 0
        recorded = {batch.controller: batch.sequence for batch in ordered}
        drafts = []
        for controller in sorted(self._changed):
            known = self._controllers[controller]
            state = (known.connected, known.devices)
            if self._recorded.get(controller) != state:
                self._recorded[controller] = state
                body = {"attached": known.connected, "devices": list(known.devices)}
                drafts.append(Draft(time=now, kind=EntryKind.DEVICE, actor=controller, body=body))
        self._changed.clear()
        drafts.extend(self._later_epochs(now))
        attached = frozenset(self._attached)
        self._attached.clear()
        return DeviceCut(
            holder=dict(self._holder),
            outcomes=tuple(
                ReportedOutcome(controller=batch.controller, outcome=outcome)
                for batch in ordered
                for outcome in batch.outcomes
            ),
            recorded=recorded,
            attached=attached,
            drafts=tuple(drafts),
        )

    def _later_epochs(self, now: datetime) -> list[Draft]:
        """What is due to be noted of controllers that have heard of a later epoch than ours."""
        drafts = []
        for controller, seen in sorted(self._seen_later.items()):
            noted = self._seen_noted.get(controller)
            if noted is None or (now - noted).total_seconds() >= SEEN_NOTED_S:
                self._seen_noted[controller] = now
                body = {"seen_epoch": seen, "epoch": self._epoch}
                drafts.append(Draft(time=now, kind=EntryKind.DEVICE, actor=controller, body=body))
        self._seen_later.clear()
        return drafts

    def _release(self, controller: ControllerId) -> None:
        for device in [device for device, holder in self._holder.items() if holder == controller]:
            del self._holder[device]

    def _problem(self, registration: DeviceRegistration) -> tuple[str, str, str] | None:
        """(field, value, message) of what is wrong; None where all is well."""
        device = registration.device
        expected = self._classes.get(device)
        if expected is None:
            return "device_id", device, "no such controllable device in the model"
        if registration.device_class is not expected:
            return "device_class", registration.device_class.value, f"the model says {expected.value}"
        holder = self._holder.get(device)
        if holder is not None:
            return "device_id", device, f"held by controller {holder}; register again once that has gone"
        if registration.seen_epoch > self._epoch:
            message = (
                f"the device obeyed a later service than this one, which has epoch {self._epoch}; if the journal was"
                " lost and no other service leads, set [service] epoch_floor above the highest epoch seen and start"
                " again"
            )
            return "seen_epoch", str(registration.seen_epoch), message
        if expected is DeviceClass.DER:
            return _der_problem(registration)
        return None


def _der_problem(registration: DeviceRegistration) -> tuple[str, str, str] | None:
    can, default = registration.capability, registration.stored_default
    if can is None:
        return "capability", "", "a DER says what it can do"
    if default is None:
        return "stored_default", "", "a DER takes no lease without a stored default (DE4)"
    numbers = (can.s_max_va, can.p_max_w, can.p_min_w, can.q_max_var)
    if not all(math.isfinite(number) for number in numbers) or can.p_min_w > can.p_max_w or can.s_max_va <= 0.0:
        return "capability", str(numbers), "must be finite, with p_min_w <= p_max_w and s_max_va above zero"
    p, q = default.p_injection_w, default.q_injection_var
    if p is not None and not can.p_min_w <= p <= can.p_max_w:
        return "stored_default.p_injection_w", str(p), "outside the capability"
    if q is not None and not abs(q) <= can.q_max_var:
        return "stored_default.q_injection_var", str(q), "outside the capability"
    return None


def _check_names(**names: str) -> None:
    """Raises InputError for every name that is empty or too long."""
    problems = []
    for field, name in names.items():
        wrong = too_long(name, most=ID_MAX) if name else ("", "must not be empty")
        if wrong is not None:
            value, message = wrong
            problems.append(Problem(element="registration", field=field, value=value, message=message))
    if problems:
        raise InputError(problems)


def _refused(batch: ControllerOutcomes, field: str, value: str, message: str) -> InputError:
    return InputError([Problem(element=batch.controller, field=field, value=value, message=message)])
