"""What all plots of a report have in common: style, time axis, faults as bands, moments as lines, SVG as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from math import isfinite
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from hil.engine import FloatArray
from hil.results import Results
from hil.results_rows import InjectedFault, Mark
from hil.series import Series

PHASE_COLOUR = {1: "#c0392b", 2: "#d68910", 3: "#2471a3"}
WITH, WITHOUT, LIMIT, STORE, SUN = "#1a5276", "#a5adb5", "#922b21", "#1e8449", "#d4a017"
BAND = "#f5cba7"
WIDTH_IN = 11.0
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e7ea",
    "grid.linewidth": 0.7,
    "axes.edgecolor": "#7f8c8d",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 16,
    "lines.linewidth": 1.2,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "legend.fontsize": 8,
    "svg.hashsalt": "adms-hil",
}


@contextmanager
def figure(*, height: float, columns: int = 1, ratios: Sequence[float] = ()) -> Iterator[tuple[list[Axes], StringIO]]:
    """Axes side by side; the SVG is in the second once the block has ended."""
    with matplotlib.rc_context(_STYLE):
        canvas = Figure(figsize=(WIDTH_IN, height), layout="constrained")
        axes = canvas.subplots(1, columns, squeeze=False, width_ratios=ratios or None)
        out = StringIO()
        yield list(axes[0]), out
        canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None})


def svg(out: StringIO) -> str:
    """The picture alone: no XML head, no metadata."""
    text = out.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)


def shorten(text: str, most: int) -> str:
    """At most so many letters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def literal(text: str) -> str:
    """A name as matplotlib draws it letter by letter: a dollar sign begins no formula."""
    return text.replace("$", r"\$")


def legend(ax: Axes) -> None:
    """Above the axes beside the title, where it hides nothing; none where nothing has a name."""
    handles, _ = ax.get_legend_handles_labels()
    if handles:
        # A line of text higher, where the numbers of the faults are not.
        above = ax.transAxes + ScaledTranslation(0.0, 11.0 / 72.0, ax.figure.dpi_scale_trans)
        ax.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            bbox_transform=above,
            ncols=len(handles),
            borderaxespad=0.0,
            borderpad=0.1,
        )


@dataclass(frozen=True, kw_only=True)
class TimeAxis:
    """How feeder time is shown, and what is shown on every time plot."""

    end_s: float
    marks: tuple[Mark, ...]
    faults: tuple[InjectedFault, ...]

    @property
    def unit_s(self) -> float:
        """Minutes, and hours for a long run."""
        return 3600.0 if self.end_s > 3.0 * 3600.0 else 60.0

    @property
    def label(self) -> str:
        """Of the axis."""
        return "feeder time, h" if self.unit_s > 60.0 else "feeder time, min"

    def at(self, time_s: Sequence[float] | FloatArray) -> FloatArray:
        """Times as the axis counts them."""
        return np.asarray(time_s, dtype=np.float64) / self.unit_s

    def line(self, ax: Axes, series: Series, *, scale: float = 1.0, step: bool = False, **style: Any) -> None:
        """One series."""
        values = np.asarray(series.value, dtype=np.float64) * scale
        style.setdefault("linewidth", 0.8 if values.size > 1200 else 1.2)
        if step:
            # The last value stands until the end of the run.
            ax.step(self.at((*series.time_s, self.end_s)), np.append(values, values[-1:]), where="post", **style)
        elif values.size:
            ax.plot(self.at(series.time_s), values, **style)

    def finish(self, ax: Axes, *, words: bool = True) -> None:
        """Limits and label of the axis, faults as numbered bands, moments as lines and, if wanted, in words."""
        end = max(self.end_s, 1.0) / self.unit_s
        ax.set_xlim(0.0, end)
        ax.set_xlabel(self.label)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=13, steps=[1, 2, 3, 4, 6, 10]))
        above = ax.get_xaxis_transform()
        for fault in self.faults:
            start = fault.start_s / self.unit_s
            stop = end if fault.end_s is None else min(fault.end_s / self.unit_s, end)
            # One that lasts from first to last would only tint the whole plot: its number says it.
            if start < end and not (start <= 0.0 and stop >= end):
                ax.axvspan(start, max(stop, start + end / 500.0), color=BAND, alpha=0.35, linewidth=0, zorder=0.5)
        for place, label in self._fault_labels(end):
            ax.text(place, 1.01, label, transform=above, fontsize=7, color="#a04000", va="bottom", clip_on=False)
        for mark in self.marks:
            place = mark.time_s / self.unit_s
            if place > end:
                continue
            ax.axvline(place, color="#7f8c8d", linewidth=0.8, linestyle=":")
            if not words:
                continue
            ax.annotate(
                literal(shorten(mark.text, 32)),
                xy=(place, 0.98),
                xycoords=above,
                xytext=(3, 0),
                textcoords="offset points",
                rotation=90,
                va="top",
                ha="left",
                fontsize=7,
                color="#566573",
                annotation_clip=True,
            )

    def _fault_labels(self, end: float) -> list[tuple[float, str]]:
        """Where bands begin, and their numbers; those that begin next to each other share a label."""
        groups: list[tuple[float, list[int]]] = []
        begun = sorted((fault.start_s / self.unit_s, number) for number, fault in enumerate(self.faults, start=1))
        for place, number in begun:
            if place >= end:
                continue
            if groups and place - groups[-1][0] < 0.035 * end:
                groups[-1][1].append(number)
            else:
                groups.append((place, [number]))
        return [(place, f"F{n[0]}" if len(n) == 1 else f"F{min(n)}–{max(n)}") for place, n in groups]


def time_axis(results: Results) -> TimeAxis:
    """Of a run."""
    return TimeAxis(end_s=results.duration_s, marks=results.marks, faults=results.faults)


def joined(first: Series, second: Series) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Two series on the times of both, for the area between them; straight between samples, missing where one is."""
    times = np.array(sorted({*first.time_s, *second.time_s}), dtype=np.float64)

    def on(series: Series) -> FloatArray:
        if not series.time_s:
            return np.full(times.size, np.nan)
        return np.asarray(np.interp(times, series.time_s, series.value), dtype=np.float64)

    return times, on(first), on(second)


def has_values(series: Series) -> bool:
    """Whether there is something to draw."""
    return any(isfinite(value) for value in series.value)
