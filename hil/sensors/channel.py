"""What happens to the frames of one source on their way: latency, loss, outages, duplicates, overtaking, its clock.

Pure: frames in, deliveries out, time is an argument. A channel is a stream: a frame does not overtake the one before
it unless it is drawn to be held back. The service numbers what its client sends, so that a repeated frame is, to it,
one more frame with old content, and one that came late is a frame with an earlier measure time: both are made here,
before the client.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from math import inf
from typing import Annotated, Any

from pydantic import Field

from adms.client import Quality
from hil.sensors.streams import Stream, stream_of
from hil.sensors.terms import Distribution, Finite, NotNegative, Pattern, Positive, Share, Span, drawn_s, matches

_TINY_S = 1e-6


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Values of one instant from one source. The columns run together."""

    measure_time_s: float
    index: tuple[int, ...]
    """Place of each point in the source's declaration."""
    value: tuple[float, ...]
    quality: tuple[Quality, ...] = ()
    """Empty where every value is GOOD."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A frame as it arrives."""

    arrive_s: float
    number: int
    """Of the frame in the order of sending, from 1."""
    copy: int
    """0, or 1 for the second arrival of a duplicated frame."""
    frame: Frame
    """With the time that the source's clock says and the flags that were set."""

    def to_message(self) -> list[Any]:
        """As the field bus carries it: measure time, index, value, quality."""
        frame = self.frame
        return [frame.measure_time_s, frame.index, frame.value, [int(quality) for quality in frame.quality]]


@dataclass(frozen=True, kw_only=True)
class Flag:
    """Values of points that match are flagged, each with a chance, over a stretch of time. Where several flags meet,
    the last one stands."""

    point: Pattern
    quality: Quality
    chance_frac: Share
    span: Span


@dataclass(frozen=True, kw_only=True)
class ChannelPlan:
    """The channel of every source that matches. A plan takes the place of an earlier one, as a whole."""

    source: Pattern
    latency_s: NotNegative = 0.0
    """Of every frame."""
    jitter_s: NotNegative = 0.0
    """Spread of what is added to it, drawn for each frame."""
    jitter_distribution: Distribution | None = None
    """Must be stated with a jitter."""
    loss_frac: Share = 0.0
    """Chance that a whole frame is lost."""
    duplicate_frac: Share = 0.0
    """Chance that a frame comes twice."""
    duplicate_delay_s: NotNegative = 0.0
    """From the first to the second arrival."""
    reorder_frac: Share = 0.0
    """Chance that a frame is held back, so that later ones overtake it."""
    reorder_delay_s: NotNegative = 0.0
    """For how long. Must be stated with a chance."""
    clock_skew_s: Finite = 0.0
    """The source's clock is ahead by so much at feeder second 0 (negative: behind)."""
    clock_drift_s_per_h: Finite = 0.0
    """And gains so much."""
    store_frames: Annotated[int, Field(ge=0)] = 0
    """How many frames the source keeps during an outage; of more the oldest are lost. 0: all of an outage are lost."""
    burst_frames_per_s: Positive | None = None
    """At which rate stored frames are sent after an outage. Must be stated with a store: the service refuses more
    frames in one round than its `waiting_frames_max`."""
    outages: tuple[Span, ...] = ()
    """Nothing is sent in these. What was sent before still arrives."""
    flags: tuple[Flag, ...] = ()

    def wrong(self) -> list[tuple[str, str, str]]:
        """(key, value, why) of what does not go together."""
        found = []
        if self.jitter_s > 0.0 and self.jitter_distribution is None:
            found.append(("jitter_distribution", "", "must be given with a jitter"))
        if self.reorder_frac > 0.0 and self.reorder_delay_s == 0.0:
            found.append(("reorder_delay_s", "0.0", "must be above zero for a frame to be overtaken"))
        if self.store_frames and self.burst_frames_per_s is None:
            found.append(("burst_frames_per_s", "", "must be given with store_frames"))
        if self.burst_frames_per_s is not None and not self.store_frames:
            found.append(("burst_frames_per_s", str(self.burst_frames_per_s), "says nothing without store_frames"))
        if self.store_frames and any(outage.duration_s is None for outage in self.outages):
            found.append(("outage.duration_s", "", "must be given where frames are stored: it never ends otherwise"))
        return found


@dataclass(kw_only=True)
class ChannelCounts:
    """What became of the frames. `sent` is the sum of `delivered`, `lost`, `cut_off`, `overflowed` and those still on
    their way."""

    sent: int = 0
    delivered: int = 0
    """First arrivals."""
    lost: int = 0
    """By chance."""
    cut_off: int = 0
    """In an outage, not stored."""
    overflowed: int = 0
    """Stored in an outage and pushed out by newer ones."""
    duplicated: int = 0
    """Second arrivals, on their way or there."""
    held_back: int = 0


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """A frame at the source, with everything that was drawn for it."""

    number: int
    sent_s: float
    frame: Frame
    latency_s: float
    lost: bool
    doubled: bool
    held_back: bool


