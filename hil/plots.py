"""Plots of a run as SVG text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hil.engine import FloatArray
from hil.plant.circuit import Node
from hil.plant.events import PlantEvent
from hil.record import DEAD_PU, EstimateRow, Trace

PHASE_COLOUR = {1: "#c0392b", 2: "#d68910", 3: "#2471a3"}
WITH, WITHOUT, LIMIT = "#1a5276", "#b0b7bd", "#922b21"
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e7ea",
    "grid.linewidth": 0.7,
    "axes.edgecolor": "#7f8c8d",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.hashsalt": "adms-hil",
}


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Moments of the story, s from the start."""

    moments: tuple[tuple[float, str], ...]


@contextmanager
def _figure(*, width: float, height: float, columns: int = 1) -> Iterator[tuple[Figure, list[Axes], StringIO]]:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, columns, squeeze=False)
        out = StringIO()
        yield figure, list(axes[0]), out
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})


def _svg(out: StringIO) -> str:
    text = out.getvalue()
    return text[text.index("<svg") :]


def _mark(ax: Axes, marks: Marks) -> None:
    top = ax.get_ylim()[1]
    for time_s, word in marks.moments:
        ax.axvline(time_s / 60.0, color="#95a5a6", linewidth=0.8, linestyle=":")
        ax.text(time_s / 60.0, top, f" {word}", rotation=90, va="top", ha="left", fontsize=7, color="#616a6b")


def _minutes(times_s: Sequence[float]) -> FloatArray:
    return np.asarray(times_s, dtype=np.float64) / 60.0


def voltage_profile(
    profiles: Sequence[tuple[str, FloatArray]],
    *,
    nodes: tuple[Node, ...],
    distance_km: Mapping[str, float],
    v_min_pu: float,
    v_max_pu: float,
) -> str:
    """Voltage by distance and phase, one panel a moment."""
    with _figure(width=11.0, height=3.4, columns=len(profiles)) as (_, axes, out):
        for ax, (title, v_pu) in zip(axes, profiles, strict=True):
            for phase, colour in PHASE_COLOUR.items():
                rows = [i for i, (b, p) in enumerate(nodes) if p == phase and b in distance_km and v_pu[i] > DEAD_PU]
                ax.scatter(
                    [distance_km[nodes[i][0]] for i in rows], v_pu[rows], s=9, color=colour, label=f"phase {phase}"
                )
            for limit in (v_min_pu, v_max_pu):
                ax.axhline(limit, color=LIMIT, linewidth=1.0, linestyle="--")
            ax.set(title=title, xlabel="distance along the feeder, km", ylabel="voltage, pu")
            ax.set_ylim(v_min_pu - 0.015, v_max_pu + 0.015)
        axes[0].legend(loc="lower left", ncols=3)
    return _svg(out)


def interface(run: Trace, *, idle: Trace, limit_w: float | None, limit_from_s: float, marks: Marks) -> str:
    """Import over time against its limit, with and without the service, and what the batteries give."""
    with _figure(width=11.0, height=3.2) as (_, (ax,), out):
        for trace, colour, word in ((idle, WITHOUT, "doing nothing"), (run, WITH, "with the service")):
            # A scan that falls into the fault shows its current, not the import.
            shown = np.where(trace.in_fault, np.nan, np.array(trace.import_w) / 1e3)
            ax.plot(_minutes(trace.time_s), shown, color=colour, label=word)
        ax.plot(
            _minutes(run.time_s),
            np.array(run.battery_w) / 1e3,
            color="#1e8449",
            linewidth=1.0,
            label="batteries and EV",
        )
        if limit_w is not None and run.time_s:
            ax.plot(
                [limit_from_s / 60.0, run.time_s[-1] / 60.0],
                [limit_w / 1e3] * 2,
                color=LIMIT,
                linestyle="--",
                label="import limit",
            )
        ax.set(title="Interface to the transmission grid", xlabel="feeder time, min", ylabel="import, kW")
        ax.legend(loc="lower left", ncols=4)
        _mark(ax, marks)
    return _svg(out)


