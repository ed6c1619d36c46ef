"""What a unit measures, into the registers of models 701, 713, 714 and 715."""

from __future__ import annotations

from math import hypot, nan, sqrt

from hil.endpoints.sunspec.bank import RegisterBank
from hil.endpoints.sunspec.physics import Measured, Nameplate, OperatingState

RUNNING = frozenset({OperatingState.STARTING, OperatingState.RUNNING, OperatingState.THROTTLED})


def show(bank: RegisterBank, measured: Measured, *, nameplate: Nameplate) -> None:
    """Put a measurement into the registers; what is not measured becomes "not implemented"."""
    p_w, q_var = sum(measured.p_w), sum(measured.q_var)
    # SINGLE_PHASE, SPLIT_PHASE, THREE_PHASE.
    bank.put(701, "ACType", nameplate.phases - 1)
    bank.put(701, "St", int(measured.state in RUNNING))
    bank.put(701, "InvSt", int(measured.state))
    bank.put(701, "ConnSt", int(measured.connected))
    bank.put(701, "Alrm", measured.alarms)
    bank.put(701, "DERMode", 1)
    _powers(bank, "", p_w=p_w, q_var=q_var)
    currents = [_current(p, q, v) for p, q, v in zip(measured.p_w, measured.q_var, measured.v_v, strict=True)]
    bank.measure(701, "A", sum(currents))
    bank.measure(701, "LNV", sum(measured.v_v) / len(measured.v_v))
    bank.measure(701, "Hz", measured.f_hz)
    for place, current in enumerate(currents):
        phase = f"L{place + 1}"
        _powers(bank, phase, p_w=measured.p_w[place], q_var=measured.q_var[place])
        bank.measure(701, f"A{phase}", current)
        bank.measure(701, f"V{phase}", measured.v_v[place])
    if nameplate.phases == 3:
        # Magnitudes only: as if the phases stood 120 degrees apart.
        one, two, three = measured.v_v
        pairs = [sqrt(a * a + b * b + a * b) for a, b in ((one, two), (two, three), (three, one))]
        bank.measure(701, "LLV", sum(pairs) / 3.0)
        for name, v in zip(("VL1L2", "VL2L3", "VL3L1"), pairs, strict=True):
            bank.measure(701, name, v)
    _throttling(bank, measured, p_w=p_w, p_max_w=nameplate.p_max_w)
    if nameplate.energy_wh is not None:
        soc = measured.soc_frac
        bank.measure(713, "SoC", None if soc is None else 100.0 * soc)
        bank.measure(713, "WHAvail", None if soc is None else soc * nameplate.energy_wh)
    bank.measure(714, "DCW", measured.p_dc_w)
    bank.measure(714, "Prt[1].DCW", measured.p_dc_w)
    bank.put(715, "LocRemCtl", int(measured.local))


def _current(p_w: float, q_var: float, v_v: float) -> float:
    """A; 0 of a dead phase without power, NaN of one that claims some."""
    s_va = hypot(p_w, q_var)
    if v_v > 0.0:
        return s_va / v_v
    return 0.0 if s_va == 0.0 else nan


def _powers(bank: RegisterBank, phase: str, *, p_w: float, q_var: float) -> None:
    s_va = hypot(p_w, q_var)
    bank.measure(701, f"W{phase}", p_w)
    bank.measure(701, f"Var{phase}", q_var)
    bank.measure(701, f"VA{phase}", s_va)
    bank.measure(701, f"PF{phase}", p_w / s_va if s_va > 0.0 else None)


def _throttling(bank: RegisterBank, measured: Measured, *, p_w: float, p_max_w: float) -> None:
    if measured.p_available_w is None or p_max_w <= 0.0:
        # Of what only absorbs there is nothing to hold back.
        bank.put(701, "ThrotPct", None)
        return
    held_back = max(0.0, measured.p_available_w - p_w) / p_max_w
    bank.measure(701, "ThrotPct", 100.0 * held_back)
    bank.put(701, "ThrotSrc", int(held_back > 0.0))
