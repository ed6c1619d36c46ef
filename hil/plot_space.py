"""Plots of a run over the feeder and over the estimate, from its record, as SVG text."""

from __future__ import annotations

import numpy as np

from hil.plain_words import clock
from hil.plot_base import LIMIT, PHASE_COLOUR, WITH, WITHOUT, figure, legend, literal, svg, time_axis
from hil.record import DEAD_PU
from hil.results import EstimateResult, Results

MANY = 1500
"""More points than this are drawn as one picture, not one by one."""


def voltage_profile(results: Results) -> str:
    """Voltage by distance and phase, one panel a moment."""
    profile = results.profile
    distance, phases = np.array(profile.distance_km), np.array(profile.phase)
    count = max(1, len(profile.snapshots))
    with figure(height=3.3, columns=count) as (axes, out):
        for ax, snapshot in zip(axes, profile.snapshots, strict=False):
            v_pu = np.array(snapshot.v_pu)
            for phase, colour in PHASE_COLOUR.items():
                rows = (phases == phase) & (v_pu > DEAD_PU)
                ax.scatter(
                    distance[rows],
                    v_pu[rows],
                    s=8,
                    color=colour,
                    alpha=0.8,
                    linewidths=0,
                    label=f"phase {phase}",
                    rasterized=distance.size > MANY,
                )
            for limit in (results.v_min_pu, results.v_max_pu):
                ax.axhline(limit, color=LIMIT, linewidth=1.0, linestyle="--")
            dead = int((v_pu <= DEAD_PU).sum())
            ax.set_title(f"{literal(snapshot.title)}, {clock(snapshot.time_s)}", pad=6)
            ax.set_xlabel("distance from the head, km")
            if dead:
                ax.text(0.98, 0.03, f"{dead} nodes without supply", transform=ax.transAxes, ha="right", fontsize=7)
        live = [v for snapshot in profile.snapshots for v in snapshot.v_pu if v > DEAD_PU]
        low, high = min([*live, results.v_min_pu]), max([*live, results.v_max_pu])
        for ax in axes:
            ax.set_ylim(max(low, 0.8) - 0.014, min(high, 1.2) + 0.008)
        axes[0].set_ylabel("voltage, pu")
        if profile.snapshots:
            axes[0].legend(loc="lower left", ncols=3, handletextpad=0.1, columnspacing=0.8)
    return svg(out)


def estimate(results: Results, found: EstimateResult) -> str:
    """Rms error against the prediction over time, and estimate against truth node by node."""
    axis = time_axis(results)
    with figure(height=3.3, columns=2, ratios=(1.6, 1.0)) as ((over_time, scatter), out):
        axis.line(over_time, found.pseudo_pu, scale=1e3, color=WITHOUT, label="power flow on the priors")
        axis.line(over_time, found.error_pu, scale=1e3, color=WITH, label="estimate")
        axis.line(over_time, found.sigma_pu, scale=1e3, color=LIMIT, linestyle="--", label="predicted by the service")
        over_time.set(title="Voltage error", ylabel="rms error, 0.001 pu")
        over_time.set_ylim(bottom=0.0)
        legend(over_time)
        axis.finish(over_time)
        truth, said, spread = (np.array(v) for v in (found.truth_pu, found.estimate_pu, found.spread_pu))
        if truth.size:
            inside = np.abs(said - truth) <= 3.0 * spread
            for rows, colour, word in (
                (inside, WITH, "within 3 sigma"),
                (~inside, LIMIT, f"beyond 3 sigma ({int((~inside).sum())} of {truth.size} shown)"),
            ):
                scatter.scatter(
                    truth[rows], said[rows], s=5, color=colour, alpha=0.45, linewidths=0, label=word, rasterized=True
                )
            span = [float(min(truth.min(), said.min())), float(max(truth.max(), said.max()))]
            scatter.plot(span, span, color="#566573", linewidth=0.8)
            scatter.legend(loc="upper left", markerscale=2.0, handletextpad=0.1)
        scatter.set(title="Estimate against truth", xlabel="true voltage, pu", ylabel="estimated voltage, pu")
    return svg(out)
