from hil.devices import FieldCommand, LeaseHolder, LineDevice, LineDevices


def holder() -> LeaseHolder:
    return LeaseHolder(
        device_id="der.b",
        s_max_va=100e3,
        p_min_w=-80e3,
        p_max_w=80e3,
        q_max_var=44e3,
        default_p_w=0.0,
        default_q_var=0.0,
    )


def lease(*, p: float | None, q: float | None, expiry_s: float = 60.0, epoch: int = 1) -> FieldCommand:
    return FieldCommand(command_id="c", device_id="der.b", epoch=epoch, expiry_s=expiry_s, power=(p, q))


def test_a_lease_holds_until_its_end_and_then_the_default_does() -> None:
    der = holder()
    assert der.take(lease(p=50e3, q=10e3), now_s=0.0).code == "success"
    assert der.target(now_s=59.9) == (50e3, 10e3)
    assert der.leased(now_s=59.9)
    assert der.target(now_s=60.0) == (0.0, 0.0)
    assert not der.leased(now_s=60.0)


def test_a_quantity_that_the_lease_leaves_out_stays_at_its_default() -> None:
    der = holder()
    der.take(lease(p=None, q=10e3), now_s=0.0)
    assert der.target(now_s=1.0) == (0.0, 10e3)


def test_a_lower_epoch_is_refused_and_the_lease_in_hand_stays() -> None:
    der = holder()
    der.take(lease(p=50e3, q=0.0, epoch=3), now_s=0.0)
    assert der.take(lease(p=-50e3, q=0.0, epoch=2), now_s=1.0).code == "stale_epoch"
    assert der.target(now_s=2.0) == (50e3, 0.0)


def test_an_ended_lease_and_one_outside_the_nameplate_are_refused() -> None:
    der = holder()
    assert der.take(lease(p=1e3, q=0.0, expiry_s=5.0), now_s=5.0).code == "expired"
    assert der.take(lease(p=90e3, q=0.0), now_s=0.0).code == "out_of_range"
    # 80 kW and 44 kvar are 91.3 kVA, inside; P alone at 80 kW with S of 100 kVA too.
    assert der.take(lease(p=80e3, q=44e3), now_s=0.0).code == "success"
    assert der.target(now_s=1.0) == (80e3, 44e3)


def line_devices() -> LineDevices:
    devices = (
        LineDevice(device_id="switch.a", kind="switch", low=0, high=1),
        LineDevice(device_id="transformer.r", kind="tap_changer", low=-16, high=16),
    )
    return LineDevices(devices, supervision_lapse_s=30.0)


def test_a_latched_command_that_comes_late_is_dropped() -> None:
    devices = line_devices()
    command = FieldCommand(command_id="c", device_id="switch.a", epoch=1, expiry_s=10.0, closed=False)
    answer, action = devices.take(command, now_s=10.1)
    assert answer.code == "expired"
    assert action is None
    answer, action = devices.take(command, now_s=9.9)
    assert answer.code == "success"
    assert action is not None
    assert action.position == 0


def test_a_tap_outside_the_stops_and_a_wrong_setpoint_are_refused() -> None:
    devices = line_devices()
    far = FieldCommand(command_id="c", device_id="transformer.r", epoch=1, expiry_s=10.0, tap=17)
    wrong = FieldCommand(command_id="c", device_id="switch.a", epoch=1, expiry_s=10.0, tap=1)
    assert devices.take(far, now_s=0.0)[0].code == "out_of_range"
    assert devices.take(wrong, now_s=0.0)[0].code == "not_supported"


def test_supervision_begins_with_a_tap_command_and_lapses_with_the_stream() -> None:
    devices = line_devices()
    assert not devices.supervised(connected=True, now_s=0.0)
    devices.take(FieldCommand(command_id="c", device_id="transformer.r", epoch=1, expiry_s=9.0, tap=1), now_s=2.0)
    assert devices.supervised(connected=True, now_s=2.0)
    assert devices.supervised(connected=False, now_s=30.0)
    assert not devices.supervised(connected=False, now_s=33.0)
