"""Fault indicators that latch, err, reset and report late; last-gasp messages of meters that lose their supply.

Chance is drawn for each pair of fault and device (and each outage and meter) from a stream of its own, so that another
device or another fault changes none of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from zlib import crc32

import numpy as np
import numpy.typing as npt

from hil.engine import ComplexArray, FloatArray, LoadRecord

INDICATOR_STREAM = 11
LAST_GASP_STREAM = 12
"""Of the seeds: no other stream of the bench has these numbers."""


@dataclass(frozen=True, kw_only=True)
class IndicatorSettings:
    """Of all indicators of a feeder."""

    rise_a: float
    """Latches when a phase current is above its value before the fault by more than this"""
    min_a: float
    """and is above this."""
    missing_frac: float = 0.0
    """Share of passing faults that a device does not see."""
    false_frac: float = 0.0
    """Share of devices that latch in a fault that does not pass them."""
    torque_angle_deg: float | None = None
    """Directional: forward (from the device's first terminal on) where the faulted phase's current lags its voltage by
    this angle, up to 90 degrees either way. None: they say no direction."""
    delay_s: float = 0.0
    """From latching until the message is there."""
    reset_after_s: float | None = None
    """Resets so long after it latched."""
    reset_load_a: float | None = None
    """Resets when a phase carries this much again and the fault is gone"""
    reset_load_for_s: float = 0.0
    """for so long."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """What an indicator's sensors show now, per phase."""

    i_a: ComplexArray
    """Into its first terminal; zero where it is open."""
    v_v: ComplexArray | None
    """At its first terminal, to ground; None where no direction is asked for."""


class _Indicator:
    """One device."""

    def __init__(self) -> None:
        self.latched_at: float | None = None
        self.direction = 0
        self.before_a: FloatArray | None = None
        self.load_since: float | None = None
        self.missing: dict[str, bool] = {}
        """By fault: whether it does not see this one."""


class Indicators:
    """Every fault indicator of a feeder. Times are feeder seconds."""

    def __init__(self, devices: Sequence[str], *, settings: IndicatorSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._devices = {device: _Indicator() for device in devices}
        self.reported = dict.fromkeys(devices, False)
        """What has been heard: latched, and the message's delay is over."""

    def direction(self, device: str) -> int:
        """+1 forward, -1 backward, 0 where it says none."""
        return self._devices[device].direction if self.reported[device] else 0

    @property
    def directional(self) -> bool:
        """They tell a direction, so they need voltages."""
        return self._settings.torque_angle_deg is not None

    @property
    def waits_for_load(self) -> bool:
        """Some device is latched and resets when load returns."""
        latched = any(indicator.latched_at is not None for indicator in self._devices.values())
        return latched and self._settings.reset_load_a is not None

    def quiet(self, passages: Mapping[str, Passage], *, now: float) -> None:
        """No fault is fed and nothing is timing: these are the currents before the next fault."""
        for device, passage in passages.items():
            indicator = self._devices[device]
            indicator.before_a = np.abs(passage.i_a)
            self._load_returns(indicator, now=now)
        self._age(now)

    def disturbed(self, *, now: float) -> None:
        """No fault is fed, but protection is not done: nothing latches, and no load counts as returned."""
        for indicator in self._devices.values():
            indicator.load_since = None
        self._age(now)

    def faulted(self, passages: Mapping[str, Passage], *, faults: Sequence[str], now: float) -> list[tuple[str, str]]:
        """These faults are fed. (device, words) of what latches now."""
        latched = []
        for device, passage in passages.items():
            indicator = self._devices[device]
            indicator.load_since = None
            missing, false = self._chances(device, faults=faults)
            now_a = np.abs(passage.i_a)
            before_a = indicator.before_a if indicator.before_a is not None else np.zeros(now_a.size)
            passing = (now_a - before_a > self._settings.rise_a) & (now_a > self._settings.min_a)
            if indicator.latched_at is not None:
                continue
            if bool(passing.any()) and not missing:
                indicator.direction = self._forward(passage, phase=int(np.argmax(np.where(passing, now_a, 0.0))))
                latched.append((device, f"{now_a.max():.0f} A passed"))
            elif false:
                indicator.direction = 0
                latched.append((device, "by mistake"))
            else:
                continue
            indicator.latched_at = now
        self._age(now)
        return latched

    # ---- one device -----------------------------------------------------------------------------------------

    def _chances(self, device: str, *, faults: Sequence[str]) -> tuple[bool, bool]:
        """Whether it misses all of these faults, and whether it latches by mistake in one it has not met yet."""
        indicator, settings, false = self._devices[device], self._settings, False
        for fault in faults:
            if fault not in indicator.missing:
                seed = [self._seed, INDICATOR_STREAM, crc32(device.encode()), crc32(fault.encode())]
                draws = np.random.default_rng(seed).random(2)
                indicator.missing[fault] = bool(draws[0] < settings.missing_frac)
                false = false or bool(draws[1] < settings.false_frac)
        return all(indicator.missing[fault] for fault in faults), false

    def _forward(self, passage: Passage, *, phase: int) -> int:
        angle_deg = self._settings.torque_angle_deg
        if angle_deg is None or passage.v_v is None:
            return 0
        torque = passage.v_v[phase] * np.conj(passage.i_a[phase]) * np.exp(-1j * np.radians(angle_deg))
        return int(np.sign(torque.real))

    def _load_returns(self, indicator: _Indicator, *, now: float) -> None:
        least_a = self._settings.reset_load_a
        if least_a is None or indicator.before_a is None or not (indicator.before_a >= least_a).any():
            indicator.load_since = None
        elif indicator.load_since is None:
            indicator.load_since = now

    def _age(self, now: float) -> None:
        settings = self._settings
        for device, indicator in self._devices.items():
            since = indicator.load_since if indicator.load_since is not None else inf
            by_load = settings.reset_load_a is not None and now - since >= settings.reset_load_for_s - 1e-9
            latched_at = indicator.latched_at if indicator.latched_at is not None else inf
            by_time = settings.reset_after_s is not None and now - latched_at >= settings.reset_after_s - 1e-9
            if by_load or by_time:
                indicator.latched_at, indicator.direction = None, 0
            self.reported[device] = (
                indicator.latched_at is not None and now - indicator.latched_at >= settings.delay_s - 1e-9
            )


@dataclass(frozen=True, kw_only=True)
class LastGaspSettings:
    """Of all meters of a feeder."""

    through_frac: float
    """Share of the messages that get through."""
    after_s: float
    """A meter without supply for so long says so: longer than a reclosing takes."""
    delay_min_s: float
    """The message takes this long at least"""
    delay_max_s: float
    """and this long at most; all between are as likely."""


@dataclass(frozen=True, kw_only=True)
class LastGasp:
    """One message that gets through."""

    load: str
    lost_at_s: float
    arrives_at_s: float


class LastGasps:
    """The meters of all loads."""

    def __init__(self, loads: Sequence[LoadRecord], *, settings: LastGaspSettings, seed: int) -> None:
        self._loads = tuple(load.name for load in loads)
        self._settings = settings
        self._seed = seed
        self._dark_since: list[float | None] = [None] * len(self._loads)
        self._outages = [0] * len(self._loads)
        self._said = [False] * len(self._loads)
        self._under_way: list[LastGasp] = []
        self.arrived: list[LastGasp] = []
        """In the order of arrival."""

    def step(self, *, now: float, live: npt.NDArray[np.bool_]) -> None:
        """Which loads have a supply now, in their order."""
        for k, alive in enumerate(live):
            if alive:
                self._dark_since[k], self._said[k] = None, False
                continue
            since = self._dark_since[k]
            if since is None:
                self._dark_since[k] = now
                self._outages[k] += 1
            elif not self._said[k] and now - since >= self._settings.after_s - 1e-9:
                self._said[k] = True
                self._send(k, lost_at_s=since, now=now)
        arrived = sorted((g for g in self._under_way if g.arrives_at_s <= now), key=lambda g: (g.arrives_at_s, g.load))
        self.arrived += arrived
        self._under_way = [gasp for gasp in self._under_way if gasp.arrives_at_s > now]

    def _send(self, k: int, *, lost_at_s: float, now: float) -> None:
        load, settings = self._loads[k], self._settings
        rng = np.random.default_rng([self._seed, LAST_GASP_STREAM, crc32(load.encode()), self._outages[k]])
        through, share = rng.random(2)
        if through < settings.through_frac:
            delay_s = settings.delay_min_s + share * (settings.delay_max_s - settings.delay_min_s)
            self._under_way.append(LastGasp(load=load, lost_at_s=lost_at_s, arrives_at_s=now + delay_s))
