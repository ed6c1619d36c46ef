"""Rules on doing what a setpoint says, and on saying so."""

from __future__ import annotations

from math import hypot, isfinite

from hil.conformance.rules import BrokenError, NotApplicableError, rule
from hil.conformance.stage import Stage

CONTROL = "control.proto"
COMMON = "common.proto"


@rule(
    "OBY1",
    "A setpoint of active power that is in order is answered with SUCCESS and followed, injections positive",
    source=f"{CONTROL}, Command; {COMMON}, PowerSetpoint; IEEE 1547-2018 4.6.2",
)
async def follows(stage: Stage) -> None:
    """One level, then the other."""
    for level_w in stage.levels():
        await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
        await stage.stays(level_w, why="the lease still runs")


@rule(
    "OBY2",
    "A setpoint is a level, not a pulse: the same level once more changes nothing",
    source=f"{COMMON}, Setpoint",
)
async def levels_not_pulses(stage: Stage) -> None:
    """The same level with the next sequence."""
    level_w, _ = stage.levels()
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    again = stage.command(p_w=level_w)
    await stage.send(again)
    await stage.declines(again, codes=["SUCCESS"], why="the same level once more is in order")
    await stage.stays(level_w, why="the same level was asked for once more")


@rule(
    "OBY3",
    "A quantity that the setpoint leaves out follows the device's own default",
    source=f"{COMMON}, PowerSetpoint",
)
async def leaves_open(stage: Stage) -> None:
    """Q alone, after P was led."""
    level_w, _ = stage.levels()
    if not isfinite(stage.device.default_p_w):
        raise NotApplicableError("the stored default leaves active power to the device")
    await stage.obeys(stage.command(p_w=level_w), level_w=level_w)
    await stage.obeys(stage.command(q_var=0.0), level_w=stage.device.default_p_w)


@rule(
    "OBY4",
    "A setpoint of reactive power is followed",
    source=f"{COMMON}, PowerSetpoint; SAFETY DE1; IEEE 1547-2018 5.3.5",
)
async def follows_q(stage: Stage) -> None:
    """Half of what it can, both ways."""
    newest = stage.samples()[-1:]
    if not newest or not isfinite(newest[0].q_var):
        raise NotApplicableError(f"no telemetry of the reactive power of {stage.device.device_id}")
    wanted_var = 0.5 * stage.device.q_max_var
    if wanted_var < 2.0 * stage.tolerance_w:
        raise NotApplicableError(f"{stage.device.q_max_var:g} var are too few to tell levels apart")
    level_w = min(stage.levels(), key=abs)
    if hypot(level_w, wanted_var) > stage.device.s_max_va:
        raise NotApplicableError("no such reactive power inside s_max_va beside the active power tried")
    for q_var in (wanted_var, -wanted_var):
        command = stage.command(p_w=level_w, q_var=q_var)
        await stage.obeys(command, level_w=level_w)
        found = await stage.until(
            lambda q_var=q_var: (  # type: ignore[misc]
                True if any(abs(s.q_var - q_var) <= stage.tolerance_w for s in stage.samples()[-1:]) else None
            ),
            within_s=stage.timing.settle_s,
        )
        if found is None:
            raise BrokenError(expected=f"{q_var:.0f} var", seen=f"{stage.samples()[-1].q_var:.0f} var")


@rule(
    "OBY5",
    "The output moves no faster than the ramp that the device declares",
    source=f"{CONTROL}, DerCapability.ramp_w_per_s; SAFETY DE2",
)
async def ramps(stage: Stage) -> None:
    """From one level to the other: at least as long as the ramp says."""
    first_w, second_w = stage.levels()
    if not isfinite(stage.device.ramp_w_per_s):
        raise NotApplicableError("no ramp is declared")
    inner_w = abs(first_w - second_w) - 2.0 * stage.tolerance_w
    least_s = stage.device.reach_s(inner_w)
    grain_s = stage.usual_grain_s()
    if least_s < 4.0 * grain_s:
        raise NotApplicableError(f"a move takes {least_s:.2f} s: telemetry every {grain_s:.2f} s does not show it")
    await stage.obeys(stage.command(p_w=first_w), level_w=first_w)
    command = stage.command(p_w=second_w)
    sent_s = stage.now_s()
    await stage.obeys(command, level_w=second_w)
    moved = stage.samples(since_s=sent_s)
    left = [s for s in moved if stage.near(s.p_w, first_w)]
    arrived = next(s for s in moved if stage.near(s.p_w, second_w))
    began_s = left[-1].measure_s if left else sent_s
    took_s = arrived.measure_s - began_s
    # Up to a frame at each end is not seen.
    if took_s + 2.0 * max(grain_s, stage.grain_s()) < least_s:
        raise BrokenError(
            expected=f"at least {least_s:.2f} s for {inner_w:.0f} W at {stage.device.ramp_w_per_s:g} W/s",
            seen=f"{took_s:.2f} s",
        )


