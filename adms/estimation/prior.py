"""Pseudo-measurements: what loads and DER are expected to do when nobody measures them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from adms.core.estimate import ComplexArray, Estimate
from adms.core.fixed import fix_columns
from adms.core.telemetry import FloatArray, IntArray
from adms.estimation.policy import EstimationPolicy
from adms.grid.arrays import NetworkArrays
from adms.grid.load_law import at_nominal
from adms.grid.model import DerKind


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedDeviations:
    """Deviations that several injectors share: each mode is one independent standard normal number, and an entry says
    what it adds to an injector. "All residential loads are 10 % up", "the three phases of this load move together"."""

    injector: IntArray
    """[entry] index in `NetworkArrays.injectors`."""
    mode: IntArray
    """[entry] 0 .. modes - 1."""
    s_va: ComplexArray
    """[entry] what the mode adds to the injector when it is 1, VA at nominal voltage."""
    modes: int

    def __post_init__(self) -> None:
        """The columns become read-only copies: what a scan worked out from them is kept for the next."""
        columns = {"injector": np.int64, "mode": np.int64, "s_va": np.complex128}
        fix_columns(self, element="shared deviations", columns=columns)


NOTHING_SHARED = SharedDeviations(
    injector=np.zeros(0, dtype=np.int64),
    mode=np.zeros(0, dtype=np.int64),
    s_va=np.zeros(0, dtype=np.complex128),
    modes=0,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadPrior:
    """Expected injection of every injector (`NetworkArrays.injectors`):

    S = f(|V|) s_nominal + sum over modes of s_va b + (sigma_p e + j sigma_q e'),

    with b, e, e' independent standard normal and f the injector's voltage law.
    """

    s_nominal_va: ComplexArray
    """[injector] mean at nominal voltage, VA (negative for a load that draws)."""
    sigma_p_va: FloatArray
    """[injector] standard deviation of the own part of P; inf where nothing is known."""
    sigma_q_va: FloatArray
    """[injector] of Q."""
    shared: SharedDeviations = NOTHING_SHARED
    told: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Rows of the scan's table that the prior already rests on: they are not weighed a second time."""

    def __post_init__(self) -> None:
        """The columns become read-only copies: what a scan worked out from them is kept for the next."""
        columns = {"s_nominal_va": np.complex128, "sigma_p_va": np.float64, "sigma_q_va": np.float64, "told": np.int64}
        fix_columns(self, element="prior", columns=columns)


def prior_from_model(arrays: NetworkArrays, policy: EstimationPolicy) -> LoadPrior:
    """Model loads times the expected load factor; DER at what they do by themselves.

    Shared are: a deviation of all loads, one of the loads of each phase, and of each multi-phase DER its total; the own
    sigma of such a DER is that of one phase against an equal share. Independent deviations alone would say that the sum
    of a hundred loads is known to a tenth of what each one is; the picture would follow the model's level, and the
    covariance would be far too small. A PV site without a stored default is expected at half of its largest injection.

    Args:
        arrays: the network in solver order.
        policy: what the estimator believes.

    Returns:
        Mean and sigma, [injector].
    """
    mean = arrays.injector_s_nominal_va * policy.load_factor_mean
    sigma = np.maximum(np.abs(mean) * policy.load_sigma_frac, policy.load_sigma_floor_va)
    load = np.flatnonzero(~arrays.injector_is_der)
    modes: list[tuple[IntArray, ComplexArray]] = []
    if len(load):
        modes.append((load, policy.load_scale_sigma_frac * mean[load]))
        phase = np.array([arrays.nodes[fr].phase for fr in arrays.injector_fr[load].tolist()])
        phases = np.unique(phase)
        for one in phases.tolist() if len(phases) > 1 else ():
            rows = load[phase == one]
            modes.append((rows, policy.phase_scale_sigma_frac * mean[rows]))
    for der in arrays.model.ders:
        rows = arrays.injector_rows[der.id]
        p = der.default_p_injection_w
        if p is None:
            p = 0.5 * der.p_max_w if der.kind is DerKind.PV else 0.0
        mean[rows] = complex(p, der.default_q_injection_var) / len(rows)
        frac = policy.der_unbalance_frac if len(rows) > 1 else policy.pv_sigma_frac
        sigma[rows] = max(frac * der.s_max_va / len(rows), 1.0)
        if len(rows) > 1:
            total = max(policy.pv_sigma_frac * der.s_max_va, 1.0) / len(rows)
            modes += [(rows, np.full(len(rows), total * turn)) for turn in (1.0 + 0.0j, 1.0j)]
    return LoadPrior(s_nominal_va=mean, sigma_p_va=sigma, sigma_q_va=sigma, shared=shared_deviations(modes))


def shared_deviations(modes: Sequence[tuple[IntArray, ComplexArray]]) -> SharedDeviations:
    """Modes given one by one: (injectors, what each of them gets), VA."""
    if not modes:
        return NOTHING_SHARED
    return SharedDeviations(
        injector=np.concatenate([rows for rows, _ in modes]).astype(np.int64),
        mode=np.repeat(np.arange(len(modes)), [len(rows) for rows, _ in modes]).astype(np.int64),
        s_va=np.concatenate([s for _, s in modes]).astype(np.complex128),
        modes=len(modes),
    )


def nominal_loads(estimate: Estimate, arrays: NetworkArrays) -> ComplexArray:
    """Injections of an estimate brought back to nominal voltage, for what-if power flows.

    A load that is dead or unobservable in the estimate is not zero: it gets its model power times what the live loads
    together take over theirs (1 where none is live). Cold-load pickup is the caller's to add. A dead DER is 0: it has
    disconnected.

    Args:
        estimate: the picture.
        arrays: the network of the same model version.

    Returns:
        [injector] VA at nominal voltage.
    """
    v = estimate.v_phasor_pu
    ratio = np.abs(arrays.incidence.T @ np.nan_to_num(v)) * arrays.injector_v_scale
    s = estimate.s_injection_va
    known = (ratio > 0.0) & np.isfinite(s) & (s != 0.0)
    nominal = at_nominal(np.where(known, s, 0.0), ratio, arrays.injector_law)
    is_load = ~arrays.injector_is_der
    model = arrays.injector_s_nominal_va
    expected = float(model[known & is_load].real.sum())
    scale = float(nominal[known & is_load].real.sum()) / expected if expected != 0.0 else 1.0
    return np.asarray(np.where(is_load & ~known, model * scale, nominal))
