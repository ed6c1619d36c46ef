"""What an estimate and late meters teach the forecast."""

from dataclasses import replace
from datetime import datetime

import numpy as np

from adms.core.estimate import ComplexArray, Estimate, NotEstimated
from adms.core.telemetry import FloatArray, TelemetrySnapshot
from adms.forecast.areas import MeteredAreas, metered_areas, used_points
from adms.forecast.history import looked_up, remembered
from adms.forecast.load_filter import ClassRows, deviations, stepped
from adms.forecast.own_level import Means, new_means, own_deviation, with_means
from adms.forecast.points import meter_rows, meter_sums
from adms.forecast.state import MULTIPLIER_RANGE, ForecastState, expected_multipliers, local_hour, own_motion, seconds
from adms.grid.arrays import NetworkArrays
from adms.grid.load_law import at_nominal
from adms.grid.state import GridState

_NODES = 5
"""Times within an interval at which the class is looked up."""
_SMALLEST_MULTIPLIER = 0.02
"""A class expected to draw less of its nominal power teaches nothing of its loads' own levels."""


def learned(
    state: ForecastState,
    *,
    estimate: Estimate | NotEstimated,
    snapshot: TelemetrySnapshot,
    arrays: NetworkArrays,
    grid: GridState,
    now: datetime,
) -> ForecastState:
    """The state after a scan.

    Late meters are read at every scan; the class filters take a step only when `ForecastPolicy.learn_every_s` have
    passed and the estimate is trusted (PARTIAL or better). An estimate of another model or snapshot teaches nothing
    either.

    Args:
        state: before.
        estimate: of this scan.
        snapshot: what it was made of.
        arrays: the network, of the version that the state is about.
        grid: positions that the estimate took.
        now: the snapshot's time, with a zone.

    Returns:
        The state after; the same one where there was nothing to learn.

    Raises:
        ValueError: the state is about another model.
    """
    if arrays.version != state.columns.arrays.version:
        raise ValueError("the forecast is about another model")
    if not len(state.columns.loads.classes):
        return state
    if state.meters is None or state.meters.table is not snapshot.table:
        state = replace(state, meters=meter_rows(snapshot.table, columns=state.columns))
    state = _from_meters(state, snapshot=snapshot, time_s=seconds(now))
    last = state.filter.time_s
    if last is not None and seconds(now) - last < state.policy.learn_every_s:
        return state
    if isinstance(estimate, NotEstimated) or not estimate.grade.trusted or estimate.model_version != arrays.version:
        return state
    return _from_estimate(state, estimate, snapshot=snapshot, grid=grid, now=now)


def _from_estimate(
    state: ForecastState, estimate: Estimate, *, snapshot: TelemetrySnapshot, grid: GridState, now: datetime
) -> ForecastState:
    columns, policy = state.columns, state.policy
    used = used_points(estimate)
    areas = state.areas
    if areas is None or areas.topology_version != estimate.topology_version or areas.used != used:
        areas = metered_areas(estimate, arrays=columns.arrays, grid=grid, used=used, areas_max=policy.areas_max)
    rows = _area_rows(state, estimate, areas=areas, snapshot=snapshot, now=now)
    hour, time_s = local_hour(now, policy), seconds(now)
    done = stepped(
        state.filter,
        process=columns.process,
        rows=rows,
        time_s=time_s,
        hour=hour,
        gate_sigma=policy.gate_sigma,
        refusals_max=policy.refusals_max,
    )
    if done.state is state.filter:
        return replace(state, areas=areas, normalized=done.normalized)
    deviation, covariance = deviations(done.state, process=columns.process, time_s=time_s, hour=hour)
    history = remembered(
        state.history,
        time_s=time_s,
        deviation=deviation,
        variance=np.diag(covariance),
        step_s=policy.history_step_s,
        keep_s=policy.history_s,
    )
    return replace(state, filter=done.state, history=history, areas=areas, normalized=done.normalized)


