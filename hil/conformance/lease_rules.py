"""Rules on the end of a lease: the stored default holds from then on, whatever became of the service."""

from __future__ import annotations

import asyncio
from math import isfinite

from adms.wire.control.v1 import control_pb2
from hil.conformance.rules import BrokenError, NotApplicableError, rule
from hil.conformance.seen import Sample
from hil.conformance.stage import Stage

CONTROL = "control.proto"
REFUSED = ("EXPIRED", "OUT_OF_RANGE", "NOT_SUPPORTED")
LONG_AGO_S = 30.0
"""A command that was issued so long ago tells a lease that ends at a moment from one that is counted from arrival."""


def expiry_s(command: control_pb2.Command) -> float:
    """End of a lease, seconds since 1970 UTC."""
    return command.expiry.seconds + 1e-9 * command.expiry.nanos


async def lead(stage: Stage, *, lease_s: float, issued_ago_s: float = 0.0) -> tuple[control_pb2.Command, float]:
    """The output under a lease that ends soon; the command and its level. Raises BrokenError."""
    level_w, _ = stage.levels()
    # It is there before the short lease begins, so that the lease need not last as long as the way.
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    command = stage.command(p_w=level_w, lease_s=lease_s, issued_ago_s=issued_ago_s)
    await stage.obeys(command, level_w=level_w)
    return command, level_w


def begin_limit_s(stage: Stage) -> float:
    """How long after the end of a lease the first sample that has left it may come."""
    return stage.timing.fall_back_s + stage.device.reach_s(stage.tolerance_w) + 2.0 * stage.grain_s()


def _left(stage: Stage, *, level_w: float, since_s: float) -> Sample | None:
    return next((s for s in stage.samples(since_s=since_s) if abs(s.p_w - level_w) > stage.tolerance_w), None)


async def holds_then_falls_back(stage: Stage, *, end_s: float, level_w: float, since_s: float | None = None) -> None:
    """The output keeps a level to the end of its lease, then goes to the stored default; watched from `since_s`, else
    from now. Raises BrokenError."""
    since_s = stage.now_s() if since_s is None else since_s
    left = await stage.until(
        lambda: _left(stage, level_w=level_w, since_s=since_s), within_s=end_s - stage.now_s() + begin_limit_s(stage)
    )
    await judge_fall_back(stage, left=left, end_s=end_s, level_w=level_w)


async def judge_fall_back(stage: Stage, *, left: Sample | None, end_s: float, level_w: float) -> None:
    """Whether the level was left for the stored default, neither too early nor too late. Raises BrokenError."""
    limit_s = begin_limit_s(stage)
    if left is None or left.measure_s > end_s + limit_s:
        raise BrokenError(
            expected=f"the output leaves {level_w:.0f} W within {limit_s:.1f} s of the end of its lease",
            seen=stage.output_words() if left is None else f"it left {left.measure_s - end_s:.1f} s after the end",
        )
    if left.measure_s < end_s - stage.timing.early_s:
        raise BrokenError(
            expected=f"the output keeps {level_w:.0f} W to the end of its lease",
            seen=f"{left.p_w:.0f} W {end_s - left.measure_s:.2f} s before the end",
        )
    rest_w = stage.device.default_p_w if isfinite(stage.device.default_p_w) else level_w
    found = await stage.until(
        lambda: next(
            (s for s in stage.samples(since_s=left.measure_s) if stage.at_rest(s.p_w, leased_w=level_w)), None
        ),
        within_s=stage.timing.settle_s + stage.device.reach_s(level_w - rest_w) + 2.0 * stage.grain_s(),
    )
    if found is None:
        raise BrokenError(expected=f"the stored default, {stage.default_words()}", seen=stage.output_words())


@rule(
    "EXP1",
    "A lease holds to its end; then the output goes to the stored default",
    source=f"{CONTROL}, Command.expiry and Device.stored_default; SAFETY DE4, fault D",
)
async def lapses(stage: Stage) -> None:
    """With the stream up."""
    command, level_w = await lead(stage, lease_s=stage.timing.lease_s)
    await holds_then_falls_back(stage, end_s=expiry_s(command), level_w=level_w)


@rule(
    "EXP2",
    "It does so as well when the stream is cut and stays cut, neither sooner nor later",
    source=f"{CONTROL}, Command.expiry; SAFETY DE4, DE7, fault D (ends of leases are staggered by the service)",
)
async def lapses_when_cut(stage: Stage) -> None:
    """Without a stream."""
    command, level_w = await lead(stage, lease_s=stage.timing.lease_s)
    stage.cut(refuse=True)
    await holds_then_falls_back(stage, end_s=expiry_s(command), level_w=level_w)