class Channel:
    """The way of one source. `points` are the names of its points in the order of its declaration."""

    def __init__(self, plan: ChannelPlan, *, source: str, points: Sequence[str], seed: int) -> None:
        self._plan = plan
        self.counts = ChannelCounts()
        self._latency, self._loss, self._duplicate, self._reorder = (
            stream_of(seed, purpose, name=source)
            for purpose in (Stream.LATENCY, Stream.LOSS, Stream.DUPLICATE, Stream.REORDER)
        )
        self._flags = {
            (k, index): stream_of(seed, Stream.FLAG, name=f"{source}/{name}/{k}")
            for k, flag in enumerate(plan.flags)
            for index, name in enumerate(points)
            if matches(flag.point, name)
        }
        self._outages = sorted(plan.outages, key=lambda outage: outage.start_s)
        self._store: deque[_Sent] = deque()
        self._arriving: list[tuple[float, int, int, Delivery]] = []
        self._time_s = self._free_s = self._last_arrival_s = -inf

    def send(self, frame: Frame, now_s: float) -> None:
        """The source hands in a frame. Frames come in the order of time (ValueError otherwise). Every frame takes the
        same numbers from the channel's streams, whatever becomes of it."""
        if now_s < self._time_s - _TINY_S:
            raise ValueError(f"sent at {now_s} s, after {self._time_s} s")
        self._time_s = now_s
        plan = self._plan
        self.counts.sent += 1
        jitter_s = drawn_s(
            self._latency, spread_s=plan.jitter_s, distribution=plan.jitter_distribution or Distribution.UNIFORM
        )
        sent = _Sent(
            number=self.counts.sent,
            sent_s=now_s,
            frame=self._stamped(self._flagged(frame, now_s=now_s)),
            latency_s=plan.latency_s + jitter_s,
            lost=bool(self._loss.random() < plan.loss_frac),
            doubled=bool(self._duplicate.random() < plan.duplicate_frac),
            held_back=bool(self._reorder.random() < plan.reorder_frac),
        )
        self._empty_store(now_s)
        if not self._store and self._after_outages(max(now_s, self._free_s)) <= now_s:
            self._leave(sent, leave_s=now_s)
        elif not plan.store_frames:
            self.counts.cut_off += 1
        else:
            if len(self._store) >= plan.store_frames:
                self._store.popleft()
                self.counts.overflowed += 1
            self._store.append(sent)

    def due(self, now_s: float) -> list[Delivery]:
        """What has arrived by now, in the order of arrival, then of sending. Each is told once."""
        self._empty_store(now_s)
        found = []
        while self._arriving and self._arriving[0][0] <= now_s + _TINY_S:
            delivery = heappop(self._arriving)[3]
            self.counts.delivered += delivery.copy == 0
            found.append(delivery)
        return found

    @property
    def on_their_way(self) -> int:
        """Frames that will still arrive for the first time, or be lost."""
        return len(self._store) + sum(copy == 0 for _, _, copy, _ in self._arriving)

    def _after_outages(self, time_s: float) -> float:
        """The first instant from a time on that lies in no outage."""
        for outage in self._outages:
            if outage.covers(time_s):
                time_s = outage.end_s
        return time_s

    def _empty_store(self, now_s: float) -> None:
        """Send what was stored, in its order, as fast as a burst may be."""
        while self._store:
            leave_s = self._after_outages(max(self._store[0].sent_s, self._free_s))
            if leave_s > now_s:
                return
            self._free_s = leave_s + 1.0 / (self._plan.burst_frames_per_s or inf)
            self._leave(self._store.popleft(), leave_s=leave_s)

    def _leave(self, sent: _Sent, *, leave_s: float) -> None:
        plan, counts = self._plan, self.counts
        if sent.lost:
            counts.lost += 1
            return
        arrive_s = leave_s + sent.latency_s
        if sent.held_back:
            counts.held_back += 1
            arrive_s += plan.reorder_delay_s
        else:
            arrive_s = self._last_arrival_s = max(arrive_s, self._last_arrival_s)
        self._arrive(sent, copy=0, arrive_s=arrive_s)
        if sent.doubled:
            counts.duplicated += 1
            self._arrive(sent, copy=1, arrive_s=arrive_s + plan.duplicate_delay_s)

    def _arrive(self, sent: _Sent, *, copy: int, arrive_s: float) -> None:
        delivery = Delivery(arrive_s=arrive_s, number=sent.number, copy=copy, frame=sent.frame)
        heappush(self._arriving, (arrive_s, sent.number, copy, delivery))

    def _flagged(self, frame: Frame, *, now_s: float) -> Frame:
        if not self._flags:
            return frame
        quality = list(frame.quality or [Quality.GOOD] * len(frame.index))
        for k, flag in enumerate(self._plan.flags):
            for place, index in enumerate(frame.index):
                stream = self._flags.get((k, index))
                if stream is not None and stream.random() < flag.chance_frac and flag.span.covers(now_s):
                    quality[place] = flag.quality
        good = all(one is Quality.GOOD for one in quality)
        return replace(frame, quality=() if good else tuple(quality))

    def _stamped(self, frame: Frame) -> Frame:
        plan = self._plan
        if plan.clock_skew_s == 0.0 and plan.clock_drift_s_per_h == 0.0:
            return frame
        ahead_s = plan.clock_skew_s + plan.clock_drift_s_per_h * frame.measure_time_s / 3600.0
        return replace(frame, measure_time_s=round(frame.measure_time_s + ahead_s, 6))
