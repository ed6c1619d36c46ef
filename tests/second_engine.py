"""EPRI's own engine (`py-dss-interface`) as the bench's referee: the same deck and overlay, the same day.

It lives in a process of its own (`python -m tests.second_engine <job> <answer>`): it moves the working directory,
speaks on standard output and keeps one circuit for everybody. It shares nothing with `hil`: the overlay is read and put
on the deck here once more, so that a plant that put a switch or a unit in the wrong place is found out."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]


@dataclass(frozen=True, kw_only=True)
class Day:
    """What is imposed at every step: arrays have a row a step."""

    step_s: float
    loads: Sequence[str]
    load_va: ComplexArray
    """Drawn at nominal voltage."""
    ders: Sequence[str] = ()
    der_va: ComplexArray | None = None
    """Injected."""
    taps: Mapping[str, npt.NDArray[np.int64]] | None = None
    """Positions, steps from neutral: where they start, then a row a step."""
    capacitors: Mapping[str, npt.NDArray[np.int64]] | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the second engine says of a day."""

    nodes: Sequence[tuple[str, int]]
    base_v: FloatArray
    """Phase to ground, by node."""
    v_phasor_v: ComplexArray
    """(steps, nodes)"""
    taps: Mapping[str, npt.NDArray[np.int64]]
    capacitors: Mapping[str, npt.NDArray[np.int64]]
    iterations: npt.NDArray[np.int64]


def second_engine(
    deck: Path, *, overlay: Path | None, day: Day, own_controls: bool, folder: Path, tolerance: float = 1e-10
) -> Answer:
    """Run a day. With `own_controls` its RegControls and CapControls move taps and capacitors, on their own time;
    without them the day's positions are imposed. Raises CalledProcessError where it could not."""
    job, answer = folder / "job.npz", folder / "answer.npz"
    taps, capacitors = dict(day.taps or {}), dict(day.capacitors or {})
    words = {
        "deck": str(deck),
        "overlay": str(overlay) if overlay is not None else None,
        "own_controls": own_controls,
        "tolerance": tolerance,
        "step_s": day.step_s,
        "loads": list(day.loads),
        "ders": list(day.ders),
        "taps": list(taps),
        "capacitors": list(capacitors),
    }
    steps = len(day.load_va)
    np.savez(
        job,
        words=np.array(json.dumps(words)),
        load_va=day.load_va,
        der_va=day.der_va if day.der_va is not None else np.zeros((steps, 0), dtype=np.complex128),
        taps=np.array(list(taps.values()), dtype=np.int64).T,
        capacitors=np.array(list(capacitors.values()), dtype=np.int64).T,
    )
    command = [sys.executable, "-m", "tests.second_engine", str(job), str(answer)]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=280)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:] or done.stdout[-2000:])
    with np.load(answer) as found:
        nodes = [(bus, int(phase)) for bus, phase in (str(name).rsplit(".", 1) for name in found["nodes"])]
        return Answer(
            nodes=nodes,
            base_v=found["base_v"],
            v_phasor_v=found["v_phasor_v"],
            taps=dict(zip(taps, found["taps"].T, strict=True)),
            capacitors=dict(zip(capacitors, found["capacitors"].T, strict=True)),
            iterations=found["iterations"],
        )


# ---- in its own process -------------------------------------------------------------------------------------------


class _Epri:
    """The engine by its text commands."""

    def __init__(self) -> None:
        from py_dss_interface import DSS

        self.dss: Any = DSS()

    def say(self, text: str) -> str:
        answer = str(self.dss.text(text))
        if int(self.dss.errorinterface.error_code):
            raise RuntimeError(f"{text}: {self.dss.errorinterface.error_desc or answer}")
        return answer

    def ask(self, element: str, name: str) -> str:
        return self.say(f"? {element}.{name}").strip().strip("[]").strip()

    def base_kv(self, bus: str) -> float:
        """Phase to ground."""
        self.dss.circuit.set_active_bus(bus)
        return float(self.dss.bus.kv_base)


def _dotted(bus: str, phases: Sequence[int]) -> str:
    return ".".join([bus, *(str(phase) for phase in phases)])


def _names(listed: Sequence[str]) -> list[str]:
    """An empty list is told as one thing called None."""
    return [name for name in listed if name.lower() != "none"]


