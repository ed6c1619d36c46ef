"""The prior of the next scan: mean, own spread and shared modes of every injector, from what was learned."""

from datetime import datetime

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray, TelemetrySnapshot
from adms.estimation.ageing import aged_variance, correlation
from adms.estimation.policy import EstimationPolicy
from adms.estimation.prior import LoadPrior, SharedDeviations
from adms.forecast.clear_sky import clear_sky_w_per_m2, sun_cosine
from adms.forecast.columns import LoadColumns
from adms.forecast.load_filter import deviations
from adms.forecast.own_level import own_deviation
from adms.forecast.points import MeterRows, meter_rows, site_sums
from adms.forecast.policy import ForecastPolicy
from adms.forecast.solar import SolarForecast, solar_forecast
from adms.forecast.state import MULTIPLIER_RANGE, ForecastState, expected_multipliers, local_hour, own_motion, seconds
from adms.grid.arrays import NetworkArrays

_OWN_RANGE = (-1.0, 4.0)
"""Of a load's own deviation."""

Entries = tuple[IntArray, IntArray, ComplexArray]
"""(injector, mode counted from 0 within the part, s_va)."""


def predicted_prior(
    state: ForecastState,
    *,
    arrays: NetworkArrays,
    now: datetime,
    policy: EstimationPolicy,
    snapshot: TelemetrySnapshot | None,
) -> LoadPrior:
    """What loads and DER are expected to do now.

    Modes: what the classes have in common (two a class, of P and of Q: the symmetric root of their joint covariance,
    which moves as smoothly as that does), of each phase what its loads have in common beyond the classes, for each load
    with several rows its phases together, likewise for each DER, and the sky that PV sites share. Which injectors a
    mode moves is the same at every time, so that a scan can use the factor of the last one.

    Args:
        state: what was learned.
        arrays: the network, of the version that the state is about.
        now: with a time zone; not before the last step.
        policy: the floor of a load's sigma, and what the loads of a phase have in common.
        snapshot: telemetry of now, for PV; None where there is none. Interval means of loads in it are what the prior
            rests on (`LoadPrior.told`): `learned` reads them.

    Returns:
        The prior, finite, sigma not negative.

    Raises:
        ValueError: the state is about another model.
    """
    if arrays.version != state.columns.arrays.version:
        raise ValueError("the forecast is about another model")
    meters = _meters(state, snapshot)
    mean_l, sigma_l, parts_l = _loads(state, now=now, policy=policy)
    mean_d, sigma_d, parts_d = _ders(state, now=now, snapshot=snapshot, meters=meters, first=len(mean_l))
    parts = [*parts_l, *parts_d]
    first, modes = [], 0
    for _, mode, _ in parts:
        first.append(modes)
        modes += int(mode.max()) + 1 if len(mode) else 0
    shared = SharedDeviations(
        injector=np.concatenate([np.zeros(0, dtype=np.int64), *(p[0] for p in parts)]),
        mode=np.concatenate([np.zeros(0, dtype=np.int64), *(p[1] + f for p, f in zip(parts, first, strict=True))]),
        s_va=np.concatenate([np.zeros(0, dtype=np.complex128), *(p[2] for p in parts)]),
        modes=modes,
    )
    return LoadPrior(
        s_nominal_va=np.concatenate([mean_l, mean_d]),
        sigma_p_va=np.concatenate([sigma_l[0], sigma_d[0]]),
        sigma_q_va=np.concatenate([sigma_l[1], sigma_d[1]]),
        shared=shared,
        told=np.zeros(0, dtype=np.int64) if meters is None else meters.row,
    )


def _meters(state: ForecastState, snapshot: TelemetrySnapshot | None) -> MeterRows | None:
    if snapshot is None or (state.meters is not None and state.meters.table is snapshot.table):
        return None if snapshot is None else state.meters
    return meter_rows(snapshot.table, columns=state.columns)


