"""One sensor: from the truth of a quantity to what its meter shows.

The order is that of a measuring chain. Transducer: gain, bias, drift, noise. Converter: limits, then steps. Then the
faults in the order of their plan (a sign, a factor, a value that is held), and last whether it is reported at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, isnan

import numpy as np

from hil.sensors.lies import PhasesSwapped, SensorFault, StuckAtLast, TimeFrozen, offset_of, shown_by
from hil.sensors.streams import Stream, stream_of
from hil.sensors.terms import NotNegative, Pattern, Positive


@dataclass(frozen=True, kw_only=True)
class SensorClass:
    """How good the points are that match, as shares of their rating (nominal voltage, rated power; 1 for a state of
    charge). A class takes the place of an earlier one, as a whole. Points without a rating (positions, flags) are
    exact."""

    point: Pattern
    source: Pattern = "*"
    noise_sigma_frac: NotNegative | None = None
    """Standard deviation of each reading. None: what the meter plan states, which is also what the service is told."""
    bias_sigma_frac: NotNegative = 0.0
    """Of the constant offset that is drawn once for each point."""
    gain_sigma_frac: NotNegative = 0.0
    """Of the relative error in proportion to the quantity that is drawn once for each point."""
    quantum_frac: NotNegative = 0.0
    """Step of the converter; 0 for none."""
    saturation_frac: Positive | None = None
    """It shows nothing beyond plus or minus so much."""
    dead_band_frac: NotNegative = 0.0
    """Reports by exception: only where the value differs from the last one reported by more than this."""
    refresh_s: Positive | None = None
    """And again after so long in any case (integrity poll). Must be stated with a dead band."""

    def wrong(self) -> list[tuple[str, str, str]]:
        """(key, value, why) of what does not go together."""
        if self.dead_band_frac > 0.0 and self.refresh_s is None:
            return [("refresh_s", "", "must be given with a dead band: without it a steady value is reported once")]
        if self.dead_band_frac == 0.0 and self.refresh_s is not None:
            return [("refresh_s", str(self.refresh_s), "says nothing without dead_band_frac")]
        return []


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Errors of one sensor, in the unit of its point."""

    noise_sigma: float = 0.0
    bias: float = 0.0
    gain_frac: float = 0.0
    low: float = -inf
    high: float = inf
    quantum: float = 0.0
    dead_band: float = 0.0
    refresh_s: float = inf
    drop_out_frac: float | None = None
    """Chance that a reading is missing. None: such a point never drops out, and nothing is drawn for it."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a sensor reports."""

    value: float
    measure_time_s: float
    """Feeder second that it is said to be of."""


def errors_of(
    plan: SensorClass | None,
    *,
    name: str,
    seed: int,
    rating: float | None,
    sigma: float | None,
    drop_out_frac: float | None,
    not_negative: bool,
) -> Errors:
    """Errors of one point under a class. Bias and gain are drawn here, once.

    Args:
        plan: the class; None where there is none.
        name: of the point.
        seed: of the run.
        rating: of the point, in its unit; None for one that is exact.
        sigma: of the noise where the class does not state it, unit of the point.
        drop_out_frac: chance that a reading is missing, or None.
        not_negative: of a magnitude, which no meter shows below zero.
    """
    noise_sigma, low = sigma or 0.0, 0.0 if not_negative else -inf
    if plan is None or rating is None:
        return Errors(noise_sigma=noise_sigma, low=low, drop_out_frac=drop_out_frac)
    limit = inf if plan.saturation_frac is None else plan.saturation_frac * rating
    return Errors(
        noise_sigma=noise_sigma if plan.noise_sigma_frac is None else plan.noise_sigma_frac * rating,
        bias=plan.bias_sigma_frac * rating * float(stream_of(seed, Stream.BIAS, name=name).standard_normal()),
        gain_frac=plan.gain_sigma_frac * float(stream_of(seed, Stream.GAIN, name=name).standard_normal()),
        low=max(low, -limit),
        high=limit,
        quantum=plan.quantum_frac * rating,
        dead_band=plan.dead_band_frac * rating,
        refresh_s=inf if plan.refresh_s is None else plan.refresh_s,
        drop_out_frac=drop_out_frac,
    )


class Sensor:
    """One point. Every reading takes the same numbers from its stream, whatever its errors and faults are."""

    def __init__(
        self, errors: Errors, *, noise: np.random.Generator, noisy: bool, faults: tuple[SensorFault, ...] = ()
    ) -> None:
        """`noisy`: whether the point takes noise from its stream. Faults that overlap act in their order."""
        self._errors = errors
        self._noise = noise
        self._noisy = noisy
        self._faults = faults
        self._limited = errors.low > -inf or errors.high < inf or errors.quantum > 0.0
        self._before: dict[int, float] = {}
        self._reported: tuple[float, float] | None = None

    def phase_at(self, phase: int, *, time_s: float) -> int:
        """The phase whose truth a sensor of `phase` reads."""
        for fault in self._faults:
            if isinstance(fault.lie, PhasesSwapped) and fault.span.covers(time_s) and phase in fault.lie.phases:
                first, second = fault.lie.phases
                phase = second if phase == first else first
        return phase

    def read(self, truth: float, *, time_s: float) -> Reading | None:
        """One reading; None where none is reported (it dropped out, or differs too little from the last)."""
        errors, value, measure_time_s = self._errors, truth, time_s
        if errors.gain_frac:
            value *= 1.0 + errors.gain_frac
        if errors.bias:
            value += errors.bias
        acting = [(k, fault) for k, fault in enumerate(self._faults) if fault.span.covers(time_s)]
        for _, fault in acting:
            value += offset_of(fault, time_s=time_s)
        if self._noisy:
            value += errors.noise_sigma * float(self._noise.standard_normal())
        dropped = errors.drop_out_frac is not None and self._noise.random() < errors.drop_out_frac
        if self._limited:
            value = self._converted(value)
        for k, fault in acting:
            value = shown_by(fault.lie, value, last=self._before.get(k))
            if isinstance(fault.lie, TimeFrozen):
                measure_time_s = min(measure_time_s, fault.span.start_s)
        if self._faults:
            self._remember(value, held={k for k, _ in acting})
        if (errors.dead_band and not self._is_news(value, time_s=time_s)) or dropped:
            return None
        return Reading(value=value, measure_time_s=measure_time_s)

    def _converted(self, value: float) -> float:
        errors = self._errors
        if errors.low > -inf:
            value = max(value, errors.low)
        if errors.high < inf:
            value = min(value, errors.high)
        if errors.quantum and isfinite(value):
            value = errors.quantum * round(value / errors.quantum)
        return value

    def _remember(self, value: float, *, held: set[int]) -> None:
        """Keep what a sensor shows for the faults that will hold it; a sensor that is held keeps what it holds."""
        for k, fault in enumerate(self._faults):
            if isinstance(fault.lie, StuckAtLast) and (k not in held or k not in self._before):
                self._before[k] = value

    def _is_news(self, value: float, *, time_s: float) -> bool:
        """Whether it is to be reported, with the dead band of the device. What is lost on the way was reported."""
        errors = self._errors
        if self._reported is not None:
            last, at_s = self._reported
            moved = isnan(value) != isnan(last) or abs(value - last) > errors.dead_band
            if not moved and time_s - at_s < errors.refresh_s - 1e-9:
                return False
        self._reported = (value, time_s)
        return True
