"""The transmission interface: limits held, peak."""

from __future__ import annotations

from math import nan

from hil.measures.findings import Findings
from hil.measures.measure import Finding, at_most, not_applicable, not_judged
from hil.record import minute_means


def _import_excess(found: Findings) -> Finding:
    if found.import_max_w is None:
        return not_applicable("nobody limited import")
    if found.service_gone:
        return not_applicable("the service was gone at the end: nobody held the limit of import")
    means = minute_means(found.trace, from_s=found.import_judged_from_s)
    worst = max((mean for _, mean in means), default=nan)
    return Finding(
        value=worst / found.import_max_w - 1.0,
        text=f"highest one-minute mean {worst / 1e3:.0f} kW against {found.import_max_w / 1e3:.0f} kW",
    )


def _export_excess(found: Findings) -> Finding:
    if found.export_max_w is None:
        return not_judged("nobody limited export")
    means = minute_means(found.trace, from_s=found.export_judged_from_s)
    worst = max((-mean for _, mean in means), default=nan)
    text = f"highest one-minute mean of export {worst / 1e3:.0f} kW against {found.export_max_w / 1e3:.0f} kW"
    if found.export_max_w <= 0.0:
        return not_judged(f"{text}: there is no share of that")
    return Finding(value=worst / found.export_max_w - 1.0, text=text)


def _peak(found: Findings) -> Finding:
    means = minute_means(found.trace, from_s=0.0)
    if not means:
        return not_judged("the run is shorter than a minute")
    end_s, worst = max(means, key=lambda item: item[1])
    return Finding(value=worst, text=f"highest one-minute mean of import {worst / 1e3:.0f} kW, until {end_s:.6g} s")


MEASURES = (
    at_most(
        "import_excess_frac_max",
        "1",
        what="highest one-minute mean of import over its limit, less 1, from the end of its settling time on",
        find=_import_excess,
    ),
    at_most(
        "export_excess_frac",
        "1",
        what="highest one-minute mean of export over its limit, less 1, from the end of its settling time on",
        find=_export_excess,
    ),
    at_most("import_peak_w", "W", what="highest one-minute mean of import in the whole run", find=_peak),
)