def estimate(rows: Sequence[EstimateRow], *, marks: Marks) -> str:
    """Rms error against the prediction over time, and estimate against truth node by node."""
    with _figure(width=11.0, height=3.4, columns=2) as (_, (over_time, scatter), out):
        times, error, predicted, pseudo = [], [], [], []
        for row in rows:
            good = np.isfinite(row.v_pu) & (row.truth_pu > DEAD_PU)
            if not good.any():
                continue
            times.append(row.time_s)
            error.append(float(np.sqrt(np.mean((row.v_pu - row.truth_pu)[good] ** 2))))
            predicted.append(float(np.sqrt(np.mean(row.sigma_pu[good] ** 2))))
            pseudo.append(float(np.sqrt(np.nanmean((row.pseudo_pu - row.truth_pu)[good] ** 2))))
        over_time.plot(_minutes(times), np.array(pseudo) * 1e3, color=WITHOUT, label="power flow on the priors")
        over_time.plot(_minutes(times), np.array(error) * 1e3, color=WITH, label="estimate")
        over_time.plot(_minutes(times), np.array(predicted) * 1e3, color=LIMIT, linestyle="--", label="predicted")
        over_time.set(title="Voltage error", xlabel="feeder time, min", ylabel="rms error, 0.001 pu")
        over_time.legend(loc="upper right")
        _mark(over_time, marks)
        if rows:
            chosen = rows[:: max(1, len(rows) // 20)]
            truth = np.concatenate([row.truth_pu for row in chosen])
            said = np.concatenate([row.v_pu for row in chosen])
            good = np.isfinite(said) & (truth > DEAD_PU)
            scatter.scatter(truth[good], said[good], s=3, color=WITH, alpha=0.35, linewidths=0, rasterized=True)
            span = [float(truth[good].min()), float(truth[good].max())] if good.any() else [0.95, 1.05]
            scatter.plot(span, span, color=LIMIT, linewidth=0.8)
        scatter.set(title="Estimate against truth", xlabel="true voltage, pu", ylabel="estimated voltage, pu")
    return _svg(out)


def customers(run: Trace, *, idle: Trace, marks: Marks) -> str:
    """Customers without supply over time."""
    with _figure(width=11.0, height=2.8) as (_, (ax,), out):
        ax.step(_minutes(idle.time_s), idle.customers_off, where="post", color=WITHOUT, label="doing nothing")
        ax.fill_between(_minutes(run.time_s), run.customers_off, step="post", color=WITH, alpha=0.15)
        ax.step(_minutes(run.time_s), run.customers_off, where="post", color=WITH, label="with the service")
        ax.set(title="Customers without supply", xlabel="feeder time, min", ylabel="customers")
        ax.set_ylim(bottom=0)
        ax.legend(loc="upper right")
        _mark(ax, marks)
    return _svg(out)


def voltage_band(run: Trace, *, idle: Trace, v_min_pu: float, v_max_pu: float, marks: Marks) -> str:
    """Lowest and highest voltage of the live nodes over time."""
    with _figure(width=11.0, height=3.0) as (_, (ax,), out):
        for trace, colour, word in ((idle, WITHOUT, "doing nothing"), (run, WITH, "with the service")):
            rows = [i for i, bad in enumerate(trace.in_fault) if not bad]
            low, high = zip(*(trace.live_range(i) for i in rows), strict=True) if rows else ((), ())
            times = _minutes([trace.time_s[i] for i in rows])
            ax.plot(times, low, color=colour, label=word)
            ax.plot(times, high, color=colour)
        for limit in (v_min_pu, v_max_pu):
            ax.axhline(limit, color=LIMIT, linewidth=1.0, linestyle="--")
        ax.set(title="Lowest and highest voltage", xlabel="feeder time, min", ylabel="voltage, pu")
        ax.set_ylim(v_min_pu - 0.02, v_max_pu + 0.02)
        ax.legend(loc="lower left", ncols=2)
        _mark(ax, marks)
    return _svg(out)


def switching(events: Sequence[PlantEvent], *, duration_s: float) -> str:
    """Which switch stood how, from the first one that moved on: bars are closed, colours say who moved it."""
    moves = [event for event in events if event.what in {"opened", "closed"}]
    names = list(dict.fromkeys(event.element for event in moves))
    colour = {"command": WITH, "protection": LIMIT, "local": "#7d6608"}
    begin, end = (moves[0].time_s - 10.0, moves[-1].time_s + 20.0) if moves else (0.0, duration_s)
    with _figure(width=11.0, height=1.2 + 0.34 * max(1, len(names))) as (_, (ax,), out):
        for row, name in enumerate(names):
            mine = [event for event in moves if event.element == name]
            closed, since = mine[0].what == "opened", begin
            for event in mine:
                if closed:
                    ax.barh(row, event.time_s - since, left=since, height=0.42, color="#aab7b8")
                closed, since = event.what == "closed", event.time_s
                ax.plot(event.time_s, row, marker="o" if closed else "X", color=colour[event.by], markersize=7)
            if closed:
                ax.barh(row, end - since, left=since, height=0.42, color="#aab7b8")
        for event in events:
            if event.what == "fault":
                ax.axvline(event.time_s, color=LIMIT, linewidth=1.2)
        ax.set_yticks(range(len(names)), names)
        ax.invert_yaxis()
        ax.set_xlim(begin, end)
        ax.set(title="Switching (bar: closed; blue: by command, red: by protection)", xlabel="feeder time, s")
    return _svg(out)
