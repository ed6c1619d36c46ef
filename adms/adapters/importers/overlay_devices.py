"""Devices of an overlay: neighbouring sources, capacitors, tap changers, DER."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from adms.adapters.importers.overlay_draft import Draft
from adms.adapters.importers.overlay_schema import (
    OverlayCapacitor,
    OverlayDer,
    OverlayDerChange,
    OverlaySource,
    OverlayTapChanger,
)
from adms.grid.admittance import as_matrix
from adms.grid.model import Der, Source
from adms.grid.pairs import device_pairs


def add_source(draft: Draft, source: OverlaySource) -> None:
    """A source behind its sequence impedances; at a balanced bus the positive sequence is all there is."""
    taken = draft.take_id(source.id)
    nodes = draft.nodes(source.id, source.bus, source.phases)
    if not nodes:
        return
    z1, z0 = complex(source.r1_ohm, source.x1_ohm), complex(source.r0_ohm, source.x0_ohm)
    size = len(nodes)
    balanced = nodes[0].phase == 0
    z = np.full((size, size), (z0 - z1) / 3.0)
    np.fill_diagonal(z, z1 if balanced else (z0 + 2.0 * z1) / 3.0)
    draft.sources[taken] = Source(
        id=taken,
        nodes=nodes,
        v_magnitude_pu=(source.v_pu,) * size,
        v_angle_rad=tuple(
            math.radians(source.angle_deg - (0.0 if balanced else 120.0 * (node.phase - 1))) for node in nodes
        ),
        y_primitive_siemens=as_matrix(np.asarray(np.linalg.inv(z), dtype=np.complex128)),
        p_max_w=source.p_max_w,
    )


def set_capacitors(draft: Draft, capacitors: Sequence[OverlayCapacitor]) -> None:
    """Steps and control of capacitors."""
    for item in capacitors:
        capacitor = draft.find(draft.capacitors, item.id, what="capacitor", where=item.id, field_name="id")
        if capacitor is None:
            continue
        part = capacitor.steps / item.steps
        y = capacitor.y_step_siemens
        draft.capacitors[capacitor.id] = replace(
            capacitor,
            y_step_siemens=replace(
                y,
                re=tuple(tuple(x * part for x in line) for line in y.re),
                im=tuple(tuple(x * part for x in line) for line in y.im),
            ),
            steps=item.steps,
            normal_steps=item.normal_steps,
            remote=item.remote,
            v_on_pu=item.v_on_pu,
            v_off_pu=item.v_off_pu,
            delay_s=item.delay_s,
        )


def set_tap_changers(draft: Draft, changers: Sequence[OverlayTapChanger]) -> None:
    """Group and control of tap changers."""
    tapped = {branch.id: branch for branch in draft.branches.values() if branch.taps is not None}
    for changer in changers:
        branch = draft.find(tapped, changer.id, what="tap changer", where=changer.id, field_name="id")
        if branch is None or branch.taps is None:
            continue
        taps = replace(
            branch.taps,
            group=changer.group,
            delay_s=changer.delay_s,
            remote=changer.remote,
            v_set_v=branch.taps.v_set_v if changer.v_set_v is None else changer.v_set_v,
            v_band_v=branch.taps.v_band_v if changer.v_band_v is None else changer.v_band_v,
        )
        draft.branches[branch.id] = replace(branch, taps=taps)


def add_der(draft: Draft, der: OverlayDer) -> None:
    """A new DER."""
    taken = draft.take_id(der.id)
    nodes = draft.nodes(der.id, der.bus, der.phases)
    if not nodes:
        return
    found = device_pairs(nodes, delta=der.connection == "delta", bus=draft.buses[nodes[0].bus])
    if found is None:
        draft.problem(der.id, "connection", "delta", "needs two or three phases")
        return
    pairs, v_nominal_v = found
    draft.ders[taken] = Der(
        id=taken,
        kind=der.kind,
        pairs=pairs,
        s_max_va=der.s_max_va,
        p_max_w=der.p_max_w,
        p_min_w=der.p_min_w,
        q_max_var=der.q_max_var,
        v_nominal_v=v_nominal_v,
        energy_wh=der.energy_wh,
        efficiency_frac=der.efficiency_frac,
        default_p_injection_w=der.default_p_injection_w,
        default_q_injection_var=der.default_q_injection_var,
        ramp_w_per_s=der.ramp_w_per_s,
        owner=der.owner,
        normal_p_injection_w=der.normal_p_injection_w,
        normal_q_injection_var=der.normal_q_injection_var,
        fault_current_pu=der.fault_current_pu,
        x_subtransient_pu=der.x_subtransient_pu,
    )


def change_ders(draft: Draft, changes: Sequence[OverlayDerChange]) -> None:
    """What is said of DER that the network has: of all, then of a kind, then of one."""
    for change in sorted(changes, key=lambda c: (c.id is not None, c.kind is not None)):
        given = change.model_dump(exclude_none=True, exclude={"id", "kind", "default"})
        if change.id is not None:
            one = draft.find(draft.ders, change.id, what="DER", where=change.id, field_name="id")
            chosen = [] if one is None else [one]
        else:
            chosen = [der for der in draft.ders.values() if change.default or der.kind is change.kind]
        for der in chosen:
            draft.ders[der.id] = replace(der, **given)
