"""Energy and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hil.engine import FloatArray
from hil.measures.findings import Findings
from hil.measures.measure import Finding, at_most, change_frac, not_judged
from hil.prices import Prices, price_at
from hil.record import Trace, spans_s

_J_PER_KWH = 3.6e6
NOTHING = not_judged("nothing was recorded")


def _kwh(trace: Trace, power_w: FloatArray | Sequence[float]) -> float:
    return float((spans_s(trace) * np.asarray(power_w, dtype=np.float64)).sum() / _J_PER_KWH)


def _imported_kwh(trace: Trace) -> float:
    return _kwh(trace, np.maximum(np.array(trace.import_w), 0.0))


def _exported_kwh(trace: Trace) -> float:
    return _kwh(trace, np.maximum(-np.array(trace.import_w), 0.0))


def _imported(found: Findings) -> Finding:
    if not found.trace.import_w:
        return NOTHING
    energy = _imported_kwh(found.trace)
    return Finding(value=energy, text=f"{energy:.6g} kWh imported")


def _exported(found: Findings) -> Finding:
    if not found.trace.import_w:
        return NOTHING
    energy = _exported_kwh(found.trace)
    return Finding(value=energy, text=f"{energy:.6g} kWh exported")


def _losses(found: Findings) -> Finding:
    if found.idle is None or not found.idle.losses_w or not found.trace.losses_w:
        return not_judged("the idle run is missing")
    with_it, without = (_kwh(trace, trace.losses_w) for trace in (found.trace, found.idle))
    return change_frac(with_it, before=without, of="losses in kWh")


def _curtailed(found: Findings) -> Finding:
    trace = found.trace
    available, delivered = np.array(trace.pv_available_w), np.array(trace.pv_w)
    possible = _kwh(trace, available) if available.size else 0.0
    if possible <= 0.0:
        return not_judged("no PV could have injected anything")
    lost = _kwh(trace, np.maximum(available - delivered, 0.0))
    return Finding(value=lost / possible, text=f"{lost:.6g} of {possible:.6g} kWh of PV were not injected")


def _paid(trace: Trace, prices: Prices) -> float:
    """Every span at the price with which it begins."""
    starts = [0.0, *trace.time_s[:-1]]
    import_w = np.array(trace.import_w)
    price = np.array(
        [
            price_at(prices.import_per_kwh if power >= 0.0 else prices.export_per_kwh, time_s=start_s)
            for start_s, power in zip(starts, import_w, strict=True)
        ]
    )
    return _kwh(trace, import_w * price)


def _cost(found: Findings) -> Finding:
    if found.prices is None:
        return not_judged("the scenario gives no [prices]")
    if not found.trace.import_w:
        return NOTHING
    paid = _paid(found.trace, found.prices)
    return Finding(value=paid, text=f"{paid:.2f} {found.prices.currency} for what went over the interface")


def _cost_gain(found: Findings) -> Finding:
    if found.prices is None:
        return not_judged("the scenario gives no [prices]")
    if found.idle is None or not found.idle.import_w or not found.trace.import_w:
        return not_judged("the idle run is missing")
    with_it, without = (_paid(trace, found.prices) for trace in (found.trace, found.idle))
    text = f"{with_it:.2f} {found.prices.currency}, doing nothing {without:.2f} {found.prices.currency}"
    return Finding(value=with_it - without, text=text)


MEASURES = (
    at_most("energy_imported_kwh", "kWh", what="energy from the transmission side", find=_imported),
    at_most("energy_exported_kwh", "kWh", what="energy to the transmission side", find=_exported),
    at_most(
        "losses_vs_idle_frac",
        "1",
        what="losses against those of the same feeder without the service: -0.1 is a tenth less",
        find=_losses,
    ),
    at_most(
        "curtailed_energy_frac",
        "1",
        what="share of what PV could have injected and did not, for whatever reason but its own protection",
        find=_curtailed,
    ),
    at_most("energy_cost", "currency", what="what the energy over the interface costs, export paid for", find=_cost),
    at_most(
        "energy_cost_vs_idle",
        "currency",
        what="that cost less that of the same feeder without the service: below 0 it saves",
        find=_cost_gain,
    ),
)