def _put_on(epri: _Epri, overlay: Mapping[str, Any]) -> None:
    """The overlay's switches, neighbours and units, in the words of its own file."""
    for entry in overlay.get("remove", []):
        epri.say(f"edit {entry['element']} enabled=no")
    for entry in overlay.get("switch", []):
        if entry.get("existing"):
            continue
        if "between" in entry:
            ends = [_dotted(bus, entry["phases"]) for bus in entry["between"]]
        else:
            line, side = entry["in_line"], 1 if entry["at"] == "fr" else 2
            here = epri.ask(line, f"bus{side}")
            bus, *phases = here.split(".")
            phases = phases or ["1", "2", "3"][: int(epri.ask(line, "phases"))]
            inner = _dotted(f"{line.split('.', 1)[1]}_{entry['at']}_sw", [int(phase) for phase in phases])
            epri.say(f"edit {line} bus{side}={inner}")
            outer = _dotted(bus, [int(phase) for phase in phases])
            ends = [outer, inner] if side == 1 else [inner, outer]
        name = "line." + entry["id"].replace(".", "_")
        epri.say(
            f"new {name} phases={ends[0].count('.')} bus1={ends[0]} bus2={ends[1]} switch=yes "
            "r1=1e-3 r0=1e-3 x1=0 x0=0 c1=0 c0=0 length=0.001"
        )
    epri.say("calcvoltagebases")
    for entry in overlay.get("source", []):
        kv = epri.base_kv(entry["bus"]) * (3**0.5 if len(entry["phases"]) > 1 else 1.0)
        epri.say(
            f"new vsource.{entry['id'].split('.', 1)[1]} bus1={_dotted(entry['bus'], entry['phases'])} "
            f"phases={len(entry['phases'])} basekv={kv:.9g} pu={entry['v_pu']} angle={entry['angle_deg']} "
            f"r1={entry['r1_ohm']} x1={entry['x1_ohm']} r0={entry['r0_ohm']} x0={entry['x0_ohm']}"
        )
    for entry in overlay.get("der", []):
        across = 3**0.5 if len(entry["phases"]) > 1 or entry.get("connection") == "delta" else 1.0
        epri.say(
            f"new generator.{entry['id'].split('.', 1)[1]} phases={len(entry['phases'])} kw=0 kvar=0 model=1 "
            f"bus1={_dotted(entry['bus'], entry['phases'])} kv={epri.base_kv(entry['bus']) * across:.6f} "
            f"vminpu=0.3 vmaxpu=1.5 conn={entry.get('connection', 'wye')}"
        )
    epri.say("calcvoltagebases")


def _positions(epri: _Epri, overlay: Mapping[str, Any]) -> None:
    for entry in overlay.get("switch", []):
        name = entry["id"] if entry.get("existing") else "line." + entry["id"].replace(".", "_")
        epri.say(f"{'close' if entry['normally_closed'] else 'open'} {name} 1")


def _controls(epri: _Epri, overlay: Mapping[str, Any]) -> None:
    """Delays of the overlay into the deck's RegControls, its capacitors' voltage control as CapControls."""
    delay_s = {entry["id"].lower(): entry["delay_s"] for entry in overlay.get("tap_changer", [])}
    for name in _names(epri.dss.regcontrols.names):
        transformer = epri.ask(f"regcontrol.{name}", "transformer").lower()
        known = delay_s.get(f"transformer.{transformer}")
        epri.say(f"edit regcontrol.{name} " + (f"delay={known}" if known is not None else "enabled=no"))
    mine = {entry["id"].lower() for entry in overlay.get("capacitor", [])}
    for name in _names(epri.dss.capcontrols.names):
        if "capacitor." + epri.ask(f"capcontrol.{name}", "capacitor").lower() not in mine:
            epri.say(f"edit capcontrol.{name} enabled=no")
    for entry in overlay.get("capacitor", []):
        if "v_on_pu" not in entry:
            continue
        own = entry["id"].split(".", 1)[1]
        base_v = epri.base_kv(epri.ask(entry["id"], "bus1").split(".")[0]) * 1000.0
        epri.say(
            f"new capcontrol.own_{own} capacitor={own} element={entry['id']} terminal=1 type=voltage ptratio=1 "
            f"ptphase=avg onsetting={entry['v_on_pu'] * base_v:.12g} offsetting={entry['v_off_pu'] * base_v:.12g} "
            f"delay={entry['delay_s']} delayoff={entry['delay_s']} deadtime=300"
        )


