"""The plant made to differ from the service's model by a stated amount, and the list of what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from adms.client import InputError, Problem
from hil.plant.circuit import Circuit
from hil.plant.fault_places import FAULT_BUS
from hil.plant.reading import Table, raise_problems

STREAM = 33


@dataclass(frozen=True, kw_only=True)
class ZipModel:
    """How loads answer voltage: shares of constant impedance, current and power, each three of sum 1. It holds inside
    the band of voltage that the deck gives a load; outside, the load is an impedance, as all loads of OpenDSS are."""

    p_frac: tuple[float, ...]
    q_frac: tuple[float, ...]
    cut_off_pu: float
    """Below this a load draws nothing."""
    loads: tuple[str, ...]
    """Empty: all of them."""


@dataclass(frozen=True, kw_only=True)
class MismatchPlan:
    """How far the plant is from what the service is told. Each element's own deviation is drawn from a stream of its
    own, uniform within the stated span."""

    line_length_frac: float = 0.0
    """Lines are up to so much longer or shorter."""
    transformer_tap_steps: int = 0
    """Transformers without regulator stand up to so many steps off."""
    transformer_tap_step_pu: float = 0.025
    load_allocation_frac: float = 0.0
    """Loads are up to so much larger or smaller; P and Q alike, and P of the feeder as a whole is kept."""
    zip_model: ZipModel | None = None
    switches: tuple[tuple[str, bool], ...] = ()
    """(switch, closed): where it stands at the start, unlike its normal position."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that is not as the service is told."""

    kind: str
    """line_length, transformer_tap, load_allocation, load_model, switch."""
    element: str
    told: str
    true: str

    def __str__(self) -> str:
        return f"{self.element}: {self.kind.replace('_', ' ')} {self.true}, told {self.told}"


def apply_mismatch(circuit: Circuit, plan: MismatchPlan, seed: int) -> tuple[Change, ...]:
    """Edit the built circuit before its run, and list every edit. Loads are changed in the engine: read them anew from
    it. Raises InputError with every element that the feeder does not have."""
    _check(circuit, plan)
    changes = [
        *_lines(circuit, plan, seed=seed),
        *_transformers(circuit, plan, seed=seed),
        *_loads(circuit, plan, seed=seed),
        *_load_models(circuit, plan),
        *_switches(circuit, plan),
    ]
    return tuple(changes)


def starting_positions(changes: tuple[Change, ...]) -> dict[str, bool]:
    """Where the switches stand that are not where the service is told."""
    return {change.element: change.true == "closed" for change in changes if change.kind == "switch"}


def _draw(seed: int, *, kind: str, element: str) -> float:
    """Uniform from -1 to 1, of this element alone."""
    stream = [seed, STREAM, crc32(kind.encode()), crc32(element.encode())]
    return float(np.random.default_rng(stream).uniform(-1.0, 1.0))


def _check(circuit: Circuit, plan: MismatchPlan) -> None:
    known = {switch.id for switch in circuit.overlay.switches}
    names = {load.name for load in circuit.loads}
    problems = [
        Problem(element="mismatch", field="switch", value=switch, message="the feeder has no such switch")
        for switch, _ in plan.switches
        if switch not in known
    ]
    problems += [
        Problem(element="mismatch.zip_model", field="loads", value=load, message="the feeder has no such load")
        for load in (plan.zip_model.loads if plan.zip_model is not None else ())
        if load not in names
    ]
    if problems:
        raise InputError(problems)


def _lines(circuit: Circuit, plan: MismatchPlan, *, seed: int) -> list[Change]:
    if not plan.line_length_frac:
        return []
    engine = circuit.engine
    switches = {circuit.element(switch.id) for switch in circuit.overlay.switches}
    lines = [n for n in engine.element_names() if n.startswith("line.") and n not in switches]
    ends = {name: tuple(bus for bus, _ in engine.element(name).terminals) for name in lines}
    before = {to: name for name, (_, to) in ends.items() if to.startswith(FAULT_BUS)}
    changes = []
    for name in lines:
        if name in circuit.overlay.removed:
            continue
        own = name
        while ends[own][0] in before:
            # Part of a line that can fail: it changes as the line's first part does, which has its name.
            own = before[ends[own][0]]
        factor = 1.0 + plan.line_length_frac * _draw(seed, kind="line_length", element=own)
        told = float(engine.property_of(name, name="length"))
        engine.command(f"{name}.length={told * factor:.12g}")
        changes.append(
            Change(
                kind="line_length", element=name, told=f"{told:.6g}", true=f"{told * factor:.6g} ({factor - 1:+.2%})"
            )
        )
    return changes


