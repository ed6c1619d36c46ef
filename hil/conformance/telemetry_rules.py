"""Rules on telemetry: what is measured is declared, numbered, in order, and said to be bad where it is."""

from __future__ import annotations

from math import inf

from hil.conformance.rules import BrokenError, NotApplicableError, rule
from hil.conformance.seen import SeenFrame, SeenSource
from hil.conformance.stage import Stage

TELEMETRY = "telemetry.proto"


def reporting(stage: Stage) -> SeenSource:
    """The newest instance of the source that reports the device. Raises NotApplicableError."""
    for source in reversed(stage.seen.sources):
        if source.frames and any(point.element == stage.device.device_id for point in source.points):
            return source
    raise NotApplicableError(f"no telemetry of {stage.device.device_id} (see TEL1)")


def disorder(frames: list[SeenFrame], *, first: int | None) -> tuple[str, str] | None:
    """(expected, seen) where the frames of one instance are not numbered as they must be; None where they are.
    `first` is the number of the first frame, None where it is not known. Pure."""
    newest, stream, newest_s = None if first is None else first - 1, 0, -inf
    for frame in frames:
        opening, stream = frame.stream != stream, frame.stream
        if newest is None:
            newest = frame.sequence - 1
        again = frame.sequence <= newest
        if again and not opening and not frame.repeated:
            return f"sequence {newest + 1} next", f"sequence {frame.sequence}"
        if not again and frame.sequence != newest + 1:
            return f"sequence {newest + 1} next, without gaps", f"sequence {frame.sequence}"
        if not again and frame.measure_s < newest_s:
            back_s = newest_s - frame.measure_s
            return "frames in the order of their measure_time", f"{back_s:.3f} s back at sequence {frame.sequence}"
        if not again:
            newest, newest_s = frame.sequence, frame.measure_s
    return None


@rule(
    "TEL1",
    "The injection of the device is declared as a point and reported, hello first",
    source=f"{TELEMETRY}, TelemetryService.Report and POINT_KIND_P_INJECTION_W",
)
async def reports(stage: Stage) -> None:
    """Without it nobody sees what the device does, the kit neither."""
    early = [text for _, text in stage.seen.faults if "before hello" in text]
    if early:
        raise BrokenError(expected="hello first", seen=early[0])
    if not stage.reports_p:
        points = [point for source in stage.seen.sources for point in source.points]
        raise BrokenError(
            expected=f"frames with a point POINT_KIND_P_INJECTION_W of {stage.device.device_id}",
            seen=f"{len(stage.seen.sources)} sources, {len(points)} points, none of that",
        )
    await stage.fresh_sample()


@rule(
    "TEL2",
    "Frames are numbered from 1 without gaps, and their times do not go back",
    source=f"{TELEMETRY}, Frame.sequence and measure_time, Hello.instance_epoch",
)
async def in_order(stage: Stage) -> None:
    """Everything up to now."""
    source = reporting(stage)
    older = [text for _, text in stage.seen.faults if "instance_epoch" in text]
    if older:
        raise BrokenError(expected="an instance_epoch that does not fall", seen=older[0])
    first = 1 if stage.client is not None else None
    found = disorder(list(source.frames), first=first)
    if found is not None:
        raise BrokenError(expected=found[0], seen=found[1])


@rule(
    "TEL3",
    "The columns of a frame run together, and what is no number is not said to be GOOD",
    source=f"{TELEMETRY}, Frame; common.proto, Quality: only GOOD values are used",
)
async def sound_columns(stage: Stage) -> None:
    """Everything up to now."""
    source = reporting(stage)
    wrong = [frame for frame in source.frames if frame.fault]
    if wrong:
        raise BrokenError(
            expected="frames whose columns fit",
            seen=f"sequence {wrong[0].sequence}: {wrong[0].fault} ({len(wrong)} in all)",
        )


@rule(
    "TEL4",
    "Frames that were not acknowledged come again after a reconnect, from the first of them on",
    source=f"{TELEMETRY}, TelemetryService.Report and Welcome.used_sequence",
)
async def repeats_frames(stage: Stage) -> None:
    """A while without acknowledgements, then a new stream."""
    source = reporting(stage)
    stage.manner.acknowledge_frames = False
    used = source.used_sequence
    await stage.until(lambda: True if source.newest_sequence >= used + 3 else None, within_s=stage.timing.reconnect_s)
    line = stage.service.telemetry.lines.get(source.source_id)
    if line is None:
        raise BrokenError(expected=f"a stream of source {source.source_id}", seen="none")
    before = line.index
    line.end(cut=True)
    first = await stage.until(
        lambda: next((frame for frame in source.frames if frame.stream > before), None),
        within_s=stage.timing.reconnect_s,
    )
    stage.manner.acknowledge_frames = True
    used = source.used_sequence if first is None else used
    if first is None or first.sequence != used + 1:
        raise BrokenError(
            expected=f"sequence {used + 1} first on the new stream: {used} was the last that was acknowledged",
            seen="no frame" if first is None else f"sequence {first.sequence}",
        )


@rule(
    "TEL5",
    "The client's clock agrees with the service's",
    source="control.proto, Command.expiry: a lease ends at a moment; telemetry.proto, Frame.measure_time",
)
async def clock_agrees(stage: Stage) -> None:
    """Measured now, received now."""
    if not stage.reports_p:
        raise NotApplicableError(f"no telemetry of {stage.device.device_id} (see TEL1)")
    now_s = stage.now_s()
    newest = await stage.until(
        lambda: next((s for s in stage.seen.samples[stage.device.device_id][-1:] if s.arrival_s >= now_s), None),
        within_s=stage.timing.reconnect_s,
    )
    if newest is None:
        raise BrokenError(expected="telemetry", seen="none")
    off_s = newest.measure_s - newest.arrival_s
    if abs(off_s) > stage.timing.skew_s:
        raise BrokenError(expected=f"a clock within {stage.timing.skew_s:g} s of the kit's", seen=f"{off_s:+.2f} s")


@rule(
    "TEL6",
    "A source that is started again says hello with a higher instance_epoch, and numbers from 1",
    source=f"{TELEMETRY}, Hello.instance_epoch and Frame.sequence",
    quick=False,
)
async def grows_epoch(stage: Stage) -> None:
    """After a restart of the process."""
    if stage.client is None:
        raise NotApplicableError("the kit does not start this client (--client-command)")
    before = reporting(stage)
    await stage.client.stop()
    await stage.until(lambda: None if stage.service.control.lines else True, within_s=stage.timing.reconnect_s)
    known = list(stage.seen.sources)
    await stage.client.start(stage.service.endpoint)
    await stage.registered(within_s=stage.timing.begin_s)
    after = await stage.until(
        lambda: next(
            (s for s in stage.seen.sources if s.source_id == before.source_id and s not in known and s.frames), None
        ),
        within_s=stage.timing.reconnect_s,
    )
    if after is None:
        raise BrokenError(expected=f"an instance_epoch above {before.instance_epoch}", seen="none but those of before")
    if after.instance_epoch <= before.instance_epoch:
        raise BrokenError(expected=f"an instance_epoch above {before.instance_epoch}", seen=f"{after.instance_epoch}")
    if after.frames[0].sequence != 1:
        raise BrokenError(expected="sequence 1 first", seen=f"sequence {after.frames[0].sequence}")


RULES = (reports, in_order, sound_columns, repeats_frames, clock_agrees, grows_epoch)
