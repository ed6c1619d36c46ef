"""An estimate as a JSON object and as a summary to read."""

import math
from cmath import phase
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

from adms.adapters.measurements_rows import POSITIONS, Measurements
from adms.cli.estimate_beliefs import POLICY, Believed
from adms.cli.estimate_redundancy import observability, print_observability
from adms.core.estimate import Estimate, Innovations, SigmaSource, Use
from adms.core.telemetry import WEIGHED_KINDS, PointKey
from adms.estimation import EstimatorState
from adms.grid.arrays import GROUND, NetworkArrays

_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Scan:
    """An estimate and how long it took."""

    estimate: Estimate
    milliseconds: float
    """Of this one, from nothing, with what its first use loads."""
    warm_milliseconds: float
    """Of the next one, from where this one ended."""
    state: EstimatorState
    """That this one left."""


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def not_estimated(reason: str, *, about: dict[str, Any], believed: Believed, warnings: list[str]) -> dict[str, Any]:
    """The JSON object of a failure: the same keys, empty.

    Args:
        reason: why there is no estimate.
        about: which model and study.
        believed: pseudo-measurements.
        warnings: what the user should know.
    """
    nothing: dict[str, Any] = dict.fromkeys(
        ("chi2", "degrees_of_freedom", "iterations", "milliseconds", "warm_milliseconds", "losses_w", "observability")
    )
    empty: dict[str, Any] = {"nodes": [], "injections": [], "sources": [], "measurements": [], "rejected": []}
    head = {"converged": False, "grade": "failed", "reason": reason, **about, "pseudo": _pseudo(believed)}
    return {**head, **nothing, **empty, "warnings": warnings}


def report(
    scan: Scan,
    arrays: NetworkArrays,
    *,
    measurements: Measurements,
    believed: Believed,
    about: dict[str, Any],
    overruled: Mapping[str, str],
    warnings: list[str],
) -> dict[str, Any]:
    """The JSON object of an estimate; what is not known is None.

    Args:
        scan: the estimate.
        arrays: its network.
        measurements: its rows.
        believed: pseudo-measurements.
        about: which model and study.
        overruled: devices whose row says a position that is not taken, and why.
        warnings: what the user should know.
    """
    got = scan.estimate
    rows = _measurements(got.innovations, measurements, overruled=overruled)
    seen = observability(got, arrays, state=scan.state, measurements=measurements, policy=believed.policy)
    return {
        "converged": True,
        "grade": got.grade.name.lower(),
        "reason": got.reason,
        **about,
        "chi2": _number(got.chi2),
        "degrees_of_freedom": got.degrees_of_freedom,
        "iterations": got.iterations,
        "milliseconds": scan.milliseconds,
        "warm_milliseconds": scan.warm_milliseconds,
        "pseudo": _pseudo(believed, determined=seen["determined"], dead=seen["dead"]),
        "losses_w": _number(got.losses_w),
        "sources": [
            {"source": source.id, "p_w": _number(s.real), "q_var": _number(s.imag)}
            for source, s in zip(arrays.model.sources, got.s_source_va.tolist(), strict=True)
        ],
        "observability": seen,
        "rejected": [row["line"] for row in rows if row["use"] == Use.REJECTED.value],
        "measurements": rows,
        "nodes": _nodes(got, arrays),
        "injections": _injections(got, arrays),
        "warnings": warnings,
    }


def _pseudo(believed: Believed, *, determined: Sized | None = None, dead: Sized = ()) -> dict[str, Any]:
    """`determined` and `dead` nodes are those of the estimate, if there is one: the rule was found before it, at the
    powers of the model, and a node that telemetry hardly determines can be on either side."""
    used = believed.rule != "none"
    why = believed.why
    before, count = int(believed.determined.sum()), len(believed.determined) - len(dead)
    if believed.rule == "unmeasured" and determined is not None and len(determined) != before:
        why = (
            f"the telemetry alone determines {len(determined)} of {count} energised nodes, {before} at the powers of "
            "the model"
        )
    return {
        "rule": believed.rule,
        "why": why,
        "injectors": believed.held,
        "own_sigma_frac": POLICY.load_sigma_frac if used else None,
        "common_sigma_frac": POLICY.load_scale_sigma_frac if used else None,
    }


def _nodes(got: Estimate, arrays: NetworkArrays) -> list[dict[str, Any]]:
    nodes = []
    for row, node in enumerate(arrays.nodes):
        v = complex(got.v_phasor_pu[row])
        known = math.isfinite(abs(v))
        nodes.append(
            {
                "bus": node.bus,
                "phase": str(node.phase),
                "v_pu": abs(v) if known else None,
                "v_v": abs(v) * float(arrays.v_base_v[row]) if known else None,
                "angle_deg": math.degrees(phase(v)) if known and v else None,
                "sigma_pu": _number(got.sigma_v_pu[row]),
                "source": SigmaSource(got.sigma_source[row]).name.lower(),
            }
        )
    return nodes


def _injections(got: Estimate, arrays: NetworkArrays) -> list[dict[str, Any]]:
    rows = []
    for injector, s in zip(arrays.injectors, got.s_injection_va.tolist(), strict=True):
        phases = [arrays.nodes[node].phase for node in (injector.fr, injector.to) if node != GROUND]
        rows.append(
            {
                "element": injector.element,
                "phase": "".join(map(str, phases)),
                "p_w": _number(s.real),
                "q_var": _number(s.imag),
            }
        )
    return rows


