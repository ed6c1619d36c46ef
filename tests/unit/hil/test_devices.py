from dataclasses import dataclass
from datetime import datetime

import pytest

from adms.client import (
    Capability,
    Device,
    DeviceClass,
    OutcomeCode,
    PowerSetpoint,
    ReceivedCommand,
    SwitchSetpoint,
    TapSetpoint,
)
from hil.devices import DerDevice, LineDevice, LineDevices
from hil.feeder_time import moment
from tests.unit.hil.bench_case import command_to


@dataclass
class Clock:
    time_s: float = 0.0

    def __call__(self) -> datetime:
        return moment(self.time_s)


def battery(clock: Clock) -> DerDevice:
    plate = Capability(s_max_va=100e3, p_max_w=80e3, p_min_w=-80e3, q_max_var=44e3)
    default = PowerSetpoint(p_injection_w=0.0, q_injection_var=0.0)
    device = Device(device_id="der.b", device_class=DeviceClass.DER, capability=plate, stored_default=default)
    return DerDevice(device, now=clock)


def lease(*, p: float | None, q: float | None, expiry_s: float = 60.0, sequence: int = 1) -> ReceivedCommand:
    setpoint = PowerSetpoint(p_injection_w=p, q_injection_var=q)
    return command_to("der.b", setpoint, expiry_s=expiry_s, sequence=sequence)


def test_a_lease_holds_until_its_end_and_then_the_default_does() -> None:
    clock = Clock()
    der = battery(clock)
    assert der.take(lease(p=50e3, q=10e3)).code is OutcomeCode.SUCCESS
    clock.time_s = 59.9
    assert der.due().leased
    assert der.due().setpoint == PowerSetpoint(p_injection_w=50e3, q_injection_var=10e3)
    clock.time_s = 60.0
    assert not der.due().leased
    assert der.due().setpoint == PowerSetpoint(p_injection_w=0.0, q_injection_var=0.0)


def test_an_ended_lease_and_one_outside_the_nameplate_are_refused_and_the_one_in_hand_stays() -> None:
    der = battery(Clock(time_s=5.0))
    # 80 kW and 44 kvar are 91.3 kVA, inside.
    assert der.take(lease(p=80e3, q=44e3)).code is OutcomeCode.SUCCESS
    assert der.take(lease(p=1e3, q=0.0, expiry_s=5.0, sequence=2)).code is OutcomeCode.EXPIRED
    assert der.take(lease(p=90e3, q=0.0, sequence=3)).code is OutcomeCode.OUT_OF_RANGE
    assert der.take(command_to("der.b", TapSetpoint(position=1))).code is OutcomeCode.NOT_SUPPORTED
    assert der.due().setpoint == PowerSetpoint(p_injection_w=80e3, q_injection_var=44e3)


def test_a_der_without_nameplate_is_none() -> None:
    with pytest.raises(ValueError, match=r"der\.b: a DER has"):
        DerDevice(Device(device_id="der.b", device_class=DeviceClass.DER), now=Clock())


def line_devices() -> LineDevices:
    switch = Device(device_id="switch.a", device_class=DeviceClass.SWITCH)
    regulator = Device(device_id="transformer.r", device_class=DeviceClass.TAP_CHANGER)
    devices = (LineDevice(device=switch, low=0, high=1), LineDevice(device=regulator, low=-16, high=16))
    return LineDevices(devices, supervision_lapse_s=30.0)


def test_a_latched_command_starts_an_action() -> None:
    answer, action = line_devices().take(command_to("switch.a", SwitchSetpoint(closed=False)))
    assert answer.code is OutcomeCode.SUCCESS
    assert action is not None
    assert (action.kind, action.position) == (DeviceClass.SWITCH, 0)


def test_a_tap_outside_the_stops_and_a_wrong_setpoint_are_refused() -> None:
    devices = line_devices()
    far = command_to("transformer.r", TapSetpoint(position=17))
    wrong = command_to("switch.a", TapSetpoint(position=1))
    assert devices.take(far)[0].code is OutcomeCode.OUT_OF_RANGE
    assert devices.take(wrong)[0].code is OutcomeCode.NOT_SUPPORTED


def test_supervision_begins_with_a_tap_command_and_lapses_with_the_stream() -> None:
    devices = line_devices()
    assert not devices.supervised(connected=True, now_s=0.0)
    devices.take(command_to("transformer.r", TapSetpoint(position=1)))
    assert devices.supervised(connected=True, now_s=2.0)
    assert devices.supervised(connected=False, now_s=30.0)
    assert not devices.supervised(connected=False, now_s=33.0)
