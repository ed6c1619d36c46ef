"""Plots of a run over feeder time, from its record, as SVG text."""

from __future__ import annotations

from collections import Counter

import numpy as np
from matplotlib.axes import Axes

from hil.plot_base import (
    BAND,
    LIMIT,
    STORE,
    SUN,
    WITH,
    WITHOUT,
    figure,
    has_values,
    joined,
    legend,
    literal,
    svg,
    time_axis,
)
from hil.recorded import Marks as Marks
from hil.results import Arm, Latency, Results

_NONE = {"no service": "#2c3e50", "no round": "#d7bde2"}
_MODE_COLOUR = {**_NONE, "control": "#1e8449", "advise": "#2471a3", "observe": "#aab7b8"}
_GRADE_COLOUR = {**_NONE, "solved": "#1e8449", "partial": "#d68910", "inconsistent": "#b03a2e", "failed": "#641e16"}
_BY_COLOUR = {"command": WITH, "protection": LIMIT, "local": "#7d6608", "nature": "#616a6b"}


def arms(results: Results) -> list[tuple[Arm, str, str]]:
    """What is drawn: (arm, colour, words), the feeder left alone below."""
    mine = "with the service" if results.service else "without the service"
    idle = [(results.idle, WITHOUT, "doing nothing")] if results.idle is not None else []
    return [*idle, (results.run, WITH, mine)]


def voltage_band(results: Results) -> str:
    """Lowest and highest voltage of the live nodes, and where nine of ten of them are."""
    axis = time_axis(results)
    with figure(height=3.2) as ((ax,), out):
        shown: list[float] = [results.v_min_pu, results.v_max_pu]
        for arm, colour, word in arms(results):
            axis.line(ax, arm.v_min_pu, color=colour, label=f"extremes, {word}")
            axis.line(ax, arm.v_max_pu, color=colour)
            shown += [*arm.v_min_pu.known, *arm.v_max_pu.known]
        times, low, high = joined(results.run.v_p05_pu, results.run.v_p95_pu)
        ax.fill_between(axis.at(times), low, high, color=WITH, alpha=0.18, linewidth=0, label="nine of ten nodes")
        axis.line(ax, results.run.v_median_pu, color=WITH, linewidth=0.7, linestyle="-.", label="median")
        for limit in (results.v_min_pu, results.v_max_pu):
            ax.axhline(limit, color=LIMIT, linewidth=1.0, linestyle="--")
        ax.set(title="Voltage of live nodes", ylabel="voltage, pu")
        # A node that is about to die in a fault would squeeze everything else.
        ax.set_ylim(max(min(shown), 0.8) - 0.005, min(max(shown), 1.2) + 0.005)
        legend(ax)
        axis.finish(ax)
    return svg(out)


def customers(results: Results) -> str:
    """Customers without supply."""
    axis = time_axis(results)
    with figure(height=2.7) as ((ax,), out):
        for arm, colour, word in arms(results):
            axis.line(ax, arm.customers_off, step=True, color=colour, label=word)
        off = results.run.customers_off
        ax.fill_between(axis.at(off.time_s), off.value, step="post", color=WITH, alpha=0.15, linewidth=0)
        ax.set(title="Customers without supply", ylabel="customers")
        ax.set_ylim(0, max(1.0, 1.1 * max((arm.customers_off.highest for arm, *_ in arms(results)), default=1.0)))
        legend(ax)
        axis.finish(ax)
    return svg(out)


def interface(results: Results) -> str:
    """Import over time against its limits."""
    axis = time_axis(results)
    with figure(height=3.0) as ((ax,), out):
        for arm, colour, word in arms(results):
            axis.line(ax, arm.import_w, scale=1e-3, color=colour, label=word)
        for number, limit in enumerate(results.import_limits):
            stop = results.duration_s if limit.to_s is None else limit.to_s
            ax.plot(
                axis.at([limit.from_s, stop]),
                [limit.max_w / 1e3] * 2,
                color=LIMIT,
                linestyle="--",
                label="import limit" if not number else None,
            )
        ax.set(title="Interface to the transmission grid", ylabel="import, kW")
        legend(ax)
        axis.finish(ax)
    return svg(out)