@rule(
    "ACK1",
    "Each command is answered once, with its command_id, the device and the time",
    source=f"{CONTROL}, OutcomeReport",
)
async def answers_once(stage: Stage) -> None:
    """One command, one outcome."""
    command = stage.harmless()
    sent_s = await stage.send(command)
    outcome = await stage.answer(command)
    report = outcome.report
    if report.device_id != stage.device.device_id:
        raise BrokenError(expected=f"device_id {stage.device.device_id}", seen=repr(report.device_id))
    skew_s = stage.timing.skew_s
    time_s = report.time.seconds + 1e-9 * report.time.nanos
    if not report.HasField("time") or not sent_s - skew_s <= time_s <= outcome.arrival_s + skew_s:
        raise BrokenError(
            expected=f"the time of the outcome, between command and arrival within {skew_s:g} s",
            seen=f"{time_s - sent_s:+.1f} s from the command" if report.HasField("time") else "none",
        )
    if report.code == 0:
        raise BrokenError(expected="an outcome code", seen="UNSPECIFIED")
    again = await stage.until(
        lambda: stage.outcomes_of(command.command_id)[1:] or None, within_s=min(stage.watch_s(), stage.timing.watch_s)
    )
    if again is not None:
        raise BrokenError(expected="one outcome for one delivery", seen=f"a second one, {again[0].code}")


@rule(
    "ACK2",
    "SUCCESS is said of what is done: the output begins to move soon after it",
    source=f"{COMMON}, OutcomeCode (after IEEE 1815 control status and IEC 61850-7-2 AddCause)",
)
async def means_success(stage: Stage) -> None:
    """Time from the outcome to the first movement."""
    first_w, second_w = stage.levels()
    await stage.obeys(stage.command(p_w=first_w), level_w=first_w)
    command = stage.command(p_w=second_w)
    await stage.send(command)
    outcome = await stage.answer(command)
    await stage.declines(command, codes=["SUCCESS"], why=f"{second_w:.0f} W are in order")
    limit_s = stage.timing.act_s + stage.device.reach_s(2.0 * stage.tolerance_w) + 2.0 * stage.grain_s()
    left = await stage.until(
        lambda: next((s for s in stage.samples(since_s=outcome.arrival_s) if not stage.near(s.p_w, first_w)), None),
        within_s=limit_s,
    )
    if left is None:
        raise BrokenError(
            expected=f"the output leaves {first_w:.0f} W within {limit_s:.1f} s of SUCCESS", seen=stage.output_words()
        )


@rule(
    "ACK3",
    "Commands of one batch are carried out in their order: the last one holds, and each is answered",
    source=f"{CONTROL}, CommandBatch and Command.sequence",
)
async def keeps_order(stage: Stage) -> None:
    """Two levels in one batch."""
    first_w, second_w = stage.levels()
    await stage.obeys(stage.command(p_w=first_w), level_w=first_w)
    earlier, later = stage.command(p_w=first_w), stage.command(p_w=second_w)
    sent_s = await stage.send(earlier, later)
    for command in (earlier, later):
        await stage.answer(command)
    await stage.reaches(second_w, since_s=sent_s)
    await stage.stays(second_w, why="it is the last of the batch")


RULES = (follows, levels_not_pulses, leaves_open, follows_q, ramps, answers_once, means_success, keeps_order)
