"""Rules on what a device must not take: setpoints outside its nameplate, no numbers, what it does not know."""

from __future__ import annotations

from math import hypot, inf, nan

from adms.wire.common.v1 import common_pb2
from adms.wire.control.v1 import control_pb2
from hil.conformance.lease_rules import expiry_s, holds_then_falls_back, lead
from hil.conformance.rules import BrokenError, NotApplicableError, rule
from hil.conformance.stage import Stage

OUTSIDE = ("OUT_OF_RANGE",)
BEYOND_FRAC = 0.25
"""A setpoint outside is outside by this share of s_max_va: more than any tolerance of a device."""
UNKNOWN_FIELD = b"\xfa\x7f\x03new"
"""Field 2047, three bytes: no message of the API has it."""


async def _refuses_outside(stage: Stage, *, p_w: float | None, q_var: float | None, why: str) -> None:
    level_w, _ = stage.levels()
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    await stage.refuses(stage.command(p_w=p_w, q_var=q_var), codes=OUTSIDE, level_w=level_w, why=why)


@rule(
    "RNG1",
    "Active power above p_max_w is refused with OUT_OF_RANGE and not carried out",
    source="control.proto, DerCapability; SAFETY DE2",
)
async def refuses_above(stage: Stage) -> None:
    """Over the top."""
    p_w = stage.device.p_max_w + BEYOND_FRAC * stage.device.s_max_va
    await _refuses_outside(stage, p_w=p_w, q_var=None, why=f"p_max_w is {stage.device.p_max_w:g} W")


@rule(
    "RNG2",
    "Active power below p_min_w is refused with OUT_OF_RANGE and not carried out",
    source="control.proto, DerCapability; SAFETY DE2",
)
async def refuses_below(stage: Stage) -> None:
    """Under the bottom."""
    p_w = stage.device.p_min_w - BEYOND_FRAC * stage.device.s_max_va
    await _refuses_outside(stage, p_w=p_w, q_var=None, why=f"p_min_w is {stage.device.p_min_w:g} W")


@rule(
    "RNG3",
    "Reactive power beyond q_max_var is refused with OUT_OF_RANGE and not carried out",
    source="control.proto, DerCapability; SAFETY DE1; IEEE 1547-2018 5.2",
)
async def refuses_reactive(stage: Stage) -> None:
    """Both signs."""
    level_w, _ = stage.levels()
    for sign in (1.0, -1.0):
        q_var = sign * (stage.device.q_max_var + BEYOND_FRAC * stage.device.s_max_va)
        await _refuses_outside(stage, p_w=level_w, q_var=q_var, why=f"q_max_var is {stage.device.q_max_var:g} var")


@rule(
    "RNG4",
    "P and Q each in range but together beyond s_max_va are refused with OUT_OF_RANGE and not carried out",
    source="control.proto, DerCapability.s_max_va; SAFETY DE1 (P² + Q² <= S²)",
)
async def refuses_beyond_circle(stage: Stage) -> None:
    """The corner of the rectangle."""
    can = stage.device
    p_w = max(can.p_max_w, can.p_min_w, key=abs)
    if hypot(p_w, can.q_max_var) <= 1.02 * can.s_max_va:
        raise NotApplicableError("every P and Q in range is within s_max_va")
    await _refuses_outside(stage, p_w=p_w, q_var=can.q_max_var, why=f"s_max_va is {can.s_max_va:g} VA")


@rule(
    "RNG5",
    "A setpoint that is no number is refused and not carried out",
    source="SAFETY DE1, DE2 (both numbers), fault T (NaN)",
)
async def refuses_no_number(stage: Stage) -> None:
    """NaN and the infinities."""
    level_w, _ = stage.levels()
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    for p_w in (nan, inf, -inf):
        await stage.send(command := stage.command(p_w=p_w))
        await stage.declines(command, codes=("OUT_OF_RANGE", "NOT_SUPPORTED"), why=f"{p_w} W is no power")
    await stage.stays(level_w, why="what came was no number")