def fleet(results: Results) -> str:
    """What DER inject."""
    axis = time_axis(results)
    with figure(height=2.8) as ((ax,), out):
        for arm, _, word in arms(results):
            mine = arm is results.run
            for series, name, colour in ((arm.pv_w, "PV", SUN), (arm.battery_w, "batteries and EV", STORE)):
                if has_values(series):
                    axis.line(
                        ax,
                        series,
                        scale=1e-3,
                        color=colour,
                        alpha=1.0 if mine else 0.45,
                        linestyle="-" if mine else "--",
                        label=f"{name}, {word}",
                    )
        ax.axhline(0.0, color="#7f8c8d", linewidth=0.7)
        ax.set(title="Power of the fleet", ylabel="injection, kW")
        legend(ax)
        axis.finish(ax)
    return svg(out)


def losses(results: Results) -> str:
    """Losses of lines and transformers."""
    axis = time_axis(results)
    with figure(height=2.4) as ((ax,), out):
        for arm, colour, word in arms(results):
            axis.line(ax, arm.losses_w, scale=1e-3, color=colour, label=word)
        ax.set(title="Losses", ylabel="losses, kW")
        legend(ax)
        axis.finish(ax)
    return svg(out)


def modes(results: Results) -> str:
    """The service's mode and the grade of its picture."""
    axis = time_axis(results)
    rows = [("mode", results.modes, _MODE_COLOUR), ("grade", results.grades, _GRADE_COLOUR)]
    rows = [row for row in rows if row[1]]
    with figure(height=1.1 + 0.4 * len(rows)) as ((ax,), out):
        named: set[str] = set()
        for place, (_, spells, colours) in enumerate(rows):
            total_s: Counter[str] = Counter()
            for spell in spells:
                total_s[spell.what] += round(spell.end_s - spell.start_s)
            # What is rare comes on top, and wide enough to be seen.
            for word, _ in total_s.most_common():
                mine = [spell for spell in spells if spell.what == word]
                seen_s = axis.end_s / 1200.0
                bars = [(s.start_s / axis.unit_s, max(s.end_s - s.start_s, seen_s) / axis.unit_s) for s in mine]
                colour = colours.get(word, "#7d3c98")
                label = None if word in named else literal(word)
                ax.broken_barh(bars, (place - 0.32, 0.64), color=colour, linewidth=0, label=label)
                named.add(word)
                longest = max(mine, key=lambda spell: spell.end_s - spell.start_s)
                if longest.end_s - longest.start_s > 0.06 * axis.end_s:
                    middle = (longest.start_s + longest.end_s) / 2.0 / axis.unit_s
                    ax.text(middle, place, literal(word), color="white", ha="center", va="center", fontsize=8)
        ax.set_yticks(range(len(rows)), [name for name, *_ in rows])
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.grid(visible=False, axis="y")
        ax.set_title("Mode of the service and grade of its picture")
        legend(ax)
        axis.finish(ax, words=False)
    return svg(out)


