"""`adms powerflow`: solves a model file without a service."""

import json
import sys
from cmath import phase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adms.cli.exits import ExitCode
from adms.cli.names import moved
from adms.cli.progress import underway
from adms.cli.studied import check_plot, ignored, studied
from adms.core.errors import InputError

if TYPE_CHECKING:
    from adms.core.estimate import ComplexArray
    from adms.powerflow import PowerFlow

_STRESSED = 0.3
"""Contraction from which the margin is looked for: in a two-bus network 71 % of the limit."""
_MARGIN_AIM = 1.5
_PLAUSIBLE = (0.5, 1.5)
"""Voltages outside, per unit, solve the equations and are not an operating state: a base or a tap is wrong, or
generators that hold a voltage were carried as powers."""
_NEAR_COLLAPSE = 1.1


def power_flow(
    file: Path,
    *,
    opened: tuple[str, ...],
    closed: tuple[str, ...],
    as_json: bool,
    study: Path | None = None,
    time_s: float = 0.0,
    plot: Path | None = None,
) -> ExitCode:
    """Solve and print; exit code 1 where there is no solution."""
    from adms.grid.arrays import NetworkArrays
    from adms.powerflow import NotSolved, solve_power_flow

    if plot is not None:
        check_plot(plot)
    model, version, grid, applied = studied(file, study=study, time_s=time_s)
    grid, problems = moved(model, grid, opened=opened, closed=closed)
    if problems:
        raise InputError(problems)
    with underway(f"solving {model.name}"):
        arrays = NetworkArrays(model, version=version)
        s_nominal_va = arrays.injector_s_nominal_va
        if applied is not None:
            s_nominal_va = applied.s_nominal_va(arrays, time_s=time_s)
        flow = solve_power_flow(arrays, grid, s_nominal_va=s_nominal_va)
    about: dict[str, Any] = {"model": model.name, "version": version}
    if applied is not None:
        told = ignored(applied, time_s=time_s, by="a power flow")
        about |= {"study": applied.study.name, "time_s": time_s, "ignored": told}
        for what in told:
            print(f"adms: ignored: {what}", file=sys.stderr)
    if isinstance(flow, NotSolved):
        empty: dict[str, Any] = {"p_source_w": None, "q_source_var": None, "losses_w": None, "sources": [], "nodes": []}
        failed = {"converged": False, "iterations": flow.iterations, "reason": flow.reason, **about, **empty}
        print(json.dumps(failed) if as_json else f"not solved: {flow.reason}")
        return ExitCode.FAILED
    nodes: list[dict[str, Any]] = []
    for row, node in enumerate(arrays.nodes):
        phasor = complex(flow.v_phasor_pu[row])
        live = bool(flow.energised[row])
        nodes.append(
            {
                "bus": node.bus,
                "phase": str(node.phase),
                "v_v": abs(phasor) * float(arrays.v_base_v[row]),
                "v_pu": abs(phasor),
                "angle_rad": phase(phasor) if phasor else None,
                "energised": live,
            }
        )
    margin = _margin(flow, s_nominal_va)
    result = {
        "converged": True,
        "iterations": flow.iterations,
        "last_step_pu": flow.step_pu,
        "near_collapse": margin is not None and margin < _NEAR_COLLAPSE,
        "load_margin": margin,
        "implausible_nodes": sum(n["energised"] and not _PLAUSIBLE[0] <= n["v_pu"] <= _PLAUSIBLE[1] for n in nodes),
        **about,
        "p_source_w": float(flow.s_source_va.real.sum()),
        "q_source_var": float(flow.s_source_va.imag.sum()),
        "losses_w": float(flow.losses_w),
        "sources": [
            {"source": source.id, "p_w": float(s.real), "q_var": float(s.imag)}
            for source, s in zip(model.sources, flow.s_source_va, strict=True)
        ],
        "nodes": nodes,
    }
    if plot is not None:
        from adms.cli.voltage_profile import plot_profile

        plot_profile(arrays, grid, flow, path=plot)
    if as_json:
        print(json.dumps(result, allow_nan=False))
    else:
        _print_flow(result, name=model.name)
    return ExitCode.OK


def _margin(flow: "PowerFlow", s_nominal_va: "ComplexArray") -> float | None:
    """Largest multiple of all powers that the network carries, where it is not far from that; else None."""
    from adms.powerflow import load_margin

    if flow.contraction is None or flow.contraction < _STRESSED:
        return None
    margin = load_margin(flow.factor, s_nominal_va=s_nominal_va, aim=_MARGIN_AIM)
    return margin if margin < _MARGIN_AIM else None


def _print_flow(result: dict[str, Any], *, name: str) -> None:
    live = [node for node in result["nodes"] if node["energised"]]
    print(f"{name}: solved in {result['iterations']} steps, {len(live)} of {len(result['nodes'])} nodes energised")
    print(f"sources deliver {result['p_source_w'] / 1e3:.1f} kW, {result['q_source_var'] / 1e3:.1f} kvar")
    print(f"losses {result['losses_w'] / 1e3:.2f} kW")
    if result["implausible_nodes"]:
        print(
            f"implausible: {result['implausible_nodes']} energised nodes are not between {_PLAUSIBLE[0]} and "
            f"{_PLAUSIBLE[1]} pu; a base or a tap is wrong, or a generator that holds a voltage was carried as power"
        )
    if result["near_collapse"]:
        print(f"near voltage collapse: no solution beyond {100.0 * result['load_margin']:.0f} % of these powers")
    for word, choose in (("lowest", min), ("highest", max)):
        node = choose(live, key=lambda node: float(node["v_pu"]), default=None)
        if node is not None:
            print(f"{word} voltage {node['v_pu']:.4f} pu at {node['bus']}.{node['phase']}")
