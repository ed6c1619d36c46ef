"""The local controls that a deck gives its regulators and capacitors, read out of OpenDSS."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from hil.deck import CapacitorControl, EngineError, RegulatorControl, split_bus


def _refuse(control: str, unknown: Mapping[str, bool]) -> None:
    found = [what for what, is_so in unknown.items() if is_so]
    if found:
        raise EngineError(f"{control}: the plant has no local control with {', '.join(found)}")


def _property(circuit: Any, element: str, *, name: str) -> str:
    circuit.SetActiveElement(element)
    return str(circuit.ActiveCktElement.Properties(name).Val)


def _phases_of(circuit: Any, element: str) -> int:
    circuit.SetActiveElement(element)
    return int(circuit.ActiveCktElement.NumPhases)


def _tap_range(circuit: Any, transformer: str, *, winding: int) -> tuple[float, int, int]:
    """(step in pu, lowest position, highest position) of a winding."""
    transformers = circuit.Transformers
    transformers.Name = transformer
    transformers.Wdg = winding
    low, high = float(transformers.MinTap), float(transformers.MaxTap)
    step_pu = (high - low) / int(transformers.NumTaps)
    return step_pu, round((low - 1.0) / step_pu), round((high - 1.0) / step_pu)


def _winding_v(circuit: Any) -> float:
    """Nominal voltage across a phase of the active winding, V."""
    winding = circuit.Transformers
    star = not bool(winding.IsDelta) and int(circuit.ActiveCktElement.NumPhases) > 1
    return float(winding.kV) * 1000.0 / (3**0.5 if star else 1.0)


def regulator_controls(circuit: Any) -> tuple[RegulatorControl, ...]:
    """Those of all regulators, in OpenDSS' order. Raises EngineError for one that does what the plant does not."""
    controls = circuit.RegControls
    records = []
    for i in range(1, int(controls.Count) + 1):
        controls.idx = i
        own, name, winding = str(controls.Name).lower(), str(controls.Transformer).lower(), int(controls.Winding)
        _refuse(
            f"regcontrol.{own}",
            {
                "reversible=yes": bool(controls.IsReversible),
                "inversetime=yes": bool(controls.IsInverseTime),
                "vlimit": float(controls.VoltageLimit) > 0.0,
                "bus (a remote bus)": bool(str(controls.MonitoredBus)),
                "ptphase other than 1": _property(circuit, f"regcontrol.{own}", name="ptphase") != "1",
                "tapwinding other than winding": int(controls.TapWinding) != winding,
            },
        )
        step_pu, low, high = _tap_range(circuit, name, winding=winding)
        across = 2 if bool(circuit.Transformers.IsDelta) else 1
        bus, phases = split_bus(str(circuit.ActiveCktElement.BusNames[winding - 1]), phase_count=across)
        records.append(
            RegulatorControl(
                transformer=f"transformer.{name}",
                winding=winding,
                winding_v=_winding_v(circuit),
                bus=bus,
                phases=phases,
                tap_step_pu=step_pu,
                tap_low=low,
                tap_high=high,
                v_set_v=float(controls.ForwardVreg),
                v_band_v=float(controls.ForwardBand),
                pt_ratio=float(controls.PTratio),
                ct_primary_a=float(controls.CTPrimary),
                drop_r_v=float(controls.ForwardR),
                drop_x_v=float(controls.ForwardX),
                delay_s=float(controls.Delay),
                tap_delay_s=float(controls.TapDelay),
            )
        )
    return tuple(records)


def capacitor_controls(circuit: Any, *, capacitors: Container[str]) -> tuple[CapacitorControl, ...]:
    """Those of these capacitors, in OpenDSS' order. Raises EngineError for one that does what the plant does not."""
    controls = circuit.CapControls
    records = []
    for i in range(1, int(controls.Count) + 1):
        controls.idx = i
        own, capacitor = f"capcontrol.{str(controls.Name).lower()}", f"capacitor.{str(controls.Capacitor).lower()}"
        if capacitor not in capacitors:
            continue
        override = bool(controls.UseVoltOverride)
        element, side = str(controls.MonitoredObj).lower(), int(controls.MonitoredTerm) - 1
        limits = (float(controls.Vmin), float(controls.Vmax)) if override else (None, None)
        kind = _property(circuit, own, name="type").lower()
        kind = next((known for known in ("voltage", "current", "kvar") if known.startswith(kind)), kind)
        several = _phases_of(circuit, element) > 1
        _refuse(
            own,
            {
                f"type={kind}": kind not in {"voltage", "current", "kvar"},
                "an element of several phases": several,
            },
        )
        records.append(
            CapacitorControl(
                capacitor=capacitor,
                kind=kind,
                element=element,
                side=side,
                v_min_v=limits[0],
                v_max_v=limits[1],
                on=float(controls.ONSetting),
                off=float(controls.OFFSetting),
                pt_ratio=float(controls.PTratio),
                ct_ratio=float(controls.CTratio),
                delay_on_s=float(controls.Delay),
                delay_off_s=float(controls.DelayOff),
                dead_time_s=float(controls.DeadTime),
            )
        )
    return tuple(records)
