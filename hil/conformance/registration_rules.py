"""Rules on what a client says of itself and its devices."""

from __future__ import annotations

from math import isfinite

from adms.wire.control.v1 import control_pb2
from hil.conformance.rules import BrokenError, NotApplicableError, rule
from hil.conformance.stage import Stage

CONTROL = "control.proto"


def _registered_device(stage: Stage) -> tuple[control_pb2.Registration, control_pb2.Device]:
    """The newest registration of the device under test."""
    for stream in reversed(stage.seen.streams):
        message = stream.registration
        if message is not None and message.controller_id == stage.device.controller_id:
            for device in message.devices:
                if device.device_id == stage.device.device_id:
                    return message, device
    raise BrokenError(expected=f"a registration of {stage.device.device_id}", seen="none")


@rule(
    "REG1",
    "A controller registers under its controller_id and an instance_id, each device once, before it says anything else",
    source=f"{CONTROL}, ControlService.Attach and Registration",
)
async def registers(stage: Stage) -> None:
    """Names, and no device twice."""
    message, _ = _registered_device(stage)
    empty = [name for name in ("controller_id", "instance_id") if not getattr(message, name)]
    if empty:
        raise BrokenError(expected="a controller_id and an instance_id", seen=f"{' and '.join(empty)} empty")
    ids = [device.device_id for device in message.devices]
    twice = sorted({device for device in ids if ids.count(device) > 1})
    if twice:
        raise BrokenError(expected="each device once", seen=f"{', '.join(twice)} more than once")
    early = [text for _, text in stage.seen.faults if "before a registration" in text or "without content" in text]
    if early:
        raise BrokenError(expected="the registration first", seen=early[0])


@rule(
    "REG2",
    "A DER says what it can do: finite powers, p_min_w <= p_max_w, s_max_va above zero, q_max_var not below",
    source=f"{CONTROL}, Device.capability and DerCapability; SAFETY DE1, DE2",
)
async def capable(stage: Stage) -> None:
    """The nameplate."""
    _, device = _registered_device(stage)
    if not device.HasField("capability"):
        raise BrokenError(expected="a capability", seen="none")
    can = device.capability
    numbers = {"s_max_va": can.s_max_va, "p_max_w": can.p_max_w, "p_min_w": can.p_min_w, "q_max_var": can.q_max_var}
    if can.HasField("ramp_w_per_s"):
        numbers["ramp_w_per_s"] = can.ramp_w_per_s
    wrong = [f"{name} {value:g}" for name, value in numbers.items() if not isfinite(value)]
    if can.p_min_w > can.p_max_w:
        wrong.append(f"p_min_w {can.p_min_w:g} above p_max_w {can.p_max_w:g}")
    if can.s_max_va <= 0.0:
        wrong.append(f"s_max_va {can.s_max_va:g}")
    if can.q_max_var < 0.0:
        wrong.append(f"q_max_var {can.q_max_var:g}")
    if can.HasField("ramp_w_per_s") and can.ramp_w_per_s <= 0.0:
        wrong.append(f"ramp_w_per_s {can.ramp_w_per_s:g}")
    if wrong:
        raise BrokenError(expected="a nameplate that can be kept", seen=", ".join(wrong))


@rule(
    "REG3",
    "A DER has a stored default, inside its nameplate, before it takes its first lease",
    source=f"{CONTROL}, Device.stored_default; SAFETY DE4",
)
async def has_default(stage: Stage) -> None:
    """The default."""
    _, device = _registered_device(stage)
    if not device.HasField("stored_default"):
        raise BrokenError(expected="a stored_default in the registration", seen="none")
    can, default = device.capability, device.stored_default
    p_w, q_var = default.p_injection_w, default.q_injection_var
    if default.HasField("p_injection_w") and not can.p_min_w <= p_w <= can.p_max_w:
        raise BrokenError(expected=f"a default within {can.p_min_w:g} to {can.p_max_w:g} W", seen=f"{p_w:g} W")
    if default.HasField("q_injection_var") and not abs(q_var) <= can.q_max_var:
        raise BrokenError(expected=f"a default within ±{can.q_max_var:g} var", seen=f"{q_var:g} var")


@rule(
    "REG4",
    "After every loss of the stream a controller registers again: same ids, same instance, all its devices",
    source=f"{CONTROL}, ControlService.Attach and Registration.instance_id",
)
async def registers_again(stage: Stage) -> None:
    """The same registration on the next stream."""
    before, _ = _registered_device(stage)
    stage.cut(refuse=False)
    await stage.registered()
    after, _ = _registered_device(stage)
    if after.instance_id != before.instance_id:
        raise BrokenError(
            expected=f"instance_id {before.instance_id!r}: the process is the same", seen=f"{after.instance_id!r}"
        )
    missing = {device.device_id for device in before.devices} - {device.device_id for device in after.devices}
    if missing:
        raise BrokenError(expected="all its devices", seen=f"without {', '.join(sorted(missing))}")


@rule(
    "REG5",
    "A device says the highest epoch that it has seen when it registers again",
    source=f"{CONTROL}, Device.seen_epoch",
)
async def remembers_epoch(stage: Stage) -> None:
    """seen_epoch after a command of a new epoch."""
    stage.next_epoch()
    command = stage.harmless()
    await stage.send(command)
    await stage.answer(command)
    stage.cut(refuse=False)
    await stage.registered()
    _, device = _registered_device(stage)
    if device.seen_epoch < command.epoch:
        raise BrokenError(expected=f"seen_epoch {command.epoch}", seen=f"{device.seen_epoch}")


@rule(
    "REG6",
    "A client that is started again has another instance_id, and still knows the highest epoch",
    source=f"{CONTROL}, Registration.instance_id and Device.seen_epoch",
    quick=False,
)
async def starts_again(stage: Stage) -> None:
    """Two processes of one controller."""
    if stage.client is None:
        raise NotApplicableError("the kit does not start this client (--client-command)")
    before, old = _registered_device(stage)
    await stage.client.stop()
    await stage.until(lambda: None if stage.service.control.lines else True, within_s=stage.timing.reconnect_s)
    await stage.client.start(stage.service.endpoint)
    await stage.registered(within_s=stage.timing.begin_s)
    after, new = _registered_device(stage)
    if after.instance_id == before.instance_id:
        raise BrokenError(expected="another instance_id: it is another process", seen=f"{after.instance_id!r} again")
    if new.seen_epoch < old.seen_epoch:
        raise BrokenError(expected=f"seen_epoch {old.seen_epoch}, stored across the restart", seen=f"{new.seen_epoch}")


RULES = (registers, capable, has_default, registers_again, remembers_epoch, starts_again)
