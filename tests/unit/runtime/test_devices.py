from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adms.core.commands import App, Outcome, OutcomeCode, Priority
from adms.core.errors import InputError
from adms.core.ids import CommandId, ControllerId, ElementId
from adms.ports.records import ControllerOutcomes, DeviceClass, DeviceRegistration
from adms.runtime.arbitration import arbitrate
from adms.runtime.devices import DeviceRegister
from tests.unit.runtime.feeders import PV, SWITCH, at, opened, power, proposal, small_model
from tests.unit.runtime.rigs import every_device

A, B = ControllerId("a"), ControllerId("b")
DER = every_device()[-1]


def register(epoch: int = 3) -> DeviceRegister:
    return DeviceRegister(small_model(), epoch=epoch, on_arrival=lambda: None)


def outcomes(sequence: int, *, controller: ControllerId = A) -> ControllerOutcomes:
    outcome = Outcome(command_id=CommandId(f"c{sequence}"), device=PV, code=OutcomeCode.SUCCESS, time=at(0))
    return ControllerOutcomes(controller=controller, sequence=sequence, outcomes=(outcome,))


@pytest.mark.parametrize(
    ("device", "field"),
    [
        (DeviceRegistration(device=ElementId("der.none"), device_class=DeviceClass.DER), "device_id"),
        (DeviceRegistration(device=SWITCH, device_class=DeviceClass.CAPACITOR), "device_class"),
        (DeviceRegistration(device=SWITCH, device_class=DeviceClass.SWITCH, seen_epoch=4), "seen_epoch"),
        (replace(DER, capability=None), "capability"),
        (replace(DER, stored_default=None), "stored_default"),
        (replace(DER, stored_default=power(20e3)), "stored_default.p_injection_w"),
        (replace(DER, stored_default=power(0.0, 9e3)), "stored_default.q_injection_var"),
    ],
)
def test_a_device_that_cannot_be_held_is_refused_alone(device: DeviceRegistration, field: str) -> None:
    good = next(d for d in every_device() if d.device == PV)
    attached = register().attach(A, instance="1", devices=(device, good))
    assert attached.accepted == (PV,)
    assert [problem.field for problem in attached.problems] == [field]
    assert attached.epoch == 3


def test_two_controllers_do_not_hold_one_device() -> None:
    desk = register()
    desk.attach(A, instance="1", devices=(DER,))
    second = desk.attach(B, instance="1", devices=(DER,))
    assert second.accepted == ()
    assert "held by controller a" in second.problems[0].message


def test_a_later_instance_takes_over_and_the_earlier_cannot_detach_it() -> None:
    desk = register()
    desk.attach(A, instance="1", devices=(DER,))
    assert desk.attach(A, instance="2", devices=(DER,)).accepted == (DER.device,)
    desk.detach(A, instance="1")
    assert desk.cut(at(0)).holder == {DER.device: A}
    with pytest.raises(InputError, match="superseded"):
        desk.outcomes(outcomes(1), instance="1")


def test_registrations_are_journalled_in_an_order_of_their_own() -> None:
    drafts = []
    for order in ((A, B), (B, A)):
        desk = register()
        for controller in order:
            device = every_device()[-1] if controller == A else every_device()[0]
            desk.attach(controller, instance=str(order), devices=(device,))
        drafts.append(desk.cut(at(0)).drafts)
        assert desk.cut(at(2)).drafts == ()
    assert drafts[0] == drafts[1]


def test_outcomes_come_once_and_without_gaps() -> None:
    desk = register()
    desk.attach(A, instance="1", devices=tuple(d for d in every_device() if d.device == PV))
    # A service that was restarted does not know where the instance stood: the first it hears of counts.
    desk.outcomes(outcomes(5), instance="1")
    desk.outcomes(outcomes(5), instance="1")
    with pytest.raises(InputError, match="expected 6"):
        desk.outcomes(outcomes(7), instance="1")
    cut = desk.cut(at(0))
    assert (len(cut.outcomes), cut.recorded) == (1, {A: 5})
    assert desk.cut(at(2)).outcomes == ()