def _transformers(circuit: Circuit, plan: MismatchPlan, *, seed: int) -> list[Change]:
    changes = []
    for name in circuit.engine.element_names():
        if not plan.transformer_tap_steps or not name.startswith("transformer.") or name in circuit.regulators:
            continue
        span = plan.transformer_tap_steps
        # The draw is cut into as many equal parts as there are positions.
        steps = min(int((_draw(seed, kind="transformer_tap", element=name) + 1.0) / 2.0 * (2 * span + 1)), 2 * span)
        if steps == span:
            continue
        told = circuit.engine.property_of(name, name="taps")
        ratios = [float(tap) for tap in told.strip("[] ").replace(",", " ").split()]
        ratios[0] += (steps - span) * plan.transformer_tap_step_pu
        circuit.engine.command(f"{name}.taps=[{' '.join(f'{tap:.12g}' for tap in ratios)}]")
        true = circuit.engine.property_of(name, name="taps")
        changes.append(Change(kind="transformer_tap", element=name, told=told, true=true))
    return changes


def _loads(circuit: Circuit, plan: MismatchPlan, *, seed: int) -> list[Change]:
    if not plan.load_allocation_frac:
        return []
    told = np.array([complex(load.p_w, load.q_var) for load in circuit.loads], dtype=np.complex128)
    draws = [_draw(seed, kind="load_allocation", element=load.name) for load in circuit.loads]
    true = told * (1.0 + plan.load_allocation_frac * np.array(draws))
    total_w = float(true.real.sum())
    if total_w > 0.0:
        true = true * (float(told.real.sum()) / total_w)
    circuit.engine.set_loads(np.asarray(true, dtype=np.complex128))
    return [
        Change(
            kind="load_allocation",
            element=load.name,
            told=f"{a.real / 1e3:.6g} kW",
            true=f"{b.real / 1e3:.6g} kW",
        )
        for load, a, b in zip(circuit.loads, told, true, strict=True)
        if a != b
    ]


def _load_models(circuit: Circuit, plan: MismatchPlan) -> list[Change]:
    model = plan.zip_model
    if model is None:
        return []
    coefficients = " ".join(f"{value:g}" for value in (*model.p_frac, *model.q_frac, model.cut_off_pu))
    true = "Z {:g} I {:g} P {:g}, Q: Z {:g} I {:g} P {:g}".format(*model.p_frac, *model.q_frac)
    changes = []
    for load in circuit.loads:
        if model.loads and load.name not in model.loads:
            continue
        told = f"OpenDSS model {circuit.engine.property_of(load.name, name='model')}"
        circuit.engine.command(f"{load.name}.model=8 zipv=[{coefficients}]")
        changes.append(Change(kind="load_model", element=load.name, told=told, true=true))
    return changes


def _switches(circuit: Circuit, plan: MismatchPlan) -> list[Change]:
    normal = {switch.id: switch.normally_closed for switch in circuit.overlay.switches}
    changes = []
    for switch, closed in plan.switches:
        if closed == normal[switch]:
            continue
        circuit.engine.set_switch(circuit.element(switch), closed=closed)
        words = {True: "closed", False: "open"}
        changes.append(Change(kind="switch", element=switch, told=words[not closed], true=words[closed]))
    return changes


def read_mismatch(content: Mapping[str, object]) -> MismatchPlan:
    """Read `[mismatch]`. Raises InputError with every problem."""
    problems: list[Problem] = []
    table = Table(content, name="mismatch", problems=problems)
    inner = table.table("zip_model")
    switches = []
    for entry in table.tables("switch"):
        switches.append((entry.text("id").lower(), entry.flag("closed")))
        entry.end()
    for name in sorted({name for name, _ in switches if [n for n, _ in switches].count(name) > 1}):
        table.wrong("switch", name, "stands there twice")
    plan = MismatchPlan(
        line_length_frac=table.number("line_length_frac", low=0.0, high=0.9, default=0.0),
        transformer_tap_steps=table.whole("transformer_tap_steps", low=0, high=8, default=0),
        transformer_tap_step_pu=table.number("transformer_tap_step_pu", low=0.001, high=0.1, default=0.025),
        load_allocation_frac=table.number("load_allocation_frac", low=0.0, high=1.0, default=0.0),
        zip_model=None if inner is None else _zip_model(inner),
        switches=tuple(switches),
    )
    table.end()
    raise_problems(problems)
    return plan


def _zip_model(table: Table) -> ZipModel:
    shares = {}
    for key in ("p_frac", "q_frac"):
        shares[key] = table.numbers(key, count=3)
        if len(shares[key]) == 3 and abs(sum(shares[key]) - 1.0) > 1e-9:
            table.wrong(key, shares[key], "must be of sum 1: impedance, current, power")
    model = ZipModel(
        p_frac=shares["p_frac"],
        q_frac=shares["q_frac"],
        cut_off_pu=table.number("cut_off_pu", low=0.0, high=1.0, default=0.0),
        loads=tuple(load.lower() for load in table.texts("loads", default=())),
    )
    table.end()
    return model
