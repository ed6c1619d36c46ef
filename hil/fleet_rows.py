"""The fleet unit by unit, and what the energy over the interface cost, from the trace of a run."""

from __future__ import annotations

from collections import Counter
from math import nan

import numpy as np

from hil.engine import FloatArray
from hil.judging import Terms
from hil.measures.ders import _follows as follows
from hil.prices import Prices, price_at
from hil.record import Trace, spans_s
from hil.results_rows import CostLine, FleetRow
from hil.series import rounded


def fleet_rows(trace: Trace, *, terms: Terms) -> tuple[FleetRow, ...]:
    """A row for each DER that the trace has kept."""
    if not trace.der or not trace.ders:
        return ()
    step_h = spans_s(trace)[:, np.newaxis] / 3600.0
    p_w, leased = np.array([scan.p_w for scan in trace.der]), np.array([scan.leased for scan in trace.der])
    room_w = np.array([scan.p_high_w for scan in trace.der]) - p_w
    away = np.array([scan.away for scan in trace.der])
    judged, good = follows(trace, settle_s=terms.der_settle_s, tolerance_frac=terms.der_tolerance_frac)
    energy_wh = (p_w * step_h).sum(axis=0)
    curtailed_wh = (np.where(leased & ~away, np.maximum(room_w, 0.0), 0.0) * step_h).sum(axis=0)
    trips = Counter(event.element for event in trace.events if event.what == "der_trip")
    counted = judged.sum(axis=0)
    return tuple(
        FleetRow(
            der=entry.id,
            kind=entry.kind,
            s_max_va=entry.s_max_va,
            energy_wh=rounded(float(energy_wh[k])),
            # What a store does not give it still has.
            curtailed_wh=rounded(float(curtailed_wh[k])) if entry.kind == "pv" else nan,
            leased_frac=rounded(float(leased[:, k].mean()), digits=4),
            obeying_frac=rounded(float((judged & good)[:, k].sum() / counted[k]), digits=5) if counted[k] else nan,
            trips=trips[entry.id],
        )
        for k, entry in enumerate(trace.ders)
    )


def cost_lines(trace: Trace, *, idle: Trace | None, prices: Prices) -> tuple[CostLine, ...]:
    """What was imported and exported, and what that cost; every span at the price with which it begins."""
    with_it, without = _energy(trace, prices), _energy(idle, prices) if idle is not None else {}
    return tuple(
        CostLine(
            item=item,
            quantity=quantity,
            idle_quantity=without[item][0] if item in without else nan,
            unit="kWh",
            amount=amount,
            idle_amount=without[item][1] if item in without else nan,
            currency=prices.currency,
        )
        for item, (quantity, amount) in with_it.items()
    )


def _energy(trace: Trace, prices: Prices) -> dict[str, tuple[float, float]]:
    starts = [0.0, *trace.time_s[:-1]]
    energy_kwh = np.array(trace.import_w) * spans_s(trace) / 3.6e6
    bought, sold = np.maximum(energy_kwh, 0.0), np.maximum(-energy_kwh, 0.0)

    def priced(energy: FloatArray, series: tuple[tuple[float, float], ...]) -> float:
        return float(sum(e * price_at(series, time_s=t) for e, t in zip(energy, starts, strict=True)))

    return {
        "Energy imported": (float(bought.sum()), priced(bought, prices.import_per_kwh)),
        "Energy exported": (float(sold.sum()), -priced(sold, prices.export_per_kwh)),
    }
