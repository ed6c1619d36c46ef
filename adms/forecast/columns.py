"""What of a network the forecast works on, gathered once into columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adms.core.estimate import ComplexArray
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.policy import EstimationPolicy
from adms.forecast.class_motion import ClassProcess
from adms.forecast.class_profiles import ClassProfile, profile_of
from adms.forecast.policy import ForecastPolicy
from adms.forecast.solar import SolarSites, coordinates
from adms.grid.arrays import BoolArray, NetworkArrays
from adms.grid.model import Der, DerKind


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadColumns:
    """Loads, in model order; their rows are the first injectors."""

    classes: tuple[str, ...]
    """[class] `Load.load_class` as it stands."""
    profiles: tuple[ClassProfile, ...]
    """[class]."""
    level_frac: FloatArray
    """[class] mean power over nominal."""
    load_class: IntArray
    """[load]."""
    row_load: IntArray
    """[row] = [injector] of the loads."""
    parts: IntArray
    """[load] number of its rows."""
    s_nominal_va: ComplexArray
    """[row] injection at nominal voltage (negative: it draws)."""
    row_size_va: FloatArray
    """[row] |s_nominal|: own deviations are over this times the class's multiplier."""
    load_s_va: ComplexArray
    """[load] sum over its rows."""
    load_size_va: FloatArray
    """[load] sum of its rows' sizes."""
    own_level_var: FloatArray
    """[load] of the own deviation, what stays; common to its phases."""
    own_fast_var: FloatArray
    """[load] what comes and goes; common to its phases."""
    unbalance_var: FloatArray
    """[load] of each phase by itself; 0 where there is one row."""
    row_phase: IntArray
    """[row] number of the phase that it starts at, counted over those there are."""
    phases: int
    """That many."""

    @cached_property
    def class_power(self) -> FloatArray:
        """[2, class] |P|, then |Q| of all loads of a class, nominal; where one is next to nothing, a hundredth of the
        apparent power stands in for it, so that what is over it stays finite."""
        count = len(self.classes)
        size = np.bincount(self.load_class, weights=self.load_size_va, minlength=count)
        p = np.bincount(self.load_class, weights=self.load_s_va.real, minlength=count)
        q = np.bincount(self.load_class, weights=self.load_s_va.imag, minlength=count)
        return np.asarray(np.maximum(np.abs(np.array([p, q])), np.maximum(0.01 * size, 1e-100)))

    @cached_property
    def row_class(self) -> IntArray:
        """[row]."""
        return self.load_class[self.row_load]


@dataclass(frozen=True, kw_only=True, eq=False)
class DerColumns:
    """DER, in model order; their rows are the last injectors."""

    row_der: IntArray
    """[DER row] index of the DER."""
    parts: IntArray
    """[DER] number of its rows."""
    mean_va: ComplexArray
    """[DER] injection without telemetry; of PV only Q counts, P is forecast."""
    sigma_va: FloatArray
    """[DER] of the whole, likewise."""
    unbalance_va: FloatArray
    """[DER] of one row against an equal share; 0 where there is one row."""
    is_solar: BoolArray
    """[DER]."""
    solar: IntArray
    """[site] index of the DER."""
    sites: SolarSites


@dataclass(frozen=True, kw_only=True, eq=False)
class ForecastColumns:
    """Everything that does not change while the model stands."""

    arrays: NetworkArrays
    loads: LoadColumns
    ders: DerColumns
    process: ClassProcess


def forecast_columns(
    arrays: NetworkArrays,
    *,
    profiles: Mapping[str, ClassProfile],
    policy: ForecastPolicy,
    estimation: EstimationPolicy,
) -> ForecastColumns:
    """Gather the columns of a network.

    Args:
        arrays: the network.
        profiles: the user's class profiles by name.
        policy: how loads move.
        estimation: level and spread of loads whose profile gives none, and how DER scatter.

    Returns:
        The columns.
    """
    loads = _load_columns(arrays, profiles=profiles, policy=policy, estimation=estimation)
    count = len(loads.classes)

    def left_in_sum(variance: FloatArray) -> FloatArray:
        total = np.bincount(loads.load_class, weights=loads.load_size_va**2 * variance, minlength=count)
        return np.asarray(np.sqrt(total) / loads.class_power)

    process = ClassProcess(
        motion=policy.motion,
        common_sigma_frac=np.array(
            [either(p.common_sigma_frac, estimation.load_scale_sigma_frac) for p in loads.profiles]
        ),
        own_level_sigma_frac=left_in_sum(loads.own_level_var),
        own_fast_sigma_frac=left_in_sum(loads.own_fast_var),
        own_level_tau_s=policy.own_level_tau_s,
        own_fast_tau_s=policy.own_fast_tau_s,
    )
    return ForecastColumns(arrays=arrays, loads=loads, ders=_der_columns(arrays, estimation), process=process)


