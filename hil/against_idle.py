"""The figures of a run beside those of the same feeder left alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan

import numpy as np

from hil.overlay import Limits
from hil.record import Trace, customer_minutes, voltage_ok_frac
from hil.results import Better, Measure
from hil.results_rows import ImportLimit


def measures(
    trace: Trace, *, idle: Trace | None, limits: Limits, import_limits: Sequence[ImportLimit]
) -> tuple[Measure, ...]:
    """What a run is compared by. Energies count each scan for the time since the one before."""

    def inside(one: Trace) -> float:
        return 100.0 * voltage_ok_frac(one, v_min_pu=limits.v_min_pu, v_max_pu=limits.v_max_pu)

    def over(one: Trace) -> float:
        return _energy_over_kwh(one, limits=import_limits)

    less, more, neither = Better.LESS, Better.MORE, Better.NEITHER
    table: list[tuple[str, str, str, Callable[[Trace], float], Better, int]] = [
        ("customers_off_end", "Customers off at the end", "", _off_at_the_end, less, 0),
        ("customer_minutes", "Customer minutes without supply", "min", customer_minutes, less, 0),
        ("voltage_inside", "Node-minutes within voltage limits", "%", inside, more, 2),
        ("v_lowest", "Lowest voltage of a live node", "pu", _lowest_pu, neither, 4),
        ("v_highest", "Highest voltage", "pu", _highest_pu, neither, 4),
        ("losses", "Losses", "kWh", lambda one: _energy_kwh(one, one.losses_w), less, 1),
        ("import_energy", "Energy imported", "kWh", lambda one: _energy_kwh(one, one.import_w), neither, 0),
        ("import_highest", "Highest import", "kW", lambda one: _highest_import_w(one) / 1e3, less, 0),
        ("tap_moves", "Tap moves", "", lambda one: _events(one, {"tap"}), less, 0),
        ("capacitor_moves", "Capacitor operations", "", lambda one: _events(one, {"capacitor"}), less, 0),
        ("switch_moves", "Switch operations", "", lambda one: _events(one, {"opened", "closed"}), neither, 0),
    ]
    if import_limits:
        lowest_kw = min(limit.max_w for limit in import_limits) / 1e3
        said = f"Highest import after notice (limit {lowest_kw:.0f} kW)"
        table.append(
            ("import_after_notice", said, "kW", lambda one: _after_notice_w(one, import_limits) / 1e3, less, 0)
        )
        table.append(("import_over_limit", "Energy imported above its limit", "kWh", over, less, 1))
    return tuple(
        Measure(
            key=key,
            name=name,
            unit=unit,
            value=of(trace),
            idle=of(idle) if idle is not None else nan,
            better=better,
            digits=digits,
        )
        for key, name, unit, of, better, digits in table
    )


def in_words(value: float, *, unit: str, digits: int) -> str:
    """A figure with its unit; a dash where there is none."""
    if value != value:
        return "–"
    # Nothing is shown as less than nothing.
    return f"{round(value, digits) + 0.0:,.{digits}f} {unit}".rstrip()


def _steps_s(trace: Trace) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.diff(np.array([0.0, *trace.time_s]))


def _energy_kwh(trace: Trace, power_w: Sequence[float]) -> float:
    return float((_steps_s(trace) * np.array(power_w)).sum() / 3.6e6)


def _energy_over_kwh(trace: Trace, *, limits: Sequence[ImportLimit]) -> float:
    total = 0.0
    for step_s, time_s, power_w in zip(_steps_s(trace), trace.time_s, trace.import_w, strict=True):
        # More than one limit at once: the lowest counts.
        valid = [one.max_w for one in limits if one.from_s < time_s <= (one.to_s if one.to_s is not None else time_s)]
        if valid:
            total += max(0.0, power_w - min(valid)) * float(step_s)
    return total / 3.6e6


def _calm(trace: Trace) -> list[int]:
    return [row for row, bad in enumerate(trace.in_fault) if not bad]


def _lowest_pu(trace: Trace) -> float:
    return min((low for row in _calm(trace) if (low := trace.live_range(row)[0]) == low), default=nan)


def _highest_pu(trace: Trace) -> float:
    return max((high for row in _calm(trace) if (high := trace.live_range(row)[1]) == high), default=nan)


def _highest_import_w(trace: Trace) -> float:
    return max((trace.import_w[row] for row in _calm(trace)), default=nan)


def _after_notice_w(trace: Trace, limits: Sequence[ImportLimit]) -> float:
    """Highest import of a scan under a limit, W."""
    chosen = [
        power_w
        for time_s, power_w in zip(trace.time_s, trace.import_w, strict=True)
        if any(one.from_s < time_s <= (one.to_s if one.to_s is not None else time_s) for one in limits)
    ]
    return max(chosen, default=nan)


def _events(trace: Trace, kinds: set[str]) -> float:
    return float(sum(event.what in kinds for event in trace.events))


def _off_at_the_end(trace: Trace) -> float:
    return float(trace.customers_off[-1]) if trace.customers_off else nan
