"""Voltage where customers are: shares of time inside limits, extremes, and never worse than doing nothing."""

from __future__ import annotations

import numpy as np

from hil.engine import FloatArray
from hil.measures.findings import Findings
from hil.measures.measure import Finding, at_least, at_most, not_applicable, not_judged
from hil.record import DEAD_PU, Trace, spans_s, voltage_ok_frac

_SHARE = 0.999
_NOBODY = not_judged("no node was alive outside a fault")


def _ok(found: Findings) -> Finding:
    if found.service_gone:
        return not_applicable("the service was gone at the end: voltage was left to local controls")
    low, high = found.limits.v_min_pu, found.limits.v_max_pu
    share = voltage_ok_frac(found.trace, v_min_pu=low, v_max_pu=high)
    return Finding(value=share, text=f"{100 * share:.2f} % of node-minutes within {low} to {high} pu")


def _gain(found: Findings) -> Finding:
    if found.idle is None:
        return not_judged("the idle run is missing")
    low, high = found.limits.v_min_pu, found.limits.v_max_pu
    with_it, without = (voltage_ok_frac(trace, v_min_pu=low, v_max_pu=high) for trace in (found.trace, found.idle))
    text = f"{100 * with_it:.3f} % of node-minutes within {low} to {high} pu, doing nothing {100 * without:.3f} %"
    return Finding(value=with_it - without, text=text)


def _live(trace: Trace) -> FloatArray:
    """Voltages of live nodes at all scans while protection is not working on a fault."""
    columns = [v[v > DEAD_PU] for v, in_fault in zip(trace.v_pu, trace.in_fault, strict=True) if not in_fault]
    return np.concatenate(columns) if columns else np.zeros(0)


def _beyond(values: FloatArray) -> float:
    """The least of the values that 99.9 % of them do not exceed: the highest of fewer than a thousand."""
    return float(np.quantile(values, _SHARE, method="inverted_cdf"))


def _in_words(value: float, live: FloatArray, *, side: str) -> str:
    all_of_them = f"{live.min():.4f} to {live.max():.4f} pu"
    return f"at most {1.0 - _SHARE:.1%} of {live.size} node-scans are {side} {value:.4f} pu; all: {all_of_them}"


def _highest(found: Findings) -> Finding:
    live = _live(found.trace)
    if not live.size:
        return _NOBODY
    value = _beyond(live)
    return Finding(value=value, text=_in_words(value, live, side="above"))


def _lowest(found: Findings) -> Finding:
    live = _live(found.trace)
    if not live.size:
        return _NOBODY
    value = -_beyond(-live)
    return Finding(value=value, text=_in_words(value, live, side="below"))


def _out_longest(found: Findings) -> Finding:
    trace = found.trace
    if not trace.v_pu:
        return not_judged("nothing was recorded")
    low, high = found.limits.v_min_pu, found.limits.v_max_pu
    out_s = np.zeros(len(trace.nodes))
    longest_s, where, end_s = 0.0, -1, 0.0
    for v, in_fault, span_s, time_s in zip(trace.v_pu, trace.in_fault, spans_s(trace), trace.time_s, strict=True):
        outside = (v > DEAD_PU) & ((v < low) | (v > high)) & (not in_fault)
        out_s = np.where(outside, out_s + span_s, 0.0)
        if out_s.size and out_s.max() > longest_s:
            where = int(out_s.argmax())
            longest_s, end_s = float(out_s[where]), time_s
    if where < 0:
        return Finding(value=0.0, text=f"no node was outside {low} to {high} pu")
    bus, phase = trace.nodes[where]
    return Finding(value=longest_s, text=f"{bus} phase {phase} for {longest_s:.6g} s until {end_s:.6g} s")


MEASURES = (
    at_least(
        "voltage_ok_frac_min",
        "1",
        what="share of live node-scans within the normal limits; not while protection works (EN 50160, ANSI C84.1)",
        find=_ok,
    ),
    at_least(
        "voltage_ok_gain_frac",
        "1",
        what="that share less that of the same feeder without the service: below 0 it makes voltage worse",
        find=_gain,
    ),
    at_most("v_max_p999_pu", "pu", what="voltage that at most 0.1 % of the live node-scans are above", find=_highest),
    at_least("v_min_p999_pu", "pu", what="voltage that at most 0.1 % of the live node-scans are below", find=_lowest),
    at_most(
        "voltage_out_longest_s",
        "s",
        what="longest time that one live node stayed outside the normal limits",
        find=_out_longest,
    ),
)