def _area_rows(
    state: ForecastState, estimate: Estimate, *, areas: MeteredAreas, snapshot: TelemetrySnapshot, now: datetime
) -> ClassRows:
    """P of every area, then Q of those measured all around, W and var drawn beyond what is expected."""
    c, policy = state.columns.loads, state.policy
    count, classes = areas.count, len(c.classes)
    drawn, live = _drawn_nominal(estimate, state.columns.arrays, rows=len(c.row_load))
    inside = live & (areas.row_area >= 0)
    area, kind = areas.row_area[inside], c.row_class[inside]
    expected = expected_multipliers(state.columns, time_s=np.array(seconds(now)), policy=policy)[c.row_class]
    own, own_var = own_deviation(state.levels, motion=own_motion(state.columns, policy), time_s=seconds(now))
    y, _ = deviations(state.filter, process=state.columns.process, time_s=seconds(now), hour=local_hour(now, policy))
    # What meters say of single loads comes on top of the class in the prior, so it is not the class's again.
    scale = c.row_size_va * expected * np.clip(1.0 + y[c.row_class], *MULTIPLIER_RANGE)
    der_var = _unmetered_der(state, areas)
    value, weight, noise = [], [], []
    for quantity, nominal in enumerate((-c.s_nominal_va.real, -c.s_nominal_va.imag)):
        load = np.zeros((count, classes))
        np.add.at(load, (area, kind), (nominal * expected)[inside])
        took = np.bincount(area, weights=(drawn.real if quantity == 0 else drawn.imag)[inside], minlength=count)
        by_itself = np.bincount(area, weights=(scale * own[quantity, c.row_load])[inside], minlength=count)
        meters, covariance = _borders(estimate, snapshot, areas=areas, quantity=quantity)
        spread = own_var[quantity, c.row_load] * c.parts[c.row_load] + c.unbalance_var[c.row_load]
        covariance += _own_in_areas(state, areas, live=live, spread_va2=spread * (c.row_size_va * expected) ** 2)
        covariance += np.diag((policy.balance_sigma_frac * took) ** 2 + der_var)
        w = np.zeros((count, 2, classes))
        w[:, quantity] = load
        teaches = np.flatnonzero((areas.whole[quantity] == 1) & (np.abs(load).sum(axis=1) > 0.0))
        value.append((took + meters - by_itself - load.sum(axis=1))[teaches])
        weight.append(w.reshape(count, 2 * classes)[teaches])
        noise.append(covariance[np.ix_(teaches, teaches)])
    both = np.zeros((len(value[0]) + len(value[1]),) * 2)
    both[: len(value[0]), : len(value[0])], both[len(value[0]) :, len(value[0]) :] = noise
    return ClassRows(value=np.concatenate(value), weight=np.vstack(weight), covariance=both)


def _own_in_areas(state: ForecastState, areas: MeteredAreas, *, live: np.ndarray, spread_va2: FloatArray) -> FloatArray:
    """[area, area] covariance of what the loads of an area own beside their class.

    The class is the sum of its loads, so over all of a class's loads their own parts cancel: with variance d_a in area
    a and D in all, it is d_a (a is b) - d_a d_b / D. It stays for weeks while steps come by the minute: so that the
    class's level, which remembers for `level_tau_s`, never rests on it more than once, it is wider by twice that time
    over the time between steps.
    """
    c, policy = state.columns.loads, state.policy
    out = np.zeros((areas.count, areas.count))
    where = live & (areas.row_area >= 0)
    for each in range(len(c.classes)):
        of_class = live & (c.row_class == each)
        total = float(spread_va2[of_class].sum())
        if total > 0.0:
            rows = where & of_class
            d = np.bincount(areas.row_area[rows], weights=spread_va2[rows], minlength=areas.count)
            out += np.diag(d) - np.outer(d, d) / total
    return out * max(1.0, 2.0 * policy.motion.level_tau_s / policy.learn_every_s)


def _drawn_nominal(estimate: Estimate, arrays: NetworkArrays, *, rows: int) -> tuple[ComplexArray, np.ndarray]:
    """([load row] power drawn, brought to nominal voltage, [load row] True where the estimate has one)."""
    v = np.abs(arrays.incidence.T @ np.nan_to_num(estimate.v_phasor_pu)) * arrays.injector_v_scale
    s = estimate.s_injection_va
    live = (v > 0.0) & np.isfinite(s)
    nominal = at_nominal(np.where(live, s, 0.0), v, arrays.injector_law)
    return -nominal[:rows], live[:rows]