def switching(results: Results) -> str:
    """Which switch stood how, from the first one that moved on: bars are closed, colours say who moved it."""
    moved = [event for event in results.events if event.what in {"opened", "closed"}]
    names = list(dict.fromkeys(event.element for event in moved))
    begin, end = (moved[0].time_s, moved[-1].time_s) if moved else (0.0, results.duration_s)
    margin = max(10.0, 0.04 * (end - begin))
    begin, end = max(0.0, begin - margin), min(results.duration_s, end + margin) if moved else end
    unit, label = 1.0, "feeder time, s"
    if end - begin > 600.0:
        unit, label = time_axis(results).unit_s, time_axis(results).label
    with figure(height=1.3 + 0.3 * max(1, len(names))) as ((ax,), out):
        for row, name in enumerate(names):
            mine = [event for event in moved if event.element == name]
            closed, since = mine[0].what == "opened", begin
            for event in mine:
                if closed:
                    ax.barh(row, (event.time_s - since) / unit, left=since / unit, height=0.42, color="#c5ced3")
                closed, since = event.what == "closed", event.time_s
            if closed:
                ax.barh(row, (end - since) / unit, left=since / unit, height=0.42, color="#c5ced3")
            for event in mine:
                shape = "o" if event.what == "closed" else "X"
                ax.plot(
                    event.time_s / unit,
                    row,
                    marker=shape,
                    color=_BY_COLOUR.get(event.by, "#7d3c98"),
                    markersize=7,
                    markeredgecolor="white",
                    markeredgewidth=0.6,
                )
        _fault_lines(ax, results, begin=begin, end=end, unit=unit)
        ax.set_yticks(range(len(names)), [literal(name) for name in names])
        ax.set_ylim(max(len(names), 1) - 0.4, -0.6)
        ax.set_xlim(begin / unit, max(end, begin + 1.0) / unit)
        ax.grid(visible=False, axis="y")
        ax.set(
            title="Switching (bar: closed; ● closes, ✖ opens; blue: by command, red: by protection, ochre: local)",
            xlabel=label,
        )
    return svg(out)


def _fault_lines(ax: Axes, results: Results, *, begin: float, end: float, unit: float) -> None:
    for number, fault in enumerate(results.faults, start=1):
        start, stop = max(fault.start_s, begin), min(end if fault.end_s is None else fault.end_s, end)
        if start < stop and not (fault.start_s <= 0.0 and fault.end_s is None):
            ax.axvspan(start / unit, stop / unit, color=BAND, alpha=0.35, linewidth=0, zorder=0.5)
            place = (start / unit, 0.0)
            ax.annotate(f"F{number}", xy=place, xycoords=ax.get_xaxis_transform(), fontsize=7, color="#a04000")
    for event in results.events:
        if event.what == "fault" and begin <= event.time_s <= end:
            ax.axvline(event.time_s / unit, color=LIMIT, linewidth=1.2)
            ax.annotate(
                " fault", xy=(event.time_s / unit, 1.0), xycoords=ax.get_xaxis_transform(), fontsize=7, color=LIMIT
            )


def rounds(results: Results) -> str:
    """Wall time of the service's rounds over feeder time, and how latencies from sensor to actuator are spread."""
    axis, measured = time_axis(results), results.measured
    with figure(height=2.8, columns=2, ratios=(1.6, 1.0)) as ((over_time, spread), out):
        axis.line(over_time, measured.round_ms, color=WITH, linewidth=0.8, label="round")
        axis.line(over_time, measured.estimate_ms, color=SUN, linewidth=0.8, label="of it the estimate")
        over_time.set(title="Wall time of a round", ylabel="ms")
        over_time.set_ylim(bottom=0.0)
        legend(over_time)
        axis.finish(over_time)
        for latency, colour, word in (
            (results.latency, WITH, "feeder time"),
            (measured.latency, SUN, "machine's clock"),
        ):
            _spread(spread, latency, colour=colour, word=word)
        spread.set(title="Latency", xlabel="from sensor to actuator at most, s", ylabel="share of commands, %")
        spread.set_ylim(0.0, 103.0)
        spread.set_xlim(left=0.0)
        legend(spread)
    return svg(out)


def _spread(ax: Axes, latency: Latency, *, colour: str, word: str) -> None:
    """Share of commands by their latency at most; 99 of 100 are left of the dotted line."""
    delays = np.sort(np.asarray(latency.delay_s.known, dtype=np.float64))
    if not delays.size:
        return
    share = np.arange(1, delays.size + 1) / delays.size * 100.0
    ax.step(np.insert(delays, 0, 0.0), np.insert(share, 0, 0.0), where="post", color=colour, label=word)
    ax.axvline(latency.p99_s, color=colour, linewidth=0.8, linestyle=":")
    ax.text(latency.p99_s, 3.0, f"99 of 100: {latency.p99_s:.3g} s", fontsize=7, color=colour, rotation=90, ha="right")
