"""Every DER as dispatch sees it now: what it gives, what it would give by itself, how far it can be led, or why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from adms.apps.dispatch.policy import DispatchPolicy
from adms.apps.interlock import why_not_commandable
from adms.apps.view import RoundView
from adms.core.estimate import Estimate
from adms.core.ids import ElementId
from adms.core.telemetry import FloatArray, PointKey, PointKind
from adms.grid.arrays import GROUND
from adms.grid.model import Der, DerKind
from adms.grid.topology import source_of_node

ENERGY_FRAC = 1.0 - 1e-9
"""The interlock computes the charge at the end of the lease the other way round: rounding must not refuse it."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One DER. Powers are injections into the network, W."""

    der: Der
    present_w: float
    """As estimated; 0 where it is dead."""
    idle_w: float
    """Without a limit: 0 for a battery, its request for an EV site, what is available for PV."""
    lower_w: float
    upper_w: float
    """Capability over the lease: nameplate, S with the present Q, energy, what is available."""
    interface: ElementId | None
    """The interface that feeds it; None where none does."""
    unusable: str
    """Why it is not counted on; empty where it is. Then `idle_w` = `lower_w` = `upper_w` = `present_w`."""


def fleet(
    view: RoundView, *, picture: Estimate, standing: Mapping[ElementId, float], policy: DispatchPolicy
) -> tuple[Member, ...]:
    """All DER in order of their ids.

    Args:
        view: the round.
        picture: its estimate.
        standing: setpoints in force; a DER in it does not show by itself what it would like to do.
        policy: limits.
    """
    home = _interface_of_nodes(view)
    found = []
    for der in sorted(view.arrays.model.ders, key=lambda d: d.id):
        rows = view.arrays.injector_rows[der.id]
        nodes = [int(n) for n in (*view.arrays.injector_fr[rows], *view.arrays.injector_to[rows]) if n != GROUND]
        homes = {home[n] for n in nodes}
        interface = homes.pop() if len(homes) == 1 else None
        dead = not all(_is_live(picture, n) for n in nodes)
        s_va = complex(picture.s_injection_va[rows].sum())
        known = bool(np.isfinite(s_va))
        unusable = _unusable(view, der, dead=dead, known=known)
        present_w = 0.0 if dead or not known else s_va.real
        idle_w, lower_w, upper_w = present_w, present_w, present_w
        if not unusable:
            idle_w, lower_w, upper_w, unusable = _range(view, der, s_va=s_va, led=der.id in standing, policy=policy)
        found.append(
            Member(
                der=der,
                present_w=present_w,
                idle_w=idle_w,
                lower_w=lower_w,
                upper_w=upper_w,
                interface=interface,
                unusable=unusable,
            )
        )
    return tuple(found)


def _is_live(picture: Estimate, node: int) -> bool:
    """True where the estimate gives the node a voltage."""
    magnitude = abs(picture.v_phasor_pu[node])
    return bool(np.isfinite(magnitude) and magnitude > 0.0)


def _interface_of_nodes(view: RoundView) -> list[ElementId | None]:
    """[node] the interface source that feeds it; None where none does, or where several sources do."""
    arrays = view.arrays
    limited = {limit.interface for limit in view.interface_limits}
    home = {k: s.id for k, s in enumerate(arrays.model.sources) if s.interface or s.id in limited}
    # With a parallel source the flow at the interface is not what is behind it: nobody there is counted on.
    return [home.get(int(index)) for index in source_of_node(arrays, view.grid)]


def _unusable(view: RoundView, der: Der, *, dead: bool, known: bool) -> str:
    if dead:
        return "it is without supply or unobservable"
    if not known:
        return "its power is not known"
    refusal = why_not_commandable(view, der.id)
    return "" if refusal is None else f"{refusal.guard}: {refusal.reason}"


def _range(
    view: RoundView, der: Der, *, s_va: complex, led: bool, policy: DispatchPolicy
) -> tuple[float, float, float, str]:
    """(idle, lower, upper, why unusable) of a DER that answers."""
    circle_w = sqrt(max(0.0, der.s_max_va**2 - min(abs(s_va.imag), der.s_max_va) ** 2))
    lower_w, upper_w = max(der.p_min_w, -circle_w), min(der.p_max_w, circle_w)
    match der.kind:
        case DerKind.BATTERY:
            discharge_w, charge_w = _energy_limits(view, der, policy=policy)
            return 0.0, min(0.0, max(lower_w, -charge_w)), max(0.0, min(upper_w, discharge_w)), ""
        case DerKind.EV:
            # Led, it shows the setpoint and not its wish: what it falls back to stands for the wish.
            fallback_w = der.p_min_w if der.default_p_injection_w is None else der.default_p_injection_w
            request_w = min(0.0, max(lower_w, fallback_w if led else s_va.real))
            return request_w, request_w, 0.0, ""
        case DerKind.PV:
            key = PointKey(kind=PointKind.P_AVAILABLE, element=der.id)
            available_w = view.snapshot.good(key, max_age_s=policy.interlock.telemetry_max_age_s)
            if not led:
                available_w = s_va.real
            elif available_w is None:
                available_w = der.p_max_w
            available_w = max(0.0, min(upper_w, available_w))
            return available_w, 0.0, available_w, ""
        case DerKind.GENERATOR:
            # Not dispatched yet: it runs as it runs.
            return s_va.real, s_va.real, s_va.real, ""


def _energy_limits(view: RoundView, der: Der, *, policy: DispatchPolicy) -> tuple[float, float]:
    """(largest discharge, largest charge) over one lease, W. A battery of unknown charge gives and takes nothing."""
    limits = policy.interlock
    soc = view.snapshot.good(PointKey(kind=PointKind.SOC, element=der.id), max_age_s=limits.telemetry_max_age_s)
    if soc is None or der.energy_wh is None:
        return 0.0, 0.0
    hours = limits.der_lease_s / 3600.0
    discharge_w = max(0.0, soc - limits.soc_min_frac) * der.energy_wh * der.efficiency_frac / hours
    charge_w = max(0.0, limits.soc_max_frac - soc) * der.energy_wh / der.efficiency_frac / hours
    return ENERGY_FRAC * discharge_w, ENERGY_FRAC * charge_w


def ratings_w(members: tuple[Member, ...], *, down: bool) -> FloatArray:
    """What each is proportional to: its own largest power in the direction of the need."""
    return np.array([abs(m.der.p_min_w) if _draws(m, down=down) else abs(m.der.p_max_w) for m in members])


def _draws(member: Member, *, down: bool) -> bool:
    return member.der.kind is DerKind.EV or (member.der.kind is DerKind.BATTERY and down)