def _loads(
    state: ForecastState, *, now: datetime, policy: EstimationPolicy
) -> tuple[ComplexArray, FloatArray, list[Entries]]:
    """([row] mean, [2, row] own sigma, modes)."""
    columns, how = state.columns, state.policy
    c = columns.loads
    count = len(c.classes)
    if not count:
        return np.zeros(0, dtype=np.complex128), np.zeros((2, 0)), []
    time_s = seconds(now)
    shape = expected_multipliers(columns, time_s=np.array(time_s), policy=how)
    y, covariance = deviations(state.filter, process=columns.process, time_s=time_s, hour=local_hour(now, how))
    y = np.clip(1.0 + y, *MULTIPLIER_RANGE) - 1.0
    own, own_var = own_deviation(state.levels, motion=own_motion(columns, how), time_s=time_s)
    own = np.clip(own, *_OWN_RANGE)

    expected, row_class, row_load = shape[c.row_class], c.row_class, c.row_load
    of_p, of_q = expected * (1.0 + y[row_class]), expected * (1.0 + y[count + row_class])
    scale = c.row_size_va * of_p
    s = c.s_nominal_va
    mean = s.real * of_p - scale * own[0, row_load] + 1j * (s.imag * of_q - scale * own[1, row_load])

    rest, own_var = _apart(c, covariance, own_var)
    many = c.parts[row_load] > 1
    # Along the load's own phasor the phases move together; across it, and of single rows all, by themselves.
    share = np.abs(np.array([s.real, s.imag])) / np.maximum(c.row_size_va, 1e-300)
    together = own_var[:, row_load] * np.where(many, share**2, 0.0)
    apart = own_var[:, row_load] - together + c.unbalance_var[row_load]
    sigma = np.maximum(scale * np.sqrt(apart), policy.load_sigma_floor_va)

    parts = [_class_modes(c, expected, rest)]
    if policy.phase_scale_sigma_frac > 0.0 and c.phases > 1:
        every = np.arange(len(mean), dtype=np.int64)
        parts.append((every, c.row_phase, policy.phase_scale_sigma_frac * mean))
    rows = np.flatnonzero(many).astype(np.int64)
    number = (np.cumsum(c.parts > 1) - 1).astype(np.int64)
    coherent = scale * np.sqrt(together) * np.sign(np.array([s.real, s.imag]))
    parts.append((rows, number[row_load[rows]], (coherent[0] + 1j * coherent[1])[rows]))
    return mean, sigma, parts