def test_an_outcome_for_somebody_elses_device_is_refused() -> None:
    desk = register()
    desk.attach(A, instance="1", devices=(every_device()[0],))
    with pytest.raises(InputError, match="not a device of this controller"):
        desk.outcomes(outcomes(1), instance="1")


def test_the_loser_is_told_who_won() -> None:
    found = arbitrate(
        [
            proposal(PV, power(1e3), app=App.VOLTVAR, priority=Priority.VOLTVAR),
            proposal(PV, power(2e3), app=App.DISPATCH, priority=Priority.LIMITS, reason="import limit"),
        ]
    )
    assert [p.setpoint for p in found.awarded] == [power(2e3)]
    assert [(r.proposal.app, r.guard, r.reason) for r in found.refused] == [
        (App.VOLTVAR, "DE8", "dispatch has priority over active power: import limit")
    ]


@given(st.permutations(range(5)))
def test_the_order_of_proposals_changes_nothing(order: list[int]) -> None:
    proposals = [
        proposal(PV, power(1e3), app=App.DISPATCH, priority=Priority.LIMITS),
        proposal(PV, power(None, 5e2), app=App.VOLTVAR, priority=Priority.VOLTVAR),
        proposal(PV, power(3e3, 1.0), app=App.OPERATOR, priority=Priority.OPERATOR),
        proposal(SWITCH, opened(), app=App.FLISR, priority=Priority.FLISR),
        proposal(SWITCH, opened(), app=App.VOLTVAR, priority=Priority.VOLTVAR),
    ]
    assert arbitrate([proposals[i] for i in order]) == arbitrate(proposals)


@pytest.mark.parametrize(
    ("batch", "field"),
    [
        (replace(outcomes(1), outcomes=outcomes(1).outcomes * 1001), "outcomes"),
        (
            replace(outcomes(1), outcomes=(replace(outcomes(1).outcomes[0], command_id=CommandId("u" * 201)),)),
            "command_id",
        ),
    ],
)
def test_outcomes_are_bounded(batch: ControllerOutcomes, field: str) -> None:
    desk = register()
    desk.attach(A, instance="1", devices=tuple(d for d in every_device() if d.device == PV))
    with pytest.raises(InputError) as caught:
        desk.outcomes(batch, instance="1")
    assert [problem.field for problem in caught.value.problems] == [field]
    assert len(str(caught.value)) < 300


def test_outcomes_that_no_cut_takes_are_refused_until_one_does() -> None:
    desk = register()
    desk.attach(A, instance="1", devices=tuple(d for d in every_device() if d.device == PV))
    thousand = outcomes(1).outcomes * 1000
    for sequence in range(1, 11):
        desk.outcomes(replace(outcomes(sequence), outcomes=thousand), instance="1")
    with pytest.raises(InputError, match="too many outcomes wait"):
        desk.outcomes(outcomes(11), instance="1")
    assert len(desk.cut(at(0)).outcomes) == 10_000
    desk.outcomes(outcomes(11), instance="1")


def test_names_of_controllers_are_bounded() -> None:
    with pytest.raises(InputError) as caught:
        register().attach(ControllerId("c" * 201), instance="", devices=())
    assert [problem.field for problem in caught.value.problems] == ["controller_id", "instance_id"]


def test_a_later_epoch_is_noted_once_a_minute_and_the_way_out_is_named() -> None:
    desk = register(epoch=3)
    ahead = DeviceRegistration(device=SWITCH, device_class=DeviceClass.SWITCH, seen_epoch=9)
    noted: list[object] = []
    for seconds in range(0, 120, 2):
        attached = desk.attach(A, instance="1", devices=(ahead,))
        noted.extend(draft.body for draft in desk.cut(at(seconds)).drafts if "seen_epoch" in draft.body)
    assert noted == [{"seen_epoch": 9, "epoch": 3}] * 2
    assert "set [service] epoch_floor above the highest epoch seen" in attached.problems[0].message
