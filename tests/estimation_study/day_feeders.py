"""The two feeders of the study of a day: what is metered, what is believed, and what truly happens.

IEEE 123, operated variant: loads are given classes (households, commerce, industry) and follow the built-in class
profiles with deviations drawn from the stated priors (40 % of each load, 15 % of each class), level 60 % of the deck's;
PV under a sky of moving clouds, batteries and a charging station on schedules of their own.

SimBench 1-MV-rural--0-sw (ODbL, read where pip put it), 15 June 2016: loads, PV and wind follow SimBench's quarter
hours, interpolated; each load deviates from its series by the 40 %. What its class does beyond the profile is whatever
SimBench says. Believed are the built-in profiles at each series' mean over the year (its energy is on the bill).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np

from adms.adapters.importers.pandapower import import_pandapower
from adms.core.estimate import ComplexArray
from adms.core.ids import ElementId, ModelVersion
from adms.core.telemetry import FloatArray, PointKey, PointKind
from adms.estimation import AgeingPolicy, EstimationPolicy
from adms.forecast import BUILT_IN, ForecastPolicy, SolarPolicy
from adms.forecast.class_profiles import ClassProfile, profile_of
from adms.grid.arrays import NetworkArrays
from adms.grid.model import DerKind
from adms.grid.state import GridState, normal_state
from tests.estimation_study.day_courses import (
    COMMON_FRAC,
    REACTIVE_FRAC,
    CommonDeviations,
    Course,
    OwnDeviations,
    Wander,
    load_rows,
)
from tests.estimation_study.day_truth import DayTruth
from tests.estimation_study.draws import STUDY_POLICY
from tests.estimation_study.networks import arrays_of, grid_of
from tests.estimation_study.plans import Extent, MeteringPlan, plan_of, with_sigmas

SIMBENCH = "1-MV-rural--0-sw"
DAY_S = 86400
_QUARTER_S = 900
_METERED_FRAC = 0.6
"""Of the loads, that have an interval meter."""
_MEAN_SIGMA_FRAC = 0.01
_LOADING = 0.6
_SMALL_W = 30e3
_LON_M, _LAT_M = 66.0e3, 111.2e3
"""Of a degree, at 53.6 degrees north: SimBench's coordinates are degrees, a model's are metres."""
_SIMBENCH_LOADING = 0.4
_CLASSES = ("household", "commercial", "industrial")
_CLASS_SHARES = (0.6, 0.25, 0.15)
AGEING = AgeingPolicy(
    load_tau_s=2700.0,
    load_stays_share=0.5,
    der_tau_s=1800.0,
    v_sigma_pu=0.005,
    v_tau_s=1800.0,
    skew_s=0.0,
    average_interval_s=900.0,
    average_max_age_s=7200.0,
)
ALARM = 5e-4
"""This and the above as in the service's reference configuration; but these meters are read at once (skew_s)."""
_AVERAGES = (PointKind.P_AVERAGE, PointKind.Q_AVERAGE)
_INJECTIONS = (PointKind.P_INJECTION, PointKind.Q_INJECTION)


@dataclass(frozen=True, kw_only=True, eq=False)
class DayFeeder:
    """A feeder and its day."""

    name: str
    arrays: NetworkArrays
    grid: GridState
    keys: tuple[PointKey, ...]
    sigma: FloatArray
    """[point] SI."""
    head_bus: str
    policy: EstimationPolicy
    forecast: ForecastPolicy
    midnight: datetime
    """Local, when the day begins."""
    taps: tuple[ElementId, ...]
    together: bool
    """All taps move as one."""
    course: Course
    """Injections; asked for consecutive seconds."""


