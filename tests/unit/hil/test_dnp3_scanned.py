"""A bench's field behind an RTU, as the gateway understands it."""

import pytest
from dnp3.core.enums import CommandStatus

from adms.client import OutcomeCode, Quality, Setpoint, SwitchSetpoint
from adms.gateway.dnp3.quality import quality_of
from hil.endpoints.dnp3.scanned import ScannedField, reading_of
from tests.unit.hil.dnp3_case import CLOSED, REMOTE, SWITCH, V


@pytest.mark.parametrize("quality", list(Quality))
def test_a_quality_comes_through_the_flags(quality: Quality) -> None:
    reading = reading_of(1.0, quality=quality)
    if quality is Quality.MISSING:
        assert reading.value is None
    else:
        assert {quality_of(reading.flags, analog=kind) for kind in (True, False)} == {quality}


def test_it_shows_what_it_was_given_and_says_what_the_device_says() -> None:
    asked: list[tuple[str, Setpoint]] = []

    def operate(device_id: str, setpoint: Setpoint) -> OutcomeCode:
        asked.append((device_id, setpoint))
        return OutcomeCode.HARDWARE_ERROR

    field = ScannedField(check=lambda *_: OutcomeCode.LOCAL, operate=operate)
    field.show({CLOSED: reading_of(1.0), V: reading_of(2400.0)})
    field.show({V: reading_of(2401.0, time_s=3.0)})
    shown = field.read([CLOSED, V, REMOTE], now_s=5.0)
    assert {point: (one.value, one.time_s) for point, one in shown.items()} == {CLOSED: (1.0, None), V: (2401.0, 3.0)}
    setpoint = SwitchSetpoint(closed=False)
    assert field.check(SWITCH, setpoint, now_s=5.0) is CommandStatus.LOCAL
    assert asked == []
    assert field.operate(SWITCH, setpoint, now_s=5.0) is CommandStatus.HARDWARE_ERROR
    assert asked == [(SWITCH, setpoint)]