class _Taps:
    """Windings that RegControls move, by number from neutral."""

    def __init__(self, epri: _Epri, names: Sequence[str]) -> None:
        self._dss = epri.dss
        winding = {}
        for control in _names(epri.dss.regcontrols.names):
            transformer = "transformer." + epri.ask(f"regcontrol.{control}", "transformer").lower()
            winding[transformer] = int(epri.ask(f"regcontrol.{control}", "winding"))
        self._places = [(name.split(".", 1)[1], winding[name]) for name in names]

    def _select(self, name: str, winding: int) -> Any:
        transformers = self._dss.transformers
        transformers.name = name
        transformers.wdg = winding
        return transformers

    def put(self, positions: Sequence[int]) -> None:
        for (name, winding), position in zip(self._places, positions, strict=True):
            self._select(name, winding).tap = 1.0 + int(position) * 0.00625

    def read(self) -> list[int]:
        return [round((float(self._select(*place).tap) - 1.0) / 0.00625) for place in self._places]


def _phasors(flat: Sequence[float]) -> ComplexArray:
    parts = np.asarray(flat, dtype=np.float64)
    return np.asarray(parts[0::2] + 1j * parts[1::2], dtype=np.complex128)


class _Capacitors:
    """Steps of capacitors. Not by text: 10.1 prints no state of one whose steps are all out."""

    def __init__(self, epri: _Epri, names: Sequence[str]) -> None:
        self._own = epri.dss.capacitors
        self._names = [name.split(".", 1)[1] for name in names]

    def put(self, steps: Sequence[int]) -> None:
        for name, count in zip(self._names, steps, strict=True):
            self._own.name = name
            states = [int(k < count) for k in range(len(self._own.states))]
            if states != list(self._own.states):
                self._own.states = states

    def read(self) -> list[int]:
        found = []
        for name in self._names:
            self._own.name = name
            found.append(sum(int(state) for state in self._own.states))
        return found


def _live(job: Path, answer: Path) -> None:
    with np.load(job) as found:
        words = json.loads(str(found["words"]))
        load_va, der_va, taps, capacitors = (found[name] for name in ("load_va", "der_va", "taps", "capacitors"))
    overlay: Mapping[str, Any] = {}
    if words["overlay"] is not None:
        overlay = tomllib.loads(Path(words["overlay"]).read_text())
    epri = _Epri()
    epri.say(f'compile "{words["deck"]}"')
    _put_on(epri, overlay)
    own = bool(words["own_controls"])
    if own:
        _controls(epri, overlay)
    _positions(epri, overlay)
    gear, banks = _Taps(epri, words["taps"]), _Capacitors(epri, words["capacitors"])
    if words["taps"]:
        gear.put(taps[0])
    if words["capacitors"]:
        banks.put(capacitors[0])
    epri.say("set maxiterations=500")
    epri.say("set maxcontroliter=100")
    epri.say(f"set tolerance={words['tolerance']}")
    if own:
        epri.say(
            f"set mode=time number=1 hour=0 sec=0 stepsize={words['step_s']}s loadshapeclass=none controlmode=time"
        )
    else:
        epri.say("set mode=snapshot controlmode=off")
    v, moved, switched, iterations = [], [], [], []
    before: dict[str, complex] = {}
    for k, drawn in enumerate(load_va):
        for element, s in [*zip(words["loads"], drawn, strict=True), *zip(words["ders"], der_va[k], strict=True)]:
            if before.get(element) != s:
                kind, name = element.split(".", 1)
                unit = epri.dss.loads if kind == "load" else epri.dss.generators
                unit.name = name
                unit.kw, unit.kvar = float(s.real) / 1e3, float(s.imag) / 1e3
                before[element] = s
        if not own:
            if words["taps"]:
                gear.put(taps[k + 1])
            if words["capacitors"]:
                banks.put(capacitors[k + 1])
        epri.dss.solution.solve()
        if not epri.dss.solution.converged:
            raise RuntimeError(f"step {k}: no convergence")
        v.append(_phasors(epri.dss.circuit.buses_volts))
        moved.append(gear.read())
        switched.append(banks.read())
        iterations.append(int(epri.dss.solution.iterations))
    names = [str(name).lower() for name in epri.dss.circuit.nodes_names]
    base_v = {name.rsplit(".", 1)[0]: 0.0 for name in names}
    for bus in base_v:
        base_v[bus] = epri.base_kv(bus) * 1000.0
    count = len(load_va)
    np.savez(
        answer,
        nodes=np.array(names),
        base_v=np.array([base_v[name.rsplit(".", 1)[0]] for name in names]),
        v_phasor_v=np.array(v),
        taps=np.array(moved, dtype=np.int64).reshape(count, -1),
        capacitors=np.array(switched, dtype=np.int64).reshape(count, -1),
        iterations=np.array(iterations, dtype=np.int64),
    )


if __name__ == "__main__":
    _live(Path(sys.argv[1]), Path(sys.argv[2]))
