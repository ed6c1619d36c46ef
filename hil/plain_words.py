"""What happened in a run, in sentences for someone who knows nothing of it."""

from __future__ import annotations

from hil.against_idle import in_words
from hil.results import Measure, Results, Standing


def clock(time_s: float) -> str:
    """Feeder time from the start: 3:05 (min:s) in the first hour, 14:03:05 in a longer run."""
    seconds = round(time_s, 1)
    hours, rest = divmod(seconds, 3600.0)
    minutes, left = divmod(rest, 60.0)
    shown = f"{left:04.1f}" if left % 1.0 else f"{left:02.0f}"
    return f"{hours:.0f}:{minutes:02.0f}:{shown}" if hours else f"{minutes:.0f}:{shown}"


def long(duration_s: float) -> str:
    """A stretch of time."""
    if duration_s < 90.0:
        return f"{duration_s:.0f} s"
    return f"{duration_s / 60.0:.0f} min" if duration_s < 5400.0 else f"{duration_s / 3600.0:.1f} h"


def sentences(results: Results) -> list[str]:
    """The run from its record: what was played, what broke, what the service did, what it was good for."""
    played = f"{long(results.duration_s)} of feeder time on {results.feeder}, seed {results.seed}"
    who = "with the service" if results.service else "without the service"
    said = [f"{played}, {who}."]
    said += _troubles(results)
    said += _work(results)
    said += _outcome(results)
    return said


def _troubles(results: Results) -> list[str]:
    said = []
    faults = [event for event in results.events if event.what == "fault"]
    if faults:
        first = faults[0]
        others = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        said.append(f"A fault struck {first.element} at {clock(first.time_s)} ({first.text}){others}.")
    highest_off = results.run.customers_off.highest
    if highest_off > 0:
        said.append(f"At worst {highest_off:,.0f} customers had no supply.")
    said += [
        f"From {clock(limit.from_s)} on, import was limited to {limit.max_w / 1e3:,.0f} kW."
        for limit in results.import_limits[:2]
    ]
    if results.faults:
        count = len(results.faults)
        shown = "; ".join(f"{one.where} {one.text}" for one in results.faults[:3])
        more = f"; and {count - 3} more" if count > 3 else ""
        said.append(f"{count} fault{'s were' if count > 1 else ' was'} put into the field's equipment: {shown}{more}.")
    return said


def _work(results: Results) -> list[str]:
    if not results.service:
        return []
    moves = len(results.moves) + results.moves_left_out
    refused = sum(refusal.times for refusal in results.refusals)
    said = [
        f"The service commanded {moves} move{'' if moves == 1 else 's'} of switches, taps and capacitors and gave "
        f"{results.lease_count} lease{'' if results.lease_count == 1 else 's'} to DER; its gate refused {refused}."
    ]
    if results.estimate is not None and results.estimate.ratio == results.estimate.ratio:
        ratio = results.estimate.ratio
        said.append(
            f"Its estimate was off by {results.estimate.rms_error_pu:.4f} pu (rms), "
            f"{ratio:.2f} times what it predicted of itself."
        )
    return said


def _outcome(results: Results) -> list[str]:
    by_key = {measure.key: measure for measure in results.measures}
    said = []
    minutes, inside = by_key.get("customer_minutes"), by_key.get("voltage_inside")
    if minutes is not None and (minutes.value > 0 or minutes.idle > 0):
        said.append(f"{minutes.value:,.0f} customer minutes were lost{_idle(minutes)}.")
    if inside is not None and inside.value == inside.value:
        figure = in_words(inside.value, unit=inside.unit, digits=inside.digits)
        said.append(f"Voltages were within limits for {figure} of node-minutes{_idle(inside)}.")
    for check in results.all_checks:
        if check.standing is Standing.BROKEN:
            said.append(f"Broken: {check.name}: {check.text}.")
        elif check.standing is Standing.OPEN:
            said.append(f"Open shortfall: {check.name}: {check.text} ({check.shortfall}).")
    return said


def _idle(measure: Measure) -> str:
    if measure.idle != measure.idle:
        return ""
    return f" ({in_words(measure.idle, unit=measure.unit, digits=measure.digits)} without the service)"
