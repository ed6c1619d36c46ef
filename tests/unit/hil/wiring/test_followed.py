"""The plant's devices behind a real RTU, from a journal."""

from adms.client import DeviceClass, EntryKind
from hil.wiring.followed import Followed


def command(command_id: str, device: str, **setpoint: object) -> dict[str, object]:
    return {"command": {"command_id": command_id, "device": device, "setpoint": setpoint}}


def outcome(command_id: str, code: str = "success", *, told_by: str = "controller") -> dict[str, object]:
    return {"outcome": {"command_id": command_id, "code": code}, "told_by": told_by}


def test_the_plant_does_what_the_real_device_has_done() -> None:
    followed = Followed(["switch.a", "transformer.b", "capacitor.c"])
    followed.take(EntryKind.COMMAND, command("1", "switch.a", closed=False))
    assert followed.actions() == []
    followed.take(EntryKind.OUTCOME, outcome("1"))
    followed.take(EntryKind.COMMAND, command("2", "transformer.b", position=-3))
    followed.take(EntryKind.COMMAND, command("3", "capacitor.c", steps=1))
    followed.take(EntryKind.OUTCOME, outcome("3"))
    followed.take(EntryKind.OUTCOME, outcome("2"))
    assert followed.actions() == [
        {"device_id": "switch.a", "kind": DeviceClass.SWITCH, "position": 0},
        {"device_id": "capacitor.c", "kind": DeviceClass.CAPACITOR, "position": 1},
        {"device_id": "transformer.b", "kind": DeviceClass.TAP_CHANGER, "position": -3},
    ]
    assert followed.actions() == []


def test_what_failed_is_repeated_or_belongs_to_others_moves_nothing() -> None:
    followed = Followed(["switch.a"])
    followed.take(EntryKind.COMMAND, command("1", "switch.a", closed=False))
    followed.take(EntryKind.OUTCOME, outcome("1", "hardware_error"))
    followed.take(EntryKind.COMMAND, command("2", "switch.b", closed=False))
    followed.take(EntryKind.OUTCOME, outcome("2"))
    followed.take(EntryKind.COMMAND, command("3", "switch.a", closed=False))
    # Telemetry confirms what the controller has not said: the controller's word is the one that counts here.
    followed.take(EntryKind.OUTCOME, outcome("3", told_by="telemetry"))
    assert followed.actions() == []
    followed.take(EntryKind.OUTCOME, outcome("3"))
    followed.take(EntryKind.OUTCOME, outcome("3"))
    assert len(followed.actions()) == 1
