"""Running `adms estimate`: from files to a picture of the network, or why there is none."""

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adms.adapters.measurements import read_measurements
from adms.adapters.measurements_rows import POSITIONS, Measurements
from adms.cli.estimate import Pseudo
from adms.cli.estimate_beliefs import POLICY, Believed, beliefs, within_reason
from adms.cli.estimate_positions import positions_tested, print_positions
from adms.cli.estimate_redundancy import suggestions
from adms.cli.estimate_report import Scan, not_estimated, print_estimate, report, unused
from adms.cli.exits import ExitCode
from adms.cli.names import moved
from adms.cli.progress import underway
from adms.cli.studied import check_plot, ignored, studied
from adms.core.errors import InputError, Problem
from adms.core.estimate import ComplexArray, Estimate, NotEstimated, Use
from adms.core.ids import ElementId
from adms.core.telemetry import TelemetrySnapshot
from adms.estimation import EstimatorState, estimate
from adms.estimation.placement import Objective
from adms.grid.arrays import NetworkArrays
from adms.grid.model import NetworkModel
from adms.grid.reported import reported_grid
from adms.grid.state import GridState


@dataclass(frozen=True, kw_only=True)
class EstimateRequest:
    """What the command line asks for."""

    model: Path
    measurements: Path
    pseudo: Pseudo = Pseudo.NEEDED
    study: Path | None = None
    time_s: float = 0.0
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    positions: bool = False
    """Reported positions are tested."""
    plot: Path | None = None
    suggest: int = 0
    """Sensors to be named that would help most."""
    objective: Objective = Objective.VOLTAGE
    as_json: bool = False


@dataclass(frozen=True, kw_only=True)
class _Positions:
    grid: GridState
    unknown: frozenset[ElementId]
    """Devices whose row is too old."""
    overruled: Mapping[str, str]
    """Devices whose row is not taken, and why."""
    warnings: tuple[str, ...]


def run(request: EstimateRequest) -> ExitCode:
    """Estimate and print; exit code 1 where there is no estimate."""
    if request.plot is not None:
        check_plot(request.plot)
    model, version, grid, applied = studied(request.model, study=request.study, time_s=request.time_s)
    problems: list[Problem] = []
    measurements = Measurements(rows=())
    try:
        with underway(f"reading {request.measurements.name}"):
            measurements = read_measurements(request.measurements, model=model)
    except InputError as refused:
        problems += refused.problems
    problems += moved(model, grid, opened=request.opened, closed=request.closed)[1]
    if problems:
        raise InputError(problems)
    arrays = NetworkArrays(model, version=version)
    s_nominal_va = arrays.injector_s_nominal_va
    warnings: list[str] = []
    about: dict[str, Any] = {"model": model.name, "version": version}
    if applied is not None:
        warnings += [f"ignored: {what}" for what in ignored(applied, time_s=request.time_s, by="an estimate")]
        about |= {"study": applied.study.name, "time_s": request.time_s}
        s_nominal_va = applied.s_nominal_va(arrays, time_s=request.time_s)
    arrays = NetworkArrays(_expecting(model, arrays, s_va=s_nominal_va), version=version)
    snapshot = measurements.snapshot(version=version)
    warnings += measurements.warnings
    warnings += _old(measurements)
    positions = _positions(request, arrays, grid, snapshot=snapshot)
    warnings += positions.warnings
    with underway(f"estimating {model.name}"):
        believed = beliefs(arrays, positions.grid, snapshot=snapshot, asked=request.pseudo)
        scan = _scan(snapshot, arrays, positions=positions, believed=believed)
        if _blamed(scan) and not believed.bounded:
            # What no measurement holds has no bottom to settle at, and steps may end anywhere.
            within = within_reason(believed, arrays)
            again = _scan(snapshot, arrays, positions=positions, believed=within)
            if _blamed(again) < _blamed(scan):
                warnings.append(_bounded(within))
                scan, believed = again, within
    tested = None
    if request.positions:
        with underway("testing the reported positions"):
            tested = positions_tested(
                arrays,
                positions.grid,
                snapshot=snapshot,
                unknown=positions.unknown,
                state=scan.state if isinstance(scan, Scan) else None,
                measurements=measurements,
            )
    for warning in warnings:
        print(f"adms: {warning}", file=sys.stderr)
    if isinstance(scan, NotEstimated):
        failed = not_estimated(scan.reason, about=about, believed=believed, warnings=warnings)
        failed |= {} if tested is None else {"positions": tested}
        print(json.dumps(failed, allow_nan=False) if request.as_json else f"not estimated: {scan.reason}")
        if tested is not None and not request.as_json:
            print_positions(tested)
        return ExitCode.FAILED
    result = report(
        scan,
        arrays,
        measurements=measurements,
        believed=believed,
        about=about,
        overruled=positions.overruled,
        warnings=warnings,
    )
    if tested is not None:
        result["positions"] = tested
    for warning in unused(result["measurements"]):
        warnings.append(warning)
        print(f"adms: {warning}", file=sys.stderr)
    if request.suggest > 0:
        with underway("looking for where one more sensor would help most"):
            result["suggestions"] = suggestions(scan.state, count=request.suggest, objective=request.objective)
    if request.plot is not None:
        from adms.cli.estimate_plot import plot_estimate

        plot_estimate(arrays, positions.grid, scan.estimate, measurements=measurements, path=request.plot)
    if request.as_json:
        print(json.dumps(result, allow_nan=False))
    else:
        print_estimate(result)
        if tested is not None:
            print_positions(tested)
    return ExitCode.OK