def _borders(
    estimate: Estimate, snapshot: TelemetrySnapshot, *, areas: MeteredAreas, quantity: int
) -> tuple[FloatArray, FloatArray]:
    """([area] what the meters at its borders say beyond the estimate, [area, area] covariance of their errors: what one
    meter gives to an area it takes from the next)."""
    point, area, sign = areas.point[quantity], areas.area[quantity], areas.sign[quantity]
    keys = estimate.innovations.keys
    which, entry = np.unique(point, return_inverse=True)
    takes = np.zeros((areas.count, len(which)))
    np.add.at(takes, (area, entry), sign)
    sigma = snapshot.sigma[np.array([snapshot.table.row[keys[i]] for i in which], dtype=np.int64)]
    return takes @ estimate.innovations.residual[which], (takes * sigma**2) @ takes.T


def _unmetered_der(state: ForecastState, areas: MeteredAreas) -> FloatArray:
    """[area] variance that DER without telemetry leave."""
    d = state.columns.ders
    if not len(d.row_der):
        return np.zeros(areas.count)
    there = areas.der_area >= 0
    each = (d.sigma_va / d.parts)[d.row_der[there]] ** 2 * d.parts[d.row_der[there]]
    return np.bincount(areas.der_area[there], weights=each, minlength=areas.count).astype(np.float64)


def _from_meters(state: ForecastState, *, snapshot: TelemetrySnapshot, time_s: float) -> ForecastState:
    """Interval means of loads that were not seen before."""
    rows = state.meters
    if rows is None or not len(rows.quantity):
        return state
    seen = meter_sums(rows, snapshot)
    there = np.isfinite(seen.value) & (state.columns.loads.load_size_va[rows.load] > 0.0)
    quantity, load = rows.quantity[there], rows.load[there]
    raw = Means(
        quantity=quantity,
        load=load,
        deviation=seen.value[there],
        variance=seen.sigma[there] ** 2,
        end_s=time_s - seen.age_s[there],
    )
    raw = new_means(state.levels, raw)
    if not len(raw.load):
        return state
    means = _over_class(state, raw)
    levels, _ = with_means(
        state.levels,
        means=means,
        motion=own_motion(state.columns, state.policy),
        interval_s=state.policy.meter_interval_s,
        gate_sigma=state.policy.gate_sigma,
    )
    return replace(state, levels=levels)


def _over_class(state: ForecastState, raw: Means) -> Means:
    """From W and var to deviations over size and class multiplier, by what the class was during each interval."""
    c, policy, process = state.columns.loads, state.policy, state.columns.process
    kind = c.load_class[raw.load]
    column = kind + raw.quantity * len(c.classes)
    offset = (np.arange(_NODES) + 0.5) / _NODES - 1.0
    time_s = raw.end_s[:, None] + offset * policy.meter_interval_s
    every = expected_multipliers(state.columns, time_s=time_s, policy=policy)
    expected = every[kind, np.arange(len(kind))]
    block = process.block
    cold, reading = process.stationary, process.reading(0.0)
    cold_var = np.einsum("ib,kbc,ic->ik", reading.reshape(2, block), cold, reading.reshape(2, block)).ravel()
    y, y_var = looked_up(state.history, column=column, time_s=time_s, cold_var=cold_var)
    own_scale, _ = looked_up(state.history, column=kind, time_s=time_s, cold_var=cold_var)
    multiplier = (expected * np.clip(1.0 + y, *MULTIPLIER_RANGE)).mean(axis=1)
    scale = c.load_size_va[raw.load] * (expected * np.clip(1.0 + own_scale, *MULTIPLIER_RANGE)).mean(axis=1)
    nominal = np.where(raw.quantity == 0, c.load_s_va[raw.load].real, c.load_s_va[raw.load].imag)
    usable = expected.mean(axis=1) > _SMALLEST_MULTIPLIER
    scale = np.where(usable, scale, np.nan)
    relative = nominal / c.load_size_va[raw.load]
    return Means(
        quantity=raw.quantity,
        load=raw.load,
        deviation=(nominal * multiplier - raw.deviation) / scale,
        variance=raw.variance / scale**2 + relative**2 * y_var,
        end_s=raw.end_s,
    )