def ieee_123(rng: np.random.Generator) -> DayFeeder:
    """The 123-bus feeder. Meters: head and four line ends (P, Q), voltages at 15 % of the buses, all batteries and the
    charging station, 9 of 15 PV sites, interval meters at 60 % of the loads."""
    plain, grid = arrays_of("123"), grid_of("123")
    classes = rng.choice(_CLASSES, size=len(plain.model.loads), p=_CLASS_SHARES)
    loads = tuple(replace(load, load_class=str(c)) for load, c in zip(plain.model.loads, classes, strict=True))
    arrays = NetworkArrays(replace(plain.model, loads=loads), version=ModelVersion("123 of a day"))
    sites = [d for d in arrays.model.ders if d.kind is DerKind.PV]
    unmetered = {str(d.id) for i, d in enumerate(sites) if i % 5 == 0 or d.p_max_w <= _SMALL_W}
    v = _usual_v(arrays, grid)
    plan = plan_of("123", arrays, grid=grid, v_phasor_pu=v, extent=Extent(flows=4, voltage_frac=0.15), seed=1)
    kept = [i for i, key in enumerate(plan.keys) if key.element not in unmetered]
    keys, sigma = _with_interval_meters(
        arrays, MeteringPlan(keys=tuple(plan.keys[i] for i in kept), sigma=plan.sigma[kept]), rng=rng
    )
    place = SolarPolicy(latitude_deg=40.0, longitude_deg=0.0)
    return DayFeeder(
        name="IEEE 123",
        arrays=arrays,
        grid=grid,
        keys=keys,
        sigma=sigma,
        head_bus="149",
        policy=replace(STUDY_POLICY, load_factor_mean=_LOADING, ageing=AGEING, alarm_probability=ALARM),
        forecast=ForecastPolicy(solar=place),
        midnight=datetime(2026, 6, 17, tzinfo=UTC),
        taps=tuple(arrays.branches[i].id for i in arrays.tapped),
        together=False,
        course=_course_123(arrays, rng=rng),
    )


def _course_123(arrays: NetworkArrays, *, rng: np.random.Generator) -> Course:
    rows = load_rows(arrays)
    named = {p.name: p for p in BUILT_IN}
    number = np.array([_CLASSES.index(load.load_class) for load in arrays.model.loads])[rows.row_load]
    own = OwnDeviations(rows, rng=rng)
    common = CommonDeviations(len(_CLASSES), rng=rng)
    reactive = REACTIVE_FRAC * rng.standard_normal((len(_CLASSES), 1))
    size = np.abs(rows.s_nominal_va)[:, None]
    ders = _course_of_ders(arrays, rng=rng)

    def course(time_s: FloatArray) -> ComplexArray:
        hour = time_s / 3600.0
        shape = _LOADING * np.array([named[c].weekday.at(hour % 24.0) for c in _CLASSES])
        y = common.next(time_s)
        p = rows.s_nominal_va.real[:, None] * (shape * (1.0 + y))[number]
        q = rows.s_nominal_va.imag[:, None] * (shape * (1.0 + y + reactive))[number]
        drawn = p + 1j * q - size * (shape * (1.0 + y))[number] * own.next(len(time_s))
        return np.concatenate([drawn, ders(time_s)])

    return course


def _course_of_ders(arrays: NetworkArrays, *, rng: np.random.Generator) -> Course:
    """PV: cosine of the sun from 5 to 19 h times (0.55 + weather + cloud + own), the spreads that `SolarPolicy` states;
    batteries charge around 13 h and discharge around 20 h; the charging station is busiest at 18 h."""
    ders = arrays.model.ders
    kind = np.array([d.kind.value for d in ders])
    rating = np.array([max(d.p_max_w, -d.p_min_w) for d in ders])[:, None]
    is_pv = (kind == "pv")[:, None]
    weather, cloud = Wander(1, tau_s=4 * 3600.0, rng=rng), Wander(1, tau_s=600.0, rng=rng)
    own = 0.10 * rng.standard_normal((len(ders), 1))
    flicker = Wander(len(ders), tau_s=120.0, rng=rng)
    parts = np.array([len(d.pairs) for d in ders])
    of_row = np.repeat(np.arange(len(ders)), parts)

    def course(time_s: FloatArray) -> ComplexArray:
        hour, n = time_s / 3600.0, len(time_s)
        sun = np.maximum(np.cos(np.pi * (hour - 12.0) / 14.0), 0.0) ** 1.3
        ratio = 0.55 + 0.20 * weather.next(n) + 0.18 * cloud.next(n) + own + 0.02 * flicker.next(n)
        pv = rating * sun * np.clip(ratio, 0.02, 1.1)
        swing = np.exp(-((hour - 20.0) ** 2) / 4.0) - 0.8 * np.exp(-((hour - 13.0) ** 2) / 6.0)
        battery = 0.6 * rating * swing * np.ones_like(own)
        ev = -0.7 * rating * np.exp(-((hour - 18.0) ** 2) / 8.0)
        p = np.where(is_pv, pv, np.where((kind == "battery")[:, None], battery, ev))
        return np.asarray((p / parts[:, None])[of_row] + 0.0j)

    return course