def _scan(
    snapshot: TelemetrySnapshot, arrays: NetworkArrays, *, positions: _Positions, believed: Believed
) -> Scan | NotEstimated:
    """One estimate and, for its time, the next one from where it ended."""

    def timed(state: EstimatorState | None) -> tuple[EstimatorState | None, Estimate | NotEstimated, float]:
        began = time.perf_counter()
        after, got = estimate(
            snapshot,
            arrays=arrays,
            grid=positions.grid,
            unknown=positions.unknown,
            prior=believed.prior,
            policy=believed.policy,
            state=state,
        )
        return after, got, 1e3 * (time.perf_counter() - began)

    state, got, milliseconds = timed(None)
    if isinstance(got, NotEstimated):
        return got
    assert state is not None
    return Scan(estimate=got, milliseconds=milliseconds, warm_milliseconds=timed(state)[2], state=state)


def _blamed(scan: Scan | NotEstimated) -> float:
    """Measurements that an estimate rejects; more than any where there is none."""
    if isinstance(scan, NotEstimated):
        return math.inf
    return scan.estimate.innovations.use.count(Use.REJECTED)


def _bounded(believed: Believed) -> str:
    prior = believed.prior
    widest_mva = max(float(prior.sigma_p_va.max()), float(prior.sigma_q_va.max())) / 1e6
    return (
        "the measurements do not determine everything: a power of which nothing is known is taken to be anything "
        f"within a sigma of {widest_mva:.3g} MVA around zero, and counts as a degree of freedom"
    )


def _expecting(model: NetworkModel, arrays: NetworkArrays, *, s_va: ComplexArray) -> NetworkModel:
    """The model with the powers of `adms powerflow` as what loads and DER are expected to do."""
    total = {element: complex(s_va[rows].sum()) for element, rows in arrays.injector_rows.items()}
    loads = tuple(replace(each, p_w=-total[each.id].real, q_var=-total[each.id].imag) for each in model.loads)
    ders = tuple(
        replace(
            each,
            normal_p_injection_w=total[each.id].real,
            normal_q_injection_var=total[each.id].imag,
            default_p_injection_w=total[each.id].real,
            default_q_injection_var=total[each.id].imag,
        )
        for each in model.ders
    )
    return replace(model, loads=loads, ders=ders)


def _positions(
    request: EstimateRequest, arrays: NetworkArrays, grid: GridState, *, snapshot: TelemetrySnapshot
) -> _Positions:
    """Positions of the model and the study, over them those of the rows, over them those of the command line. A device
    without a row is where the model, the study or the command line says."""
    told = reported_grid(snapshot, arrays=arrays, previous=grid, max_age_s=POLICY.telemetry_max_age_s)
    rows = {ElementId(key.element) for key in snapshot.table.keys if key.kind in POSITIONS}
    after, _ = moved(arrays.model, told.grid, opened=request.opened, closed=request.closed)
    against = {e: after.closed[e] for e in sorted(rows & set(after.closed)) if after.closed[e] != told.grid.closed[e]}
    overruled: dict[str, str] = {
        e: f"--{'close' if closed else 'open'} goes before its row" for e, closed in against.items()
    }
    unknown = frozenset(told.unknown & rows) - set(against)
    return _Positions(
        grid=after,
        unknown=unknown,
        overruled=overruled | dict.fromkeys(unknown, "too old: its position is not known"),
        warnings=tuple(f"{element}: {why}" for element, why in overruled.items()),
    )


def _old(measurements: Measurements) -> Sequence[str]:
    lines = [row.line for row in measurements.rows if row.age_s > POLICY.telemetry_max_age_s]
    if not lines:
        return []
    named = ", ".join(map(str, lines[:10])) + (", ..." if len(lines) > 10 else "")
    return [f"{len(lines)} rows are older than {POLICY.telemetry_max_age_s / 3600:.0f} h and not used: lines {named}"]