def _measurements(
    innovations: Innovations, measurements: Measurements, *, overruled: Mapping[str, str]
) -> list[dict[str, Any]]:
    place = {key: i for i, key in enumerate(innovations.keys)}
    rows = []
    for row in measurements.rows:
        at = place.get(row.key)
        use, why = _not_weighed(row.key, overruled) if at is None else (innovations.use[at], innovations.why[at])
        residual = float(innovations.residual[at]) if at is not None else math.nan
        normalized = float(innovations.normalized[at]) if at is not None else math.nan
        rows.append(
            {
                "line": row.line,
                "kind": row.key.kind.value,
                "element": row.key.element,
                "phase": str(row.key.phase),
                "side": row.key.side,
                "value": row.value,
                "estimated": _number(row.value - residual),
                "residual": _number(residual),
                "sigma": _number(row.sigma),
                "normalized": _number(normalized),
                "critical": at is not None and bool(innovations.critical[at]),
                "use": use.value,
                "why": why,
            }
        )
    return rows


def unused(rows: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """A warning for each reason why rows that an estimate weighs are not used; of old ones another one tells.

    Args:
        rows: as `report` makes them.
    """
    weighed = {kind.value for kind in WEIGHED_KINDS}
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["use"] == Use.NOT_USED.value and row["kind"] in weighed and row["why"] != "too old":
            found.setdefault(row["why"], []).append(str(row["line"]))
    return [
        f"not used, {why}: line{'s' if len(lines) > 1 else ''} {', '.join(lines[:_SHOWN])}"
        + (f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else "")
        for why, lines in found.items()
    ]


def _not_weighed(key: PointKey, overruled: Mapping[str, str]) -> tuple[Use, str]:
    """Use of a point that has no residual."""
    if key.kind not in POSITIONS:
        return Use.NOT_USED, "an estimate has no use for this kind"
    if key.element in overruled:
        return Use.NOT_USED, overruled[key.element]
    return Use.USED, "a position: it says which network this is"


def print_estimate(result: dict[str, Any]) -> None:
    """A summary of the JSON object of `report`."""
    pseudo, seen = result["pseudo"], result["observability"]
    print(f"{result['model']}: {result['grade']} in {result['iterations']} steps, {result['milliseconds']:.1f} ms")
    if result["reason"]:
        print(f"reason: {result['reason']}")
    print(f"pseudo-measurements: {pseudo['rule']} ({pseudo['why']})")
    if pseudo["own_sigma_frac"] is not None:
        own, common = 100.0 * pseudo["own_sigma_frac"], 100.0 * pseudo["common_sigma_frac"]
        print(f"of {pseudo['injectors']} injections, sigma {own:.0f} % each and {common:.0f} % in common")
    print_observability(seen)
    if all(source["p_w"] is not None for source in result["sources"]):
        p_w, q_var = (sum(source[part] for source in result["sources"]) for part in ("p_w", "q_var"))
        print(f"sources deliver {p_w / 1e3:.1f} kW, {q_var / 1e3:.1f} kvar")
    if result["losses_w"] is not None:
        print(f"losses {result['losses_w'] / 1e3:.2f} kW")
    if result["chi2"] is not None:
        print(f"chi-squared {result['chi2']:.1f} at {result['degrees_of_freedom']} degrees of freedom")
    _print_voltages([node for node in result["nodes"] if node["v_pu"] and node["sigma_pu"] is not None])
    _print_measurements(result["measurements"])
    for rank, each in enumerate(result.get("suggestions", ()), start=1):
        print(f"{'one more sensor would help most:' if rank == 1 else 'then:'} {each['words']}")


def _print_voltages(known: list[dict[str, Any]]) -> None:
    for word, choose, by in (("lowest", min, "v_pu"), ("highest", max, "v_pu"), ("least known", max, "sigma_pu")):
        node = choose(known, key=lambda each: float(each[by]), default=None)
        if node is not None:
            place = f"{node['bus']}.{node['phase']} ({node['source']})"
            print(f"{word} voltage {node['v_pu']:.4f} pu, sigma {node['sigma_pu']:.4f}, at {place}")


def _print_measurements(rows: list[dict[str, Any]]) -> None:
    counts = {use: sum(row["use"] == use.value for row in rows) for use in Use}
    critical = sum(row["critical"] for row in rows)
    print(
        f"measurements: {counts[Use.USED]} used ({critical} critical: nothing else checks them), "
        f"{counts[Use.REJECTED]} rejected, {counts[Use.NOT_USED]} not used"
    )
    weighed = [row for row in rows if row["use"] == Use.USED.value and row["normalized"] is not None]
    if weighed:
        print(f"largest residual of those used: {_one_line(max(weighed, key=lambda row: abs(row['normalized'])))}")
    for use in (Use.REJECTED, Use.NOT_USED):
        chosen = [row for row in rows if row["use"] == use.value]
        for row in chosen[:_SHOWN]:
            print(f"  {use.value.replace('_', ' ')}, {_one_line(row)}")
        if len(chosen) > _SHOWN:
            print(f"  and {len(chosen) - _SHOWN} more")


def _one_line(row: dict[str, Any]) -> str:
    place = row["element"] + (f".{row['phase']}" if row["phase"] != "0" else "")
    said = f"line {row['line']}: {row['kind']} {place} says {row['value']:g}"
    if row["estimated"] is not None:
        said += f", estimated {row['estimated']:g}"
    if row["normalized"] is not None:
        said += f", {abs(row['normalized']):.1f} sigma off"
    return said + (f": {row['why']}" if row["why"] else "")