def _apart(c: LoadColumns, covariance: FloatArray, own_var: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Splits the spread of the class sums between classes and loads.

    The filter's deviation is that of a class's sum, with what its loads own in it. The prior adds the own parts again,
    as if independent; so that much is taken off the class's. Where the sum is known better than independent own parts
    allow, the own parts must cancel: given their sum they have variance v_i (1 - (w_i v_i / sum w v) (1 - known)),
    with weights of their squares (the rest of that, a negative correlation, is left out, which makes the sum's spread
    too wide).

    Returns:
        ([2 * class, 2 * class] left to the class's modes, [2, load] own variance).
    """
    count = len(c.classes)
    weight = (c.load_size_va / c.class_power[:, c.load_class]) ** 2
    rest, own = covariance.copy(), own_var.copy()
    for quantity in range(2):
        part = weight[quantity] * own_var[quantity]
        total = np.bincount(c.load_class, weights=part, minlength=count)
        at = np.arange(count) + quantity * count
        known = np.clip(np.diag(covariance)[at] / np.maximum(total, 1e-300), 0.0, 1.0)
        own[quantity] *= 1.0 - part / np.maximum(total, 1e-300)[c.load_class] * (1.0 - known[c.load_class])
        rest[at, at] -= total
    return rest, own


def _class_modes(c: LoadColumns, expected: FloatArray, covariance: FloatArray) -> Entries:
    """Root of the joint covariance of the classes; directions of negative variance count as none. Every row has an
    entry in every mode, also where it is zero now."""
    value, vector = np.linalg.eigh(0.5 * (covariance + covariance.T))
    factor = (vector * np.sqrt(np.maximum(value, 0.0))) @ vector.T
    count = len(c.classes)
    p, q = factor[:count][c.row_class], factor[count:][c.row_class]
    s = (c.s_nominal_va.real * expected)[:, None] * p + 1j * ((c.s_nominal_va.imag * expected)[:, None] * q)
    rows, modes = s.shape
    row = np.repeat(np.arange(rows, dtype=np.int64), modes)
    return row, np.tile(np.arange(modes, dtype=np.int64), rows), s.ravel()


def _ders(
    state: ForecastState, *, now: datetime, snapshot: TelemetrySnapshot | None, meters: MeterRows | None, first: int
) -> tuple[ComplexArray, FloatArray, list[Entries]]:
    """([DER row] mean, [2, DER row] own sigma, modes)."""
    d = state.columns.ders
    if not len(d.parts):
        return np.zeros(0, dtype=np.complex128), np.zeros((2, 0)), []
    sun = _solar(state, now=now, snapshot=snapshot, meters=meters)
    p, own_p, own_q = d.mean_va.real.copy(), d.sigma_va.copy(), d.sigma_va.copy()
    sky = np.zeros(len(d.parts))
    p[d.solar], own_p[d.solar], sky[d.solar] = sun.mean_w, np.maximum(sun.own_sigma_w, 1.0), sun.shared_sigma_w
    # An inverter's reactive power is commanded, and does not follow the sun; what is not known of it stays.
    of = d.row_der
    mean = ((p + 1j * d.mean_va.imag) / d.parts)[of].astype(np.complex128)
    single = d.parts[of] == 1
    sigma = np.where(single, np.array([own_p, own_q])[:, of], d.unbalance_va[of])
    parts: list[Entries] = []
    row = np.flatnonzero(~single).astype(np.int64)
    number = (np.cumsum(d.parts > 1) - 1).astype(np.int64)
    many = int((d.parts > 1).sum())
    for kind, spread in ((1.0 + 0.0j, own_p), (1.0j, own_q)):
        if many:
            parts.append((first + row, number[of[row]], (kind * (spread / d.parts)[of[row]]).astype(np.complex128)))
    under = np.flatnonzero(d.is_solar[of])
    if len(under):
        # Also by night: a mode that comes and goes would cost a new factor.
        shared = (np.maximum(sky, 1.0) / d.parts)[of[under]].astype(np.complex128)
        parts.append((first + under, np.zeros(len(under), dtype=np.int64), shared))
    return mean, sigma, parts


def _solar(
    state: ForecastState, *, now: datetime, snapshot: TelemetrySnapshot | None, meters: MeterRows | None
) -> SolarForecast:
    d, policy = state.columns.ders, state.policy
    measured, sigma = np.full(len(d.solar), np.nan), np.full(len(d.solar), np.nan)
    if snapshot is not None and meters is not None and len(d.solar):
        seen = site_sums(meters, snapshot)
        wide = policy.solar.cloud_sigma * d.sites.p_max_w
        tau = policy.solar.cloud_tau_s
        measured = np.where(correlation(seen.age_s, tau_s=tau) > 0.1, seen.value, np.nan)
        sigma = np.sqrt(aged_variance(seen.age_s, sigma_meter=seen.sigma, sigma_load=wide, tau_s=tau))
    clear = _clear(now, policy)
    return solar_forecast(d.sites, measured_w=measured, sigma_w=sigma, clear_w_per_m2=clear, policy=policy.solar)


def _clear(now: datetime, policy: ForecastPolicy) -> float | None:
    place = policy.solar
    if place.latitude_deg is None or place.longitude_deg is None:
        return None
    return clear_sky_w_per_m2(sun_cosine(now, latitude_deg=place.latitude_deg, longitude_deg=place.longitude_deg))