def _usual_v(arrays: NetworkArrays, grid: GridState) -> ComplexArray:
    emf = np.concatenate([s.emf_pu for s in arrays.sources])[:, None]
    s = np.where(arrays.injector_is_der, 0.0, _LOADING * arrays.injector_s_nominal_va)[:, None]
    return np.asarray(DayTruth(arrays, grid).solve(s, emf_pu=emf)[0][:, 0])


def _with_interval_meters(
    arrays: NetworkArrays, plan: MeteringPlan, *, rng: np.random.Generator
) -> tuple[tuple[PointKey, ...], FloatArray]:
    loads = [load for load in arrays.model.loads if abs(complex(load.p_w, load.q_var)) > 0.0]
    chosen = sorted(rng.permutation(len(loads))[: round(_METERED_FRAC * len(loads))].tolist())
    extra = [PointKey(kind=kind, element=str(loads[i].id)) for i in chosen for kind in _AVERAGES]
    size = [abs(complex(loads[i].p_w, loads[i].q_var)) for i in chosen for _ in _AVERAGES]
    sigma = np.concatenate([plan.sigma, _MEAN_SIGMA_FRAC * np.array(size)])
    return (*plan.keys, *extra), sigma


def simbench_rural(rng: np.random.Generator) -> DayFeeder:
    """SimBench's rural 20-kV grid. Meters: both transformers and every fourth line that carries, voltages at 15 % of
    the buses, every wind, biomass, hydro and larger PV site, interval meters at 60 % of the loads."""
    import simbench

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandapower and SimBench, about pandas
        net = simbench.get_simbench_net(SIMBENCH)
        series = simbench.get_absolute_values(net, profiles_instead_of_study_cases=True)
    # SimBench gives the range of its tap changers and leaves out their type.
    net.trafo["tap_changer_type"] = "Ratio"
    model = import_pandapower(net)
    year = {k: np.asarray(series[("load", k)], dtype=np.float64) for k in ("p_mw", "q_mvar")}
    made = np.asarray(series[("sgen", "p_mw")], dtype=np.float64)
    mean = year["p_mw"].mean(axis=0) / np.maximum(np.asarray(net.load.p_mw, dtype=np.float64), 1e-9)
    names = [str(name) for name in net.load.profile]
    types = [str(name) for name in net.sgen.type]
    buses = tuple(
        replace(b, x_m=None if b.x_m is None else b.x_m * _LON_M, y_m=None if b.y_m is None else b.y_m * _LAT_M)
        for b in model.buses
    )
    loads = tuple(replace(load, load_class=name) for load, name in zip(model.loads, names, strict=True))
    pv = [t in ("lv_RES", "PV_MV") for t in types]
    ders = tuple(replace(d, kind=DerKind.PV if sun else d.kind) for d, sun in zip(model.ders, pv, strict=True))
    arrays = NetworkArrays(replace(model, buses=buses, loads=loads, ders=ders), version=ModelVersion("SimBench"))
    grid = normal_state(arrays.model)
    metered = [str(d.id) for d, t in zip(arrays.model.ders, types, strict=True) if t != "lv_RES"]
    plan = _simbench_plan(arrays, grid, metered=metered, rng=rng)
    keys, sigma = _with_interval_meters(arrays, plan, rng=rng)
    profiles = [_profile(name, float(np.mean(mean[[n == name for n in names]]))) for name in sorted(set(names))]
    taps = tuple(arrays.branches[i].id for i in arrays.tapped)
    first = (date(2016, 6, 15) - date(2016, 1, 1)).days * 96 - 4  # SimBench's clock stays at UTC + 1
    part = slice(first, first + 97)
    return DayFeeder(
        name="SimBench " + SIMBENCH,
        arrays=arrays,
        grid=grid,
        keys=keys,
        sigma=sigma,
        head_bus=_lower_bus(arrays, taps[0]),
        policy=replace(STUDY_POLICY, load_factor_mean=_SIMBENCH_LOADING, ageing=AGEING, alarm_probability=ALARM),
        forecast=ForecastPolicy(
            profiles=tuple(profiles),
            utc_offset_h=2.0,
            solar=SolarPolicy(latitude_deg=53.6, longitude_deg=11.4),
        ),
        midnight=datetime(2016, 6, 15, tzinfo=UTC) - timedelta(hours=2),
        taps=taps,
        together=True,
        course=_course_simbench(
            arrays, drawn_mva=year["p_mw"][part] + 1j * year["q_mvar"][part], made_mw=made[part], rng=rng
        ),
    )