def either(given: float | None, otherwise: float) -> float:
    """What a profile gives, else the estimator's."""
    return otherwise if given is None else given


def _load_columns(
    arrays: NetworkArrays, *, profiles: Mapping[str, ClassProfile], policy: ForecastPolicy, estimation: EstimationPolicy
) -> LoadColumns:
    model = arrays.model.loads
    classes = tuple(sorted({load.load_class for load in model}))
    number = {name: i for i, name in enumerate(classes)}
    chosen = tuple(profile_of(name, profiles=profiles) for name in classes)
    load_class = np.array([number[load.load_class] for load in model], dtype=np.int64)
    parts = np.array([len(load.pairs) for load in model], dtype=np.int64)
    row_load = np.repeat(np.arange(len(model), dtype=np.int64), parts)
    s = arrays.injector_s_nominal_va[: len(row_load)]
    own = np.array([either(p.own_sigma_frac, estimation.load_sigma_frac) for p in chosen])[load_class] ** 2
    unbalance = np.where(parts > 1, np.minimum(policy.phase_unbalance_frac**2, 0.9 * own), 0.0)
    shared = own - unbalance

    def per_load(rows: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(row_load, weights=rows, minlength=len(model)), dtype=np.float64)

    starts = [arrays.nodes[fr].phase for fr in arrays.injector_fr[: len(row_load)].tolist()]
    phases, row_phase = np.unique(np.array(starts, dtype=np.int64), return_inverse=True)
    load_s = per_load(s.real) + 1j * per_load(s.imag)
    return LoadColumns(
        classes=classes,
        profiles=chosen,
        level_frac=np.array([either(p.level_frac, estimation.load_factor_mean) for p in chosen]),
        load_class=load_class,
        row_load=row_load,
        parts=parts,
        s_nominal_va=s,
        row_size_va=np.abs(s),
        load_s_va=load_s,
        load_size_va=per_load(np.abs(s)),
        own_level_var=shared * policy.own_level_share,
        own_fast_var=shared * (1.0 - policy.own_level_share),
        unbalance_var=unbalance,
        row_phase=row_phase.astype(np.int64),
        phases=len(phases),
    )


def _der_columns(arrays: NetworkArrays, estimation: EstimationPolicy) -> DerColumns:
    ders = arrays.model.ders
    bus = {b.id: b for b in arrays.model.buses}
    parts = np.array([len(d.pairs) for d in ders], dtype=np.int64)
    solar = np.array([i for i, d in enumerate(ders) if d.kind is DerKind.PV], dtype=np.int64)
    at = [bus[ders[i].pairs[0][0].bus] for i in solar]
    s_max = np.array([d.s_max_va for d in ders], dtype=np.float64)
    return DerColumns(
        row_der=np.repeat(np.arange(len(ders), dtype=np.int64), parts),
        parts=parts,
        mean_va=np.array([_unasked(d) for d in ders], dtype=np.complex128),
        sigma_va=np.maximum(estimation.pv_sigma_frac * s_max, 1.0),
        unbalance_va=np.where(
            parts > 1, np.maximum(estimation.der_unbalance_frac * s_max / np.maximum(parts, 1), 1.0), 0.0
        ),
        is_solar=np.array([d.kind is DerKind.PV for d in ders], dtype=np.bool_),
        solar=solar,
        sites=SolarSites(
            p_max_w=np.array([ders[i].p_max_w for i in solar], dtype=np.float64),
            x_m=coordinates([b.x_m for b in at]),
            y_m=coordinates([b.y_m for b in at]),
            zone=tuple(b.zone for b in at),
        ),
    )


def _unasked(der: Der) -> complex:
    """What a DER injects by itself."""
    return complex(der.default_p_injection_w or 0.0, der.default_q_injection_var)
