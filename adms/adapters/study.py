"""Reading a study file, and the CSV files that it names, into the records of `adms.grid.study`."""

import csv
import itertools
import math
from pathlib import Path

from adms.adapters.files import read_text
from adms.adapters.study_schema import Positions, StudyDer, StudyFile, StudyForecast
from adms.adapters.tables import read_file
from adms.core.errors import InputError, Problem
from adms.core.ids import BusId, ElementId
from adms.grid.model import Der
from adms.grid.study import Chosen, DerChange, FaultEvent, Forecast, LoadChange, NewDer, Study


def read_study(path: Path) -> Study:
    """The study in a file, with the CSV files that it names. Raises InputError with every problem of its form."""
    file = read_file(path, StudyFile, whole="study")
    problems: list[Problem] = []
    forecasts = [_forecast(path, item, row, problems) for row, item in enumerate(file.forecast)]
    if file.interval is not None and file.interval.start is not None and file.interval.start.tzinfo is None:
        message = "needs its offset from UTC, e.g. 2026-07-01T12:00:00Z"
        given = file.interval.start.isoformat()
        problems.append(Problem(element="interval", field="start", value=given, message=message))
    if problems:
        raise InputError(problems)
    positions = file.positions or Positions()
    return Study(
        name=file.name,
        opened=positions.open,
        closed=positions.close,
        taps=tuple((tap.element, tap.position) for tap in file.tap),
        capacitors=tuple((capacitor.element, capacitor.steps) for capacitor in file.capacitor),
        loads=tuple(
            LoadChange(
                chosen=Chosen(element=load.element, load_class=load.load_class, zone=load.zone, default=load.default),
                p_w=load.p_w,
                q_var=load.q_var,
                scale_frac=load.scale_frac,
            )
            for load in file.load
        ),
        ders=tuple(
            DerChange(
                chosen=Chosen(element=der.element, der_kind=der.kind, zone=der.zone, default=der.default),
                p_injection_w=der.p_injection_w,
                q_injection_var=der.q_injection_var,
                s_max_va=der.s_max_va,
            )
            for der in file.der
            if der.bus is None
        ),
        new_ders=tuple(_new_der(der) for der in file.der if der.bus is not None),
        forecasts=tuple(forecast for forecast in forecasts if forecast is not None),
        faults=tuple(
            FaultEvent(
                branch=fault.branch,
                at_frac=fault.at_frac,
                section=fault.section,
                bus=fault.bus,
                kind=fault.kind,
                phases=fault.phases,
                r_fault_ohm=fault.r_fault_ohm,
                start_s=fault.start_s,
                clear_s=fault.clear_s,
            )
            for fault in file.fault
        ),
        start=file.interval.start if file.interval else None,
        step_s=file.interval.step_s if file.interval else None,
        steps=file.interval.steps if file.interval else 1,
    )


def _new_der(der: StudyDer) -> NewDer:
    assert der.bus is not None
    assert der.element is not None
    assert der.kind is not None
    assert der.s_max_va is not None
    return NewDer(
        der=Der(
            id=ElementId(der.element),
            kind=der.kind,
            pairs=(),
            s_max_va=der.s_max_va,
            p_max_w=der.p_max_w or 0.0,
            p_min_w=der.p_min_w or 0.0,
            q_max_var=der.s_max_va if der.q_max_var is None else der.q_max_var,
            v_nominal_v=0.0,
            energy_wh=der.energy_wh,
            efficiency_frac=der.efficiency_frac or 1.0,
            owner=der.owner or "",
            normal_p_injection_w=der.p_injection_w or 0.0,
            normal_q_injection_var=der.q_injection_var or 0.0,
        ),
        bus=BusId(der.bus),
        phases=der.phases or (),
        delta=der.connection == "delta",
    )


def _forecast(study: Path, item: StudyForecast, row: int, problems: list[Problem]) -> Forecast | None:
    where = f"forecast[{row}]"

    def wrong(field: str, value: object, message: str) -> None:
        problems.append(Problem(element=where, field=field, value=str(value)[:80], message=message))

    times: tuple[float, ...] | None = item.times_s
    values = item.values
    if item.csv is not None:
        assert item.column is not None
        if not (study.parent / item.csv).resolve().is_relative_to(study.parent.resolve()):
            wrong("csv", item.csv, "is not in the study's folder or below it")
            return None
        try:
            times_in_file, values = _columns(study.parent / item.csv, column=item.column)
        except InputError as refused:
            problems.extend(refused.problems)
            return None
        if times is None and item.step_s is None:
            if times_in_file is None:
                wrong("csv", item.csv, "has no column time_s, and neither step_s nor times_s is given")
                return None
            times = times_in_file
    assert values is not None
    if not values:
        wrong("values", "", "there are none")
        return None
    if times is None:
        times = tuple(item.start_s + k * (item.step_s or 0.0) for k in range(len(values)))
    if len(times) != len(values):
        wrong("times_s", len(times), f"must be as many as there are values, {len(values)}")
        return None
    if any(after <= before for before, after in itertools.pairwise(times)):
        wrong("times_s", "", "must rise")
        return None
    return Forecast(
        chosen=Chosen(
            element=item.element,
            load_class=item.load_class,
            der_kind=item.der_kind,
            zone=item.zone,
            default=item.default,
        ),
        quantity=item.quantity,
        times_s=times,
        values=values,
    )


def _columns(path: Path, *, column: str) -> tuple[tuple[float, ...] | None, tuple[float, ...]]:
    """(times, values) of a CSV file; times are None without a column `time_s`. Raises InputError, naming the line."""
    problems: list[Problem] = []
    try:
        rows = list(csv.DictReader(read_text(path).splitlines()))
    except csv.Error as error:
        raise InputError([Problem(element=str(path), field="", value="", message=f"not readable: {error}")]) from error
    has = list(rows[0]) if rows else []
    if column not in has:
        named = ", ".join(str(name) for name in has)
        raise InputError(
            [Problem(element=str(path), field=column, value="", message=f"no such column; it has {named}")]
        )
    found: dict[str, list[float]] = {column: [], "time_s": []}
    for name in found if "time_s" in has else (column,):
        for line, cells in enumerate(rows, start=2):
            text = cells.get(name)
            try:
                value = float(text or "")
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                message = f"line {line}: is not a number"
                problems.append(Problem(element=str(path), field=name, value=str(text or ""), message=message))
            found[name].append(value)
    if problems:
        raise InputError(problems)
    return (tuple(found["time_s"]) if "time_s" in has else None), tuple(found[column])