def _profile(name: str, mean: float) -> ClassProfile:
    like = profile_of("household" if name.startswith("lv_") else name, profiles={})
    return replace(like, name=name, level_frac=mean, common_sigma_frac=COMMON_FRAC)


def _course_simbench(
    arrays: NetworkArrays, *, drawn_mva: ComplexArray, made_mw: FloatArray, rng: np.random.Generator
) -> Course:
    own = OwnDeviations(load_rows(arrays), rng=rng)
    site = np.clip(1.0 + 0.1 * rng.standard_normal((made_mw.shape[1], 1)), 0.5, 1.3)

    def course(time_s: FloatArray) -> ComplexArray:
        quarter = np.minimum(time_s // _QUARTER_S, len(made_mw) - 2).astype(np.int64)
        on = time_s / _QUARTER_S - quarter
        drawn = 1e6 * (drawn_mva[quarter] * (1 - on[:, None]) + drawn_mva[quarter + 1] * on[:, None]).T
        made = 1e6 * (made_mw[quarter] * (1 - on[:, None]) + made_mw[quarter + 1] * on[:, None]).T
        return np.concatenate([-drawn - np.abs(drawn) * own.next(len(time_s)), site * made + 0.0j])

    return course


def _lower_bus(arrays: NetworkArrays, branch: ElementId) -> str:
    ends = [t[0] for t in arrays.branches[arrays.branch_idx[branch]].terminals]
    return str(min(ends, key=lambda end: arrays.v_base_v[arrays.node_idx[end]]).bus)


def _simbench_plan(
    arrays: NetworkArrays, grid: GridState, *, metered: Sequence[str], rng: np.random.Generator
) -> MeteringPlan:
    v = _usual_v(arrays, grid)
    trafos = [arrays.branches[i] for i in arrays.tapped]
    through = {
        str(b.id): float(np.abs(arrays.branch_power_va(i, grid, v)[0]))
        for i, b in enumerate(arrays.branches)
        if b.switch is None and b.taps is None and len(b.terminals) == 2
    }
    largest = sorted(through, key=lambda name: -through[name])
    flows = [str(t.id) for t in trafos] + largest[2:18:4]
    energised = arrays.energised(grid)
    live = [n.bus for i, n in enumerate(arrays.nodes) if energised[i] and arrays.v_base_v[i] < 20e3]
    buses = dict.fromkeys([_lower_bus(arrays, t.id) for t in trafos])
    with_loads = sorted({load.pairs[0][0].bus for load in arrays.model.loads} & set(live))
    buses |= dict.fromkeys(str(b) for b in rng.permutation(with_loads)[: round(0.15 * len(with_loads))])
    power = (PointKind.P_FLOW, PointKind.Q_FLOW)
    keys = (
        *(PointKey(kind=PointKind.V_MAGNITUDE, element=bus) for bus in buses),
        *(PointKey(kind=kind, element=branch) for branch in flows for kind in power),
        *(PointKey(kind=kind, element=der) for der in metered for kind in _INJECTIONS),
    )
    return with_sigmas(arrays, grid, v_phasor_pu=v, keys=keys)