@rule(
    "EXP3",
    "It does so as well when the service dies",
    source=f"{CONTROL}, Command.expiry; SAFETY DE4, X4, fault D",
    quick=False,
)
async def lapses_when_service_dies(stage: Stage) -> None:
    """Nothing listens; telemetry that was kept meanwhile, or else the first that comes after it, says what happened."""
    command, level_w = await lead(stage, lease_s=stage.timing.lease_s)
    end_s, died_s = expiry_s(command), stage.now_s()
    limit_s = begin_limit_s(stage)
    await stage.service.die()
    await asyncio.sleep(max(0.0, end_s + limit_s - stage.now_s()))
    await stage.service.revive()
    back_s = stage.now_s()
    newest = await stage.until(
        lambda: next((s for s in stage.samples(since_s=back_s)), None), within_s=stage.timing.reconnect_s
    )
    if newest is None:
        raise BrokenError(
            expected=f"telemetry within {stage.timing.reconnect_s:g} s of the service's return", seen="none"
        )
    left = _left(stage, level_w=level_w, since_s=died_s)
    if left is not None and not any(died_s < s.measure_s < left.measure_s for s in stage.samples(since_s=died_s)):
        # Nothing was kept of the time in between: when it left is not known, only that it has.
        left = Sample(
            measure_s=end_s, arrival_s=left.arrival_s, p_w=left.p_w, q_var=left.q_var, p_available_w=left.p_available_w
        )
    await judge_fall_back(stage, left=left, end_s=end_s, level_w=level_w)


@rule(
    "EXP4",
    "A lease ends at a moment, not some time after its arrival",
    source=f"{CONTROL}, Command.expiry",
)
async def ends_at_a_moment(stage: Stage) -> None:
    """A lease most of which was over when it came."""
    command, level_w = await lead(stage, lease_s=stage.timing.lease_s, issued_ago_s=LONG_AGO_S)
    await holds_then_falls_back(stage, end_s=expiry_s(command), level_w=level_w)


@rule(
    "EXP5",
    "A lease that is renewed before its end goes on without a dip",
    source=f"{CONTROL}, Command; SAFETY DE4",
)
async def renews(stage: Stage) -> None:
    """A second lease at the same level, over the end of the first."""
    command, level_w = await lead(stage, lease_s=stage.timing.lease_s)
    renewal = stage.command(p_w=level_w)
    await stage.send(renewal)
    await stage.declines(renewal, codes=["SUCCESS"], why="a renewal is in order")
    over_s = max(expiry_s(command) - stage.now_s(), 0.0) + stage.watch_s()
    await stage.stays(level_w, why="the lease was renewed before its end", for_s=over_s)


@rule(
    "EXP6",
    "A lease that is over when it comes is refused as EXPIRED and not carried out",
    source=f"{CONTROL}, Command.expiry; common.proto, OutcomeCode",
)
async def refuses_expired(stage: Stage) -> None:
    """A second too late."""
    level_w, other_w = stage.levels()
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    late = stage.command(p_w=other_w, lease_s=-1.0 - stage.timing.skew_s, issued_ago_s=60.0)
    await stage.refuses(late, codes=["EXPIRED"], level_w=level_w, why="the lease was over when it came")


@rule(
    "EXP7",
    "A setpoint without an end is not carried out",
    source="SAFETY DE4: every setpoint has an expiry",
)
async def refuses_endless(stage: Stage) -> None:
    """No expiry at all."""
    level_w, other_w = stage.levels()
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    endless = stage.command(p_w=other_w)
    endless.ClearField("expiry")
    await stage.refuses(endless, codes=REFUSED, level_w=level_w, why="the setpoint has no end")


@rule(
    "EXP8",
    "Each device of a controller keeps the end of its own lease",
    source=f"{CONTROL}, Command.device_id and expiry; SAFETY DE7",
    quick=False,
)
async def lapses_one_by_one(stage: Stage) -> None:
    """Two devices, two ends."""
    stream = await stage.registered()
    assert stream.registration is not None
    others = [
        device
        for device in stream.registration.devices
        if device.device_id != stage.device.device_id and device.device_class == control_pb2.DEVICE_CLASS_DER
    ]
    if not others:
        raise NotApplicableError("the controller holds one DER only")
    command, level_w = await lead(stage, lease_s=stage.timing.lease_s)
    # The other device's lease ends at once, and that must not end this one's.
    other = stage.command(p_w=others[0].capability.p_min_w, lease_s=0.25 * stage.timing.lease_s)
    other.device_id = others[0].device_id
    await stage.send(other)
    await stage.answer(other)
    await holds_then_falls_back(stage, end_s=expiry_s(command), level_w=level_w)


RULES = (
    lapses,
    lapses_when_cut,
    lapses_when_service_dies,
    ends_at_a_moment,
    renews,
    refuses_expired,
    refuses_endless,
    lapses_one_by_one,
)
