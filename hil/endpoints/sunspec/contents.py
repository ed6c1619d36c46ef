"""Registers of a device that was just switched on: nameplate, scale factors, settings by IEEE 1547-2018."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log10, sqrt

from hil.endpoints.sunspec.bank import RegisterBank
from hil.endpoints.sunspec.layout import Layout, layout_of
from hil.endpoints.sunspec.physics import Nameplate
from hil.endpoints.sunspec.words import Value

CURVES, CURVE_POINTS, TRIP_POINTS = 3, 6, 5
COUNTS: Mapping[int, Mapping[str, int]] = {
    **{model: {"NCrv": CURVES, "NPt": CURVE_POINTS} for model in (705, 706, 712)},
    **{model: {"NCrvSet": CURVES, "NPt": TRIP_POINTS} for model in (707, 708, 709, 710)},
    711: {"NCtl": CURVES},
    714: {"NPrt": 1},
}
MODELS = (1, 701, 702, 703, 704, 705, 706, 707, 708, 709, 710, 711, 712, 713, 714, 715)
STORAGE_ONLY = frozenset({713})

# IEEE 1547-2018, category B: tables 8 (volt-var), 10 (volt-watt) and 9 (watt-var); percent of VNom and of the rating.
VOLT_VAR = ((92.0, 44.0), (98.0, 0.0), (102.0, 0.0), (108.0, -44.0))
VOLT_WATT = ((106.0, 100.0), (110.0, 20.0))
WATT_VAR = ((-100.0, 44.0), (-50.0, 0.0), (-20.0, 0.0), (20.0, 0.0), (50.0, 0.0), (100.0, -44.0))
# Category III, tables 13 and 18: percent of VNom or Hz at 60 Hz nominal, and seconds.
MUST_TRIP: Mapping[int, tuple[tuple[float, float], ...]] = {
    707: ((50.0, 2.0), (88.0, 21.0)),
    708: ((110.0, 13.0), (120.0, 0.16)),
    709: ((56.5, 0.16), (58.5, 300.0)),
    710: ((61.2, 300.0), (62.0, 0.16)),
}


def layouts(nameplate: Nameplate) -> list[Layout]:
    """The models of a device."""
    wanted = [model for model in MODELS if nameplate.energy_wh is not None or model not in STORAGE_ONLY]
    return [layout_of(model, counts=COUNTS.get(model, {})) for model in wanted]


def exponent_for(largest: float, *, steps: int) -> int:
    """The finest scale factor with which a value still fits."""
    return ceil(log10(largest / steps)) if largest > 0.0 else 0


def fill(bank: RegisterBank, nameplate: Nameplate) -> None:
    """Everything that does not come from measurement."""
    _common(bank, nameplate)
    _scales(bank, nameplate)
    _capacity(bank, nameplate)
    _enter_service(bank, nameplate)
    _controls(bank)
    for model, points, reference, response_s in (
        (705, VOLT_VAR, 1, 5.0),
        (706, VOLT_WATT, 0, 10.0),
        (712, WATT_VAR, 1, None),
    ):
        _function_curves(bank, model, points=points, reference=reference, response_s=response_s)
    for model, must in MUST_TRIP.items():
        shift = nameplate.f_nominal_hz - 60.0 if model in (709, 710) else 0.0
        _trip_curves(bank, model, must=tuple((x + shift, y) for x, y in must))
    _droop(bank)
    if nameplate.energy_wh is not None:
        bank.measure(713, "WHRtg", nameplate.energy_wh)
        bank.measure(713, "SoH", 100.0)
        bank.put(713, "Sta", 0)
    _put(bank, 714, {"NPrt": 1, "Prt[1].PrtTyp": 0 if nameplate.energy_wh is None else 1, "Prt[1].ID": 1})
    _put(bank, 715, {"LocRemCtl": 0, "DERHb": 0, "ControllerHb": 0})


def _put(bank: RegisterBank, model: int, values: Mapping[str, Value]) -> None:
    for name, value in values.items():
        bank.put(model, name, value)


def _measure(bank: RegisterBank, model: int, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        bank.measure(model, name, value)


def _common(bank: RegisterBank, plate: Nameplate) -> None:
    texts = {"Mn": plate.manufacturer, "Md": plate.model, "Vr": plate.version, "SN": plate.serial}
    _put(bank, 1, {**texts, "DA": 1})


def _scales(bank: RegisterBank, plate: Nameplate) -> None:
    # Twice the rating still fits: overloads are seen, and ratings of model 702 are unsigned of the same size.
    power = exponent_for(2.0 * plate.s_max_va, steps=32_000)
    ampere = exponent_for(4.0 * plate.s_max_va / (plate.phases * plate.v_nominal_v), steps=32_000)
    volt = exponent_for(2.0 * sqrt(3.0) * plate.v_nominal_v, steps=65_000)
    powers = {"W_SF": power, "VA_SF": power, "Var_SF": power, "V_SF": volt, "A_SF": ampere}
    _put(bank, 701, {**powers, "Hz_SF": -3, "PF_SF": -3})
    _put(bank, 702, {**powers, "PF_SF": -3})
    _put(bank, 703, {"V_SF": -1, "Hz_SF": -2})
    setting = {"WSet_SF": min(power, 0), "VarSet_SF": min(power, 0), "WSetPct_SF": -2, "VarSetPct_SF": -2}
    _put(bank, 704, {**setting, "PF_SF": -3, "WMaxLimPct_SF": -2})
    for model in (705, 706):
        _put(bank, model, {"V_SF": -2, "DeptRef_SF": -2, "RspTms_SF": -1})
    _put(bank, 712, {"W_SF": -2, "DeptRef_SF": -2})
    for model in (707, 708):
        _put(bank, model, {"V_SF": -2, "Tms_SF": -2})
    for model in (709, 710):
        _put(bank, model, {"Hz_SF": -3, "Tms_SF": -2})
    _put(bank, 711, {"Db_SF": -3, "K_SF": -3, "RspTms_SF": -1})
    if plate.energy_wh is not None:
        _put(bank, 713, {"WH_SF": exponent_for(plate.energy_wh, steps=60_000), "Pct_SF": -2})
    _put(bank, 714, {"DCW_SF": power})


def _capacity(bank: RegisterBank, plate: Nameplate) -> None:
    volts = {"VNom": plate.v_nominal_v, "VMax": 1.2 * plate.v_nominal_v, "VMin": 0.5 * plate.v_nominal_v}
    ratings = {
        "WMax": plate.p_max_w,
        "VAMax": plate.s_max_va,
        "VarMaxInj": plate.q_max_var,
        "VarMaxAbs": plate.q_max_var,
        "AMax": plate.s_max_va / (plate.phases * plate.v_nominal_v),
        **volts,
    }
    if plate.energy_wh is not None:
        ratings |= {"WChaRteMax": plate.p_charge_max_w, "WDisChaRteMax": plate.p_max_w}
        ratings |= {"VAChaRteMax": plate.s_max_va, "VADisChaRteMax": plate.s_max_va}
    for name, value in ratings.items():
        _measure(bank, 702, {name: value, f"{name}Rtg": value})
    # Category B and III of IEEE 1547-2018; controls: MAX_W, FIXED_W, FIXED_VAR, FIXED_PF, VOLT_VAR, FREQ_WATT, the
    # trips by voltage, WATT_VAR, VOLT_WATT and the trips by frequency.
    modes = (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13)
    _put(bank, 702, {"NorOpCatRtg": 1, "AbnOpCatRtg": 2, "CtrlModes": sum(1 << bit for bit in modes)})


def _enter_service(bank: RegisterBank, plate: Nameplate) -> None:
    # IEEE 1547-2018 table 4.
    shift_hz = plate.f_nominal_hz - 60.0
    _measure(bank, 703, {"ESVHi": 105.0, "ESVLo": 91.7, "ESHzHi": 60.1 + shift_hz, "ESHzLo": 59.5 + shift_hz})
    _put(bank, 703, {"ES": 1, "ESDlyTms": 300, "ESRndTms": 300, "ESRmpTms": 300, "ESDlyRemTms": 0})


def _controls(bank: RegisterBank) -> None:
    zero = [
        name
        for name in bank.names(704)
        if name.endswith(("Ena", "EnaRvrt", "Tms", "Rem", "Pct", "PctRvrt", "Ext")) or name in ("WSet", "VarSet")
    ]
    _put(bank, 704, dict.fromkeys([*zero, "WSetRvrt", "VarSetRvrt"], 0))
    _measure(bank, 704, {"WMaxLimPct": 100.0, "WMaxLimPctRvrt": 100.0})
    _measure(bank, 704, {f"PFW{way}.PF": 1.0 for way in ("Inj", "InjRvrt", "Abs", "AbsRvrt")})
    _put(bank, 704, {"WSetMod": 1, "VarSetMod": 4, "VarSetPri": 1, "AntiIslEna": 1})


def _function_curves(
    bank: RegisterBank,
    model: int,
    *,
    points: tuple[tuple[float, float], ...],
    reference: int,
    response_s: float | None,
) -> None:
    _put(bank, model, {"Ena": 0, "AdptCrvReq": 0, "AdptCrvRslt": 1, "NPt": CURVE_POINTS, "NCrv": CURVES})
    _put(bank, model, {"RvrtTms": 0, "RvrtRem": 0, "RvrtCrv": 1})
    x_name, y_name = {705: ("V", "Var"), 706: ("V", "W"), 712: ("W", "Var")}[model]
    for number in range(1, CURVES + 1):
        curve = f"Crv[{number}]"
        _put(bank, model, {f"{curve}.ActPt": len(points), f"{curve}.DeptRef": reference})
        _put(bank, model, {f"{curve}.ReadOnly": int(number == 1)})
        if model != 706:
            bank.put(model, f"{curve}.Pri", 1)
        if response_s is not None:
            bank.measure(model, f"{curve}.RspTms", response_s)
        if model == 705:
            bank.measure(model, f"{curve}.VRef", 100.0)
            bank.put(model, f"{curve}.VRefAutoEna", 0)
        for place, (x, y) in enumerate(points, start=1):
            _measure(bank, model, {f"{curve}.Pt[{place}].{x_name}": x, f"{curve}.Pt[{place}].{y_name}": y})


def _trip_curves(bank: RegisterBank, model: int, *, must: tuple[tuple[float, float], ...]) -> None:
    _put(bank, model, {"Ena": 1, "AdptCrvReq": 0, "AdptCrvRslt": 1, "NPt": TRIP_POINTS, "NCrvSet": CURVES})
    axis = "V" if model in (707, 708) else "Hz"
    for number in range(1, CURVES + 1):
        curve = f"Crv[{number}]"
        bank.put(model, f"{curve}.ReadOnly", int(number == 1))
        _put(bank, model, {f"{curve}.{kind}.ActPt": 0 for kind in ("MayTrip", "MomCess")})
        bank.put(model, f"{curve}.MustTrip.ActPt", len(must))
        for place, (x, y) in enumerate(must, start=1):
            point = f"{curve}.MustTrip.Pt[{place}]"
            _measure(bank, model, {f"{point}.{axis}": x, f"{point}.Tms": y})


def _droop(bank: RegisterBank) -> None:
    # IEEE 1547-2018 table 24.
    _put(bank, 711, {"Ena": 1, "AdptCtlReq": 0, "AdptCtlRslt": 1, "NCtl": CURVES})
    _put(bank, 711, {"RvrtTms": 0, "RvrtRem": 0, "RvrtCtl": 1})
    for number in range(1, CURVES + 1):
        control = f"Ctl[{number}]"
        _measure(bank, 711, {f"{control}.{name}": 0.036 for name in ("DbOf", "DbUf")})
        _measure(bank, 711, {f"{control}.{name}": 0.05 for name in ("KOf", "KUf")})
        bank.measure(711, f"{control}.RspTms", 5.0)
        bank.put(711, f"{control}.ReadOnly", int(number == 1))