@rule(
    "RNG6",
    "A refused setpoint leaves the lease in hand as it is",
    source="common.proto, OutcomeCode; SAFETY DE4",
)
async def keeps_lease(stage: Stage) -> None:
    """After a refusal, the lease before it still ends when it said."""
    command, level_w = await lead(stage, lease_s=stage.timing.lease_s)
    p_w = stage.device.p_max_w + BEYOND_FRAC * stage.device.s_max_va
    await stage.send(stage.command(p_w=p_w))
    await holds_then_falls_back(stage, end_s=expiry_s(command), level_w=level_w)


@rule(
    "UNK1",
    "A kind of setpoint that the client does not know is answered with NOT_SUPPORTED, and the stream goes on",
    source="common.proto, Setpoint and OutcomeCode; AIP-180 (a message may gain fields)",
)
async def refuses_unknown_kind(stage: Stage) -> None:
    """A oneof whose member is of a later version, and an empty one."""
    level_w, _ = stage.levels()
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    stream = await stage.registered()
    for later in (UNKNOWN_FIELD, b""):
        command = stage.command()
        command.ClearField("setpoint")
        command.setpoint.MergeFromString(later)
        await stage.send(command)
        await stage.declines(command, codes=["NOT_SUPPORTED"], why="the kind of setpoint is not known")
    await stage.stays(level_w, why="the kind of setpoint was not known")
    await _same_stream(stage, stream.index)


@rule(
    "UNK2",
    "Fields that the client does not know are ignored, and what it knows beside them is done",
    source="AIP-180 (a message may gain fields); proto3, unknown fields",
)
async def ignores_unknown_fields(stage: Stage) -> None:
    """A command of a later version."""
    level_w, other_w = stage.levels()
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    command = stage.command(p_w=other_w)
    command.MergeFromString(UNKNOWN_FIELD)
    command.setpoint.power.MergeFromString(UNKNOWN_FIELD)
    await stage.obeys(command, level_w=other_w)


@rule(
    "UNK3",
    "A message of the service that the client does not know is ignored, and the stream goes on",
    source="control.proto, AttachResponse; AIP-180 (a oneof may gain members)",
)
async def ignores_unknown_messages(stage: Stage) -> None:
    """A response of a later version, and one without content."""
    level_w, other_w = stage.levels()
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    stream = await stage.registered()
    line = stage.service.control.lines[stage.device.controller_id]
    for later in (UNKNOWN_FIELD, b""):
        line.put(control_pb2.AttachResponse.FromString(later))
    await stage.obeys(stage.command(p_w=other_w), level_w=other_w)
    await _same_stream(stage, stream.index)


@rule(
    "UNK4",
    "A setpoint of another class of device is answered with NOT_SUPPORTED and not carried out",
    source="common.proto, Setpoint and OutcomeCode; control.proto, DeviceClass",
)
async def refuses_other_class(stage: Stage) -> None:
    """A switch to a DER."""
    level_w, _ = stage.levels()
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    command = stage.command()
    command.setpoint.CopyFrom(common_pb2.Setpoint(switch=common_pb2.SwitchSetpoint(closed=False)))
    await stage.refuses(command, codes=["NOT_SUPPORTED"], level_w=level_w, why="a DER is not a switch")


@rule(
    "UNK5",
    "A command for a device that the controller does not hold is not carried out on one that it holds",
    source="control.proto, Command.device_id; SAFETY X2",
)
async def leaves_others(stage: Stage) -> None:
    """A command that went astray."""
    level_w, other_w = stage.levels()
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    stream = await stage.registered()
    astray = stage.command(p_w=other_w)
    astray.device_id = "conformance.of-nobody"
    await stage.send(astray)
    await stage.stays(level_w, why="the command was for another device")
    if any(outcome.code == "SUCCESS" for outcome in stage.outcomes_of(astray.command_id)):
        raise BrokenError(expected="no SUCCESS for a device that it does not hold", seen="SUCCESS")
    await _same_stream(stage, stream.index)


async def _same_stream(stage: Stage, index: int) -> None:
    now = await stage.registered()
    if now.index != index:
        raise BrokenError(expected="the stream goes on", seen=f"the client opened it anew ({now.index - index} times)")


RULES = (
    refuses_above,
    refuses_below,
    refuses_reactive,
    refuses_beyond_circle,
    refuses_no_number,
    keeps_lease,
    refuses_unknown_kind,
    ignores_unknown_fields,
    ignores_unknown_messages,
    refuses_other_class,
    leaves_others,
)
